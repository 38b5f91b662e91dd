//! A stream cut anywhere says what the whole would say, and no prefix of it says more.

mod bounds;
mod calls;
mod joined;
mod queue;
mod unknown;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bastide_anonymize::{ConversationKey, Vault};
use bastide_crypto::RootKey;
use bastide_inspect::GuardProfile;
use bastide_types::{Category, GuardMode, ProjectId};
use bastide_wire::{ChatResponse, Limits, SseDecoder, SseEvent};
use serde_json::{Value, json};

use super::{Guard, StreamGuard, StreamRefusal};

/// One guard for all: compiling its patterns is most of the time of a test.
fn guard() -> Arc<Guard> {
    static GUARD: OnceLock<Arc<Guard>> = OnceLock::new();
    let make = || Guard::new(GuardMode::Enforce, GuardProfile::default_profile(), Duration::from_secs(60));
    Arc::clone(GUARD.get_or_init(|| Arc::new(make().expect("patterns compile"))))
}

fn vault() -> Vault {
    let root = RootKey::from_bytes([7; 32]);
    Vault::new(move || ConversationKey::derive(&root, ProjectId::from_bytes([1; 16]), b"test"))
}

/// A vault that knows one value, and its token.
fn known() -> (Vault, String) {
    let mut vault = vault();
    vault.remember(Category::EmailAddress, "ada@example.org");
    let token = vault.tokenise(Category::EmailAddress, "ada@example.org");
    (vault, token)
}

fn texts() -> Vec<(String, &'static str)> {
    let (_, token) = known();
    vec![
        ("Write to bob.builder@example.com, please.".to_owned(), "bob.builder@example.com"),
        ("The card is 4111 1111 1111 1111 and no other".to_owned(), "4111 1111"),
        ("IBAN DE89 3704 0044 0532 0130 00 is mine".to_owned(), "3704 0044"),
        ("key: sk-proj-Zx81kLm29QpRsTuVwXyZ0123456789abcdefGHIJ end".to_owned(), "Zx81kLm29QpRsTuVwXyZ"),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq3\nZm9vYmFy\n-----END RSA PRIVATE KEY-----\nafter"
                .to_owned(),
            "MIIEpAIBAAKCAQEA7bq3",
        ),
        (format!("Dear {token}, as you asked: {token}"), "no such text"),
        (format!("![x](https://evil.example/?q={token}) and {token}"), "no such text"),
        ("Grüße an jürgen@example.org 🎉 und zurück".to_owned(), "@example.org"),
        ("ada@example.org wrote to carol@example.org".to_owned(), "carol@example.org"),
        ("nothing of note here, 12 apples and 7 pears".to_owned(), "no such text"),
    ]
}

/// What the whole-text guard makes of a reply.
fn whole(text: &str, restore: bool) -> String {
    let (vault, _) = known();
    let body = json!({"id":"c","object":"chat.completion","created":1,"model":"m",
        "choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":text}}]})
    .to_string();
    let document = ChatResponse::parse(body.as_bytes(), &Limits::default()).expect("a reply");
    let guard = guard();
    let report = guard
        .inspect_response(
            &document.segments(body.as_bytes()),
            &document.joined,
            &vault,
            &|_| String::new(),
            &move |_, _| restore,
            &|| true,
        )
        .expect("in time");
    let spliced = document.splice(body.as_bytes(), &report.edits).expect("edits fit");
    let value: Value = serde_json::from_slice(&spliced).expect("still JSON");
    value["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
}

