//! One change at a time: its intent in the log, then the row together with what it means for the running gateway, then
//! its outcome in the log.
//!
//! The row and its effect are one step without a pause, so whatever ends a change (a log that fails, a server that
//! stops) finds both made or neither. An outcome that the log did not take is owed: it is recorded before the next
//! change or when the server stops, and after a crash by the next start ([`Node::reconcile`]).

use std::sync::Arc;
use std::time::Duration;

use bastide_types::{ActorRef, Digest, Event, Mutation, MutationPhase};
use tokio::sync::{Mutex, MutexGuard};

use crate::failure::{Failure, chain, could_not};
use crate::node::Node;

/// Who may change something now.
pub struct Changes {
    node: Arc<Node>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The outcome that the log did not take.
    owed: Option<Mutation>,
    /// The server stops.
    closed: bool,
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
        Changes { node, state: Mutex::default() }
    }

    /// Waits for the changes before it, and for the log to have the outcome of the last one.
    pub async fn turn(&self, actor: ActorRef) -> Result<Turn<'_>, Failure> {
        let mut state = self.state.lock().await;
        if state.closed {
            return Err(Failure::could_not("the server stops; ask again when it has stopped or started"));
        }
        state.settle(&self.node).await.map_err(|e| {
            Failure::could_not(format!("nothing was changed: the log cannot be written: {}", chain(&e)))
        })?;
        Ok(Turn { node: &self.node, state, actor, warnings: Vec::new() })
    }

    /// Waits for the change that runs, records what is owed and permits no further one. `false` when the log still
    /// lacks an outcome, or a change did not end within `limit`: then the log must not say that all is in order.
    pub async fn close(&self, limit: Duration) -> bool {
        let closing = async {
            let mut state = self.state.lock().await;
            state.closed = true;
            state.settle(&self.node).await.is_ok()
        };
        tokio::time::timeout(limit, closing).await.unwrap_or(false)
    }
}

impl State {
    async fn settle(&mut self, node: &Node) -> Result<(), bastide_audit::AuditError> {
        if let Some(owed) = &self.owed {
            node.log.record(Event::Changed(Box::new(owed.clone()))).await?;
            self.owed = None;
        }
        Ok(())
    }
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
        let intent = half(MutationPhase::Intent);
        let intent = self.node.log.record(Event::Changed(Box::new(intent))).await.map_err(|e| {
            Failure::could_not(format!("nothing was changed: the log cannot be written: {}", chain(&e)))
        })?;
        let intent = intent.index();
        let applied = apply(intent);
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
