//! The log as others hold it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};

use bastide_crypto::SigningKey;
use bastide_tlog::NoteKey;
use bastide_types::{Clock, Event};
use tokio::sync::watch;

use crate::delivery::{Delivery, Wakes};
use crate::disk::{Disk, DiskTree, LocalDisk};
use crate::entry::encode;
use crate::error::AuditError;
use crate::keeper::{Keeper, remove_segment};
use crate::options::{Durability, LogOptions};
use crate::outlet::Outlet;
use crate::publisher::Publisher;
use crate::queue::Queue;
use crate::reader::LogEntry;
use crate::record::{Pending, Record, Recorded, Signer};
use crate::recovery::{Recovery, recover};
use crate::stats::{Counters, LogStats};
use crate::tail::Tail;
use crate::writer::{Writer, begin_segment};

/// A log, open for writing. Clones share it; the last one dropped without [`Log::close`] ends it in the background.
#[derive(Clone)]
pub struct Log(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    outlet: Arc<Outlet>,
    tail: Arc<Tail>,
    wakes: Arc<Wakes>,
    keeper: Arc<Keeper>,
    counters: Arc<Counters>,
    recorded: Arc<AtomicU64>,
    key: NoteKey,
    threads: Mutex<Option<Threads>>,
}

type Kept = (std::collections::VecDeque<u64>, Option<Box<dyn DiskTree>>);

struct Threads {
    writer: JoinHandle<Writer>,
    publisher: JoinHandle<()>,
    keeper: JoinHandle<Kept>,
    /// Held as long as anything may write.
    lock: Box<dyn Send + Sync>,
}

impl Log {
    /// Opens the log in a folder of this machine, or begins one there.
    ///
    /// # Errors
    /// When an option is out of range, another process writes the log, it belongs to another key or origin, a file
    /// cannot be read or written, or what is there contradicts itself in a way that no crash explains.
    pub fn open(
        options: LogOptions,
        key: SigningKey,
        clock: Arc<dyn Clock>,
    ) -> Result<(Log, Recovery), AuditError> {
        Log::open_on(Arc::new(LocalDisk), options, key, clock)
    }

