//! What can go wrong with the database, by who can mend it.

use std::io;
use std::path::PathBuf;

use bastide_types::{Fault, Problem, Retry};

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The folder or the file cannot be opened.
    #[error("cannot open `{}`; check that the folder exists and belongs to the user bastide runs as", path.display())]
    Unreachable {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The folder or the file cannot be written.
    #[error("cannot write `{}`; make the folder and the file writable for the user bastide runs as", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// No room is left.
    #[error("no space left to write `{}`; free some space, nothing was changed", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged or no database.
    #[error(
        "`{}` is damaged ({detail}); restore it from a backup, or move it away together with its `-wal` file to begin \
         with an empty one; nothing was overwritten",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is damaged.
        detail: String,
    },
    /// The file is the database of another program.
    #[error("`{}` is a database of another program; use another data folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "`{}` has schema version {found}, this program knows up to {known}; use the newer program, or a backup from \
         before the upgrade",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema version.
        found: i64,
        /// The newest this program knows.
        known: i64,
    },
    /// Another process holds the database.
    #[error("another process is writing `{}`; try again, or stop the other process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The name or id is taken.
    #[error("there is already a {what} `{name}`; choose another name")]
    Duplicate {
        /// `project`, `provider`, `user`, ...
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// There is no such thing.
    #[error("there is no {what} `{id}`")]
    Unknown {
        /// `project`, `key`, ...
        what: &'static str,
        /// The id as given.
        id: String,
    },
    /// The intent with this leaf index was applied before.
    #[error("the change of log entry {index} was already made")]
    IntentApplied {
        /// The leaf's index.
        index: u64,
    },
    /// Nobody would be left who may manage users.
    #[error("this is the last administrator who can sign in; make another one first")]
    LastAdministrator,
    /// Someone was to be the first user, and there is one.
    #[error("there is already a user; sign in, or ask an administrator")]
    NotFirst,
    /// A value does not fit the schema.
    #[error("{what} cannot be stored: {detail}")]
    Invalid {
        /// What.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// Anything else that SQLite reports.
    #[error("the database `{}` failed", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// As a caller of the management API sees it: the file's place on the disk is not the caller's business.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let own = |code, fault, retry, detail: &'static str| Problem::new(code, 503, fault, retry, detail);
        match self {
            StoreError::Duplicate { .. } => {
                Problem::new("store.duplicate", 409, Fault::Client, Retry::Never, self.to_string())
            }
            StoreError::Unknown { .. } => {
                Problem::new("store.unknown", 404, Fault::Client, Retry::Never, self.to_string())
            }
            StoreError::Invalid { .. } => {
                Problem::new("store.invalid", 400, Fault::Client, Retry::Never, self.to_string())
            }
            StoreError::LastAdministrator => {
                Problem::new("store.last_administrator", 409, Fault::Client, Retry::Never, self.to_string())
            }
            StoreError::NotFirst => {
                Problem::new("store.not_first", 409, Fault::Client, Retry::Never, self.to_string())
            }
            StoreError::IntentApplied { .. } => {
                Problem::new("store.applied", 409, Fault::Us, Retry::Never, self.to_string())
            }
            StoreError::Busy { .. } => {
                own("store.busy", Fault::Operator, Retry::Later, "the database is busy; try again")
            }
            StoreError::Full { .. } => own(
                "store.full",
                Fault::Operator,
                Retry::Later,
                "no space left for the database; the operator must free some",
            ),
            StoreError::Unreachable { .. }
            | StoreError::ReadOnly { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Foreign { .. }
            | StoreError::Newer { .. }
            | StoreError::Database { .. } => own(
                "store.lost",
                Fault::Operator,
                Retry::Later,
                "the database cannot be used; the operator finds the reason in the server's log",
            ),
        }
    }
}
