//! The central directory, from every end record that some reader would take.
//!
//! APPNOTE 6.3.10 sections 4.3.12 to 4.3.16. Python's zipfile takes the last end record and counts its offset from what
//! stands before the archive; miniz (PyTorch), Java and Go take the last one whose comment fits; the record of zip64 is
//! found through its locator or taken to stand right before it.

use crate::halt::{Halt, Parsed};
use crate::limits::Limits;
use crate::source::{Cursor, Source, read_up_to};

pub(crate) const END: &[u8; 4] = b"PK\x05\x06";
const END64: &[u8; 4] = b"PK\x06\x06";
const LOCATOR: &[u8; 4] = b"PK\x06\x07";
pub(crate) const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const END_SIZE: usize = 22;
const END64_SIZE: u64 = 56;
const LOCATOR_SIZE: u64 = 20;

/// One entry as the directory describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Vec<u8>,
    /// The name of the field 0x7075, which Info-ZIP and 7-Zip prefer.
    pub(crate) unicode: Option<Vec<u8>>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u64,
    pub(crate) size: u64,
    /// Where its local header stands in the file.
    pub(crate) local: u64,
    /// The mode of Unix, where the archive has one.
    pub(crate) mode: Option<u32>,
}

/// A directory as one reader sees it.
#[derive(Debug)]
pub(crate) struct Directory {
    pub(crate) entries: Vec<Entry>,
    /// What the directory takes of the file, and its end records.
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where its comment begins, and where the archive ends with it.
    pub(crate) comment: u64,
    pub(crate) archive_end: u64,
    /// How many entries the end record counts.
    pub(crate) counted: u64,
    /// Why reading stopped before the end, if it did.
    pub(crate) halt: Option<Halt>,
}

/// Where a directory is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    /// Offset of the first entry in the file.
    start: u64,
    size: u64,
    counted: u64,
    /// What is added to the offsets of local headers.
    base: u64,
    records: u64,
    comment: u64,
    archive_end: u64,
}

/// The directories that readers see in `source`, whose last bytes are `tail`; the one of Python first.
pub(crate) fn directories(source: &dyn Source, tail: &[u8], limits: &Limits) -> Parsed<Vec<Directory>> {
    let mut places = Vec::new();
    for at in ends(tail) {
        read_end(source, tail, at, &mut places)?;
    }
    let mut directories: Vec<Directory> = Vec::new();
    for place in places {
        let first = read_up_to(source, place.start, 4)?;
        if place.size > 0 && first != CENTRAL {
            continue;
        }
        let directory = read_directory(source, place, limits);
        if !directories.iter().any(|known| known.entries == directory.entries) {
            directories.push(directory);
        }
    }
    Ok(directories)
}

/// Whether the tail holds an end record that leads to a directory: what makes any file a zip archive.
pub(crate) fn is_zip(source: &dyn Source, tail: &[u8]) -> bool {
    let mut places = Vec::new();
    ends(tail).iter().all(|&at| read_end(source, tail, at, &mut places).is_ok())
        && places.iter().any(|place| {
            place.size == 0 && place.counted == 0 && place.start + place.size == place.records
                || read_up_to(source, place.start, 4).is_ok_and(|first| first == CENTRAL)
        })
}

/// Places in the tail of the end records that readers take: the last one, and those whose comment fits exactly.
fn ends(tail: &[u8]) -> Vec<usize> {
    /// An honest archive has one.
    const MOST: usize = 8;
    let mut ends = Vec::new();
    for at in memchr::memmem::rfind_iter(tail, END) {
        let Some(record) = tail.get(at..at + END_SIZE) else { continue };
        let comment = usize::from(u16_at(record, 20));
        if ends.is_empty() || at + END_SIZE + comment == tail.len() {
            ends.push(at);
        }
        if ends.len() == MOST {
            break;
        }
    }
    ends
}

/// Adds the places that the end record at `at` of the tail leads to.
fn read_end(source: &dyn Source, tail: &[u8], at: usize, places: &mut Vec<Place>) -> Parsed<()> {
    let Some(record) = tail.get(at..at + END_SIZE) else { return Ok(()) };
    let end_at = source.size() - (tail.len() - at) as u64;
    let comment = end_at + END_SIZE as u64;
    let archive_end = (comment + u64::from(u16_at(record, 20))).min(source.size());
    let counted = u64::from(u16_at(record, 10));
    let (size, offset) = (u64::from(u32_at(record, 12)), u64::from(u32_at(record, 16)));
    let locator_at = end_at.checked_sub(LOCATOR_SIZE);
    let locator = match locator_at {
        Some(at) => read_up_to(source, at, 20)?,
        None => Vec::new(),
    };
    if let (Some(locator_at), true) = (locator_at, locator.starts_with(LOCATOR)) {
        let told = u64_at(&locator, 8);
        let mut same = false;
        for at in [locator_at.checked_sub(END64_SIZE), Some(told)].into_iter().flatten() {
            let record = read_up_to(source, at, 56)?;
            if record.len() == 56 && record.starts_with(END64) {
                let of_small = (counted, size, offset);
                let (counted, size, offset) = (u64_at(&record, 32), u64_at(&record, 40), u64_at(&record, 48));
                same |= (counted, size, offset) == of_small;
                add(
                    places,
                    at,
                    Place { start: offset, size, counted, base: 0, records: at, comment, archive_end },
                );
            }
        }
        // Readers of zip64 take the small record only where it says something of its own. Where both say the same, as
        // PyTorch writes them, those that count back from the end (Java, Python) count from the large one.
        let defers =
            size == u64::from(u32::MAX) || offset == u64::from(u32::MAX) || counted == u64::from(u16::MAX);
        if defers || same {
            return Ok(());
        }
    }
    add(
        places,
        end_at,
        Place { start: offset, size, counted, base: 0, records: end_at, comment, archive_end },
    );
    Ok(())
}

