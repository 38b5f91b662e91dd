//! Literals, read again from the opcode that made them.

use super::scalars::number_text;
use crate::halt::{Halt, Parsed};
use crate::source::{Source, read_up_to};

/// What a literal opcode says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Literal {
    None,
    Bool(bool),
    /// Decimal digits as Python would show them, where they fit.
    Int(i128),
    /// An integer of more digits.
    LongInt,
    Float(f64),
    /// A text, cut at [`Literal::TEXT`] bytes.
    Text {
        text: String,
        whole: bool,
    },
    /// Bytes: where they are.
    Bytes {
        offset: u64,
        size: u64,
    },
}

impl Literal {
    /// Longer texts are no names.
    pub(super) const TEXT: usize = 4096;

    /// Reads the literal whose opcode stands at `offset`.
    pub(super) fn read(source: &dyn Source, offset: u64) -> Parsed<Literal> {
        let head = read_up_to(source, offset, 9)?;
        let Some((&opcode, argument)) = head.split_first() else {
            return Err(Halt::Truncated { offset });
        };
        let number = |size: usize| {
            let mut bytes = [0; 8];
            let given = argument.get(..size).unwrap_or_default();
            bytes[..given.len()].copy_from_slice(given);
            u64::from_le_bytes(bytes)
        };
        let counted = |width: usize| (offset + 1 + width as u64, number(width));
        Ok(match opcode {
            b'N' => Literal::None,
            0x88 => Literal::Bool(true),
            0x89 => Literal::Bool(false),
            b'K' => Literal::Int(number(1).into()),
            b'M' => Literal::Int(number(2).into()),
            b'J' => Literal::Int(i32::from_le_bytes(array(argument)).into()),
            b'G' => Literal::Float(f64::from_be_bytes(array(argument))),
            0x8a => long(source, counted(1))?,
            0x8b => long(source, counted(4))?,
            b'I' | b'L' | b'F' => decimal(opcode, &line(source, offset + 1)?.0),
            b'S' => quoted(line(source, offset + 1)?),
            b'P' => {
                let (bytes, whole) = line(source, offset + 1)?;
                Literal::Text { text: String::from_utf8_lossy(&bytes).into_owned(), whole }
            }
            b'V' => raw_unicode(line(source, offset + 1)?),
            b'U' | 0x8c => text(source, counted(1))?,
            b'T' | b'X' => text(source, counted(4))?,
            0x8d => text(source, counted(8))?,
            b'C' => bytes(counted(1)),
            b'B' => bytes(counted(4)),
            0x8e | 0x96 => bytes(counted(8)),
            _ => return Err(Halt::malformed(offset, "no literal")),
        })
    }
}

/// How the text of a literal stands in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spelling {
    /// As the bytes that it stands for.
    Raw,
    Utf8,
    /// With escapes, in a line.
    Escaped,
}

/// Where the text of a literal stands.
pub(super) struct Span {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) spelling: Spelling,
}

/// Where the text literal whose opcode stands at `offset` has its text, if that is no longer than `most` bytes.
pub(super) fn span(source: &dyn Source, offset: u64, most: u64) -> Parsed<Option<Span>> {
    let head = read_up_to(source, offset, 9)?;
    let Some((&opcode, argument)) = head.split_first() else { return Ok(None) };
    let counted = |width: usize| {
        let mut bytes = [0; 8];
        let given = argument.get(..width).unwrap_or_default();
        bytes[..given.len()].copy_from_slice(given);
        (offset + 1 + width as u64, u64::from_le_bytes(bytes))
    };
    let ((offset, size), spelling) = match opcode {
        b'U' => (counted(1), Spelling::Raw),
        b'T' => (counted(4), Spelling::Raw),
        0x8c => (counted(1), Spelling::Utf8),
        b'X' => (counted(4), Spelling::Utf8),
        0x8d => (counted(8), Spelling::Utf8),
        b'V' | b'S' => {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            let line = read_up_to(source, offset, most)?;
            let Some(end) = memchr::memchr(b'\n', &line) else { return Ok(None) };
            ((offset, end as u64), Spelling::Escaped)
        }
        _ => return Ok(None),
    };
    Ok((size <= most).then_some(Span { offset, size, spelling }))
}

