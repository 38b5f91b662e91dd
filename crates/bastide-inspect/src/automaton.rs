//! All patterns as one automaton, run from the places where a candidate may start.
//!
//! An automaton that runs over the whole text has to carry, at each byte, every candidate that any earlier byte began;
//! with a hundred patterns the combinations have no end. Run from one place at a time it carries one beginning, and is
//! dead after a few bytes at nearly every place. It is a lazy DFA: a state is built when a text first leads there, in a
//! cache of bounded size that is emptied when full. It never gives up; a text that fills the cache over and over only
//! makes it slower.

use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::{Anchored, Input, MatchKind, PatternID};
use regex_syntax::hir::Hir;

use crate::Detector;
use crate::engine::EngineError;
use crate::lead::Lead;
use crate::trail::Trail;
use crate::trigger::Trigger;

/// Longest candidate that a detector may ask for: what a stream holds back is bounded by it.
const MAX_SPAN_LIMIT: usize = 64 * 1024;
/// Longest closing marker of an open-ended kind.
const MAX_CLOSING: usize = 256;
/// Bytes for the states of the automaton.
const CACHE: usize = 4 << 20;
/// Bytes for the states of the automaton of patterns that begin with a repetition.
const LEAD_CACHE: usize = 1 << 20;
/// Largest compiled form before determinisation.
const NFA_LIMIT: usize = 8 << 20;

/// What a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Candidates of a bounded kind.
    Whole,
    /// Opening markers of an unbounded kind.
    Opening,
    /// Closing markers of the kind whose opening markers are at this slot.
    Closing { opening: usize },
}

/// One pattern.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    pub(crate) detector: usize,
    pub(crate) role: Role,
    pub(crate) max_span: usize,
    pub(crate) right_context: usize,
}

/// The compiled patterns.
pub(crate) struct Automata {
    /// Run from one place, all patterns at once.
    all: DFA,
    trigger: Trigger,
    /// The patterns that begin with a repetition, and their automaton, run for one of them at a time.
    leads: Vec<(usize, Lead)>,
    led: DFA,
    slots: Vec<Slot>,
    /// The largest `max_span` in `all`.
    reach: usize,
}

/// States built so far.
pub(crate) struct Caches {
    owner: Arc<Automata>,
    all: Cache,
    led: Cache,
    trail: Trail,
}

impl Caches {
    pub(crate) fn new(owner: &Arc<Automata>) -> Caches {
        Caches {
            all: owner.all.create_cache(),
            led: owner.led.create_cache(),
            trail: Trail::default(),
            owner: Arc::clone(owner),
        }
    }

    /// States of one automaton mean nothing to another.
    pub(crate) fn belong_to(&self, automata: &Arc<Automata>) -> bool {
        Arc::ptr_eq(&self.owner, automata)
    }

    pub(crate) fn memory(&self) -> usize {
        self.all.memory_usage() + self.led.memory_usage()
    }

    pub(crate) fn clears(&self) -> usize {
        self.all.clear_count() + self.led.clear_count()
    }

    /// Another text, or another part of one: what was learnt about places no longer holds.
    pub(crate) fn forget_places(&mut self) {
        self.trail.forget();
    }
}

/// Where the candidates of one slot that start at one place end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) slot: usize,
    /// The first.
    pub(crate) first: usize,
    /// The last within the slot's bound.
    pub(crate) last: usize,
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Every candidate that starts there is known.
    Decided,
    /// The text ended first.
    Cut,
}

