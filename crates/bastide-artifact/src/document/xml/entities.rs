//! Document types and the entities they declare, by what these expand to. None is ever expanded.

use std::collections::BTreeMap;

use super::doctype::Doctype;
use super::external::{External, Place, literal};
use super::rules::{DOCTYPE, DOCTYPE_ELSEWHERE, ENTITY_BOMB, EXTERNAL_ENTITY};
use crate::format::Format;
use crate::halt::Parsed;
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
    pub(super) fn declare(&mut self, doctype: &str, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        let Doctype { head, subset } = Doctype::parse(doctype);
        self.doctype(head.trim(), at, scan);
        let mut values = Vec::new();
        for part in subset.into_iter().flatten() {
            scan.spend(1)?;
            if let Some(entity) = part.strip_prefix("<!ENTITY").and_then(Entity::parse) {
                self.entity(&entity, at, scan);
                values.push((entity.name.to_owned(), entity.value));
            }
        }
        self.measure(&values, at, scan);
        Ok(())
    }

    /// Judges where the document type itself is taken from, of which `told` is what stands before the brackets.
    fn doctype(&mut self, told: &str, at: u64, scan: &mut Scan<'_>) {
        let external = told.split_once(char::is_whitespace).and_then(|(_, rest)| External::parse(rest));
        let Some(external) = external else {
            scan.find(&DOCTYPE, at, "the document has a document type");
            return;
        };
        let message = format!("a document type of `{}`", shown(told));
        match external.place() {
            _ if self.is_model() && !external.is_of_pmml() => scan.find(&EXTERNAL_ENTITY, at, message),
            Place::Host => scan.find(&EXTERNAL_ENTITY, at, message),
            Place::Elsewhere => {
                self.elsewhere = true;
                scan.find(&DOCTYPE_ELSEWHERE, at, message);
            }
            Place::Beside | Place::Above | Place::Published | Place::Catalogue => {
                scan.find(&DOCTYPE, at, message)
            }
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
            let known = match external.place() {
                // Books are made of chapters.
                Place::Beside => true,
                // What a parameter entity takes in decides what the others are.
                Place::Published => !entity.parameter || external.is_declarations(),
                Place::Catalogue => entity.parameter,
                Place::Above | Place::Elsewhere | Place::Host => false,
            };
            let rule = if known && !self.is_model() { &DOCTYPE_ELSEWHERE } else { &EXTERNAL_ENTITY };
            scan.find(rule, at, message);
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
        let mut grown = true;
        for _ in 0..ROUNDS {
            grown = false;
            for (name, value) in values {
                let size = self.size(value);
                grown |= self.sizes.insert(name.clone(), size) != Some(size);
            }
            if !grown {
                break;
            }
        }
        if grown {
            scan.find(&ENTITY_BOMB, at, format!("entities stand for others over more than {ROUNDS} levels"));
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
    /// Reads what follows `<!ENTITY`.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_start();
        let after = text.strip_prefix('%');
        let rest = after.unwrap_or(text).trim_start();
        let (name, rest) = rest.split_once(char::is_whitespace)?;
        let external = External::parse(rest);
        let mut rest = rest;
        let value = literal(&mut rest).unwrap_or_default();
        Some(Entity { name, parameter: after.is_some(), external, value })
    }
}

/// Whether the value of a parameter entity declares entities in its turn, also by numbers of characters.
fn declares(value: &str) -> bool {
    value.contains("<!") || value.contains("&#") || value.contains('%')
}
