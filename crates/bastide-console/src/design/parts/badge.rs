//! Short words with a meaning.

use askama::Template;
use bastide_types::{Severity, Verdict};

use crate::design::html::component;
use crate::design::{Text, Tone};

/// One or two words with a tone: a verdict, a severity, a status.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<span class="badge {{ tone.class() }}{% if busy %} busy{% endif %}"><svg class="sign" viewBox="0 0 10 10" aria-hidden="true"><path d="{{ self.sign() }}" {% if self.outlined() %}fill="none" stroke="currentColor" stroke-width="1.8"{% else %}fill="currentColor"{% endif %}/></svg>{{ word }}</span>"#,
    ext = "html"
)]
pub struct Badge {
    tone: Tone,
    word: Text,
    busy: bool,
}

component!(Badge, Chip);

impl Badge {
    /// A word with a tone.
    #[must_use]
    pub fn new(tone: Tone, word: impl Into<Text>) -> Self {
        Badge { tone, word: word.into(), busy: false }
    }

    /// Work that goes on now.
    #[must_use]
    pub fn busy(word: impl Into<Text>) -> Self {
        Badge { tone: Tone::Accent, word: word.into(), busy: true }
    }

    /// Each tone has a shape, so that the colour is not needed to tell them apart.
    fn sign(&self) -> &'static str {
        match self.tone {
            Tone::Neutral | Tone::Accent => "M5 2a3 3 0 1 0 0 6 3 3 0 0 0 0-6z",
            Tone::Allow => "M1.5 5.3L4 7.8l4.5-5.3",
            Tone::Flag => "M2.5 9V1.5h6L7 4l1.5 2.5h-6",
            Tone::Tokenise => "M5 .8L9.2 5 5 9.2.800 5z",
            Tone::Redact => "M.8 3h8.4v4H.8z",
            Tone::Hold => "M3 1.5h1.2v7H3zM5.8 1.5H7v7H5.8z",
            Tone::Block => "M2 2l6 6M8 2L2 8",
        }
    }

    fn outlined(&self) -> bool {
        matches!(self.tone, Tone::Allow | Tone::Block)
    }
}

impl From<Verdict> for Badge {
    fn from(verdict: Verdict) -> Self {
        Badge::new(verdict.into(), verdict.as_str())
    }
}

impl From<Severity> for Badge {
    fn from(severity: Severity) -> Self {
        let word = match severity {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        };
        Badge::new(severity.into(), word)
    }
}

/// A value in the place of another: a token, a mask, a category, a filter that is on.
#[derive(Clone, Debug, Template)]
#[template(source = r#"<span class="chip {{ tone.class() }}">{{ word }}</span>"#, ext = "html")]
pub struct Chip {
    tone: Tone,
    word: Text,
}

impl Chip {
    /// A value with a tone.
    #[must_use]
    pub fn new(tone: Tone, word: impl Into<Text>) -> Self {
        Chip { tone, word: word.into() }
    }
}
