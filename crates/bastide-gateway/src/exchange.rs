//! One exchange, from the authenticated request to its receipt.
//!
//! The order of the steps is the product's promise, and the types keep it: [`Outbound`] takes an `Inspected` body, which
//! only the guard makes; nothing is sent before [`Ticket`] says that the log has the decision.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_anonymize::{ConversationKey, Vault};
use bastide_audit::{Pending, Receipt, Recorded};
use bastide_crypto::{HmacContext, HmacKey};
use bastide_identity::Principal;
use bastide_policy::{Facts, Invoke, PolicySet, Receive, Refusal, Release, Resource, Restore, Subject};
use bastide_types::{
    ActorRef, Category, DecisionRecord, Digest, Direction, Ending, Event, ExchangeId, ExchangeOutcome,
    ExchangeRequest, GuardMode, Origin, Problem, ProjectId, Score, UsageRecord, Verdict,
};
use bastide_wire::ChatRequest;
use bytes::Bytes;
use http::Response;

use crate::bodies::Kept;
use crate::gateway::Gateway;
use crate::guard::{Guard, MayRestore, Tally};
use crate::limits::Reservation;
use crate::problem::{self, raise};
use crate::relay::Body;
use crate::reply;
use crate::settings::AuditMode;
use crate::trace::{self, Trace};
use crate::upstream::{Outbound, Provider, SendError, Target, UpstreamBody};

/// A refusal on its way to the caller, with the receipt of its record where there is one.
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    pub(crate) exchange: Option<ExchangeId>,
    pub(crate) receipt: Option<Receipt>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Refused { problem, exchange: None, receipt: None }
    }
}

impl Refused {
    pub(crate) fn into_response(self) -> Response<Body> {
        problem::response(&self.problem, self.exchange, self.receipt.as_ref())
    }
}

/// The record of a request's decision: on disk, or on its way there when the operator chose `relaxed`.
pub(crate) enum Ticket {
    Durable(Recorded),
    OnItsWay(Pending),
}

/// What the rest of an exchange needs to know of its beginning.
pub(crate) struct Exchange {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) policies: Arc<PolicySet>,
    pub(crate) principal: Arc<Principal>,
    pub(crate) id: ExchangeId,
    pub(crate) model: String,
    pub(crate) provider: String,
    pub(crate) owner: Option<ProjectId>,
    pub(crate) demo: bool,
    /// What the request offered and held, as the policies were told.
    tools: Vec<String>,
    unscanned: bool,
    pub(crate) stream: bool,
    pub(crate) started: Instant,
    pub(crate) own: Duration,
    pub(crate) kept: Kept,
    pub(crate) trace: Trace,
    input_estimate: u64,
    digest_key: HmacKey,
    reservation: Reservation,
    request_leaf: Option<Ticket>,
    request_verdict: Verdict,
    request_findings: Vec<(Category, u32)>,
    counted: bool,
}

/// What the end of an exchange knows.
pub(crate) struct End<'a> {
    pub(crate) status: u16,
    pub(crate) ending: Ending,
    pub(crate) received: Digest,
    pub(crate) sent: Digest,
    pub(crate) tally: Option<&'a Tally>,
    pub(crate) decisions: Vec<DecisionRecord>,
    pub(crate) usage: Option<bastide_wire::Usage>,
    pub(crate) output_bytes: u64,
}

/// Handles a chat completion for an authenticated principal.
pub(crate) async fn chat(
    gateway: Arc<Gateway>,
    principal: Arc<Principal>,
    body: Bytes,
    mut trace: Trace,
) -> Result<Response<Body>, Refused> {
    match begin(gateway, principal, body, &mut trace).await {
        Ok((exchange, outbound, target, vault)) => Ok(send(exchange, outbound, target, vault).await),
        Err(refused) => {
            trace.problem(&refused.problem);
            Err(refused)
        }
    }
}

