//! What must hold for any bytes from outside. Each function takes an input and panics where it does not hold; that
//! the parsers themselves do not panic, loop or swell is the first claim of each.
//!
//! This file is compiled into libFuzzer's binaries and into an ordinary test: the claims are in one place.

use std::sync::OnceLock;

use bastide_anonymize::Placement;
use bastide_api::Operation;
use bastide_audit::{BodyHeader, DiskFile, Receipt, scan_bodies};
use bastide_console::outside;
use bastide_crypto::SigningKey;
use bastide_identity::{KEY_PREFIX, looks_like_a_key};
use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax, injection_detectors, standard_detectors};
use bastide_policy::PolicySet;
use bastide_tlog::{Note, NoteKey, TilePath, decode_bundle, encode_bundle};
use bastide_types::{Finding, Segment, Span};
use bastide_verify::{VerifierKey, open_checkpoint, verify_receipt};
use bastide_wire::http1::{BodyReader, HttpError, ResponseHead, head_end};
use bastide_wire::{ChatChunk, ChatRequest, ChatResponse, Edit, JsonDocument, Limits, SseDecoder, WireError};
use bytes::BytesMut;

/// A target's name and what it claims.
pub type Target = (&'static str, fn(&[u8]));

#[path = "artifact.rs"]
mod artifact;

/// Every target.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().chain(artifact::TARGETS)
}

/// Runs the target called `name`.
pub fn run(name: &str, data: &[u8]) {
    let (_, target) = targets().find(|(known, _)| *known == name).expect("a known target");
    target(data);
}

/// Those of this file.
const TARGETS: &[Target] = &[
    ("json_scanner", json_scanner),
    ("chat_request", chat_request),
    ("chat_response", chat_response),
    ("chat_chunk", chat_chunk),
    ("http1_response", http1_response),
    ("sse", sse),
    ("inspect", inspect),
    ("stream_inspect", stream_inspect),
    ("receipt_parse", receipt_parse),
    ("checkpoint_parse", checkpoint_parse),
    ("entry_bundle", entry_bundle),
    ("tile_path", tile_path),
    ("policy_parse", policy_parse),
    ("presented_key", presented_key),
    ("placement", placement),
    ("body_segment", body_segment),
    ("cookie", cookie),
    ("form", form),
    ("api_request", api_request),
];

/// Longest text given to the engines, in bytes: they are linear, and short inputs find more in the same time.
const MAX_TEXT: usize = 8 * 1024;

/// What is written over a segment: everything that JSON has to escape, and a character of four bytes.
const REPLACEMENT: &str = "a\"b\\c\n\u{1}\u{2028}🏰";

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok()
}

