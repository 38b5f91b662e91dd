//! The one thread that writes: group commit.
//!
//! A commit is one write of all records that wait, and one sync where one of them asks for it. Whatever arrives
//! meanwhile is the next commit, so the disk's sync rate is the only limit. No record is acknowledged before it has the
//! durability that was promised; what is only written is synced soon after, and published no sooner.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

use bastide_crypto::{SystemRandom, sha256};
use bastide_types::Clock;

use crate::delivery::{PATIENCE, Wakes};
use crate::disk::{Disk, DiskFile, write_all};
use crate::error::{AuditError, is_full};
use crate::keeper::{Keeper, reserve_path};
use crate::options::{Durability, LogOptions};
use crate::outlet::Outlet;
use crate::queue::{Item, Queue, Taken};
use crate::record::{Batch, Record, Signer};
use crate::segment::{
    HEADER_BYTES, MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_OPEN_BYTES, Place, SegmentHeader, batch_overhead,
    encode_batch, record_bytes, segment_path,
};
use crate::stats::Counters;
use crate::tail::Tail;

/// How long entries may be written and not on disk.
const SYNC_WITHIN: Duration = Duration::from_millis(20);

/// The segment being written.
pub(crate) struct Active {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: SegmentHeader,
    /// Where the next batch goes.
    pub(crate) offset: u64,
    /// Everything before this place is on disk.
    pub(crate) synced: u64,
    /// The digest of the last batch.
    pub(crate) digest: [u8; 32],
    pub(crate) size: u64,
}

/// Turns the reserve into the segment that begins with `first`.
pub(crate) fn begin_segment(
    disk: &dyn Disk,
    segments: &Path,
    origin: &str,
    first: u64,
    settled: bool,
) -> Result<Active, AuditError> {
    let (reserve, path) = (reserve_path(segments), segment_path(segments, first));
    let header =
        SegmentHeader { first, salt: SystemRandom.bytes(), origin: sha256(origin.as_bytes()), settled };
    let opened = (|| {
        let mut file = disk.open(&reserve, true)?;
        write_all(file.as_mut(), 0, &header.encode())?;
        file.sync()?;
        disk.rename(&reserve, &path)?;
        // The name must be durable before an entry behind it is acknowledged.
        disk.sync_dir(segments)?;
        let size = file.size()?;
        Ok(Active { file, header, offset: HEADER_BYTES, synced: HEADER_BYTES, digest: [0; 32], size })
    })();
    opened.map_err(|e| AuditError::io("write", &path, e))
}

/// What the writer's thread works on.
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) segments: PathBuf,
    pub(crate) options: LogOptions,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) outlet: Arc<Outlet>,
    pub(crate) tail: Arc<Tail>,
    pub(crate) counters: Arc<Counters>,
    /// Entries acknowledged, or about to be.
    pub(crate) recorded: Arc<AtomicU64>,
    pub(crate) active: Active,
    /// What the publisher has not got yet, oldest first: it is not on disk.
    pub(crate) unsynced: Vec<Arc<Record>>,
    /// When the oldest of those was written.
    pub(crate) unsynced_since: Instant,
    pub(crate) buffer: Vec<u8>,
    pub(crate) wakes: Arc<Wakes>,
    /// The tasks that a commit answered; empty between commits.
    pub(crate) woken: Vec<Waker>,
}

impl Writer {
    /// Until the queue is closed and empty, or the log poisoned.
    pub(crate) fn run(mut self) -> Writer {
        let mut guard = EndOnDrop {
            queue: Arc::clone(&self.queue),
            outlet: Arc::clone(&self.outlet),
            wakes: Arc::clone(&self.wakes),
            panics: true,
        };
        let mut items = Vec::new();
        // How many records a commit may expect: the most of late, forgotten by an eighth with each commit.
        let mut expected: usize = 0;
        loop {
            // While tasks wait for a delivery that was called, or records for their sync, this thread does not sleep
            // for good.
            let called = self.wakes.is_called();
            let patience = called.then_some(PATIENCE).into_iter().chain(self.sync_in()).min();
            match self.queue.take(&mut items, expected, self.options.window, patience) {
                Taken::Some => {
                    expected = items.len().max(expected - expected.div_ceil(8));
                    self.commit_all(&mut items);
                }
                Taken::None => {}
                Taken::End => break,
            }
            // Also while single records keep coming, whose tasks are woken without a delivery.
            if called {
                self.wakes.overdue(Instant::now());
            }
            if self.sync_in().is_some_and(|left| left.is_zero()) {
                self.catch_up_or_stop();
            }
        }
        self.catch_up_or_stop();
        guard.panics = false;
        self
    }

