//! All patterns as one automaton, run from the places where a candidate may start.
//!
//! An automaton that runs over the whole text has to carry, at each byte, every candidate that any earlier byte began;
//! with a hundred patterns the combinations have no end. Run from one place at a time it carries one beginning, and is
//! dead after a few bytes at nearly every place. It is a lazy DFA: a state is built when a text first leads there, in a
//! cache of bounded size that is emptied when full. It never gives up; a text that fills the cache over and over only
//! makes it slower.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{NFA, WhichCaptures};
use regex_automata::{Anchored, MatchKind, PatternID};
use regex_syntax::hir::Hir;

use crate::Detector;
use crate::engine::EngineError;
use crate::needle::Needle;
use crate::run::{Fate, Run};
use crate::trail::Trail;
use crate::trigger::{Place, Trigger, is_loose};

/// Longest candidate that a detector may ask for: what a stream holds back is bounded by it.
const MAX_SPAN_LIMIT: usize = 64 * 1024;
/// Longest closing marker of an open-ended kind.
const MAX_CLOSING: usize = 256;
/// Patterns whose `max_span` lies within the same of these bounds share an automaton. An automaton does not say which
/// of its patterns are still possible, so a stream waits for the longest of them.
const BOUNDS: [usize; 4] = [48, 128, 512, MAX_SPAN_LIMIT];
/// Bytes for the states of all groups, shared out by size...
const CACHE: usize = 6 << 20;
/// ... and the least that one gets.
const LEAST_CACHE: usize = 1 << 19;
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

/// Patterns of about the same length, run from one place all at once.
struct Group {
    dfa: DFA,
    /// The slot of each pattern.
    slots: Vec<usize>,
    trigger: Trigger,
    /// The largest `max_span`.
    reach: usize,
}

/// The compiled patterns.
pub(crate) struct Automata {
    groups: Vec<Group>,
    /// Where any of these groups may find something.
    trigger: Trigger,
    /// The group of patterns that may begin nearly anywhere, and what to look for instead of their beginnings.
    sought: Option<(Needle, Group)>,
    slots: Vec<Slot>,
}

/// States built so far.
pub(crate) struct Caches {
    owner: Arc<Automata>,
    groups: Vec<(Cache, Trail)>,
    sought: Option<(Cache, Trail)>,
}

impl Caches {
    pub(crate) fn new(owner: &Arc<Automata>) -> Caches {
        let new = |group: &Group| (group.dfa.create_cache(), Trail::default());
        Caches {
            groups: owner.groups.iter().map(new).collect(),
            sought: owner.sought.as_ref().map(|(_, group)| new(group)),
            owner: Arc::clone(owner),
        }
    }

    /// States of one automaton mean nothing to another.
    pub(crate) fn belong_to(&self, automata: &Arc<Automata>) -> bool {
        Arc::ptr_eq(&self.owner, automata)
    }

    pub(crate) fn memory(&self) -> usize {
        self.all().map(|(cache, _)| cache.memory_usage()).sum()
    }

    pub(crate) fn clears(&self) -> usize {
        self.all().map(|(cache, _)| cache.clear_count()).sum()
    }

    /// Another text, or another part of one: what was learnt about places no longer holds.
    pub(crate) fn forget_places(&mut self) {
        self.groups.iter_mut().chain(&mut self.sought).for_each(|(_, trail)| trail.forget());
    }

