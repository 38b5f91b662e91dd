//! The built-in demo model: it repeats what reached it, so that a first request shows what the guard did.
//!
//! It is named a demo wherever it appears, answers on loopback only, and has no other use.

use bastide_wire::{ChatRequest, Limits};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{UpstreamBody, own};

/// What the demo is called: as a provider, as a model, and in its answers.
pub(crate) const MODEL: &str = "demo";

/// Answers a chat request.
pub(crate) fn answer(body: &[u8]) -> Response<UpstreamBody> {
    let Ok(request) = ChatRequest::parse(body, &Limits::default()) else {
        let error = json!({"error": {"message": "the demo model could not read the request"}});
        return respond(StatusCode::BAD_REQUEST, "application/json", vec![error.to_string()]);
    };
    let said = said(body);
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
    let event = |delta: Value, finish: Option<&str>| {
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

/// What the last message of a user says: its string, or its text parts a line each.
fn said(body: &[u8]) -> String {
    let request: Value = serde_json::from_slice(body).unwrap_or_default();
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    match messages.iter().rfind(|message| message["role"] == "user").map(|message| &message["content"]) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
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
    own(status, content_type, parts.into_iter().map(Bytes::from).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(content: &Value) -> String {
        let body = json!({"model": MODEL, "messages": [
            {"role": "user", "content": "earlier"},
            {"role": "assistant", "content": "hm"},
            {"role": "user", "content": content},
        ]});
        let answer = answer(body.to_string().as_bytes());
        let UpstreamBody::Own(mut pieces) = answer.into_body() else { return String::new() };
        let text = pieces.next().unwrap_or_default();
        let value: Value = serde_json::from_slice(&text).unwrap_or_default();
        value["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned()
    }

    #[test]
    fn it_repeats_strings_and_text_parts_alike() {
        let image = json!({"type": "image_url", "image_url": {"url": "https://a.example/x.png"}});
        for (content, said) in [
            (json!("hello"), "hello"),
            (json!([{"type": "text", "text": "hello"}]), "hello"),
            (json!([{"text": "hello", "type": "text"}]), "hello"),
            (json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]), "one\ntwo"),
            (json!([{"type": "text", "text": "what is this"}, image]), "what is this"),
            (json!([image, {"type": "text", "text": "what is this"}]), "what is this"),
            (json!([image]), ""),
        ] {
            assert_eq!(answered(&content), format!("[demo model] You said: {said}"), "{content}");
        }
    }
}
