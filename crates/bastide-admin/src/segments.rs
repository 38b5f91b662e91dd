//! A shown body as the pieces of text that people read: who said what, with the places that stand out.
//!
//! Works on what may be shown already: a body with its masks, or one that was revealed on record. It adds nothing to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use bastide_inspect::{Engine, Scratch, Syntax};
use bastide_types::{Category, Finding, SegmentKind};
use bastide_wire::{ChatChunk, ChatRequest, ChatResponse, JsonDocument, Limits, Paths, SseDecoder};
use schemars::JsonSchema;
use serde::Serialize;

/// Segments of a body that are listed; tool schemas have hundreds of keys.
const MOST_SEGMENTS: usize = 400;
/// Bytes of one segment that are listed.
const MOST_BYTES: usize = 64 << 10;
/// An event of a kept stream is smaller than the stream.
const EVENT_BYTES: usize = 1 << 20;

/// A piece of text of an exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Said {
    /// Who wrote it.
    pub origin: &'static str,
    /// Which of several answers.
    pub choice: Option<u32>,
    /// `text`, `json`, `key` or `number`.
    pub kind: &'static str,
    /// Where it stands in its document: `messages[0].content`; empty where it has no such place.
    pub path: String,
    /// Its place in the list that findings of the log count in; `None` for the joined text of a stream.
    pub segment: Option<usize>,
    /// What it says.
    pub text: String,
    /// Whether it goes on.
    pub cut: bool,
    /// What stands out, in order and without overlap.
    pub marks: Vec<Mark>,
}

/// A place that stands out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Mark {
    /// First byte in the text.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// What is or was there.
    pub category: &'static str,
    /// How it stands there.
    pub what: MarkKind,
    /// Why it was found; of a value only.
    pub reason: Option<String>,
}

/// How a place stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// A mask of this view: the value is kept, and not shown.
    Masked,
    /// A token that left in the value's place.
    Token,
    /// A redaction that left in the value's place.
    Redacted,
    /// The value itself.
    Value,
}

/// Finds what stands out in shown texts.
pub(crate) struct Reader {
    engines: [Arc<Engine>; 2],
    scratch: [Scratch; 2],
}

impl Reader {
    /// With the engine of all detectors, and one that finds tokens.
    pub(crate) fn new(engines: [Arc<Engine>; 2]) -> Reader {
        Reader { engines, scratch: Default::default() }
    }

    /// The texts of a body; of one that is no document of a known shape, the body as one text.
    pub(crate) fn said(&mut self, request: bool, body: &str, revealed: bool) -> Vec<Said> {
        let limits = Limits::default();
        let bytes = body.as_bytes();
        let segments = if let Some(d) = request.then(|| ChatRequest::parse(bytes, &limits).ok()).flatten() {
            texts(&d.segments(bytes), Some(d.paths(bytes)))
        } else if let Some(d) = (!request).then(|| ChatResponse::parse(bytes, &limits).ok()).flatten() {
            texts(&d.segments(bytes), Some(d.paths(bytes)))
        } else if let Ok(d) = JsonDocument::parse(bytes, &limits) {
            texts(&d.segments(bytes), None)
        } else {
            let streamed = if request { Vec::new() } else { stream(bytes) };
            match streamed.is_empty() {
                true => vec![whole(body)],
                false => streamed,
            }
        };
        let mut said: Vec<Said> =
            segments.into_iter().filter(|s| !s.text.is_empty()).take(MOST_SEGMENTS).collect();
        for piece in &mut said {
            if let Some(end) =
                (piece.text.len() > MOST_BYTES).then(|| piece.text.floor_char_boundary(MOST_BYTES))
            {
                piece.text.truncate(end);
                piece.cut = true;
            }
            piece.marks = self.marks(&piece.text, revealed);
        }
        said
    }

