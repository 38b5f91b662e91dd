//! Broken documents: flips, cuts, insertions and copies of good ones. Nothing panics, and what is JSON is what an
//! independent parser says it is, except where this one is stricter on purpose.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use bastide_wire::{
    ChatChunk, ChatRequest, ChatResponse, JsonDocument, Limits, SseDecoder, WireError, json_text_sites,
};
use common::{Random, cases, tree};

const CORPUS: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"caf\u00e9 \ud83d\ude00 \"x\""}],"stream":true,"n":2}"#,
    r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":[1,2.5e-3]}"}}]}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"é中😀"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}],"tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object"}}}]}"#,
    r#"{"id":"x","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"logprobs":{"content":[{"token":"hi","bytes":[104,105],"logprob":-1.5,"top_logprobs":[]}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    r#"{"id":"x","choices":[{"index":0,"delta":{"content":" word","tool_calls":[{"index":0,"function":{"arguments":"{\""}}]},"finish_reason":null}]}"#,
    "[-0, 1E+5, 0.10, true,\tfalse,\r\nnull, {\"\": []}, \"\\b\\f\\n\\r\\t\\/\\\\\\u0000\"]",
    "data: {\"a\":1}\n\n: comment\r\ndata\r\ndata:x\r\n\r\nevent: e\rid:1\r\r",
];

fn mutate(random: &mut Random, body: &mut Vec<u8>) {
    for _ in 0..1 + random.below(3) {
        if body.is_empty() {
            body.push(b'"');
        }
        let at = random.below(body.len());
        let any = u8::try_from(random.below(256)).unwrap();
        let telling = *random.pick(b"\"\\{}[]:,0123456789-+.eEu \n\r\t\x00\x1f\x7f\x80\xc3\xed\xa0\xff");
        match random.below(7) {
            0 => body[at] = any,
            1 => body[at] = telling,
            2 => body.insert(at, telling),
            3 => {
                body.remove(at);
            }
            4 => body.truncate(at),
            5 => {
                let end = at + random.below(body.len() - at + 1);
                let copy = body[at..end].to_vec();
                let to = random.below(body.len());
                body.splice(to..to, copy);
            }
            _ => body[at] ^= 1 << random.below(8),
        }
    }
}

#[test]
fn acceptance_is_that_of_an_independent_parser() {
    let limits = Limits::default();
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for seed in 0..cases(100_000) {
        let random = &mut Random(seed);
        let mut body = random.pick(CORPUS).as_bytes().to_vec();
        mutate(random, &mut body);
        let ours = JsonDocument::parse(&body, &limits);
        let theirs = tree::read(&body);
        let shown = || String::from_utf8_lossy(&body).into_owned();
        match (&ours, &theirs) {
            (Ok(_), Ok(_)) => accepted += 1,
            (Err(_), Err(_)) => refused += 1,
            // A number beyond a double is JSON all the same, and its bytes are kept.
            (Ok(_), Err(why)) if why.starts_with("number out of range") => {}
            (Err(e), Ok(_)) if e.code == WireError::LIMIT => {}
            _ => panic!("seed {seed}: ours {:?}, theirs {theirs:?}: {}", ours.err(), shown()),
        }
        let strict = |parsed: Result<usize, WireError>| {
            if parsed.is_ok() {
                assert!(ours.is_ok(), "seed {seed}: {}", shown());
            }
        };
        strict(ChatRequest::parse(&body, &limits).map(|r| r.segments(&body).len()));
        strict(ChatResponse::parse(&body, &limits).map(|r| r.segments(&body).len()));
        strict(ChatChunk::parse(&body, &limits).map(|r| r.segments(&body).len()));
        if let Ok(text) = std::str::from_utf8(&body) {
            let span = bastide_types::Span::new(random.below(text.len() + 2), random.below(text.len() + 2));
            for site in json_text_sites(text, span) {
                assert!(site.is_number || site.is_key || site.in_string || ours.is_err());
                assert!(ours.is_err() || text.get(site.span.range()).is_some(), "seed {seed}: {}", shown());
            }
        }
        let mut decoder = SseDecoder::new(64);
        decoder.push(&body);
        while let Some(Ok(_)) = decoder.next_event() {}
    }
    assert!(
        accepted > refused / 50 && accepted > 0,
        "{accepted} of {refused}: the mutations are too rough to tell"
    );
}
