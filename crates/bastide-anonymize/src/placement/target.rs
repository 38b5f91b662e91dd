//! Markdown's, wikis' and CSS's targets: `](…)`, `![…]`, `[x]: …`, `[[…]]`, `url(…)`.
//!
//! Also the language behind a code fence, which becomes an attribute.
//!
//! Every one ends at an empty line at the latest: no dialect of markdown lets a link, an image or a definition span a
//! paragraph's end. They are entered by characters as written; no renderer takes encoded brackets for brackets.

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Targets {
    /// Between the parentheses of a target.
    parentheses: Option<Parentheses>,
    /// Brackets open since `![` or `[^`; 0 outside an image's description and a footnote's label.
    description: u16,
    definition: Definition,
    wiki: Wiki,
    /// Characters of a code fence at the start of this line; from three on, the rest of the line names a language.
    fence: u16,
    /// The three characters before, the newest last.
    before: [char; 3],
    /// A backslash stood before, and was itself not escaped.
    escaped: bool,
    /// Only white space since the last line break.
    line_empty: bool,
    /// Since the line's start stood something that cannot stand before a definition; indentation, quote and list
    /// markers can.
    line_begun: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parentheses {
    /// Inner ones open.
    depth: u16,
    within: Within,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    /// Nothing but white space so far.
    Start,
    Plain,
    /// `<…>`, where parentheses do not count.
    Angle,
    /// A title or a CSS string, up to this quote.
    Quote(char),
}

/// The target of a wiki's link, `[[target|text]]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Wiki {
    #[default]
    None,
    /// Behind `[[`, with so many brackets open inside, and perhaps the first of the two that end it. A quote or a brace
    /// says that it is a list of lists.
    Target { inner: u8, ending: bool },
    /// A tag or a span of code began in the target: what would end the target may stand inside of that.
    Nested,
}

impl Wiki {
    const fn after(self, c: char, last: char) -> Wiki {
        match (self, c) {
            (Wiki::None, '[') if last == '[' => Wiki::Target { inner: 0, ending: false },
            (Wiki::Target { inner, .. }, '[') => {
                Wiki::Target { inner: inner.saturating_add(1), ending: false }
            }
            (Wiki::Target { inner: 0, ending: true }, ']') => Wiki::None,
            (Wiki::Target { inner, .. }, ']') => {
                Wiki::Target { inner: inner.saturating_sub(1), ending: inner == 0 }
            }
            (Wiki::Target { .. }, '|' | '"' | '\'' | '{') => Wiki::None,
            (Wiki::Target { .. }, '<' | '`') => Wiki::Nested,
            (Wiki::Target { inner, .. }, _) => Wiki::Target { inner, ending: false },
            (same, _) => same,
        }
    }
}

/// A link reference definition (CommonMark section 4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Definition {
    #[default]
    None,
    /// `[` at the start of a line.
    Label,
    /// `[label]`
    LabelEnd,
    /// `[label]:`, and perhaps one line break.
    Colon,
    /// In the destination, or behind it on its line.
    Destination,
    /// On the next line, where a title may follow.
    NextLine,
    /// In a title on its own line, up to this character.
    Title(char),
}

impl Targets {
    pub(super) const fn restorable(&self) -> bool {
        self.parentheses.is_none()
            && self.description == 0
            && self.fence < 3
            && matches!(self.wiki, Wiki::None)
            && matches!(
                self.definition,
                Definition::None | Definition::Label | Definition::LabelEnd | Definition::NextLine
            )
    }

    pub(super) fn take(&mut self, c: char) {
        if c.is_ascii_alphabetic() && self.idle() {
            // Most characters: letters mean something only in what is open.
            self.escaped = false;
            self.fence = 0;
            self.line_empty = false;
            self.line_begun = true;
            self.shift(c);
            return;
        }
        let line_break = matches!(c, '\n' | '\r');
        if line_break && self.line_empty && !(c == '\n' && self.last() == '\r') {
            *self = Targets { line_empty: true, ..Targets::default() };
        }
        let escaped = self.escaped;
        self.escaped = c == '\\' && !escaped;
        self.define(c, escaped);
        self.wiki = self.wiki.after(c, self.last());
        self.fence = match c {
            '\n' => 0,
            // Not every renderer takes a lone carriage return for the end of a fence's line.
            '\r' if self.fence < 3 => 0,
            '`' | '~' if !self.line_begun && (self.fence == 0 || self.last() == c) => {
                self.fence.saturating_add(1)
            }
            _ if self.fence >= 3 => self.fence,
            _ => 0,
        };
        match self.parentheses {
            Some(open) => self.parentheses = open.after(c, escaped, self.last()),
            None => self.open(c, escaped),
        }
        if line_break {
            self.line_empty = true;
            self.line_begun = false;
        } else if c == ':' && self.last() == ']' {
            // Behind a footnote's label blocks begin as on a line of their own.
            self.line_empty = false;
            self.line_begun = false;
        } else if !matches!(c, ' ' | '\t') {
            self.line_empty = false;
            self.line_begun = self.line_begun || !(c.is_ascii_digit() || ">-*+.):`~".contains(c));
        }
        self.shift(c);
    }

