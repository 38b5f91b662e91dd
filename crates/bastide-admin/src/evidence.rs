//! The log as evidence: its entries by pages, proofs that one is in it, and whether a receipt holds.

use aho_corasick::AhoCorasick;
use bastide_audit::{LogReader, LogStats, Receipt};
use bastide_types::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::Admin;
use crate::bodies::off_the_runtime;
use crate::entries::{Entry, some_time, to_hex};
use crate::exchanges::Entries;
use crate::failure::{Failure, could_not};

/// Entries that one search looks at: some 25 ms of reading.
const MOST_SEARCHED: u64 = 65_536;
/// Entries that one search reads in full, taken or not.
const MOST_READ: usize = 4_096;
/// Entries of a page at most.
const MOST_ENTRIES: usize = 500;
/// The longest text that is searched for.
const MOST_TEXT: usize = 200;

/// Which entries are wanted. What is left out does not matter.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    /// Of this kind.
    pub kind: Option<String>,
    /// With this text in it, letter by letter, or about a key or person whose name has it.
    pub text: Option<String>,
}

/// A piece of the log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct EntryPage {
    /// The newest first.
    pub entries: Vec<Entry>,
    /// Where to go on to older ones; `None`: that was all.
    pub next: Option<u64>,
    /// When the oldest entry that was looked at was written, RFC 3339.
    #[serde(serialize_with = "some_time")]
    #[schemars(with = "Option<String>")]
    pub searched_to: Option<Timestamp>,
}

/// Proof that an entry is under the newest checkpoint (RFC 6962 section 2.1.1).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Proof {
    /// The entry.
    pub entry: Entry,
    /// All that the entry says, as JSON.
    pub json: String,
    /// The entry as it is hashed, in hexadecimal.
    pub bytes: String,
    /// Its leaf hash, in hexadecimal.
    pub leaf: String,
    /// The hashes from the leaf to the root, in hexadecimal.
    pub path: Vec<String>,
    /// The log's name.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The checkpoint's root, in hexadecimal.
    pub root: String,
    /// The signed checkpoint (c2sp.org/tlog-checkpoint).
    pub checkpoint: String,
}

/// The log's health.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct LogHealth {
    /// The log's name.
    pub origin: String,
    /// The key that verifies it (c2sp.org/signed-note).
    pub key: String,
    /// Entries recorded.
    pub entries: u64,
    /// Entries under the newest checkpoint.
    pub published: u64,
    /// The newest checkpoint.
    pub checkpoint: String,
    /// Why it does not record or publish; `None`: it does.
    pub failure: Option<String>,
    /// Writes and syncs since the start.
    pub commits: u64,
    /// The time that half of the commits took at most, in microseconds.
    pub commit_p50_micros: u64,
    /// The time that 99 in a hundred took at most.
    pub commit_p99_micros: u64,
}

/// What became of a receipt that somebody asked about.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReceiptShown {
    /// Whether it holds: signed by this log's key, and the log has the same entry in the same place.
    pub holds: bool,
    /// In words.
    pub says: String,
    /// The entry that it speaks of, where the log has one.
    pub entry: Option<Entry>,
}

