//! Where the writer leaves the answer to one caller: a task or a thread.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, Thread};

use crate::error::AuditError;
use crate::record::Done;

/// One answer for one caller.
pub(crate) struct Slot(Mutex<State>);

enum State {
    /// Not answered yet.
    Open(Option<Waiter>),
    Answered(Done),
    /// The answer was taken, or nobody wants it.
    Over,
}

enum Waiter {
    Task(Waker),
    Thread(Thread),
}

impl Slot {
    pub(crate) const fn new() -> Self {
        Slot(Mutex::new(State::Open(None)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the answer. A thread that waits goes on; a task is given back, for whoever is to wake it.
    pub(crate) fn answer(&self, done: Done) -> Option<Waker> {
        let mut state = self.lock();
        if !matches!(*state, State::Open(_)) {
            return None;
        }
        let before = std::mem::replace(&mut *state, State::Answered(done));
        drop(state);
        match before {
            State::Open(Some(Waiter::Task(task))) => Some(task),
            State::Open(Some(Waiter::Thread(thread))) => {
                thread.unpark();
                None
            }
            _ => None,
        }
    }

    /// Takes the answer, or has `cx` woken when it is there.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Done> {
        let mut state = self.lock();
        if let State::Open(waiter) = &mut *state {
            let known = matches!(waiter, Some(Waiter::Task(task)) if task.will_wake(cx.waker()));
            let before = if known { None } else { waiter.replace(Waiter::Task(cx.waker().clone())) };
            // Whatever the last owner of a task drops, it drops without this lock.
            drop(state);
            drop(before);
            return Poll::Pending;
        }
        Poll::Ready(taken(std::mem::replace(&mut *state, State::Over)))
    }

    /// Whether the answer is there, and that the record is in the log.
    pub(crate) fn is_recorded(&self) -> bool {
        matches!(*self.lock(), State::Answered(Ok(_)))
    }

    /// Takes the answer as soon as it is there; blocks this thread.
    pub(crate) fn wait(&self) -> Done {
        loop {
            let mut state = self.lock();
            let State::Open(waiter) = &mut *state else {
                return taken(std::mem::replace(&mut *state, State::Over));
            };
            let before = waiter.replace(Waiter::Thread(thread::current()));
            drop(state);
            drop(before);
            thread::park();
        }
    }

    /// Nobody wants the answer any more.
    pub(crate) fn abandon(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Over);
        drop(before);
    }
}

fn taken(state: State) -> Done {
    match state {
        State::Answered(done) => done,
        // Asked again after the answer.
        State::Open(_) | State::Over => Err(AuditError::Closed),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Task;

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    fn answer() -> Done {
        Err(AuditError::Full)
    }

    #[test]
    fn the_task_that_asked_last_is_given_back() {
        let (slot, first, last) = (Slot::new(), Waker::from(Arc::new(Task)), Waker::from(Arc::new(Task)));
        for task in [&first, &first, &last] {
            assert!(slot.poll(&Context::from_waker(task)).is_pending());
        }
        assert!(slot.answer(answer()).is_some_and(|task| task.will_wake(&last)));
        assert!(slot.answer(Err(AuditError::Closed)).is_none(), "the first answer holds");
        let cx = Context::from_waker(&last);
        assert!(matches!(slot.poll(&cx), Poll::Ready(Err(AuditError::Full))));
        assert!(matches!(slot.poll(&cx), Poll::Ready(Err(AuditError::Closed))), "there is no second");
    }

    #[test]
    fn a_thread_goes_on_by_itself() {
        let slot = Slot::new();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| slot.wait());
            while !matches!(*slot.lock(), State::Open(Some(Waiter::Thread(_)))) {
                thread::yield_now();
            }
            assert!(slot.answer(answer()).is_none());
            assert!(matches!(waiting.join(), Ok(Err(AuditError::Full))));
        });
        assert!(matches!(slot.wait(), Err(AuditError::Closed)));
    }

    #[test]
    fn what_nobody_wants_is_not_kept() {
        let slot = Slot::new();
        assert!(slot.poll(&Context::from_waker(Waker::noop())).is_pending());
        slot.abandon();
        assert!(slot.answer(answer()).is_none());
        assert!(matches!(*slot.lock(), State::Over));
        let slot = Slot::new();
        assert!(slot.answer(answer()).is_none());
        slot.abandon();
        assert!(matches!(*slot.lock(), State::Over));
    }
}
