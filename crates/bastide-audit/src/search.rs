//! Finding an exchange's entries in a log.

use std::time::Duration;

use bastide_types::{ExchangeId, Timestamp};

use crate::error::AuditError;
use crate::reader::{LogEntry, LogReader};
use crate::value::Value;

/// Entries read at a time: a bundle.
const BUNDLE: u64 = 256;
/// How far entries stand out of the order of their times, and an id from its request's: the guard's time, and a clock
/// that was corrected a little.
const SLACK: Duration = Duration::from_secs(300);
/// How far nearly all of them stand: a busy log has a hundred thousand entries in the whole slack.
const NEAR: Duration = Duration::from_secs(2);

/// What the log has of an exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExchangeEntries {
    /// The decision about its request.
    pub request: LogEntry,
    /// How it ended; `None` for one that was refused, still runs, or was broken off by a crash.
    pub outcome: Option<LogEntry>,
}

impl LogReader {
    /// The entries of an exchange; `None` when the log has none. Looks where the id's time says, then, in case the id
    /// tells none or someone set the clock, everywhere before.
    ///
    /// # Errors
    /// When a file cannot be read or a bundle is damaged.
    pub fn find_exchange(&mut self, exchange: ExchangeId) -> Result<Option<ExchangeEntries>, AuditError> {
        let mut to = u64::MAX;
        for slack in [Some(NEAR), Some(SLACK), None] {
            let from = slack.map(|slack| self.first_since(exchange.time(), slack)).transpose()?.unwrap_or(0);
            if let Some(found) = self.scan_for(exchange, from, to)? {
                return Ok(Some(found));
            }
            to = from;
        }
        Ok(None)
    }

    /// The first entry of the last bundle that begins before the time, less the slack.
    fn first_since(&self, time: Timestamp, slack: Duration) -> Result<u64, AuditError> {
        let target = time.as_micros().saturating_sub(u64::try_from(slack.as_micros()).unwrap_or(u64::MAX));
        let (mut low, mut high) = (0, self.checkpoint().size / BUNDLE);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let entry = self.entry(middle * BUNDLE)?;
            let at = entry.and_then(|e| e.value().ok()?.get("at")?.as_uint());
            if at.is_some_and(|at| at < target) {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        Ok(low * BUNDLE)
    }

    /// Looks for a request from `from` on, and before `to`, and for its outcome wherever that stands behind it.
    fn scan_for(
        &mut self,
        exchange: ExchangeId,
        from: u64,
        to: u64,
    ) -> Result<Option<ExchangeEntries>, AuditError> {
        let name = exchange.to_string();
        let finder = memchr::memmem::Finder::new(name.as_bytes());
        let mut found: Option<ExchangeEntries> = None;
        let mut next = from;
        while found.is_some() || next < to {
            let entries = self.entries(next, usize::try_from(BUNDLE).unwrap_or(usize::MAX))?;
            if entries.first().is_none_or(|first| first.index != next) && self.refresh()?.size > next {
                // Their segment went while we read: they are in bundles now, which a newer checkpoint covers.
                continue;
            }
            let Some(last) = entries.last() else { break };
            next = last.index.saturating_add(1);
            for entry in entries {
                // Most entries are of others: no need to read what they say.
                if finder.find(&entry.bytes).is_none() {
                    continue;
                }
                let Ok(value) = entry.value() else { continue };
                let says = |key: &str| value.get(key).and_then(Value::as_text);
                match (says("kind"), &mut found) {
                    _ if says("exchange") != Some(name.as_str()) => {}
                    (Some("request"), None) => {
                        let refused = says("verdict") == Some("block");
                        found = Some(ExchangeEntries { request: entry, outcome: None });
                        if refused {
                            return Ok(found);
                        }
                    }
                    (Some("outcome"), Some(found)) => {
                        let request = found.request.clone();
                        return Ok(Some(ExchangeEntries { request, outcome: Some(entry) }));
                    }
                    _ => {}
                }
            }
        }
        Ok(found)
    }
}
