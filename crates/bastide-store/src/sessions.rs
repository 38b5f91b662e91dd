//! Sessions of people in browsers, and their API tokens: what is known of them, which is never the token itself.

use bastide_types::{Role, SessionId, Timestamp, UserId};
use rusqlite::{Row, Transaction, named_params};

use crate::database::{Store, is_dangling, is_duplicate};
use crate::error::StoreError;
use crate::sql::{instant, named_opt, timestamp, timestamp_opt, unsigned, unsigned_opt};

/// What carries a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionCarrier {
    /// A cookie of a browser.
    Browser,
    /// A token for programs.
    Token {
        /// What the person calls it.
        name: String,
        /// What it may do at most; never more than the person.
        role: Role,
    },
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The stable id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// What carries it.
    pub carrier: SessionCarrier,
    /// Keyed hash of the token.
    pub lookup: [u8; 32],
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub authenticated_at: Timestamp,
    /// When it was last used, give or take a minute.
    pub seen_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// What the browser or program called itself, shortened and made harmless.
    pub user_agent: String,
    /// Where it was begun from.
    pub address: String,
    /// The log entry that announced it, or its last renewal.
    pub intent_index: u64,
    /// The log entry that announced its end.
    pub revoke_intent_index: Option<u64>,
}

/// A session to be.
#[derive(Clone, Debug)]
pub struct NewSessionRow<'a> {
    /// The stable id.
    pub id: SessionId,
    /// Whose.
    pub user: UserId,
    /// What carries it.
    pub carrier: SessionCarrier,
    /// Keyed hash of the token.
    pub lookup: [u8; 32],
    /// From when on it is refused.
    pub expires_at: Timestamp,
    /// What the browser or program called itself.
    pub user_agent: &'a str,
    /// Where it is begun from.
    pub address: &'a str,
    /// The recovery code that its person proved themselves with: used up together with it, or not at all.
    pub recovery: Option<[u8; 32]>,
}

const COLUMNS: &str = "id, user_id, kind, name, role, lookup, created_at, authenticated_at, seen_at, expires_at, \
    revoked_at, user_agent, address, intent_index, revoke_intent_index";

fn session(row: &Row<'_>) -> rusqlite::Result<SessionRow> {
    let kind: String = row.get(2)?;
    let carrier = match (kind.as_str(), row.get(3)?, named_opt(row, 4)?) {
        ("browser", None, None) => SessionCarrier::Browser,
        ("token", Some(name), Some(role)) => SessionCarrier::Token { name, role },
        _ => {
            let (at, text) = (2, rusqlite::types::Type::Text);
            return Err(rusqlite::Error::InvalidColumnType(at, "kind".into(), text));
        }
    };
    Ok(SessionRow {
        id: SessionId::from_bytes(row.get(0)?),
        user: UserId::from_bytes(row.get(1)?),
        carrier,
        lookup: row.get(5)?,
        created_at: timestamp(row, 6)?,
        authenticated_at: timestamp(row, 7)?,
        seen_at: timestamp(row, 8)?,
        expires_at: timestamp(row, 9)?,
        revoked_at: timestamp_opt(row, 10)?,
        user_agent: row.get(11)?,
        address: row.get(12)?,
        intent_index: unsigned(row, 13)?,
        revoke_intent_index: unsigned_opt(row, 14)?,
    })
}

