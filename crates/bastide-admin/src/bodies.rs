//! `audit show` and `audit erase`, as the holder of the data folder carries them out.
//!
//! Nothing that was not asked for in clear leaves this process in clear, and what is leaves it only once the log has the
//! look at it on disk.

use std::sync::Arc;
use std::time::Duration;

use bastide_audit::{
    BodyKind, BodyReader, ExchangeEntries, ExchangeKeys, LogEntry, LogReader, OpenError, SealedBody,
};
use bastide_types::{ActorRef, Event, ExchangeId, KeyId, Pseudonym, Reveal, Timestamp};
use serde_json::{Value, json};

use crate::admin::{Admin, no_such};
use crate::change::{Turn, What};
use crate::failure::{Failure, could_not};
use crate::mask::Masker;
use crate::node::Node;
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
        reveal: bool,
    ) -> Result<Value, Failure> {
        let exchange: ExchangeId = exchange.parse().map_err(|e| {
            Failure::usage(format!("{e}; an exchange's id is in the `bastide-exchange` header of its answer"))
        })?;
        if let Some(gateway) = &self.gateway {
            let bodies = gateway.bodies().clone();
            // Late ones are then missing from what is shown, which says so.
            let _ = off_the_runtime(move || bodies.flush(FLUSH)).await?;
        }
        let node = Arc::clone(&self.node);
        let found = off_the_runtime(move || find(&node, exchange)).await??;
        let mut revealed = None;
        if reveal && !found.bodies.is_empty() {
            let event = Event::Revealed(Box::new(Reveal { at: self.node.clock.now(), actor, exchange }));
            revealed = Some(self.node.log.record(event).await.map_err(could_not)?.index());
        }
        let node = Arc::clone(&self.node);
        off_the_runtime(move || show(&node, &found, revealed)).await?
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
        Failure::could_not(format!(
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
    let ended = entries.outcome.as_ref().map(read).transpose()?.map(|outcome| time(&outcome));
    let bodies = BodyReader::new(node.dir().join("bodies"))
        .find(exchange, time(&request), ended.or_else(|| refused(&request).then(|| time(&request))))
        .map_err(could_not)?;
    Ok(Found { exchange, entries, subject, keys, bodies })
}

fn show(node: &Node, found: &Found, revealed: Option<u64>) -> Result<Value, Failure> {
    let request = read(&found.entries.request)?;
    let outcome = found.entries.outcome.as_ref().map(read).transpose()?;
    let mut masker = match revealed {
        None => Some(Masker::new()?),
        Some(_) => None,
    };
    let bodies: Vec<Value> = shown(found, &request, outcome.as_ref())
        .into_iter()
        .map(|body| {
            let is_request = matches!(body.kind, BodyKind::RequestReceived | BodyKind::RequestSent);
            let text = body.text.map(|text| match &mut masker {
                Some(masker) => masker.body(is_request, &text, body.cut),
                None => String::from_utf8_lossy(&text).into_owned(),
            });
            json!({
                "kind": body.kind.as_str(),
                "state": body.state,
                "size": body.size,
                "cut": body.cut,
                "matches": body.matches,
                "text": text,
            })
        })
        .collect();
    let name = found.subject.and_then(|id| {
        let keys = node.store.keys().ok()?;
        keys.into_iter().find(|k| k.id == id).map(|k| k.name)
    });
    let entry = |entry: &LogEntry, value: &Value| json!({"index": entry.index, "entry": value});
    Ok(json!({
        "exchange": found.exchange.to_string(),
        "at": show_time(time(&request)),
        "key": found.subject.map(|id| json!({"id": id.to_string(), "name": name})),
        "request": entry(&found.entries.request, &request),
        "outcome": found.entries.outcome.as_ref().zip(outcome.as_ref()).map(|(e, v)| entry(e, v)),
        "revealed": revealed,
        "bodies": bodies,
    }))
}

/// Every body that the log speaks of, with what is left of it.
fn shown(found: &Found, request: &Value, outcome: Option<&Value>) -> Vec<Shown> {
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
    let spoken = digests.into_iter().filter_map(|(kind, digest, received)| Some((kind, digest?, received)));
    spoken.map(|(kind, digest, received)| one(found, kind, digest, received)).collect()
}

fn one(found: &Found, kind: BodyKind, digest: &str, received: Option<&str>) -> Shown {
    let mut shown = Shown { kind, state: "missing", size: None, cut: false, matches: None, text: None };
    let digest_of = |text: &[u8]| {
        let tag = found.keys.as_ref()?.digest.sign(&[text]);
        Some(tag.iter().map(|b| format!("{b:02x}")).collect::<String>() == digest)
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
