//! The embedded tables, as they are read.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::danger::Family;
use super::lists::{self, ALLOWED};
use super::names::{Condition, Entry, Use};

pub(super) const DANGEROUS: &str = include_str!("globals/dangerous.list");
pub(super) const CONSTRUCTORS: &str = include_str!("globals/constructors.list");
pub(super) const METHODS: &str = include_str!("globals/methods.list");
pub(super) const ALIASES: &str = include_str!("globals/aliases.list");
const STANDARD: &str = include_str!("globals/standard.list");
const PACKAGES: &str = include_str!("globals/packages.list");

pub(super) type Name = (&'static str, &'static str);

/// All tables, read once.
pub(super) struct Tables {
    pub(super) allowed: HashMap<Name, Entry>,
    /// Modules whose classes are allowed.
    pub(super) classes: HashMap<&'static str, Vec<Wildcard>>,
    pub(super) denied: HashSet<Name>,
    pub(super) dangerous: HashMap<Name, Family>,
    /// Classes whose constructors reach what no model needs.
    pub(super) constructors: HashMap<Name, Family>,
    pub(super) modules: HashMap<&'static str, &'static str>,
    pub(super) names: HashMap<Name, Name>,
    pub(super) standard: HashSet<&'static str>,
    /// Modules of the standard library that only compute.
    pub(super) pure: HashSet<&'static str>,
    pub(super) packages: HashSet<&'static str>,
}

pub(super) fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(Tables::read)
}

/// Classes allowed by the spelling of their names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wildcard {
    /// Whether modules below count, too.
    pub(super) below: bool,
    pub(super) suffix: &'static str,
    pub(super) condition: Option<Condition>,
}

/// Stands for any module in the table of what is dangerous: names that modules have from elsewhere.
pub(super) const ANYWHERE: &str = "*";

/// The lines of a table, split into words.
pub(super) fn lines(text: &'static str) -> impl Iterator<Item = std::str::SplitAsciiWhitespace<'static>> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::split_ascii_whitespace)
}

impl Tables {
    fn read() -> Self {
        let mut tables = Tables {
            allowed: HashMap::with_capacity(1 << 13),
            classes: HashMap::new(),
            denied: HashSet::new(),
            dangerous: HashMap::with_capacity(512),
            constructors: HashMap::with_capacity(1 << 12),
            modules: HashMap::new(),
            names: HashMap::new(),
            standard: HashSet::with_capacity(1024),
            pure: HashSet::new(),
            packages: HashSet::with_capacity(512),
        };
        tables.read_reaching();
        tables.read_allowed();
        tables.read_aliases();
        for module in lines(STANDARD).flatten() {
            match module.strip_prefix('+') {
                Some(module) => {
                    tables.pure.insert(module);
                    tables.standard.insert(module);
                }
                None => {
                    tables.standard.insert(module);
                }
            }
        }
        tables.packages.extend(lines(PACKAGES).flatten());
        tables
    }

    fn read_allowed(&mut self) {
        let numbered = ALLOWED.iter().copied().enumerate();
        for (file, mut words) in numbered.flat_map(|(file, text)| lines(text).map(move |words| (file, words)))
        {
            // What was written by hand says for itself what it asks of a constructor.
            let from_libraries = file >= lists::BY_HAND;
            let (Some(module), Some(name), Some(usage)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if module == "!" {
                self.denied.insert((name, usage));
            } else if let Some(suffix) = name.strip_prefix('*') {
                let (module, below) = match module.strip_suffix(".**") {
                    Some(above) => (above, true),
                    None => (module, false),
                };
                let condition = words.next().and_then(Condition::parse);
                self.classes.entry(module).or_default().push(Wildcard { below, suffix, condition });
            } else {
                let condition = words.next().and_then(Condition::parse).or_else(|| Condition::usual(name));
                let reaching = from_libraries && self.constructors.contains_key(&(module, name));
                let condition = condition.or(reaching.then_some(Condition::Bare));
                let usage = match usage {
                    "class" => Use::Class,
                    "call" => Use::Call,
                    _ => Use::Value,
                };
                if !self.denied.contains(&(module, name)) {
                    self.allowed.entry((module, name)).or_insert(Entry { usage, condition });
                }
            }
        }
    }

    fn read_reaching(&mut self) {
        fill(&mut self.dangerous, DANGEROUS);
        fill(&mut self.dangerous, METHODS);
        fill(&mut self.constructors, CONSTRUCTORS);
    }

    fn read_aliases(&mut self) {
        for mut words in lines(ALIASES) {
            let (Some(old), Some(new)) = (words.next(), words.next()) else { continue };
            match (old.split_once(':'), new.split_once(':')) {
                (Some(old), Some(new)) => {
                    self.names.insert(old, new);
                }
                _ => {
                    self.modules.insert(old, new);
                }
            }
        }
    }
}

/// Reads lines of a family, a module and names.
fn fill(into: &mut HashMap<Name, Family>, table: &'static str) {
    for mut words in lines(table) {
        let Some(family) = words.next().and_then(Family::parse) else { continue };
        let Some(module) = words.next() else { continue };
        for name in words {
            into.entry((module, name)).or_insert(family);
        }
    }
}
