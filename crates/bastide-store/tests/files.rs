//! Damaged files, other programs' files, folders that cannot be used: a message that helps, and nothing lost.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use bastide_store::{KeyLimits, NewKeyRow, NewProject, Store, StoreError};
use bastide_types::{Digest, KeyId, OrganisationId, ProjectId, Timestamp};
use rusqlite::Connection;

fn filled(dir: &Path) {
    let store = Store::open(dir).unwrap();
    let at = Timestamp::from_micros(1);
    let (organisation, project) = (OrganisationId::from_bytes([1; 16]), ProjectId::from_bytes([2; 16]));
    store.add_organisation(organisation, "acme", at, 0).unwrap();
    store.add_project(NewProject { id: project, organisation, name: "search" }, at, 1).unwrap();
    for n in 2..60u8 {
        let row = NewKeyRow {
            id: KeyId::from_bytes([n; 16]),
            project,
            name: "some key",
            hint: "bst_",
            lookup: [n; 32],
            demo: false,
            created_by: None,
            expires_at: None,
            limits: KeyLimits::default(),
        };
        store.add_key(&row, at, u64::from(n)).unwrap();
    }
    store
        .set_policy(&"permit (principal, action, resource);\n".repeat(400), Digest([1; 32]), at, 90)
        .unwrap();
}

fn read_everything(store: &Store) -> Result<(), StoreError> {
    store.organisations()?;
    store.projects()?;
    store.keys()?;
    store.all_providers()?;
    store.policies(10)?;
    store.all_users()?;
    store.live_sessions(Timestamp::from_micros(0))?;
    store.guard_profiles(10)?;
    store.sealed("x")?;
    store.meta("x")?;
    store.last_intent()?;
    Ok(())
}

#[test]
fn the_file_is_its_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.set_meta("a", "b").unwrap();
    for name in ["bastide.db", "bastide.db-wal", "bastide.db-shm"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn flipped_bytes_never_panic_and_structural_damage_is_named() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let path = dir.path().join("bastide.db");
    let sound = fs::read(&path).unwrap();
    // Bytes everywhere (most lie in free space or inside a value, where SQLite has nothing to compare them with), and
    // the type byte of each page, which must be noticed.
    let everywhere = (0..sound.len()).step_by(sound.len() / 150);
    let pages = (1..sound.len() / 4096).map(|page| page * 4096);
    let (mut noticed, mut structural) = (0, 0);
    for at in everywhere.chain(pages) {
        let mut damaged = sound.clone();
        damaged[at] ^= 0xff;
        fs::write(&path, &damaged).unwrap();
        match Store::open(dir.path()).and_then(|s| read_everything(&s)) {
            Ok(()) => {}
            Err(e) => {
                noticed += 1;
                structural += usize::from(at % 4096 == 0);
                assert!(
                    matches!(
                        e,
                        StoreError::Corrupt { .. } | StoreError::Foreign { .. } | StoreError::Newer { .. }
                    ),
                    "byte {at}: {e:?}"
                );
                assert!(e.to_string().contains("bastide.db"), "{e}");
                assert_eq!(fs::read(&path).unwrap(), damaged, "byte {at}: a damaged file was written to");
            }
        }
        let _ = fs::remove_file(dir.path().join("bastide.db-wal"));
        let _ = fs::remove_file(dir.path().join("bastide.db-shm"));
    }
    // Overflow pages begin with the number of the next page, and one of them has none.
    let pages = sound.len() / 4096 - 1;
    assert!(
        structural + 2 >= pages && noticed > pages,
        "{structural} of {pages} pages, {noticed} flips in all"
    );
}

