//! `audit show` and `audit erase`, as the holder of the data folder carries them out.
//!
//! Nothing that was not asked for in clear leaves this process in clear, and what is leaves it only once the log has the
//! look at it on disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bastide_anonymize::PlaceholderDetector;
use bastide_audit::{
    BodyKind, BodyReader, ExchangeEntries, ExchangeKeys, LogEntry, LogReader, OpenError, SealedBody,
};
use bastide_inspect::{Engine, standard_detectors};
use bastide_types::{ActorRef, Event, ExchangeId, KeyId, Pseudonym, Reveal, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::admin::{Admin, no_such};
use crate::change::{Turn, What};
use crate::entries::Entry;
use crate::failure::{Failure, could_not};
use crate::mask::Masker;
use crate::node::Node;
use crate::segments::{Reader, Said};
use crate::time::show_time;

/// The name of the change that an erasure is.
pub(crate) const ERASE: &str = "subject.erase";
/// How long a running server may take to write what waits, so that an exchange of just now is shown whole.
const FLUSH: Duration = Duration::from_secs(2);

/// What is known of an exchange before its bodies are opened.
struct Found {
    exchange: ExchangeId,
    entries: ExchangeEntries,
    subject: Option<KeyId>,
    keys: Option<ExchangeKeys>,
    bodies: Vec<SealedBody>,
}

/// Why a kept body has no text.
enum Unreadable {
    Erased,
    Damaged,
    /// It is written down as the beginning of another one, which was dropped or removed.
    Missing,
}

impl From<OpenError> for Unreadable {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Erased => Unreadable::Erased,
            OpenError::Damaged => Unreadable::Damaged,
        }
    }
}

/// An exchange with what is left of its bodies.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExchangeShown {
    /// Its id.
    pub exchange: String,
    /// When its request was complete, RFC 3339.
    pub at: String,
    /// The key that asked, unless its subject was erased.
    pub key: Option<KeyShown>,
    /// The entry of its request.
    pub request: EntryShown,
    /// The entry of its outcome.
    pub outcome: Option<EntryShown>,
    /// The entry that this look without masks is recorded in.
    pub revealed: Option<u64>,
    /// Every body that the log speaks of.
    pub bodies: Vec<BodyShown>,
    /// Why each detector that masked something found it, by its id: what it says of the kept text now, for the log does
    /// not have it.
    pub reasons: BTreeMap<&'static str, String>,
}

/// A key behind an exchange.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeyShown {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// An entry of the log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EntryShown {
    /// Its index.
    pub index: u64,
    /// What it says.
    pub entry: Value,
    #[serde(skip)]
    log: LogEntry,
}

impl EntryShown {
    /// What it says, read.
    #[must_use]
    pub fn read(&self) -> Option<Entry> {
        Entry::read(&self.log)
    }
}

/// A kept body, with masks unless it was revealed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BodyShown {
    /// Which.
    pub kind: &'static str,
    /// `kept`, `as received`, `empty`, `erased`, `damaged` or `missing`.
    pub state: &'static str,
    /// Bytes of the whole.
    pub size: Option<u64>,
    /// Whether only its beginning was kept.
    pub cut: bool,
    /// Whether it is what the log's digest is of; unknown for one whose end is missing.
    pub matches: Option<bool>,
    /// Its text.
    pub text: Option<String>,
    /// Its text by who said what; of a look at segments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
}

/// A look without masks, which the log records first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RevealWanted {
    /// Why, in a line of at most 200 characters. The log keeps it: no value belongs into it.
    #[serde(default)]
    pub reason: Option<String>,
}

/// The longest reason for a look, in characters.
const MOST_REASON: usize = 200;

impl RevealWanted {
    /// The reason, where one is given.
    fn into_reason(self) -> Result<Option<String>, Failure> {
        let reason = self.reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        let long =
            |reason: &String| reason.chars().count() > MOST_REASON || reason.contains(char::is_control);
        if reason.as_ref().is_some_and(long) {
            return Err(Failure::usage(format!(
                "give the reason in one line of at most {MOST_REASON} characters"
            )));
        }
        Ok(reason)
    }
}

