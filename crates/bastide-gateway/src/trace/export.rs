//! The queue of finished exchanges, and the task that posts their spans to a collector.
//!
//! Everything here is bounded: the queue, a batch, the tries, the time for each, and the time at the end. What does not
//! fit or does not arrive is dropped and counted; no exchange waits for it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bastide_crypto::Random;
use bastide_types::{Clock, Timestamp};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::facts::Facts;
use super::{Sampler, Telemetry, otlp};
use crate::metrics::{SpanFate, Spans};
use crate::upstream::Transport;

/// Finished exchanges that wait; each takes one or two kilobytes.
const QUEUE: usize = 2048;
/// What is left of the queue for exchanges of known callers: refused strangers can be many.
const KEPT_FOR_KNOWN: usize = QUEUE / 2;
/// Exchanges of one export; their spans take a few hundred kilobytes.
const BATCH: usize = 256;
/// How long a finished exchange waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// Tries of one export, and the wait after the first; it doubles.
const TRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest wait that a collector may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A collector that fails is mentioned this often.
const COMPLAIN_EVERY: Duration = Duration::from_secs(60);
/// Time for what is queued when the server stops.
const FLUSH: Duration = Duration::from_secs(2);
/// Bytes of a collector's answer; we only want the connection back.
const ANSWER_BYTES: usize = 64 << 10;

/// Where finished exchanges go.
pub(crate) struct Tracer {
    queue: mpsc::Sender<Box<Facts>>,
    sampler: Sampler,
    propagate: bool,
    spans: Spans,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random + Send + Sync>,
    stop: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Tracer {
    /// Starts the exporter's task.
    ///
    /// # Errors
    /// Outside of a tokio runtime.
    pub(crate) fn start(
        telemetry: &Telemetry,
        transport: Transport,
        spans: Spans,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random + Send + Sync>,
    ) -> io::Result<Arc<Self>> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let exporter = Exporter {
            telemetry: telemetry.clone(),
            transport,
            spans: spans.clone(),
            stopped,
            complained: None,
            unsaid: 0,
        };
        tracing::info!(endpoint = %telemetry.endpoint, "spans are exported");
        let task = runtime.spawn(exporter.run(waiting));
        Ok(Arc::new(Tracer {
            queue,
            sampler: telemetry.sampler,
            propagate: telemetry.propagate,
            spans,
            clock,
            random,
            stop,
            task: Mutex::new(Some(task)),
        }))
    }

    /// Takes a finished exchange, or drops it at once.
    pub(super) fn submit(&self, facts: Box<Facts>) {
        if !facts.sampled {
            return;
        }
        let count = facts.count();
        let crowded = !facts.is_known() && self.queue.capacity() <= KEPT_FOR_KNOWN;
        if crowded || self.queue.try_send(facts).is_err() {
            self.spans.add(SpanFate::QueueFull, count);
        }
    }

    /// Exports what is queued and ends the task; what is not delivered in two seconds is dropped.
    pub(crate) async fn close(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(FLUSH, &mut task).await.is_err() {
            task.abort();
            tracing::warn!("the collector did not take the last spans in time; they are dropped");
        }
    }

    pub(super) const fn sampler(&self) -> Sampler {
        self.sampler
    }

    pub(super) const fn propagates(&self) -> bool {
        self.propagate
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn random(&self) -> &dyn Random {
        &*self.random
    }
}

/// Why an export failed.
struct Fault {
    what: String,
    /// When it may succeed, if ever.
    again: Option<Option<Duration>>,
}

struct Exporter {
    telemetry: Telemetry,
    transport: Transport,
    spans: Spans,
    stopped: watch::Receiver<bool>,
    complained: Option<Instant>,
    /// Failures since then.
    unsaid: u64,
}

impl Exporter {
    async fn run(mut self, mut waiting: mpsc::Receiver<Box<Facts>>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            batch.clear();
            self.gather(&mut waiting, &mut batch).await;
            if batch.is_empty() {
                return;
            }
            self.export(&batch).await;
        }
    }

    #[expect(clippy::vec_box, reason = "as the channel hands them out: pointers move, kilobytes stay")]
    /// A full batch, or what came within a second of the first; nothing once the server stops and the queue is empty.
    async fn gather(&mut self, waiting: &mut mpsc::Receiver<Box<Facts>>, batch: &mut Vec<Box<Facts>>) {
        let stopped = &mut self.stopped;
        tokio::select! {
            _ = waiting.recv_many(batch, BATCH) => {}
            () = until(stopped) => {}
        }
        let full =
            async { while batch.len() < BATCH && waiting.recv_many(batch, BATCH - batch.len()).await > 0 {} };
        tokio::select! {
            () = full => return,
            () = tokio::time::sleep(GATHER) => return,
            () = until(stopped) => {}
        }
        while batch.len() < BATCH
            && let Ok(facts) = waiting.try_recv()
        {
            batch.push(facts);
        }
    }

