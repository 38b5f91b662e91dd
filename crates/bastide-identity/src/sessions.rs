//! Beginning, renewing and ending sessions.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bastide_store::{NewSessionRow, SessionCarrier, SessionRow, StoreError};
use bastide_types::{ActorRef, Role, Secret, SessionId, Timestamp, UserId};

use crate::account_error::AccountError;
use crate::accounts::Accounts;
use crate::name;
use crate::second_factor::RecoveryCode;
use crate::session::{IssuedSession, SessionPrincipal};
use crate::text;

/// Sessions and tokens of one person that hold at the same time.
const MAX_SESSIONS: usize = 100;
/// The longest that an API token is good for: a leap year.
const LONGEST_TOKEN: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// How much of a browser's own description is kept, in characters.
const MAX_USER_AGENT: usize = 200;
/// How long the record of a session is kept after its end.
const KEPT_AFTER_END: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// An API token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    /// What the person calls it.
    pub name: String,
    /// What it may do at most.
    pub role: Role,
    /// From when on it is refused.
    pub expires_at: Timestamp,
}

/// A session whose person proved who they are, or an API token, that is not in force: its id can be announced in the
/// log first.
#[derive(Debug)]
pub struct PreparedSession {
    id: SessionId,
    user: UserId,
    actor: ActorRef,
    carrier: SessionCarrier,
    expires_at: Timestamp,
    user_agent: String,
    address: String,
    proved: Proved,
    token: Secret<String>,
}

/// What somebody proved themselves with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proved {
    /// The generation of their credentials.
    pub(crate) generation: u64,
    /// What stood in for the app.
    pub(crate) recovery: Option<RecoveryCode>,
}

impl PreparedSession {
    /// The id it will have.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whose it will be.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }

    /// As the log names them.
    #[must_use]
    pub fn actor(&self) -> ActorRef {
        self.actor
    }

    /// Whether a recovery code is used up with it.
    #[must_use]
    pub fn uses_recovery_code(&self) -> bool {
        self.proved.recovery.is_some()
    }
}

/// A session whose person proved anew who they are; its next token is not in force.
#[derive(Debug)]
pub struct PreparedRotation {
    pub(crate) session: SessionId,
    pub(crate) user: UserId,
    pub(crate) proved: Proved,
}

impl PreparedRotation {
    /// The session.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.session
    }

    /// Whether a recovery code is used up with it.
    #[must_use]
    pub fn uses_recovery_code(&self) -> bool {
        self.proved.recovery.is_some()
    }
}

/// Whose a token is to be, and whether its role is one that they may give away.
struct TokenOwner {
    user: UserId,
    actor: ActorRef,
    covers: bool,
}

/// What a browser calls itself, shortened and without anything that could deceive a reader.
fn harmless(user_agent: &str) -> String {
    user_agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(MAX_USER_AGENT).collect()
}

impl Accounts {
    /// A browser's session of somebody who proved who they are.
    pub(crate) fn prepare_session(
        &self,
        (user, actor): (UserId, ActorRef),
        proved: Proved,
        user_agent: &str,
        address: IpAddr,
    ) -> PreparedSession {
        PreparedSession {
            id: SessionId::from_bytes(self.random.bytes()),
            user,
            actor,
            carrier: SessionCarrier::Browser,
            expires_at: self.now().plus(self.lifetimes.absolute),
            user_agent: harmless(user_agent),
            address: address.to_string(),
            proved,
            token: text::generate(text::COOKIE_PREFIX, &*self.random),
        }
    }

    /// Checks an API token to be. `maker` is signed in with a browser; tokens make no tokens.
    ///
    /// # Errors
    /// When the maker's session does not hold, the name or expiry cannot be used, or it would do more than its maker.
    pub fn prepare_token(
        &self,
        maker: &SessionPrincipal,
        new: NewToken,
        user_agent: &str,
        address: IpAddr,
    ) -> Result<PreparedSession, AccountError> {
        self.check(maker)?;
        if maker.carrier != SessionCarrier::Browser {
            return Err(AccountError::NeedsBrowser);
        }
        let owner = TokenOwner { user: maker.user, actor: maker.actor, covers: maker.covers(new.role) };
        self.token_of(owner, new, user_agent, address)
    }

