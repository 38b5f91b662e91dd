//! What the last long run of the automaton went through, so that the next one need not go through it again.
//!
//! In `eyJeyJeyJ...` a web token may start every third byte, and a run from each of those places goes on to the end of
//! the word: quadratic, and anyone can write such text. But the runs soon come to the same state at the same place, and
//! from there on all that follows is the same.

use regex_automata::hybrid::LazyStateID;

/// Bytes between marks; also the length before the first. Most runs are shorter and leave none.
const STRIDE: usize = 64;
/// Shorter runs are not worth remembering.
const WORTH: usize = 3;

#[derive(Debug, Default)]
struct Log {
    /// Place of the first mark, and the state at each.
    first: usize,
    marks: Vec<LazyStateID>,
    /// The count of emptied caches for which the states mean something.
    clears: usize,
    /// The last end of each slot that was met.
    ends: Vec<(usize, usize)>,
    /// Where the run stopped, and its state if it was not dead.
    stop: usize,
    state: Option<LazyStateID>,
}

/// The run that is going on, and the last one worth remembering.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    current: Log,
    last: Log,
}

impl Trail {
    pub(crate) fn forget(&mut self) {
        self.last.marks.clear();
    }

    pub(crate) fn begin(&mut self) {
        self.current.marks.clear();
        self.current.ends.clear();
    }

    pub(crate) const fn is_mark(start: usize, at: usize) -> bool {
        at.is_multiple_of(STRIDE) && at - start >= STRIDE
    }

    pub(crate) fn found(&mut self, slot: usize, end: usize) {
        match self.current.ends.iter_mut().find(|e| e.0 == slot) {
            Some(known) => known.1 = end,
            None => self.current.ends.push((slot, end)),
        }
    }

    /// The run is at `at` in state `sid`. Where the last run was too, says where that one stopped and in what state it
    /// was if not dead; `recall` gets what it met from here on.
    pub(crate) fn mark(
        &mut self,
        at: usize,
        sid: LazyStateID,
        clears: usize,
        mut recall: impl FnMut(usize, usize),
    ) -> Option<(usize, Option<LazyStateID>)> {
        let Trail { current, last } = self;
        if current.clears != clears {
            current.marks.clear();
        }
        if current.marks.is_empty() {
            (current.first, current.clears) = (at, clears);
        }
        let met = at.checked_sub(last.first).map(|by| by / STRIDE).filter(|_| last.clears == clears);
        let Some(same) = met.and_then(|i| last.marks.get(i..)).filter(|marks| marks.first() == Some(&sid))
        else {
            current.marks.push(sid);
            return None;
        };
        current.marks.extend_from_slice(same);
        let (stop, state) = (last.stop, last.state);
        for &(slot, end) in last.ends.iter().filter(|e| e.1 >= at) {
            recall(slot, end);
            match current.ends.iter_mut().find(|e| e.0 == slot) {
                Some(known) => known.1 = end,
                None => current.ends.push((slot, end)),
            }
        }
        if state.is_none() {
            self.end(stop, None);
        }
        Some((stop, state))
    }

    pub(crate) fn end(&mut self, stop: usize, state: Option<LazyStateID>) {
        if self.current.marks.len() >= WORTH {
            (self.current.stop, self.current.state) = (stop, state);
            std::mem::swap(&mut self.current, &mut self.last);
        }
    }
}
