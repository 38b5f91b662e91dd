//! A load generator: each connection sends its next request when the last reply has ended, or, at a given rate, when its
//! turn comes. It measures latency itself and asks the kernel what the servers under test spent meanwhile.

mod client;
mod histogram;
mod report;

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use client::{Client, Exchange, Expect};
use report::{Meter, Tally};

pub use client::Failure;
pub use histogram::Histogram;
pub use report::{LoadReport, Spread};

/// When the load stops.
#[derive(Clone, Copy, Debug)]
pub enum Stop {
    /// After so many requests.
    Requests(u64),
    /// After so long.
    After(Duration),
}

/// What to send, how hard and for how long.
#[derive(Clone, Debug)]
pub struct LoadConfig {
    /// The base URL as an SDK takes it: `http://HOST:PORT/v1`.
    pub url: String,
    /// Bearer key.
    pub key: Option<String>,
    /// Whether replies are streamed.
    pub stream: bool,
    /// The body; see [`chat_body`].
    pub body: Vec<u8>,
    /// Connections, each with one request under way.
    pub connections: usize,
    /// Requests a second over all connections; as many as go without.
    pub rate: Option<f64>,
    /// When to stop.
    pub stop: Stop,
    /// Requests sent before anything is counted.
    pub warm_up: u64,
    /// Longest wait for one reply.
    pub timeout: Duration,
    /// Processes whose CPU time and memory are summed up.
    pub pids: Vec<u32>,
    /// Whether receipts are collected.
    pub receipts: bool,
    /// Whether a failed request is followed by a pause, so that a server that is down is not flooded.
    pub patient: bool,
}

impl LoadConfig {
    /// One connection, 1,000 requests after 100 of warm-up, to `url`.
    #[must_use]
    pub fn new(url: &str) -> Self {
        LoadConfig {
            url: url.to_owned(),
            key: None,
            stream: false,
            body: chat_body("mock", false, 400),
            connections: 1,
            rate: None,
            stop: Stop::Requests(1000),
            warm_up: 100,
            timeout: Duration::from_secs(30),
            pids: Vec::new(),
            receipts: false,
            patient: false,
        }
    }

    /// Asks for streams.
    #[must_use]
    pub fn streamed(mut self) -> Self {
        self.stream = true;
        self.body = chat_body("mock", true, 400);
        self
    }
}

/// Hears of each receipt as soon as it has arrived.
pub type OnReceipt = Box<dyn Fn(&str) + Send + Sync>;

/// Why the load did not run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The URL is of another form.
    #[error("`{0}` is not of the form http://HOST:PORT/PATH")]
    Url(String),
    /// The host has no address.
    #[error("cannot find the address of `{url}`")]
    Address {
        /// As given.
        url: String,
        /// What the resolver said.
        #[source]
        source: std::io::Error,
    },
    /// A process to measure is gone.
    #[error("cannot measure process {pid}")]
    Process {
        /// Its id.
        pid: u32,
        /// What the kernel said.
        #[source]
        source: std::io::Error,
    },
}

/// A chat request whose user text has about `chars` characters of harmless prose, with the settings an application
/// commonly sends.
#[must_use]
pub fn chat_body(model: &str, stream: bool, chars: usize) -> Vec<u8> {
    let prose = "Describe the plan of the town: where the market square lies, how wide the main streets are, how \
                 the plots run from street to lane, and which houses still have their arcades. ";
    let text: String = prose.chars().cycle().take(chars).collect();
    let mut body = serde_json::json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a guide to the towns of the south-west. Answer briefly."},
            {"role": "user", "content": text},
        ],
        "temperature": 0.7,
        "max_tokens": 512,
    });
    if stream && let Some(fields) = body.as_object_mut() {
        fields.insert("stream".to_owned(), true.into());
    }
    body.to_string().into_bytes()
}

struct Target {
    address: SocketAddr,
    request: Vec<u8>,
}

fn target(config: &LoadConfig) -> Result<Target, LoadError> {
    let wrong = || LoadError::Url(config.url.clone());
    let rest = config.url.strip_prefix("http://").ok_or_else(wrong)?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host
        .to_socket_addrs()
        .map_err(|source| LoadError::Address { url: config.url.clone(), source })?
        .next()
        .ok_or_else(wrong)?;
    let base = path.trim_end_matches('/');
    let slash = if base.is_empty() { "" } else { "/" };
    let mut request = format!("POST {slash}{base}/chat/completions HTTP/1.1\r\nhost: {host}\r\n");
    if let Some(key) = &config.key {
        request.push_str(&format!("authorization: Bearer {key}\r\n"));
    }
    let accept = if config.stream { "text/event-stream" } else { "application/json" };
    request.push_str(&format!(
        "accept: {accept}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        config.body.len()
    ));
    let mut request = request.into_bytes();
    request.extend_from_slice(&config.body);
    Ok(Target { address, request })
}

