//! What a run of the guard may take at most.

use bastide_wire::{ChatRequest, Limits};
use serde_json::{Value, json};

use super::{guard, vault};

/// What the guard says of a request with these contents, as long as `awaited` says so: how many it would replace, or the
/// code of its refusal.
fn request(contents: &[Value], awaited: &dyn Fn() -> bool) -> Result<usize, &'static str> {
    let messages: Vec<Value> = contents.iter().map(|c| json!({"role":"user","content":c})).collect();
    let body = json!({"model":"m","messages":messages}).to_string();
    let request = ChatRequest::parse(body.as_bytes(), &Limits::default()).expect("a request");
    let report = guard().inspect_request(&request, body.as_bytes(), &mut vault(), awaited);
    report.map(|report| report.edits.len()).map_err(|problem| problem.code)
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
