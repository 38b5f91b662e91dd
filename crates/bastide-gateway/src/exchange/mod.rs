//! One exchange, from the authenticated request to its receipt.
//!
//! The order of the steps is the product's promise, and the types keep it: [`Outbound`] takes an `Inspected` body, which
//! only the guard makes; nothing is sent before [`Ticket`] says that the log has the decision.

mod begin;
mod end;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_anonymize::Vault;
use bastide_audit::{DigestKey, Pending, Recorded};
use bastide_crypto::HmacContext;
use bastide_identity::Principal;
use bastide_policy::{Authorized, Facts, Invoke, PolicySet, Receive, Refusal, Resource, Restore, Subject};
use bastide_types::{
    ActorRef, Category, DecisionRecord, Digest, Ending, ExchangeId, GuardMode, Problem, ProjectId, Score,
    TimingRecord, Verdict,
};
use bastide_wire::Usage;
use bytes::{Bytes, BytesMut};
use http::Response;

use crate::bodies::Kept;
use crate::gateway::Gateway;
use crate::guard::{Guard, Tally};
use crate::limits::Reservation;
use crate::problem::{self, raise};
use crate::relay::Body;
use crate::reply;
use crate::settings::Settings;
use crate::trace::Trace;
use crate::upstream::{Outbound, Provider, SendError, Target, UpstreamBody};

use begin::begin;
pub(crate) use end::{End, recorded, said};

/// A refusal on its way to the caller, with its record where there is one.
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) recorded: Option<Recorded>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Refused { problem, exchange: None, recorded: None }
    }
}

impl Refused {
    pub(crate) fn into_response(self) -> Response<Body> {
        problem::response(&self.problem, self.exchange, self.recorded.as_ref())
    }
}

/// The record of a request's decision: in the log, or on its way there when the operator chose `relaxed`.
pub(crate) enum Ticket {
    Recorded(Recorded),
    OnItsWay(Pending),
}

/// What the rest of an exchange needs to know of its beginning.
pub(crate) struct Exchange {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) id: ExchangeId,
    pub(crate) model: Arc<str>,
    pub(crate) provider: Arc<str>,
    pub(crate) owner: Option<ProjectId>,
    pub(crate) demo: bool,
    /// What the request offered and held, as the policies were told.
    tools: Vec<String>,
    unscanned: bool,
    pub(crate) stream: bool,
    pub(crate) started: Instant,
    pub(crate) own: Duration,
    pub(crate) timing: TimingRecord,
    pub(crate) kept: Kept,
    pub(crate) trace: Trace,
    input_estimate: u64,
    digest_key: DigestKey,
    reservation: Reservation,
    request_leaf: Option<Ticket>,
    request_verdict: Verdict,
    request_findings: Vec<(Category, u32)>,
    counted: bool,
    /// What came of the answer so far, from when the provider may have generated something until its end is recorded.
    pub(crate) came: Option<Came>,
    /// The most that the request lets the provider generate, in tokens, where it says nothing by what is usual.
    most_output: u64,
}

/// What came of an upstream's answer.
#[derive(Default)]
pub(crate) struct Came {
    pub(crate) body: Pieces,
    /// What it says was used; by its length where it says nothing.
    pub(crate) usage: Option<Usage>,
}

/// A body as it comes.
#[derive(Default)]
pub(crate) struct Pieces {
    /// Most answers are one piece: no copy.
    first: Bytes,
    rest: BytesMut,
}

impl Pieces {
    pub(crate) fn len(&self) -> usize {
        self.first.len().saturating_add(self.rest.len())
    }

    pub(crate) fn push(&mut self, data: Bytes) {
        if self.len() == 0 {
            self.first = data;
            return;
        }
        self.rest.extend_from_slice(&std::mem::take(&mut self.first));
        self.rest.extend_from_slice(&data);
    }