/// How an exchange is looked at.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Without masks; recorded first.
    pub reveal: Option<RevealWanted>,
    /// Texts by who said what.
    pub segments: bool,
}

/// One body as it is shown.
struct Shown {
    kind: BodyKind,
    state: &'static str,
    size: Option<u64>,
    cut: bool,
    /// Whether it is what the log's digest is of; unknown for one whose end is missing.
    matches: Option<bool>,
    text: Option<Vec<u8>>,
}

impl Admin {
    /// The entries and bodies of an exchange.
    pub async fn exchange_show(
        &self,
        actor: ActorRef,
        exchange: &str,
        look: Look,
    ) -> Result<ExchangeShown, Failure> {
        let exchange: ExchangeId = exchange.parse().map_err(|e| {
            Failure::usage(format!("{e}; an exchange's id is in the `bastide-exchange` header of its answer"))
        })?;
        if let Some(gateway) = &self.gateway {
            let bodies = gateway.bodies().clone();
            // Late ones are then missing from what is shown, which says so.
            let _ = off_the_runtime(move || bodies.flush(FLUSH)).await?;
        }
        let reveal = look.reveal.map(RevealWanted::into_reason).transpose()?;
        let node = Arc::clone(&self.node);
        let found = off_the_runtime(move || find(&node, exchange)).await??;
        let mut revealed = None;
        if let (Some(reason), false) = (reveal, found.bodies.is_empty()) {
            let reveal = Reveal { at: self.node.clock.now(), actor, exchange, reason };
            let event = Event::Revealed(Box::new(reveal));
            revealed = Some(self.node.log.record(event).await.map_err(could_not)?.index());
        }
        let (node, guard) = (Arc::clone(&self.node), self.gateway.as_ref().map(|g| g.guard()));
        off_the_runtime(move || {
            let engines = guard.map_or_else(engines, |guard| Ok(guard.engines()))?;
            show(&node, &found, revealed, look.segments, engines)
        })
        .await?
    }

    /// Destroys the key of a subject: its digests and bodies say nothing from then on.
    pub async fn subject_erase(&self, turn: &mut Turn<'_>, key: &str) -> Result<Value, Failure> {
        let id = self.subject(key)?;
        let shown = |erased: bool| json!({"id": id.to_string(), "erased": erased});
        let Some(key) = self.node.subjects.key_digest(id).map_err(could_not)? else {
            return Ok(shown(false));
        };
        // Which of its keys: the next exchange makes a new one, and after a crash nothing else tells them apart.
        let what = What { action: ERASE, resource: id.to_string(), state: Some(key) };
        turn.change(what, |_| self.node.subjects.erase(id).map_err(could_not)).await?;
        Ok(shown(true))
    }

    /// The key with this id or name, revoked or not: what was recorded about it outlives it.
    fn subject(&self, key: &str) -> Result<KeyId, Failure> {
        if let Ok(id) = key.parse() {
            return Ok(id);
        }
        let keys = self.node.store.keys().map_err(could_not)?;
        let mut named = keys.iter().filter(|k| k.name == key);
        match (named.next(), named.next()) {
            (Some(one), None) => Ok(one.id),
            (None, _) => Err(no_such("key", key)),
            _ => {
                let what =
                    format!("several keys are or were named `{key}`; give the id, from `bastide key list`");
                Err(Failure::could_not(what))
            }
        }
    }
}

/// Runs what reads files or inspects text beside the tasks.
pub(crate) async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(could_not)
}

