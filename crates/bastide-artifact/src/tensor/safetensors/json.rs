//! A strict reader of the JSON in a safetensors header, which may be 100 MB and is never held as a whole.

use super::super::proof::{Proof, Stop, flaw};
use crate::halt::{Halt, Parsed};
use crate::source::{Source, read_up_to};

const CHUNK: usize = 64 << 10;

/// JSON text within a source.
pub(super) struct Text<'a> {
    source: &'a dyn Source,
    buffer: Vec<u8>,
    /// Offset of the buffer's first byte.
    base: u64,
    at: usize,
    end: u64,
    /// Whether the source ends before the text does.
    cut: bool,
}

impl<'a> Text<'a> {
    /// The text from `start` to `end`, or to where the source ends.
    pub(super) fn new(source: &'a dyn Source, start: u64, end: u64) -> Self {
        let there = source.size();
        Text { source, buffer: Vec::new(), base: start, at: 0, end: end.min(there), cut: end > there }
    }

    /// Offset of the next byte.
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// The next byte without passing over it; nothing at the end.
    pub(super) fn peek(&mut self) -> Parsed<Option<u8>> {
        if self.at == self.buffer.len() {
            self.base += self.at as u64;
            self.at = 0;
            let left = usize::try_from(self.end.saturating_sub(self.base)).unwrap_or(usize::MAX);
            self.buffer = read_up_to(self.source, self.base, left.min(CHUNK))?;
            if self.buffer.is_empty() && left > 0 {
                return Err(Halt::Truncated { offset: self.base });
            }
        }
        Ok(self.buffer.get(self.at).copied())
    }

    fn next(&mut self) -> Proof<u8> {
        match self.peek()? {
            Some(byte) => {
                self.at += 1;
                Ok(byte)
            }
            None if self.cut => Err(Halt::Truncated { offset: self.end }.into()),
            None => flaw(self.end, "the header ends in the middle of its JSON"),
        }
    }

    /// The next byte that is not white space, without passing over it.
    pub(super) fn token(&mut self) -> Proof<u8> {
        loop {
            let byte = self.next()?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                self.at -= 1;
                return Ok(byte);
            }
        }
    }

    /// Passes over `byte`, which must come next after white space.
    pub(super) fn expect(&mut self, byte: u8) -> Proof<()> {
        let found = self.token()?;
        if found != byte {
            return flaw(
                self.position(),
                format!(
                    "`{}` stands in the header where `{}` must",
                    char::from(found).escape_default(),
                    char::from(byte)
                ),
            );
        }
        self.at += 1;
        Ok(())
    }

    /// Whether another element follows in an object or array that `close` ends; passes over the comma or the end.
    pub(super) fn another(&mut self, first: bool, close: u8) -> Proof<bool> {
        if self.token()? == close {
            self.at += 1;
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        Ok(true)
    }

    /// A string, with its escapes resolved, into `text`.
    pub(super) fn string<'t>(&mut self, text: &'t mut Vec<u8>) -> Proof<&'t str> {
        self.expect(b'"')?;
        let start = self.position();
        text.clear();
        loop {
            match self.next()? {
                b'"' => break,
                b'\\' => self.escape(text)?,
                0..=0x1f => {
                    return flaw(self.position() - 1, "a string of the header holds a control character");
                }
                byte => text.push(byte),
            }
        }
        match std::str::from_utf8(text) {
            Ok(text) => Ok(text),
            Err(_) => flaw(start, "the header is not UTF-8"),
        }
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Proof<()> {
        let plain = match self.next()? {
            byte @ (b'"' | b'\\' | b'/') => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(text),
            _ => return flaw(self.position() - 1, "a string of the header holds an unknown escape"),
        };
        text.push(plain);
        Ok(())
    }

    fn unicode(&mut self, text: &mut Vec<u8>) -> Proof<()> {
        let start = self.position();
        let first = self.four_digits()?;
        let code = match first {
            0xd800..=0xdbff => {
                let second = match (self.next()?, self.next()?) {
                    (b'\\', b'u') => self.four_digits()?,
                    _ => 0,
                };
                if !(0xdc00..=0xdfff).contains(&second) {
                    return flaw(start, "the header holds half of a surrogate pair");
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        match char::from_u32(code) {
            Some(c) => {
                text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(())
            }
            None => flaw(start, "the header holds half of a surrogate pair"),
        }
    }

    fn four_digits(&mut self) -> Proof<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.next()?;
            match char::from(byte).to_digit(16) {
                Some(digit) => code = code << 4 | digit,
                None => return flaw(self.position() - 1, "a string of the header holds an unknown escape"),
            }
        }
        Ok(code)
    }

    /// A number without sign, fraction or exponent, as the library reads it.
    pub(super) fn integer(&mut self) -> Proof<u64> {
        self.token()?;
        let start = self.position();
        let mut value: Option<u64> = Some(0);
        let mut digits = 0_u32;
        let mut leading_zero = false;
        while let Some(byte @ b'0'..=b'9') = self.peek()? {
            leading_zero |= digits == 0 && byte == b'0';
            value = value.and_then(|v| v.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
            digits += 1;
            self.at += 1;
        }
        let fraction = matches!(self.peek()?, Some(b'.' | b'e' | b'E'));
        match value {
            Some(value) if digits > 0 && !fraction && !(leading_zero && digits > 1) => Ok(value),
            None => flaw(start, "a number of the header does not fit 64 bits"),
            _ if self.peek()?.is_none() && self.cut => Err(Halt::Truncated { offset: self.end }.into()),
            _ => flaw(start, "a size or offset of the header is not a plain whole number"),
        }
    }

    /// Proves that only spaces follow.
    pub(super) fn finish(&mut self) -> Proof<()> {
        while let Some(byte) = self.peek()? {
            if byte != b' ' {
                return flaw(
                    self.position(),
                    "something other than spaces follows the JSON within the header",
                );
            }
            self.at += 1;
        }
        if self.cut {
            return Err(Stop::Flaw {
                offset: 0,
                what: "the header's length reaches past the end of the file, though its JSON is complete"
                    .into(),
            });
        }
        Ok(())
    }
}