fn event(delta: Value, finish: Option<&str>, logprobs: bool) -> String {
    let mut choice = json!({"index":0,"delta":delta,"finish_reason":finish});
    if logprobs {
        choice["logprobs"] = json!({"content":[{"token":choice["delta"]["content"],"logprob":-0.1,"bytes":null,
            "top_logprobs":[]}],"refusal":null});
    }
    let chunk = json!({"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[choice]});
    format!("data: {chunk}\n\n")
}

/// What the stream guard makes of a reply in these pieces, after each event: the text that the caller has by then.
fn streamed(pieces: &[&str], logprobs: bool) -> Vec<String> {
    let (vault, _) = known();
    let mut guard = StreamGuard::new(guard(), vault, Box::new(|_, _| true));
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(event(json!({"role":"assistant","content":""}), None, false).as_bytes());
    for piece in pieces {
        decoder.push(event(json!({ "content": piece }), None, logprobs).as_bytes());
    }
    decoder.push(event(json!({}), Some("stop"), false).as_bytes());
    let mut seen = Vec::new();
    let mut out = Vec::new();
    while let Some(event) = decoder.next_event() {
        let event = event.expect("an event");
        give(&mut guard, event, &mut out).expect("not refused");
        seen.push(content(&out));
    }
    guard.finish(&mut out).expect("not refused");
    seen.push(content(&out));
    seen
}

/// Takes in one event as the relay does.
fn give(guard: &mut StreamGuard, event: SseEvent<'_>, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
    let data = event.data.expect("data");
    let mut queued = guard.spare();
    queued.chunk.reparse(data, &Limits::default()).expect("a chunk");
    guard.event(event.raw, data, queued, out)
}

fn content(out: &[u8]) -> String {
    let mut decoder = SseDecoder::new(1 << 20);
    decoder.push(out);
    let mut text = String::new();
    while let Some(event) = decoder.next_event() {
        let data = event.expect("an event").data.expect("data");
        let value: Value = serde_json::from_slice(data).expect("JSON");
        let delta = value["choices"][0]["delta"]["content"].as_str().unwrap_or_default();
        let told = &value["choices"][0]["logprobs"]["content"][0]["token"];
        assert!(told.is_null() || told.as_str() == Some(delta), "logprobs say what the text says: {value}");
        text.push_str(delta);
    }
    text
}

fn check(text: &str, secret: &str, pieces: &[&str], expected: &str) {
    for logprobs in [false, true] {
        let seen = streamed(pieces, logprobs);
        assert_eq!(seen.last().map(String::as_str), Some(expected), "{text:?} in {pieces:?}");
        for prefix in &seen {
            assert!(expected.starts_with(prefix.as_str()), "{prefix:?} is no prefix of {expected:?}");
            assert!(!prefix.contains(secret), "{prefix:?} leaks");
        }
    }
}

#[test]
fn every_two_way_split_says_what_the_whole_says() {
    for (text, secret) in texts() {
        let expected = whole(&text, true);
        assert!(!expected.contains(secret), "{expected:?}");
        for (at, _) in text.char_indices() {
            let (a, b) = text.split_at(at);
            check(&text, secret, &[a, b], &expected);
        }
    }
}

#[test]
fn byte_by_byte_says_what_the_whole_says() {
    for (text, secret) in texts() {
        let expected = whole(&text, true);
        let mut buffer = [0; 4];
        let pieces: Vec<String> = text.chars().map(|c| c.encode_utf8(&mut buffer).to_owned()).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        check(&text, secret, &pieces, &expected);
    }
}

#[test]
fn random_splits_say_what_the_whole_says() {
    let cases: u64 = std::env::var("BASTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(10_000);
    let texts = texts();
    let expected: Vec<String> = texts.iter().map(|(text, _)| whole(text, true)).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    for _ in 0..cases {
        let chosen = next(texts.len());
        let (text, secret) = &texts[chosen];
        let expected = &expected[chosen];
        let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        let mut cuts: Vec<usize> = (0..next(12)).map(|_| boundaries[next(boundaries.len())]).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces: Vec<&str> = cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect();
        check(text, secret, &pieces, expected);
    }
}

#[test]
fn a_value_that_the_request_held_passes_and_its_token_is_put_back() {
    let (_, token) = known();
    assert_eq!(whole("ada@example.org", true), "ada@example.org");
    assert_eq!(whole(&format!("to {token}"), true), "to ada@example.org");
    assert_eq!(whole(&format!("to {token}"), false), format!("to {token}"), "not without the right");
    let link = whole(&format!("[x](https://evil.example/{token})"), true);
    assert!(!link.contains("ada@"), "never inside a link: {link}");
}

#[test]
fn tool_arguments_stay_json_whatever_is_replaced() {
    let arguments = r#"{"to":"bob@example.com","card":4111111111111111,"note":"a\"b"}"#;
    for at in 1..arguments.len() {
        let (a, b) = arguments.split_at(at);
        let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
        let mut out = Vec::new();
        let call = |args: &str| json!({"tool_calls":[{"index":0,"function":{"arguments":args}}]});
        let first = json!({"tool_calls":[{"index":0,"id":"call_1","type":"function",
            "function":{"name":"send","arguments":""}}]});
        let mut decoder = SseDecoder::new(1 << 20);
        for delta in [first, call(a), call(b)] {
            decoder.push(event(delta, None, false).as_bytes());
        }
        decoder.push(event(json!({}), Some("tool_calls"), false).as_bytes());
        while let Some(event) = decoder.next_event() {
            let event = event.expect("an event");
            give(&mut guard, event, &mut out).expect("not refused");
        }
        guard.finish(&mut out).expect("not refused");
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(&out);
        let (mut got, mut names) = (String::new(), String::new());
        while let Some(event) = decoder.next_event() {
            let data = event.expect("an event").data.expect("data");
            let value: Value = serde_json::from_slice(data).expect("JSON");
            let function = &value["choices"][0]["delta"]["tool_calls"][0]["function"];
            got.push_str(function["arguments"].as_str().unwrap_or_default());
            names.push_str(function["name"].as_str().unwrap_or_default());
        }
        assert_eq!(names, "send", "a name is said once");
        let value: Value = serde_json::from_str(&got).unwrap_or_else(|e| panic!("split at {at}: {e}: {got}"));
        assert!(!got.contains("bob@") && !got.contains("4111"), "{got}");
        assert_eq!(value["note"], "a\"b");
    }
}

#[test]
fn text_after_a_finish_is_refused() {
    let mut guard = StreamGuard::new(guard(), vault(), Box::new(|_, _| false));
    let mut out = Vec::new();
    let mut feed = |delta: Value, finish| {
        let mut decoder = SseDecoder::new(1 << 20);
        decoder.push(event(delta, finish, false).as_bytes());
        let event = decoder.next_event().expect("one").expect("an event");
        give(&mut guard, event, &mut out)
    };
    assert!(feed(json!({"content":"bob@exam"}), None).is_ok());
    assert!(feed(json!({}), Some("stop")).is_ok());
    assert!(feed(json!({"content":"ple.com"}), None).is_err());
}

/// Cuts a text at random places.
fn cut<'t>(text: &'t str, next: &mut impl FnMut(usize) -> usize) -> Vec<&'t str> {
    let boundaries: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    let mut cuts: Vec<usize> = (0..next(6)).map(|_| boundaries[next(boundaries.len())]).collect();
    cuts.extend([0, text.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|w| &text[w[0]..w[1]]).collect()
}

/// All two-way splits of every text, and some into more pieces.
fn for_every_split(texts: &[(String, &'static str)], mut try_it: impl FnMut(&str, &str, &[&str])) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).expect("31 bits") % below.max(1)
    };
    for (text, secret) in texts {
        for (at, _) in text.char_indices() {
            let (a, b) = text.split_at(at);
            try_it(text, secret, &[a, b]);
        }
        for _ in 0..200 {
            try_it(text, secret, &cut(text, &mut next));
        }
    }
}