    /// All of it, which stays here too.
    pub(crate) fn join(&mut self) -> Bytes {
        if !self.rest.is_empty() {
            self.first = std::mem::take(&mut self.rest).freeze();
        }
        self.first.clone()
    }
}

/// Handles a chat completion for an authenticated principal.
pub(crate) async fn chat(
    gateway: Arc<Gateway>,
    settings: Arc<Settings>,
    principal: Arc<Principal>,
    body: Bytes,
    mut trace: Trace,
) -> Result<Response<Body>, Refused> {
    match begin(gateway, settings, principal, body, &mut trace).await {
        Ok((exchange, outbound, target, vault)) => Ok(send(exchange, outbound, target, vault).await),
        Err(refused) => {
            trace.problem(&refused.problem);
            Err(refused)
        }
    }
}

async fn send(
    mut exchange: Box<Exchange>,
    mut outbound: Outbound,
    target: Target,
    vault: Box<Vault>,
) -> Response<Body> {
    if outbound.body.coverage() != exchange.guard.coverage() {
        // INVARIANT: cannot happen; if it does, nothing leaves.
        let problem = raise::guard_failed("the request was not inspected as its route demands");
        return exchange.fail(problem, Ending::Failed).await;
    }
    let mut last = raise::upstream("upstream.unavailable", 502, "no provider of this model can be reached");
    let first_byte_time = exchange.settings.limits.first_byte_time;
    let now = exchange.gateway.clock.monotonic();
    // When every breaker is open there is nothing better to try: the first that comes back closes its own.
    let all_rest = target.providers.iter().all(|p| !p.available(now));
    for provider in target.providers.iter().filter(|p| all_rest || p.available(now)) {
        outbound.context = exchange.trace.calls(provider, &target.model);
        // From here on it may generate something.
        exchange.came = Some(Came::default());
        match exchange.gateway.client.send(provider, &outbound, first_byte_time).await {
            Ok(response) => {
                note_health(provider, &response, &exchange);
                exchange.asked(provider);
                return reply::answer(exchange, response, vault).await;
            }
            Err(SendError::Connect(error)) => {
                // No byte of the request left: another provider may have it.
                exchange.came = None;
                provider.failed(exchange.gateway.clock.monotonic());
                tracing::warn!(provider = provider.name(), error = &*error, "an upstream cannot be reached");
            }
            Err(SendError::Broken(error)) => {
                exchange.asked(provider);
                provider.failed(exchange.gateway.clock.monotonic());
                tracing::warn!(provider = provider.name(), error = &*error, "an upstream broke off");
                last =
                    raise::upstream("upstream.broken", 502, "the upstream broke off before its answer began");
                break;
            }
            Err(SendError::Timeout) => {
                exchange.asked(provider);
                provider.failed(exchange.gateway.clock.monotonic());
                tracing::warn!(provider = provider.name(), "an upstream did not answer in time");
                last = raise::upstream("upstream.timeout", 504, "the upstream did not answer in time");
                break;
            }
        }
    }
    exchange.fail(last, Ending::UpstreamFailed).await
}

fn note_health(provider: &Provider, response: &Response<UpstreamBody>, exchange: &Exchange) {
    if response.status().is_server_error() {
        provider.failed(exchange.gateway.clock.monotonic());
    } else {
        provider.succeeded();
    }
}

impl Exchange {
    /// Notes who has the request.
    fn asked(&mut self, provider: &Provider) {
        self.provider = provider.shared_name();
        self.owner = provider.project();
    }

    /// Notes when the first byte of the answer was ready.
    pub(crate) fn first_byte(&mut self, at: Instant) {
        let after = at.saturating_duration_since(self.started);
        self.gateway.metrics.first_token(after);
        self.timing.first_byte = Some(micros(after));
    }

    /// A digest of a body of this exchange, to be fed in pieces.
    pub(crate) fn digest(&self) -> HmacContext {
        self.digest_key.context()
    }

