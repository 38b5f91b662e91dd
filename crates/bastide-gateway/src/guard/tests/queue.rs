//! What waits costs little, however much of it waits.

use bastide_wire::SseDecoder;
use serde_json::{Value, json};

use super::super::{StreamGuard, StreamRefusal};
use super::{content, event, give, guard, vault};

const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----";

fn feed(guard: &mut StreamGuard, event: &str, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(event.as_bytes());
    while let Some(event) = decoder.next_event() {
        let event = event.expect("an event");
        give(guard, event, out)?;
    }
    Ok(())
}

#[test]
fn thousands_of_events_that_wait_are_looked_at_a_few_times_each() {
    const EVENTS: u64 = 3_900;
    // What else an event says that could move the queue.
    let beside: [fn(u64) -> Value; 4] = [
        |_| json!({"content":"M"}),
        |n| json!({"content":"M","x_note":format!("n{n} ")}),
        |n| if n % 2 == 0 { json!({"content":"M"}) } else { json!({"reasoning_content":"so be it "}) },
        |n| if n % 2 == 0 { json!({"content":"M","refusal":"no "}) } else { json!({"refusal":"x"}) },
    ];
    for delta in beside {
        let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
        let mut out = Vec::new();
        feed(&mut guard, &event(json!({ "content": KEY }), None, true), &mut out).expect("not refused");
        for n in 0..EVENTS {
            feed(&mut guard, &event(delta(n), None, n % 2 == 0), &mut out).expect("not refused");
        }
        feed(&mut guard, &event(json!({}), Some("stop"), false), &mut out).expect("not refused");
        guard.finish(&mut out).expect("not refused");
        assert!(!String::from_utf8_lossy(&out).contains("\"content\":\"M"), "all of it is the key");
        assert!(guard.looks() < 12 * EVENTS, "{} looks at {EVENTS} events", guard.looks());
    }
}

#[test]
fn words_go_out_as_they_came() {
    let pieces =
        ["The", " quick", " br", "own", "\n", " fox", " jumps \u{2003}", " o", "v", "e", "r", ".", "  "];
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
    let (mut sent, mut out) = (String::new(), Vec::new());
    for (at, piece) in pieces.iter().enumerate() {
        let event = event(json!({ "content": piece }), None, false);
        sent.push_str(&event);
        feed(&mut guard, &event, &mut out).expect("not refused");
        assert!(sent.as_bytes().starts_with(&out), "{}", String::from_utf8_lossy(&out));
        let word = pieces[..=at].concat().rfind(char::is_whitespace).unwrap_or(0);
        let shown = pieces.concat()[..word].trim_end().len();
        assert!(
            content(&out).len() >= shown,
            "what shows does not wait: {:?} after {piece:?}",
            content(&out)
        );
    }
    feed(&mut guard, &event(json!({}), Some("stop"), false), &mut out).expect("not refused");
    guard.finish(&mut out).expect("not refused");
    assert!(out.starts_with(sent.as_bytes()), "{}", String::from_utf8_lossy(&out));
}

#[test]
fn several_words_at_a_time_take_no_more_events_than_came() {
    let pieces = ["It goes wi", "thout say", "ing that wo", "rds are cut ", "here and th", "ere."];
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
    let mut out = Vec::new();
    let events = |out: &[u8]| String::from_utf8_lossy(out).matches("data: ").count();
    for (at, piece) in pieces.iter().enumerate() {
        feed(&mut guard, &event(json!({ "content": piece }), None, false), &mut out).expect("not refused");
        let text = pieces[..=at].concat();
        let shown = text.trim_end().rfind(' ').unwrap_or(0);
        assert!(
            content(&out).len() >= shown,
            "what shows does not wait: {:?} after {piece:?}",
            content(&out)
        );
        assert!(events(&out) <= at + 1, "{}", String::from_utf8_lossy(&out));
    }
    feed(&mut guard, &event(json!({}), Some("stop"), false), &mut out).expect("not refused");
    guard.finish(&mut out).expect("not refused");
    assert_eq!((content(&out), events(&out)), (pieces.concat(), pieces.len() + 1));
}

#[test]
fn a_long_text_that_waits_takes_no_event_for_each_piece() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
    let mut out = Vec::new();
    feed(&mut guard, &event(json!({ "content": KEY }), None, false), &mut out).expect("not refused");
    for _ in 0..5_000 {
        feed(&mut guard, &event(json!({"content":"M"}), None, false), &mut out).expect("not refused");
    }
    assert!(guard.waiting() <= 16, "{} events wait", guard.waiting());
}

#[test]
fn what_stands_beside_the_text_is_inspected_when_it_changes() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
    let mut out = Vec::new();
    for id in ["c", "c", "c", "bob.builder@example.com", "bob.builder@example.com", "c"] {
        let event = event(json!({"content":"so be it. "}), None, false);
        feed(&mut guard, &event.replace(r#""id":"c""#, &format!(r#""id":"{id}""#)), &mut out)
            .expect("not refused");
    }
    guard.finish(&mut out).expect("not refused");
    assert_eq!(content(&out), "so be it. ".repeat(6));
    assert!(!String::from_utf8_lossy(&out).contains("bob.builder"), "{}", String::from_utf8_lossy(&out));
    assert_eq!(guard.tally().counts().iter().map(|(_, n)| n).sum::<u32>(), 2, "found each time it was said");
}

/// A chunk whose answer is said again as a whole message, in parts.
fn repeated(parts: &[&str]) -> String {
    let parts: Vec<Value> = parts.iter().map(|p| json!({"type":"text","text":p})).collect();
    let chunk = json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"m",
        "choices":[{"index":0,"finish_reason":null,"message":{"role":"assistant","content":parts}}]});
    format!("data: {chunk}\n\n")
}

#[test]
fn a_message_that_is_said_again_after_the_end_stays_a_message() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
    let mut out = Vec::new();
    feed(&mut guard, &event(json!({"content":"all is well"}), None, false), &mut out).expect("not refused");
    feed(&mut guard, &event(json!({}), Some("stop"), false), &mut out).expect("not refused");
    feed(&mut guard, &repeated(&["all is", " well"]), &mut out).expect("not refused");
    guard.finish(&mut out).expect("not refused");
    assert_eq!(content(&out), "all is well");
    assert!(String::from_utf8_lossy(&out).ends_with(&repeated(&["all is", " well"])), "as it came");
}

#[test]
fn parts_of_a_message_in_a_chunk_are_read_together() {
    for parts in [["my card 4111 1111 ", "1111 1111"], ["serial ", "219-09-9998"]] {
        let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| true));
        let mut out = Vec::new();
        feed(&mut guard, &repeated(&parts), &mut out).expect("not refused");
        guard.finish(&mut out).expect("not refused");
        let out = String::from_utf8_lossy(&out);
        assert!(!out.contains("1111") && !out.contains("219-09"), "{out}");
    }
}
