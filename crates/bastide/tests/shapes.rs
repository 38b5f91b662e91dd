//! Every place where text can stand in an exchange, in both directions, whole and streamed: none leaks.
//!
//! The shapes are enumerations: one without a case does not compile, and a case that proves nothing (the value does not
//! reach the other side even without a guard) fails.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use bastide_testkit::{MockUpstream, Reply, SseStyle};
use common::{Rig, response_json};
use serde_json::{Value, json};

const EMAIL: &str = "zoe.quist@example.net";
const CARD: &str = "4111111111111111";

/// An enumeration that knows all its variants.
macro_rules! shapes {
    ($(#[$meta:meta])* $name:ident { $($variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum $name { $($variant),+ }

        impl $name {
            const ALL: &'static [$name] = &[$($name::$variant),+];
        }
    };
}

shapes! {
    /// Where text can stand in a request.
    InRequest {
        User,
        UserPart,
        UserParts,
        SystemParts,
        PartsAroundAnother,
        RefusalParts,
        System,
        Developer,
        Assistant,
        AssistantPart,
        Refusal,
        Reasoning,
        ParticipantName,
        ToolName,
        ToolDescription,
        ToolSchema,
        ToolSchemaKey,
        ToolSchemaEnum,
        LegacyFunction,
        ToolCallName,
        ToolCallId,
        ToolCallArguments,
        ToolCallArgumentsKey,
        ToolCallArgumentsNumber,
        ToolCallArgumentsNotJson,
        LegacyFunctionCall,
        ToolResult,
        ToolResultPart,
        ToolResultParts,
        ResponseFormat,
        Prediction,
        Stop,
        EndUser,
        Metadata,
        MetadataKey,
        UnknownField,
        UnknownKey,
        UnknownNumber,
        UnknownNested,
        UnknownInMessage,
        UnknownPart,
        Escaped,
    }
}

impl InRequest {
    /// A request with the value there.
    fn body(self) -> String {
        let say = |role: &str, content: Value| json!([{"role":"user","content":"hi"},{"role":role,"content":content}]);
        let text = format!("write to {EMAIL} now");
        let in_parts = |kind: &str| {
            let (a, b) = text.split_at(text.len() / 2);
            json!([{"type":kind,kind:a},{"type":kind,kind:b}])
        };
        let with = |messages: Value, key: &str, value: Value| {
            let mut body = json!({"model":"mock","messages":messages});
            if !key.is_empty() {
                body[key] = value;
            }
            body
        };
        let hi = || json!([{"role":"user","content":"hi"}]);
        let call = |name: &str, id: &str, arguments: String| {
            json!([{"role":"user","content":"hi"},
                {"role":"assistant","content":null,"tool_calls":[{"id":id,"type":"function",
                    "function":{"name":name,"arguments":arguments}}]},
                {"role":"tool","tool_call_id":id,"content":"done"}])
        };
        let tool = |name: &str, description: &str, parameters: Value| json!([{"type":"function","function":{"name":name,"description":description,"parameters":parameters}}]);
        let empty = || json!({"type":"object","properties":{}});
        let none = || Value::Null;
        let body = match self {
            InRequest::User => with(say("user", json!(text)), "", none()),
            InRequest::UserPart => with(say("user", json!([{"type":"text","text":text}])), "", none()),
            InRequest::UserParts => with(say("user", in_parts("text")), "", none()),
            InRequest::SystemParts => with(say("system", in_parts("text")), "", none()),
            InRequest::PartsAroundAnother => {
                let mut content = in_parts("text");
                if let Some(parts) = content.as_array_mut() {
                    parts.insert(1, json!({"type":"refusal","refusal":"no"}));
                }
                with(say("assistant", content), "", none())
            }
            InRequest::RefusalParts => with(say("assistant", in_parts("refusal")), "", none()),
            InRequest::System => with(say("system", json!(text)), "", none()),
            InRequest::Developer => with(say("developer", json!(text)), "", none()),
            InRequest::Assistant => with(say("assistant", json!(text)), "", none()),
            InRequest::AssistantPart => {
                with(say("assistant", json!([{"type":"refusal","refusal":text}])), "", none())
            }
            InRequest::Refusal => {
                with(json!([{"role":"assistant","content":null,"refusal":text}]), "", none())
            }
            InRequest::Reasoning => {
                with(json!([{"role":"assistant","content":"x","reasoning_content":text}]), "", none())
            }
            InRequest::ParticipantName => {
                with(json!([{"role":"user","content":"hi","name":EMAIL}]), "", none())
            }
            InRequest::ToolName => with(hi(), "tools", tool(EMAIL, "d", empty())),
            InRequest::ToolDescription => with(hi(), "tools", tool("f", &text, empty())),
            InRequest::ToolSchema => {
                let schema = json!({"type":"object","properties":{"a":{"type":"string","description":text}}});
                with(hi(), "tools", tool("f", "d", schema))
            }
            InRequest::ToolSchemaKey => with(
                hi(),
                "tools",
                tool("f", "d", json!({"type":"object","properties":{EMAIL:{"type":"string"}}})),
            ),
            InRequest::ToolSchemaEnum => {
                let schema = json!({"type":"object","properties":{"a":{"enum":["x",EMAIL]}}});
                with(hi(), "tools", tool("f", "d", schema))
            }
            InRequest::LegacyFunction => {
                with(hi(), "functions", json!([{"name":"f","description":text,"parameters":empty()}]))
            }
            InRequest::ToolCallName => with(call(EMAIL, "call_1", "{}".to_owned()), "", none()),
            InRequest::ToolCallId => with(call("f", EMAIL, "{}".to_owned()), "", none()),
            InRequest::ToolCallArguments => {
                with(call("f", "call_1", json!({"to":EMAIL}).to_string()), "", none())
            }
            InRequest::ToolCallArgumentsKey => {
                with(call("f", "call_1", json!({EMAIL:1}).to_string()), "", none())
            }
            InRequest::ToolCallArgumentsNumber => {
                with(call("f", "call_1", format!("{{\"card\": {CARD}}}")), "", none())
            }
            InRequest::ToolCallArgumentsNotJson => with(call("f", "call_1", text), "", none()),
            InRequest::LegacyFunctionCall => with(
                json!([{"role":"assistant","content":null,"function_call":{"name":"f",
                    "arguments":json!({"to":EMAIL}).to_string()}}]),
                "",
                none(),
            ),
            InRequest::ToolResult => with(
                json!([{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
                    "function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":text}]),
                "",
                none(),
            ),
            InRequest::ToolResultPart => with(
                json!([{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
                    "function":{"name":"f","arguments":"{}"}}]},
                    {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":text}]}]),
                "",
                none(),
            ),
            InRequest::ToolResultParts => with(
                json!([{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function",
                    "function":{"name":"f","arguments":"{}"}}]},
                    {"role":"tool","tool_call_id":"c","content":in_parts("text")}]),
                "",
                none(),
            ),
            InRequest::ResponseFormat => with(
                hi(),
                "response_format",
                json!({"type":"json_schema","json_schema":{"name":"n","description":text,"schema":empty()}}),
            ),
            InRequest::Prediction => with(hi(), "prediction", json!({"type":"content","content":text})),
            InRequest::Stop => with(hi(), "stop", json!([EMAIL])),
            InRequest::EndUser => with(hi(), "user", json!(EMAIL)),
            InRequest::Metadata => with(hi(), "metadata", json!({"customer":EMAIL})),
            InRequest::MetadataKey => with(hi(), "metadata", json!({EMAIL:"x"})),
            InRequest::UnknownField => with(hi(), "x_note", json!(text)),
            InRequest::UnknownKey => with(hi(), EMAIL, json!(true)),
            InRequest::UnknownNumber => {
                return format!(
                    r#"{{"model":"mock","messages":[{{"role":"user","content":"hi"}}],"x_card":{CARD}}}"#
                );
            }
            InRequest::UnknownNested => with(hi(), "x_note", json!({"a":[{"b":[[text]]}]})),
            InRequest::UnknownInMessage => {
                with(json!([{"role":"user","content":"hi","x_note":text}]), "", none())
            }
            InRequest::UnknownPart => {
                with(say("user", json!([{"type":"text","text":"hi","x_note":text}])), "", none())
            }
            InRequest::Escaped => {
                let escaped: String = EMAIL.bytes().map(|b| format!("\\u{b:04x}")).collect();
                return format!(
                    r#"{{"model":"mock","messages":[{{"role":"user","content":"to {escaped} now"}}]}}"#
                );
            }
        };
        body.to_string()
    }
}

