//! Every shape of the dialect has a case here, and nothing in any of them passes unseen: each string, key and number
//! of each shape is replaced by a marker, which must then be in a segment or be refused.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use bastide_types::{Origin, Segment, SegmentKind, Trust};
use bastide_wire::{
    ChatChunk, ChatRequest, ChatResponse, Lane, LaneField, LanePaths, Limits, UnscannedKind, WireError,
};
use common::tree::{self, Tree};

const REQUESTS: &[(&str, &str)] = &[
    (
        "roles",
        r#"{"model":"m","messages":[
        {"role":"system","content":"S"},{"role":"developer","content":"D"},{"role":"user","content":"U","name":"N"},
        {"role":"assistant","content":"A","refusal":"RF","reasoning_content":"RC","reasoning":"RT"},
        {"role":"tool","content":"T","tool_call_id":"c1"},{"role":"function","content":"F","name":"f"},
        {"role":"assistant","content":null,"audio":{"id":"au"}}]}"#,
    ),
    (
        "parts",
        r#"{"model":"m","messages":[{"role":"user","content":[
        {"type":"text","text":"P"},{"type":"image_url","image_url":{"url":"https://x.test/i.png","detail":"low"}},
        {"type":"image_url","image_url":"https://x.test/j.png"},
        {"type":"input_audio","input_audio":{"data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=","format":"wav"}},
        {"type":"file","file":{"file_data":"data:application/pdf;base64,JVBERi0xLjQKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c=","filename":"FN"}},
        {"type":"file","file":{"file_id":"fid"}},{"type":"refusal","refusal":"PR"},
        {"type":"video_url","video_url":{"url":"VU"}}]},
        {"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"TH"}]}]}]}"#,
    ),
    (
        "tools",
        r#"{"model":"m","messages":[],"tools":[
        {"type":"function","function":{"name":"TN","description":"TD","strict":true,"parameters":{"type":"object",
         "properties":{"card":{"type":"string","description":"PD","maxLength":12345}},"required":["card"]}}},
        {"type":"custom","custom":{"name":"CN","description":"CD","format":{"type":"grammar","definition":"G"}}},
        {"type":"web_search"}],
        "functions":[{"name":"FN","description":"FD","parameters":{}}],
        "tool_choice":{"type":"function","function":{"name":"TN"}},"function_call":{"name":"FN"},
        "parallel_tool_calls":false}"#,
    ),
    (
        "calls",
        r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[
        {"id":"c1","type":"function","index":0,"function":{"name":"CF","arguments":"{\"a\":\"X\"}"}},
        {"id":"c2","type":"custom","custom":{"name":"CC","input":"CI"}},
        {"id":"c3","type":"function","function":{"name":"CO","arguments":{"k":"V","n":7}}}],
        "function_call":{"name":"OF","arguments":"{}"},
        "reasoning_details":[{"type":"reasoning.text","text":"RD","index":0,"signature":"SG"},
         {"type":"reasoning.encrypted","data":"EN"}]}]}"#,
    ),
    (
        "parameters",
        r#"{"model":"m","messages":[],"temperature":0.7,"top_p":1,"n":2,"stream":true,
        "stream_options":{"include_usage":true,"include_obfuscation":false},"max_tokens":10,
        "max_completion_tokens":20,"presence_penalty":0,"frequency_penalty":-0.5,"seed":42,"logprobs":true,
        "top_logprobs":3,"logit_bias":{"50256":-100},"stop":["ST","\n"],"user":"UU","metadata":{"MK":"MV"},
        "prediction":{"type":"content","content":[{"type":"text","text":"PC"}]},"modalities":["text","audio"],
        "audio":{"voice":"alloy","format":"mp3"},"reasoning_effort":"low","service_tier":"auto","store":false,
        "verbosity":"low","prompt_cache_key":"PK","prompt_cache_retention":"24h","safety_identifier":"SI",
        "web_search_options":{"user_location":{"type":"approximate","approximate":{"city":"CY"}}},
        "response_format":{"type":"json_schema","json_schema":{"name":"SN","description":"SD","strict":true,
        "schema":{"type":"object","title":"SS"}}}}"#,
    ),
    (
        "unknown fields",
        r#"{"model":"m","top_k":40,"chat_template_kwargs":{"enable":[true,"E",1.50e3]},
        "messages":[{"role":"user","content":[{"type":"text","text":"P","cache_control":{"type":"ephemeral"}}],
        "prefix":"PX"}],"tools":[{"type":"function","extra":"TX","function":{"name":"t","extra":"FX"}}]}"#,
    ),
];