    fn all(&self) -> impl Iterator<Item = &(Cache, Trail)> {
        self.groups.iter().chain(&self.sought)
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

impl Automata {
    pub(crate) fn new(detectors: &[Arc<dyn Detector>]) -> Result<Automata, EngineError> {
        Automata::with_cache(detectors, CACHE)
    }

    fn with_cache(detectors: &[Arc<dyn Detector>], cache: usize) -> Result<Automata, EngineError> {
        let mut slots = Vec::new();
        let mut expressions = Vec::new();
        for (index, detector) in detectors.iter().enumerate() {
            let id = detector.id();
            let pattern = detector.pattern();
            if pattern.max_span == 0 || pattern.max_span > MAX_SPAN_LIMIT {
                return Err(EngineError::Span { detector: id, limit: MAX_SPAN_LIMIT });
            }
            let slot =
                |role, max_span, right_context| Slot { detector: index, role, max_span, right_context };
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
        let mut grouped: BTreeMap<_, Members> = BTreeMap::new();
        for (index, (slot, expression)) in slots.iter().zip(expressions).enumerate() {
            // Markers are told by their beginnings, in the order in which they stand.
            let needle = if slot.role == Role::Whole { needle(&expression)? } else { None };
            let bound = needle.is_none().then(|| BOUNDS.partition_point(|&bound| bound < slot.max_span));
            grouped.entry(bound).or_default().add(index, expression, needle);
        }
        let mut compiled = Vec::new();
        for members in grouped.into_values() {
            compiled.push((compile(&members.expressions)?, members));
        }
        let states: usize = compiled.iter().map(|(nfa, ..)| nfa.states().len()).sum();
        let (mut groups, mut sought) = (Vec::new(), None);
        for (nfa, Members { slots: members, expressions, needle }) in compiled {
            let cache = (cache * nfa.states().len() / states.max(1)).max(cache.min(LEAST_CACHE));
            let shortest = expressions.iter().filter_map(|e| e.properties().minimum_len()).min().unwrap_or(1);
            let group = Group {
                trigger: Trigger::new(&nfa, shortest),
                dfa: automaton(nfa, cache)?,
                reach: members.iter().filter_map(|&i| slots.get(i)).map(|s| s.max_span).max().unwrap_or(0),
                slots: members,
            };
            match needle {
                None => groups.push(group),
                Some(needle) => sought = Some((needle, group)),
            }
        }
        Ok(Automata { trigger: Trigger::any(groups.iter().map(|g| &g.trigger)), groups, sought, slots })
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    pub(crate) fn trigger(&self) -> &Trigger {
        &self.trigger
    }

    /// Where the patterns with a needle may find something, from `from` on.
    pub(crate) fn next_sought(
        &self,
        text: &[u8],
        from: usize,
        complete: bool,
    ) -> Option<(Range<usize>, &Trigger)> {
        let (needle, group) = self.sought.as_ref()?;
        Some((needle.next(text, from, group.reach, complete)?, &group.trigger))
    }

    pub(crate) fn memory(&self) -> usize {
        let groups = self.groups.iter().chain(self.sought.iter().map(|(_, group)| group));
        self.trigger.memory() + groups.map(Group::memory).sum::<usize>()
    }

    /// Every candidate that starts at `start`, for all patterns without a needle, into `found`.
    pub(crate) fn run(
        &self,
        caches: &mut Caches,
        text: &[u8],
        start: usize,
        complete: bool,
        found: &mut Vec<Ends>,
    ) -> Fate {
        found.clear();
        let place = Place::new(text, start);
        for (group, (cache, trail)) in self.groups.iter().zip(&mut caches.groups) {
            if group.trigger.admits(place)
                && self.run_group(group, cache, trail, text, start, complete, found) == Fate::Cut
            {
                return Fate::Cut;
            }
        }
        Fate::Decided
    }

    #[expect(clippy::too_many_arguments, reason = "the inner half of `run`")]
    fn run_group(
        &self,
        group: &Group,
        cache: &mut Cache,
        trail: &mut Trail,
        text: &[u8],
        start: usize,
        complete: bool,
        found: &mut Vec<Ends>,
    ) -> Fate {
        let run = Run { dfa: &group.dfa, text, start, limit: start.saturating_add(group.reach), complete };
        let slot_of = |pattern: usize| group.slots.get(pattern).copied().unwrap_or(usize::MAX);
        let capped = |slot: usize| start + self.slots.get(slot).map_or(0, |s| s.max_span);
        let mut hidden = Vec::new();
        let fate = run.follow(cache, Anchored::Yes, Some(trail), |pattern, end, recalled| {
            let slot = slot_of(pattern);
            if end <= capped(slot) {
                note(found, slot, end);
            } else if recalled {
                // The last end that an earlier run met lies beyond the bound, and may hide one within.
                hidden.push(pattern);
            }
        });
        for pattern in hidden {
            let slot = slot_of(pattern);
            let run = Run { limit: capped(slot), ..run };
            run.follow(cache, anchor(pattern), None, |_, end, _| note(found, slot, end));
        }
        fate
    }

    /// The same for the patterns with a needle.
    pub(crate) fn run_sought(
        &self,
        caches: &mut Caches,
        text: &[u8],
        start: usize,
        complete: bool,
        found: &mut Vec<Ends>,
    ) -> Fate {
        found.clear();
        match (&self.sought, &mut caches.sought) {
            (Some((_, group)), Some((cache, trail))) => {
                self.run_group(group, cache, trail, text, start, complete, found)
            }
            _ => Fate::Decided,
        }
    }
}

impl Group {
    fn memory(&self) -> usize {
        self.dfa.memory_usage() + self.dfa.get_nfa().memory_usage() + self.trigger.memory()
    }
}

/// Patterns to be compiled together.
#[derive(Default)]
struct Members {
    slots: Vec<usize>,
    expressions: Vec<Hir>,
    needle: Option<Needle>,
}

impl Members {
    fn add(&mut self, slot: usize, expression: Hir, needle: Option<Needle>) {
        self.slots.push(slot);
        self.expressions.push(expression);
        match (&mut self.needle, needle) {
            (Some(known), Some(needle)) => known.join(&needle),
            (known, needle) => *known = needle,
        }
    }
}

/// What to look for instead of the beginning of a pattern that may begin nearly anywhere.
fn needle(expression: &Hir) -> Result<Option<Needle>, EngineError> {
    let Some(needle) = Needle::of(expression) else { return Ok(None) };
    Ok(is_loose(&compile(std::slice::from_ref(expression))?).then_some(needle))
}

fn note(found: &mut Vec<Ends>, slot: usize, end: usize) {
    match found.iter_mut().find(|ends| ends.slot == slot) {
        Some(ends) => ends.last = end,
        None => found.push(Ends { slot, first: end, last: end }),
    }
}

fn anchor(pattern: usize) -> Anchored {
    PatternID::new(pattern).map_or(Anchored::Yes, Anchored::Pattern)
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
    let config =
        NFA::config().utf8(false).which_captures(WhichCaptures::None).nfa_size_limit(Some(NFA_LIMIT));
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

#[cfg(test)]
mod tests;
