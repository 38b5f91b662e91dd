//! Where tags stand in YAML, and where the same characters are text (YAML 1.2 chapters 6 to 8).
//!
//! Scalars over several lines end by indentation. Where that cannot be told exactly, a line counts as structure: text that
//! is taken for a tag is one finding too many, a tag that is taken for text is one too few.

/// The lines of a document with what ends them: PyYAML breaks lines at more than a line feed.
pub(super) fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        const BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];
        let at = rest.find(BREAKS).unwrap_or(rest.len());
        let mark = rest.get(at..).unwrap_or_default();
        let width = match mark.strip_prefix("\r\n") {
            Some(_) => 2,
            None => mark.chars().next().map_or(0, char::len_utf8),
        };
        let (line, after) = rest.split_at_checked(at + width)?;
        rest = after;
        (!line.is_empty()).then_some(line)
    })
}

/// What goes on from line to line.
#[derive(Default)]
pub(super) struct Lexer {
    /// Lists and mappings in brackets that are open.
    flow: usize,
    scalar: Scalar,
}

#[derive(Clone, Copy, Default)]
enum Scalar {
    #[default]
    None,
    Quoted(char),
    /// Goes on where a line is indented by more than this.
    Plain(usize),
    /// A block whose lines are indented by this much at least; the first line says how much, where the header does not.
    Block {
        least: usize,
        indent: Option<usize>,
    },
}

/// One line, and where in it we are.
struct Line<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Line<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn skip_blanks(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Whether white space, or the start of the line, is before this place.
    fn after_blank(&self) -> bool {
        self.text.get(..self.at).is_none_or(|before| before.is_empty() || before.ends_with([' ', '\t']))
    }
}

impl Lexer {
    /// The places of `line` where tags begin.
    pub(super) fn tags(&mut self, text: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let text = text.trim_end();
        if ["---", "..."].iter().any(|mark| {
            text.strip_prefix(mark).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t']))
        }) {
            *self = Lexer::default();
            self.structure(&mut Line { text, at: 3 }, 0, &mut found);
            return found;
        }
        let indent = text.len() - text.trim_start_matches(' ').len();
        if text.is_empty() || self.is_text(text, indent) {
            return found;
        }
        let mut line = Line { text, at: 0 };
        if let Scalar::Quoted(mark) = self.scalar {
            self.quoted(mark, &mut line);
        }
        if matches!(self.scalar, Scalar::None) {
            self.structure(&mut line, indent, &mut found);
        }
        found
    }

    /// Whether the line goes on with a scalar and holds nothing else.
    fn is_text(&mut self, text: &str, indent: usize) -> bool {
        match self.scalar {
            Scalar::Block { least, indent: block } => {
                let block = block.unwrap_or(indent.max(least));
                let inside = indent >= block;
                self.scalar =
                    if inside { Scalar::Block { least, indent: Some(block) } } else { Scalar::None };
                inside
            }
            Scalar::Plain(parent) => {
                let inside = indent > parent && !text.trim_start().starts_with('#');
                // A comment ends the scalar.
                if !inside || text.contains(" #") {
                    self.scalar = Scalar::None;
                }
                inside
            }
            Scalar::None | Scalar::Quoted(_) => false,
        }
    }

    /// Passes over a quoted scalar, up to its end or that of the line.
    fn quoted(&mut self, mark: char, line: &mut Line<'_>) {
        let mut escaped = false;
        for (place, c) in line.rest().char_indices() {
            if c == mark && !escaped {
                line.at += place + 1;
                self.scalar = Scalar::None;
                return;
            }
            escaped = c == '\\' && mark == '"' && !escaped;
        }
        self.scalar = Scalar::Quoted(mark);
        line.at = line.text.len();
    }

    /// Reads what is no scalar of an earlier line; `parent` is the column that what follows belongs to.
    fn structure(&mut self, line: &mut Line<'_>, mut parent: usize, found: &mut Vec<usize>) {
        loop {
            line.skip_blanks();
            let rest = line.rest();
            let mut chars = rest.chars();
            let Some(first) = chars.next() else { return };
            let spaced = chars.next().is_none_or(char::is_whitespace);
            match first {
                '#' if line.after_blank() => return,
                '-' | '?' if spaced => {
                    parent = line.at;
                    line.at += 1;
                    // What follows may be a mapping of its own, whose column is that of its first key.
                    let inner = line.rest();
                    let column = line.at + inner.len() - inner.trim_start().len();
                    if is_key(inner.trim_start()) {
                        parent = column;
                    }
                }
                ':' | ',' => line.at += 1,
                '[' | '{' => {
                    self.flow += 1;
                    line.at += 1;
                }
                ']' | '}' if self.flow > 0 => {
                    self.flow -= 1;
                    line.at += 1;
                }
                '!' => {
                    found.push(line.at);
                    line.at += tag_length(rest);
                }
                '&' | '*' => line.at += rest.find([' ', '\t', ',', ']', '}']).unwrap_or(rest.len()),
                '"' | '\'' => {
                    line.at += 1;
                    self.quoted(first, line);
                    if matches!(self.scalar, Scalar::Quoted(_)) {
                        return;
                    }
                }
                '|' | '>'
                    if self.flow == 0
                        && let Some(more) = block_header(rest) =>
                {
                    self.scalar = Scalar::Block { least: parent + 1, indent: more.map(|more| parent + more) };
                    return;
                }
                _ if !self.plain(line, parent) => return,
                _ => {}
            }
        }
    }

