//! One run of an automaton from one place.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input};

use crate::trail::Trail;

#[cfg(test)]
thread_local! {
    /// Bytes that runs went through: what a text costs.
    pub(crate) static PASSED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every candidate that starts there is known.
    Decided,
    /// The text ended first.
    Cut,
}

/// One run of an automaton.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a> {
    pub(crate) dfa: &'a DFA,
    pub(crate) text: &'a [u8],
    pub(crate) start: usize,
    /// No end beyond it is asked for.
    pub(crate) limit: usize,
    pub(crate) complete: bool,
}

impl Run<'_> {
    /// Calls `found` with the pattern and the end of every match that starts where the run does, by ascending end, and
    /// whether an earlier run met it.
    pub(crate) fn follow(
        &self,
        cache: &mut Cache,
        anchored: Anchored,
        trail: Option<&mut Trail>,
        found: impl FnMut(usize, usize, bool),
    ) -> Fate {
        let fate = self.try_follow(cache, anchored, trail, found);
        debug_assert!(fate.is_some(), "a lazy automaton without a limit on clearing does not give up");
        // Waiting is the safe answer to "we do not know".
        fate.unwrap_or(Fate::Cut)
    }

    fn try_follow(
        &self,
        cache: &mut Cache,
        anchored: Anchored,
        mut trail: Option<&mut Trail>,
        mut found: impl FnMut(usize, usize, bool),
    ) -> Option<Fate> {
        let Run { dfa, text, start, .. } = *self;
        let limit = self.limit.min(text.len());
        if let Some(trail) = &mut trail {
            trail.begin();
        }
        let mut sid =
            dfa.start_state_forward(cache, &Input::new(text).range(start..).anchored(anchored)).ok()?;
        let mut at = start;
        // Matches are reported one byte late, so that conditions on the next byte are settled: one byte more is read.
        while let Some(&byte) = text.get(at).filter(|_| at <= limit) {
            sid = dfa.next_state(cache, sid, byte).ok()?;
            if sid.is_tagged() {
                if sid.is_match() {
                    for i in 0..dfa.match_len(cache, sid) {
                        let slot = dfa.match_pattern(cache, sid, i).as_usize();
                        found(slot, at, false);
                        if let Some(trail) = &mut trail {
                            trail.found(slot, at);
                        }
                    }
                } else if sid.is_dead() {
                    if let Some(trail) = &mut trail {
                        trail.end(at, None);
                    }
                    return Some(Fate::Decided);
                }
            }
            at += 1;
            #[cfg(test)]
            PASSED.set(PASSED.get() + 1);
            if let Some(trail) = &mut trail
                && Trail::is_mark(start, at)
            {
                match trail.mark(at, sid, cache.clear_count(), |slot, end| found(slot, end, true)) {
                    None => {}
                    Some((_, None)) => return Some(Fate::Decided),
                    Some((stop, Some(state))) => (at, sid) = (stop, state),
                }
            }
        }
        if let Some(trail) = &mut trail {
            trail.end(at, Some(sid));
        }
        if at > limit {
            return Some(Fate::Decided);
        }
        if !self.complete {
            return Some(Fate::Cut);
        }
        sid = dfa.next_eoi_state(cache, sid).ok()?;
        if sid.is_match() {
            for i in 0..dfa.match_len(cache, sid) {
                found(dfa.match_pattern(cache, sid, i).as_usize(), at, false);
            }
        }
        Some(Fate::Decided)
    }
}
