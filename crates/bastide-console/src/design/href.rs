//! Where a link may lead.

use std::fmt;

use crate::design::Text;

/// The address of a link or form: a page of this site, a place on this page, or an `https` or `http` address. Nothing
/// else can be one, `javascript:` and `data:` least of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Href(String);

/// An address that no link may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HrefError(String);

impl fmt::Display for HrefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no address for a link; give a path that begins with `/`, or an https address",
            self.0
        )
    }
}

impl std::error::Error for HrefError {}

impl Href {
    /// A page of the console, as written in code: `/console/keys`. Anything else leads nowhere (`#`).
    #[must_use]
    pub fn page(path: &'static str) -> Self {
        Href::parse(path).unwrap_or_else(|_| Href("#".to_owned()))
    }

    /// An address from elsewhere.
    pub fn parse(address: &str) -> Result<Self, HrefError> {
        let refused = || HrefError(address.chars().take(80).collect());
        // Browsers drop tabs and line ends inside a scheme and trim blanks before it.
        let unseen = Text::from(address).as_str() != address;
        if unseen || address.chars().any(|c| c.is_whitespace() || c == '\\') {
            return Err(refused());
        }
        let local = address.starts_with('/') && !address.starts_with("//");
        let here = address.starts_with('#') || address.starts_with('?');
        let lower = address.get(..8).unwrap_or(address).to_ascii_lowercase();
        let web = lower.starts_with("https://") || lower.starts_with("http://");
        if local || here || web { Ok(Href(address.to_owned())) } else { Err(refused()) }
    }

    /// The same with one more path segment, percent-encoded: an id, a name.
    #[must_use]
    pub fn segment(mut self, segment: &str) -> Self {
        if !self.0.ends_with('/') {
            self.0.push('/');
        }
        // Dots alone would climb.
        match segment {
            "." | ".." => self.0.push_str("%2E%2E%2E"),
            _ => encode(&mut self.0, segment),
        }
        self
    }

    /// The same with one more query parameter, percent-encoded.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        encode(&mut self.0, name);
        self.0.push('=');
        encode(&mut self.0, value);
        self
    }

    /// Whether it leaves this site.
    #[must_use]
    pub fn is_external(&self) -> bool {
        !self.0.starts_with(['/', '#', '?'])
    }

    /// The address.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Href {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_run_or_hide_are_refused() {
        for bad in [
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            " javascript:alert(1)",
            "java\tscript:alert(1)",
            "\u{1}javascript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "//elsewhere.example",
            "/\\elsewhere.example",
            "\\\\elsewhere.example",
            "mailto:a@b.example",
            "blob:x",
            "keys",
            "",
        ] {
            assert!(Href::parse(bad).is_err(), "{bad:?}");
        }
        for good in ["/console/keys", "#top", "?cursor=1", "https://docs.example/a", "HTTP://docs.example"] {
            assert_eq!(Href::parse(good).map(|h| h.to_string()).as_deref(), Ok(good));
        }
    }

    #[test]
    fn parts_are_encoded() {
        let href = Href::page("/console/keys").segment("a/b?c").query("q", "x&y=1 é").query("p", "2");
        assert_eq!(href.as_str(), "/console/keys/a%2Fb%3Fc?q=x%26y%3D1%20%C3%A9&p=2");
        assert_eq!(Href::page("/a").segment("..").as_str(), "/a/%2E%2E%2E", "never up");
        assert_eq!(Href::page("javascript:x").as_str(), "#");
    }
}
