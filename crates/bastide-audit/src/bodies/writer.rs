//! The one thread that seals and writes bodies, and removes what is too old or too much.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bastide_crypto::{BulkRandom, Random, SystemRandom, seal_append};
use bastide_types::{Clock, Timestamp};

use super::body::Body;
use super::format::{
    BodyHeader, RECORD_HEADER, SEGMENT_HEADER, SEGMENT_MAGIC, TAG, segment_path, segment_time,
};
use super::options::BodiesOptions;
use super::queue::{Queue, Taken};
use super::store::Counters;
use crate::disk::{Disk, DiskFile, write_all};
use crate::error::AuditError;

/// Records are gathered to writes of about this size: the largest record is still one write.
const WRITE: usize = 256 << 10;
/// The time that one segment covers at most: how much longer than its age a body may stay, at most.
pub(super) const SPAN: Duration = Duration::from_secs(3600);
/// After a failure, bodies are dropped for so long before the disk is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// A segment in the folder.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    first: Timestamp,
    bytes: u64,
}

/// The segment being written; it is the newest in the list too.
struct Active {
    file: Box<dyn DiskFile>,
    first: Timestamp,
    offset: u64,
}

pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    options: BodiesOptions,
    clock: Arc<dyn Clock>,
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    /// Oldest first.
    segments: VecDeque<Segment>,
    active: Option<Active>,
    buffer: Vec<u8>,
    nonces: BulkRandom<SystemRandom>,
    retry_at: Option<Duration>,
}

