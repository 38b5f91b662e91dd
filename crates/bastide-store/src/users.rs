//! People: what is known of them, which is never a password or a code.

use bastide_types::{Role, Sensitive, Timestamp, UserId};
use rusqlite::{Row, Transaction, named_params};

use crate::database::{Store, is_duplicate};
use crate::error::StoreError;
use crate::sql::{instant, integer, named, timestamp, timestamp_opt, unsigned, unsigned_opt};

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The stable id.
    pub id: UserId,
    /// What they sign in with. Unique among those that were not removed.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// The PHC string of their password; absent after removal.
    pub password: Option<Sensitive<String>>,
    /// The sealed secret of their authenticator app, where they have one.
    pub totp: Option<Vec<u8>>,
    /// The last time step whose code was used: it and those before it are used up.
    pub totp_last_step: u64,
    /// Whether they were let in without an authenticator app for now.
    pub totp_deferred: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When their password was set.
    pub password_set_at: Timestamp,
    /// Since when they are refused.
    pub disabled_at: Option<Timestamp>,
    /// When they were removed.
    pub removed_at: Option<Timestamp>,
    /// The log entry that announced them.
    pub intent_index: u64,
    /// The log entry that announced the last change of role, password or second factor.
    pub change_intent_index: Option<u64>,
    /// The log entry that announced that they are refused.
    pub disable_intent_index: Option<u64>,
    /// The log entry that announced their removal.
    pub remove_intent_index: Option<u64>,
}

/// A person to be.
#[derive(Clone, Debug)]
pub struct NewUserRow<'a> {
    /// The stable id.
    pub id: UserId,
    /// What they sign in with.
    pub name: &'a str,
    /// What they are.
    pub role: Role,
    /// The PHC string of their password.
    pub password: &'a str,
    /// Only when there is nobody yet: the first one proves themselves otherwise.
    pub first: bool,
}

const COLUMNS: &str = "id, name, role, password, totp, totp_last_step, totp_deferred, created_at, password_set_at, \
    disabled_at, removed_at, intent_index, change_intent_index, disable_intent_index, remove_intent_index";

fn user(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: UserId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        role: named(row, 2)?,
        password: row.get::<_, Option<String>>(3)?.map(Sensitive::new),
        totp: row.get(4)?,
        totp_last_step: unsigned(row, 5)?,
        totp_deferred: row.get(6)?,
        created_at: timestamp(row, 7)?,
        password_set_at: timestamp(row, 8)?,
        disabled_at: timestamp_opt(row, 9)?,
        removed_at: timestamp_opt(row, 10)?,
        intent_index: unsigned(row, 11)?,
        change_intent_index: unsigned_opt(row, 12)?,
        disable_intent_index: unsigned_opt(row, 13)?,
        remove_intent_index: unsigned_opt(row, 14)?,
    })
}

fn unknown(id: UserId) -> StoreError {
    StoreError::Unknown { what: "user", id: id.to_string() }
}

