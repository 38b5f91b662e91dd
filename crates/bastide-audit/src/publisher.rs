//! What readers see: tiles, entry bundles and the signed checkpoint, written beside the hot path.
//!
//! Nothing here decides what is recorded: all of it can be made anew from the segments, which stay until what replaces
//! them is durable. So tiles are written without a sync of their own, under a temporary name and then renamed, and the
//! checkpoint comes last: a reader never sees one whose tiles are missing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_tlog::{Checkpoint, Hash, Note, TileBuilder, TileKind, TilePath};

use crate::disk::{Disk, write_all};
use crate::error::AuditError;
use crate::keeper::{Keeper, remove_partials};
use crate::outlet::{EndOnDrop, Outlet, Round};
use crate::record::Signer;
use crate::segment::{ScanError, SegmentHeader, scan, segment_path};

/// The largest bundle: 256 entries with their lengths.
pub(crate) const MAX_BUNDLE_BYTES: u64 = 256 * (2 + 65_535);

/// So much of what recovery found is written at once.
const OUTBOX_BYTES: usize = 2 << 20;

/// The state of what is published.
pub(crate) struct Publisher {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    signer: Arc<Signer>,
    keeper: Arc<Keeper>,
    tiles: TileBuilder,
    /// The bundle in progress, encoded.
    bundle: Vec<u8>,
    /// Full tiles and bundles not yet written.
    outbox: Vec<(TilePath, Vec<u8>)>,
    outbox_bytes: usize,
    published: u64,
    /// The partial tiles and bundle that this run wrote for the newest checkpoint. One of the same width is the same.
    partials: Vec<TilePath>,
    /// Entries that recovery found in the segments and that must be written anew.
    backlog: Vec<SegmentHeader>,
    backlog_end: u64,
    /// The bundle that recovery took entries from whose segment is gone. It is durable, and a copy of it would not be:
    /// never written again.
    source: Option<TilePath>,
    /// Whether the partial tiles and the checkpoint are of this run; a power cut may have torn those of an earlier.
    renewed: bool,
}

/// Where a publisher begins.
pub(crate) struct Base {
    /// The tiles of everything before the oldest segment.
    pub(crate) tiles: TileBuilder,
    /// The entries of the unfinished bundle, encoded.
    pub(crate) bundle: Vec<u8>,
    /// Where those were read from.
    pub(crate) source: Option<TilePath>,
}

