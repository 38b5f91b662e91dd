//! The search for configurations in files whose structure was not fully read.

use crate::halt::{Halt, Parsed};
use crate::keras;
use crate::scan::Scan;
use crate::source::{Source, read_up_to};

/// Bytes searched at once.
const WINDOW: usize = 4 << 20;
/// Bytes before the first `class_name` in which its object begins, and of one configuration.
const BEFORE: usize = 256;
const LONGEST: usize = 16 << 20;
/// Places that look like a configuration and are none; each costs a reading of [`LONGEST`] bytes.
const MOST_FAILURES: u64 = 12;

/// Judges every JSON object of a configuration; gives how many there were.
pub(super) fn configurations(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<u64> {
    let finder = memchr::memmem::Finder::new(b"\"class_name\"");
    let mut found = 0;
    let mut failures = 0;
    let mut at = 0;
    while at < source.size() {
        let window = read_up_to(source, at, WINDOW)?;
        let Some(hit) = finder.find(&window) else {
            if window.len() < WINDOW {
                break;
            }
            at += (WINDOW - 16) as u64;
            continue;
        };
        let hit = at + hit as u64;
        let start = hit.saturating_sub(BEFORE as u64).max(at.saturating_sub(BEFORE as u64));
        let bytes = read_up_to(source, start, LONGEST)?;
        let before = usize::try_from(hit - start).unwrap_or_default();
        let end = candidates(&bytes, before).find_map(|open| {
            let length = object(bytes.get(open..)?)?;
            let text = std::str::from_utf8(bytes.get(open..open + length)?).ok()?;
            (open + length > before && keras::config(text, start + open as u64, scan).is_ok())
                .then_some(start + (open + length) as u64)
        });
        found += u64::from(end.is_some());
        failures += u64::from(end.is_none());
        if failures > MOST_FAILURES {
            return Err(Halt::limit(format!("{MOST_FAILURES} broken configurations")));
        }
        at = end.unwrap_or(hit + 12);
    }
    Ok(found)
}

/// Opening braces before `hit`, the outermost first.
fn candidates(bytes: &[u8], hit: usize) -> impl Iterator<Item = usize> {
    let before = bytes.get(..hit).unwrap_or_default();
    // JSON has no bytes below the space but white space: what lies before such a byte is another thing.
    let from =
        before.iter().rposition(|byte| *byte < b' ' && !byte.is_ascii_whitespace()).map_or(0, |at| at + 1);
    (from..hit).filter(move |at| bytes.get(*at) == Some(&b'{')).take(4)
}

/// The length of the JSON object at the start of `bytes`, by its braces.
fn object(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    let mut quoted = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            0..=8 => return None,
            _ => {}
        }
        at += 1;
    }
    None
}