const RESPONSES: &[(&str, &str)] = &[
    (
        "answers",
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1730000000,"model":"m","choices":[
        {"index":0,"message":{"role":"assistant","content":"A0","refusal":null,"annotations":[
         {"type":"url_citation","url_citation":{"url":"https://x.test","title":"TI","start_index":1,"end_index":2}}]},
         "logprobs":null,"finish_reason":"stop"},
        {"index":1,"message":{"role":"assistant","content":null,"refusal":"R1","reasoning_content":"RC","reasoning":"RR",
         "tool_calls":[{"id":"c1","type":"function","function":{"name":"CN","arguments":"{\"a\":1}"}}],
         "function_call":{"name":"FN","arguments":"{}"},
         "audio":{"id":"au","data":"UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=","transcript":"TR","expires_at":1730000000},
         "images":[{"type":"image_url","image_url":{"url":"https://x.test/i.png"}}],"citations":["CI"]},
         "finish_reason":"tool_calls","native_finish_reason":"NF"}],
        "usage":{"prompt_tokens":10,"completion_tokens":20,"total_tokens":30,"cost":0.5,
         "prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}},
        "system_fingerprint":"fp","service_tier":"default","citations":["https://y.test"],"provider":"PV"}"#,
    ),
    (
        "logprobs",
        r#"{"choices":[{"index":0,"message":{"content":"hé"},"logprobs":{"content":[
        {"token":"h","bytes":[104],"logprob":-0.1,"top_logprobs":[{"token":"H","bytes":[72],"logprob":-2.5}]},
        {"token":"\\xc3","bytes":[195],"logprob":-0.1,"top_logprobs":[]},
        {"token":"\\xa9","bytes":[169],"logprob":-0.1,"top_logprobs":[]}],"refusal":null,"lx":"LX"}}]}"#,
    ),
    (
        "logprobs that spell something else",
        r#"{"choices":[{"index":0,"message":{"content":"fine"},"logprobs":{
        "content":[{"token":"leak","bytes":[108,101,97,107],"logprob":-0.1,"top_logprobs":[]}]}}]}"#,
    ),
];

const CHUNKS: &[(&str, &str)] = &[
    (
        "content",
        r#"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1730000000,"model":"m",
        "system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"C0"},"logprobs":null,
        "finish_reason":null},{"index":1,"delta":{"refusal":"R1","reasoning_content":"RC","reasoning":"RT",
        "reasoning_details":[{"type":"reasoning.summary","summary":"RS","index":2}]},"finish_reason":"stop"}],
        "usage":null,"obfuscation":"xyz"}"#,
    ),
    (
        "calls",
        r#"{"choices":[{"index":0,"delta":{"tool_calls":[
        {"index":0,"id":"c0","type":"function","function":{"name":"N0","arguments":"{\"a"}},
        {"index":1,"function":{"arguments":"\":1}"}},{"index":2,"custom":{"name":"N2","input":"I2"}}],
        "function_call":{"name":"FN","arguments":"{"},"audio":{"id":"au","transcript":"TR"}}}]}"#,
    ),
    (
        "parts",
        r#"{"choices":[{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"TH"}]},
        {"type":"text","text":"TX"}],"annotations":[{"url_citation":{"title":"TI"}}]}}]}"#,
    ),
    (
        "usage and error",
        r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3},
        "error":{"message":"EM","code":429}}"#,
    ),
    (
        "logprobs",
        r#"{"choices":[{"index":0,"delta":{"content":"ab"},"logprobs":{"content":[
        {"token":"a","logprob":0,"bytes":null,"top_logprobs":[]},{"token":"b","logprob":0,"top_logprobs":[]}]}}]}"#,
    ),
];

type Segments = fn(&[u8]) -> Result<Vec<String>, WireError>;

fn texts(segments: Vec<Segment<'_>>) -> Vec<String> {
    segments.into_iter().map(|s| s.text.into_owned()).collect()
}

fn request(body: &[u8]) -> Result<Vec<String>, WireError> {
    ChatRequest::parse(body, &Limits::default()).map(|r| texts(r.segments(body)))
}

fn response(body: &[u8]) -> Result<Vec<String>, WireError> {
    ChatResponse::parse(body, &Limits::default()).map(|r| texts(r.segments(body)))
}

fn chunk(body: &[u8]) -> Result<Vec<String>, WireError> {
    ChatChunk::parse(body, &Limits::default()).map(|r| texts(r.segments(body)))
}

