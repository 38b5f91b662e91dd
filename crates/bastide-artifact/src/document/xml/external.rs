//! External identifiers (XML 1.0, production 75): where a document type or an entity is taken from.

/// `SYSTEM "address"` or `PUBLIC "name" "address"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct External<'a> {
    /// The system identifier; empty where there is none, as in HTML.
    pub(super) address: &'a str,
}

impl<'a> External<'a> {
    /// The identifier that `text` begins with, if it begins with one.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_start();
        let keyword =
            |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let public = keyword("PUBLIC");
        if !public && !keyword("SYSTEM") {
            return None;
        }
        let mut rest = text.get("SYSTEM".len()..)?;
        let mut address = literal(&mut rest).unwrap_or_default();
        if public {
            address = literal(&mut rest).unwrap_or_default();
        }
        Some(External { address: address.trim() })
    }

    /// Whose the address is.
    pub(super) fn place(&self) -> Place {
        place(self.address)
    }
}

/// The quoted text that `rest` begins with, which it loses.
fn literal<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let text = rest.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (value, after) = text.get(1..)?.split_once(quote)?;
    *rest = after;
    Some(value)
}

/// Whose an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the folder of the document or below.
    Beside,
    /// In a folder above it.
    Above,
    /// A publisher of document types, or where a system keeps them.
    Published,
    /// Some other server that has a public name.
    Elsewhere,
    /// The machine that reads the document, or its network.
    Host,
}

/// Who publishes document types that documents in use name.
const PUBLISHERS: &[&str] = &[
    "apache.org",
    "apple.com",
    "checkstyle.org",
    "dmg.org",
    "docbook.org",
    "eclipse.org",
    "freedesktop.org",
    "gnome.org",
    "hibernate.org",
    "jboss.org",
    "kde.org",
    "mozilla.org",
    "mybatis.org",
    "ncbi.nlm.nih.gov",
    "oasis-open.org",
    "openstreetmap.org",
    "oracle.com",
    "puppycrawl.com",
    "springframework.org",
    "sun.com",
    "unicode.org",
    "w3.org",
];

/// Folders in which systems keep document types and documentation, for everybody to read.
const CATALOGUES: &[&str] = &["/usr/share/", "/usr/local/share/"];

fn place(address: &str) -> Place {
    let path = address.strip_prefix("file://").unwrap_or(address);
    let climbs = path.split(['/', '\\']).any(|part| part == "..");
    if !climbs && CATALOGUES.iter().any(|folder| path.starts_with(folder)) {
        return Place::Published;
    }
    match address.split_once(':') {
        Some((scheme, rest)) if scheme.len() > 1 && is_scheme(scheme) => web(scheme, rest),
        // The drive of a machine.
        Some((drive, _)) if drive.len() == 1 => Place::Host,
        _ if address.starts_with("//") => web("https", address),
        _ if address.starts_with(['/', '\\', '~']) => Place::Host,
        _ if climbs => Place::Above,
        _ => Place::Beside,
    }
}

fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn web(scheme: &str, rest: &str) -> Place {
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {}
        // Names, which nobody fetches.
        "urn" | "about" => return Place::Published,
        _ => return Place::Host,
    }
    let authority =
        rest.trim_start_matches(['/', '\\']).split(['/', '\\', '?', '#']).next().unwrap_or_default();
    let host = authority.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let published = PUBLISHERS
        .iter()
        .any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')));
    // Numbers and names without a dot are machines of the reader's own network, or hide whose they are.
    let named =
        host.rsplit_once('.').is_some_and(|(_, top)| top.bytes().all(|byte| byte.is_ascii_alphabetic()))
            && !matches!(host.rsplit('.').next(), Some("local" | "internal" | "localhost" | "lan"));
    match authority.contains(['@', '[']) || !named {
        true => Place::Host,
        false if published => Place::Published,
        false => Place::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_by_whose_they_are() {
        for (address, expected) in [
            ("fonts.dtd", Place::Beside),
            ("dtd/a.dtd", Place::Beside),
            ("", Place::Beside),
            ("../a.dtd", Place::Above),
            ("http://www.oasis-open.org/docbook/xml/4.2/docbookx.dtd", Place::Published),
            ("https://W3.org/x", Place::Published),
            ("urn:fontconfig:fonts.dtd", Place::Published),
            ("file:///usr/share/xml/docbook/docbookx.dtd", Place::Published),
            ("http://example.com/w3.org/x.dtd", Place::Elsewhere),
            ("http://notw3.org/x.dtd", Place::Elsewhere),
            ("//example.com/x.dtd", Place::Elsewhere),
            ("http://w3.org@198.51.100.7/x.dtd", Place::Host),
            ("http://w3.org@example.com/x.dtd", Place::Host),
            ("http://198.51.100.7/x.dtd", Place::Host),
            ("http://[::1]/x.dtd", Place::Host),
            ("http://localhost:8080/x", Place::Host),
            ("http://metadata.google.internal/x", Place::Host),
            ("file:///etc/hostname", Place::Host),
            ("file:///usr/share/xml/../../../etc/hostname", Place::Host),
            ("/etc/hostname", Place::Host),
            ("C:\\x.dtd", Place::Host),
            ("\\\\server\\share\\x", Place::Host),
            ("ftp://w3.org/x", Place::Host),
            ("jar:http://w3.org/x!/a", Place::Host),
            ("php://filter/x", Place::Host),
        ] {
            assert_eq!(place(address), expected, "{address}");
        }
    }

    #[test]
    fn identifiers_are_read_in_both_forms() {
        let address = |text| External::parse(text).map(|external| external.address);
        assert_eq!(address(r#" SYSTEM "a.dtd""#), Some("a.dtd"));
        assert_eq!(address(r#"PUBLIC '-//X//EN' 'http://[::1]/x'"#), Some("http://[::1]/x"));
        assert_eq!(address(r#"system"a>b""#), Some("a>b"));
        assert_eq!(address(r#"PUBLIC "-//W3C//DTD HTML 4.01//EN""#), Some(""));
        assert_eq!(address("[<!ENTITY a 'b'>]"), None);
    }
}
