//! Credentials that their issuer marks with a prefix or a shape of its own.

use bastide_types::{Category, Severity};

use super::credential_kinds::KINDS;
use super::rule::{part, pattern, whole};
use crate::validators::{decode_base64, distinct_bytes, entropy_millibits, looks_like_placeholder};
use crate::{Candidate, Detector, Match, Pattern};

/// One kind of credential, as its issuer documents or issues it.
#[derive(Debug)]
pub(super) struct Kind {
    /// Detector id.
    pub(super) id: &'static str,
    /// What it is, for the reason.
    pub(super) name: &'static str,
    /// Expression.
    pub(super) regex: &'static str,
    /// How many bytes of fixed prefix say nothing about randomness.
    pub(super) prefix: usize,
    /// Shortest and longest whole credential, in bytes.
    pub(super) length: (usize, usize),
    /// Score in per mille.
    pub(super) score: u16,
    /// A further condition.
    pub(super) also: Option<fn(&[u8]) -> bool>,
}

struct Credential {
    kind: &'static Kind,
    pattern: Pattern,
}

/// One detector for each kind.
pub(super) fn detectors() -> impl Iterator<Item = impl Detector + 'static> {
    KINDS.iter().map(|kind| Credential { kind, pattern: pattern(kind.regex, kind.length.1 + 1, 1) })
}

impl Detector for Credential {
    fn id(&self) -> &'static str {
        self.kind.id
    }

    fn category(&self) -> Category {
        Category::Secret
    }

    fn severity(&self) -> Severity {
        Severity::Critical
    }

    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match> {
        let kind = self.kind;
        // A full stop that ends the sentence is no part of it, in kinds whose alphabet has one.
        let end = candidate.bytes.iter().rposition(|b| !matches!(b, b'.' | b'-'))? + 1;
        let token = candidate.bytes.get(..end)?;
        let body = token.get(kind.prefix..)?;
        let fits = (kind.length.0..=kind.length.1).contains(&token.len())
            && !candidate.after.first().is_some_and(u8::is_ascii_alphanumeric)
            && varied(body)
            && !looks_like_placeholder(body)
            && kind.also.is_none_or(|also| also(token));
        if !fits {
            return None;
        }
        let reason = format!("prefix, alphabet and length of {}", kind.name);
        if end == candidate.bytes.len() {
            return whole(candidate, kind.score, reason);
        }
        part(bastide_types::Span::new(0, end), kind.score, reason)
    }
}

/// Whether the bytes vary as random ones do: a word list, a count or a row of one digit does not.
fn varied(body: &[u8]) -> bool {
    let wanted = match body.len() {
        0..8 => 3,
        8..16 => 5,
        16..32 => 7,
        _ => 9,
    };
    distinct_bytes(body) >= wanted
}

/// `sk-` keys: OpenAI's own, and those of the many services that copy its interface. Anthropic's, OpenRouter's and
/// Langfuse's have detectors of their own.
pub(super) fn is_openai(token: &[u8]) -> bool {
    let rest = token.get(3..).unwrap_or_default();
    if [b"ant-".as_slice(), b"or-", b"lf-"].iter().any(|p| rest.starts_with(p)) {
        return false;
    }
    let own = [b"proj-".as_slice(), b"svcacct-", b"admin-", b"None-"].iter().any(|p| rest.starts_with(p));
    let marked = rest.windows(8).any(|w| w == b"T3BlbkFJ"); // "OpenAI" in base64, inside every key since 2022
    let copied = rest.iter().all(u8::is_ascii_alphanumeric)
        && (32..=64).contains(&rest.len())
        && entropy_millibits(rest) >= 3000
        && rest.iter().any(u8::is_ascii_digit);
    (own && rest.len() >= 40) || marked || copied
}

/// Discord bot tokens begin with the account's number in base64.
pub(super) fn is_discord(token: &[u8]) -> bool {
    let mut parts = token.split(|b| *b == b'.');
    let (Some(id), Some(time), Some(mac), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let numeric =
        decode_base64(id).is_some_and(|d| (15..=20).contains(&d.len()) && d.iter().all(u8::is_ascii_digit));
    numeric && (5..=8).contains(&time.len()) && (27..=40).contains(&mac.len())
}

/// Atlas tokens of Terraform Cloud: 14 characters, the marker, 60 and more.
pub(super) fn is_terraform(token: &[u8]) -> bool {
    let dot = token.iter().position(|b| *b == b'.').unwrap_or_default();
    dot == 14
}

/// Whether the hexadecimal part is not a count or a date.
pub(super) fn has_both_kinds_of_hex(token: &[u8]) -> bool {
    token.iter().any(u8::is_ascii_digit) && token.iter().any(|b| matches!(b, b'a'..=b'f'))
}

#[cfg(test)]
mod tests;