    /// Nothing is open that a letter could change.
    const fn idle(&self) -> bool {
        self.parentheses.is_none() && matches!(self.definition, Definition::None) && self.fence < 3
    }

    const fn shift(&mut self, c: char) {
        let [_, second, third] = self.before;
        self.before = [second, third, c];
    }

    const fn last(&self) -> char {
        let [_, _, last] = self.before;
        last
    }

    fn open(&mut self, c: char, escaped: bool) {
        let last = self.last();
        match c {
            '(' if last == ']' || is_url(self.before) => {
                self.parentheses = Some(Parentheses { depth: 0, within: Within::Start });
            }
            '[' if last == '!' && self.description == 0 => self.description = 1,
            // A footnote's label becomes an anchor.
            '^' if last == '[' && self.description == 0 => self.description = 1,
            '[' if self.description > 0 && !escaped => self.description = self.description.saturating_add(1),
            ']' if !escaped => self.description = self.description.saturating_sub(1),
            _ => {}
        }
    }

    fn define(&mut self, c: char, escaped: bool) {
        let line_break = matches!(c, '\n' | '\r');
        let white = line_break || matches!(c, ' ' | '\t');
        self.definition = match (self.definition, c) {
            (Definition::None, '[') if !self.line_begun => Definition::Label,
            // A footnote's text is text.
            (Definition::Label, '^') if self.last() == '[' => Definition::None,
            (Definition::Label, ']') if !escaped => Definition::LabelEnd,
            (Definition::LabelEnd, ':') => Definition::Colon,
            // `[a] b]: c`: some renderer's idea of a label may be wider than ours.
            (Definition::LabelEnd, ']') => Definition::LabelEnd,
            (Definition::LabelEnd, _) => Definition::Label,
            (Definition::Colon, _) if !white => Definition::Destination,
            (Definition::Destination, _) if line_break => Definition::NextLine,
            (Definition::NextLine, '"' | '\'') => Definition::Title(c),
            (Definition::NextLine, '(') => Definition::Title(')'),
            (Definition::NextLine, '[') if !self.line_begun => Definition::Label,
            (Definition::NextLine, _) if !white => Definition::None,
            (Definition::Title(end), c) if c == end && !escaped => Definition::Destination,
            (same, _) => same,
        };
    }
}

/// `url(` of CSS, in any letter case.
fn is_url(before: [char; 3]) -> bool {
    before.map(|c| c.to_ascii_lowercase()) == ['u', 'r', 'l']
}

impl Parentheses {
    /// After one more character; `None` when it closed the target.
    fn after(self, c: char, escaped: bool, before: char) -> Option<Parentheses> {
        let white = matches!(c, ' ' | '\t' | '\n' | '\r');
        let start = self.within == Within::Start;
        let quote_may_open = start || matches!(before, ' ' | '\t' | '\n' | '\r');
        let within = match (self.within, c) {
            (Within::Start, _) if white => Within::Start,
            (Within::Start, '<') => Within::Angle,
            (Within::Start | Within::Plain, '"' | '\'') if quote_may_open && !escaped => Within::Quote(c),
            (Within::Angle, '>') if !escaped => Within::Plain,
            (Within::Quote(q), c) if c == q && !escaped => Within::Plain,
            (Within::Start, _) => Within::Plain,
            (same, _) => same,
        };
        let counts = within == Within::Plain && !escaped;
        match c {
            '(' if counts => Some(Parentheses { depth: self.depth.saturating_add(1), within }),
            ')' if counts && self.depth == 0 => None,
            ')' if counts => Some(Parentheses { depth: self.depth - 1, within }),
            _ => Some(Parentheses { within, ..self }),
        }
    }
}
