//! Ends the streams of keys that expire.
//!
//! A request is checked when it comes; a stream that began before its key's end would otherwise run on for as long as
//! the model talks.

use std::sync::Arc;
use std::time::Duration;

use crate::gateway::Gateway;

/// The longest sleep. Expiry is civil time and sleep is not: when someone sets the clock forward, the keys that expire
/// by that are noticed this much later at most.
const LONGEST: Duration = Duration::from_secs(1);

/// Sleeps until the next key expires, tells every running stream, and begins again. Never ends by itself.
pub(crate) async fn watch(gateway: Arc<Gateway>) {
    let mut told = gateway.identity.now();
    loop {
        let now = gateway.identity.now();
        // A clock that was set back passes the same instants again.
        told = told.min(now);
        let next = gateway.identity.next_expiry(told);
        if next.is_some_and(|at| at <= now) {
            told = now;
            gateway.rights_changed();
            continue;
        }
        let wait = next.map_or(LONGEST, |at| at.since(now).min(LONGEST));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = gateway.keys.notified() => {}
        }
    }
}