    /// Commits what was taken, in as many batches as it needs. After a failed one nothing behind it can keep its
    /// index, so all that wait are told.
    fn commit_all(&mut self, items: &mut Vec<Item>) {
        let mut rest = items.drain(..).peekable();
        while rest.peek().is_some() {
            let batch = self.next_batch(&mut rest);
            if let Err((error, failed)) = self.commit(batch) {
                // The queue first: whoever learns of the failure and tries again must find it refused.
                let queued = self.refuse(&error);
                failed.into_iter().chain(rest.by_ref()).chain(queued).for_each(|item| item.refuse(&error));
            }
        }
    }

    /// As many items as one batch may hold: what fits into the next segment, or into this one while it is empty. A
    /// segment takes its name from its first entry, so one that is left empty would be replaced by its successor.
    fn next_batch(&self, items: &mut std::iter::Peekable<std::vec::Drain<'_, Item>>) -> Vec<Item> {
        let empty = self.active.offset == HEADER_BYTES;
        let segment = if empty { self.active.size } else { self.options.segment_bytes };
        let room = usize::try_from(segment.saturating_sub(HEADER_BYTES)).unwrap_or(usize::MAX);
        let most = MAX_BATCH_BYTES.min(room.saturating_sub(batch_overhead()));
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while let Some(item) = items.next_if(|item| {
            let after = bytes + record_bytes(item.record.entry.len());
            batch.len() < MAX_BATCH_RECORDS && after <= most
        }) {
            bytes += record_bytes(item.record.entry.len());
            batch.push(item);
        }
        batch
    }

    /// Writes, syncs, hands on and acknowledges one batch; gives its items back on failure.
    fn commit(&mut self, items: Vec<Item>) -> Result<(), (AuditError, Vec<Item>)> {
        let first = self.recorded.load(Ordering::Acquire);
        if let Err(error) = self.outlet.wait_for_room().and_then(|()| self.write(first, &items)) {
            return Err((error, items));
        }
        let count = u64::try_from(items.len()).unwrap_or(u64::MAX);
        self.recorded.store(first.saturating_add(count), Ordering::Release);
        self.queue.succeeded();
        self.hand_on();
        self.tail.push(items.iter().map(|item| Arc::clone(&item.record)));
        let leaves = items.iter().map(|item| item.record.leaf).collect();
        let batch = Arc::new(Batch::new(first, leaves, Arc::clone(&self.signer)));
        for (position, item) in items.into_iter().enumerate() {
            self.woken.extend(item.answer(Ok((Arc::clone(&batch), position))));
        }
        self.wakes.wake(&mut self.woken, Instant::now());
        Ok(())
    }

