//! Counters and histograms, in the Prometheus text format.
//!
//! Names follow the OpenTelemetry GenAI conventions where these have one (dots become underscores); what bastide itself
//! costs is a metric of its own, `bastide_own_overhead_seconds`, so that nobody has to guess.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bastide_audit::{BodyStats, LogStats};
use bastide_types::{Category, Direction, Ending, Verdict};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct EndingLabel {
    ending: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FindingLabel {
    category: &'static str,
    direction: &'static str,
    verdict: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ProblemLabel {
    code: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct TokenLabel {
    gen_ai_token_type: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct FateLabel {
    fate: &'static str,
}

/// What became of a span.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SpanFate {
    /// A collector took it.
    Exported,
    /// Dropped: too many waited already.
    QueueFull,
    /// Dropped: no collector took it.
    ExportFailed,
}

/// Spans by what became of them; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spans(Family<FateLabel, Counter>);

impl Spans {
    pub(crate) fn add(&self, fate: SpanFate, spans: u64) {
        self.0.get_or_create(&fate.label()).inc_by(spans);
    }

    #[cfg(test)]
    pub(crate) fn count(&self, fate: SpanFate) -> u64 {
        self.0.get_or_create(&fate.label()).get()
    }
}

impl SpanFate {
    const fn label(self) -> FateLabel {
        let fate = match self {
            SpanFate::Exported => "exported",
            SpanFate::QueueFull => "dropped_queue_full",
            SpanFate::ExportFailed => "dropped_export_failed",
        };
        FateLabel { fate }
    }
}

/// Every metric of the gateway.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    exchanges: Family<EndingLabel, Counter>,
    findings: Family<FindingLabel, Counter>,
    problems: Family<ProblemLabel, Counter>,
    tokens: Family<TokenLabel, Counter>,
    duration: Histogram,
    first_token: Histogram,
    own: Histogram,
    guard: Histogram,
    held: Histogram,
    commit: Histogram,
    in_flight: Gauge,
    connections: Gauge,
    log_entries: Gauge<u64, AtomicU64>,
    log_published: Gauge<u64, AtomicU64>,
    log_waiting: Gauge<u64, AtomicU64>,
    log_commits: Counter<u64, AtomicU64>,
    log_bytes: Counter<u64, AtomicU64>,
    log_refused: Counter<u64, AtomicU64>,
    bodies_kept: Counter,
    bodies_dropped: Family<ReasonLabel, Counter>,
    bodies_bytes: Gauge<u64, AtomicU64>,
    spans: Spans,
}

/// From 10 us to 84 s, doubling: own overhead and whole exchanges on one scale.
fn seconds() -> Histogram {
    Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(0.000_01, 2.0, 24))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let exchanges = Family::default();
        let findings = Family::default();
        let problems = Family::default();
        let tokens = Family::default();
        let (duration, first_token, own, guard, commit) =
            (seconds(), seconds(), seconds(), seconds(), seconds());
        let held = Histogram::new(prometheus_client::metrics::histogram::exponential_buckets(1.0, 2.0, 14));
        let in_flight = Gauge::default();
        let connections = Gauge::default();
        let (log_entries, log_published, log_waiting) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        let (log_commits, log_bytes, log_refused) =
            (Counter::default(), Counter::default(), Counter::default());
        registry.register("bastide_exchanges", "Exchanges by how they ended", exchanges.clone());
        registry.register(
            "bastide_findings",
            "Findings by category, direction and verdict",
            findings.clone(),
        );
        registry.register("bastide_problems", "Refusals and failures by code", problems.clone());
        registry.register("gen_ai_client_token_usage", "Tokens used", tokens.clone());
        registry.register_with_unit(
            "gen_ai_server_request_duration",
            "Time from the whole request to the whole answer",
            Unit::Seconds,
            duration.clone(),
        );
        registry.register_with_unit(
            "gen_ai_server_time_to_first_token",
            "Time from the whole request to the first byte of the answer",
            Unit::Seconds,
            first_token.clone(),
        );
        registry.register_with_unit(
            "bastide_own_overhead",
            "Time spent in bastide itself, upstream and client waits left out",
            Unit::Seconds,
            own.clone(),
        );
        registry.register_with_unit(
            "bastide_guard_duration",
            "Time in the guard",
            Unit::Seconds,
            guard.clone(),
        );
        registry.register_with_unit(
            "bastide_audit_commit_duration",
            "Time that a request waited for the log",
            Unit::Seconds,
            commit.clone(),
        );
        registry.register_with_unit(
            "bastide_stream_held",
            "Most text that a stream held back at one time",
            Unit::Bytes,
            held.clone(),
        );
        registry.register("bastide_exchanges_in_flight", "Exchanges running now", in_flight.clone());
        registry.register("bastide_connections", "Client connections open now", connections.clone());
        let spans = Spans::default();
        registry.register("bastide_spans", "Spans by what became of them", spans.0.clone());
        registry.register("bastide_audit_entries", "Entries in the log", log_entries.clone());
        registry.register(
            "bastide_audit_published",
            "Entries under the newest checkpoint",
            log_published.clone(),
        );
        registry.register("bastide_audit_waiting", "Entries on their way to the disk", log_waiting.clone());
        registry.register("bastide_audit_commits", "Writes and syncs of the log", log_commits.clone());
        registry.register("bastide_audit_written_bytes", "Bytes of entries written", log_bytes.clone());
        registry.register(
            "bastide_audit_refused",
            "Entries refused because too many waited",
            log_refused.clone(),
        );
        let (bodies_kept, bodies_dropped, bodies_bytes) =
            (Counter::default(), Family::default(), Gauge::default());
        registry.register("bastide_bodies_kept", "Bodies written beside the log", bodies_kept.clone());
        registry.register(
            "bastide_bodies_dropped",
            "Bodies not kept: too many waited (queue) or they could not be written (disk)",
            bodies_dropped.clone(),
        );
        registry.register_with_unit(
            "bastide_bodies",
            "Size of the kept bodies on disk",
            Unit::Bytes,
            bodies_bytes.clone(),
        );
        Metrics {
            registry,
            exchanges,
            findings,
            problems,
            tokens,
            duration,
            first_token,
            own,
            guard,
            held,
            commit,
            in_flight,
            connections,
            log_entries,
            log_published,
            log_waiting,
            log_commits,
            log_bytes,
            log_refused,
            bodies_kept,
            bodies_dropped,
            bodies_bytes,
            spans,
        }
    }
}

