//! Between the writer, the publisher and those who wait for a checkpoint.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::AuditError;
use crate::record::Record;

/// From so many unpublished bytes on, the publisher does not wait for its time.
pub(crate) const EARLY_BYTES: usize = 2 << 20;
/// So many unpublished bytes are held in memory; beyond, commits wait.
const MOST_BYTES: usize = 16 << 20;
/// After a failed round.
const RETRY: Duration = Duration::from_millis(500);
/// How long a commit waits for the publisher before it gives up.
const ROOM_WITHIN: Duration = Duration::from_secs(5);

struct State {
    pending: Vec<Arc<Record>>,
    bytes: usize,
    /// When the oldest pending record came.
    since: Option<Instant>,
    /// Publish without waiting for the time.
    now: bool,
    closing: bool,
    /// Entries under the newest checkpoint.
    published: u64,
    /// Whether what an earlier run published still has to be written anew.
    stale: bool,
    /// Rounds done, failed ones included.
    rounds: u64,
    failure: Option<AuditError>,
    /// When a failed round may be tried again.
    retry: Option<Instant>,
    ended: bool,
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
    pub(crate) fn new(published: u64, stale: bool) -> Self {
        let state = State {
            pending: Vec::new(),
            bytes: 0,
            since: None,
            now: stale,
            closing: false,
            published,
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

    /// Takes records that are now durable.
    pub(crate) fn push(&self, records: impl Iterator<Item = Arc<Record>>) {
        let mut state = self.lock();
        let (idle, before) = (state.since.is_none(), state.bytes);
        for record in records {
            state.bytes += record.entry.len() + size_of::<Record>();
            state.pending.push(record);
        }
        state.since.get_or_insert_with(Instant::now);
        let early = before < EARLY_BYTES && state.bytes >= EARLY_BYTES;
        drop(state);
        if idle || early {
            self.arrived.notify_one();
        }
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
            state.now = true;
            self.arrived.notify_one();
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

    /// Waits until it is time for a round, and whether it is the last.
    pub(crate) fn round_due(&self, within: Duration) -> bool {
        let mut state = self.lock();
        loop {
            if state.closing || state.now {
                state.now = false;
                return state.closing;
            }
            let due = match (state.retry, state.since) {
                (Some(retry), _) => Some(retry),
                (None, Some(_)) if state.bytes >= EARLY_BYTES => Some(Instant::now()),
                (None, Some(since)) => Some(since + within),
                (None, None) => None,
            };
            let left = due.map(|due| due.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => {
                    self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    pub(crate) fn take(&self) -> Vec<Arc<Record>> {
        let mut state = self.lock();
        state.bytes = 0;
        state.since = None;
        std::mem::take(&mut state.pending)
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
        self.0.lock().ended = true;
        self.0.done.notify_all();
    }
}
