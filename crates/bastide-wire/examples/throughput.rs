//! How fast the codecs are: `cargo run --release -p bastide-wire --example throughput`.
#![expect(clippy::print_stdout, reason = "a program that prints figures")]

use std::hint::black_box;
use std::time::Instant;

use bastide_wire::{ChatChunk, ChatRequest, ChatResponse, JsonDocument, Limits, SseDecoder};

fn main() -> Result<(), bastide_wire::WireError> {
    let limits = Limits::default();
    let prose = "Please summarise the attached report for Ada and keep it under two hundred words. ";
    let short = format!(
        r#"{{"model":"gpt-4o-mini","messages":[{{"role":"system","content":"You are a careful assistant."}},{{"role":"user","content":"{}"}}],"temperature":0.2,"max_tokens":256,"stream":true,"user":"u-1"}}"#,
        prose.repeat(10)
    );
    let turns: Vec<String> = (0..40)
        .map(|i| {
            format!(
                r#"{{"role":"{}","content":"{}\n\"quoted\""}}"#,
                ["user", "assistant"][i % 2],
                prose.repeat(3)
            )
        })
        .collect();
    let long = format!(r#"{{"model":"gpt-4o-mini","messages":[{}]}}"#, turns.join(","));
    let tool = r#"{"type":"function","function":{"name":"look_up","description":"Looks up a person","parameters":{"type":"object","properties":{"name":{"type":"string","description":"Full name"},"age":{"type":"integer","minimum":0}},"required":["name"]}}}"#;
    let tools = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}],"tools":[{}]}}"#,
        [tool; 10].join(",")
    );
    let reply = format!(
        r#"{{"id":"chatcmpl-9","object":"chat.completion","created":1730000000,"model":"gpt-4o-mini","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":20,"completion_tokens":200,"total_tokens":220}},"system_fingerprint":"fp_1"}}"#,
        prose.repeat(9)
    );
    let chunk = r#"{"id":"chatcmpl-AbCdEfGhIjKl","object":"chat.completion.chunk","created":1730000000,"model":"gpt-4o-mini","system_fingerprint":"fp_0123456789","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}"#;

    for (name, body) in
        [("request, 1 kB chat", &short), ("request, 40 turns", &long), ("request, 10 tools", &tools)]
    {
        measure(name, body.len(), || {
            ChatRequest::parse(body.as_bytes(), &limits).map(|r| r.segments(body.as_bytes()).len())
        })?;
        measure(&format!("{name}, splice"), body.len(), {
            let request = ChatRequest::parse(body.as_bytes(), &limits)?;
            let edit = [bastide_wire::Edit {
                segment: request.segment_count() / 2,
                span: bastide_types::Span::new(0, 1),
                replacement: "[P]".to_owned(),
            }];
            move || request.splice(body.as_bytes(), &edit).map(|b| b.len())
        })?;
    }
    measure("answer, 1 kB", reply.len(), || {
        ChatResponse::parse(reply.as_bytes(), &limits).map(|r| r.segments(reply.as_bytes()).len())
    })?;
    measure("any JSON, 10 tools", tools.len(), || {
        JsonDocument::parse(tools.as_bytes(), &limits).map(|r| r.segments(tools.as_bytes()).len())
    })?;
    measure("chunk, fresh", chunk.len(), || {
        ChatChunk::parse(chunk.as_bytes(), &limits).map(|c| c.segments(chunk.as_bytes()).len())
    })?;
    let mut reused = ChatChunk::default();
    measure("chunk, reused", chunk.len(), || {
        reused.reparse(chunk.as_bytes(), &limits).map(|()| reused.segment_count())
    })?;

    let stream = format!("data: {chunk}\n\n").repeat(100);
    let mut decoder = SseDecoder::new(1 << 20);
    measure("100 events, decoded", stream.len(), || {
        decoder.push(stream.as_bytes());
        let mut events = 0;
        while let Some(event) = decoder.next_event() {
            events += event?.data.map_or(0, |d| d.len());
        }
        Ok(events)
    })?;
    measure("100 events, decoded and parsed", stream.len(), || {
        let mut events = 0;
        for read in stream.as_bytes().chunks(4096) {
            decoder.push(read);
            while let Some(event) = decoder.next_event() {
                if let Some(data) = event?.data {
                    reused.reparse(data, &limits)?;
                    events += (0..reused.segment_count())
                        .filter_map(|i| reused.segment(data, i))
                        .map(|s| s.text.len())
                        .sum::<usize>();
                }
            }
        }
        Ok(events)
    })
}

fn measure(
    name: &str,
    bytes: usize,
    mut work: impl FnMut() -> Result<usize, bastide_wire::WireError>,
) -> Result<(), bastide_wire::WireError> {
    let mut rounds = 1_u32;
    loop {
        let begin = Instant::now();
        for _ in 0..rounds {
            black_box(work()?);
        }
        let seconds = begin.elapsed().as_secs_f64();
        if seconds > 0.3 {
            let each = seconds / f64::from(rounds);
            #[expect(clippy::cast_precision_loss, reason = "a printed figure")]
            let rate = bytes as f64 / each / 1e6;
            println!("{name:<34} {bytes:>7} B {:>9.2} us {rate:>8.0} MB/s", each * 1e6);
            return Ok(());
        }
        rounds = rounds.saturating_mul(4);
    }
}