    /// Checks an API token to be that the operator on this machine makes for somebody. It would do no more than they may.
    ///
    /// # Errors
    /// When there is no such person or they are disabled, the name or expiry cannot be used, or it would do more than they
    /// may.
    pub fn prepare_token_for(
        &self,
        user: UserId,
        new: NewToken,
        user_agent: &str,
        address: IpAddr,
    ) -> Result<PreparedSession, AccountError> {
        let person = self.person(user)?;
        let covers = new.role.is_within(person.owner.role()) && !person.owner.is_disabled();
        self.token_of(TokenOwner { user, actor: person.actor, covers }, new, user_agent, address)
    }

    fn token_of(
        &self,
        owner: TokenOwner,
        new: NewToken,
        user_agent: &str,
        address: IpAddr,
    ) -> Result<PreparedSession, AccountError> {
        let NewToken { name, role, expires_at } = new;
        name::flaw(&name).map_or(Ok(()), |detail| {
            let name = name.chars().filter(|c| !c.is_control()).take(64).collect();
            Err(AccountError::TokenName { name, detail })
        })?;
        if !owner.covers {
            return Err(AccountError::MoreThanMaker { role });
        }
        let now = self.now();
        if expires_at <= now || expires_at > now.plus(LONGEST_TOKEN) {
            return Err(AccountError::Expiry);
        }
        let generation = self.person(owner.user)?.credentials().generation;
        let proved = Proved { generation, recovery: None };
        Ok(PreparedSession {
            id: SessionId::from_bytes(self.random.bytes()),
            user: owner.user,
            actor: owner.actor,
            carrier: SessionCarrier::Token { name, role },
            expires_at,
            user_agent: harmless(user_agent),
            address: address.to_string(),
            proved,
            token: text::generate(text::TOKEN_PREFIX, &*self.random),
        })
    }

    /// Puts a prepared session in force and gives its token out, once.
    ///
    /// # Errors
    /// When the person changed meanwhile or has too many sessions, or the database fails.
    pub fn create_session(
        &self,
        prepared: PreparedSession,
        intent_index: u64,
    ) -> Result<IssuedSession, AccountError> {
        let person = self.person(prepared.user)?;
        let overtaken = person.credentials().generation != prepared.proved.generation;
        let above = match &prepared.carrier {
            SessionCarrier::Browser => false,
            SessionCarrier::Token { role, .. } => !role.is_within(person.owner.role()),
        };
        if overtaken || above || person.owner.is_disabled() {
            return Err(AccountError::Overtaken);
        }
        if self.sessions_of(prepared.user).len() >= MAX_SESSIONS {
            return Err(AccountError::TooManySessions);
        }
        let new = NewSessionRow {
            id: prepared.id,
            user: prepared.user,
            carrier: prepared.carrier,
            lookup: self.hash(prepared.token.expose()),
            expires_at: prepared.expires_at,
            user_agent: &prepared.user_agent,
            address: &prepared.address,
            recovery: prepared.proved.recovery.map(|code| code.0),
        };
        let row = self.store.add_session(&new, self.now(), intent_index).map_err(used_meanwhile)?;
        self.put_in_force(row, prepared.token)
    }

