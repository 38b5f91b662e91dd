//! The inside of JSON strings: decoding, escaping, and where a piece of the decoded text stands in the raw bytes.
//!
//! All functions take the inside of a string that the scanner has accepted; on anything else they stay in bounds and
//! give some text.

use bastide_types::Span;

use crate::cost;

/// Four hexadecimal digits at `at`.
pub(crate) fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits: &[u8; 4] = bytes.get(at..)?.first_chunk()?;
    digits.iter().try_fold(0, |value, &digit| Some(value * 16 + char::from(digit).to_digit(16)?))
}

/// Where the first escape in them begins.
fn find_escape(bytes: &[u8]) -> Option<usize> {
    let found = memchr::memchr(b'\\', bytes);
    cost::count(found.map_or(bytes.len(), |at| at + 1));
    found
}

/// The character that the escape at `at` stands for, and the escape's length in bytes.
fn escape_at(bytes: &[u8], at: usize) -> (char, usize) {
    let simple = |c| (c, 2);
    match bytes.get(at + 1) {
        Some(b'u') => {
            let high = hex4(bytes, at + 2).unwrap_or(0xFFFD);
            if (0xD800..0xDC00).contains(&high) {
                let low = hex4(bytes, at + 8).unwrap_or(0);
                let code = 0x10000 + ((high - 0xD800) << 10) + (low.wrapping_sub(0xDC00) & 0x3FF);
                (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), 12)
            } else {
                (char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER), 6)
            }
        }
        Some(b'b') => simple('\u{8}'),
        Some(b'f') => simple('\u{c}'),
        Some(b'n') => simple('\n'),
        Some(b'r') => simple('\r'),
        Some(b't') => simple('\t'),
        Some(&other) => simple(char::from(other)),
        None => (char::REPLACEMENT_CHARACTER, 1),
    }
}

/// The text that the inside of a string stands for.
pub(crate) fn decode(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut at = 0;
    while let Some(run) = raw.get(at..).filter(|rest| !rest.is_empty()) {
        let plain = find_escape(run.as_bytes()).unwrap_or(run.len());
        text.push_str(run.get(..plain).unwrap_or_default());
        at += plain;
        if at < raw.len() {
            let (c, len) = escape_at(raw.as_bytes(), at);
            text.push(c);
            at += len;
        }
    }
    text
}

/// Appends `text` as the inside of a JSON string. Only what must be escaped is.
pub(crate) fn escape_into(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\u{0}'..='\u{1f}' => {
                let code = usize::try_from(u32::from(c)).unwrap_or_default();
                out.push_str("\\u00");
                for digit in [code / 16, code % 16] {
                    out.push(char::from(HEX.get(digit).copied().unwrap_or(b'0')));
                }
            }
            _ => out.push(c),
        }
    }
}

/// `text` as a whole JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(text, &mut out);
    out.push('"');
    out
}

/// Walks the inside of a string from left to right and says where offsets of the decoded text stand in it.
pub(crate) struct Offsets<'a> {
    raw: &'a str,
    raw_at: usize,
    text_at: usize,
    /// The first escape from `raw_at` on, or the end. Looked for once: there may be a span for every few bytes.
    escape: usize,
}

impl<'a> Offsets<'a> {
    pub(crate) fn new(raw: &'a str) -> Self {
        Offsets { raw, raw_at: 0, text_at: 0, escape: next_escape(raw, 0) }
    }

    /// The raw span of a span of the decoded text, rounded outward to whole characters; an empty span stays empty.
    /// Spans must come in order and not overlap. Nothing when the span lies beyond the text.
    pub(crate) fn raw_span(&mut self, span: Span) -> Option<Span> {
        let (start, _) = self.seek(span.start)?;
        if span.is_empty() {
            return Some(Span::new(start, start));
        }
        let (_, end) = self.seek(span.end)?;
        Some(Span::new(start, end))
    }

    /// The raw offset of the character that holds text offset `target`, and the raw offset at or after it.
    fn seek(&mut self, target: usize) -> Option<(usize, usize)> {
        loop {
            let rest = self.raw.get(self.raw_at..)?;
            let plain = self.escape - self.raw_at;
            let ahead = target.checked_sub(self.text_at)?;
            if ahead <= plain {
                // INVARIANT: neither offset passes the run, whose end is a character boundary.
                let floor = self.raw_at + rest.floor_char_boundary(ahead);
                let ceil = self.raw_at + rest.ceil_char_boundary(ahead);
                return Some((floor, ceil));
            }
            if plain == rest.len() {
                return None;
            }
            self.raw_at = self.escape;
            self.text_at += plain;
            let (c, len) = escape_at(self.raw.as_bytes(), self.raw_at);
            if target < self.text_at + c.len_utf8() {
                return Some((self.raw_at, self.raw_at + len));
            }
            self.raw_at += len;
            self.text_at += c.len_utf8();
            self.escape = next_escape(self.raw, self.raw_at);
        }
    }
}

