//! The body of a streamed answer: upstream events in, guarded events out, the receipt before the end.
//!
//! hyper flushes each frame that it is given alone, and an upstream that writes its events one by one would cost as many
//! writes to the caller. So once this body holds data it yields until two turns in a row brought nothing, which lets what
//! is about to arrive arrive, and then gives everything as one frame. The first event is not later for it: a yield is a
//! turn of the scheduler, not a wait.

use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bastide_anonymize::Vault;
use bastide_audit::{AuditError, Pending, Recorded};
use bastide_types::{DecisionRecord, Ending, GuardMode, Problem, Verdict};
use bastide_wire::{ChatChunk, Limits, SseDecoder, SseEvent, Usage};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::watch;
use tokio::time::Sleep;

use crate::choices::Choices;
use crate::digests::Digests;
use crate::exchange::{End, Exchange};
use crate::guard::{StreamGuard, StreamRefusal, Tally};
use crate::offload::in_place;
use crate::problem::{self, raise};
use crate::upstream::UpstreamBody;

/// How often the body yields before it gives a frame; see the module's text.
const YIELDS: u8 = 2;
/// A frame is given at once when it holds this much: more would only take memory.
const FRAME_BYTES: usize = 64 << 10;
/// After so much from the upstream other tasks have their turn, whatever became of it.
const SHARE: usize = 64 << 10;

/// The body of any response of the gateway.
#[derive(Debug)]
pub struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Full(Option<Bytes>),
    Other(UnsyncBoxBody<Bytes, std::convert::Infallible>),
    Relay(Box<Relay>),
}

impl Body {
    /// All of it.
    #[must_use]
    pub fn full(bytes: Bytes) -> Self {
        Body(Kind::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// Whatever a surface sends.
    #[must_use]
    pub const fn other(body: UnsyncBoxBody<Bytes, std::convert::Infallible>) -> Self {
        Body(Kind::Other(body))
    }

    pub(crate) fn relay(relay: Relay) -> Self {
        Body(Kind::Relay(Box::new(relay)))
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut self.0 {
            Kind::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Kind::Other(body) => Pin::new(body).poll_frame(cx),
            Kind::Relay(relay) => relay.poll(cx).map(|frame| frame.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(bytes) => bytes.is_none(),
            Kind::Other(body) => body.is_end_stream(),
            Kind::Relay(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |b| u64::try_from(b.len()).unwrap_or(u64::MAX)))
            }
            Kind::Other(body) => body.size_hint(),
            Kind::Relay(_) => SizeHint::default(),
        }
    }
}

type Change = Pin<Box<dyn Future<Output = watch::Receiver<u64>> + Send + Sync>>;

/// One streamed answer on its way.
pub(crate) struct Relay {
    exchange: Box<Exchange>,
    upstream: Option<UpstreamBody>,
    decoder: SseDecoder,
    guard: StreamGuard,
    out: Vec<u8>,
    yields: u8,
    /// Bytes from the upstream since others had their turn.
    taken: usize,
    digests: Digests,
    output_bytes: u64,
    usage: Option<Usage>,
    choices: Choices,
    /// The revision of the tally that the policies were last asked about; `None` when they changed since.
    judged: Option<u64>,
    decisions: Vec<DecisionRecord>,
    idle: Pin<Box<Sleep>>,
    /// When the upstream was last heard of.
    heard: Instant,
    change: Change,
    first: bool,
    state: State,
}

enum State {
    Running,
    /// The last of the answer is on its way out; then comes the outcome's record.
    Recording {
        pending: Result<Pin<Box<Pending>>, AuditError>,
        done: bool,
    },
    Over,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relay").field("exchange", &self.exchange.id).finish_non_exhaustive()
    }
}

fn next_change(mut rights: watch::Receiver<u64>) -> Change {
    Box::pin(async move {
        if rights.changed().await.is_err() {
            // The gateway is gone; nothing changes any more.
            std::future::pending::<()>().await;
        }
        rights
    })
}

