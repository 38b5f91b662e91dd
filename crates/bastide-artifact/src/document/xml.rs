//! XML, PMML and OpenVINO: entities, inclusions, and names that loaders call. No entity is ever expanded.

use std::collections::BTreeMap;

use bastide_types::{Assessment, Rule, Severity};
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use super::names::{Named, named};
use super::{code, decode};
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::Source;

/// Entities from elsewhere.
pub(crate) const EXTERNAL_ENTITY: Rule = Rule {
    id: "xml.external-entity",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "XML takes in a file or address",
    why: "a parser that resolves it reads files of the host or asks servers in its network",
    fix: "do not load the file; a model needs no document type",
    cwe: &[611],
    atlas: &["AML.T0010.003"],
};

/// Entities that grow.
pub(crate) const ENTITY_BOMB: Rule = Rule {
    id: "xml.entity-bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "XML entities expand without measure",
    why: "a parser that expands them fills its memory",
    fix: "do not load the file",
    cwe: &[776],
    atlas: &["AML.T0029"],
};

/// A document type.
pub(crate) const DOCTYPE: Rule = Rule {
    id: "xml.doctype",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "XML has a document type",
    why: "writers of models leave it out; parsers differ in what they do with it",
    fix: "nothing",
    cwe: &[],
    atlas: &[],
};

