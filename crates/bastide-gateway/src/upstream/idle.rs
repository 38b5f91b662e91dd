//! Connections to a provider that wait for the next request.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;

use super::connection::Connection;

/// How long a connection waits: less than the 60 s after which servers and middleboxes begin to close them.
pub(super) const IDLE_TIME: Duration = Duration::from_secs(55);
/// How often those are looked for that the other side has closed. Servers of models do so after a few seconds.
const LOOK: Duration = Duration::from_secs(2);
/// More than these are closed at once.
pub(super) const MOST: usize = 512;

/// The waiting connections of one provider, the one used last on top: under less load the others come of age.
#[derive(Default)]
pub(crate) struct Idle(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    connections: Vec<(Instant, Box<Connection>)>,
    /// Somebody tidies up.
    watched: bool,
}

impl Idle {
    fn with<R>(&self, work: impl FnOnce(&mut Waiting) -> R) -> R {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One that the other side has not closed.
    pub(super) fn take(&self) -> Option<Box<Connection>> {
        loop {
            let (since, connection) = self.with(|waiting| waiting.connections.pop())?;
            if since.elapsed() < IDLE_TIME && connection.is_quiet() {
                return Some(connection);
            }
        }
    }

    /// Keeps a connection for the next request.
    pub(super) fn put(self: &Arc<Self>, connection: Box<Connection>) {
        // None where an exchange is cut as the program ends.
        let Ok(runtime) = Handle::try_current() else { return };
        let unwatched = self.with(|waiting| {
            if waiting.connections.len() < MOST {
                waiting.connections.push((Instant::now(), connection));
            }
            !std::mem::replace(&mut waiting.watched, true)
        });
        if unwatched {
            runtime.spawn(watch(Arc::downgrade(self)));
        }
    }

    /// Closes what has waited too long, and what the other side has closed; false when nothing waits any more and nobody
    /// watches.
    pub(super) fn tidy(&self) -> bool {
        let fits = |(since, connection): &(Instant, Box<Connection>)| {
            since.elapsed() < IDLE_TIME && connection.is_quiet()
        };
        let (closed, waits) = self.with(|waiting| {
            let closed: Vec<_> = waiting.connections.extract_if(.., |entry| !fits(entry)).collect();
            waiting.watched = !waiting.connections.is_empty();
            (closed, waiting.watched)
        });
        // Outside the lock: to look is quick, to close hundreds is not.
        drop(closed);
        waits
    }
}

async fn watch(idle: Weak<Idle>) {
    loop {
        tokio::time::sleep(LOOK).await;
        if !idle.upgrade().is_some_and(|idle| idle.tidy()) {
            return;
        }
    }
}

impl std::fmt::Debug for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let waiting = self.with(|waiting| waiting.connections.len());
        f.debug_struct("Idle").field("connections", &waiting).finish()
    }
}
