//! The beginning of an exchange: from the parsed request to the decision in the log.

use std::sync::Arc;
use std::time::Instant;

use bastide_anonymize::{ConversationKey, Vault};
use bastide_audit::{Durability, Pending};
use bastide_identity::Principal;
use bastide_policy::{Facts, Invoke, Refusal, Release, Resource};
use bastide_types::{
    ActorRef, Category, Direction, Event, ExchangeId, ExchangeRequest, GuardRecord, Origin, Problem, Score,
    TimingRecord, Verdict,
};
use bastide_wire::ChatRequest;
use bytes::Bytes;

use super::{Exchange, Refused, Ticket, micros, standing, subject};
use crate::bodies::Kept;
use crate::gateway::Gateway;
use crate::offload::off_the_worker;
use crate::problem::raise;
use crate::settings::{AuditMode, Settings};
use crate::trace::Trace;
use crate::traffic::Noted;
use crate::upstream::{Outbound, Target};

pub(super) async fn begin(
    gateway: Arc<Gateway>,
    settings: Arc<Settings>,
    principal: Arc<Principal>,
    body: Bytes,
    trace: &mut Trace,
) -> Result<(Box<Exchange>, Outbound, Target, Box<Vault>), Refused> {
    let started = Instant::now();
    let request = ChatRequest::parse(&body, &bastide_wire::Limits::default()).map_err(|e| e.to_problem())?;
    if !gateway.identity.still_valid(&principal) {
        // Its body took its time, and the key ended meanwhile.
        return Err(raise::revoked().into());
    }
    let guard = gateway.guard.load_full();
    let policies = gateway.policies.load_full();
    let at = gateway.clock.now();
    let id = gateway.new_exchange_id(at);
    let catalogue = gateway.catalogue.load();
    let mut target = catalogue
        .resolve(&request.model, principal.project, principal.demo)
        .ok_or_else(|| raise::unknown_model(&request.model))?;
    // Policies speak of the model as its provider is asked for it: `NAME/model` is no other model than `model`.
    let model = Arc::clone(&target.model);
    let renamed = *model != *request.model;
    let first = target.providers.first();
    let provider = first.map(|p| p.shared_name()).unwrap_or_default();
    let owner = first.and_then(|p| p.project());
    let keys = gateway.subjects.new_exchange(principal.key, id).map_err(|_| raise::log_failed())?;
    let digest_key = keys.digest;

    let mut draft = Draft {
        record: Box::new(ExchangeRequest {
            exchange: id,
            at,
            actor: ActorRef::Key { key: keys.name, project: principal.project },
            model: if renamed { request.model.as_str().into() } else { Arc::clone(&model) },
            upstream: Arc::clone(&provider),
            dialect: "openai.chat",
            stream: request.stream,
            received: digest_key.digest(&body),
            sent: None,
            policy: policies.digest(),
            decisions: Vec::with_capacity(2),
            guard: None,
            verdict: Verdict::Allow,
        }),
        gateway: &gateway,
        durability: settings.audit.durability(),
        id,
        kept: Kept::begin(&gateway, id, keys.body, &body),
        trace: &mut *trace,
    };

    // May this principal call this model at all?
    let subject = subject(&principal);
    let resource = Resource { model: &model, provider: &provider, project: owner };
    let invoking = facts(&request, &principal, &[], &[], Verdict::Allow);
    match policies.authorize::<Invoke>(&subject, &resource, &invoking) {
        Ok(permitted) => draft.record.decisions.push(permitted.into_decision()),
        Err(refusal) => return Err(draft.refuse(refusal).await),
    }

    let input_estimate = estimate(body.len());
    let output = request.max_output_tokens.unwrap_or(settings.limits.default_output_tokens);
    let most_output = output.saturating_mul(u64::from(request.n.max(1)));
    let upper = input_estimate.saturating_add(most_output);
    let reservation = gateway.ledger.reserve(principal.key, &principal.limits, upper)?;

    // Inspect, then decide again with what was found.
    let mut vault = {
        let (root, project, key) = (Arc::clone(&gateway.root), principal.project, principal.key);
        Box::new(Vault::new(move || ConversationKey::derive(&root, project, key.as_bytes())))
    };
    let inspected = Instant::now();
    let (report, request, vault) = off_the_worker(body.len(), {
        let (guard, body) = (Arc::clone(&guard), body.clone());
        move |awaited| (guard.inspect_request(&request, &body, &mut vault, awaited), request, vault)
    })
    .await?;
    let report = report?;
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
    let invoking = facts(&request, &principal, &[], &[], Verdict::Allow);
    let (scores, origins) = (report.tally.scores(), report.tally.origins());
    let facts = facts(&request, &principal, &scores, &origins, standing(&guard, report.verdict()));
    match policies.authorize::<Release>(&subject, &resource, &facts) {
        Ok(permitted) => draft.record.decisions.push(permitted.into_decision()),
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
    let sealed = guard.seal_request(&report, &request, &body, renamed.then_some(&*model))?;
    let unchanged = *sealed.value() == body;
    draft.record.sent = Some(match unchanged {
        true => draft.record.received,
        false => digest_key.digest(sealed.value()),
    });
    let mut kept = std::mem::take(&mut draft.kept);
    let (request_verdict, request_findings) = (draft.record.verdict, report.tally.counts());
    let decided = Instant::now();
    let own_before_log = decided - started;
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
        timing: TimingRecord { decided: Some(micros(own_before_log)), ..TimingRecord::default() },
        kept,
        trace: std::mem::take(trace),
        input_estimate,
        digest_key,
        reservation,
        request_leaf: Some(Ticket::OnItsWay(ticket)),
        request_verdict,
        request_findings,
        counted: true,
        came: None,
        most_output,
        gateway,
        settings,
    });
    if exchange.settings.audit == AuditMode::Strict {
        if let Err(error) = exchange.recorded().await {
            // Back to the caller's: it is told why.
            std::mem::swap(trace, &mut exchange.trace);
            return Err(log_failed(error).into());
        }
        let recorded = Instant::now();
        exchange.gateway.metrics.commit(recorded - decided);
        exchange.timing.recorded = Some(micros(recorded - started));
        exchange.trace.committed(decided, None);
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
    durability: Durability,
    id: ExchangeId,
    kept: Kept,
    trace: &'a mut Trace,
}

