//! Time is an argument.

use std::time::Duration;

/// An instant of civil time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// This much later; saturates.
    #[must_use]
    pub fn plus(self, d: Duration) -> Self {
        Timestamp(self.0.saturating_add(u64::try_from(d.as_micros()).unwrap_or(u64::MAX)))
    }

    /// How much later than `earlier`; zero when it is not.
    #[must_use]
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A source of time. Two readings: `now` may jump (someone sets the clock), `monotonic` never goes back, and every
/// duration, limit and expiry of a lease is computed from the latter.
pub trait Clock: Send + Sync + 'static {
    /// Civil time.
    fn now(&self) -> Timestamp;
    /// Time since some fixed start.
    fn monotonic(&self) -> Duration;
}
