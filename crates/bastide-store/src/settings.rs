//! Sealed blobs, and facts about the node itself.

use bastide_types::Timestamp;

use crate::database::Store;
use crate::error::StoreError;
use crate::sql::instant;

impl Store {
    /// Keeps a sealed blob under a name, in place of the one before.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_sealed(
        &self,
        name: &str,
        blob: &[u8],
        at: Timestamp,
        intent_index: u64,
    ) -> Result<(), StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "sealed.set", |tx, intent| {
            tx.prepare_cached("INSERT OR REPLACE INTO sealed VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut s| s.execute((name, blob, at, intent)))
                .map_err(|e| self.error(e))?;
            Ok(())
        })
    }

    /// The sealed blob of a name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn sealed(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.row("SELECT blob FROM sealed WHERE name = ?1", [name], |row| row.get(0))
    }

    /// Removes a sealed blob; its bytes are overwritten.
    ///
    /// # Errors
    /// When there is none of the name, or the database fails.
    pub fn remove_sealed(&self, name: &str, intent_index: u64) -> Result<(), StoreError> {
        self.change(intent_index, "sealed.remove", |tx, _| {
            match tx.execute("DELETE FROM sealed WHERE name = ?1", [name]).map_err(|e| self.error(e))? {
                0 => Err(StoreError::Unknown { what: "sealed value", id: name.to_owned() }),
                _ => Ok(()),
            }
        })
    }

    /// A fact about the node: its name, its log's origin.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        self.row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
    }

    /// Sets a fact about the node. These are local facts that no one is granted anything by: no intent.
    ///
    /// # Errors
    /// When the database fails.
    pub fn set_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.writer()
            .execute("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", (key, value))
            .map(|_| ())
            .map_err(|e| self.error(e))
    }
}
