//! When the policies hear of the tools that a stream calls.

use std::sync::Arc;
use std::time::Duration;

use bastide_inspect::GuardProfile;
use bastide_types::GuardMode;
use bastide_wire::{ChatChunk, Limits, SseDecoder};
use serde_json::{Value, json};

use super::super::{Guard, StreamGuard};
use super::{event, guard, vault};

/// The tools that the policies hear of after each event.
fn called(mode: GuardMode, deltas: &[Value]) -> Vec<Vec<String>> {
    let guard = Arc::new(
        Guard::new(mode, GuardProfile::default_profile(), Duration::from_secs(60)).expect("patterns compile"),
    );
    let mut guard = StreamGuard::new(guard, vault(), Box::new(|_, _| false));
    let mut seen = Vec::new();
    for delta in deltas {
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(event(delta.clone(), None, false).as_bytes());
        let event = decoder.next_event().expect("one").expect("an event");
        let data = event.data.expect("data");
        let chunk = Box::new(ChatChunk::parse(&data, &Limits::default()).expect("a chunk"));
        guard.event(event.raw, data, chunk, &mut Vec::new()).expect("not refused");
        seen.push(guard.tally().tools().to_vec());
    }
    guard.finish(&mut Vec::new()).expect("not refused");
    seen.push(guard.tally().tools().to_vec());
    seen
}

#[test]
fn a_tool_is_named_when_its_name_is_complete() {
    let call = |index: u32, function: Value| json!({"tool_calls":[{"index":index,"function":function}]});
    for mode in [GuardMode::Enforce, GuardMode::Observe, GuardMode::Off] {
        let seen = called(
            mode,
            &[
                call(0, json!({"name":"delete","arguments":""})),
                call(0, json!({"name":"_all"})),
                call(0, json!({"arguments":"{"})),
                // Whatever order the members stand in.
                call(1, json!({"arguments":"{}","name":"send"})),
                call(2, json!({"name":"last"})),
            ],
        );
        let none: [&str; 0] = [];
        assert_eq!(seen[1], none, "{mode:?}");
        assert_eq!(seen[2], ["delete_all"], "{mode:?}");
        assert_eq!(seen[3], ["delete_all", "send"], "{mode:?}");
        assert_eq!(seen[5], ["delete_all", "send", "last"], "{mode:?}");
    }
}

#[test]
fn a_name_behind_its_arguments_is_refused() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut feed = |function: Value| {
        let delta = json!({"tool_calls":[{"index":0,"function":function}]});
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(event(delta, None, false).as_bytes());
        let event = decoder.next_event().expect("one").expect("an event");
        let data = event.data.expect("data");
        let chunk = Box::new(ChatChunk::parse(&data, &Limits::default()).expect("a chunk"));
        guard.event(event.raw, data, chunk, &mut Vec::new())
    };
    assert!(feed(json!({"arguments":"{}"})).is_ok());
    assert!(feed(json!({"name":"delete_all"})).is_err());
}
