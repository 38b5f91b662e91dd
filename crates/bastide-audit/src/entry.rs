//! The canonical encoding of events: `FORMAT.md`, "Entry".
//!
//! Keys are written in the order that RFC 8949 section 4.2.1 demands, which for keys under 24 bytes is: shorter first,
//! then alphabetical. Tests read every kind back with a reader that refuses any other order.

use bastide_types::{
    ActorRef, DecisionRecord, Denial, Event, ExchangeOutcome, ExchangeRequest, FindingRecord, GuardRecord,
    Mutation, MutationPhase, PolicyEffect, Reveal, Timestamp, TimingRecord, UsageRecord,
};

use crate::cbor::Cbor;
use crate::error::AuditError;

/// The longest entry. Bundles could hold 65,535 bytes; a leaf is a statement, not a store.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;
const VERSION: u64 = 1;
/// An exchange with a few findings.
const USUAL_BYTES: usize = 1024;

/// The entry that records `event`. Where it would be longer than 16 KiB, findings are left out from the end and
/// `truncated` says so.
///
/// # Errors
/// [`AuditError::TooLarge`] when it is longer even without findings.
pub fn encode(event: &Event) -> Result<Vec<u8>, AuditError> {
    let mut out = Vec::with_capacity(USUAL_BYTES);
    write_event(event, usize::MAX, &mut out);
    if out.len() <= MAX_ENTRY_BYTES {
        return Ok(out);
    }
    // The most findings that fit, by halving: an entry grows with each.
    let (mut fits, mut too_many) = (None, findings(event));
    let mut keep = 0;
    loop {
        out.clear();
        write_event(event, keep, &mut out);
        if out.len() <= MAX_ENTRY_BYTES {
            fits = Some(keep);
        } else if fits.is_none() {
            return Err(AuditError::TooLarge { bytes: out.len() });
        } else {
            too_many = keep;
        }
        let least = fits.unwrap_or(0);
        if too_many.saturating_sub(least) <= 1 {
            out.clear();
            write_event(event, least, &mut out);
            return Ok(out);
        }
        keep = least + (too_many - least) / 2;
    }
}

fn findings(event: &Event) -> usize {
    let guard = match event {
        Event::Request(e) => e.guard.as_ref(),
        Event::Outcome(e) => e.guard.as_ref(),
        _ => None,
    };
    guard.map_or(0, |g| g.findings.len())
}

/// Writes the entry with at most `keep` findings.
fn write_event(event: &Event, keep: usize, out: &mut Vec<u8>) {
    let mut cbor = Cbor(out);
    let truncated = findings(event) > keep;
    match event {
        Event::Started { at, version, config } => {
            begin(&mut cbor, 2, *at);
            cbor.text_at("kind", event.kind());
            cbor.bytes_at("config", &config.0);
            cbor.text_at("version", version);
        }
        Event::Stopped { at } => {
            begin(&mut cbor, 0, *at);
            cbor.text_at("kind", event.kind());
        }
        Event::Request(e) => request(e, keep, truncated, &mut cbor),
        Event::Outcome(e) => outcome(e, keep, truncated, &mut cbor),
        Event::Denied(e) => denial(e, &mut cbor),
        Event::Changed(e) => mutation(e, &mut cbor),
        Event::Revealed(e) => reveal(e, &mut cbor),
    }
}

/// Begins the map: `v`, `at` and room for `kind` and `more` fields.
fn begin(cbor: &mut Cbor<'_>, more: usize, at: Timestamp) {
    cbor.map(3 + more);
    cbor.uint_at("v", VERSION);
    cbor.uint_at("at", at.as_micros());
}

fn request(e: &ExchangeRequest, keep: usize, truncated: bool, cbor: &mut Cbor<'_>) {
    let optional =
        [e.sent.is_some(), e.guard.is_some(), truncated].into_iter().filter(|present| *present).count();
    begin(cbor, 10 + optional, e.at);
    cbor.text_at("kind", "request");
    if let Some(sent) = e.sent {
        cbor.bytes_at("sent", &sent.0);
    }
    actor(e.actor, cbor);
    if let Some(record) = &e.guard {
        guard(record, keep, cbor);
    }
    cbor.text_at("model", &e.model);
    cbor.bytes_at("policy", &e.policy.0);
    cbor.bool_at("stream", e.stream);
    cbor.text_at("dialect", e.dialect);
    cbor.text_at("verdict", e.verdict.as_str());
    cbor.text_at("exchange", &e.exchange.text());
    cbor.bytes_at("received", &e.received.0);
    cbor.text_at("upstream", &e.upstream);
    decisions(&e.decisions, cbor);
    if truncated {
        cbor.bool_at("truncated", true);
    }
}

fn timing(timing: TimingRecord, cbor: &mut Cbor<'_>) {
    let steps =
        [("decided", timing.decided), ("recorded", timing.recorded), ("first_byte", timing.first_byte)];
    cbor.text("timing");
    cbor.map(steps.iter().filter(|(_, at)| at.is_some()).count());
    for (step, at) in steps {
        if let Some(at) = at {
            cbor.uint_at(step, at);
        }
    }
}

