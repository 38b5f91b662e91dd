//! Source text as Python's tokenizer takes it: any of three line ends, and names by their compatibility form.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use crate::python::hostile::HIDDEN_CALL;
use crate::remark::{Remarks, rule, shown};

rule!(
    BIDI, "code.bidirectional", Medium, Review, "holds characters that reorder what is shown",
    why: "an editor shows another program than the one that runs (CVE-2021-42574)",
    fix: "look at the file with the characters made visible, and take them out or write them as escapes",
    cwe: [1007], atlas: [],
);

pub(crate) const RULES: &[&bastide_types::Rule] = &[&BIDI];

/// Names by which a program acts on the machine.
const ACTING: &[&str] = &[
    "__builtins__",
    "__import__",
    "builtins",
    "compile",
    "ctypes",
    "eval",
    "exec",
    "getattr",
    "globals",
    "importlib",
    "marshal",
    "os",
    "pickle",
    "popen",
    "pty",
    "socket",
    "subprocess",
    "system",
];

/// `text` with its line ends and names as Python takes them. The language reference (section 2.1.2) ends a line by `\n`,
/// `\r\n` or `\r`, and compares names by NFKC (section 2.3): `𝓮𝔁𝓮𝓬` is `exec`.
pub(crate) fn taken(text: &str) -> Cow<'_, str> {
    let mut taken = Cow::Borrowed(text);
    if lone_returns(text) {
        let kept = text.replace("\r\n", "\u{0}\n").replace('\r', "\n").replace('\u{0}', "\r");
        taken = Cow::Owned(kept);
    }
    if !text.is_ascii() && text.chars().any(|c| letter(c).is_some()) {
        let spelled = |c: char| letter(c).unwrap_or(c);
        taken = Cow::Owned(taken.chars().map(spelled).collect());
    }
    taken
}

fn lone_returns(text: &str) -> bool {
    let bytes = text.as_bytes();
    !bytes.contains(&0) && memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1) != Some(&b'\n'))
}

/// The ASCII letter, digit or underscore that a name holds in the place of `c`.
fn letter(c: char) -> Option<char> {
    if c.is_ascii() {
        return None;
    }
    let mut form = std::iter::once(c).nfkc();
    let (first, rest) = (form.next()?, form.next());
    (rest.is_none() && (first.is_ascii_alphanumeric() || first == '_')).then_some(first)
}

/// Names that look like others, and characters that reorder what is shown.
pub(crate) fn check(text: &str, remarks: &mut Remarks<'_>) {
    if text.is_ascii() {
        return;
    }
    let reorders = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if let Some(at) = text.find(reorders) {
        remarks.add(&BIDI, at, "the line is not shown in the order in which Python reads it");
    }
    let of_name = |c: char| c.is_alphanumeric() || c == '_';
    for (at, word) in words(text, of_name).filter(|(_, word)| !word.is_ascii()) {
        let name: String = word.chars().map(|c| letter(c).unwrap_or(c)).collect();
        let after = text.get(at + word.len()..).unwrap_or_default().trim_start();
        let before = text.get(..at).unwrap_or_default().trim_end_matches(' ');
        let used = after.starts_with(['(', '.', '[']) || before.ends_with('.') || before.ends_with("import");
        if name != word && used && ACTING.contains(&name.as_str()) {
            let message = format!("`{name}` is spelled `{}`", shown(word));
            remarks.add(&HIDDEN_CALL, at, message);
        }
    }
}

/// The words of `text`, each with its place.
fn words(text: &str, of_word: impl Fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = 0;
    std::iter::from_fn(move || {
        let start = rest + text.get(rest..)?.find(&of_word)?;
        let tail = text.get(start..)?;
        let length = tail.find(|c: char| !of_word(c)).unwrap_or(tail.len());
        rest = start + length;
        Some((start, tail.get(..length)?))
    })
}
