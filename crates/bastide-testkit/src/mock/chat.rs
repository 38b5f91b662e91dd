//! What a model says, and the JSON and stream events that say it in the shape of OpenAI's chat completions.

use serde::Serialize;
use serde_json::{Value, json};

use super::reply::Reply;
use super::sse::SseStyle;

/// How the text of a streamed reply is cut into deltas.
#[derive(Clone, Debug, Default)]
pub enum Pieces {
    /// One delta for each text.
    #[default]
    Whole,
    /// Deltas of so many characters.
    Chars(usize),
    /// Cuts at these byte offsets, moved down to the next character boundary.
    Cuts(Vec<usize>),
}

impl Pieces {
    /// `text` in its pieces; none for an empty text.
    #[must_use]
    pub fn of<'a>(&self, text: &'a str) -> Vec<&'a str> {
        if text.is_empty() {
            return Vec::new();
        }
        let cuts: Vec<usize> = match self {
            Pieces::Whole => Vec::new(),
            Pieces::Chars(size) => {
                text.char_indices().map(|(at, _)| at).step_by((*size).max(1)).skip(1).collect()
            }
            Pieces::Cuts(cuts) => cuts.iter().map(|cut| text.floor_char_boundary(*cut)).collect(),
        };
        let mut rest = text;
        let mut done = 0;
        let mut out = Vec::new();
        for cut in cuts {
            if let Some((piece, after)) = cut.checked_sub(done).and_then(|at| rest.split_at_checked(at))
                && !piece.is_empty()
                && !after.is_empty()
            {
                out.push(piece);
                rest = after;
                done = cut;
            }
        }
        out.push(rest);
        out
    }
}

/// A tool call of a reply.
#[derive(Clone, Debug)]
pub struct ToolCall {
    /// The call's id.
    pub id: String,
    /// The function's name.
    pub name: String,
    /// Its arguments: JSON inside a string.
    pub arguments: String,
}

impl ToolCall {
    /// A call with an id made from its name.
    #[must_use]
    pub fn new(name: &str, arguments: &str) -> Self {
        ToolCall { id: format!("call_{name}"), name: name.to_owned(), arguments: arguments.to_owned() }
    }
}

/// One choice of a reply.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// `content`.
    pub content: Option<String>,
    /// `refusal`.
    pub refusal: Option<String>,
    /// `reasoning_content`, as servers of open models send it.
    pub reasoning: Option<String>,
    /// `tool_calls`.
    pub tool_calls: Vec<ToolCall>,
    /// `annotations`, as given.
    pub annotations: Vec<Value>,
    /// Whether each piece of content comes with `logprobs`.
    pub logprobs: bool,
    /// Fields added to the message (or to the first delta) as they are.
    pub extra: serde_json::Map<String, Value>,
}

