//! Numbers and texts in the three encodings.

use crate::halt::{Halt, Parsed};
use crate::source::{Cursor, Source};

/// How numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Big-endian.
    Xdr,
    /// Little-endian.
    Native,
    /// One to a line.
    Ascii,
}

/// The serialised bytes.
pub(super) struct Stream<'s> {
    cursor: Cursor<'s>,
    encoding: Encoding,
}

/// Bytes of the longest text kept; further ones are passed over.
const KEPT: u64 = 64 << 10;

impl<'s> Stream<'s> {
    pub(super) fn new(source: &'s dyn Source, start: u64, encoding: Encoding) -> Self {
        Stream { cursor: Cursor::at(source, start), encoding }
    }

    pub(super) fn position(&self) -> u64 {
        self.cursor.position()
    }

    /// Whether nothing but blanks follows.
    pub(super) fn at_end(&mut self) -> Parsed<bool> {
        if self.encoding == Encoding::Ascii {
            self.blank()?;
        }
        Ok(self.cursor.left() == 0)
    }

    pub(super) fn int(&mut self) -> Parsed<i32> {
        match self.encoding {
            Encoding::Xdr => Ok(i32::from_be_bytes(self.cursor.array()?)),
            Encoding::Native => Ok(i32::from_le_bytes(self.cursor.array()?)),
            Encoding::Ascii => {
                let at = self.position();
                let word = self.word()?;
                if word == "NA" {
                    return Ok(i32::MIN);
                }
                word.parse().map_err(|_| Halt::malformed(at, "no number"))
            }
        }
    }

    /// The length of a vector: one number, or two where it is large.
    pub(super) fn length(&mut self) -> Parsed<u64> {
        let at = self.position();
        match self.int()? {
            -1 => {
                let (high, low) = (self.int()?, self.int()?);
                Ok(u64::from(high.cast_unsigned()) << 32 | u64::from(low.cast_unsigned()))
            }
            length => u64::try_from(length).map_err(|_| Halt::malformed(at, "a negative length")),
        }
    }

    /// Passes over `count` numbers of `size` bytes; `lines` of them where they are written as text.
    pub(super) fn numbers(&mut self, count: u64, size: u64, lines: u64) -> Parsed<()> {
        if self.encoding != Encoding::Ascii {
            let bytes = count.checked_mul(size).ok_or(Halt::Truncated { offset: self.position() })?;
            return self.cursor.skip(bytes);
        }
        for _ in 0..count.saturating_mul(lines) {
            self.word()?;
        }
        Ok(())
    }

    /// Passes over `count` raw bytes.
    pub(super) fn raw(&mut self, count: u64) -> Parsed<()> {
        self.numbers(count, 1, 1)
    }

    /// A text of `length` bytes, cut where it is long.
    pub(super) fn text(&mut self, length: i32) -> Parsed<String> {
        let Ok(length) = u64::try_from(length) else { return Ok(String::new()) };
        if self.encoding == Encoding::Ascii {
            return self.escaped(length);
        }
        let kept = usize::try_from(length.min(KEPT)).unwrap_or_default();
        let text = String::from_utf8_lossy(self.cursor.take(kept)?).into_owned();
        self.cursor.skip(length - kept as u64)?;
        Ok(text)
    }

    /// Octal and C escapes; blanks are escaped too.
    fn escaped(&mut self, length: u64) -> Parsed<String> {
        self.blank()?;
        let mut bytes = Vec::new();
        for _ in 0..length {
            let mut byte = self.cursor.u8()?;
            if byte == b'\\' {
                byte = match self.cursor.u8()? {
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    digit @ b'0'..=b'7' => {
                        let mut value = u32::from(digit - b'0');
                        for _ in 0..2 {
                            match self.cursor.peek(1)?.first() {
                                Some(next @ b'0'..=b'7') => value = value * 8 + u32::from(next - b'0'),
                                _ => break,
                            }
                            self.cursor.skip(1)?;
                        }
                        u8::try_from(value & 0xff).unwrap_or_default()
                    }
                    other => other,
                };
            }
            if (bytes.len() as u64) < KEPT {
                bytes.push(byte);
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn blank(&mut self) -> Parsed<()> {
        while self.cursor.peek(1)?.first().is_some_and(u8::is_ascii_whitespace) {
            self.cursor.skip(1)?;
        }
        Ok(())
    }

    fn word(&mut self) -> Parsed<String> {
        const LONGEST: usize = 64;
        self.blank()?;
        let mut word = String::new();
        while let Some(byte) =
            self.cursor.peek(1)?.first().copied().filter(|byte| !byte.is_ascii_whitespace())
        {
            if word.len() >= LONGEST {
                return Err(Halt::malformed(self.position(), "no number"));
            }
            word.push(char::from(byte));
            self.cursor.skip(1)?;
        }
        if word.is_empty() {
            return Err(Halt::Truncated { offset: self.position() });
        }
        Ok(word)
    }
}
