//! The queue between exchanges and the one thread that writes. Whoever finds it full drops the body: no exchange waits.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::body::Body;

/// How long the writer gathers once something is there: a wake-up for each body would cost the exchange more than the
/// sealing, and nothing waits for a body. It is also what `kill -9` loses.
const GATHER: Duration = Duration::from_millis(20);
/// How often the writer looks for what has become too old while nothing comes.
const IDLE: Duration = Duration::from_secs(600);
/// What a waiting body takes beside its text.
const OVERHEAD: usize = 256;
/// Most bodies that wait. One that is not small holds on to the read buffer that it is a part of, which its length does
/// not show.
const MAX_BODIES: usize = 8192;

#[derive(PartialEq, Eq)]
enum Writer {
    Working,
    Idle,
    Gathering,
}

struct State {
    bodies: Vec<Body>,
    /// Of the bodies that wait and of those that are being written.
    bytes: usize,
    count: usize,
    writer: Writer,
    urgent: bool,
    closing: bool,
    ended: bool,
    pushed: u64,
    done: u64,
}

pub(super) struct Queue {
    state: Mutex<State>,
    arrived: Condvar,
    written: Condvar,
    limit: usize,
}

/// What the writer finds.
pub(super) enum Taken {
    Bodies,
    /// Nothing came for long.
    Idle,
    Closed,
}

impl Queue {
    pub(super) fn new(limit: usize) -> Self {
        let state = State {
            bodies: Vec::new(),
            bytes: 0,
            count: 0,
            writer: Writer::Working,
            urgent: false,
            closing: false,
            ended: false,
            pushed: 0,
            done: 0,
        };
        Queue { state: Mutex::new(state), arrived: Condvar::new(), written: Condvar::new(), limit }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// False when there is no room.
    pub(super) fn push(&self, body: Body) -> bool {
        let cost = body.text.len().saturating_add(OVERHEAD);
        let mut state = self.lock();
        let bytes = state.bytes.saturating_add(cost);
        if state.closing || state.ended || bytes > self.limit || state.count >= MAX_BODIES {
            return false;
        }
        state.bytes = bytes;
        state.count += 1;
        state.pushed = state.pushed.saturating_add(1);
        state.bodies.push(body);
        let wake = match state.writer {
            Writer::Idle => true,
            Writer::Gathering => bytes >= self.limit / 4,
            Writer::Working => false,
        };
        if wake {
            state.writer = Writer::Working;
        }
        drop(state);
        if wake {
            self.arrived.notify_one();
        }
        true
    }

    /// Waits for bodies and swaps them into `into`, which is empty.
    pub(super) fn take(&self, into: &mut Vec<Body>) -> Taken {
        let mut state = self.lock();
        if state.bodies.is_empty() {
            if state.closing {
                return Taken::Closed;
            }
            state.writer = Writer::Idle;
            let idle = |s: &mut State| s.bodies.is_empty() && !s.closing;
            let (next, waited) =
                self.arrived.wait_timeout_while(state, IDLE, idle).unwrap_or_else(PoisonError::into_inner);
            state = next;
            state.writer = Writer::Working;
            if waited.timed_out() {
                return Taken::Idle;
            }
            if state.bodies.is_empty() {
                return Taken::Closed;
            }
        }
        let few = |s: &mut State| s.bytes < self.limit / 4 && !s.closing && !s.urgent;
        if few(&mut state) {
            state.writer = Writer::Gathering;
            let waited = self.arrived.wait_timeout_while(state, GATHER, few);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.writer = Writer::Working;
        }
        state.urgent = false;
        std::mem::swap(&mut state.bodies, into);
        Taken::Bodies
    }

    /// These are written, or lost.
    pub(super) fn done(&self, bodies: usize, text_bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_sub(text_bytes.saturating_add(bodies.saturating_mul(OVERHEAD)));
        state.count = state.count.saturating_sub(bodies);
        state.done = state.done.saturating_add(u64::try_from(bodies).unwrap_or(u64::MAX));
        drop(state);
        self.written.notify_all();
    }

    /// Waits until what was pushed before is written, at most so long. False when it is not.
    pub(super) fn flush(&self, at_most: Duration) -> bool {
        let mut state = self.lock();
        let target = state.pushed;
        state.urgent = state.done < target;
        self.arrived.notify_all();
        let waits = |s: &mut State| s.done < target && !s.ended;
        let (state, _) =
            self.written.wait_timeout_while(state, at_most, waits).unwrap_or_else(PoisonError::into_inner);
        state.done >= target
    }

    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.arrived.notify_all();
    }

    /// The writer is gone: nobody waits for it.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.bodies = Vec::new();
        drop(state);
        self.written.notify_all();
    }
}
