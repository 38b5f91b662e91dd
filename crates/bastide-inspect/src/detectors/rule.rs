//! A detector made of a pattern and a function.

use std::borrow::Cow;

use bastide_types::{Category, Score, Severity, Span};

use crate::{Candidate, Detector, Match, OpenEnded, Pattern};

/// A pattern and the check of its candidates.
pub(crate) struct Rule {
    pub(crate) id: &'static str,
    pub(crate) category: Category,
    pub(crate) severity: Severity,
    pub(crate) pattern: Pattern,
    pub(crate) check: fn(&Candidate<'_>) -> Option<Match>,
}

impl Detector for Rule {
    fn id(&self) -> &'static str {
        self.id
    }

    fn category(&self) -> Category {
        self.category
    }

    fn severity(&self) -> Severity {
        self.severity
    }

    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match> {
        (self.check)(candidate)
    }
}

/// A bounded pattern that looks at `right` bytes after the candidate.
pub(crate) fn pattern(regex: impl Into<Cow<'static, str>>, max_span: usize, right: usize) -> Pattern {
    Pattern { regex: regex.into(), max_span, max_right_context: right, open_ended: None }
}

/// A pattern that begins at `opening` and ends at `closing` or with the text.
pub(crate) fn open_ended(opening: &'static str, closing: &'static str, max_span: usize) -> Pattern {
    let ends = OpenEnded { opening: opening.into(), closing: closing.into() };
    Pattern { regex: opening.into(), max_span, max_right_context: 0, open_ended: Some(ends) }
}

/// The whole candidate is real.
pub(crate) fn whole(
    candidate: &Candidate<'_>,
    score: u16,
    reason: impl Into<Cow<'static, str>>,
) -> Option<Match> {
    part(Span::new(0, candidate.bytes.len()), score, reason)
}

/// A part of the candidate is real.
pub(crate) fn part(span: Span, score: u16, reason: impl Into<Cow<'static, str>>) -> Option<Match> {
    Some(Match { span, score: Score::per_mille(score), reason: reason.into() })
}
