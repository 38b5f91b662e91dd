//! Exchanges as the log has them, the newest first: for lists, searches and eyes that follow.
//!
//! No row is written for a request, so a list is read out of the log, backwards and in bounded pieces: a search that
//! finds little says how far back it looked and where to go on.

use std::collections::HashMap;

use bastide_audit::{LogEntry, LogReader};
use bastide_types::{Category, KeyId, Timestamp, Verdict};
use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::Admin;
use crate::bodies::off_the_runtime;
use crate::entries::{Actor, Entry, Found, OutcomeEntry, RequestEntry, Says, some_time, time};
use crate::failure::{Failure, could_not};
use crate::node::Node;

/// Entries that one search looks at: some 15 ms of reading.
const MOST_SEARCHED: u64 = 32_768;
/// Rows that one search reads in full, taken or not: some 20 ms of reading.
const MOST_READ: usize = 2_048;
/// Entries of a bundle of the published log.
pub(crate) const BUNDLE: u64 = 256;
/// Rows of a page at most.
const MOST_ROWS: usize = 500;

/// Which exchanges are wanted. What is left out does not matter.
#[derive(Clone, Debug, Default)]
pub struct ExchangeFilter {
    /// With this verdict on either half.
    pub verdict: Option<Verdict>,
    /// With a finding of this category in either half.
    pub category: Option<Category>,
    /// Of this model, as the caller named it.
    pub model: Option<String>,
    /// Of this key.
    pub key: Option<KeyId>,
    /// Only those that a policy refused.
    pub denied: bool,
    /// Only those of which something was found.
    pub with_findings: bool,
}

/// An exchange in a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExchangeRow {
    /// Index of its request in the log.
    pub index: u64,
    /// When, RFC 3339.
    #[serde(serialize_with = "time")]
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// What was decided about the request.
    pub request: RequestEntry,
    /// How it ended; `None`: refused, running, or broken off by a crash.
    pub outcome: Option<OutcomeEntry>,
    /// The key that asked, as far as it is known.
    pub key: Option<KeyName>,
}

/// A key by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyName {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// A piece of a list.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ExchangePage {
    /// The newest first.
    pub rows: Vec<ExchangeRow>,
    /// Where to go on to older ones; `None`: that was all.
    pub next: Option<u64>,
    /// When the oldest entry that was looked at was written, RFC 3339.
    #[serde(serialize_with = "some_time")]
    #[schemars(with = "Option<String>")]
    pub searched_to: Option<Timestamp>,
}

impl ExchangeRow {
    /// The sterner verdict of the two halves.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let read = |text: &str| text.parse().unwrap_or(Verdict::Allow);
        let answer = self.outcome.as_ref().and_then(|o| o.guard.as_ref()).map(|g| read(&g.verdict));
        let blocked = self.outcome.as_ref().filter(|o| o.ending == "blocked").map(|_| Verdict::Block);
        read(&self.request.verdict)
            .max(answer.unwrap_or(Verdict::Allow))
            .max(blocked.unwrap_or(Verdict::Allow))
    }

    /// What was found in both halves.
    pub fn findings(&self) -> impl Iterator<Item = &Found> {
        let answer = self.outcome.as_ref().and_then(|o| o.guard.as_ref());
        self.request.guard.iter().chain(answer).flat_map(|g| &g.findings)
    }

    /// Whether a policy refused it.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        let answer = self.outcome.iter().flat_map(|o| &o.decisions);
        self.request.decisions.iter().chain(answer).any(|d| d.effect == "deny")
    }
}

impl ExchangeFilter {
    /// Whether nothing is asked for.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.verdict.is_none()
            && self.category.is_none()
            && self.model.is_none()
            && self.key.is_none()
            && !self.denied
            && !self.with_findings
    }

    /// Whether it is one of those.
    #[must_use]
    pub fn takes(&self, row: &ExchangeRow) -> bool {
        self.verdict.is_none_or(|v| row.verdict() == v)
            && self.category.is_none_or(|c| row.findings().any(|f| f.category == c.as_str()))
            && self.model.as_ref().is_none_or(|m| row.request.model == *m)
            && self.key.is_none_or(|k| row.key.as_ref().is_some_and(|name| name.id == k.to_string()))
            && (!self.denied || row.is_denied())
            && (!self.with_findings || row.findings().next().is_some())
    }
}

/// What a key of the demo is called.
const DEMO_KEY: &str = "demo key";

/// The keys by their names in the log.
pub(crate) type KeyNames = HashMap<[u8; 16], KeyName>;

impl Node {
    pub(crate) fn key_names(&self) -> Result<KeyNames, Failure> {
        let keys = self.store.keys().map_err(could_not)?;
        let recorded = keys.into_iter().map(|key| (key.id, key.name));
        let demo = self.identity.demo_keys().into_iter().map(|id| (id, DEMO_KEY.to_owned()));
        let named = recorded
            .chain(demo)
            .map(|(id, name)| (self.subjects.pseudonym(id).0, KeyName { id: id.to_string(), name }));
        Ok(named.collect())
    }
}