    fn marks(&mut self, text: &str, revealed: bool) -> Vec<Mark> {
        let mut marks = written(text);
        let mut found: Vec<Finding> = Vec::new();
        let ([all, tokens], [scratch, other]) = (&self.engines, &mut self.scratch);
        tokens.inspect(text, Syntax::Plain, other, &mut found);
        found.retain(|f| f.category == Category::Placeholder);
        if revealed {
            all.inspect(text, Syntax::Plain, scratch, &mut found);
        }
        for finding in found {
            let token = finding.category == Category::Placeholder;
            let spelt = text.get(finding.span.range()).unwrap_or_default();
            // Of a token the category is the beginning of its name.
            let category = match token {
                true => Category::ALL.iter().copied().find(|c| {
                    let name = c.as_str();
                    spelt.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name))
                }),
                false => Some(finding.category),
            };
            marks.push(Mark {
                start: finding.span.start,
                end: finding.span.end,
                category: category.unwrap_or(finding.category).as_str(),
                what: if token { MarkKind::Token } else { MarkKind::Value },
                reason: (!token).then(|| format!("{} ({})", finding.reason, finding.detector)),
            });
        }
        marks.sort_by_key(|m| (m.start, std::cmp::Reverse(m.end)));
        let mut end = 0;
        marks.retain(|m| {
            let apart = m.start >= end && m.end > m.start;
            end = if apart { m.end } else { end };
            apart
        });
        marks
    }
}

/// The masks and redactions that stand in a text.
fn written(text: &str) -> Vec<Mark> {
    let mut marks = Vec::new();
    for category in Category::ALL {
        let name = category.as_str();
        for (spelling, what) in
            [(format!("[{name}]"), MarkKind::Masked), (format!("{name}_REDACTED"), MarkKind::Redacted)]
        {
            for (start, _) in text.match_indices(&spelling) {
                let end = start + spelling.len();
                marks.push(Mark { start, end, category: name, what, reason: None });
            }
        }
    }
    marks
}