/// How many bytes the text literal whose opcode stands at `offset` has, with its escapes.
pub(super) fn text_size(source: &dyn Source, offset: u64) -> Parsed<u64> {
    const PIECE: usize = 1 << 14;
    if !matches!(read_up_to(source, offset, 1)?.first(), Some(b'V' | b'S')) {
        return Ok(span(source, offset, u64::MAX)?.map_or(0, |span| span.size));
    }
    let mut at = offset;
    loop {
        let piece = read_up_to(source, at, PIECE)?;
        match memchr::memchr(b'\n', &piece) {
            Some(end) => return Ok(at - offset + end as u64),
            None if piece.is_empty() => return Ok(at - offset),
            None => at += piece.len() as u64,
        }
    }
}

/// The bytes in Latin-1 of a text literal that is a line, from its opcode to where the line ends. What Latin-1 has no byte
/// for makes Python raise an error, and is a question mark here.
pub(super) fn line_bytes(line: &[u8]) -> Vec<u8> {
    match line.split_first() {
        Some((b'S', line)) => unquoted(line, true),
        Some((_, line)) => match raw_unicode((line.to_vec(), true)) {
            Literal::Text { text, .. } => latin1(&text),
            _ => Vec::new(),
        },
        None => Vec::new(),
    }
}

/// The same of any text.
pub(super) fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect()
}

fn array<const N: usize>(from: &[u8]) -> [u8; N] {
    from.get(..N).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N])
}

fn bytes((offset, size): (u64, u64)) -> Literal {
    Literal::Bytes { offset, size }
}

fn text(source: &dyn Source, (offset, size): (u64, u64)) -> Parsed<Literal> {
    let kept = usize::try_from(size).unwrap_or(usize::MAX).min(Literal::TEXT);
    let bytes = read_up_to(source, offset, kept)?;
    let whole = bytes.len() as u64 == size;
    Ok(Literal::Text { text: String::from_utf8_lossy(&bytes).into_owned(), whole })
}

fn long(source: &dyn Source, (offset, size): (u64, u64)) -> Parsed<Literal> {
    if size > 16 {
        return Ok(Literal::LongInt);
    }
    let bytes = read_up_to(source, offset, usize::try_from(size).unwrap_or_default())?;
    let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; 16];
    wide[..bytes.len()].copy_from_slice(&bytes);
    Ok(Literal::Int(i128::from_le_bytes(wide)))
}

/// The line at `offset`, cut, and whether it is whole.
fn line(source: &dyn Source, offset: u64) -> Parsed<(Vec<u8>, bool)> {
    let mut bytes = read_up_to(source, offset, Literal::TEXT)?;
    let end = memchr::memchr(b'\n', &bytes);
    bytes.truncate(end.unwrap_or(bytes.len()));
    Ok((bytes, end.is_some()))
}

fn decimal(opcode: u8, line: &[u8]) -> Literal {
    let text = number_text(line);
    let text = text.trim();
    match opcode {
        b'I' if text == "01" => Literal::Bool(true),
        b'I' if text == "00" => Literal::Bool(false),
        b'F' => Literal::Float(text.parse().unwrap_or(f64::NAN)),
        _ => integer(text.strip_suffix('L').unwrap_or(text)).map_or(Literal::LongInt, Literal::Int),
    }
}

/// An integer as `int(text, 0)` reads it.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => (16, &digits[2..]),
        Some("0o") => (8, &digits[2..]),
        Some("0b") => (2, &digits[2..]),
        _ => (10, digits),
    };
    i128::from_str_radix(digits, radix).ok().map(|value| sign * value)
}

/// Protocol 0 strings: `repr` of Python 2, quotes around it.
fn quoted((line, whole): (Vec<u8>, bool)) -> Literal {
    Literal::Text { text: String::from_utf8_lossy(&unquoted(&line, whole)).into_owned(), whole }
}

