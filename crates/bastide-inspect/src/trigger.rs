//! Where candidates may start, by three bytes and what stands before them, and by the three behind the first.
//!
//! A table of one bit for each combination says whether any pattern can begin that way, a second whether any can go on
//! that way. Most places of most texts are ruled out here, at a nanosecond a byte, and the automaton never sees them.

use std::ops::Range;

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;

/// How many bytes the table looks at.
pub(crate) const DEPTH: usize = 3;
/// Kinds of bytes, as a power of two: 64 to the third are 32 KiB of bits, once behind a word character and once not.
const KIND_BITS: usize = 6;
const KEYS: usize = 1 << (DEPTH * KIND_BITS + 1);
/// A pattern that can begin with more combinations than this can begin at most words.
const LOOSE: usize = 4096;

/// The kind of each byte: letters without case, digits, and the punctuation that candidates begin with. Bytes of one
/// kind are all word characters or all not.
const KINDS: [u8; 256] = kinds();

const fn kinds() -> [u8; 256] {
    let mut kinds = [0; 256];
    let mut byte = 0;
    loop {
        kinds[byte as usize] = match byte {
            c @ b'a'..=b'z' => 1 + (c - b'a'),
            c @ b'A'..=b'Z' => 1 + (c - b'A'),
            c @ b'0'..=b'9' => 27 + (c - b'0'),
            b'_' => 37,
            b' ' => 38,
            b'\t' | b'\n' | b'\r' => 39,
            b'-' => 40,
            b'.' => 41,
            b',' => 42,
            b'<' | b'>' => 43,
            b'[' | b']' => 44,
            b'(' | b')' => 45,
            b'{' | b'}' => 46,
            b'/' => 47,
            b'+' => 48,
            b'#' => 49,
            b'*' => 50,
            b':' | b';' => 51,
            b'"' | b'\'' => 52,
            b'@' => 53,
            b'=' => 54,
            b'|' => 55,
            b'$' | b'&' => 56,
            0xC2 => 57,
            0xE2 => 58,
            0xEF | 0xF3 => 59,
            0x80..=0xBF => 60,
            0xE3..=0xE9 => 61,
            0xC0..=0xFF => 62,
            _ => 0, // what else there is in ASCII
        };
        if byte == u8::MAX {
            return kinds;
        }
        byte += 1;
    }
}

/// What the tables say something about: the bytes at a place, as many as there are, and what stands before them.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    key: usize,
    bytes: usize,
}

impl Place {
    pub(crate) fn new(text: &[u8], at: usize) -> Place {
        let rest = text.get(at..).unwrap_or_default();
        let bytes = rest.get(..DEPTH).unwrap_or(rest);
        let behind_word = at.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|&b| is_word(b));
        let add = |key, &byte: &u8| key << KIND_BITS | usize::from(kind(byte));
        Place { key: bytes.iter().fold(usize::from(behind_word), add), bytes: bytes.len() }
    }
}

#[derive(Clone)]
pub(crate) struct Trigger {
    bits: Vec<u64>,
    /// By as many bytes behind the first, whatever that is.
    second: Vec<u64>,
    /// As `bits`, by one byte and by two, for the end of a text.
    fewer: [Vec<u64>; DEPTH - 1],
    /// Bytes in the shortest candidate.
    shortest: usize,
}

impl Trigger {
    /// The table for every pattern of `nfa`, none of which matches fewer than `shortest` bytes.
    pub(crate) fn new(nfa: &NFA, shortest: usize) -> Trigger {
        let mut trigger = Trigger { shortest, ..Trigger::never() };
        let mut walk = Walk::new(nfa);
        for behind_word in [false, true] {
            for before_word in [false, true] {
                let states = walk.closure([nfa.start_anchored()], Some((behind_word, before_word)));
                extend(
                    &mut trigger.bits,
                    &mut walk,
                    &states,
                    Some(before_word),
                    usize::from(behind_word),
                    DEPTH,
                );
            }
        }
        let states = walk.closure([nfa.start_anchored()], None);
        let behind_first = walk.successors(&states).into_iter().flatten();
        let states = walk.closure(behind_first, None);
        extend(&mut trigger.second, &mut walk, &states, None, 0, DEPTH);
        trigger.shorten()
    }

    fn never() -> Trigger {
        Trigger {
            bits: vec![0; KEYS / 64],
            second: vec![0; KEYS / 2 / 64],
            fewer: Default::default(),
            shortest: usize::MAX,
        }
    }

    /// With the tables of fewer bytes, made from that of all.
    fn shorten(mut self) -> Trigger {
        let bits = &self.bits;
        self.fewer = std::array::from_fn(|index| {
            // A key's continuations stand together: whole words of bits, or all of one word.
            let each = 1 << ((DEPTH - 1 - index) * KIND_BITS);
            let any = bits.chunks(each / 64).map(|words| words.iter().any(|&word| word != 0));
            let mut fewer = vec![0_u64; (KEYS / each).div_ceil(64)];
            for (key, _) in any.enumerate().filter(|(_, any)| *any) {
                set(&mut fewer, key);
            }
            fewer
        });
        self
    }

