//! Safetensors: a JSON header that must account for every byte of the file, then the tensors.
//!
//! The proof follows <https://github.com/huggingface/safetensors> and is stricter than its reader where readers differ:
//! keys that stand twice, also when escapes spell them differently, and fields that only some readers know. Only the
//! header is read, whatever the size of the file.

mod dtype;
mod facts;
mod json;

use bastide_types::{Assessment, Rule, Severity};

use super::keys::Keys;
use super::proof::{Proof, flaw, settle};
use crate::claim::is_absurd;
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Source, read_exactly};
use json::Text;

/// The header does not account for the file.
pub(super) const STRUCTURE: Rule = Rule {
    id: "safetensors.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "safetensors header does not account for the file",
    why: "no library writes such a file; loaders disagree about what is in it, read beyond their buffers, or carry data that \
          no scanner sees",
    fix: "do not load it; fetch the file again from its publisher, or write it anew with the safetensors library",
    cwe: &[20, 130, 436],
    atlas: &["AML.T0010.003"],
};

/// The longest header that the reference library reads.
const MAX_HEADER: u64 = 100_000_000;

/// Whether the reference library would try to read a header here.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    let Some((&length, rest)) = glance.head.split_first_chunk::<8>() else { return false };
    let fits = u64::from_le_bytes(length) <= glance.source.size().saturating_sub(8);
    let named = glance.named("safetensors");
    if fits && named {
        return true;
    }
    let text = rest.get(..rest.len().min(4096)).unwrap_or_default();
    let blank = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let opens = matches!(text.get(blank..), Some([b'{', b'"' | b'}' | b' ' | b'\t' | b'\r' | b'\n', ..]));
    if !opens || length.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'..=b'\r')) {
        return false; // eight letters are no length but a text
    }
    // Other formats put a length before their JSON too.
    let marks = ["\"dtype\"", "\"data_offsets\"", "\"__metadata__\""];
    named
        || (fits && text.starts_with(b"{}"))
        || marks.iter().any(|mark| memchr::memmem::find(glance.head, mark.as_bytes()).is_some())
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let proof = prove(source, scan);
    settle(proof, &STRUCTURE, scan)
}

/// One tensor's place in the data.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    begin: u64,
    end: u64,
    /// Where the header names it.
    at: u64,
}

/// What the header says, as far as the proof needs it.
#[derive(Default)]
struct Header {
    places: Vec<Place>,
    keys: Keys,
}

/// Proves that no key stands twice.
fn unique(keys: Keys) -> Proof<()> {
    match keys.twice() {
        Some(at) => flaw(at, "a key of the header stands twice"),
        None => Ok(()),
    }
}

fn prove(source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    let length = u64::from_le_bytes(first(&read_exactly(source, 0, 8)?));
    if length > MAX_HEADER {
        return flaw(0, format!("the header claims {length} bytes; the library reads at most {MAX_HEADER}"));
    }
    let end = 8 + length;
    let mut text = Text::new(source, 8, end);
    if !matches!(text.peek()?, Some(b'{')) {
        return flaw(8, "the header does not begin with `{`");
    }
    let header = object(&mut text, scan)?;
    text.finish()?;
    unique(header.keys)?;
    let size = contiguous(header.places)?;
    let there = source.size() - end.min(source.size());
    if is_absurd(size, source.size()) {
        flaw(8, format!("the tensors claim {size} bytes"))
    } else if size > there {
        Err(Halt::Truncated { offset: source.size() }.into())
    } else if size < there {
        flaw(end + size, format!("{} bytes follow the last tensor", there - size))
    } else {
        Ok(())
    }
}

fn first(bytes: &[u8]) -> [u8; 8] {
    bytes.first_chunk().copied().unwrap_or_default()
}

fn object(text: &mut Text<'_>, scan: &mut Scan<'_>) -> Proof<Header> {
    let mut header = Header::default();
    let (mut name, mut value) = (Vec::new(), Vec::new());
    text.expect(b'{')?;
    let mut is_first = true;
    while text.another(is_first, b'}')? {
        is_first = false;
        text.token()?;
        let at = text.position();
        let name = text.string(&mut name)?;
        scan.spend(name.len() as u64)?;
        header.keys.add(name, at)?;
        text.expect(b':')?;
        if name == "__metadata__" {
            metadata(text, &mut value, scan)?;
        } else {
            header.places.push(tensor(text, name, at, &mut value, scan)?);
        }
    }
    Ok(header)
}

