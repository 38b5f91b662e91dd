//! Texts that are read as one.
//!
//! A model is given the parts of a message joined, with nothing or with a line break between, as its provider's
//! template has it, and a value that was cut over two parts is whole again. So whoever looks for something reads the
//! parts joined, each by itself, and joined by line breaks: what any of these readings shows is there.

use std::borrow::Cow;

use bastide_types::Span;

/// Several texts as one. Offsets count in the texts joined by nothing.
#[derive(Clone, Debug)]
pub struct JoinedText<'t> {
    text: Cow<'t, str>,
    /// Where each text begins; the first at 0.
    starts: Vec<usize>,
}

/// One reading of a [`JoinedText`].
#[derive(Clone, Debug)]
pub struct Reading<'t> {
    /// What is read.
    pub text: Cow<'t, str>,
    of: Of,
}

#[derive(Clone, Copy, Debug)]
enum Of {
    /// All texts, joined by nothing.
    All,
    /// One of them, which begins here.
    One(usize),
    /// All, joined by line breaks.
    Lines,
}

impl<'t> JoinedText<'t> {
    /// One text.
    #[must_use]
    pub fn single(text: &'t str) -> Self {
        JoinedText { text: Cow::Borrowed(text), starts: vec![0] }
    }

    /// Several.
    pub fn new<'p>(texts: impl IntoIterator<Item = &'p str>) -> Self {
        let (mut text, mut starts) = (String::new(), Vec::new());
        for part in texts {
            starts.push(text.len());
            text.push_str(part);
        }
        JoinedText { text: Cow::Owned(text), starts }
    }

    /// All of it, joined by nothing.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether there is more than one text.
    #[must_use]
    pub fn is_joined(&self) -> bool {
        self.starts.len() > 1
    }

    /// Where the next text after `at` begins; `None` in the last one.
    #[must_use]
    pub fn next_start(&self, at: usize) -> Option<usize> {
        self.starts.get(self.starts.partition_point(|start| *start <= at)).copied()
    }

    /// Which text `at` lies in, and where that begins.
    #[must_use]
    pub fn part_at(&self, at: usize) -> (usize, usize) {
        let part = self.starts.partition_point(|start| *start <= at).saturating_sub(1);
        (part, self.starts.get(part).copied().unwrap_or(0))
    }

    /// Every way to read it, the joined text first; a single text has one.
    pub fn readings(&self) -> impl Iterator<Item = Reading<'_>> {
        let all = Reading { text: Cow::Borrowed(self.text()), of: Of::All };
        let alone = if self.is_joined() { self.starts.as_slice() } else { &[] };
        let alone = alone.iter().enumerate().map(|(part, &start)| {
            let end = self.starts.get(part + 1).copied().unwrap_or(self.text.len());
            let text = self.text.get(start..end).unwrap_or_default();
            Reading { text: Cow::Borrowed(text), of: Of::One(start) }
        });
        let lines = self.is_joined().then_some(()).into_iter();
        std::iter::once(all).chain(alone).chain(lines.map(|()| self.lines()))
    }

    fn lines(&self) -> Reading<'_> {
        let mut text = String::with_capacity(self.text.len() + self.starts.len());
        let mut at = 0;
        for &start in self.starts.iter().skip(1) {
            text.push_str(self.text.get(at..start).unwrap_or_default());
            text.push('\n');
            at = start;
        }
        text.push_str(self.text.get(at..).unwrap_or_default());
        Reading { text: Cow::Owned(text), of: Of::Lines }
    }

    /// Where a span of one of the readings lies.
    #[must_use]
    pub fn place(&self, reading: &Reading<'_>, span: Span) -> Span {
        match reading.of {
            Of::All => span,
            Of::One(start) => span.shifted(start),
            Of::Lines => Span::new(self.without_breaks(span.start), self.without_breaks(span.end)),
        }
    }

    /// A place in the text joined by line breaks, in the text joined by nothing.
    fn without_breaks(&self, at: usize) -> usize {
        // Text `i` begins `i` line breaks later there.
        let (mut low, mut high) = (0, self.starts.len());
        while low + 1 < high {
            let middle = low.midpoint(high);
            let begins = self.starts.get(middle).map_or(usize::MAX, |start| start + middle);
            if begins <= at { low = middle } else { high = middle }
        }
        let end = self.starts.get(low + 1).copied().unwrap_or(self.text.len());
        (at - low.min(at)).min(end)
    }

    /// What of a span lies in which text, in order, by offsets in that text.
    pub fn spread(&self, span: Span) -> impl Iterator<Item = (usize, Span)> {
        let first = self.part_at(span.start).0;
        let parts =
            self.starts.iter().enumerate().skip(first).take_while(move |(_, start)| **start < span.end);
        parts.filter_map(move |(part, &start)| {
            let end = self.starts.get(part + 1).copied().unwrap_or(self.text.len());
            let inside = Span::new(span.start.max(start) - start, span.end.min(end).max(start) - start);
            (inside.start < inside.end).then_some((part, inside))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_says_where_its_text_stands() {
        let joined = JoinedText::new(["ab", "", "c", "de"]);
        let all: Vec<String> = joined.readings().map(|r| r.text.into_owned()).collect();
        assert_eq!(all, ["abcde", "ab", "", "c", "de", "ab\n\nc\nde"]);
        for reading in joined.readings() {
            for (at, c) in reading.text.char_indices().filter(|(_, c)| *c != '\n') {
                let place = joined.place(&reading, Span::new(at, at + 1));
                assert_eq!(
                    joined.text().get(place.range()),
                    Some(c.to_string().as_str()),
                    "{reading:?} at {at}"
                );
            }
        }
        let spread: Vec<_> = joined.spread(Span::new(1, 4)).collect();
        assert_eq!(spread, [(0, Span::new(1, 2)), (2, Span::new(0, 1)), (3, Span::new(0, 1))]);
        assert_eq!(JoinedText::single("ab").readings().count(), 1);
    }
}
