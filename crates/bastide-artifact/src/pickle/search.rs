//! Pickles anywhere in a range of bytes: behind a broken stream, behind the last one, in what another format leaves
//! unexplained.

use memchr::{memchr, memchr_iter, memchr2_iter};

use super::judge::worst_of;
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
        feed - at <= NAME && is_import(&bytes[at + 1..])
    }));
    found.extend(memchr_iter(STACK_GLOBAL, bytes).filter_map(|at| {
        let (name, before) = text_before(bytes.get(..at)?)?;
        let (module, start) = text_before(bytes.get(..before)?)?;
        is_harm(module, name).then_some(start)
    }));
    found.sort_unstable();
    found
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
