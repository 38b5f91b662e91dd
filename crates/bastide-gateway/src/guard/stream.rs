//! The reply half in flight.
//!
//! Events wait in a queue until every byte of their text is released by its lane's inspector; then they go out byte for
//! byte as they came, or, where the text was edited, spliced. When only the end of an event's text must wait, its
//! beginning goes out now and the rest travels at the head of the lane's next event: what is held back is what may
//! still become a match and no more, but for white space before it, which shows nothing by itself. An event that carries
//! `logprobs` repeats its text there, so it moves as one.

use std::sync::Arc;
use std::time::Instant;

use bastide_anonymize::Vault;
use bastide_inspect::{StreamInspector, Syntax};
use bastide_types::{Category, Direction, Finding, GuardMode, Origin, Segment, SegmentKind, Span, Verdict};
use bastide_wire::{ChatChunk, Edit, Lane, LaneField, LanePaths, Limits, SseEvent};

use super::calls::{Calls, name_of};
use super::lane::{LABEL_BYTES, LaneState, is_by_position, is_label, is_word};
use super::passage::{Judge, Passage, Replacements, Report};
use super::queue::{Part, Queue, Queued};
use super::{Action, Guard, MayRestore, Tally, plain, syntax, written};

/// Lanes one stream may have at once: choices times fields, and each text in the lists of unknown fields. Those that are
/// over make room for others; a hostile upstream that opens more is cut off.
const MAX_LANES: usize = 1_024;
/// While so many unknown fields may go on, one that an event says nothing in is over.
const MANY_WAITING: usize = MAX_LANES / 4;
/// Events that may wait, and the memory that they may take: of one full of small values twenty times its bytes. What
/// waits is a few words; more is an upstream that plays for memory.
const MAX_QUEUED_EVENTS: usize = 4_096;
const MAX_QUEUED_BYTES: usize = 8 << 20;

/// So many events wait as they came, and go out so: a word takes no more of them. What waits beyond is drawn together
/// in one. As many are kept to read the next ones into.
const FEW: usize = 8;
/// The largest event whose memory is kept: what was read of it may take ten times as much.
const MAX_SPARE_BYTES: usize = 8 << 10;

/// An unknown field that says nothing in so many events of its answer has said its text; what comes then is another one.
/// Nothing else tells that such a text is over, and what is beside it waits.
const MAX_QUIET_EVENTS: u8 = 8;

const TOO_LONG: &str = "an event is too long to be inspected in time";

/// Why a stream is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamRefusal {
    /// The guard found something that blocks.
    Blocked,
    /// The upstream's events make no sense.
    Protocol(&'static str),
}

/// The guard over one streamed reply.
pub(crate) struct StreamGuard {
    guard: Arc<Guard>,
    vault: Vault,
    may_restore: Box<MayRestore>,
    lanes: Vec<LaneState>,
    queue: Queue,
    /// How many events came.
    events: u64,
    tally: Tally,
    findings: Vec<Finding>,
    /// Texts outside lanes that repeat in every event (`id`, `model`) and held nothing.
    clean: Vec<String>,
    calls: Calls,
    most_held: usize,
    refusal: Option<StreamRefusal>,
    /// Events that went out: the next ones are read into their memory.
    #[expect(clippy::vec_box, reason = "events move through the queue, and they are large")]
    spare: Vec<Box<Queued>>,
}

impl StreamGuard {
    pub(crate) fn new(guard: Arc<Guard>, vault: Vault, may_restore: Box<MayRestore>) -> Self {
        StreamGuard {
            guard,
            vault,
            may_restore,
            lanes: Vec::new(),
            queue: Queue::default(),
            events: 0,
            tally: Tally::default(),
            findings: Vec::new(),
            clean: Vec::new(),
            calls: Calls::default(),
            most_held: 0,
            refusal: None,
            spare: Vec::new(),
        }
    }

    pub(crate) const fn tally(&self) -> &Tally {
        &self.tally
    }

    pub(crate) const fn most_held(&self) -> usize {
        self.most_held
    }

    /// How often events in the queue were looked at.
    #[cfg(test)]
    pub(crate) const fn looks(&self) -> u64 {
        self.queue.looks
    }

    /// How many events wait.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// An event whose chunk is to be read into.
    pub(crate) fn spare(&mut self) -> Box<Queued> {
        self.spare.pop().unwrap_or_default()
    }

    fn recycle(&mut self, event: Box<Queued>) {
        // A few wait at most; more memory would be kept for nothing.
        if self.spare.len() < FEW && event.raw.capacity() <= MAX_SPARE_BYTES {
            self.spare.push(event);
        }
    }

