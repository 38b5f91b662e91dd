//! XML, PMML and OpenVINO: entities, inclusions, and names that loaders call. No entity is ever expanded.

mod doctype;
mod entities;
mod external;
pub(crate) mod rules;
#[cfg(test)]
mod tests;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use self::doctype::Doctype;
use self::entities::Entities;
use self::rules::{BOUNDS, CODE, CUSTOM_OPERATOR, FUNCTION, STYLESHEET};
use super::names::{Named, named};
use super::{code, decode};
use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// Levels of elements; those of models are few.
const DEEPEST: usize = 512;

/// How far the first element is looked for. A longer prolog is for the limits of the reader.
const FURTHEST: usize = 32 << 20;

/// What kind of XML the file is, unless it is named as another kind of text.
pub(super) fn recognise(glance: &Glance<'_>) -> Option<Format> {
    // Markdown may begin with elements of HTML.
    if ["md", "html", "rst"].iter().any(|name| glance.named(name)) {
        return None;
    }
    let text = decode::text(glance.head);
    let whole = glance.head.len() as u64 >= glance.source.size();
    if whole || !matches!(first(text.trim_start()), First::Cut) {
        return kind(&text, whole);
    }
    let Ok(more) = read_up_to(glance.source, 0, FURTHEST) else { return kind(&text, false) };
    kind(&decode::text(&more), more.len() as u64 >= glance.source.size())
}

/// What kind of XML `text` begins as; `whole` where nothing follows.
fn kind(text: &str, whole: bool) -> Option<Format> {
    let text = text.trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let announced = text.starts_with("<?xml") || text.starts_with("<!DOCTYPE");
    let Root { name, rest, declares } = match first(text) {
        First::Element(root) => root,
        First::Cut if announced || !whole => return Some(Format::Xml),
        First::Cut | First::Other => return None,
    };
    Some(match name.rsplit(':').next().unwrap_or(name) {
        "PMML" => Format::Pmml,
        "net"
            if rest.contains("<layers")
                || rest.trim_start().starts_with("name=")
                || rest.contains("version=") =>
        {
            Format::OpenVino
        }
        // Pages declare nothing: browsers do not read it.
        "html" | "HTML" if !declares => return None,
        _ if announced || text.contains("xmlns") => Format::Xml,
        _ if text.contains(&format!("</{name}>")) || text.contains("/>") => Format::Xml,
        _ => return None,
    })
}

/// What follows the prolog.
enum First<'a> {
    Element(Root<'a>),
    /// Nothing: the text ends before.
    Cut,
    /// Something that is no element.
    Other,
}

/// The first element.
struct Root<'a> {
    name: &'a str,
    /// What stands behind its name.
    rest: &'a str,
    /// Whether its document type declares something of its own.
    declares: bool,
}

/// Passes over the prolog of `text` (XML 1.0, production 22).
fn first(text: &str) -> First<'_> {
    let mut declares = false;
    let mut rest = text;
    loop {
        let Some((_, markup)) = rest.split_once('<') else { return First::Cut };
        let behind = if markup.starts_with('?') {
            markup.split_once("?>").map(|(_, behind)| behind)
        } else if let Some(comment) = markup.strip_prefix("!--") {
            comment.split_once("-->").map(|(_, behind)| behind)
        } else if let Some(doctype) =
            markup.strip_prefix("!DOCTYPE").or_else(|| markup.strip_prefix("!doctype"))
        {
            declares |= Doctype::parse(doctype).subset.is_some();
            doctype::behind(doctype)
        } else {
            return element(markup, declares);
        };
        match behind {
            Some(behind) => rest = behind,
            None => return First::Cut,
        }
    }
}

/// The element whose name `markup` begins with.
fn element(markup: &str, declares: bool) -> First<'_> {
    if !markup.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':') {
        return if markup.is_empty() { First::Cut } else { First::Other };
    }
    let end = markup.find(|c: char| c.is_whitespace() || c == '>' || c == '/');
    match end.and_then(|end| markup.split_at_checked(end)) {
        Some((name, rest)) => First::Element(Root { name, rest, declares }),
        None => First::Cut,
    }
}

/// Reads a document called `name`.
pub(super) fn read(source: &dyn Source, name: &str, format: Format, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = decode::whole(source, scan)?;
    let text = decode::text(&bytes);
    if let Some(encoding) = encoding(&text) {
        return Err(Halt::malformed(0, format!("the encoding `{}`", shown(encoding))));
    }
    let mut document = Document {
        format,
        entities: Entities::new(format),
        includes: false,
        depth: 0,
        element: String::new(),
    };
    match document.read(&text, scan) {
        // Another text that has signs of elements in it.
        Err(Halt::Malformed { .. }) if format == Format::Xml && !is_announced(&text, name) => Ok(()),
        outcome => outcome,
    }
}

/// Whether the text says of itself that it is XML.
fn is_announced(text: &str, name: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("<?xml")
        || text.get(..9).is_some_and(|start| start.eq_ignore_ascii_case("<!doctype"))
        || name.rsplit_once('.').is_some_and(|(_, end)| end.eq_ignore_ascii_case("xml"))
}

