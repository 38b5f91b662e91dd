//! A plain search for tokens: what the inspection engine does with the same detector.

use bastide_anonymize::{ConversationKey, PlaceholderDetector, Placement, Vault, apply, restore_text};
use bastide_crypto::RootKey;
use bastide_inspect::{Candidate, Detector as _, Syntax};
use bastide_types::{Category, Finding, ProjectId, Span, View};

pub(crate) const VALUE: &str = "4111 1111 1111 1111";

pub(crate) fn vault(scope: &[u8]) -> Vault {
    let root = RootKey::from_bytes([3; 32]);
    let key = ConversationKey::derive(&root, ProjectId::from_bytes([1; 16]), scope);
    Vault::new(move || key)
}

/// A vault with [`VALUE`] in it, and its token.
pub(crate) fn filled() -> (Vault, String) {
    let mut vault = vault(b"test");
    let token = vault.tokenise(Category::CreditCard, VALUE);
    (vault, token)
}

pub(crate) fn tokens(text: &str) -> Vec<Finding> {
    let detector = PlaceholderDetector::new();
    let mut out = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let begins = |c: &Category| {
            let begin = text.as_bytes().get(at..at + 2).unwrap_or_default();
            begin.eq_ignore_ascii_case(&c.as_str().as_bytes()[..2])
        };
        if !Category::ALL.iter().any(begins) {
            at += 1;
            continue;
        }
        let longest = detector.pattern().max_span.min(text.len() - at);
        let found = (1..=longest).rev().find_map(|len| {
            text.get(at..at + len)?;
            let after = &text.as_bytes()[at + len..];
            let candidate = Candidate {
                bytes: &text.as_bytes()[at..at + len],
                before: &text.as_bytes()[..at],
                after: &after[..after.len().min(detector.pattern().max_right_context)],
                view: View::Raw,
            };
            detector.validate(&candidate)
        });
        match found {
            Some(found) => {
                let span = found.span.shifted(at);
                at = span.end;
                out.push(Finding {
                    category: Category::Placeholder,
                    span,
                    score: found.score,
                    severity: detector.severity(),
                    detector: detector.id(),
                    reason: found.reason,
                    view: View::Raw,
                });
            }
            None => at += 1,
        }
    }
    out
}

pub(crate) fn restore(text: &str, vault: &Vault) -> String {
    let restoration =
        restore_text(text, Syntax::Plain, &tokens(text), vault, &mut Placement::new(), |_| true);
    apply(text, &restoration.replacements)
}

pub(crate) fn restore_json(text: &str, vault: &Vault) -> String {
    let restoration =
        restore_text(text, Syntax::Json, &tokens(text), vault, &mut Placement::json(), |_| true);
    apply(text, &restoration.replacements)
}

/// Restores piece by piece, cut at `cuts`: a token is looked at once it and what follows it are there, as a stream
/// does.
pub(crate) fn restore_in_pieces(text: &str, cuts: &[usize], vault: &Vault) -> String {
    let findings = tokens(text);
    let mut placement = Placement::new();
    let mut out = String::new();
    let mut start = 0;
    for end in cuts.iter().copied().chain([text.len()]) {
        // No piece ends inside a token.
        let end =
            findings.iter().find(|f| f.span.start < end && end < f.span.end).map_or(end, |f| f.span.start);
        if end < start || !text.is_char_boundary(end) {
            continue;
        }
        let piece = &text[start..end];
        let within: Vec<Finding> = findings
            .iter()
            .filter(|f| start <= f.span.start && f.span.end <= end)
            .map(|f| Finding { span: Span::new(f.span.start - start, f.span.end - start), ..f.clone() })
            .collect();
        let restoration = restore_text(piece, Syntax::Plain, &within, vault, &mut placement, |_| true);
        out.push_str(&apply(piece, &restoration.replacements));
        start = end;
    }
    out
}