    /// Gives a session another token, after [`Accounts::step_up`](crate::Accounts::step_up). The one before is dead.
    ///
    /// # Errors
    /// When the session has ended or its person changed meanwhile, or the database fails.
    pub fn rotate(
        &self,
        prepared: &PreparedRotation,
        intent_index: u64,
    ) -> Result<IssuedSession, AccountError> {
        let person = self.person(prepared.user)?;
        if person.credentials().generation != prepared.proved.generation {
            return Err(AccountError::Overtaken);
        }
        let session = self.session(prepared.session).ok_or(AccountError::Overtaken)?;
        self.check(&session)?;
        let token = text::generate(text::COOKIE_PREFIX, &*self.random);
        let lookup = self.hash(token.expose());
        let recovery = prepared.proved.recovery.map(|code| code.0);
        let row = self.store.rotate_session(prepared.session, lookup, recovery, self.now(), intent_index);
        let row = row.map_err(used_meanwhile)?;
        self.put_in_force(row, token)
    }

    fn put_in_force(&self, row: SessionRow, token: Secret<String>) -> Result<IssuedSession, AccountError> {
        // Absent when the person was removed at the same time; then the row is revoked too.
        let session = self.insert_session(row).ok_or(AccountError::Overtaken)?;
        Ok(IssuedSession { session, token })
    }

    /// Ends a session or token, in force when this returns, and before it is recorded.
    ///
    /// # Errors
    /// When there is no such session, or it could not be recorded.
    pub fn revoke_session(&self, id: SessionId, intent_index: u64) -> Result<(), AccountError> {
        self.end_sessions(|s| s.session == id);
        recorded(self.store.revoke_session(id, self.now(), intent_index).map(drop))
    }

    /// Ends all sessions and tokens of a person, in force when this returns, and before it is recorded.
    ///
    /// # Errors
    /// When there is no such person, or it could not be recorded.
    pub fn revoke_sessions_of(&self, user: UserId, intent_index: u64) -> Result<(), AccountError> {
        self.person(user)?.overtake();
        self.end_sessions(|s| s.user == user);
        recorded(self.store.revoke_sessions_of(user, self.now(), intent_index).map(drop))
    }

    /// The sessions and tokens of a person that hold, oldest first.
    #[must_use]
    pub fn sessions_of(&self, user: UserId) -> Vec<Arc<SessionPrincipal>> {
        self.sessions().into_iter().filter(|s| s.user == user).collect()
    }

    /// A session that holds, by its id: for who wants to end it.
    #[must_use]
    pub fn live_session(&self, id: SessionId) -> Option<Arc<SessionPrincipal>> {
        self.session(id).filter(|s| self.check(s).is_ok())
    }

    /// Notes in the database when sessions were last used, and forgets those that ended long ago. To be called about
    /// once a minute, and at the stop.
    ///
    /// # Errors
    /// When the database fails; it is noted the next time.
    pub fn flush(&self) -> Result<(), AccountError> {
        let now = self.now();
        let used = self.sessions();
        let unnoted: Vec<_> = used
            .iter()
            .map(|s| (s, s.seen_at()))
            .filter(|(s, seen)| seen.as_micros() > s.noted.load(Ordering::Acquire))
            .collect();
        if !unnoted.is_empty() {
            let seen: Vec<_> = unnoted.iter().map(|(s, at)| (s.session, *at)).collect();
            self.store.set_sessions_seen(&seen)?;
            for (session, at) in unnoted {
                session.noted.fetch_max(at.as_micros(), Ordering::AcqRel);
            }
        }
        self.sweep(now);
        let kept = u64::try_from(KEPT_AFTER_END.as_micros()).unwrap_or(u64::MAX);
        let before = Timestamp::from_micros(now.as_micros().saturating_sub(kept));
        self.store.forget_sessions_ended_before(before)?;
        Ok(())
    }
}

/// Somebody else was quicker with the same recovery code.
fn used_meanwhile(error: StoreError) -> AccountError {
    match error {
        StoreError::Unknown { what: "recovery code of", .. } => AccountError::Overtaken,
        error => AccountError::Store(error),
    }
}

fn recorded(result: Result<(), StoreError>) -> Result<(), AccountError> {
    result.map_err(|source| match source {
        StoreError::Unknown { .. } => AccountError::Store(source),
        source => AccountError::Unrecorded { what: "the session is refused", source },
    })
}