impl Relay {
    pub(crate) fn new(
        exchange: Box<Exchange>,
        upstream: UpstreamBody,
        vault: Vault,
        decision: DecisionRecord,
    ) -> Self {
        let limits = &exchange.settings.limits;
        // The first poll asks at once: rights may have changed since they were last asked about.
        let mut rights = exchange.gateway.rights.subscribe();
        rights.mark_changed();
        let may_restore = Box::new(exchange.may_restore());
        let guard = StreamGuard::new(std::sync::Arc::clone(&exchange.guard), vault, may_restore);
        Relay {
            decoder: SseDecoder::new(limits.event_bytes),
            idle: Box::pin(tokio::time::sleep(limits.idle_time)),
            heard: Instant::now(),
            change: next_change(rights),
            upstream: Some(upstream),
            guard,
            out: Vec::new(),
            yields: 0,
            taken: 0,
            digests: Digests::new(exchange.digest()),
            output_bytes: 0,
            usage: None,
            choices: Choices::default(),
            judged: Some(Tally::default().revision()),
            decisions: vec![decision],
            first: true,
            state: State::Running,
            exchange,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if !matches!(self.state, State::Running) {
            return self.poll_end(cx);
        }
        let mut began = None;
        let polled = self.poll_running(cx, &mut began);
        if let Some(began) = began {
            self.exchange.own += began.elapsed();
            self.exchange.trace.guarded_response(began);
        }
        match polled {
            Some(polled) => polled,
            None => self.poll_end(cx),
        }
    }

    /// Takes what there is from the upstream; `None` when the answer is over. `began` is when the first of it was there:
    /// one reading of the clock for all that one poll brings, and none for a poll that brings nothing.
    fn poll_running(
        &mut self,
        cx: &mut Context<'_>,
        began: &mut Option<Instant>,
    ) -> Option<Poll<Option<Bytes>>> {
        while let Poll::Ready(rights) = self.change.as_mut().poll(cx) {
            self.change = next_change(rights);
            if !self.exchange.still_allowed() {
                self.cut(raise::revoked(), Ending::Blocked);
                return None;
            }
            self.judged = None;
        }
        loop {
            if self.taken >= SHARE {
                // hyper asks for the next frame at once, and an upstream may send without end.
                if !self.out.is_empty() {
                    return Some(Poll::Ready(self.take()));
                }
                self.taken = 0;
                cx.waker().wake_by_ref();
                return Some(Poll::Pending);
            }
            match self.pull(cx, began) {
                // What came may be followed by more that is here already: ask as often again.
                Pulled::More => self.yields = 0,
                Pulled::Nothing if self.out.is_empty() => return Some(Poll::Pending),
                Pulled::Nothing if self.yields < YIELDS => {
                    self.yields += 1;
                    cx.waker().wake_by_ref();
                    return Some(Poll::Pending);
                }
                Pulled::Nothing | Pulled::Enough => return Some(Poll::Ready(self.take())),
                Pulled::Ended => return None,
            }
        }
    }

    /// Gives the last of the answer, then the receipt.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let State::Recording { pending, done } = &mut self.state {
            let done = *done;
            if !self.out.is_empty() {
                // The text does not wait for the disk; only the receipt does.
                return Poll::Ready(self.take());
            }
            let recorded = match pending {
                Ok(pending) => match pending.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(recorded) => recorded.ok(),
                },
                Err(_) => None,
            };
            self.conclude(recorded, done);
            self.state = State::Over;
        }
        Poll::Ready(self.take())
    }

    fn take(&mut self) -> Option<Bytes> {
        self.yields = 0;
        if self.out.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.first) {
            self.exchange.first_byte(Instant::now());
        }
        // The digest of what was sent ends where the receipt begins: a receipt cannot vouch for itself.
        if matches!(self.state, State::Running) {
            self.digests.sent(&self.out);
            self.exchange.kept.stream_sent(&self.out);
        }
        Some(Bytes::from(std::mem::take(&mut self.out)))
    }

    /// Takes one piece from the upstream and lets its events through the guard.
    fn pull(&mut self, cx: &mut Context<'_>, began: &mut Option<Instant>) -> Pulled {
        if self.out.len() >= FRAME_BYTES {
            return Pulled::Enough;
        }
        let Some(upstream) = &mut self.upstream else { return Pulled::Ended };
        match upstream.poll_data(cx) {
            Poll::Pending => {
                if self.is_silent(cx) {
                    let problem =
                        raise::upstream("upstream.timeout", 504, "the upstream fell silent in its answer");
                    self.cut(problem, Ending::UpstreamFailed);
                    return Pulled::Ended;
                }
                Pulled::Nothing
            }
            Poll::Ready(Some(Ok(data))) => {
                self.heard = *began.get_or_insert_with(Instant::now);
                self.digests.received(&data);
                self.exchange.kept.stream_received(&data);
                self.decoder.push(&data);
                self.taken += data.len();
                if self.events() { Pulled::Ended } else { Pulled::More }
            }
            Poll::Ready(Some(Err(_))) => {
                self.broke();
                Pulled::Ended
            }
            Poll::Ready(None) => {
                if self.choices.are_over() {
                    // Some servers end without `[DONE]`; every choice has finished, so the answer is whole.
                    self.complete(false);
                } else {
                    self.broke();
                }
                Pulled::Ended
            }
        }
    }

    /// Whether nothing came for too long. The timer is not set back with each event: when it fires, it looks when the
    /// last one was.
    fn is_silent(&mut self, cx: &mut Context<'_>) -> bool {
        let most = self.exchange.settings.limits.idle_time;
        while self.idle.as_mut().poll(cx).is_ready() {
            if self.heard.elapsed() >= most {
                return true;
            }
            self.idle.as_mut().reset(tokio::time::Instant::from_std(self.heard + most));
        }
        false
    }

    fn broke(&mut self) {
        let problem =
            raise::upstream("upstream.broken", 502, "the upstream broke off in the middle of its answer");
        self.cut(problem, Ending::UpstreamFailed);
    }

    /// Handles all complete events; `true` when the answer is over.
    fn events(&mut self) -> bool {
        // What an event says stands in the decoder.
        let mut decoder = std::mem::replace(&mut self.decoder, SseDecoder::new(0));
        let over = self.events_of(&mut decoder);
        self.decoder = decoder;
        over
    }

    fn events_of(&mut self, decoder: &mut SseDecoder) -> bool {
        loop {
            let event = match decoder.next_event() {
                None => return false,
                Some(Ok(event)) => event,
                Some(Err(_)) => {
                    self.protocol("an event of the upstream's stream is too large or is no text");
                    return true;
                }
            };
            let length = event.raw.len();
            if in_place(length, || self.event(event)) {
                return true;
            }
        }
    }

    fn event(&mut self, event: SseEvent<'_>) -> bool {
        let Some(data) = event.data else {
            // A comment keeps the connection alive; its text would reach the caller uninspected.
            self.out.extend_from_slice(b":\n\n");
            return false;
        };
        if event.is_done() {
            self.complete(true);
            return true;
        }
        let mode = self.exchange.guard.mode();
        let mut queued = self.guard.spare();
        match queued.chunk.reparse(data, &Limits::default()) {
            Ok(()) => {}
            Err(_) if mode == GuardMode::Off => {
                self.out.extend_from_slice(event.raw);
                return false;
            }
            Err(_) => {
                self.protocol("an event of the upstream's stream is no chat completion chunk");
                return true;
            }
        }
        if let Some(usage) =
            queued.chunk.usage.filter(|usage| usage.input_tokens.max(usage.output_tokens) > 0)
        {
            self.usage = Some(usage);
        }
        self.follow(&queued.chunk, data);
        let (mut raw, mut data) = (Cow::Borrowed(event.raw), Cow::Borrowed(data));
        let mut strip = event.has_more && mode != GuardMode::Off;
        if queued.chunk.logprobs_diverge && mode == GuardMode::Enforce {
            // Text spread over log probabilities is not seen as a whole, so those that say something else go.
            let dropped = queued.chunk.drop_logprobs(&data);
            match dropped
                .and_then(|dropped| queued.chunk.reparse(&dropped, &Limits::default()).map(|()| dropped))
            {
                Ok(dropped) => data = Cow::Owned(dropped),
                Err(_) => {
                    self.protocol("an event of the upstream's stream cannot be edited");
                    return true;
                }
            }
            strip = true;
        }
        if strip {
            // Names, ids and comments of an event are text that nobody inspects.
            raw = Cow::Owned(SseEvent::framed(&data));
        }
        let mark = self.out.len();
        match self.guard.event(&raw, &data, queued, &mut self.out) {
            Ok(()) => self.recheck(mark),
            Err(refusal) => {
                self.out.truncate(mark);
                self.refused(refusal);
                true
            }
        }
    }

    /// Counts what is said and who has finished.
    fn follow(&mut self, chunk: &ChatChunk, data: &[u8]) {
        for index in 0..chunk.segment_count() {
            let Some(lane) = chunk.lane(index) else { continue };
            self.output_bytes += u64::try_from(chunk.written_len(index)).unwrap_or(0);
            self.choices.speaks(lane.choice);
        }
        if !chunk.finish.is_empty() {
            self.exchange.trace.finish_reasons(data);
        }
        chunk.finish.iter().for_each(|choice| self.choices.ends(*choice));
    }

    /// A category that had not been found before, and the name of a tool that is called, asks the policies again.
    ///
    /// What was appended from `mark` on goes out only with their consent.
    fn recheck(&mut self, mark: usize) -> bool {
        let tally = self.guard.tally();
        let judged = Some(tally.revision());
        if judged == self.judged {
            return false;
        }
        let answer = self.exchange.receive(tally);
        self.judged = judged;
        match answer {
            Ok(_) => false,
            Err(refusal) => {
                self.out.truncate(mark);
                self.decisions.push(refusal.decision().clone());
                self.cut(refusal.to_problem(), Ending::Blocked);
                true
            }
        }
    }

    fn refused(&mut self, refusal: StreamRefusal) {
        match refusal {
            StreamRefusal::Blocked => {
                let named = self.guard.tally().named(Verdict::Hold);
                self.cut(raise::blocked(&named, "answer"), Ending::Blocked);
            }
            StreamRefusal::Protocol(why) => self.protocol(why),
        }
    }

    fn protocol(&mut self, why: &'static str) {
        self.cut(raise::upstream("upstream.protocol", 502, why), Ending::UpstreamFailed);
    }

    fn complete(&mut self, done: bool) {
        let mark = self.out.len();
        if let Err(refusal) = self.guard.finish(&mut self.out) {
            self.out.truncate(mark);
            self.refused(refusal);
            return;
        }
        if self.recheck(mark) {
            return;
        }
        self.end(Ending::Complete, 200, done);
    }

    /// Ends the stream with an error event, which the official SDKs raise as an error.
    fn cut(&mut self, problem: Problem, ending: Ending) {
        // What is held was neither judged nor asked for any more: it stays behind.
        self.exchange.gateway.metrics.problem(problem.code);
        self.exchange.trace.cut(&problem);
        self.out.extend_from_slice(b"data: ");
        self.out.extend_from_slice(&problem::body(&problem));
        self.out.extend_from_slice(b"\n\n");
        self.end(ending, problem.status, false);
    }

    fn end(&mut self, ending: Ending, status: u16, done: bool) {
        // Dropped, it closes the connection: the upstream stops generating.
        if let Some(upstream) = self.upstream.take()
            && ending == Ending::Complete
        {
            upstream.finish();
        }
        self.exchange.gateway.metrics.held(self.guard.most_held());
        self.digests.sent(&self.out);
        let (received, sent) = self.digests.finish();
        self.exchange.kept.stream_ended(&self.out, self.guard.tally(), ending);
        let end = End {
            status,
            ending,
            received,
            sent,
            tally: Some(self.guard.tally()),
            decisions: std::mem::take(&mut self.decisions),
            usage: self.usage,
            output_bytes: self.output_bytes,
        };
        let pending = self.exchange.end(end);
        self.state = State::Recording { pending: pending.map(Box::pin), done };
    }

    fn conclude(&mut self, recorded: Option<Recorded>, done: bool) {
        match recorded {
            Some(recorded) => {
                self.out.extend_from_slice(b": bastide-receipt ");
                self.out.extend_from_slice(recorded.receipt_text().as_bytes());
                self.out.extend_from_slice(b"\n\n");
            }
            None => {
                tracing::error!("the audit log refused the outcome of a stream");
                self.exchange.trace.cut(&raise::log_failed());
                self.out.extend_from_slice(b"data: ");
                self.out.extend_from_slice(&problem::body(&raise::log_failed()));
                self.out.extend_from_slice(b"\n\n");
            }
        }
        if done {
            self.out.extend_from_slice(b"data: [DONE]\n\n");
        }
    }
}

enum Pulled {
    /// Something was taken in; there may be more.
    More,
    /// Nothing there now.
    Nothing,
    /// A full frame is ready.
    Enough,
    /// The answer is over.
    Ended,
}

impl Drop for Relay {
    fn drop(&mut self) {
        if matches!(self.state, State::Running) {
            // The caller went away: the upstream's connection closes with us, and what was used is settled.
            self.out.clear();
            self.end(Ending::ClientLeft, 499, false);
        }
    }
}
