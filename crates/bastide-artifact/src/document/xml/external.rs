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

    /// Whether a file of declarations is named, as modules of document types are.
    pub(super) fn is_declarations(&self) -> bool {
        is_declarations(self.address)
    }

    /// Whether the group that wrote PMML publishes it, whose versions up to 3 had document types.
    pub(super) fn is_of_pmml(&self) -> bool {
        self.place() == Place::Published && self.address.contains("://www.dmg.org/")
    }
}

/// The quoted text that `rest` begins with, which it loses.
pub(super) fn literal<'a>(rest: &mut &'a str) -> Option<&'a str> {
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
    /// Where a publisher keeps its document types, or a name that nobody fetches.
    Published,
    /// Declarations in a folder in which a system keeps them.
    Catalogue,
    /// Some other server that has a public name.
    Elsewhere,
    /// The machine that reads the document, or its network.
    Host,
}

/// Where document types that documents in use name are published: hosts, and what paths on them begin with. Other paths,
/// and other hosts of the same publishers, hold what anybody uploaded.
const PUBLISHED: &[(&str, &str)] = &[
    ("checkstyle.org", "/dtds/"),
    ("cobertura.sourceforge.net", "/xml/"),
    ("docbook.org", "/xml/"),
    ("docbook.sourceforge.net", "/release/"),
    ("dtd.nlm.nih.gov", "/"),
    ("forrest.apache.org", "/dtd/"),
    ("glade.gnome.org", "/"),
    ("hibernate.org", "/dtd/"),
    ("hibernate.sourceforge.net", "/"),
    ("ibatis.apache.org", "/dtd/"),
    ("jakarta.apache.org", "/commons/dtds/"),
    ("jakarta.apache.org", "/struts/dtds/"),
    ("jats.nlm.nih.gov", "/"),
    ("java.sun.com", "/dtd/"),
    ("java.sun.com", "/j2ee/"),
    ("java.sun.com", "/j2se/"),
    ("java.sun.com", "/products/"),
    ("java.sun.com", "/xml/"),
    ("logging.apache.org", "/log4j/"),
    ("mybatis.org", "/dtd/"),
    ("oasis-open.org", "/docbook/"),
    ("standards.freedesktop.org", "/"),
    ("struts.apache.org", "/dtds/"),
    ("testng.org", "/"),
    ("tiles.apache.org", "/dtds/"),
    ("unicode.org", "/cldr/"),
    ("w3.org", "/1999/"),
    ("w3.org", "/2000/"),
    ("w3.org", "/2001/"),
    ("w3.org", "/2002/"),
    ("w3.org", "/Graphics/SVG/"),
    ("w3.org", "/MarkUp/DTD/"),
    ("w3.org", "/Math/DTD/"),
    ("w3.org", "/TR/"),
    ("www.apple.com", "/DTDs/"),
    ("www.checkstyle.org", "/dtds/"),
    ("www.dmg.org", "/"),
    ("www.docbook.org", "/xml/"),
    ("www.eclipse.org", "/jetty/"),
    ("www.freedesktop.org", "/dbus/"),
    ("www.freedesktop.org", "/software/"),
    ("www.freedesktop.org", "/standards/"),
    ("www.gnome.org", "/dtds/"),
    ("www.hibernate.org", "/dtd/"),
    ("www.jboss.org", "/dtd/"),
    ("www.jboss.org", "/j2ee/dtd/"),
    ("www.kde.org", "/standards/"),
    ("www.mozilla.org", "/keymaster/"),
    ("www.ncbi.nlm.nih.gov", "/data_specs/"),
    ("www.ncbi.nlm.nih.gov", "/dtd/"),
    ("www.ncbi.nlm.nih.gov", "/entrez/query/DTD/"),
    ("www.oasis-open.org", "/committees/entity/"),
    ("www.oasis-open.org", "/docbook/"),
    ("www.puppycrawl.com", "/dtds/"),
    ("www.springframework.org", "/dtd/"),
    ("www.unicode.org", "/cldr/"),
    ("www.w3.org", "/1999/"),
    ("www.w3.org", "/2000/"),
    ("www.w3.org", "/2001/"),
    ("www.w3.org", "/2002/"),
    ("www.w3.org", "/Graphics/SVG/"),
    ("www.w3.org", "/MarkUp/DTD/"),
    ("www.w3.org", "/Math/DTD/"),
    ("www.w3.org", "/TR/"),
];

/// Folders in which systems keep document types, for everybody to read.
const CATALOGUES: &[&str] = &["/usr/share/", "/usr/local/share/"];

/// Whether the address is one of declarations by its extension.
fn is_declarations(address: &str) -> bool {
    address.rsplit_once('.').is_some_and(|(_, extension)| matches!(extension, "dtd" | "ent" | "mod"))
}

/// Whether the path leads out of the folder that it begins with, or may do so once it is decoded.
fn climbs(path: &str) -> bool {
    path.contains('%') || path.split(['/', '\\']).any(|part| part == "..")
}

fn place(address: &str) -> Place {
    let path = address.strip_prefix("file://").unwrap_or(address);
    if CATALOGUES.iter().any(|folder| path.starts_with(folder)) && is_declarations(path) && !climbs(path) {
        return Place::Catalogue;
    }
    match address.split_once(':') {
        Some((scheme, rest)) if scheme.len() > 1 && is_scheme(scheme) => web(scheme, rest),
        // The drive of a machine.
        Some((drive, _)) if drive.len() == 1 => Place::Host,
        _ if address.starts_with("//") => web("https", address),
        _ if address.starts_with(['/', '\\', '~']) => Place::Host,
        _ if climbs(path) => Place::Above,
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
    let path = rest.trim_start_matches(['/', '\\']).get(authority.len()..).unwrap_or_default();
    let published = authority.eq_ignore_ascii_case(&host)
        && !path.contains(['?', '\\'])
        && !climbs(path)
        && PUBLISHED.iter().any(|(name, start)| *name == host && path.starts_with(start));
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
            ("https://W3.org/TR/x.dtd", Place::Published),
            ("https://w3.org/People/x.dtd", Place::Elsewhere),
            ("http://www.w3.org/TR/../People/x.dtd", Place::Elsewhere),
            ("http://www.w3.org/TR/%2e%2e/People/x.dtd", Place::Elsewhere),
            ("http://www.w3.org:8080/TR/x.dtd", Place::Elsewhere),
            ("http://people.apache.org/~somebody/x.dtd", Place::Elsewhere),
            ("http://bugs.eclipse.org/bugs/attachment.cgi?id=1", Place::Elsewhere),
            ("http://java.sun.com/dtd/web-app_2_3.dtd", Place::Published),
            ("urn:fontconfig:fonts.dtd", Place::Published),
            ("file:///usr/share/xml/docbook/docbookx.dtd", Place::Catalogue),
            ("/usr/local/share/x.ent", Place::Catalogue),
            ("file:///usr/local/share/secret.txt", Place::Host),
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
            ("file:///usr/share/xml/../../../etc/x.dtd", Place::Host),
            ("file:///usr/share/xml/%2e%2e/x.dtd", Place::Host),
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
