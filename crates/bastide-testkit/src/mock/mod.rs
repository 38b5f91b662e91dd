//! A model server that does as it is told.

mod ask;
mod chat;
mod connection;
mod gzip;
mod reply;
mod scenario;
mod sse;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub use chat::{ChatReply, Choice, Pieces, ToolCall};
pub use reply::{Reply, Step};
pub use scenario::{Scenario, last_user_text};
pub use sse::SseStyle;

/// How the mock is set up.
#[derive(Clone, Debug)]
pub struct MockConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Events of a plain stream, `[DONE]` not counted.
    pub events: usize,
    /// Events to one write of a plain stream. 0: the whole stream in one write.
    pub burst: usize,
    /// Wait between the writes of a plain stream.
    pub pace: Duration,
    /// The CPU that its thread is tied to.
    pub cpu: Option<usize>,
    /// Whether requests are kept for [`MockUpstream::received`].
    pub record: bool,
    /// What `GET /v1/models` lists.
    pub models: Vec<String>,
}

impl Default for MockConfig {
    fn default() -> Self {
        MockConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            events: 100,
            burst: 0,
            pace: Duration::ZERO,
            cpu: None,
            record: false,
            models: vec!["mock".to_owned(), "mock-echo".to_owned()],
        }
    }
}

/// Why the mock did not start.
#[derive(Debug, thiserror::Error)]
#[error("the mock upstream cannot listen on `{listen}`")]
pub struct MockError {
    listen: SocketAddr,
    #[source]
    source: std::io::Error,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// Its target, query included.
    pub path: String,
    /// Its header fields, names in lower case, in order.
    pub headers: Vec<(String, String)>,
    /// Its body, transfer coding removed.
    pub body: Vec<u8>,
}

impl Received {
    /// The first value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A running mock. It has a thread of its own, so it serves tests of any runtime, and stops when dropped.
#[derive(Debug)]
pub struct MockUpstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    config: MockConfig,
    json: Bytes,
    stream: Bytes,
    /// A plain stream that does not go out in one write.
    paced: Option<Vec<Step>>,
    models: Bytes,
    requests: AtomicU64,
    connections: AtomicU64,
    abandoned: AtomicU64,
    received: Mutex<Vec<Received>>,
    next: Mutex<VecDeque<Reply>>,
    scripted: Mutex<HashMap<String, Reply>>,
}

/// The lock's content, even after a panic of another test thread: the mock has no invariant that one could break.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a reply puts on the wire, without its pauses.
fn flat(reply: &Reply) -> Bytes {
    let mut out = Vec::new();
    for step in reply.steps() {
        if let Step::Write(bytes) = step {
            out.extend_from_slice(&bytes);
        }
    }
    out.into()
}

impl Shared {
    fn new(config: MockConfig) -> Self {
        let plain = ChatReply::text(scenario::PROSE);
        let events = plain_events(config.events);
        let stream = Reply::sse(&events, &SseStyle::default());
        let paced = (config.burst > 0 || !config.pace.is_zero()).then(|| {
            let burst = stream.clone().bursts(config.burst.max(1)).steps();
            let pause = Step::Pause(config.pace);
            let mut steps: Vec<Step> = burst.into_iter().flat_map(|step| [step, pause.clone()]).collect();
            steps.pop();
            if config.pace.is_zero() {
                steps.retain(|step| !matches!(step, Step::Pause(_)));
            }
            steps
        });
        let models: Vec<_> = config
            .models
            .iter()
            .map(|id| serde_json::json!({"id": id, "object": "model", "created": 1_764_000_000, "owned_by": "mock"}))
            .collect();
        let models = serde_json::json!({"object": "list", "data": models}).to_string();
        Shared {
            json: flat(&plain.whole()),
            stream: flat(&stream),
            paced,
            models: flat(&Reply::json(200, &models)),
            config,
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            received: Mutex::default(),
            next: Mutex::default(),
            scripted: Mutex::default(),
        }
    }

    fn record(&self, request: Received) {
        locked(&self.received).push(request);
    }

    /// What [`MockUpstream`] counts, for a test in another language.
    fn stats(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        serde_json::json!({"requests": count(&self.requests), "connections": count(&self.connections),
                           "abandoned": count(&self.abandoned)})
        .to_string()
    }

