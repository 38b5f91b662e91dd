//! The store itself: two connections, one of which writes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Params, Row, Transaction, TransactionBehavior, ffi,
};

use crate::error::StoreError;
use crate::sql::integer;

/// The records, in one database file or in memory.
#[derive(Debug)]
pub struct Store {
    pub(crate) path: PathBuf,
    /// Absent in memory, where the writer also reads. Declared before the writer so that it closes first: the last
    /// connection folds the write-ahead log into the file, and one that only reads cannot.
    reader: Option<Mutex<Connection>>,
    writer: Mutex<Connection>,
}

impl Store {
    pub(crate) fn new(path: PathBuf, writer: Connection, reader: Option<Connection>) -> Store {
        Store { path, writer: Mutex::new(writer), reader: reader.map(Mutex::new) }
    }

    /// The database file; `:memory:` for [`Store::in_memory`].
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    // A panic while a connection was locked leaves no half transaction: dropping a transaction rolls it back.
    pub(crate) fn writer(&self) -> MutexGuard<'_, Connection> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        match &self.reader {
            Some(reader) => reader.lock().unwrap_or_else(PoisonError::into_inner),
            None => self.writer(),
        }
    }

    /// One change: marks the intent as applied and does `change`, both or neither.
    pub(crate) fn change<T>(
        &self,
        intent_index: u64,
        action: &'static str,
        change: impl FnOnce(&Transaction<'_>, i64) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let intent = integer("a log index", intent_index)?;
        let mut connection = self.writer();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|e| self.error(e))?;
        transaction
            .prepare_cached("INSERT INTO applied (intent_index, action) VALUES (?1, ?2)")
            .and_then(|mut s| s.execute((intent, action)))
            .map_err(|e| match constraint(&e) {
                Some(ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID) => {
                    StoreError::IntentApplied { index: intent_index }
                }
                _ => self.error(e),
            })?;
        let value = change(&transaction, intent)?;
        transaction.commit().map_err(|e| self.error(e))?;
        Ok(value)
    }

    /// All rows of a query.
    pub(crate) fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(sql).map_err(|e| self.error(e))?;
        let rows = statement.query_map(params, read).map_err(|e| self.error(e))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|e| self.error(e))
    }

    /// The one row of a query, if there is one.
    pub(crate) fn row<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(sql).map_err(|e| self.error(e))?;
        statement.query_row(params, read).optional().map_err(|e| self.error(e))
    }

    pub(crate) fn error(&self, source: rusqlite::Error) -> StoreError {
        classify(&self.path, source)
    }

    /// The action of the change with this intent, if it was made: start-up asks for every intent without an outcome.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn applied_intent(&self, intent_index: u64) -> Result<Option<String>, StoreError> {
        let intent = integer("a log index", intent_index)?;
        self.row("SELECT action FROM applied WHERE intent_index = ?1", [intent], |row| row.get(0))
    }

    /// The highest intent that was applied: a log that ends before it has lost entries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn last_intent(&self) -> Result<Option<u64>, StoreError> {
        let last =
            self.row("SELECT max(intent_index) FROM applied", [], |row| crate::sql::unsigned_opt(row, 0))?;
        Ok(last.flatten())
    }
}

/// Puts SQLite's failure under the person who can mend it.
pub(crate) fn classify(path: &Path, source: rusqlite::Error) -> StoreError {
    use rusqlite::Error as E;
    let path = path.to_owned();
    match &source {
        E::SqliteFailure(failure, message) => match failure.code {
            ErrorCode::DiskFull => StoreError::Full { path },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => StoreError::ReadOnly { path },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed => {
                StoreError::Busy { path }
            }
            ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt => {
                StoreError::Corrupt { path, detail: message.clone().unwrap_or_else(|| failure.to_string()) }
            }
            _ => StoreError::Database { path, source },
        },
        // A value that the schema excludes was read: the file was damaged or edited by hand.
        E::FromSqlConversionFailure(..)
        | E::IntegralValueOutOfRange(..)
        | E::InvalidColumnType(..)
        | E::Utf8Error(..) => StoreError::Corrupt { path, detail: source.to_string() },
        _ => StoreError::Database { path, source },
    }
}

/// The extended code of a violated constraint.
pub(crate) fn constraint(error: &rusqlite::Error) -> Option<std::ffi::c_int> {
    match error {
        rusqlite::Error::SqliteFailure(f, _) if f.code == ErrorCode::ConstraintViolation => {
            Some(f.extended_code)
        }
        _ => None,
    }
}

/// Whether a uniqueness constraint was violated.
pub(crate) fn is_duplicate(error: &rusqlite::Error) -> bool {
    matches!(
        constraint(error),
        Some(
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID
        )
    )
}

/// Whether a reference leads nowhere.
pub(crate) fn is_dangling(error: &rusqlite::Error) -> bool {
    constraint(error) == Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY)
}

#[cfg(test)]
mod tests {
    use bastide_types::{Digest, Timestamp};

    use super::*;

    #[test]
    fn a_full_disk_is_named_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let pages: i64 = store.writer().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let _: i64 = store
            .writer()
            .query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |row| row.get(0))
            .unwrap();
        let text = "x".repeat(1 << 20);
        let error = store.set_policy(&text, Digest([0; 32]), Timestamp::from_micros(1), 0).unwrap_err();
        assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
        assert_eq!(store.applied_intent(0).unwrap(), None);
        store.set_policy("small", Digest([0; 32]), Timestamp::from_micros(1), 0).unwrap();
        assert_eq!(store.active_policy().unwrap().unwrap().text, "small");
    }

    #[test]
    fn a_value_that_the_schema_excludes_is_damage() {
        let store = Store::in_memory().unwrap();
        let read = store.row("SELECT x'00'", [], |row| row.get::<_, [u8; 16]>(0)).unwrap_err();
        assert!(matches!(read, StoreError::Corrupt { .. }), "{read:?}");
    }

    #[test]
    fn connections_are_set_up_as_promised() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let pragma = |c: &Connection, name: &str| -> String {
            c.query_row(&format!("PRAGMA {name}"), [], |r| r.get::<_, rusqlite::types::Value>(0))
                .map(|v| format!("{v:?}"))
                .unwrap()
        };
        let writer = store.writer();
        assert_eq!(pragma(&writer, "journal_mode"), "Text(\"wal\")");
        assert_eq!(pragma(&writer, "synchronous"), "Integer(2)");
        assert_eq!(pragma(&writer, "foreign_keys"), "Integer(1)");
        assert!(
            store.reader().execute("INSERT INTO meta VALUES ('a', 'b')", []).is_err(),
            "the reader only reads"
        );
    }
}
