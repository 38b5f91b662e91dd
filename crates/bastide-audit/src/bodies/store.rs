//! The store of bodies as the gateway holds it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use bastide_types::Clock;

use super::body::Body;
use super::options::{BodiesOptions, Keep};
use super::queue::Queue;
use super::writer::{Ended, Writer, existing};
use crate::disk::{Disk, LocalDisk};
use crate::error::AuditError;

/// How often at most the server's own log says that bodies are lost.
const COMPLAIN: Duration = Duration::from_secs(10);

/// The store, open for writing. Clones share it; the last one dropped without [`Bodies::close`] ends it in the
/// background.
#[derive(Clone)]
pub struct Bodies(Arc<Handle>);

struct Handle {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    keep: Keep,
    clock: Arc<dyn Clock>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What became of bodies since the start, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BodyStats {
    /// Written.
    pub kept: u64,
    /// Dropped because too much waited to be written.
    pub dropped_full: u64,
    /// Dropped because they could not be written.
    pub dropped_disk: u64,
    /// Bytes in the folder now.
    pub bytes: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    pub(super) kept: AtomicU64,
    pub(super) full: AtomicU64,
    pub(super) disk: AtomicU64,
    pub(super) bytes: AtomicU64,
    /// Seconds of the monotonic clock at the last complaint, plus one.
    complained: AtomicU64,
}

impl Counters {
    /// Whether it is time to say again that bodies are lost.
    pub(super) fn may_complain(&self, now: Duration) -> bool {
        let (now, last) = (now.as_secs().saturating_add(1), self.complained.load(Relaxed));
        let due = last == 0 || now >= last.saturating_add(COMPLAIN.as_secs());
        due && self.complained.compare_exchange(last, now, Relaxed, Relaxed).is_ok()
    }
}

impl Bodies {
    /// Opens the store in a folder of this machine, which only one process may do at a time.
    ///
    /// # Errors
    /// When an option is out of range, or the folder cannot be created or read.
    pub fn open(options: BodiesOptions, clock: Arc<dyn Clock>) -> Result<Bodies, AuditError> {
        Bodies::open_on(Arc::new(LocalDisk), options, clock)
    }

    /// Opens the store on any disk.
    ///
    /// # Errors
    /// As [`Bodies::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        options: BodiesOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Bodies, AuditError> {
        options.check()?;
        let dir = options.dir.clone();
        disk.create_dirs(&dir).map_err(|e| AuditError::io("create", &dir, e))?;
        let segments = existing(disk.as_ref(), &dir)?;
        let queue = Arc::new(Queue::new(options.queue_bytes));
        let counters = Arc::new(Counters::default());
        let keep = options.keep;
        let writer = Writer::new(
            disk,
            options,
            Arc::clone(&clock),
            Arc::clone(&queue),
            Arc::clone(&counters),
            segments,
        );
        let ended = Ended(Arc::clone(&queue));
        let thread = Builder::new()
            .name("audit-bodies".to_owned())
            .spawn(move || {
                let _ended = ended;
                writer.run();
            })
            .map_err(|e| AuditError::io("start a thread for", &dir, e))?;
        Ok(Bodies(Arc::new(Handle { queue, counters, keep, clock, thread: Mutex::new(Some(thread)) })))
    }

    /// Which exchanges' bodies are to be kept. Whoever pushes keeps to it.
    #[must_use]
    pub fn keep(&self) -> Keep {
        self.0.keep
    }

    /// Hands a body to the writer, or drops it when too much waits. Never waits for the disk.
    pub fn push(&self, body: Body) {
        let handle = &self.0;
        if handle.queue.push(body) {
            return;
        }
        let dropped = handle.counters.full.fetch_add(1, Relaxed).saturating_add(1);
        if handle.counters.may_complain(handle.clock.monotonic()) {
            tracing::warn!(dropped, "bodies are dropped: the disk does not keep up");
        }
    }

    /// Waits until what was pushed is written or lost, at most so long, on this thread. False when that was too short.
    #[must_use]
    pub fn flush(&self, at_most: Duration) -> bool {
        self.0.queue.flush(at_most)
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn stats(&self) -> BodyStats {
        let counters = &self.0.counters;
        BodyStats {
            kept: counters.kept.load(Relaxed),
            dropped_full: counters.full.load(Relaxed),
            dropped_disk: counters.disk.load(Relaxed),
            bytes: counters.bytes.load(Relaxed),
        }
    }

    /// Writes what waits and ends the thread. What other clones push then is dropped. Blocks this thread.
    pub fn close(self) {
        self.0.queue.close();
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A thread that panicked has said so itself; what it held is lost, as bodies may be.
        let _ = thread.map(JoinHandle::join);
    }
}

impl std::fmt::Debug for Bodies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bodies").field("keep", &self.0.keep).field("stats", &self.stats()).finish()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.queue.close();
    }
}
