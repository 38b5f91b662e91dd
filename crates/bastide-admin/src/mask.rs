//! Bodies for eyes that have no need of the values: everything that the guard's detectors find is masked.
//!
//! Spans in the log count in texts, and say of a stream only where in each answer they were; so the text is inspected
//! again, as the gateway inspects it: request and answer by their texts, a stream by the texts that its events spell
//! together, and what is said in parts or pieces in every reading of it. What cannot be read is not shown at all.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bastide_inspect::{Engine, Scratch, Syntax};
use bastide_types::{Finding, Segment, SegmentKind, Span};
use bastide_wire::{
    ChatChunk, ChatRequest, ChatResponse, Edit, JoinedText, JsonDocument, Lane, Limits, SseDecoder, SseEvent,
};

/// A value may go on behind the place where its body was cut, which hides it from its detector: so much before the cut
/// is not shown. Values are shorter, but for keys in PEM, which are found from their beginning.
const BEFORE_CUT: usize = 256;
/// An event of a kept stream is smaller than the stream.
const EVENT_BYTES: usize = 1 << 20;

/// Masks bodies.
pub(crate) struct Masker {
    engine: Arc<Engine>,
    scratch: Scratch,
    reasons: BTreeMap<&'static str, String>,
}

/// Places in a text and what goes there instead.
type Masks = Vec<(Span, String)>;

/// One event of a stream.
enum Piece {
    Chunk { chunk: Box<ChatChunk>, data: Vec<u8>, edits: Vec<Edit> },
    Text(String),
}

/// One piece of a lane's text.
struct LanePiece {
    event: usize,
    segment: usize,
    text: String,
}

/// What stands where the end of a text is hidden.
const HIDDEN: &str = "[not shown: a value may go on behind the cut]";

impl Masker {
    /// With the engine of all detectors.
    pub(crate) fn new(engine: Arc<Engine>) -> Masker {
        Masker { engine, scratch: Scratch::default(), reasons: BTreeMap::new() }
    }

