//! What is noted about one exchange, and the spans that come of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_types::{
    Category, DecisionRecord, Ending, ExchangeId, ProjectId, Timestamp, UsageRecord, Verdict,
};
use http::HeaderMap;
use memchr::memmem;

use super::Ended;
use super::context::{Parent, Propagated, SpanId, TraceId};
use super::export::Tracer;
use super::otlp::{Key, Kind, Span, Value};
use crate::route::Route;
use crate::upstream::Provider;

/// Policies named in a span.
const MAX_POLICIES: usize = 32;
/// Answers of one exchange whose end is told; the OpenAI API allows 128.
const MAX_REASONS: usize = 128;
/// Why an answer ended, as far as it is told: the words of the dialect. Any other word is an upstream's text.
const REASONS: [&str; 6] = ["stop", "length", "tool_calls", "content_filter", "function_call", "error"];

/// One exchange as its steps noted it.
pub(super) struct Facts {
    pub(super) tracer: Arc<Tracer>,
    pub(super) trace: TraceId,
    pub(super) sampled: bool,
    parent: Option<Parent>,
    /// Of the server span, the guard's two and the log's.
    ids: [SpanId; 4],
    at: Timestamp,
    started: Instant,
    pub(super) over: Instant,
    pub(super) project: Option<ProjectId>,
    pub(super) exchange: Option<ExchangeId>,
    pub(super) model: String,
    pub(super) stream: bool,
    pub(super) verdict: Option<Verdict>,
    pub(super) request_findings: Vec<(Category, u32)>,
    response_findings: Vec<(Category, u32)>,
    policies: Vec<String>,
    pub(super) log_index: Option<u64>,
    pub(super) guard_request: Option<(Instant, Instant)>,
    pub(super) commit: Option<(Instant, Instant)>,
    calls: Vec<Call>,
    pieces: Option<Pieces>,
    reasons: Vec<&'static str>,
    pub(super) problem: Option<(&'static str, u16)>,
    pub(super) cut: bool,
    end: Option<(Instant, u16, Ending)>,
    usage: Option<UsageRecord>,
    own: Option<Duration>,
}

/// One attempt to have a provider answer.
struct Call {
    id: SpanId,
    provider: Arc<Provider>,
    model: String,
    began: Instant,
}

/// The pieces in which an answer came.
struct Pieces {
    first: Instant,
    /// When the last one came, and when it was done with.
    last: (Instant, Instant),
    busy: Duration,
    count: u64,
}

impl Facts {
    pub(super) fn begin(tracer: Arc<Tracer>, headers: &HeaderMap) -> Self {
        let parent = Parent::read(headers);
        let random = tracer.random();
        let trace = parent.as_ref().map_or_else(|| TraceId::new(random), |p| p.trace);
        let started = Instant::now();
        Facts {
            trace,
            sampled: tracer.sampler().samples(trace, parent.as_ref()),
            parent,
            ids: std::array::from_fn(|_| SpanId::new(random)),
            at: tracer.now(),
            started,
            over: started,
            tracer,
            project: None,
            exchange: None,
            model: String::new(),
            stream: false,
            verdict: None,
            request_findings: Vec::new(),
            response_findings: Vec::new(),
            policies: Vec::new(),
            log_index: None,
            guard_request: None,
            commit: None,
            calls: Vec::new(),
            pieces: None,
            reasons: Vec::new(),
            problem: None,
            cut: false,
            end: None,
            usage: None,
            own: None,
        }
    }

    pub(super) fn policies(&mut self, decisions: &[DecisionRecord]) {
        for policy in decisions.iter().flat_map(|d| d.policies.iter()) {
            if self.policies.len() < MAX_POLICIES && !self.policies.contains(policy) {
                self.policies.push(policy.clone());
            }
        }
    }

    pub(super) fn calls(&mut self, provider: &Arc<Provider>, model: String) -> Option<Propagated> {
        let id = SpanId::new(self.tracer.random());
        self.calls.push(Call { id, provider: Arc::clone(provider), model, began: Instant::now() });
        self.tracer.propagates().then(|| Propagated::new(self.trace, id, self.sampled)).flatten()
    }