    /// Passes over a plain scalar; whether anything follows it on the line.
    fn plain(&mut self, line: &mut Line<'_>, parent: usize) -> bool {
        let mut before = ' ';
        let mut chars = line.rest().char_indices().peekable();
        while let Some((place, c)) = chars.next() {
            let next = chars.peek().map(|(_, next)| *next);
            let ends = match c {
                ':' => {
                    next.is_none_or(|next| next.is_whitespace() || self.flow > 0 && ",[]{}".contains(next))
                }
                ',' | '[' | ']' | '{' | '}' => self.flow > 0,
                '#' => before.is_whitespace(),
                _ => false,
            };
            // One character at least, so that every call goes on.
            if ends && place > 0 {
                line.at += place;
                return c != '#';
            }
            before = c;
        }
        line.at = line.text.len();
        self.scalar = if self.flow == 0 { Scalar::Plain(parent) } else { Scalar::None };
        false
    }
}

/// Whether a key begins here: text up to a colon that ends it.
fn is_key(text: &str) -> bool {
    text.contains(": ") || text.ends_with(':')
}

/// The length of the tag at the start of `text`.
fn tag_length(text: &str) -> usize {
    let end = match text.strip_prefix("!<") {
        Some(verbatim) => verbatim.find('>').map(|end| end + 3),
        None => text.find(|c: char| c.is_whitespace() || "[]{},\"".contains(c)),
    };
    end.unwrap_or(text.len())
}

/// The tag at the start of `text`.
pub(super) fn tag(text: &str) -> &str {
    text.get(..tag_length(text)).unwrap_or_default()
}

/// The columns that the header of a block asks for beyond those of its parent: `|`, `>-`, `|2`. Nothing where this is none.
#[expect(clippy::option_option, reason = "a header, and what it says")]
fn block_header(text: &str) -> Option<Option<usize>> {
    let header = text.split_whitespace().next()?.get(1..)?;
    let digit = header.chars().find_map(|c| c.to_digit(10)).filter(|digit| *digit > 0);
    let marks = header.chars().filter(|c| matches!(c, '+' | '-')).count();
    let digits = usize::from(digit.is_some());
    let rest = text.get(1 + header.len()..).unwrap_or_default().trim_start();
    let whole = header.len() == marks + digits && marks <= 1 && (rest.is_empty() || rest.starts_with('#'));
    whole.then_some(digit.map(|digit| digit as usize))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(text: &str) -> usize {
        let mut lexer = Lexer::default();
        lines(text).map(|line| lexer.tags(line).len()).sum()
    }

    #[test]
    fn tags_are_told_from_text() {
        for text in [
            "a: |\n  !t x\n\n    !t y\nb: 1",
            "a: >-\n  one\n  !t\n",
            "a: |2\n    !t\n  !t\n",
            "a: |-2 # two\n   !t\n",
            "- |\n !t\n- x: |\n    !t\n",
            "a: one\n  !t two\n",
            "a: one !t two",
            "a: 'one\n  !t ''two'' !t\n'\nb: \"x\n !t \\\" !t\"",
            "# !t\na: 1 # !t",
            "a: b#c !t\n",
            "{a: one !t, b: [\"!t\", '!t']}",
        ] {
            assert_eq!(count(text), 0, "{text}");
        }
        for text in [
            "a: !t",
            "a:\t!t",
            "- !t x",
            "- - !t",
            "? !t\n: 1",
            "--- !t",
            "[!t , 1]",
            "{!t a: 1}",
            "{\"a\":!t 1}",
            "a: &x !t",
            "a: |\n  x\nb: !t",
            "a: |\n  x\n !t",
            "- a: |\n  !t",
            "a: |2\n !t",
            "a: x\n!t",
            "a: x # c\n  !t",
            "a: 'x'\n!t",
            "a: |\n--- !t",
            "# x\ra: !t",
            "# x\u{2028}a: !t",
            "it's: !t",
            "a: b |\nc: !t",
            "a: \"|\"\nc: !t",
            "a: \"\\\\\" \nc: !t",
            "!t",
            "  !t",
        ] {
            assert_eq!(count(text), 1, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_line_is_read_and_nothing_panics(text in "[-!&*%{}|>\\[\\]:,'\"#a-b0-2 \t\r\n\u{85}\u{2028}]*") {
            prop_assert_eq!(lines(&text).collect::<String>(), text.as_str());
            let _ = count(&text);
        }
    }
}
