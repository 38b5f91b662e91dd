//! A bounded number of things at the same time, and fewer of them each.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bastide_types::UserId;

/// How many may hold something at the same time, and how many of them one person, in all of their sessions and with all
/// of their tokens: nobody takes everything alone.
pub struct Places {
    most: usize,
    most_each: usize,
    taken: Mutex<HashMap<UserId, usize>>,
}

/// The right to one place, until it is dropped.
pub struct Place {
    places: Arc<Places>,
    who: UserId,
}

impl Places {
    /// So many, and so many each.
    #[must_use]
    pub fn new(most: usize, most_each: usize) -> Arc<Self> {
        Arc::new(Places { most, most_each, taken: Mutex::default() })
    }

    /// One more for somebody; `None`: there are enough, of theirs or of everybody's.
    #[must_use]
    pub fn take(self: &Arc<Self>, who: UserId) -> Option<Place> {
        let mut taken = self.taken();
        let own = taken.get(&who).copied().unwrap_or_default();
        if own >= self.most_each || taken.values().sum::<usize>() >= self.most {
            return None;
        }
        taken.insert(who, own + 1);
        Some(Place { places: Arc::clone(self), who })
    }

    // Each change is one insertion or removal: a panic leaves the counts whole.
    fn taken(&self) -> MutexGuard<'_, HashMap<UserId, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.who) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.who)),
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
        let places = Places::new(64, 8);
        let mut held: Vec<Place> = (0..8).filter_map(|_| places.take(somebody(0))).collect();
        assert_eq!(held.len(), 8);
        assert!(places.take(somebody(0)).is_none(), "one more of the same person");
        for person in 1..=u8::MAX {
            held.extend((0..8).filter_map(|_| places.take(somebody(person))));
        }
        assert_eq!(held.len(), 64);
        held.truncate(1);
        assert!(places.take(somebody(0)).is_some(), "what ended makes room");
        held.clear();
        assert!(places.taken().is_empty());
    }
}
