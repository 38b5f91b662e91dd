//! The queue between those who record and the one who writes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use crate::error::AuditError;
use crate::options::Durability;
use crate::record::{Done, Pending, Record};

/// A record whose answer is owed. Dropped without one, it says that the log ended.
pub(crate) struct Item {
    pub(crate) record: Arc<Record>,
    pub(crate) durability: Durability,
    owed: bool,
}

impl Item {
    /// Answers; gives the task that is to be woken for it.
    #[must_use = "the task sleeps until it is woken"]
    pub(crate) fn answer(mut self, done: Done) -> Option<Waker> {
        self.owed = false;
        self.record.slot.answer(done)
    }

    /// Answers, and wakes the task.
    pub(crate) fn refuse(self, error: &AuditError) {
        self.answer(Err(error.clone())).into_iter().for_each(Waker::wake);
    }
}

impl Drop for Item {
    fn drop(&mut self) {
        if self.owed {
            self.record.slot.answer(Err(AuditError::Closed)).into_iter().for_each(Waker::wake);
        }
    }
}

/// What the writer finds in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Records.
    Some,
    /// None came in the time given.
    None,
    /// None, and none will come.
    End,
}

struct State {
    items: Vec<Item>,
    /// The index that the next record gets.
    next: u64,
    /// How many items the sleeping writer waits for; 0 while it works. A wake-up costs both sides a system call, so
    /// only the record that it waits for makes one.
    wanted: usize,
    closing: bool,
    poison: Option<AuditError>,
    /// Why the last commit failed, until one succeeds.
    trouble: Option<AuditError>,
    /// Commits that failed: after each, indices are given anew.
    failures: u64,
}

pub(crate) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    limit: usize,
}

impl Queue {
    pub(crate) fn new(next: u64, limit: usize) -> Self {
        let state = State {
            items: Vec::new(),
            next,
            wanted: 0,
            closing: false,
            poison: None,
            trouble: None,
            failures: 0,
        };
        Queue { state: Mutex::new(state), arrived: Condvar::new(), limit }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the record its index and its place; one that speaks of an `earlier` record only while that is in the file
    /// or before it in the queue.
    pub(crate) fn push(
        &self,
        record: Arc<Record>,
        durability: Durability,
        earlier: Option<&Pending>,
    ) -> Result<Pending, AuditError> {
        let mut state = self.lock();
        // Between two failures nothing is refused. What was in the log before the last one was answered before it.
        if earlier.is_some_and(|earlier| !earlier.is_of(state.failures) && !earlier.is_recorded()) {
            return Err(AuditError::Unfounded);
        }
        if let Some(poison) = &state.poison {
            return Err(poison.clone());
        }
        if state.closing {
            return Err(AuditError::Closed);
        }
        if state.items.len() >= self.limit {
            return Err(AuditError::Full);
        }
        let index = state.next;
        state.next = index.saturating_add(1);
        state.items.push(Item { record: Arc::clone(&record), durability, owed: true });
        let wake = state.wanted > 0 && state.items.len() >= state.wanted;
        let failures = state.failures;
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        Ok(Pending::new(index, record, failures))
    }

    /// Waits for records, for `patience` if that is given, and swaps them into `into`, which is empty. Where several are
    /// `expected`, waits up to `window` for as many: those who were just answered are about to come back, and each
    /// commit saved is some 80 us of CPU. No record waits longer than that, and one that comes after it waits anew for
    /// company.
    pub(crate) fn take(
        &self,
        into: &mut Vec<Item>,
        expected: usize,
        window: Duration,
        patience: Option<Duration>,
    ) -> Taken {
        let mut state = self.lock();
        // Asleep for all of them at once: the first one wakes nobody.
        state = self.gather(state, expected, window);
        let late = state.items.is_empty();
        while state.items.is_empty() {
            if state.closing {
                return Taken::End;
            }
            state.wanted = 1;
            let Some(patience) = patience else {
                state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (after, timeout) =
                self.arrived.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = after;
            if timeout.timed_out() && state.items.is_empty() {
                state.wanted = 0;
                return Taken::None;
            }
        }
        if late {
            state = self.gather(state, expected, window);
        }
        state.wanted = 0;
        std::mem::swap(&mut state.items, into);
        Taken::Some
    }

    /// Waits up to `window` until there are `expected` records, if those are several.
    fn gather<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        expected: usize,
        window: Duration,
    ) -> MutexGuard<'a, State> {
        if expected < 2 || window.is_zero() {
            return state;
        }
        state.wanted = expected;
        let few = |s: &mut State| s.items.len() < expected && !s.closing;
        self.arrived.wait_timeout_while(state, window, few).unwrap_or_else(PoisonError::into_inner).0
    }

    /// A commit succeeded.
    pub(crate) fn succeeded(&self) {
        let mut state = self.lock();
        state.trouble = None;
    }

    /// A commit failed without harm to what is on disk: those who wait get indices that will now be given again, so
    /// all of them fail too.
    pub(crate) fn failed(&self, error: &AuditError, durable: u64) -> Vec<Item> {
        let mut state = self.lock();
        state.next = durable;
        state.failures = state.failures.wrapping_add(1);
        state.trouble = Some(error.clone());
        std::mem::take(&mut state.items)
    }

    /// No commit will ever succeed again.
    pub(crate) fn poison(&self, error: &AuditError) -> Vec<Item> {
        let mut state = self.lock();
        state.poison.get_or_insert_with(|| error.clone());
        state.failures = state.failures.wrapping_add(1);
        std::mem::take(&mut state.items)
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_all();
    }

    pub(crate) fn length(&self) -> usize {
        self.lock().items.len()
    }

    pub(crate) fn health(&self) -> Result<(), AuditError> {
        let state = self.lock();
        match state.poison.as_ref().or(state.trouble.as_ref()) {
            Some(error) => Err(error.clone()),
            None if state.closing => Err(AuditError::Closed),
            None => Ok(()),
        }
    }
}