/// Whether a body says one of the values, in any spelling that JSON has.
fn says(body: &[u8]) -> bool {
    fn walk(value: &Value) -> bool {
        match value {
            Value::String(s) => {
                s.contains(EMAIL)
                    || s.contains(CARD)
                    || serde_json::from_str::<Value>(s).is_ok_and(|v| !v.is_string() && walk(&v))
            }
            Value::Number(n) => n.to_string().contains(CARD),
            Value::Array(items) => {
                // The parts of a message are read joined.
                let joined = |kind: &str| items.iter().filter_map(|p| p[kind].as_str()).collect::<String>();
                items.iter().any(walk) || ["text", "refusal"].iter().any(|kind| joined(kind).contains(EMAIL))
            }
            Value::Object(map) => map.iter().any(|(k, v)| k.contains(EMAIL) || walk(v)),
            Value::Bool(_) | Value::Null => false,
        }
    }
    let text = String::from_utf8_lossy(body);
    text.contains(EMAIL)
        || text.contains(CARD)
        || serde_json::from_slice::<Value>(body).is_ok_and(|v| walk(&v))
}

#[test]
fn no_shape_of_a_request_leaks() {
    let rig = Rig::enforcing();
    let unguarded = Rig::with_guard("off");
    for shape in InRequest::ALL {
        let body = shape.body();
        for stream in [false, true] {
            let body = if stream { body.replacen('{', "{\"stream\":true,", 1) } else { body.clone() };
            let answer = rig.chat(&body);
            assert_eq!(answer.status, 200, "{shape:?}: {}", answer.text());
            let sent = rig.mock.received().pop().expect("it was sent");
            assert!(!says(&sent.body), "{shape:?} leaks: {}", sent.text());
            assert!(serde_json::from_slice::<Value>(&sent.body).is_ok(), "{shape:?} is still JSON");
        }
        // The case proves something: without a guard the value does get through.
        assert_eq!(unguarded.chat(&body).status, 200, "{shape:?}");
        let sent = unguarded.mock.received().pop().expect("it was sent");
        assert!(says(&sent.body), "{shape:?} has no value in it: {}", sent.text());
    }
}

