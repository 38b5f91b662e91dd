//! Whether bytes are a pickle. Nothing but PROTO marks one, and old protocols begin with any opcode.

use memchr::{memchr, memmem};

use super::torch;
use super::watch::Watch;
use bastide_types::Assessment;

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::source::{Source, read_up_to};

/// Opcodes that a guess may run.
const STEPS: u64 = 20_000;

/// Adds the format if a loader could take the file for a pickle.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    let head = glance.head;
    if begins(glance.source, 0, head)? || behind_lines(glance.source, head)?.is_some() {
        let first = head.get(..32).unwrap_or(head);
        formats.push(if memmem::find(first, torch::MAGIC).is_some() || head.starts_with(torch::MAGIC_TEXT) {
            Format::TorchLegacy
        } else if memmem::find(head, b"joblib.numpy_pickle").is_some()
            && memmem::find(head, b"ArrayWrapper").is_some()
        {
            Format::Joblib
        } else {
            Format::Pickle
        });
    }
    Ok(())
}

/// Whether a pickle begins at `offset`, where `head` stands.
pub(super) fn begins(source: &dyn Source, offset: u64, head: &[u8]) -> Parsed<bool> {
    match *head {
        [0x80, 0..=5, next, ..] => return Ok(is_opcode(next)),
        // Some loaders do not mind a protocol that nobody has defined.
        [0x80, 6..=15, next, ..] if is_opcode(next) => {
            let watch = Watch::run(source, offset + 2, STEPS)?;
            return Ok(watch.imports > 0 && !watch.odd && watch.stopped.is_some());
        }
        // A zip archive begins with the letter of an opcode; a persistent id is text in ASCII.
        [b'P', ref id @ ..] if !is_line(id) => return Ok(false),
        [first, _, ..] if is_opcode(first) => {}
        _ => return Ok(false),
    }
    let watch = Watch::run(source, offset, STEPS)?;
    // What a persistent id stands for may be called, too.
    let called = || watch.calls > 0 && watch.stopped == Some(source.size());
    if watch.odd || (head.first() == Some(&b'P') && watch.imports == 0 && !called()) {
        return Ok(false);
    }
    // A sentence begins like a short string whose length is a letter; picklers put more around theirs.
    if matches!(head, [b'C' | b'U', b' '..=b'~', ..]) && watch.imports == 0 && watch.steps < 3 {
        return Ok(false);
    }
    let imports = watch.imports > 0 && (watch.calls > 0 || watch.stopped.is_some() || watch.unfinished);
    let to_the_end = match watch.stopped {
        // Text may happen to begin with an opcode or two before a full stop.
        Some(end) => watch.steps >= 4 || ends_with_space(source, end)?,
        None => watch.unfinished,
    };
    Ok(imports || (watch.steps >= 2 && to_the_end))
}

/// Whether bytes begin with a line of printable ASCII.
fn is_line(bytes: &[u8]) -> bool {
    memchr(b'\n', bytes).and_then(|end| bytes.get(..end)).is_some_and(|line| {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        line.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
    })
}

/// Where a pickle begins that a program reaches by reading lines first: the rest of the file from some line on is
/// exactly one stream, and it does harm. Anything less is text that speaks of pickles.
pub(super) fn behind_lines(source: &dyn Source, head: &[u8]) -> Parsed<Option<u64>> {
    /// Headers that programs write before a pickle are short.
    const LINES: usize = 64;
    let mut at = 0;
    for _ in 0..LINES {
        let rest = head.get(at..).unwrap_or_default();
        if !is_line(rest) {
            break;
        }
        at += memchr(b'\n', rest).map_or(0, |end| end + 1);
        let first = head.get(at).copied();
        if !first.is_some_and(|first| first == 0x80 || (is_opcode(first) && first != b'P')) {
            continue;
        }
        let watch = Watch::run(source, at as u64, STEPS)?;
        let exact = watch.stopped == Some(source.size()) && !watch.odd && watch.calls > 0;
        if exact && watch.worst == Assessment::Malicious {
            return Ok(Some(at as u64));
        }
    }
    Ok(None)
}

fn ends_with_space(source: &dyn Source, end: u64) -> Parsed<bool> {
    let rest = read_up_to(source, end, 64)?;
    Ok(rest.len() < 64 && rest.iter().all(u8::is_ascii_whitespace))
}

fn is_opcode(byte: u8) -> bool {
    matches!(
        byte,
        b'(' | b'.' | b'0' | b'1' | b'2' | b'F'..=b'N' | b'P'..=b'V' | b'X' | b'a'..=b'e' | b'g'..=b'j' | b'l'
            | b'o'..=b'u' | b'}' | b')' | b']' | b'B' | b'C' | 0x80..=0x98
    ) && byte != b'H'
}

/// Whether bytes within a pickle, which begin like a file, are one that matters.
pub(super) fn is_file(source: &dyn Source, start: u64, size: u64) -> Parsed<bool> {
    let part = crate::source::Part::new(source, start, size);
    if read_up_to(&part, 0, 2)?.starts_with(b"PK") {
        return Ok(true);
    }
    let watch = Watch::run(&part, 0, u64::MAX)?;
    Ok((watch.imports > 0 && !watch.odd) || watch.bombs > 0 || watch.worst > Assessment::Clean)
}