impl Store {
    /// Adds a session.
    ///
    /// # Errors
    /// When the id or hash is taken, there is no such person or recovery code, or the database fails.
    pub fn add_session(
        &self,
        new: &NewSessionRow<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<SessionRow, StoreError> {
        let (at, expires_at) = (instant(at)?, instant(new.expires_at)?);
        let (kind, action, name, role) = match &new.carrier {
            SessionCarrier::Browser if new.recovery.is_some() => ("browser", "session.recover", None, None),
            SessionCarrier::Browser => ("browser", "session.create", None, None),
            SessionCarrier::Token { name, role } => {
                ("token", "token.create", Some(name.as_str()), Some(role.as_str()))
            }
        };
        self.change(intent_index, action, |tx, intent| {
            self.use_recovery_code(tx, new.user, new.recovery)?;
            tx.prepare_cached(
                "INSERT INTO sessions (id, user_id, kind, name, role, lookup, created_at, authenticated_at, seen_at, \
                 expires_at, user_agent, address, intent_index) VALUES (:id, :user, :kind, :name, :role, :lookup, \
                 :at, :at, :at, :expires_at, :user_agent, :address, :intent)",
            )
            .and_then(|mut s| {
                s.execute(named_params! {
                    ":id": new.id.as_bytes(), ":user": new.user.as_bytes(), ":kind": kind, ":name": name,
                    ":role": role, ":lookup": new.lookup, ":at": at, ":expires_at": expires_at,
                    ":user_agent": new.user_agent, ":address": new.address, ":intent": intent,
                })
            })
            .map_err(|e| match e {
                e if is_duplicate(&e) => {
                    StoreError::Duplicate { what: "session", name: new.id.to_string() }
                }
                e if is_dangling(&e) => StoreError::Unknown { what: "user", id: new.user.to_string() },
                e => self.error(e),
            })?;
            self.session_in(tx, new.id)
        })
    }

    /// Gives a session that holds another token, after its person proved anew who they are. The token before is dead.
    ///
    /// # Errors
    /// When no session that holds has the id, its person has no such recovery code, or the database fails.
    pub fn rotate_session(
        &self,
        id: SessionId,
        lookup: [u8; 32],
        recovery: Option<[u8; 32]>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<SessionRow, StoreError> {
        let at = instant(at)?;
        let action = if recovery.is_some() { "session.recover" } else { "session.rotate" };
        self.change(intent_index, action, |tx, intent| {
            self.rotate_in(tx, id, lookup, at, intent)?;
            let row = self.session_in(tx, id)?;
            self.use_recovery_code(tx, row.user, recovery)?;
            Ok(row)
        })
    }

    /// Sets a person's password and ends their sessions and tokens, but for `kept`, a session that gets another token.
    ///
    /// # Errors
    /// When there is no such person or no such session that holds, or the database fails.
    pub fn set_user_password(
        &self,
        id: UserId,
        password: &str,
        kept: Option<(SessionId, [u8; 32])>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<Option<SessionRow>, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "user.password", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET password = ?2, password_set_at = ?3, change_intent_index = ?4 \
                 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), password, at, intent),
                id,
            )?;
            self.revoke_sessions_in(tx, id, kept.map(|(session, _)| session), at, intent)?;
            let Some((session, lookup)) = kept else { return Ok(None) };
            self.rotate_in(tx, session, lookup, at, intent)?;
            self.session_in(tx, session).map(Some)
        })
    }

    /// Ends a session. Ending it again changes nothing but is marked as applied.
    ///
    /// # Errors
    /// When there is no such session, or the database fails.
    pub fn revoke_session(
        &self,
        id: SessionId,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<SessionRow, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "session.revoke", |tx, intent| {
            tx.prepare_cached(
                "UPDATE sessions SET revoked_at = ?2, revoke_intent_index = ?3 \
                 WHERE id = ?1 AND revoked_at IS NULL",
            )
            .and_then(|mut s| s.execute((id.as_bytes(), at, intent)))
            .map_err(|e| self.error(e))?;
            self.session_in(tx, id)
        })
    }

    /// Ends all sessions and tokens of a person, and says how many that were.
    ///
    /// # Errors
    /// When the database fails.
    pub fn revoke_sessions_of(
        &self,
        user: UserId,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<usize, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "session.revoke_all", |tx, intent| {
            self.revoke_sessions_in(tx, user, None, at, intent)
        })
    }

    /// Notes when sessions were last used. No intent: it grants nobody anything.
    ///
    /// # Errors
    /// When the database fails; then nothing is noted.
    pub fn set_sessions_seen(&self, seen: &[(SessionId, Timestamp)]) -> Result<(), StoreError> {
        let mut writer = self.writer();
        let tx = writer.transaction().map_err(|e| self.error(e))?;
        for (id, at) in seen {
            let at = instant(*at)?;
            tx.prepare_cached("UPDATE sessions SET seen_at = ?2 WHERE id = ?1 AND seen_at < ?2")
                .and_then(|mut s| s.execute((id.as_bytes(), at)))
                .map_err(|e| self.error(e))?;
        }
        tx.commit().map_err(|e| self.error(e))
    }

    /// Forgets sessions that ended before an instant, and says how many. No intent: the log keeps what it said of them.
    ///
    /// # Errors
    /// When the database fails.
    pub fn forget_sessions_ended_before(&self, at: Timestamp) -> Result<usize, StoreError> {
        let at = instant(at)?;
        self.writer()
            .execute(
                "DELETE FROM sessions WHERE min(coalesce(revoked_at, expires_at), expires_at) < ?1",
                [at],
            )
            .map_err(|e| self.error(e))
    }

    /// The sessions that were not revoked and expire after an instant, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn live_sessions(&self, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        let now = instant(now)?;
        self.rows(
            &format!(
                "SELECT {COLUMNS} FROM sessions WHERE revoked_at IS NULL AND expires_at > ?1 ORDER BY intent_index"
            ),
            [now],
            session,
        )
    }

    /// All sessions of a person that are still kept, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sessions_of(&self, user: UserId) -> Result<Vec<SessionRow>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM sessions WHERE user_id = ?1 ORDER BY intent_index DESC"),
            [user.as_bytes()],
            session,
        )
    }

    fn rotate_in(
        &self,
        tx: &Transaction<'_>,
        id: SessionId,
        lookup: [u8; 32],
        at: i64,
        intent: i64,
    ) -> Result<(), StoreError> {
        let changed = tx
            .prepare_cached(
                "UPDATE sessions SET lookup = ?2, authenticated_at = ?3, seen_at = ?3, intent_index = ?4 \
                 WHERE id = ?1 AND revoked_at IS NULL AND expires_at > ?3",
            )
            .and_then(|mut s| s.execute((id.as_bytes(), lookup, at, intent)))
            .map_err(|e| self.error(e))?;
        if changed == 0 { Err(StoreError::Unknown { what: "session", id: id.to_string() }) } else { Ok(()) }
    }

    pub(crate) fn revoke_sessions_in(
        &self,
        tx: &Transaction<'_>,
        user: UserId,
        but: Option<SessionId>,
        at: i64,
        intent: i64,
    ) -> Result<usize, StoreError> {
        tx.prepare_cached(
            "UPDATE sessions SET revoked_at = ?2, revoke_intent_index = ?3 \
             WHERE user_id = ?1 AND revoked_at IS NULL AND id IS NOT ?4",
        )
        .and_then(|mut s| s.execute((user.as_bytes(), at, intent, but.as_ref().map(SessionId::as_bytes))))
        .map_err(|e| self.error(e))
    }

    fn session_in(&self, tx: &Transaction<'_>, id: SessionId) -> Result<SessionRow, StoreError> {
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM sessions WHERE id = ?1"))
            .and_then(|mut s| s.query_row([id.as_bytes()], session))
            .map_err(|e| match e {
                rusqlite::Error::QueryReturnedNoRows => {
                    StoreError::Unknown { what: "session", id: id.to_string() }
                }
                e => self.error(e),
            })
    }
}