shapes! {
    /// Where text can stand in a reply.
    InReply {
        Content,
        ContentParts,
        Refusal,
        ReasoningContent,
        Reasoning,
        ToolArguments,
        ToolArgumentsKey,
        ToolArgumentsNumber,
        ToolName,
        ToolId,
        LegacyFunctionCall,
        Annotations,
        Logprobs,
        LogprobsRefusal,
        SecondChoice,
        UnknownField,
        UnknownNested,
        UnknownInCall,
        UnknownKey,
        UnknownNumber,
        UnknownTop,
        Fingerprint,
        Id,
        Citations,
        Audio,
    }
}

impl InReply {
    /// The message (or delta) with the value there; `part` of the text when it is streamed in pieces.
    fn message(self, text: &str) -> Value {
        let call = |name: &str, id: &str, arguments: &str| json!([{"index":0,"id":id,"type":"function","function":{"name":name,"arguments":arguments}}]);
        match self {
            InReply::Content | InReply::SecondChoice | InReply::Logprobs => json!({"content":text}),
            InReply::ContentParts => {
                let (a, b) = text.split_at(text.len() / 2);
                json!({"content":[{"type":"text","text":a},{"type":"text","text":b}]})
            }
            InReply::Refusal | InReply::LogprobsRefusal => json!({"refusal":text}),
            InReply::ReasoningContent => json!({"reasoning_content":text}),
            InReply::Reasoning => json!({"reasoning":text}),
            InReply::ToolArguments => {
                json!({"tool_calls":call("f", "call_1", &format!("{{\"to\":\"{text}\"}}"))})
            }
            InReply::ToolArgumentsKey => {
                json!({"tool_calls":call("f", "call_1", &format!("{{\"{EMAIL}\":1}}"))})
            }
            InReply::ToolArgumentsNumber => {
                json!({"tool_calls":call("f", "call_1", &format!("{{\"card\":{CARD}}}"))})
            }
            InReply::ToolName => json!({"tool_calls":call(EMAIL, "call_1", "{}")}),
            InReply::ToolId => json!({"tool_calls":call("f", EMAIL, "{}")}),
            InReply::LegacyFunctionCall => {
                json!({"function_call":{"name":"f","arguments":format!("{{\"to\":\"{text}\"}}")}})
            }
            InReply::Annotations => json!({"content":"x","annotations":[{"type":"url_citation",
                "url_citation":{"title":text,"url":"https://a.example/","start_index":0,"end_index":1}}]}),
            InReply::UnknownField => json!({"content":"x","x_note":text}),
            InReply::UnknownNested => json!({"content":"x","x_note":{"deep":[{"index":3,"text":text}]}}),
            InReply::UnknownInCall => {
                let mut calls = call("f", "call_1", "{}");
                calls[0]["x_note"] = json!(text);
                json!({"tool_calls":calls})
            }
            InReply::UnknownKey => json!({"content":"x","x_note":{EMAIL:1}}),
            InReply::UnknownNumber => json!({"content":"x","x_card":4_111_111_111_111_111_u64}),
            InReply::Audio => json!({"content":null,"audio":{"id":"a","transcript":text}}),
            InReply::UnknownTop | InReply::Fingerprint | InReply::Id | InReply::Citations => {
                json!({"content":"x"})
            }
        }
    }

