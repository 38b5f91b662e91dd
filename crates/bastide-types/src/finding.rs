//! What a detector reports.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::Category;

/// A half-open range of bytes in the text that was inspected, as the caller gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte; never below `start`.
    pub end: usize,
}

impl Span {
    /// A span; a reversed pair becomes empty at `start`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Span { start, end: if end < start { start } else { end } }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end - self.start
    }

    /// Whether it covers nothing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }

    /// As a range, for slicing.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// Whether the two share a byte.
    #[must_use]
    pub const fn overlaps(self, other: Span) -> bool {
        self.start < other.end && other.start < self.end
    }

    /// The same span `by` bytes later.
    #[must_use]
    pub const fn shifted(self, by: usize) -> Span {
        Span { start: self.start + by, end: self.end + by }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}

/// Confidence in per mille: 0 (none) to 1000 (certain). An integer, so that policies and proofs need no floats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Score(u16);

impl Score {
    /// Certain.
    pub const MAX: Score = Score(1000);

    /// From per mille; more than 1000 becomes 1000.
    #[must_use]
    pub const fn per_mille(value: u16) -> Self {
        Score(if value > 1000 { 1000 } else { value })
    }

    /// In per mille.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// How bad it would be if the finding is right and nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth a line.
    Low,
    /// Worth a look.
    Medium,
    /// Someone is harmed.
    High,
    /// The organisation is harmed.
    Critical,
}

/// In which reading of the text the finding appeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// The text as given.
    Raw,
    /// Compatibility-folded, without invisible characters, homoglyphs as their Latin twins, `%XX` and JSON escapes
    /// resolved.
    Folded,
    /// Inside a decoded base64 run.
    Base64,
    /// Inside a decoded hexadecimal run.
    Hex,
}

impl View {
    /// The name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            View::Raw => "raw",
            View::Folded => "folded",
            View::Base64 => "base64",
            View::Hex => "hex",
        }
    }
}

/// One thing found in one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub category: Category,
    /// Where, in the original bytes of the text; always on `char` boundaries.
    pub span: Span,
    /// How sure.
    pub score: Score,
    /// How bad.
    pub severity: Severity,
    /// The stable id of the detector, `credential.openai`.
    pub detector: &'static str,
    /// Why: which check held, which word stood near; never the value itself.
    pub reason: Cow<'static, str>,
    /// In which reading of the text.
    pub view: View,
}
