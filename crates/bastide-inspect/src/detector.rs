//! The seam that every detector stands behind.

use std::borrow::Cow;

use bastide_types::{Category, Score, Severity, Span, View};

/// Finds one kind of thing.
///
/// A detector is a regular expression that says what its candidates look like, and a check that says which of them are
/// real. The expression does two duties: the engine finds candidates with it, and derives from it the automaton that
/// tells, in the middle of a stream, whether the text so far may still become a candidate. Nothing may therefore be
/// found that the expression does not describe.
pub trait Detector: Send + Sync {
    /// Stable id: `credential.openai`.
    fn id(&self) -> &'static str;

    /// What it finds.
    fn category(&self) -> Category;

    /// How bad a finding is.
    fn severity(&self) -> Severity;

    /// What candidates look like.
    fn pattern(&self) -> &Pattern;

    /// Whether a candidate is real: check digits, lengths, context words. `None` rejects it.
    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match>;
}

/// What candidates look like.
///
/// Written for bytes with Unicode off; look-around is limited to the ASCII word boundaries of `regex-automata`
/// (`\b`, `\b{start}`, `\b{start-half}`, ...). Prefer `+` to large counted repetitions: lengths are checked in
/// [`Detector::validate`], and an automaton that counts is an automaton that grows.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// The expression.
    pub regex: Cow<'static, str>,
    /// No candidate is longer, in bytes. A longer run is no candidate, unless `open_ended`.
    pub max_span: usize,
    /// How many bytes after the candidate its boundary conditions look at (1 for a word boundary, else 0).
    pub max_right_context: usize,
    /// For kinds without a bound (a private key): once the opening marker stands, everything after it, up to the
    /// closing marker or the end, belongs to the finding, and a stream redacts from the marker on.
    pub open_ended: Option<OpenEnded>,
}

/// The two ends of an unbounded kind.
///
/// Its candidates are the opening markers alone: [`Detector::validate`] sees nothing of what follows. `max_span` bounds
/// the opening marker, and a closing marker is at most 256 bytes long.
#[derive(Clone, Debug)]
pub struct OpenEnded {
    /// Expression of the opening marker.
    pub opening: Cow<'static, str>,
    /// Expression of the closing marker.
    pub closing: Cow<'static, str>,
}

/// A stretch of text that matches a detector's pattern.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The bytes of the candidate, in the reading where it was found.
    pub bytes: &'a [u8],
    /// Up to [`Candidate::LEFT_CONTEXT`] bytes before it, in the same reading: where context words are looked for.
    /// Only before, never after: what stands after has, in a stream, not arrived yet.
    pub before: &'a [u8],
    /// Up to the pattern's `max_right_context` bytes after it.
    pub after: &'a [u8],
    /// The reading.
    pub view: View,
}

impl Candidate<'_> {
    /// How much text before a candidate a detector may look at: about a line, or a JSON key and its braces.
    pub const LEFT_CONTEXT: usize = 96;
}

/// A real finding, as its detector judges it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Where in the candidate's bytes; usually all of it.
    pub span: Span,
    /// How sure.
    pub score: Score,
    /// Why: which check held, which word stood near. Never the value.
    pub reason: Cow<'static, str>,
}
