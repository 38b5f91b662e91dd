//! The projects, providers and keys that a policy text names, and whether they exist.
//!
//! Cedar cannot tell: to it `Bastide::Provider::"opnai"` is as good a name as any, and a `forbid` with a typing error
//! simply never applies. So these are warnings: a policy may be set before what it speaks of is there.

use std::collections::{BTreeMap, BTreeSet};

/// What there is.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub organisations: BTreeSet<String>,
    /// Name by id.
    pub projects: BTreeMap<String, String>,
    /// By name: policies call providers so.
    pub providers: BTreeSet<String>,
    /// Name by id.
    pub keys: BTreeMap<String, String>,
}

/// Warnings at most: a text of eight megabytes may name a hundred thousand things.
const MOST: usize = 50;

impl Names {
    /// A warning for each name in a policy text that nothing has, in the order of the text.
    pub(crate) fn missing_in(&self, text: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let missing = literals(text).filter(|l| seen.insert((l.kind, l.id)));
        missing.filter_map(|l| self.missing(&l)).take(MOST).collect()
    }

    fn missing(&self, literal: &Literal<'_>) -> Option<String> {
        let Literal { kind, id, line } = *literal;
        let (noun, known) = match kind {
            "Organisation" => ("organisation", self.organisations.contains(id)),
            "Project" => ("project", self.projects.contains_key(id)),
            "Key" => ("key", self.keys.contains_key(id)),
            "Provider" => ("provider", self.providers.contains(id)),
            // `provider/model`; which models a provider has is its own matter.
            "Model" => {
                let (provider, _) = id.split_once('/')?;
                ("provider", self.providers.contains(provider))
            }
            _ => return None,
        };
        if known {
            return None;
        }
        let shown: String = id.chars().filter(|c| !c.is_control()).take(100).collect();
        let by_name = |all: &BTreeMap<String, String>| {
            all.iter()
                .find(|(_, name)| *name == id)
                .map(|(id, _)| format!("; policies name it by its id, `{id}`"))
        };
        let hint = match noun {
            "project" => by_name(&self.projects),
            "key" => by_name(&self.keys),
            _ => None,
        };
        let hint = hint.unwrap_or_else(|| match noun {
            "organisation" => String::new(),
            noun => format!("; `bastide {noun} list` shows them"),
        });
        Some(format!("line {line}: `Bastide::{kind}::\"{shown}\"` names no {noun} that there is{hint}"))
    }
}

/// `Bastide::Kind::"id"` in a policy text.
#[derive(Clone, Copy)]
struct Literal<'t> {
    kind: &'t str,
    id: &'t str,
    line: usize,
}

/// The entities that a text names, which parsed before: strings are closed, and outside of comments.
fn literals(text: &str) -> impl Iterator<Item = Literal<'_>> {
    text.lines().enumerate().flat_map(|(at, line)| in_line(line, at + 1))
}

/// Those of one line. A string may hold a line break in Cedar, and then only hides names: no id has one.
fn in_line(line: &str, number: usize) -> Vec<Literal<'_>> {
    let mut found = Vec::new();
    let mut before = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(['"', '/']) {
        let (code, tail) = rest.split_at(at);
        before.push_str(code);
        if tail.starts_with("//") {
            break;
        }
        let Some(inside) = tail.strip_prefix('"') else {
            before.push('/');
            rest = tail.get(1..).unwrap_or_default();
            continue;
        };
        let end = end_of_string(inside);
        let id = inside.get(..end).unwrap_or_default();
        if let Some(kind) = kind_before(&before) {
            found.push(Literal { kind, id, line: number });
        }
        before.clear();
        rest = inside.get(end + 1..).unwrap_or_default();
    }
    found
}

/// Where a string ends whose first byte is `text`'s: at the quote that no backslash escapes, else at the end.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let quote = text.bytes().position(|b| {
        let ends = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        ends
    });
    quote.unwrap_or(text.len())
}

/// The kind of the entity whose id begins after this code: `... in Bastide::Project::`.
fn kind_before(code: &str) -> Option<&'static str> {
    const KINDS: [&str; 5] = ["Organisation", "Project", "Key", "Provider", "Model"];
    let dense: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let path = dense.strip_suffix("::")?;
    KINDS.into_iter().find(|kind| path.strip_suffix(kind).is_some_and(|left| left.ends_with("Bastide::")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            organisations: BTreeSet::from(["org_1".to_owned()]),
            projects: BTreeMap::from([("prj_1".to_owned(), "search".to_owned())]),
            providers: BTreeSet::from(["openai".to_owned()]),
            keys: BTreeMap::from([("key_1".to_owned(), "ci".to_owned())]),
        }
    }

    #[test]
    fn what_nothing_has_is_named_with_its_line() {
        let text = "permit (principal in Bastide::Project::\"prj_1\", action, resource in Bastide::Provider::\"openai\");\n\
                    // Bastide::Provider::\"comment\"\n\
                    forbid (principal == Bastide::Key::\"key_2\", action == Bastide::Action::\"invoke\",\n\
                    resource in Bastide :: Provider :: \"opnai\") unless { resource == Bastide::Model::\"azure/x\" };\n\
                    forbid (principal in Bastide::Project::\"search\", action, resource in Bastide::Provider::\"opnai\")\n\
                    when { context.verdict == \"a // \\\" Bastide::Key::\" };";
        let missing = names().missing_in(text);
        let begin: Vec<&str> = missing.iter().map(|m| m.split(';').next().unwrap_or_default()).collect();
        assert_eq!(
            begin,
            [
                "line 3: `Bastide::Key::\"key_2\"` names no key that there is",
                "line 4: `Bastide::Provider::\"opnai\"` names no provider that there is",
                "line 4: `Bastide::Model::\"azure/x\"` names no provider that there is",
                "line 5: `Bastide::Project::\"search\"` names no project that there is",
            ]
        );
        assert!(missing.last().is_some_and(|m| m.contains("by its id, `prj_1`")), "{missing:?}");
    }

    #[test]
    fn an_endless_list_is_cut() {
        let text: String = (0..1000).map(|n| format!("Bastide::Key::\"key_{n}x\" ")).collect();
        assert_eq!(names().missing_in(&text).len(), MOST);
    }
}