/// The name of the key behind an entry.
fn key_name(actor: Actor, names: &KeyNames) -> Option<KeyName> {
    match actor {
        Actor::Key { key } => names.get(&key.0).cloned(),
        _ => None,
    }
}

impl Admin {
    /// Exchanges before the entry with index `before` (`None`: the newest), at most so many.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn exchanges(
        &self,
        filter: ExchangeFilter,
        before: Option<u64>,
        most: usize,
    ) -> Result<ExchangePage, Failure> {
        let (node, names) = (std::sync::Arc::clone(&self.node), self.key_names()?);
        off_the_runtime(move || search(&node, &names, &filter, before, most.clamp(1, MOST_ROWS))).await?
    }

    /// The exchanges that entries from index `from` on speak of, oldest first, and where to go on: what a follower is
    /// told. Entries that were overtaken are left out.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn exchanges_since(&self, from: u64, most: usize) -> Result<(Vec<ExchangeRow>, u64), Failure> {
        let names = self.key_names()?;
        let entries = self.node.log.newest(from, most);
        let next = entries.last().map_or(from, |last| last.index.saturating_add(1));
        let mut rows: Vec<ExchangeRow> = Vec::new();
        for entry in entries.iter().filter_map(Entry::read) {
            match entry.says {
                Says::Request(request) => {
                    let key = key_name(request.actor, &names);
                    let (index, at, request) = (entry.index, entry.at, *request);
                    rows.push(ExchangeRow { index, at, request, outcome: None, key });
                }
                Says::Outcome(outcome) => match rows.iter_mut().find(|r| r.index == outcome.request_index) {
                    Some(row) => row.outcome = Some(*outcome),
                    None => rows.extend(self.row_of(*outcome, &names)),
                },
                _ => {}
            }
        }
        Ok((rows, next))
    }

    /// The exchange of an outcome whose request was told before.
    fn row_of(&self, outcome: OutcomeEntry, names: &KeyNames) -> Option<ExchangeRow> {
        let index = outcome.request_index;
        let held = self.node.log.newest(index, 1).into_iter().find(|e| e.index == index);
        let entry = held.or_else(|| {
            let reader = LogReader::open(self.node.dir().join("log")).ok()?;
            reader.entry(index).ok().flatten()
        })?;
        let entry = Entry::read(&entry)?;
        let Says::Request(request) = entry.says else { return None };
        let key = key_name(request.actor, names);
        Some(ExchangeRow { index, at: entry.at, request: *request, outcome: Some(outcome), key })
    }
}

/// Reads entries wherever they are: in memory, in the published log, in the segments.
pub(crate) struct Entries<'n> {
    node: &'n Node,
    reader: LogReader,
}

impl<'n> Entries<'n> {
    pub(crate) fn open(node: &'n Node) -> Result<Self, Failure> {
        // Where it cannot be written anew, most of it may be whole all the same.
        let _ = node.log.renewed();
        let reader = LogReader::open(node.dir().join("log")).map_err(could_not)?;
        Ok(Entries { node, reader })
    }

    /// The entries from `from` on, and before `to`, which are at most a bundle.
    pub(crate) fn between(&mut self, from: u64, to: u64) -> Result<Vec<LogEntry>, Failure> {
        let mut found = Vec::new();
        let mut next = from;
        while next < to {
            let most = usize::try_from(to - next).unwrap_or(0);
            let entries = if next >= self.node.log.newest_from() {
                self.node.log.newest(next, most)
            } else {
                // Fewer come where the checkpoint ends: the others are in the segments still.
                self.reader.entries(next, most).map_err(could_not)?
            };
            let gone = entries.first().is_none_or(|first| first.index != next);
            if gone && self.reader.refresh().map_err(could_not)?.size > next {
                // Their segment went while we read: they are in bundles now, which a newer checkpoint covers.
                continue;
            }
            let Some(last) = entries.last() else { break };
            next = last.index.saturating_add(1);
            found.extend(entries.into_iter().filter(|e| (from..to).contains(&e.index)));
        }
        Ok(found)
    }

    /// When the entry with this index was written; `None`: there is no such entry.
    pub(crate) fn at(&mut self, index: u64) -> Result<Option<Timestamp>, Failure> {
        let entry = self.between(index, index.saturating_add(1))?;
        Ok(entry.first().and_then(Entry::read).map(|entry| entry.at))
    }

    /// Walks back from `before` until `each` has enough or so many entries were read. Where it came to.
    pub(crate) fn walk_back(
        &mut self,
        before: u64,
        most: u64,
        mut each: impl FnMut(LogEntry) -> bool,
    ) -> Result<u64, Failure> {
        let mut to = before.min(self.node.log.size());
        let end = to.saturating_sub(most);
        while to > end {
            // By bundles, as the published log has them.
            let from = (to.saturating_sub(1) / BUNDLE).saturating_mul(BUNDLE).max(end);
            for entry in self.between(from, to)?.into_iter().rev() {
                let index = entry.index;
                if !each(entry) {
                    return Ok(index);
                }
            }
            to = from;
        }
        Ok(to)
    }
}

