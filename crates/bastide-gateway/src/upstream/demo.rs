//! The built-in demo model: it repeats what reached it, so that a first request shows what the guard did.
//!
//! It is named a demo wherever it appears, answers on loopback only, and has no other use.

use bastide_types::{Origin, SegmentKind};
use bastide_wire::{ChatRequest, Limits};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

use super::UpstreamBody;

/// What the demo is called: as a provider, as a model, and in its answers.
pub(crate) const MODEL: &str = "demo";

/// What remains to be sent.
#[derive(Debug)]
pub(crate) struct DemoBody {
    parts: std::vec::IntoIter<Bytes>,
}

impl DemoBody {
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        self.parts.next()
    }
}

/// Answers a chat request.
pub(crate) fn answer(body: &[u8]) -> Response<UpstreamBody> {
    let Ok(request) = ChatRequest::parse(body, &Limits::default()) else {
        let error = json!({"error": {"message": "the demo model could not read the request"}});
        return respond(StatusCode::BAD_REQUEST, "application/json", vec![error.to_string()]);
    };
    let said = request
        .segments(body)
        .into_iter()
        .rfind(|s| s.origin == Origin::User && s.kind == SegmentKind::Text)
        .map(|s| s.text.into_owned())
        .unwrap_or_default();
    let text = reply(&said);
    let (input, output) = (body.len().div_ceil(4), text.len().div_ceil(4));
    let usage = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output});
    if !request.stream {
        let choices: Vec<_> = (0..request.n.max(1))
            .map(|index| {
                json!({"index": index, "finish_reason": "stop",
                    "message": {"role": "assistant", "content": text, "refusal": null}})
            })
            .collect();
        let answer = json!({"id": "chatcmpl-demo", "object": "chat.completion", "created": 0,
            "model": MODEL, "choices": choices, "usage": usage});
        return respond(StatusCode::OK, "application/json", vec![answer.to_string()]);
    }
    let event = |delta: serde_json::Value, finish: Option<&str>| {
        let chunk = json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0,
            "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
        format!("data: {chunk}\n\n")
    };
    let mut parts = vec![event(json!({"role": "assistant", "content": ""}), None)];
    parts.extend(pieces(&text).map(|piece| event(json!({ "content": piece }), None)));
    parts.push(event(json!({}), Some("stop")));
    if request.include_usage {
        let chunk = json!({"id": "chatcmpl-demo", "object": "chat.completion.chunk", "created": 0,
            "model": MODEL, "choices": [], "usage": usage});
        parts.push(format!("data: {chunk}\n\n"));
    }
    parts.push("data: [DONE]\n\n".to_owned());
    respond(StatusCode::OK, "text/event-stream", parts)
}

/// Repeats the text, and spells its tokens: a spelled token is none, so the caller sees what the model saw instead of the
/// value that bastide puts back.
fn reply(said: &str) -> String {
    let word = |c: char| c.is_ascii_alphabetic() || c == '_';
    let token = |w: &&str| {
        w.rsplit_once('_').is_some_and(|(name, tail)| {
            name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                && tail.len() > 12
                && tail.bytes().all(|b| b.is_ascii_lowercase())
        })
    };
    let spelled: Vec<String> = said.split(|c| !word(c)).filter(token).map(|w| w.replace('_', " ")).collect();
    if spelled.is_empty() {
        format!("[demo model] You said: {said}")
    } else {
        format!(
            "[demo model] You said: {said}\nWhat reached me instead of the values: {}",
            spelled.join("; ")
        )
    }
}

/// Words with their space, as models stream them.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split_inclusive(' ')
}

fn respond(status: StatusCode, content_type: &'static str, parts: Vec<String>) -> Response<UpstreamBody> {
    let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
    let mut response = Response::new(UpstreamBody::Demo(DemoBody { parts: parts.into_iter() }));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
