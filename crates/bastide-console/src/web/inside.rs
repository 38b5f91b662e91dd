//! Addresses of our own pages, as others give them back to us.

/// A page of the console to go on to; the overview for anything else.
pub(crate) fn inside(next: &str) -> &str {
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let ours = (path == "/console" || path.starts_with("/console/"))
        && next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !path.contains("//")
        && !path.split('/').any(|segment| segment == "..");
    if ours { next } else { "/console" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for good in ["/console", "/console/keys", "/console/exchanges?verdict=block&q=%41"] {
            assert_eq!(inside(good), good);
        }
        for bad in [
            "",
            "//evil.example",
            "https://evil.example/console",
            "/consoleevil",
            "/console/../evil",
            "/console//evil.example",
            "/console/\r\nset-cookie: a",
            "/\\evil",
            "/console/\\evil",
            "javascript:alert(1)",
        ] {
            assert_eq!(inside(bad), "/console", "{bad:?}");
        }
    }
}