#[test]
fn truncated_empty_and_foreign_files_are_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let path = dir.path().join("bastide.db");
    let sound = fs::read(&path).unwrap();
    for length in [0, 1, 15, 100, 4096, 5000, sound.len() / 2, sound.len() - 1, sound.len() - 4096] {
        fs::write(&path, &sound[..length]).unwrap();
        let error = match Store::open(dir.path()) {
            Err(error) => error,
            Ok(_) => panic!("{length} of {} bytes: opened", sound.len()),
        };
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::Foreign { .. }),
            "{length} bytes: {error:?}"
        );
        assert_eq!(fs::read(&path).unwrap(), &sound[..length], "{length} bytes: overwritten");
    }
    fs::write(&path, b"dear diary, ".repeat(1000)).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(error.to_string().contains("restore it from a backup"), "{error}");

    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Foreign { .. })));
}

#[test]
fn a_lost_database_with_its_write_ahead_log_is_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (db, wal) = (dir.path().join("bastide.db"), dir.path().join("bastide.db-wal"));
    let store = Store::open(dir.path()).unwrap();
    store.set_meta("a", "b").unwrap();
    let log = fs::read(&wal).unwrap();
    drop(store);
    fs::remove_file(&db).unwrap();
    fs::write(&wal, &log).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Corrupt { .. })));
    assert!(!db.exists());
    assert_eq!(fs::read(&wal).unwrap(), log);
}

#[test]
fn what_was_committed_survives_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store
        .add_organisation(OrganisationId::from_bytes([1; 16]), "acme", Timestamp::from_micros(1), 0)
        .unwrap();
    // The files as a kill would leave them: the write-ahead log not yet in the database.
    for name in ["bastide.db", "bastide.db-wal"] {
        fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let reopened = Store::open(copy.path()).unwrap();
    assert_eq!(reopened.organisations().unwrap()[0].name, "acme");
    drop(store);
}

#[test]
fn a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let path = dir.path().join("bastide.db");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 999, .. }), "{error:?}");
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("nowhere");
    let error = Store::open(&missing).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
    let file = dir.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(matches!(Store::open(&file), Err(StoreError::Unreachable { .. })));

    let locked = dir.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(locked.join("probe"), b"").is_ok() {
        eprintln!("the superuser ignores permissions: the read-only folder is not tried");
    } else {
        assert!(matches!(
            Store::open(&locked),
            Err(StoreError::Unreachable { .. } | StoreError::ReadOnly { .. })
        ));
    }
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_link_in_the_place_of_the_database_is_refused() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(Store::open(other.path()).unwrap());
    symlink(other.path().join("bastide.db"), dir.path().join("bastide.db")).unwrap();
    assert!(Store::open(dir.path()).is_err());
    // The folder itself may be reached through one.
    let folder = dir.path().join("folder");
    symlink(other.path(), &folder).unwrap();
    Store::open(&folder).unwrap();
}

#[test]
fn two_opens_see_each_other_and_a_blocked_one_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
    one.add_organisation(OrganisationId::from_bytes([1; 16]), "acme", Timestamp::from_micros(1), 0).unwrap();
    assert_eq!(two.organisations().unwrap().len(), 1);
    let blocker = Connection::open(dir.path().join("bastide.db")).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(two.organisations().unwrap().len(), 1, "readers are not blocked");
    let error = two.set_meta("a", "b").unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    blocker.execute_batch("ROLLBACK").unwrap();
    two.set_meta("a", "b").unwrap();
}

#[test]
fn concurrent_first_opens_make_one_database() {
    let dir = tempfile::tempdir().unwrap();
    let threads: Vec<_> = (0u64..6)
        .map(|n| {
            let dir = dir.path().to_owned();
            std::thread::spawn(move || {
                let store = Store::open(&dir).unwrap();
                let id = OrganisationId::from_bytes([u8::try_from(n).unwrap(); 16]);
                store.add_organisation(id, &format!("org {n}"), Timestamp::from_micros(1), n).unwrap();
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(Store::open(dir.path()).unwrap().organisations().unwrap().len(), 6);
    assert_eq!(
        fs::read_dir(dir.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().path().to_string_lossy().contains("new"))
            .count(),
        0
    );
}
