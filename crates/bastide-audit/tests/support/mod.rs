//! What the tests of the log share: a clock, events, and a disk that fails.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod fault;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_audit::{Log, LogOptions, Recovery};
use bastide_crypto::SigningKey;
use bastide_types::{
    ActorRef, Category, Clock, DecisionRecord, Denial, Digest, Direction, Ending, Event, ExchangeId,
    ExchangeOutcome, ExchangeRequest, FindingRecord, GuardMode, GuardRecord, Mutation, MutationPhase, Origin,
    PolicyEffect, ProjectId, Pseudonym, Reveal, Score, Timestamp, TimingRecord, UsageRecord, Verdict, View,
};

pub(crate) const ORIGIN: &str = "default/node-1";

pub(crate) struct TestClock(Instant);

impl TestClock {
    pub(crate) fn shared() -> Arc<dyn Clock> {
        Arc::new(TestClock(Instant::now()))
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000)
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed([42; 32])
}

pub(crate) fn options(dir: &std::path::Path) -> LogOptions {
    LogOptions::new(dir, ORIGIN).segment_bytes(64 * 1024).publish_within(Duration::from_millis(2))
}

pub(crate) fn open(dir: &std::path::Path) -> (Log, Recovery) {
    Log::open(options(dir), key(), TestClock::shared()).unwrap()
}

/// A denial whose route tells which it is.
pub(crate) fn event(n: u64) -> Event {
    Event::Denied(Box::new(Denial {
        at: Timestamp::from_micros(1_790_000_000_000_000 + n),
        actor: ActorRef::Unauthenticated,
        route: format!("POST /v1/chat/completions {n} {}", "x".repeat(usize::try_from(n * 7 % 200).unwrap())),
        code: "auth.missing",
        status: 401,
        suppressed: 0,
    }))
}

pub(crate) fn guard(findings: usize) -> GuardRecord {
    GuardRecord {
        direction: Direction::Request,
        mode: GuardMode::Enforce,
        profile: Digest([4; 32]),
        segments: 12,
        bytes: 4096,
        unscanned: 1,
        findings: (0..findings)
            .map(|n| FindingRecord {
                category: Category::CreditCard,
                origin: Origin::User,
                segment: 3,
                start: n as u64 * 20,
                end: n as u64 * 20 + 19,
                score: Score::per_mille(950),
                detector: "credit_card",
                view: View::Raw,
                verdict: Verdict::Tokenise,
            })
            .collect(),
        findings_total: u32::try_from(findings).unwrap(),
        verdict: Verdict::Tokenise,
    }
}

pub(crate) fn decisions() -> Vec<DecisionRecord> {
    vec![
        DecisionRecord {
            action: "invoke",
            effect: PolicyEffect::Permit,
            policies: ["starter-invoke".into()].into(),
        },
        DecisionRecord { action: "release", effect: PolicyEffect::Deny, policies: [].into() },
    ]
}

pub(crate) fn request(findings: usize) -> Event {
    Event::Request(Box::new(ExchangeRequest {
        exchange: ExchangeId::from_bytes([7; 16]),
        at: Timestamp::from_micros(1_790_000_000_000_000),
        actor: ActorRef::Key { key: Pseudonym([1; 16]), project: ProjectId::from_bytes([2; 16]) },
        model: "gpt-5.2-mini".into(),
        upstream: "demo".into(),
        dialect: "openai.chat",
        stream: true,
        received: Digest([5; 32]),
        sent: Some(Digest([6; 32])),
        policy: Digest([7; 32]),
        decisions: decisions(),
        guard: Some(guard(findings)),
        verdict: Verdict::Tokenise,
    }))
}

pub(crate) fn outcome() -> Event {
    Event::Outcome(Box::new(ExchangeOutcome {
        exchange: ExchangeId::from_bytes([7; 16]),
        at: Timestamp::from_micros(1_790_000_000_500_000),
        request_index: 70_000,
        request_leaf: Digest([9; 32]),
        request_verdict: Verdict::Tokenise,
        request_findings: vec![(Category::CreditCard, 2), (Category::EmailAddress, 1)],
        upstream: "openai".into(),
        status: 200,
        ending: Ending::Complete,
        received: Digest([5; 32]),
        sent: Digest([6; 32]),
        decisions: decisions(),
        guard: Some(guard(2)),
        usage: UsageRecord { input_tokens: 100, output_tokens: 300, estimated: true },
        timing: TimingRecord { decided: Some(50), recorded: Some(400), first_byte: None },
        own_micros: 80,
        total_micros: 1_000_000,
    }))
}

pub(crate) fn changed(phase: MutationPhase) -> Event {
    Event::Changed(Box::new(Mutation {
        at: Timestamp::from_micros(1_790_000_000_000_000),
        actor: ActorRef::LocalOperator { uid: 1000 },
        action: "key.create",
        resource: "key_00000000000000000000000000".into(),
        state: Some(Digest([8; 32])),
        phase,
    }))
}

/// Every kind and shape of event.
pub(crate) fn every_event() -> Vec<Event> {
    let Event::Request(plain) = request(0) else { panic!("a request") };
    let mut bare = plain.clone();
    (bare.sent, bare.guard) = (None, None);
    let Event::Outcome(full) = outcome() else { panic!("an outcome") };
    let mut short = full.clone();
    short.guard = None;
    let Event::Changed(change) = changed(MutationPhase::Intent) else { panic!("a change") };
    let mut stateless = change.clone();
    stateless.state = None;
    stateless.actor = ActorRef::User { user: Pseudonym([2; 16]) };
    vec![
        Event::Started { at: Timestamp::from_micros(1), version: "0.1.0".into(), config: Digest([1; 32]) },
        Event::Stopped { at: Timestamp::from_micros(2) },
        Event::Request(plain),
        Event::Request(bare),
        request(3),
        Event::Outcome(full),
        Event::Outcome(short),
        event(7),
        Event::Changed(change),
        Event::Changed(stateless),
        changed(MutationPhase::Done { intent: 5 }),
        changed(MutationPhase::Failed { intent: 300 }),
        Event::Revealed(Box::new(Reveal {
            at: Timestamp::from_micros(3),
            actor: ActorRef::LocalOperator { uid: 0 },
            exchange: ExchangeId::from_bytes([7; 16]),
            reason: None,
        })),
        Event::Revealed(Box::new(Reveal {
            at: Timestamp::from_micros(4),
            actor: ActorRef::User { user: Pseudonym([2; 16]) },
            exchange: ExchangeId::from_bytes([7; 16]),
            reason: Some("a caller asked what was sent".to_owned()),
        })),
    ]
}