impl Admin {
    /// Entries before index `before` (`None`: the newest), at most so many.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn entries(
        &self,
        filter: EntryFilter,
        before: Option<u64>,
        most: usize,
    ) -> Result<EntryPage, Failure> {
        let text = filter.text.filter(|t| !t.is_empty());
        if text.as_ref().is_some_and(|t| t.len() > MOST_TEXT) {
            return Err(Failure::usage(format!("search for at most {MOST_TEXT} characters")));
        }
        let sought = text.map(|text| self.sought(&text)).transpose()?;
        let node = std::sync::Arc::clone(&self.node);
        off_the_runtime(move || {
            let kind = filter.kind.as_deref().map(kind_field);
            let kind = kind.as_ref().map(memchr::memmem::Finder::new);
            let (mut entries, mut read) = (Vec::new(), 0);
            let most = most.clamp(1, MOST_ENTRIES);
            let mut all = Entries::open(&node)?;
            let came_to = all.walk_back(before.unwrap_or(u64::MAX), MOST_SEARCHED, |entry| {
                if sought.as_ref().is_some_and(|sought| !sought.is_match(&entry.bytes))
                    || kind.as_ref().is_some_and(|kind| kind.find(&entry.bytes).is_none())
                {
                    return true;
                }
                let Some(entry) = Entry::read(&entry) else { return true };
                read += 1;
                if filter.kind.as_ref().is_none_or(|kind| entry.kind() == kind) {
                    entries.push(entry);
                }
                entries.len() < most && read < MOST_READ
            })?;
            let searched_to = all.at(came_to)?;
            Ok(EntryPage { entries, next: (came_to > 0).then_some(came_to), searched_to })
        })
        .await?
    }

    /// What an entry has one of that a search for this text finds.
    fn sought(&self, text: &str) -> Result<AhoCorasick, Failure> {
        let mut sought = self.who_is_who()?.written_for(text);
        sought.push(text.as_bytes().to_vec());
        AhoCorasick::new(sought).map_err(could_not)
    }

    /// Proof that the entry at this index is in the log, under a checkpoint of now.
    ///
    /// # Errors
    /// When there is no such entry, or the log cannot be read.
    pub async fn prove(&self, index: u64) -> Result<Proof, Failure> {
        let node = std::sync::Arc::clone(&self.node);
        off_the_runtime(move || {
            node.log.publish_now().map_err(could_not)?;
            let reader = LogReader::open(node.dir().join("log")).map_err(could_not)?;
            let none = || {
                Failure::not_found(format!("the log has no entry {index}; it has {} so far", node.log.size()))
            };
            let log_entry = reader.entry(index).map_err(could_not)?.ok_or_else(none)?;
            if log_entry.index != index {
                return Err(none());
            }
            let (leaf, path) = reader.prove(index).map_err(could_not)?;
            let checkpoint = reader.checkpoint();
            Ok(Proof {
                entry: Entry::read(&log_entry).ok_or_else(none)?,
                json: log_entry.value().map_err(could_not)?.to_json(),
                bytes: to_hex(&log_entry.bytes),
                leaf: to_hex(&leaf.0),
                path: path.iter().map(|hash| to_hex(&hash.0)).collect(),
                origin: checkpoint.origin.clone(),
                size: checkpoint.size,
                root: to_hex(&checkpoint.root.0),
                checkpoint: checkpoint_text(&node),
            })
        })
        .await?
    }

    /// How the log is.
    ///
    /// # Errors
    /// When the task that reads it fails.
    pub async fn log_health(&self) -> Result<LogHealth, Failure> {
        let node = std::sync::Arc::clone(&self.node);
        off_the_runtime(move || {
            let stats: LogStats = node.log.stats();
            LogHealth {
                origin: node.log.key().name().to_owned(),
                key: node.log.key().vkey(),
                entries: stats.entries,
                published: stats.published,
                checkpoint: checkpoint_text(&node),
                failure: node.log.healthy().err().map(|e| crate::failure::chain(&e)),
                commits: stats.commits,
                commit_p50_micros: stats.commit_micros.quantile(500),
                commit_p99_micros: stats.commit_micros.quantile(990),
            }
        })
        .await
    }

    /// Whether a receipt holds, against this log's key and what the log has at its place.
    ///
    /// # Errors
    /// When the text is no receipt, or the log cannot be read.
    pub async fn check_receipt(&self, text: &str) -> Result<ReceiptShown, Failure> {
        let receipt: Receipt = text.trim().parse().map_err(|e| {
            Failure::usage(format!("{e}; give all of it: the value of the `bastide-receipt` header"))
        })?;
        let node = std::sync::Arc::clone(&self.node);
        off_the_runtime(move || {
            let wrong = |says: String| Ok(ReceiptShown { holds: false, says, entry: None });
            if let Err(error) = receipt.verify(node.log.key()) {
                return wrong(error.to_string());
            }
            let index = receipt.index();
            let found = Entries::open(&node)?.between(index, index.saturating_add(1))?;
            let Some(entry) = found.first() else {
                return wrong(format!("it is signed by this log's key, but the log has no entry {index}"));
            };
            if entry.leaf() != receipt.leaf() {
                return wrong(format!(
                    "it is signed by this log's key, but the log has another entry at {index}: the log was changed"
                ));
            }
            let says = format!("it is signed by this log's key, and entry {index} is the one it speaks of");
            Ok(ReceiptShown { holds: true, says, entry: Entry::read(entry) })
        })
        .await?
    }
}

/// The field `kind` as an entry has it (RFC 8949 section 3): a text of four letters, then one of fewer than 24.
fn kind_field(kind: &str) -> Vec<u8> {
    let length = u8::try_from(kind.len().min(23)).unwrap_or(23);
    [b"dkind".as_slice(), &[0x60 | length], kind.as_bytes()].concat()
}

/// The published checkpoint as it stands; empty before the first one.
fn checkpoint_text(node: &crate::node::Node) -> String {
    std::fs::read_to_string(node.dir().join("log").join("checkpoint")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

    use std::sync::Arc;

    use bastide_types::Event;

    use super::*;
    use crate::folder::{Folder, Locked};
    use crate::node::Node;

    #[test]
    fn entries_are_found_proved_and_vouched_for_by_receipts() {
        let dir = tempfile::tempdir().expect("a folder");
        let Ok(Locked::Mine(folder)) = Folder::take(dir.path(), None) else { panic!("the folder is ours") };
        let node = Arc::new(Node::open(folder).expect("opens"));
        node.bootstrap().expect("the defaults are made");
        let stopped = |at| node.record(Event::Stopped { at: Timestamp::from_micros(at) }).expect("recorded");
        let receipt = stopped(1).receipt().to_string();
        let last = (2..400).map(stopped).next_back().expect("some");
        let admin = Admin::new(Arc::clone(&node), None);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let filter =
                EntryFilter { kind: Some("changed".to_owned()), text: Some("project.create".to_owned()) };
            let page = admin.entries(filter, None, 10).await.expect("reads");
            assert_eq!((page.entries.len(), page.next), (2, None), "intent and outcome");
            let proof = admin.prove(last.index()).await.expect("proves");
            assert_eq!((proof.leaf, proof.size), (to_hex(&last.leaf()), last.index() + 1));
            assert!(!proof.path.is_empty() && proof.checkpoint.starts_with("default/node-1\n"));
            assert!(admin.prove(last.index() + 1).await.is_err());
            let shown = admin.check_receipt(&receipt).await.expect("a receipt");
            assert!(shown.holds && shown.entry.is_some_and(|e| e.kind() == "stopped"));
            let health = admin.log_health().await.expect("reads");
            assert!(health.failure.is_none() && health.entries == last.index() + 1);
            // One character changed: another receipt, or none.
            let middle = receipt.len() / 2;
            let other = if receipt.as_bytes()[middle] == b'A' { "B" } else { "A" };
            let changed = [&receipt[..middle], other, &receipt[middle + 1..]].concat();
            assert!(admin.check_receipt(&changed).await.map_or(true, |shown| !shown.holds));
            assert!(admin.check_receipt("bst1.").await.is_err());
        });
        node.log.clone().close().expect("closes");
    }
}
