//! One text of a streamed reply: what came of it, what may go out, and what is written instead.

use std::collections::VecDeque;

use bastide_anonymize::Placement;
use bastide_inspect::{StreamInspector, Syntax};
use bastide_types::{Category, Finding, Origin, SegmentKind, Span};
use bastide_wire::{JsonTextRewriter, Lane, LaneField};

use super::passage::sort;
use super::placement;

/// No name or id of a tool call is longer; the OpenAI API allows 64.
pub(super) const LABEL_BYTES: usize = 256;

pub(super) const fn is_label(field: LaneField) -> bool {
    matches!(field, LaneField::ToolName(_) | LaneField::ToolId(_) | LaneField::FunctionName)
}

/// What a server says about every event alike: `v1`, `openai/gpt-oss`.
pub(super) fn is_word(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:".contains(&b))
}

/// Whether a path leads through a list whose elements have no `index`: what an event says there is a new element to
/// some readers.
pub(super) fn is_by_position(path: &str) -> bool {
    path.split('/').any(|step| !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()))
}

/// The state of one lane.
pub(super) struct LaneState {
    pub(super) lane: Lane,
    /// Which of the unknown fields; nothing for all others.
    pub(super) path: Box<str>,
    pub(super) origin: Origin,
    pub(super) kind: SegmentKind,
    pub(super) inspector: StreamInspector,
    /// Where the inspector's text begins.
    pub(super) began: usize,
    /// Events of the answer since the last one that said something here.
    pub(super) quiet: u8,
    /// The last event that said something in this unknown field.
    pub(super) said_in: u64,
    /// What the pieces of an unknown field show each by itself, behind what is released.
    pub(super) alone: Vec<Finding>,
    pub(super) placement: Placement,
    /// In JSON text every edit is written as JSON.
    pub(super) json: Option<JsonTextRewriter>,
    /// Text not yet sent, from the absolute offset `base` on.
    pub(super) text: String,
    pub(super) base: usize,
    pub(super) received: usize,
    pub(super) released: usize,
    pub(super) placed: usize,
    pub(super) replacements: VecDeque<(Span, String)>,
    pub(super) ended: bool,
    pub(super) edited: bool,
    /// Names and ids in full: the tool's name decides what its arguments may hold, and some servers repeat them. The
    /// only piece of an unknown field so far, while it may be a word that every event repeats.
    pub(super) said: String,
}

impl LaneState {
    pub(super) fn new(lane: Lane, path: String, origin: Origin) -> Self {
        let json = lane.field.is_json();
        let kind = if json { SegmentKind::JsonText } else { SegmentKind::Text };
        LaneState {
            kind,
            lane,
            path: path.into(),
            origin,
            inspector: StreamInspector::new(if json { Syntax::Json } else { Syntax::Plain }),
            began: 0,
            quiet: 0,
            said_in: 0,
            alone: Vec::new(),
            placement: placement(kind),
            json: json.then(JsonTextRewriter::default),
            text: String::new(),
            base: 0,
            received: 0,
            released: 0,
            placed: 0,
            replacements: VecDeque::new(),
            ended: false,
            edited: false,
            said: String::new(),
        }
    }

    /// An unknown field whose text may go on.
    pub(super) fn is_waiting(&self) -> bool {
        self.lane.field == LaneField::Unknown && !self.ended && self.released < self.received
    }

    /// Takes what the inspector says, whose text began later than the lane's.
    pub(super) fn place(&mut self, released: usize, findings: &mut [Finding]) {
        findings.iter_mut().for_each(|f| f.span = f.span.shifted(self.began));
        self.released = self.released.max(self.began + released);
    }

    /// Takes what a piece that begins at `start` shows by itself.
    pub(super) fn hear_alone(&mut self, start: usize, mut shown: Vec<Finding>) {
        shown.retain(|f| f.category != Category::Placeholder);
        shown.iter_mut().for_each(|f| f.span = f.span.shifted(start));
        self.alone.append(&mut shown);
    }