/// A style sheet from elsewhere.
pub(crate) const STYLESHEET: Rule = Rule {
    id: "xml.stylesheet",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "XML asks for a style sheet",
    why: "a browser fetches it and runs what it says",
    fix: "remove the instruction",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// A function of the host's language.
pub(crate) const FUNCTION: Rule = Rule {
    id: "xml.function",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "model calls a function outside of its format",
    why: "scoring engines look such names up as classes and call them",
    fix: "see what the function does, or ask for a model with built-in functions",
    cwe: &[470],
    atlas: &["AML.T0010.003"],
};

/// Code.
pub(crate) const CODE: Rule = Rule {
    id: "xml.code",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "XML carries code that runs commands",
    why: "extensions and style sheets hand it to an interpreter",
    fix: "do not load the model",
    cwe: &[94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A place that cannot be.
pub(crate) const BOUNDS: Rule = Rule {
    id: "xml.bounds",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "network reads constants at an impossible place",
    why: "offset and size wrap around in the loader's sum, which then reads memory outside of the weights",
    fix: "do not load the model",
    cwe: &[190, 125],
    atlas: &["AML.T0010.003"],
};

/// An operator of an extension.
pub(crate) const CUSTOM_OPERATOR: Rule = Rule {
    id: "xml.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "network uses an operator that an extension library must bring",
    why: "what the operator does is decided by native code that is not in the file",
    fix: "see which library registers the operator",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// Levels of elements; those of models are few.
const DEEPEST: usize = 512;
/// Levels of entities that are followed.
const ROUNDS: usize = 64;
/// What entities may grow to.
const MOST_EXPANDED: u64 = 10_000_000;

/// What kind of XML begins with `head`, of a file that is not named as another kind of text.
pub(super) fn recognise(head: &[u8], named_otherwise: bool) -> Option<Format> {
    let text = decode::text(head);
    let text = text.trim_start();
    // Markdown may begin with elements of HTML.
    if !text.starts_with('<') || named_otherwise {
        return None;
    }
    let root = root(text)?;
    let local = root.rsplit(':').next().unwrap_or(root);
    let rest = text.get(text.find(root)? + root.len()..).unwrap_or_default();
    Some(match local {
        "PMML" => Format::Pmml,
        "net"
            if rest.contains("<layers")
                || rest.trim_start().starts_with("name=")
                || rest.contains("version=") =>
        {
            Format::OpenVino
        }
        "html" | "HTML" => return None,
        _ if text.starts_with("<?xml") || text.starts_with("<!DOCTYPE") || text.contains("xmlns") => {
            Format::Xml
        }
        _ if text.contains(&format!("</{root}>")) || text.contains("/>") => Format::Xml,
        _ => return None,
    })
}

/// The name of the first element.
fn root(text: &str) -> Option<&str> {
    let mut rest = text;
    loop {
        rest = rest.get(rest.find('<')? + 1..)?;
        if rest.starts_with('?') {
            rest = rest.get(rest.find("?>")? + 2..)?;
        } else if rest.starts_with("!--") {
            rest = rest.get(rest.find("-->")? + 3..)?;
        } else if rest.starts_with("!DOCTYPE") || rest.starts_with("!doctype") {
            let end = match (rest.find('['), rest.find('>')) {
                (Some(subset), Some(end)) if subset < end => {
                    rest.find("]>").or_else(|| rest.find("] >"))? + 2
                }
                (_, end) => end? + 1,
            };
            rest = rest.get(end..)?;
        } else {
            let end = rest.find(|c: char| c.is_whitespace() || c == '>' || c == '/')?;
            let name = rest.get(..end)?;
            let valid = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            return valid.then_some(name);
        }
    }
}

/// Reads a document.
pub(super) fn read(source: &dyn Source, format: Format, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = decode::whole(source, scan)?;
    let text = decode::text(&bytes);
    if let Some(encoding) = encoding(&text) {
        return Err(Halt::malformed(0, format!("the encoding `{}`", shown(encoding))));
    }
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    reader.config_mut().allow_dangling_amp = true;
    let mut entities = Entities::default();
    let mut depth = 0_usize;
    let mut element = String::new();
    loop {
        let at = reader.buffer_position();
        scan.spend(1)?;
        match reader.read_event() {
            Ok(Event::Eof) => break,
            Ok(Event::DocType(doctype)) => entities.declare(&doctype, at, scan),
            Ok(Event::PI(instruction)) => {
                let content = instruction.to_string();
                if content.starts_with("xml-stylesheet")
                    && (content.contains("://") || content.contains("\"//"))
                {
                    scan.find(&STYLESHEET, at, format!("`{}`", shown(&content)));
                }
            }
            Ok(Event::Start(start)) => {
                depth += 1;
                element = start_of(&start, at, format, &mut entities, scan);
            }
            Ok(Event::Empty(start)) => {
                start_of(&start, at, format, &mut entities, scan);
            }
            Ok(Event::End(_)) => depth = depth.saturating_sub(1),
            Ok(Event::Text(content)) => content_of(&element, &content, at, scan),
            Ok(Event::CData(content)) => content_of(&element, &content, at, scan),
            Ok(Event::GeneralRef(reference)) => entities.refer(&reference, at, scan),
            Ok(_) => {}
            Err(error) => return Err(Halt::malformed(at, error.to_string())),
        }
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} levels of XML")));
        }
    }
    Ok(())
}

/// An encoding that was not decoded: UTF-7, EBCDIC and the like hide what they say.
fn encoding(text: &str) -> Option<&str> {
    let declaration = text.get(..text.floor_char_boundary(256))?.strip_prefix("<?xml")?;
    let declaration = declaration.get(..declaration.find("?>")?)?;
    let name = declaration.split_once("encoding")?.1.trim_start_matches([' ', '=', '"', '\'']);
    let name = name.get(..name.find(['"', '\''])?)?;
    let known = [
        "utf-8",
        "utf8",
        "us-ascii",
        "ascii",
        "iso-8859-1",
        "latin1",
        "iso-8859-15",
        "windows-1252",
        "utf-16",
        "utf-16le",
        "utf-16be",
    ];
    (!known.contains(&name.to_ascii_lowercase().as_str())).then_some(name)
}

/// One element: its name, and what its attributes say.
fn start_of(
    start: &BytesStart<'_>,
    at: u64,
    format: Format,
    entities: &mut Entities,
    scan: &mut Scan<'_>,
) -> String {
    let name = start.name().as_ref().to_owned();
    let local = name.rsplit(':').next().unwrap_or(&name).to_owned();
    let mut version = String::new();
    let mut kind = String::new();
    for attribute in start.attributes().with_checks(false).flatten().take(4096) {
        let key = attribute.key.as_ref().to_owned();
        let value = attribute.value.into_owned();
        for reference in value.split('&').skip(1).filter_map(|rest| rest.split_once(';')) {
            entities.refer(reference.0, at, scan);
        }
        match (local.as_str(), key.as_str()) {
            ("PMML" | "Application" | "net", "version") if local != "net" => {
                scan.facts.property("version", &value)
            }
            ("Application", "name") => scan.facts.property("producer", &value),
            ("Apply", "function") if value.contains('.') || value.contains("::") => {
                function(&value, at, scan)
            }
            ("include", "href") if name.contains(':') || entities.includes => {
                scan.find(&EXTERNAL_ENTITY, at, format!("an inclusion of `{}`", shown(&value)));
            }
            ("data", "offset" | "size") if format == Format::OpenVino => bounds(&key, &value, at, scan),
            ("layer", "version") => version.clone_from(&value),
            ("layer", "type") => kind.clone_from(&value),
            _ => {}
        }
        if key.starts_with("xmlns") {
            entities.includes |= value.contains("XInclude");
            let java = [
                "xalan/java",
                "java.lang",
                "urn:schemas-microsoft-com:xslt",
                "php.net/xsl",
                "xalan/xslt/java",
            ];
            if java.iter().any(|mark| value.contains(mark)) {
                scan.find(
                    &CODE,
                    at,
                    format!("the name space `{}` calls functions of the host's language", shown(&value)),
                );
            }
        } else {
            content_of(&local, &value, at, scan);
        }
    }
    let known = version.is_empty()
        || version.strip_prefix("opset").is_some_and(|number| number.parse::<u8>().is_ok());
    if format == Format::OpenVino
        && local == "layer"
        && !known
        && !matches!(version.as_str(), "experimental" | "ie_internal_opset" | "gpu_opset")
    {
        scan.find(&CUSTOM_OPERATOR, at, format!("`{}` of `{}`", shown(&kind), shown(&version)));
    }
    local
}

/// Where constants lie in the file of weights.
fn bounds(key: &str, value: &str, at: u64, scan: &mut Scan<'_>) {
    const MOST: u64 = 1 << 48;
    if value.parse::<u64>().is_ok_and(|number| number < MOST)
        || !value.starts_with(|c: char| c.is_ascii_digit() || c == '-')
    {
        return;
    }
    scan.find(&BOUNDS, at, format!("the {key} of a constant is `{}`", shown(value)));
}

fn function(name: &str, at: u64, scan: &mut Scan<'_>) {
    let java = [
        "java.lang",
        "javax.script",
        "java.io",
        "java.net",
        "java.nio",
        "Runtime",
        "ProcessBuilder",
        "groovy.",
        "sun.",
    ];
    if java.iter().any(|mark| name.contains(mark)) || named(name) == Named::Dangerous {
        scan.find(&CODE, at, format!("the model calls `{}`", shown(name)));
    } else if !name.starts_with("x-") && !name.contains("pmml") {
        scan.find(&FUNCTION, at, format!("the model calls `{}`", shown(name)));
    }
}

/// Text or a value: code among it.
fn content_of(element: &str, text: &str, at: u64, scan: &mut Scan<'_>) {
    if text.len() < 8 || matches!(element, "Annotation" | "Description" | "description" | "p") {
        return;
    }
    let java = text.contains("Runtime.getRuntime().exec")
        || text.contains("new ProcessBuilder(")
        || text.contains("java.lang.Runtime");
    // A text may name a call without making one: `exec(open)`.
    let argues = text.contains(['"', '\'', ';']) || text.matches('(').count() > 1;
    if let Some(call) = code::call(text).filter(|_| argues || !text.contains('(')) {
        scan.find_call(&CODE, at, format!("`{}` holds code", shown(element)), call);
    } else if java {
        scan.find(&CODE, at, format!("`{}` holds code", shown(element)));
    }
}

/// Entities that the document declares, by what they expand to.
#[derive(Default)]
struct Entities {
    sizes: BTreeMap<String, u64>,
    expanded: u64,
    includes: bool,
}

impl Entities {
    /// Reads a document type declaration, without its first word.
    fn declare(&mut self, doctype: &str, at: u64, scan: &mut Scan<'_>) {
        let (name, subset) = doctype.split_once('[').unwrap_or((doctype, ""));
        let known = ["apple.com/DTDs/", "w3.org/", "dmg.org/"].iter().any(|host| name.contains(host));
        if (has_word(name, "SYSTEM") || has_word(name, "PUBLIC")) && !known {
            scan.find(&EXTERNAL_ENTITY, at, format!("a document type of `{}`", shown(name.trim())));
        } else {
            scan.find(&DOCTYPE, at, "the document has a document type");
        }
        let mut values = Vec::new();
        for declaration in subset.split("<!ENTITY").skip(1) {
            let declaration = declaration.trim_start();
            let parameter = declaration.starts_with('%');
            let declaration = declaration.trim_start_matches(['%', ' ', '\t', '\n', '\r']);
            let (name, rest) = declaration.split_once(char::is_whitespace).unwrap_or((declaration, ""));
            let rest = rest.trim_start();
            if rest.starts_with("SYSTEM") || rest.starts_with("PUBLIC") {
                scan.find(
                    &EXTERNAL_ENTITY,
                    at,
                    format!(
                        "the entity `{}` is `{}`",
                        shown(name),
                        shown(rest.split('>').next().unwrap_or(rest))
                    ),
                );
                continue;
            }
            if parameter {
                scan.find(
                    &EXTERNAL_ENTITY,
                    at,
                    format!("the parameter entity `{}` declares others", shown(name)),
                );
            }
            let quote = rest.chars().next().unwrap_or('"');
            let value = rest.get(1..).and_then(|rest| rest.split(quote).next()).unwrap_or_default();
            values.push((name.to_owned(), value));
        }
        // An entity may stand before those that it names. One that names itself grows until it counts as a bomb.
        for _ in 0..ROUNDS {
            for (name, value) in &values {
                let size = self.size(value);
                self.sizes.insert(name.clone(), size);
            }
        }
        if let Some((name, size)) = self.sizes.iter().find(|(_, size)| **size > MOST_EXPANDED) {
            scan.find(&ENTITY_BOMB, at, format!("the entity `{}` expands to {size} bytes", shown(name)));
        }
    }

    /// What `value` expands to.
    fn size(&self, value: &str) -> u64 {
        value.split('&').skip(1).fold(value.len() as u64, |size, rest| {
            let name = rest.split(';').next().unwrap_or_default();
            size.saturating_add(self.sizes.get(name).copied().unwrap_or(0))
        })
    }

    fn refer(&mut self, name: &str, at: u64, scan: &mut Scan<'_>) {
        let Some(size) = self.sizes.get(name) else { return };
        self.expanded = self.expanded.saturating_add(*size);
        if self.expanded > MOST_EXPANDED {
            scan.find(&ENTITY_BOMB, at, "references expand to more than ten million bytes");
        }
    }
}

fn has_word(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, Report, scan};

    fn judge(text: &str) -> Report {
        scan(&text.as_bytes(), "model.xml", &Limits::default())
    }

    fn ids(text: &str) -> Vec<&'static str> {
        judge(text).findings.iter().map(|finding| finding.rule.id).collect()
    }

    #[test]
    fn ordinary_models_are_clean() {
        let pmml = r#"<?xml version="1.0" encoding="UTF-8"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4">
            <Header copyright="x"><Application name="JPMML-SkLearn" version="1.6"/></Header>
            <TransformationDictionary><DerivedField name="d"><Apply function="if"><Apply function="isMissing"><FieldRef field="a"/></Apply></Apply></DerivedField></TransformationDictionary></PMML>"#;
        let report = judge(pmml);
        assert_eq!((report.format, report.findings.len()), (Format::Pmml, 0), "{:?}", report.findings);
        let ir = r#"<?xml version="1.0"?><net name="m" version="11"><layers><layer id="0" name="x" type="Parameter" version="opset1"><data shape="1,3" element_type="f32"/></layer></layers></net>"#;
        let report = judge(ir);
        assert_eq!((report.format, report.findings.len()), (Format::OpenVino, 0));
        let plist = r#"<?xml version="1.0"?><!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd"><plist/>"#;
        assert_eq!(judge(plist).assessment(), Assessment::Clean);
    }

    #[test]
    fn entities_and_inclusions_are_seen() {
        for (text, id) in [
            (
                r#"<!DOCTYPE p [<!ENTITY x SYSTEM "file:///x">]><PMML version="4.3"><Header description="&x;"/></PMML>"#,
                "xml.external-entity",
            ),
            (
                r#"<?xml version="1.0"?><!DOCTYPE p SYSTEM "http://198.51.100.7/x.dtd"><p/>"#,
                "xml.external-entity",
            ),
            (r#"<!DOCTYPE p [<!ENTITY % a "<!ENTITY b 'c'>"> %a;]><p/>"#, "xml.external-entity"),
            (
                r#"<p xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/hostname" parse="text"/></p>"#,
                "xml.external-entity",
            ),
            (r#"<?xml-stylesheet href="http://198.51.100.7/x.xsl"?><p xmlns="a"/>"#, "xml.stylesheet"),
            (
                r#"<net name="m" version="11"><layers><layer type="Mine" version="extension"/></layers></net>"#,
                "xml.custom-operator",
            ),
            (r#"<PMML><Apply function="java.lang.Runtime.exec"/></PMML>"#, "xml.code"),
            (r#"<PMML><Apply function="com.example.Score"/></PMML>"#, "xml.function"),
            (
                r#"<PMML><Extension name="script">__import__('os').system('echo harmless')</Extension></PMML>"#,
                "xml.code",
            ),
        ] {
            assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
        }
        let utf16: Vec<u8> = "\u{feff}<!DOCTYPE p [<!ENTITY x SYSTEM \"file:///x\">]><p>&x;</p>"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(scan(&utf16, "a.xml", &Limits::default()).assessment(), Assessment::Malicious);
    }

    #[test]
    fn growing_entities_are_counted_not_expanded() {
        let mut text = String::from("<!DOCTYPE p [<!ENTITY a0 \"0123456789\">");
        for level in 1..12 {
            let before = format!("&a{};", level - 1).repeat(10);
            text.push_str(&format!("<!ENTITY a{level} \"{before}\">"));
        }
        text.push_str("]><p>&a11;</p>");
        assert!(ids(&text).contains(&"xml.entity-bomb"));
        let quadratic =
            format!("<!DOCTYPE p [<!ENTITY a \"{}\">]><p>{}</p>", "x".repeat(50_000), "&a;".repeat(1000));
        assert!(ids(&quadratic).contains(&"xml.entity-bomb"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[<>/!?\\[\\]&;%a-z\"'= ]*") {
            let _ = judge(&format!("<!DOCTYPE a [{text}<a>{text}"));
            let _ = judge(&format!("<a xmlns=''>{text}"));
        }
    }
}