    async fn export(&mut self, batch: &[Box<Facts>]) {
        let count = batch.iter().map(|facts| facts.count()).sum();
        let spans = batch.iter().flat_map(|facts| facts.spans());
        let body = Bytes::from(otlp::request(&self.telemetry.resource, spans));
        let mut wait = FIRST_WAIT;
        for attempt in 1..=TRIES {
            let Err(fault) = self.post(body.clone()).await else {
                return self.spans.add(SpanFate::Exported, count);
            };
            let again = fault.again.filter(|_| attempt < TRIES && !*self.stopped.borrow());
            self.complain(&fault, again.is_some());
            let Some(asked) = again else { break };
            let pause = asked.unwrap_or(wait).min(LONGEST_WAIT);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = until(&mut self.stopped) => {}
            }
            wait *= 2;
        }
        self.spans.add(SpanFate::ExportFailed, count);
    }

    async fn post(&self, body: Bytes) -> Result<(), Fault> {
        const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
        const AGENT: HeaderValue = HeaderValue::from_static(concat!("bastide/", env!("CARGO_PKG_VERSION")));
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.telemetry.endpoint.uri().clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, AGENT);
        headers.extend(self.telemetry.headers.map().clone());
        headers.insert(CONTENT_TYPE, PROTOBUF);
        let posting = async {
            let response = self.transport.request(request).await.map_err(|e| unreachable(&e))?;
            let (head, body) = response.into_parts();
            // Read to its end so that the connection serves again; what it says is not needed.
            let _ = Limited::new(body, ANSWER_BYTES).collect().await;
            if head.status.is_success() { Ok(()) } else { Err(refused(head.status, &head.headers)) }
        };
        let late = || Fault { what: "no answer in time".to_owned(), again: Some(None) };
        tokio::time::timeout(self.telemetry.timeout, posting).await.unwrap_or_else(|_| Err(late()))
    }

    fn complain(&mut self, fault: &Fault, again: bool) {
        self.unsaid += 1;
        if self.complained.is_some_and(|at| at.elapsed() < COMPLAIN_EVERY) {
            return;
        }
        self.complained = Some(Instant::now());
        tracing::warn!(
            endpoint = %self.telemetry.endpoint,
            error = fault.what,
            failures = std::mem::take(&mut self.unsaid),
            again,
            "spans could not be exported"
        );
    }
}

async fn until(flag: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever would have said so.
    let _ = flag.wait_for(|set| *set).await;
}

fn unreachable(error: &hyper_util::client::legacy::Error) -> Fault {
    let mut what = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        what = format!("{what}: {cause}");
        source = cause.source();
    }
    Fault { what, again: Some(None) }
}

/// Which answers may be tried again, and when: the OTLP specification, `OTLP/HTTP Response`.
fn refused(status: StatusCode, headers: &HeaderMap) -> Fault {
    let asked = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
    let transient = matches!(status.as_u16(), 429 | 502 | 503 | 504);
    Fault {
        what: format!("status {}", status.as_u16()),
        again: transient.then(|| asked.map(Duration::from_secs)),
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::ProjectId;

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(1)
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
    }

    impl Random for Still {
        fn fill(&self, out: &mut [u8]) {
            out.fill(7);
        }
    }

    /// A tracer whose queue nobody empties.
    fn stuck() -> (Arc<Tracer>, mpsc::Receiver<Box<Facts>>) {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let tracer = Tracer {
            queue,
            sampler: Sampler::default(),
            propagate: false,
            spans: Spans::default(),
            clock: Arc::new(Still),
            random: Arc::new(Still),
            stop: watch::Sender::new(false),
            task: Mutex::new(None),
        };
        (Arc::new(tracer), waiting)
    }

    fn finish(tracer: &Arc<Tracer>, known: bool) {
        let mut facts = Facts::begin(Arc::clone(tracer), &HeaderMap::new());
        facts.project = known.then(|| ProjectId::from_bytes([1; 16]));
        tracer.submit(Box::new(facts));
    }

    #[test]
    fn a_full_queue_drops_and_counts() {
        let (tracer, waiting) = stuck();
        for _ in 0..QUEUE + 3 {
            finish(&tracer, true);
        }
        assert_eq!(waiting.len(), QUEUE);
        assert_eq!(tracer.spans.count(SpanFate::QueueFull), 3);
        drop(waiting);
        finish(&tracer, true);
        assert_eq!(tracer.spans.count(SpanFate::QueueFull), 4, "nobody is there to take it");
    }

    #[test]
    fn a_flood_of_refused_strangers_leaves_room_for_known_callers() {
        let (tracer, waiting) = stuck();
        for _ in 0..QUEUE {
            finish(&tracer, false);
        }
        assert_eq!(waiting.len(), QUEUE - KEPT_FOR_KNOWN);
        finish(&tracer, true);
        assert_eq!(waiting.len(), QUEUE - KEPT_FOR_KNOWN + 1);
    }

    #[test]
    fn only_what_the_specification_calls_transient_is_tried_again() {
        let mut headers = HeaderMap::new();
        assert!(refused(StatusCode::BAD_REQUEST, &headers).again.is_none());
        assert!(refused(StatusCode::INTERNAL_SERVER_ERROR, &headers).again.is_none());
        assert_eq!(refused(StatusCode::SERVICE_UNAVAILABLE, &headers).again, Some(None));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        let asked = Some(Some(Duration::from_secs(7)));
        assert_eq!(refused(StatusCode::TOO_MANY_REQUESTS, &headers).again, asked);
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Wed, 21 Oct 2026 07:28:00 GMT"));
        assert_eq!(refused(StatusCode::BAD_GATEWAY, &headers).again, Some(None));
    }
}
