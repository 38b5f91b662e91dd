//! Runs of base64 and hexadecimal text, decoded as they grow.

use bastide_types::{Span, View};

use crate::reader::{Context, Found, KEEP, Reader};

/// Shorter runs are words. 16 characters of base64 are 12 bytes, of hexadecimal 8.
pub(crate) const SHORTEST_RUN: usize = 16;

/// What `byte` stands for in base64, either alphabet (RFC 4648, sections 4 and 5), or 64.
const BASE64: [u8; 256] = {
    let mut table = [64; 256];
    let mut i: u8 = 0;
    while i < 64 {
        let c = match i {
            0..=25 => b'A' + i,
            26..=51 => b'a' + (i - 26),
            52..=61 => b'0' + (i - 52),
            62 => b'+',
            _ => b'/',
        };
        table[c as usize] = i;
        i += 1;
    }
    table[b'-' as usize] = 62;
    table[b'_' as usize] = 63;
    table
};

fn base64(byte: u8) -> Option<u8> {
    BASE64.get(usize::from(byte)).copied().filter(|&v| v < 64)
}

/// One run, open or not begun.
#[derive(Debug, Default)]
struct Run {
    /// Characters so far; no run is open at 0.
    count: usize,
    /// Where it starts in the original.
    start: usize,
    /// The characters of the unfinished group: bits, how many, where.
    bits: u32,
    partial: usize,
    group_start: usize,
    group_end: usize,
    /// Padding characters seen.
    padding: usize,
    /// What is decoded, from `base` on.
    text: Vec<u8>,
    base: usize,
    /// Where in the original each decoded group stands; the first is the one that holds `base`.
    groups: Vec<Span>,
    reader: Reader,
}

/// How a run is written.
#[derive(Clone, Copy)]
struct Notation {
    view: View,
    /// Characters in a group, bits in a character, bytes a group gives.
    characters: usize,
    bits: u32,
    bytes: usize,
    value: fn(u8) -> Option<u8>,
}

const BASE64_NOTATION: Notation =
    Notation { view: View::Base64, characters: 4, bits: 6, bytes: 3, value: base64 };
const HEX_NOTATION: Notation =
    Notation { view: View::Hex, characters: 2, bits: 4, bytes: 1, value: crate::view::hex };

/// A finding inside a run, already where it stands in the original.
pub(crate) type Sink<'a> = &'a mut dyn FnMut(Found, View);

/// The runs of one text. A text has at most one open run of each notation, at its end.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    base64: Run,
    hex: Run,
}

impl Runs {
    pub(crate) fn reset(&mut self) {
        self.base64.reset();
        self.hex.reset();
    }

    /// Takes in the next part of a reading; `original` gives the place of a byte of `new` in the original.
    pub(crate) fn extend(
        &mut self,
        cx: &mut Context<'_>,
        new: &[u8],
        original: &dyn Fn(usize) -> Span,
        sink: Sink<'_>,
    ) {
        let mut at = 0;
        while at < new.len() {
            if self.base64.count == 0 {
                match next_run(new, at) {
                    Some(start) => at = start,
                    None => return,
                }
            }
            let Some(&byte) = new.get(at) else { return };
            let place = original(at);
            if self.base64.take(BASE64_NOTATION, byte, place) {
                // Every hexadecimal digit is in the alphabet of base64, so one search for runs finds both.
                if !self.hex.take(HEX_NOTATION, byte, place) {
                    self.hex.close(cx, HEX_NOTATION, sink);
                }
            } else {
                self.hex.close(cx, HEX_NOTATION, sink);
                self.base64.close(cx, BASE64_NOTATION, sink);
                if base64(byte).is_some() {
                    // Behind padding: this character begins the next run.
                    continue;
                }
            }
            at += 1;
        }
    }

    /// Searches what has been decoded. Returns the first place in the original that is undecided, `end` if none is.
    pub(crate) fn settle(
        &mut self,
        cx: &mut Context<'_>,
        end: usize,
        complete: bool,
        sink: Sink<'_>,
    ) -> usize {
        if complete {
            self.hex.close(cx, HEX_NOTATION, sink);
            self.base64.close(cx, BASE64_NOTATION, sink);
            return end;
        }
        let hex = self.hex.settle(cx, HEX_NOTATION, end, sink);
        self.base64.settle(cx, BASE64_NOTATION, end, sink).min(hex)
    }
}

