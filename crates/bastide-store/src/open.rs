//! Opening the database: never overwriting, never guessing.
//!
//! SQLite takes an empty file for a new database, so a file that a failing disk truncated would become an empty set of
//! keys without a word. A new database is therefore made under another name and moved into place when it is complete:
//! a file that is there and empty is damage.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::database::{Store, classify};
use crate::error::StoreError;
use crate::migrations::{APPLICATION_ID, STEPS};

/// The database's name in the data folder.
const FILE: &str = "bastide.db";
/// How long a statement waits for another process. Longer than any change takes, shorter than a person's patience.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);
/// SQLite's default page size, which new databases get.
const PAGE_BYTES: u64 = 4096;
/// Databases up to this size are checked whenever they are opened (about 5 ms per MiB); larger ones only when they
/// were not closed in order.
const ALWAYS_CHECKED_BYTES: u64 = 8 << 20;

impl Store {
    /// Opens the database of a data folder, or makes a new one (readable by its owner only).
    ///
    /// # Errors
    /// When the folder cannot be used, the file is damaged, another program's, or of a newer version. An error leaves
    /// the file as it was.
    pub fn open(dir: &Path) -> Result<Store, StoreError> {
        let unreachable = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| match source.kind() {
                io::ErrorKind::ReadOnlyFilesystem => StoreError::ReadOnly { path },
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path },
                _ => StoreError::Unreachable { path, source },
            }
        };
        // Links are resolved once, here; SQLite then refuses any (`NOFOLLOW`).
        let dir = fs::canonicalize(dir).map_err(unreachable(dir))?;
        let path = dir.join(FILE);
        let wal = dir.join(format!("{FILE}-wal"));
        let length = match fs::symlink_metadata(&path) {
            Ok(meta) => Some(meta.len()),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(unreachable(&path)(e)),
        };
        let wal_length = fs::symlink_metadata(&wal).map_or(0, |m| m.len());
        match length {
            Some(0) => return Err(StoreError::Corrupt { path, detail: "the file is empty".into() }),
            None if wal_length > 0 => {
                let detail = "the file is missing, and its write-ahead log is still there".into();
                return Err(StoreError::Corrupt { path, detail });
            }
            None => create(&dir, &path).map_err(|e| match e {
                Creation::Io(e) => unreachable(&dir)(e),
                Creation::Store(e) => e,
            })?,
            Some(_) => {}
        }

        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let mut writer = connect(&path, flags | OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let fail = |e| classify(&path, e);
        // SQLite opens a file that it may not write for reading, without a word.
        if writer.is_readonly("main").map_err(fail)? {
            return Err(StoreError::ReadOnly { path });
        }
        identify(&path, &writer)?;
        // SQLite reads a last page that is cut short as if zeros followed; ours are written whole.
        if wal_length == 0 && length.is_some_and(|l| l % PAGE_BYTES != 0) {
            let detail = "it is cut short: its length is no whole number of pages".into();
            return Err(StoreError::Corrupt { path, detail });
        }
        let check = wal_length > 0 || length.is_some_and(|l| l <= ALWAYS_CHECKED_BYTES);
        if check {
            let verdict: String =
                writer.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(fail)?;
            if verdict != "ok" {
                return Err(StoreError::Corrupt { path, detail: verdict });
            }
        }
        let mode: String =
            writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(fail)?;
        if mode != "wal" {
            return Err(StoreError::ReadOnly { path });
        }
        migrate(&path, &mut writer)?;
        let reader = connect(&path, flags | OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Store::new(path, writer, Some(reader)))
    }

    /// Opens the database of a data folder to read in it, also while a server has it open; `None`: there is none. Nothing is
    /// made or changed by it, and what would be changed through it fails.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open_to_read(dir: &Path) -> Result<Option<Store>, StoreError> {
        let path = dir.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = connect(&path, flags)?;
        identify(&path, &connection)?;
        Ok(Some(Store::new(path, connection, None)))
    }

    /// Looks for damage in the database of a data folder, also while a server has it open, and changes nothing: what is
    /// wrong, ten things at most.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn check(dir: &Path) -> Result<Vec<String>, StoreError> {
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_READ_ONLY;
        let connection = connect(&path, flags)?;
        let fail = |e| classify(&path, e);
        identify(&path, &connection)?;
        let mut statement = connection.prepare("PRAGMA quick_check(10)").map_err(fail)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0)).map_err(fail)?;
        let said = rows.collect::<Result<Vec<_>, _>>().map_err(fail)?;
        Ok(said.into_iter().filter(|line| line != "ok").collect())
    }

    /// A store that is gone with the process, for tests and trials.
    ///
    /// # Errors
    /// When SQLite has no memory for it.
    pub fn in_memory() -> Result<Store, StoreError> {
        let path = PathBuf::from(":memory:");
        let mut writer = Connection::open_in_memory().map_err(|e| classify(&path, e))?;
        configure(&writer).map_err(|e| classify(&path, e))?;
        migrate(&path, &mut writer)?;
        Ok(Store::new(path, writer, None))
    }
}

