//! The day's token counts survive a restart: a small file beside the records, saved every few seconds.

use std::sync::Arc;

use bastide_gateway::Gateway;
use bastide_types::KeyId;

use crate::folder::write_private;
use crate::node::Node;
use crate::serve::SAVE_EVERY;

const FILE: &str = "usage.json";

/// Puts the saved counts back.
pub(crate) fn restore(node: &Node, gateway: &Gateway) {
    let Ok(text) = std::fs::read(node.dir().join(FILE)) else { return };
    let Ok(entries) = serde_json::from_slice::<Vec<(String, u64, u64)>>(&text) else {
        tracing::warn!("the saved token counts of today do not parse; budgets of today start afresh");
        return;
    };
    let parsed: Vec<(KeyId, u64, u64)> =
        entries.iter().filter_map(|(key, day, tokens)| Some((key.parse().ok()?, *day, *tokens))).collect();
    gateway.ledger().restore(&parsed);
}

/// Saves them.
pub(crate) fn save(node: &Node, gateway: &Gateway) {
    let entries: Vec<(String, u64, u64)> = gateway
        .ledger()
        .snapshot()
        .into_iter()
        .map(|(key, day, tokens)| (key.to_string(), day, tokens))
        .collect();
    if entries.is_empty() {
        return;
    }
    let text = serde_json::to_vec(&entries).unwrap_or_default();
    if let Err(error) = write_private(&node.dir().join(FILE), &text) {
        tracing::warn!(error = &error as &dyn std::error::Error, "the token counts of today cannot be saved");
    }
}

/// Saves them every few seconds when they changed.
pub(crate) async fn save_while_running(node: Arc<Node>, gateway: Arc<Gateway>) {
    let mut before = gateway.ledger().snapshot();
    loop {
        tokio::time::sleep(SAVE_EVERY).await;
        let mut now = gateway.ledger().snapshot();
        now.sort_unstable();
        if now != before {
            let (node, gateway) = (Arc::clone(&node), Arc::clone(&gateway));
            let _ = tokio::task::spawn_blocking(move || save(&node, &gateway)).await;
            before = now;
        }
    }
}
