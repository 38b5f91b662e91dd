//! Segment files: `FORMAT.md`, "Segments". Pure layout and scanning; who writes when is in `writer`.

use std::io;
use std::path::{Path, PathBuf};

use bastide_crypto::{Sha256, sha256};
use bastide_tlog::{Hash, leaf_hash};
use memchr::memmem::Finder;

use crate::disk::DiskFile;
use crate::entry::MAX_ENTRY_BYTES;
use crate::record::Record;

const SEGMENT_MAGIC: [u8; 8] = *b"bstdseg1";
const BATCH_MAGIC: [u8; 4] = *b"bTch";
/// One page: the first batch starts on the next.
pub(crate) const HEADER_BYTES: u64 = 4096;
const BATCH_HEADER: usize = 64;
const RECORD_HEADER: usize = 12;
/// Most records and bytes of one group commit: bounds the memory of a commit and of recovery.
pub(crate) const MAX_BATCH_RECORDS: usize = 4096;
pub(crate) const MAX_BATCH_BYTES: usize = 4 << 20;
/// Most bytes in a row that may be written and not on disk when the next batch is written.
pub(crate) const MAX_OPEN_BYTES: u64 = 4 << 20;
/// The header and a batch of one entry of the largest size, with room.
pub(crate) const SMALLEST_SEGMENT: u64 = 32 * 1024;
/// How far recovery looks behind the last valid batch: whatever was damaged there, the next batch begins within the
/// largest size of one, and no batch that a power cut left behind a hole ends further away than two of them. Segments
/// are mostly zeros after a start, and a start is quick.
const SEARCH_BYTES: u64 = 2 * (MAX_BATCH_BYTES as u64 + BATCH_HEADER as u64);
const _: () = assert!(MAX_OPEN_BYTES <= MAX_BATCH_BYTES as u64, "the search would end too soon");
/// How much recovery reads at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    /// Index of its first entry.
    pub(crate) first: u64,
    /// Random bytes that every check of this file is computed under: nothing that was ever written elsewhere, by
    /// accident or as an entry's text, passes for a batch of this file.
    pub(crate) salt: [u8; 16],
    /// SHA-256 of the origin.
    pub(crate) origin: [u8; 32],
    /// Whether every entry before `first` was durable in tiles and bundles when it was begun, the unfinished ones
    /// included: what an orderly end leaves. Older segments are then of no use, whole or not.
    pub(crate) settled: bool,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(&SEGMENT_MAGIC);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.origin);
        out.extend_from_slice(&u64::from(self.settled).to_le_bytes());
        let check = sha256(&out);
        out.extend_from_slice(&check);
        out.resize(4096, 0);
        out
    }

    /// Reads the header of an open segment; `None` when it is damaged.
    pub(crate) fn read(file: &dyn DiskFile) -> io::Result<Option<SegmentHeader>> {
        Ok(SegmentHeader::decode(Window::new(file).get(0, 4096)?))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<SegmentHeader> {
        let (body, rest) = bytes.split_at_checked(72)?;
        let (check, _) = rest.split_first_chunk::<32>()?;
        if sha256(body) != *check {
            return None;
        }
        let body = body.strip_prefix(&SEGMENT_MAGIC)?;
        let (first, body) = body.split_first_chunk::<8>()?;
        let (salt, body) = body.split_first_chunk::<16>()?;
        let (origin, flags) = body.split_first_chunk::<32>()?;
        let settled = match u64::from_le_bytes(flags.try_into().ok()?) {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(SegmentHeader { first: u64::from_le_bytes(*first), salt: *salt, origin: *origin, settled })
    }
}

/// The file of the segment that begins with entry `first`.
pub(crate) fn segment_path(folder: &Path, first: u64) -> PathBuf {
    folder.join(format!("{first:020}.seg"))
}

/// The first entry of the segment with this file name; `None` for other files.
pub(crate) fn segment_first(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// Bytes that these records take in a segment.
pub(crate) fn record_bytes(entry: usize) -> usize {
    RECORD_HEADER + entry
}

/// Bytes that a batch takes beside its records.
pub(crate) const fn batch_overhead() -> usize {
    BATCH_HEADER
}

/// The digest that a batch stands or falls with: over the head and every leaf, and over the digest of the batch before
/// where that was not on disk. So a batch that is left behind a hole counts with what it followed, and with nothing that
/// is written in its place.
fn batch_digest(
    salt: &[u8; 16],
    head: &[u8],
    before: Option<&[u8; 32]>,
    leaves: impl Iterator<Item = Hash>,
) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(salt);
    digest.update(head);
    before.into_iter().for_each(|before| digest.update(before));
    leaves.for_each(|leaf| digest.update(&leaf.0));
    digest.finish()
}

/// The check of a head alone: what tells a batch that was begun from other bytes.
fn head_check(salt: &[u8; 16], head: &[u8]) -> [u8; 8] {
    let mut digest = Sha256::new();
    digest.update(salt);
    digest.update(head);
    let [a, b, c, d, e, f, g, h, ..] = digest.finish();
    [a, b, c, d, e, f, g, h]
}

/// The first eight bytes of the leaf hash, bound to the index.
fn record_check(index: u64, leaf: Hash) -> [u8; 8] {
    let mut check = index.to_le_bytes();
    for (to, from) in check.iter_mut().zip(leaf.0) {
        *to ^= from;
    }
    check
}

/// What a batch follows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Index of its first record.
    pub(crate) first: u64,
    /// Bytes before it that are written and not known to be on disk.
    pub(crate) open: u64,
    /// The digest of the batch before.
    pub(crate) before: [u8; 32],
}