impl Draft<'_> {
    /// Hands the decision to the log.
    fn submit(self) -> Result<Pending, Problem> {
        self.trace.decided(&self.record);
        self.gateway.log.submit_as(self.durability, Event::Request(self.record), None).map_err(log_failed)
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
        let counts = self.record.guard.as_ref().map(GuardRecord::counts).unwrap_or_default();
        self.gateway.traffic.note(
            self.gateway.clock.now(),
            &Noted {
                at: self.record.at,
                model: &self.record.model,
                verdict: Verdict::Block,
                ending: None,
                findings: &counts,
                input_tokens: 0,
                output_tokens: 0,
                own_micros: 0,
                total_micros: 0,
            },
        );
        self.trace.decided(&self.record);
        let (exchange, waited) = (Some(self.id), Instant::now());
        let event = Event::Request(self.record);
        let recorded = match self.gateway.log.submit_as(self.durability, event, None) {
            Ok(pending) => pending.await,
            Err(error) => Err(error),
        };
        match recorded {
            Ok(recorded) => {
                self.trace.committed(waited, Some(recorded.index()));
                Refused { problem, exchange, recorded: Some(recorded) }
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "the audit log refused an entry");
                Refused { problem: raise::log_failed(), exchange, recorded: None }
            }
        }
    }
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

/// Tokens of a text of so many bytes, from above: English has about four bytes a token, other scripts and code fewer.
fn estimate(bytes: usize) -> u64 {
    u64::try_from(bytes.div_ceil(3)).unwrap_or(u64::MAX)
}
