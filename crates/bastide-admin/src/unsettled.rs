//! Changes that a crash left without an outcome.
//!
//! A change is its intent in the log, then the row, then its outcome in the log. What opening the log reads anyway is
//! looked at on the way: it needs no published file, which a power cut may have torn, and nobody removes it meanwhile.
//! Only where that does not reach back to the last start are the bundles before it read, which are on disk for good.

use std::collections::{BTreeMap, HashSet};

use bastide_audit::{LogReader, Value, ValueError};
use bastide_types::Digest;
use memchr::memmem::Finder;

use crate::exchanges::BUNDLE;
use crate::failure::{Failure, could_not};

/// A change that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    /// As the log has it: `key.create`.
    pub(crate) action: String,
    /// What is changed.
    pub(crate) resource: String,
    /// Digest of the new state, where there is one.
    pub(crate) state: Option<Digest>,
}

/// What the end of a log says of changes.
pub(crate) struct Unsettled {
    kinds: Finder<'static>,
    /// Begun and without an outcome, by the index of the intent.
    begun: BTreeMap<u64, Begun>,
    /// Intents whose outcome was seen and that were not.
    ended: HashSet<u64>,
    /// Whether it reaches back to a start or stop: whoever started then has settled what was before.
    whole: bool,
    unreadable: Option<ValueError>,
}

/// What an entry says of changes.
enum Said {
    Begun(Begun),
    Ended(u64),
    Settled,
}

impl Unsettled {
    pub(crate) fn new() -> Self {
        Unsettled {
            // A text of seven letters (`g`) under the key `kind`: few entries need to be read.
            kinds: Finder::new("kindg"),
            begun: BTreeMap::new(),
            ended: HashSet::new(),
            whole: false,
            unreadable: None,
        }
    }

    /// Takes the next entry.
    pub(crate) fn see(&mut self, index: u64, entry: &[u8]) {
        match self.says(entry) {
            Ok(None) => {}
            Ok(Some(Said::Begun(begun))) => drop(self.begun.insert(index, begun)),
            Ok(Some(Said::Ended(intent))) => {
                if self.begun.remove(&intent).is_none() {
                    self.ended.insert(intent);
                }
            }
            Ok(Some(Said::Settled)) => {
                self.begun.clear();
                self.ended.clear();
                self.whole = true;
            }
            Err(error) => drop(self.unreadable.get_or_insert(error)),
        }
    }

    /// Looks through the bundles before the entry `from`, the newest first, down to the entry `to`; not at all where what
    /// was seen reaches back far enough. Gives the changes without an outcome, the oldest first.
    ///
    /// # Errors
    /// When an entry or a bundle cannot be read: a change that nobody sees would stay open for ever.
    pub(crate) fn look_back(
        mut self,
        log: &LogReader,
        from: u64,
        to: u64,
    ) -> Result<BTreeMap<u64, Begun>, Failure> {
        let mut before = from;
        while !self.whole && before > to {
            let first = before.saturating_sub(1) / BUNDLE * BUNDLE;
            let most = usize::try_from(before - first).unwrap_or(0);
            let entries = log.entries(first, most).map_err(could_not)?;
            if entries.len() != most {
                return Err(Failure::could_not(format!(
                    "the log lacks entries between {first} and {before}"
                )));
            }
            for entry in entries.iter().rev() {
                match self.says(&entry.bytes).map_err(could_not)? {
                    Some(Said::Begun(begun)) if !self.ended.contains(&entry.index) => {
                        self.begun.insert(entry.index, begun);
                    }
                    Some(Said::Ended(intent)) => drop(self.ended.insert(intent)),
                    Some(Said::Settled) => {
                        self.whole = true;
                        break;
                    }
                    Some(Said::Begun(_)) | None => {}
                }
            }
            before = first;
        }
        match self.unreadable {
            None => Ok(self.begun),
            Some(error) => Err(could_not(error)),
        }
    }

    /// What an entry says of changes; its other texts may hold anything.
    fn says(&self, entry: &[u8]) -> Result<Option<Said>, ValueError> {
        let of_changes = |at: usize| {
            let kind = entry.get(at + self.kinds.needle().len()..).unwrap_or_default();
            [&b"changed"[..], b"started", b"stopped"].iter().any(|wanted| kind.starts_with(wanted))
        };
        if !self.kinds.find_iter(entry).any(of_changes) {
            return Ok(None);
        }
        let entry = Value::parse(entry)?;
        let text = |key: &str| entry.get(key).and_then(Value::as_text).unwrap_or_default();
        Ok(match (text("kind"), text("phase")) {
            ("started" | "stopped", _) => Some(Said::Settled),
            ("changed", "intent") => Some(Said::Begun(Begun {
                action: text("action").to_owned(),
                resource: text("resource").to_owned(),
                state: entry
                    .get("state")
                    .and_then(Value::as_bytes)
                    .and_then(|b| b.try_into().ok())
                    .map(Digest),
            })),
            ("changed", "done" | "failed") => entry.get("intent").and_then(Value::as_uint).map(Said::Ended),
            _ => None,
        })
    }
}
