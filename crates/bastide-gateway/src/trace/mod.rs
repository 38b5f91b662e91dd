//! Spans of exchanges, for OpenTelemetry collectors.
//!
//! An exchange carries a [`Trace`]: nothing unless spans are asked for, else the facts that the steps note on it. When
//! it is dropped it goes to the exporter's queue, and everything else happens in the exporter's own task: an exchange
//! never waits for a collector. Names follow the OpenTelemetry HTTP and GenAI conventions, ours begin with `bastide.`.
//! What was said, what was found (beyond its category) and who said it (beyond the project) is in none of them.

mod context;
mod export;
mod facts;
mod otlp;
mod telemetry;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_types::{DecisionRecord, Ending, ExchangeRequest, Problem, ProjectId, UsageRecord};
use http::Request;

pub(crate) use context::Propagated;
pub(crate) use export::Tracer;
pub use telemetry::{Endpoint, ExportHeaders, Sampler, Telemetry, TelemetryError};

use crate::gateway::Gateway;
use crate::guard::Tally;
use crate::route::Route;
use crate::upstream::Provider;
use facts::Facts;

/// Longest model name in a span, in characters: it is the caller's text.
const MODEL_CHARS: usize = 128;

/// The spans of one exchange in the making. Off, it is one null pointer, and every note on it one branch.
#[derive(Default)]
pub(crate) struct Trace(Option<Box<Facts>>);

impl Trace {
    /// A trace for a request, where spans are asked for and the request is to become an exchange.
    pub(crate) fn begin<B>(gateway: &Gateway, request: &Request<B>) -> Self {
        let Some(tracer) = &gateway.tracer else { return Trace(None) };
        if Route::find(request.method(), request.uri().path()) != Ok(Route::ChatCompletions) {
            return Trace(None);
        }
        Trace(Some(Box::new(Facts::begin(Arc::clone(tracer), request.headers()))))
    }

    /// What names this trace in the server's own log.
    pub(crate) fn log_span(&self) -> tracing::Span {
        match &self.0 {
            None => tracing::Span::none(),
            Some(facts) => tracing::info_span!("exchange", trace_id = %facts.trace),
        }
    }

    /// Who asks is known.
    pub(crate) fn caller(&mut self, project: ProjectId) {
        if let Some(facts) = &mut self.0 {
            facts.project = Some(project);
        }
    }

    /// The guard has read the request.
    pub(crate) fn guarded_request(&mut self, began: Instant, tally: &Tally) {
        if let Some(facts) = &mut self.0 {
            facts.guard_request = Some((began, Instant::now()));
            facts.request_findings = tally.counts();
        }
    }

    /// The decision about the request, on its way to the log.
    pub(crate) fn decided(&mut self, record: &ExchangeRequest) {
        if let Some(facts) = &mut self.0 {
            facts.exchange = Some(record.exchange);
            facts.model = record.model.chars().take(MODEL_CHARS).collect();
            facts.stream = record.stream;
            facts.verdict = Some(record.verdict);
            facts.policies(&record.decisions);
        }
    }

    /// The decision is in the log at this index; someone waited for that since `began`.
    pub(crate) fn committed(&mut self, began: Instant, index: Option<u64>) {
        if let Some(facts) = &mut self.0 {
            facts.commit = Some((began, Instant::now()));
            facts.log_index = index.or(facts.log_index);
        }
    }

    /// A provider is about to be called. Gives the context to send along, where the operator wants that.
    pub(crate) fn calls(&mut self, provider: &Arc<Provider>, model: &str) -> Option<Propagated> {
        self.0.as_mut().and_then(|facts| facts.calls(provider, model.chars().take(MODEL_CHARS).collect()))
    }

    /// A piece of the answer, which came at `came`, has been read and guarded.
    pub(crate) fn guarded_response(&mut self, came: Instant) {
        if let Some(facts) = &mut self.0 {
            facts.piece(came, Instant::now());
        }
    }

    /// Why answers ended, from an answer or a piece of one that has been parsed.
    pub(crate) fn finish_reasons(&mut self, json: &[u8]) {
        if let Some(facts) = &mut self.0 {
            facts.finish_reasons(json);
        }
    }

    /// The caller is told of a problem.
    pub(crate) fn problem(&mut self, problem: &Problem) {
        self.error(problem.code, problem.status);
    }

    /// The caller is told of a problem in the middle of a stream that began well.
    pub(crate) fn cut(&mut self, problem: &Problem) {
        self.error(problem.code, problem.status);
        if let Some(facts) = &mut self.0 {
            facts.cut = true;
        }
    }

    /// The caller gets this status, for the reason with this code.
    pub(crate) fn error(&mut self, code: &'static str, status: u16) {
        if let Some(facts) = &mut self.0 {
            facts.problem = Some((code, status));
        }
    }

    /// The exchange has ended; the answer may still be on its way out.
    pub(crate) fn ended(&mut self, end: &Ended<'_>) {
        if let Some(facts) = &mut self.0 {
            facts.ended(end, Instant::now());
        }
    }
}

/// What the end of an exchange says to its trace.
pub(crate) struct Ended<'a> {
    pub(crate) status: u16,
    pub(crate) ending: Ending,
    pub(crate) tally: Option<&'a Tally>,
    pub(crate) decisions: &'a [DecisionRecord],
    pub(crate) usage: UsageRecord,
    pub(crate) own: Duration,
    pub(crate) log_index: Option<u64>,
}

impl Drop for Trace {
    fn drop(&mut self) {
        if let Some(mut facts) = self.0.take() {
            facts.over = Instant::now();
            let tracer = Arc::clone(&facts.tracer);
            tracer.submit(facts);
        }
    }
}