/// Splices nothing, then each of the first segments.
fn splices(body: &[u8], segments: &[Segment<'_>], splice: impl Fn(&[Edit]) -> Result<Vec<u8>, WireError>) {
    assert!(is_json(body), "another parser refuses what this one took");
    assert_eq!(splice(&[]).as_deref(), Ok(body), "an edit of nothing changes nothing");
    for segment in segments.iter().take(24) {
        let length = segment.text.len();
        for span in [Span::new(0, length), Span::new(length / 3, length / 2), Span::new(0, 0)] {
            let edit = Edit { segment: segment.index, span, replacement: REPLACEMENT.to_owned() };
            if let Ok(edited) = splice(&[edit]) {
                assert!(is_json(&edited), "an edit broke the document: {}", String::from_utf8_lossy(&edited));
            }
        }
    }
}

/// Any JSON.
pub fn json_scanner(data: &[u8]) {
    if let Ok(document) = JsonDocument::parse(data, &Limits::default()) {
        let segments = document.segments(data);
        for segment in segments.iter().take(24) {
            let _ = document.paths(data).of(segment.index).len();
        }
        splices(data, &segments, |edits| document.splice(data, edits));
    }
    let narrow = Limits { max_depth: 3, max_values: 10, max_segments: 5 };
    if let Ok(document) = JsonDocument::parse(data, &narrow) {
        assert!(document.segments(data).len() <= 5);
    }
}

/// The body of a chat request.
pub fn chat_request(data: &[u8]) {
    let Ok(request) = ChatRequest::parse(data, &Limits::default()) else { return };
    let segments = request.segments(data);
    for segment in segments.iter().take(24) {
        let _ = request.paths(data).of(segment.index).len();
    }
    splices(data, &segments, |edits| request.splice(data, edits));
    let renamed =
        request.splice_with(data, &[], Some("another \"model\"")).expect("a parsed request can be renamed");
    let again = ChatRequest::parse(&renamed, &Limits::default()).expect("a renamed request parses");
    assert_eq!(again.model, "another \"model\"");
    assert_eq!((again.stream, again.n, again.tools), (request.stream, request.n, request.tools));
}

/// The body of a chat response.
pub fn chat_response(data: &[u8]) {
    let Ok(response) = ChatResponse::parse(data, &Limits::default()) else { return };
    let segments = response.segments(data);
    for segment in segments.iter().take(24) {
        let _ = response.paths(data).of(segment.index).len();
    }
    splices(data, &segments, |edits| response.splice(data, edits));
}

/// The data of a stream event.
pub fn chat_chunk(data: &[u8]) {
    let Ok(chunk) = ChatChunk::parse(data, &Limits::default()) else { return };
    let segments = chunk.segments(data);
    for segment in segments.iter().take(24) {
        let _ = (chunk.lane(segment.index), chunk.paths(data).of(segment.index).len());
    }
    splices(data, &segments, |edits| {
        let edited = chunk.splice(data, edits)?;
        reads_alike(&chunk, &edited);
        Ok(edited)
    });
    let without = chunk.drop_logprobs(data).expect("a parsed chunk can lose its logprobs");
    assert!(is_json(&without));
}

/// A response of an upstream, its body cut by its own first byte: what is read does not depend on the cuts.
pub fn http1_response(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let Some(end) = head_end(data, 0) else { return };
    for searched in 0..end {
        assert_eq!(head_end(data, searched), Some(end), "where the search began matters");
    }
    let (head, body) = data.split_at(end);
    let Ok(head) = ResponseHead::parse(head, |name, _| assert!(!name.is_empty())) else { return };
    let read = |step: usize| {
        let (mut reader, mut buffer, mut read) = (BodyReader::new(head.framing), BytesMut::new(), Vec::new());
        for piece in body.chunks(step.max(1)) {
            buffer.extend_from_slice(piece);
            if let Some(data) = reader.take(&mut buffer)? {
                read.extend_from_slice(&data);
            }
        }
        let over = reader.is_done();
        Ok((read, over.then(|| buffer.to_vec()), reader.close()))
    };
    let whole: Result<_, HttpError> = read(body.len());
    assert_eq!(whole, read(usize::from(*first)), "the cuts matter");
    if let Ok((read, rest, _)) = whole {
        assert!(read.len() + rest.map_or(0, |rest| rest.len()) <= body.len(), "more is read than there is");
    }
}

/// Read into the memory of `last`, a chunk is what it is alone.
fn reads_alike(last: &ChatChunk, data: &[u8]) {
    let mut used = last.clone();
    let read = used.reparse(data, &Limits::default());
    let fresh = ChatChunk::parse(data, &Limits::default());
    assert_eq!(read.as_ref().err(), fresh.as_ref().err());
    if let Ok(fresh) = fresh {
        assert_eq!(used.segments(data), fresh.segments(data));
        let places = |chunk: &ChatChunk| -> Vec<_> {
            (0..chunk.segment_count())
                .map(|at| (chunk.lane(at), chunk.paths(data).of(at).to_owned()))
                .collect()
        };
        assert_eq!(places(&used), places(&fresh));
    }
}

/// An event stream, cut by its own first byte.
pub fn sse(data: &[u8]) {
    const MAX_EVENT: usize = 4096;
    let Some((first, data)) = data.split_first() else { return };
    let decode = |step: usize| {
        let mut decoder = SseDecoder::new(MAX_EVENT);
        let (mut raw, mut events, mut failed) = (Vec::new(), Vec::new(), false);
        for piece in data.chunks(step.max(1)) {
            decoder.push(piece);
            while let Some(event) = decoder.next_event() {
                match event {
                    Ok(event) => {
                        raw.extend_from_slice(event.raw);
                        let (data, name) = (event.data.map(<[u8]>::to_vec), event.name.map(<[u8]>::to_vec));
                        events.push((data, name, event.has_more));
                    }
                    Err(_) => failed = true,
                }
            }
            assert!(decoder.held_bytes() <= MAX_EVENT + piece.len() + 3, "more is held than one event");
        }
        raw.extend_from_slice(decoder.remainder());
        (raw, events, failed)
    };
    let (raw, events, failed) = decode(data.len());
    let (raw_cut, events_cut, failed_cut) = decode(usize::from(*first));
    if failed || failed_cut {
        let common = events.len().min(events_cut.len());
        assert_eq!(events[..common], events_cut[..common]);
    } else {
        assert_eq!(events, events_cut, "the cut changes what is read");
        assert_eq!((raw.as_slice(), raw_cut.as_slice()), (data, data), "a byte was lost or doubled");
    }
}

fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let mut detectors = standard_detectors();
        let have: Vec<&str> = detectors.iter().map(|detector| detector.id()).collect();
        let more: Vec<_> =
            injection_detectors().into_iter().filter(|detector| !have.contains(&detector.id())).collect();
        detectors.extend(more);
        Engine::new(detectors).expect("the standard detectors build")
    })
}

