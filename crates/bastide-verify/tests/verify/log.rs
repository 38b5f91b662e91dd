//! Whole logs: those that hold, and every way we know of breaking one.

use std::path::Path;

use crate::support::{EPOCH_2026, Log, entry, files, leaf, number, outcome, request, text};
use bastide_verify::{Entries, FailureKind, LogOptions, verify_consistency, verify_log, verify_log_with};
use tempfile::tempdir;

/// `BASTIDE_CASES=all` alters every bit of every file.
fn step() -> usize {
    if std::env::var("BASTIDE_CASES").is_ok() { 1 } else { 7 }
}

fn broken(log: &Log, what: &str) {
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let failure = verify_log(dir.path(), Some(&log.vkey())).expect_err(what);
    assert_eq!(failure.kind, FailureKind::DoesNotHold, "{what}: {failure}");
}

#[test]
fn logs_of_every_awkward_size_hold() {
    for exchanges in [0, 1, 2, 120, 129, 130, 300, 700] {
        let log = Log::of_exchanges(exchanges);
        let dir = tempdir().unwrap();
        log.publish(&dir.path().join("log"));
        let report = verify_log(dir.path(), Some(&log.vkey())).unwrap();
        assert_eq!(report.size, log.entries.len() as u64);
        assert_eq!(report.open_requests, exchanges.min(2));
        assert_eq!(report.kinds.get("request").copied().unwrap_or(0), exchanges);
        assert!(report.key_given);
        let own = verify_log(&dir.path().join("log"), None).unwrap();
        assert!(!own.key_given && own.to_string().contains("the folder's own key"));
    }
    let empty = Log::new(Vec::new());
    let dir = tempdir().unwrap();
    empty.publish(dir.path());
    assert_eq!(verify_log(dir.path(), None).unwrap().size, 0);
}

#[test]
fn three_levels_of_tiles_hold() {
    let entries = (0..66_000).map(|i| entry("stopped", EPOCH_2026 + i, vec![])).collect();
    let log = Log::new(entries);
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let report = verify_log(dir.path(), Some(&log.vkey())).unwrap();
    assert_eq!((report.bundles, report.tiles), (258, 258 + 2 + 1));
}

/// Every file, every byte (every seventh by default), one bit: nothing verifies.
#[test]
fn no_altered_bit_anywhere_verifies() {
    let log = Log::of_exchanges(160);
    assert!(log.entries.len() > 256, "a full tile, a partial one and a second level");
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let key = log.vkey();
    assert!(verify_log(dir.path(), Some(&key)).is_ok());
    let mut tried = 0;
    for file in files(dir.path()) {
        let good = std::fs::read(&file).unwrap();
        let own_key = file.ends_with("log.vkey");
        let step = if good.len() < 300 { 1 } else { step() * 13 };
        for i in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[i] ^= 1 << (i % 8);
            std::fs::write(&file, &bad).unwrap();
            let result = verify_log(dir.path(), if own_key { None } else { Some(&key) });
            assert!(result.is_err(), "{} byte {i}", file.display());
            tried += 1;
        }
        // The last byte of a key's file is a line feed that may be missing.
        for cut in [0, good.len() / 2, good.len() - 1 - usize::from(own_key)] {
            std::fs::write(&file, &good[..cut]).unwrap();
            assert!(verify_log(dir.path(), if own_key { None } else { Some(&key) }).is_err());
        }
        std::fs::write(&file, [&good[..], b"\0"].concat()).unwrap();
        assert!(verify_log(dir.path(), if own_key { None } else { Some(&key) }).is_err());
        std::fs::remove_file(&file).unwrap();
        assert!(verify_log(dir.path(), if own_key { None } else { Some(&key) }).is_err());
        std::fs::write(&file, &good).unwrap();
    }
    assert!(tried > 500, "{tried} bits altered");
    assert!(verify_log(dir.path(), Some(&key)).is_ok());
}

#[test]
fn entries_that_are_not_ours_or_not_canonical_do_not_hold() {
    let good = entry("stopped", 5, vec![]);
    assert!(verify(&Log::new(vec![good.clone()])).is_ok());
    let mut indefinite = good.clone();
    indefinite[0] = 0xbf;
    indefinite.push(0xff);
    broken(&Log::new(vec![indefinite]), "an indefinite length");
    broken(&Log::new(vec![[&good[..], b"\0"].concat()]), "bytes after the entry");
    broken(
        &Log::new(vec![crate::support::cbor(&crate::support::map(vec![("v", number(2))]))]),
        "another version",
    );
    broken(&Log::new(vec![b"one".to_vec()]), "no CBOR");
    broken(&Log::new(vec![Vec::new()]), "nothing");
    let large = entry("stopped", 5, vec![("x", text(&"y".repeat(16_384)))]);
    broken(&Log::new(vec![large]), "too large");
    let kinds = (0..400).map(|i| entry(&format!("kind {i}"), 5, vec![])).collect();
    broken(&Log::new(kinds), "kinds without end");
}

fn verify(log: &Log) -> Result<bastide_verify::LogReport, bastide_verify::Failure> {
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    verify_log(dir.path(), Some(&log.vkey()))
}

