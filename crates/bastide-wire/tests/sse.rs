//! The event decoder against the specification, read slowly: https://html.spec.whatwg.org/#event-stream-interpretation

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use bastide_wire::{SseDecoder, SseEvent, WireError};
use common::{Random, cases};

/// Data and name of one event.
type Event = (Option<Vec<u8>>, Option<Vec<u8>>);

/// The specification's algorithm on the whole stream, one line at a time.
fn slowly(stream: &[u8]) -> Vec<Event> {
    let stream = stream.strip_prefix(b"\xef\xbb\xbf").unwrap_or(stream);
    let mut lines: Vec<Vec<u8>> = vec![Vec::new()];
    let mut at = 0;
    while at < stream.len() {
        match stream[at] {
            b'\r' => {
                at += usize::from(stream.get(at + 1) == Some(&b'\n'));
                lines.push(Vec::new());
            }
            b'\n' => lines.push(Vec::new()),
            other => lines.last_mut().unwrap().push(other),
        }
        at += 1;
    }
    lines.pop();
    let mut events = Vec::new();
    let (mut data, mut name, mut any) = (None::<Vec<u8>>, None, false);
    for line in lines {
        if line.is_empty() {
            if std::mem::take(&mut any) {
                events.push((data.take(), name.take()));
            }
            continue;
        }
        any = true;
        let colon = line.iter().position(|&b| b == b':');
        let field = &line[..colon.unwrap_or(line.len())];
        let value = colon.map_or(&[][..], |c| &line[c + 1..]);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"data" => match &mut data {
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
                None => data = Some(value.to_vec()),
            },
            b"event" => name = Some(value.to_vec()),
            _ => {}
        }
    }
    events
}

fn decode(stream: &[u8], mut cut: impl FnMut(usize) -> usize) -> (Vec<Event>, Vec<u8>) {
    let mut decoder = SseDecoder::new(1 << 16);
    let (mut events, mut raw) = (Vec::new(), Vec::new());
    let mut rest = stream;
    loop {
        while let Some(event) = decoder.next_event() {
            let event: SseEvent<'_> = event.unwrap();
            raw.extend_from_slice(event.raw);
            events.push((event.data.map(|d| d.to_vec()), event.name.map(|n| n.to_vec())));
        }
        if rest.is_empty() {
            raw.extend_from_slice(decoder.remainder());
            return (events, raw);
        }
        let (now, later) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
        decoder.push(now);
        rest = later;
    }
}

const FRAGMENTS: &[&[u8]] = &[
    b"data: {\"a\":1}",
    b"data:x",
    b"data",
    b"data: ",
    b"data:  two",
    b"data :no",
    b"datum: no",
    b": comment",
    b":",
    b"event: e",
    b"event",
    b"id: 7",
    b"retry: 10",
    b"\xc3\xa9: \xe4\xb8\xad",
    b"data: caf\xc3\xa9",
    b"data: \xff",
    b"\n",
    b"\n",
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\r",
    b"\r\r",
    b"\xef\xbb\xbf",
    b"data: [DONE]\n\n",
    b" ",
];

#[test]
fn any_stream_cut_anywhere_reads_like_the_whole() {
    for seed in 0..cases(30_000) {
        let random = &mut Random(seed);
        let mut stream = Vec::new();
        for _ in 0..random.below(20) {
            stream.extend_from_slice(FRAGMENTS[random.below(FRAGMENTS.len())]);
        }
        let want = slowly(&stream);
        let most = 1 + random.below(9);
        for (events, raw) in
            [decode(&stream, |n| n), decode(&stream, |_| 1), decode(&stream, |_| 1 + random.below(most))]
        {
            assert_eq!(events, want, "seed {seed}: {:?}", String::from_utf8_lossy(&stream));
            assert_eq!(raw, stream, "every byte is kept, in order");
        }
    }
}

#[test]
fn every_split_of_a_telling_stream_reads_alike() {
    let stream = b"\xef\xbb\xbfdata: {\"x\":\"\xf0\x9f\x98\x80\"}\r\n\r\n: k\n\ndata:a\rdata: b\r\revent: e\ndata\n\n\n\ndata: [DONE]\r\n\r\n";
    let want = slowly(stream);
    assert_eq!(want.len(), 5);
    assert_eq!(want[2].0.as_deref(), Some(&b"a\nb"[..]));
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let mut cuts = [first, second - first].into_iter().filter(|&n| n > 0);
            let (events, raw) = decode(stream, |rest| cuts.next().unwrap_or(rest));
            assert_eq!((events, raw.as_slice()), (want.clone(), &stream[..]), "{first} {second}");
        }
    }
}

#[test]
fn an_event_is_there_as_soon_as_its_blank_line() {
    for end in ["\n\n", "\r\r", "\r\n\r\n", "\n\r", "\r\n\n"] {
        let mut decoder = SseDecoder::new(100);
        decoder.push(format!("data: x{end}").as_bytes());
        let event = decoder.next_event().unwrap().unwrap();
        assert_eq!(event.data, Some(&b"x"[..]), "{end:?}");
        assert!(!event.has_more && !event.is_done());
        assert!(decoder.next_event().is_none() && decoder.held_bytes() == 0, "{end:?}");
    }
}

#[test]
fn size_is_bounded() {
    for (stream, good) in [
        (vec![b'x'; 200], 0),
        (b"data: ok\n\n".iter().copied().chain([b'\n'; 200]).collect(), 1),
        (format!("data: {}\n\ndata: y\n\n", "z".repeat(100)).into_bytes(), 0),
    ] {
        let mut decoder = SseDecoder::new(100);
        decoder.push(&stream);
        for _ in 0..good {
            assert!(matches!(decoder.next_event(), Some(Ok(_))));
        }
        assert_eq!(decoder.next_event().map(|r| r.map_err(|e| e.code)), Some(Err(WireError::EVENT_SIZE)));
        decoder.push(b"data: later\n\n");
        assert!(decoder.next_event().is_none() && decoder.held_bytes() == 0);
    }
}

#[test]
fn a_framed_event_reads_back() {
    for data in [&b"x"[..], b"", b"a\nb", b"{\"a\": 1}", b" lead"] {
        let framed = SseEvent::framed(data);
        assert_eq!(slowly(&framed), [(Some(data.to_vec()), None)]);
        let mut decoder = SseDecoder::new(100);
        decoder.push(&framed);
        assert_eq!(decoder.next_event().unwrap().unwrap().data, Some(data));
    }
    let mut decoder = SseDecoder::new(100);
    decoder.push(b": ping\n\ndata: [DONE]\n\n");
    let ping = decoder.next_event().unwrap().unwrap();
    assert!(ping.data.is_none() && ping.has_more);
    assert!(decoder.next_event().unwrap().unwrap().is_done());
}
