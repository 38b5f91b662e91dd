//! What a colour means.

use bastide_types::{Severity, Verdict};

/// A meaning with a colour, the same in badges, marks and charts. Never the only sign of anything: a word stands beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing in particular; idle.
    #[default]
    Neutral,
    /// Of the console itself: chosen, running.
    Accent,
    /// Permitted, well.
    Allow,
    /// Worth a look.
    Flag,
    /// Replaced by a token.
    Tokenise,
    /// Replaced for good.
    Redact,
    /// Waits for a person; of high severity.
    Hold,
    /// Refused, failed.
    Block,
}

impl Tone {
    /// For series that mean nothing by their order, such as providers: neighbours differ in hue and lightness.
    #[must_use]
    pub fn nth(index: usize) -> Tone {
        const ORDER: [Tone; 6] =
            [Tone::Accent, Tone::Redact, Tone::Tokenise, Tone::Flag, Tone::Allow, Tone::Neutral];
        ORDER.get(index % ORDER.len()).copied().unwrap_or_default()
    }

    /// The class that carries the colours.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Tone::Neutral => "t-neutral",
            Tone::Accent => "t-accent",
            Tone::Allow => "t-allow",
            Tone::Flag => "t-flag",
            Tone::Tokenise => "t-tokenise",
            Tone::Redact => "t-redact",
            Tone::Hold => "t-hold",
            Tone::Block => "t-block",
        }
    }
}

impl From<Verdict> for Tone {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Allow => Tone::Allow,
            Verdict::Flag => Tone::Flag,
            Verdict::Tokenise => Tone::Tokenise,
            Verdict::Redact => Tone::Redact,
            Verdict::Hold => Tone::Hold,
            Verdict::Block => Tone::Block,
        }
    }
}

impl From<Severity> for Tone {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Low => Tone::Neutral,
            Severity::Medium => Tone::Flag,
            Severity::High => Tone::Hold,
            Severity::Critical => Tone::Block,
        }
    }
}
