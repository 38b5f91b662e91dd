//! Patterns that may begin nearly anywhere but must soon come to a rare byte: an address and its `@`.
//!
//! Every word may start one. Places are asked about only where such a byte follows, and nothing before it that cannot
//! precede it.

use std::ops::{Range, RangeInclusive};

use regex_syntax::hir::{Class, Hir, HirKind};

/// The bytes that patterns may be told by.
const BYTES: [u8; 3] = *b"~@.";

/// Of patterns all matches of which contain one of these bytes: what a match may hold before the first of them.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    before: [bool; 256],
}

impl Needle {
    /// That of a pattern all matches of which contain one.
    pub(crate) fn of(expression: &Hir) -> Option<Needle> {
        let mut needle = Needle { before: [false; 256] };
        if !needle.read(expression) {
            return None;
        }
        for byte in BYTES {
            *needle.before.get_mut(usize::from(byte))? = false;
        }
        Some(needle)
    }

    /// Notes what matches of `expression` may hold before the first needle. Says whether all of them contain one; what
    /// stands behind a part that does is not looked at, while every alternative is.
    fn read(&mut self, expression: &Hir) -> bool {
        match expression.kind() {
            HirKind::Empty | HirKind::Look(_) => false,
            HirKind::Literal(literal) => literal.0.iter().any(|&byte| self.note(byte..=byte)),
            HirKind::Class(Class::Bytes(class)) => {
                class.iter().filter(|range| !self.note(range.start()..=range.end())).count() == 0
            }
            HirKind::Class(Class::Unicode(_)) => self.note(0..=u8::MAX),
            HirKind::Repetition(repetition) => self.read(&repetition.sub) && repetition.min > 0,
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => parts.iter().any(|part| self.read(part)),
            HirKind::Alternation(parts) => parts.iter().filter(|part| !self.read(part)).count() == 0,
        }
    }

    /// The same for one byte of a range.
    fn note(&mut self, mut range: RangeInclusive<u8>) -> bool {
        if let Some(known) = self.before.get_mut(usize::from(*range.start())..=usize::from(*range.end())) {
            known.fill(true);
        }
        range.all(|byte| BYTES.contains(&byte))
    }

    /// That of the patterns of both.
    pub(crate) fn join(&mut self, other: &Needle) {
        self.before.iter_mut().zip(&other.before).for_each(|(before, other)| *before |= other);
    }

    /// The first places from `from` on where a match of at most `reach` bytes may start. Where more text is to come, a
    /// needle may be in it.
    pub(crate) fn next(
        &self,
        text: &[u8],
        from: usize,
        reach: usize,
        complete: bool,
    ) -> Option<Range<usize>> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let (ahead, end) = match memchr::memchr3(BYTES[0], BYTES[1], BYTES[2], rest) {
            Some(at) => (at, from + at + 1),
            None if complete => return None,
            None => (rest.len(), text.len()),
        };
        let least = ahead.saturating_sub(reach);
        let before = rest.get(least..ahead).unwrap_or_default();
        let start = before.iter().rposition(|&byte| !self.precedes(byte)).map_or(0, |at| at + 1);
        Some(from + least + start..end)
    }

    fn precedes(&self, byte: u8) -> bool {
        self.before.get(usize::from(byte)) == Some(&true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needle(pattern: &str) -> Option<Needle> {
        Needle::of(
            &regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).unwrap(),
        )
    }

    fn places(pattern: &str, text: &str, complete: bool) -> Vec<(usize, usize)> {
        let (needle, mut from, mut all) = (needle(pattern).unwrap(), 0, Vec::new());
        while let Some(places) = needle.next(text.as_bytes(), from, 6, complete) {
            from = places.end;
            all.push((places.start, places.end));
        }
        all
    }

    #[test]
    fn a_needle_is_in_every_match() {
        let has = |pattern| needle(pattern).is_some();
        assert!(has(r"\b[a-z.]+@[a-z]+\.[a-z]+"));
        assert!(has(r"[a-z]{3}Q[~][a-z]"));
        assert!(has(r"(?:a|bc)+(?:d\.|\.e)"));
        assert!(has(r"[a-z]+(?:@|\.\.)x"), "one or the other");
        assert!(!has(r"[a-z]+(?:@|#)x"));
        assert!(!has(r"[a-z]+@?x"));
        assert!(!has(r"(?:[a-z]\.)*x"));
        assert!(!has(r"[a-z@]+"));
    }

    #[test]
    fn matches_start_not_far_before_the_needle() {
        let pattern = r"\b[a-z]+(?:-[a-z])?@[a-z]";
        assert_eq!(places(pattern, "to ab-c@d,", true), [(3, 8)]);
        assert_eq!(places(pattern, "to ab,c@d ef", true), [(6, 8)]);
        assert_eq!(
            places(pattern, "abcdefghi@d@", true),
            [(3, 10), (10, 12)],
            "six before the needle at most"
        );
        assert_eq!(places(pattern, "@", true), [(0, 1)]);
        assert_eq!(places(pattern, "a.b@c", true), [(0, 2), (2, 4)], "any of the bytes");
        assert!(places(pattern, "no needle", true).is_empty());
    }

    #[test]
    fn the_needle_may_be_in_the_text_to_come() {
        let pattern = r"\b[a-z]+@[a-z]";
        assert_eq!(places(pattern, "a@b to ab", false), [(0, 2), (7, 9)]);
        assert_eq!(places(pattern, "abcdefghi", false), [(3, 9)]);
        assert_eq!(places(pattern, "to ", false), [(3, 3)], "nothing so far");
        assert!(places(pattern, "", false).is_empty());
    }
}