    /// Opens the log on any disk.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        key: SigningKey,
        clock: Arc<dyn Clock>,
    ) -> Result<(Log, Recovery), AuditError> {
        Log::open_showing(disk, options, key, clock, |_, _| ())
    }

    /// Opens the log on any disk, and shows each entry that opening reads anyway, with its index and in order: those
    /// from [`Recovery::shown_from`] on. Of these a crash may have left the published files torn, until they are
    /// written anew; those before are in full bundles that are on disk.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_showing(
        disk: Arc<dyn Disk>,
        options: LogOptions,
        key: SigningKey,
        clock: Arc<dyn Clock>,
        mut show: impl FnMut(u64, &[u8]),
    ) -> Result<(Log, Recovery), AuditError> {
        options.check()?;
        let dir = options.dir.clone();
        let segments = dir.join("segments");
        disk.create_dirs(&segments).map_err(|e| AuditError::io("create", &segments, e))?;
        let lock = disk.lock(&segments.join("lock")).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => AuditError::Locked { folder: dir.clone() },
            _ => AuditError::io("lock", &segments, e),
        })?;
        // Before anything is read: from here on, write-back errors are reported to this handle.
        let tree = disk.tree(&dir).map_err(|e| AuditError::io("open", &dir, e))?;
        let public = NoteKey::new(&options.origin, key.verifying_key())
            .map_err(|_| AuditError::Options("the origin is not a name that a key can have"))?;
        let recovered = recover(disk.as_ref(), &options, &public, &mut show)?;
        let recovery = recovered.recovery;
        let protected = recovered.base.source.filter(|path| !path.is_full()).map(|path| path.index);
        let signer = Arc::new(Signer { key, public: public.clone() });
        let queue = Arc::new(Queue::new(recovery.entries, options.queue));
        let keeper = Arc::new(Keeper::new(
            Arc::clone(&disk),
            &dir,
            options.segment_bytes,
            recovered.segments,
            protected,
            recovered.reserve_ready,
        ));
        let outlet = Arc::new(Outlet::new(recovery.published, recovery.entries));
        let tail = Arc::new(Tail::new(recovery.entries));
        let recorded = Arc::new(AtomicU64::new(recovery.entries));
        let counters = Arc::new(Counters::default());
        let wakes = Arc::new(Wakes::new());
        let publisher = Publisher::new(
            Arc::clone(&disk),
            &dir,
            Arc::clone(&signer),
            Arc::clone(&keeper),
            recovered.base,
            recovery.published,
            recovered.headers,
            recovery.entries,
        );
        let within = options.publish_within;
        let writer = Writer {
            disk,
            segments,
            options,
            clock,
            signer,
            queue: Arc::clone(&queue),
            keeper: Arc::clone(&keeper),
            outlet: Arc::clone(&outlet),
            tail: Arc::clone(&tail),
            counters: Arc::clone(&counters),
            recorded: Arc::clone(&recorded),
            active: recovered.active,
            unsynced: Vec::new(),
            unsynced_since: std::time::Instant::now(),
            buffer: Vec::new(),
            wakes: Arc::clone(&wakes),
            woken: Vec::new(),
        };
        let threads = Threads {
            writer: spawn("audit-writer", &dir, move || writer.run())?,
            publisher: spawn("audit-publish", &dir, {
                let outlet = Arc::clone(&outlet);
                move || publisher.run(&outlet, within)
            })?,
            keeper: spawn("audit-keeper", &dir, {
                let keeper = Arc::clone(&keeper);
                move || keeper.run(tree)
            })?,
            lock,
        };
        let threads = Mutex::new(Some(threads));
        Ok((
            Log(Arc::new(Handle {
                queue,
                outlet,
                tail,
                wakes,
                keeper,
                counters,
                recorded,
                key: public,
                threads,
            })),
            recovery,
        ))
    }

    /// Hands an event to the writer. It gets its index at once and is on disk when the [`Pending`] resolves; if that
    /// fails, the index goes to another event.
    ///
    /// # Errors
    /// When the queue is full, the event too large, or the log closed or poisoned.
    pub fn submit(&self, event: Event) -> Result<Pending, AuditError> {
        self.submit_as(Durability::Synced, event, None)
    }

    /// As [`Log::submit`], for an event of which the [`Pending`] promises the given durability. One that names the index
    /// or the leaf of an `earlier` event is recorded only where that one is, under the index that it was promised.
    ///
    /// # Errors
    /// As [`Log::submit`], and when the earlier event was not recorded.
    pub fn submit_as(
        &self,
        durability: Durability,
        event: Event,
        earlier: Option<&Pending>,
    ) -> Result<Pending, AuditError> {
        // Encoded and hashed here, on as many cores as there are callers, not on the one writer.
        let record = Arc::new(Record::new(encode(&event)?));
        let pushed = self.0.queue.push(record, durability, earlier);
        if matches!(pushed, Err(AuditError::Full)) {
            self.0.counters.refused();
        }
        pushed
    }

    /// Records an event: it is on disk when this returns. A caller that is dropped while it waits does not take the
    /// event back.
    ///
    /// # Errors
    /// When the event was not recorded.
    pub async fn record(&self, event: Event) -> Result<Recorded, AuditError> {
        self.submit(event)?.await
    }

    /// A task for the runtime that most records are awaited on: as long as it runs, all tasks that a commit answers are
    /// woken from there, and the writer wakes one instead of each. Without it, or where it does not come to run, the
    /// writer wakes them itself, so nothing depends on it. It ends with the log, or when a newer one begins.
    pub fn deliver(&self) -> Delivery {
        Delivery::new(Arc::clone(&self.0.wakes))
    }

    /// Waits on this thread until what an earlier run published is written anew: a power cut may have torn it.
    ///
    /// # Errors
    /// When tiles or checkpoint could not be written.
    pub fn renewed(&self) -> Result<(), AuditError> {
        self.0.outlet.publish(0)
    }

    /// Publishes a checkpoint over everything that is recorded now, and waits for it on this thread.
    ///
    /// # Errors
    /// When tiles or checkpoint could not be written.
    pub fn publish_now(&self) -> Result<(), AuditError> {
        self.0.outlet.publish(self.size())
    }

    /// Entries acknowledged, or about to be.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.0.recorded.load(Ordering::Acquire)
    }

    /// Up to `most` of the newest entries that are held in memory, from index `from` on, oldest first. What is older
    /// than the first one held is for a [`LogReader`](crate::LogReader).
    #[must_use]
    pub fn newest(&self, from: u64, most: usize) -> Vec<LogEntry> {
        self.0.tail.since(from, most)
    }

    /// The index of the first entry that is held in memory.
    #[must_use]
    pub fn newest_from(&self) -> u64 {
        self.0.tail.first()
    }

    /// [`Log::size`], now and whenever it grows.
    #[must_use]
    pub fn grown(&self) -> watch::Receiver<u64> {
        self.0.tail.grown()
    }

    /// Entries under the newest checkpoint.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.0.outlet.published()
    }

    /// Whether the log records and publishes.
    ///
    /// # Errors
    /// Why it does not: poisoned, the last commit failed, or the last round of publishing did.
    pub fn healthy(&self) -> Result<(), AuditError> {
        self.0.queue.health()?;
        self.0.outlet.failure().map_or(Ok(()), Err)
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn stats(&self) -> LogStats {
        let inner = &self.0;
        inner.counters.read(self.size(), self.published(), inner.queue.length(), &inner.keeper)
    }

    /// The key that checkpoints and receipts are verified with.
    #[must_use]
    pub fn key(&self) -> &NoteKey {
        &self.0.key
    }

    /// Writes what waits, publishes it, makes it durable and ends the threads. Other clones get
    /// [`AuditError::Closed`] from then on. Blocks this thread.
    ///
    /// # Errors
    /// When the log was poisoned or the last checkpoint could not be written.
    pub fn close(self) -> Result<(), AuditError> {
        let threads = self.0.threads.lock().unwrap_or_else(PoisonError::into_inner).take();
        threads.map_or(Ok(()), |threads| self.0.end(threads))
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("origin", &self.0.key.name()).field("size", &self.size()).finish()
    }
}