fn find(node: &Node, exchange: ExchangeId) -> Result<Found, Failure> {
    // What is published is found by halving; without it the newest entries are read from the segments.
    let _ = node.log.publish_now();
    let mut reader = LogReader::open(node.dir().join("log")).map_err(could_not)?;
    let entries = reader.find_exchange(exchange).map_err(could_not)?.ok_or_else(|| {
        Failure::not_found(format!(
            "the log has no exchange `{exchange}`; `bastide audit tail` shows the newest, and a request that was \
             refused before it became an exchange has none"
        ))
    })?;
    let request = read(&entries.request)?;
    let subject = match hex(request["actor"]["key"].as_str().unwrap_or_default()) {
        Some(name) => node.subjects.find(Pseudonym(name)).map_err(could_not)?,
        None => None,
    };
    let keys = match subject {
        Some(id) => node.subjects.exchange_keys(id, exchange).map_err(could_not)?,
        None => None,
    };
    let outcome = entries.outcome.as_ref().map(read).transpose()?;
    let began = time(&request);
    let ended = outcome.as_ref().map(time).or_else(|| refused(&request).then_some(began));
    // What was sent as it was received is kept once. An exchange without an outcome may have more than its entries say.
    let expected: Vec<BodyKind> = match outcome {
        None if ended.is_none() => BodyKind::ALL.to_vec(),
        _ => spoken(&request, outcome.as_ref())
            .filter(|(_, digest, received)| *received != Some(*digest))
            .map(|(kind, ..)| kind)
            .collect(),
    };
    let bodies = BodyReader::new(node.dir().join("bodies"))
        .find(exchange, began, ended, &expected)
        .map_err(could_not)?;
    Ok(Found { exchange, entries, subject, keys, bodies })
}

/// Where no server has them compiled.
fn engines() -> Result<[Arc<Engine>; 2], Failure> {
    let all = Engine::new(standard_detectors()).map_err(could_not)?;
    let tokens = Engine::new(vec![Arc::new(PlaceholderDetector::default()) as _]).map_err(could_not)?;
    Ok([Arc::new(all), Arc::new(tokens)])
}

fn show(
    node: &Node,
    found: &Found,
    revealed: Option<u64>,
    segments: bool,
    [all, tokens]: [Arc<Engine>; 2],
) -> Result<ExchangeShown, Failure> {
    let request = read(&found.entries.request)?;
    let outcome = found.entries.outcome.as_ref().map(read).transpose()?;
    let mut masker = match revealed {
        None => Some(Masker::new(Arc::clone(&all))),
        Some(_) => None,
    };
    let mut reader = segments.then(|| Reader::new([all, tokens]));
    let bodies: Vec<BodyShown> = shown(found, &request, outcome.as_ref())
        .into_iter()
        .map(|body| {
            let is_request = matches!(body.kind, BodyKind::RequestReceived | BodyKind::RequestSent);
            let text = body.text.map(|text| match &mut masker {
                Some(masker) => masker.body(is_request, &text, body.cut),
                None => String::from_utf8_lossy(&text).into_owned(),
            });
            let said = match (&mut reader, &text) {
                (Some(reader), Some(text)) => reader.said(is_request, text, revealed.is_some()),
                _ => Vec::new(),
            };
            BodyShown {
                kind: body.kind.as_str(),
                state: body.state,
                size: body.size,
                cut: body.cut,
                matches: body.matches,
                text,
                said,
            }
        })
        .collect();
    let name = found.subject.and_then(|id| {
        let keys = node.store.keys().ok()?;
        keys.into_iter().find(|k| k.id == id).map(|k| k.name)
    });
    let at = show_time(time(&request));
    let entry = |log: &LogEntry, entry: Value| EntryShown { index: log.index, entry, log: log.clone() };
    Ok(ExchangeShown {
        exchange: found.exchange.to_string(),
        at,
        key: found.subject.map(|id| KeyShown { id: id.to_string(), name }),
        request: entry(&found.entries.request, request),
        outcome: found.entries.outcome.as_ref().zip(outcome).map(|(log, value)| entry(log, value)),
        revealed,
        bodies,
        reasons: masker.map(Masker::into_reasons).unwrap_or_default(),
    })
}

