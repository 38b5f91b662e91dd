//! Guard profiles, every version of them.

use bastide_types::{Digest, GuardMode, Timestamp};
use rusqlite::Row;

use crate::database::Store;
use crate::error::StoreError;
use crate::sql::{instant, named, timestamp, unsigned};

/// One version of the guard profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardProfileRow {
    /// Counts up from 1.
    pub version: u64,
    /// The text.
    pub text: String,
    /// Whether the guard acts.
    pub mode: GuardMode,
    /// Digest of the profile, as the guard computes it.
    pub digest: Digest,
    /// When it came into force.
    pub set_at: Timestamp,
    /// Who set it, in words; `None` where that was not noted.
    pub set_by: Option<String>,
    /// Whether it is the one in force.
    pub active: bool,
    /// The log entry that announced it.
    pub intent_index: u64,
}

/// A version of the guard profile to be.
#[derive(Clone, Copy, Debug)]
pub struct NewGuardProfile<'a> {
    /// The text.
    pub text: &'a str,
    /// Whether the guard acts.
    pub mode: GuardMode,
    /// Digest of the profile.
    pub digest: Digest,
    /// Who sets it, in words.
    pub set_by: Option<&'a str>,
}

const COLUMNS: &str = "version, text, mode, digest, set_at, set_by, active, intent_index";

fn profile(row: &Row<'_>) -> rusqlite::Result<GuardProfileRow> {
    Ok(GuardProfileRow {
        version: unsigned(row, 0)?,
        text: row.get(1)?,
        mode: named(row, 2)?,
        digest: Digest(row.get(3)?),
        set_at: timestamp(row, 4)?,
        set_by: row.get(5)?,
        active: row.get(6)?,
        intent_index: unsigned(row, 7)?,
    })
}

impl Store {
    /// Puts a profile in force, in place of the one before, and gives its version. Those before stay.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_guard_profile(
        &self,
        new: &NewGuardProfile<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<u64, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "guard.set", |tx, intent| {
            tx.execute("UPDATE guard_profiles SET active = 0 WHERE active = 1", [])
                .and_then(|_| {
                    tx.execute(
                        "INSERT INTO guard_profiles (text, mode, digest, set_at, set_by, active, intent_index) \
                         VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)",
                        (new.text, new.mode.as_str(), new.digest.0, at, new.set_by, intent),
                    )
                })
                .map_err(|e| self.error(e))?;
            u64::try_from(tx.last_insert_rowid()).map_err(|_| StoreError::Invalid {
                what: "a guard profile",
                detail: "its version is negative".to_owned(),
            })
        })
    }

    /// The profile in force; `None` when none was ever set here.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn active_guard_profile(&self) -> Result<Option<GuardProfileRow>, StoreError> {
        self.row(&format!("SELECT {COLUMNS} FROM guard_profiles WHERE active = 1"), [], profile)
    }

    /// One version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn guard_profile(&self, version: u64) -> Result<Option<GuardProfileRow>, StoreError> {
        let version = crate::sql::integer("a version", version)?;
        self.row(&format!("SELECT {COLUMNS} FROM guard_profiles WHERE version = ?1"), [version], profile)
    }

    /// The newest versions, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn guard_profiles(&self, limit: u32) -> Result<Vec<GuardProfileRow>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM guard_profiles ORDER BY version DESC LIMIT ?1"),
            [limit],
            profile,
        )
    }
}
