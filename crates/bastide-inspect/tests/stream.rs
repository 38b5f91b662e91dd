//! Chunked = whole, and no prefix of a stream leaks what the whole would mask.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::sync::OnceLock;

use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax, standard_detectors};
use bastide_types::{Category, Finding};
use proptest::prelude::*;

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(common::detectors()).unwrap())
}

fn standard() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(standard_detectors()).unwrap())
}

fn whole(engine: &Engine, scratch: &mut Scratch, text: &str, syntax: Syntax) -> Vec<Finding> {
    let mut out = Vec::new();
    engine.inspect(text, syntax, scratch, &mut out);
    out
}

/// Streams `text` in the pieces that end at `cuts`, checking every promise on the way.
fn streamed(
    engine: &Engine,
    scratch: &mut Scratch,
    text: &str,
    syntax: Syntax,
    cuts: &[usize],
    covered: &[bool],
) -> Vec<Finding> {
    let mut out = Vec::new();
    let mut stream = StreamInspector::new(syntax);
    let (mut at, mut released) = (0, 0);
    let last = text.len();
    for &cut in cuts.iter().chain([&last]) {
        let before = out.len();
        let now = stream.push(engine, scratch, &text[at..cut], &mut out);
        at = cut;
        check_release(text, &out, before, released, now, at, covered);
        assert_eq!(stream.held_bytes(), at - now);
        released = now;
    }
    let before = out.len();
    let end = stream.finish(engine, scratch, &mut out);
    assert_eq!(end, text.len());
    check_release(text, &out, before, released, end, at, covered);
    out
}

fn check_release(
    text: &str,
    out: &[Finding],
    before: usize,
    released: usize,
    now: usize,
    at: usize,
    covered: &[bool],
) {
    assert!(now >= released && now <= at, "release {released} -> {now} of {at}");
    assert!(text.is_char_boundary(now));
    for finding in &out[before..] {
        assert!(finding.span.start >= released, "{finding:?} begins in released text ({released})");
        assert!(finding.span.end <= now, "{finding:?} reaches beyond the release {now}");
    }
    for (byte, _) in covered.iter().enumerate().take(now).skip(released).filter(|(_, covered)| **covered) {
        assert!(
            out.iter().any(|f| f.span.start <= byte && byte < f.span.end),
            "byte {byte} of {text:?} was released ({released}..{now}) and is part of a finding"
        );
    }
}

fn coverage(text: &str, findings: &[Finding]) -> Vec<bool> {
    let mut covered = vec![false; text.len()];
    for finding in findings {
        assert!(
            text.is_char_boundary(finding.span.start) && text.is_char_boundary(finding.span.end),
            "{finding:?}"
        );
        covered[finding.span.range()].fill(true);
    }
    covered
}

/// The parts of a finding that was cut at its bound, joined: what whole texts report.
fn joined(mut findings: Vec<Finding>) -> Vec<Finding> {
    let mut i = 0;
    while i < findings.len() {
        let head = findings[i].clone();
        let next = (i + 1..findings.len()).find(|&j| {
            let f = &findings[j];
            f.detector == head.detector
                && f.span.start == head.span.end
                && f.reason == head.reason
                && f.view == head.view
                && is_open(&head)
        });
        match next {
            Some(j) => {
                findings[i].span.end = findings[j].span.end;
                findings.remove(j);
            }
            None => i += 1,
        }
    }
    findings
}

fn is_open(finding: &Finding) -> bool {
    finding.detector == "pem" || finding.detector == "credential.private-key"
}

fn per_category(text: &str, findings: &[Finding]) -> Vec<(Category, Vec<bool>)> {
    let mut categories: Vec<Category> = findings.iter().map(|f| f.category).collect();
    categories.sort_unstable();
    categories.dedup();
    categories
        .into_iter()
        .map(|c| {
            (c, coverage(text, &findings.iter().filter(|f| f.category == c).cloned().collect::<Vec<_>>()))
        })
        .collect()
}

fn same(
    engine: &Engine,
    scratch: &mut Scratch,
    text: &str,
    syntax: Syntax,
    whole: &[Finding],
    cuts: &[usize],
) {
    let covered = coverage(text, whole);
    let stream = streamed(engine, scratch, text, syntax, cuts, &covered);
    if stream.iter().any(is_open) {
        assert_eq!(
            per_category(text, &stream),
            per_category(text, whole),
            "{text:?} cut at {cuts:?}\n{stream:#?}\n{whole:#?}"
        );
        assert_eq!(joined(stream), joined(whole.to_vec()), "{text:?} cut at {cuts:?}");
    } else {
        assert_eq!(stream, whole, "{text:?} cut at {cuts:?}");
    }
}

fn every_way(engine: &Engine, text: &str, syntax: Syntax, random: &[prop::sample::Index]) {
    let mut scratch = Scratch::default();
    let scratch = &mut scratch;
    let found = whole(engine, scratch, text, syntax);
    let inner: Vec<usize> = text.char_indices().map(|(i, _)| i).skip(1).collect();
    same(engine, scratch, text, syntax, &found, &[]);
    same(engine, scratch, text, syntax, &found, &inner);
    // Every two-way split of short texts, some of long ones.
    let step = (inner.len() / 60).max(1);
    for &cut in inner.iter().step_by(step) {
        same(engine, scratch, text, syntax, &found, &[cut]);
    }
    if !inner.is_empty() {
        let mut cuts: Vec<usize> = random.iter().map(|i| *i.get(&inner)).collect();
        cuts.sort_unstable();
        same(engine, scratch, text, syntax, &found, &cuts);
    }
}

proptest! {
    #![proptest_config(common::cases(160))]

    #[test]
    fn chunked_is_whole(
        text in common::text(),
        json in any::<bool>(),
        random in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        every_way(engine(), &text, if json { Syntax::Json } else { Syntax::Plain }, &random);
    }

    #[test]
    fn chunked_is_whole_with_the_standard_detectors(
        text in common::text(),
        json in any::<bool>(),
        random in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        every_way(standard(), &text, if json { Syntax::Json } else { Syntax::Plain }, &random);
    }

    #[test]
    fn chunked_is_whole_on_noise(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        random in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let text = String::from_utf8_lossy(&bytes);
        every_way(engine(), &text, Syntax::Json, &random);
        every_way(standard(), &text, Syntax::Json, &random);
    }

    #[test]
    fn chunked_is_whole_where_much_is_hidden(
        parts in prop::collection::vec(("[ad]{0,3}@?[ad]{0,2}(\\.co)?", 0..60usize, any::<bool>()), 1..6),
        random in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        let hidden = |escaped: bool| if escaped { "%E2%80%8B" } else { "\u{200B}" };
        let text: String = parts.iter().map(|(text, n, escaped)| text.clone() + &hidden(*escaped).repeat(*n)).collect();
        every_way(engine(), &text, Syntax::Plain, &random);
    }

    #[test]
    fn chunked_is_whole_on_a_small_alphabet(
        text in "[ 0-9qzx@.a%4\\\\ue=\u{200B}Ａ-]{0,120}",
        random in prop::collection::vec(any::<prop::sample::Index>(), 1..12),
    ) {
        every_way(engine(), &text, Syntax::Json, &random);
    }
}
