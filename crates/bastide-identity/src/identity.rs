//! The table of keys, and the questions put to it.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bastide_crypto::{HmacKey, Random, RootKey, SystemRandom, constant_time_eq};
use bastide_store::{KeyRow, Store};
use bastide_types::{Clock, KeyId, OrganisationId, ProjectId, Timestamp};

use crate::error::{AuthError, IdentityError};
use crate::principal::{Maker, Principal, State};
use crate::steady::SteadyTime;
use crate::text::{self, Flaw};

/// Under which a fingerprint of the lookup key is kept, to notice a root key that is not this folder's.
const FINGERPRINT: &str = "identity.lookup_fingerprint";

/// Who is calling, and the keys by which that is known.
pub struct Identity {
    pub(crate) store: Arc<Store>,
    lookup: HmacKey,
    time: SteadyTime,
    pub(crate) random: Arc<dyn Random>,
    table: RwLock<Table>,
    epoch: AtomicU64,
}

#[derive(Default)]
struct Table {
    by_hash: HashMap<[u8; 32], Entry>,
    by_id: HashMap<KeyId, Arc<State>>,
    projects: HashMap<ProjectId, OrganisationId>,
    /// When keys expire; those of revoked ones may be among them.
    expiries: BTreeSet<Timestamp>,
}

struct Entry {
    lookup: [u8; 32],
    principal: Arc<Principal>,
}

impl Identity {
    /// Reads all keys. Nothing presented later reaches the database.
    ///
    /// # Errors
    /// When the database cannot be read, or the root key is not the one its keys were made with.
    pub fn open(store: Arc<Store>, root: &RootKey, clock: Arc<dyn Clock>) -> Result<Self, IdentityError> {
        Self::open_with(store, root, clock, Arc::new(SystemRandom))
    }

    /// As [`Identity::open`], with a source of randomness.
    ///
    /// # Errors
    /// As [`Identity::open`].
    pub fn open_with(
        store: Arc<Store>,
        root: &RootKey,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, IdentityError> {
        let lookup = HmacKey::new(&root.derive("bastide service key lookup v1"));
        // Eight bytes tell two root keys apart and say nothing about either.
        let fingerprint: String =
            lookup.sign(&[b"fingerprint"]).iter().take(8).map(|b| format!("{b:02x}")).collect();
        match store.meta(FINGERPRINT)? {
            Some(known) if known != fingerprint => return Err(IdentityError::OtherRootKey),
            Some(_) => {}
            None => store.set_meta(FINGERPRINT, &fingerprint)?,
        }
        let identity = Identity {
            lookup,
            time: SteadyTime::new(clock),
            random,
            table: RwLock::default(),
            epoch: AtomicU64::new(0),
            store,
        };
        for project in identity.store.projects()? {
            identity.write().projects.insert(project.id, project.organisation);
        }
        // Oldest first, so that a maker is there before what it made.
        for row in identity.store.keys()? {
            identity.insert(&row);
        }
        Ok(identity)
    }

    // A panic under the lock leaves the table as it was: each change is one insertion.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert(&self, row: &KeyRow) {
        let mut table = self.write();
        // The schema has no key without a project; a record that was damaged into one stays out.
        let Some(organisation) = table.projects.get(&row.project).copied() else { return };
        let maker = match row.created_by {
            None => Maker::Operator,
            // Making a key bounds the depth; reading one does too, because checks recurse along it.
            Some(id) => match table.by_id.get(&id) {
                Some(maker) if maker.depth() < State::MAX_DEPTH => Maker::Key(Arc::clone(maker)),
                _ => Maker::Lost,
            },
        };
        let state = Arc::new(State::new(row, maker));
        let principal = Arc::new(Principal::new(row, organisation, Arc::clone(&state)));
        table.by_hash.insert(row.lookup, Entry { lookup: row.lookup, principal });
        table.by_id.insert(row.id, state);
        table.expiries.extend(row.expires_at.filter(|_| row.revoked_at.is_none()));
    }

    pub(crate) fn insert_project(&self, id: ProjectId, organisation: OrganisationId) {
        self.write().projects.insert(id, organisation);
    }

    /// The organisation of a project.
    #[must_use]
    pub fn organisation_of(&self, project: ProjectId) -> Option<OrganisationId> {
        self.read().projects.get(&project).copied()
    }