/// Splits off a byte that chooses the syntax and a byte that chooses the cuts; the rest, made valid, is the text.
fn syntax_and_text(data: &[u8]) -> (Syntax, usize, String) {
    let (syntax, data) = data.split_first().unwrap_or((&0, data));
    let (step, data) = data.split_first().unwrap_or((&0, data));
    let data = &data[..data.len().min(MAX_TEXT)];
    let syntax = if syntax % 4 == 3 { Syntax::Json } else { Syntax::Plain };
    (syntax, usize::from(*step), String::from_utf8_lossy(data).into_owned())
}

fn check_findings(text: &str, findings: &[Finding]) {
    for finding in findings {
        assert!(!finding.span.is_empty(), "{finding:?}");
        assert!(
            text.get(finding.span.start..finding.span.end).is_some(),
            "{finding:?} is not within the text"
        );
    }
    assert!(findings.is_sorted_by_key(|finding| finding.span.start), "{findings:?}");
}

/// Whole-text inspection.
pub fn inspect(data: &[u8]) {
    let (syntax, _, text) = syntax_and_text(data);
    let (mut scratch, mut findings, mut again) = (Scratch::default(), Vec::new(), Vec::new());
    engine().inspect(&text, syntax, &mut scratch, &mut findings);
    check_findings(&text, &findings);
    engine().inspect(&text, syntax, &mut scratch, &mut again);
    assert_eq!(findings, again, "a used scratch changes the result");
}

/// Inspection in pieces finds what inspection of the whole finds, and releases no byte of it early.
pub fn stream_inspect(data: &[u8]) {
    let (syntax, step, text) = syntax_and_text(data);
    let (mut scratch, mut whole) = (Scratch::default(), Vec::new());
    engine().inspect(&text, syntax, &mut scratch, &mut whole);
    let mut stream = StreamInspector::new(syntax);
    let (mut findings, mut released, mut from) = (Vec::new(), 0, 0);
    while from < text.len() {
        let mut to = (from + step % 61 + 1).min(text.len());
        while !text.is_char_boundary(to) {
            to += 1;
        }
        let now = stream.push(engine(), &mut scratch, &text[from..to], &mut findings);
        assert!(now >= released && now <= to, "released {now} of {to} after {released}");
        assert!(text.is_char_boundary(now));
        // What was released may not hold a byte of a finding that was not yet told.
        let unsaid = whole.iter().find(|finding| finding.span.start < now && !findings.contains(finding));
        assert!(unsaid.is_none(), "released {now} over {unsaid:?}");
        (released, from) = (now, to);
    }
    assert_eq!(stream.finish(engine(), &mut scratch, &mut findings), text.len());
    check_findings(&text, &findings);
    assert_eq!(findings, whole, "chunked and whole differ");
}

