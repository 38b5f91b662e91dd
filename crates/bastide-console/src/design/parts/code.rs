//! Source text with line numbers.

use askama::Template;

use super::CopyText;
use super::highlight::{Language, Piece, pieces};
use crate::design::Text;
use crate::design::html::component;

/// The most bytes of one text that are shown.
const MAX_SHOWN_BYTES: usize = 256 * 1024;
/// The most lines of one text that are shown.
const MAX_SHOWN_LINES: usize = 4000;
/// A longer line is shown without colours: finding them costs the square of its length at worst.
const MAX_COLOURED_LINE_BYTES: usize = 2000;

/// Source text: numbered, coloured, with a button that copies it.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<figure class="code"><figcaption><span>{{ name }}</span>{{ CopyText::new(text.as_str()) }}</figcaption><pre tabindex="0" aria-label="{{ name }}"><code>{% for line in self.lines() %}<span class="line{% if self.is_at(loop.index) %} at{% endif %}"{% if let Some(number) = self.number(loop.index) %} data-n="{{ number }}"{% endif %}>{% for (class, text) in line %}{% if class.is_empty() %}{{ text }}{% else %}<span class="{{ class }}">{{ text }}</span>{% endif %}{% endfor %}
</span>{% endfor %}</code></pre>{% if self.is_cut() %}<p class="hush">The rest is not shown.</p>{% endif %}</figure>"#,
    ext = "html"
)]
pub struct Code {
    name: Text,
    language: Language,
    text: String,
    at: Option<usize>,
    around: Option<usize>,
}

component!(Code);

impl Code {
    /// A text in a language; `name` is that of the file or what it is.
    #[must_use]
    pub fn new(name: impl Into<Text>, language: Language, text: impl Into<String>) -> Self {
        Code { name: name.into(), language, text: text.into(), at: None, around: None }
    }

    /// The line, counted from one, that is spoken of.
    #[must_use]
    pub fn at(mut self, line: usize) -> Self {
        self.at = Some(line);
        self
    }

    /// Only so many lines before and behind the one that is spoken of.
    #[must_use]
    pub fn around(mut self, lines: usize) -> Self {
        self.around = Some(lines);
        self
    }

    /// The first line that is shown, counted from zero, and how many there are to show.
    fn window(&self) -> (usize, usize) {
        match (self.at, self.around) {
            (Some(at), Some(around)) => {
                let first = at.saturating_sub(1).saturating_sub(around);
                (first, at.saturating_add(around).saturating_sub(first))
            }
            _ => (0, MAX_SHOWN_LINES),
        }
    }

    /// The number of a line where the ones before it are not shown; `loop.index` counts from one.
    fn number(&self, line: &usize) -> Option<usize> {
        self.around.map(|_| self.window().0.saturating_add(*line))
    }

    fn lines(&self) -> Vec<Vec<(&'static str, Text)>> {
        let mut bytes = 0;
        let fits = |line: &&str| {
            bytes += line.len();
            bytes <= MAX_SHOWN_BYTES
        };
        let (first, most) = self.window();
        self.text.lines().skip(first).take(most).take_while(fits).map(|line| self.line(line)).collect()
    }

    fn line(&self, line: &str) -> Vec<(&'static str, Text)> {
        if line.len() > MAX_COLOURED_LINE_BYTES {
            return vec![(Piece::Plain.class(), Text::from(line))];
        }
        pieces(self.language, line)
            .into_iter()
            .map(|(piece, text)| (piece.class(), Text::from(text)))
            .collect()
    }

    fn is_at(&self, line: &usize) -> bool {
        self.at == Some(self.window().0.saturating_add(*line))
    }

    fn is_cut(&self) -> bool {
        self.around.is_none() && self.lines().len() < self.text.lines().count()
    }
}
