//! Numbers and strings of Torch 7 files, in their binary and their text form.

use super::super::proof::{Proof, flaw};
use crate::claim::is_absurd;
use crate::halt::{Halt, Parsed};
use crate::source::Cursor;

/// No string of a model reaches this.
const LONGEST_STRING: u64 = 1 << 30;

pub(super) struct Wire<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) ascii: bool,
}

impl Wire<'_> {
    /// A number of 32 bits in the binary form.
    pub(super) fn int(&mut self) -> Parsed<i64> {
        if self.ascii { self.digits() } else { Ok(i64::from(i32::from_le_bytes(self.cursor.array()?))) }
    }

    /// A number of 64 bits in the binary form.
    pub(super) fn long(&mut self) -> Parsed<i64> {
        if self.ascii { self.digits() } else { Ok(i64::from_le_bytes(self.cursor.array()?)) }
    }

    /// Passes over one float.
    pub(super) fn float(&mut self) -> Parsed<()> {
        if self.ascii { self.word().map(|_| ()) } else { self.cursor.skip(8) }
    }

    fn digits(&mut self) -> Parsed<i64> {
        let at = self.cursor.position();
        let word = self.word()?;
        word.parse().map_err(|_| Halt::malformed(at, "a whole number is expected"))
    }

    /// The next word of the text form, and the white space after it: one character.
    fn word(&mut self) -> Parsed<String> {
        const LONGEST: usize = 64;
        while matches!(self.cursor.peek(1)?.first(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.cursor.skip(1)?;
        }
        let text = self.cursor.peek(LONGEST)?;
        let length = text.iter().take(LONGEST).take_while(|byte| !byte.is_ascii_whitespace()).count();
        let word = String::from_utf8_lossy(text.get(..length).unwrap_or_default()).into_owned();
        self.cursor.skip((length as u64 + 1).min(self.cursor.left()))?;
        if word.is_empty() {
            return Err(Halt::Truncated { offset: self.cursor.position() });
        }
        Ok(word)
    }

    /// A length that cannot be negative, of something whose elements take `least` bytes each.
    pub(super) fn length(&mut self, number: i64, least: u64, at: u64) -> Proof<u64> {
        let Ok(length) = u64::try_from(number) else {
            return flaw(at, format!("a length is {number}"));
        };
        match length.checked_mul(least) {
            Some(bytes) if bytes <= self.cursor.left() => Ok(length),
            Some(bytes) if !is_absurd(bytes, self.cursor.position() + self.cursor.left()) => {
                Err(Halt::Truncated { offset: at }.into())
            }
            _ => flaw(at, format!("{length} elements do not fit any file")),
        }
    }

    /// Where a string starts and its size; passes over it.
    pub(super) fn string(&mut self) -> Proof<(u64, u64)> {
        let at = self.cursor.position();
        let number = self.int()?;
        if u64::try_from(number).is_ok_and(|length| length > LONGEST_STRING && length > self.cursor.left()) {
            return flaw(at, format!("a string claims {number} bytes"));
        }
        let size = self.length(number, 1, at)?;
        let start = self.cursor.position();
        self.cursor.skip(size)?;
        Ok((start, size))
    }

    /// Passes over `count` elements of `size` bytes. In the text form bytes stand as they are, other numbers as words.
    pub(super) fn elements(&mut self, count: u64, size: u64) -> Parsed<()> {
        if !self.ascii || size == 1 {
            return self.cursor.skip(count.saturating_mul(size));
        }
        for _ in 0..count {
            self.word()?;
        }
        Ok(())
    }
}
