//! Refusals in the log, at most so many a second: a flood of wrong passwords or tokens must neither fill the disk nor take
//! the room that requests need.

use std::sync::atomic::{AtomicU64, Ordering};

use bastide_audit::Durability;
use bastide_types::{ActorRef, Denial, Event};

use crate::admin::Admin;

/// More of them are counted and told with the next one.
const PER_SECOND: u64 = 100;

#[derive(Debug, Default)]
pub(crate) struct Denials {
    second: AtomicU64,
    taken: AtomicU64,
    suppressed: AtomicU64,
}

impl Denials {
    /// Whether one more may be recorded in this second, and how many were not before it.
    fn admit(&self, second: u64) -> Option<u32> {
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.taken.store(0, Ordering::Relaxed);
        }
        if self.taken.fetch_add(1, Ordering::Relaxed) >= PER_SECOND {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(u32::try_from(self.suppressed.swap(0, Ordering::Relaxed)).unwrap_or(u32::MAX))
    }
}

impl Admin {
    /// Records that somebody was refused at a route, whoever they are: a guess at a name is recorded under that name.
    pub fn denied(&self, actor: ActorRef, route: &str, code: &'static str, status: u16) {
        let Some(suppressed) = self.denials.admit(self.node.clock.monotonic().as_secs()) else { return };
        let (at, route) = (self.node.clock.now(), route.to_owned());
        let denial = Denial { at, actor, route, code, status, suppressed };
        if let Err(error) =
            self.node.log.submit_as(Durability::Written, Event::Denied(Box::new(denial)), None)
        {
            tracing::error!(error = &error as &dyn std::error::Error, "the audit log refused a denial");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_with_the_next_one() {
        let denials = Denials::default();
        let taken = (0..130).filter(|_| denials.admit(7).is_some()).count();
        assert_eq!(u64::try_from(taken), Ok(PER_SECOND));
        assert_eq!(denials.admit(8), Some(30));
        assert_eq!(denials.admit(8), Some(0));
    }
}