    pub(crate) fn hash(&self, text: &str) -> [u8; 32] {
        self.lookup.sign(&[text.as_bytes()])
    }

    /// Now, never earlier than the time since opening allows: setting the clock back revives no expired key.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Who presents this key? Takes the same steps for every key of ours, whatever its state.
    ///
    /// # Errors
    /// When it is not a key of ours that holds now.
    pub fn authenticate(&self, presented: &str) -> Result<Arc<Principal>, AuthError> {
        if presented.len() != text::KEY_LEN {
            return Err(AuthError::Malformed);
        }
        let hash = self.hash(presented);
        let principal = {
            let table = self.read();
            // The map compares in variable time, but only keyed hashes, which a guesser cannot steer; what decides is
            // a comparison in constant time all the same.
            let entry = table.by_hash.get(&hash).filter(|e| constant_time_eq(&e.lookup, &hash));
            entry.map(|e| Arc::clone(&e.principal))
        };
        // Only who is unknown is told why: a key that is known has its form.
        let principal = principal.ok_or_else(|| match text::check(text::KEY_PREFIX, presented) {
            Err(Flaw::Form) => AuthError::Malformed,
            Err(Flaw::Checksum) => AuthError::Checksum,
            Ok(()) => AuthError::Unknown,
        })?;
        principal.state.check(self.now())?;
        Ok(principal)
    }

    /// The keys of the demo, which are in no record.
    #[must_use]
    pub fn demo_keys(&self) -> Vec<KeyId> {
        let table = self.read();
        table.by_hash.values().filter(|e| e.principal.demo).map(|e| e.principal.key).collect()
    }

    /// Whether a principal that was established earlier still holds: for running streams.
    ///
    /// # Errors
    /// When it was revoked or has expired, or its maker.
    pub fn check(&self, principal: &Principal) -> Result<(), AuthError> {
        principal.state.check(self.now())
    }

    /// As [`Identity::check`], as a plain answer. Costs two clock readings and an atomic load.
    #[must_use]
    pub fn still_valid(&self, principal: &Principal) -> bool {
        self.check(principal).is_ok()
    }

    /// The first instant after `after` at which a key expires: whoever serves streams sleeps until then and lets them
    /// ask [`Identity::check`].
    #[must_use]
    pub fn next_expiry(&self, after: Timestamp) -> Option<Timestamp> {
        self.read().expiries.range((Bound::Excluded(after), Bound::Unbounded)).next().copied()
    }

    /// Counts up whenever a right was taken away: a stream that sees another number than before asks
    /// [`Identity::check`]. Expiry takes no right away, it was announced; see [`Identity::next_expiry`].
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// Revokes a key, in force when this returns, and before it is recorded: a full disk does not keep a stolen key
    /// alive.
    ///
    /// # Errors
    /// When there is no such key, or the revocation could not be recorded.
    pub fn revoke_key(&self, id: KeyId, intent_index: u64) -> Result<KeyRow, IdentityError> {
        if let Some(state) = self.read().by_id.get(&id) {
            state.revoke();
            self.epoch.fetch_add(1, Ordering::AcqRel);
        }
        let at = self.now();
        self.store.revoke_key(id, at, intent_index).map_err(|source| match source {
            bastide_store::StoreError::Unknown { .. } => source.into(),
            source => IdentityError::RevokedUnrecorded { key: id, source },
        })
    }

    /// Lets a key end at this instant, in force when this returns.
    pub(crate) fn end_by(&self, id: KeyId, at: Timestamp) {
        let mut table = self.write();
        if let Some(state) = table.by_id.get(&id) {
            state.end_by(at);
        }
        table.expiries.insert(at);
        drop(table);
        self.epoch.fetch_add(1, Ordering::AcqRel);
    }

    /// All keys, oldest first, revoked and expired ones included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list_keys(&self) -> Result<Vec<KeyRow>, IdentityError> {
        Ok(self.store.keys()?)
    }

    pub(crate) fn state(&self, id: KeyId) -> Option<Arc<State>> {
        self.read().by_id.get(&id).cloned()
    }

    /// The store beneath, for what identity adds nothing to.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("keys", &self.read().by_id.len()).finish_non_exhaustive()
    }
}
