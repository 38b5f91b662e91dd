//! Opening a log: what is on the disk, and whether a crash explains it.
//!
//! A crash leaves a torn last batch, and a power cut a hole among those that were not on disk: from there on all is
//! dropped. No one was told that any of it is on disk. Everything else that does not fit is damage or tampering, and a
//! log that went on over it would bury the evidence: it is refused, untouched.

use std::collections::VecDeque;
use std::path::Path;

use bastide_crypto::sha256;
use bastide_tlog::{
    Checkpoint, Hash, Note, NoteError, NoteKey, TileBuilder, TileKind, TilePath, TreeError, decode_bundle,
    encode_bundle, leaf_hash,
};

use crate::disk::{Disk, write_all};
use crate::error::AuditError;
use crate::keeper::{prepare, remove_segment, reserve_path};
use crate::options::LogOptions;
use crate::publisher::{Base, MAX_BUNDLE_BYTES, write_file};
use crate::segment::{
    SMALLEST_SEGMENT, ScanError, SegmentHeader, inspect_rest, scan, segment_first, segment_path,
};
use crate::writer::{Active, begin_segment};

/// A new log is there in milliseconds: only what it needs at once is zeroed before the first entry. 1 MiB of 64.
const FIRST_SEGMENT_SHARE: u64 = 64;
pub(crate) const MAX_NOTE_BYTES: u64 = 512 * 1024;

/// What opening a log found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovery {
    /// Entries in the log.
    pub entries: u64,
    /// Entries under the last checkpoint.
    pub published: u64,
    /// The first entry that was shown to who opened the log. Everything before it is in full bundles that are on disk.
    pub shown_from: u64,
    /// Bytes of what was being written, or not on disk yet, when the power went. Nobody was told that it is
    /// [`Synced`](crate::Durability::Synced).
    pub dropped_bytes: u64,
}

pub(crate) struct Recovered {
    pub(crate) recovery: Recovery,
    pub(crate) active: Active,
    pub(crate) segments: VecDeque<u64>,
    pub(crate) headers: Vec<SegmentHeader>,
    pub(crate) base: Base,
    pub(crate) reserve_ready: bool,
}

/// Who is shown the entries that recovery reads.
pub(crate) type Show<'a> = dyn FnMut(u64, &[u8]) + 'a;

/// Reads and mends the folder. Shows each entry that it reads on the way, in order.
pub(crate) fn recover(
    disk: &dyn Disk,
    options: &LogOptions,
    key: &NoteKey,
    show: &mut Show<'_>,
) -> Result<Recovered, AuditError> {
    let dir = options.dir.as_path();
    let folder = dir.join("segments");
    own_key(disk, dir, key)?;
    let reserve_ready = tidy(disk, &folder, options.segment_bytes)?;
    let checkpoint = read_checkpoint(disk, dir, key)?;
    let mut segments = existing(disk, &folder)?;
    let settled = take_settled(disk, &folder, &mut segments)?;
    let Some(first) = segments.front().copied() else {
        if let Some(checkpoint) = checkpoint {
            let detail = format!("a checkpoint covers {} entries and no segment is there", checkpoint.size);
            return Err(AuditError::corrupt(&folder, detail));
        }
        return create(disk, options, reserve_ready);
    };
    let base = base(disk, dir, first, show)?;
    let mut check = Check { expected: checkpoint.as_ref(), tiles: base.tiles.clone(), dir };
    check.compare()?;
    let (mut headers, mut active, mut dropped_bytes) = (Vec::new(), None, 0);
    for (position, first) in segments.iter().enumerate() {
        let path = segment_path(&folder, *first);
        if check.tiles.size() != *first {
            let detail =
                format!("it begins with entry {first}, but {} entries come before", check.tiles.size());
            return Err(AuditError::corrupt(&path, detail));
        }
        let last = position + 1 == segments.len();
        let found = read_segment(disk, &path, *first, &options.origin, &mut check, last, show)?;
        headers.push(found.header);
        dropped_bytes = found.dropped_bytes;
        active = Some(found.active);
    }
    let entries = check.tiles.size();
    let published = checkpoint.as_ref().map_or(0, |c| c.size);
    if published > entries {
        let detail = format!("the checkpoint covers {published} entries and only {entries} are left");
        return Err(AuditError::corrupt(&folder, detail));
    }
    if checkpoint.is_none() && first > 0 {
        return Err(AuditError::corrupt(dir, "the checkpoint is gone, though entries were published"));
    }
    let mut active = active.ok_or_else(|| AuditError::corrupt(&folder, "no segment"))?;
    secure(&mut active, dropped_bytes)
        .and_then(|()| disk.sync_dir(&folder))
        .map_err(|e| AuditError::io("write", &folder, e))?;
    if dropped_bytes > 0 {
        tracing::info!(dropped_bytes, "the end of the log, which was not on disk, was dropped");
    }
    // Only now that what replaces them was compared with the checkpoint.
    settled.into_iter().try_for_each(|old| remove_segment(disk, &folder, old))?;
    let recovery = Recovery { entries, published, shown_from: first - first % 256, dropped_bytes };
    Ok(Recovered { recovery, active, segments, headers, base, reserve_ready })
}

