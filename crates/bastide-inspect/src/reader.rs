//! Finding candidates in one reading of a text, block by block.

use std::borrow::Cow;
use std::sync::Arc;

use bastide_types::{Score, Span, View};

use crate::automaton::{Automata, Caches, Ends, Role, Slot};
use crate::run::Fate;
use crate::{Candidate, Detector};

/// How much text before the first undecided place a reading keeps: a detector's context words, and one byte for `\b`.
pub(crate) const KEEP: usize = Candidate::LEFT_CONTEXT + 1;

/// Rejected candidates that overlap (a long run of digits) are tried at each of their starts. Per byte of such a run
/// this much text may be looked at again...
const STORM_PER_BYTE: usize = 256;
/// ... and this much besides; then the search goes on behind the rejected candidate instead of within. Kinds shorter
/// than 200 bytes never get there.
const STORM_BASE: usize = 16 * 1024;
/// What trying a candidate costs besides its bytes.
const STORM_EACH: usize = 32;

/// Of an open-ended kind this much is reported as one finding, in a stream: so much is held back until the closing
/// marker. A private key in PEM takes 0.2 to 3.3 kB.
const PART: usize = 4096;

/// What finding needs besides the text.
pub(crate) struct Context<'a> {
    pub(crate) automata: &'a Automata,
    pub(crate) detectors: &'a [Arc<dyn Detector>],
    pub(crate) caches: &'a mut Caches,
    pub(crate) work: &'a mut Work,
}

/// Reused lists.
#[derive(Default)]
pub(crate) struct Work {
    ends: Vec<Ends>,
}

/// Something a detector vouches for, in the coordinates of the reading.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) detector: usize,
    pub(crate) span: Span,
    pub(crate) score: Score,
    pub(crate) reason: Cow<'static, str>,
    /// Of an open-ended kind.
    pub(crate) open: bool,
    /// Goes on from a finding that ends where this one starts.
    pub(crate) continues: bool,
    /// Ends because it reached the bound, in the middle of something.
    pub(crate) cut: bool,
}

/// How far the search for one slot has come, where that differs from the reading as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Progress {
    slot: usize,
    /// No candidate starts before it.
    low: usize,
    /// A run of overlapping rejected candidates: where it began, how far it reaches, what it cost.
    storm_start: usize,
    storm_end: usize,
    storm_work: usize,
}

/// An opening marker without its closing one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Open {
    slot: usize,
    /// Where the marker ends.
    marker_end: usize,
    /// Where the part begins that is not yet reported.
    cut: usize,
    /// Whether a part has been reported.
    continues: bool,
    score: Score,
    reason: Cow<'static, str>,
}

/// The state of one reading between blocks. Positions are absolute in the reading.
///
/// INVARIANT: every candidate that starts before `from` is decided, and the decisions depend on the text alone, not on
/// where the blocks were cut: a candidate is decided once its start cannot be part of a longer or later-ending one,
/// per slot by ascending start.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reader {
    from: usize,
    progress: Vec<Progress>,
    open: Vec<Open>,
}

impl Reader {
    pub(crate) fn reset(&mut self) {
        self.from = 0;
        self.progress.clear();
        self.open.clear();
    }

    /// The first undecided place.
    pub(crate) fn from(&self) -> usize {
        self.from
    }

    /// The first place that something yet to be reported may begin at.
    pub(crate) fn needed(&self) -> usize {
        self.open.iter().map(|o| o.cut).min().unwrap_or(self.from).min(self.from)
    }

    /// Whether the two will find the same, `other` being `by` further on.
    pub(crate) fn same_as(&self, other: &Reader, by: isize) -> bool {
        let move_by = |at: usize| at.saturating_add_signed(by);
        move_by(self.from) == other.from
            && self.open.is_empty()
            && other.open.is_empty()
            && self.progress.len() == other.progress.len()
            && self.progress.iter().zip(&other.progress).all(|(a, b)| {
                let moved = Progress {
                    slot: a.slot,
                    low: move_by(a.low),
                    storm_start: move_by(a.storm_start),
                    storm_end: move_by(a.storm_end),
                    storm_work: a.storm_work,
                };
                moved == *b
            })
    }

