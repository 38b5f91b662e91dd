//! Aliases that multiply, counted line by line and never expanded.

use std::collections::BTreeMap;

use bastide_types::{Assessment, Rule, Severity};

use crate::scan::Scan;

/// Aliases of aliases.
pub(crate) const BOMB: Rule = Rule {
    id: "yaml.alias-bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "YAML aliases multiply without measure",
    why: "a program that walks or copies the document never ends",
    fix: "do not load the file",
    cwe: &[776],
    atlas: &["AML.T0029"],
};

/// Values that aliases may make.
const MOST_EXPANDED: u64 = 10_000_000;

/// What anchors stand for, counted in values.
#[derive(Default)]
pub(super) struct Aliases {
    sizes: BTreeMap<String, u64>,
    /// Anchors whose value goes on, with the indentation of their line.
    open: Vec<(usize, String)>,
    total: u64,
}

impl Aliases {
    const MANY: usize = 4096;

    pub(super) fn line(&mut self, line: &str, at: u64, scan: &mut Scan<'_>) {
        let indent = line.len() - line.trim_start().len();
        if line.trim().is_empty() || !line.contains(['&', '*']) && self.open.is_empty() {
            return;
        }
        self.open.retain(|(from, _)| indent > *from);
        let marks = |mark: char| {
            line.split([' ', ',', '[', ']', '{', '}', '\t'])
                .filter_map(move |word| word.strip_prefix(mark))
                .filter(|name| {
                    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
                })
        };
        let mut cost = 1_u64;
        for name in marks('*') {
            cost = cost.saturating_add(self.sizes.get(name).copied().unwrap_or(0));
        }
        self.total = self.total.saturating_add(cost);
        for name in marks('&') {
            if self.sizes.len() < Self::MANY && self.open.len() < 64 {
                self.sizes.insert(name.to_owned(), 0);
                self.open.push((indent, name.to_owned()));
            }
        }
        for (_, name) in &self.open {
            let size = self.sizes.entry(name.clone()).or_insert(0);
            *size = size.saturating_add(cost);
        }
        if self.total > MOST_EXPANDED {
            scan.find(&BOMB, at, "aliases make more than ten million values");
        }
    }
}