/// Adds both readings of an offset: from the start of the archive, which may stand behind something else (Python,
/// Info-ZIP), and from the start of the file (miniz).
fn add(places: &mut Vec<Place>, records: u64, told: Place) {
    let moved = records
        .checked_sub(told.size)
        .and_then(|start| start.checked_sub(told.start).map(|base| Place { start, base, ..told }));
    for place in [moved, Some(told)].into_iter().flatten() {
        let inside = place.start.checked_add(place.size).is_some_and(|end| end <= records);
        if inside && !places.iter().any(|known| (known.start, known.base) == (place.start, place.base)) {
            places.push(place);
        }
    }
}

fn read_directory(source: &dyn Source, place: Place, limits: &Limits) -> Directory {
    let mut directory = Directory {
        entries: Vec::new(),
        start: place.start,
        end: place.start + place.size,
        comment: place.comment,
        archive_end: place.archive_end,
        counted: place.counted,
        halt: None,
    };
    let mut cursor = Cursor::at(source, place.start);
    while directory.halt.is_none() && cursor.position() < directory.end {
        if directory.entries.len() as u64 >= limits.entries {
            directory.halt = Some(Halt::limit(format!("{} entries in an archive", limits.entries)));
            break;
        }
        match read_entry(&mut cursor, place.base) {
            Ok(Some(entry)) => directory.entries.push(entry),
            Ok(None) => break,
            Err(halt) => directory.halt = Some(halt),
        }
    }
    // Python reads to the size and miniz to the count.
    let reached = cursor.position();
    directory.end = directory.end.max(reached).min(source.size());
    directory
}

/// The next entry; `None` at what may follow the last one: a signature or the records of zip64.
fn read_entry(cursor: &mut Cursor<'_>, base: u64) -> Parsed<Option<Entry>> {
    let at = cursor.position();
    let header: [u8; 46] = cursor.array()?;
    if header.starts_with(b"PK\x05\x05") || header.starts_with(END64) {
        return Ok(None);
    }
    if !header.starts_with(CENTRAL) {
        return Err(Halt::malformed(at, "the directory holds something that is no entry"));
    }
    let name = cursor.take(usize::from(u16_at(&header, 28)))?.to_vec();
    let extra = cursor.take(usize::from(u16_at(&header, 30)))?.to_vec();
    cursor.skip(u64::from(u16_at(&header, 32)))?;
    let mut sizes = [u32_at(&header, 24), u32_at(&header, 20), u32_at(&header, 42)].map(u64::from);
    zip64(&extra, &mut sizes);
    let [size, packed, local] = sizes;
    // 3 is Unix, 19 macOS; others leave the upper half of the attributes empty or mean it as Unix does.
    let mode = Some(u32_at(&header, 38) >> 16).filter(|mode| mode & 0o170_000 != 0);
    let unicode = field(&extra, 0x7075).and_then(|field| field.get(5..)).map(<[u8]>::to_vec);
    let (flags, method, crc) = (u16_at(&header, 8), u16_at(&header, 10), u32_at(&header, 16));
    Ok(Some(Entry {
        name,
        unicode,
        flags,
        method,
        crc,
        packed,
        size,
        local: local.saturating_add(base),
        mode,
    }))
}

/// Replaces the sizes that are all ones by those of the zip64 field, in its order.
pub(crate) fn zip64(extra: &[u8], sizes: &mut [u64]) {
    let mut rest = field(extra, 1).unwrap_or_default();
    for size in sizes.iter_mut().filter(|size| **size == u64::from(u32::MAX)) {
        let Some((value, behind)) = rest.split_first_chunk::<8>() else { return };
        *size = u64::from_le_bytes(*value);
        rest = behind;
    }
}

/// The data of the extra field `id`.
fn field(extra: &[u8], id: u16) -> Option<&[u8]> {
    let mut rest = extra;
    while let Some((head, behind)) = rest.split_first_chunk::<4>() {
        let size = usize::from(u16_at(head, 2));
        if u16_at(head, 0) == id {
            return Some(behind.get(..size).unwrap_or(behind));
        }
        rest = behind.get(size..)?;
    }
    None
}

/// The numbers of a record that is known to be long enough; zero behind its end.
pub(crate) fn u16_at(record: &[u8], at: usize) -> u16 {
    record.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u16::from_le_bytes)
}

pub(crate) fn u32_at(record: &[u8], at: usize) -> u32 {
    record.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
}

pub(crate) fn u64_at(record: &[u8], at: usize) -> u64 {
    record.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u64::from_le_bytes)
}