    fn dress(self, mut document: Value, text: &str, message_key: &str) -> Value {
        match self {
            InReply::UnknownTop => document["x_note"] = json!({"deep":[text]}),
            InReply::Fingerprint => document["system_fingerprint"] = json!(EMAIL),
            InReply::Id => document["id"] = json!(EMAIL),
            InReply::Citations => document["citations"] = json!([format!("https://a.example/?q={EMAIL}")]),
            InReply::Logprobs => {
                document["choices"][0]["logprobs"] = json!({"content":[{"token":text,"logprob":-0.1,
                    "bytes":text.as_bytes(),"top_logprobs":[{"token":EMAIL,"logprob":-0.1,"bytes":null}]}]});
            }
            InReply::LogprobsRefusal => {
                document["choices"][0]["logprobs"] = json!({"content":null,"refusal":[{"token":text,"logprob":-0.1,"bytes":null,"top_logprobs":[]}]});
            }
            InReply::SecondChoice => {
                let mut second = document["choices"][0].clone();
                second["index"] = json!(1);
                document["choices"][0][message_key]["content"] = json!("x");
                if let Some(choices) = document["choices"].as_array_mut() {
                    choices.push(second);
                }
            }
            _ => {}
        }
        document
    }

    fn whole(self) -> Reply {
        let text = format!("write to {EMAIL} now");
        let mut message = self.message(&text);
        message["role"] = json!("assistant");
        let document = json!({"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock",
            "choices":[{"index":0,"finish_reason":"stop","message":message}],
            "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}});
        Reply::json(200, &self.dress(document, &text, "message").to_string())
    }

    /// The same in pieces: the value is cut in its middle wherever a text may be cut.
    fn streamed(self) -> Reply {
        let whole = format!("write to {EMAIL} now");
        let (a, b) = whole.split_at(whole.len() / 2);
        let chunk = |delta: Value, finish: Option<&str>, text: &str| {
            let document = json!({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock",
                "choices":[{"index":0,"delta":delta,"finish_reason":finish}]});
            self.dress(document, text, "delta").to_string()
        };
        let mut events = vec![chunk(json!({"role":"assistant"}), None, "x")];
        match self {
            InReply::Content
            | InReply::Refusal
            | InReply::ReasoningContent
            | InReply::Reasoning
            | InReply::SecondChoice
            | InReply::ContentParts
            | InReply::UnknownField
            | InReply::UnknownNested
            | InReply::Logprobs
            | InReply::LogprobsRefusal => {
                events.push(chunk(self.message(a), None, a));
                events.push(chunk(self.message(b), None, b));
            }
            InReply::ToolArguments | InReply::ToolArgumentsNumber | InReply::ToolArgumentsKey => {
                let arguments = match self {
                    InReply::ToolArgumentsNumber => format!("{{\"card\":{CARD}}}"),
                    InReply::ToolArgumentsKey => format!("{{\"{EMAIL}\":1}}"),
                    _ => format!("{{\"to\":\"{whole}\"}}"),
                };
                let (a, b) = arguments.split_at(arguments.len() / 2);
                let first = json!({"tool_calls":[{"index":0,"id":"call_1","type":"function",
                    "function":{"name":"f","arguments":""}}]});
                events.push(chunk(first, None, "x"));
                for piece in [a, b] {
                    events.push(chunk(
                        json!({"tool_calls":[{"index":0,"function":{"arguments":piece}}]}),
                        None,
                        "x",
                    ));
                }
            }
            InReply::UnknownInCall => {
                for piece in [a, b] {
                    let delta = json!({"tool_calls":[{"index":0,"x_note":piece}]});
                    events.push(chunk(delta, None, "x"));
                }
            }
            _ => events.push(chunk(self.message(&whole), None, &whole)),
        }
        if self == InReply::SecondChoice {
            let document = json!({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock",
                "choices":[{"index":1,"delta":{},"finish_reason":"stop"}]});
            events.push(document.to_string());
        }
        let last = json!({"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"mock",
            "choices":[{"index":0,"delta":{},"finish_reason":"stop"}]});
        events.push(last.to_string());
        Reply::sse(&events, &SseStyle::default())
    }
}

/// Everything a caller could read out of a stream: each event by itself, and each lane joined.
fn stream_says(body: &str) -> bool {
    let mut joined = std::collections::BTreeMap::<String, String>::new();
    fn join(path: &str, value: &Value, joined: &mut std::collections::BTreeMap<String, String>) {
        match value {
            Value::String(s) => joined.entry(path.to_owned()).or_default().push_str(s),
            Value::Array(items) => {
                for (i, item) in items.iter().enumerate() {
                    let i = item["index"].as_u64().map_or(i, |n| usize::try_from(n).unwrap_or(i));
                    // The parts of content are read joined.
                    let i = if path.ends_with("/content") { 0 } else { i };
                    join(&format!("{path}/{i}"), item, joined);
                }
            }
            Value::Object(map) => {
                for (k, v) in map {
                    join(&format!("{path}/{k}"), v, joined);
                }
            }
            _ => {}
        }
    }
    for data in body.lines().filter_map(|l| l.strip_prefix("data:")).map(str::trim) {
        if says(data.as_bytes()) {
            return true;
        }
        if let Ok(value) = serde_json::from_str::<Value>(data) {
            join("", &value, &mut joined);
        }
    }
    joined.values().any(|text| text.contains(EMAIL) || text.contains(CARD))
}

fn ask(rig: &Rig, model: &str, stream: bool) -> common::Answer {
    rig.chat(&json!({"model":model,"stream":stream,"messages":[{"role":"user","content":"hi"}]}).to_string())
}

fn script(mock: &MockUpstream, shape: InReply) -> (String, String) {
    let (whole, streamed) = (format!("whole-{shape:?}"), format!("stream-{shape:?}"));
    mock.answer(&whole, shape.whole());
    mock.answer(&streamed, shape.streamed());
    (whole, streamed)
}

#[test]
fn no_shape_of_a_reply_leaks() {
    let rig = Rig::enforcing();
    let unguarded = Rig::with_guard("off");
    // Audio cannot be read and needs a grant; its transcript is guarded all the same.
    for rig in [&rig, &unguarded] {
        let file = rig.folder.path().join("all.cedar");
        let all = r#"@id("all") @unscoped("test") permit (principal, action, resource);"#;
        std::fs::write(&file, all).expect("written");
        assert!(rig.command(&["policy", "set", &file.display().to_string()]).status.success());
    }
    for shape in InReply::ALL {
        let (whole, streamed) = script(&rig.mock, *shape);
        script(&unguarded.mock, *shape);
        let answer = ask(&rig, &whole, false);
        assert_eq!(answer.status, 200, "{shape:?}: {}", answer.text());
        assert!(!says(&answer.body), "{shape:?} leaks: {}", answer.text());
        assert!(response_json(&answer).is_object(), "{shape:?} is still JSON");
        let answer = ask(&rig, &streamed, true);
        assert_eq!(answer.status, 200, "{shape:?}: {}", answer.text());
        assert!(!stream_says(&answer.text()), "{shape:?} leaks on a stream: {}", answer.text());
        assert!(answer.text().contains("data: [DONE]"), "{shape:?} ends: {}", answer.text());

        assert!(says(&ask(&unguarded, &whole, false).body), "{shape:?} has no value in it");
        let loose = ask(&unguarded, &streamed, true);
        assert!(stream_says(&loose.text()), "{shape:?} has no value in it on a stream: {}", loose.text());
    }
}

#[test]
fn an_error_body_does_not_leak() {
    let rig = Rig::enforcing();
    let error = json!({"error":{"message":format!("no quota for {EMAIL}"),"type":"x","code":"y",
        "details":[{EMAIL:"x"}]}});
    rig.mock.answer("broke", Reply::json(429, &error.to_string()).header("retry-after", "7"));
    rig.mock.answer("page", Reply::new(503, "text/html", format!("<p>{EMAIL}</p>")));
    for stream in [false, true] {
        let answer = ask(&rig, "broke", stream);
        assert_eq!((answer.status, answer.header("retry-after")), (429, Some("7")));
        assert!(!says(&answer.body), "{}", answer.text());
        assert!(answer.text().contains("no quota for"), "the rest is faithful: {}", answer.text());
        let answer = ask(&rig, "page", stream);
        assert_eq!(answer.status, 503);
        assert!(!says(&answer.body), "{}", answer.text());
    }
}