    /// The table for what any of several tables is for.
    pub(crate) fn any<'a>(all: impl IntoIterator<Item = &'a Trigger>) -> Trigger {
        let mut any = Trigger::never();
        for one in all {
            any.second.iter_mut().zip(&one.second).for_each(|(any, one)| *any |= one);
            any.bits.iter_mut().zip(&one.bits).for_each(|(any, one)| *any |= one);
            any.shortest = any.shortest.min(one.shortest);
        }
        any.shorten()
    }

    /// Whether a candidate may start at a place.
    pub(crate) fn admits(&self, place: Place) -> bool {
        match place.bytes {
            DEPTH => self.has(place.key),
            0 => true,
            few => self.fewer.get(few - 1).is_none_or(|fewer| is_set(fewer, place.key)),
        }
    }

    fn has(&self, key: usize) -> bool {
        is_set(&self.bits, key)
    }

    /// Calls `visit` with every one of `places` where a candidate may start, ascending, until it says false. The last
    /// places of the text, too close to its end to tell, are among them where one may begin with the bytes that are
    /// there, unless the text is `complete` and no candidate so short.
    pub(crate) fn each(
        &self,
        text: &[u8],
        places: Range<usize>,
        complete: bool,
        mut visit: impl FnMut(usize) -> bool,
    ) {
        const WIDTH: usize = DEPTH * KIND_BITS;
        let Range { start: from, end } = places;
        let tail = end.min(text.len().saturating_sub(DEPTH)).max(from);
        let (ahead, last) = match text.get(from..tail + DEPTH) {
            Some(full) => full.split_at(DEPTH),
            None => Default::default(),
        };
        let mut key = ahead.iter().fold(0, |key, &byte| key << KIND_BITS | usize::from(kind(byte)));
        let mut behind_word = from.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|&b| is_word(b));
        for (at, &byte) in last.iter().enumerate() {
            let first = usize::from(behind_word) << WIDTH | key;
            behind_word = is_word_kind(key >> (WIDTH - KIND_BITS));
            key = (key << KIND_BITS | usize::from(kind(byte))) & ((1 << WIDTH) - 1);
            if self.has(first) && is_set(&self.second, key) && !visit(from + at) {
                return;
            }
        }
        let room = if complete { self.shortest.min(DEPTH) } else { 1 };
        for at in tail..end.min((text.len() + 1).saturating_sub(room)) {
            if self.admits(Place::new(text, at)) && !visit(at) {
                return;
            }
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.fewer.iter().chain([&self.bits, &self.second]).map(|bits| bits.len() * size_of::<u64>()).sum()
    }
}

/// Marks every way to go on from `states` by `more` kinds, the first of them as `word` says where it says so.
fn extend(
    table: &mut [u64],
    walk: &mut Walk<'_>,
    states: &[StateID],
    word: Option<bool>,
    key: usize,
    more: usize,
) {
    if more == 0 || states.iter().any(|&id| matches!(walk.nfa.state(id), State::Match { .. })) {
        // Shorter than the table is deep: whatever follows.
        return mark(table, key, more);
    }
    if more == 1 {
        for &id in states {
            walk.transitions(id, |byte, _| mark(table, key << KIND_BITS | usize::from(kind(byte)), 0));
        }
        return;
    }
    for (kind, next) in walk.successors(states).into_iter().enumerate() {
        if !next.is_empty() && word.is_none_or(|word| word == is_word_kind(kind)) {
            let states = walk.closure(next, None);
            extend(table, walk, &states, None, key << KIND_BITS | kind, more - 1);
        }
    }
}

/// Sets the bit of `key` followed by any `any` kinds.
fn mark(table: &mut [u64], key: usize, any: usize) {
    let width = any * KIND_BITS;
    for key in key << width..(key + 1) << width {
        set(table, key);
    }
}

/// Whether a table would be of little use to the patterns of `nfa`: most texts have many places that it admits.
pub(crate) fn is_loose(nfa: &NFA) -> bool {
    let mut walk = Walk::new(nfa);
    let mut states = walk.closure([nfa.start_anchored()], None);
    let mut combinations = 1;
    for _ in 0..DEPTH {
        let next = walk.successors(&states);
        combinations *= next.iter().filter(|states| !states.is_empty()).count();
        states = walk.closure(next.into_iter().flatten(), None);
    }
    combinations > LOOSE
}

fn is_set(bits: &[u64], key: usize) -> bool {
    bits.get(key / 64).is_some_and(|word| word >> (key % 64) & 1 == 1)
}

fn set(bits: &mut [u64], key: usize) {
    if let Some(word) = bits.get_mut(key / 64) {
        *word |= 1 << (key % 64);
    }
}