/// Tells those who wait that the thread is gone, however it ended.
pub(super) struct Ended(pub(super) Arc<Queue>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The segments in the folder, oldest first.
pub(super) fn existing(disk: &dyn Disk, dir: &Path) -> Result<VecDeque<Segment>, AuditError> {
    let failed = |e| AuditError::io("read", dir, e);
    let mut segments = Vec::new();
    for first in disk.list(dir).map_err(failed)?.iter().filter_map(|name| segment_time(name)) {
        let bytes = disk.open(&segment_path(dir, first), false).and_then(|f| f.size()).map_err(failed)?;
        segments.push(Segment { first, bytes });
    }
    segments.sort_unstable_by_key(|s| s.first);
    Ok(segments.into())
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        options: BodiesOptions,
        clock: Arc<dyn Clock>,
        queue: Arc<Queue>,
        counters: Arc<Counters>,
        segments: VecDeque<Segment>,
    ) -> Self {
        Writer {
            disk,
            options,
            clock,
            queue,
            counters,
            segments,
            active: None,
            buffer: Vec::new(),
            nonces: BulkRandom::new(SystemRandom),
            retry_at: None,
        }
    }

    /// Until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let mut bodies = Vec::new();
        self.retain(0);
        loop {
            match self.queue.take(&mut bodies) {
                Taken::Closed => return,
                Taken::Idle => self.buffer.shrink_to(0),
                Taken::Bodies => self.write(&mut bodies),
            }
            self.retain(0);
        }
    }

    fn write(&mut self, bodies: &mut Vec<Body>) {
        let (mut count, mut bytes) = (0, 0);
        for body in bodies.drain(..) {
            let record = RECORD_HEADER + body.text.len() + TAG;
            if count > 0 && self.buffer.len() + record > WRITE {
                self.append(count);
                self.queue.done(count, bytes);
                (count, bytes) = (0, 0);
            }
            (count, bytes) = (count + 1, bytes + body.text.len());
            seal_into(&body, &self.nonces, &mut self.buffer);
        }
        self.append(count);
        self.queue.done(count, bytes);
    }

    /// Writes what is in the buffer, or loses it.
    fn append(&mut self, records: usize) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        let now = self.clock.monotonic();
        let written = match self.retry_at {
            Some(at) if now < at => None,
            _ => Some(self.try_append()),
        };
        self.buffer.clear();
        if matches!(written, Some(Ok(()))) {
            self.retry_at = None;
            self.counters.kept.fetch_add(records, Relaxed);
            return;
        }
        let dropped = self.counters.disk.fetch_add(records, Relaxed).saturating_add(records);
        let Some(Err(error)) = written else { return };
        self.retry_at = Some(now + RETRY);
        self.abandon();
        if self.counters.may_complain(now) {
            tracing::warn!(error = &error as &dyn std::error::Error, dropped, "bodies are lost");
        }
    }

    fn try_append(&mut self) -> Result<(), AuditError> {
        let (now, bytes) = (self.clock.now(), u64::try_from(self.buffer.len()).unwrap_or(u64::MAX));
        let full = |a: &Active| {
            a.offset > SEGMENT_HEADER && a.offset.saturating_add(bytes) > self.options.segment_bytes
        };
        if self.active.as_ref().is_some_and(full) {
            self.active = None;
        }
        self.retain(bytes);
        let mut active = match self.active.take() {
            Some(active) => active,
            None => self.begin(now)?,
        };
        let written = write_all(active.file.as_mut(), active.offset, &self.buffer);
        let path = segment_path(&self.options.dir, active.first);
        if written.is_ok() {
            active.offset = active.offset.saturating_add(bytes);
            if let Some(segment) = self.segments.back_mut() {
                segment.bytes = active.offset;
            }
        }
        self.active = Some(active);
        self.count();
        written.map_err(|e| AuditError::io("write", &path, e))
    }

    /// A new segment, named by the time, and behind the newest whatever the clock says: they sort.
    fn begin(&mut self, now: Timestamp) -> Result<Active, AuditError> {
        let after = self.segments.back().map_or(now, |s| s.first.plus(Duration::from_micros(1)));
        let first = now.max(after);
        let path = segment_path(&self.options.dir, first);
        let failed = |e| AuditError::io("write", &path, e);
        let mut file = self.disk.create(&path).map_err(failed)?;
        self.segments.push_back(Segment { first, bytes: SEGMENT_HEADER });
        let written = write_all(file.as_mut(), 0, &SEGMENT_MAGIC).map_err(failed);
        let active = Active { file, first, offset: SEGMENT_HEADER };
        if let Err(error) = written {
            // For `abandon` to remove.
            self.active = Some(active);
            return Err(error);
        }
        Ok(active)
    }

    /// Gives up the segment being written after a failure: what stands behind its last record is torn. One without a
    /// record is removed, or a disk that stays full would collect empty ones.
    fn abandon(&mut self) {
        let Some(active) = self.active.take() else { return };
        if active.offset > SEGMENT_HEADER {
            return;
        }
        let path = segment_path(&self.options.dir, active.first);
        drop(active);
        if self.disk.remove_file(&path).is_ok() {
            self.segments.pop_back();
        }
    }

    /// Removes the oldest segments as long as they are too old, or too much with `incoming` more bytes.
    fn retain(&mut self, incoming: u64) {
        let now = self.clock.now();
        if self.active.as_ref().is_some_and(|a| now.since(a.first) >= SPAN) {
            self.active = None;
        }
        let mut total = self.segments.iter().fold(incoming, |sum, s| sum.saturating_add(s.bytes));
        while let Some(oldest) = self.segments.front().copied() {
            let old = now.since(oldest.first) >= self.options.max_age.saturating_add(SPAN);
            let current = self.active.as_ref().is_some_and(|a| a.first == oldest.first);
            if current || !(old || total > self.options.max_bytes) {
                break;
            }
            let path = segment_path(&self.options.dir, oldest.first);
            match self.disk.remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    if self.counters.may_complain(self.clock.monotonic()) {
                        let error = AuditError::io("remove", &path, e);
                        tracing::warn!(
                            error = &error as &dyn std::error::Error,
                            "bodies that should be gone are still there"
                        );
                    }
                    break;
                }
                _ => {}
            }
            self.segments.pop_front();
            total = total.saturating_sub(oldest.bytes);
        }
        self.count();
    }

    fn count(&self) {
        let total = self.segments.iter().fold(0_u64, |sum, s| sum.saturating_add(s.bytes));
        self.counters.bytes.store(total, Relaxed);
    }
}

/// Seals a body behind what is in the buffer. The key is that of one exchange, which seals four bodies: random nonces
/// cannot meet, even if one of them came twice.
fn seal_into(body: &Body, nonces: &dyn Random, buffer: &mut Vec<u8>) {
    let header = BodyHeader {
        exchange: body.exchange,
        kind: body.kind,
        size: body.size,
        cut: !body.prefix && body.size > u64::try_from(body.text.len()).unwrap_or(u64::MAX),
        prefix: body.prefix,
        subject: body.key.subject(),
        nonce: nonces.bytes(),
        sealed: body.text.len() + TAG,
    };
    let bytes = header.encode();
    buffer.extend_from_slice(&bytes);
    seal_append(body.key.bytes(), header.nonce, BodyHeader::bound(&bytes), &body.text, buffer);
}
