//! Waking the tasks whose records are on disk, all those of a commit with one call across threads.
//!
//! A wake from a foreign thread costs a runtime a system call and the writer its turn on the CPU; a wake on the
//! runtime's own thread costs next to nothing. So the writer hands the tasks of a commit to a [`Delivery`], a future
//! that the runtime runs, and wakes only that. Answers do not pass through here: they are in their slots before, for
//! whoever looks. Nobody depends on a delivery: where none runs, or one does not come when called, the writer wakes
//! the tasks itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// How long tasks wait for a delivery that was called, before the writer wakes them: its runtime stands still.
pub(crate) const PATIENCE: Duration = Duration::from_millis(10);

enum Stage {
    /// None runs.
    Absent,
    /// One waits to be called.
    Asleep(Waker),
    /// One was called then, and has not come yet.
    Called(Instant),
    /// The writer is gone; none is needed any more.
    Over,
}

struct State {
    /// Tasks to be woken; empty unless a delivery was called.
    tasks: Vec<Waker>,
    stage: Stage,
    /// The number of the delivery that began last.
    newest: u64,
}

/// Between the writer and a delivery.
pub(crate) struct Wakes(Mutex<State>);

impl Wakes {
    pub(crate) const fn new() -> Self {
        Wakes(Mutex::new(State { tasks: Vec::new(), stage: Stage::Absent, newest: 0 }))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that these tasks are woken; leaves none.
    pub(crate) fn wake(&self, tasks: &mut Vec<Waker>, now: Instant) {
        // One task is one wake, whoever makes it.
        if tasks.len() > 1 {
            let mut state = self.lock();
            match &state.stage {
                Stage::Asleep(_) => {
                    state.tasks.append(tasks);
                    let before = std::mem::replace(&mut state.stage, Stage::Called(now));
                    drop(state);
                    if let Stage::Asleep(delivery) = before {
                        delivery.wake();
                    }
                }
                Stage::Called(at) if now < *at + PATIENCE => state.tasks.append(tasks),
                Stage::Called(_) => clear(state, Stage::Absent),
                Stage::Absent | Stage::Over => {}
            }
        }
        tasks.drain(..).for_each(Waker::wake);
    }

    /// Whether a delivery was called and has not come yet.
    pub(crate) fn is_called(&self) -> bool {
        matches!(self.lock().stage, Stage::Called(_))
    }

    /// Wakes the tasks of a delivery that did not come. It is not called again before it does.
    pub(crate) fn overdue(&self, now: Instant) {
        let state = self.lock();
        if matches!(state.stage, Stage::Called(at) if now >= at + PATIENCE) {
            clear(state, Stage::Absent);
        }
    }

    /// The writer is gone: wakes all, and deliveries end.
    pub(crate) fn end(&self) {
        clear(self.lock(), Stage::Over);
    }
}

/// Wakes everybody, the delivery too, and goes to another stage; from the last one nothing leads away.
fn clear(mut state: MutexGuard<'_, State>, next: Stage) {
    let next = if matches!(state.stage, Stage::Over) { Stage::Over } else { next };
    let before = std::mem::replace(&mut state.stage, next);
    let tasks = std::mem::take(&mut state.tasks);
    // Whatever is woken runs without this lock.
    drop(state);
    tasks.into_iter().for_each(Waker::wake);
    if let Stage::Asleep(delivery) = before {
        delivery.wake();
    }
}

/// Wakes the tasks that wait for their records, on the runtime that runs it, as long as the log is open. See
/// [`Log::deliver`](crate::Log::deliver).
#[must_use = "futures do nothing unless polled"]
pub struct Delivery {
    wakes: Arc<Wakes>,
    /// Given by the first poll.
    number: Option<u64>,
    /// Changes places with the list of the writer, so that neither is made anew.
    tasks: Vec<Waker>,
}

impl Delivery {
    pub(crate) const fn new(wakes: Arc<Wakes>) -> Self {
        Delivery { wakes, number: None, tasks: Vec::new() }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Delivery").finish_non_exhaustive()
    }
}

impl Future for Delivery {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Delivery { wakes, number, tasks } = &mut *self;
        let mut state = wakes.lock();
        if number.is_none() {
            state.newest += 1;
            *number = Some(state.newest);
            // The one before learns that it is replaced.
            clear(state, Stage::Absent);
            state = wakes.lock();
        }
        if matches!(state.stage, Stage::Over) || *number != Some(state.newest) {
            return Poll::Ready(());
        }
        std::mem::swap(&mut state.tasks, tasks);
        let before = std::mem::replace(&mut state.stage, Stage::Asleep(cx.waker().clone()));
        drop(state);
        drop(before);
        tasks.drain(..).for_each(Waker::wake);
        Poll::Pending
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let state = self.wakes.lock();
        if self.number == Some(state.newest) {
            clear(state, Stage::Absent);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Counter {
        fn count(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    /// A delivery on a runtime that runs it when told.
    struct Runtime {
        delivery: Delivery,
        called: Arc<Counter>,
    }

    impl Runtime {
        fn new(wakes: &Arc<Wakes>) -> Self {
            let mut runtime = Runtime { delivery: Delivery::new(Arc::clone(wakes)), called: Arc::default() };
            assert!(runtime.run().is_pending());
            runtime
        }

        fn run(&mut self) -> Poll<()> {
            let waker = Waker::from(Arc::clone(&self.called));
            Pin::new(&mut self.delivery).poll(&mut Context::from_waker(&waker))
        }
    }

    fn wakes() -> Arc<Wakes> {
        Arc::new(Wakes::new())
    }

    /// Has the writer wake so many tasks; they count together.
    fn commit(wakes: &Wakes, tasks: usize) -> Arc<Counter> {
        commit_at(wakes, tasks, Instant::now())
    }

    fn commit_at(wakes: &Wakes, tasks: usize, now: Instant) -> Arc<Counter> {
        let counter = Arc::new(Counter::default());
        let mut wakers = vec![Waker::from(Arc::clone(&counter)); tasks];
        wakes.wake(&mut wakers, now);
        assert!(wakers.is_empty());
        counter
    }

    #[test]
    fn several_tasks_are_one_call_and_one_task_is_none() {
        let wakes = wakes();
        let mut runtime = Runtime::new(&wakes);
        let now = Instant::now();
        let (first, second) = (commit_at(&wakes, 5, now), commit_at(&wakes, 3, now));
        assert_eq!((first.count(), second.count(), runtime.called.count()), (0, 0, 1));
        assert!(runtime.run().is_pending());
        assert_eq!((first.count(), second.count()), (5, 3));
        assert_eq!(commit(&wakes, 1).count(), 1);
        assert_eq!(runtime.called.count(), 1);
        let third = commit(&wakes, 2);
        assert_eq!((third.count(), runtime.called.count()), (0, 2));
    }

    #[test]
    fn where_none_runs_the_writer_wakes() {
        let wakes = wakes();
        assert_eq!(commit(&wakes, 4).count(), 4);
        let idle = Delivery::new(Arc::clone(&wakes));
        assert_eq!(commit(&wakes, 4).count(), 4, "one that never ran");
        let mut runtime = Runtime::new(&wakes);
        drop(idle);
        let waiting = commit(&wakes, 4);
        assert_eq!((waiting.count(), runtime.called.count()), (0, 1), "it took nothing away");
        assert!(runtime.run().is_pending());
        drop(runtime);
        assert_eq!(commit(&wakes, 4).count(), 4, "one that was dropped");
    }

    #[test]
    fn one_that_is_dropped_leaves_nobody_asleep() {
        let wakes = wakes();
        let runtime = Runtime::new(&wakes);
        let waiting = commit(&wakes, 4);
        assert_eq!(waiting.count(), 0);
        drop(runtime);
        assert_eq!(waiting.count(), 4);
    }

    #[test]
    fn the_end_wakes_all_and_ends_deliveries() {
        let wakes = wakes();
        let mut runtime = Runtime::new(&wakes);
        let waiting = commit(&wakes, 4);
        wakes.end();
        assert_eq!(waiting.count(), 4);
        assert!(runtime.run().is_ready());
        assert!(Delivery::new(Arc::clone(&wakes)).poll_once().is_ready());
        drop(runtime);
        assert_eq!(commit(&wakes, 4).count(), 4);
        // Asleep, it is woken to learn of it.
        let wakes = self::wakes();
        let mut runtime = Runtime::new(&wakes);
        wakes.end();
        assert_eq!(runtime.called.count(), 1);
        assert!(runtime.run().is_ready());
    }

    #[test]
    fn nobody_waits_for_one_that_does_not_come() {
        let wakes = wakes();
        let mut runtime = Runtime::new(&wakes);
        let (called, late) = (Instant::now(), Instant::now() + PATIENCE);
        let first = commit_at(&wakes, 4, called);
        wakes.overdue(called);
        assert_eq!(first.count(), 0, "it has its time");
        let second = commit_at(&wakes, 4, late);
        assert_eq!((first.count(), second.count()), (4, 4), "the next commit does not wait either");
        assert_eq!((commit(&wakes, 4).count(), runtime.called.count()), (4, 1));
        // It comes after all.
        assert!(runtime.run().is_pending());
        let third = commit_at(&wakes, 4, called);
        assert_eq!((third.count(), runtime.called.count()), (0, 2));
        assert!(wakes.is_called());
        wakes.overdue(late);
        assert_eq!(third.count(), 4);
        assert!(!wakes.is_called());
        assert_eq!((first.count(), second.count()), (4, 4), "once each");
    }

    #[test]
    fn of_two_the_newer_works_and_the_older_ends() {
        let wakes = wakes();
        let mut old = Runtime::new(&wakes);
        let early = commit(&wakes, 2);
        let mut new = Runtime::new(&wakes);
        assert_eq!(early.count(), 2, "what the older was called for");
        assert!(old.run().is_ready());
        drop(old);
        let waiting = commit(&wakes, 2);
        assert_eq!((waiting.count(), new.called.count()), (0, 1));
        assert!(new.run().is_pending());
        assert_eq!(waiting.count(), 2);
        let mut asleep = Runtime::new(&wakes);
        assert_eq!(new.called.count(), 2, "it is woken to learn of it");
        assert!(new.run().is_ready());
        assert!(asleep.run().is_pending());
    }

    impl Delivery {
        fn poll_once(mut self) -> Poll<()> {
            Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop()))
        }
    }
}