    pub(super) fn piece(&mut self, came: Instant, done: Instant) {
        let took = done.saturating_duration_since(came);
        match &mut self.pieces {
            None => self.pieces = Some(Pieces { first: came, last: (came, done), busy: took, count: 1 }),
            Some(pieces) => {
                pieces.last = (came, done);
                pieces.busy += took;
                pieces.count = pieces.count.saturating_add(1);
            }
        }
    }

    pub(super) fn finish_reasons(&mut self, json: &[u8]) {
        let room = MAX_REASONS.saturating_sub(self.reasons.len());
        self.reasons.extend(finish_reasons(json).take(room));
    }

    pub(super) fn ended(&mut self, end: &Ended<'_>, now: Instant) {
        if let Some(tally) = end.tally {
            self.response_findings = tally.counts();
            self.verdict = self.verdict.max(Some(tally.verdict()));
        }
        if end.ending == Ending::Blocked {
            self.verdict = Some(Verdict::Block);
        }
        self.policies(end.decisions);
        self.end = Some((now, end.status, end.ending));
        self.usage = Some(end.usage);
        self.own = Some(end.own);
        self.log_index = end.log_index.or(self.log_index);
    }

    /// Whether somebody known made the request.
    pub(super) const fn is_known(&self) -> bool {
        self.project.is_some()
    }

    /// How many spans come of this.
    pub(super) fn count(&self) -> u64 {
        let own = [self.guard_request.is_some(), self.commit.is_some(), self.pieces.is_some()];
        let own = own.into_iter().filter(|there| *there).count();
        u64::try_from(1 + own + self.calls.len()).unwrap_or(u64::MAX)
    }

    /// The spans, the server's first.
    pub(super) fn spans(&self) -> Vec<Span<'_>> {
        let [_, guard_request, guard_response, commit] = self.ids;
        let mut spans = vec![self.server()];
        if let Some((began, ended)) = self.guard_request {
            let mut attributes = Vec::new();
            found(&mut attributes, "bastide.request.findings.", &self.request_findings);
            spans.push(self.inner(guard_request, "guard request", began, ended, attributes));
        }
        if let Some((began, ended)) = self.commit {
            let mut attributes = Vec::new();
            attributes.extend(self.log_index.map(|index| ("bastide.log.index".into(), Value::Int(index))));
            spans.push(self.inner(commit, "log commit", began, ended, attributes));
        }
        spans.extend(self.calls.iter().enumerate().map(|(i, call)| self.client(i, call)));
        if let Some(pieces) = &self.pieces {
            let mut attributes = vec![
                ("bastide.guard.pieces".into(), Value::Int(pieces.count)),
                ("bastide.guard.busy_micros".into(), Value::Int(micros(pieces.busy))),
            ];
            found(&mut attributes, "bastide.response.findings.", &self.response_findings);
            spans.push(self.inner(guard_response, "guard response", pieces.first, pieces.last.1, attributes));
        }
        spans
    }

