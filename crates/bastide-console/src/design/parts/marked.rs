//! Text with what was found in it.

use std::ops::Range;

use askama::Template;

use crate::design::html::component;
use crate::design::{Text, Tone};

/// The most bytes of one text that are shown; the rest is named as a number.
const MAX_SHOWN_BYTES: usize = 64 * 1024;
/// The most marks of one text; of more, those that begin first. Masks have no such limit.
const MAX_MARKS: usize = 400;

#[derive(Clone, Debug)]
struct Mark {
    range: Range<usize>,
    tone: Tone,
    label: Text,
    note: Text,
    /// What stands in the value's place; `None` shows the value.
    instead: Option<Text>,
}

/// A text in which findings are marked, or stand there as something else.
#[derive(Clone, Debug)]
pub struct Marked {
    text: String,
    marks: Vec<Mark>,
}

impl Marked {
    /// A text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Marked { text: text.into(), marks: Vec::new() }
    }

    /// Marks a range of bytes with a label; `note` is the tooltip: detector, score, verdict.
    #[must_use]
    pub fn mark(
        mut self,
        range: Range<usize>,
        tone: Tone,
        label: impl Into<Text>,
        note: impl Into<Text>,
    ) -> Self {
        self.marks.push(Mark { range, tone, label: label.into(), note: note.into(), instead: None });
        self
    }

    /// The same, and the value is not in the page: `instead` stands there, a token or a mask.
    #[must_use]
    pub fn masked(
        mut self,
        range: Range<usize>,
        tone: Tone,
        label: impl Into<Text>,
        note: impl Into<Text>,
        instead: impl Into<Text>,
    ) -> Self {
        let instead = Some(instead.into());
        self.marks.push(Mark { range, tone, label: label.into(), note: note.into(), instead });
        self
    }

    /// Plain and marked pieces, in order.
    fn view(&self) -> MarkedView {
        let end = floor(&self.text, MAX_SHOWN_BYTES);
        let marks = self.disjoint();
        let marks = marks.into_iter().filter(|mark| mark.range.start < end);
        let mut pieces = Vec::new();
        let mut at = 0;
        for mark in marks {
            let shown = mark.range.end.min(end);
            let plain = self.text.get(at..mark.range.start).unwrap_or_default();
            let value = mark
                .instead
                .clone()
                .unwrap_or_else(|| Text::from(self.text.get(mark.range.start..shown).unwrap_or_default()));
            pieces.push((Text::from(plain), Some((mark, value))));
            at = shown;
        }
        pieces.push((Text::from(self.text.get(at..end).unwrap_or_default()), None));
        MarkedView { pieces, left_out: self.text.len() - end }
    }

    /// The marks with ranges on characters that do not overlap. Masks come first and swallow what they touch of each
    /// other; a mark gets what is left of its range, so that none uncovers what another hides.
    fn disjoint(&self) -> Vec<Mark> {
        let whole = |mark: &Mark| {
            let range = floor(&self.text, mark.range.start)..ceil(&self.text, mark.range.end);
            (mark.range.start < mark.range.end).then(|| Mark { range, ..mark.clone() })
        };
        let (mut masks, mut marks): (Vec<Mark>, Vec<Mark>) =
            self.marks.iter().filter_map(whole).partition(|mark| mark.instead.is_some());
        masks.sort_by_key(|mark| mark.range.start);
        marks.sort_by_key(|mark| mark.range.start);
        let mut taken: Vec<Mark> = Vec::new();
        for mask in masks {
            match taken.last_mut().filter(|last| last.range.end > mask.range.start) {
                Some(last) => last.range.end = last.range.end.max(mask.range.end),
                None => taken.push(mask),
            }
        }
        for mark in marks.into_iter().take(MAX_MARKS) {
            let mut at = mark.range.start;
            let mut left = Vec::new();
            for other in taken.iter().filter(|other| other.range.end > mark.range.start) {
                left.push(at..other.range.start.min(mark.range.end));
                at = at.max(other.range.end);
            }
            left.push(at..mark.range.end);
            let left = left.into_iter().filter(|range| range.start < range.end);
            taken.extend(left.map(|range| Mark { range, ..mark.clone() }));
            taken.sort_by_key(|mark| mark.range.start);
        }
        taken.retain(|mark| mark.range.start < mark.range.end);
        taken
    }
}

