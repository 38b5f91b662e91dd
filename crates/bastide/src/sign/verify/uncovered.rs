//! What is in a folder and no signature speaks of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bastide_registry::Unchecked;
use bastide_signing::ResourcePath;
use serde_json::{Value, json};

use crate::show::one_line;

/// Why a path is not covered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    LeftOut,
    Ignored,
    Unsigned,
    Empty,
    EmptyFolder,
    Link,
}

/// The paths that one signature or another does not cover. With several, the strictest view counts: each is to hold.
#[derive(Default)]
pub(super) struct Uncovered(BTreeMap<Why, BTreeSet<String>>);

impl Uncovered {
    /// These and those.
    pub(super) fn and(&mut self, more: &Unchecked) {
        let Unchecked { left_out, ignored, unsigned, empty, empty_folders, links } = more;
        for (why, paths) in [
            (Why::LeftOut, left_out),
            (Why::Ignored, ignored),
            (Why::Unsigned, unsigned),
            (Why::Empty, empty),
            (Why::EmptyFolder, empty_folders),
            (Why::Link, links),
        ] {
            self.0.entry(why).or_default().extend(paths.iter().map(ResourcePath::to_string));
        }
    }

    fn paths(&self) -> BTreeSet<&str> {
        self.0.values().flatten().map(String::as_str).collect()
    }

    /// How many paths these are.
    pub(super) fn count(&self) -> usize {
        self.paths().len()
    }

    /// Why a strict look refuses the folder.
    pub(super) fn summary(&self) -> String {
        const SHOWN: usize = 5;
        let paths = self.paths();
        let names: Vec<String> = paths.iter().take(SHOWN).map(|path| format!("`{path}`")).collect();
        let more = paths.len().checked_sub(SHOWN).filter(|more| *more > 0);
        let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
        format!(
            "the signature does not cover {}{more}, and `--strict` lets nothing else be there",
            names.join(", ")
        )
    }

    /// For programs: the paths of each kind, but for links.
    pub(super) fn json(&self) -> Value {
        json!({
            "count": self.count(),
            "left_out": self.of(Why::LeftOut),
            "ignored": self.of(Why::Ignored),
            "unsigned": self.of(Why::Unsigned),
            "empty": self.of(Why::Empty),
            "empty_folders": self.of(Why::EmptyFolder),
        })
    }

    /// The links that were followed.
    pub(super) fn links(&self) -> Vec<&str> {
        self.of(Why::Link)
    }

    fn of(&self, why: Why) -> Vec<&str> {
        self.0.get(&why).into_iter().flatten().map(String::as_str).collect()
    }

    /// For people: how many there are, and each with its reason.
    pub(super) fn human(&self, strict: bool) -> String {
        let mut out = String::new();
        match self.count() {
            0 => return out,
            count => {
                let plural = if count == 1 { "path is" } else { "paths are" };
                let advice = if strict { "" } else { "; `--strict` refuses that" };
                let _ = writeln!(
                    out,
                    "not covered  {count} {plural} there that the signature does not speak of{advice}"
                );
            }
        }
        for (why, path) in self.0.iter().flat_map(|(why, paths)| paths.iter().map(move |path| (*why, path))) {
            let what = if why == Why::Link { "link" } else { "not checked" };
            let _ = writeln!(out, "{what:<12} {} ({})", one_line(path), reason(why, path));
        }
        out
    }
}

fn reason(why: Why, path: &str) -> &'static str {
    match why {
        Why::LeftOut => "left out by the signer",
        Why::Ignored if path.starts_with(".git") => {
            "left out here: version control; `--include-git` compares it"
        }
        Why::Ignored => "left out here: `--ignore`",
        Why::Unsigned => "not signed: `--ignore-unsigned-files`",
        Why::Empty => "without content, which shards do not cover",
        Why::EmptyFolder => "an empty folder: a signature covers files",
        Why::Link => "compared, and what it leads to may change without the folder",
    }
}