impl Choice {
    /// A choice that says `text`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Choice { content: Some(text.to_owned()), ..Choice::default() }
    }

    /// A choice that calls tools.
    #[must_use]
    pub fn tools(calls: Vec<ToolCall>) -> Self {
        Choice { tool_calls: calls, ..Choice::default() }
    }

    fn finish_reason(&self) -> &'static str {
        if self.tool_calls.is_empty() { "stop" } else { "tool_calls" }
    }

    fn message(&self) -> Value {
        let mut message = self.extra.clone();
        message.insert("role".into(), json!("assistant"));
        message.insert("content".into(), json!(self.content));
        message.insert("refusal".into(), json!(self.refusal));
        message.insert("annotations".into(), json!(self.annotations));
        if let Some(reasoning) = &self.reasoning {
            message.insert("reasoning_content".into(), json!(reasoning));
        }
        if !self.tool_calls.is_empty() {
            let calls: Vec<Value> = self
                .tool_calls
                .iter()
                .map(|call| {
                    json!({"id": call.id, "type": "function",
                                   "function": {"name": call.name, "arguments": call.arguments}})
                })
                .collect();
            message.insert("tool_calls".into(), json!(calls));
        }
        Value::Object(message)
    }

    /// Deltas in the order in which providers send them; the flag says that logprobs belong to it.
    fn deltas(&self, pieces: &Pieces) -> Vec<(Value, Option<Value>)> {
        let mut opening = self.extra.clone();
        opening.insert("role".into(), json!("assistant"));
        opening.insert("content".into(), if self.content.is_some() { json!("") } else { Value::Null });
        let mut out = vec![(Value::Object(opening), None)];
        for piece in pieces.of(self.reasoning.as_deref().unwrap_or_default()) {
            out.push((json!({"reasoning_content": piece}), None));
        }
        for piece in pieces.of(self.content.as_deref().unwrap_or_default()) {
            out.push((json!({"content": piece}), self.logprobs.then(|| logprobs(&[piece]))));
        }
        for piece in pieces.of(self.refusal.as_deref().unwrap_or_default()) {
            out.push((json!({"refusal": piece}), None));
        }
        for (index, call) in self.tool_calls.iter().enumerate() {
            let opening = json!({"tool_calls": [{"index": index, "id": call.id, "type": "function",
                                                 "function": {"name": call.name, "arguments": ""}}]});
            out.push((opening, None));
        }
        // Arguments of parallel calls arrive interleaved: the reader has to keep them apart by index.
        let arguments: Vec<Vec<&str>> =
            self.tool_calls.iter().map(|call| pieces.of(&call.arguments)).collect();
        let longest = arguments.iter().map(Vec::len).max().unwrap_or(0);
        for round in 0..longest {
            for (index, piece) in
                arguments.iter().enumerate().filter_map(|(i, all)| Some((i, all.get(round)?)))
            {
                out.push((json!({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}), None));
            }
        }
        if !self.annotations.is_empty() {
            out.push((json!({"annotations": self.annotations}), None));
        }
        out
    }
}

fn logprobs(pieces: &[&str]) -> Value {
    let tokens: Vec<Value> = pieces
        .iter()
        .map(|piece| {
            json!({"token": piece, "logprob": -0.25, "bytes": piece.as_bytes(),
                   "top_logprobs": [{"token": piece, "logprob": -0.25, "bytes": piece.as_bytes()}]})
        })
        .collect();
    json!({"content": tokens, "refusal": null})
}

/// A whole reply.
#[derive(Clone, Debug)]
pub struct ChatReply {
    /// The model that the reply names.
    pub model: String,
    /// Its choices.
    pub choices: Vec<Choice>,
    /// Input and output tokens that it reports.
    pub usage: (u64, u64),
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'static str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Value>,
    service_tier: &'static str,
    system_fingerprint: &'static str,
}

impl ChatReply {
    /// One choice that says `text`.
    #[must_use]
    pub fn text(text: &str) -> Self {
        ChatReply::of(vec![Choice::text(text)])
    }

    /// These choices.
    #[must_use]
    pub fn of(choices: Vec<Choice>) -> Self {
        ChatReply { model: "mock".to_owned(), choices, usage: (12, 34) }
    }

    fn envelope(&self, object: &'static str, choices: Value, usage: Option<Value>) -> String {
        let completion = Completion {
            id: "chatcmpl-mock0000000000000000000",
            object,
            created: 1_764_000_000,
            model: &self.model,
            choices,
            usage,
            service_tier: "default",
            system_fingerprint: "fp_mock",
        };
        serde_json::to_string(&completion).unwrap_or_default()
    }

