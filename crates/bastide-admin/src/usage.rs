//! What keys have used survives a restart: a small file beside the records, saved every few seconds.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bastide_gateway::{Gateway, KeyUsage};
use bastide_types::Timestamp;
use serde::{Deserialize, Serialize};

use crate::folder::write_private;
use crate::node::Node;

const FILE: &str = "usage.json";
const SAVE_EVERY: Duration = Duration::from_secs(5);

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Saved {
    key: String,
    day: u64,
    tokens: u64,
    last_use: Option<u64>,
}

/// The saved usage; `None` when there is none or it does not parse.
pub(crate) fn read(dir: &Path) -> Option<Vec<KeyUsage>> {
    let text = std::fs::read(dir.join(FILE)).ok()?;
    let saved: Vec<Saved> = match serde_json::from_slice(&text) {
        Ok(saved) => saved,
        Err(_) => {
            tracing::warn!("the saved token counts of today do not parse; budgets of today start afresh");
            return None;
        }
    };
    let parsed = saved.iter().filter_map(|saved| {
        Some(KeyUsage {
            key: saved.key.parse().ok()?,
            day: saved.day,
            tokens: saved.tokens,
            last_use: saved.last_use.map(Timestamp::from_micros),
        })
    });
    Some(parsed.collect())
}

/// Puts the saved usage back.
pub fn restore_usage(node: &Node, gateway: &Gateway) {
    if let Some(saved) = read(node.dir()) {
        gateway.ledger().restore(&saved);
    }
}

/// Saves it.
pub fn save_usage(node: &Node, gateway: &Gateway) {
    let entries: Vec<Saved> = gateway
        .ledger()
        .snapshot()
        .into_iter()
        .map(|usage| Saved {
            key: usage.key.to_string(),
            day: usage.day,
            tokens: usage.tokens,
            last_use: usage.last_use.map(Timestamp::as_micros),
        })
        .collect();
    if entries.is_empty() {
        return;
    }
    let text = serde_json::to_vec(&entries).unwrap_or_default();
    if let Err(error) = write_private(&node.dir().join(FILE), &text) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the token counts of today cannot be saved");
    }
}

/// Saves it every few seconds when it changed.
pub async fn save_usage_while_running(node: Arc<Node>, gateway: Arc<Gateway>) {
    let mut before = Vec::new();
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let mut now = gateway.ledger().snapshot();
        now.sort_unstable_by_key(|usage| usage.key);
        if now != before {
            let (node, gateway) = (Arc::clone(&node), Arc::clone(&gateway));
            let _ = tokio::task::spawn_blocking(move || save_usage(&node, &gateway)).await;
            before = now;
        }
    }
}

/// How often it is noted when sessions were last used.
const NOTE_EVERY: Duration = Duration::from_secs(60);

/// Notes in the records when sessions were last used.
pub fn note_sessions(node: &Node) {
    if let Err(error) = node.accounts.flush() {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "when sessions were last used cannot be noted"
        );
    }
}

/// Notes it every minute.
pub async fn note_sessions_while_running(node: Arc<Node>) {
    loop {
        tokio::time::sleep(NOTE_EVERY).await;
        let node = Arc::clone(&node);
        let _ = tokio::task::spawn_blocking(move || note_sessions(&node)).await;
    }
}
