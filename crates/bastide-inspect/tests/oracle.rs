//! The engine against a slow and obvious model: every start, every pattern, another kind of automaton.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::collections::BTreeMap;

use bastide_inspect::{Candidate, Detector, Engine, Scratch, Syntax};
use bastide_types::{Category, Finding, Guarded, Span, View};
use common::Kind;
use proptest::prelude::*;
use regex_automata::nfa::thompson::{NFA, pikevm};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind};

struct Model {
    kinds: Vec<(Kind, Vec<pikevm::PikeVM>)>,
}

fn machine(pattern: &str) -> pikevm::PikeVM {
    let nfa = NFA::compiler()
        .configure(NFA::config().utf8(false))
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(pattern)
        .unwrap();
    pikevm::PikeVM::builder()
        .configure(pikevm::PikeVM::config().match_kind(MatchKind::All))
        .build_from_nfa(nfa)
        .unwrap()
}

/// The longest match that starts at `start`, of at most `max` bytes.
fn longest(vm: &pikevm::PikeVM, text: &[u8], start: usize, max: usize) -> Option<usize> {
    let end = text.len().min(start + max);
    let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
    vm.find_iter(&mut vm.create_cache(), input).next().map(|m| m.end())
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Hit {
    span: (usize, usize),
    kind: usize,
    score: u16,
    open: bool,
    view: u8,
}

impl Model {
    fn new() -> Model {
        let machines = |k: &Kind| match &k.pattern.open_ended {
            None => vec![machine(&k.pattern.regex)],
            Some(ends) => vec![machine(&ends.opening), machine(&ends.closing)],
        };
        Model { kinds: common::kinds().into_iter().map(|k| (machines(&k), k)).map(|(m, k)| (k, m)).collect() }
    }

    /// What is found in one reading, in its own coordinates.
    fn read(&self, text: &[u8], view: View) -> Vec<(usize, Span, u16, bool)> {
        let mut found = Vec::new();
        for (index, (kind, machines)) in self.kinds.iter().enumerate() {
            let pattern = &kind.pattern;
            let mut at = 0;
            while at < text.len() {
                let Some(end) = longest(&machines[0], text, at, pattern.max_span) else {
                    at += 1;
                    continue;
                };
                let candidate = Candidate {
                    bytes: &text[at..end],
                    before: &text[at.saturating_sub(Candidate::LEFT_CONTEXT)..at],
                    after: &text[end..text.len().min(end + pattern.max_right_context)],
                    view,
                };
                let Some(real) = kind.validate(&candidate) else {
                    at += 1;
                    continue;
                };
                let mut span = real.span.shifted(at);
                let open = machines.len() > 1;
                if open {
                    // The closing markers do not overlap one another either.
                    let (mut close, mut from) = (text.len(), 0);
                    while from < text.len() {
                        match longest(&machines[1], text, from, 256) {
                            Some(e) if from >= end => {
                                close = e;
                                break;
                            }
                            Some(e) => from = e,
                            None => from += 1,
                        }
                    }
                    span.end = close;
                }
                found.push((index, span, real.score.get(), open));
                at = span.end;
            }
        }
        found
    }

    fn inspect(&self, text: &str, syntax: Syntax) -> Vec<(Span, Category)> {
        let mut hits = Vec::new();
        let raw: Vec<Place> = (0..text.len()).map(|i| Place { start: i, end: i + 1 }).collect();
        self.add(text.as_bytes(), &raw, View::Raw, &mut hits);
        let (folded, places) = fold(text, syntax);
        if folded != text.as_bytes() {
            self.add(&folded, &places, View::Folded, &mut hits);
        }
        for (decoded, places, view) in runs(&folded, &places) {
            self.add(&decoded, &places, view, &mut hits);
        }
        for hit in &mut hits {
            while !text.is_char_boundary(hit.span.0) {
                hit.span.0 -= 1;
            }
            while !text.is_char_boundary(hit.span.1) {
                hit.span.1 += 1;
            }
        }
        self.resolve(hits)
    }

    fn add(&self, text: &[u8], places: &[Place], view: View, hits: &mut Vec<Hit>) {
        for (kind, span, score, open) in self.read(text, view) {
            let rank =
                [View::Raw, View::Folded, View::Base64, View::Hex].iter().position(|v| *v == view).unwrap();
            let span = (places[span.start].start, places[span.end - 1].end);
            hits.push(Hit { span, kind, score, open, view: u8::try_from(rank).unwrap() });
        }
    }

    fn resolve(&self, mut hits: Vec<Hit>) -> Vec<(Span, Category)> {
        let category = |hit: &Hit| self.kinds[hit.kind].0.category;
        hits.sort_by_key(|h| {
            let length = h.span.1 - h.span.0;
            let secret = category(h).family() == Guarded::Secret;
            (!h.open, u16::MAX - h.score, usize::MAX - length, !secret, h.view, h.kind, h.span.0)
        });
        let mut kept: Vec<&Hit> = Vec::new();
        for hit in &hits {
            let attack = category(hit).family() == Guarded::Attack;
            let clash = |other: &&Hit| {
                if attack {
                    other.kind == hit.kind && other.span == hit.span
                } else {
                    category(other).family() != Guarded::Attack
                        && other.span.0 < hit.span.1
                        && hit.span.0 < other.span.1
                }
            };
            if !kept.iter().any(clash) {
                kept.push(hit);
            }
        }
        let mut out: Vec<_> = kept.iter().map(|h| (Span::new(h.span.0, h.span.1), h.kind)).collect();
        out.sort_unstable();
        out.into_iter().map(|(span, kind)| (span, self.kinds[kind].0.category)).collect()
    }
}

#[derive(Clone, Copy, Debug)]
struct Place {
    start: usize,
    end: usize,
}

/// The folded reading, built from the outside: one escape or character at a time, with a table of what the tests use.
fn fold(text: &str, syntax: Syntax) -> (Vec<u8>, Vec<Place>) {
    let (mut out, mut places) = (Vec::new(), Vec::new());
    let (mut at, mut unseen) = (0, 0);
    while at < text.len() {
        let rest = &text[at..];
        let (length, c) = unescape(rest, syntax).unwrap_or_else(|| {
            let c = rest.chars().next().unwrap();
            (c.len_utf8(), c)
        });
        let plain = match c {
            '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap().to_string(),
            '\u{200B}'..='\u{200F}' | '\u{FEFF}' | '\u{301}' | '\u{FE0F}' if unseen < 16 => String::new(),
            '\u{E0020}'..='\u{E007E}' => char::from_u32(c as u32 - 0xE0000).unwrap().to_string(),
            '…' => "...".to_owned(),
            '½' => "1\u{2044}2".replace('\u{2044}', "/"),
            'а' => "a".to_owned(),
            c => c.to_string(),
        };
        let hidden = matches!(c, '\u{200B}'..='\u{200F}' | '\u{FEFF}' | '\u{301}' | '\u{FE0F}');
        unseen = if hidden { unseen + 1 } else { 0 };
        out.extend_from_slice(plain.as_bytes());
        places.extend(plain.bytes().map(|_| Place { start: at, end: at + length }));
        // A character that reads as itself is mapped byte by byte.
        if plain.as_bytes() == &rest.as_bytes()[..length] {
            let first = places.len() - length;
            places[first..]
                .iter_mut()
                .enumerate()
                .for_each(|(i, p)| *p = Place { start: at + i, end: at + i + 1 });
        }
        at += length;
    }
    (out, places)
}

fn unescape(rest: &str, syntax: Syntax) -> Option<(usize, char)> {
    if rest.starts_with('%') {
        let mut bytes = Vec::new();
        for i in 0..4 {
            let triple = rest.get(3 * i..3 * i + 3)?;
            let digits = triple.strip_prefix('%').filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).unwrap());
            if let Ok(s) = std::str::from_utf8(&bytes) {
                return Some((3 * bytes.len(), s.chars().next().unwrap()));
            }
        }
        return None;
    }
    if syntax == Syntax::Json && rest.starts_with('\\') {
        for length in [2, 6, 12] {
            if let Some(escape) = rest.get(..length)
                && let Ok(text) = serde_json::from_str::<String>(&format!("\"{escape}\""))
                && text.chars().count() == 1
            {
                return Some((length, text.chars().next().unwrap()));
            }
        }
    }
    None
}

