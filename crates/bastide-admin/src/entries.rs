//! The entries of the log as values with names: for pages, programs and searches.

use bastide_audit::{LogEntry, Value};
use bastide_types::{Pseudonym, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;

use crate::time::show_time;

/// An entry that is read.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Its index.
    pub index: u64,
    /// When, RFC 3339.
    #[serde(serialize_with = "time")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub says: Says,
}

pub(crate) fn time<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show_time(*at))
}

pub(crate) fn some_time<S: serde::Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(show_time).serialize(serializer)
}

/// What an entry says, by its kind.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Says {
    /// The decision about a request.
    Request(Box<RequestEntry>),
    /// How an exchange ended.
    Outcome(Box<OutcomeEntry>),
    /// Somebody was refused before an exchange began.
    Denied {
        /// Who.
        actor: Actor,
        /// The matched route.
        route: String,
        /// The problem's code.
        code: String,
        /// HTTP status.
        status: u64,
        /// Denials before it that were counted only.
        suppressed: u64,
    },
    /// A change, one half of it.
    Changed {
        /// Who.
        actor: Actor,
        /// What was done.
        action: String,
        /// To what.
        resource: String,
        /// `intent`, `done` or `failed`.
        phase: String,
        /// Index of the intent, in the other half.
        #[serde(skip_serializing_if = "Option::is_none")]
        intent: Option<u64>,
    },
    /// Somebody was about to be shown bodies without masks.
    Revealed {
        /// Who.
        actor: Actor,
        /// Whose bodies.
        exchange: String,
        /// Why, in their own words.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The server began.
    Started {
        /// Its version.
        version: String,
    },
    /// The server stopped in order.
    Stopped,
    /// A kind that this version does not know.
    Unknown,
}

/// Who is behind an entry, as the log names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Actor {
    /// A key, by its pseudonym.
    Key {
        /// The pseudonym, in hexadecimal.
        #[serde(serialize_with = "hex")]
        #[schemars(with = "String")]
        key: Pseudonym,
    },
    /// A user, by its pseudonym.
    User {
        /// The pseudonym, in hexadecimal.
        #[serde(serialize_with = "hex")]
        #[schemars(with = "String")]
        user: Pseudonym,
    },
    /// The operator on the machine.
    LocalOperator {
        /// The operating system's user id.
        uid: u64,
    },
    /// Nobody that is known.
    Unauthenticated,
}

fn hex<S: serde::Serializer>(name: &Pseudonym, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&to_hex(&name.0))
}

/// Bytes in hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The decision about a request.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RequestEntry {
    /// The exchange.
    pub exchange: String,
    /// Who asked.
    pub actor: Actor,
    /// The model as the caller named it.
    pub model: String,
    /// The provider.
    pub upstream: String,
    /// The dialect.
    pub dialect: String,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// Whether anything was sent.
    pub sent: bool,
    /// Digest of the policy set, in hexadecimal.
    pub policy: String,
    /// What policies decided.
    pub decisions: Vec<Decided>,
    /// What the guard did.
    pub guard: Option<Guarded>,
    /// The verdict.
    pub verdict: String,
}

/// How an exchange ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct OutcomeEntry {
    /// The exchange.
    pub exchange: String,
    /// Index of its request.
    pub request_index: u64,
    /// The provider that answered.
    pub upstream: String,
    /// HTTP status given to the caller.
    pub status: u64,
    /// How.
    pub ending: String,
    /// What policies decided.
    pub decisions: Vec<Decided>,
    /// What the guard did.
    pub guard: Option<Guarded>,
    /// The verdict on the request.
    pub request_verdict: String,
    /// What was found in the request.
    pub request_findings: Vec<(String, u64)>,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Whether the tokens are our estimate.
    pub estimated: bool,
    /// Until the request was decided on, in microseconds.
    pub decided_micros: Option<u64>,
    /// Until the log had it.
    pub recorded_micros: Option<u64>,
    /// Until the first byte of the answer.
    pub first_byte_micros: Option<u64>,
    /// In bastide itself.
    pub own_micros: u64,
    /// Until the end.
    pub total_micros: u64,
}

/// An answer of the policy engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Decided {
    /// What was asked.
    pub action: String,
    /// `permit` or `deny`.
    pub effect: String,
    /// The policies that determined it.
    pub policies: Vec<String>,
}

/// What the guard did with one half.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Guarded {
    /// Whether it acted.
    pub mode: String,
    /// Digest of its profile, in hexadecimal.
    pub profile: String,
    /// Segments inspected.
    pub segments: u64,
    /// Bytes inspected.
    pub bytes: u64,
    /// Parts that nobody could read.
    pub unscanned: u64,
    /// What was found, as far as the entry lists it.
    pub findings: Vec<Found>,
    /// How many findings there were.
    pub findings_total: u64,
    /// The verdict of this half.
    pub verdict: String,
}

/// A finding, without its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Found {
    /// What.
    pub category: String,
    /// Written by whom.
    pub origin: String,
    /// In which segment.
    pub segment: u64,
    /// First byte in it.
    pub start: u64,
    /// One past the last.
    pub end: u64,
    /// How sure, in per mille.
    pub score: u64,
    /// Which detector.
    pub detector: String,
    /// In which reading.
    pub view: String,
    /// What was done.
    pub verdict: String,
}

