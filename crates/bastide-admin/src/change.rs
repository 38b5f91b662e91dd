//! One change at a time: its intent in the log, then the row together with what it means for the running gateway, then
//! its outcome in the log.
//!
//! The row and its effect are one step without a pause, so whatever ends a change (a log that fails, a server that
//! stops) finds both made or neither. An outcome that the log did not take is owed: it is recorded before the next
//! change or when the server stops, and after a crash by the next start ([`Node::reconcile`]).

use std::sync::Arc;
use std::time::Duration;

use bastide_audit::{AuditError, Pending};
use bastide_types::{ActorRef, Digest, Event, Mutation, MutationPhase};
use tokio::sync::{Mutex, MutexGuard};

use crate::admin::Admin;
use crate::failure::{Failure, chain, could_not};
use crate::node::Node;

/// How often it is noted up to where all changes are settled.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Entries that a start reads in less time than is worth a note.
const NOTE_AFTER: u64 = 16_384;

/// Who may change something now.
pub struct Changes {
    node: Arc<Node>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The change that runs. One that is there when none runs came to no end.
    running: Option<Running>,
    /// The outcome that the log did not take.
    owed: Option<Mutation>,
    /// The same on its way to the disk.
    on_its_way: Option<Pending>,
    /// Entries up to and with the last outcome.
    last: u64,
    /// The server stops.
    closed: bool,
}

/// A change that runs.
struct Running {
    intent: u64,
    begun: Mutation,
    /// Its intent, until that is on disk.
    on_its_way: Option<Pending>,
}

/// The right to make changes, for one request at a time.
pub struct Turn<'a> {
    node: &'a Node,
    state: MutexGuard<'a, State>,
    actor: ActorRef,
    warnings: Vec<String>,
}

/// What a change gave, and what there is to know about it besides.
#[derive(Debug)]
#[must_use]
pub struct Made<T> {
    /// What it gave.
    pub given: T,
    /// Such as that it is in force and the log did not take its outcome.
    pub warnings: Vec<String>,
}

impl<T> Made<T> {
    /// The same with another gift.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Made<U> {
        Made { given: change(self.given), warnings: self.warnings }
    }
}

/// What is changed.
pub struct What {
    /// As the log has it: `key.create`.
    pub action: &'static str,
    /// The id or name of what is changed.
    pub resource: String,
    /// Digest of the new state, where there is one.
    pub state: Option<Digest>,
}

impl Changes {
    /// Nobody has changed anything yet.
    #[must_use]
    pub fn new(node: Arc<Node>) -> Self {
        let state = State { last: node.log.size(), ..State::default() };
        Changes { node, state: Mutex::new(state) }
    }

    /// Waits for the changes before it, and for the log to have the outcome of the last one.
    pub async fn turn(&self, actor: ActorRef) -> Result<Turn<'_>, Failure> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Failure::could_not("the server stops; ask again when it has stopped or started"));
        }
        state.follow_up(&self.node).await?;
        state.settle(&self.node).await.map_err(unchanged)?;
        Ok(Turn { node: &self.node, state, actor, warnings: Vec::new() })
    }

    /// Up to which entry every change has its outcome, also where the log ended there; `None` while one is owed, or is
    /// not published.
    pub(crate) async fn settled(&self) -> Option<u64> {
        let state = self.state.lock().await;
        let published = self.node.log.published();
        let ended = state.running.is_none() && state.owed.is_none();
        (ended && published >= state.last).then_some(published)
    }

    /// Waits for the change that runs, records what is owed and permits no further one. `false` when the log still
    /// lacks an outcome, or a change did not end within `limit`: then the log must not say that all is in order.
    pub async fn close(&self, limit: Duration) -> bool {
        let closing = async {
            let mut state = self.state.lock().await;
            state.closed = true;
            state.follow_up(&self.node).await.is_ok() && state.settle(&self.node).await.is_ok()
        };
        tokio::time::timeout(limit, closing).await.unwrap_or(false)
    }
}

