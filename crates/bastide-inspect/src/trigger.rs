//! Where candidates may start, by three bytes and what stands before them.
//!
//! A table of one bit for each combination says whether any pattern can begin that way. Most places of most texts are
//! ruled out here, at a nanosecond a byte, and the automaton never sees them.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;
use regex_automata::util::look::Look;

/// How many bytes the table looks at.
pub(crate) const DEPTH: usize = 3;
/// Kinds of bytes, as a power of two: 64 to the third are 32 KiB of bits, once behind a word character and once not.
const KIND_BITS: usize = 6;
const KEYS: usize = 1 << (DEPTH * KIND_BITS + 1);

/// The kind of each byte: letters without case, digits, and the punctuation that candidates begin with. Bytes of one
/// kind are all word characters or all not.
const KINDS: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
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
        byte += 1;
    }
    kinds
};

#[derive(Clone)]
pub(crate) struct Trigger {
    bits: Vec<u64>,
    /// Bytes in the shortest candidate.
    shortest: usize,
}

impl Trigger {
    /// The table for every pattern of `nfa`, none of which matches fewer than `shortest` bytes.
    pub(crate) fn new(nfa: &NFA, shortest: usize) -> Trigger {
        let mut trigger = Trigger { bits: vec![0; KEYS / 64], shortest };
        let mut members: Vec<Vec<u8>> = vec![Vec::new(); 1 << KIND_BITS];
        for byte in 0..=u8::MAX {
            if let Some(kind) = members.get_mut(usize::from(kind(byte))) {
                kind.push(byte);
            }
        }
        for behind_word in [false, true] {
            for (first, bytes) in members.iter().enumerate() {
                let Some(&byte) = bytes.first() else { continue };
                let edge = Some((behind_word, is_word(byte)));
                let states = closure(nfa, [nfa.start_anchored()], edge);
                let key = usize::from(behind_word) << KIND_BITS | first;
                trigger.extend(nfa, &states, bytes, key, DEPTH - 1, &members);
            }
        }
        trigger
    }

    /// Marks every way to go on from `states` by one of `bytes` and then `more` kinds.
    fn extend(&mut self, nfa: &NFA, states: &[StateID], bytes: &[u8], key: usize, more: usize, members: &[Vec<u8>]) {
        if states.iter().any(|&id| matches!(nfa.state(id), State::Match { .. })) {
            // Shorter than the table is deep: whatever follows.
            return self.mark(key >> KIND_BITS, more + 1);
        }
        let next: Vec<StateID> = bytes.iter().flat_map(|&b| states.iter().filter_map(move |&id| step(nfa, id, b))).collect();
        if next.is_empty() {
            return;
        }
        if more == 0 {
            return self.mark(key, 0);
        }
        let states = closure(nfa, next, None);
        if states.iter().any(|&id| matches!(nfa.state(id), State::Match { .. })) {
            return self.mark(key, more);
        }
        for (kind, bytes) in members.iter().enumerate() {
            if !bytes.is_empty() {
                self.extend(nfa, &states, bytes, key << KIND_BITS | kind, more - 1, members);
            }
        }
    }

    /// Sets the bit of `key` followed by any `any` kinds.
    fn mark(&mut self, key: usize, any: usize) {
        let width = any * KIND_BITS;
        for key in key << width..(key + 1) << width {
            if let Some(word) = self.bits.get_mut(key / 64) {
                *word |= 1 << (key % 64);
            }
        }
    }

    /// The table for what any of several tables is for.
    pub(crate) fn any<'a>(all: impl IntoIterator<Item = &'a Trigger>) -> Trigger {
        let mut any = Trigger { bits: vec![0; KEYS / 64], shortest: usize::MAX };
        for one in all {
            any.bits.iter_mut().zip(&one.bits).for_each(|(any, one)| *any |= one);
            any.shortest = any.shortest.min(one.shortest);
        }
        any
    }

    /// Whether a candidate may start at `at`.
    pub(crate) fn admits(&self, text: &[u8], at: usize) -> bool {
        let Some(bytes) = text.get(at..at + DEPTH) else { return true };
        let behind_word = at.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|&b| is_word(b));
        self.has(bytes.iter().fold(usize::from(behind_word), |key, &byte| key << KIND_BITS | usize::from(kind(byte))))
    }

    fn has(&self, key: usize) -> bool {
        self.bits.get(key / 64).is_some_and(|word| word >> (key % 64) & 1 == 1)
    }

    /// Calls `visit` with every place from `from` on where a candidate may start, ascending, until it says false. The
    /// last places, too close to the end of the text to tell, are among them unless the text is `complete` and no
    /// candidate so short.
    pub(crate) fn each(&self, text: &[u8], from: usize, complete: bool, mut visit: impl FnMut(usize) -> bool) {
        const MASK: usize = (1 << (DEPTH * KIND_BITS)) - 1;
        let Some(rest) = text.get(from..) else { return };
        let (ahead, tail) = rest.split_at(rest.len().min(DEPTH - 1));
        let mut key = ahead.iter().fold(0, |key, &byte| key << KIND_BITS | usize::from(kind(byte)));
        let mut behind_word = from.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|&b| is_word(b));
        for (at, &byte) in tail.iter().enumerate() {
            key = (key << KIND_BITS | usize::from(kind(byte))) & MASK;
            let full = usize::from(behind_word) << (DEPTH * KIND_BITS) | key;
            behind_word = is_word_kind(key >> ((DEPTH - 1) * KIND_BITS));
            if self.has(full) && !visit(from + at) {
                return;
            }
        }
        let room = if complete { self.shortest.min(DEPTH) } else { 1 };
        for at in text.len() - ahead.len()..(text.len() + 1).saturating_sub(room) {
            if !visit(at) {
                return;
            }
        }
    }

    pub(crate) fn memory(&self) -> usize {
        self.bits.len() * size_of::<u64>()
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

pub(crate) fn step(nfa: &NFA, id: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(id) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(sparse) => sparse.matches_byte(byte),
        State::Dense(dense) => dense.matches_byte(byte),
        _ => None,
    }
}

/// The states that read a byte or match, reached from `start` without reading one. Where `edge` tells whether a word
/// character stands before and after, conditions on words must hold; else they may.
pub(crate) fn closure(nfa: &NFA, start: impl IntoIterator<Item = StateID>, edge: Option<(bool, bool)>) -> Vec<StateID> {
    let mut stack: Vec<StateID> = start.into_iter().collect();
    let mut seen = std::collections::HashSet::new();
    let mut reached = Vec::new();
    while let Some(id) = stack.pop() {
        if !seen.insert(id) {
            continue;
        }
        match nfa.state(id) {
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
        Trigger::new(&nfa, 1).each(text.as_bytes(), 0, false, |at| {
            places.push(at);
            true
        });
        // The last two places are always asked for.
        places.retain(|&at| at + 2 < text.len());
        places
    }

    #[test]
    fn only_beginnings_are_asked_for() {
        assert_eq!(places(&["sk-[a-z]+"], "ask-me sk-you desk-x SK-x.."), [1, 7, 16, 21], "letter case is not looked at");
        assert_eq!(places(&[r"\bsk-[a-z]+"], "ask-me sk-you desk-x "), [7]);
        assert_eq!(places(&[r"(?i)\b(?:ignore|forget)"], "to forget is to forgive ignorance.."), [3, 16, 24]);
        assert_eq!(places(&["ab"], "xabx ab.."), [1, 5], "shorter than the table is deep");
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
