//! Keys: what is known of them, which is never the key itself.

use bastide_types::{KeyId, ProjectId, Timestamp};
use rusqlite::{Row, Transaction, named_params};

use crate::database::{Store, is_dangling, is_duplicate};
use crate::error::StoreError;
use crate::sql::{instant, integer_opt, timestamp, timestamp_opt, unsigned, unsigned_opt};

/// What a key may use. `None` is no limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct KeyLimits {
    /// Requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens, in and out, in any minute.
    pub tokens_per_minute: Option<u64>,
    /// Tokens, in and out, in a day (UTC).
    pub tokens_per_day: Option<u64>,
    /// Exchanges at the same time.
    pub concurrency: Option<u64>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRow {
    /// The stable id.
    pub id: KeyId,
    /// Its project.
    pub project: ProjectId,
    /// What people call it. Not unique: a revoked key's successor may have its name.
    pub name: String,
    /// The beginning of the key, enough to recognise it in a configuration file.
    pub hint: String,
    /// Keyed hash of the full key.
    pub lookup: [u8; 32],
    /// Made at first start to try the gateway with; for this machine only.
    pub demo: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// By which key; `None` is the operator.
    pub created_by: Option<KeyId>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// What it may use.
    pub limits: KeyLimits,
    /// The log entry that announced it.
    pub intent_index: u64,
    /// The log entry that announced its revocation.
    pub revoke_intent_index: Option<u64>,
}

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewKeyRow<'a> {
    /// The stable id.
    pub id: KeyId,
    /// Its project.
    pub project: ProjectId,
    /// What people call it.
    pub name: &'a str,
    /// The beginning of the key.
    pub hint: &'a str,
    /// Keyed hash of the full key.
    pub lookup: [u8; 32],
    /// Made at first start.
    pub demo: bool,
    /// By which key; `None` is the operator.
    pub created_by: Option<KeyId>,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// What it may use.
    pub limits: KeyLimits,
}

fn row_of(new: &NewKeyRow<'_>, at: Timestamp, intent_index: u64) -> KeyRow {
    KeyRow {
        id: new.id,
        project: new.project,
        name: new.name.to_owned(),
        hint: new.hint.to_owned(),
        lookup: new.lookup,
        demo: new.demo,
        created_at: at,
        created_by: new.created_by,
        expires_at: new.expires_at,
        revoked_at: None,
        limits: new.limits,
        intent_index,
        revoke_intent_index: None,
    }
}

const COLUMNS: &str = "id, project_id, name, hint, lookup, demo, created_at, created_by, expires_at, revoked_at, \
    requests_per_minute, tokens_per_minute, tokens_per_day, concurrency, intent_index, revoke_intent_index";

fn key(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        id: KeyId::from_bytes(row.get(0)?),
        project: ProjectId::from_bytes(row.get(1)?),
        name: row.get(2)?,
        hint: row.get(3)?,
        lookup: row.get(4)?,
        demo: row.get(5)?,
        created_at: timestamp(row, 6)?,
        created_by: row.get::<_, Option<[u8; 16]>>(7)?.map(KeyId::from_bytes),
        expires_at: timestamp_opt(row, 8)?,
        revoked_at: timestamp_opt(row, 9)?,
        limits: KeyLimits {
            requests_per_minute: unsigned_opt(row, 10)?,
            tokens_per_minute: unsigned_opt(row, 11)?,
            tokens_per_day: unsigned_opt(row, 12)?,
            concurrency: unsigned_opt(row, 13)?,
        },
        intent_index: unsigned(row, 14)?,
        revoke_intent_index: unsigned_opt(row, 15)?,
    })
}