/// Every body that the log speaks of, with what is left of it.
fn shown(found: &Found, request: &Value, outcome: Option<&Value>) -> Vec<Shown> {
    spoken(request, outcome).map(|(kind, digest, received)| one(found, kind, digest, received)).collect()
}

/// The bodies that the entries of an exchange speak of: kind, digest, and for what was sent the digest of what was received.
fn spoken<'a>(
    request: &'a Value,
    outcome: Option<&'a Value>,
) -> impl Iterator<Item = (BodyKind, &'a str, Option<&'a str>)> {
    let digests = [
        (BodyKind::RequestReceived, request["received"].as_str(), None),
        (BodyKind::RequestSent, request["sent"].as_str(), request["received"].as_str()),
        (BodyKind::ResponseReceived, outcome.and_then(|o| o["received"].as_str()), None),
        (
            BodyKind::ResponseSent,
            outcome.and_then(|o| o["sent"].as_str()),
            outcome.and_then(|o| o["received"].as_str()),
        ),
    ];
    digests.into_iter().filter_map(|(kind, digest, received)| Some((kind, digest?, received)))
}

fn one(found: &Found, kind: BodyKind, digest: &str, received: Option<&str>) -> Shown {
    let mut shown = Shown { kind, state: "missing", size: None, cut: false, matches: None, text: None };
    let digest_of = |text: &[u8]| {
        let tag = found.keys.as_ref()?.digest.digest(text);
        Some(tag.0.iter().map(|b| format!("{b:02x}")).collect::<String>() == digest)
    };
    let Some(sealed) = found.bodies.iter().find(|b| b.header().kind == kind) else {
        if received == Some(digest) {
            shown.state = "as received";
        } else if digest_of(b"") == Some(true) {
            (shown.state, shown.size) = ("empty", Some(0));
        }
        return shown;
    };
    let header = sealed.header();
    (shown.size, shown.cut) = (Some(header.size), header.cut);
    match text(found, sealed) {
        Err(Unreadable::Erased) => shown.state = "erased",
        Err(Unreadable::Damaged) => shown.state = "damaged",
        Err(Unreadable::Missing) => shown.state = "missing",
        Ok((text, whole)) => {
            shown.state = "kept";
            shown.cut = !whole;
            shown.matches = if whole { digest_of(&text) } else { None };
            shown.text = Some(text);
        }
    }
    shown
}

/// A body's text, and whether that is all of it.
fn text(found: &Found, sealed: &SealedBody) -> Result<(Vec<u8>, bool), Unreadable> {
    let keys = found.keys.as_ref().ok_or(Unreadable::Erased)?;
    let header = sealed.header();
    let mut text = sealed.open(&keys.body)?;
    if header.prefix {
        // Written down as so many bytes of what was received.
        let whole = found.bodies.iter().find(|b| b.header().kind == BodyKind::ResponseReceived);
        text = whole.ok_or(Unreadable::Missing)?.open(&keys.body)?;
        text.truncate(usize::try_from(header.size).unwrap_or(usize::MAX));
    }
    let whole = u64::try_from(text.len()).is_ok_and(|n| n == header.size);
    Ok((text, whole))
}

fn read(entry: &LogEntry) -> Result<Value, Failure> {
    let text = entry.value().map_err(could_not)?.to_json();
    serde_json::from_str(&text).map_err(could_not)
}

fn refused(request: &Value) -> bool {
    request["verdict"] == "block"
}

fn time(entry: &Value) -> Timestamp {
    Timestamp::from_micros(entry["at"].as_u64().unwrap_or_default())
}

/// 16 bytes in hexadecimal.
fn hex(text: &str) -> Option<[u8; 16]> {
    let number = u128::from_str_radix(text, 16).ok()?;
    (text.len() == 32).then(|| number.to_be_bytes())
}
