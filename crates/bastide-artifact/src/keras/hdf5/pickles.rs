//! Pickles that libraries keep in HDF5 and unpickle when they read it.
//!
//! PyTables unpickles an attribute whose bytes end in a full stop (`tables/attributeset.py`), and every row of an array of
//! variable length whose attribute `PSEUDOATOM` is `object` (`tables/vlarray.py`; `FLAVOR` is `Object` before version 2 of its
//! format). pandas keeps what is no number there. hickle pickles what has no form of its own in HDF5.

use super::Walk;
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::pickle::{self, carried};
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};

/// What looking at one object of a heap costs.
const OBJECT: u64 = 512;
/// Bytes of an object of a heap that is passed over as a whole: 64 MiB.
const LARGEST: u64 = 64 << 20;

/// What a file says of pickles in its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Rows of some array are pickles; they stand in the global heap, which no filter compresses.
    pub(super) rows: bool,
    /// Any dataset may hold one.
    pub(super) anywhere: bool,
}

impl Kept {
    /// Notes what the attribute `name` says.
    pub(super) fn note(&mut self, name: &str, text: &[u8]) {
        let text = until_zero(text);
        self.rows |= name == "PSEUDOATOM" && text == b"object" || name == "FLAVOR" && text == b"Object";
        self.anywhere |= matches!(name, "HICKLE_VERSION" | "HICKLE_PROTOCOL");
    }
}

impl Walk<'_, '_> {
    /// Judges an attribute as a pickle, if it may be one; whether it is.
    pub(super) fn pickled(&mut self, name: &str, bytes: &[u8]) -> Parsed<bool> {
        let is_pickle = matches!(bytes, [0x80, 0..=5, ..])
            || bytes.starts_with(b"(") && bytes.contains(&b'\n')
            || is_global(bytes);
        if is_pickle {
            let end = bytes.iter().rposition(|byte| *byte == b'.').map_or(bytes.len(), |end| end + 1);
            let pickled: &dyn Source = &bytes.get(..end).unwrap_or(bytes);
            self.scan.nested(name, pickled);
        } else if until_zeros(bytes).ends_with(b".") {
            // Any opcode may come first; a sentence ends like this too.
            self.scan.within(name, |scan| carried::unknown(&bytes, scan))?;
        }
        Ok(is_pickle)
    }
}

/// Judges the pickles in the values of a file, as far as `kept` says that there are some.
pub(super) fn values(source: &dyn Source, kept: Kept, length_size: usize, scan: &mut Scan<'_>) -> Parsed<()> {
    if kept.anywhere {
        carried::unknown(source, scan)?;
    }
    if !kept.rows {
        return Ok(());
    }
    const FIRST: usize = 4 << 10;
    const WINDOW: usize = 1 << 20;
    let finder = memchr::memmem::Finder::new(b"GCOL\x01\0\0\0");
    let mut at = 0;
    let mut spanned = false;
    // Collections may stand close together: what is read behind each of them is little.
    let mut size = FIRST;
    while at < source.size() {
        let window = read_up_to(source, at, size + 7)?;
        scan.spend(window.len() as u64 / 64)?;
        let Some(hit) = finder.find(&window) else {
            at += size as u64;
            size = (2 * size).min(WINDOW);
            continue;
        };
        at = collection(source, at + hit as u64, length_size, &mut spanned, scan)?;
        size = FIRST;
    }
    Ok(())
}

/// Judges the objects of the collection at `at` (specification III.E); gives where the next may begin. `spanned` is whether
/// an object that is too large for its collection was looked at.
fn collection(
    source: &dyn Source,
    at: u64,
    length_size: usize,
    spanned: &mut bool,
    scan: &mut Scan<'_>,
) -> Parsed<u64> {
    let number = |at: u64, size: usize| -> Parsed<u64> {
        let bytes = read_up_to(source, at, size)?;
        Ok(bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    let head = 8 + length_size as u64;
    let end = at.saturating_add(number(at + 8, length_size)?).min(source.size());
    let mut object = at + head;
    while object.saturating_add(head) <= end {
        scan.spend(OBJECT)?;
        let (index, length) = (number(object, 2)?, number(object + 8, length_size)?);
        if index == 0 {
            break;
        }
        let data = Part::new(source, object + head, length);
        // What says that it is so large may only mean to span the collections behind.
        if length > LARGEST {
            // Looking at one that does not fit looks at all that others could claim.
            let fits = length <= end - (object + head);
            if fits || !std::mem::replace(spanned, true) {
                scan.spend(data.size())?;
                scan.within("row of an array of objects", |scan| row(&data, scan))?;
            }
            return Ok(object + head);
        }
        scan.within("row of an array of objects", |scan| row(&data, scan))?;
        let padded = length.checked_next_multiple_of(8).unwrap_or(length);
        object = object.saturating_add(head).saturating_add(padded);
    }
    Ok(object.max(at + 8))
}

/// Judges one object of the heap: a pickle, or a text of another dataset.
fn row(data: &Part<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    let start = read_up_to(data, 0, 2)?;
    let last = read_up_to(data, data.size().saturating_sub(1), 1)?;
    if !matches!(*start, [0x80, 0..=5]) || last != b"." {
        return carried::unknown(data, scan);
    }
    match pickle::read(Format::Pickle, data, "", scan) {
        Some(Err(halt @ (Halt::Limit { .. } | Halt::Unreadable(_)))) => Err(halt),
        Some(Err(halt)) => {
            scan.halted(Format::Pickle, halt);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The bytes before the zeros at the end.
fn until_zeros(bytes: &[u8]) -> &[u8] {
    let length = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.get(..length).unwrap_or(bytes)
}

/// The bytes before the first zero.
fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}

/// Whether a pickle of protocol 0 begins with a name here: `c`, its module and its function on a line each.
fn is_global(bytes: &[u8]) -> bool {
    let mut lines = bytes.strip_prefix(b"c").unwrap_or_default().splitn(3, |byte| *byte == b'\n');
    let is_name = |line: Option<&[u8]>| {
        line.is_some_and(|line| {
            !line.is_empty() && line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte))
        })
    };
    is_name(lines.next()) && is_name(lines.next()) && lines.next().is_some_and(|rest| rest.contains(&b'.'))
}