/// Every run in a whole text, with its place and what it decodes to in each notation that it is written in.
pub(crate) fn decode_runs(text: &[u8], sink: &mut dyn FnMut(View, Span, Vec<u8>)) {
    let mut from = 0;
    while let Some(start) = next_run(text, from) {
        let rest = text.get(start..).unwrap_or_default();
        let length = rest.iter().position(|&b| base64(b).is_none()).unwrap_or(rest.len());
        let run = rest.get(..length).unwrap_or_default();
        for notation in [BASE64_NOTATION, HEX_NOTATION] {
            let mut values = Vec::with_capacity(length);
            values.extend(run.iter().map_while(|&b| (notation.value)(b)));
            if values.len() == length && length >= SHORTEST_RUN {
                sink(notation.view, Span::new(start, start + length), decode(&values, notation.bits));
            }
        }
        from = start + length.max(1);
    }
}

/// The whole bytes that values of so many bits spell.
fn decode(values: &[u8], bits: u32) -> Vec<u8> {
    let (mut held, mut count) = (0_u32, 0);
    let mut out = Vec::new();
    for value in values {
        held = held << bits | u32::from(*value);
        count += bits;
        if count >= 8 {
            count -= 8;
            out.extend((held >> count).to_be_bytes().last());
            held &= (1 << count) - 1;
        }
    }
    out
}

/// The start of the next run in `text` from `from` on that is long enough or reaches the end of the text.
fn next_run(text: &[u8], from: usize) -> Option<usize> {
    let in_run = |at: usize| text.get(at).is_some_and(|&b| base64(b).is_some());
    let mut start = from;
    loop {
        // A long run that starts at `start` or later and includes none of the next 16 bytes' last one starts after it.
        let probe = start + SHORTEST_RUN - 1;
        let last = probe.min(text.len().checked_sub(1)?);
        if start > last {
            return None;
        }
        let begin = match (start..=last).rev().find(|&at| !in_run(at)) {
            Some(break_at) => break_at + 1,
            None => start,
        };
        if begin > last {
            start = begin;
            continue;
        }
        // `begin..=last` is in a run; how far does it go?
        let end = (begin..text.len()).find(|&at| !in_run(at)).unwrap_or(text.len());
        if end == text.len() || end - begin >= SHORTEST_RUN {
            return Some(begin);
        }
        start = end;
    }
}

impl Run {
    fn reset(&mut self) {
        self.count = 0;
        self.bits = 0;
        self.partial = 0;
        self.padding = 0;
        self.text.clear();
        self.base = 0;
        self.groups.clear();
        self.reader.reset();
    }

    /// Takes the next character in; false when the run ends before it.
    fn take(&mut self, notation: Notation, byte: u8, place: Span) -> bool {
        let Some(value) = (notation.value)(byte) else {
            let pads = byte == b'='
                && notation.characters == 4
                && self.partial >= 2
                && self.partial + self.padding < notation.characters;
            if pads {
                self.padding += 1;
                self.group_end = place.end;
            }
            return pads;
        };
        if self.padding > 0 {
            return false;
        }
        if self.count == 0 {
            self.start = place.start;
        }
        if self.partial == 0 {
            self.group_start = place.start;
        }
        self.count += 1;
        self.partial += 1;
        self.bits = self.bits << notation.bits | u32::from(value);
        self.group_end = place.end;
        if self.partial == notation.characters {
            self.push_group(notation, notation.bytes);
        }
        true
    }

    /// Decodes the group: its first `bytes` bytes.
    fn push_group(&mut self, notation: Notation, bytes: usize) {
        let missing = notation.characters.saturating_sub(self.partial);
        let bits = self.bits << (u32::try_from(missing).unwrap_or(0) * notation.bits);
        let all = bits.to_be_bytes();
        let used = all.get(all.len() - notation.bytes..).and_then(|b| b.get(..bytes)).unwrap_or_default();
        self.text.extend_from_slice(used);
        self.groups.push(Span::new(self.group_start, self.group_end));
        self.bits = 0;
        self.partial = 0;
    }

    fn close(&mut self, cx: &mut Context<'_>, notation: Notation, sink: Sink<'_>) {
        if self.count >= SHORTEST_RUN {
            if notation.characters == 4 && self.partial >= 2 {
                self.push_group(notation, self.partial - 1);
            }
            self.search(cx, notation, true, sink);
        }
        if self.count > 0 {
            self.reset();
        }
    }