#[test]
fn outcomes_belong_to_their_requests() {
    let (a, b) = (request("exc_a", 1), request("exc_b", 2));
    let of_a = leaf(&a);
    let of = |last: Vec<Vec<u8>>| Log::new([vec![a.clone(), b.clone()], last].concat());
    assert_eq!(verify(&of(vec![outcome("exc_a", 3, 0, of_a)])).unwrap().open_requests, 1);
    broken(&of(vec![outcome("exc_b", 3, 0, of_a)]), "of another exchange");
    broken(&of(vec![outcome("exc_a", 3, 1, of_a)]), "of another request");
    broken(&of(vec![outcome("exc_a", 3, 0, leaf(&b))]), "another leaf");
    broken(&of(vec![outcome("exc_a", 3, 2, of_a)]), "of itself");
    broken(&of(vec![outcome("exc_a", 3, 99, of_a)]), "of the future");
    broken(&of(vec![outcome("exc_a", 3, 0, of_a), outcome("exc_a", 4, 0, of_a)]), "two outcomes");
    broken(&of(vec![entry("outcome", 3, vec![("exchange", text("exc_a"))])]), "of nothing");
    broken(&Log::new(vec![entry("request", 3, vec![])]), "a request of no exchange");
    let first = entry("stopped", 1, vec![]);
    broken(&Log::new(vec![first.clone(), outcome("exc_a", 3, 0, leaf(&first))]), "of no request");
}

#[test]
fn changes_end_what_they_began() {
    let change = |resource: &str, more: Vec<(&'static str, ciborium::Value)>| {
        let phase = if more.is_empty() { "intent" } else { "done" };
        let fields =
            vec![("action", text("key.create")), ("resource", text(resource)), ("phase", text(phase))];
        entry("changed", 1, [fields, more].concat())
    };
    let intent = change("key_1", vec![]);
    let of = |last| Log::new(vec![intent.clone(), last]);
    let done = change("key_1", vec![("intent", number(0))]);
    let again = change("key_1", vec![("intent", number(1))]);
    broken(&Log::new(vec![intent.clone(), done, again]), "of another end");
    assert!(verify(&of(change("key_1", vec![("intent", number(0))]))).is_ok());
    broken(&of(change("key_2", vec![("intent", number(0))])), "of another resource");
    broken(&of(change("key_1", vec![("intent", number(1))])), "of itself");
    broken(&of(change("key_1", vec![("intent", number(7))])), "of the future");
}

#[test]
fn keys_and_origins_must_fit() {
    let log = Log::of_exchanges(3);
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let mut other = Log::new(Vec::new());
    other.key = ed25519_dalek::SigningKey::from_bytes(&[8; 32]);
    assert_eq!(verify_log(dir.path(), Some(&other.vkey())).unwrap_err().kind, FailureKind::DoesNotHold);
    other.key = log.key.clone();
    other.origin = "evil.example/node-1".to_owned();
    assert_eq!(verify_log(dir.path(), Some(&other.vkey())).unwrap_err().kind, FailureKind::DoesNotHold);
    let nowhere = dir.path().join("nowhere");
    assert_eq!(verify_log(&nowhere, None).unwrap_err().exit_code(), 3);
}

#[test]
fn a_log_that_has_grown_is_consistent_and_a_rewritten_one_is_not() {
    let log = Log::of_exchanges(150);
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let options = LogOptions { key: Some(log.vkey()), entries: Entries::Bastide };
    for size in [0, 1, 2, 3, 7, 255, 256, 257, log.entries.len()] {
        let old = log.checkpoint(size);
        let report = verify_consistency(old.as_bytes(), dir.path(), &options).unwrap();
        assert_eq!(report.old_size, size as u64);
    }
    let mut other = Log::of_exchanges(150);
    other.entries[0] = entry("started", EPOCH_2026 + 1, vec![]);
    let failure = verify_consistency(other.checkpoint(40).as_bytes(), dir.path(), &options).unwrap_err();
    assert!(failure.to_string().contains("another root"), "{failure}");
    let longer = Log::of_exchanges(200);
    let failure =
        verify_consistency(longer.checkpoint(longer.entries.len()).as_bytes(), dir.path(), &options)
            .unwrap_err();
    assert!(failure.to_string().contains("fewer"), "a rolled-back log: {failure}");
}

/// A live log may have dropped the partial files of an older size.
#[test]
fn wider_files_serve_an_older_checkpoint() {
    let log = Log::of_exchanges(150);
    for size in [10, 200, 256, 260] {
        let dir = tempdir().unwrap();
        log.publish(dir.path());
        std::fs::write(dir.path().join("checkpoint"), log.checkpoint(size)).unwrap();
        assert_eq!(verify_log(dir.path(), Some(&log.vkey())).unwrap().size, size as u64);
    }
}

/// Another implementation's log: 15 entries written by Tessera, with a checkpoint for every size.
#[test]
fn a_foreign_log_holds_at_every_size() {
    const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    let Ok(data) = std::env::var("BASTIDE_TESTDATA") else {
        eprintln!("BASTIDE_TESTDATA is not set: the foreign log was not verified");
        return;
    };
    let dir = Path::new(&data).join("tlog/log");
    let options = LogOptions { key: Some(KEY.parse().unwrap()), entries: Entries::Any };
    let report = verify_log_with(&dir, &options).unwrap();
    assert_eq!((report.size, report.tiles), (15, 1));
    for size in 0..=15_u64 {
        let old = std::fs::read(dir.join(format!("checkpoint.{size}"))).unwrap();
        let report = verify_consistency(&old, &dir, &options).unwrap();
        assert_eq!(report.old_size, size);
    }
    let strict = LogOptions { entries: Entries::Bastide, ..options };
    assert_eq!(verify_log_with(&dir, &strict).unwrap_err().kind, FailureKind::DoesNotHold);
}