    /// Decides what can be decided with `text`, the reading from `base` on, and hands over what is found. Returns the
    /// place before which nothing can be found any more.
    pub(crate) fn advance(
        &mut self,
        cx: &mut Context<'_>,
        text: &[u8],
        base: usize,
        complete: bool,
        view: View,
        found: &mut dyn FnMut(Found),
    ) -> usize {
        let from = self.from.saturating_sub(base).min(text.len());
        let mut block = Block { text, base, from, complete, view, decided: text.len() };
        if from < text.len() {
            cx.caches.forget_places();
            let mut ends = std::mem::take(&mut cx.work.ends);
            let automata = cx.automata;
            // The kinds that begin at most words go first: where a word is cut, the others need not look at it.
            self.seek(cx, &mut block, &mut ends, found);
            automata.trigger().each(text, from..block.decided, complete, |start| {
                let fate = automata.run(cx.caches, text, start, complete, &mut ends);
                self.decide_all(cx, &mut block, start, (fate, &ends), found)
            });
            cx.work.ends = ends;
        }
        let decided = block.decided;
        self.from = base + decided;
        if !self.open.is_empty() {
            let until = if complete { base + text.len() } else { self.from };
            let automata = cx.automata;
            self.open.iter_mut().for_each(|open| open.cut_until(automata, until, found));
            if complete {
                self.open.drain(..).for_each(|open| open.close_at(automata, until, found));
            }
        }
        let from = self.from;
        self.progress.retain(|p| p.low > from || p.storm_end > from);
        self.needed()
    }

    /// Decides the candidates of the patterns that are looked for by a needle.
    fn seek(
        &mut self,
        cx: &mut Context<'_>,
        block: &mut Block<'_>,
        ends: &mut Vec<Ends>,
        found: &mut dyn FnMut(Found),
    ) {
        let automata = cx.automata;
        let Block { text, mut from, complete, .. } = *block;
        while from < block.decided
            && let Some((places, trigger)) = automata.next_sought(text, from, complete)
        {
            from = places.end;
            trigger.each(text, places, complete, |start| {
                let fate = automata.run_sought(cx.caches, text, start, complete, ends);
                self.decide_all(cx, block, start, (fate, ends), found)
            });
        }
    }

    /// Decides the candidates that start at `start`; false where the text does not suffice.
    fn decide_all(
        &mut self,
        cx: &Context<'_>,
        block: &mut Block<'_>,
        start: usize,
        (fate, ends): (Fate, &[Ends]),
        found: &mut dyn FnMut(Found),
    ) -> bool {
        let decided = fate == Fate::Decided && ends.iter().all(|&e| self.decide(cx, block, start, e, found));
        if !decided {
            block.decided = start;
        }
        decided
    }

    /// Decides the candidate of one slot that starts at `start`; false where the text does not suffice.
    fn decide(
        &mut self,
        cx: &Context<'_>,
        block: &Block<'_>,
        start: usize,
        ends: Ends,
        found: &mut dyn FnMut(Found),
    ) -> bool {
        let Some(&kind) = cx.automata.slots().get(ends.slot) else { return true };
        let span = Span::new(start, ends.last);
        if block.base + start < self.low(ends.slot) {
            return true;
        }
        match kind.role {
            Role::Closing { opening } => {
                let end = block.base + span.end;
                self.progress_of(ends.slot).low = end;
                // A marker that starts inside the opening one does not close it.
                let begun = |o: &Open| o.slot == opening && o.marker_end <= block.base + start;
                if let Some(index) = self.open.iter().position(begun) {
                    self.open.remove(index).close_at(cx.automata, end, found);
                    self.progress_of(opening).low = end;
                }
                true
            }
            Role::Opening if self.open.iter().any(|o| o.slot == ends.slot) => true,
            Role::Opening | Role::Whole => match judge(cx.detectors, kind, block, span) {
                Judged::Undecided => false,
                Judged::Rejected => {
                    self.progress_of(ends.slot).rejected(block.base + span.start, block.base + span.end);
                    true
                }
                Judged::Real(real) => {
                    self.progress_of(ends.slot).low = real.span.end;
                    if kind.role == Role::Whole {
                        found(real);
                    } else {
                        self.open.push(Open {
                            slot: ends.slot,
                            marker_end: block.base + span.end,
                            cut: real.span.start,
                            continues: false,
                            score: real.score,
                            reason: real.reason,
                        });
                    }
                    true
                }
            },
        }
    }