/// Writes the batch of these records into `out`; gives its digest.
///
/// ```text
/// magic 4 | count u32 | record bytes u32 | open u32 | first u64 | head check 8 | digest 32 | records
/// ```
///
/// A power cut may leave a hole in the `open` bytes before it, and nowhere else.
pub(crate) fn encode_batch<'a>(
    salt: &[u8; 16],
    place: &Place,
    records: impl Iterator<Item = &'a Record> + Clone,
    out: &mut Vec<u8>,
) -> [u8; 32] {
    out.clear();
    let count = records.clone().count();
    let length: usize = records.clone().map(|r| record_bytes(r.entry.len())).sum();
    out.extend_from_slice(&BATCH_MAGIC);
    out.extend_from_slice(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&u32::try_from(place.open).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&place.first.to_le_bytes());
    let check = head_check(salt, out);
    let before = (place.open > 0).then_some(&place.before);
    let digest = batch_digest(salt, out, before, records.clone().map(|r| r.leaf));
    out.extend_from_slice(&check);
    out.extend_from_slice(&digest);
    for (index, record) in (place.first..).zip(records) {
        out.extend_from_slice(&u32::try_from(record.entry.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&record_check(index, record.leaf));
        out.extend_from_slice(&record.entry);
    }
    digest
}

struct Head {
    count: usize,
    length: usize,
    open: u64,
    first: u64,
    digest: [u8; 32],
}

/// Reads the head of a batch, which passes its check only when this file's writer began a batch there.
fn decode_head(salt: &[u8; 16], bytes: &[u8]) -> Option<Head> {
    let (head, rest) = bytes.split_at_checked(24)?;
    let (check, rest) = rest.split_first_chunk::<8>()?;
    let (digest, _) = rest.split_first_chunk::<32>()?;
    let body = head.strip_prefix(&BATCH_MAGIC)?;
    if head_check(salt, head) != *check {
        return None;
    }
    let (count, body) = body.split_first_chunk::<4>()?;
    let (length, body) = body.split_first_chunk::<4>()?;
    let (open, first) = body.split_first_chunk::<4>()?;
    let open = u64::from(u32::from_le_bytes(*open));
    let first: [u8; 8] = first.try_into().ok()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let sane =
        (1..=MAX_BATCH_RECORDS).contains(&count) && length <= MAX_BATCH_BYTES && open <= MAX_OPEN_BYTES;
    sane.then_some(Head { count, length, open, first: u64::from_le_bytes(first), digest: *digest })
}

/// Splits the bytes of a batch into entries with their leaf hashes; `None` when anything is not as it was written.
fn decode_records<'a>(
    salt: &[u8; 16],
    head: &Head,
    before: &[u8; 32],
    batch: &'a [u8],
) -> Option<Vec<(&'a [u8], Hash)>> {
    let (head_bytes, mut rest) = batch.split_at_checked(BATCH_HEADER)?;
    let mut records = Vec::new();
    for index in (head.first..).take(head.count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (check, after) = after.split_first_chunk::<8>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|n| *n <= MAX_ENTRY_BYTES)?;
        let (entry, after) = after.split_at_checked(length)?;
        let leaf = leaf_hash(entry);
        if record_check(index, leaf) != *check {
            return None;
        }
        records.push((entry, leaf));
        rest = after;
    }
    let before = (head.open > 0).then_some(before);
    let digest = batch_digest(salt, head_bytes.get(..24)?, before, records.iter().map(|(_, leaf)| *leaf));
    (rest.is_empty() && digest == head.digest).then_some(records)
}