impl Store {
    /// Adds a key.
    ///
    /// # Errors
    /// When the id or hash is taken, there is no such project or maker, or the database fails.
    pub fn add_key(
        &self,
        new: &NewKeyRow<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<KeyRow, StoreError> {
        let row = row_of(new, at, intent_index);
        self.change(intent_index, "key.create", |tx, intent| self.insert_key(tx, &row, intent))?;
        Ok(row)
    }

    /// Adds the successor of a key, which itself ends at `old_ends` or sooner, where its own end is sooner. Gives the old
    /// key and the new one.
    ///
    /// # Errors
    /// As [`Store::add_key`]; when there is no such old key, or it was revoked.
    pub fn rotate_key(
        &self,
        old: KeyId,
        old_ends: Timestamp,
        new: &NewKeyRow<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<(KeyRow, KeyRow), StoreError> {
        let row = row_of(new, at, intent_index);
        let ends = instant(old_ends)?;
        self.change(intent_index, "key.rotate", |tx, intent| {
            let changed = tx
                .prepare_cached(
                    "UPDATE keys SET expires_at = min(coalesce(expires_at, ?2), ?2) WHERE id = ?1 AND revoked_at IS NULL",
                )
                .and_then(|mut s| s.execute((old.as_bytes(), ends)))
                .map_err(|e| self.error(e))?;
            if changed == 0 {
                return Err(StoreError::Unknown { what: "key that is not revoked", id: old.to_string() });
            }
            self.insert_key(tx, &row, intent)?;
            let old = tx
                .prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE id = ?1"))
                .and_then(|mut s| s.query_row([old.as_bytes()], key))
                .map_err(|e| self.error(e))?;
            Ok((old, row.clone()))
        })
    }

    fn insert_key(&self, tx: &Transaction<'_>, row: &KeyRow, intent: i64) -> Result<(), StoreError> {
        let limit = |value| integer_opt("a limit", value);
        let (rpm, tpm) = (limit(row.limits.requests_per_minute)?, limit(row.limits.tokens_per_minute)?);
        let (tpd, concurrency) = (limit(row.limits.tokens_per_day)?, limit(row.limits.concurrency)?);
        let (created_at, expires_at) = (instant(row.created_at)?, row.expires_at.map(instant).transpose()?);
        tx.prepare_cached(
            "INSERT INTO keys (id, project_id, name, hint, lookup, demo, created_at, created_by, expires_at, \
             requests_per_minute, tokens_per_minute, tokens_per_day, concurrency, intent_index) \
             VALUES (:id, :project, :name, :hint, :lookup, :demo, :created_at, :created_by, :expires_at, \
             :rpm, :tpm, :tpd, :concurrency, :intent)",
        )
        .and_then(|mut s| {
            s.execute(named_params! {
                ":id": row.id.as_bytes(), ":project": row.project.as_bytes(), ":name": row.name,
                ":hint": row.hint, ":lookup": row.lookup, ":demo": row.demo, ":created_at": created_at,
                ":created_by": row.created_by.as_ref().map(KeyId::as_bytes), ":expires_at": expires_at,
                ":rpm": rpm, ":tpm": tpm, ":tpd": tpd, ":concurrency": concurrency, ":intent": intent,
            })
        })
        .map_err(|e| match e {
            e if is_duplicate(&e) => StoreError::Duplicate { what: "key", name: row.id.to_string() },
            e if is_dangling(&e) => {
                let project = tx.query_row(
                    "SELECT count(*) FROM projects WHERE id = ?1",
                    [row.project.as_bytes()],
                    |found| found.get::<_, i64>(0),
                );
                match row.created_by {
                    Some(maker) if project == Ok(1) => {
                        StoreError::Unknown { what: "key", id: maker.to_string() }
                    }
                    _ => StoreError::Unknown { what: "project", id: row.project.to_string() },
                }
            }
            e => self.error(e),
        })?;
        Ok(())
    }

    /// Revokes a key. Revoking it again changes nothing but is marked as applied.
    ///
    /// # Errors
    /// When there is no such key, or the database fails.
    pub fn revoke_key(&self, id: KeyId, at: Timestamp, intent_index: u64) -> Result<KeyRow, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "key.revoke", |tx, intent| {
            tx.prepare_cached(
                "UPDATE keys SET revoked_at = ?2, revoke_intent_index = ?3 WHERE id = ?1 AND revoked_at IS NULL",
            )
            .and_then(|mut s| s.execute((id.as_bytes(), at, intent)))
            .map_err(|e| self.error(e))?;
            tx.prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE id = ?1"))
                .and_then(|mut s| s.query_row([id.as_bytes()], key))
                .map_err(|e| match e {
                    rusqlite::Error::QueryReturnedNoRows => {
                        StoreError::Unknown { what: "key", id: id.to_string() }
                    }
                    e => self.error(e),
                })
        })
    }

    /// All keys, oldest first, revoked and expired ones included.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM keys ORDER BY intent_index"), [], key)
    }
}