/// The key stands beside the log for those who verify it; another one there means another log.
fn own_key(disk: &dyn Disk, dir: &Path, key: &NoteKey) -> Result<(), AuditError> {
    let path = dir.join("log.vkey");
    let line = format!("{}\n", key.vkey());
    match disk.read(&path, MAX_NOTE_BYTES).map_err(|e| AuditError::io("read", &path, e))? {
        Some(bytes) if bytes == line.as_bytes() => Ok(()),
        Some(bytes) if !bytes.is_empty() && bytes.iter().any(|b| *b != 0) => {
            let found = String::from_utf8_lossy(&bytes).trim_end().chars().take(200).collect::<String>();
            let detail = format!("`log.vkey` holds `{found}`, this server's is `{}`", key.vkey());
            Err(AuditError::OtherLog { folder: dir.to_owned(), detail })
        }
        // Absent, or torn by a power cut before it was ever synced.
        _ => {
            write_file(disk, dir, &path, line.as_bytes(), true)?;
            disk.sync_dir(dir).map_err(|e| AuditError::io("write", &path, e))
        }
    }
}

/// Removes what an interrupted run left half done; says whether a whole reserve is there.
fn tidy(disk: &dyn Disk, folder: &Path, segment_bytes: u64) -> Result<bool, AuditError> {
    let failed = |path: &Path, e| AuditError::io("remove", path, e);
    for name in disk.list(folder).map_err(|e| failed(folder, e))? {
        if name.ends_with(".tmp") {
            let path = folder.join(&name);
            disk.remove_file(&path).map_err(|e| failed(&path, e))?;
        }
    }
    let reserve = reserve_path(folder);
    match disk.open(&reserve, false).and_then(|f| f.size()) {
        Ok(size) if size == segment_bytes => Ok(true),
        Ok(_) => disk.remove_file(&reserve).map(|()| false).map_err(|e| failed(&reserve, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(AuditError::io("read", &reserve, e)),
    }
}

pub(crate) fn read_checkpoint(
    disk: &dyn Disk,
    dir: &Path,
    key: &NoteKey,
) -> Result<Option<Checkpoint>, AuditError> {
    let path = dir.join("checkpoint");
    let Some(bytes) = disk.read(&path, MAX_NOTE_BYTES).map_err(|e| AuditError::io("read", &path, e))? else {
        return Ok(None);
    };
    let note = Note::parse(&bytes).map_err(|e| AuditError::corrupt(&path, e.to_string()))?;
    let text = note.verify(key).map_err(|e| match e {
        NoteError::Unsigned => AuditError::OtherLog {
            folder: dir.to_owned(),
            detail: "its checkpoint is signed by another key".into(),
        },
        other => AuditError::corrupt(&path, other.to_string()),
    })?;
    let checkpoint = Checkpoint::parse(text).map_err(|e| AuditError::corrupt(&path, e.to_string()))?;
    if checkpoint.origin != key.name() {
        let detail = format!("its checkpoint is of `{}`", checkpoint.origin);
        return Err(AuditError::OtherLog { folder: dir.to_owned(), detail });
    }
    Ok(Some(checkpoint))
}

/// The first entries of the segments in the folder, oldest first.
pub(crate) fn existing(disk: &dyn Disk, folder: &Path) -> Result<VecDeque<u64>, AuditError> {
    let names = disk.list(folder).map_err(|e| AuditError::io("read", folder, e))?;
    let mut firsts: Vec<u64> = names.iter().filter_map(|name| segment_first(name)).collect();
    firsts.sort_unstable();
    Ok(firsts.into())
}

/// Takes out the segments from before the last orderly end: the end was cut off while it removed them.
fn take_settled(disk: &dyn Disk, folder: &Path, firsts: &mut VecDeque<u64>) -> Result<Vec<u64>, AuditError> {
    for position in (1..firsts.len()).rev() {
        let Some(first) = firsts.get(position).copied() else { break };
        let path = segment_path(folder, first);
        let header = disk.open(&path, false).and_then(|file| SegmentHeader::read(file.as_ref()));
        let header = header.map_err(|e| AuditError::io("read", &path, e))?;
        if header.is_some_and(|h| h.settled && h.first == first) {
            return Ok(firsts.drain(..position).collect());
        }
    }
    Ok(Vec::new())
}

fn create(disk: &dyn Disk, options: &LogOptions, mut reserve_ready: bool) -> Result<Recovered, AuditError> {
    let folder = options.dir.join("segments");
    if !reserve_ready {
        let bytes = (options.segment_bytes / FIRST_SEGMENT_SHARE).max(SMALLEST_SEGMENT);
        prepare(disk, &reserve_path(&folder), bytes, || false)?;
    }
    let active = begin_segment(disk, &folder, &options.origin, 0, true)?;
    reserve_ready = false;
    Ok(Recovered {
        recovery: Recovery { entries: 0, published: 0, shown_from: 0, dropped_bytes: 0 },
        headers: vec![active.header],
        active,
        segments: VecDeque::from([0]),
        base: Base { tiles: TileBuilder::new(), bundle: Vec::new(), source: None },
        reserve_ready,
    })
}

/// Everything before the oldest segment: its tiles and bundles were made durable before its segments were removed.
fn base(disk: &dyn Disk, dir: &Path, first: u64, show: &mut Show<'_>) -> Result<Base, AuditError> {
    let even = first - first % 256;
    let read = |path: TilePath| {
        let place = dir.join(path.to_string());
        match disk.read(&place, 256 * 32) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(AuditError::corrupt(&place, "it is missing")),
            Err(e) => Err(AuditError::io("read", &place, e)),
        }
    };
    let mut tiles = TileBuilder::from_full_tiles(even, read).map_err(|e| match e {
        TreeError::Read { source, .. } => source,
        other => AuditError::corrupt(dir, other.to_string()),
    })?;
    let count = usize::try_from(first % 256).unwrap_or(0);
    let Some(partial) = TilePath::in_tree(TileKind::Entries, even / 256, first).filter(|_| count > 0) else {
        return Ok(Base { tiles, bundle: Vec::new(), source: None });
    };
    for path in [partial, partial.full()] {
        let place = dir.join(path.to_string());
        let bytes = disk.read(&place, MAX_BUNDLE_BYTES).map_err(|e| AuditError::io("read", &place, e))?;
        let entries = bytes.as_deref().and_then(|b| decode_bundle(b).ok()).unwrap_or_default();
        let Some(entries) = entries.get(..count) else { continue };
        for (index, entry) in (even..).zip(entries) {
            show(index, entry);
            tiles.append(leaf_hash(entry), &mut |_, _| {});
        }
        let bundle =
            encode_bundle(entries.iter().copied()).map_err(|e| AuditError::corrupt(&place, e.to_string()))?;
        return Ok(Base { tiles, bundle, source: Some(path) });
    }
    Err(AuditError::corrupt(&dir.join(partial.to_string()), "it is missing or damaged"))
}

/// Compares the tree as it grows with the last checkpoint.
struct Check<'a> {
    expected: Option<&'a Checkpoint>,
    tiles: TileBuilder,
    dir: &'a Path,
}

