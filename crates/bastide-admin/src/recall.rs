//! What passed before this start, out of the log, so that an overview does not begin with nothing.

use std::collections::HashMap;
use std::sync::Arc;

use bastide_gateway::{Gateway, Noted};
use bastide_types::{Category, Ending, Timestamp, Verdict};

use crate::entries::{Entry, OutcomeEntry, RequestEntry, Says};
use crate::exchanges::Entries;
use crate::failure::Failure;
use crate::node::Node;

/// Entries that are read back: a second of one CPU, beside the service.
const MOST: u64 = 200_000;
/// How far back: as far as the hours go.
const SPAN_MICROS: u64 = 30 * 86_400 * 1_000_000;

/// Recalls in a thread of its own what is in the log now.
pub fn recall_traffic_beside(node: &Arc<Node>, gateway: &Arc<Gateway>) -> tokio::task::JoinHandle<()> {
    let (node, gateway, before) = (Arc::clone(node), Arc::clone(gateway), node.log.size());
    tokio::task::spawn_blocking(move || match recall_traffic(&node, &gateway, before) {
        Ok(recalled) => tracing::debug!(recalled, "what passed before was counted"),
        Err(error) => tracing::warn!(%error, "what passed before this start cannot be read out of the log"),
    })
}

/// Counts the exchanges whose entries stand before index `before` as if they had passed now, as far as it goes back.
/// Reads files on this thread; how many there were.
///
/// # Errors
/// When the log cannot be read.
fn recall_traffic(node: &Node, gateway: &Gateway, before: u64) -> Result<u64, Failure> {
    let now = node.clock.now();
    let oldest = now.as_micros().saturating_sub(SPAN_MICROS);
    let mut outcomes: HashMap<u64, Box<OutcomeEntry>> = HashMap::new();
    let mut recalled = 0;
    Entries::open(node)?.walk_back(before, MOST, |entry| {
        let Some(entry) = Entry::read(&entry) else { return true };
        match entry.says {
            Says::Outcome(outcome) => {
                outcomes.insert(outcome.request_index, outcome);
            }
            Says::Request(request) => {
                let outcome = outcomes.remove(&entry.index);
                if outcome.is_some() || request.verdict == Verdict::Block.as_str() {
                    note(gateway, now, entry.at, &request, outcome.as_deref());
                    recalled += 1;
                }
            }
            _ => {}
        }
        entry.at.as_micros() >= oldest
    })?;
    Ok(recalled)
}

fn note(
    gateway: &Gateway,
    now: Timestamp,
    at: Timestamp,
    request: &RequestEntry,
    outcome: Option<&OutcomeEntry>,
) {
    let verdict = |text: &str| text.parse().unwrap_or(Verdict::Allow);
    let answer = outcome.and_then(|o| o.guard.as_ref());
    let mut findings: Vec<(Category, u32)> = Vec::new();
    let found = request.guard.iter().chain(answer).flat_map(|g| &g.findings);
    for category in found.filter_map(|f| f.category.parse::<Category>().ok()) {
        match findings.iter_mut().find(|(known, _)| *known == category) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => findings.push((category, 1)),
        }
    }
    gateway.traffic().note(
        now,
        &Noted {
            at,
            model: &request.model,
            verdict: verdict(&request.verdict).max(answer.map_or(Verdict::Allow, |g| verdict(&g.verdict))),
            ending: outcome.map(|o| o.ending.parse().unwrap_or(Ending::Failed)),
            findings: &findings,
            input_tokens: outcome.map_or(0, |o| o.input_tokens),
            output_tokens: outcome.map_or(0, |o| o.output_tokens),
            own_micros: outcome.map_or(0, |o| o.own_micros),
            total_micros: outcome.map_or(0, |o| o.total_micros),
        },
    );
}