    fn usage(&self) -> Value {
        let (input, output) = self.usage;
        json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input.saturating_add(output)})
    }

    /// The body of a reply that is not streamed.
    #[must_use]
    pub fn to_json(&self) -> String {
        let choices: Vec<Value> = self
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| {
                let logprobs = match &choice.content {
                    Some(content) if choice.logprobs => logprobs(&[content]),
                    _ => Value::Null,
                };
                json!({"index": index, "message": choice.message(), "logprobs": logprobs,
                       "finish_reason": choice.finish_reason()})
            })
            .collect();
        self.envelope("chat.completion", json!(choices), Some(self.usage()))
    }

    /// The data of each stream event, without framing and without `[DONE]`. Choices take turns.
    #[must_use]
    pub fn to_events(&self, pieces: &Pieces, include_usage: bool) -> Vec<String> {
        let event = |index: usize, delta: &Value, logprobs: &Option<Value>, finish: Option<&str>| {
            let choice =
                json!([{"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]);
            self.envelope("chat.completion.chunk", choice, None)
        };
        let deltas: Vec<_> = self.choices.iter().map(|choice| choice.deltas(pieces)).collect();
        let longest = deltas.iter().map(Vec::len).max().unwrap_or(0);
        let mut out = Vec::new();
        for round in 0..longest {
            for (index, all) in deltas.iter().enumerate() {
                if let Some((delta, logprobs)) = all.get(round) {
                    out.push(event(index, delta, logprobs, None));
                }
            }
        }
        for (index, choice) in self.choices.iter().enumerate() {
            out.push(event(index, &json!({}), &None, Some(choice.finish_reason())));
        }
        if include_usage {
            out.push(self.envelope("chat.completion.chunk", json!([]), Some(self.usage())));
        }
        out
    }

    /// This reply as JSON.
    #[must_use]
    pub fn whole(&self) -> Reply {
        Reply::json(200, &self.to_json())
    }

    /// This reply as a stream, plainly framed, one event to an HTTP chunk.
    #[must_use]
    pub fn stream(&self, pieces: &Pieces, include_usage: bool) -> Reply {
        Reply::sse(&self.to_events(pieces, include_usage), &SseStyle::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_lose_nothing_and_split_no_character() {
        let text = "aé漢🙂b";
        for pieces in [Pieces::Whole, Pieces::Chars(1), Pieces::Chars(2), Pieces::Cuts((0..20).collect())] {
            assert_eq!(pieces.of(text).concat(), text, "{pieces:?}");
        }
        assert_eq!(Pieces::Chars(1).of(text).len(), 5);
        assert_eq!(Pieces::Cuts(vec![2]).of(text), ["a", "é漢🙂b"]);
        assert!(Pieces::Whole.of("").is_empty());
    }

    #[test]
    fn deltas_of_parallel_calls_concatenate_to_their_arguments() {
        let choice = Choice::tools(vec![
            ToolCall::new("weather", r#"{"city":"Rodez"}"#),
            ToolCall::new("clock", r#"{"zone":"Europe/Paris"}"#),
        ]);
        let reply = ChatReply::of(vec![choice.clone(), Choice::text("hello")]);
        let mut arguments = [String::new(), String::new()];
        let mut said = String::new();
        for event in reply.to_events(&Pieces::Chars(3), true) {
            let event: Value = serde_json::from_str(&event).unwrap();
            for choice in event["choices"].as_array().unwrap() {
                for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
                    let index = usize::try_from(call["index"].as_u64().unwrap()).unwrap();
                    arguments[index].push_str(call["function"]["arguments"].as_str().unwrap());
                }
                if choice["index"] == 1 {
                    said.push_str(choice["delta"]["content"].as_str().unwrap_or_default());
                }
            }
        }
        let [first, second] = &arguments;
        assert_eq!((first, second), (&choice.tool_calls[0].arguments, &choice.tool_calls[1].arguments));
        assert_eq!(said, "hello");
    }

    #[test]
    fn a_whole_reply_has_every_field_it_was_given() {
        let choice = Choice {
            refusal: Some("no".into()),
            reasoning: Some("because".into()),
            logprobs: true,
            annotations: vec![json!({"type": "url_citation"})],
            ..Choice::text("yes")
        };
        let body: Value = serde_json::from_str(&ChatReply::of(vec![choice]).to_json()).unwrap();
        let message = &body["choices"][0]["message"];
        assert_eq!(message["refusal"], "no");
        assert_eq!(message["reasoning_content"], "because");
        assert_eq!(message["annotations"][0]["type"], "url_citation");
        assert_eq!(body["choices"][0]["logprobs"]["content"][0]["token"], "yes");
        assert_eq!(body["usage"]["total_tokens"], 46);
    }
}