/// Where the first escape from `at` on begins, or the end.
fn next_escape(raw: &str, at: usize) -> usize {
    let rest = raw.as_bytes().get(at..).unwrap_or_default();
    find_escape(rest).map_or(raw.len(), |found| at + found)
}

/// Rounds spans of raw bytes outward so that they cut neither a character nor an escape; an empty span moves to the start
/// of what it would cut. Spans in order cost one walk over the string, as in [`Offsets`].
pub(crate) struct WholeEscapes<'a> {
    raw: &'a str,
    /// No escape begins before and ends behind it.
    from: usize,
}

impl<'a> WholeEscapes<'a> {
    pub(crate) const fn new(raw: &'a str) -> Self {
        WholeEscapes { raw, from: 0 }
    }

    pub(crate) fn round(&mut self, span: Span) -> Span {
        let raw = self.raw;
        let mut start = raw.floor_char_boundary(span.start);
        let mut end = if span.is_empty() { start } else { raw.ceil_char_boundary(span.end) };
        let mut at = if self.from <= start { self.from } else { 0 };
        self.from = start;
        while let Some(run) = raw.as_bytes().get(at..end.max(start + 1).min(raw.len())) {
            let Some(found) = find_escape(run) else { break };
            let escape = at + found;
            let after = escape + escape_at(raw.as_bytes(), escape).1;
            if escape < start && start < after {
                start = escape;
                self.from = escape;
                if span.is_empty() {
                    end = escape;
                }
            }
            if escape < end && end < after {
                end = after;
            }
            at = after;
        }
        Span::new(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decodes_every_escape() {
        assert_eq!(decode(r#"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000z"#), "a\"\\/\u{8}\u{c}\n\r\té😀\0z");
    }

    #[test]
    fn offsets_round_outward() {
        let raw = r"aé\u00e9\ud83d\ude00\nz";
        // Decoded: a é é 😀 \n z at 0 1 3 5 9 10, end 11.
        let at = |s, e| Offsets::new(raw).raw_span(Span::new(s, e)).map(|s| s.range());
        assert_eq!(at(0, 1), Some(0..1));
        assert_eq!(at(2, 3), Some(1..3));
        assert_eq!(at(4, 5), Some(3..9));
        assert_eq!(at(6, 7), Some(9..21));
        assert_eq!(at(9, 10), Some(21..23));
        assert_eq!(at(10, 11), Some(23..24));
        assert_eq!(at(11, 11), Some(24..24));
        assert_eq!(at(6, 6), Some(9..9));
        assert_eq!(at(11, 12), None);
        assert_eq!(at(12, 12), None);
    }

    #[test]
    fn spans_in_order_are_found_where_each_alone_is() {
        let raw = r"aé\u00e9b\ud83d\ude00cc\nz\\";
        let decoded = decode(raw);
        let ends: Vec<usize> = (0..=decoded.len()).collect();
        for step in 1..4 {
            let mut offsets = Offsets::new(raw);
            for pair in ends.chunks(step).filter(|c| c.len() == step) {
                let span = Span::new(pair[0], pair[step - 1]);
                assert_eq!(offsets.raw_span(span), Offsets::new(raw).raw_span(span), "{span:?}");
            }
        }
    }

    #[test]
    fn raw_rounding_keeps_escapes_whole() {
        let raw = r"a\\n\ud83d\ude00b";
        for (span, want) in [
            ((2, 3), 1..3),
            ((1, 2), 1..3),
            ((3, 4), 3..4),
            ((5, 12), 4..16),
            ((9, 9), 4..4),
            ((16, 17), 16..17),
        ] {
            assert_eq!(WholeEscapes::new(raw).round(Span::new(span.0, span.1)).range(), want, "{span:?}");
        }
    }

    #[test]
    fn spans_in_order_are_rounded_as_each_alone_is() {
        let raw = r"aé\\n\ud83d\ude00bb\u0041c\tdd\\";
        for length in 0..5 {
            let mut rounding = WholeEscapes::new(raw);
            // Also one that goes back.
            for start in (0..=raw.len() - length).chain([3, 0]) {
                let span = Span::new(start, start + length);
                assert_eq!(rounding.round(span), WholeEscapes::new(raw).round(span), "{span:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn escaping_is_what_an_independent_parser_reads(text in "\\PC*|[\\x00-\\x7f]*") {
            let written = quoted(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&written).ok(), Some(text.clone()));
            prop_assert_eq!(decode(&written[1..written.len() - 1]), text);
        }
    }
}
