//! Reading a log: for `tail`, search and a check of one's own. The independent check is `bastide-verify`'s.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bastide_tlog::{
    Checkpoint, Hash, NoteKey, TileBuilder, TileKind, TilePath, decode_bundle, leaf_hash, verify_inclusion,
};

use crate::disk::{Disk, LocalDisk};
use crate::error::AuditError;
use crate::publisher::MAX_BUNDLE_BYTES;
use crate::recovery::{MAX_NOTE_BYTES, existing, read_checkpoint};
use crate::segment::{ScanError, SegmentHeader, scan, segment_path};
use crate::value::{Value, ValueError};

/// An entry with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its index.
    pub index: u64,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl LogEntry {
    /// What it says.
    ///
    /// # Errors
    /// When the bytes are no entry of a version this reader knows.
    pub fn value(&self) -> Result<Value, ValueError> {
        Value::parse(&self.bytes)
    }

    /// Its leaf hash.
    #[must_use]
    pub fn leaf(&self) -> Hash {
        leaf_hash(&self.bytes)
    }
}

/// A log, open for reading, also while another process writes it.
pub struct LogReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    key: NoteKey,
    checkpoint: Checkpoint,
}

impl LogReader {
    /// Opens the log in a folder of this machine.
    ///
    /// # Errors
    /// When key or checkpoint cannot be read or do not fit each other.
    pub fn open(dir: impl Into<PathBuf>) -> Result<LogReader, AuditError> {
        LogReader::open_on(Arc::new(LocalDisk), dir)
    }