    fn settle(&mut self, cx: &mut Context<'_>, notation: Notation, end: usize, sink: Sink<'_>) -> usize {
        if self.count < SHORTEST_RUN {
            // It may yet become long enough to be read.
            return if self.count > 0 { self.start } else { end };
        }
        let decided = self.search(cx, notation, false, sink);
        let undecided = self.group_at(notation, decided).map_or(end, |g| g.start);
        let group = if self.partial > 0 { self.group_start } else { end };
        let keep = self.reader.needed().saturating_sub(KEEP) / notation.bytes * notation.bytes;
        let drop = keep.saturating_sub(self.base);
        if drop >= KEEP {
            self.text.drain(..drop.min(self.text.len()));
            self.groups.drain(..(drop / notation.bytes).min(self.groups.len()));
            self.base = keep;
        }
        undecided.min(group)
    }

    fn search(&mut self, cx: &mut Context<'_>, notation: Notation, complete: bool, sink: Sink<'_>) -> usize {
        let mut reader = std::mem::take(&mut self.reader);
        let decided = reader.advance(cx, &self.text, self.base, complete, notation.view, &mut |mut found| {
            let (start, end) = (found.span.start, found.span.end);
            let Some(first) = self.group_at(notation, start) else { return };
            // A part that was cut ends where the next one starts.
            let last = if found.cut {
                self.group_at(notation, end).map(|g| g.start)
            } else {
                end.checked_sub(1).and_then(|e| self.group_at(notation, e)).map(|g| g.end)
            };
            found.span = Span::new(first.start, last.unwrap_or(self.group_end));
            sink(found, notation.view);
        });
        self.reader = reader;
        decided
    }

    /// The group that gives the decoded byte `at`.
    fn group_at(&self, notation: Notation, at: usize) -> Option<Span> {
        self.groups.get(at.checked_sub(self.base)? / notation.bytes).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(notation: Notation, text: &str) -> (Vec<u8>, Vec<Span>) {
        let mut run = Run::default();
        for (i, &b) in text.as_bytes().iter().enumerate() {
            assert!(run.take(notation, b, Span::new(i, i + 1)), "{i}");
        }
        if notation.characters == 4 && run.partial >= 2 {
            run.push_group(notation, run.partial - 1);
        }
        (run.text, run.groups)
    }

    #[test]
    fn groups_decode_and_know_their_place() {
        let (text, groups) = decoded(BASE64_NOTATION, "aGVsbG8gd29ybGQ=");
        assert_eq!(text, b"hello world");
        assert_eq!(groups.first(), Some(&Span::new(0, 4)));
        assert_eq!(groups.last(), Some(&Span::new(12, 16)), "with its padding");
        assert_eq!(decoded(BASE64_NOTATION, "aGVsbG8gd29ybGQ").0, b"hello world", "padding is optional");
        assert_eq!(decoded(BASE64_NOTATION, "-_-_").0, decoded(BASE64_NOTATION, "+/+/").0, "either alphabet");
        assert_eq!(decoded(HEX_NOTATION, "48656C6c6f").0, b"Hello");
    }

    #[test]
    fn the_search_for_runs_agrees_with_the_obvious_one() {
        let obvious = |text: &[u8], from: usize| {
            let mut at = from;
            while at < text.len() {
                let end = (at..text.len()).find(|&i| base64(text[i]).is_none()).unwrap_or(text.len());
                if end > at && (end == text.len() || end - at >= SHORTEST_RUN) {
                    return Some(at);
                }
                at = end + 1;
            }
            None
        };
        // Every arrangement of breaks with gaps from this list.
        let gaps = [0usize, 1, 5, 14, 15, 16, 17, 31, 40];
        for a in gaps {
            for b in gaps {
                for c in gaps {
                    for tail in ["", " "] {
                        let text = format!("{} {} {}{tail}", "x".repeat(a), "y".repeat(b), "z".repeat(c));
                        for from in 0..text.len() {
                            // A search starts at the start of the text or behind a run.
                            if from == 0 || text.as_bytes()[from - 1] == b' ' {
                                let text = text.as_bytes();
                                assert_eq!(next_run(text, from), obvious(text, from), "{a} {b} {c} {from}");
                            }
                        }
                    }
                }
            }
        }
    }
}
