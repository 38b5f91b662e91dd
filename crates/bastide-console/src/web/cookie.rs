//! Cookies: read strictly, written with every protection that the connection allows.

use http::HeaderMap;
use http::header::COOKIE;

/// Bytes of all cookies of a request; ours are three short ones.
const MOST_BYTES: usize = 8 << 10;

/// The one cookie of this name; `None` for none, and for two that differ: one of them is somebody else's.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let text = header.to_str().ok().filter(|t| t.len() <= MOST_BYTES)?;
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key == name {
                match found {
                    Some(before) if before != value => return None,
                    _ => found = Some(value),
                }
            }
        }
    }
    found.filter(|value| !value.is_empty())
}

/// How long a browser keeps a cookie.
pub(crate) enum Lasts {
    /// Until it is closed.
    Session,
    /// So many seconds.
    Seconds(u64),
    /// Not any more.
    Gone,
}

/// `Set-Cookie` for the console: no script reads it, no other site sends it along, and where the connection is encrypted
/// it never crosses another one.
pub(crate) fn write(name: &str, value: &str, secure: bool, lasts: Lasts) -> String {
    let mut cookie = format!("{name}={value}; Path=/console; HttpOnly; SameSite=Strict");
    if secure {
        cookie.push_str("; Secure");
    }
    match lasts {
        Lasts::Session => {}
        Lasts::Seconds(seconds) => cookie.push_str(&format!("; Max-Age={seconds}")),
        Lasts::Gone => cookie.push_str("; Max-Age=0"),
    }
    cookie
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|v| (COOKIE, v.parse().expect("a header"))).collect()
    }

    #[test]
    fn the_one_cookie_of_a_name_is_read() {
        assert_eq!(read(&headers(&["a=1; s=token; b=2"]), "s"), Some("token"));
        assert_eq!(read(&headers(&["s=token", "s=token"]), "s"), Some("token"));
        assert_eq!(read(&headers(&["s=one; s=two"]), "s"), None, "which one is ours?");
        assert_eq!(read(&headers(&["xs=1; s2=2"]), "s"), None);
        assert_eq!(read(&headers(&["s="]), "s"), None);
        assert_eq!(read(&headers(&[&format!("s=1; a={}", "x".repeat(MOST_BYTES))]), "s"), None);
    }

    #[test]
    fn cookies_are_written_with_their_protections() {
        let cookie = write("s", "t", true, Lasts::Seconds(60));
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/console", "Max-Age=60"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!write("s", "t", false, Lasts::Session).contains("Secure"));
        assert!(write("s", "", false, Lasts::Gone).ends_with("Max-Age=0"));
    }
}
