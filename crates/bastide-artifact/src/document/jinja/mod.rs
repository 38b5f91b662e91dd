//! Jinja templates of chat models: parsed, never rendered.
//!
//! A chat template is a program that the loader runs for every request. Loaders that render it outside of a sandbox give
//! it Python's object graph (CVE-2024-34359), and sandboxes have been escaped through attribute filters and string
//! formatting (CVE-2019-10906, CVE-2024-56326, CVE-2025-27516). No honest template names Python's internals.

mod apply;
mod bombs;
mod flow;
mod fold;
mod lookup;
mod names;
mod recursion;
mod sources;
mod tokens;
mod walk;

use bastide_types::{Assessment, Rule, Severity};
use minijinja::machinery;

pub(crate) use tokens::unescape;

use crate::scan::Scan;

/// Reaches for what lies beneath the template language.
pub(crate) const INJECTION: Rule = Rule {
    id: "template.injection",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "template reaches for Python's internals",
    why: "rendered outside of a sandbox, it runs commands on every prompt; inside, it tries a known escape",
    fix: "do not load the model; if you must, replace the template with the base model's",
    cwe: &[1336, 94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Never ends.
pub(crate) const BOMB: Rule = Rule {
    id: "template.bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "template repeats without measure",
    why: "rendering it once keeps a processor or all memory busy: the server stops answering",
    fix: "do not load the model; if you must, replace the template with the base model's",
    cwe: &[834],
    atlas: &["AML.T0029"],
};

/// Reads other templates.
pub(crate) const INCLUDE: Rule = Rule {
    id: "template.include",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "template takes in another file",
    why: "chat templates stand alone; what it takes in is decided by the server's files",
    fix: "look at the file it names, or replace the template",
    cwe: &[98],
    atlas: &["AML.T0010.003"],
};

/// Attribute names, or globals of a web framework, that nobody can see through.
pub(crate) const COMPUTED: Rule = Rule {
    id: "template.computed-name",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "template looks up or fills in a name that it computes, or an object that chat templates are not given",
    why: "a name put together while rendering hides from readers which attribute is reached",
    fix: "render the template in a sandbox and see which names it makes",
    cwe: &[1336],
    atlas: &["AML.T0010.003"],
};

/// Not parsed.
pub(crate) const UNREADABLE: Rule = Rule {
    id: "template.unreadable",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "template does not parse",
    why: "only its words were looked at; it names nothing dangerous, yet its structure was not followed",
    fix: "see whether the model's own library renders it",
    cwe: &[1286],
    atlas: &[],
};

/// Bytes of the longest template that is parsed; the longest in use have some forty thousand.
const LONGEST: usize = 256 << 10;
/// Operators in one tag, and branches of one condition: they make the tree deep, and it is walked by recursion.
const DEEPEST: usize = 400;

/// Looks through the template `text`, which begins at `offset` of its file.
pub(crate) fn template(text: &str, offset: u64, scan: &mut Scan<'_>) {
    let tags = tokens::tags(text);
    if tags.is_empty() {
        return;
    }
    if text.len() <= LONGEST && !tokens::too_deep(&tags, DEEPEST) {
        // Tags that Hugging Face adds to mark what the assistant says. They take no expression.
        let blanked = tokens::blank(text, &tags, &["generation", "endgeneration"]);
        if let Ok(tree) = machinery::parse(&blanked, "chat_template", Default::default()) {
            let (flow, given, calls) = flow::Flow::of(&tree, scan);
            if let Some((name, at, what)) = calls.endless(scan) {
                let message = format!("`{}` {what}", crate::scan::shown(name));
                scan.find(&BOMB, offset + u64::from(at), message);
            }
            walk::Walk::new(offset, scan, flow, given).statement(&tree);
            return;
        }
    }
    let mut found = false;
    for tag in &tags {
        for (at, name) in tag.names() {
            if names::named(&name) {
                scan.find(
                    &INJECTION,
                    offset + at as u64,
                    format!("the template names `{}`", crate::scan::shown(&name)),
                );
                found = true;
            }
        }
    }
    if !found {
        scan.find(&UNREADABLE, offset, "the template does not parse; its words are harmless");
    }
}

/// Looks through a text whose fields are filled in by `str.format`, which looks up attributes of what it is given.
pub(crate) fn fields(text: &str, offset: u64, scan: &mut Scan<'_>) {
    for (at, name) in names::fields(text) {
        let shown = crate::scan::shown(name);
        scan.find(&INJECTION, offset + at as u64, format!("a field of the text reaches for `{shown}`"));
    }
}

/// Looks through a text that may hold a template, without any other sign that it is one: only what no text for people
/// says is told.
pub(crate) fn text(text: &str, offset: u64, scan: &mut Scan<'_>) {
    const LONGEST_TEXT: usize = 1 << 20;
    let opens = text.contains("{{") || text.contains("{%");
    if !opens || text.len() > LONGEST_TEXT {
        return;
    }
    let internal = |tag: &tokens::Tag<'_>| tag.names().iter().any(|(_, name)| names::dunder(name));
    if tokens::tags(text).iter().any(internal) {
        template(text, offset, scan);
    }
}

#[cfg(test)]
mod tests;
