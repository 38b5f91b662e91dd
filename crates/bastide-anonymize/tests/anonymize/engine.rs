//! The detector inside the real engine, whole and streamed.

use std::sync::Arc;

use bastide_anonymize::PlaceholderDetector;
use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax};
use bastide_types::{Category, Finding, View};
use proptest::prelude::*;

use crate::support::{VALUE, filled, tokens, vault};

fn engine() -> Engine {
    Engine::new(vec![Arc::new(PlaceholderDetector::new())]).unwrap()
}

fn raw(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().filter(|f| f.view == View::Raw).collect()
}

#[test]
fn the_engine_finds_what_a_plain_search_finds() {
    let (_, token) = filled();
    let engine = engine();
    let scratch = std::cell::RefCell::new(Scratch::default());
    proptest!(|(pieces in prop::collection::vec(prop::sample::select(vec![
        "TOKEN", "TOKEN", "CREDIT_CARD_", "credit_card", "EMAIL_ADDRESS_bcdfg", " ", "\n", ".", "@", "x", "。", "请", "\\_",
    ]), 0..12), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6))| {
        let text = pieces.concat().replace("TOKEN", &token);
        let scratch = &mut *scratch.borrow_mut();
        let mut whole = Vec::new();
        engine.inspect(&text, Syntax::Plain, scratch, &mut whole);
        prop_assert_eq!(raw(whole.clone()), tokens(&text), "{}", text);

        let mut stream = StreamInspector::new(Syntax::Plain);
        let mut streamed = Vec::new();
        let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(text.len() + 1)).collect();
        cuts.retain(|c| text.is_char_boundary(*c));
        cuts.push(text.len());
        cuts.sort_unstable();
        let mut at = 0;
        for cut in cuts {
            stream.push(&engine, scratch, &text[at..cut], &mut streamed);
            at = cut;
        }
        stream.finish(&engine, scratch, &mut streamed);
        prop_assert_eq!(streamed, whole);
    });
}

#[test]
fn every_category_has_a_token_that_is_found_whatever_its_case() {
    let engine = engine();
    let mut scratch = Scratch::default();
    let mut vault = vault(b"engine");
    for category in Category::ALL.iter().filter(|c| **c != Category::Placeholder) {
        let token = vault.tokenise(*category, VALUE);
        for spelling in [token.clone(), token.to_lowercase(), token.replace('_', "\\_")] {
            let mut findings = Vec::new();
            let text = format!("a {spelling}, b");
            engine.inspect(&text, Syntax::Plain, &mut scratch, &mut findings);
            assert_eq!(findings.len(), 1, "{spelling}");
            assert_eq!(vault.restore(&text[findings[0].span.range()]), Some((*category, VALUE)));
        }
    }
}
