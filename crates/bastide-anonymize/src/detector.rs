//! Finds tokens in replies.

use std::borrow::Cow;

use bastide_inspect::{Candidate, Detector, Match, Pattern};
use bastide_types::{Category, Score, Severity, Span};

use crate::glue::{REACH, glued};
use crate::token;

/// Finds what looks like one of bastide's tokens. Whether it is one, the vault knows.
///
/// A token that runs on into a host name or an address (`TOKEN.evil.example`, `TOKEN@evil.example`) is not found and
/// therefore never restored: chat programs make links of bare host names and fetch them for a preview.
#[derive(Clone, Debug)]
pub struct PlaceholderDetector {
    pattern: Pattern,
}

impl PlaceholderDetector {
    /// The detector; it has no settings.
    #[must_use]
    pub fn new() -> Self {
        let (regex, max_span) = token::expression();
        let pattern =
            Pattern { regex: Cow::Owned(regex), max_span, max_right_context: REACH, open_ended: None };
        PlaceholderDetector { pattern }
    }
}

impl Default for PlaceholderDetector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector for PlaceholderDetector {
    fn id(&self) -> &'static str {
        "placeholder"
    }

    fn category(&self) -> Category {
        Category::Placeholder
    }

    fn severity(&self) -> Severity {
        Severity::Low
    }

    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match> {
        let text = std::str::from_utf8(candidate.bytes).ok()?;
        token::read(text)?;
        if glued(candidate.after) {
            return None;
        }
        Some(Match {
            span: Span::new(0, candidate.bytes.len()),
            score: Score::MAX,
            reason: Cow::Borrowed("has the form of a token"),
        })
    }
}
