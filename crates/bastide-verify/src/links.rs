//! Entries that speak of earlier entries: an outcome of its request, the end of a change of its intent.

use std::collections::BTreeMap;

use crate::cbor::Value;
use crate::entry::Entry;
use crate::failure::Failure;
use crate::folder::{Bundle, Folder, TILE_WIDTH};
use crate::merkle::{Hash, leaf_hash};

/// Requests kept in memory while their outcome is awaited: far more than a server has in flight. Older ones are read
/// from their bundle again.
const MAX_OPEN: usize = 65_536;
/// An exchange id takes 30 bytes.
const MAX_ID_BYTES: usize = 128;

pub(crate) struct Links<'f> {
    folder: &'f Folder,
    size: u64,
    open: BTreeMap<u64, (Hash, Vec<u8>)>,
    /// Requests below this index may have been dropped from `open`.
    dropped_below: u64,
    requests: u64,
    outcomes: u64,
}

pub(crate) enum LinkError {
    Broken(String),
    Failed(Failure),
}

impl LinkError {
    pub(crate) fn at(self, subject: String) -> Failure {
        match self {
            LinkError::Broken(detail) => Failure::broken(subject, detail),
            LinkError::Failed(failure) => failure,
        }
    }
}

fn broken<T>(detail: impl Into<String>) -> Result<T, LinkError> {
    Err(LinkError::Broken(detail.into()))
}

impl<'f> Links<'f> {
    pub(crate) const fn new(folder: &'f Folder, size: u64) -> Self {
        Links { folder, size, open: BTreeMap::new(), dropped_below: 0, requests: 0, outcomes: 0 }
    }

    /// Requests without an outcome.
    pub(crate) const fn open(&self) -> u64 {
        self.requests.saturating_sub(self.outcomes)
    }

    pub(crate) fn check(&mut self, index: u64, leaf: Hash, entry: &Entry<'_>) -> Result<(), LinkError> {
        match entry.kind {
            "request" => self.request(index, leaf, entry),
            "outcome" => self.outcome(index, entry),
            "changed" => self.change(index, entry),
            _ => Ok(()),
        }
    }

    fn request(&mut self, index: u64, leaf: Hash, entry: &Entry<'_>) -> Result<(), LinkError> {
        let exchange = exchange(entry)?;
        // A refused request has no outcome: nothing was sent.
        if entry.fields.get("verdict").and_then(Value::as_text) == Some("block") {
            return Ok(());
        }
        self.requests += 1;
        if self.open.len() >= MAX_OPEN
            && let Some((oldest, _)) = self.open.pop_first()
        {
            self.dropped_below = oldest + 1;
        }
        self.open.insert(index, (leaf, exchange));
        Ok(())
    }

    fn outcome(&mut self, index: u64, entry: &Entry<'_>) -> Result<(), LinkError> {
        let Some(request) = entry.fields.get("request_index").and_then(Value::as_u64) else {
            return broken("is an outcome without `request_index`");
        };
        let Some(claimed) = entry.fields.get("request_leaf").and_then(Value::as_bytes) else {
            return broken("is an outcome without `request_leaf`");
        };
        if request >= index {
            return broken(format!("is the outcome of entry {request}, which does not stand before it"));
        }
        let (leaf, id) = match self.open.remove(&request) {
            Some(open) => open,
            None if request < self.dropped_below => {
                let bundle = self.bundle_of(request)?;
                match earlier(&bundle, request)? {
                    (leaf, entry) if entry.kind == "request" => (leaf, exchange(&entry)?),
                    _ => return broken(format!("is the outcome of entry {request}, which is no request")),
                }
            }
            None => {
                return broken(format!(
                    "is the outcome of entry {request}, which is no request or has an outcome already"
                ));
            }
        };
        if claimed != leaf.0 {
            return broken(format!("carries another leaf hash than that of its request, entry {request}"));
        }
        if id != exchange(entry)? {
            return broken(format!("belongs to another exchange than its request, entry {request}"));
        }
        self.outcomes += 1;
        Ok(())
    }

    /// The second half of a change names its intent: the same action on the same thing.
    fn change(&self, index: u64, entry: &Entry<'_>) -> Result<(), LinkError> {
        let Some(intent) = entry.fields.get("intent").and_then(Value::as_u64) else { return Ok(()) };
        if intent >= index {
            return broken(format!("ends the change of entry {intent}, which does not stand before it"));
        }
        let bundle = self.bundle_of(intent)?;
        let (_, first) = earlier(&bundle, intent)?;
        let same = |field| entry.fields.get(field) == first.fields.get(field);
        let intends =
            first.kind == "changed" && first.fields.get("phase").and_then(Value::as_text) == Some("intent");
        if !intends || !same("action") || !same("resource") {
            return broken(format!("ends the change of entry {intent}, which began no such change"));
        }
        Ok(())
    }

    fn bundle_of(&self, index: u64) -> Result<Bundle, LinkError> {
        let number = index / TILE_WIDTH;
        let width = self.size.saturating_sub(number * TILE_WIDTH).min(TILE_WIDTH);
        self.folder.bundle(number, width).map_err(LinkError::Failed)
    }
}

fn earlier(bundle: &Bundle, index: u64) -> Result<(Hash, Entry<'_>), LinkError> {
    let Some(bytes) = bundle.entry(index % TILE_WIDTH) else {
        return broken(format!("speaks of entry {index}, which is missing"));
    };
    let entry =
        Entry::read(bytes).map_err(|e| LinkError::Broken(format!("speaks of entry {index}, which {e}")))?;
    Ok((leaf_hash(bytes), entry))
}

/// The exchange's id as text or bytes; the two cannot be taken for each other.
fn exchange(entry: &Entry<'_>) -> Result<Vec<u8>, LinkError> {
    let id = match entry.fields.get("exchange") {
        Some(Value::Text(t)) => [b"t", t.as_bytes()].concat(),
        Some(Value::Bytes(b)) => [b"b", *b].concat(),
        _ => return broken("names no exchange"),
    };
    if id.len() > MAX_ID_BYTES {
        return broken("names an exchange by an id that is too long");
    }
    Ok(id)
}
