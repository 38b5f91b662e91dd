//! Latencies in constant memory: log-linear buckets, as in HdrHistogram, none wider than 1.6 % of its value.

use std::time::Duration;

/// Linear steps in each power of two: the relative error is below 1/64.
const STEPS_LOG2: u32 = 6;
const STEPS: u64 = 1 << STEPS_LOG2;

/// Counts of durations, to the nanosecond at the low end and to 1.6 % above 64 ns.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    sum_nanos: u128,
    max_nanos: u64,
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let index = bucket(nanos);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(index) {
            *count += 1;
        }
        self.total += 1;
        self.sum_nanos += u128::from(nanos);
        self.max_nanos = self.max_nanos.max(nanos);
    }

    /// How many were counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The duration that `per_mille` of the counted ones do not exceed; zero when there are none.
    #[must_use]
    pub fn at(&self, per_mille: u64) -> Duration {
        let rank = self.total.saturating_mul(per_mille.min(1000)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_nanos(upper_edge(index).min(self.max_nanos));
            }
        }
        Duration::ZERO
    }

    /// The mean; zero when there are none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let mean = self.sum_nanos.checked_div(u128::from(self.total)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX))
    }

    /// The longest.
    #[must_use]
    pub fn max(&self) -> Duration {
        Duration::from_nanos(self.max_nanos)
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: &Histogram) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.sum_nanos += other.sum_nanos;
        self.max_nanos = self.max_nanos.max(other.max_nanos);
    }
}

fn bucket(nanos: u64) -> usize {
    let index = if nanos < STEPS {
        nanos
    } else {
        let power = nanos.ilog2() - STEPS_LOG2;
        (u64::from(power) << STEPS_LOG2) + (nanos >> power)
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest value that falls into a bucket.
fn upper_edge(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    if index < STEPS {
        return index;
    }
    let power = (index >> STEPS_LOG2) - 1;
    let step = index - (power << STEPS_LOG2);
    ((step + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_edges_agree() {
        let mut last = 0;
        for nanos in (0..5_000).chain((1..50).map(|n| n * 777_777_777)) {
            let index = bucket(nanos);
            assert!(index >= last, "monotonic at {nanos}");
            last = index;
            let edge = upper_edge(index);
            assert!(edge >= nanos && edge - nanos <= nanos / 32 + 1, "{nanos} in a bucket up to {edge}");
            assert_eq!(bucket(edge), index);
            assert_eq!(bucket(edge + 1), index + 1);
        }
    }

    #[test]
    fn percentiles_of_a_known_distribution() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.at(500), Duration::ZERO);
        (1..=1000).for_each(|micros| histogram.record(Duration::from_micros(micros)));
        let within = |got: Duration, want: u64| {
            let want = Duration::from_micros(want);
            assert!(got >= want && got <= want.mul_f64(1.02), "{got:?} for {want:?}");
        };
        within(histogram.at(500), 500);
        within(histogram.at(990), 990);
        assert_eq!(histogram.at(1000), Duration::from_micros(1000));
        assert_eq!(histogram.mean(), Duration::from_nanos(500_500));
        let mut twice = histogram.clone();
        twice.merge(&histogram);
        assert_eq!((twice.total(), twice.at(500)), (2000, histogram.at(500)));
    }
}
