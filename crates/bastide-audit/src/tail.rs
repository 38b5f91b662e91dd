//! The newest entries, in memory: for eyes that follow the log without reading files.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::reader::LogEntry;
use crate::record::Record;

/// Entries take some 600 bytes, so these are the newest two thousand.
const MOST_BYTES: usize = 1 << 20;

/// The newest entries.
pub(crate) struct Tail {
    state: Mutex<State>,
    /// Entries recorded.
    size: watch::Sender<u64>,
}

struct State {
    /// Index of the first one held.
    first: u64,
    records: VecDeque<Arc<Record>>,
    bytes: usize,
}

impl Tail {
    pub(crate) fn new(size: u64) -> Self {
        let state = State { first: size, records: VecDeque::new(), bytes: 0 };
        Tail { state: Mutex::new(state), size: watch::Sender::new(size) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes records that are about to be acknowledged, in order.
    pub(crate) fn push(&self, records: impl Iterator<Item = Arc<Record>>) {
        let mut state = self.lock();
        for record in records {
            state.bytes += record.entry.len();
            state.records.push_back(record);
        }
        while state.bytes > MOST_BYTES {
            let Some(gone) = state.records.pop_front() else { break };
            state.bytes -= gone.entry.len();
            state.first = state.first.saturating_add(1);
        }
        let held = u64::try_from(state.records.len()).unwrap_or(u64::MAX);
        let size = state.first.saturating_add(held);
        drop(state);
        self.size.send_replace(size);
    }

    /// Up to `most` entries from index `from` on, oldest first; from the first one held where that is gone.
    pub(crate) fn since(&self, from: u64, most: usize) -> Vec<LogEntry> {
        let state = self.lock();
        let skip = usize::try_from(from.saturating_sub(state.first)).unwrap_or(usize::MAX);
        let indexed = (state.first..).zip(&state.records).skip(skip).take(most);
        indexed.map(|(index, record)| LogEntry { index, bytes: record.entry.clone() }).collect()
    }

    /// The index of the first entry held.
    pub(crate) fn first(&self) -> u64 {
        self.lock().first
    }

    pub(crate) fn grown(&self) -> watch::Receiver<u64> {
        self.size.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(bytes: usize) -> Arc<Record> {
        Arc::new(Record::new(vec![7; bytes]))
    }

    #[test]
    fn the_newest_are_held_within_the_bound() {
        let tail = Tail::new(10);
        assert!(tail.since(0, 5).is_empty());
        tail.push((0..100).map(|_| record(16 << 10)));
        assert_eq!(*tail.grown().borrow(), 110);
        let held = tail.since(0, usize::MAX);
        assert_eq!((held.len(), held.last().map(|e| e.index)), (64, Some(109)));
        assert_eq!(held.first().map(|e| e.index), Some(tail.first()));
        let two: Vec<u64> = tail.since(107, 2).iter().map(|e| e.index).collect();
        assert_eq!(two, [107, 108]);
        assert!(tail.since(110, 5).is_empty(), "nothing is there yet");
    }
}
