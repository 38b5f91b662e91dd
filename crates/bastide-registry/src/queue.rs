//! Work on files, shared out over threads.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::walk::Progress;

/// Jobs that threads take until none is left: the longest first, since one begun last is waited for by every core but one.
pub(crate) struct Queue<'a, T> {
    jobs: Vec<T>,
    bytes: fn(&T) -> u64,
    next: Mutex<usize>,
    /// Bytes that no thread has read yet.
    unread: AtomicU64,
    threads: u64,
    at_a_time: usize,
    progress: &'a dyn Progress,
}

impl<'a, T> Queue<'a, T> {
    /// Of jobs that read `bytes` each, for so many threads that take up to `at_a_time` of them.
    pub(crate) fn new(
        mut jobs: Vec<T>,
        bytes: fn(&T) -> u64,
        (threads, at_a_time): (usize, usize),
        progress: &'a dyn Progress,
    ) -> Self {
        // Equal ones keep their order, as the disk has it.
        jobs.sort_by_key(|job| std::cmp::Reverse(bytes(job)));
        let unread = AtomicU64::new(jobs.iter().map(bytes).fold(0, u64::saturating_add));
        Queue { jobs, bytes, next: Mutex::new(0), unread, threads: threads as u64, at_a_time, progress }
    }

    /// The jobs that the calling thread does next, side by side; none when all are taken.
    pub(crate) fn take(&self) -> Option<&[T]> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let left = self.jobs.get(*next..).unwrap_or_default();
        let longest = left.first()?;
        let taken = left.get(..self.share((self.bytes)(longest))).unwrap_or(left);
        *next += taken.len();
        Some(taken)
    }

    /// How many jobs of `bytes` are a thread's share of what is unread, to the nearest. Side by side each is slower than
    /// alone, so that a long one has a core to itself, and four equal ones on two cores are two and two.
    fn share(&self, bytes: u64) -> usize {
        let one_each = bytes.max(1).saturating_mul(self.threads.max(1));
        let share = self.unread.load(Ordering::Relaxed).saturating_add(one_each / 2) / one_each;
        usize::try_from(share).unwrap_or(usize::MAX).min(self.at_a_time).max(1)
    }

    /// So many more bytes are done with.
    pub(crate) fn read(&self, bytes: u64) {
        // A file may be longer by now than it was when it was found.
        let less = |unread: u64| Some(unread.saturating_sub(bytes));
        _ = self.unread.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.progress.read(bytes);
    }

    /// One more job is done with.
    pub(crate) fn finished(&self, path: &Path) {
        self.progress.finished(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What two threads take in turn when nobody reads meanwhile.
    fn taken(sizes: &[u64], threads: usize) -> Vec<Vec<u64>> {
        let queue = Queue::new(sizes.to_vec(), |bytes| *bytes, (threads, 3), &());
        std::iter::from_fn(|| queue.take().map(<[u64]>::to_vec)).collect()
    }

    #[test]
    fn equal_jobs_are_shared_out_evenly() {
        assert_eq!(taken(&[5; 2], 2), [[5], [5]]);
        assert_eq!(taken(&[5; 4], 2), [[5, 5], [5, 5]]);
        assert_eq!(taken(&[5; 5], 2), [vec![5, 5, 5], vec![5, 5]]);
        assert_eq!(taken(&[5; 7], 2), [vec![5; 3], vec![5; 3], vec![5]]);
        assert_eq!(taken(&[5; 4], 1), [vec![5; 3], vec![5]]);
        assert_eq!(taken(&[5; 4], 4), [[5], [5], [5], [5]]);
    }

    #[test]
    fn a_long_job_has_a_core_to_itself() {
        assert_eq!(taken(&[1, 1, 1, 9, 1], 2), [vec![9], vec![1; 3], vec![1]]);
        assert_eq!(taken(&[0, 0, 7], 2), [vec![7], vec![0, 0]]);
    }

    #[test]
    fn shares_become_smaller_as_work_is_done() {
        let queue = Queue::new(vec![10; 8], |bytes| *bytes, (2, 3), &());
        let taken = || queue.take().map(<[u64]>::len);
        assert_eq!([taken(), taken()], [Some(3), Some(3)]);
        queue.read(60);
        assert_eq!([taken(), taken(), taken()], [Some(1), Some(1), None]);
    }
}
