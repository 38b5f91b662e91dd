//! Between the writer, the publisher and those who wait for a checkpoint.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::AuditError;
use crate::record::Record;

/// From so many unpublished bytes on, the publisher does not wait for its time: some 10,000 entries.
const EARLY_BYTES: usize = 8 << 20;
/// So many unpublished bytes are held in memory; beyond, commits wait.
const MOST_BYTES: usize = 16 << 20;
/// After a failed round.
const RETRY: Duration = Duration::from_millis(500);
/// How long a commit waits for the publisher before it gives up.
const ROOM_WITHIN: Duration = Duration::from_secs(5);

/// What the publisher is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    /// The time has come for the oldest that waits. What came last may be left for the next round.
    Timed,
    /// Publish everything.
    Whole,
    /// Publish everything: nothing follows.
    Last,
}

struct Waiting {
    record: Arc<Record>,
    since: Instant,
}

impl Waiting {
    fn bytes(&self) -> usize {
        self.record.entry.capacity() + size_of::<Record>()
    }
}

struct State {
    pending: Vec<Waiting>,
    bytes: usize,
    /// Publish without waiting for the time.
    now: bool,
    closing: bool,
    /// Entries under the newest checkpoint.
    published: u64,
    /// Entries that came: published, waiting, or on the publisher's hands.
    handed: u64,
    /// Somebody waits for an entry that has not come.
    wanted: bool,
    /// Why no more come.
    cut: Option<AuditError>,
    /// Whether what an earlier run published still has to be written anew.
    stale: bool,
    /// Rounds done, failed ones included.
    rounds: u64,
    failure: Option<AuditError>,
    /// When a failed round may be tried again.
    retry: Option<Instant>,
    ended: bool,
}

impl State {
    /// How many of those that wait behind the first `size` entries may be left for the next round.
    fn rest(&self, size: u64, young: Duration) -> usize {
        let waiting = u64::try_from(self.pending.len()).unwrap_or(u64::MAX);
        let rest = usize::try_from(size.saturating_add(waiting) % 256).unwrap_or(0);
        let first = self.pending.len().checked_sub(rest).filter(|full| *full > 0);
        let oldest = first.and_then(|first| self.pending.get(first));
        if oldest.is_some_and(|oldest| oldest.since.elapsed() < young) { rest } else { 0 }
    }
}

/// Between the writer and the publisher.
pub(crate) struct Outlet {
    state: Mutex<State>,
    /// For the publisher.
    arrived: Condvar,
    /// For those who wait for a round.
    done: Condvar,
}

