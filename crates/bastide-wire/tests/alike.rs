//! Chunks read into the memory of others: what comes of each is what comes of it alone, however like the last it is.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use bastide_types::Span;
use bastide_wire::{ChatChunk, Edit, Lane, LaneField, Limits};
use common::{Random, cases};

/// What servers write around a text, which stands for `@`.
const FORMS: &[&str] = &[
    r#"{"id":"c-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"@"},"logprobs":null,"finish_reason":null}]}"#,
    r#"{"id":"c-2","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"@"},"logprobs":null,"finish_reason":null}]}"#,
    r#"{"choices":[{"delta":{"role":"assistant","content":"@"},"index":0}]}"#,
    r#" {"choices" : [ {"index":1,"delta":{"reasoning_content":"@","content":null}} ] , "x_note" : "y" } "#,
    r#"{"choices":[{"index":0,"delta":{"content":"","reasoning":"@"}}],"id":"c"}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@","refusal":"@"}}],"id":"c"}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"@"}}]},"finish_reason":null}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"@"}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"function_call":{"arguments":"@"}}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@","x":{"y":["@",1]}}}],"model":"m"}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@"},"logprobs":{"content":[{"token":"a","logprob":-0.1,"bytes":null,"top_logprobs":[]}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@"},"finish_reason":"stop"}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"@"}}]}"#,
    r#"{"choices":[{"index":1.0,"delta":{"content":"@"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"@"}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":[{"type":"@","text":"@"}]}}]}"#,
    r#"{"choices":[{"index":0,"message":{"role":"assistant","content":[{"type":"text","text":"@"},{"type":"text","text":"b"}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"role":"@","audio":{"id":"a","transcript":"@"}}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"@","content":"b"}}]}"#,
    r#"{"id":"@","object":"@","choices":[]}"#,
    r#""@""#,
];

/// What a text may hold that is not quite a text.
const PIECES: &[&[u8]] = &[
    b"",
    b"a",
    b" word",
    b"stop",
    b"\\n",
    b"\\\"",
    b"\\\\",
    b"\\",
    b"\\u0041",
    b"\\u00",
    b"\\ud83d\\ude00",
    b"\\ud83d",
    b"\\ude00",
    b"\\x",
    b"\"",
    b"\",\"content\":\"",
    b"\"},\"finish_reason\":null}]}",
    b"\"}}]}",
    b"{\"choices\":[{\"delta\":{\"content\":\"",
    b"\n",
    b"\x1f",
    b"\x7f",
    "é中😀".as_bytes(),
    b"\xe4\xb8",
    b"\xad",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b" a longer piece of text, with 4111 1111 1111 1111 in it",
];

fn text(random: &mut Random) -> Vec<u8> {
    if random.one_in(200) {
        return vec![b'x'; 5_000];
    }
    // Most texts are good, or few chunks would be alike.
    let good: Vec<&[u8]> =
        PIECES[..6].iter().chain([&PIECES[8], &PIECES[10], &PIECES[22]]).copied().collect();
    let broken = random.one_in(4);
    (0..random.below(4)).flat_map(|_| random.pick(if broken { PIECES } else { &good }).to_vec()).collect()
}

fn chunk(random: &mut Random, form: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (at, part) in form.split('@').enumerate() {
        if at > 0 {
            body.extend(text(random));
        }
        body.extend_from_slice(part.as_bytes());
    }
    if random.one_in(12) {
        let from = random.below(body.len() + 1);
        let to = from + random.below((body.len() - from).min(24) + 1);
        match random.below(4) {
            // Short of what stands around the text, down to nothing.
            0 => drop(body.drain(from..to)),
            1 => body.truncate(from),
            2 => drop(body.splice(from..from, random.pick(PIECES).iter().copied())),
            _ => body.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << random.below(8)),
        }
    }
    body
}