type Decoded = (Vec<u8>, Vec<Place>, View);

fn runs(text: &[u8], places: &[Place]) -> Vec<Decoded> {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    let mut all = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = (at..text.len()).find(|&i| !alphabet(text[i])).unwrap_or(text.len());
        let mut padded = end;
        if (end - at) % 4 >= 2 {
            while padded < text.len() && text[padded] == b'=' && padded - end < 4 - (end - at) % 4 {
                padded += 1;
            }
        }
        if end - at >= 16 {
            all.push(base64(&text[at..end], &places[at..padded]));
        }
        // Hexadecimal runs within it.
        let mut h = at;
        while h < end {
            let stop = (h..end).find(|&i| !text[i].is_ascii_hexdigit()).unwrap_or(end);
            if stop - h >= 16 {
                let pairs = (stop - h) / 2;
                let digit = |i: usize| char::from(text[i]).to_digit(16).unwrap();
                let bytes =
                    (0..pairs).map(|i| u8::try_from(digit(h + 2 * i) * 16 + digit(h + 2 * i + 1)).unwrap());
                let place =
                    |i: usize| Place { start: places[h + 2 * i].start, end: places[h + 2 * i + 1].end };
                all.push((bytes.collect(), (0..pairs).map(place).collect(), View::Hex));
            }
            h = stop + 1;
        }
        at = padded.max(at + 1);
    }
    all
}