    fn server(&self) -> Span<'_> {
        let (method, path) = Route::ChatCompletions.name().split_once(' ').unwrap_or_default();
        let mut attributes = vec![
            ("http.request.method".into(), Value::Text(method)),
            ("http.route".into(), Value::Text(path)),
            ("url.path".into(), Value::Text(path)),
        ];
        let mut add = |key: &'static str, value| attributes.push((key.into(), value));
        let ending = match (self.end, self.problem, self.verdict) {
            (Some((_, _, ending)), _, _) => Some(ending),
            (None, Some(_), Some(Verdict::Block)) => Some(Ending::Blocked),
            (None, Some(_), _) => None,
            // Dropped before anyone said how it ended: the caller left.
            (None, None, _) => Some(Ending::ClientLeft),
        };
        let status = match (self.end, self.problem) {
            _ if self.cut => Some(200),
            _ if ending == Some(Ending::ClientLeft) => None,
            (_, Some((_, status))) | (Some((_, status, _)), None) => Some(status),
            (None, None) => None,
        };
        if let Some(status) = status {
            add("http.response.status_code", Value::Int(status.into()));
        }
        if let Some((code, _)) = self.problem {
            add("error.type", Value::Text(code));
        }
        if let Some(exchange) = self.exchange {
            add("bastide.exchange.id", Value::Owned(exchange.to_string()));
        }
        if let Some(project) = self.project {
            add("bastide.project.id", Value::Owned(project.to_string()));
        }
        if !self.model.is_empty() {
            add("bastide.model", Value::Text(&self.model));
            add("bastide.stream", Value::Bool(self.stream));
        }
        if let Some(verdict) = self.verdict {
            add("bastide.verdict", Value::Text(verdict.as_str()));
        }
        if let Some(ending) = ending {
            add("bastide.ending", Value::Text(ending.as_str()));
        }
        if !self.policies.is_empty() {
            add("bastide.policies", Value::List(self.policies.iter().map(String::as_str).collect()));
        }
        if let Some(index) = self.log_index {
            add("bastide.log.index", Value::Int(index));
        }
        if let Some(own) = self.own {
            add("bastide.own_micros", Value::Int(micros(own)));
        }
        found(&mut attributes, "bastide.request.findings.", &self.request_findings);
        found(&mut attributes, "bastide.response.findings.", &self.response_findings);
        Span {
            trace: self.trace,
            id: self.root(),
            parent: self.parent.as_ref().map(|p| p.span),
            remote: self.parent.is_some(),
            state: self.state(),
            name: Route::ChatCompletions.name().to_owned(),
            kind: Kind::Server,
            start: self.nanos(self.started),
            end: self.nanos(self.over),
            // A refusal is the caller's error and not this server's: the HTTP conventions.
            failed: self.problem.is_some_and(|(_, status)| status >= 500),
            attributes,
        }
    }

    /// A call of a provider. Only the last one has an answer; those before could not be reached.
    fn client(&self, position: usize, call: &Call) -> Span<'_> {
        let next = self.calls.get(position + 1);
        let destination = call.provider.destination().map(|d| &d.chat);
        let host = destination.and_then(|uri| uri.host()).unwrap_or_default();
        let mut attributes = vec![
            ("gen_ai.operation.name".into(), Value::Text("chat")),
            ("gen_ai.provider.name".into(), Value::Text(provider_name(host))),
            ("gen_ai.request.model".into(), Value::Owned(call.model.clone())),
            ("bastide.provider".into(), Value::Owned(call.provider.name().to_owned())),
        ];
        let mut add = |key: &'static str, value| attributes.push((key.into(), value));
        if self.stream {
            add("gen_ai.request.stream", Value::Bool(true));
        }
        if let Some(uri) = destination {
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
            add("server.address", Value::Owned(host.to_owned()));
            add("server.port", Value::Int(port.into()));
        }
        let (mut end, mut failed) = (self.over, None);
        match (next, self.end) {
            (Some(next), _) => {
                end = next.began;
                failed = Some("upstream.unavailable");
            }
            (None, Some((ended, _, ending))) => {
                // A whole answer was there when its last piece came; what follows is our own work.
                let came = self.pieces.as_ref().filter(|_| ending == Ending::Complete).map(|p| p.last.0);
                end = came.unwrap_or(ended);
                if matches!(ending, Ending::UpstreamFailed | Ending::UpstreamError) {
                    failed = self.problem.map(|(code, _)| code);
                } else {
                    self.answer(call, &mut add);
                }
            }
            (None, None) => {}
        }
        if let Some(code) = failed {
            add("error.type", Value::Text(code));
        }
        Span {
            trace: self.trace,
            id: call.id,
            parent: Some(self.root()),
            remote: false,
            state: self.state(),
            name: format!("chat {}", call.model),
            // The demo model answers in this process.
            kind: if destination.is_some() { Kind::Client } else { Kind::Internal },
            start: self.nanos(call.began),
            end: self.nanos(end),
            failed: failed.is_some(),
            attributes,
        }
    }

    fn answer<'a>(&'a self, call: &Call, add: &mut impl FnMut(&'static str, Value<'a>)) {
        if let Some(usage) = self.usage {
            add("gen_ai.usage.input_tokens", Value::Int(usage.input_tokens));
            add("gen_ai.usage.output_tokens", Value::Int(usage.output_tokens));
            add("bastide.usage.estimated", Value::Bool(usage.estimated));
        }
        if !self.reasons.is_empty() {
            add("gen_ai.response.finish_reasons", Value::List(self.reasons.clone()));
        }
        if let Some(pieces) = self.pieces.as_ref().filter(|_| self.stream) {
            let waited = pieces.first.saturating_duration_since(call.began).as_secs_f64();
            add("gen_ai.response.time_to_first_chunk", Value::Double(waited));
        }
    }

    fn inner<'a>(
        &'a self,
        id: SpanId,
        name: &str,
        began: Instant,
        ended: Instant,
        attributes: Vec<(Key, Value<'a>)>,
    ) -> Span<'a> {
        Span {
            trace: self.trace,
            id,
            parent: Some(self.root()),
            remote: false,
            state: self.state(),
            name: name.to_owned(),
            kind: Kind::Internal,
            start: self.nanos(began),
            end: self.nanos(ended),
            failed: false,
            attributes,
        }
    }

    const fn root(&self) -> SpanId {
        let [root, ..] = self.ids;
        root
    }

    fn state(&self) -> Option<&str> {
        self.parent.as_ref().and_then(|p| p.state.as_deref())
    }

    /// Nanoseconds since the Unix epoch. One reading of the clock for all: durations come from the monotonic one.
    fn nanos(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.started);
        let since = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.at.as_micros().saturating_mul(1000).saturating_add(since)
    }
}