fn kind(byte: u8) -> u8 {
    KINDS.get(usize::from(byte)).copied().unwrap_or(0)
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_word_kind(kind: usize) -> bool {
    (1..=37).contains(&kind)
}

/// Walks over the states of an automaton.
pub(crate) struct Walk<'a> {
    nfa: &'a NFA,
    /// In which round each state was last seen.
    seen: Vec<u32>,
    round: u32,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(nfa: &'a NFA) -> Walk<'a> {
        Walk { nfa, seen: vec![0; nfa.states().len()], round: 0 }
    }

    /// The states that read a byte or match, reached from `start` without reading one. Where `edge` tells whether a word
    /// character stands before and after, conditions on words must hold; else they may.
    pub(crate) fn closure(
        &mut self,
        start: impl IntoIterator<Item = StateID>,
        edge: Option<(bool, bool)>,
    ) -> Vec<StateID> {
        self.round += 1;
        let mut stack: Vec<StateID> = start.into_iter().collect();
        let mut reached = Vec::new();
        while let Some(id) = stack.pop() {
            match self.seen.get_mut(id.as_usize()) {
                Some(seen) if *seen < self.round => *seen = self.round,
                _ => continue,
            }
            match self.nfa.state(id) {
                State::Union { alternates } => stack.extend(alternates.iter().copied()),
                State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
                State::Capture { next, .. } => stack.push(*next),
                State::Look { look, next } => {
                    if edge.is_none_or(|(before, after)| may_hold(*look, before, after)) {
                        stack.push(*next);
                    }
                }
                State::Fail => {}
                _ => reached.push(id),
            }
        }
        reached
    }

    /// Where one byte of each kind leads from `states`.
    fn successors(&self, states: &[StateID]) -> Vec<Vec<StateID>> {
        let mut next = vec![Vec::new(); 1 << KIND_BITS];
        for &id in states {
            self.transitions(id, |byte, to| {
                if let Some(next) = next.get_mut(usize::from(kind(byte)))
                    && next.last() != Some(&to)
                {
                    next.push(to);
                }
            });
        }
        next
    }

    /// Calls `visit` with every byte that `id` reads and where it leads.
    pub(crate) fn transitions(&self, id: StateID, mut visit: impl FnMut(u8, StateID)) {
        match self.nfa.state(id) {
            State::ByteRange { trans } => (trans.start..=trans.end).for_each(|byte| visit(byte, trans.next)),
            State::Sparse(sparse) => {
                for trans in sparse.transitions.iter() {
                    (trans.start..=trans.end).for_each(|byte| visit(byte, trans.next));
                }
            }
            State::Dense(dense) => {
                (0..=u8::MAX)
                    .for_each(|byte| dense.matches_byte(byte).into_iter().for_each(|to| visit(byte, to)));
            }
            _ => {}
        }
    }
}

fn may_hold(look: Look, before: bool, after: bool) -> bool {
    match look {
        Look::WordAscii => before != after,
        Look::WordAsciiNegate => before == after,
        Look::WordStartAscii => !before && after,
        Look::WordEndAscii => before && !after,
        Look::WordStartHalfAscii => !before,
        Look::WordEndHalfAscii => !after,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(patterns: &[&str], text: &str) -> Vec<usize> {
        let nfa = NFA::compiler()
            .configure(NFA::config().utf8(false))
            .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
            .build_many(patterns)
            .unwrap();
        let mut places = Vec::new();
        Trigger::new(&nfa, 1).each(text.as_bytes(), 0..text.len(), false, |at| {
            places.push(at);
            true
        });
        places
    }

    #[test]
    fn only_beginnings_are_asked_for() {
        assert_eq!(
            places(&["sk-[a-z]+"], "ask-me sk-you desk-x SK-x.."),
            [1, 7, 16, 21],
            "letter case is not looked at"
        );
        assert_eq!(places(&[r"\bsk-[a-z]+"], "ask-me sk-you desk-x "), [7]);
        assert_eq!(places(&[r"(?i)\b(?:ignore|forget)"], "to forget is to forgive ignorance.."), [3, 16, 24]);
        assert_eq!(places(&["sk-[a-z]+"], "task s"), [5], "the end may go on as one");
        assert_eq!(places(&["sk-[a-z]+"], "ask sk"), [4], "and not as another");
        assert_eq!(places(&[r"\bsk-[a-z]+"], "ask-s"), [4]);
        assert_eq!(places(&[r"\bsk-[a-z]+"], "as"), []);
        assert_eq!(places(&["ab"], "xabx ab.."), [1, 5], "shorter than the table is deep");
        assert_eq!(places(&["a"], "xa.. a"), [1, 5]);
        assert_eq!(
            places(&["sk-[a-z]+", "-xy9"], "sk-9 sk-a -sk-.."),
            [5],
            "and the fourth byte is looked at"
        );
        assert_eq!(places(&["sk-[a-z]+"], "sk-9 sk-"), [5], "where it is there");
        assert_eq!(places(&[r"\xE2\x80\x8B"], "a\u{200B}b\u{2014}c.."), [1, 5], "8B and 94 are of one kind");
    }

    #[test]
    fn kinds_are_of_one_sort() {
        for byte in 0..=u8::MAX {
            assert_eq!(is_word(byte), is_word_kind(usize::from(kind(byte))), "{byte:#x}");
            assert!(kind(byte) < 64);
        }
    }
}
