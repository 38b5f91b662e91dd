//! The events that the log records. How they are encoded and proved belongs to the log.
//!
//! Nothing here holds payload text: texts are digests under a salt, principals are pseudonyms.

use std::str::FromStr;
use std::sync::Arc;

use crate::problem::unknown_name;
use crate::{Category, Direction, ExchangeId, GuardMode, Origin, ProjectId, Score, Timestamp, Verdict, View};

/// A SHA-256 digest, or one of the keyed or salted digests of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

/// Who acted, under a name that only the holder of the pseudonym key can turn back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pseudonym(pub [u8; 16]);

/// One entry of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The server began to write this log.
    Started {
        /// When.
        at: Timestamp,
        /// The program's version.
        version: String,
        /// Digest of the effective configuration.
        config: Digest,
    },
    /// The server stopped in order.
    Stopped {
        /// When.
        at: Timestamp,
    },
    /// The decision about a request, before a byte of it leaves.
    Request(Box<ExchangeRequest>),
    /// How the exchange ended.
    Outcome(Box<ExchangeOutcome>),
    /// Someone was refused before an exchange began.
    Denied(Box<Denial>),
    /// A change of keys, policies, providers or configuration.
    Changed(Box<Mutation>),
    /// Someone was about to be shown the kept bodies of an exchange as they are.
    Revealed(Box<Reveal>),
}

/// Who is behind an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorRef {
    /// A key of a project.
    Key {
        /// The key.
        key: Pseudonym,
        /// Its project.
        project: ProjectId,
    },
    /// A person, signed in to the console or the management API.
    User {
        /// The person.
        user: Pseudonym,
    },
    /// The operator on this machine, through the control socket or the data folder.
    LocalOperator {
        /// The operating system's user id.
        uid: u32,
    },
    /// Nobody could be established: only denials carry this.
    Unauthenticated,
}

/// One answer of the policy engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionRecord {
    /// `invoke`, `release` or `receive`.
    pub action: &'static str,
    /// The answer.
    pub effect: PolicyEffect,
    /// The ids of the policies that determined it.
    pub policies: Arc<[String]>,
}

/// Permitted or denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyEffect {
    /// Permitted.
    Permit,
    /// Denied.
    Deny,
}

/// What the guard did with one half of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardRecord {
    /// Which half.
    pub direction: Direction,
    /// Whether it acted.
    pub mode: GuardMode,
    /// Digest of the guard profile.
    pub profile: Digest,
    /// Segments inspected.
    pub segments: u32,
    /// Bytes of text inspected.
    pub bytes: u64,
    /// Parts that could not be inspected and passed by grant (images, audio).
    pub unscanned: u32,
    /// What was found, in order; at most [`GuardRecord::MAX_FINDINGS`], of which the sternest.
    pub findings: Vec<FindingRecord>,
    /// How many findings there were in all.
    pub findings_total: u32,
    /// The verdict of this half.
    pub verdict: Verdict,
}

impl GuardRecord {
    /// A leaf has at most 16 KiB; a finding takes under 100 bytes.
    pub const MAX_FINDINGS: usize = 100;

    /// How many of each category are listed.
    #[must_use]
    pub fn counts(&self) -> Vec<(Category, u32)> {
        let mut counts: Vec<(Category, u32)> = Vec::new();
        for finding in &self.findings {
            match counts.iter_mut().find(|(category, _)| *category == finding.category) {
                Some((_, count)) => *count = count.saturating_add(1),
                None => counts.push((finding.category, 1)),
            }
        }
        counts
    }
}

/// A finding without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingRecord {
    /// What.
    pub category: Category,
    /// Written by whom.
    pub origin: Origin,
    /// Which segment of the half.
    pub segment: u32,
    /// First byte in that segment's text.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
    /// How sure.
    pub score: Score,
    /// Which detector.
    pub detector: &'static str,
    /// In which reading.
    pub view: View,
    /// What was done.
    pub verdict: Verdict,
}

/// The decision about a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeRequest {
    /// The exchange.
    pub exchange: ExchangeId,
    /// When the request was complete.
    pub at: Timestamp,
    /// Who asked.
    pub actor: ActorRef,
    /// The model's name as asked for.
    pub model: Arc<str>,
    /// The provider it goes to.
    pub upstream: Arc<str>,
    /// `openai.chat`.
    pub dialect: &'static str,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Digest of the body as received, salted per exchange from the subject's key: erase that key and it says nothing.
    pub received: Digest,
    /// Salted digest of the body as sent; absent when nothing was sent.
    pub sent: Option<Digest>,
    /// Digest of the policy set.
    pub policy: Digest,
    /// The decisions taken.
    pub decisions: Vec<DecisionRecord>,
    /// What the guard did; absent when a decision ended it before.
    pub guard: Option<GuardRecord>,
    /// The verdict.
    pub verdict: Verdict,
}

