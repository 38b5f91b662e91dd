//! What the log tells about itself.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::keeper::Keeper;

/// A count of values in classes whose upper bounds are the powers of two: class `i` holds values below `2^i` and at
/// or above half of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Histogram {
    /// How many values fell into each class; the last takes all that are larger.
    pub classes: [u64; 24],
    /// The sum of all values.
    pub sum: u64,
}

impl Histogram {
    /// How many values.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.classes.iter().sum()
    }

    /// The upper bound of the class that holds the given share of all values, in per mille.
    #[must_use]
    pub fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.count()) * u128::from(per_mille)).div_ceil(1000);
        let mut seen = 0_u128;
        for (class, count) in self.classes.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank && seen > 0 {
                return 1 << class;
            }
        }
        0
    }
}

#[derive(Default)]
struct AtomicHistogram {
    classes: [AtomicU64; 24],
    sum: AtomicU64,
}

impl AtomicHistogram {
    fn add(&self, value: u64) {
        let class = usize::try_from(u64::BITS - value.leading_zeros()).unwrap_or(0).min(23);
        if let Some(class) = self.classes.get(class) {
            class.fetch_add(1, Relaxed);
        }
        self.sum.fetch_add(value, Relaxed);
    }

    fn read(&self) -> Histogram {
        Histogram {
            classes: std::array::from_fn(|i| self.classes.get(i).map_or(0, |c| c.load(Relaxed))),
            sum: self.sum.load(Relaxed),
        }
    }
}

/// The state of a log at one moment, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStats {
    /// Entries recorded.
    pub entries: u64,
    /// Entries under the newest checkpoint.
    pub published: u64,
    /// Group commits since the start.
    pub commits: u64,
    /// Bytes of entries written since the start.
    pub bytes: u64,
    /// Records for each commit.
    pub batch_records: Histogram,
    /// Microseconds for each write and sync.
    pub commit_micros: Histogram,
    /// Records waiting now.
    pub queued: u64,
    /// Refused because the queue was full, since the start.
    pub refused: u64,
    /// Whether the next segment is ready. It is made anew after each start and each change of segments.
    pub reserve_ready: bool,
    /// Whether the last try to make the next segment failed: the disk is nearly full.
    pub reserve_failed: bool,
}

#[derive(Default)]
pub(crate) struct Counters {
    commits: AtomicU64,
    bytes: AtomicU64,
    refused: AtomicU64,
    batch_records: AtomicHistogram,
    commit_micros: AtomicHistogram,
}

impl Counters {
    pub(crate) fn committed(&self, records: usize, bytes: usize, took: Duration) {
        let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        self.commits.fetch_add(1, Relaxed);
        self.bytes.fetch_add(number(bytes), Relaxed);
        self.batch_records.add(number(records));
        self.commit_micros.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    pub(crate) fn read(&self, entries: u64, published: u64, queued: usize, keeper: &Keeper) -> LogStats {
        LogStats {
            entries,
            published,
            commits: self.commits.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            batch_records: self.batch_records.read(),
            commit_micros: self.commit_micros.read(),
            queued: u64::try_from(queued).unwrap_or(u64::MAX),
            refused: self.refused.load(Relaxed),
            reserve_ready: keeper.reserve_ready(),
            reserve_failed: keeper.reserve_failed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_quantiles() {
        let histogram = AtomicHistogram::default();
        (0..100).for_each(|_| histogram.add(70));
        histogram.add(5000);
        histogram.add(u64::MAX >> 1);
        let read = histogram.read();
        assert_eq!(read.count(), 102);
        assert_eq!((read.quantile(500), read.quantile(985), read.quantile(1000)), (128, 8192, 1 << 23));
        assert_eq!(Histogram::default().quantile(500), 0);
    }
}