impl Store {
    /// Adds a person.
    ///
    /// # Errors
    /// When the name or id is taken, `first` and there is somebody, or the database fails.
    pub fn add_user(
        &self,
        new: &NewUserRow<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<UserRow, StoreError> {
        let instant = instant(at)?;
        self.change(intent_index, "user.create", |tx, intent| {
            if new.first {
                let people: i64 = tx
                    .query_row("SELECT count(*) FROM users WHERE removed_at IS NULL", [], |row| row.get(0))
                    .map_err(|e| self.error(e))?;
                if people > 0 {
                    return Err(StoreError::NotFirst);
                }
            }
            tx.prepare_cached(
                "INSERT INTO users (id, name, role, password, created_at, password_set_at, intent_index) \
                 VALUES (:id, :name, :role, :password, :at, :at, :intent)",
            )
            .and_then(|mut s| {
                s.execute(named_params! {
                    ":id": new.id.as_bytes(), ":name": new.name, ":role": new.role.as_str(),
                    ":password": new.password, ":at": instant, ":intent": intent,
                })
            })
            .map_err(|e| match e {
                e if is_duplicate(&e) => StoreError::Duplicate { what: "user", name: new.name.to_owned() },
                e => self.error(e),
            })?;
            self.user_in(tx, new.id)
        })
    }

    /// Gives a person another role.
    ///
    /// # Errors
    /// When there is no such person, nobody would be an enabled administrator any more, or the database fails.
    pub fn set_user_role(&self, id: UserId, role: Role, intent_index: u64) -> Result<UserRow, StoreError> {
        self.change(intent_index, "user.role", |tx, intent| {
            self.keeping_an_administrator(tx, || {
                self.alter(
                    tx,
                    "UPDATE users SET role = ?2, change_intent_index = ?3 WHERE id = ?1 AND removed_at IS NULL",
                    (id.as_bytes(), role.as_str(), intent),
                    id,
                )
            })?;
            self.user_in(tx, id)
        })
    }

    /// Refuses a person from now on and ends their sessions. Doing it again changes nothing but is marked as applied.
    ///
    /// # Errors
    /// As [`Store::set_user_role`].
    pub fn disable_user(&self, id: UserId, at: Timestamp, intent_index: u64) -> Result<UserRow, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "user.disable", |tx, intent| {
            self.keeping_an_administrator(tx, || {
                self.alter(
                    tx,
                    "UPDATE users SET disabled_at = coalesce(disabled_at, ?2), \
                     disable_intent_index = coalesce(disable_intent_index, ?3) \
                     WHERE id = ?1 AND removed_at IS NULL",
                    (id.as_bytes(), at, intent),
                    id,
                )
            })?;
            self.revoke_sessions_in(tx, id, None, at, intent)?;
            self.user_in(tx, id)
        })
    }

    /// Lets a person in again.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn enable_user(&self, id: UserId, intent_index: u64) -> Result<UserRow, StoreError> {
        self.change(intent_index, "user.enable", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET disabled_at = NULL, disable_intent_index = NULL, change_intent_index = ?2 \
                 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), intent),
                id,
            )?;
            self.user_in(tx, id)
        })
    }

    /// Removes a person: their sessions end, their password and second factor are wiped, their name is free again.
    ///
    /// # Errors
    /// As [`Store::set_user_role`].
    pub fn remove_user(&self, id: UserId, at: Timestamp, intent_index: u64) -> Result<(), StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "user.remove", |tx, intent| {
            self.keeping_an_administrator(tx, || {
                self.alter(
                    tx,
                    "UPDATE users SET removed_at = ?2, remove_intent_index = ?3, password = NULL, totp = NULL \
                     WHERE id = ?1 AND removed_at IS NULL",
                    (id.as_bytes(), at, intent),
                    id,
                )
            })?;
            tx.execute("DELETE FROM recovery_codes WHERE user_id = ?1", [id.as_bytes()])
                .map_err(|e| self.error(e))?;
            self.revoke_sessions_in(tx, id, None, at, intent)?;
            Ok(())
        })
    }

    /// Replaces a password by what hashes the same password with newer parameters, unless it was changed meanwhile.
    /// Nobody is granted anything by it: no intent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn rehash_password(&self, id: UserId, before: &str, after: &str) -> Result<(), StoreError> {
        self.writer()
            .execute(
                "UPDATE users SET password = ?3 WHERE id = ?1 AND password = ?2",
                (id.as_bytes(), before, after),
            )
            .map(|_| ())
            .map_err(|e| self.error(e))
    }

    /// Gives a person an authenticator app and recovery codes in place of those before. `step` is the one whose code
    /// confirmed it.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn set_user_totp(
        &self,
        id: UserId,
        sealed: &[u8],
        step: u64,
        recovery: &[[u8; 32]],
        intent_index: u64,
    ) -> Result<UserRow, StoreError> {
        let step = integer("a time step", step)?;
        self.change(intent_index, "user.totp", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET totp = ?2, totp_last_step = ?3, totp_deferred = 0, change_intent_index = ?4 \
                 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), sealed, step, intent),
                id,
            )?;
            self.replace_recovery(tx, id, recovery)?;
            self.user_in(tx, id)
        })
    }

    /// Takes a person's authenticator app and recovery codes away. The used steps stay used.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn remove_user_totp(&self, id: UserId, intent_index: u64) -> Result<UserRow, StoreError> {
        self.change(intent_index, "user.totp_remove", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET totp = NULL, change_intent_index = ?2 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), intent),
                id,
            )?;
            self.replace_recovery(tx, id, &[])?;
            self.user_in(tx, id)
        })
    }

    /// Notes whether a person is let in without an authenticator app for now.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn set_user_totp_deferred(
        &self,
        id: UserId,
        deferred: bool,
        intent_index: u64,
    ) -> Result<UserRow, StoreError> {
        self.change(intent_index, "user.totp_defer", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET totp_deferred = ?2, change_intent_index = ?3 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), deferred, intent),
                id,
            )?;
            self.user_in(tx, id)
        })
    }

    /// Gives a person new recovery codes in place of those before.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn set_recovery_codes(
        &self,
        id: UserId,
        codes: &[[u8; 32]],
        intent_index: u64,
    ) -> Result<(), StoreError> {
        self.change(intent_index, "user.recovery_codes", |tx, intent| {
            self.alter(
                tx,
                "UPDATE users SET change_intent_index = ?2 WHERE id = ?1 AND removed_at IS NULL",
                (id.as_bytes(), intent),
                id,
            )?;
            self.replace_recovery(tx, id, codes)
        })
    }

    /// Uses a time step up, and says whether it was still to be used. No intent: it only takes away.
    ///
    /// # Errors
    /// When the database fails.
    pub fn use_totp_step(&self, id: UserId, step: u64) -> Result<bool, StoreError> {
        let step = integer("a time step", step)?;
        self.writer()
            .execute(
                "UPDATE users SET totp_last_step = ?2 WHERE id = ?1 AND totp_last_step < ?2",
                (id.as_bytes(), step),
            )
            .map(|changed| changed == 1)
            .map_err(|e| self.error(e))
    }

    /// Whether a person has this recovery code yet. It is used up by the session that it lets in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn has_recovery_code(&self, id: UserId, lookup: [u8; 32]) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM recovery_codes WHERE user_id = ?1 AND lookup = ?2";
        Ok(self.row(sql, (id.as_bytes(), lookup), |row| row.get::<_, i64>(0))?.is_some())
    }

    /// Uses a recovery code up together with what it was given for. The database decides between two who come with the
    /// same one.
    pub(crate) fn use_recovery_code(
        &self,
        tx: &Transaction<'_>,
        id: UserId,
        lookup: Option<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let Some(lookup) = lookup else { return Ok(()) };
        let sql = "DELETE FROM recovery_codes WHERE user_id = ?1 AND lookup = ?2";
        match tx.execute(sql, (id.as_bytes(), lookup)).map_err(|e| self.error(e))? {
            0 => Err(StoreError::Unknown { what: "recovery code of", id: id.to_string() }),
            _ => Ok(()),
        }
    }

    /// How many recovery codes a person has left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recovery_codes_left(&self, id: UserId) -> Result<u64, StoreError> {
        let left =
            self.row("SELECT count(*) FROM recovery_codes WHERE user_id = ?1", [id.as_bytes()], |row| {
                unsigned(row, 0)
            })?;
        Ok(left.unwrap_or(0))
    }

    /// All people that were not removed, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn users(&self) -> Result<Vec<UserRow>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM users WHERE removed_at IS NULL ORDER BY intent_index"),
            [],
            user,
        )
    }

    /// All people, removed ones included, oldest first: the log speaks of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all_users(&self) -> Result<Vec<UserRow>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM users ORDER BY intent_index"), [], user)
    }

    pub(crate) fn user_in(&self, tx: &Transaction<'_>, id: UserId) -> Result<UserRow, StoreError> {
        tx.prepare_cached(&format!("SELECT {COLUMNS} FROM users WHERE id = ?1"))
            .and_then(|mut s| s.query_row([id.as_bytes()], user))
            .map_err(|e| match e {
                rusqlite::Error::QueryReturnedNoRows => unknown(id),
                e => self.error(e),
            })
    }

    /// Changes the one row of a person.
    pub(crate) fn alter(
        &self,
        tx: &Transaction<'_>,
        sql: &str,
        params: impl rusqlite::Params,
        id: UserId,
    ) -> Result<(), StoreError> {
        match tx.prepare_cached(sql).and_then(|mut s| s.execute(params)).map_err(|e| self.error(e))? {
            0 => Err(unknown(id)),
            _ => Ok(()),
        }
    }

    /// Makes a change, unless it takes away the last administrator who can sign in: nobody could undo it.
    fn keeping_an_administrator(
        &self,
        tx: &Transaction<'_>,
        change: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let count = || -> Result<i64, StoreError> {
            tx.query_row(
                "SELECT count(*) FROM users WHERE role = ?1 AND disabled_at IS NULL AND removed_at IS NULL",
                [Role::Administrator.as_str()],
                |row| row.get(0),
            )
            .map_err(|e| self.error(e))
        };
        let before = count()?;
        change()?;
        if before > 0 && count()? == 0 { Err(StoreError::LastAdministrator) } else { Ok(()) }
    }

    fn replace_recovery(
        &self,
        tx: &Transaction<'_>,
        id: UserId,
        codes: &[[u8; 32]],
    ) -> Result<(), StoreError> {
        tx.execute("DELETE FROM recovery_codes WHERE user_id = ?1", [id.as_bytes()])
            .and_then(|_| {
                let mut insert = tx.prepare_cached("INSERT INTO recovery_codes VALUES (?1, ?2)")?;
                codes.iter().try_for_each(|code| insert.execute((id.as_bytes(), code)).map(|_| ()))
            })
            .map_err(|e| self.error(e))
    }
}
