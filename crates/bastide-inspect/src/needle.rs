//! Patterns that may begin nearly anywhere but must soon come to a rare byte: an address and its `@`.
//!
//! Every word may start one. Places are asked about only where the byte follows, and nothing before it that cannot
//! precede it.

use std::ops::Range;

use regex_syntax::hir::{Class, Hir, HirKind};

/// The bytes that patterns may be told by, the rarest in texts first.
const BYTES: [u8; 3] = *b"~@.";

/// A byte that every match contains, and what a match may hold before the first of it.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    pub(crate) byte: u8,
    before: [bool; 256],
}

impl Needle {
    /// The needle of a pattern that has one.
    pub(crate) fn of(expression: &Hir) -> Option<Needle> {
        BYTES.into_iter().find_map(|byte| {
            let mut needle = Needle { byte, before: [false; 256] };
            let is_one = needle.read(expression);
            // Ranges around it were noted with it.
            *needle.before.get_mut(usize::from(byte))? = false;
            is_one.then_some(needle)
        })
    }

    /// Notes what matches of `expression` may hold before the needle. Says whether all of them contain it; what stands
    /// behind a part that does is not looked at, while every alternative is.
    fn read(&mut self, expression: &Hir) -> bool {
        match expression.kind() {
            HirKind::Empty | HirKind::Look(_) => false,
            HirKind::Literal(literal) => literal.0.iter().any(|&byte| self.read_range(byte, byte)),
            HirKind::Class(Class::Bytes(class)) => {
                class.iter().filter(|range| !self.read_range(range.start(), range.end())).count() == 0
            }
            HirKind::Class(Class::Unicode(_)) => self.read_range(0, u8::MAX),
            HirKind::Repetition(repetition) => self.read(&repetition.sub) && repetition.min > 0,
            HirKind::Capture(capture) => self.read(&capture.sub),
            HirKind::Concat(parts) => parts.iter().any(|part| self.read(part)),
            HirKind::Alternation(parts) => parts.iter().filter(|part| !self.read(part)).count() == 0,
        }
    }

    /// The same for one byte of a range.
    fn read_range(&mut self, start: u8, end: u8) -> bool {
        if let Some(known) = self.before.get_mut(usize::from(start)..=usize::from(end)) {
            known.fill(true);
        }
        start == self.byte && end == self.byte
    }

    /// The needle of either pattern, where it is the same byte.
    pub(crate) fn join(&mut self, other: &Needle) {
        self.before.iter_mut().zip(&other.before).for_each(|(before, other)| *before |= other);
    }

    /// The first places from `from` on where a match of at most `reach` bytes may start. Where more text is to come,
    /// the needle may be in it.
    pub(crate) fn next(
        &self,
        text: &[u8],
        from: usize,
        reach: usize,
        complete: bool,
    ) -> Option<Range<usize>> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        let (ahead, end) = match memchr::memchr(self.byte, rest) {
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
        let byte = |pattern| needle(pattern).map(|needle| char::from(needle.byte));
        assert_eq!(byte(r"\b[a-z.]+@[a-z]+\.[a-z]+"), Some('@'), "the rarest");
        assert_eq!(byte(r"[a-z]{3}Q[~][a-z]"), Some('~'));
        assert_eq!(byte(r"(?:a|bc)+(?:d\.|\.e)"), Some('.'));
        assert_eq!(byte(r"[a-z]+(?:@|#)x"), None, "one or the other");
        assert_eq!(byte(r"[a-z]+@?x"), None);
        assert_eq!(byte(r"(?:[a-z]\.)*x"), None);
        assert_eq!(byte(r"[a-z@]+"), None);
    }

    #[test]
    fn matches_start_not_far_before_the_needle() {
        let pattern = r"\b[a-z]+(?:-[a-z])?@[a-z]";
        assert_eq!(places(pattern, "to ab-c@d.", true), [(3, 8)]);
        assert_eq!(places(pattern, "to ab.c@d ef", true), [(6, 8)]);
        assert_eq!(
            places(pattern, "abcdefghi@d@", true),
            [(3, 10), (10, 12)],
            "six before the needle at most"
        );
        assert_eq!(places(pattern, "@", true), [(0, 1)]);
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
