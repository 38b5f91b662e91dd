//! Civil time that does not go back.

use std::sync::Arc;
use std::time::Duration;

use bastide_types::{Clock, Timestamp};

/// A clock whose civil time is never earlier than the time since it was taken allows: setting the clock back revives
/// nothing that has expired.
pub(crate) struct SteadyTime {
    clock: Arc<dyn Clock>,
    /// Civil and monotonic time when it was taken.
    taken: (Timestamp, Duration),
}

impl SteadyTime {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        let taken = (clock.now(), clock.monotonic());
        SteadyTime { clock, taken }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let (civil, monotonic) = self.taken;
        self.clock.now().max(civil.plus(self.clock.monotonic().saturating_sub(monotonic)))
    }

    /// For what is counted and locked, which a jump of the clock must neither end nor prolong.
    pub(crate) fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// What other people's devices take for now: one-time codes follow the civil clock wherever it goes.
    pub(crate) fn civil(&self) -> Timestamp {
        self.clock.now()
    }
}
