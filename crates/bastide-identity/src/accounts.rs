//! The table of people and their sessions, and the questions put to it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bastide_crypto::{HmacKey, Random, RootKey, constant_time_eq, unmatched_password_hash};
use bastide_store::{SessionCarrier, SessionRow, Store, UserRow};
use bastide_types::{ActorRef, Clock, Permission, Pseudonym, SessionId, Timestamp, UserId};
use zeroize::Zeroizing;

use crate::account_error::{AccountError, SessionError};
use crate::authorised::{AuthoriseError, Authorized};
use crate::passwords::Hashing;
use crate::second_factor::Enrolment;
use crate::session::{Owner, SessionPrincipal};
use crate::setup::SetupCode;
use crate::steady::SteadyTime;
use crate::text::{self, Flaw};
use crate::throttle::Throttle;

/// How long a browser's session lasts. API tokens say their own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLifetimes {
    /// Unused.
    pub idle: Duration,
    /// However much it is used.
    pub absolute: Duration,
}

impl Default for SessionLifetimes {
    /// Half an hour unused, twelve hours in all.
    fn default() -> Self {
        SessionLifetimes { idle: Duration::from_secs(30 * 60), absolute: Duration::from_secs(12 * 60 * 60) }
    }
}

/// How the log names a person.
pub type Pseudonyms = Box<dyn Fn(UserId) -> Pseudonym + Send + Sync>;

/// The people who may sign in, and their sessions.
pub struct Accounts {
    pub(crate) store: Arc<Store>,
    pub(crate) time: SteadyTime,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) lifetimes: SessionLifetimes,
    pub(crate) recovery: HmacKey,
    pub(crate) sealing: Zeroizing<[u8; 32]>,
    pub(crate) names: HmacKey,
    pub(crate) hashing: Hashing,
    /// At the form for signing in.
    pub(crate) throttle: Throttle,
    /// Of those who are signed in and prove anew who they are.
    pub(crate) step_ups: Throttle,
    /// What the password of somebody who is not there is compared with, so that it takes as long.
    pub(crate) unmatched: String,
    pub(crate) enrolments: Mutex<HashMap<UserId, Enrolment>>,
    pub(crate) setup: Mutex<Option<SetupCode>>,
    lookup: HmacKey,
    csrf: HmacKey,
    pseudonyms: Pseudonyms,
    table: RwLock<Table>,
}

#[derive(Default)]
pub(crate) struct Table {
    people: HashMap<UserId, Arc<Person>>,
    by_name: HashMap<String, UserId>,
    by_hash: HashMap<[u8; 32], Arc<SessionPrincipal>>,
    by_id: HashMap<SessionId, [u8; 32]>,
}

/// A person, as long as they are not removed.
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: String,
    pub(crate) actor: ActorRef,
    pub(crate) owner: Arc<Owner>,
    credentials: Mutex<Credentials>,
}

/// What a person proves themselves with. Has no `Debug`.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) password: String,
    pub(crate) totp: Option<Vec<u8>>,
    pub(crate) totp_deferred: bool,
    pub(crate) last_step: u64,
    /// Counts up whenever what was proved before must not count any more.
    pub(crate) generation: u64,
}

impl Person {
    pub(crate) fn credentials(&self) -> MutexGuard<'_, Credentials> {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Proofs that were given and not yet used are void.
    pub(crate) fn overtake(&self) {
        self.credentials().generation += 1;
    }
}

