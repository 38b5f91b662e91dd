//! Pickles anywhere in a range of bytes: behind a broken stream, behind the last one, in what another format leaves
//! unexplained.

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::found::worst_of;
use super::names::standing;
use super::stream::ambush;
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::{Source, read_up_to};
use bastide_types::Assessment;

const WINDOW: usize = 256 << 10;
/// How far a candidate is looked at beyond its first byte.
const OVERLAP: usize = 256;

const NAME: usize = 80;
const SHORT_BINUNICODE: u8 = 0x8c;
const STACK_GLOBAL: u8 = 0x93;
const MEMOIZE: u8 = 0x94;

/// Judges every stream from `from` on that does harm. Takes time in proportion to the bytes.
pub(super) fn search(source: &dyn Source, from: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut at = from;
    let mut past = from;
    while at < source.size() {
        let bytes = read_up_to(source, at, WINDOW + OVERLAP)?;
        scan.spend(bytes.len() as u64 / 64)?;
        for candidate in candidates(&bytes) {
            let offset = at + candidate as u64;
            if candidate < WINDOW && offset >= past {
                past = ambush(source, offset, scan)?.unwrap_or(past);
            }
        }
        at += WINDOW as u64;
    }
    Ok(())
}

/// Where a stream may begin that does something: PROTO, or an import that is malicious by its name.
fn candidates(bytes: &[u8]) -> Vec<usize> {
    let mut found: Vec<usize> = memchr_iter(0x80, bytes)
        .filter(
            |&at| matches!(bytes.get(at + 1..at + 3), Some([0..=5, next]) if *next >= b'(' || *next == b')'),
        )
        .collect();
    let mut feed = 0;
    found.extend(memchr2_iter(b'c', b'i', bytes).filter(|&at| {
        if feed <= at {
            feed = memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |length| at + length);
        }
        // No dangerous module has a longer name.
        feed - at <= NAME && !is_word(bytes, at) && is_import(&bytes[at + 1..])
    }));
    found.extend(memchr_iter(STACK_GLOBAL, bytes).filter_map(|at| {
        let (name, before) = text_before(bytes.get(..at)?)?;
        let (module, start) = text_before(bytes.get(..before)?)?;
        is_harm(module, name).then_some(start)
    }));
    found.sort_unstable();
    found
}

/// Whether the opcode at `at` is a letter of a word, with words on the lines below (`finish`, `endif`; names of packages): what
/// goes before an import in a pickle is the end of an argument, and what follows is an opcode.
fn is_word(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    let rest = bytes.get(at..(at + OVERLAP).min(bytes.len())).unwrap_or_default();
    let Some(third) = rest.splitn(3, |byte| *byte == b'\n').nth(2) else { return false };
    let letter = |byte: &u8| byte.is_ascii_alphabetic();
    match rest.first() {
        Some(b'i') => before.is_some_and(letter) && third.first().is_some_and(letter),
        _ => {
            let line = third.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let dotted = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'.';
            before.is_some_and(|byte| letter(byte) || *byte == b'.')
                && line.len() > 2
                && line.iter().all(dotted)
        }
    }
}

/// Whether two lines name something that must not be called.
fn is_import(bytes: &[u8]) -> bool {
    let mut lines = bytes.get(..OVERLAP - 1).unwrap_or(bytes).split(|b| *b == b'\n');
    let (Some(module), Some(name), Some(_)) = (lines.next(), lines.next(), lines.next()) else {
        return false;
    };
    let name_like = |text: &[u8]| {
        !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
    };
    name_like(module) && name_like(name) && is_harm(module, name)
}

/// The short text that ends the bytes, perhaps memoized, and where its opcode stands.
fn text_before(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let bytes = bytes.strip_suffix(&[MEMOIZE]).unwrap_or(bytes);
    let longest = bytes.len().saturating_sub(2).min(NAME);
    (1..=longest).find_map(|size| {
        let start = bytes.len() - size - 2;
        match bytes.get(start..)? {
            [SHORT_BINUNICODE, length, text @ ..] if usize::from(*length) == size => Some((text, start)),
            _ => None,
        }
    })
}

/// Whether a call of the global is malicious.
fn is_harm(module: &[u8], name: &[u8]) -> bool {
    match (std::str::from_utf8(module), std::str::from_utf8(name)) {
        (Ok(module), Ok(name)) => worst_of(standing(module, name), true) == Assessment::Malicious,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_on_lines_of_their_own_are_no_imports() {
        assert!(candidates(b"if exists('x')\n  finish\nendif\nlet x = 1\n").is_empty());
        assert!(candidates(b"java.util.cos\nsystem\njava.util.zip\n").is_empty());
        assert_eq!(candidates(b"tRcos\nsystem\np0\n(S'echo harmless'\ntR.").len(), 1);
        assert_eq!(candidates(b".cos\nsystem\nVecho\n\x85R.").len(), 1);
        assert_eq!(candidates(b"(S'echo harmless'\nios\nsystem\n.").len(), 1);
        assert_eq!(candidates(b"\xff\xfecos\nsystem\n(S'echo harmless'\ntR.").len(), 1);
    }
}
