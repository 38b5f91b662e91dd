//! Text over several pieces of an unknown field of a stream says no more than in one.

use bastide_wire::{ChatChunk, Limits, SseDecoder};
use serde_json::{Value, json};

use super::super::StreamGuard;
use super::{event, for_every_split, guard, known, texts, vault};

/// What a stream says at `pointer` of its deltas after each event.
fn streamed_at(deltas: &[Value], pointer: &str) -> Vec<String> {
    let (vault, _) = known();
    let mut guard = StreamGuard::new(guard(), vault, Box::new(|_, _| true));
    let mut decoder = SseDecoder::new(1 << 20);
    for delta in deltas {
        decoder.push(event(delta.clone(), None, false).as_bytes());
    }
    decoder.push(event(json!({}), Some("stop"), false).as_bytes());
    let (mut out, mut seen) = (Vec::new(), Vec::new());
    while let Some(event) = decoder.next_event() {
        let event = event.expect("an event");
        let data = event.data.expect("data");
        let chunk = Box::new(ChatChunk::parse(&data, &Limits::default()).expect("a chunk"));
        guard.event(event.raw, data, chunk, &mut out).expect("not refused");
        seen.push(said_at(&out, pointer));
    }
    guard.finish(&mut out).expect("not refused");
    seen.push(said_at(&out, pointer));
    seen
}

fn said_at(out: &[u8], pointer: &str) -> String {
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(out);
    let mut text = String::new();
    while let Some(event) = decoder.next_event() {
        let data = event.expect("an event").data.expect("data");
        let value: Value = serde_json::from_slice(&data).expect("JSON");
        let said = value.pointer("/choices/0/delta").and_then(|delta| delta.pointer(pointer));
        text.push_str(said.and_then(Value::as_str).unwrap_or_default());
    }
    text
}

#[test]
fn no_split_over_an_unknown_field_says_more_than_the_whole() {
    type Shape = (fn(&str) -> Value, &'static str);
    let shapes: [Shape; 4] = [
        (|t| json!({"x_note":t}), "/x_note"),
        (|t| json!({"content":"a ","x_note":{"deep":[{"index":7,"text":t}]}}), "/x_note/deep/0/text"),
        (|t| json!({"tool_calls":[{"index":2,"x_note":t}]}), "/tool_calls/0/x_note"),
        (
            |t| json!({"reasoning_details":[{"type":"reasoning.text","index":0,"x_note":t}]}),
            "/reasoning_details/0/x_note",
        ),
    ];
    for (shape, pointer) in shapes {
        for_every_split(&texts(), |text, secret, pieces| {
            let whole = streamed_at(&[shape(text)], pointer).pop().unwrap_or_default();
            let known = |said: &str| said.matches("ada@").count();
            assert!(
                !whole.contains(secret) && known(&whole) == known(text),
                "nothing is put back: {whole:?}"
            );
            let deltas: Vec<Value> = pieces.iter().map(|piece| shape(piece)).collect();
            let seen = streamed_at(&deltas, pointer);
            assert_eq!(seen.last(), Some(&whole), "{pieces:?}");
            for prefix in &seen {
                assert!(whole.starts_with(prefix.as_str()), "{prefix:?} is no prefix of {whole:?}");
            }
        });
    }
}

#[test]
fn elements_of_an_unknown_list_are_told_apart_by_their_index() {
    let piece = |index: u32, text: &str| json!({"x_note":[{"index":index,"text":text}]});
    let deltas = [
        piece(0, "4111 1111 "),
        piece(1, "hello "),
        piece(0, "1111 1111"),
        piece(1, "world"),
        piece(2, "end"),
    ];
    let said = streamed_at(&deltas, "/x_note/0/text").pop().unwrap_or_default();
    assert!(!said.contains("1111") && said.contains("hello ") && said.contains("world"), "{said}");
}

#[test]
fn an_unknown_field_does_not_stop_what_stands_beside_it() {
    // A word that every event repeats: only the first one waits, for the second to show that it is one.
    let same = |n: u32| json!({"content":format!("w{n} "),"x_format":"some-format-v1"});
    let seen = streamed_at(&(0..6).map(same).collect::<Vec<_>>(), "/content");
    assert_eq!(seen[1..6], ["w0 w1 ", "w0 w1 w2 ", "w0 w1 w2 w3 ", "w0 w1 w2 w3 w4 ", "w0 w1 w2 w3 w4 w5 "]);
    // A field that comes once: what is beside it waits for a few events and not for the end.
    let mut deltas = vec![json!({"content":"first ","x_note":"word"})];
    deltas.extend((0..20).map(|_| json!({"content":"more "})));
    let seen = streamed_at(&deltas, "/content");
    assert!(seen[10].starts_with("first more "), "{seen:?}");
}

#[test]
fn a_repeated_secret_is_no_word() {
    let key = "sk-proj-Zx81kLm29QpRsTuVwXyZ0123456789abcdefGHIJ";
    let seen = streamed_at(&vec![json!({"x_note":key}); 4], "/x_note");
    assert!(!seen.concat().contains("Zx81kLm29QpR"), "{seen:?}");
}

#[test]
fn a_stream_of_ever_new_fields_is_refused() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut out = Vec::new();
    let refused = (0..1_000).any(|n: u32| {
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(event(json!({format!("x_{n}"):"zoe"}), None, false).as_bytes());
        let event = decoder.next_event().expect("one").expect("an event");
        let data = event.data.expect("data");
        let chunk = Box::new(ChatChunk::parse(&data, &Limits::default()).expect("a chunk"));
        guard.event(event.raw, data, chunk, &mut out).is_err()
    });
    assert!(refused);
}