fn write(tree: &Tree, out: &mut String) {
    match tree {
        Tree::Null => out.push_str("null"),
        Tree::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Tree::Number(n) => out.push_str(n),
        Tree::Text(t) => out.push_str(&serde_json::to_string(t).unwrap()),
        Tree::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Tree::Object(members) => {
            out.push('{');
            for (i, (key, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// The values below a tree, each with a way back to it.
fn visit(tree: &mut Tree, f: &mut dyn FnMut(&mut Tree)) {
    f(tree);
    match tree {
        Tree::Array(items) => items.iter_mut().for_each(|item| visit(item, f)),
        Tree::Object(members) => members.iter_mut().for_each(|(_, value)| visit(value, f)),
        _ => {}
    }
}

/// Puts `marker` in place of the `n`th value; false when there is no such value.
fn plant(tree: &mut Tree, n: usize, marker: &Tree) -> bool {
    let (mut at, mut done) = (0, false);
    visit(tree, &mut |value| {
        if at == n && !done {
            *value = marker.clone();
            done = true;
        }
        at += 1;
    });
    done
}

#[test]
fn nothing_passes_unseen_wherever_it_stands() {
    const MARK: &str = "MARK 4111 1111 1111 1111";
    const NUMBER: &str = "4111111111111111";
    let markers = [
        (Tree::Text(MARK.into()), MARK),
        (Tree::Number(NUMBER.into()), NUMBER),
        (Tree::Array(vec![Tree::Text(MARK.into())]), MARK),
        (Tree::Object(vec![("type".into(), Tree::Text(MARK.into()))]), MARK),
        (Tree::Object(vec![(MARK.into(), Tree::Null)]), MARK),
        (Tree::Object(vec![("x".into(), Tree::Array(vec![Tree::Number(NUMBER.into())]))]), NUMBER),
    ];
    let sets: [(&[(&str, &str)], Segments); 3] =
        [(REQUESTS, request), (RESPONSES, response), (CHUNKS, chunk)];
    let mut tried = 0;
    for (cases, segments) in sets {
        for (name, body) in cases {
            assert!(segments(body.as_bytes()).is_ok(), "{name}: {:?}", segments(body.as_bytes()));
            let original = tree::read(body.as_bytes()).unwrap();
            for (marker, text) in &markers {
                for n in 0.. {
                    let mut planted = original.clone();
                    if !plant(&mut planted, n, marker) {
                        break;
                    }
                    let mut out = String::new();
                    write(&planted, &mut out);
                    check(name, &out, segments, text);
                    tried += 1;
                }
            }
            for n in 0.. {
                let (mut at, mut planted) = (0, original.clone());
                visit(&mut planted, &mut |value| {
                    if let Tree::Object(members) = value {
                        for (key, _) in members {
                            if at == n {
                                *key = MARK.to_owned();
                            }
                            at += 1;
                        }
                    }
                });
                if at <= n {
                    break;
                }
                let mut out = String::new();
                write(&planted, &mut out);
                check(name, &out, segments, MARK);
                tried += 1;
            }
        }
    }
    assert!(tried > 3000, "{tried}");
}

fn check(name: &str, body: &str, segments: Segments, marker: &str) {
    if let Ok(found) = segments(body.as_bytes()) {
        assert!(found.iter().any(|text| text.contains(marker)), "{name}: unseen in {body}");
    }
}

#[test]
fn a_key_twice_or_in_another_case_is_refused_in_every_protocol_object() {
    let sets: [(&[(&str, &str)], Segments); 3] =
        [(REQUESTS, request), (RESPONSES, response), (CHUNKS, chunk)];
    // What is free-form has keys of its own.
    const FREE: &[&str] = &[
        "parameters",
        "metadata",
        "schema",
        "format",
        "chat_template_kwargs",
        "cache_control",
        "web_search_options",
        "audio",
        "arguments",
        "annotations",
        "error",
        "thinking",
        "url_citation",
        "video_url",
        "user_location",
        "approximate",
        "properties",
        "card",
        "allowed_tools",
        "logit_bias",
    ];
    let mut tried = 0;
    for (cases, segments) in sets {
        for (name, body) in cases {
            let original = tree::read(body.as_bytes()).unwrap();
            for n in 0.. {
                let mut at = 0;
                let mut bodies = Vec::new();
                for variant in 0..3 {
                    let mut changed = original.clone();
                    at = 0;
                    protocol_members(&mut changed, FREE, &mut |members| {
                        for i in 0..members.len() {
                            if at == n {
                                let (key, value) = members[i].clone();
                                match variant {
                                    0 => members.push((key, value)),
                                    1 => members.push((key.to_uppercase(), value)),
                                    _ => {
                                        members.insert(0, (key.replace('s', "ſ").to_uppercase(), Tree::Null))
                                    }
                                }
                            }
                            at += 1;
                        }
                    });
                    let mut out = String::new();
                    write(&changed, &mut out);
                    bodies.push(out);
                }
                if at <= n {
                    break;
                }
                for body in bodies {
                    tried += 1;
                    let code = segments(body.as_bytes()).map_err(|e| e.code);
                    assert!(
                        matches!(code, Err(WireError::DUPLICATE_KEY | WireError::KEY_CASE)),
                        "{name}: {code:?} for {body}"
                    );
                }
            }
        }
    }
    assert!(tried > 500, "{tried}");
}

type Members = Vec<(String, Tree)>;

/// Calls `f` with the members of each object that is not inside free-form JSON.
fn protocol_members(tree: &mut Tree, free: &[&str], f: &mut dyn FnMut(&mut Members)) {
    match tree {
        Tree::Array(items) => items.iter_mut().for_each(|item| protocol_members(item, free, f)),
        Tree::Object(members) => {
            f(members);
            for (key, value) in members {
                if !free.contains(&key.as_str()) {
                    protocol_members(value, free, f);
                }
            }
        }
        _ => {}
    }
}

#[test]
fn origins_and_kinds_are_those_of_the_place() {
    let expect = [
        ("S", Origin::System),
        ("D", Origin::Developer),
        ("U", Origin::User),
        ("A", Origin::Assistant),
        ("RF", Origin::Assistant),
        ("RC", Origin::Reasoning),
        ("RT", Origin::Reasoning),
        ("T", Origin::ToolResult),
        ("F", Origin::ToolResult),
        ("P", Origin::User),
        ("TH", Origin::Reasoning),
        ("TN", Origin::ToolDefinition),
        ("PD", Origin::ToolDefinition),
        ("12345", Origin::ToolDefinition),
        ("G", Origin::ToolDefinition),
        ("CF", Origin::ToolCall),
        ("{\"a\":\"X\"}", Origin::ToolCall),
        ("CI", Origin::ToolCall),
        ("V", Origin::ToolCall),
        ("RD", Origin::Reasoning),
        ("SG", Origin::Other),
        ("SS", Origin::ToolDefinition),
        ("MK", Origin::Other),
        ("40", Origin::Other),
        ("1.50e3", Origin::Other),
        ("PX", Origin::Other),
        ("c1", Origin::Other),
    ];
    let mut all = Vec::new();
    for (_, body) in REQUESTS {
        let request = ChatRequest::parse(body.as_bytes(), &Limits::default()).unwrap();
        for s in request.segments(body.as_bytes()) {
            assert_eq!(s.trust, s.origin.trust());
            all.push((s.text.into_owned(), s.origin, s.kind));
        }
    }
    for (text, origin) in expect {
        let found = all.iter().find(|(t, ..)| t == text).unwrap_or_else(|| panic!("{text} is no segment"));
        assert_eq!(found.1, origin, "{text}");
    }
    let kind = |text: &str| all.iter().find(|(t, ..)| t == text).map(|found| found.2);
    assert_eq!(kind("{\"a\":\"X\"}"), Some(SegmentKind::JsonText));
    assert_eq!(kind("MK"), Some(SegmentKind::Key));
    assert_eq!(kind("40"), Some(SegmentKind::Number));
    assert_eq!(kind("7"), Some(SegmentKind::Number));
    for closed in ["user", "function", "low", "auto", "json_schema", "0.7", "42", "24h", "mp3"] {
        let found = all.iter().any(|(t, o, _)| t == closed && *o != Origin::ToolDefinition);
        assert_eq!(found, closed == "mp3", "{closed}");
    }
    assert_eq!(Trust::Untrusted, Origin::Other.trust());
}

#[test]
fn the_head_of_a_request_is_read() {
    let body = REQUESTS[4].1.as_bytes();
    let r = ChatRequest::parse(body, &Limits::default()).unwrap();
    assert_eq!((r.model.as_str(), r.stream, r.include_usage, r.n), ("m", true, true, 2));
    assert_eq!(r.max_output_tokens, Some(20));
    assert_eq!(r.segments(body)[r.model_segment].text, "m");
    let tools = ChatRequest::parse(REQUESTS[2].1.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(tools.tools, ["TN", "CN", "web_search", "FN"]);
    let parts = ChatRequest::parse(REQUESTS[1].1.as_bytes(), &Limits::default()).unwrap();
    let unscanned: Vec<_> = parts.unscanned.iter().map(|u| (u.path.as_str(), u.kind)).collect();
    assert_eq!(
        unscanned,
        [
            ("/messages/0/content/1", UnscannedKind::Image),
            ("/messages/0/content/2", UnscannedKind::Image),
            ("/messages/0/content/3", UnscannedKind::Audio),
            ("/messages/0/content/4", UnscannedKind::File),
            ("/messages/0/content/5", UnscannedKind::File),
            ("/messages/0/content/7", UnscannedKind::Other),
        ]
    );
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    for (body, code, path) in [
        ("[]", WireError::TYPE, ""),
        ("{}", WireError::MISSING, "/model"),
        (r#"{"model":"m"}"#, WireError::MISSING, "/messages"),
        (r#"{"model":1,"messages":[]}"#, WireError::TYPE, "/model"),
        (r#"{"model":"","messages":[]}"#, WireError::VALUE, "/model"),
        (r#"{"model":"m","messages":{}}"#, WireError::TYPE, "/messages"),
        (r#"{"model":"m","messages":["x"]}"#, WireError::TYPE, "/messages/0"),
        (r#"{"model":"m","messages":[{"content":"x"}]}"#, WireError::MISSING, "/messages/0/role"),
        (r#"{"model":"m","messages":[{"Role":"user"}]}"#, WireError::KEY_CASE, "/messages/0"),
        (r#"{"model":"m","messages":[{"role":"root"}]}"#, WireError::VALUE, "/messages/0/role"),
        (r#"{"model":"m","messages":[{"role":7}]}"#, WireError::TYPE, "/messages/0/role"),
        (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, WireError::TYPE, "/messages/0/content"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":["x"]}]}"#,
            WireError::TYPE,
            "/messages/0/content/0",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"text":"x"}]}]}"#,
            WireError::MISSING,
            "/messages/0/content/0/type",
        ),
        (r#"{"model":"m","messages":[],"stream":"yes"}"#, WireError::TYPE, "/stream"),
        (r#"{"model":"m","messages":[],"n":0}"#, WireError::VALUE, "/n"),
        (r#"{"model":"m","messages":[],"n":1e0}"#, WireError::TYPE, "/n"),
        (r#"{"model":"m","messages":[],"max_tokens":-1}"#, WireError::TYPE, "/max_tokens"),
        (r#"{"model":"m","messages":[],"max_tokens":99999999999999999999}"#, WireError::TYPE, "/max_tokens"),
        (r#"{"model":"m","messages":[],"tools":{}}"#, WireError::TYPE, "/tools"),
        (
            r#"{"model":"m","messages":[],"tools":[{"type":"function","function":"f"}]}"#,
            WireError::TYPE,
            "/tools/0/function",
        ),
        (r#"{"model":"m","mod\u0065l":"x","messages":[]}"#, WireError::DUPLICATE_KEY, "/model"),
        (r#"{"model":"m","messages":[],"Messages":[]}"#, WireError::KEY_CASE, ""),
    ] {
        let error = ChatRequest::parse(body.as_bytes(), &Limits::default()).map(|_| body).unwrap_err();
        assert_eq!((error.code, error.path.as_str()), (code, path), "{body}");
        assert_eq!(error.to_problem().status, 400);
    }
}

#[test]
fn a_models_name_has_a_limit() {
    let parse = |name: &str| {
        let body = format!(r#"{{"model":"{name}","messages":[]}}"#);
        ChatRequest::parse(body.as_bytes(), &Limits::default()).map(|request| request.model)
    };
    for name in [format!("org/{}:tag", "m".repeat(248)), "é".repeat(128), r"\u0041".repeat(256)] {
        assert_eq!(parse(&name).unwrap().len(), 256);
    }
    for name in ["m".repeat(257), "é".repeat(129), r"\u0041".repeat(257), "m".repeat(3_000_000)] {
        let problem = parse(&name).unwrap_err().to_problem();
        assert_eq!((problem.code, problem.status), (WireError::LIMIT, 400));
        assert_eq!(problem.field.as_deref(), Some("/model"));
        assert!(problem.detail.contains("256 bytes") && !problem.detail.contains("mm"), "{}", problem.detail);
    }
}

#[test]
fn free_form_objects_may_repeat_keys() {
    let body =
        br#"{"model":"m","messages":[],"metadata":{"a":"1","A":"2","a":"3"},"x":{"model":1,"Model":2}}"#;
    let request = ChatRequest::parse(body, &Limits::default()).unwrap();
    let texts = texts(request.segments(body));
    assert_eq!(texts, ["m", "a", "1", "A", "2", "a", "3", "x", "model", "1", "Model", "2"]);
}

#[test]
fn lanes_name_the_text_that_a_delta_continues() {
    let mut lanes = Vec::new();
    for (_, body) in &CHUNKS[..3] {
        let chunk = ChatChunk::parse(body.as_bytes(), &Limits::default()).unwrap();
        for s in chunk.segments(body.as_bytes()) {
            if let Some(lane) = chunk.lane(s.index).filter(|lane| lane.field != LaneField::Unknown) {
                assert_eq!(Some(lane.choice), s.choice);
                assert_eq!(lane.field.is_json(), s.kind == SegmentKind::JsonText);
                lanes.push((s.text.into_owned(), lane.choice, lane.field));
            }
            assert_eq!(chunk.is_envelope(s.index), s.choice.is_none());
        }
    }
    let want: &[(&str, u32, LaneField)] = &[
        ("C0", 0, LaneField::Content),
        ("R1", 1, LaneField::Refusal),
        ("RC", 1, LaneField::Reasoning),
        ("RT", 1, LaneField::ReasoningText),
        ("RS", 1, LaneField::ReasoningDetail(2)),
        ("c0", 0, LaneField::ToolId(0)),
        ("N0", 0, LaneField::ToolName(0)),
        ("{\"a", 0, LaneField::ToolArguments(0)),
        ("\":1}", 0, LaneField::ToolArguments(1)),
        ("N2", 0, LaneField::ToolName(2)),
        ("I2", 0, LaneField::ToolInput(2)),
        ("FN", 0, LaneField::FunctionName),
        ("{", 0, LaneField::FunctionArguments),
        ("TR", 0, LaneField::AudioTranscript),
        ("TH", 0, LaneField::Reasoning),
        ("TX", 0, LaneField::Content),
    ];
    assert_eq!(lanes.iter().map(|(t, c, l)| (t.as_str(), *c, *l)).collect::<Vec<_>>(), want);
}

#[test]
fn answers_that_end_are_told_in_order_and_once() {
    let ends = [7, 0, 7, 3].map(|index| format!(r#"{{"index":{index},"finish_reason":"stop"}}"#)).join(",");
    let chunk =
        ChatChunk::parse(format!(r#"{{"choices":[{ends}]}}"#).as_bytes(), &Limits::default()).unwrap();
    assert_eq!(chunk.finish, [0, 3, 7]);
}

#[test]
fn held_text_comes_in_a_chunk_of_the_same_answer() {
    let template = CHUNKS[0].1.as_bytes();
    let chunk = ChatChunk::parse(template, &Limits::default()).unwrap();
    assert_eq!(chunk.finish, [1]);
    let fields = [
        LaneField::Content,
        LaneField::Refusal,
        LaneField::Reasoning,
        LaneField::ReasoningText,
        LaneField::ReasoningDetail(3),
        LaneField::ToolArguments(4),
        LaneField::ToolName(5),
        LaneField::ToolId(6),
        LaneField::ToolInput(7),
        LaneField::FunctionArguments,
        LaneField::FunctionName,
        LaneField::AudioTranscript,
    ];
    for field in fields {
        let lane = Lane { choice: 3, field };
        let data = chunk.carrying(template, &[(lane, "held \"text\"\n")]).unwrap();
        let carried = ChatChunk::parse(&data, &Limits::default()).unwrap();
        let segments = carried.segments(&data);
        let found = segments.iter().find(|s| carried.lane(s.index) == Some(lane)).unwrap();
        assert_eq!(found.text, "held \"text\"\n");
        let envelope = |tree| match tree {
            Tree::Object(members) => {
                members.into_iter().filter(|(k, _)| k != "choices" && k != "usage").collect::<Vec<_>>()
            }
            _ => Vec::new(),
        };
        assert_eq!(envelope(tree::read(&data).unwrap()), envelope(tree::read(template).unwrap()));
    }
}

#[test]
fn log_probabilities_go_with_the_text_they_spell() {
    use bastide_types::Span;
    use bastide_wire::Edit;
    let body = RESPONSES[1].1.as_bytes();
    let response = ChatResponse::parse(body, &Limits::default()).unwrap();
    assert!(response.has_logprobs && !response.logprobs_diverge);
    let segments = response.segments(body);
    let said = segments.iter().find(|s| s.text == "hé").unwrap().index;
    let inside = segments.iter().find(|s| s.text == "LX").unwrap().index;
    let edit = |segment| Edit { segment, span: Span::new(0, 1), replacement: "_".to_owned() };
    let out = response.splice(body, &[edit(said), edit(inside)]).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"choices":[{"index":0,"message":{"content":"_é"},"logprobs":null}]}"#
    );
    let other = ChatResponse::parse(RESPONSES[2].1.as_bytes(), &Limits::default()).unwrap();
    assert!(other.logprobs_diverge);
    assert!(other.segments(RESPONSES[2].1.as_bytes()).iter().any(|s| s.text == "leak"));

    let data = CHUNKS[4].1.as_bytes();
    let chunk = ChatChunk::parse(data, &Limits::default()).unwrap();
    assert!(chunk.has_logprobs && !chunk.logprobs_diverge);
    for out in [chunk.splice(data, &[edit(0)]).unwrap(), chunk.drop_logprobs(data).unwrap()] {
        assert!(!ChatChunk::parse(&out, &Limits::default()).unwrap().has_logprobs);
    }
    assert_eq!(chunk.splice(data, &[]).unwrap(), data);
}

#[test]
fn usage_is_asked_for_wherever_it_is_missing_from() {
    for body in [
        r#"{"model":"m","messages":[]}"#,
        r#" { "stream_options" : {} , "model":"m","messages":[]}"#,
        r#"{"model":"m","messages":[],"stream_options":null}"#,
        r#"{"model":"m","messages":[],"stream_options":{"include_usage":false}}"#,
        r#"{"model":"m","messages":[],"stream_options":{"include_obfuscation":true}}"#,
        r#"{"model":"m","messages":[],"stream_options":{"include_usage":true}}"#,
    ] {
        let request = ChatRequest::parse(body.as_bytes(), &Limits::default()).unwrap();
        let sent = request.splice_for(body.as_bytes(), &[], Some("o\"ther"), true).unwrap();
        let again = ChatRequest::parse(&sent, &Limits::default()).unwrap();
        assert!(again.include_usage, "{body}");
        assert_eq!(again.model, "o\"ther");
    }
}

#[test]
fn usage_is_read() {
    let body = RESPONSES[0].1.as_bytes();
    let response = ChatResponse::parse(body, &Limits::default()).unwrap();
    let usage = response.usage.unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens, response.choices), (10, 20, 2));
    assert_eq!(response.unscanned.len(), 2);
    let choices: Vec<_> =
        response.segments(body).into_iter().filter_map(|s| Some((s.choice?, s.text))).collect();
    assert!(choices.contains(&(0, "A0".into())) && choices.contains(&(1, "R1".into())));
    assert_eq!(response.paths(body).of(2), "/choices/0/message/content");
    assert_eq!(
        ChatResponse::parse(b"{}", &Limits::default()).map_err(|e| e.code).err(),
        Some(WireError::MISSING)
    );
}

#[test]
fn texts_in_parts_are_one_text() {
    let body = br#"{"model":"m","messages":[
        {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://x/"}},
            {"type":"text","text":"b"}]},
        {"role":"user","content":[{"type":"text","text":"c"}]},
        {"role":"assistant","content":[{"type":"text","text":"d"},{"type":"refusal","refusal":"e"},
            {"type":"text","text":"f"},{"type":"refusal","refusal":"g"},
            {"type":"thinking","thinking":[{"type":"text","text":"h"},{"type":"text","text":"i"}]}]}]}"#;
    let request = ChatRequest::parse(body, &Limits::default()).unwrap();
    let segments = request.segments(body);
    let joined: Vec<String> =
        request.joined.iter().map(|list| list.iter().map(|&i| &*segments[i].text).collect()).collect();
    assert_eq!(joined, ["ab", "df", "eg", "hi"], "neither over messages nor over kinds of parts");
}

#[test]
fn an_answer_names_the_tools_that_it_calls() {
    let body = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[
        {"id":"a","type":"function","function":{"arguments":"{}","name":"one"}},
        {"id":"b","type":"custom","custom":{"name":"two","input":"x"}}]}},
        {"index":1,"message":{"role":"assistant","function_call":{"name":"thr\u0065e","arguments":"{}"}}}]}"#;
    let answer = ChatResponse::parse(body, &Limits::default()).unwrap();
    assert_eq!(answer.tools, ["one", "two", "three"]);
}

#[test]
fn unknown_strings_of_a_delta_are_lanes_by_their_path() {
    let data =
        br#"{"x":"top","choices":[{"index":3,"y":"beside","delta":{"content":"c","foo":"F","bar":{"deep":
        [{"index":7,"t":"D"},"E"],"n":12345678901},"annotations":[{"title":"A"}]}}]}"#;
    let chunk = ChatChunk::parse(data, &Limits::default()).unwrap();
    let found: Vec<(String, u32, String)> = chunk
        .segments(data)
        .into_iter()
        .filter_map(|s| {
            Some((s.text.into_owned(), chunk.lane(s.index)?.choice, chunk.lane_paths(data).of(s.index)?))
        })
        .collect();
    let want = [
        ("F", "delta/foo"),
        ("D", "delta/bar/deep/#7/t"),
        ("E", "delta/bar/deep/1"),
        ("A", "delta/annotations/0/title"),
    ];
    let want: Vec<_> = want.iter().map(|(text, path)| ((*text).to_owned(), 3, (*path).to_owned())).collect();
    assert_eq!(found, want);
    assert!(chunk.carrying(data, &[(Lane { choice: 3, field: LaneField::Unknown }, "t")]).is_ok());
}

#[test]
fn what_a_delta_says_anything_in_is_a_lane_by_its_path() {
    let data =
        br#"{"choices":[{"index":0,"delta":{"role":"R","name":"N","tool_call_id":"I","citations":["C"],
        "reasoning":{"text":"T"},"reasoning_content":["L"],"tool_calls":[{"index":4,"function":{"name":"f",
        "arguments":{"a":"O"}}}],"audio":{"id":"A"}}}]}"#;
    let chunk = ChatChunk::parse(data, &Limits::default()).unwrap();
    let found: Vec<(String, String)> = chunk
        .segments(data)
        .into_iter()
        .filter_map(|s| Some((s.text.into_owned(), chunk.lane_paths(data).of(s.index)?)))
        .collect();
    let want = [
        ("R", "delta/role"),
        ("N", "delta/name"),
        ("I", "delta/tool_call_id"),
        ("C", "delta/citations/0"),
        ("T", "delta/reasoning/text"),
        ("L", "delta/reasoning_content/0"),
        ("O", "delta/tool_calls/#4/function/arguments/a"),
        ("A", "delta/audio/id"),
    ];
    assert_eq!(found.iter().map(|(t, p)| (t.as_str(), p.as_str())).collect::<Vec<_>>(), want);
}

#[test]
fn parts_of_a_whole_message_in_a_chunk_are_no_pieces_of_its_delta() {
    let parts = r#"[{"type":"text","text":"a"},{"type":"thinking","thinking":[{"type":"text","text":"h"},
        {"type":"text","text":"i"}]},{"type":"text","text":"b"}]"#;
    let joined = |member: &str| {
        let data = format!(r#"{{"choices":[{{"index":0,"{member}":{{"content":{parts}}}}}]}}"#);
        let chunk = ChatChunk::parse(data.as_bytes(), &Limits::default()).unwrap();
        let segments = chunk.segments(data.as_bytes());
        let lanes = segments.iter().filter(|s| chunk.lane(s.index).is_some()).count();
        let texts: Vec<String> =
            chunk.joined.iter().map(|list| list.iter().map(|&i| &*segments[i].text).collect()).collect();
        (lanes, texts)
    };
    assert_eq!(joined("message"), (0, vec!["ab".to_owned(), "hi".to_owned()]));
    // The texts and the two words `text` inside the thinking.
    assert_eq!(joined("delta"), (6, vec![]));
}

#[test]
fn an_index_is_plain_digits() {
    for (index, odd) in [
        ("0", false),
        ("12", false),
        ("null", false),
        ("1.0", true),
        ("1e0", true),
        ("-0", true),
        ("\"1\"", true),
        ("4294967295", true),
        ("{}", true),
    ] {
        for body in [
            format!(r#"{{"choices":[{{"index":{index},"delta":{{"content":"a"}}}}]}}"#),
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"tool_calls":[{{"index":{index},"id":"a"}}]}}}}]}}"#
            ),
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"reasoning_details":[{{"index":{index},"text":"a"}}]}}}}]}}"#
            ),
        ] {
            let mut chunk = ChatChunk::parse(body.as_bytes(), &Limits::default()).unwrap();
            assert_eq!(chunk.odd_index, odd, "{body}");
            chunk.reparse(b"{}", &Limits::default()).unwrap();
            assert!(!chunk.odd_index);
        }
    }
    let data = br#"{"choices":[{"delta":{"x":[{"index":1.0,"t":"a"},{"index":1,"t":"b"}]}}]}"#;
    let chunk = ChatChunk::parse(data, &Limits::default()).unwrap();
    let paths: Vec<_> = (0..chunk.segment_count()).filter_map(|at| chunk.lane_paths(data).of(at)).collect();
    assert_eq!(paths, ["delta/x/0/t", "delta/x/#1/t"]);
}

#[test]
fn no_two_texts_of_unknown_fields_share_a_place_however_long() {
    for index in ["0", "4294967294"] {
        for length in 0..300 {
            let key = "k".repeat(length);
            let data = format!(
                r#"{{"choices":[{{"index":{index},"delta":{{"{key}":{{"a":"x","b":["y","z"],"c":{{"d":"v"}}}}}}}}]}}"#
            );
            let chunk = ChatChunk::parse(data.as_bytes(), &Limits::default()).unwrap();
            let mut paths = chunk.lane_paths(data.as_bytes());
            let all: Vec<String> = (0..chunk.segment_count()).filter_map(|at| paths.of(at)).collect();
            assert_eq!(all.len(), 4);
            let known: Vec<_> = all.iter().filter(|path| path.len() <= LanePaths::MAX_BYTES).collect();
            let apart: std::collections::HashSet<_> = known.iter().collect();
            assert_eq!(apart.len(), known.len(), "{length}: {known:?}");
        }
    }
}
