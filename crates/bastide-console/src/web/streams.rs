//! Who follows the log: each stream of live rows is a task and a connection that stays.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bastide_types::UserId;

/// Streams of everybody.
const MOST: usize = 64;
/// Streams of one person, in all of their sessions: a page in each of a few windows. Nobody can look on alone.
const MOST_EACH: usize = 8;

/// The streams that there are.
#[derive(Default)]
pub(crate) struct Streams(Mutex<HashMap<UserId, usize>>);

/// The right to one stream, until it is dropped.
pub(crate) struct Following {
    streams: Arc<Streams>,
    who: UserId,
}

impl Streams {
    /// One more stream for somebody; `None`: there are enough, of theirs or of everybody's.
    pub(crate) fn follow(self: &Arc<Self>, who: UserId) -> Option<Following> {
        let mut counts = self.counts();
        let own = counts.get(&who).copied().unwrap_or_default();
        if own >= MOST_EACH || counts.values().sum::<usize>() >= MOST {
            return None;
        }
        counts.insert(who, own + 1);
        Some(Following { streams: Arc::clone(self), who })
    }

    // Each change is one insertion or removal: a panic leaves the counts whole.
    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let mut counts = self.streams.counts();
        match counts.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&self.who)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(n: u8) -> UserId {
        UserId::from_bytes([n; 16])
    }

    #[test]
    fn one_person_has_a_few_and_everybody_together_a_bounded_number() {
        let streams = Arc::new(Streams::default());
        let mut held: Vec<Following> = (0..MOST_EACH).filter_map(|_| streams.follow(somebody(0))).collect();
        assert_eq!(held.len(), MOST_EACH);
        assert!(streams.follow(somebody(0)).is_none(), "one more of the same person");
        for person in 1..=u8::MAX {
            held.extend((0..MOST_EACH).filter_map(|_| streams.follow(somebody(person))));
        }
        assert_eq!(held.len(), MOST);
        held.truncate(1);
        assert!(streams.follow(somebody(0)).is_some(), "what ended makes room");
        held.clear();
        assert!(streams.counts().is_empty());
    }
}