async fn begin(
    gateway: Arc<Gateway>,
    principal: Arc<Principal>,
    body: Bytes,
    trace: &mut Trace,
) -> Result<(Box<Exchange>, Outbound, Target, Vault), Refused> {
    let started = Instant::now();
    let request = ChatRequest::parse(&body, &bastide_wire::Limits::default()).map_err(|e| e.to_problem())?;
    if !gateway.identity.still_valid(&principal) {
        // Its body took its time, and the key ended meanwhile.
        return Err(raise::revoked().into());
    }
    let guard = gateway.guard.load_full();
    let policies = gateway.policies.load_full();
    let id = gateway.new_exchange_id();
    let catalogue = gateway.catalogue.load();
    let mut target = catalogue
        .resolve(&request.model, principal.project, principal.demo)
        .ok_or_else(|| raise::unknown_model(&request.model))?;
    let first = target.providers.first();
    let provider = first.map(|p| p.name().to_owned()).unwrap_or_default();
    let owner = first.and_then(|p| p.project());
    let keys = gateway.subjects.new_exchange(principal.key, id).map_err(|_| raise::log_failed())?;
    let digest_key = keys.digest;

    let mut draft = Draft {
        record: Box::new(ExchangeRequest {
            exchange: id,
            at: gateway.clock.now(),
            actor: actor(&gateway, &principal),
            model: request.model.clone(),
            upstream: provider.clone(),
            dialect: "openai.chat",
            stream: request.stream,
            received: Digest(digest_key.sign(&[&body])),
            sent: None,
            policy: policies.digest(),
            decisions: Vec::with_capacity(2),
            guard: None,
            verdict: Verdict::Allow,
        }),
        gateway: &gateway,
        id,
        kept: Kept::begin(&gateway, id, keys.body, &body),
        trace: &mut *trace,
    };

    // May this principal call this model at all?
    let subject = subject(&principal);
    // Policies speak of the model as its provider is asked for it: `NAME/model` is no other model than `model`.
    let model = target.model.clone();
    let resource = Resource { model: &model, provider: &provider, project: owner };
    let invoking = facts(&request, &principal, &[], &[], Verdict::Allow);
    match policies.authorize::<Invoke>(&subject, &resource, &invoking) {
        Ok(permitted) => draft.record.decisions.push(permitted.decision().clone()),
        Err(refusal) => return Err(draft.refuse(refusal).await),
    }

    let input_estimate = estimate(body.len());
    let output = request.max_output_tokens.unwrap_or(gateway.settings.limits.default_output_tokens);
    let upper = input_estimate.saturating_add(output.saturating_mul(u64::from(request.n.max(1))));
    let reservation = gateway.ledger.reserve(principal.key, &principal.limits, upper)?;

    // Inspect, then decide again with what was found.
    let mut vault = {
        let (root, project, key) = (Arc::clone(&gateway.root), principal.project, principal.key);
        Vault::new(move || ConversationKey::derive(&root, project, key.as_bytes()))
    };
    let inspected = Instant::now();
    let report = off_the_worker(body.len(), || guard.inspect_request(&request, &body, &mut vault))?;
    gateway.metrics.guard(inspected.elapsed());
    draft.trace.guarded_request(inspected, &report.tally);
    for finding in report.tally.findings() {
        gateway.metrics.found(finding.category, Direction::Request, finding.verdict);
    }
    draft.record.guard = Some(report.tally.record(&guard, Direction::Request, request.unscanned.len()));
    draft.record.verdict = report.verdict();
    if report.refused {
        draft.record.verdict = Verdict::Block;
        let problem = raise::blocked(&report.tally.named(Verdict::Hold), "request");
        return Err(draft.block(problem).await);
    }
    let (scores, origins) = (report.tally.scores(), report.tally.origins());
    let facts = facts(&request, &principal, &scores, &origins, standing(&guard, report.verdict()));
    match policies.authorize::<Release>(&subject, &resource, &facts) {
        Ok(permitted) => draft.record.decisions.push(permitted.decision().clone()),
        Err(refusal) if !request.unscanned.is_empty() => {
            let kind = request.unscanned.first().map_or("content", |u| u.kind.as_str());
            draft.record.decisions.push(refusal.decision().clone());
            return Err(draft.block(raise::unscanned(kind)).await);
        }
        Err(refusal) => return Err(draft.refuse(refusal).await),
    }

    // A provider that takes over must be one that the policies permit too.
    let mut others = 0;
    target.providers.retain(|p| {
        others += 1;
        if others == 1 {
            // The first one was asked about just now.
            return true;
        }
        let resource = Resource { model: &model, provider: p.name(), project: p.project() };
        policies.authorize::<Invoke>(&subject, &resource, &invoking).is_ok()
            && policies.authorize::<Release>(&subject, &resource, &facts).is_ok()
    });
    let renamed = (model != request.model).then_some(model.as_str());
    let sealed = guard.seal_request(&report, &request, &body, renamed)?;
    let unchanged = *sealed.value() == body;
    draft.record.sent = Some(match unchanged {
        true => draft.record.received,
        false => Digest(digest_key.sign(&[sealed.value()])),
    });
    let mut kept = std::mem::take(&mut draft.kept);
    let (request_verdict, request_findings) = (draft.record.verdict, report.tally.counts());
    let own_before_log = started.elapsed();
    let ticket = draft.submit()?;
    // Not before the log has the decision: without it nobody finds what was kept.
    kept.sent(sealed.value(), &report.tally);
    let stream = request.stream;
    gateway.metrics.exchange_began();
    // Boxed: it is moved through every later step, and futures keep a copy of what is moved into them.
    let mut exchange = Box::new(Exchange {
        guard,
        policies,
        id,
        model,
        provider,
        owner,
        demo: principal.demo,
        tools: request.tools,
        unscanned: !request.unscanned.is_empty(),
        stream,
        principal,
        started,
        own: own_before_log,
        kept,
        trace: std::mem::take(trace),
        input_estimate,
        digest_key,
        reservation,
        request_leaf: Some(Ticket::OnItsWay(ticket)),
        request_verdict,
        request_findings,
        counted: true,
        gateway,
    });
    if exchange.gateway.settings.audit == AuditMode::Strict {
        let waited = Instant::now();
        if let Err(error) = exchange.recorded().await {
            // Back to the caller's: it is told why.
            std::mem::swap(trace, &mut exchange.trace);
            return Err(log_failed(error).into());
        }
        exchange.gateway.metrics.commit(waited.elapsed());
        exchange.trace.committed(waited, None);
    }
    Ok((exchange, Outbound { body: sealed, stream, context: None }, target, vault))
}

