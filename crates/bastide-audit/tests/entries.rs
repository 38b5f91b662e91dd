//! What an entry looks like.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use bastide_audit::{AuditError, MAX_ENTRY_BYTES, Value, encode};
use bastide_types::{Event, MutationPhase};
use support::{changed, every_event, outcome, request};

fn read(event: &Event) -> Value {
    Value::parse(&encode(event).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", event.kind()))
}

#[test]
fn every_kind_is_deterministic_cbor_with_its_kind_and_time() {
    for event in every_event() {
        let value = read(&event);
        assert_eq!(value.get("v"), Some(&Value::Uint(1)));
        assert_eq!(value.get("kind"), Some(&Value::Text(event.kind().to_owned())));
        assert_eq!(value.get("at"), Some(&Value::Uint(event.at().as_micros())));
        assert_eq!(encode(&event).unwrap(), encode(&event.clone()).unwrap());
    }
}

#[test]
fn a_request_reads_as_it_was() {
    let expected = concat!(
        r#"{"v":1,"at":1790000000000000,"kind":"request","#,
        r#""sent":"0606060606060606060606060606060606060606060606060606060606060606","#,
        r#""actor":{"key":"01010101010101010101010101010101","type":"key","#,
        r#""project":"prj_0208105081420g8410g2081040"},"#,
        r#""guard":{"mode":"enforce","bytes":4096,"#,
        r#""profile":"0404040404040404040404040404040404040404040404040404040404040404","#,
        r#""verdict":"tokenise","findings":[{"end":19,"view":"raw","score":950,"start":0,"origin":"user","#,
        r#""segment":3,"verdict":"tokenise","category":"CREDIT_CARD","detector":"credit_card"}],"segments":12,"#,
        r#""direction":"request","unscanned":1,"findings_total":1},"#,
        r#""model":"gpt-5.2-mini","policy":"0707070707070707070707070707070707070707070707070707070707070707","#,
        r#""stream":true,"dialect":"openai.chat","verdict":"tokenise","#,
        r#""exchange":"exc_0714e1r70w3gr71r1w3gr71r1w","#,
        r#""received":"0505050505050505050505050505050505050505050505050505050505050505","#,
        r#""upstream":"demo","decisions":[{"action":"invoke","effect":"permit","policies":["starter-invoke"]},"#,
        r#"{"action":"release","effect":"deny","policies":[]}]}"#
    );
    let Event::Request(e) = request(1) else { panic!("a request") };
    let shown = read(&Event::Request(e.clone())).to_json();
    let expected = expected
        .replace("prj_0208105081420g8410g2081040", &bastide_types::ProjectId::from_bytes([2; 16]).to_string())
        .replace("exc_0714e1r70w3gr71r1w3gr71r1w", &e.exchange.to_string());
    assert_eq!(shown, expected);
}

#[test]
fn phases_and_outcomes_carry_what_they_refer_to() {
    let intent = read(&changed(MutationPhase::Intent));
    assert_eq!((intent.get("phase").unwrap().as_text(), intent.get("intent")), (Some("intent"), None));
    let done = read(&changed(MutationPhase::Done { intent: 5 }));
    assert_eq!(
        (done.get("phase").unwrap().as_text(), done.get("intent")),
        (Some("done"), Some(&Value::Uint(5)))
    );
    let outcome = read(&outcome());
    assert_eq!(outcome.get("request_index"), Some(&Value::Uint(70_000)));
    assert_eq!(outcome.get("ending").unwrap().as_text(), Some("complete"));
    let Some(Value::Array(findings)) = outcome.get("request_findings") else { panic!("a list") };
    assert_eq!(findings[0].to_json(), r#"{"count":2,"category":"CREDIT_CARD"}"#);
}

#[test]
fn findings_are_dropped_from_the_end_until_the_entry_fits() {
    let all = 400;
    let bytes = encode(&request(all)).unwrap();
    assert!((MAX_ENTRY_BYTES - 200..=MAX_ENTRY_BYTES).contains(&bytes.len()), "{} bytes", bytes.len());
    let value = Value::parse(&bytes).unwrap();
    assert_eq!(value.get("truncated"), Some(&Value::Bool(true)));
    let Some(Value::Array(kept)) = value.get("guard").unwrap().get("findings") else { panic!("a list") };
    assert_eq!(value.get("guard").unwrap().get("findings_total").unwrap().as_uint(), Some(400));
    for (n, finding) in kept.iter().enumerate() {
        assert_eq!(finding.get("start").unwrap().as_uint(), Some(n as u64 * 20), "the first ones stay");
    }
    // The longest that needs no truncation says nothing of it.
    let fits = (0..all).rev().find(|n| read(&request(*n)).get("truncated").is_none()).unwrap();
    assert!(fits >= kept.len() && fits <= kept.len() + 1);
}

#[test]
fn what_cannot_fit_is_refused() {
    let Event::Request(mut e) = request(2) else { panic!("a request") };
    e.model = "m".repeat(MAX_ENTRY_BYTES).into();
    assert!(
        matches!(encode(&Event::Request(e)), Err(AuditError::TooLarge { bytes }) if bytes > MAX_ENTRY_BYTES)
    );
}