    /// A digest of a whole body of this exchange.
    pub(crate) fn digest_of(&self, body: &[u8]) -> Digest {
        self.digest_key.digest(body)
    }

    /// Waits until the request's record is in the log; at once when it was waited for before sending.
    pub(crate) async fn recorded(&mut self) -> Result<(), bastide_audit::AuditError> {
        // Polled in place: a caller that leaves meanwhile leaves the ticket here, and with it the outcome's link.
        let waited = match &mut self.request_leaf {
            Some(Ticket::OnItsWay(pending)) => Some(pending.await),
            _ => None,
        };
        match waited {
            None => Ok(()),
            Some(Ok(recorded)) => {
                self.request_leaf = Some(Ticket::Recorded(recorded));
                Ok(())
            }
            Some(Err(error)) => {
                self.request_leaf = None;
                Err(error)
            }
        }
    }

    /// May this principal receive what was found in the reply?
    pub(crate) fn receive(&self, tally: &Tally) -> Result<DecisionRecord, Refusal> {
        let (scores, origins) = (tally.scores(), tally.origins());
        let facts = Facts {
            stream: self.stream,
            unscanned: tally.unscanned() > 0,
            demo: self.demo,
            tools: tally.tools(),
            findings: &scores,
            origins: &origins,
            verdict: standing(&self.guard, tally.verdict()),
        };
        let resource = self.resource();
        self.policies
            .authorize::<Receive>(&subject(&self.principal), &resource, &facts)
            .map(Authorized::into_decision)
    }

    fn resource(&self) -> Resource<'_> {
        Resource { model: &self.model, provider: &self.provider, project: self.owner }
    }

    /// Whether a value of this category may be put back into the reply's text (`None`) or a tool's arguments.
    pub(crate) fn may_restore(&self) -> impl Fn(Option<&str>, Category) -> bool + Send + Sync + use<> {
        let (gateway, principal) = (Arc::clone(&self.gateway), Arc::clone(&self.principal));
        let (model, provider, owner) = (Arc::clone(&self.model), Arc::clone(&self.provider), self.owner);
        let (stream, demo) = (self.stream, self.demo);
        move |tool: Option<&str>, category| {
            let tools: Vec<String> = tool.map(str::to_owned).into_iter().collect();
            let findings = [(category, Score::MAX)];
            let facts = Facts { stream, demo, tools: &tools, findings: &findings, ..Facts::default() };
            let resource = Resource { model: &model, provider: &provider, project: owner };
            // Those in force now: a stream may run for long.
            gateway.policies.load().authorize::<Restore>(&subject(&principal), &resource, &facts).is_ok()
        }
    }

    /// Whether the principal still has the rights it began with. From here on the policies of now decide.
    pub(crate) fn still_allowed(&mut self) -> bool {
        if !self.gateway.identity.still_valid(&self.principal) {
            return false;
        }
        self.policies = self.gateway.policies.load_full();
        // The same question as in the beginning, not a similar one.
        let facts = Facts {
            stream: self.stream,
            unscanned: self.unscanned,
            demo: self.demo,
            tools: &self.tools,
            ..Facts::default()
        };
        let resource = self.resource();
        self.policies.authorize::<Invoke>(&subject(&self.principal), &resource, &facts).is_ok()
    }
}

pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The verdict that policies hear of: a guard that only looks on has let everything through, and what it would have done
/// is for the log.
fn standing(guard: &Guard, verdict: Verdict) -> Verdict {
    if guard.mode() == GuardMode::Enforce { verdict } else { verdict.min(Verdict::Flag) }
}

pub(crate) fn subject(principal: &Principal) -> Subject<'_> {
    Subject {
        key: principal.key,
        project: principal.project,
        organisation: principal.organisation,
        name: &principal.name,
    }
}

pub(crate) fn actor(gateway: &Gateway, principal: &Principal) -> ActorRef {
    ActorRef::Key { key: gateway.subjects.pseudonym(principal.key), project: principal.project }
}