/// Notes up to where all changes are settled, as the log grows: a start after a crash looks through what comes behind,
/// however long the server ran.
pub async fn note_settled_while_running(admin: Arc<Admin>) {
    let mut noted = 0;
    loop {
        tokio::time::sleep(NOTE_EVERY).await;
        let Some(settled) = admin.changes.settled().await else { continue };
        if settled.saturating_sub(noted) < NOTE_AFTER {
            continue;
        }
        noted = settled;
        let node = Arc::clone(&admin.node);
        let note = tokio::task::spawn_blocking(move || node.note_settled(settled));
        if let Ok(Err(error)) = note.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "up to where all changes are settled cannot be noted: a start after a crash reads more of the log"
            );
        }
    }
}

impl State {
    /// Records the outcome that is owed. What waits here may be dropped at any point: the next one waits on.
    async fn settle(&mut self, node: &Node) -> Result<(), AuditError> {
        let Some(owed) = &self.owed else { return Ok(()) };
        let pending = match &mut self.on_its_way {
            Some(pending) => pending,
            None => self.on_its_way.insert(node.log.submit(Event::Changed(Box::new(owed.clone())))?),
        };
        let recorded = pending.await;
        self.on_its_way = None;
        self.last = recorded?.index().saturating_add(1);
        self.owed = None;
        Ok(())
    }

    /// Waits until the intent of the change that runs is on disk; where it does not come there, none runs.
    async fn arrive(&mut self) -> Result<(), AuditError> {
        let Some(running) = &mut self.running else { return Ok(()) };
        let Some(pending) = &mut running.on_its_way else { return Ok(()) };
        let recorded = pending.await;
        running.on_its_way = None;
        recorded.map(drop).inspect_err(|_| self.running = None)
    }

    /// Finds out what became of a change that came to no end: its task panicked or was dropped.
    async fn follow_up(&mut self, node: &Node) -> Result<(), Failure> {
        // What was dropped while its intent was on its way was never applied.
        let unapplied = self.running.as_ref().is_some_and(|running| running.on_its_way.is_some());
        if self.arrive().await.is_err() {
            return Ok(());
        }
        let Some(Running { intent, begun, .. }) = &self.running else { return Ok(()) };
        let intent = *intent;
        let made = !unapplied && node.was_made(intent, begun.action, &begun.resource, begun.state)?;
        tracing::error!(action = begun.action, made, "a change came to no end");
        let phase = if made { MutationPhase::Done { intent } } else { MutationPhase::Failed { intent } };
        self.owed = Some(Mutation { at: node.clock.now(), phase, ..begun.clone() });
        self.running = None;
        Ok(())
    }
}

/// The log did not take an intent, or an outcome of before.
fn unchanged(error: AuditError) -> Failure {
    Failure::could_not(format!("nothing was changed: the log cannot be written: {}", chain(&error)))
}

impl Turn<'_> {
    /// Makes a change. `apply` gets the index of the intent, writes the row that carries it and puts it in force.
    pub async fn change<T>(
        &mut self,
        what: What,
        apply: impl FnOnce(u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let What { action, resource, state } = what;
        let half = |phase| Mutation {
            at: self.node.clock.now(),
            actor: self.actor,
            action,
            resource: resource.clone(),
            state,
            phase,
        };
        let begun = half(MutationPhase::Intent);
        let pending = self.node.log.submit(Event::Changed(Box::new(begun.clone()))).map_err(unchanged)?;
        let intent = pending.index();
        self.state.running = Some(Running { intent, begun, on_its_way: Some(pending) });
        self.state.arrive().await.map_err(unchanged)?;
        let applied = apply(intent);
        self.state.running = None;
        let outcome = half(match applied {
            Ok(_) => MutationPhase::Done { intent },
            Err(_) => MutationPhase::Failed { intent },
        });
        self.state.owed = Some(outcome);
        let Err(error) = self.state.settle(self.node).await else { return applied };
        tracing::error!(
            action,
            error = &error as &dyn std::error::Error,
            "the log did not take the outcome of a change"
        );
        let reason = could_not(error);
        match applied {
            Ok(value) => {
                self.warnings.push(format!(
                    "the change is made and in force, but the log did not take its outcome: {reason}; it is recorded \
                     with the next change or start"
                ));
                Ok(value)
            }
            Err(failure) => Err(failure.and(format!("the log did not take this outcome: {reason}"))),
        }
    }

    /// Notes what the caller should be told besides the result.
    pub fn warn(&mut self, warning: Option<String>) {
        self.warnings.extend(warning);
    }

    /// What was noted.
    pub fn into_warnings(self) -> Vec<String> {
        self.warnings
    }
}