impl Outlet {
    /// After a start that found so many entries, so many of them under a checkpoint.
    pub(crate) fn new(published: u64, entries: u64) -> Self {
        let stale = entries > 0;
        let state = State {
            pending: Vec::new(),
            bytes: 0,
            now: stale,
            closing: false,
            published,
            handed: entries,
            wanted: false,
            cut: None,
            stale,
            rounds: 0,
            failure: None,
            retry: None,
            ended: false,
        };
        Outlet { state: Mutex::new(state), arrived: Condvar::new(), done: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records that are now durable, the oldest of which was written then.
    pub(crate) fn push(&self, records: impl Iterator<Item = Arc<Record>>, since: Instant) {
        let mut state = self.lock();
        let (idle, before) = (state.pending.is_empty(), state.bytes);
        for record in records {
            let waiting = Waiting { record, since };
            state.bytes += waiting.bytes();
            state.pending.push(waiting);
            state.handed = state.handed.saturating_add(1);
        }
        let early = before < EARLY_BYTES && state.bytes >= EARLY_BYTES;
        let wanted = std::mem::take(&mut state.wanted);
        state.now |= wanted;
        drop(state);
        if idle || early || wanted {
            self.arrived.notify_one();
        }
    }

    /// No more records come.
    pub(crate) fn cut(&self, error: &AuditError) {
        self.lock().cut.get_or_insert_with(|| error.clone());
        self.done.notify_all();
    }

    /// Waits while too much is unpublished.
    ///
    /// # Errors
    /// Why publishing fails, when it does.
    pub(crate) fn wait_for_room(&self) -> Result<(), AuditError> {
        let mut state = self.lock();
        while state.bytes >= MOST_BYTES {
            if let Some(failure) = &state.failure {
                return Err(failure.clone());
            }
            let (next, timeout) =
                self.done.wait_timeout(state, ROOM_WITHIN).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if timeout.timed_out() {
                return Err(AuditError::Full);
            }
        }
        Ok(())
    }

    /// Waits until the first `entries` entries are under a checkpoint.
    ///
    /// # Errors
    /// Why the round failed.
    pub(crate) fn publish(&self, entries: u64) -> Result<(), AuditError> {
        let mut state = self.lock();
        // The round that runs now may have taken its records before ours came: its failure is not ours.
        let begun = state.rounds;
        while state.published < entries || state.stale {
            if state.ended {
                return Err(state.failure.clone().unwrap_or(AuditError::Closed));
            }
            if state.rounds > begun.saturating_add(1)
                && let Some(failure) = &state.failure
            {
                return Err(failure.clone());
            }
            if entries <= state.handed {
                state.now = true;
                self.arrived.notify_one();
            } else if let Some(error) = &state.cut {
                return Err(error.clone());
            } else {
                // Not on disk yet: a round would come too soon.
                state.wanted = true;
            }
            state = self.done.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    pub(crate) fn published(&self) -> u64 {
        self.lock().published
    }

    pub(crate) fn failure(&self) -> Option<AuditError> {
        self.lock().failure.clone()
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_all();
    }

    /// Waits until it is time for a round.
    pub(crate) fn round_due(&self, within: Duration) -> Round {
        let mut state = self.lock();
        loop {
            if state.closing || state.now {
                state.now = false;
                return if state.closing { Round::Last } else { Round::Whole };
            }
            let due = match (state.retry, state.pending.first()) {
                (Some(retry), _) => Some(retry),
                (None, Some(_)) if state.bytes >= EARLY_BYTES => Some(Instant::now()),
                (None, Some(oldest)) => Some(oldest.since + within),
                (None, None) => None,
            };
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return Round::Timed,
                Some(left) => {
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes what waits behind the first `size` entries. With `young`: only what makes tiles full, provided that it
    /// makes any full and the rest came less than so long ago.
    pub(crate) fn take(&self, size: u64, young: Option<Duration>) -> Vec<Arc<Record>> {
        let mut state = self.lock();
        let rest = young.map_or(0, |young| state.rest(size, young));
        let whole = state.pending.len().saturating_sub(rest);
        let rest = state.pending.split_off(whole);
        state.bytes = rest.iter().map(Waiting::bytes).sum();
        let taken = std::mem::replace(&mut state.pending, rest);
        drop(state);
        taken.into_iter().map(|waiting| waiting.record).collect()
    }

    pub(crate) fn round_done(&self, result: Result<u64, AuditError>) {
        let mut state = self.lock();
        state.rounds = state.rounds.saturating_add(1);
        match result {
            Ok(published) => {
                state.published = published;
                state.stale = false;
                (state.failure, state.retry) = (None, None);
            }
            Err(failure) => {
                if state.failure.is_none() {
                    tracing::warn!(error = %failure, "the log could not be published");
                }
                state.failure = Some(failure);
                state.retry = Some(Instant::now() + RETRY);
            }
        }
        drop(state);
        self.done.notify_all();
    }
}

/// Whoever waits for a round learns that there will be none.
pub(crate) struct EndOnDrop<'a>(pub(crate) &'a Outlet);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.ended = true;
        if !state.closing {
            // It panicked: nothing is published any more, and whoever asks is told.
            state.failure.get_or_insert(AuditError::Closed);
        }
        drop(state);
        self.0.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn outlet(waiting: usize) -> Outlet {
        let outlet = Outlet::new(0, 0);
        outlet.push((0..waiting).map(|_| Arc::new(Record::new(vec![7; 100]))), Instant::now());
        outlet
    }

    #[test]
    fn what_came_last_is_left_where_tiles_are_full_without_it() {
        let outlet = outlet(600);
        assert_eq!(outlet.take(100, Some(LONG)).len(), 512 - 100);
        assert_eq!(outlet.round_due(Duration::ZERO), Round::Timed, "the rest has its time too");
        assert_eq!(outlet.take(512, Some(LONG)).len(), 188, "nothing full, so all of it");
        assert!(outlet.take(700, Some(LONG)).is_empty());
        assert_eq!(outlet.lock().bytes, 0);
    }

    #[test]
    fn the_rest_is_taken_when_it_is_old_or_asked_for() {
        assert_eq!(outlet(600).take(0, None).len(), 600);
        let old = outlet(600);
        std::thread::sleep(Duration::from_millis(2));
        assert_eq!(old.take(0, Some(Duration::from_millis(1))).len(), 600);
        assert_eq!(outlet(512).take(0, Some(LONG)).len(), 512);
    }

    #[test]
    fn the_next_round_is_due_by_the_oldest_that_is_left() {
        let outlet = outlet(10);
        std::thread::sleep(Duration::from_millis(30));
        outlet.push((0..300).map(|_| Arc::new(Record::new(Vec::new()))), Instant::now());
        let middle = Instant::now();
        assert_eq!(outlet.take(0, Some(LONG)).len(), 256);
        assert_eq!(outlet.lock().pending.len(), 54);
        assert_eq!(outlet.round_due(Duration::from_millis(40)), Round::Timed);
        assert!(middle.elapsed() >= Duration::from_millis(30), "by the first of all it was due before");
    }

    #[test]
    fn somebody_who_waits_gets_everything_and_so_does_the_end() {
        let outlet = outlet(10);
        outlet.lock().now = true;
        assert_eq!(outlet.round_due(LONG), Round::Whole);
        outlet.close();
        assert_eq!(outlet.round_due(LONG), Round::Last);
    }
}