    /// The body of the last recorded request.
    fn last_body(&self) -> String {
        let received = locked(&self.received);
        received.last().map_or_else(|| "null".to_owned(), Received::text)
    }

    fn take_next(&self) -> Option<Reply> {
        locked(&self.next).pop_front()
    }

    fn scripted(&self, model: &str) -> Option<Reply> {
        locked(&self.scripted).get(model).cloned()
    }
}

/// Exactly `count` events of about 200 bytes: an opening one, words, and the finish.
fn plain_events(count: usize) -> Vec<String> {
    let words: Vec<String> = scenario::PROSE.split(' ').map(|word| format!("{word} ")).collect();
    let text: String = words.iter().cycle().take(count.saturating_sub(2)).map(String::as_str).collect();
    let mut cuts = Vec::new();
    let mut at = 0;
    for word in words.iter().cycle().take(count.saturating_sub(2)) {
        at += word.len();
        cuts.push(at);
    }
    let mut reply = ChatReply::text(&text);
    if count < 3 {
        reply.choices.iter_mut().for_each(|choice| choice.content = Some(String::new()));
    }
    reply.to_events(&Pieces::Cuts(cuts), false)
}

impl MockUpstream {
    /// Starts the mock.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub async fn start(config: MockConfig) -> Result<Self, MockError> {
        // Binding and starting a thread take microseconds: no need to leave the caller's runtime for it.
        Self::start_blocking(config)
    }

    /// Starts the mock outside of any runtime.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn start_blocking(config: MockConfig) -> Result<Self, MockError> {
        let listen = config.listen;
        let failed = |source| MockError { listen, source };
        let listener = std::net::TcpListener::bind(listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let shared = Arc::new(Shared::new(config));
        let (stop, stopped) = oneshot::channel();
        let accepting = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("mock-upstream".to_owned())
            .spawn(move || {
                if let Some(cpu) = accepting.config.cpu {
                    // Pinning only steadies figures; a machine without that CPU still gets its mock.
                    let _ = crate::pin_to_cpu(cpu);
                }
                runtime.block_on(async {
                    tokio::select! {
                        () = accept(listener, accepting) => {}
                        _ = stopped => {}
                    }
                });
                // The runtime's end cuts every open connection.
            })
            .map_err(failed)?;
        Ok(MockUpstream { address, shared, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL as an SDK takes it.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// From now on, answers requests for `model` with `reply`.
    pub fn answer(&self, model: &str, reply: Reply) {
        locked(&self.shared.scripted).insert(model.to_owned(), reply);
    }

    /// Answers the next request, whatever it is, with `reply`; calls queue up.
    pub fn answer_next(&self, reply: Reply) {
        locked(&self.shared.next).push_back(reply);
    }

    /// The recorded requests, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        locked(&self.shared.received).clone()
    }

    /// Takes the recorded requests away.
    #[must_use]
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut *locked(&self.shared.received))
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// Replies that the client left before their end.
    #[must_use]
    pub fn abandoned(&self) -> u64 {
        self.shared.abandoned.load(Ordering::Relaxed)
    }

    /// Waits until a counter such as [`MockUpstream::abandoned`] has reached `least`; `false` after `limit`.
    pub async fn wait_until(&self, counter: impl Fn(&Self) -> u64, least: u64, limit: Duration) -> bool {
        let reached = async {
            while counter(self) < least {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(limit, reached).await.is_ok()
    }

    /// Serves until the process ends.
    pub fn run(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for MockUpstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: std::net::TcpListener, shared: Arc<Shared>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                shared.connections.fetch_add(1, Ordering::Relaxed);
                // Without it, the second small write of a stream waits for the client's delayed acknowledgement.
                let _ = stream.set_nodelay(true);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that breaks off is not the mock's trouble.
                    let _ = connection::serve(stream, shared).await;
                });
            }
            // Out of descriptors: wait for some to close.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_stream_has_the_length_asked_for_and_realistic_events() {
        for count in [3, 10, 100, 300] {
            let events = plain_events(count);
            assert_eq!(events.len(), count);
            assert!(events.iter().all(|event| (150..300).contains(&event.len())));
        }
    }

    #[test]
    fn the_plain_body_is_about_a_kilobyte() {
        let size = ChatReply::text(scenario::PROSE).to_json().len();
        assert!((800..1200).contains(&size), "{size}");
    }
}