fn log_failed(error: bastide_audit::AuditError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "the audit log refused an entry");
    raise::log_failed()
}

/// A request's record in the making.
struct Draft<'a> {
    record: Box<ExchangeRequest>,
    gateway: &'a Gateway,
    id: ExchangeId,
    kept: Kept,
    trace: &'a mut Trace,
}

impl Draft<'_> {
    /// Hands the decision to the log.
    fn submit(self) -> Result<Pending, Problem> {
        self.trace.decided(&self.record);
        self.gateway.log.submit(Event::Request(self.record)).map_err(log_failed)
    }

    /// Records a refusal by policy.
    async fn refuse(mut self, refusal: Refusal) -> Refused {
        self.record.decisions.push(refusal.decision().clone());
        self.block(refusal.to_problem()).await
    }

    /// Records a refusal and gives its receipt.
    async fn block(mut self, problem: Problem) -> Refused {
        self.record.verdict = Verdict::Block;
        self.record.sent = None;
        self.kept.refused();
        self.trace.decided(&self.record);
        let (exchange, waited) = (Some(self.id), Instant::now());
        match self.gateway.log.record(Event::Request(self.record)).await {
            Ok(recorded) => {
                self.trace.committed(waited, Some(recorded.index()));
                Refused { problem, exchange, receipt: Some(recorded.receipt()) }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the audit log refused an entry");
                Refused { problem: raise::log_failed(), exchange, receipt: None }
            }
        }
    }
}