#[derive(Template)]
#[template(
    source = r#"<div class="marked" dir="auto">{% for (plain, mark) in pieces %}{{ plain }}{% if let Some((mark, value)) = mark.as_ref() %}<mark class="{{ mark.tone.class() }}{% if mark.instead.is_some() %} masked{% endif %}" title="{{ mark.note }}"><bdi>{{ value }}</bdi><span class="mark-label">{{ mark.label }}</span></mark>{% endif %}{% endfor %}{% if left_out > 0 %}<p class="hush">{{ left_out }} more bytes are not shown</p>{% endif %}</div>"#,
    ext = "html"
)]
struct MarkedView {
    pieces: Vec<(Text, Option<(Mark, Text)>)>,
    left_out: usize,
}

component!(MarkedView);

impl From<Marked> for crate::design::Html {
    fn from(marked: Marked) -> Self {
        marked.view().into()
    }
}

fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::design::Html;

    #[test]
    fn what_is_masked_is_not_in_the_page() {
        let page =
            Html::from(Marked::new("mail anna@example.org now").mark(0..9, Tone::Flag, "WORDS", "").masked(
                5..21,
                Tone::Tokenise,
                "EMAIL_ADDRESS",
                "email, 0.990",
                "‹EMAIL_1›",
            ));
        assert!(
            !page.as_str().contains("anna") && !page.as_str().contains("example.org"),
            "{}",
            page.as_str()
        );
        assert!(page.as_str().contains("‹EMAIL_1›"));
    }

    #[test]
    fn two_marks_over_one_mask_show_nothing_of_it() {
        let marked = Marked::new("0123ΩΩ89").masked(4..8, Tone::Redact, "", "", "x");
        let page = Html::from(marked.mark(0..6, Tone::Flag, "", "").mark(3..9, Tone::Hold, "", ""));
        assert!(!page.as_str().contains('Ω'), "{}", page.as_str());
    }

    proptest! {
        /// Pieces are shown or hidden; marks lie anywhere, over hidden pieces too, on characters or not.
        #[test]
        fn no_mark_uncovers_what_another_hides(
            pieces in prop::collection::vec(("[aé漢<]{1,6}", any::<bool>()), 0..8),
            marks in prop::collection::vec((0usize..90, 0usize..90), 0..6),
        ) {
            let (mut text, mut marked) = (String::new(), Vec::new());
            for (piece, hide) in pieces {
                let from = text.len();
                // What is hidden stands nowhere else.
                text.push_str(&if hide { "Ω".repeat(piece.chars().count()) } else { piece });
                if hide {
                    marked.push(from..text.len());
                }
            }
            let masked = marked.iter().fold(Marked::new(text.clone()), |all, range| {
                all.masked(range.clone(), Tone::Redact, "", "", "x")
            });
            let all = marks.into_iter().fold(masked, |all, (from, to)| all.mark(from..to, Tone::Flag, "", ""));
            let page = Html::from(all);
            prop_assert!(!page.as_str().contains('Ω'), "{} in {}", text, page.as_str());
            let shown = |text: &str, wanted: char| text.chars().filter(|c| *c == wanted).count();
            prop_assert_eq!(shown(page.as_str(), '漢') <= shown(&text, '漢'), true);
        }

        #[test]
        fn any_range_of_any_text_can_be_marked(
            text in "\\PC{0,40}",
            marks in prop::collection::vec((0usize..90, 0usize..90, any::<bool>()), 0..6),
        ) {
            let all = marks.into_iter().fold(Marked::new(text), |all, (from, to, hide)| match hide {
                true => all.masked(from..to, Tone::Redact, "", "", ""),
                false => all.mark(from..to, Tone::Flag, "", ""),
            });
            prop_assert!(Html::from(all).as_str().ends_with("</div>"));
        }
    }
}
