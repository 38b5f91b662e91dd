//! Hostile text: what is held, what is tried and what is remembered stays within bounds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bastide_inspect::{
    Candidate, Detector, Engine, Match, Pattern, Scratch, StreamInspector, Syntax, standard_detectors,
};
use bastide_types::{Category, Severity};

/// Counts what a detector is asked.
struct Counted {
    inner: Arc<dyn Detector>,
    asked: Arc<AtomicUsize>,
}

impl Detector for Counted {
    fn id(&self) -> &'static str {
        self.inner.id()
    }
    fn category(&self) -> Category {
        self.inner.category()
    }
    fn severity(&self) -> Severity {
        self.inner.severity()
    }
    fn pattern(&self) -> &Pattern {
        self.inner.pattern()
    }
    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match> {
        self.asked.fetch_add(candidate.bytes.len(), Ordering::Relaxed);
        self.inner.validate(candidate)
    }
}

fn hostile() -> Vec<String> {
    let long = |unit: &str| unit.repeat(20_000 / unit.len());
    let key = format!("-----BEGIN PRIVATE KEY-----{}", long("MIIE"));
    vec![
        long("a"),
        long("eyJ"),
        long("eyJaaaaaaaa."),
        long("1 "),
        long("1234567890"),
        long("a@"),
        long("a@b.c"),
        long("a@b.co."),
        long("a.b."),
        long("%"),
        long("%41"),
        long("%C3"),
        long("\\u004"),
        long("\\ud83d"),
        long("＠"),
        long("\u{200B}"),
        format!("ada{}", long("\u{200B}")),
        format!("a{}@b.com", "\u{200B}".repeat(16)).repeat(400),
        long("a\u{200B}"),
        long("DE89"),
        long("ignore all "),
        long("pin 1234 "),
        long("pwd:"),
        long("pwd: x7 "),
        long("+49 30 "),
        long("(555) 0"),
        long("qz"),
        long("-----BEGIN PRIVATE KEY-----"),
        long("-----BEGIN "),
        long("- "),
        long("="),
        long("QUJD="),
        common::std64(&key),
        common::hex(&key),
        common::std64(&long("eyJ")),
        common::wide(&key),
        key,
    ]
}

#[test]
fn what_is_held_does_not_grow_with_the_text() {
    for (detectors, bound) in [(common::detectors(), 18_000), (standard_detectors(), 18_000)] {
        let engine = Engine::new(detectors).unwrap();
        let mut scratch = Scratch::default();
        for text in hostile() {
            let mut out = Vec::new();
            let mut stream = StreamInspector::new(Syntax::Json);
            let mut most = 0;
            let chars: Vec<usize> =
                text.char_indices().map(|(i, _)| i).step_by(7).chain([text.len()]).collect();
            for piece in chars.windows(2) {
                stream.push(&engine, &mut scratch, &text[piece[0]..piece[1]], &mut out);
                most = most.max(stream.held_bytes());
            }
            assert_eq!(stream.finish(&engine, &mut scratch, &mut out), text.len());
            let start: String = text.chars().take(20).collect();
            println!("{most} of `{start}...`");
            assert!(most <= bound, "{most} bytes held of `{start}...`");
        }
    }
}

#[test]
fn what_is_tried_grows_no_faster_than_the_text() {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut scratch = Scratch::default();
    for detectors in [common::detectors(), standard_detectors()] {
        let counted = detectors
            .into_iter()
            .map(|inner| Arc::new(Counted { inner, asked: asked.clone() }) as Arc<dyn Detector>);
        let engine = Engine::new(counted.collect()).unwrap();
        for text in hostile() {
            asked.store(0, Ordering::Relaxed);
            engine.inspect(&text, Syntax::Plain, &mut scratch, &mut Vec::new());
            let asked = asked.load(Ordering::Relaxed);
            let start: String = text.chars().take(20).collect();
            assert!(
                asked <= 150 * text.len(),
                "{asked} bytes were shown to detectors for {} of `{start}...`",
                text.len()
            );
        }
    }
}

#[test]
fn memory_is_bounded() {
    let engine = Engine::new(standard_detectors()).unwrap();
    let mut scratch = Scratch::default();
    let mut seed = 1u64;
    for _ in 0..40 {
        // Noise drives the automaton into states that no text would.
        let noise: String = (0..20_000)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                char::from_u32((seed >> 33) as u32 % 0x250).unwrap_or(' ')
            })
            .collect();
        engine.inspect(&noise, Syntax::Plain, &mut scratch, &mut Vec::new());
    }
    for text in hostile() {
        engine.inspect(&text, Syntax::Json, &mut scratch, &mut Vec::new());
    }
    let bytes = engine.memory_usage() + scratch.memory_usage();
    assert!(bytes <= 10 << 20, "{bytes} bytes");
}

#[test]
fn a_scratch_serves_any_engine() {
    let (one, other) =
        (Engine::new(common::detectors()).unwrap(), Engine::new(standard_detectors()).unwrap());
    let mut scratch = Scratch::default();
    for _ in 0..3 {
        for engine in [&one, &other] {
            let mut out = Vec::new();
            engine.inspect("write to ada@example.com", Syntax::Plain, &mut scratch, &mut out);
            assert_eq!(out.len(), 1);
            assert_eq!(out[0].span.range(), 9..24);
        }
    }
}

#[test]
fn no_detectors_find_nothing() {
    let engine = Engine::new(Vec::new()).unwrap();
    let (mut scratch, mut out) = (Scratch::default(), Vec::new());
    engine.inspect("ada@example.com", Syntax::Plain, &mut scratch, &mut out);
    let mut stream = StreamInspector::new(Syntax::Plain);
    assert_eq!(stream.push(&engine, &mut scratch, "some text. ", &mut out), 11);
    assert!(out.is_empty());
}

#[test]
fn what_the_gateway_moves_between_threads_can_be_moved() {
    fn send<T: Send>() {}
    fn sync<T: Send + Sync>() {}
    send::<Scratch>();
    send::<StreamInspector>();
    sync::<Engine>();
}

#[test]
fn one_long_text_can_be_stopped() {
    let engine = Engine::new(common::detectors()).unwrap();
    let text = "write to ada@example.com, please. ".repeat(10_000);
    let mut scratch = Scratch::default();
    let mut stopped_after = |most: usize| {
        let (mut out, mut asked, mut last) = (Vec::new(), 0, 0);
        let whole = engine.inspect_while(&text, Syntax::Plain, &mut scratch, &mut out, |found| {
            assert!(found.len() >= last, "what was found so far");
            (asked, last) = (asked + 1, found.len());
            asked <= most
        });
        (whole, asked, out.len())
    };
    let (whole, asked, found) = stopped_after(usize::MAX);
    assert!(whole && asked > 10, "{asked}");
    assert_eq!(found, 10_000);
    let (whole, _, part) = stopped_after(3);
    assert!(!whole && part > 0 && part < found, "{part}");
    assert!(!stopped_after(asked - 1).0);
    // What was begun is forgotten.
    assert_eq!(stopped_after(usize::MAX), (true, asked, found));
}
