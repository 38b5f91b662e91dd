//! An installation, opened: keys, records, identities and the log.

use std::path::Path;
use std::sync::Arc;

use bastide_audit::{Disk, LocalDisk, Log, LogOptions, LogReader, Recorded, Subjects};
use bastide_crypto::{RootKey, SystemRandom};
use bastide_gateway::Provider;
use bastide_identity::{Accounts, Identity, SessionLifetimes};
use bastide_policy::PolicySet;
use bastide_store::Store;
use bastide_types::{ActorRef, Clock, Digest, Event, KeyId, Mutation, MutationPhase, Secret};

use crate::bodies::ERASE;
use crate::clock::SystemClock;
use crate::failure::{Failure, chain, could_not};
use crate::folder::Folder;
use crate::providers::Fixed;
use crate::unsettled::Unsettled;

/// The fact among the records that says up to which entry every change has its outcome.
const SETTLED: &str = "settled";

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
    /// What the end of the log says of changes, from this entry on; taken by who settles them.
    left: Option<(Unsettled, u64)>,
}

impl Node {
    /// Opens everything. What a crash left between a change and its outcome is for [`Node::reconcile`].
    pub fn open(folder: Folder) -> Result<Node, Failure> {
        Node::open_on(Arc::new(LocalDisk), folder, Arc::new(SystemClock::new()))
    }

    /// As [`Node::open`], with the log on any disk and any clock.
    pub fn open_on(disk: Arc<dyn Disk>, folder: Folder, clock: Arc<dyn Clock>) -> Result<Node, Failure> {
        let keys = folder.keys()?;
        let root = Arc::new(keys.root);
        let store = Arc::new(Store::open(folder.dir()).map_err(could_not)?);
        let options = LogOptions::new(folder.dir().join("log"), "default/node-1");
        let mut unsettled = Unsettled::new();
        let see = |index, entry: &[u8]| unsettled.see(index, entry);
        let (log, recovery) =
            Log::open_showing(disk, options, keys.log, Arc::clone(&clock), see).map_err(could_not)?;
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
            left: Some((unsettled, recovery.shown_from)),
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
        let mut begun = Vec::new();
        let made = self.identity.bootstrap(|intent| {
            let change = self.own_change(intent.action, intent.resource, MutationPhase::Intent);
            let recorded = self.record(Event::Changed(Box::new(change.clone())))?;
            begun.push(Mutation { phase: MutationPhase::Done { intent: recorded.index() }, ..change });
            Ok::<u64, BootstrapError>(recorded.index())
        });
        made.map_err(|e| e.0)?;
        for done in begun {
            self.record(Event::Changed(Box::new(Mutation { at: self.clock.now(), ..done })))?;
        }
        Ok(())
    }

    /// Gives every change that a crash left without an outcome the outcome that the records show; once, before anything
    /// is changed.
    ///
    /// What opening the log read says which; the bundles before are read only where no start or stop was among it, and
    /// no further than the records say that all is settled.
    pub fn reconcile(&mut self) -> Result<(), Failure> {
        let Some((unsettled, from)) = self.left.take() else { return Ok(()) };
        let reader = LogReader::open(self.dir().join("log")).map_err(could_not)?;
        for (intent, begun) in unsettled.look_back(&reader, from, self.settled()?)? {
            let made = self.was_made(intent, &begun.action, &begun.resource, begun.state)?;
            let phase = if made { MutationPhase::Done { intent } } else { MutationPhase::Failed { intent } };
            // The store names what it applied; for what it did not apply the log's own word is matched to ours.
            let action = ACTIONS.iter().copied().find(|a| *a == begun.action).unwrap_or("unknown");
            self.record(Event::Changed(Box::new(self.own_change(action, begun.resource, phase))))?;
        }
        Ok(())
    }

    /// Whether a change that was begun was made, as the records show.
    pub(crate) fn was_made(
        &self,
        intent: u64,
        action: &str,
        resource: &str,
        state: Option<Digest>,
    ) -> Result<bool, Failure> {
        Ok(match resource.parse::<KeyId>() {
            // An erasure leaves no row: that key is there, or another one or none.
            Ok(subject) if action == ERASE => self.subjects.key_digest(subject).map_err(could_not)? != state,
            _ => self.store.applied_intent(intent).map_err(could_not)?.is_some(),
        })
    }

    /// A change by whoever runs this program.
    fn own_change(&self, action: &'static str, resource: String, phase: MutationPhase) -> Mutation {
        let actor = ActorRef::LocalOperator { uid: rustix::process::geteuid().as_raw() };
        Mutation { at: self.clock.now(), actor, action, resource, state: None, phase }
    }

    /// Up to which entry the log has the outcome of every change, as the records say.
    fn settled(&self) -> Result<u64, Failure> {
        let said = self.store.meta(SETTLED).map_err(could_not)?;
        let said = said.and_then(|index| index.parse().ok()).unwrap_or(0);
        if said <= self.log.size() {
            return Ok(said);
        }
        // The log is an older copy: other changes may come to stand at these places.
        self.note_settled(0)?;
        Ok(0)
    }

    /// Notes up to which entry the log has the outcome of every change. These entries must be under a checkpoint:
    /// others may be lost in a power cut, and their places taken by changes that are not settled.
    pub(crate) fn note_settled(&self, to: u64) -> Result<(), Failure> {
        self.store.set_meta(SETTLED, &to.to_string()).map_err(could_not)
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