enum Creation {
    Io(io::Error),
    Store(StoreError),
}

impl From<io::Error> for Creation {
    fn from(e: io::Error) -> Self {
        Creation::Io(e)
    }
}

/// Makes a complete empty database beside its place and moves it there, unless another process was faster.
fn create(dir: &Path, path: &Path) -> Result<(), Creation> {
    static ATTEMPTS: AtomicU64 = AtomicU64::new(0);
    let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let name = format!("{FILE}.new-{}-{attempt}", std::process::id());
    let fresh = dir.join(&name);
    // Left by a process of the same id that died here.
    for name in [fresh.clone(), dir.join(format!("{name}-journal"))] {
        match fs::remove_file(&name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e.into()),
            _ => {}
        }
    }
    // SQLite would create it with the process's umask; its `-wal` and `-shm` copy the mode of the file.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let made = (|| {
        let mut connection = connect(&fresh, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(Creation::Store)?;
        migrate(&fresh, &mut connection).map_err(Creation::Store)?;
        connection.close().map_err(|(_, e)| Creation::Store(classify(&fresh, e)))?;
        File::open(&fresh)?.sync_all()?;
        // A link, unlike a rename, never replaces what another process put there meanwhile.
        match fs::hard_link(&fresh, path) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) if !path.exists() => fs::rename(&fresh, path)?, // a file system without links
            linked => linked?,
        }
        File::open(dir)?.sync_all()?;
        Ok(())
    })();
    // Also after a failure; after the rename there is nothing to remove.
    let _ = fs::remove_file(&fresh);
    made
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|e| match e {
        rusqlite::Error::SqliteFailure(f, _) if f.code == rusqlite::ErrorCode::CannotOpen => {
            StoreError::Unreachable { path: path.to_owned(), source: io::Error::other(f.to_string()) }
        }
        e => classify(path, e),
    })?;
    configure(&connection).map_err(|e| match e {
        // SQLite opens a file it may not write, and notices later.
        rusqlite::Error::SqliteFailure(f, _) if f.code == rusqlite::ErrorCode::CannotOpen => {
            StoreError::ReadOnly { path: path.to_owned() }
        }
        e => classify(path, e),
    })?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // Even whoever can edit the file cannot make the schema run code or rewrite itself.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch(
        // A commit that was reported is on the disk.
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         -- A damaged page is reported when it is read, not followed.
         PRAGMA cell_size_check = ON;
         -- What is deleted (sealed credentials) is overwritten.
         PRAGMA secure_delete = ON;
         PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Whether the file is ours and of a version that we know.
fn identify(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let pragma = |name: &str| -> Result<i64, StoreError> {
        connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).map_err(|e| classify(path, e))
    };
    if pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    let (found, known) = (pragma("user_version")?, known_version());
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(())
}

fn known_version() -> i64 {
    i64::try_from(STEPS.len()).unwrap_or(i64::MAX)
}

/// Takes the missing steps, each whole or not at all.
fn migrate(path: &Path, connection: &mut Connection) -> Result<(), StoreError> {
    let fail = |e| classify(path, e);
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
    for (step, target) in STEPS.iter().zip(1i64..).filter(|(_, target)| *target > version) {
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        // Another process may have taken the step while we waited.
        let now: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(fail)?;
        if now >= target {
            continue;
        }
        transaction.execute_batch(step).map_err(fail)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
        transaction.pragma_update(None, "user_version", target).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    Ok(())
}