impl Handle {
    fn end(&self, threads: Threads) -> Result<(), AuditError> {
        self.queue.close();
        let writer = threads.writer.join().ok();
        self.outlet.close();
        let published = threads.publisher.join().is_ok();
        self.keeper.close();
        let kept = threads.keeper.join().ok();
        // Closed is what it is meant to be; anything before that is worth telling.
        match self.queue.health() {
            Err(AuditError::Closed) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        if let Some(failure) = self.outlet.failure() {
            return Err(failure);
        }
        let (Some(writer), Some((segments, tree)), true) = (writer, kept, published) else {
            return Err(AuditError::Closed);
        };
        if let Some(tree) = tree
            && self.keeper.reserve_ready()
            && let Err(error) = settle(&writer, &segments, tree, self.recorded.load(Ordering::Acquire))
        {
            // The next start reads the segments instead.
            tracing::debug!(%error, "the log was closed without a fresh segment");
        }
        drop(threads.lock);
        Ok(())
    }
}

/// Leaves a folder in which the next start has nothing to read: tiles durable, segments replaced by an empty one.
fn settle(
    writer: &Writer,
    segments: &std::collections::VecDeque<u64>,
    mut tree: Box<dyn DiskTree>,
    entries: u64,
) -> Result<(), AuditError> {
    if writer.active.header.first == entries {
        return Ok(());
    }
    let disk = writer.disk.as_ref();
    tree.sync().map_err(|e| AuditError::io("write", &writer.segments, e))?;
    begin_segment(disk, &writer.segments, &writer.options.origin, entries, true)?;
    segments.iter().try_for_each(|first| remove_segment(disk, &writer.segments, *first))
}

impl Drop for Handle {
    fn drop(&mut self) {
        let threads = self.threads.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(threads) = threads {
            self.queue.close();
            let (outlet, keeper) = (Arc::clone(&self.outlet), Arc::clone(&self.keeper));
            // The last holder may be an async task: it does not wait for the disk.
            let ended = Builder::new().name("audit-close".to_owned()).spawn(move || {
                let _ = threads.writer.join();
                outlet.close();
                let _ = threads.publisher.join();
                keeper.close();
                let _ = threads.keeper.join();
                drop(threads.lock);
            });
            drop(ended);
        }
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    dir: &Path,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, AuditError> {
    Builder::new().name(name.to_owned()).spawn(work).map_err(|e| AuditError::io("start a thread for", dir, e))
}
