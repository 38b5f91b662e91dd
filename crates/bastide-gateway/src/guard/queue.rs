//! The events of a streamed reply that wait, and which of them may be able to go.
//!
//! An event waits for its own lanes only: while a reply's reasoning still holds its last word, its content goes on. It can
//! go when it is the first in each of its lanes. Events that end something, or say something beside lanes, keep their
//! place behind all before; one that waits with others before it keeps all behind it as well.
//!
//! What an event costs must not grow with what waits: an upstream lets thousands of events wait at will. So an event is
//! looked at when it comes, when it becomes the first in a lane, and when more of its lane's text is released.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use bastide_wire::{ChatChunk, Edit};

/// One event that waits; and the memory of one, to read the next into.
#[derive(Default)]
pub(crate) struct Queued {
    /// What it says.
    pub(crate) chunk: ChatChunk,
    pub(super) raw: Vec<u8>,
    pub(super) data: Vec<u8>,
    pub(super) parts: Vec<Part>,
    pub(super) edits: Vec<Edit>,
    pub(super) splittable: bool,
    /// Its beginning has gone out already; only the rest of its text is left to say.
    pub(super) begun: bool,
}

/// The stretch of a lane's text that an event says.
pub(super) struct Part {
    pub(super) segment: usize,
    pub(super) lane: usize,
    /// Bytes of the segment's text as received.
    pub(super) len: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    /// Whether it still says exactly what the upstream put into this event.
    pub(super) whole: bool,
}

impl Queued {
    /// Before its chunk, which has been read, is inspected.
    pub(super) fn begin(&mut self) {
        let chunk = &self.chunk;
        self.splittable = !chunk.has_logprobs && chunk.finish.is_empty() && chunk.usage.is_none();
        self.begun = false;
        self.parts.clear();
        self.edits.clear();
    }

    /// Takes its bytes along, and its data.
    pub(super) fn hold(&mut self, raw: &[u8], data: &[u8]) {
        self.raw.clear();
        self.raw.extend_from_slice(raw);
        self.data.clear();
        self.data.extend_from_slice(data);
    }

    /// Bytes that it takes while it waits.
    fn memory(&self) -> usize {
        let lists = self.parts.capacity() * size_of::<Part>() + self.edits.capacity() * size_of::<Edit>();
        self.raw.capacity() + self.data.capacity() + lists + self.chunk.memory()
    }

    fn is_ordered(&self) -> bool {
        self.parts.is_empty() || !self.chunk.finish.is_empty()
    }
}

/// Events in their order, numbered as they came.
#[derive(Default)]
pub(super) struct Queue {
    /// None for the one that is being looked at.
    events: BTreeMap<u64, Option<Box<Queued>>>,
    next: u64,
    bytes: usize,
    /// The events that keep their place.
    ordered: VecDeque<u64>,
    /// The events of each lane.
    lanes: Vec<VecDeque<u64>>,
    /// What is to be looked at, the first first; some of it more than once.
    due: BinaryHeap<Reverse<u64>>,
    #[cfg(test)]
    pub(super) looks: u64,
}

impl Queue {
    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The memory of the events that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether an event waits that says something in this lane.
    pub(super) fn has_lane(&self, lane: usize) -> bool {
        self.lanes.get(lane).is_some_and(|line| !line.is_empty())
    }

    pub(super) fn clear(&mut self) {
        *self = Queue { next: self.next, ..Queue::default() };
    }

    pub(super) fn push(&mut self, event: Box<Queued>) {
        let number = self.next;
        self.next += 1;
        self.bytes += event.memory();
        if event.is_ordered() {
            self.ordered.push_back(number);
        }
        for part in &event.parts {
            if part.lane >= self.lanes.len() {
                self.lanes.resize_with(part.lane + 1, VecDeque::new);
            }
            let Some(line) = self.lanes.get_mut(part.lane) else { continue };
            if line.back() != Some(&number) {
                line.push_back(number);
            }
            // The one before may leave its end to this one.
            if let Some(&first) = line.front() {
                self.due.push(Reverse(first));
            }
        }
        self.due.push(Reverse(number));
        self.events.insert(number, Some(event));
    }

    /// More of a lane's text may go.
    pub(super) fn released(&mut self, lane: usize) {
        let first = self.lanes.get(lane).and_then(|line| line.front());
        self.due.extend(first.map(|&first| Reverse(first)));
    }

    /// The next event that nothing before it keeps. It comes back by [`Queue::keep`] or [`Queue::gone`].
    pub(super) fn look(&mut self) -> Option<(u64, Box<Queued>)> {
        loop {
            let Reverse(number) = self.due.pop()?;
            while self.due.peek() == Some(&Reverse(number)) {
                self.due.pop();
            }
            let Some((&first, _)) = self.events.first_key_value() else { continue };
            let Some(slot) = self.events.get_mut(&number) else { continue };
            let mut barriers = self.ordered.iter().filter(|&&ordered| ordered != first);
            if barriers.next().is_some_and(|&barrier| barrier <= number) {
                // All that is due lies behind it, and comes again when it has gone or is the first.
                self.due.clear();
                return None;
            }
            let is_first = |part: &Part| self.lanes.get(part.lane).and_then(|l| l.front()) == Some(&number);
            if !slot.as_ref().is_some_and(|event| event.parts.iter().all(is_first)) {
                continue;
            }
            #[cfg(test)]
            {
                self.looks += 1;
            }
            return slot.take().map(|event| (number, event));
        }
    }

    /// The lane's event behind its first.
    pub(super) fn follower(&mut self, lane: usize) -> Option<&mut Queued> {
        let number = self.lanes.get(lane)?.get(1)?;
        self.events.get_mut(number)?.as_deref_mut()
    }

    /// The event still waits.
    pub(super) fn keep(&mut self, number: u64, event: Box<Queued>) {
        if let Some(slot) = self.events.get_mut(&number) {
            *slot = Some(event);
        }
    }

    /// The event has gone out: what was behind it is to be looked at.
    pub(super) fn gone(&mut self, number: u64, event: &Queued) {
        self.events.remove(&number);
        self.bytes = self.bytes.saturating_sub(event.memory());
        for part in &event.parts {
            let Some(line) = self.lanes.get_mut(part.lane) else { continue };
            if line.front() == Some(&number) {
                line.pop_front();
            }
            self.due.extend(line.front().map(|&first| Reverse(first)));
        }
        let first = self.events.first_key_value().map(|(&first, _)| first);
        let was_barrier = self.ordered.front() == Some(&number);
        if was_barrier {
            self.ordered.pop_front();
        }
        let is_moved = first.is_some_and(|first| number < first);
        if is_moved && (was_barrier || first == self.ordered.front().copied()) {
            // The next event that keeps all behind it is a later one now.
            self.due.extend(first.map(Reverse));
            self.due.extend(self.lanes.iter().filter_map(|line| line.front()).map(|&first| Reverse(first)));
        }
    }
}
