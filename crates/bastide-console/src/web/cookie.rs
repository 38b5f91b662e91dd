//! Cookies: read strictly, written with every protection that the connection allows.

use http::HeaderMap;
use http::header::COOKIE;

/// Bytes of all cookies of a request; ours are three short ones.
const MOST_BYTES: usize = 8 << 10;

/// What the name of a cookie begins with that came over an encrypted connection. Browsers take such a cookie from this very
/// host only, over TLS and for all of its paths, so nobody on a neighbouring name or on a plain connection can put one of
/// theirs in its place (RFC 6265bis, section 4.1.3.2).
const PREFIX: &str = "__Host-";

/// The one cookie of this name, as [`write`] names it on such a connection; `None` for none, and for two that differ: one of them is somebody else's.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str, secure: bool) -> Option<&'h str> {
    let prefix = if secure { PREFIX } else { "" };
    let mut found = None;
    for header in headers.get_all(COOKIE) {
        let text = header.to_str().ok().filter(|t| t.len() <= MOST_BYTES)?;
        for pair in text.split(';') {
            let Some((key, value)) = pair.trim().split_once('=') else { continue };
            if key.strip_prefix(prefix) == Some(name) {
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
    let mut cookie = match secure {
        true => format!("{PREFIX}{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        false => format!("{name}={value}; Path=/console; HttpOnly; SameSite=Strict"),
    };
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
        let plain = |values: &[&str]| read(&headers(values), "s", false).map(str::to_owned);
        assert_eq!(plain(&["a=1; s=token; b=2"]).as_deref(), Some("token"));
        assert_eq!(plain(&["s=token", "s=token"]).as_deref(), Some("token"));
        assert_eq!(plain(&["s=one; s=two"]), None, "which one is ours?");
        assert_eq!(plain(&["xs=1; s2=2"]), None);
        assert_eq!(plain(&["s="]), None);
        assert_eq!(plain(&[&format!("s=1; a={}", "x".repeat(MOST_BYTES))]), None);
    }

    #[test]
    fn over_tls_only_a_cookie_of_this_host_counts() {
        let both = headers(&["s=planted; __Host-s=ours"]);
        assert_eq!((read(&both, "s", true), read(&both, "s", false)), (Some("ours"), Some("planted")));
        assert_eq!(read(&headers(&["s=planted"]), "s", true), None);
    }

    #[test]
    fn cookies_are_written_with_their_protections() {
        let cookie = write("s", "t", true, Lasts::Seconds(60));
        for part in ["__Host-s=t;", "HttpOnly", "SameSite=Strict", "Secure", "Path=/;", "Max-Age=60"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(write("s", "t", false, Lasts::Session).starts_with("s=t; Path=/console;"));
        assert!(!write("s", "t", false, Lasts::Session).contains("Secure"));
        assert!(write("s", "", false, Lasts::Gone).ends_with("Max-Age=0"));
    }
}