    /// Opens the log on any disk.
    ///
    /// # Errors
    /// As [`LogReader::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> Result<LogReader, AuditError> {
        let dir = dir.into();
        let path = dir.join("log.vkey");
        let line = disk.read(&path, MAX_NOTE_BYTES).map_err(|e| AuditError::io("read", &path, e))?;
        let line = line.ok_or_else(|| AuditError::io("read", &path, std::io::ErrorKind::NotFound.into()))?;
        let key = std::str::from_utf8(&line).ok().and_then(|text| NoteKey::parse(text).ok());
        let key = key.ok_or_else(|| AuditError::corrupt(&path, "it is no verifier key"))?;
        let checkpoint = Checkpoint { origin: key.name().to_owned(), size: 0, root: Hash::empty_root() };
        let mut reader = LogReader { disk, dir, key, checkpoint };
        reader.refresh()?;
        Ok(reader)
    }

    /// Reads the checkpoint again.
    ///
    /// # Errors
    /// When it cannot be read or is not signed by the log's key.
    pub fn refresh(&mut self) -> Result<&Checkpoint, AuditError> {
        if let Some(checkpoint) = read_checkpoint(self.disk.as_ref(), &self.dir, &self.key)? {
            self.checkpoint = checkpoint;
        }
        Ok(&self.checkpoint)
    }

    /// The checkpoint last read; of size 0 when none was published yet.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Whether what is published may lack what a power cut took from it, which the next start writes anew: the segments
    /// still have entries that the checkpoint covers.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn may_be_torn(&self) -> Result<bool, AuditError> {
        let firsts = existing(self.disk.as_ref(), &self.dir.join("segments"))?;
        Ok(firsts.front().is_some_and(|first| *first < self.checkpoint.size))
    }

    /// The log's key.
    #[must_use]
    pub const fn key(&self) -> &NoteKey {
        &self.key
    }

    /// Up to `most` entries from index `from` on: out of the bundles as far as the checkpoint covers them, then out
    /// of the segments, whose newest entries no checkpoint covers yet. Fewer come at the end of a bundle; none at the
    /// end of the log.
    ///
    /// # Errors
    /// When a file cannot be read or a bundle is damaged.
    pub fn entries(&self, from: u64, most: usize) -> Result<Vec<LogEntry>, AuditError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        if from < self.checkpoint.size {
            let mut entries = self.bundle(from / 256)?;
            let skip = usize::try_from(from % 256).unwrap_or(0).min(entries.len());
            entries.drain(..skip);
            entries.truncate(most);
            return Ok(entries);
        }
        self.read_segments(from, most)
    }

    /// The entry at `index`; `None` when there is none.
    ///
    /// # Errors
    /// As [`LogReader::entries`].
    pub fn entry(&self, index: u64) -> Result<Option<LogEntry>, AuditError> {
        Ok(self.entries(index, 1)?.pop())
    }

    /// The entries of a published bundle, as far as the checkpoint covers it.
    fn bundle(&self, index: u64) -> Result<Vec<LogEntry>, AuditError> {
        let Some(path) = TilePath::in_tree(TileKind::Entries, index, self.checkpoint.size) else {
            return Ok(Vec::new());
        };
        let bytes = self.tile(path, MAX_BUNDLE_BYTES)?;
        let place = self.dir.join(path.to_string());
        let entries = decode_bundle(&bytes).map_err(|e| AuditError::corrupt(&place, e.to_string()))?;
        let entries = entries
            .get(..usize::from(path.width))
            .ok_or_else(|| AuditError::corrupt(&place, "it has fewer entries than its name says"))?;
        Ok((index.saturating_mul(256)..)
            .zip(entries)
            .map(|(index, bytes)| LogEntry { index, bytes: bytes.to_vec() })
            .collect())
    }

    /// A tile's bytes; the full one where the partial one is gone.
    fn tile(&self, path: TilePath, limit: u64) -> Result<Vec<u8>, AuditError> {
        for path in [path, path.full()] {
            let place = self.dir.join(path.to_string());
            if let Some(bytes) =
                self.disk.read(&place, limit).map_err(|e| AuditError::io("read", &place, e))?
            {
                return Ok(bytes);
            }
        }
        Err(AuditError::corrupt(&self.dir.join(path.to_string()), "it is missing"))
    }

    fn read_segments(&self, from: u64, most: usize) -> Result<Vec<LogEntry>, AuditError> {
        let folder = self.dir.join("segments");
        let firsts = existing(self.disk.as_ref(), &folder)?;
        let mut found = Vec::new();
        for (position, first) in firsts.iter().enumerate() {
            if firsts.get(position + 1).is_some_and(|next| *next <= from) {
                continue;
            }
            let path = segment_path(&folder, *first);
            let failed = |e| AuditError::io("read", &path, e);
            let file = match self.disk.open(&path, false) {
                Ok(file) => file,
                // Removed since it was listed: its entries are in bundles now.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(failed(e)),
            };
            let Some(header) = SegmentHeader::read(file.as_ref()).map_err(failed)? else { break };
            // It became another segment since it was opened: as if it were removed.
            if header.first != *first {
                continue;
            }
            let scanned = scan(file.as_ref(), &header, |index, bytes, _| {
                // So did one before it while it was read: the rest of that is in bundles now.
                if found.last().is_some_and(|last: &LogEntry| last.index.saturating_add(1) != index) {
                    return Err(());
                }
                if index >= from {
                    found.push(LogEntry { index, bytes: bytes.to_vec() });
                }
                if found.len() < most { Ok(()) } else { Err(()) }
            });
            match scanned {
                Ok(_) => {}
                Err(ScanError::Caller(())) => break,
                Err(ScanError::Io(e)) => return Err(failed(e)),
            }
        }
        Ok(found)
    }

    /// The leaf hash at `index` with its inclusion path under the checkpoint.
    ///
    /// # Errors
    /// When the checkpoint does not cover it, or a tile is missing or damaged.
    pub fn prove(&self, index: u64) -> Result<(Hash, Vec<Hash>), AuditError> {
        let size = self.checkpoint.size;
        let mut tree = bastide_tlog::TreeReader::new(size, |path| self.tile(path, 256 * 32));
        let proved = tree.leaf(index).and_then(|leaf| Ok((leaf, tree.inclusion(index)?)));
        let (leaf, path) = proved.map_err(|e| AuditError::corrupt(&self.dir, e.to_string()))?;
        verify_inclusion(leaf, index, size, &path, self.checkpoint.root)
            .map_err(|e| AuditError::corrupt(&self.dir, e.to_string()))?;
        Ok((leaf, path))
    }

    /// Reads every entry and tile that the checkpoint covers and compares all with each other and with the
    /// checkpoint. Gives the number of entries.
    ///
    /// # Errors
    /// The first thing that does not fit.
    pub fn verify(&self) -> Result<u64, AuditError> {
        let size = self.checkpoint.size;
        let mut tiles = TileBuilder::new();
        for index in 0..size.div_ceil(256) {
            for entry in self.bundle(index)? {
                if let Err(error) = entry.value() {
                    let place = self.dir.join(format!("tile/entries, entry {}", entry.index));
                    return Err(AuditError::corrupt(&place, error.to_string()));
                }
                let mut result = Ok(());
                tiles.append(entry.leaf(), &mut |path, hashes| {
                    if result.is_ok() {
                        result = self.compare(path, hashes);
                    }
                });
                result?;
            }
        }
        tiles.partials().try_for_each(|(path, hashes)| self.compare(path, hashes))?;
        if tiles.size() != size || tiles.root() != self.checkpoint.root {
            let detail = "its root is not that of the entries";
            return Err(AuditError::corrupt(&self.dir.join("checkpoint"), detail));
        }
        Ok(size)
    }

    fn compare(&self, path: TilePath, hashes: &[Hash]) -> Result<(), AuditError> {
        let bytes = self.tile(path, 256 * 32)?;
        let expected = hashes.iter().flat_map(|h| h.0);
        // A partial tile may have grown into a full one since; a full one is compared whole, when its time comes.
        let whole = bytes.len() == hashes.len() * 32 || bytes.len() == 256 * 32;
        if whole && bytes.iter().copied().take(hashes.len() * 32).eq(expected) {
            Ok(())
        } else {
            Err(AuditError::corrupt(&self.dir.join(path.to_string()), "it is not that of the entries"))
        }
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}
