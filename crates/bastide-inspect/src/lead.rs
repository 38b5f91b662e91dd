//! Patterns that begin with a repetition: `[a-z0-9.]+@...`.
//!
//! Every letter of every word may start one. They are looked for from the byte that ends the repetition instead.

use regex_automata::nfa::thompson::{NFA, State, WhichCaptures};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::trigger::Walk;

/// The repetition, and what follows it. The two share no byte, so where the repetition ends is never in doubt.
#[derive(Clone, Debug)]
pub(crate) struct Lead {
    class: [bool; 256],
    after: [bool; 256],
    /// The only byte of `after`, where there is only one.
    only: Option<u8>,
    pub(crate) min: usize,
    pub(crate) max: Option<usize>,
}

impl Lead {
    /// The lead of a pattern that has one.
    pub(crate) fn of(expression: &Hir) -> Option<Lead> {
        let HirKind::Concat(parts) = expression.kind() else { return None };
        let (first, rest) = parts.split_first()?;
        let HirKind::Repetition(repetition) = first.kind() else { return None };
        let HirKind::Class(Class::Bytes(bytes)) = repetition.sub.kind() else { return None };
        let max = repetition.max.and_then(|max| usize::try_from(max).ok());
        if repetition.min == 0 || max == Some(1) || (repetition.max.is_some() && max.is_none()) {
            return None;
        }
        let mut class = [false; 256];
        for range in bytes.iter() {
            class.get_mut(usize::from(range.start())..=usize::from(range.end()))?.fill(true);
        }
        let after = first_bytes(&Hir::concat(rest.to_vec()))?;
        if class.iter().zip(&after).any(|(a, b)| *a && *b) {
            return None;
        }
        let mut follow = (0..=u8::MAX).filter(|&b| after.get(usize::from(b)) == Some(&true));
        let only = match (follow.next(), follow.next()) {
            (Some(byte), None) => Some(byte),
            _ => None,
        };
        Some(Lead { class, after, only, min: usize::try_from(repetition.min).ok()?, max })
    }

    /// The first place from `from` on where the repetition, begun at `from` or later, ends.
    pub(crate) fn next_end(&self, text: &[u8], from: usize) -> Option<usize> {
        let mut at = from + 1;
        loop {
            at += match self.only {
                Some(byte) => memchr::memchr(byte, text.get(at..)?)?,
                None => {
                    text.get(at..)?.iter().position(|&b| self.after.get(usize::from(b)) == Some(&true))?
                }
            };
            if text.get(at - 1).is_some_and(|&b| self.repeats(b)) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The start of the repetition that ends at `end`, not before `low`.
    pub(crate) fn start(&self, text: &[u8], low: usize, end: usize) -> usize {
        let low = self.max.map_or(low, |max| low.max(end.saturating_sub(max)));
        let before = text.get(low..end).unwrap_or_default();
        low + before.iter().rposition(|&b| !self.repeats(b)).map_or(0, |i| i + 1)
    }

    fn repeats(&self, byte: u8) -> bool {
        self.class.get(usize::from(byte)) == Some(&true)
    }
}

/// The bytes that a match can begin with; `None` where it can be empty.
fn first_bytes(expression: &Hir) -> Option<[bool; 256]> {
    if expression.properties().minimum_len() == Some(0) {
        return None;
    }
    let config = NFA::config().utf8(false).which_captures(WhichCaptures::None);
    let nfa = NFA::compiler().configure(config).build_from_hir(expression).ok()?;
    let mut bytes = [false; 256];
    let mut walk = Walk::new(&nfa);
    for id in walk.closure([nfa.start_anchored()], None) {
        if matches!(nfa.state(id), State::Match { .. }) {
            return None;
        }
        walk.transitions(id, |byte, _| {
            if let Some(known) = bytes.get_mut(usize::from(byte)) {
                *known = true;
            }
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lead(pattern: &str) -> Option<Lead> {
        Lead::of(
            &regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap(),
        )
    }

    #[test]
    fn only_repetitions_with_a_clear_end_are_leads() {
        assert!(lead(r"[a-z.]+@[a-z]+").is_some());
        assert!(lead(r"[a-z]{2,64}(?:@|#)x").is_some());
        assert!(lead(r"\b[a-z]+@x").is_none(), "a condition before it says where it starts");
        assert!(lead(r"[a-z]+a@").is_none(), "`a` may or may not be part of it");
        assert!(lead(r"[a-z]*@").is_none());
        assert!(lead(r"[a-z]+").is_none());
    }

    #[test]
    fn repetitions_are_found_from_their_end() {
        let lead = lead(r"[a-z]{2,4}@x").unwrap();
        let text = b"@ab cdefghi@x j@";
        assert_eq!(lead.next_end(text, 0), Some(11));
        assert_eq!(lead.start(text, 0, 11), 7, "four at most");
        assert_eq!(lead.start(text, 9, 11), 9);
        assert_eq!(lead.next_end(text, 11), Some(15));
        assert_eq!(lead.next_end(text, 15), None);
    }
}