    /// Why each detector that found something says it did, the first time.
    pub(crate) fn into_reasons(self) -> BTreeMap<&'static str, String> {
        self.reasons
    }

    /// A body with masks, `cut` when its end is missing.
    pub(crate) fn body(&mut self, request: bool, body: &[u8], cut: bool) -> String {
        let document = if cut { None } else { self.document(request, body) };
        match document {
            Some(masked) => masked,
            None if !request && is_stream(body) => self.stream(body, cut),
            None => self.raw(body, cut),
        }
    }

    /// A JSON document by its texts; `None` when it is none.
    fn document(&mut self, request: bool, body: &[u8]) -> Option<String> {
        let limits = Limits::default();
        let masked = if let Some(d) = request.then(|| ChatRequest::parse(body, &limits).ok()).flatten() {
            d.splice(body, &self.edits(&d.segments(body), &d.joined))
        } else if let Some(d) = (!request).then(|| ChatResponse::parse(body, &limits).ok()).flatten() {
            let edits = self.edits(&d.segments(body), &d.joined);
            // Log probabilities repeat the text in pieces that no detector sees together.
            if d.has_logprobs { d.splice_without_logprobs(body, &edits) } else { d.splice(body, &edits) }
        } else {
            let d = JsonDocument::parse(body, &limits).ok()?;
            d.splice(body, &self.edits(&d.segments(body), &[]))
        };
        String::from_utf8(masked.ok()?).ok()
    }

    /// Masks for all segments.
    fn edits(&mut self, segments: &[Segment<'_>], joined: &[Vec<usize>]) -> Vec<Edit> {
        let all: Vec<usize> = (0..segments.len()).collect();
        self.edits_of(segments, &all, joined)
    }

    /// Masks for some segments, those of each list of `joined` as one text.
    fn edits_of(&mut self, segments: &[Segment<'_>], some: &[usize], joined: &[Vec<usize>]) -> Vec<Edit> {
        let together: BTreeSet<usize> = joined.iter().flatten().copied().collect();
        let mut edits = Vec::new();
        for segment in some.iter().filter(|at| !together.contains(at)).filter_map(|at| segments.get(*at)) {
            let masks = self.masks(&JoinedText::single(&segment.text), syntax(segment.kind));
            let edit = |(span, replacement)| Edit { segment: segment.index, span, replacement };
            edits.extend(masks.into_iter().map(edit));
        }
        for list in joined {
            let parts: Vec<&Segment<'_>> = list.iter().filter_map(|at| segments.get(*at)).collect();
            let text = JoinedText::new(parts.iter().map(|part| &*part.text));
            for (part, span, replacement) in spread(&text, self.masks(&text, Syntax::Plain)) {
                let Some(part) = parts.get(part) else { continue };
                edits.push(Edit { segment: part.index, span, replacement });
            }
        }
        edits
    }

    /// What any reading of a text shows, in order, one mask for findings that overlap.
    fn masks(&mut self, text: &JoinedText<'_>, syntax: Syntax) -> Masks {
        let mut findings: Vec<Finding> = Vec::new();
        for reading in text.readings() {
            let known = findings.len();
            self.engine.inspect(&reading.text, syntax, &mut self.scratch, &mut findings);
            findings.iter_mut().skip(known).for_each(|f| f.span = text.place(&reading, f.span));
        }
        findings.retain(|f| !f.span.is_empty());
        for finding in &findings {
            self.reasons.entry(finding.detector).or_insert_with(|| finding.reason.to_string());
        }
        findings.sort_by_key(|f| (f.span.start, Reverse(f.span.end)));
        let mut masks: Masks = Vec::new();
        for finding in findings {
            match masks.last_mut() {
                Some((last, _)) if last.overlaps(finding.span) => last.end = last.end.max(finding.span.end),
                _ => masks.push((finding.span, format!("[{}]", finding.category.as_str()))),
            }
        }
        masks
    }

    /// Text of no known shape.
    fn raw(&mut self, body: &[u8], cut: bool) -> String {
        let text = String::from_utf8_lossy(body);
        let mut out = String::new();
        let mut at = 0;
        let shown = if cut { floor(&text, text.len().saturating_sub(BEFORE_CUT)) } else { text.len() };
        for (span, mask) in self.masks(&JoinedText::single(&text), Syntax::Json) {
            if span.start >= shown {
                break;
            }
            out.push_str(text.get(at..span.start).unwrap_or_default());
            out.push_str(&mask);
            at = span.end;
        }
        out.push_str(text.get(at..shown).unwrap_or_default());
        if cut {
            out.push_str(HIDDEN);
        }
        out
    }

    /// A stream of events by the texts that they spell together.
    fn stream(&mut self, body: &[u8], cut: bool) -> String {
        let mut decoder = SseDecoder::new(EVENT_BYTES);
        decoder.push(body);
        let mut pieces = Vec::new();
        let mut rest = "";
        while let Some(event) = decoder.next_event() {
            match event {
                Ok(event) => self.event(&event, &mut pieces),
                Err(_) => {
                    rest = "[not shown: the rest is no stream of events]\n";
                    break;
                }
            }
        }
        if rest.is_empty() && !decoder.remainder().is_empty() {
            rest = "[not shown: an event without its end]\n";
        }
        self.lanes(&mut pieces, cut);
        let mut out = String::new();
        for piece in pieces {
            match piece {
                Piece::Text(text) => out.push_str(&text),
                Piece::Chunk { chunk, data, edits } => {
                    let masked = if chunk.has_logprobs {
                        chunk.splice_without_logprobs(&data, &edits)
                    } else {
                        chunk.splice(&data, &edits)
                    };
                    match masked {
                        Ok(masked) => {
                            out.push_str(&String::from_utf8_lossy(&SseEvent::framed(&masked)));
                        }
                        Err(_) => out.push_str("[not shown: an event that cannot be masked]\n\n"),
                    }
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn event(&mut self, event: &SseEvent<'_>, pieces: &mut Vec<Piece>) {
        let chunk = event.data.and_then(|data| {
            let chunk = Box::new(ChatChunk::parse(data, &Limits::default()).ok()?);
            Some(Piece::Chunk { chunk, data: data.to_vec(), edits: Vec::new() })
        });
        if event.data.is_none() || event.has_more || chunk.is_none() {
            // Names, ids and comments; and data that is no chunk, `[DONE]` included.
            let text = String::from_utf8_lossy(event.raw);
            let unread = text.lines().filter(|l| chunk.is_none() || !l.starts_with("data:"));
            let unread: String = unread.flat_map(|l| [l, "\n"]).collect();
            let masked = self.raw(unread.as_bytes(), false);
            pieces.push(Piece::Text(masked));
        }
        pieces.extend(chunk);
    }

    /// Inspects what the pieces of each lane spell, and every other text of a chunk by itself. Of a stream that is cut,
    /// the end of each lane's text is hidden.
    fn lanes(&mut self, pieces: &mut [Piece], cut: bool) {
        // Unknown fields are lanes of their own, by where they stand.
        let mut lanes: BTreeMap<(Lane, String), Vec<LanePiece>> = BTreeMap::new();
        for (event, piece) in pieces.iter_mut().enumerate() {
            let Piece::Chunk { chunk, data, edits } = piece else { continue };
            let segments = chunk.segments(data);
            let beside: Vec<usize> =
                segments.iter().map(|s| s.index).filter(|at| chunk.lane(*at).is_none()).collect();
            edits.extend(self.edits_of(&segments, &beside, &chunk.joined));
            let mut paths = chunk.lane_paths(data);
            for segment in segments {
                let Some(lane) = chunk.lane(segment.index) else { continue };
                let path = paths.of(segment.index).unwrap_or_default();
                let text = segment.text.into_owned();
                lanes.entry((lane, path)).or_default().push(LanePiece {
                    event,
                    segment: segment.index,
                    text,
                });
            }
        }
        for ((lane, _), said) in lanes {
            let text = JoinedText::new(said.iter().map(|piece| piece.text.as_str()));
            let syntax = if lane.field.is_json() { Syntax::Json } else { Syntax::Plain };
            let mut masks = self.masks(&text, syntax);
            if cut {
                hide_end(text.text(), &mut masks);
            }
            for (part, span, replacement) in spread(&text, masks) {
                let Some(LanePiece { event, segment, .. }) = said.get(part) else { continue };
                let Some(Piece::Chunk { edits, .. }) = pieces.get_mut(*event) else { continue };
                edits.push(Edit { segment: *segment, span, replacement });
            }
        }
    }
}

/// Masks by the number of each part of a text. A mask stands where its value begins; the rest of the value is left out.
fn spread(text: &JoinedText<'_>, masks: Masks) -> Vec<(usize, Span, String)> {
    let mut spread = Vec::new();
    for (span, mask) in masks {
        let mut mask = mask;
        for (part, inside) in text.spread(span) {
            spread.push((part, inside, std::mem::take(&mut mask)));
        }
    }
    spread
}

/// Puts one mask over the end of a text, and over the value that may reach into it.
fn hide_end(text: &str, masks: &mut Masks) {
    let mut shown = floor(text, text.len().saturating_sub(BEFORE_CUT));
    while let Some((span, _)) = masks.pop_if(|(span, _)| span.end > shown) {
        shown = shown.min(span.start);
    }
    if shown < text.len() {
        masks.push((Span::new(shown, text.len()), HIDDEN.to_owned()));
    }
}

const fn syntax(kind: SegmentKind) -> Syntax {
    match kind {
        SegmentKind::JsonText => Syntax::Json,
        SegmentKind::Text | SegmentKind::Key | SegmentKind::Number => Syntax::Plain,
    }
}

fn is_stream(body: &[u8]) -> bool {
    ["data:", "event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| body.trim_ascii_start().starts_with(field.as_bytes()))
}

/// The last boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine() -> Arc<Engine> {
        Arc::new(Engine::new(bastide_inspect::standard_detectors()).unwrap())
    }

    const CARD: &str = "4111 1111 1111 1111";

    fn masked(request: bool, body: &str, cut: bool) -> String {
        Masker::new(engine()).body(request, body.as_bytes(), cut)
    }

    #[test]
    fn values_in_documents_are_masked_and_the_rest_is_as_it_was() {
        let body = format!(
            r#"{{"model":"m",  "messages":[{{"role":"user","content":"card {CARD} or {}"}}],"n":4111111111111111}}"#,
            CARD.replace('1', "\\u0031")
        );
        let expected = r#"{"model":"m",  "messages":[{"role":"user","content":"card [CREDIT_CARD] or [CREDIT_CARD]"}],"n":"[CREDIT_CARD]"}"#;
        assert_eq!(masked(true, &body, false), expected);
        let answer = format!(r#"{{"choices":[{{"message":{{"content":"{CARD}"}}}}],"x":"{CARD}"}}"#);
        let expected = r#"{"choices":[{"message":{"content":"[CREDIT_CARD]"}}],"x":"[CREDIT_CARD]"}"#;
        assert_eq!(masked(false, &answer, false), expected);
    }

    #[test]
    fn a_value_spread_over_a_stream_is_masked_in_every_piece() {
        let event = |text: &str| {
            format!(
                "data: {}\n\n",
                serde_json::json!({"choices":[{"index":0,"delta":{"content":text}}],"id":format!("of {CARD}")})
            )
        };
        let text = format!("my card {CARD} is {CARD}!");
        let pieces: Vec<String> =
            text.as_bytes().chunks(3).map(|c| event(std::str::from_utf8(c).unwrap())).collect();
        let body = format!(": mail ada@example.org\n\n{}data: [DONE]\n\n", pieces.concat());
        let shown = masked(false, &body, false);
        assert!(shown.contains("[DONE]") && !shown.contains("ada@"), "{shown}");
        let said: String = shown
            .lines()
            .filter_map(|l| serde_json::from_str::<serde_json::Value>(l.strip_prefix("data: ")?).ok())
            .filter_map(|v| v["choices"][0]["delta"]["content"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(said, "my card [CREDIT_CARD] is [CREDIT_CARD]!");
        assert!(!shown.contains("4111"), "{shown}");
    }

    #[test]
    fn what_has_no_shape_or_no_end_is_masked_too() {
        assert_eq!(masked(false, &format!("<html>{CARD}</html>"), false), "<html>[CREDIT_CARD]</html>");
        let long = format!(r#"{{"messages":[{{"content":"{CARD} {} 4111 1111 11"#, "word ".repeat(60));
        let shown = masked(true, &long, true);
        assert!(shown.starts_with(r#"{"messages":[{"content":"[CREDIT_CARD] word"#), "{shown}");
        assert!(!shown.contains("4111") && shown.ends_with("behind the cut]"), "{shown}");
        let torn = format!("data: {{\"choices\":[]}}\n\ndata: {{\"x\":\"{CARD}");
        let shown = masked(false, &torn, true);
        assert!(shown.contains("choices") && !shown.contains("4111"), "{shown}");
    }

    fn chunk(delta: &serde_json::Value) -> String {
        format!("data: {}\n\n", serde_json::json!({"choices":[{"index":0,"delta":delta}]}))
    }

    #[test]
    fn a_value_spread_over_parts_is_masked_in_each() {
        let parts = |texts: &[&str]| -> serde_json::Value {
            texts.iter().map(|t| serde_json::json!({"type":"text","text":t})).collect()
        };
        for texts in [
            ["my card 4111 1111 ", "1111 1111 is it", ""],
            ["serial ", "219-09-9998", " is it"],
            ["see", "4111 1111 1111 1111", "12 apples"],
        ] {
            let content = parts(&texts);
            let message = serde_json::json!({"role":"assistant","content":content});
            let request = serde_json::json!({"model":"m","messages":[message]}).to_string();
            let answer = serde_json::json!({"choices":[{"index":0,"message":message}]}).to_string();
            let stream = format!("data: {answer}\n\n");
            for (request, body) in [(true, &request), (false, &answer), (false, &stream)] {
                let shown = masked(request, body, false);
                assert!(!shown.contains("1111") && !shown.contains("219-09"), "{shown}");
                assert!(shown.contains("[CREDIT_CARD]") || shown.contains("[US_SSN]"), "{shown}");
            }
        }
    }

    #[test]
    fn unknown_fields_of_a_stream_are_texts_of_their_own() {
        let body: String = CARD
            .split_inclusive(' ')
            .map(|piece| chunk(&serde_json::json!({"x_note":piece,"x_other":"hello "})))
            .collect();
        let shown = masked(false, &body, false);
        assert!(!shown.contains("1111") && shown.contains("[CREDIT_CARD]"), "{shown}");
        assert_eq!(shown.matches("hello").count(), 4, "{shown}");
        let apart = [serde_json::json!({"x_note":"serial "}), serde_json::json!({"x_note":"219-09-9998"})];
        let shown = masked(false, &apart.iter().map(chunk).collect::<String>(), false);
        assert!(!shown.contains("219-09"), "{shown}");
    }

    #[test]
    fn the_end_of_every_text_of_a_cut_stream_is_hidden() {
        let words = "word ".repeat(100);
        let mut body =
            chunk(&serde_json::json!({"content":words,"reasoning_content":words,"refusal":"4111 1111 11"}));
        body.push_str(&chunk(&serde_json::json!({"content":"4111 1111"})));
        body.push_str(&chunk(&serde_json::json!({"reasoning_content":" 4111 1111 11"})));
        let shown = masked(false, &body, true);
        assert!(shown.contains("word word") && !shown.contains("4111"), "{shown}");
        assert_eq!(shown.matches("not shown").count(), 3, "{shown}");
        assert!(masked(false, &body, false).contains("4111 1111\""), "it is no value yet");
        // A value that reaches into what is hidden.
        let body = chunk(&serde_json::json!({"content":format!("card {CARD} {}", "x".repeat(250))}));
        let shown = masked(false, &body, true);
        assert!(shown.contains("card ") && !shown.contains("4111"), "{shown}");
    }
}
