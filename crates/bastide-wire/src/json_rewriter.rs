//! Edits of JSON text that arrives in pieces: the argument deltas of a streamed tool call.
//!
//! The same result as editing the whole text, whatever the cuts: numbers and escapes are held until they are
//! complete, since a number that is edited at its end becomes a string at its start.

use crate::text::{escape_into, hex4};

/// Longest number that is held back. Longer ones are let go; digits of them that are replaced later become zeros.
const HELD_NUMBER: usize = 256;

/// Rewrites one lane of JSON text. Feed it every byte of the lane in order, what stays through
/// [`JsonTextRewriter::pass`] and what is replaced through [`JsonTextRewriter::replace`].
///
/// ```
/// let mut rewriter = bastide_wire::JsonTextRewriter::default();
/// let mut out = String::new();
/// rewriter.pass(r#"{"card": "#, &mut out);
/// rewriter.replace("4111111111111111", "[CARD]", &mut out);
/// rewriter.pass("}", &mut out);
/// rewriter.finish(&mut out);
/// assert_eq!(out, r#"{"card": "[CARD]"}"#);
/// ```
#[derive(Debug, Default)]
pub struct JsonTextRewriter {
    state: State,
    /// The incomplete escape, or the number so far with its edits made.
    held: String,
    /// Whether what is held has been edited.
    touched: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing but white space so far.
    #[default]
    Start,
    /// Between tokens, or in a literal.
    Outside,
    InString,
    InEscape,
    InNumber,
    /// In a number whose beginning is already out.
    InLongNumber,
    /// This is no JSON: everything is plain text from here on.
    Plain,
}

impl JsonTextRewriter {
    /// Appends text that stays; some of it may be held.
    pub fn pass(&mut self, text: &str, out: &mut String) {
        for c in text.chars() {
            self.step(c, None, out);
        }
    }

    /// Appends `replacement` in place of `original`. Says whether it was written: not if `original` is structure,
    /// white space or literals only, which stay.
    pub fn replace(&mut self, original: &str, replacement: &str, out: &mut String) -> bool {
        let mut write = Some(replacement);
        if original.is_empty() {
            self.insert(&mut write, out);
        }
        for c in original.chars() {
            self.step(c, Some(&mut write), out);
        }
        write.is_none()
    }

    /// Appends what is still held: the text is complete.
    pub fn finish(&mut self, out: &mut String) {
        self.release(out);
        self.state = State::Start;
    }

    /// Bytes held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// One character; `write` is the replacement's text, until written, when the character is replaced.
    fn step(&mut self, c: char, write: Option<&mut Option<&str>>, out: &mut String) {
        match self.state {
            State::Start | State::Outside => self.outside(c, write, out),
            State::InString => match c {
                '"' => {
                    out.push(c);
                    self.state = State::Outside;
                }
                '\\' => {
                    self.state = State::InEscape;
                    self.escape(c, write, out);
                }
                _ => match write {
                    None => out.push(c),
                    Some(write) => escape_into(write.take().unwrap_or_default(), out),
                },
            },
            State::InEscape => self.escape(c, write, out),
            State::InNumber | State::InLongNumber if !in_number(c) => {
                self.release(out);
                self.state = State::Outside;
                self.outside(c, write, out);
            }
            State::InNumber => self.number(c, write, out),
            State::InLongNumber => match write {
                Some(_) if c.is_ascii_digit() => out.push('0'),
                _ => out.push(c),
            },
            State::Plain => match write {
                None => out.push(c),
                Some(write) => out.push_str(write.take().unwrap_or_default()),
            },
        }
    }

    fn outside(&mut self, c: char, write: Option<&mut Option<&str>>, out: &mut String) {
        match c {
            ' ' | '\n' | '\r' | '\t' => out.push(c),
            '"' => {
                self.state = State::InString;
                out.push(c);
            }
            '-' | '0'..='9' => {
                self.state = State::InNumber;
                self.number(c, write, out);
            }
            '{' | '[' => {
                self.state = State::Outside;
                out.push(c);
            }
            // The letters of `true`, `false` and `null`.
            't' | 'f' | 'n' | 'r' | 'u' | 'e' | 'a' | 'l' | 's' => {
                self.state = State::Outside;
                out.push(c);
            }
            '}' | ']' | ',' | ':' if self.state == State::Outside => out.push(c),
            _ => {
                self.state = State::Plain;
                self.step(c, write, out);
            }
        }
    }

    fn number(&mut self, c: char, write: Option<&mut Option<&str>>, out: &mut String) {
        match write {
            None => self.held.push(c),
            Some(write) => {
                self.touched = true;
                self.held.push_str(write.take().unwrap_or_default());
            }
        }
        if !self.touched && self.held.len() > HELD_NUMBER {
            out.push_str(&self.held);
            self.held.clear();
            self.state = State::InLongNumber;
        }
    }

    /// One character of an escape, which is kept or replaced as a whole.
    fn escape(&mut self, c: char, write: Option<&mut Option<&str>>, out: &mut String) {
        self.held.push(c);
        if let Some(write) = write {
            self.touched = true;
            escape_into(write.take().unwrap_or_default(), out);
        }
        let bytes = self.held.as_bytes();
        let complete = match bytes.get(1) {
            None => false,
            Some(b'u') => match hex4(bytes, 2) {
                Some(0xD800..=0xDBFF) => bytes.len() >= 12,
                Some(_) => true,
                None => bytes.len() >= 6,
            },
            Some(_) => true,
        };
        if complete {
            self.release(out);
            self.state = State::InString;
        }
    }

    /// A replacement of nothing.
    fn insert(&mut self, write: &mut Option<&str>, out: &mut String) {
        match self.state {
            State::Start | State::Outside | State::InLongNumber => {}
            State::InString | State::InEscape => escape_into(write.take().unwrap_or_default(), out),
            State::InNumber => {
                self.touched = true;
                self.held.push_str(write.take().unwrap_or_default());
            }
            State::Plain => out.push_str(write.take().unwrap_or_default()),
        }
    }

    fn release(&mut self, out: &mut String) {
        match (self.state, self.touched) {
            (State::InNumber, true) => {
                out.push('"');
                escape_into(&self.held, out);
                out.push('"');
            }
            // An escape that was replaced, wholly or in part, is gone.
            (_, true) => {}
            (_, false) => out.push_str(&self.held),
        }
        self.held.clear();
        self.touched = false;
    }
}

fn in_number(c: char) -> bool {
    matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-')
}