    /// No candidate of `slot` starts before it.
    fn low(&self, slot: usize) -> usize {
        self.progress
            .binary_search_by_key(&slot, |p| p.slot)
            .ok()
            .and_then(|i| self.progress.get(i))
            .map_or(0, |p| p.low)
    }

    fn progress_of(&mut self, slot: usize) -> &mut Progress {
        let index = match self.progress.binary_search_by_key(&slot, |p| p.slot) {
            Ok(index) => index,
            Err(index) => {
                self.progress.insert(index, Progress { slot, ..Progress::default() });
                index
            }
        };
        #[expect(clippy::indexing_slicing, reason = "found or inserted just above")]
        &mut self.progress[index]
    }
}

/// What became of a candidate.
enum Judged {
    Real(Found),
    Rejected,
    /// The text after it is not there yet.
    Undecided,
}

/// The text of a round.
struct Block<'a> {
    text: &'a [u8],
    base: usize,
    from: usize,
    complete: bool,
    view: View,
    /// Candidates that start before are decided in this round.
    decided: usize,
}

impl Progress {
    fn rejected(&mut self, start: usize, end: usize) {
        if start >= self.storm_end {
            (self.storm_start, self.storm_work) = (start, 0);
        }
        self.storm_end = self.storm_end.max(end);
        self.storm_work += end - start + STORM_EACH;
        let allowed = STORM_BASE + STORM_PER_BYTE * (start - self.storm_start);
        self.low = if self.storm_work > allowed { end } else { start + 1 };
    }
}

impl Open {
    /// Reports the parts that lie before `until`, each [`PART`] long.
    fn cut_until(&mut self, automata: &Automata, until: usize, found: &mut dyn FnMut(Found)) {
        let Some(slot) = automata.slots().get(self.slot) else { return };
        while self.cut + PART <= until {
            let end = self.cut + PART;
            found(self.part(slot.detector, end, true));
            self.cut = end;
            self.continues = true;
        }
    }

    /// Reports the rest, which ends at `end`.
    fn close_at(mut self, automata: &Automata, end: usize, found: &mut dyn FnMut(Found)) {
        self.cut_until(automata, end, found);
        let Some(slot) = automata.slots().get(self.slot) else { return };
        if self.cut < end {
            found(self.part(slot.detector, end, false));
        }
    }

    fn part(&self, detector: usize, end: usize, cut: bool) -> Found {
        Found {
            detector,
            span: Span::new(self.cut, end),
            score: self.score,
            reason: self.reason.clone(),
            open: true,
            continues: self.continues,
            cut,
        }
    }
}

/// Asks the detector.
fn judge(detectors: &[Arc<dyn Detector>], kind: Slot, block: &Block<'_>, span: Span) -> Judged {
    let after = span.end.saturating_add(kind.right_context);
    if after > block.text.len() && !block.complete {
        return Judged::Undecided;
    }
    let Some(detector) = detectors.get(kind.detector) else { return Judged::Rejected };
    let part = |from: usize, to: usize| block.text.get(from..to.min(block.text.len())).unwrap_or_default();
    let candidate = Candidate {
        bytes: part(span.start, span.end),
        before: part(span.start.saturating_sub(Candidate::LEFT_CONTEXT), span.start),
        after: part(span.end, after),
        view: block.view,
    };
    let Some(real) = detector.validate(&candidate) else { return Judged::Rejected };
    let inside = Span::new(real.span.start.min(span.len()), real.span.end.min(span.len()));
    if inside.is_empty() {
        return Judged::Rejected;
    }
    Judged::Real(Found {
        detector: kind.detector,
        span: inside.shifted(block.base + span.start),
        score: real.score,
        reason: real.reason,
        open: false,
        continues: false,
        cut: false,
    })
}
