//! An installation, opened: keys, records, identities and the log.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use bastide_audit::{Disk, LocalDisk, Log, LogOptions, Recorded, Subjects};
use bastide_crypto::{RootKey, SystemRandom};
use bastide_gateway::Provider;
use bastide_identity::{Accounts, Identity, SessionLifetimes};
use bastide_policy::PolicySet;
use bastide_store::Store;
use bastide_types::{ActorRef, Clock, Event, KeyId, Mutation, MutationPhase, Secret};
use memchr::memmem::Finder;
use serde_json::Value;

use crate::bodies::ERASE;
use crate::clock::SystemClock;
use crate::exchanges::Entries;
use crate::failure::{Failure, chain, could_not};
use crate::folder::Folder;
use crate::providers::Fixed;

/// Everything that a data folder holds.
pub struct Node {
    /// The records.
    pub store: Arc<Store>,
    /// Keys.
    pub identity: Arc<Identity>,
    /// The people who may sign in, and their sessions.
    pub accounts: Arc<Accounts>,
    /// The log.
    pub log: Log,
    /// The keys of the log's subjects.
    pub subjects: Arc<Subjects>,
    /// The root of all derived keys.
    pub root: Arc<RootKey>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Made by this start.
    pub fresh: bool,
    /// The server named on the command line.
    pub fixed_provider: Option<Fixed>,
    /// The built-in demo model, where it may answer.
    pub demo_provider: Option<Arc<Provider>>,
    folder: Folder,
}

impl Node {
    /// Opens everything, and mends what a crash left between a change and its outcome.
    pub fn open(folder: Folder) -> Result<Node, Failure> {
        Node::open_on(Arc::new(LocalDisk), folder, Arc::new(SystemClock::new()))
    }

    /// As [`Node::open`], with the log on any disk and any clock.
    pub fn open_on(disk: Arc<dyn Disk>, folder: Folder, clock: Arc<dyn Clock>) -> Result<Node, Failure> {
        let keys = folder.keys()?;
        let root = Arc::new(keys.root);
        let store = Arc::new(Store::open(folder.dir()).map_err(could_not)?);
        let options = LogOptions::new(folder.dir().join("log"), "default/node-1");
        let (log, recovery) = Log::open_on(disk, options, keys.log, Arc::clone(&clock)).map_err(could_not)?;
        if let Some(last) = store.last_intent().map_err(could_not)?
            && last >= log.size()
        {
            // A second log under the same name and key would be two signed histories.
            return Err(Failure::could_not(format!(
                "the records in `{}` go on to entry {last} of the log, but the log in its `log` folder has {} entries; \
                 restore `log` from a backup",
                folder.dir().display(),
                log.size()
            )));
        }
        if recovery.dropped_bytes > 0 {
            tracing::info!(
                entries = recovery.entries,
                dropped_bytes = recovery.dropped_bytes,
                "the log was cut where it was not on disk; nothing that was promised to be there is lost"
            );
        }
        let subjects = Arc::new(Subjects::open(folder.dir().join("subjects"), &root).map_err(could_not)?);
        let identity =
            Arc::new(Identity::open(Arc::clone(&store), &root, Arc::clone(&clock)).map_err(could_not)?);
        let pseudonyms = {
            let subjects = Arc::clone(&subjects);
            Box::new(move |user| subjects.user_pseudonym(user))
        };
        let accounts = Accounts::open(
            Arc::clone(&store),
            &root,
            Arc::clone(&clock),
            Arc::new(SystemRandom),
            SessionLifetimes::default(),
            pseudonyms,
        );
        let accounts = Arc::new(accounts.map_err(could_not)?);
        Ok(Node {
            store,
            identity,
            accounts,
            log,
            subjects,
            root,
            clock,
            fresh: keys.fresh,
            fixed_provider: None,
            demo_provider: None,
            folder,
        })
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.dir()
    }

    /// The policies in force: those that were set, or the starter policy.
    pub fn policies(&self) -> Result<PolicySet, Failure> {
        match self.store.active_policy().map_err(could_not)? {
            None => Ok(PolicySet::starter()),
            Some(row) => PolicySet::parse(&row.text).map_err(|e| {
                Failure::could_not(format!(
                    "the policies in the data folder no longer parse: {}; nothing is permitted until \
                     `bastide policy set FILE` replaces them",
                    chain(&e)
                ))
            }),
        }
    }

    /// Makes the organisation and project that a new installation begins with.
    pub fn bootstrap(&self) -> Result<(), Failure> {
        let uid = rustix::process::geteuid().as_raw();
        let mut open = None;
        let made = self.identity.bootstrap(|intent| {
            let recorded = self.record(Event::Changed(Box::new(Mutation {
                at: self.clock.now(),
                actor: ActorRef::LocalOperator { uid },
                action: intent.action,
                resource: intent.resource,
                state: None,
                phase: MutationPhase::Intent,
            })))?;
            open = Some(recorded.index());
            Ok::<u64, BootstrapError>(recorded.index())
        });
        made.map_err(|e| e.0)?;
        if open.is_some() {
            self.reconcile(true)?;
        }
        Ok(())
    }

