//! The person who calls, through a session that holds.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bastide_crypto::constant_time_eq;
use bastide_store::{SessionCarrier, SessionRow};
use bastide_types::{ActorRef, Permission, Role, Secret, SessionId, Timestamp, UserId};

use crate::account_error::SessionError;

/// A session that holds, and whose it is. Only [`Accounts`](crate::Accounts) hands one out; there is no anonymous,
/// empty or default one.
pub struct SessionPrincipal {
    /// The session.
    pub session: SessionId,
    /// What carries it.
    pub carrier: SessionCarrier,
    /// Whose it is.
    pub user: UserId,
    /// What they sign in with.
    pub name: String,
    /// As the log names them.
    pub actor: ActorRef,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// From when on it is refused, however much it is used.
    pub expires_at: Timestamp,
    /// What the browser or program called itself.
    pub user_agent: String,
    /// Where it was begun from.
    pub address: String,
    pub(crate) lookup: [u8; 32],
    csrf: String,
    /// How long it may go unused.
    idle: Option<Duration>,
    revoked: AtomicBool,
    /// When it was last used, and what of that the store knows; in microseconds.
    seen: AtomicU64,
    pub(crate) noted: AtomicU64,
    owner: Arc<Owner>,
}

/// A session that was put in force, and its token, which is given out once and not kept.
#[derive(Debug)]
pub struct IssuedSession {
    /// The session.
    pub session: Arc<SessionPrincipal>,
    /// The cookie's value, or the API token.
    pub token: Secret<String>,
}

/// Whether a person may come in, and as what; shared by everyone who carries one of their sessions.
#[derive(Debug)]
pub(crate) struct Owner {
    rights: RwLock<Rights>,
}

#[derive(Clone, Copy, Debug)]
struct Rights {
    role: Role,
    disabled: bool,
}

impl Owner {
    pub(crate) fn new(role: Role, disabled: bool) -> Self {
        Owner { rights: RwLock::new(Rights { role, disabled }) }
    }

    fn rights(&self) -> Rights {
        *self.rights.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn role(&self) -> Role {
        self.rights().role
    }

    pub(crate) fn is_disabled(&self) -> bool {
        self.rights().disabled
    }

    pub(crate) fn set_role(&self, role: Role) {
        self.rights.write().unwrap_or_else(PoisonError::into_inner).role = role;
    }

    pub(crate) fn set_disabled(&self, disabled: bool) {
        self.rights.write().unwrap_or_else(PoisonError::into_inner).disabled = disabled;
    }
}

impl SessionPrincipal {
    pub(crate) fn new(
        row: SessionRow,
        name: String,
        actor: ActorRef,
        csrf: String,
        idle: Option<Duration>,
        owner: Arc<Owner>,
    ) -> Self {
        let seen = row.seen_at.as_micros();
        SessionPrincipal {
            session: row.id,
            carrier: row.carrier,
            user: row.user,
            name,
            actor,
            created_at: row.created_at,
            authenticated_at: row.authenticated_at,
            expires_at: row.expires_at,
            user_agent: row.user_agent,
            address: row.address,
            lookup: row.lookup,
            csrf,
            idle,
            revoked: AtomicBool::new(row.revoked_at.is_some()),
            seen: AtomicU64::new(seen),
            noted: AtomicU64::new(seen),
            owner,
        }
    }

    /// The person's role now.
    #[must_use]
    pub fn role(&self) -> Role {
        self.owner.role()
    }

    /// Whether it has a permission now: the person's role has it, and the token's where it is one. Whoever is to act
    /// on it asks [`Accounts::authorise`](crate::Accounts::authorise); this is for what a page offers.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        let narrowed = match &self.carrier {
            SessionCarrier::Browser => true,
            SessionCarrier::Token { role, .. } => role.grants(permission),
        };
        narrowed && self.owner.role().grants(permission)
    }

    /// Whether it could give away a role: it has all that the role has.
    pub(crate) fn covers(&self, role: Role) -> bool {
        Permission::ALL.iter().all(|p| self.may(*p) || !role.grants(*p))
    }

    /// What a form of this session must carry. Another one after each rotation.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Whether a form carried it, compared in constant time.
    #[must_use]
    pub fn check_csrf(&self, given: &str) -> bool {
        constant_time_eq(self.csrf.as_bytes(), given.as_bytes())
    }

    /// When it was last used.
    #[must_use]
    pub fn seen_at(&self) -> Timestamp {
        Timestamp::from_micros(self.seen.load(Ordering::Acquire))
    }

    pub(crate) fn see(&self, now: Timestamp) {
        self.seen.fetch_max(now.as_micros(), Ordering::AcqRel);
    }

    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Whether it holds at `now`.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), SessionError> {
        if self.revoked.load(Ordering::Acquire) {
            return Err(SessionError::Revoked(self.session));
        }
        if self.expires_at <= now {
            return Err(SessionError::Expired(self.session));
        }
        if self.idle.is_some_and(|idle| self.seen_at().plus(idle) <= now) {
            return Err(SessionError::Idle(self.session));
        }
        if self.owner.is_disabled() {
            return Err(SessionError::Disabled(self.session));
        }
        Ok(())
    }
}

impl fmt::Debug for SessionPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionPrincipal")
            .field("session", &self.session)
            .field("user", &self.user)
            .field("role", &self.role())
            .finish_non_exhaustive()
    }
}