/// A file read forward through a buffer.
struct Window<'a> {
    file: &'a dyn DiskFile,
    start: u64,
    buffer: Vec<u8>,
    filled: usize,
}

impl<'a> Window<'a> {
    const fn new(file: &'a dyn DiskFile) -> Self {
        Window { file, start: 0, buffer: Vec::new(), filled: 0 }
    }

    /// The `length` bytes at `offset`, fewer at the end of the file.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let held = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = match held.filter(|at| at.saturating_add(length) <= self.filled) {
            Some(at) => at,
            None => {
                self.fill(offset, length.max(WINDOW_BYTES))?;
                0
            }
        };
        let end = at.saturating_add(length).min(self.filled);
        Ok(self.buffer.get(at..end).unwrap_or_default())
    }

    fn fill(&mut self, offset: u64, length: usize) -> io::Result<()> {
        (self.start, self.filled) = (offset, 0);
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        while let Some(rest) = self.buffer.get_mut(self.filled..length).filter(|r| !r.is_empty()) {
            let from = offset.saturating_add(u64::try_from(self.filled).unwrap_or(u64::MAX));
            match self.file.read_at(from, rest) {
                Ok(0) => break,
                Ok(read) => self.filled += read,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// Where the valid batches of a segment end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Everything before this place was on disk when the last valid batch was written.
    pub(crate) synced: u64,
    /// Offset after the last valid batch.
    pub(crate) offset: u64,
    /// Index of the entry that would come next.
    pub(crate) next: u64,
    /// The digest of the last valid batch.
    pub(crate) digest: [u8; 32],
}

/// Why a scan stopped early.
#[derive(Debug)]
pub(crate) enum ScanError<E> {
    /// The file could not be read.
    Io(io::Error),
    /// The caller said so.
    Caller(E),
}

/// Gives every entry of the valid batches to `each`, in order, batch by batch: no entry of a torn batch appears.
pub(crate) fn scan<E>(
    file: &dyn DiskFile,
    header: &SegmentHeader,
    mut each: impl FnMut(u64, &[u8], Hash) -> Result<(), E>,
) -> Result<End, ScanError<E>> {
    let mut window = Window::new(file);
    let mut end = End { synced: HEADER_BYTES, offset: HEADER_BYTES, next: header.first, digest: [0; 32] };
    loop {
        let head = decode_head(&header.salt, window.get(end.offset, BATCH_HEADER).map_err(ScanError::Io)?);
        let Some(head) = head.filter(|h| h.first == end.next) else { return Ok(end) };
        let length = BATCH_HEADER + head.length;
        let batch = window.get(end.offset, length).map_err(ScanError::Io)?;
        let Some(records) = decode_records(&header.salt, &head, &end.digest, batch) else { return Ok(end) };
        for (index, (entry, leaf)) in (head.first..).zip(&records) {
            each(index, entry, *leaf).map_err(ScanError::Caller)?;
        }
        end.synced = end.offset.saturating_sub(head.open).max(HEADER_BYTES);
        end.digest = head.digest;
        end.offset = end.offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        end.next = end.next.saturating_add(u64::try_from(head.count).unwrap_or(u64::MAX));
    }
}

/// What lies behind the last valid batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Offset after the last batch that was begun there; the end of the valid ones when none was. Whatever else is there
    /// is of no segment, or of the one that this file was before.
    pub(crate) begun: u64,
    /// Where a later batch begins that was written when what stood at the end of the valid ones was on disk already:
    /// that place was once whole, so it was damaged, not torn.
    pub(crate) damage_before: Option<u64>,
}

/// Looks at what lies behind the last valid batch.
pub(crate) fn inspect_rest(file: &dyn DiskFile, header: &SegmentHeader, end: End) -> io::Result<Rest> {
    let size = file.size()?;
    let last = size.min(end.offset.saturating_add(SEARCH_BYTES));
    let magic = Finder::new(&BATCH_MAGIC);
    let mut rest = Rest { begun: end.offset, damage_before: None };
    let mut window = Window::new(file);
    let mut offset = end.offset;
    while offset < last {
        // One head more than the stride, so that a head across two strides is seen.
        let bytes = window.get(offset, WINDOW_BYTES / 2 + BATCH_HEADER)?;
        let stride = bytes.len().min(WINDOW_BYTES / 2);
        if stride == 0 {
            break;
        }
        for at in magic.find_iter(bytes) {
            let place = offset.saturating_add(u64::try_from(at).unwrap_or(0));
            let Some(head) = decode_head(&header.salt, bytes.get(at..).unwrap_or_default()) else { continue };
            let torn = place == end.offset && head.first == end.next;
            let later = place > end.offset && head.first > end.next;
            if torn || later {
                let length = u64::try_from(BATCH_HEADER + head.length).unwrap_or(u64::MAX);
                rest.begun = rest.begun.max(place.saturating_add(length).min(size));
            }
            if later && place.saturating_sub(head.open) > end.offset {
                rest.damage_before = Some(place);
                return Ok(rest);
            }
        }
        offset = offset.saturating_add(u64::try_from(stride).unwrap_or(u64::MAX));
    }
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryFile;

    fn records(count: usize) -> Vec<Record> {
        (0..count)
            .map(|i| {
                let entry = vec![u8::try_from(i % 251).unwrap(); 20 + i];
                Record::new(entry)
            })
            .collect()
    }

    /// The place of a batch that follows nothing.
    fn at(first: u64) -> Place {
        Place { first, open: 0, before: [0; 32] }
    }

    fn segment(batches: &[usize]) -> (SegmentHeader, Vec<u8>, Vec<usize>) {
        let synced: Vec<(usize, usize)> = batches.iter().map(|count| (*count, 0)).collect();
        segment_of(&synced)
    }

    /// Of batches of so many records, each with so many whole batches before it that are not on disk.
    fn segment_of(batches: &[(usize, usize)]) -> (SegmentHeader, Vec<u8>, Vec<usize>) {
        let header = SegmentHeader { first: 40, salt: [9; 16], origin: sha256(b"o"), settled: true };
        let (mut bytes, mut buffer) = (header.encode(), Vec::new());
        let mut place = at(40);
        let mut starts = Vec::new();
        for (count, open) in batches {
            starts.push(bytes.len());
            place.open = (bytes.len() - starts[starts.len() - 1 - open]) as u64;
            place.before = encode_batch(&header.salt, &place, records(*count).iter(), &mut buffer);
            bytes.extend_from_slice(&buffer);
            place.first += *count as u64;
        }
        bytes.resize(bytes.len() + 3000, 0);
        (header, bytes, starts)
    }

    fn count(header: &SegmentHeader, bytes: Vec<u8>) -> (u64, Rest) {
        let file = MemoryFile(bytes);
        let end = scan(&file, header, |_, _, _| Ok::<(), ()>(())).unwrap();
        (end.next - header.first, inspect_rest(&file, header, end).unwrap())
    }

    #[test]
    fn what_is_written_is_scanned() {
        let (header, bytes, _) = segment(&[3, 1, 70]);
        assert_eq!(SegmentHeader::decode(&bytes), Some(header));
        let mut seen = Vec::new();
        let end = scan(&MemoryFile(bytes.clone()), &header, |index, entry, leaf| {
            assert_eq!(leaf, leaf_hash(entry));
            seen.push((index, entry.len()));
            Ok::<(), ()>(())
        })
        .unwrap();
        assert_eq!((end.offset, end.next), (bytes.len() as u64 - 3000, 114));
        assert_eq!(seen.len(), 74);
        assert_eq!(seen[4], (44, 20));
        assert_eq!(count(&header, bytes).1, Rest { begun: end.offset, damage_before: None });
    }

    #[test]
    fn a_torn_last_batch_is_dropped_whole_and_a_torn_middle_is_damage() {
        let (header, bytes, starts) = segment(&[3, 4, 5]);
        let end = bytes.len() - 3000;
        for at in starts[2]..end {
            let mut torn = bytes.clone();
            torn[at] ^= 0x40;
            let (entries, rest) = count(&header, torn);
            assert_eq!((entries, rest.damage_before), (7, None), "byte {at}");
        }
        for at in starts[1]..starts[2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x40;
            let (entries, rest) = count(&header, damaged);
            assert_eq!((entries, rest.damage_before), (3, Some(starts[2] as u64)), "byte {at}");
        }
    }

    #[test]
    fn a_hole_where_batches_were_open_is_a_power_cut_and_elsewhere_damage() {
        // The third batch came while the second was open, the fourth when only itself was not on disk.
        for (batches, explained) in [
            (&[(3, 0), (4, 0), (5, 1)][..], true),
            (&[(3, 0), (4, 0), (5, 1), (2, 2)], true),
            (&[(3, 0), (4, 0), (5, 1), (2, 1)], false),
            (&[(3, 0), (4, 0), (5, 1), (2, 0)], false),
        ] {
            let (header, bytes, starts) = segment_of(batches);
            let (entries, rest) = count(&header, bytes.clone());
            assert_eq!((entries, rest.damage_before), (batches.iter().map(|b| b.0 as u64).sum(), None));
            for at in starts[1]..starts[2] {
                let mut torn = bytes.clone();
                torn[at] ^= 0x40;
                let (entries, rest) = count(&header, torn);
                assert_eq!((entries, rest.damage_before.is_none()), (3, explained), "{batches:?}, byte {at}");
                if explained {
                    assert_eq!(rest.begun, bytes.len() as u64 - 3000, "all of it is dropped");
                }
            }
            let mut damaged = bytes.clone();
            damaged[starts[0] + 70] ^= 0x40;
            assert!(count(&header, damaged).1.damage_before.is_some(), "the first was on disk");
        }
    }

    #[test]
    fn a_batch_behind_a_hole_follows_nothing_else() {
        let (header, bytes, starts) = segment_of(&[(3, 0), (4, 0), (5, 1), (2, 2)]);
        let mut buffer = Vec::new();
        // As long as the second was, and of as many records.
        let other: Vec<Record> =
            records(4).into_iter().map(|r| Record::new(r.entry.iter().map(|b| b ^ 1).collect())).collect();
        let mut replaced = bytes.clone();
        encode_batch(&header.salt, &at(43), other.iter(), &mut buffer);
        replaced[starts[1]..starts[2]].copy_from_slice(&buffer);
        assert_eq!(count(&header, bytes).0, 14);
        let (entries, rest) = count(&header, replaced);
        assert_eq!((entries, rest.damage_before), (7, None));
    }

    #[test]
    fn what_a_start_has_to_write_again_begins_where_the_last_batch_says() {
        let (header, bytes, starts) = segment_of(&[(3, 0), (4, 1), (5, 1)]);
        let end = scan(&MemoryFile(bytes), &header, |_, _, _| Ok::<(), ()>(())).unwrap();
        assert_eq!(end.synced, starts[1] as u64);
    }

    #[test]
    fn an_entry_cannot_pose_as_a_batch() {
        let (header, _, _) = segment(&[]);
        let mut inner = Vec::new();
        encode_batch(&[1; 16], &at(41), records(1).iter(), &mut inner);
        let record = Record::new(inner.clone());
        let (mut bytes, mut buffer) = (header.encode(), Vec::new());
        encode_batch(&header.salt, &at(40), [&record].into_iter(), &mut buffer);
        // The head is lost, the entry stays.
        buffer[..64].fill(0);
        bytes.extend_from_slice(&buffer);
        assert_eq!(count(&header, bytes).1.damage_before, None);
    }

    #[test]
    fn headers_and_names_are_exact() {
        let (_, bytes, _) = segment(&[]);
        for at in 0..104 {
            let mut bent = bytes.clone();
            bent[at] ^= 1;
            assert_eq!(SegmentHeader::decode(&bent), None, "byte {at}");
        }
        let path = segment_path(Path::new("s"), 7);
        assert_eq!(path, Path::new("s/00000000000000000007.seg"));
        assert_eq!(segment_first("00000000000000000007.seg"), Some(7));
        for other in [
            "7.seg",
            "0000000000000000000x.seg",
            "00000000000000000007",
            "reserve",
            "99999999999999999999.seg",
        ] {
            assert_eq!(segment_first(other), None, "{other}");
        }
    }
}