impl Publisher {
    #[expect(clippy::too_many_arguments, reason = "assembled in one place, from what recovery found")]
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        signer: Arc<Signer>,
        keeper: Arc<Keeper>,
        base: Base,
        published: u64,
        backlog: Vec<SegmentHeader>,
        backlog_end: u64,
    ) -> Self {
        Publisher {
            disk,
            dir: dir.to_owned(),
            signer,
            keeper,
            tiles: base.tiles,
            bundle: base.bundle,
            outbox: Vec::new(),
            outbox_bytes: 0,
            published,
            partials: Vec::new(),
            backlog,
            backlog_end,
            source: base.source,
            renewed: backlog_end == 0,
        }
    }

    /// The thread: until the outlet is closed and everything tried once more.
    pub(crate) fn run(mut self, outlet: &Outlet, within: Duration) {
        let _ended = EndOnDrop(outlet);
        // A round begins as much sooner as the last one took: what counts is when the checkpoint is there.
        let mut took = Duration::ZERO;
        loop {
            let round = outlet.round_due(within.saturating_sub(took));
            let young = (round == Round::Timed).then_some(within / 4);
            let began = Instant::now();
            let result = self.round(outlet, young);
            // A dear round is remembered for a while: the next one may be as dear.
            took = began.elapsed().max(took * 7 / 8).min(within / 2);
            if result.is_ok() {
                self.keeper.bundled(self.published - self.published % 256);
            }
            outlet.round_done(result.map(|()| self.published));
            if round == Round::Last {
                return;
            }
        }
    }

    /// Publishes what waits. Under load only up to a full tile: partial ones cost as much as full ones, are in the way
    /// soon, and some file systems search long for a place beside what was just removed. What is left is `young`: the
    /// next round is about as far away as ever.
    fn round(&mut self, outlet: &Outlet, young: Option<Duration>) -> Result<(), AuditError> {
        self.catch_up()?;
        // What could not be written last time goes first: until then nothing more is taken from the outlet, where
        // what waits is counted.
        self.flush()?;
        let mut written = Ok(());
        for record in outlet.take(self.tiles.size(), young) {
            self.append(&record.entry, record.leaf);
            // Each bundle as it fills: together they would be a copy of all that waited. After a failure the rest is
            // taken in all the same, because the outlet no longer has it.
            if written.is_ok() && !self.outbox.is_empty() {
                written = self.flush();
            }
        }
        written?;
        self.checkpoint()
    }

    /// Writes what recovery found in the segments: tiles may have been lost that the segments still have.
    fn catch_up(&mut self) -> Result<(), AuditError> {
        while let Some(header) = self.backlog.first().copied() {
            let path = segment_path(&self.dir.join("segments"), header.first);
            let failed = |e| AuditError::io("read", &path, e);
            let disk = Arc::clone(&self.disk);
            let file = disk.open(&path, false).map_err(failed)?;
            let end = self.backlog_end;
            let scanned = scan(file.as_ref(), &header, |index, entry, leaf| {
                if index >= end {
                    return Err(None);
                }
                if index < self.tiles.size() {
                    return Ok(());
                }
                self.append(entry, leaf);
                if self.outbox_bytes < OUTBOX_BYTES { Ok(()) } else { self.flush().map_err(Some) }
            });
            match scanned {
                Ok(_) | Err(ScanError::Caller(None)) => {}
                Err(ScanError::Caller(Some(error))) => return Err(error),
                Err(ScanError::Io(e)) => return Err(failed(e)),
            }
            self.backlog.remove(0);
        }
        Ok(())
    }

    fn append(&mut self, entry: &[u8], leaf: Hash) {
        // INVARIANT: entries have at most 16 KiB.
        let length = u16::try_from(entry.len()).unwrap_or(u16::MAX);
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let (outbox, bytes) = (&mut self.outbox, &mut self.outbox_bytes);
        let bundle = &mut self.bundle;
        self.tiles.append(leaf, &mut |path, hashes| {
            if path.kind == TileKind::Hashes(0) {
                // The next one will be about as large.
                let next = Vec::with_capacity(bundle.len());
                let bundle = std::mem::replace(bundle, next);
                *bytes += bundle.len();
                outbox.push((TilePath { kind: TileKind::Entries, ..path }, bundle));
            }
            let tile = concat(hashes);
            *bytes += tile.len();
            outbox.push((path, tile));
        });
    }

    /// Writes the full tiles.
    fn flush(&mut self) -> Result<(), AuditError> {
        let mut written = 0;
        let mut result = Ok(());
        for (path, bytes) in &self.outbox {
            result = self.write_tile(*path, bytes);
            if result.is_err() {
                break;
            }
            if path.kind != TileKind::Entries || !self.keeper.protects(path.index) {
                remove_partials(self.disk.as_ref(), &self.dir, path.kind, path.index);
            }
            written += 1;
        }
        let gone = self.outbox.drain(..written).map(|(_, bytes)| bytes.len()).sum();
        self.outbox_bytes = self.outbox_bytes.saturating_sub(gone);
        result
    }

    /// Writes the partial tiles and the checkpoint over everything appended.
    fn checkpoint(&mut self) -> Result<(), AuditError> {
        let size = self.tiles.size();
        if size == self.published && self.renewed {
            return Ok(());
        }
        let is_new = |path: &TilePath| !self.partials.contains(path);
        let bundle = TilePath::in_tree(TileKind::Entries, size / 256, size);
        for (path, hashes) in self.tiles.partials().filter(|(path, _)| is_new(path)) {
            self.write_tile(path, &concat(hashes))?;
        }
        if let Some(path) = bundle.filter(is_new) {
            self.write_tile(path, &self.bundle)?;
        }
        self.partials = self.tiles.partials().map(|(path, _)| path).chain(bundle).collect();
        let origin = self.signer.public.name().to_owned();
        let body = Checkpoint { origin, size, root: self.tiles.root() }.body();
        let path = self.dir.join("checkpoint");
        let note = Note::sign(&body, &self.signer.public, &self.signer.key)
            .map_err(|e| AuditError::io("sign", &path, std::io::Error::other(e)))?;
        // Synced, unlike the tiles: a checkpoint of zeros after a power cut would keep the log from opening.
        self.write(&path, note.as_bytes(), true)?;
        self.published = size;
        self.renewed = true;
        Ok(())
    }

    fn write_tile(&self, path: TilePath, bytes: &[u8]) -> Result<(), AuditError> {
        if self.source == Some(path) {
            return Ok(());
        }
        self.write(&self.dir.join(path.to_string()), bytes, false)
    }

    fn write(&self, path: &Path, bytes: &[u8], sync: bool) -> Result<(), AuditError> {
        write_file(self.disk.as_ref(), &self.dir, path, bytes, sync)
    }
}

/// Writes a file so that readers see nothing, the old one or the new one.
pub(crate) fn write_file(
    disk: &dyn Disk,
    dir: &Path,
    path: &Path,
    bytes: &[u8],
    sync: bool,
) -> Result<(), AuditError> {
    let temporary = dir.join("segments").join("publish.tmp");
    let written = (|| {
        let mut file = disk.create(&temporary)?;
        write_all(file.as_mut(), 0, bytes)?;
        if sync {
            file.sync()?;
        }
        drop(file);
        match disk.rename(&temporary, path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                disk.create_dirs(path.parent().unwrap_or(dir))?;
                disk.rename(&temporary, path)
            }
            other => other,
        }
    })();
    written.map_err(|e| AuditError::io("write", path, e))
}

fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|h| h.0).collect()
}
