//! Opcodes of numbers, texts and bytes: they are passed over, and read again when somebody asks.

use super::attributes;
use super::evaluated;
use super::facts;
use super::literal;
use super::machine::{Event, Host, Machine};
use super::value::{Kind, Value};
use crate::claim::is_absurd;
use crate::halt::{Halt, Parsed};

/// Digits beyond which reading a decimal number takes CPython noticeable time, as the square of their number.
const DIGITS: u64 = 100_000;
/// Bytes of an integer that no honest number has.
const INTEGER: u64 = 1 << 20;

impl Machine<'_> {
    #[inline]
    pub(super) fn fixed(&mut self, kind: Kind, size: usize, offset: u64) -> Parsed<()> {
        self.input.take(size)?;
        self.push(Value::at(kind, offset))
    }

    /// The size in front of an argument.
    #[inline]
    pub(super) fn size(&mut self, width: usize) -> Parsed<u64> {
        let bytes = self.input.take(width)?;
        let mut wide = [0; 8];
        wide[..width].copy_from_slice(bytes);
        Ok(u64::from_le_bytes(wide))
    }

    /// Passes over an argument.
    #[inline]
    pub(super) fn argument(&mut self, host: &mut dyn Host, size: u64, offset: u64) -> Parsed<()> {
        // CPython asks for the memory before it reads.
        if is_absurd(size, self.state.source.size()) {
            self.bomb(host, offset, format!("a string claims to have {size} bytes"))?;
        }
        self.input.skip(size)
    }

    #[inline]
    pub(super) fn text(&mut self, host: &mut dyn Host, width: usize, offset: u64) -> Parsed<()> {
        let size = self.size(width)?;
        let Some(size) = usize::try_from(size).ok().filter(|size| *size <= 64) else {
            self.argument(host, size, offset)?;
            return self.push(Value::at(Kind::Text, offset));
        };
        let text = self.input.take(size)?;
        let special = is_special(text);
        // `BaseEstimator.__getstate__` adds it last, behind keys that are no longer kept by then.
        let is_key = text == b"_sklearn_version";
        let value = Value::new(Kind::Text, special, offset);
        if std::mem::replace(&mut self.state.version_follows, is_key) {
            self.state.scikit_learn = Some(value);
        }
        self.push(value)
    }

    /// A `str` of Python 2: text or bytes, as the loader likes.
    pub(super) fn old_text(&mut self, host: &mut dyn Host, width: usize, offset: u64) -> Parsed<()> {
        let size = self.size(width)?;
        if width == 4 && size > i32::MAX as u64 {
            return Err(Halt::malformed(offset, "a string has a negative size"));
        }
        let special = is_special(self.input.peek(usize::try_from(size.min(64)).unwrap_or_default())?);
        self.peek_file(host, size, offset)?;
        self.input.skip(size)?;
        self.push(Value::new(Kind::Text, special, offset))
    }

    pub(super) fn line_text(&mut self, offset: u64) -> Parsed<()> {
        let (line, _) = self.input.line()?;
        let mut special = 0;
        // The shortest way to write such a name with escapes is not much longer than this.
        if line.len() < 256
            && (line.contains(&b'\\')
                || memchr::memmem::find(line, b"__").is_some()
                || evaluated::is_key(line))
        {
            let text = self.state.text(Value::at(Kind::Text, offset));
            special = text.map_or(0, |text| is_special(text.as_bytes()));
        }
        self.push(Value::new(Kind::Text, special, offset))
    }

    pub(super) fn bytes(&mut self, host: &mut dyn Host, width: usize, offset: u64) -> Parsed<()> {
        let size = self.size(width)?;
        self.peek_file(host, size, offset)?;
        self.argument(host, size, offset)?;
        self.push(Value::at(Kind::Bytes, offset))
    }

    /// Tells of bytes that begin like a file which some loader would open.
    #[inline]
    pub(super) fn peek_file(&mut self, host: &mut dyn Host, size: u64, offset: u64) -> Parsed<()> {
        if size < 16 || size > self.input.left() {
            return Ok(());
        }
        if begins_like_file(self.input.peek(usize::try_from(size.min(128)).unwrap_or_default())?) {
            let start = self.input.position();
            self.tell(host, Event::File { start, size }, offset)?;
        }
        Ok(())
    }

    pub(super) fn long(&mut self, host: &mut dyn Host, width: usize, offset: u64) -> Parsed<()> {
        let size = self.size(width)?;
        if width == 4 && size > i32::MAX as u64 {
            return Err(Halt::malformed(offset, "an integer has a negative size"));
        }
        if size > INTEGER {
            self.bomb(host, offset, format!("an integer has {size} bytes"))?;
        }
        self.input.skip(size)?;
        self.push(Value::at(Kind::Int, offset))
    }

    pub(super) fn decimal(&mut self, host: &mut dyn Host, kind: Kind, offset: u64) -> Parsed<()> {
        let (line, size) = self.input.line()?;
        if size > DIGITS {
            self.bomb(host, offset, format!("a number has {size} digits"))?;
            return self.push(Value::at(kind, offset));
        }
        if !is_number(kind, line) {
            return Err(Halt::malformed(offset, "a number of the pickle is none"));
        }
        self.push(Value::at(kind, offset))
    }

    /// The argument of PUT and GET.
    pub(super) fn line_number(&mut self) -> Parsed<u64> {
        let offset = self.input.position();
        let (line, _) = self.input.line()?;
        let text = number_text(line);
        let text = match text.trim().strip_prefix('-') {
            Some(zero) if zero.bytes().all(|digit| digit == b'0') => zero,
            _ => text.trim(),
        };
        text.parse().map_err(|_| Halt::malformed(offset, "an index of the pickle's memo is no number"))
    }
}