async fn send(
    mut exchange: Box<Exchange>,
    mut outbound: Outbound,
    target: Target,
    vault: Vault,
) -> Response<Body> {
    if outbound.body.coverage() != exchange.guard.coverage() {
        // INVARIANT: cannot happen; if it does, nothing leaves.
        let problem = raise::guard_failed("the request was not inspected as its route demands");
        return exchange.fail(problem, Ending::Failed).await;
    }
    let mut last = raise::upstream("upstream.unavailable", 502, "no provider of this model can be reached");
    let now = exchange.gateway.clock.monotonic();
    // When every breaker is open there is nothing better to try: the first that comes back closes its own.
    let all_rest = target.providers.iter().all(|p| !p.available(now));
    for provider in target.providers.iter().filter(|p| all_rest || p.available(now)) {
        let now = exchange.gateway.clock.monotonic();
        outbound.context = exchange.trace.calls(provider, &target.model);
        match exchange.gateway.client.send(provider, &outbound).await {
            Ok(response) => {
                note_health(provider, &response, &exchange);
                provider.name().clone_into(&mut exchange.provider);
                exchange.owner = provider.project();
                if exchange.recorded().await.is_err() {
                    return exchange.fail(raise::log_failed(), Ending::Failed).await;
                }
                return reply::answer(exchange, response, vault).await;
            }
            Err(SendError::Connect(error)) => {
                // No byte of the request left: another provider may have it.
                provider.failed(now);
                tracing::warn!(provider = provider.name(), error = &*error, "an upstream cannot be reached");
            }
            Err(SendError::Broken(error)) => {
                provider.failed(now);
                tracing::warn!(provider = provider.name(), error = &*error, "an upstream broke off");
                last =
                    raise::upstream("upstream.broken", 502, "the upstream broke off before its answer began");
                break;
            }
            Err(SendError::Timeout) => {
                provider.failed(now);
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
    /// A digest of a body of this exchange, to be fed in pieces.
    pub(crate) fn digest(&self) -> HmacContext {
        self.digest_key.context()
    }

    /// A digest of a whole body of this exchange.
    pub(crate) fn digest_of(&self, body: &[u8]) -> Digest {
        Digest(self.digest_key.sign(&[body]))
    }

    /// Waits until the request's record is on disk; at once when it was waited for before sending.
    async fn recorded(&mut self) -> Result<(), bastide_audit::AuditError> {
        // Polled in place: a caller that leaves meanwhile leaves the ticket here, and with it the outcome's link.
        let waited = match &mut self.request_leaf {
            Some(Ticket::OnItsWay(pending)) => Some(pending.await),
            _ => None,
        };
        match waited {
            None => Ok(()),
            Some(Ok(recorded)) => {
                self.request_leaf = Some(Ticket::Durable(recorded));
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
            .map(|permitted| permitted.decision().clone())
    }

    fn resource(&self) -> Resource<'_> {
        Resource { model: &self.model, provider: &self.provider, project: self.owner }
    }

    /// Whether a value of this category may be put back into the reply's text (`None`) or a tool's arguments.
    pub(crate) fn may_restore(&self) -> Box<MayRestore> {
        let (gateway, principal) = (Arc::clone(&self.gateway), Arc::clone(&self.principal));
        let (model, provider, owner) = (self.model.clone(), self.provider.clone(), self.owner);
        let (stream, demo) = (self.stream, self.demo);
        Box::new(move |tool, category| {
            let tools: Vec<String> = tool.map(str::to_owned).into_iter().collect();
            let findings = [(category, Score::MAX)];
            let facts = Facts { stream, demo, tools: &tools, findings: &findings, ..Facts::default() };
            let resource = Resource { model: &model, provider: &provider, project: owner };
            // Those in force now: a stream may run for long.
            gateway.policies.load().authorize::<Restore>(&subject(&principal), &resource, &facts).is_ok()
        })
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

    /// Settles limits and hands the outcome to the log.
    pub(crate) fn end(&mut self, end: End<'_>) -> Result<Pending, bastide_audit::AuditError> {
        let usage = match end.usage {
            Some(u) => {
                UsageRecord { input_tokens: u.input_tokens, output_tokens: u.output_tokens, estimated: false }
            }
            None => UsageRecord {
                input_tokens: self.input_estimate,
                output_tokens: end.output_bytes.div_ceil(4),
                estimated: true,
            },
        };
        self.reservation.used(usage.input_tokens.saturating_add(usage.output_tokens));
        let total = self.started.elapsed();
        let metrics = &self.gateway.metrics;
        metrics.tokens(usage.input_tokens, usage.output_tokens);
        metrics.ended(end.ending, total, self.own);
        if let Some(tally) = end.tally {
            for finding in tally.findings() {
                metrics.found(finding.category, Direction::Response, finding.verdict);
            }
        }
        if std::mem::take(&mut self.counted) {
            metrics.exchange_left();
        }
        let in_log = self.request_leaf.is_some();
        let (request_index, request_leaf) = match self.request_leaf.take() {
            Some(Ticket::Durable(recorded)) => (recorded.index(), recorded.leaf()),
            // Abandoned before the record was on disk: the leaf names it whatever becomes of the index.
            Some(Ticket::OnItsWay(pending)) => (pending.index(), pending.leaf()),
            None => (0, [0; 32]),
        };
        self.trace.ended(&trace::Ended {
            status: end.status,
            ending: end.ending,
            tally: end.tally,
            decisions: &end.decisions,
            usage,
            own: self.own,
            log_index: in_log.then_some(request_index),
        });
        self.gateway.log.submit(Event::Outcome(Box::new(ExchangeOutcome {
            exchange: self.id,
            at: self.gateway.clock.now(),
            request_index,
            request_leaf: Digest(request_leaf),
            request_verdict: self.request_verdict,
            request_findings: std::mem::take(&mut self.request_findings),
            upstream: self.provider.clone(),
            status: end.status,
            ending: end.ending,
            received: end.received,
            sent: end.sent,
            decisions: end.decisions,
            guard: end.tally.map(|t| t.record(&self.guard, Direction::Response, t.unscanned())),
            usage,
            own_micros: micros(self.own),
            total_micros: micros(total),
        })))
    }

    /// Ends an exchange that has no reply of its own.
    pub(crate) async fn fail(mut self: Box<Self>, problem: Problem, ending: Ending) -> Response<Body> {
        self.gateway.metrics.problem(problem.code);
        self.trace.problem(&problem);
        let sent = Digest(self.digest_key.sign(&[&problem::body(&problem)]));
        self.kept.answered(&Bytes::new(), &problem::body(&problem).into(), false);
        let received = Digest(self.digest_key.sign(&[]));
        let pending = self.end(End {
            status: problem.status,
            ending,
            received,
            sent,
            tally: None,
            decisions: Vec::new(),
            // Nothing came back, so nothing was generated that we know of.
            usage: Some(bastide_wire::Usage { input_tokens: 0, output_tokens: 0 }),
            output_bytes: 0,
        });
        let receipt = receipt(pending).await;
        problem::response(&problem, Some(self.id), receipt.as_ref())
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        // Dropped between the steps: the client left while we waited. What is known is recorded.
        if self.request_leaf.is_some() {
            let nothing = Digest(self.digest_key.sign(&[]));
            let end = End {
                status: 499,
                ending: Ending::ClientLeft,
                received: nothing,
                sent: nothing,
                tally: None,
                decisions: Vec::new(),
                usage: None,
                output_bytes: 0,
            };
            if self.end(end).is_err() {
                tracing::error!("the audit log refused the outcome of an abandoned exchange");
            }
        }
    }
}

/// Waits for the log; no receipt when it failed.
pub(crate) async fn receipt(pending: Result<Pending, bastide_audit::AuditError>) -> Option<Receipt> {
    match pending {
        Ok(pending) => pending.await.map(|recorded| recorded.receipt()).ok(),
        Err(_) => None,
    }
}

/// Runs the guard over a body. A long one takes milliseconds: another worker takes over this one's other connections
/// meanwhile.
pub(crate) fn off_the_worker<R>(bytes: usize, run: impl FnOnce() -> R) -> R {
    const LONG: usize = 128 << 10;
    let many =
        tokio::runtime::Handle::current().runtime_flavor() == tokio::runtime::RuntimeFlavor::MultiThread;
    if bytes > LONG && many { tokio::task::block_in_place(run) } else { run() }
}

/// The verdict that policies hear of: a guard that only looks on has let everything through, and what it would have done
/// is for the log.
fn standing(guard: &Guard, verdict: Verdict) -> Verdict {
    if guard.mode() == GuardMode::Enforce { verdict } else { verdict.min(Verdict::Flag) }
}

fn facts<'a>(
    request: &'a ChatRequest,
    principal: &Principal,
    scores: &'a [(Category, Score)],
    origins: &'a [Origin],
    verdict: Verdict,
) -> Facts<'a> {
    Facts {
        stream: request.stream,
        unscanned: !request.unscanned.is_empty(),
        demo: principal.demo,
        tools: &request.tools,
        findings: scores,
        origins,
        verdict,
    }
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

/// Tokens of a text of so many bytes, from above: English has about four bytes a token, other scripts and code fewer.
fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(3)).unwrap_or(u64::MAX)
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}