impl Entry {
    /// Reads an entry; one of an unknown kind says so, and a field that is missing is empty.
    #[must_use]
    pub fn read(entry: &LogEntry) -> Option<Entry> {
        let value = entry.value().ok()?;
        let at = Timestamp::from_micros(uint(&value, "at"));
        let says = match text(&value, "kind").as_str() {
            "request" => Says::Request(Box::new(request(&value))),
            "outcome" => Says::Outcome(Box::new(outcome(&value))),
            "denied" => Says::Denied {
                actor: actor(&value),
                route: text(&value, "route"),
                code: text(&value, "code"),
                status: uint(&value, "status"),
                suppressed: uint(&value, "suppressed"),
            },
            "changed" => Says::Changed {
                actor: actor(&value),
                action: text(&value, "action"),
                resource: text(&value, "resource"),
                phase: text(&value, "phase"),
                intent: value.get("intent").and_then(Value::as_uint),
            },
            "revealed" => Says::Revealed {
                actor: actor(&value),
                exchange: text(&value, "exchange"),
                reason: value.get("reason").and_then(Value::as_text).map(str::to_owned),
            },
            "started" => Says::Started { version: text(&value, "version") },
            "stopped" => Says::Stopped,
            _ => Says::Unknown,
        };
        Some(Entry { index: entry.index, at, says })
    }

    /// The kind's name.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.says {
            Says::Request(_) => "request",
            Says::Outcome(_) => "outcome",
            Says::Denied { .. } => "denied",
            Says::Changed { .. } => "changed",
            Says::Revealed { .. } => "revealed",
            Says::Started { .. } => "started",
            Says::Stopped => "stopped",
            Says::Unknown => "unknown",
        }
    }
}

fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_text).unwrap_or_default().to_owned()
}

fn uint(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_uint).unwrap_or_default()
}

fn flag(value: &Value, key: &str) -> bool {
    matches!(value.get(key), Some(Value::Bool(true)))
}

fn bytes(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_bytes).map(to_hex).unwrap_or_default()
}

fn list<T>(value: &Value, key: &str, read: impl Fn(&Value) -> T) -> Vec<T> {
    match value.get(key) {
        Some(Value::Array(items)) => items.iter().map(read).collect(),
        _ => Vec::new(),
    }
}

fn actor(entry: &Value) -> Actor {
    let Some(actor) = entry.get("actor") else { return Actor::Unauthenticated };
    let name = |key: &str| {
        let bytes = actor.get(key)?.as_bytes()?;
        Some(Pseudonym(bytes.try_into().ok()?))
    };
    match text(actor, "type").as_str() {
        "key" => name("key").map_or(Actor::Unauthenticated, |key| Actor::Key { key }),
        "user" => name("user").map_or(Actor::Unauthenticated, |user| Actor::User { user }),
        "local_operator" => Actor::LocalOperator { uid: uint(actor, "uid") },
        _ => Actor::Unauthenticated,
    }
}

fn request(value: &Value) -> RequestEntry {
    RequestEntry {
        exchange: text(value, "exchange"),
        actor: actor(value),
        model: text(value, "model"),
        upstream: text(value, "upstream"),
        dialect: text(value, "dialect"),
        stream: flag(value, "stream"),
        sent: value.get("sent").is_some(),
        policy: bytes(value, "policy"),
        decisions: list(value, "decisions", decided),
        guard: value.get("guard").map(guarded),
        verdict: text(value, "verdict"),
    }
}

fn outcome(value: &Value) -> OutcomeEntry {
    let usage = value.get("usage");
    let tokens = |key: &str| usage.map(|u| uint(u, key)).unwrap_or_default();
    let timing = |key: &str| value.get("timing")?.get(key)?.as_uint();
    OutcomeEntry {
        exchange: text(value, "exchange"),
        request_index: uint(value, "request_index"),
        upstream: text(value, "upstream"),
        status: uint(value, "status"),
        ending: text(value, "ending"),
        decisions: list(value, "decisions", decided),
        guard: value.get("guard").map(guarded),
        request_verdict: text(value, "request_verdict"),
        request_findings: list(value, "request_findings", |f| (text(f, "category"), uint(f, "count"))),
        input_tokens: tokens("input_tokens"),
        output_tokens: tokens("output_tokens"),
        estimated: usage.is_some_and(|u| flag(u, "estimated")),
        decided_micros: timing("decided"),
        recorded_micros: timing("recorded"),
        first_byte_micros: timing("first_byte"),
        own_micros: uint(value, "own_micros"),
        total_micros: uint(value, "total_micros"),
    }
}

fn decided(value: &Value) -> Decided {
    let name = |v: &Value| v.as_text().unwrap_or_default().to_owned();
    Decided {
        action: text(value, "action"),
        effect: text(value, "effect"),
        policies: list(value, "policies", name),
    }
}

fn guarded(value: &Value) -> Guarded {
    Guarded {
        mode: text(value, "mode"),
        profile: bytes(value, "profile"),
        segments: uint(value, "segments"),
        bytes: uint(value, "bytes"),
        unscanned: uint(value, "unscanned"),
        findings: list(value, "findings", found),
        findings_total: uint(value, "findings_total"),
        verdict: text(value, "verdict"),
    }
}

fn found(value: &Value) -> Found {
    Found {
        category: text(value, "category"),
        origin: text(value, "origin"),
        segment: uint(value, "segment"),
        start: uint(value, "start"),
        end: uint(value, "end"),
        score: uint(value, "score"),
        detector: text(value, "detector"),
        view: text(value, "view"),
        verdict: text(value, "verdict"),
    }
}