/// What all connections share.
struct Run {
    config: LoadConfig,
    target: Target,
    started: AtomicU64,
    over: AtomicBool,
    receipts: Mutex<Vec<String>>,
    report_receipt: Option<OnReceipt>,
}

/// Runs the load on the current runtime.
///
/// # Errors
/// When the URL cannot be used or a process to measure is gone. Failed requests are counted, not returned.
pub async fn run(config: LoadConfig) -> Result<LoadReport, LoadError> {
    run_with(config, None).await
}

/// Like [`run`]; `on_receipt` hears of each receipt as soon as it has arrived.
///
/// # Errors
/// As [`run`].
pub async fn run_with(config: LoadConfig, on_receipt: Option<OnReceipt>) -> Result<LoadReport, LoadError> {
    let target = target(&config)?;
    if config.warm_up > 0 {
        let warm = LoadConfig { stop: Stop::Requests(config.warm_up), rate: None, ..config.clone() };
        let target = Target { address: target.address, request: target.request.clone() };
        drive(Arc::new(Run::new(warm, target, None)), None).await;
    }
    let mut meter = Meter::start(&config.pids)?;
    let run = Arc::new(Run::new(config, target, on_receipt));
    let (tally, seconds) = drive(Arc::clone(&run), Some(&mut meter)).await;
    let receipts = std::mem::take(&mut *run.receipts.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(meter.report(&run.config, tally, seconds, receipts))
}

impl Run {
    fn new(config: LoadConfig, target: Target, on_receipt: Option<OnReceipt>) -> Self {
        Run {
            config,
            target,
            started: AtomicU64::new(0),
            over: AtomicBool::new(false),
            receipts: Mutex::default(),
            report_receipt: on_receipt,
        }
    }

    fn keep(&self, receipt: String) {
        if let Some(report) = &self.report_receipt {
            report(&receipt);
        }
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner).push(receipt);
    }
}

async fn drive(run: Arc<Run>, meter: Option<&mut Meter>) -> (Tally, Duration) {
    let begun = Instant::now();
    let tasks: Vec<_> =
        (0..run.config.connections.max(1)).map(|n| tokio::spawn(connection(Arc::clone(&run), n))).collect();
    if let Stop::After(limit) = run.config.stop {
        let ender = Arc::clone(&run);
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            ender.over.store(true, Ordering::Relaxed);
        });
    }
    let mut tally = Tally::default();
    let joined = async {
        for task in tasks {
            if let Ok(one) = task.await {
                tally.merge(one);
            }
        }
    };
    match meter {
        Some(meter) => tokio::select! {
            () = joined => {}
            () = meter.watch() => {}
        },
        None => joined.await,
    }
    (tally, begun.elapsed())
}

/// When a connection's turns are, so that all together keep the rate.
struct Turns {
    next: tokio::time::Instant,
    period: Duration,
}

impl Turns {
    fn new(config: &LoadConfig, connection: usize) -> Option<Self> {
        let connections = u32::try_from(config.connections.max(1)).unwrap_or(u32::MAX);
        let rate = config.rate.filter(|rate| *rate > 0.0)?;
        let period = Duration::try_from_secs_f64(f64::from(connections) / rate).ok()?;
        let lag = period / connections * u32::try_from(connection).unwrap_or(u32::MAX);
        Some(Turns { next: tokio::time::Instant::now() + lag, period })
    }

    /// Waits for the next turn. Turns that were missed are left out: catching up would be a burst.
    async fn wait(&mut self) {
        let now = tokio::time::Instant::now();
        self.next = self.next.max(now.checked_sub(self.period).unwrap_or(now));
        tokio::time::sleep_until(self.next).await;
        self.next += self.period;
    }
}

async fn connection(run: Arc<Run>, number: usize) -> Tally {
    let mut tally = Tally::default();
    let mut turns = Turns::new(&run.config, number);
    let mut client = Client::new(run.target.address);
    let expect = Expect { stream: run.config.stream, receipts: run.config.receipts };
    while !run.over.load(Ordering::Relaxed) {
        if let Some(turns) = &mut turns {
            turns.wait().await;
        }
        let ticket = run.started.fetch_add(1, Ordering::Relaxed);
        if matches!(run.config.stop, Stop::Requests(limit) if ticket >= limit) {
            break;
        }
        let mut exchange = Exchange::default();
        let begun = Instant::now();
        let reply = client.exchange(&run.target.request, expect, &mut exchange);
        let outcome = match tokio::time::timeout(run.config.timeout, reply).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Failure::Timeout),
        };
        if let Some(receipt) = exchange.receipt.take().filter(|_| run.config.receipts) {
            run.keep(receipt);
        }
        match outcome {
            Ok(()) => {
                tally.latency.record(begun.elapsed());
                if let Some(first) = exchange.first_byte {
                    tally.first_chunk.record(first.duration_since(begun));
                }
                tally.body_bytes += exchange.body_bytes;
            }
            Err(failure) => {
                client.hang_up();
                *tally.failures.entry(report::failure_name(failure)).or_default() += 1;
                if run.config.patient {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }
    tally
}
