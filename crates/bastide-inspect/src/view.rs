//! The folded reading: the text as a reader takes it, with the way back to the original bytes.

use bastide_types::Span;

use crate::Syntax;
use crate::reader::{KEEP, Reader};
use crate::view_chars::{Reads, push_reading, reads};

/// The next piece of a text, for the folded reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This many bytes read as they are.
    Same(usize),
    /// This many bytes read as this character, which may itself have another reading.
    Escape(usize, char),
    /// One character of this many bytes with another reading.
    Character(usize, char),
    /// An escape that the end of the text cuts.
    Cut,
}

/// The piece that `text` begins with; `complete` when nothing follows it. `None` for an empty text.
pub(crate) fn piece(text: &str, syntax: Syntax, complete: bool) -> Option<Piece> {
    let same = plain_length(text, syntax);
    if same > 0 {
        return Some(Piece::Same(same));
    }
    let first = text.chars().next()?;
    let escape = match first {
        '%' => percent(text.as_bytes()),
        '\\' if syntax == Syntax::Json => json(text.as_bytes()),
        _ => return Some(Piece::Character(first.len_utf8(), first)),
    };
    Some(match escape {
        Escape::Is(length, c) => Piece::Escape(length, c),
        Escape::Cut if !complete => Piece::Cut,
        Escape::Cut | Escape::No => Piece::Same(1),
    })
}

/// How many bytes at the start need no second look.
fn plain_length(text: &str, syntax: Syntax) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x80 {
            if byte == b'%' || (byte == b'\\' && syntax == Syntax::Json) {
                break;
            }
            at += 1;
        } else {
            match text.get(at..).and_then(|rest| rest.chars().next()) {
                Some(c) if reads(c) == Reads::Same => at += c.len_utf8(),
                _ => break,
            }
        }
    }
    at
}

/// Whether nothing in `text` can have another reading; cheap for ASCII.
pub(crate) fn is_plain(text: &str, syntax: Syntax) -> bool {
    let bytes = text.as_bytes();
    let escape = match syntax {
        Syntax::Plain => memchr::memchr(b'%', bytes),
        Syntax::Json => memchr::memchr2(b'%', b'\\', bytes),
    };
    escape.is_none() && (bytes.is_ascii() || plain_length(text, syntax) == bytes.len())
}

/// The offset of the first piece of `text` with another reading, or that is cut.
pub(crate) fn first_change(text: &str, syntax: Syntax, complete: bool) -> Option<usize> {
    if is_plain(text, syntax) {
        return None;
    }
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        match piece(rest, syntax, complete)? {
            Piece::Same(length) => at += length,
            Piece::Escape(..) | Piece::Character(..) | Piece::Cut => return Some(at),
        }
    }
    None
}

enum Escape {
    Is(usize, char),
    Cut,
    No,
}

/// `%41`, and `%C3%A9` as one character.
fn percent(bytes: &[u8]) -> Escape {
    let mut utf8 = [0; 4];
    let mut wanted = 1;
    let mut have = 0;
    while have < wanted {
        let Some(triple) = bytes.get(3 * have..) else { return Escape::Cut };
        let byte = match *triple {
            [] | [b'%'] => return Escape::Cut,
            [b'%', high] if high.is_ascii_hexdigit() => return Escape::Cut,
            [b'%', high, low, ..] => match (hex(high), hex(low)) {
                (Some(high), Some(low)) => high << 4 | low,
                _ => return Escape::No,
            },
            _ => return Escape::No,
        };
        if have == 0 {
            wanted = match byte {
                0..0x80 => 1,
                0xC2..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF4 => 4,
                _ => return Escape::No,
            };
        }
        if let Some(place) = utf8.get_mut(have) {
            *place = byte;
        }
        have += 1;
        if have > 1 && byte & 0xC0 != 0x80 {
            return Escape::No;
        }
    }
    let decoded =
        utf8.get(..have).and_then(|utf8| std::str::from_utf8(utf8).ok()).and_then(|s| s.chars().next());
    decoded.map_or(Escape::No, |c| Escape::Is(3 * have, c))
}

/// An escape of a JSON string (RFC 8259, section 7), a surrogate pair being one.
fn json(bytes: &[u8]) -> Escape {
    let plain = match bytes.get(1) {
        None => return Escape::Cut,
        Some(b'u') => return json_unicode(bytes),
        Some(&c @ (b'"' | b'\\' | b'/')) => char::from(c),
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{C}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(_) => return Escape::No,
    };
    Escape::Is(2, plain)
}

fn json_unicode(bytes: &[u8]) -> Escape {
    let high = match four_digits(bytes.get(2..).unwrap_or_default()) {
        Ok(unit) => unit,
        Err(escape) => return escape,
    };
    if let Some(c) = char::from_u32(high) {
        return Escape::Is(6, c);
    }
    if !(0xD800..0xDC00).contains(&high) {
        return Escape::No;
    }
    let low = match bytes.get(6..).unwrap_or_default() {
        [] | [b'\\'] => return Escape::Cut,
        [b'\\', b'u', digits @ ..] => match four_digits(digits) {
            Ok(unit) => unit,
            Err(escape) => return escape,
        },
        _ => return Escape::No,
    };
    if !(0xDC00..0xE000).contains(&low) {
        return Escape::No;
    }
    char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00))
        .map_or(Escape::No, |c| Escape::Is(12, c))
}