/// The labels of a sample, without that of a histogram's buckets.
fn labels(sample: &str) -> Vec<String> {
    let inside =
        sample.split_once('{').and_then(|(_, rest)| Some(rest.split_once('}')?.0)).unwrap_or_default();
    let names = inside.split(',').filter_map(|pair| Some(pair.split_once('=')?.0.to_owned()));
    names.filter(|name| name != "le").collect()
}

/// A metric, for the documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricDoc {
    /// Its name, without the suffixes of samples.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// What it counts or measures.
    pub help: String,
    /// Names of its labels, in order.
    pub labels: Vec<String>,
}

impl Metrics {
    /// Every metric there is.
    #[must_use]
    pub fn documented() -> Vec<MetricDoc> {
        let metrics = Metrics::default();
        // A family is written only where it has a member.
        metrics.ended(Ending::Complete, Duration::ZERO, Duration::ZERO);
        metrics.found(Category::CreditCard, Direction::Request, Verdict::Allow);
        metrics.problem("none");
        metrics.tokens(0, 0);
        metrics.spans.add(SpanFate::Exported, 0);
        metrics.bodies_dropped.get_or_create(&ReasonLabel { reason: "queue" }).inc();
        let mut text = String::new();
        let _ = prometheus_client::encoding::text::encode(&mut text, &metrics.registry);
        let mut documented: Vec<MetricDoc> = Vec::new();
        for line in text.lines() {
            let words: Vec<&str> = line.splitn(4, ' ').collect();
            match (words.as_slice(), documented.last_mut()) {
                (["#", "HELP", name, help], _) => documented.push(MetricDoc {
                    name: (*name).to_owned(),
                    kind: String::new(),
                    help: help.trim_end_matches('.').to_owned(),
                    labels: Vec::new(),
                }),
                (["#", "TYPE", _, kind], Some(last)) => last.kind = (*kind).to_owned(),
                (["#", ..], _) | (_, None) => {}
                (_, Some(last)) if last.labels.is_empty() => last.labels = labels(line),
                _ => {}
            }
        }
        documented
    }

    pub(crate) fn ended(&self, ending: Ending, total: Duration, own: Duration) {
        self.exchanges.get_or_create(&EndingLabel { ending: ending.as_str() }).inc();
        self.duration.observe(total.as_secs_f64());
        self.own.observe(own.as_secs_f64());
    }

    pub(crate) fn found(&self, category: Category, direction: Direction, verdict: Verdict) {
        let direction = match direction {
            Direction::Request => "request",
            Direction::Response => "response",
        };
        let label = FindingLabel { category: category.as_str(), direction, verdict: verdict.as_str() };
        self.findings.get_or_create(&label).inc();
    }

    pub(crate) fn problem(&self, code: &'static str) {
        self.problems.get_or_create(&ProblemLabel { code }).inc();
    }

    pub(crate) fn tokens(&self, input: u64, output: u64) {
        self.tokens.get_or_create(&TokenLabel { gen_ai_token_type: "input" }).inc_by(input);
        self.tokens.get_or_create(&TokenLabel { gen_ai_token_type: "output" }).inc_by(output);
    }

    pub(crate) fn first_token(&self, after: Duration) {
        self.first_token.observe(after.as_secs_f64());
    }

    pub(crate) fn guard(&self, took: Duration) {
        self.guard.observe(took.as_secs_f64());
    }

    pub(crate) fn commit(&self, took: Duration) {
        self.commit.observe(took.as_secs_f64());
    }

    pub(crate) fn held(&self, bytes: usize) {
        self.held.observe(f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)));
    }

    pub(crate) fn spans(&self) -> Spans {
        self.spans.clone()
    }

    pub(crate) fn exchange_began(&self) {
        self.in_flight.inc();
    }

    pub(crate) fn exchange_left(&self) {
        self.in_flight.dec();
    }

    pub(crate) fn connection_opened(&self) {
        self.connections.inc();
    }

    pub(crate) fn connection_closed(&self) {
        self.connections.dec();
    }

    /// The text that `GET /metrics` answers.
    pub fn render(&self, log: &LogStats, bodies: &BodyStats) -> String {
        self.log_entries.set(log.entries);
        self.log_published.set(log.published);
        self.log_waiting.set(log.queued);
        // The log counts; these only show its numbers.
        self.log_commits.inner().store(log.commits, Relaxed);
        self.log_bytes.inner().store(log.bytes, Relaxed);
        self.log_refused.inner().store(log.refused, Relaxed);
        // The store counts by itself: its numbers are taken over as they are.
        self.bodies_kept.inner().store(bodies.kept, Relaxed);
        for (reason, dropped) in [("queue", bodies.dropped_full), ("disk", bodies.dropped_disk)] {
            self.bodies_dropped.get_or_create(&ReasonLabel { reason }).inner().store(dropped, Relaxed);
        }
        self.bodies_bytes.set(bodies.bytes);
        let mut text = String::new();
        // Writing to a string fails only when an encoder reports an error; then what is there is what there is.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
