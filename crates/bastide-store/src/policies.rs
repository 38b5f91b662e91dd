//! Policy texts, every version of them.

use bastide_types::{Digest, Timestamp};
use rusqlite::Row;

use crate::database::Store;
use crate::error::StoreError;
use crate::sql::{instant, timestamp, unsigned};

/// One version of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyRow {
    /// Counts up from 1.
    pub version: u64,
    /// The text.
    pub text: String,
    /// Digest of the policy set, as the policy engine computes it.
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

const COLUMNS: &str = "version, text, digest, set_at, set_by, active, intent_index";

fn policy(row: &Row<'_>) -> rusqlite::Result<PolicyRow> {
    Ok(PolicyRow {
        version: unsigned(row, 0)?,
        text: row.get(1)?,
        digest: Digest(row.get(2)?),
        set_at: timestamp(row, 3)?,
        set_by: row.get(4)?,
        active: row.get(5)?,
        intent_index: unsigned(row, 6)?,
    })
}

impl Store {
    /// Puts a text in force, in place of the one before, and gives its version. The texts before stay: setting an old
    /// one again is how a change is taken back.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_policy(
        &self,
        text: &str,
        digest: Digest,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<u64, StoreError> {
        self.set_policy_by(text, digest, None, at, intent_index)
    }

    /// As [`Store::set_policy`], noting who did.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_policy_by(
        &self,
        text: &str,
        digest: Digest,
        set_by: Option<&str>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<u64, StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "policy.set", |tx, intent| {
            tx.execute("UPDATE policies SET active = 0 WHERE active = 1", [])
                .and_then(|_| {
                    tx.execute(
                        "INSERT INTO policies (text, digest, set_at, set_by, active, intent_index) \
                         VALUES (?1, ?2, ?3, ?4, 1, ?5)",
                        (text, digest.0, at, set_by, intent),
                    )
                })
                .map_err(|e| self.error(e))?;
            u64::try_from(tx.last_insert_rowid()).map_err(|_| StoreError::Invalid {
                what: "a policy",
                detail: "its version is negative".to_owned(),
            })
        })
    }

    /// The policies in force.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn active_policy(&self) -> Result<Option<PolicyRow>, StoreError> {
        self.row(&format!("SELECT {COLUMNS} FROM policies WHERE active = 1"), [], policy)
    }

    /// One version.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn policy(&self, version: u64) -> Result<Option<PolicyRow>, StoreError> {
        let version = crate::sql::integer("a version", version)?;
        self.row(&format!("SELECT {COLUMNS} FROM policies WHERE version = ?1"), [version], policy)
    }

    /// The newest versions, newest first, at most `limit`.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn policies(&self, limit: u32) -> Result<Vec<PolicyRow>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM policies ORDER BY version DESC LIMIT ?1"), [limit], policy)
    }
}