fn metadata(text: &mut Text<'_>, value: &mut Vec<u8>, scan: &mut Scan<'_>) -> Proof<()> {
    let mut keys = Keys::default();
    let mut key = Vec::new();
    text.expect(b'{')?;
    let mut is_first = true;
    while text.another(is_first, b'}')? {
        is_first = false;
        text.token()?;
        let at = text.position();
        let key = text.string(&mut key)?;
        keys.add(key, at)?;
        text.expect(b':')?;
        if text.token()? != b'"' {
            return flaw(text.position(), format!("metadata `{}` is not a string", shown(key)));
        }
        facts::note(key, text.string(value)?, scan);
    }
    unique(keys)
}

/// The description of one tensor.
#[derive(Default)]
struct Tensor {
    bits: Option<u64>,
    dtype: String,
    elements: Option<u64>,
    offsets: Option<(u64, u64)>,
}

fn tensor(
    text: &mut Text<'_>,
    name: &str,
    at: u64,
    value: &mut Vec<u8>,
    scan: &mut Scan<'_>,
) -> Proof<Place> {
    let mut tensor = Tensor::default();
    let shown_name = || shown(name);
    text.expect(b'{')?;
    let mut is_first = true;
    while text.another(is_first, b'}')? {
        is_first = false;
        text.token()?;
        let key_at = text.position();
        let key = text.string(value)?;
        let twice = match key {
            "dtype" => tensor.bits.is_some(),
            "shape" => tensor.elements.is_some(),
            "data_offsets" => tensor.offsets.is_some(),
            other => {
                return flaw(key_at, format!("tensor `{}` has a field `{}`", shown_name(), shown(other)));
            }
        };
        if twice {
            return flaw(key_at, format!("`{key}` of tensor `{}` stands twice", shown_name()));
        }
        let field = key.as_bytes().first().copied();
        text.expect(b':')?;
        match field {
            Some(b's') => tensor.elements = Some(shape(text, name)?),
            Some(b'd') if key.len() > 5 => tensor.offsets = Some(offsets(text)?),
            _ => {
                let dtype = text.string(value)?;
                let Some(bits) = dtype::bits(dtype) else {
                    return flaw(key_at, format!("`{}` is not an element type of the format", shown(dtype)));
                };
                tensor.bits = Some(bits);
                dtype.clone_into(&mut tensor.dtype);
            }
        }
    }
    let Tensor { bits: Some(bits), dtype, elements: Some(elements), offsets: Some((begin, end)) } = tensor
    else {
        return flaw(at, format!("tensor `{}` lacks its type, shape or offsets", shown_name()));
    };
    if begin > end {
        return flaw(at, format!("tensor `{}` ends at {end} before it begins at {begin}", shown_name()));
    }
    let Some(size) = elements.checked_mul(bits) else {
        return flaw(at, format!("the size of tensor `{}` does not fit 64 bits", shown_name()));
    };
    if size % 8 != 0 || size / 8 != end - begin {
        return flaw(
            at,
            format!(
                "tensor `{}` needs {} bytes by its shape and has {}",
                shown_name(),
                size.div_ceil(8),
                end - begin
            ),
        );
    }
    scan.facts.tensor(&dtype, elements);
    Ok(Place { begin, end, at })
}

fn shape(text: &mut Text<'_>, name: &str) -> Proof<u64> {
    let mut elements: u64 = 1;
    let mut overflown = false;
    text.expect(b'[')?;
    let start = text.position();
    let mut is_first = true;
    while text.another(is_first, b']')? {
        is_first = false;
        let dimension = text.integer()?;
        // The library multiplies from left to right, and a later zero does not undo an overflow.
        match elements.checked_mul(dimension) {
            Some(product) => elements = product,
            None => overflown = true,
        }
    }
    if overflown {
        return flaw(
            start,
            format!("the number of elements of tensor `{}` does not fit 64 bits", shown(name)),
        );
    }
    Ok(elements)
}

fn offsets(text: &mut Text<'_>) -> Proof<(u64, u64)> {
    text.expect(b'[')?;
    let begin = text.integer()?;
    text.expect(b',')?;
    let end = text.integer()?;
    text.expect(b']')?;
    Ok((begin, end))
}

/// Proves that the tensors lie side by side from 0; gives where they end.
fn contiguous(mut places: Vec<Place>) -> Proof<u64> {
    places.sort_unstable();
    let mut expected = 0;
    for place in places {
        if place.begin > expected {
            return flaw(
                place.at,
                format!("no tensor accounts for the bytes from {expected} to {} of the data", place.begin),
            );
        }
        if place.begin < expected {
            return flaw(
                place.at,
                format!(
                    "a tensor begins at {} of the data, within another that ends at {expected}",
                    place.begin
                ),
            );
        }
        expected = place.end;
    }
    Ok(expected)
}

#[cfg(test)]
mod tests;