/// Whether bytes may be a file that some loader would open: a pickle with PROTO, or one of protocols 0 and 1 that imports
/// something first of all, or a zip archive.
pub(super) fn begins_like_file(bytes: &[u8]) -> bool {
    match bytes {
        [0x80, 0..=5, ..] | [b'P', b'K', 3, 4, ..] => true,
        [b'c', rest @ ..] | [b'(', b'c', rest @ ..] => {
            let mut lines = rest.split(|byte| *byte == b'\n').take(2);
            let name = |line: Option<&[u8]>| {
                line.is_some_and(|line| {
                    !line.is_empty()
                        && line.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
                })
            };
            name(lines.next()) && name(lines.next())
        }
        _ => false,
    }
}

/// [`Value::SPECIAL`] for the name of an attribute that changes how an object behaves, [`Value::TELLING`] for that of a
/// library's version and the like.
#[inline]
fn is_special(text: &[u8]) -> u16 {
    if (text.ends_with(b"_version") && facts::library_of(text).is_some()) || evaluated::is_key(text) {
        return Value::TELLING;
    }
    u16::from(
        matches!(text.first(), Some(b'_' | b'a' | b'e'))
            && attributes::KEYS.iter().any(|key| key.as_bytes() == text),
    )
}

/// A number as Python reads it: `int` passes over underscores, and the C unpickler ends at a zero byte.
pub(super) fn number_text(line: &[u8]) -> String {
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(line).replace('_', "")
}

fn is_number(kind: Kind, line: &[u8]) -> bool {
    if line.len() < 30 && !line.is_empty() && line.iter().all(u8::is_ascii_digit) {
        return true;
    }
    let text = number_text(line);
    let text = text.trim();
    match kind {
        Kind::Float => text.parse::<f64>().is_ok(),
        // Numbers beyond 128 bits are numbers, too.
        _ => {
            let text = text.strip_suffix('L').unwrap_or(text);
            literal::integer(text).is_some()
                || (text.len() > 30 && text.bytes().all(|b| b.is_ascii_hexdigit() || b"xX-+".contains(&b)))
        }
    }
}
