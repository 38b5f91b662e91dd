//! What one run of the guard may take.

use std::time::{Duration, Instant};

/// The time that is left to a run, and whether anybody waits for its end.
pub(crate) struct Bounds<'r> {
    deadline: Instant,
    awaited: &'r dyn Fn() -> bool,
}

impl<'r> Bounds<'r> {
    /// Those of a run that begins now.
    pub(super) fn new(time: Duration, awaited: &'r dyn Fn() -> bool) -> Self {
        Bounds { deadline: Instant::now() + time, awaited }
    }

    /// Whether it may go on.
    pub(super) fn allow(&self) -> bool {
        Instant::now() <= self.deadline && (self.awaited)()
    }
}