/// How an exchange ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeOutcome {
    /// The exchange.
    pub exchange: ExchangeId,
    /// When it ended.
    pub at: Timestamp,
    /// The index of its request leaf.
    pub request_index: u64,
    /// The RFC 6962 leaf hash of its request leaf, so that a receipt for this leaf vouches for both.
    pub request_leaf: Digest,
    /// The verdict on the request.
    pub request_verdict: Verdict,
    /// What was found in the request: how many of each category.
    pub request_findings: Vec<(Category, u32)>,
    /// The provider that answered, or that was tried last: another than the request's after a failover.
    pub upstream: Arc<str>,
    /// HTTP status given to the caller.
    pub status: u16,
    /// How.
    pub ending: Ending,
    /// Salted digest of the body as the upstream sent it.
    pub received: Digest,
    /// Salted digest of the body as the caller got it.
    pub sent: Digest,
    /// The decisions taken (`receive`).
    pub decisions: Vec<DecisionRecord>,
    /// What the guard did.
    pub guard: Option<GuardRecord>,
    /// Tokens used.
    pub usage: UsageRecord,
    /// When its steps were done.
    pub timing: TimingRecord,
    /// Time spent in bastide itself, in microseconds.
    pub own_micros: u64,
    /// Time until the end, in microseconds.
    pub total_micros: u64,
}

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Whole.
    Complete,
    /// The guard or a policy ended it.
    Blocked,
    /// The caller went away.
    ClientLeft,
    /// The upstream broke off, timed out or answered nonsense.
    UpstreamFailed,
    /// The upstream answered an error, passed on.
    UpstreamError,
    /// Something of ours failed.
    Failed,
}

impl Ending {
    /// Every ending.
    pub const ALL: &'static [Ending] = &[
        Ending::Complete,
        Ending::Blocked,
        Ending::ClientLeft,
        Ending::UpstreamFailed,
        Ending::UpstreamError,
        Ending::Failed,
    ];

    /// The name used in the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Ending::Complete => "complete",
            Ending::Blocked => "blocked",
            Ending::ClientLeft => "client_left",
            Ending::UpstreamFailed => "upstream_failed",
            Ending::UpstreamError => "upstream_error",
            Ending::Failed => "failed",
        }
    }
}

impl FromStr for Ending {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Ending::ALL
            .iter()
            .copied()
            .find(|e| e.as_str() == s)
            .ok_or_else(|| unknown_name("ending", s, Ending::ALL.iter().map(|e| e.as_str())))
    }
}

/// Tokens used, as the upstream says or, where it does not, as estimated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct UsageRecord {
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Whether the numbers are ours because the upstream gave none.
    pub estimated: bool,
}

/// When the steps of an exchange were done, in microseconds since its whole request was there. A step that was not
/// reached has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TimingRecord {
    /// The request was inspected and decided on.
    pub decided: Option<u64>,
    /// The log had the decision on disk.
    pub recorded: Option<u64>,
    /// The first byte of the answer was ready for the caller.
    pub first_byte: Option<u64>,
}

/// A refusal before an exchange began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// When.
    pub at: Timestamp,
    /// Who, as far as known.
    pub actor: ActorRef,
    /// The matched route, `POST /v1/chat/completions`; never the raw path.
    pub route: String,
    /// The problem's code.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// How many denials before this one were counted only: a flood must not fill the disk.
    pub suppressed: u32,
}

/// A change and its two halves: what was intended, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: ActorRef,
    /// `key.create`, `key.revoke`, `policy.set`, `provider.add`, ...
    pub action: &'static str,
    /// The id of the thing changed.
    pub resource: String,
    /// Digest of the new state, where there is one.
    pub state: Option<Digest>,
    /// Which half.
    pub phase: MutationPhase,
}

/// A look at bodies without masks. Recorded before anything is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reveal {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: ActorRef,
    /// Whose bodies: the exchange.
    pub exchange: ExchangeId,
    /// Why, in their own words.
    pub reason: Option<String>,
}

/// Which half of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MutationPhase {
    /// About to happen; the row will carry this leaf's index.
    Intent,
    /// Happened.
    Done {
        /// Index of the intent.
        intent: u64,
    },
    /// Did not happen.
    Failed {
        /// Index of the intent.
        intent: u64,
    },
}

impl Event {
    /// The kind's name in the log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Event::Started { .. } => "started",
            Event::Stopped { .. } => "stopped",
            Event::Request(_) => "request",
            Event::Outcome(_) => "outcome",
            Event::Denied(_) => "denied",
            Event::Changed(_) => "changed",
            Event::Revealed(_) => "revealed",
        }
    }

    /// When it happened.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Event::Started { at, .. } | Event::Stopped { at } => *at,
            Event::Request(e) => e.at,
            Event::Outcome(e) => e.at,
            Event::Denied(e) => e.at,
            Event::Changed(e) => e.at,
            Event::Revealed(e) => e.at,
        }
    }
}
