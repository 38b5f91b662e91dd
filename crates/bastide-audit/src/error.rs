//! What can go wrong with the log, and who can mend it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bastide_types::{Fault, Problem, Retry};

/// Why something was not recorded, or the log not opened.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// More waits to be written than the queue may hold.
    #[error("the log's queue is full: the disk does not keep up")]
    Full,
    /// The log was closed.
    #[error("the log is closed")]
    Closed,
    /// The event that this one speaks of was not recorded.
    #[error("the log does not have the entry that this one belongs to")]
    Unfounded,
    /// A write or sync failed, after which no one can say what is on the disk. A second sync could report success
    /// for pages that the kernel has already dropped, so nothing is retried: restart, and recovery reads what is
    /// really there.
    #[error("the log stopped after a failed write; check the disk and restart")]
    Poisoned(#[source] Arc<io::Error>),
    /// The disk is full.
    #[error(
        "no space left for the log in `{}`: free space there, for example by removing old backups or exports; the \
         log's own files must stay", folder.display()
    )]
    NoSpace {
        /// The folder whose disk is full.
        folder: PathBuf,
    },
    /// An event that has over 16 KiB even without its findings.
    #[error("an event of {bytes} bytes is larger than the 16384 bytes that an entry may have")]
    TooLarge {
        /// Its size without findings.
        bytes: usize,
    },
    /// A file could not be read or written.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// What was tried: `read`, `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// What is on the disk contradicts itself in a way that no crash explains.
    #[error(
        "the log is damaged at `{}`: {detail}; it was not touched: restore the folder from a backup or start a new \
         log under another origin, and keep this one as evidence", path.display()
    )]
    Corrupt {
        /// Where.
        path: PathBuf,
        /// How.
        detail: String,
    },
    /// The log in the folder belongs to another key or origin.
    #[error("the log in `{}` belongs to another key or origin: {detail}", folder.display())]
    OtherLog {
        /// The folder.
        folder: PathBuf,
        /// Whose it is.
        detail: String,
    },
    /// Another process writes this log.
    #[error("another process writes the log in `{}`", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },
    /// An option that cannot be.
    #[error("bad log option: {0}")]
    Options(&'static str),
}

impl AuditError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        if is_full(&source) {
            let folder = path.parent().unwrap_or(path).to_owned();
            return AuditError::NoSpace { folder };
        }
        AuditError::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        AuditError::Corrupt { path: path.to_owned(), detail: detail.into() }
    }

    /// What a caller whose request could not be recorded is told: it is not served, because nothing unrecorded is.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let (code, fault, retry) = match self {
            AuditError::Full => ("audit.busy", Fault::Us, Retry::Later),
            AuditError::Closed => ("audit.closed", Fault::Us, Retry::Later),
            AuditError::NoSpace { .. } => ("audit.no_space", Fault::Operator, Retry::Later),
            AuditError::TooLarge { .. } => ("audit.too_large", Fault::Client, Retry::Never),
            _ => ("audit.failed", Fault::Operator, Retry::Later),
        };
        let status = if matches!(self, AuditError::TooLarge { .. }) { 413 } else { 503 };
        // Paths are the operator's business: the caller learns the kind only.
        let detail = match self {
            AuditError::Full => "the audit log does not keep up, so the request was not served; try again",
            AuditError::TooLarge { .. } => "the request is too large to be recorded, so it was not served",
            _ => "the audit log cannot be written, so the request was not served",
        };
        Problem::new(code, status, fault, retry, detail)
    }
}

/// Whether the disk or the quota is exhausted.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