    /// Adds to `findings` what pieces show by themselves in the released text. What overlaps it there is known by now.
    pub(super) fn due_alone(&mut self, findings: &mut Vec<Finding>) {
        let due = self.alone.partition_point(|f| f.span.start < self.released);
        if due > 0 {
            findings.extend(self.alone.drain(..due));
            sort(findings);
        }
    }

    pub(super) fn slice(&self, span: Span) -> &str {
        let (start, end) = (span.start.saturating_sub(self.base), span.end.saturating_sub(self.base));
        self.text.get(start..end).unwrap_or_default()
    }

    /// Where a number at the end of the released text begins: an edit further on would turn all of it into a string.
    pub(super) fn before_number(&self, released: usize) -> usize {
        const LONGEST: usize = 64;
        let text = self.slice(Span::new(self.base, released)).as_bytes();
        let number = |b: &&u8| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        released - text.iter().rev().take(LONGEST).take_while(number).count()
    }

    pub(super) fn place_until(&mut self, offset: usize) {
        if offset > self.placed {
            let (start, end) = (self.placed.saturating_sub(self.base), offset.saturating_sub(self.base));
            self.placement.advance(self.text.get(start..end).unwrap_or_default());
            self.placed = offset;
        }
    }

    /// Notes what is written instead of a finding.
    pub(super) fn replace(&mut self, span: Span, with: String) {
        self.edited = true;
        match self.replacements.back_mut() {
            Some((last, _)) if last.overlaps(span) => last.end = last.end.max(span.end),
            _ => self.replacements.push_back((span, with)),
        }
    }

    /// Up to where the text from `start` on may go, if any of that shows: a reader sees no white space before the word
    /// that it is held with.
    pub(super) fn shown_from(&self, start: usize) -> Option<usize> {
        let text = self.slice(Span::new(start, self.released.max(start)));
        text.contains(|c: char| !c.is_whitespace()).then_some(self.released)
    }

    /// Lets the text up to `end` go, where that is what came.
    pub(super) fn pass(&mut self, end: usize) -> bool {
        let untouched = self.replacements.front().is_none_or(|(span, _)| span.start >= end);
        let passes = untouched && self.json.is_none();
        if passes {
            self.drop_until(end);
        }
        passes
    }

    /// Takes the text `start..end` with its replacements, and whether it differs from what came; nothing before `end` is
    /// asked for again.
    pub(super) fn take(&mut self, start: usize, end: usize) -> (String, bool) {
        let mut json = self.json.take();
        let mut text = String::with_capacity(end - start);
        let mut at = start;
        while let Some((span, with)) = self.replacements.front() {
            if span.start >= end {
                break;
            }
            if span.start >= start {
                match &mut json {
                    None => {
                        text.push_str(self.slice(Span::new(at, span.start)));
                        text.push_str(with);
                    }
                    Some(json) => {
                        json.pass(self.slice(Span::new(at, span.start)), &mut text);
                        json.replace(self.slice(*span), with, &mut text);
                    }
                }
            }
            at = span.end.clamp(at, end);
            if span.end > end {
                // The rest of the replaced text belongs to later events, which then say nothing of it.
                break;
            }
            self.replacements.pop_front();
        }
        let rest = self.slice(Span::new(at, end));
        match &mut json {
            None => text.push_str(rest),
            Some(json) => {
                json.pass(rest, &mut text);
                if self.ended && end == self.received {
                    json.finish(&mut text);
                }
            }
        }
        let differs = text != self.slice(Span::new(start, end));
        self.json = json;
        self.drop_until(end);
        (text, differs)
    }

    pub(super) fn drop_until(&mut self, end: usize) {
        let cut = end.saturating_sub(self.base);
        // In large pieces: what is behind moves each time.
        if cut == 0 || cut > self.text.len() || cut < self.text.len() / 2 {
            return;
        }
        self.text.drain(..cut);
        self.base += cut;
    }

    /// In observe mode nothing is sent from here: keeps only what is still undecided.
    pub(super) fn forget(&mut self) {
        self.replacements.clear();
        self.placed = self.released;
        self.drop_until(self.released);
    }
}