    /// Takes in one event, whose data has been read into `event`, and appends to `out` whatever may go out now.
    pub(crate) fn event(
        &mut self,
        raw: &[u8],
        data: &[u8],
        mut event: Box<Queued>,
        out: &mut Vec<u8>,
    ) -> Result<(), StreamRefusal> {
        // The guard may be off; the policies are not.
        self.calls.follow(&event.chunk, data, &mut self.tally);
        if self.guard.mode != GuardMode::Enforce {
            out.extend_from_slice(raw);
        }
        if self.guard.mode != GuardMode::Off {
            self.tally.pass_unscanned(event.chunk.unscanned.len());
            match self.inspect(data, &mut event) {
                // Observing changes nothing: what makes no sense is not refused either.
                Err(StreamRefusal::Protocol(_)) if self.guard.mode == GuardMode::Observe => {}
                inspected => inspected?,
            }
        }
        if self.guard.mode == GuardMode::Enforce {
            event.hold(raw, data);
            self.queue.push(event);
            return self.drain(out);
        }
        self.recycle(event);
        Ok(())
    }

    /// Inspects what an event says, and notes in it what of that goes out.
    fn inspect(&mut self, data: &[u8], event: &mut Queued) -> Result<(), StreamRefusal> {
        if event.chunk.odd_index && self.guard.mode == GuardMode::Enforce {
            return self.refuse(StreamRefusal::Protocol("an `index` is no whole number in plain digits"));
        }
        self.events += 1;
        event.begin();
        let inspected = match event.chunk.news() {
            // An unknown field that may go on waits for what each event says.
            Some(news) if !self.lanes.iter().any(LaneState::is_waiting) => {
                self.inspect_news(data, event, news)
            }
            _ => self.inspect_all(data, event),
        };
        if self.guard.mode == GuardMode::Observe {
            for lane in &mut self.lanes {
                lane.forget();
            }
        }
        inspected
    }

    /// Inspects the only text of an event that is not known from events before.
    fn inspect_news(&mut self, data: &[u8], event: &mut Queued, news: usize) -> Result<(), StreamRefusal> {
        let (Some(lane), Some(segment)) = (event.chunk.lane(news), event.chunk.segment(data, news)) else {
            return self.inspect_all(data, event);
        };
        if !segment.text.is_empty() {
            self.end_labels(lane)?;
        }
        event.parts.push(self.lane_text(lane, String::new(), &segment)?);
        Ok(())
    }

    fn inspect_all(&mut self, data: &[u8], event: &mut Queued) -> Result<(), StreamRefusal> {
        let deadline = Instant::now() + self.guard.time;
        let Queued { chunk, parts, edits, splittable, .. } = event;
        let mut segments = chunk.segments(data);
        *edits = self.joined_texts(chunk, &segments)?;
        // Names first, in whatever order the members stand: the arguments end them.
        segments.sort_by_key(|s| !chunk.lane(s.index).is_some_and(|lane| is_label(lane.field)));
        let mut choices: Vec<u32> = segments.iter().filter_map(|s| s.choice).collect();
        choices.dedup();
        choices.sort_unstable();
        for lane in self.lanes.iter_mut().filter(|l| l.is_waiting()) {
            lane.quiet += u8::from(choices.binary_search(&lane.lane.choice).is_ok());
        }
        let mut joined: Vec<usize> = chunk.joined.iter().flatten().copied().collect();
        joined.sort_unstable();
        let mut paths = chunk.lane_paths(data);
        let mut plain = true;
        let mut passed = true;
        for segment in segments {
            if Instant::now() > deadline {
                return self.refuse(StreamRefusal::Protocol(TOO_LONG));
            }
            let path = paths.of(segment.index).unwrap_or_default();
            match chunk.lane(segment.index) {
                Some(lane) if self.repeats(lane, &path, &segment.text) => plain = false,
                Some(lane) => {
                    if !segment.text.is_empty() {
                        self.end_labels(lane)?;
                    }
                    // An element of a list is a whole.
                    plain &= !is_by_position(&path);
                    parts.push(self.lane_text(lane, path, &segment)?);
                }
                None if joined.binary_search(&segment.index).is_ok() => plain = false,
                None => {
                    // A name or id beside the text must not be said twice, so such an event is not split.
                    let envelope = chunk.is_envelope(segment.index);
                    plain &= envelope;
                    passed &= self.whole_text(&segment, envelope, edits)?;
                }
            }
        }
        *splittable &= plain && parts.len() == 1 && edits.is_empty();
        if *splittable && passed {
            chunk.pass();
        }
        let many = self.lanes.iter().filter(|l| l.is_waiting()).count() > MANY_WAITING;
        let most = if many { 1 } else { MAX_QUIET_EVENTS };
        for at in 0..self.lanes.len() {
            if self.lanes.get(at).is_some_and(|l| l.is_waiting() && l.quiet >= most) {
                self.close(at)?;
            }
        }
        if !chunk.finish.is_empty() {
            for at in 0..self.lanes.len() {
                if self.lanes.get(at).is_some_and(|l| chunk.finish.binary_search(&l.lane.choice).is_ok()) {
                    self.end_lane(at)?;
                }
            }
        }
        Ok(())
    }