/// An exchange of interest holds these bytes in one of its entries: most others need not be read.
fn needles(node: &Node, filter: &ExchangeFilter) -> Vec<Vec<u8>> {
    let text = |text: &str| Some(text.as_bytes().to_vec());
    [
        filter.category.and_then(|c| text(c.as_str())),
        filter.model.as_ref().and_then(|m| text(m)),
        filter.verdict.and_then(|v| text(v.as_str())),
        filter.key.map(|key| node.subjects.pseudonym(key).0.to_vec()),
        filter.denied.then(|| text("deny")).flatten(),
        filter.with_findings.then(|| text("detector")).flatten(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn search(
    node: &Node,
    names: &KeyNames,
    filter: &ExchangeFilter,
    before: Option<u64>,
    most: usize,
) -> Result<ExchangePage, Failure> {
    let mut entries = Entries::open(node)?;
    let needles = needles(node, filter);
    let needles: Vec<Finder<'_>> = needles.iter().map(Finder::new).collect();
    let index_field = Finder::new(INDEX);
    let mut outcomes: HashMap<u64, LogEntry> = HashMap::new();
    let mut rows = Vec::new();
    let mut searched_to = None;
    let mut read = 0;
    let before = before.unwrap_or(u64::MAX);
    // An outcome stands behind its request: those behind the first row of this page are looked for ahead of it.
    let ahead = before.saturating_add(LOOK_AHEAD).min(node.log.size());
    let came_to = entries.walk_back(ahead, MOST_SEARCHED, |entry| {
        let index = entry.index;
        match kind_of(&entry, &index_field) {
            Kind::Outcome(request) => {
                outcomes.insert(request, entry);
            }
            Kind::Request if index < before => {
                let outcome = outcomes.remove(&index);
                let holds = |needle: &Finder<'_>| {
                    let in_one = |entry: &LogEntry| needle.find(&entry.bytes).is_some();
                    in_one(&entry) || outcome.as_ref().is_some_and(in_one)
                };
                if needles.iter().all(holds)
                    && let Some(row) = row(&entry, outcome.as_ref(), names)
                {
                    read += 1;
                    searched_to = Some(row.at);
                    if filter.takes(&row) {
                        rows.push(row);
                    }
                }
            }
            Kind::Request | Kind::Other => {}
        }
        rows.len() < most && read < MOST_READ
    })?;
    // Nothing of interest there: how far back that was says the entry itself.
    if searched_to.is_none() || rows.len() < most {
        searched_to = entries.at(came_to)?.or(searched_to);
    }
    Ok(ExchangePage { rows, next: (came_to > 0).then_some(came_to), searched_to })
}

/// How far behind its request an outcome is looked for when a list goes on in the middle of the log.
const LOOK_AHEAD: u64 = 4_096;

enum Kind {
    Request,
    /// Of the request with this index.
    Outcome(u64),
    Other,
}

/// What an entry is, without reading all of it.
fn kind_of(entry: &LogEntry, index_field: &Finder<'_>) -> Kind {
    // The map begins with `v`, `at`, `kind`, in this order: `FORMAT.md`.
    let head = entry.bytes.get(..40).unwrap_or(&entry.bytes);
    let says = |kind: &[u8]| head.windows(kind.len()).any(|w| w == kind);
    if says(b"grequest") {
        return Kind::Request;
    }
    if !says(b"goutcome") {
        return Kind::Other;
    }
    let Some(at) = index_field.find(&entry.bytes) else { return Kind::Other };
    let number = entry.bytes.get(at + INDEX.len()..).and_then(uint);
    number.map_or(Kind::Other, Kind::Outcome)
}

/// The key `request_index` as an entry has it.
const INDEX: &[u8] = b"mrequest_index";

/// A CBOR unsigned integer (RFC 8949 section 3) at the beginning of `bytes`.
fn uint(bytes: &[u8]) -> Option<u64> {
    let (first, rest) = bytes.split_first()?;
    let length = match first {
        0..=23 => return Some(u64::from(*first)),
        24 => 1,
        25 => 2,
        26 => 4,
        27 => 8,
        _ => return None,
    };
    Some(rest.get(..length)?.iter().fold(0, |n, byte| (n << 8) | u64::from(*byte)))
}

fn row(entry: &LogEntry, outcome: Option<&LogEntry>, names: &KeyNames) -> Option<ExchangeRow> {
    let read = Entry::read(entry)?;
    let Says::Request(request) = read.says else { return None };
    let outcome = outcome.and_then(Entry::read).and_then(|o| match o.says {
        Says::Outcome(outcome) if outcome.exchange == request.exchange => Some(*outcome),
        _ => None,
    });
    let key = key_name(request.actor, names);
    Some(ExchangeRow { index: read.index, at: read.at, request: *request, outcome, key })
}

#[cfg(test)]
mod tests;
