//! Text over several pieces of an unknown field of a stream says no more than in one.

use bastide_types::{Category, Direction};
use bastide_wire::SseDecoder;
use serde_json::{Value, json};

use super::super::{StreamGuard, StreamRefusal};
use super::{event, for_every_split, give, guard, known, texts, vault};

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
        give(&mut guard, event, &mut out).expect("not refused");
        seen.push(said_at(&out, pointer));
    }
    guard.finish(&mut out).expect("not refused");
    seen.push(said_at(&out, pointer));
    seen
}

fn shows_nothing(piece: &str) -> bool {
    guard().find(Direction::Response, piece).iter().all(|f| f.category == Category::Placeholder)
}

fn said_at(out: &[u8], pointer: &str) -> String {
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(out);
    let mut text = String::new();
    while let Some(event) = decoder.next_event() {
        let data = event.expect("an event").data.expect("data");
        let value: Value = serde_json::from_slice(data).expect("JSON");
        let said = value.pointer("/choices/0/delta").and_then(|delta| delta.pointer(pointer));
        text.push_str(said.and_then(Value::as_str).unwrap_or_default());
    }
    text
}

#[test]
fn no_split_over_an_unknown_field_says_more_than_the_whole() {
    type Shape = (fn(&str) -> Value, &'static str);
    let shapes: [Shape; 11] = [
        (|t| json!({"x_note":t}), "/x_note"),
        (|t| json!({"content":"a ","x_note":{"deep":[{"index":7,"text":t}]}}), "/x_note/deep/0/text"),
        (|t| json!({"tool_calls":[{"index":2,"x_note":t}]}), "/tool_calls/0/x_note"),
        (
            |t| json!({"reasoning_details":[{"type":"reasoning.text","index":0,"x_note":t}]}),
            "/reasoning_details/0/x_note",
        ),
        // Members that the protocol has and says little of.
        (|t| json!({"name":t}), "/name"),
        (|t| json!({"tool_call_id":t}), "/tool_call_id"),
        (|t| json!({"annotations":[{"index":0,"title":t}]}), "/annotations/0/title"),
        (|t| json!({"citations":{"a":t}}), "/citations/a"),
        (|t| json!({"reasoning":{"text":t}}), "/reasoning/text"),
        (
            |t| json!({"tool_calls":[{"index":0,"function":{"arguments":{"note":t}}}]}),
            "/tool_calls/0/function/arguments/note",
        ),
        (|t| json!({"role":t}), "/role"),
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
            let last = seen.last().cloned().unwrap_or_default();
            assert!(!last.contains(secret), "{pieces:?} leaks: {last:?}");
            // What a piece shows by itself goes as well, for nobody knows whether its reader joins it to the others.
            if pieces.iter().all(|piece| shows_nothing(piece)) {
                assert_eq!(last, whole, "{pieces:?}");
            }
            for prefix in &seen {
                assert!(last.starts_with(prefix.as_str()), "{prefix:?} is no prefix of {last:?}");
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
fn an_event_of_very_many_fields_is_refused() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut out = Vec::new();
    let refused = (0..3).any(|_| {
        let fields: serde_json::Map<String, Value> =
            (0..3_000).map(|n: u32| (format!("x_{n}"), json!("zoe"))).collect();
        feed(&mut guard, &event(fields.into(), None, false), &mut out).is_err()
    });
    assert!(refused);
}

#[test]
fn a_piece_of_an_unknown_field_is_read_by_itself_as_well() {
    for pieces in [["serial ", "219-09-9998"], ["a", "4111111111111111"]] {
        for shape in [|t: &str| json!({"x_note":t}), |t: &str| json!({"name":t})] {
            let deltas: Vec<Value> = pieces.iter().map(|piece| shape(piece)).collect();
            for pointer in ["/x_note", "/name"] {
                let seen = streamed_at(&deltas, pointer);
                assert!(!seen.concat().contains(pieces[1]), "{seen:?}");
            }
        }
    }
}

#[test]
fn an_element_of_a_list_stays_one_element() {
    let deltas = [json!({"citations":["see zoe 4111"]}), json!({"citations":["or ada 1234"]})];
    let (vault, _) = known();
    let mut guard = StreamGuard::new(guard(), vault, Box::new(|_, _| true));
    let mut out = Vec::new();
    for delta in &deltas {
        feed(&mut guard, &event(delta.clone(), None, false), &mut out).expect("not refused");
    }
    guard.finish(&mut out).expect("not refused");
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(&out);
    let mut said = Vec::new();
    while let Some(event) = decoder.next_event() {
        let data = event.expect("an event").data.expect("data");
        let value: Value = serde_json::from_slice(data).expect("JSON");
        said.push(value["choices"][0]["delta"].clone());
    }
    assert_eq!(said, deltas);
}

#[test]
fn a_long_stream_of_lists_is_not_cut() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut out = Vec::new();
    for n in 0..200 {
        // Twenty new elements in every event, and one with three hundred texts.
        let items: Vec<Value> = (0..20).map(|i| json!({"index":n * 20 + i,"text":"word"})).collect();
        let annotations: Vec<Value> = (0..if n == 100 { 100 } else { 1 })
            .map(|i| json!({"type":"cited","title":format!("title {i}, "),"url":"/page, "}))
            .collect();
        let delta = json!({"content":"a ","x_items":items,"annotations":annotations});
        feed(&mut guard, &event(delta, None, false), &mut out).expect("not refused");
        out.clear();
    }
}

fn feed(guard: &mut StreamGuard, event: &str, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(event.as_bytes());
    let event = decoder.next_event().expect("one").expect("an event");
    give(guard, event, out)
}

#[test]
fn unknown_fields_below_a_long_key_are_apart_or_refused() {
    let mut refused = 0;
    for length in 200..300 {
        let delta = |a: &str, b: &str| json!({ "k".repeat(length): { "a": a, "b": b } });
        let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
        let mut decoder = SseDecoder::new(1 << 20);
        for (a, b) in [("write to joe.miller@", "/ hello"), ("corp-mail.com and so on", "/ there")] {
            decoder.push(event(delta(a, b), None, false).as_bytes());
        }
        let mut out = Vec::new();
        let mut given = Ok(());
        while let Some(event) = decoder.next_event() {
            given = given.and(give(&mut guard, event.expect("an event"), &mut out));
        }
        refused += usize::from(given.is_err());
        given.and_then(|()| guard.finish(&mut out)).ok();
        let said = String::from_utf8_lossy(&out).into_owned();
        assert!(!(said.contains("joe.miller@") && said.contains("corp-mail")), "{length}: {said}");
    }
    assert!(refused > 40 && refused < 60, "{refused}");
}
