//! What a change changes.

use askama::Template;
use similar::{Algorithm, ChangeTag, TextDiff};

use crate::design::Text;
use crate::design::html::component;

/// The most lines of both sides together that are compared; beyond it the sides are too long to read anyway.
const MAX_LINES: usize = 4000;
/// The most bytes of both sides together.
const MAX_BYTES: usize = 512 * 1024;
/// Lines around a change that did not change.
const AROUND: usize = 3;

/// Two versions of a text, line by line. Signs say what was added and taken away, not the colour alone.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<figure class="code diff"><figcaption><span>{{ name }}</span><span class="diff-count"><span class="t-allow">+{{ added }}</span> <span class="t-block">−{{ removed }}</span></span></figcaption>{% if too_long %}<p class="hush">The texts are too long to compare.</p>{% else if lines.is_empty() %}<p class="hush">Nothing changes.</p>{% else %}<pre tabindex="0" aria-label="{{ name }}"><code>{% for line in lines %}<span class="diff-line {{ line.class() }}"><span class="diff-no">{{ line.number }}</span><span class="diff-sign">{{ line.sign() }}</span>{{ line.text }}
</span>{% endfor %}</code></pre>{% endif %}</figure>"#,
    ext = "html"
)]
pub struct Diff {
    name: Text,
    lines: Vec<Line>,
    added: usize,
    removed: usize,
    too_long: bool,
}

component!(Diff);

#[derive(Clone, Debug)]
struct Line {
    tag: Option<ChangeTag>,
    number: String,
    text: Text,
}

impl Line {
    fn class(&self) -> &'static str {
        match self.tag {
            Some(ChangeTag::Insert) => "added",
            Some(ChangeTag::Delete) => "removed",
            Some(ChangeTag::Equal) => "same",
            None => "gap",
        }
    }

    fn sign(&self) -> &'static str {
        match self.tag {
            Some(ChangeTag::Insert) => "+",
            Some(ChangeTag::Delete) => "−",
            Some(ChangeTag::Equal) => " ",
            None => "⋯",
        }
    }
}

impl Diff {
    /// From `before` to `after`, with three lines around each change.
    #[must_use]
    pub fn new(name: impl Into<Text>, before: &str, after: &str) -> Self {
        let mut diff = Diff { name: name.into(), lines: Vec::new(), added: 0, removed: 0, too_long: false };
        let lines = before.lines().count().saturating_add(after.lines().count());
        if lines > MAX_LINES || before.len().saturating_add(after.len()) > MAX_BYTES {
            diff.too_long = true;
            return diff;
        }
        // Patience asks nothing of a clock and stays near linear where lines repeat.
        let compared = TextDiff::configure().algorithm(Algorithm::Patience).diff_lines(before, after);
        for (nth, group) in compared.grouped_ops(AROUND).iter().enumerate() {
            if nth > 0 {
                diff.lines.push(Line { tag: None, number: String::new(), text: Text::default() });
            }
            for change in group.iter().flat_map(|op| compared.iter_changes(op)) {
                diff.push(change.tag(), change.new_index().or(change.old_index()), change.value());
            }
        }
        diff
    }

    fn push(&mut self, tag: ChangeTag, index: Option<usize>, text: &str) {
        match tag {
            ChangeTag::Insert => self.added += 1,
            ChangeTag::Delete => self.removed += 1,
            ChangeTag::Equal => {}
        }
        let number = index.map_or_else(String::new, |index| (index + 1).to_string());
        self.lines.push(Line {
            tag: Some(tag),
            number,
            text: Text::from(text.trim_end_matches(['\n', '\r'])),
        });
    }
}