    /// Gives every change that a crash left without an outcome the outcome that the records show.
    ///
    /// After an orderly stop there is none, and nothing is read; `all` looks anyway.
    pub fn reconcile(&self, all: bool) -> Result<(), Failure> {
        // Only entries that hold one of these are read: a text of seven bytes (`g`) under the key `kind`.
        let kinds = ["kindgchanged", "kindgstarted", "kindgstopped"].map(Finder::new);
        let mut finished = HashSet::new();
        let mut open = Vec::new();
        let mut unreadable = None;
        Entries::open(self)?.walk_back(u64::MAX, u64::MAX, |entry| {
            if !kinds.iter().any(|kind| kind.find(&entry.bytes).is_some()) {
                return true;
            }
            let text = match entry.value() {
                Ok(value) => value.to_json(),
                Err(error) => {
                    unreadable = Some(could_not(error));
                    return false;
                }
            };
            let (index, entry): (u64, Value) = (entry.index, serde_json::from_str(&text).unwrap_or_default());
            match entry["kind"].as_str() {
                Some("stopped") if !all => return false,
                // Whoever started then has reconciled what was before.
                Some("started") => return false,
                Some("changed") => match entry["phase"].as_str() {
                    Some("intent") if !finished.contains(&index) => open.push((index, entry)),
                    Some("done" | "failed") => finished.extend(entry["intent"].as_u64()),
                    _ => {}
                },
                _ => {}
            }
            true
        })?;
        if let Some(unreadable) = unreadable {
            return Err(unreadable);
        }
        for (intent, entry) in open.into_iter().rev() {
            let (said, resource) = (
                entry["action"].as_str().unwrap_or_default(),
                entry["resource"].as_str().unwrap_or_default(),
            );
            let applied = match resource.parse::<KeyId>() {
                // An erasure leaves no row: that key is there, or another one or none.
                Ok(subject) if said == ERASE => {
                    let there = self.subjects.key_digest(subject).map_err(could_not)?;
                    let text = there.map(|d| d.0.iter().map(|b| format!("{b:02x}")).collect::<String>());
                    text.as_deref() != entry["state"].as_str()
                }
                _ => self.store.applied_intent(intent).map_err(could_not)?.is_some(),
            };
            let phase =
                if applied { MutationPhase::Done { intent } } else { MutationPhase::Failed { intent } };
            // The store names what it applied; for what it did not apply the log's own word is matched to ours.
            let action = ACTIONS.iter().copied().find(|a| *a == said).unwrap_or("unknown");
            self.record(Event::Changed(Box::new(Mutation {
                at: self.clock.now(),
                actor: ActorRef::LocalOperator { uid: rustix::process::geteuid().as_raw() },
                action,
                resource: resource.to_owned(),
                state: None,
                phase,
            })))?;
        }
        Ok(())
    }

    /// A key for the demo model, for this process only: it is in no record and ends with it.
    pub fn demo_key(&self) -> Result<Secret<String>, Failure> {
        let projects = self.store.projects().map_err(could_not)?;
        let project = projects.first().ok_or_else(|| Failure::could_not("there is no project"))?;
        self.identity.demo_key(project.id).map_err(could_not)
    }

    /// Records an event and waits for the disk.
    pub fn record(&self, event: Event) -> Result<Recorded, Failure> {
        self.log.submit(event).map_err(could_not)?.wait().map_err(could_not)
    }
}

/// The changes there are, by their names in the log.
pub const ACTIONS: &[&str] = &[
    "organisation.create",
    "project.create",
    "key.create",
    "key.revoke",
    "key.rotate",
    "provider.add",
    "provider.remove",
    "policy.set",
    "guard.set",
    "session.create",
    "session.rotate",
    "session.recover",
    "session.revoke",
    "token.create",
    "user.create",
    "user.role",
    "user.disable",
    "user.enable",
    "user.remove",
    "user.end_sessions",
    "user.password",
    "user.totp",
    "user.totp_remove",
    "user.totp_defer",
    "config.reload",
    "log_level.set",
    ERASE,
];

struct BootstrapError(Failure);

impl From<bastide_identity::IdentityError> for BootstrapError {
    fn from(error: bastide_identity::IdentityError) -> Self {
        BootstrapError(could_not(error))
    }
}

impl From<Failure> for BootstrapError {
    fn from(failure: Failure) -> Self {
        BootstrapError(failure)
    }
}