fn base64(run: &[u8], places: &[Place]) -> Decoded {
    let value: BTreeMap<u8, u32> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').zip(0..).collect();
    let (mut out, mut at) = (Vec::new(), Vec::new());
    for (g, group) in run.chunks(4).enumerate() {
        let mut bits = 0;
        for &c in group {
            bits = bits << 6
                | match c {
                    b'+' | b'-' => 62,
                    b'/' | b'_' => 63,
                    c => value[&c],
                };
        }
        bits <<= 6 * (4 - group.len());
        let last = (4 * g + 3).min(places.len() - 1);
        for i in 0..group.len() - 1 {
            out.push(bits.to_be_bytes()[i + 1]);
            at.push(Place { start: places[4 * g].start, end: places[last].end });
        }
    }
    (out, at, View::Base64)
}

fn agree(text: &str, syntax: Syntax) {
    let engine = Engine::new(common::detectors()).unwrap();
    let mut out: Vec<Finding> = Vec::new();
    engine.inspect(text, syntax, &mut Scratch::default(), &mut out);
    let got: Vec<(Span, Category)> = out.iter().map(|f| (f.span, f.category)).collect();
    assert_eq!(got, Model::new().inspect(text, syntax), "{text:?} {out:#?}");
}

proptest! {
    #![proptest_config(common::cases(200))]

    #[test]
    fn the_engine_finds_what_the_model_finds(text in common::text(), json in any::<bool>()) {
        // The model is cubic, and knows these characters only.
        let known = |c: char| c.is_ascii()
            || "éз“”日本語😀👩💻…½а\u{200B}\u{200C}\u{200D}\u{FEFF}\u{301}".contains(c)
            || ('\u{FF01}'..='\u{FF5E}').contains(&c)
            || ('\u{E0020}'..='\u{E007E}').contains(&c);
        if text.len() < 1500 && text.chars().all(known) {
            agree(&text, if json { Syntax::Json } else { Syntax::Plain });
        }
    }

    #[test]
    fn and_in_dense_text(text in "[ 0-9qzx@.a%4eyJ=\u{200B}Ａ-]{0,80}") {
        agree(&text, Syntax::Plain);
    }

    #[test]
    fn and_where_much_is_hidden(a in 0..40usize, b in 0..40usize, c in 0..40usize) {
        let hidden = |n: usize| "\u{200B}".repeat(n);
        agree(&format!("ada{}@exa{}mple%E2%80%8B.c{}om ", hidden(a), hidden(b), hidden(c)), Syntax::Plain);
    }

    #[test]
    fn and_where_tokens_begin_within_tokens(
        parts in prop::collection::vec(prop::sample::select(vec!["eyJ", "eyJeyJeyJ", "aaaaaaaa", "Zm9vYmFy.", " ", "%"]), 40..250),
    ) {
        agree(&parts.concat(), Syntax::Plain);
    }

    #[test]
    fn and_in_long_runs(a in "[a-c.]{0,200}", b in "[a-c.]{1,100}", c in "[0-9 ]{0,100}") {
        agree(&format!("{a}@{b}.{c}eyJ{a}.{b}{b}.{c}"), Syntax::Plain);
    }
}
