//! What a reader says, and where.

use bastide_types::Rule;

use crate::secrets;

/// One thing found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What kind of thing.
    pub rule: &'static Rule,
    /// This case of it: lower case, no final stop, names from the text in backticks.
    pub message: String,
    /// Line, from 1.
    pub line: u32,
    /// Offset of its first byte.
    pub offset: u64,
    /// The line, cut to [`Remark::EXCERPT`] characters, with credentials blotted out; none where a credential is what
    /// was found.
    pub excerpt: Option<String>,
}

impl Remark {
    /// The most characters of an excerpt.
    pub const EXCERPT: usize = 160;
}

/// The remarks on one text under way.
pub(crate) struct Remarks<'t> {
    text: &'t str,
    /// Offsets of the first byte of each line.
    lines: Vec<usize>,
    found: Vec<Remark>,
}

impl<'t> Remarks<'t> {
    /// The most that are kept of one text: further ones say nothing new about it.
    const MANY: usize = 200;

    pub(crate) fn new(text: &'t str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
        Remarks { text, lines: std::iter::once(0).chain(breaks).collect(), found: Vec::new() }
    }

    /// Notes that `rule` applies at `offset`. One rule is noted once for a place; a rule that speaks against the text is
    /// kept even when there are many others.
    pub(crate) fn add(&mut self, rule: &'static Rule, offset: usize, message: impl Into<String>) {
        let room = self.found.len() < Self::MANY || rule.effect > bastide_types::Assessment::Review;
        let known = self
            .found
            .iter()
            .rev()
            .take(Self::MANY)
            .any(|known| known.rule == rule && usize::try_from(known.offset) == Ok(offset));
        if known || !room || self.found.len() >= 2 * Self::MANY {
            return;
        }
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let excerpt = (rule.id != secrets::SECRET.id).then(|| self.excerpt(line)).flatten();
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        self.found.push(Remark { rule, message: message.into(), line, offset: offset as u64, excerpt });
    }

    /// Notes that `rule` applies somewhere on `line`, from 1.
    pub(crate) fn add_line(&mut self, rule: &'static Rule, line: usize, message: impl Into<String>) {
        let offset = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let indent = self
            .text
            .get(offset..)
            .map_or(0, |rest| rest.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count());
        self.add(rule, offset + indent, message);
    }

    fn excerpt(&self, line: usize) -> Option<String> {
        let start = *self.lines.get(line.checked_sub(1)?)?;
        let end = self.lines.get(line).map_or(self.text.len(), |next| next - 1);
        let window = end.min(start + 8 * Remark::EXCERPT);
        let window = self.text.get(start..self.text.floor_char_boundary(window))?.trim();
        (!window.is_empty()).then(|| shown(&secrets::blotted(window)))
    }

    pub(crate) fn finish(mut self) -> Vec<Remark> {
        self.found.sort_by_key(|remark| remark.offset);
        self.found
    }
}

/// A name from a text as it may stand in a message: no control characters, no more than a line.
pub(crate) fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(Remark::EXCERPT)
        .map(|c| if c.is_control() || is_format(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(Remark::EXCERPT).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that turn or hide what stands beside them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Writes rules as a table: one line for each fact.
macro_rules! rule {
    ($(#[$doc:meta])* $name:ident, $id:literal, $severity:ident, $effect:ident, $title:literal,
     why: $why:literal, fix: $fix:literal, cwe: $cwe:expr, atlas: $atlas:expr $(,)?) => {
        $(#[$doc])*
        pub(crate) const $name: bastide_types::Rule = bastide_types::Rule {
            id: $id,
            severity: bastide_types::Severity::$severity,
            effect: bastide_types::Assessment::$effect,
            title: $title,
            why: $why,
            fix: $fix,
            cwe: &$cwe,
            atlas: &$atlas,
        };
    };
}
pub(crate) use rule;