impl Automata {
    pub(crate) fn new(detectors: &[Arc<dyn Detector>]) -> Result<Automata, EngineError> {
        let mut slots = Vec::new();
        let mut expressions = Vec::new();
        for (index, detector) in detectors.iter().enumerate() {
            let id = detector.id();
            let pattern = detector.pattern();
            if pattern.max_span == 0 || pattern.max_span > MAX_SPAN_LIMIT {
                return Err(EngineError::Span { detector: id, limit: MAX_SPAN_LIMIT });
            }
            let slot = |role, max_span, right_context| Slot { detector: index, role, max_span, right_context };
            match &pattern.open_ended {
                None => {
                    expressions.push(parse(id, &pattern.regex)?);
                    slots.push(slot(Role::Whole, pattern.max_span, pattern.max_right_context));
                }
                Some(ends) => {
                    let opening = slots.len();
                    expressions.push(parse(id, &ends.opening)?);
                    slots.push(slot(Role::Opening, pattern.max_span, pattern.max_right_context));
                    expressions.push(parse(id, &ends.closing)?);
                    slots.push(slot(Role::Closing { opening }, MAX_CLOSING, 0));
                }
            }
        }
        // A pattern keeps its number in both automata; where it does not belong it is one that matches nothing.
        let mut led = expressions.clone();
        let mut leads = Vec::new();
        for (slot, (expression, led)) in expressions.iter_mut().zip(&mut led).enumerate() {
            let lead = slots.get(slot).filter(|s| s.role == Role::Whole).and_then(|_| Lead::of(expression));
            *match lead {
                Some(_) => expression,
                None => led,
            } = Hir::fail();
            leads.extend(lead.map(|lead| (slot, lead)));
        }
        let shortest = expressions.iter().filter_map(|e| e.properties().minimum_len()).min().unwrap_or(1);
        let nfa = compile(&expressions)?;
        let in_all = |slot: usize| leads.iter().all(|(lead, _)| *lead != slot);
        let reach = slots.iter().enumerate().filter(|(i, _)| in_all(*i)).map(|(_, s)| s.max_span).max().unwrap_or(0);
        Ok(Automata {
            trigger: Trigger::new(&nfa, shortest),
            all: automaton(nfa, CACHE)?,
            led: automaton(compile(&led)?, LEAD_CACHE)?,
            leads,
            slots,
            reach,
        })
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn leads(&self) -> &[(usize, Lead)] {
        &self.leads
    }

    pub(crate) fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    pub(crate) fn memory(&self) -> usize {
        let automata = [&self.all, &self.led];
        let compiled: usize = automata.iter().map(|dfa| dfa.memory_usage() + dfa.get_nfa().memory_usage()).sum();
        compiled + self.trigger.memory() + self.leads.iter().map(|(_, lead)| size_of_val(lead)).sum::<usize>()
    }

    /// Every candidate that starts at `start`, for all patterns that do not begin with a repetition, into `found`.
    pub(crate) fn run(
        &self,
        caches: &mut Caches,
        text: &[u8],
        start: usize,
        complete: bool,
        found: &mut Vec<Ends>,
    ) -> Fate {
        found.clear();
        let Caches { all: cache, trail, .. } = caches;
        let run = Run { dfa: &self.all, text, start, limit: start.saturating_add(self.reach), complete };
        let capped = |slot: usize| start + self.slots.get(slot).map_or(0, |s| s.max_span);
        let mut hidden = Vec::new();
        let fate = run.follow(cache, Anchored::Yes, Some(trail), |slot, end, recalled| {
            if end <= capped(slot) {
                note(found, slot, end);
            } else if recalled {
                // The last end that an earlier run met lies beyond the bound, and may hide one within.
                hidden.push(slot);
            }
        });
        for slot in hidden {
            let run = Run { limit: capped(slot), ..run };
            run.follow(cache, pattern(slot), None, |_, end, _| note(found, slot, end));
        }
        fate
    }

    /// Every candidate of `slot`, which begins with a repetition, that starts at `start`.
    pub(crate) fn run_led(
        &self,
        caches: &mut Caches,
        text: &[u8],
        slot: usize,
        start: usize,
        limit: usize,
        complete: bool,
    ) -> (Option<Ends>, Fate) {
        let mut found: Option<Ends> = None;
        let run = Run { dfa: &self.led, text, start, limit, complete };
        let fate = run.follow(&mut caches.led, pattern(slot), None, |_, end, _| {
            let first = found.map_or(end, |f| f.first);
            found = Some(Ends { slot, first, last: end });
        });
        (found, fate)
    }
}

/// One run of an automaton.
#[derive(Clone, Copy)]
struct Run<'a> {
    dfa: &'a DFA,
    text: &'a [u8],
    start: usize,
    /// No end beyond it is asked for.
    limit: usize,
    complete: bool,
}

impl Run<'_> {
    fn follow(
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
        let mut sid = dfa.start_state_forward(cache, &Input::new(text).range(start..).anchored(anchored)).ok()?;
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

fn note(found: &mut Vec<Ends>, slot: usize, end: usize) {
    match found.iter_mut().find(|ends| ends.slot == slot) {
        Some(ends) => ends.last = end,
        None => found.push(Ends { slot, first: end, last: end }),
    }
}

fn pattern(slot: usize) -> Anchored {
    PatternID::new(slot).map_or(Anchored::Yes, Anchored::Pattern)
}

fn parse(detector: &'static str, expression: &str) -> Result<Hir, EngineError> {
    let hir = regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(expression)
        .map_err(|source| EngineError::Pattern { detector, source: Box::new(source) })?;
    match hir.properties().minimum_len() {
        Some(0) => Err(EngineError::Empty { detector }),
        _ => Ok(hir),
    }
}

fn too_large(source: impl std::error::Error + Send + Sync + 'static) -> EngineError {
    EngineError::TooLarge { source: Box::new(source) }
}

fn compile(expressions: &[Hir]) -> Result<NFA, EngineError> {
    let config = NFA::config().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(NFA_LIMIT));
    let never = [Hir::fail()];
    let expressions = if expressions.is_empty() { &never } else { expressions };
    NFA::compiler().configure(config).build_many_from_hir(expressions).map_err(too_large)
}

fn automaton(nfa: NFA, cache: usize) -> Result<DFA, EngineError> {
    let config = DFA::config()
        .match_kind(MatchKind::All)
        .starts_for_each_pattern(true)
        .cache_capacity(cache)
        .skip_cache_capacity_check(true)
        // Without this limit it never gives up; giving up would be a hole in the guard.
        .minimum_cache_clear_count(None);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(too_large)
}
