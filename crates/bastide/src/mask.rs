//! Bodies for eyes that have no need of the values: everything that the guard's detectors find is masked.
//!
//! Spans in the log count in texts, and say of a stream only where in each answer they were; so the text is inspected
//! again, as the gateway inspects it: request and answer by their texts, a stream by the texts that its events spell
//! together. What cannot be read is not shown at all.

use std::collections::BTreeMap;

use bastide_inspect::{Engine, Scratch, Syntax, standard_detectors};
use bastide_types::{Finding, Segment, SegmentKind, Span};
use bastide_wire::{
    ChatChunk, ChatRequest, ChatResponse, Edit, JsonDocument, Lane, Limits, SseDecoder, SseEvent,
};

use crate::failure::{Failure, could_not};

/// A value may go on behind the place where its body was cut, which hides it from its detector: so much before the cut
/// is not shown. Values are shorter, but for keys in PEM, which are found from their beginning.
const BEFORE_CUT: usize = 256;
/// An event of a kept stream is smaller than the stream.
const EVENT_BYTES: usize = 1 << 20;

/// Masks bodies.
pub(crate) struct Masker {
    engine: Engine,
    scratch: Scratch,
}

/// Places in a text and what goes there instead.
type Masks = Vec<(Span, String)>;

/// One event of a stream.
enum Piece {
    Chunk { chunk: Box<ChatChunk>, data: Vec<u8>, edits: Vec<Edit> },
    Text(String),
}

/// The text that the pieces of one lane spell, and where each of them begins in it.
#[derive(Default)]
struct LaneText {
    text: String,
    /// Event, segment and first byte.
    pieces: Vec<(usize, usize, Span)>,
}

impl Masker {
    /// Compiles the detectors.
    pub(crate) fn new() -> Result<Masker, Failure> {
        let engine = Engine::new(standard_detectors()).map_err(could_not)?;
        Ok(Masker { engine, scratch: Scratch::default() })
    }

    /// A body with masks, `cut` when its end is missing.
    pub(crate) fn body(&mut self, request: bool, body: &[u8], cut: bool) -> String {
        let document = if cut { None } else { self.document(request, body) };
        match document {
            Some(masked) => masked,
            None if !request && is_stream(body) => self.stream(body),
            None => self.raw(body, cut),
        }
    }

    /// A JSON document by its texts; `None` when it is none.
    fn document(&mut self, request: bool, body: &[u8]) -> Option<String> {
        let limits = Limits::default();
        let masked = if let Some(d) = request.then(|| ChatRequest::parse(body, &limits).ok()).flatten() {
            d.splice(body, &self.edits(&d.segments(body)))
        } else if let Some(d) = (!request).then(|| ChatResponse::parse(body, &limits).ok()).flatten() {
            let edits = self.edits(&d.segments(body));
            // Log probabilities repeat the text in pieces that no detector sees together.
            if d.has_logprobs { d.splice_without_logprobs(body, &edits) } else { d.splice(body, &edits) }
        } else {
            let d = JsonDocument::parse(body, &limits).ok()?;
            d.splice(body, &self.edits(&d.segments(body)))
        };
        String::from_utf8(masked.ok()?).ok()
    }

    fn edits(&mut self, segments: &[Segment<'_>]) -> Vec<Edit> {
        let mut edits = Vec::new();
        for segment in segments {
            let masks = self.masks(&segment.text, syntax(segment.kind));
            edits.extend(masks.into_iter().map(|(span, replacement)| Edit {
                segment: segment.index,
                span,
                replacement,
            }));
        }
        edits
    }

    /// What is found in a text, in order, one mask for findings that overlap.
    fn masks(&mut self, text: &str, syntax: Syntax) -> Masks {
        let mut findings: Vec<Finding> = Vec::new();
        self.engine.inspect(text, syntax, &mut self.scratch, &mut findings);
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
        for (span, mask) in self.masks(&text, Syntax::Json) {
            if span.start >= shown {
                break;
            }
            out.push_str(text.get(at..span.start).unwrap_or_default());
            out.push_str(&mask);
            at = span.end;
        }
        out.push_str(text.get(at..shown).unwrap_or_default());
        if cut {
            out.push_str("[not shown: a value may go on behind the cut]");
        }
        out
    }

    /// A stream of events by the texts that they spell together.
    fn stream(&mut self, body: &[u8]) -> String {
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
        self.lanes(&mut pieces);
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

    fn event(&mut self, event: &SseEvent, pieces: &mut Vec<Piece>) {
        let chunk = event.data.as_ref().and_then(|data| {
            let chunk = Box::new(ChatChunk::parse(data, &Limits::default()).ok()?);
            Some(Piece::Chunk { chunk, data: data.to_vec(), edits: Vec::new() })
        });
        if event.data.is_none() || event.has_more || chunk.is_none() {
            // Names, ids and comments; and data that is no chunk, `[DONE]` included.
            let text = String::from_utf8_lossy(&event.raw);
            let unread = text.lines().filter(|l| chunk.is_none() || !l.starts_with("data:"));
            let unread: String = unread.flat_map(|l| [l, "\n"]).collect();
            let masked = self.raw(unread.as_bytes(), false);
            pieces.push(Piece::Text(masked));
        }
        pieces.extend(chunk);
    }

    /// Inspects what the pieces of each lane spell, and every other text of a chunk by itself.
    fn lanes(&mut self, pieces: &mut [Piece]) {
        let mut lanes: BTreeMap<Lane, LaneText> = BTreeMap::new();
        for (number, piece) in pieces.iter_mut().enumerate() {
            let Piece::Chunk { chunk, data, edits } = piece else { continue };
            for segment in chunk.segments(data) {
                let Some(lane) = chunk.lane(segment.index) else {
                    edits.extend(self.edits(std::slice::from_ref(&segment)));
                    continue;
                };
                let spelt = lanes.entry(lane).or_default();
                let start = spelt.text.len();
                spelt.text.push_str(&segment.text);
                spelt.pieces.push((number, segment.index, Span::new(start, spelt.text.len())));
            }
        }
        for (lane, LaneText { text, pieces: places }) in lanes {
            let syntax = if lane.field.is_json() { Syntax::Json } else { Syntax::Plain };
            for (span, mask) in self.masks(&text, syntax) {
                let mut mask = Some(mask);
                for (number, segment, place) in places.iter().filter(|(_, _, place)| place.overlaps(span)) {
                    let Some(Piece::Chunk { edits, .. }) = pieces.get_mut(*number) else { continue };
                    let start = span.start.max(place.start) - place.start;
                    let end = span.end.min(place.end) - place.start;
                    // The mask stands where the value began; the rest of it is left out.
                    let replacement = mask.take().unwrap_or_default();
                    edits.push(Edit { segment: *segment, span: Span::new(start, end), replacement });
                }
            }
        }
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

    const CARD: &str = "4111 1111 1111 1111";

    fn masked(request: bool, body: &str, cut: bool) -> String {
        Masker::new().unwrap().body(request, body.as_bytes(), cut)
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
}