const LOG: &str = "fuzz.example/log";

fn log_key() -> &'static (SigningKey, NoteKey, VerifierKey) {
    static KEY: OnceLock<(SigningKey, NoteKey, VerifierKey)> = OnceLock::new();
    KEY.get_or_init(|| {
        let signing = SigningKey::from_seed([7; 32]);
        let key = NoteKey::new(LOG, signing.verifying_key()).expect("the name is fine");
        let verifier = key.vkey().parse().expect("the verifier reads the writer's key");
        (signing, key, verifier)
    })
}

/// The text of a receipt: the writer's reader and the verifier's agree, and neither believes it.
pub fn receipt_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (_, key, verifier) = log_key();
    let mine = Receipt::parse(text);
    if let Ok(receipt) = &mine {
        assert_eq!(
            receipt.to_string().parse::<Receipt>().as_ref(),
            Ok(receipt),
            "a receipt survives printing"
        );
    }
    let believed = mine.is_ok_and(|receipt| receipt.verify(key).is_ok());
    assert_eq!(believed, verify_receipt(text, verifier, None).is_ok(), "writer and verifier disagree");
}

/// A signed note, and any text signed as if it were a checkpoint.
pub fn checkpoint_parse(data: &[u8]) {
    let (signing, key, verifier) = log_key();
    if let Ok(note) = Note::parse(data) {
        let _ = (note.verify(key), note.signatures().len());
    }
    let _ = open_checkpoint(data, verifier);
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(signed) = Note::sign(text, key, signing)
    {
        let note = Note::parse(signed.as_bytes()).expect("what was signed parses");
        assert_eq!(note.verify(key), Ok(text), "what was signed verifies");
        if let Ok(theirs) = open_checkpoint(signed.as_bytes(), verifier) {
            let mine = bastide_tlog::Checkpoint::parse(text)
                .expect("the verifier took a checkpoint that the writer refuses");
            assert_eq!((mine.size, mine.root.0), (theirs.size, theirs.root.0));
            assert_eq!(mine.origin, theirs.origin);
        }
    }
}

/// A bundle of log entries.
pub fn entry_bundle(data: &[u8]) {
    if let Ok(entries) = decode_bundle(data) {
        assert_eq!(encode_bundle(entries).as_deref(), Ok(data), "a bundle has one spelling");
    }
}

/// The path of a tile.
pub fn tile_path(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(path) = TilePath::parse(text)
    {
        assert_eq!(path.to_string(), text, "a path has one spelling");
    }
}