impl Accounts {
    /// Reads all people and the sessions that hold. No session presented later reaches the database.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn open(
        store: Arc<Store>,
        root: &RootKey,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        lifetimes: SessionLifetimes,
        pseudonyms: Pseudonyms,
    ) -> Result<Self, AccountError> {
        let unmatched = unmatched_password_hash(random.bytes()).map_err(AccountError::Hash)?;
        let accounts = Accounts {
            time: SteadyTime::new(clock),
            lifetimes,
            recovery: HmacKey::new(&root.derive("identity/recovery code/v1")),
            sealing: Zeroizing::new(root.derive("identity/authenticator secret/v1")),
            names: HmacKey::new(&random.bytes::<32>()),
            hashing: Hashing::default(),
            throttle: Throttle::default(),
            step_ups: Throttle::default(),
            unmatched,
            enrolments: Mutex::default(),
            setup: Mutex::default(),
            lookup: HmacKey::new(&root.derive("identity/session lookup/v1")),
            csrf: HmacKey::new(&root.derive("identity/session form/v1")),
            pseudonyms,
            table: RwLock::default(),
            random,
            store,
        };
        for row in accounts.store.users()? {
            accounts.insert_person(&row);
        }
        let now = accounts.now();
        for row in accounts.store.live_sessions(now)? {
            accounts.insert_session(row);
        }
        accounts.sweep(now);
        Ok(accounts)
    }

    // A panic under the lock leaves the table as it was: what is found by hash is looked up there last.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Now, never earlier than the time since opening allows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.time.now()
    }

    /// Whose session is this? Takes a cookie's value or an API token.
    ///
    /// # Errors
    /// When it is no session of ours that holds now.
    pub fn authenticate(&self, presented: &str) -> Result<Arc<SessionPrincipal>, SessionError> {
        let principal = self.recognise(presented)?;
        principal.see(self.now());
        Ok(principal)
    }

    /// The same for a request that nobody made by hand, such as a page that renews itself: the session is not the longer
    /// for it.
    ///
    /// # Errors
    /// As [`Accounts::authenticate`].
    pub fn recognise(&self, presented: &str) -> Result<Arc<SessionPrincipal>, SessionError> {
        if presented.len() != text::KEY_LEN {
            return Err(SessionError::Malformed);
        }
        let hash = self.hash(presented);
        let found = {
            let table = self.read();
            // As for keys: the map sees keyed hashes only, and what decides is a comparison in constant time.
            table.by_hash.get(&hash).filter(|s| constant_time_eq(&s.lookup, &hash)).cloned()
        };
        let principal = found.ok_or_else(|| {
            let prefix = match presented.starts_with(text::COOKIE_PREFIX) {
                true => text::COOKIE_PREFIX,
                false => text::TOKEN_PREFIX,
            };
            match text::check(prefix, presented) {
                Err(Flaw::Form) => SessionError::Malformed,
                Err(Flaw::Checksum) => SessionError::Checksum,
                Ok(()) => SessionError::Unknown,
            }
        })?;
        principal.check(self.now())?;
        Ok(principal)
    }

    /// Whether a session that was established earlier still holds: for what runs for long.
    ///
    /// # Errors
    /// When it was revoked, has expired, or its person may not come in any more.
    pub fn check(&self, principal: &SessionPrincipal) -> Result<(), SessionError> {
        principal.check(self.now())
    }

    /// Whether a person may do something now, as a value that says so.
    ///
    /// # Errors
    /// When their session does not hold any more, or they lack the permission.
    pub fn authorise(
        &self,
        principal: &SessionPrincipal,
        permission: Permission,
    ) -> Result<Authorized, AuthoriseError> {
        self.check(principal)?;
        Ok(Authorized::new(principal, permission)?)
    }

    /// Whether the person proved who they are at most `within` ago.
    #[must_use]
    pub fn is_fresh(&self, principal: &SessionPrincipal, within: Duration) -> bool {
        self.check(principal).is_ok() && self.now().since(principal.authenticated_at) <= within
    }

    /// Whether there is nobody yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read().people.is_empty()
    }

    /// A person's name in the log.
    #[must_use]
    pub fn actor(&self, user: UserId) -> ActorRef {
        ActorRef::User { user: (self.pseudonyms)(user) }
    }

    pub(crate) fn hash(&self, token: &str) -> [u8; 32] {
        self.lookup.sign(&[token.as_bytes()])
    }

    pub(crate) fn person(&self, id: UserId) -> Result<Arc<Person>, AccountError> {
        self.read().people.get(&id).cloned().ok_or(AccountError::NoUser { id })
    }

    pub(crate) fn person_named(&self, name: &str) -> Option<Arc<Person>> {
        let table = self.read();
        table.people.get(table.by_name.get(name)?).cloned()
    }

    pub(crate) fn insert_person(&self, row: &UserRow) {
        let person = Person {
            id: row.id,
            name: row.name.clone(),
            actor: self.actor(row.id),
            owner: Arc::new(Owner::new(row.role, row.disabled_at.is_some())),
            credentials: Mutex::new(Credentials {
                // Nobody whose password is not there gets in.
                password: row
                    .password
                    .as_ref()
                    .map_or_else(|| self.unmatched.clone(), |p| p.expose().clone()),
                totp: row.totp.clone(),
                totp_deferred: row.totp_deferred,
                last_step: row.totp_last_step,
                generation: 0,
            }),
        };
        let mut table = self.write();
        table.by_name.insert(row.name.clone(), row.id);
        table.people.insert(row.id, Arc::new(person));
    }

    pub(crate) fn remove_person(&self, person: &Person) {
        let mut table = self.write();
        table.people.remove(&person.id);
        table.by_name.remove(&person.name);
        table.end(|session| session.user == person.id);
    }

    /// Puts a session into the table, in place of one with the same id: that one is dead at once.
    pub(crate) fn insert_session(&self, row: SessionRow) -> Option<Arc<SessionPrincipal>> {
        let idle = match row.carrier {
            SessionCarrier::Browser => Some(self.lifetimes.idle),
            SessionCarrier::Token { .. } => None,
        };
        let mut form = String::new();
        // 130 bits.
        text::encode(&self.csrf.sign(&[&row.lookup]), 26, &mut form);
        let (id, lookup) = (row.id, row.lookup);
        let mut table = self.write();
        let person = Arc::clone(table.people.get(&row.user)?);
        let owner = Arc::clone(&person.owner);
        let session = SessionPrincipal::new(row, person.name.clone(), person.actor, form, idle, owner);
        let session = Arc::new(session);
        table.end(|s| s.session == id);
        table.by_id.insert(id, lookup);
        table.by_hash.insert(lookup, Arc::clone(&session));
        Some(session)
    }

    /// Ends sessions in this process.
    pub(crate) fn end_sessions(&self, which: impl Fn(&SessionPrincipal) -> bool) {
        self.write().end(which);
    }

    pub(crate) fn session(&self, id: SessionId) -> Option<Arc<SessionPrincipal>> {
        let table = self.read();
        table.by_hash.get(table.by_id.get(&id)?).cloned()
    }

    /// The sessions that hold, oldest first.
    pub(crate) fn sessions(&self) -> Vec<Arc<SessionPrincipal>> {
        let now = self.now();
        let mut found: Vec<_> =
            self.read().by_hash.values().filter(|s| s.check(now).is_ok()).cloned().collect();
        found.sort_by_key(|s| (s.created_at, s.session));
        found
    }

    /// Forgets the sessions that nobody can use any more.
    pub(crate) fn sweep(&self, now: Timestamp) {
        self.write().end(|s| {
            matches!(
                s.check(now),
                Err(SessionError::Expired(_) | SessionError::Idle(_) | SessionError::Revoked(_))
            )
        });
    }
}

impl Table {
    fn end(&mut self, which: impl Fn(&SessionPrincipal) -> bool) {
        let Table { by_hash, by_id, .. } = self;
        by_hash.retain(|_, session| {
            let ends = which(session);
            if ends {
                session.revoke();
                by_id.remove(&session.session);
            }
            !ends
        });
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts").field("people", &self.read().people.len()).finish_non_exhaustive()
    }
}
