//! What is allowed in a policy set and probably not meant.

use std::fmt;

use bastide_types::{Category, Origin, Verdict};
use cedar_policy as cedar;
use serde_json::Value;

/// A warning about a policy set. The set is in force all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// What kind.
    pub kind: LintKind,
    /// The policy, where it is about one.
    pub policy: Option<String>,
    /// Line of the policy, from 1.
    pub line: usize,
    /// What is odd and what to do.
    pub detail: String,
}

/// Kinds of warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LintKind {
    /// There is no policy: everything is denied.
    Empty,
    /// A policy has no `@id`, so denials and the log call it by its place in the text.
    NoId,
    /// A policy names neither a principal nor a resource in its head: every decision pays for it.
    Unscoped,
    /// A category, origin or verdict that does not exist: the comparison never holds.
    UnknownWord,
    /// Cedar's checker warns: a policy that can never apply, confusable characters.
    Checker,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.policy {
            write!(f, "policy `{id}`, line {}: ", self.line)?;
        }
        f.write_str(&self.detail)
    }
}

/// Words a policy compares `context.categories`, `.origins` or `.verdict` with and that do not exist. Cedar cannot
/// tell: to it they are strings, and a `forbid` with a typing error simply never applies.
pub(crate) fn unknown_words(policy: &cedar::Policy) -> Vec<String> {
    // Turning a policy into JSON parses it again: only where there can be something to find.
    let text = policy.to_cedar().unwrap_or_default();
    if !["categories", "origins", "verdict"].iter().any(|w| text.contains(w)) {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Ok(json) = policy.to_json() {
        walk(&json, &mut found);
    }
    found
}

/// Depth is bounded by [`crate::layout::Layout::scan`], which every policy passed.
fn walk(node: &Value, found: &mut Vec<String>) {
    match node {
        Value::Object(map) => {
            for operands in map.values() {
                if let (Some(left), Some(right)) = (operands.get("left"), operands.get("right")) {
                    compare(left, right, found);
                    compare(right, left, found);
                }
            }
            map.values().for_each(|v| walk(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
        _ => {}
    }
}

fn compare(attribute: &Value, literals: &Value, found: &mut Vec<String>) {
    let access = attribute.get(".");
    let on_context = access.and_then(|a| a.pointer("/left/Var")).and_then(Value::as_str) == Some("context");
    let Some(name) = access.and_then(|a| a.get("attr")).and_then(Value::as_str).filter(|_| on_context) else {
        return;
    };
    let known: Vec<&str> = match name {
        "categories" => Category::ALL.iter().map(|c| c.as_str()).collect(),
        "origins" => Origin::ALL.iter().map(|o| o.as_str()).collect(),
        "verdict" => Verdict::ALL.iter().map(|v| v.as_str()).collect(),
        _ => return,
    };
    let words: Vec<&str> = match (literals.get("Value"), literals.get("Set")) {
        (Some(Value::String(word)), _) => vec![word],
        (_, Some(Value::Array(items))) => {
            items.iter().filter_map(|i| i.get("Value")).filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    };
    for word in words.into_iter().filter(|w| !known.contains(w)) {
        found.push(format!(
            "`{word}` is never in `context.{name}`, so the comparison never holds; the words are {}",
            known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")
        ));
    }
}
