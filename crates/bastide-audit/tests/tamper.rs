//! Whoever changes what is on the disk is noticed.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bastide_audit::{AuditError, Log, LogReader};
use proptest::prelude::*;
use support::fault::{FaultDisk, Faults};
use support::{TestClock, event, key, options};

const DIR: &str = "/data/log";

/// A log of 600 entries, closed in order or crashed, and its files.
fn log_of(entries: u64, close: bool) -> FaultDisk {
    let disk = FaultDisk::new(3, Faults::default());
    let (log, _) = open(&disk).unwrap();
    let pending: Vec<_> = (0..entries).map(|n| log.submit(event(n)).unwrap()).collect();
    pending.into_iter().for_each(|p| drop(p.wait().unwrap()));
    log.publish_now().unwrap();
    if close {
        // With the reserve there, the end leaves nothing but tiles and an empty segment.
        while !log.stats().reserve_ready {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        log.close().unwrap();
    }
    disk.restarted(false, Faults::default())
}

fn open(disk: &FaultDisk) -> Result<(Log, bastide_audit::Recovery), AuditError> {
    let options = options(Path::new(DIR)).segment_bytes(1 << 20);
    Log::open_on(Arc::new(disk.clone()), options, key(), TestClock::shared())
}

fn verifies(disk: &FaultDisk) -> bool {
    LogReader::open_on(Arc::new(disk.clone()), DIR).and_then(|r| r.verify()).is_ok()
}

/// The files that the newest checkpoint commits to.
fn committed(disk: &FaultDisk, size: u64) -> Vec<PathBuf> {
    use bastide_tlog::{TileKind, TilePath};
    let mut paths = vec![PathBuf::from(DIR).join("checkpoint"), PathBuf::from(DIR).join("log.vkey")];
    for kind in [TileKind::Entries, TileKind::Hashes(0), TileKind::Hashes(1)] {
        let tiles = (0..).map_while(|index| TilePath::in_tree(kind, index, size));
        paths.extend(tiles.map(|tile| PathBuf::from(DIR).join(tile.to_string())));
    }
    let files = disk.files();
    assert!(paths.iter().all(|p| files.contains(p)), "{paths:?}");
    paths
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn no_changed_byte_verifies(file: prop::sample::Index, at: prop::sample::Index, flip in 1..=255_u8) {
        static LOG: std::sync::OnceLock<FaultDisk> = std::sync::OnceLock::new();
        let original = LOG.get_or_init(|| log_of(600, true));
        let disk = original.copy();
        let files = committed(&disk, 600);
        let path = file.get(&files);
        disk.tamper(path, |bytes| {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        });
        prop_assert!(!verifies(&disk), "{}", path.display());
    }

    #[test]
    fn no_cut_file_verifies(file: prop::sample::Index, by in 1..200_usize) {
        static LOG: std::sync::OnceLock<FaultDisk> = std::sync::OnceLock::new();
        let original = LOG.get_or_init(|| log_of(600, true));
        let disk = original.copy();
        let files = committed(&disk, 600);
        let path = file.get(&files);
        // The last newline of the key's line is not part of it.
        let by = if path.ends_with("log.vkey") { by + 1 } else { by };
        disk.tamper(path, |bytes| bytes.truncate(bytes.len().saturating_sub(by)));
        prop_assert!(!verifies(&disk), "{}", path.display());
    }
}

#[test]
fn the_untouched_log_verifies() {
    for entries in [0, 1, 255, 256, 257, 600] {
        assert!(entries == 0 || verifies(&log_of(entries, true)), "{entries}");
    }
}

fn segment(disk: &FaultDisk) -> PathBuf {
    disk.files().into_iter().find(|p| p.extension().is_some_and(|e| e == "seg")).unwrap()
}

#[test]
fn damage_in_the_middle_of_a_segment_is_refused_and_left_alone() {
    let disk = log_of(40, false);
    let path = segment(&disk);
    disk.tamper(&path, |bytes| bytes[4096 + 100] ^= 1);
    let before = disk.copy();
    assert!(matches!(open(&disk), Err(AuditError::Corrupt { .. })));
    assert!(matches!(open(&before), Err(AuditError::Corrupt { .. })), "again and again");
}

#[test]
fn published_entries_that_are_gone_are_refused() {
    // The whole last batch is lost without a trace behind it: only the checkpoint knows.
    let disk = log_of(40, false);
    let path = segment(&disk);
    disk.tamper(&path, |bytes| bytes[4096..].fill(0));
    let Err(AuditError::Corrupt { detail, .. }) = open(&disk) else { unreachable!("it opened") };
    assert!(detail.contains("the checkpoint covers 40 entries"), "{detail}");

    let disk = log_of(40, false);
    disk.tamper(&segment(&disk), |bytes| bytes[20] ^= 1);
    assert!(matches!(open(&disk), Err(AuditError::Corrupt { .. })), "a damaged header");

    let disk = log_of(600, true);
    disk.tamper(&Path::new(DIR).join("tile/0/001"), |bytes| bytes[77] ^= 1);
    assert!(matches!(open(&disk), Err(AuditError::Corrupt { .. })), "a damaged tile");
}

#[test]
fn a_rewritten_history_is_refused() {
    // Another log under the same key, as whoever holds the key could write it; the checkpoint is the old one.
    let (old, new) = (log_of(40, false), FaultDisk::new(5, Faults::default()));
    let (log, _) = open(&new).unwrap();
    (0..40).for_each(|n| drop(log.submit(event(n + 1000)).unwrap().wait().unwrap()));
    new.stop();
    drop(log);
    let new = new.restarted(false, Faults::default());
    let mut checkpoint = Vec::new();
    old.tamper(&Path::new(DIR).join("checkpoint"), |bytes| checkpoint = bytes.clone());
    let path = Path::new(DIR).join("checkpoint");
    if new.files().contains(&path) {
        new.tamper(&path, |bytes| *bytes = checkpoint);
        let Err(AuditError::Corrupt { detail, .. }) = open(&new) else { unreachable!("it opened") };
        assert!(detail.contains("not those of the checkpoint"), "{detail}");
    }
}