fn four_digits(bytes: &[u8]) -> Result<u32, Escape> {
    let mut unit = 0;
    for i in 0..4 {
        let Some(&digit) = bytes.get(i) else { return Err(Escape::Cut) };
        unit = unit << 4 | u32::from(hex(digit).ok_or(Escape::No)?);
    }
    Ok(unit)
}

pub(crate) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok())
}

/// A stretch of the folded text that differs from the original.
#[derive(Clone, Copy, Debug)]
struct Change {
    at: usize,
    length: usize,
    original: Span,
}

/// The folded reading of a text from its first change on. Positions in it are absolute: they count from the start of
/// the text, and before the first change they are those of the original.
#[derive(Clone, Debug)]
pub(crate) struct Fold {
    pub(crate) reader: Reader,
    pub(crate) text: Vec<u8>,
    pub(crate) base: usize,
    changes: Vec<Change>,
    /// The last change before `text`; where there is none, the start of it.
    anchor: Change,
    /// The original is folded up to here.
    pub(crate) next: usize,
    /// Characters just before `next` that read as nothing.
    unseen: usize,
}

/// So many characters in a row read as nothing; further ones stand for themselves. Without a limit, a million of them
/// within an address would have to be held back.
const UNSEEN_LIMIT: usize = 16;

impl Fold {
    /// Begins where nothing has differed so far. `known` is the text from `base` on, as far as `reader` has seen it.
    pub(crate) fn fork(reader: &Reader, known: &[u8], base: usize) -> Fold {
        // What does not show and made no difference did so because of the limit.
        let tail = known.get(known.len().saturating_sub(4)..).unwrap_or_default();
        let last = tail.utf8_chunks().last().and_then(|chunk| chunk.valid().chars().next_back());
        let hidden = last.is_some_and(|c| reads(c) == Reads::Nothing);
        Fold {
            unseen: if hidden { UNSEEN_LIMIT } else { 0 },
            reader: reader.clone(),
            text: known.to_vec(),
            base,
            changes: Vec::new(),
            anchor: Change { at: base, length: 0, original: Span::new(base, base) },
            next: base + known.len(),
        }
    }

    /// Folds `text`, the original from `next` on, up to its end or a cut escape.
    pub(crate) fn extend(&mut self, text: &str, syntax: Syntax, complete: bool) {
        let mut rest = text;
        while let Some(piece) = piece(rest, syntax, complete) {
            let at = self.end();
            let length = match piece {
                Piece::Cut => break,
                Piece::Character(length, c) if self.unseen >= UNSEEN_LIMIT && reads(c) == Reads::Nothing => {
                    self.copy(rest, length);
                    length
                }
                Piece::Same(length) => {
                    self.copy(rest, length);
                    self.unseen = 0;
                    length
                }
                Piece::Escape(length, c) | Piece::Character(length, c) => {
                    if self.unseen >= UNSEEN_LIMIT && reads(c) == Reads::Nothing {
                        self.text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    } else {
                        push_reading(c, &mut self.text);
                        self.unseen = if self.end() == at { self.unseen + 1 } else { 0 };
                    }
                    let original = Span::new(self.next, self.next + length);
                    self.changes.push(Change { at, length: self.end() - at, original });
                    length
                }
            };
            self.next += length;
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn copy(&mut self, rest: &str, length: usize) {
        self.text.extend_from_slice(rest.as_bytes().get(..length).unwrap_or_default());
    }

    pub(crate) fn end(&self) -> usize {
        self.base + self.text.len()
    }

    /// Where in the original the reading's byte `at` comes from.
    pub(crate) fn original_start(&self, at: usize) -> usize {
        let change = self.before(self.changes.partition_point(|c| c.at <= at));
        if at < change.at + change.length {
            change.original.start
        } else {
            change.original.end + (at - change.at - change.length)
        }
    }

    /// Where in the original what precedes the reading's byte `at` ends.
    pub(crate) fn original_end(&self, at: usize) -> usize {
        let change = self.before(self.changes.partition_point(|c| c.at < at));
        if at <= change.at + change.length {
            change.original.end
        } else {
            change.original.end + (at - change.at - change.length)
        }
    }

    fn before(&self, index: usize) -> Change {
        index.checked_sub(1).and_then(|i| self.changes.get(i)).copied().unwrap_or(self.anchor)
    }

    /// Forgets what no search will look at again.
    pub(crate) fn trim(&mut self) {
        let keep = self.reader.needed().saturating_sub(KEEP);
        if let Some(drop) = keep.checked_sub(self.base).filter(|&n| n > 0) {
            self.text.drain(..drop.min(self.text.len()));
            self.base = keep;
        }
        let gone = self.changes.partition_point(|c| c.at + c.length < self.base);
        if let Some(&last) = gone.checked_sub(1).and_then(|i| self.changes.get(i)) {
            self.anchor = last;
            self.changes.drain(..gone);
        }
    }

    /// Whether this reading and the original have become one again: nothing a search will look at differs, and both
    /// searches stand at the same place.
    pub(crate) fn is_redundant(&self, original: &Reader, end: usize) -> bool {
        if self.next != end || !self.changes.is_empty() {
            return false;
        }
        let by = isize::try_from(self.original_start(self.reader.from()))
            .and_then(|to| isize::try_from(self.reader.from()).map(|from| to - from));
        by.is_ok_and(|by| self.reader.same_as(original, by))
    }
}