    fn write(&mut self, first: u64, items: &[Item]) -> Result<(), AuditError> {
        let length: usize = items.iter().map(|item| record_bytes(item.record.entry.len())).sum();
        let length = u64::try_from(length + batch_overhead()).unwrap_or(u64::MAX);
        // INVARIANT: an empty segment has room for the batch, so none is ever begun over one of the same name.
        let full = self.active.offset.saturating_add(length) > self.active.size;
        if full && self.active.header.first < first {
            // Only in the last segment may anything be missing, and a reserve may take its time.
            self.catch_up()?;
            self.keeper.reserve()?;
            self.active =
                begin_segment(self.disk.as_ref(), &self.segments, &self.options.origin, first, false)
                    .map_err(poisonous)?;
            self.keeper.took_reserve(first);
        }
        if self.active.offset - self.active.synced > MAX_OPEN_BYTES {
            self.catch_up()?;
        }
        let open = self.active.offset - self.active.synced;
        let place = Place { first, open, before: self.active.digest };
        let records = items.iter().map(|item| item.record.as_ref());
        let digest = encode_batch(&self.active.header.salt, &place, records, &mut self.buffer);
        let began = self.clock.monotonic();
        if let Err(e) = write_all(self.active.file.as_mut(), self.active.offset, &self.buffer) {
            // Of a full disk we know that nothing else happened: the next commit overwrites what was begun.
            return Err(if is_full(&e) { self.no_space() } else { AuditError::Poisoned(Arc::new(e)) });
        }
        (self.active.offset, self.active.digest) = (self.active.offset.saturating_add(length), digest);
        if self.unsynced.is_empty() {
            self.unsynced_since = Instant::now();
        }
        self.unsynced.extend(items.iter().map(|item| Arc::clone(&item.record)));
        if items.iter().any(|item| item.durability == Durability::Synced) {
            self.sync()?;
        }
        self.counters.committed(items.len(), self.buffer.len(), self.clock.monotonic().saturating_sub(began));
        Ok(())
    }

    /// In how long what is only written has to be synced; `None` when there is nothing of that.
    fn sync_in(&self) -> Option<Duration> {
        let open = self.active.synced < self.active.offset;
        open.then(|| SYNC_WITHIN.saturating_sub(self.unsynced_since.elapsed()))
    }

    /// Makes everything that was written durable.
    fn sync(&mut self) -> Result<(), AuditError> {
        if self.active.synced < self.active.offset {
            let synced = self.active.file.sync();
            self.active.synced = self.active.offset;
            if let Err(error) = synced {
                // After one failure no later success says anything of these, and nothing is written any more.
                self.unsynced.clear();
                return Err(AuditError::Poisoned(Arc::new(error)));
            }
        }
        Ok(())
    }

    /// Gives what is on disk to the publisher: a checkpoint over anything else would, after a power cut, cover entries
    /// that are gone.
    fn hand_on(&mut self) {
        if self.active.synced == self.active.offset {
            self.outlet.push(self.unsynced.drain(..), self.unsynced_since);
        }
    }

    /// Syncs what was acknowledged without a sync.
    fn catch_up(&mut self) -> Result<(), AuditError> {
        self.sync()?;
        self.hand_on();
        Ok(())
    }

    /// The same in its time. A log that cannot stops: what it acknowledged may be gone.
    fn catch_up_or_stop(&mut self) {
        if let Err(error) = self.catch_up() {
            self.refuse(&error).into_iter().for_each(|item| item.refuse(&error));
        }
    }

    fn no_space(&self) -> AuditError {
        AuditError::NoSpace { folder: self.segments.clone() }
    }

    /// Tells the queue of a failed commit and gives the items that waited behind it.
    fn refuse(&self, error: &AuditError) -> Vec<Item> {
        if matches!(error, AuditError::Poisoned(_)) {
            tracing::error!(%error, "the log stopped");
            self.outlet.cut(error);
            self.queue.poison(error)
        } else {
            tracing::warn!(%error, "a commit of the log failed");
            self.queue.failed(error, self.recorded.load(Ordering::Acquire))
        }
    }
}

/// A segment that could not be begun leaves the old one untouched; only a full disk is known to do no more than that.
fn poisonous(error: AuditError) -> AuditError {
    match error {
        AuditError::Io { source, .. } => AuditError::Poisoned(source),
        other => other,
    }
}

/// A writer that ends, or panics, must not leave callers waiting for a log that no one writes.
struct EndOnDrop {
    queue: Arc<Queue>,
    outlet: Arc<Outlet>,
    wakes: Arc<Wakes>,
    panics: bool,
}

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        if self.panics {
            let error = AuditError::Poisoned(Arc::new(std::io::Error::other("the log's writer failed")));
            self.outlet.cut(&error);
            self.queue.poison(&error).into_iter().for_each(|item| item.refuse(&error));
        }
        self.wakes.end();
    }
}
