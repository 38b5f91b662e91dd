//! What a run of the guard may take at most.

use bastide_anonymize::Vault;
use bastide_wire::{ChatRequest, ChatResponse, Limits};
use serde_json::{Value, json};

use super::{guard, vault};

/// A text in which this many e-mail addresses are found.
fn addresses(count: usize) -> String {
    "a@b.co ".repeat(count)
}

/// What the guard says of a request with these contents, as long as `awaited` says so: how many it would replace, or the
/// code of its refusal.
fn request(contents: &[Value], awaited: &dyn Fn() -> bool) -> Result<usize, &'static str> {
    let messages: Vec<Value> = contents.iter().map(|c| json!({"role":"user","content":c})).collect();
    let body = json!({"model":"m","messages":messages}).to_string();
    let request = ChatRequest::parse(body.as_bytes(), &Limits::default()).expect("a request");
    let report = guard().inspect_request(&request, body.as_bytes(), &mut vault(), awaited);
    report.map(|report| report.edits.len()).map_err(|problem| problem.code)
}

fn reply(text: &str) -> Result<usize, &'static str> {
    let body = json!({"choices":[{"index":0,"message":{"role":"assistant","content":text}}]}).to_string();
    let document = ChatResponse::parse(body.as_bytes(), &Limits::default()).expect("a reply");
    let segments = document.segments(body.as_bytes());
    let none = |_| String::new();
    let report =
        guard().inspect_response(&segments, &document.joined, &vault(), &none, &|_, _| false, &|| true);
    report.map(|report| report.edits.len()).map_err(|problem| problem.code)
}

#[test]
fn more_values_than_are_held_are_refused_however_they_are_spread() {
    let most = Vault::MAX_VALUES;
    let part = |count: usize| json!({"type":"text","text":addresses(count)});
    let all = |contents: &[Value]| request(contents, &|| true);
    assert_eq!(all(&[json!(addresses(most))]), Ok(most));
    assert_eq!(all(&[json!(addresses(most + 1))]), Err("guard.too_many"));
    assert_eq!(all(&[json!(addresses(most)), json!(addresses(1))]), Err("guard.too_many"));
    // Each by itself, joined, and joined by line breaks.
    let half = most / 6;
    assert_eq!(all(&[json!([part(half), part(half)])]), Ok(2 * half));
    assert_eq!(all(&[json!([part(most / 2), part(most / 2)])]), Err("guard.too_many"));
    assert_eq!(reply(&addresses(most)), Ok(most));
    assert_eq!(reply(&addresses(most + 1)), Err("guard.too_many"));
}

#[test]
fn a_run_that_nobody_waits_for_ends() {
    let left = std::cell::Cell::new(3);
    let awaited = || left.replace(left.get() - 1) > 0;
    let text = "Nothing is found in this, and it is long. ".repeat(1 << 16);
    assert_eq!(request(&[json!(text)], &awaited), Err("guard.failed"));
    assert_eq!(left.get(), -1, "asked no more once it was told");
    left.set(i32::MAX);
    assert_eq!(request(&[json!(text)], &awaited), Ok(0));
}
