//! When the policies hear of the tools that a stream calls.

use std::sync::Arc;
use std::time::Duration;

use bastide_inspect::GuardProfile;
use bastide_types::GuardMode;
use bastide_wire::SseDecoder;
use serde_json::{Value, json};

use super::super::{Guard, StreamGuard};
use super::{event, give, guard, vault};

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
        give(&mut guard, event, &mut Vec::new()).expect("not refused");
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
fn a_name_that_is_said_twice_may_be_one_name() {
    let call = |function: Value| json!({"tool_calls":[{"index":0,"function":function}]});
    for mode in [GuardMode::Enforce, GuardMode::Observe, GuardMode::Off] {
        let before =
            [call(json!({"name":"ta"})), call(json!({"name":"ta"})), call(json!({"arguments":"{}"}))];
        let seen = called(mode, &before);
        assert_eq!(seen[2], ["ta", "tata"], "{mode:?}");
        // Said again with every piece of the arguments.
        let after = [
            call(json!({"name":"ta","arguments":"{"})),
            call(json!({"name":"ta","arguments":"}"})),
            call(json!({"name":"ta","arguments":" "})),
        ];
        let seen = called(mode, &after);
        assert_eq!(seen[0], ["ta"], "{mode:?}");
        assert_eq!(seen[1], ["ta", "tata"], "{mode:?}");
        assert_eq!(seen[2], ["ta", "tata", "tatata"], "{mode:?}");
    }
    let long = "search_the_index_of_all_documents";
    let pieces: Vec<Value> = (0..400).map(|_| call(json!({"name":long,"arguments":" "}))).collect();
    let seen = called(GuardMode::Off, &pieces).pop().expect("some");
    assert!(seen.len() < 4, "a server that repeats itself does not call ever more tools: {seen:?}");
}

#[test]
fn a_name_that_goes_on_behind_its_arguments_is_noted_at_once() {
    let call = |function: Value| json!({"tool_calls":[{"index":0,"function":function}]});
    for mode in [GuardMode::Observe, GuardMode::Off] {
        let seen = called(
            mode,
            &[
                call(json!({"name":"delete","arguments":"{"})),
                call(json!({"name":"_all"})),
                call(json!({"arguments":"}"})),
            ],
        );
        assert_eq!(seen[0], ["delete"], "{mode:?}");
        assert_eq!(seen[1], ["delete", "delete_all"], "{mode:?}");
    }
}

#[test]
fn names_that_cannot_be_followed_are_of_the_tool_with_no_name() {
    let call = |index: u32, name: &str| json!({"tool_calls":[{"index":index,"function":{"name":name}}]});
    let many: Vec<Value> = (0..200).map(|n| call(n, "a")).collect();
    for mode in [GuardMode::Enforce, GuardMode::Observe, GuardMode::Off] {
        let seen = called(mode, &many).pop().expect("some");
        assert!(seen.iter().any(String::is_empty), "{mode:?}: {seen:?}");
    }
    let seen = called(GuardMode::Off, &[call(0, "a"), call(0, &"b".repeat(300))]).pop().expect("some");
    assert!(seen.iter().any(String::is_empty), "{seen:?}");
}

#[test]
fn an_index_that_clients_may_read_differently_is_refused() {
    for index in ["1.0", "1e0", "-1", "\"1\"", "4294967296", "4294967295"] {
        for delta in [
            format!(r#"{{"tool_calls":[{{"index":{index},"function":{{"name":"a"}}}}]}}"#),
            format!(r#"{{"reasoning_details":[{{"index":{index},"type":"reasoning.text","text":"a"}}]}}"#),
        ] {
            let delta: Value = serde_json::from_str(&delta).expect("JSON");
            assert!(refuses(GuardMode::Enforce, &event(delta.clone(), None, false)), "{delta}");
            assert!(!refuses(GuardMode::Observe, &event(delta.clone(), None, false)), "{delta}");
        }
        let choice =
            event(json!({"content":"a"}), None, false).replace("\"index\":0", &format!("\"index\":{index}"));
        assert!(refuses(GuardMode::Enforce, &choice), "{choice}");
    }
    let seen = called(GuardMode::Off, &[json!({"tool_calls":[{"index":1.0,"function":{"name":"a"}}]})]);
    assert!(seen[0].iter().any(String::is_empty), "{seen:?}");
    for index in ["0", "7", "null"] {
        let delta: Value = serde_json::from_str(&format!(
            r#"{{"tool_calls":[{{"index":{index},"function":{{"name":"a"}}}}]}}"#
        ))
        .expect("JSON");
        assert!(!refuses(GuardMode::Enforce, &event(delta, None, false)), "{index}");
    }
}

fn refuses(mode: GuardMode, event: &str) -> bool {
    let guard = match mode {
        GuardMode::Enforce => guard(),
        mode => Arc::new(
            Guard::new(mode, GuardProfile::default_profile(), Duration::from_secs(60)).expect("compiles"),
        ),
    };
    let mut guard = StreamGuard::new(guard, vault(), Box::new(|_, _| false));
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(event.as_bytes());
    let event = decoder.next_event().expect("one").expect("an event");
    give(&mut guard, event, &mut Vec::new()).is_err()
}

#[test]
fn a_name_behind_its_arguments_is_refused() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut feed = |function: Value| {
        let delta = json!({"tool_calls":[{"index":0,"function":function}]});
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(event(delta, None, false).as_bytes());
        let event = decoder.next_event().expect("one").expect("an event");
        give(&mut guard, event, &mut Vec::new())
    };
    assert!(feed(json!({"arguments":"{}"})).is_ok());
    assert!(feed(json!({"name":"delete_all"})).is_err());
}