fn outcome(e: &ExchangeOutcome, keep: usize, truncated: bool, cbor: &mut Cbor<'_>) {
    let optional = [e.guard.is_some(), truncated].into_iter().filter(|present| *present).count();
    begin(cbor, 15 + optional, e.at);
    cbor.text_at("kind", "outcome");
    cbor.bytes_at("sent", &e.sent.0);
    if let Some(record) = &e.guard {
        guard(record, keep, cbor);
    }
    usage(e.usage, cbor);
    cbor.text_at("ending", e.ending.as_str());
    cbor.uint_at("status", e.status);
    timing(e.timing, cbor);
    cbor.text_at("exchange", &e.exchange.text());
    cbor.bytes_at("received", &e.received.0);
    cbor.text_at("upstream", &e.upstream);
    decisions(&e.decisions, cbor);
    if truncated {
        cbor.bool_at("truncated", true);
    }
    cbor.uint_at("own_micros", e.own_micros);
    cbor.bytes_at("request_leaf", &e.request_leaf.0);
    cbor.uint_at("total_micros", e.total_micros);
    cbor.uint_at("request_index", e.request_index);
    cbor.text_at("request_verdict", e.request_verdict.as_str());
    cbor.text("request_findings");
    cbor.array(e.request_findings.len());
    for (category, count) in &e.request_findings {
        cbor.map(2);
        cbor.uint_at("count", *count);
        cbor.text_at("category", category.as_str());
    }
}

fn denial(e: &Denial, cbor: &mut Cbor<'_>) {
    begin(cbor, 5, e.at);
    cbor.text_at("code", e.code);
    cbor.text_at("kind", "denied");
    actor(e.actor, cbor);
    cbor.text_at("route", &e.route);
    cbor.uint_at("status", e.status);
    cbor.uint_at("suppressed", e.suppressed);
}

fn mutation(e: &Mutation, cbor: &mut Cbor<'_>) {
    let (phase, intent) = match e.phase {
        MutationPhase::Intent => ("intent", None),
        MutationPhase::Done { intent } => ("done", Some(intent)),
        MutationPhase::Failed { intent } => ("failed", Some(intent)),
    };
    begin(cbor, 4 + usize::from(e.state.is_some()) + usize::from(intent.is_some()), e.at);
    cbor.text_at("kind", "changed");
    actor(e.actor, cbor);
    cbor.text_at("phase", phase);
    if let Some(state) = e.state {
        cbor.bytes_at("state", &state.0);
    }
    cbor.text_at("action", e.action);
    if let Some(intent) = intent {
        cbor.uint_at("intent", intent);
    }
    cbor.text_at("resource", &e.resource);
}

fn reveal(e: &Reveal, cbor: &mut Cbor<'_>) {
    begin(cbor, 2 + usize::from(e.reason.is_some()), e.at);
    cbor.text_at("kind", "revealed");
    actor(e.actor, cbor);
    if let Some(reason) = &e.reason {
        cbor.text_at("reason", reason);
    }
    cbor.text_at("exchange", &e.exchange.text());
}

fn actor(actor: ActorRef, cbor: &mut Cbor<'_>) {
    cbor.text("actor");
    match actor {
        ActorRef::Key { key, project } => {
            cbor.map(3);
            cbor.bytes_at("key", &key.0);
            cbor.text_at("type", "key");
            cbor.text_at("project", &project.text());
        }
        ActorRef::User { user } => {
            cbor.map(2);
            cbor.text_at("type", "user");
            cbor.bytes_at("user", &user.0);
        }
        ActorRef::LocalOperator { uid } => {
            cbor.map(2);
            cbor.uint_at("uid", uid);
            cbor.text_at("type", "local_operator");
        }
        ActorRef::Unauthenticated => {
            cbor.map(1);
            cbor.text_at("type", "unauthenticated");
        }
    }
}

fn decisions(decisions: &[DecisionRecord], cbor: &mut Cbor<'_>) {
    cbor.text("decisions");
    cbor.array(decisions.len());
    for decision in decisions {
        cbor.map(3);
        cbor.text_at("action", decision.action);
        cbor.text_at(
            "effect",
            match decision.effect {
                PolicyEffect::Permit => "permit",
                PolicyEffect::Deny => "deny",
            },
        );
        cbor.text("policies");
        cbor.array(decision.policies.len());
        decision.policies.iter().for_each(|p| cbor.text(p));
    }
}

fn guard(record: &GuardRecord, keep: usize, cbor: &mut Cbor<'_>) {
    cbor.text("guard");
    cbor.map(9);
    cbor.text_at("mode", record.mode.as_str());
    cbor.uint_at("bytes", record.bytes);
    cbor.bytes_at("profile", &record.profile.0);
    cbor.text_at("verdict", record.verdict.as_str());
    cbor.text("findings");
    cbor.array(record.findings.len().min(keep));
    record.findings.iter().take(keep).for_each(|f| finding(f, cbor));
    cbor.uint_at("segments", record.segments);
    cbor.text_at(
        "direction",
        match record.direction {
            bastide_types::Direction::Request => "request",
            bastide_types::Direction::Response => "response",
        },
    );
    cbor.uint_at("unscanned", record.unscanned);
    cbor.uint_at("findings_total", record.findings_total);
}

fn finding(f: &FindingRecord, cbor: &mut Cbor<'_>) {
    cbor.map(9);
    cbor.uint_at("end", f.end);
    cbor.text_at("view", f.view.as_str());
    cbor.uint_at("score", f.score.get());
    cbor.uint_at("start", f.start);
    cbor.text_at("origin", f.origin.as_str());
    cbor.uint_at("segment", f.segment);
    cbor.text_at("verdict", f.verdict.as_str());
    cbor.text_at("category", f.category.as_str());
    cbor.text_at("detector", f.detector);
}

fn usage(usage: UsageRecord, cbor: &mut Cbor<'_>) {
    cbor.text("usage");
    cbor.map(3);
    cbor.bool_at("estimated", usage.estimated);
    cbor.uint_at("input_tokens", usage.input_tokens);
    cbor.uint_at("output_tokens", usage.output_tokens);
}
