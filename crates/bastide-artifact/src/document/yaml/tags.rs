//! Tags that build objects of the host's language.

use std::collections::BTreeMap;

use bastide_types::{Assessment, Rule, Severity};

use super::lexer;
use crate::document::names::{Named, named};
use crate::scan::{Scan, shown};

/// Builds an object that acts.
pub(crate) const TAG: Rule = Rule {
    id: "yaml.object",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "YAML builds objects of the host's language that act",
    why: "a full loader (`yaml.load` with `UnsafeLoader`, SnakeYAML, Psych) calls what the tag names",
    fix: "do not load the file; load YAML with `safe_load`",
    cwe: &[502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Builds an object of a known library.
pub(crate) const KNOWN_TAG: Rule = Rule {
    id: "yaml.known-object",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "YAML builds objects of Python",
    why: "it loads only with a loader that would build any object",
    fix: "load YAML with `safe_load`, and write plain values",
    cwe: &[502],
    atlas: &["AML.T0010.003"],
};

/// Tags of Python that make plain values.
const PLAIN: &[&str] =
    &["bool", "bytes", "complex", "dict", "float", "int", "list", "long", "none", "str", "tuple", "unicode"];

/// What the shorthands of tags stand for (YAML 1.2 section 6.8.2): `%TAG !p! tag:yaml.org,2002:python/`.
#[derive(Default)]
pub(super) struct Handles(BTreeMap<String, String>);

impl Handles {
    pub(super) fn add(&mut self, directive: &str) {
        const MANY: usize = 256;
        let mut words = directive.split_whitespace();
        if let (Some(handle), Some(prefix)) = (words.next(), words.next())
            && self.0.len() < MANY
        {
            self.0.insert(handle.to_owned(), prefix.to_owned());
        }
    }

    /// The name that `tag` is short for, without the part that all of YAML's own share.
    fn name(&self, tag: &str) -> String {
        let whole = match tag.strip_prefix("!<") {
            Some(verbatim) => verbatim.trim_end_matches('>').to_owned(),
            None => {
                // `!name!rest`, `!!rest` or `!rest`.
                let inner = tag.get(1..).unwrap_or_default();
                let end = inner.find('!').map_or(1, |end| end + 2);
                let (handle, rest) = tag.split_at_checked(end).unwrap_or((tag, ""));
                match self.0.get(handle) {
                    Some(prefix) => format!("{prefix}{rest}"),
                    None => rest.to_owned(),
                }
            }
        };
        whole.strip_prefix("tag:yaml.org,2002:").unwrap_or(&whole).trim_start_matches('!').to_owned()
    }
}

/// Tags that build objects: `!!python/object/apply:os.system`.
pub(super) fn tag(text: &str, at: u64, handles: &Handles, scan: &mut Scan<'_>) {
    /// Functions of Python without a module.
    const ACTING: &[&str] = &[
        "__import__",
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "getattr",
        "globals",
        "input",
        "open",
        "setattr",
        "vars",
    ];
    const DOCUMENTED: &[&str] = &["pymdownx.", "material.extensions.", "materialx.", "mermaid2."];
    let tag = lexer::tag(text);
    let name = handles.name(&percent(tag));
    if let Some(python) = name.strip_prefix("python/") {
        let (kind, object) = python.split_once(':').unwrap_or((python, ""));
        if PLAIN.contains(&kind) {
            return;
        }
        let rule = match (kind, named(object)) {
            _ if ACTING.contains(&object) => &TAG,
            // What MkDocs and its themes document for their settings.
            ("name", _) if DOCUMENTED.iter().any(|root| object.starts_with(root)) => return,
            (_, Named::Known) => &KNOWN_TAG,
            ("object" | "name" | "module", Named::Unknown) => &KNOWN_TAG,
            _ => &TAG,
        };
        scan.find(rule, at, format!("the tag `{}`", shown(tag)));
    } else if ["ruby/", "java", "com.", "org.", "js/"].iter().any(|start| name.starts_with(start)) {
        scan.find(&TAG, at, format!("the tag `{}`", shown(tag)));
    }
}

/// `%70` in a tag is `p` (YAML 1.2 section 5.6).
fn percent(tag: &str) -> String {
    let mut decoded = String::new();
    let mut rest = tag;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        match after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(u8::is_ascii_graphic) {
            Some(byte) => {
                decoded.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push('%');
                rest = after;
            }
        }
    }
    decoded + rest
}
