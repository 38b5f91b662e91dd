//! Credentials that stand in a text. What is found is never printed.

use crate::remark::{Remarks, rule};

rule!(
    /// A credential in clear.
    SECRET, "code.secret", High, Review, "credential in clear text",
    why: "who can read the file can act and spend in its owner's name; history and copies keep it",
    fix: "revoke it, then read the new one from the environment or a secret store at run time",
    cwe: [798, 540], atlas: ["AML.T0055"],
);

/// How the credentials of one issuer look: their start, the fewest bytes after it, and what these bytes are.
struct Shape {
    start: &'static str,
    least: usize,
    body: fn(u8) -> bool,
    issuer: &'static str,
}

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn dashed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn capital(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

/// Longest start first where one is the start of another.
const SHAPES: &[Shape] = &[
    Shape { start: "hf_", least: 30, body: word, issuer: "Hugging Face" },
    Shape { start: "sk-ant-", least: 32, body: dashed, issuer: "Anthropic" },
    Shape { start: "sk-or-v1-", least: 32, body: word, issuer: "OpenRouter" },
    Shape { start: "sk-proj-", least: 32, body: dashed, issuer: "OpenAI" },
    Shape { start: "sk-svcacct-", least: 32, body: dashed, issuer: "OpenAI" },
    Shape { start: "sk-", least: 32, body: dashed, issuer: "OpenAI" },
    Shape { start: "AKIA", least: 16, body: capital, issuer: "AWS" },
    Shape { start: "ASIA", least: 16, body: capital, issuer: "AWS" },
    Shape { start: "ghp_", least: 36, body: word, issuer: "GitHub" },
    Shape { start: "gho_", least: 36, body: word, issuer: "GitHub" },
    Shape { start: "ghs_", least: 36, body: word, issuer: "GitHub" },
    Shape { start: "ghu_", least: 36, body: word, issuer: "GitHub" },
    Shape { start: "github_pat_", least: 40, body: dashed, issuer: "GitHub" },
    Shape { start: "glpat-", least: 20, body: dashed, issuer: "GitLab" },
    Shape { start: "AIza", least: 35, body: dashed, issuer: "Google" },
    Shape { start: "xoxb-", least: 24, body: dashed, issuer: "Slack" },
    Shape { start: "xoxp-", least: 24, body: dashed, issuer: "Slack" },
    Shape { start: "nvapi-", least: 40, body: dashed, issuer: "NVIDIA" },
    Shape { start: "gsk_", least: 40, body: word, issuer: "Groq" },
    Shape { start: "r8_", least: 36, body: word, issuer: "Replicate" },
    Shape { start: "pplx-", least: 40, body: word, issuer: "Perplexity" },
    Shape { start: "pypi-AgEIcHlwaS5vcmc", least: 40, body: dashed, issuer: "PyPI" },
    Shape { start: "npm_", least: 36, body: word, issuer: "npm" },
    Shape { start: "lsv2_pt_", least: 40, body: dashed, issuer: "LangSmith" },
];

/// A credential at `start..end`.
struct Found {
    start: usize,
    end: usize,
    issuer: &'static str,
}

/// Notes each credential in `text`.
pub(crate) fn scan(text: &str, remarks: &mut Remarks) {
    let mut from = 0;
    while let Some(found) = next(text, from) {
        remarks.add(&SECRET, found.start, format!("a credential of {} stands in clear text", found.issuer));
        from = found.end;
    }
}

/// Whether there is a credential in `text`.
pub(crate) fn any(text: &str) -> bool {
    next(text, 0).is_some()
}

/// `text` with every credential replaced.
pub(crate) fn blotted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = next(text, from) {
        out.push_str(text.get(from..found.start).unwrap_or_default());
        out.push_str("[credential]");
        from = found.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

/// The first credential at or after `from`. Each byte begins at most one run, so that the search is linear.
fn next(text: &str, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if byte == b'-'
            && text.get(at..).is_some_and(|rest| rest.starts_with("-----BEGIN "))
            && let Some(found) = private_key(text, at)
        {
            return Some(found);
        }
        if !dashed(byte) {
            at += 1;
            continue;
        }
        let length = bytes.get(at..)?.iter().take_while(|byte| dashed(**byte)).count();
        if let Some(found) = text.get(at..at + length).and_then(|run| in_run(run, at)) {
            return Some(found);
        }
        at += length;
    }
    None
}

/// A private key in PEM form that begins at `at`; its own bytes must follow, or it is somebody's check for one.
fn private_key(text: &str, at: usize) -> Option<Found> {
    let window = text.get(at..text.floor_char_boundary(at.saturating_add(400)))?;
    let head = window.find("PRIVATE KEY-----").filter(|&head| head < 40)? + "PRIVATE KEY-----".len();
    let body = window.get(head..)?;
    let body = body.trim_start_matches(['\r', '\n', ' ', '"', '\'', '\\', 'n', '\t']);
    let long = body.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)).count();
    (long >= 32).then_some(Found { start: at, end: at + head, issuer: "a private key" })
}

/// A credential in a run of letters, digits, `_` and `-`.
fn in_run(run: &str, at: usize) -> Option<Found> {
    SHAPES.iter().find_map(|shape| {
        let body = run.strip_prefix(shape.start)?;
        let length = body.bytes().take_while(|byte| (shape.body)(*byte)).count();
        let body = body.get(..length)?;
        let whole = shape.least != 16 || length == 16;
        (length >= shape.least && whole && is_random(body)).then_some(Found {
            start: at,
            end: at + shape.start.len() + length,
            issuer: shape.issuer,
        })
    })
}

/// Whether it looks drawn by a machine: many different characters, digits, and none of the words of examples.
fn is_random(body: &str) -> bool {
    const EXAMPLES: &[&str] =
        &["EXAMPLE", "example", "your", "YOUR", "xxxx", "XXXX", "0000000", "1234567890abc"];
    let mut seen = [false; 256];
    for byte in body.bytes() {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    }
    seen.iter().filter(|seen| **seen).count() >= 9
        && body.bytes().any(|byte| byte.is_ascii_digit())
        && !EXAMPLES.iter().any(|example| body.contains(example))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_found_and_blotted_and_an_example_is_not() {
        let key = ["hf_", "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3f"].concat();
        assert!(any(&format!("token = \"{key}\"")));
        assert_eq!(blotted(&format!("é {key} é")), "é [credential] é");
        assert!(!any(
            "AKIAIOSFODNN7EXAMPLE hf_model_for_sequence_classification_v2 sk-learn-contrib-package-name-of-some-length"
        ));
        assert!(!any("hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"));
    }

    #[test]
    fn a_private_key_needs_its_bytes() {
        assert!(!any("if line.startswith('-----BEGIN RSA PRIVATE KEY-----'):"));
        assert!(any(&format!(
            "-----BEGIN PRIVATE KEY-----\n{}",
            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".repeat(2)
        )));
    }
}
