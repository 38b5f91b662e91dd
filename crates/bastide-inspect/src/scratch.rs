//! Memory that inspections reuse.

use std::sync::Arc;

use crate::automaton::{Automata, Caches};
use crate::reader::Work;
use crate::session::Session;

/// Reusable working memory of inspections: the automata's states and some lists. One per thread; texts follow one
/// another in it freely, and so do the pieces of different streams. It grows to a few MiB and no further.
#[derive(Default)]
pub struct Scratch {
    caches: Option<Caches>,
    pub(crate) work: Work,
    pub(crate) session: Session,
}

impl Scratch {
    /// Bytes that the automata's states take.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.caches.as_ref().map_or(0, Caches::memory)
    }

    /// How often the room for states was full and emptied.
    #[must_use]
    pub fn evictions(&self) -> usize {
        self.caches.as_ref().map_or(0, Caches::clears)
    }

    /// The parts, with states that belong to `automata`.
    pub(crate) fn parts(&mut self, automata: &Arc<Automata>) -> (&mut Caches, &mut Work) {
        if self.caches.as_ref().is_some_and(|c| !c.belong_to(automata)) {
            self.caches = None;
        }
        let caches = self.caches.get_or_insert_with(|| Caches::new(automata));
        (caches, &mut self.work)
    }
}