fn texts(segments: &[bastide_types::Segment<'_>], mut paths: Option<Paths<'_>>) -> Vec<Said> {
    let said = segments.iter().map(|segment| Said {
        origin: segment.origin.as_str(),
        choice: segment.choice,
        kind: match segment.kind {
            SegmentKind::Text => "text",
            SegmentKind::JsonText => "json",
            SegmentKind::Key => "key",
            SegmentKind::Number => "number",
        },
        path: paths.as_mut().map(|paths| paths.of(segment.index).to_owned()).unwrap_or_default(),
        segment: Some(segment.index),
        text: segment.text.to_string(),
        cut: false,
        marks: Vec::new(),
    });
    said.collect()
}

fn whole(body: &str) -> Said {
    Said {
        origin: "other",
        choice: None,
        kind: "text",
        path: String::new(),
        segment: None,
        text: body.to_owned(),
        cut: false,
        marks: Vec::new(),
    }
}

/// What the events of a stream spell together, by lane.
fn stream(body: &[u8]) -> Vec<Said> {
    let mut decoder = SseDecoder::new(EVENT_BYTES);
    decoder.push(body);
    let mut lanes: BTreeMap<(bastide_wire::Lane, String), Said> = BTreeMap::new();
    while let Some(Ok(event)) = decoder.next_event() {
        let Some(data) = event.data else { continue };
        let Ok(chunk) = ChatChunk::parse(data, &Limits::default()) else { continue };
        let mut paths = chunk.lane_paths(data);
        for segment in chunk.segments(data) {
            let Some(lane) = chunk.lane(segment.index) else { continue };
            let path = paths.of(segment.index).unwrap_or_default();
            let shown = if path.is_empty() { lane_name(lane) } else { path.clone() };
            let piece = lanes.entry((lane, path)).or_insert_with(|| Said {
                origin: segment.origin.as_str(),
                choice: segment.choice,
                kind: if lane.field.is_json() { "json" } else { "text" },
                path: shown,
                segment: None,
                text: String::new(),
                cut: false,
                marks: Vec::new(),
            });
            piece.text.push_str(&segment.text);
        }
    }
    lanes.into_values().collect()
}

fn lane_name(lane: bastide_wire::Lane) -> String {
    use bastide_wire::LaneField as F;
    match lane.field {
        F::Content => "content".to_owned(),
        F::Refusal => "refusal".to_owned(),
        F::Reasoning | F::ReasoningText | F::ReasoningDetail(_) => "reasoning".to_owned(),
        F::ToolArguments(n) | F::ToolInput(n) => format!("tool_calls[{n}].arguments"),
        F::ToolName(n) => format!("tool_calls[{n}].name"),
        F::ToolId(n) => format!("tool_calls[{n}].id"),
        F::FunctionArguments => "function_call.arguments".to_owned(),
        F::FunctionName => "function_call.name".to_owned(),
        F::AudioTranscript => "audio.transcript".to_owned(),
        F::Unknown => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(request: bool, body: &str, revealed: bool) -> Vec<Said> {
        let all = Engine::new(bastide_inspect::standard_detectors()).expect("compiles");
        let tokens = vec![Arc::new(bastide_anonymize::PlaceholderDetector::default()) as _];
        let engines = [Arc::new(all), Arc::new(Engine::new(tokens).expect("compiles"))];
        Reader::new(engines).said(request, body, revealed)
    }

    #[test]
    fn masks_and_tokens_stand_out_where_they_are() {
        let body = r#"{"model":"m","messages":[{"role":"system","content":"be kind"},
            {"role":"user","content":"card [CREDIT_CARD] or EMAIL_ADDRESS_bcdfghjklmnpqrstvwx or SECRET_REDACTED"}]}"#;
        let all = said(true, body, false);
        let user = all.iter().find(|s| s.origin == "user").expect("a user");
        let marks: Vec<_> =
            user.marks.iter().map(|m| (m.category, m.what, &user.text[m.start..m.end])).collect();
        assert_eq!(
            marks,
            [
                ("CREDIT_CARD", MarkKind::Masked, "[CREDIT_CARD]"),
                ("EMAIL_ADDRESS", MarkKind::Token, "EMAIL_ADDRESS_bcdfghjklmnpqrstvwx"),
                ("SECRET", MarkKind::Redacted, "SECRET_REDACTED"),
            ]
        );
        assert!(all.iter().any(|s| s.origin == "system" && s.marks.is_empty()));
    }

    #[test]
    fn values_stand_out_only_where_they_were_revealed() {
        let body = r#"{"choices":[{"message":{"role":"assistant","content":"4111 1111 1111 1111"}}]}"#;
        assert!(said(false, body, false).iter().all(|s| s.marks.is_empty()));
        let shown = said(false, body, true);
        let marks: Vec<_> = shown.iter().flat_map(|s| &s.marks).collect();
        assert_eq!(marks.first().map(|m| (m.category, m.what)), Some(("CREDIT_CARD", MarkKind::Value)));
    }

    #[test]
    fn the_pieces_of_a_stream_are_read_together() {
        let event = |text: &str| {
            format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
        };
        let body = [event("your card "), event("[CREDIT"), event("_CARD] is"), "data: [DONE]\n\n".to_owned()]
            .concat();
        let all = said(false, &body, false);
        let texts: Vec<_> = all.iter().map(|s| s.text.as_str()).collect();
        assert!(texts.contains(&"your card [CREDIT_CARD] is"), "{texts:?}");
        assert!(all.iter().any(|s| s.marks.len() == 1));
    }

    #[test]
    fn what_is_no_document_is_one_text() {
        assert_eq!(said(true, "{not json", false).len(), 1);
        assert_eq!(said(false, "plain", false)[0].text, "plain");
        let long = format!("\"{}\"", "ä".repeat(MOST_BYTES));
        let all = said(true, &long, false);
        assert!(all.iter().any(|s| s.cut && s.text.len() <= MOST_BYTES), "cut between characters");
    }
}
