//! How bodies are kept.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::error::AuditError;

/// Which exchanges' bodies are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Keep {
    /// Every exchange's.
    #[default]
    All,
    /// Those of exchanges in which something was found or refused.
    Found,
    /// None.
    None,
}

impl FromStr for Keep {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Keep::All),
            "found" => Ok(Keep::Found),
            "none" => Ok(Keep::None),
            other => Err(format!("`{other}` is no choice; use `all`, `found` or `none`")),
        }
    }
}

/// How bodies are kept. Start from [`BodiesOptions::new`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BodiesOptions {
    /// Their folder: `DATA/bodies`.
    pub dir: PathBuf,
    /// Which are kept.
    pub keep: Keep,
    /// How long: a segment is removed when all in it is older.
    pub max_age: Duration,
    /// How much, in bytes: the oldest segments go before there is more.
    pub max_bytes: u64,
    /// Size of a segment.
    pub segment_bytes: u64,
    /// Bytes of bodies that may wait to be written; more are dropped.
    pub queue_bytes: usize,
}

impl BodiesOptions {
    /// The least that `max_bytes` may be: several segments, so that the oldest can go.
    pub const LEAST_BYTES: u64 = 16 << 20;

    /// With the defaults: all of them, for 30 days, 10 GiB at most, in segments of 16 MiB, 4 MiB waiting.
    /// Finding a body reads half a segment or so: a page of the console waits for that.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        BodiesOptions {
            dir: dir.into(),
            keep: Keep::All,
            max_age: Duration::from_secs(30 * 24 * 3600),
            max_bytes: 10 << 30,
            segment_bytes: 16 << 20,
            queue_bytes: 4 << 20,
        }
    }

    /// With another choice of exchanges.
    #[must_use]
    pub const fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// With another age.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// With another total size; segments are an eighth of a small one.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self.segment_bytes = self.segment_bytes.min(bytes / 8);
        self
    }

    /// With segments of another size.
    #[must_use]
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// With another bound on what waits.
    #[must_use]
    pub const fn queue_bytes(mut self, bytes: usize) -> Self {
        self.queue_bytes = bytes;
        self
    }

    pub(super) const fn check(&self) -> Result<(), AuditError> {
        if self.max_bytes < BodiesOptions::LEAST_BYTES {
            return Err(AuditError::Options("bodies may take at least 16 MiB"));
        }
        if self.segment_bytes > self.max_bytes / 4 {
            return Err(AuditError::Options(
                "a segment of bodies is at most a quarter of what they may take",
            ));
        }
        Ok(())
    }
}
