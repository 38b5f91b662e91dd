//! How a log is kept.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::AuditError;
use crate::segment::SMALLEST_SEGMENT;

/// The longest that a commit may wait for company.
const MAX_WINDOW: Duration = Duration::from_millis(2);
/// Origins stand in every receipt.
const MAX_ORIGIN_BYTES: usize = 128;

/// What an entry survives from the moment it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of the process: it is in the file, and on disk some 20 ms later. A power cut may take the entries of
    /// that time, always from the end of the log.
    Written,
    /// A power cut as well: it is on disk.
    Synced,
}

/// How a log is kept. Start from [`LogOptions::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LogOptions {
    /// The log's folder: `DATA/log`.
    pub dir: PathBuf,
    /// The log's name, `<organisation>/<node>`.
    pub origin: String,
    /// How long a commit waits, under load only, for the records that the last ones make it expect; at most 2 ms.
    /// Idle, a record is committed at once, and so is everything once as many are there as are expected.
    pub window: Duration,
    /// Size of a segment file, at least 32 KiB; the first one of a log is 1 MiB, so that a first start is quick.
    pub segment_bytes: u64,
    /// Records that may wait to be written; one more is an error, not a wait.
    pub queue: usize,
    /// How soon after a commit the checkpoint follows; the promise is 250 ms.
    pub publish_within: Duration,
}

impl LogOptions {
    /// With the defaults: window 1 ms, segments of 64 MiB, 8,192 records waiting, publication within 200 ms.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>, origin: impl Into<String>) -> Self {
        LogOptions {
            dir: dir.into(),
            origin: origin.into(),
            window: Duration::from_millis(1),
            segment_bytes: 64 << 20,
            queue: 8_192,
            // Leaves 50 ms of the promised 250 for writing the tiles.
            publish_within: Duration::from_millis(200),
        }
    }

    /// With another window.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// With segments of another size.
    #[must_use]
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// With another length of the queue.
    #[must_use]
    pub const fn queue(mut self, records: usize) -> Self {
        self.queue = records;
        self
    }

    /// With another time until publication.
    #[must_use]
    pub const fn publish_within(mut self, within: Duration) -> Self {
        self.publish_within = within;
        self
    }

    pub(crate) fn check(&self) -> Result<(), AuditError> {
        let holds =
            |condition: bool, otherwise| if condition { Ok(()) } else { Err(AuditError::Options(otherwise)) };
        holds(self.window <= MAX_WINDOW, "the window is at most 2 ms")?;
        holds(self.segment_bytes >= SMALLEST_SEGMENT, "segments have at least 32 KiB")?;
        holds(self.queue > 0, "the queue holds at least one record")?;
        let visible =
            !self.origin.is_empty() && self.origin.bytes().all(|b| b.is_ascii_graphic() && b != b'+');
        holds(
            visible && self.origin.len() <= MAX_ORIGIN_BYTES,
            "the origin is 1 to 128 visible ASCII characters, no `+`",
        )
    }
}