/// Everything that a chunk can be asked.
fn told(chunk: &ChatChunk, data: &[u8]) -> String {
    let each: Vec<String> = (0..chunk.segment_count())
        .map(|at| {
            let length = chunk.segment(data, at).map_or(0, |s| s.text.len());
            let spliced: Vec<_> =
                [Span::new(0, length), Span::new(length / 2, length), Span::new(0, length + 1)]
                    .into_iter()
                    .map(|span| {
                        chunk.splice(data, &[Edit { segment: at, span, replacement: "\"é".to_owned() }])
                    })
                    .collect();
            let place = (
                chunk.lane(at),
                chunk.lane_paths(data).of(at),
                chunk.paths(data).of(at).to_owned(),
                chunk.written_len(at),
            );
            let is = (chunk.is_envelope(at), chunk.is_key(at));
            format!("{:?} {place:?} {is:?} {spliced:?}", chunk.segment(data, at))
        })
        .collect();
    let lane = Lane { choice: 0, field: LaneField::Content };
    format!(
        "{each:#?} {:?} {:?} {:?} {:?} {:?} {:?}",
        (chunk.usage, &chunk.finish, &chunk.unscanned, &chunk.joined),
        (chunk.has_logprobs, chunk.logprobs_diverge, chunk.odd_index),
        chunk.segments(data),
        chunk.drop_logprobs(data),
        chunk.splice(data, &[]),
        chunk.carrying(data, &[(lane, "held")]),
    )
}

#[test]
fn a_chunk_is_read_alike_whatever_was_read_before() {
    let (mut alike, mut all) = (0, 0);
    for seed in 0..cases(4_000) {
        let random = &mut Random(seed);
        let mut used = ChatChunk::default();
        let mut form = *random.pick(FORMS);
        // The texts of the chunk of which the reader said that it has passed them.
        let mut passed = Vec::new();
        for _ in 0..random.below(12) {
            if random.one_in(5) {
                form = *random.pick(FORMS);
            }
            let data = chunk(random, form);
            let limits = match random.below(24) {
                0 => Limits { max_values: 18, ..Limits::default() },
                1 => Limits { max_depth: 4, ..Limits::default() },
                2 => Limits { max_segments: 2, ..Limits::default() },
                _ => Limits::default(),
            };
            let shown = || format!("seed {seed}: {}", String::from_utf8_lossy(&data));
            let read = used.reparse(&data, &limits);
            let fresh = ChatChunk::parse(&data, &limits);
            assert_eq!(read.as_ref().err(), fresh.as_ref().err(), "{}", shown());
            let fresh = fresh.unwrap_or_default();
            if read.is_err() {
                assert_eq!(told(&used, b""), told(&fresh, b""), "{}", shown());
                continue;
            }
            assert_eq!(told(&used, &data), told(&fresh, &data), "{}", shown());
            let texts: Vec<String> = used.segments(&data).iter().map(|s| format!("{s:?}")).collect();
            all += 1;
            if let Some(news) = used.news() {
                alike += 1;
                let beside = |texts: &[String]| {
                    let mut texts = texts.to_vec();
                    texts.remove(news);
                    texts
                };
                assert_eq!(beside(&texts), beside(&passed), "{}", shown());
            }
            if !random.one_in(4) {
                used.pass();
                passed = texts;
            }
        }
    }
    assert!(alike > all / 6, "{alike} of {all} chunks were like the one before: too few to tell");
}

#[test]
fn the_text_of_a_chunk_is_all_that_may_be_news() {
    let read = |chunk: &mut ChatChunk, id: &str, text: &str| {
        let data = format!(r#"{{"id":"{id}","choices":[{{"index":0,"delta":{{"content":"{text}"}}}}]}}"#);
        chunk.reparse(data.as_bytes(), &Limits::default()).unwrap();
        chunk.news().and_then(|at| chunk.segment(data.as_bytes(), at)).map(|s| s.text.into_owned())
    };
    let mut chunk = ChatChunk::default();
    assert_eq!(read(&mut chunk, "c", "one"), None, "nothing has been passed");
    assert_eq!(read(&mut chunk, "c", "two"), None);
    chunk.pass();
    assert_eq!(read(&mut chunk, "c", "th\\u0072ee").as_deref(), Some("three"));
    assert_eq!(read(&mut chunk, "d", "four"), None, "another id");
    assert_eq!(read(&mut chunk, "d", "five"), None, "which nobody has passed");
    chunk.pass();
    assert_eq!(read(&mut chunk, "d", "").as_deref(), Some(""));
    assert!(chunk.reparse(b"{", &Limits::default()).is_err());
    assert_eq!(read(&mut chunk, "d", "six"), None, "what cannot be read leaves nothing behind");
}
