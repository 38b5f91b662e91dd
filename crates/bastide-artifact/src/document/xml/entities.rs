//! Document types and the entities they declare, by what these expand to. None is ever expanded.

use std::collections::BTreeMap;

use super::external::{External, Place};
use super::rules::{DOCTYPE, DOCTYPE_ELSEWHERE, ENTITY_BOMB, EXTERNAL_ENTITY};
use crate::format::Format;
use crate::scan::{Scan, shown};

/// Levels of entities that are followed.
const ROUNDS: usize = 64;
/// What entities may grow to.
const MOST_EXPANDED: u64 = 10_000_000;
/// Entities that every XML document has.
const PREDEFINED: [&str; 5] = ["amp", "lt", "gt", "quot", "apos"];

/// The entities of one document.
pub(super) struct Entities {
    format: Format,
    sizes: BTreeMap<String, u64>,
    expanded: u64,
    /// Whether some are declared in a file of a server that is not known.
    elsewhere: bool,
}

impl Entities {
    pub(super) fn new(format: Format) -> Self {
        Entities { format, sizes: BTreeMap::new(), expanded: 0, elsewhere: false }
    }

    /// Reads a document type declaration, without its first word.
    pub(super) fn declare(&mut self, doctype: &str, at: u64, scan: &mut Scan<'_>) {
        let doctype = without_comments(doctype);
        let doctype = doctype.trim_start();
        let name_end = doctype.find(|c: char| c.is_whitespace() || c == '[').unwrap_or(doctype.len());
        let rest = doctype.get(name_end..).unwrap_or_default();
        self.doctype(doctype, External::parse(rest), at, scan);
        let mut values = Vec::new();
        let mut rest = rest;
        while let Some((_, declaration)) = rest.split_once("<!ENTITY") {
            rest = declaration;
            if let Some((entity, behind)) = Entity::parse(declaration) {
                self.entity(&entity, at, scan);
                values.push((entity.name.to_owned(), entity.value));
                rest = behind;
            }
        }
        self.measure(&values, at, scan);
    }

    /// Judges where the document type itself is taken from.
    fn doctype(&mut self, text: &str, external: Option<External<'_>>, at: u64, scan: &mut Scan<'_>) {
        let Some(external) = external else {
            scan.find(&DOCTYPE, at, "the document has a document type");
            return;
        };
        let place = external.place();
        let told = text.split('[').next().unwrap_or(text).trim();
        let message = format!("a document type of `{}`", shown(told));
        let model_of_others = self.is_model() && !(place == Place::Published && told.contains("dmg.org/"));
        match place {
            _ if model_of_others => scan.find(&EXTERNAL_ENTITY, at, message),
            Place::Host => scan.find(&EXTERNAL_ENTITY, at, message),
            Place::Elsewhere => {
                self.elsewhere = true;
                scan.find(&DOCTYPE_ELSEWHERE, at, message);
            }
            Place::Beside | Place::Above | Place::Published => scan.find(&DOCTYPE, at, message),
        }
    }

    /// Writers of models declare nothing.
    fn is_model(&self) -> bool {
        matches!(self.format, Format::Pmml | Format::OpenVino)
    }

    fn entity(&self, entity: &Entity<'_>, at: u64, scan: &mut Scan<'_>) {
        let name = shown(entity.name);
        if let Some(external) = entity.external {
            let message = format!("the entity `{name}` is `{}`", shown(external.address));
            match external.place() {
                Place::Published if !self.is_model() => {}
                // Books are made of chapters.
                Place::Beside if !self.is_model() => scan.find(&DOCTYPE_ELSEWHERE, at, message),
                _ => scan.find(&EXTERNAL_ENTITY, at, message),
            }
        } else if entity.parameter && declares(entity.value) {
            scan.find(&EXTERNAL_ENTITY, at, format!("the parameter entity `{name}` declares others"));
        }
    }

    /// Notes that the document takes in `address` (XInclude 1.1).
    pub(super) fn include(&self, address: &str, at: u64, scan: &mut Scan<'_>) {
        let rule = match (External { address }).place() {
            Place::Beside if !self.is_model() => &DOCTYPE_ELSEWHERE,
            _ => &EXTERNAL_ENTITY,
        };
        scan.find(rule, at, format!("an inclusion of `{}`", shown(address)));
    }

    /// Notes what every entity expands to.
    fn measure(&mut self, values: &[(String, &str)], at: u64, scan: &mut Scan<'_>) {
        // An entity may stand before those that it names. One that names itself grows until it counts as a bomb.
        for _ in 0..ROUNDS {
            let mut grown = false;
            for (name, value) in values {
                let size = self.size(value);
                grown |= self.sizes.insert(name.clone(), size) != Some(size);
            }
            if !grown {
                break;
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

    /// Notes that the document refers to the entity `name`.
    pub(super) fn refer(&mut self, name: &str, at: u64, scan: &mut Scan<'_>) {
        let Some(size) = self.sizes.get(name) else {
            if self.elsewhere && !name.starts_with('#') && !PREDEFINED.contains(&name) {
                let message = format!("the entity `{}` is what another server says", shown(name));
                scan.find(&EXTERNAL_ENTITY, at, message);
            }
            return;
        };
        self.expanded = self.expanded.saturating_add(*size);
        if self.expanded > MOST_EXPANDED {
            scan.find(&ENTITY_BOMB, at, "references expand to more than ten million bytes");
        }
    }
}

/// One declaration of an entity.
struct Entity<'a> {
    name: &'a str,
    /// Whether document types themselves refer to it (`%name;`).
    parameter: bool,
    external: Option<External<'a>>,
    /// What it stands for, where the declaration says it.
    value: &'a str,
}

impl<'a> Entity<'a> {
    /// Reads what follows `<!ENTITY`; gives what stands behind its value too.
    fn parse(text: &'a str) -> Option<(Self, &'a str)> {
        let text = text.trim_start();
        let after = text.strip_prefix('%');
        let rest = after.unwrap_or(text).trim_start();
        let (name, rest) = rest.split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quoted = quote.and_then(|quote| rest.get(1..)?.split_once(quote));
        let (value, behind) = quoted.unwrap_or(("", rest));
        Some((Entity { name, parameter: after.is_some(), external: External::parse(rest), value }, behind))
    }
}

/// Whether the value of a parameter entity declares entities in its turn, also by numbers of characters.
fn declares(value: &str) -> bool {
    value.contains("<!") || value.contains("&#") || value.contains('%')
}

/// The text without its comments, whose declarations do not count.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("<!--") {
        kept.push_str(before);
        rest = comment.split_once("-->").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept
}
