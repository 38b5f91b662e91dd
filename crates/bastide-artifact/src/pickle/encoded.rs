//! Byte strings written as texts: `_codecs.encode('…', 'latin1')` is how protocols before 3 write them.

use super::literal::{self, Span, Spelling};
use super::machine::{Global, State};
use super::scalars;
use super::value::{Kind, Value};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::read_up_to;

/// Longer texts are not decoded: 64 MiB.
const MOST: u64 = 64 << 20;
/// What tells a file from other texts stands in so many bytes.
const HEAD: u64 = 256;

/// The bytes that encoding the text literal `text` in Latin-1 gives. None where it is no text, or longer than any that is
/// decoded.
///
/// # Errors
///
/// As reading and [`Scan::expand`] say.
pub(super) fn latin1(state: &State<'_>, text: Value, scan: &mut Scan<'_>) -> Parsed<Option<Vec<u8>>> {
    let Some(span) = span_of(state, text)? else { return Ok(None) };
    scan.expand(span.size)?;
    decode(state, &span, span.size).map(Some)
}

/// Whether these bytes begin like a file that some loader would open.
///
/// # Errors
///
/// As reading says.
pub(super) fn begins_like_file(state: &State<'_>, text: Value) -> Parsed<bool> {
    let Some(span) = span_of(state, text)? else { return Ok(false) };
    Ok(scalars::begins_like_file(&decode(state, &span, span.size.min(HEAD))?))
}

fn span_of(state: &State<'_>, text: Value) -> Parsed<Option<Span>> {
    match text.kind() {
        Kind::Text => literal::span(state.source, text.offset(), MOST),
        _ => Ok(None),
    }
}

/// The first `size` bytes of a text, in Latin-1.
fn decode(state: &State<'_>, span: &Span, size: u64) -> Parsed<Vec<u8>> {
    let raw = read_up_to(state.source, span.offset, usize::try_from(size).unwrap_or_default())?;
    Ok(match span.spelling {
        Spelling::Raw => raw,
        Spelling::Utf8 => literal::latin1(&String::from_utf8_lossy(&raw)),
        Spelling::Escaped => literal::line_bytes(&raw),
    })
}

/// The text that a call gives back as bytes.
pub(super) fn encoded(state: &State<'_>, result: Value) -> Option<Value> {
    let Global { module, name } = state.global(result).filter(|_| result.kind() == Kind::Instance)?;
    let encodes = match module.as_str() {
        "_codecs" | "codecs" => name == "encode",
        "builtins" | "__builtin__" => matches!(name.as_str(), "bytes" | "bytearray"),
        _ => false,
    };
    let cell = state.heap.get(result).filter(|_| encodes)?;
    match *cell.items() {
        [_, text, ..] if text.kind() == Kind::Text => Some(text),
        _ => None,
    }
}