/// The bytes that such a string stands for.
fn unquoted(line: &[u8], whole: bool) -> Vec<u8> {
    let line = line.trim_ascii_end();
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        [_, inner @ ..] if !whole => inner,
        other => other,
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            text.push(byte);
            continue;
        }
        let Some((&escape, after)) = rest.split_first() else { break };
        rest = after;
        match escape {
            b'n' => text.push(b'\n'),
            b't' => text.push(b'\t'),
            b'r' => text.push(b'\r'),
            b'a' => text.push(7),
            b'b' => text.push(8),
            b'f' => text.push(12),
            b'v' => text.push(11),
            b'x' => {
                text.push(low_byte(digits(&rest[..rest.len().min(2)], 16)));
                rest = &rest[rest.len().min(2)..];
            }
            b'0'..=b'7' => {
                let octal = 1 + rest.iter().take(2).take_while(|b| matches!(b, b'0'..=b'7')).count();
                let (all, after) = (&inner[inner.len() - rest.len() - 1..], &rest[octal - 1..]);
                text.push(low_byte(digits(&all[..octal], 8)));
                rest = after;
            }
            b'\\' | b'\'' | b'"' => text.push(escape),
            other => text.extend([b'\\', other]),
        }
    }
    text
}

/// Protocol 0 texts: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
fn raw_unicode((line, whole): (Vec<u8>, bool)) -> Literal {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.as_slice();
    while let Some((&byte, after)) = rest.split_first() {
        // A backslash behind one is none.
        if let [b'\\', other, after @ ..] = rest
            && !matches!(other, b'u' | b'U')
        {
            text.extend(['\\', char::from(*other)]);
            rest = after;
            continue;
        }
        let width = match rest {
            [b'\\', b'u', ..] => 4,
            [b'\\', b'U', ..] => 8,
            _ => 0,
        };
        let escaped = rest.get(2..2 + width).filter(|_| width > 0);
        if let Some(escaped) = escaped.filter(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
            text.push(char::from_u32(digits(escaped, 16)).unwrap_or(char::REPLACEMENT_CHARACTER));
            rest = &rest[2 + width..];
        } else {
            text.push(char::from(byte));
            rest = after;
        }
    }
    Literal::Text { text, whole }
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

fn digits(bytes: &[u8], radix: u32) -> u32 {
    std::str::from_utf8(bytes).ok().and_then(|text| u32::from_str_radix(text, radix).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Literal {
        Literal::read(&bytes, 0).unwrap()
    }

    fn text(text: &str) -> Literal {
        Literal::Text { text: text.into(), whole: true }
    }

    #[test]
    fn texts_of_every_protocol() {
        assert_eq!(read(b"S'sys\\x74e\\155\\''\n"), text("system'"));
        assert_eq!(read(b"S\"a\\tb\"\n"), text("a\tb"));
        assert_eq!(read(b"Vsys\\u0074em\xe9\n"), text("systemé"));
        assert_eq!(read(b"Vsys\\\\u0074em\n"), text("sys\\\\u0074em"));
        assert_eq!(read(b"U\x02os"), text("os"));
        assert_eq!(read(b"X\x02\0\0\0os"), text("os"));
        assert_eq!(read(b"\x8d\x02\0\0\0\0\0\0\0os"), text("os"));
    }

    #[test]
    fn numbers_of_every_protocol() {
        assert_eq!(read(b"I01\n"), Literal::Bool(true));
        assert_eq!(read(b"I-7\n"), Literal::Int(-7));
        assert_eq!(read(b"L0x1fL\n"), Literal::Int(31));
        assert_eq!(read(b"J\xff\xff\xff\xff"), Literal::Int(-1));
        assert_eq!(read(b"\x8a\x01\x80"), Literal::Int(-128));
        assert_eq!(read(b"\x8b\x02\0\0\0\xff\0"), Literal::Int(255));
        assert_eq!(read(b"F1.5\n"), Literal::Float(1.5));
    }

    #[test]
    fn cut_literals_are_no_panic() {
        for opcode in 0..=255_u8 {
            for tail in [b"".as_slice(), b"\\", b"'\\", b"'\\x", b"'\\7", b"\xff\xff\xff\xff\xff\xff\xff\xff"]
            {
                let _ = Literal::read(&[&[opcode], tail].concat(), 0);
            }
        }
    }
}