    /// The reply has ended: everything is decided and goes out.
    pub(crate) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
        self.calls.finish(&mut self.tally);
        if self.guard.mode == GuardMode::Off {
            return Ok(());
        }
        for at in 0..self.lanes.len() {
            self.end_lane(at)?;
        }
        self.drain(out)
    }

    /// Inspects a text outside lanes. Says whether it need not be inspected when it is said again.
    fn whole_text(
        &mut self,
        segment: &Segment<'_>,
        envelope: bool,
        edits: &mut Vec<Edit>,
    ) -> Result<bool, StreamRefusal> {
        let repeats = envelope && segment.kind == SegmentKind::Text;
        if repeats && self.clean.iter().any(|c| *c == segment.text) {
            return Ok(true);
        }
        self.tally.segment(segment.text.len());
        self.findings.clear();
        let mut findings = std::mem::take(&mut self.findings);
        let (half, mut bounds) = (Direction::Response, self.guard.bounds(&|| true));
        let syntax = syntax(segment.kind);
        let read = self.guard.inspect(half, &segment.text, syntax, &mut bounds, &mut findings);
        if read.is_err() {
            return self.refuse(StreamRefusal::Protocol(TOO_LONG));
        }
        let clean = repeats && findings.is_empty() && self.clean.len() < 16 && segment.text.len() <= 128;
        if clean {
            self.clean.push(segment.text.as_ref().to_owned());
        }
        let mut replacements = Replacements::default();
        for finding in findings.iter().filter(|f| f.category != Category::Placeholder) {
            let value = segment.text.get(finding.span.range()).unwrap_or_default();
            let (verdict, action) =
                self.guard.act_on_response(finding, value, segment.origin, segment.trust, &self.vault);
            self.tally.found(finding, segment.origin, segment.index, verdict);
            match action {
                Action::Keep => {}
                Action::Replace(with) => replacements.add(finding.span, with, Some(verdict)),
                Action::Refuse => return self.refuse(StreamRefusal::Blocked),
            }
        }
        self.findings = findings;
        edits.extend(replacements.into_edits(segment.index));
        Ok(clean)
    }

    /// Inspects the texts outside lanes that are read as one: a whole message that an event says in parts.
    fn joined_texts(
        &mut self,
        chunk: &ChatChunk,
        segments: &[Segment<'_>],
    ) -> Result<Vec<Edit>, StreamRefusal> {
        if chunk.joined.is_empty() {
            return Ok(Vec::new());
        }
        let mut report = Report { tally: std::mem::take(&mut self.tally), ..Report::default() };
        let mut judge = Beside { guard: &self.guard, vault: &self.vault };
        let (guard, mut bounds) = (&self.guard, self.guard.bounds(&|| true));
        let (half, joined) = (Direction::Response, &chunk.joined);
        let read = guard.inspect_joined(half, segments, joined, &mut judge, &mut bounds, &mut report);
        self.tally = report.tally;
        if read.is_err() {
            return self.refuse(StreamRefusal::Protocol(TOO_LONG));
        }
        if report.refused { self.refuse(StreamRefusal::Blocked) } else { Ok(report.edits) }
    }

    /// Whether a finished name or id is said again in full, which some servers do with every piece of arguments; or
    /// the one word of an unknown field, with every event.
    fn repeats(&mut self, lane: Lane, path: &str, text: &str) -> bool {
        let Some(at) = self.lane_at(lane, path) else { return false };
        let Some(state) = self.lanes.get_mut(at).filter(|l| !l.edited && l.said == text) else {
            return false;
        };
        if is_label(lane.field) {
            return state.ended;
        }
        if lane.field != LaneField::Unknown || !is_word(text) {
            return false;
        }
        // A word has 64 bytes at most.
        if !self.guard.find(Direction::Response, text).is_empty() {
            state.said.clear();
            return false;
        }
        // A word that is repeated is no beginning of anything, and what is said beside it need not wait.
        state.released = state.received;
        state.quiet = 0;
        state.said_in = self.events;
        self.queue.released(at);
        true
    }

    fn lane_at(&self, lane: Lane, path: &str) -> Option<usize> {
        // Known lanes have no path, and comparing two empty texts is not free: with AVX-512 the C library's comparison
        // of no bytes at no address takes a fault's time.
        let known = lane.field != LaneField::Unknown;
        self.lanes.iter().position(|l| l.lane == lane && (known || *l.path == *path))
    }

    fn open_lane(&mut self, lane: Lane, path: String, origin: Origin) -> Result<usize, StreamRefusal> {
        if let Some(at) = self.lane_at(lane, &path) {
            return Ok(at);
        }
        let known = lane.field != LaneField::Unknown;
        let full = self.lanes.len() >= MAX_LANES;
        let room = if full { self.over() } else { Some(self.lanes.len()) };
        let Some(at) = room.filter(|_| known || path.len() <= LanePaths::MAX_BYTES) else {
            return self.refuse(StreamRefusal::Protocol("the stream opens too many parts at once"));
        };
        self.tally.segment(0);
        let opened = LaneState::new(lane, path, origin);
        match self.lanes.get_mut(at) {
            Some(state) => *state = opened,
            None => self.lanes.push(opened),
        }
        Ok(at)
    }

    /// The lane of an unknown field whose text has gone out, and that has said nothing for the longest time. Were its
    /// text to go on, it would be another text, as after any silence.
    fn over(&self) -> Option<usize> {
        let over = self.lanes.iter().enumerate().filter(|(at, l)| {
            let idle = l.lane.field == LaneField::Unknown && !l.is_waiting() && !l.ended;
            idle && l.said_in < self.events && !self.queue.has_lane(*at)
        });
        over.min_by_key(|(_, l)| l.said_in).map(|(at, _)| at)
    }

    fn lane_text(&mut self, lane: Lane, path: String, segment: &Segment<'_>) -> Result<Part, StreamRefusal> {
        let at = self.open_lane(lane, path, segment.origin)?;
        let Some(state) = self.lanes.get_mut(at) else {
            return Err(StreamRefusal::Protocol("a lane vanished"));
        };
        if state.ended && !segment.text.is_empty() {
            return self.refuse(StreamRefusal::Protocol("text arrives after its choice has finished"));
        }
        if is_label(lane.field) {
            if state.said.len() + segment.text.len() > LABEL_BYTES {
                return self.refuse(StreamRefusal::Protocol("the name or id of a tool call is too long"));
            }
            state.said.push_str(&segment.text);
        } else if lane.field == LaneField::Unknown {
            state.said.clear();
            if state.received == state.began {
                state.said.push_str(&segment.text);
            }
            state.quiet = 0;
            state.said_in = self.events;
        }
        let start = state.received;
        state.received += segment.text.len();
        state.text.push_str(&segment.text);
        let end = state.received;
        self.tally.bytes(segment.text.len());
        let mut findings = std::mem::take(&mut self.findings);
        findings.clear();
        if !state.ended {
            let inspector = &mut state.inspector;
            let released = self.guard.with_engine(Direction::Response, |engine, scratch| {
                inspector.push(engine, scratch, &segment.text, &mut findings)
            });
            state.place(released, &mut findings);
            if state.json.is_some() {
                state.released = state.before_number(state.released);
            }
            if lane.field == LaneField::Unknown {
                // Nobody knows whether its readers join it to what came before.
                let (mut bounds, mut shown) = (self.guard.bounds(&|| true), Vec::new());
                let (half, text) = (Direction::Response, &segment.text);
                if self.guard.inspect(half, text, Syntax::Plain, &mut bounds, &mut shown).is_err() {
                    return self.refuse(StreamRefusal::Protocol(TOO_LONG));
                }
                state.hear_alone(start, shown);
                state.due_alone(&mut findings);
            }
        }
        let held = state.received - state.released;
        self.most_held = self.most_held.max(held);
        let settled = self.settle(at, &findings);
        self.findings = findings;
        self.queue.released(at);
        settled?;
        Ok(Part { segment: segment.index, lane: at, len: end - start, start, end, whole: true })
    }

    /// The tool that a lane's text goes to; `None` where it is said to the caller. A tool whose name is not complete is
    /// the tool with no name, which no policy grants anything.
    fn tool_of(&self, of: &LaneState) -> Option<String> {
        let Some(field) = name_of(of.lane.field) else {
            return (is_label(of.lane.field) || of.origin == Origin::ToolCall).then(String::new);
        };
        let names = Lane { choice: of.lane.choice, field };
        let name = self.lanes.iter().find(|l| l.lane == names && l.ended);
        Some(name.map(|l| l.said.clone()).unwrap_or_default())
    }

    /// Names and ids are over when the arguments begin; else a name would wait for the end of the whole answer, and the
    /// arguments behind it. A name that comes later still is refused: policies decide on the name before the arguments
    /// go out.
    fn end_labels(&mut self, of: Lane) -> Result<(), StreamRefusal> {
        let Some(name) = name_of(of.field) else { return Ok(()) };
        let name = self.open_lane(Lane { field: name, ..of }, String::new(), Origin::ToolCall)?;
        self.end_lane(name)?;
        if let LaneField::ToolArguments(n) | LaneField::ToolInput(n) = of.field
            && let Some(id) = self.lane_at(Lane { field: LaneField::ToolId(n), ..of }, "")
        {
            self.end_lane(id)?;
        }
        Ok(())
    }

    fn end_lane(&mut self, at: usize) -> Result<(), StreamRefusal> {
        let Some(state) = self.lanes.get_mut(at).filter(|l| !l.ended) else { return Ok(()) };
        state.ended = true;
        self.close(at)
    }

    /// A lane's text is over; what may come in it is another one.
    fn close(&mut self, at: usize) -> Result<(), StreamRefusal> {
        let Some(state) = self.lanes.get_mut(at) else { return Ok(()) };
        let mut findings = Vec::new();
        let syntax = if state.json.is_some() { Syntax::Json } else { Syntax::Plain };
        let mut inspector = std::mem::replace(&mut state.inspector, StreamInspector::new(syntax));
        let released = self.guard.with_engine(Direction::Response, |engine, scratch| {
            inspector.finish(engine, scratch, &mut findings)
        });
        state.place(released, &mut findings);
        state.began = state.received;
        state.due_alone(&mut findings);
        self.queue.released(at);
        self.settle(at, &findings)
    }

    /// Judges final findings of a lane and notes what is written instead.
    fn settle(&mut self, at: usize, findings: &[Finding]) -> Result<(), StreamRefusal> {
        let of = self.lanes.get(at).filter(|_| !findings.is_empty());
        let tool = of.and_then(|l| self.tool_of(l));
        let Some(state) = self.lanes.get_mut(at) else { return Ok(()) };
        for finding in findings {
            let value = state.slice(finding.span).to_owned();
            if finding.category == Category::Placeholder {
                state.place_until(finding.span.start);
                // Nobody knows who reads an unknown field.
                let restorable = state.placement.restorable() && state.lane.field != LaneField::Unknown;
                let restored = self
                    .vault
                    .restore(&value)
                    .filter(|(category, _)| restorable && (self.may_restore)(tool.as_deref(), *category))
                    .map(|(_, value)| value.to_owned());
                match &restored {
                    Some(restored) => state.placement.advance(&written(state.kind, restored)),
                    None => state.placement.advance(&value),
                }
                state.placed = finding.span.end;
                if let Some(restored) = restored {
                    state.replace(finding.span, restored);
                }
                continue;
            }
            let (trust, value) = (state.origin.trust(), plain(state.kind, &value));
            let (verdict, action) =
                self.guard.act_on_response(finding, &value, state.origin, trust, &self.vault);
            self.tally.found(finding, state.origin, at, verdict);
            match action {
                Action::Keep => {}
                Action::Replace(with) => state.replace(finding.span, with),
                Action::Refuse => return self.refuse(StreamRefusal::Blocked),
            }
        }
        if !self.vault.is_empty() {
            state.place_until(state.released);
        }
        Ok(())
    }

    fn refuse<T>(&mut self, refusal: StreamRefusal) -> Result<T, StreamRefusal> {
        self.queue.clear();
        Err(*self.refusal.get_or_insert(refusal))
    }

    /// Lets out what may go.
    fn drain(&mut self, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
        while let Some((number, mut event)) = self.queue.look() {
            if event.begun || event.parts.iter().any(|p| self.released(p.lane) < p.end) {
                self.carry(&mut event);
            }
            if event.parts.iter().all(|p| self.released(p.lane) >= p.end) {
                self.emit(&event, out)?;
                self.queue.gone(number, &event);
                self.recycle(event);
                continue;
            }
            // Only a splittable event with one part has something to say before all of it is released.
            if event.splittable
                && let Some(part) = event.parts.first_mut()
                && let Some(released) = self.lanes.get(part.lane).and_then(|l| l.shown_from(part.start))
            {
                let end = part.end;
                part.end = released;
                part.whole = false;
                self.emit(&event, out)?;
                if let Some(part) = event.parts.first_mut() {
                    part.start = released;
                    part.end = end;
                }
                event.begun = true;
            }
            self.queue.keep(number, event);
        }
        if self.queue.len() > MAX_QUEUED_EVENTS || self.queue.bytes() > MAX_QUEUED_BYTES {
            return self.refuse(StreamRefusal::Protocol("too much of the stream waits for one of its parts"));
        }
        Ok(())
    }

    /// Moves the held end of an event's text to the head of the lane's next event, when that waits in the queue. Of an
    /// event that has begun all that is left goes along, if the next can say it now.
    fn carry(&mut self, event: &mut Queued) {
        if !event.splittable {
            return;
        }
        let Some(part) = event.parts.first_mut() else { return };
        let Some(state) = self.lanes.get(part.lane) else { return };
        if part.whole && self.queue.len() <= FEW && state.shown_from(part.start).is_none() {
            // Nothing to say yet: it goes out as it came, when all of it may.
            return;
        }
        let released = state.released.max(part.start);
        let next = self.queue.follower(part.lane).filter(|next| !next.chunk.has_logprobs);
        let Some(next) = next else { return };
        let from = if event.begun && next.splittable { part.start } else { released };
        if let Some(follower) = next.parts.iter_mut().find(|p| p.lane == part.lane && from < part.end) {
            follower.start = from;
            follower.whole = false;
            part.end = from;
            part.whole = false;
        }
    }

    fn released(&self, lane: usize) -> usize {
        self.lanes.get(lane).map_or(usize::MAX, |l| l.released)
    }

    fn emit(&mut self, event: &Queued, out: &mut Vec<u8>) -> Result<(), StreamRefusal> {
        let mut edits = if event.begun { Vec::new() } else { event.edits.clone() };
        let mut edited = false;
        let mut says = false;
        for part in &event.parts {
            let Some(state) = self.lanes.get_mut(part.lane) else { continue };
            if part.whole && state.pass(part.end) {
                says |= part.start < part.end;
                continue;
            }
            let (text, replaced) = state.take(part.start, part.end);
            edited |= replaced;
            says |= !text.is_empty();
            if replaced || !part.whole {
                edits.push(Edit { segment: part.segment, span: Span::new(0, part.len), replacement: text });
            }
        }
        // An event whose text all waits has nothing to say, unless it also says who speaks.
        let emptied = event.splittable && event.parts.iter().any(|p| p.len > 0);
        if !says && (event.begun || emptied && memchr::memmem::find(&event.data, b"\"role\"").is_none()) {
            return Ok(());
        }
        if edits.is_empty() {
            out.extend_from_slice(&event.raw);
            return Ok(());
        }
        let mut data = match event.chunk.splice(&event.data, &edits) {
            Ok(data) => data,
            Err(_) => return self.refuse(StreamRefusal::Protocol("an edit did not fit its event")),
        };
        if event.chunk.has_logprobs && (edited || !event.edits.is_empty()) {
            // The tokens of an edited text repeat what was taken out.
            data = match ChatChunk::parse(&data, &Limits::default()).and_then(|c| c.drop_logprobs(&data)) {
                Ok(data) => data,
                Err(_) => return self.refuse(StreamRefusal::Protocol("an edited event did not parse")),
            };
        }
        SseEvent::frame(&data, out);
        Ok(())
    }
}

/// Judges what stands outside lanes. No value is put back there.
struct Beside<'g> {
    guard: &'g Guard,
    vault: &'g Vault,
}

impl Judge for Beside<'_> {
    fn begin(&mut self, _passage: &Passage<'_>) {}

    fn judge(&mut self, passage: &Passage<'_>, finding: &Finding, value: &str) -> (Option<Verdict>, Action) {
        if finding.category == Category::Placeholder {
            return (None, Action::Keep);
        }
        let (origin, trust) = (passage.first.origin, passage.first.trust);
        let (verdict, action) = self.guard.act_on_response(finding, value, origin, trust, self.vault);
        (Some(verdict), action)
    }
}