impl Check<'_> {
    fn append(&mut self, leaf: Hash) -> Result<(), AuditError> {
        self.tiles.append(leaf, &mut |_, _| {});
        self.compare()
    }

    fn compare(&self) -> Result<(), AuditError> {
        match self.expected {
            Some(c) if c.size == self.tiles.size() && c.root != self.tiles.root() => {
                let detail = format!("the {} entries on the disk are not those of the checkpoint", c.size);
                Err(AuditError::corrupt(&self.dir.join("checkpoint"), detail))
            }
            _ => Ok(()),
        }
    }
}

struct Found {
    header: SegmentHeader,
    active: Active,
    dropped_bytes: u64,
}

fn read_segment(
    disk: &dyn Disk,
    path: &Path,
    first: u64,
    origin: &str,
    check: &mut Check<'_>,
    last: bool,
    show: &mut Show<'_>,
) -> Result<Found, AuditError> {
    let failed = |e| AuditError::io("read", path, e);
    let file = disk.open(path, last).map_err(failed)?;
    let size = file.size().map_err(failed)?;
    let header = SegmentHeader::read(file.as_ref())
        .map_err(failed)?
        .filter(|h| h.first == first)
        .ok_or_else(|| AuditError::corrupt(path, "its header is damaged"))?;
    if header.origin != sha256(origin.as_bytes()) {
        let folder = path.parent().unwrap_or(path).to_owned();
        return Err(AuditError::OtherLog {
            folder,
            detail: "a segment was written under another origin".into(),
        });
    }
    let shown = |index, entry: &[u8], leaf| {
        show(index, entry);
        check.append(leaf)
    };
    let end = scan(file.as_ref(), &header, shown).map_err(|e| match e {
        ScanError::Io(e) => failed(e),
        ScanError::Caller(error) => error,
    })?;
    let rest = inspect_rest(file.as_ref(), &header, end).map_err(failed)?;
    if let Some(later) = rest.damage_before {
        let detail =
            format!("a batch at byte {} is damaged, and a later one at byte {later} is whole", end.offset);
        return Err(AuditError::corrupt(path, detail));
    }
    let dropped_bytes = rest.begun.saturating_sub(end.offset);
    let active = Active { file, header, offset: end.offset, synced: end.synced, digest: end.digest, size };
    Ok(Found { header, active, dropped_bytes })
}

/// Makes the end of the log what it reads as. What may be in memory only is written again: a process that died between
/// write and sync, or whose sync failed, leaves pages that read well and are never written back, and what is appended
/// behind them would later seem to follow a hole. What is dropped is overwritten with zeros.
fn secure(active: &mut Active, dropped_bytes: u64) -> std::io::Result<()> {
    let length = usize::try_from(active.offset.saturating_sub(active.synced)).unwrap_or(0);
    let mut batches = vec![0; length];
    let mut filled = 0;
    while let Some(rest) = batches.get_mut(filled..).filter(|r| !r.is_empty()) {
        let at = active.synced.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match active.file.read_at(at, rest)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => filled += read,
        }
    }
    write_all(active.file.as_mut(), active.synced, &batches)?;
    let zeros = vec![0; usize::try_from(dropped_bytes).unwrap_or(0)];
    write_all(active.file.as_mut(), active.offset, &zeros)?;
    active.file.sync()?;
    active.synced = active.offset;
    Ok(())
}