/// The words of the members `finish_reason`. Inside of a string their quotes would be escaped, so text that only speaks
/// of them is not taken for one.
fn finish_reasons(json: &[u8]) -> impl Iterator<Item = &'static str> {
    const MEMBER: &[u8] = b"\"finish_reason\"";
    memmem::find_iter(json, MEMBER).filter_map(|at| {
        let value = json.get(at + MEMBER.len()..)?.trim_ascii_start();
        let word = value.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
        let is = |r: &&str| word.strip_prefix(r.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'"'));
        REASONS.into_iter().find(is)
    })
}

fn found(attributes: &mut Vec<(Key, Value<'_>)>, prefix: &str, counts: &[(Category, u32)]) {
    let named =
        counts.iter().map(|(c, n)| (format!("{prefix}{}", c.as_str()).into(), Value::Int((*n).into())));
    attributes.extend(named);
}

/// The conventions' name for a provider: that of a host we know, else that of the API it speaks.
fn provider_name(host: &str) -> &'static str {
    match host {
        "api.anthropic.com" => "anthropic",
        "api.deepseek.com" => "deepseek",
        "api.groq.com" => "groq",
        "api.mistral.ai" => "mistral_ai",
        "api.perplexity.ai" => "perplexity",
        "api.x.ai" => "x_ai",
        "generativelanguage.googleapis.com" => "gcp.gemini",
        _ if host.ends_with(".openai.azure.com") => "azure.ai.openai",
        _ => "openai",
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finish_reasons_are_words_of_the_dialect_in_members_of_that_name() {
        let read = |json: &str| finish_reasons(json.as_bytes()).collect::<Vec<_>>();
        let two =
            r#"{"choices":[{"finish_reason" : "stop"},{"finish_reason":null},{"finish_reason":"length"}]}"#;
        assert_eq!(read(two), ["stop", "length"]);
        assert!(read(r#"{"finish_reason":"my card is 4111"}"#).is_empty(), "an upstream's text");
        assert!(read(r#"{"finish_reason":"stopped"}"#).is_empty());
        let quoted = serde_json::json!({"content": two}).to_string();
        assert!(read(&quoted).is_empty(), "text that speaks of it: {quoted}");
        for cut in 0..two.len() {
            read(&two[..cut]);
        }
    }

    #[test]
    fn a_provider_is_named_after_its_host_or_else_its_api() {
        assert_eq!(provider_name("api.mistral.ai"), "mistral_ai");
        assert_eq!(provider_name("mine.openai.azure.com"), "azure.ai.openai");
        assert_eq!(provider_name("llm.internal"), "openai");
    }
}