/// A policy text.
pub fn policy_parse(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(2048)]) else { return };
    match PolicySet::parse(text) {
        Ok(set) => {
            assert_eq!(set.text(), text);
            let again = PolicySet::parse(text).expect("what parsed parses again");
            assert_eq!(set.digest(), again.digest());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A text that is presented as a key.
pub fn presented_key(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if looks_like_a_key(&text) {
        assert!(text.starts_with(KEY_PREFIX) && text.is_ascii());
        let mut typo = text.clone().into_owned().into_bytes();
        if let Some(last) = typo.last_mut() {
            *last = if *last == b'2' { b'3' } else { b'2' };
        }
        let typo = String::from_utf8_lossy(&typo).into_owned();
        assert!(!looks_like_a_key(&typo), "the checksum misses a wrong last character");
    }
}

/// A text in which values are put back: the answer does not depend on the cuts.
pub fn placement(data: &[u8]) {
    let (syntax, step, text) = syntax_and_text(data);
    let new = || if syntax == Syntax::Json { Placement::json() } else { Placement::new() };
    let (mut whole, mut cut) = (new(), new());
    whole.advance(&text);
    let mut from = 0;
    while from < text.len() {
        let mut to = (from + step % 13 + 1).min(text.len());
        while !text.is_char_boundary(to) {
            to += 1;
        }
        cut.advance(&text[from..to]);
        from = to;
    }
    assert_eq!(whole.restorable(), cut.restorable());
    assert_eq!(whole, cut);
}

/// A file in memory.
struct Memory<'a>(&'a [u8]);

impl DiskFile for Memory<'_> {
    fn size(&self) -> std::io::Result<u64> {
        Ok(u64::try_from(self.0.len()).unwrap_or(u64::MAX))
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> std::io::Result<usize> {
        let from = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let count = from.len().min(out.len());
        out[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }
    fn write_at(&mut self, _: u64, _: &[u8]) -> std::io::Result<usize> {
        Ok(0)
    }
    fn sync(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A segment of kept bodies.
pub fn body_segment(data: &[u8]) {
    let scan = |data: &[u8]| {
        let mut found: Vec<(usize, BodyHeader)> = Vec::new();
        scan_bodies(&Memory(data), |offset, header| {
            found.push((usize::try_from(offset).expect("within the file"), header.clone()));
            Ok(true)
        })
        .expect("memory is readable");
        found
    };
    let found = scan(data);
    let mut end = 0;
    for (offset, header) in &found {
        assert!(*offset >= end, "records do not overlap");
        end = offset + header.record_bytes();
        assert!(end <= data.len(), "a record is whole");
        assert_eq!(data[*offset..*offset + 64], header.encode(), "a header has one spelling");
    }
    // Garbage before the records hides none of them: whoever reads finds the next one again.
    let moved = scan(&[&[0; 61], data].concat());
    let places = |found: &[(usize, BodyHeader)], by: usize| -> Vec<usize> {
        found.iter().map(|(at, _)| at + by).collect()
    };
    assert_eq!(places(&moved, 0), places(&found, 61));
}

/// A `cookie` header.
pub fn cookie(data: &[u8]) {
    let name = "bastide_session";
    let found = [false, true].map(|secure| outside::cookie(data, name, secure));
    for value in found.iter().flatten() {
        assert!(!value.is_empty() && !value.contains(';'), "{value:?} is more than one value");
        let twice = [data, b"; ", data].concat();
        assert!(outside::cookie(&twice, name, false).is_none_or(|again| Some(again) == found[0]));
    }
    // One that a neighbour planted beside ours makes both count for nothing.
    if let Some(value) = &found[0] {
        let planted = [data, format!("; {name}={value}x").as_bytes()].concat();
        assert_eq!(outside::cookie(&planted, name, false), None);
    }
    let token: String = data.iter().map(|byte| char::from(b'a' + byte % 26)).take(64).collect();
    for secure in [false, true] {
        let set = outside::set_cookie(name, &token, secure);
        let pair = set.split(';').next().unwrap_or_default();
        let back = outside::cookie(pair.as_bytes(), name, secure);
        assert_eq!(back.unwrap_or_default(), token, "what was set comes back");
        assert_eq!(outside::cookie(pair.as_bytes(), name, !secure), None, "and on no other connection");
    }
}

/// A form or a query string of the console.
pub fn form(data: &[u8]) {
    let fields = outside::form(data);
    assert!(fields.len() <= 200, "{} fields", fields.len());
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let pairs: Vec<String> = fields.iter().map(|(n, v)| format!("{}={}", escape(n), escape(v))).collect();
    assert_eq!(outside::form(pairs.join("&").as_bytes()), fields, "fields survive being written");
}

/// What an operation of the management API takes: its query, a line break, its body.
pub fn api_request(data: &[u8]) {
    let (which, data) = data.split_first().unwrap_or((&0, data));
    let Some(operation) = Operation::ALL.get(usize::from(*which) % Operation::ALL.len()) else { return };
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (query, body) = (String::from_utf8_lossy(&data[..end]), data.get(end + 1..).unwrap_or_default());
    let first = operation.reads(&query, body);
    if let Err(problem) = &first {
        assert!(problem.detail.len() < 1200, "what was sent is repeated without bound");
        assert!(!problem.detail.chars().any(char::is_control), "{:?}", problem.detail);
        assert_eq!((problem.status, problem.code), (400, "api.request"), "{problem}");
    }
    assert_eq!(operation.reads(&query, body), first, "the same is read in the same way");
}