/// A document under the reader.
struct Document {
    format: Format,
    entities: Entities,
    /// Whether the name space of inclusions is declared.
    includes: bool,
    depth: usize,
    /// The element that began last.
    element: String,
}

impl Document {
    fn read(&mut self, text: &str, scan: &mut Scan<'_>) -> Parsed<()> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        reader.config_mut().allow_dangling_amp = true;
        loop {
            let at = reader.buffer_position();
            scan.spend(1)?;
            match reader.read_event() {
                Ok(Event::Eof) => return Ok(()),
                Ok(event) => self.event(&event, at, scan)?,
                Err(error) => return Err(Halt::malformed(at, error.to_string())),
            }
            if self.depth > DEEPEST {
                return Err(Halt::limit(format!("{DEEPEST} levels of XML")));
            }
        }
    }

    fn event(&mut self, event: &Event<'_>, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        match event {
            Event::DocType(doctype) => self.entities.declare(doctype, at, scan)?,
            Event::PI(instruction) => {
                let content = instruction.to_string();
                if content.starts_with("xml-stylesheet")
                    && (content.contains("://") || content.contains("\"//"))
                {
                    scan.find(&STYLESHEET, at, format!("`{}`", shown(&content)));
                }
            }
            Event::Start(start) => {
                self.depth += 1;
                self.element = self.start_of(start, at, scan);
            }
            Event::Empty(start) => {
                self.start_of(start, at, scan);
            }
            Event::End(_) => self.depth = self.depth.saturating_sub(1),
            Event::Text(content) => content_of(&self.element, content, at, scan),
            Event::CData(content) => content_of(&self.element, content, at, scan),
            Event::GeneralRef(reference) => self.entities.refer(reference, at, scan),
            _ => {}
        }
        Ok(())
    }

    /// One element: its name, and what its attributes say.
    fn start_of(&mut self, start: &BytesStart<'_>, at: u64, scan: &mut Scan<'_>) -> String {
        let name = start.name().as_ref().to_owned();
        let local = name.rsplit(':').next().unwrap_or(&name).to_owned();
        let mut version = String::new();
        let mut kind = String::new();
        for attribute in start.attributes().with_checks(false).flatten().take(4096) {
            let key = attribute.key.as_ref().to_owned();
            let value = attribute.value.into_owned();
            for reference in value.split('&').skip(1).filter_map(|rest| rest.split_once(';')) {
                self.entities.refer(reference.0, at, scan);
            }
            match (local.as_str(), key.as_str()) {
                ("PMML" | "Application" | "net", "version") if local != "net" => {
                    scan.facts.property("version", &value)
                }
                ("Application", "name") => scan.facts.property("producer", &value),
                ("Apply", "function") if value.contains('.') || value.contains("::") => {
                    function(&value, at, scan)
                }
                ("include", "href") if name.contains(':') || self.includes => {
                    self.entities.include(&value, at, scan);
                }
                ("data", "offset" | "size") if self.format == Format::OpenVino => {
                    bounds(&key, &value, at, scan)
                }
                ("layer", "version") => version.clone_from(&value),
                ("layer", "type") => kind.clone_from(&value),
                _ => {}
            }
            if key.starts_with("xmlns") {
                self.includes |= value.contains("XInclude");
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
        if self.format == Format::OpenVino
            && local == "layer"
            && !known
            && !matches!(version.as_str(), "experimental" | "ie_internal_opset" | "gpu_opset")
        {
            scan.find(&CUSTOM_OPERATOR, at, format!("`{}` of `{}`", shown(&kind), shown(&version)));
        }
        local
    }
}

/// Encodings in which the signs of markup stand where ASCII has them, beside the families of ISO 8859 and Windows.
const ENCODINGS: &[&str] = &[
    "ascii",
    "big5",
    "euc-jp",
    "euc-kr",
    "gb18030",
    "gb2312",
    "gbk",
    "koi8-r",
    "koi8-u",
    "latin1",
    "macintosh",
    "shift_jis",
    "us-ascii",
    "utf-16",
    "utf-16be",
    "utf-16le",
    "utf-8",
    "utf8",
];

/// An encoding that was not decoded: UTF-7, EBCDIC and the like hide what they say.
fn encoding(text: &str) -> Option<&str> {
    let declaration = text.get(..text.floor_char_boundary(256))?.strip_prefix("<?xml")?;
    let declaration = declaration.get(..declaration.find("?>")?)?;
    let name = declaration.split_once("encoding")?.1.trim_start_matches([' ', '=', '"', '\'']);
    let name = name.get(..name.find(['"', '\''])?)?;
    let name_of = name.to_ascii_lowercase();
    let known = ENCODINGS.contains(&name_of.as_str())
        || ["iso-8859-", "windows-125", "cp125"].iter().any(|family| name_of.starts_with(family));
    (!known).then_some(name)
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
