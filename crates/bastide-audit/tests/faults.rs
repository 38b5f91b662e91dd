//! A thousand seeded lives of a log on a disk that fails: nothing acknowledged is lost, the log verifies, and it opens
//! again by itself.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bastide_audit::{AuditError, Durability, Log, LogReader, Pending};
use bastide_tlog::{Frontier, Hash};
use support::fault::{FaultDisk, Faults, Rng};
use support::{TestClock, event, key, options};

const DIR: &str = "/data/log";

/// What a witness outside has seen, and what must hold for ever.
#[derive(Default)]
struct Promises {
    /// Acknowledged as synced: index to entry.
    acknowledged: BTreeMap<u64, Vec<u8>>,
    /// Acknowledged as written: what a power cut may take, from the end.
    written: BTreeMap<u64, Vec<u8>>,
    power_cut: bool,
    /// How many of those power cuts took.
    taken: u32,
    /// Every checkpoint that was read: size to root.
    seen: BTreeMap<u64, Hash>,
    crashes: u32,
    errors: u32,
    dropped: u64,
    removed_segments: u32,
}

fn open(disk: &FaultDisk) -> Result<Log, AuditError> {
    Log::open_on(Arc::new(disk.clone()), options(Path::new(DIR)), key(), TestClock::shared())
        .map(|(log, _)| log)
}

/// Notes what is published now.
fn look(disk: &FaultDisk, promises: &mut Promises) {
    if let Ok(reader) = LogReader::open_on(Arc::new(disk.clone()), DIR) {
        let checkpoint = reader.checkpoint();
        let before = promises.seen.insert(checkpoint.size, checkpoint.root);
        assert!(before.is_none_or(|root| root == checkpoint.root), "two roots for {}", checkpoint.size);
    }
}

/// Submits bursts until something fails or enough is done; collects what was acknowledged.
fn work(log: &Log, disk: &FaultDisk, rng: &mut Rng, promises: &mut Promises, serial: &mut u64) {
    for _ in 0..1 + rng.below(12) {
        let most = if rng.chance(100) { 300 } else { 25 };
        let burst = 1 + rng.below(most);
        // Mostly of one kind, as an operator chooses; single ones of the other are in between.
        let share = if rng.chance(500) { 990 } else { 5 };
        let pending: Vec<(Durability, Result<Pending, AuditError>)> = (0..burst)
            .map(|_| {
                *serial += 1;
                let durability = if rng.chance(share) { Durability::Written } else { Durability::Synced };
                (durability, log.submit_as(durability, event(*serial), None))
            })
            .collect();
        let mut failed = false;
        for (durability, one) in pending {
            match one.and_then(Pending::wait) {
                Ok(recorded) => {
                    let (index, entry) = (recorded.index(), recorded.entry().to_vec());
                    let before = match durability {
                        Durability::Synced => promises.acknowledged.insert(index, entry),
                        Durability::Written => promises.written.insert(index, entry),
                    };
                    assert_eq!(before, None, "an index given twice");
                    if rng.chance(20) {
                        recorded.receipt().verify(log.key()).unwrap();
                    }
                }
                Err(_) => failed = true,
            }
        }
        if failed {
            promises.errors += 1;
            return;
        }
        if rng.chance(20) {
            // Long enough for what is only written to be synced.
            std::thread::sleep(Duration::from_millis(30));
        }
        if rng.chance(300) {
            let _ = log.publish_now();
            look(disk, promises);
        }
    }
}

/// Reads everything and compares it with what was promised.
fn check(disk: &FaultDisk, log: &Log, promises: &mut Promises) {
    let size = log.size();
    let past = promises.acknowledged.last_key_value().map_or(0, |(index, _)| index + 1);
    assert!(size >= past, "{past} entries were acknowledged, {size} are there");
    log.publish_now().unwrap();
    let reader = LogReader::open_on(Arc::new(disk.clone()), DIR).unwrap();
    assert_eq!(reader.verify().unwrap(), size);
    let mut entries = Vec::new();
    while (entries.len() as u64) < size {
        let more = reader.entries(entries.len() as u64, 256).unwrap();
        assert!(!more.is_empty());
        entries.extend(more);
    }
    let mut gone = None;
    for (index, bytes) in std::mem::take(&mut promises.written) {
        let there = entries.get(usize::try_from(index).unwrap()).is_some_and(|entry| entry.bytes == bytes);
        assert!(there || promises.power_cut, "only a power cut takes entry {index}");
        assert!(!(there && gone.is_some()), "entry {index} is there, but not {gone:?} before it");
        if there {
            // The start has made it durable.
            assert_eq!(promises.acknowledged.insert(index, bytes), None, "an index given twice");
        } else {
            gone.get_or_insert(index);
            promises.taken += 1;
        }
    }
    for (index, bytes) in &promises.acknowledged {
        assert_eq!(&entries[usize::try_from(*index).unwrap()].bytes, bytes, "entry {index}");
    }
    let mut frontier = Frontier::new();
    for entry in &entries {
        frontier.append(entry.leaf());
        if let Some(root) = promises.seen.get(&frontier.size()) {
            assert_eq!(frontier.root(), *root, "the checkpoint of {}", frontier.size());
        }
    }
    assert!(promises.seen.last_key_value().is_none_or(|(size, _)| *size <= frontier.size()));
}

fn life(seed: u64) -> Promises {
    let mut rng = Rng(seed);
    let mut promises = Promises::default();
    let mut serial = seed << 32;
    let mut disk = FaultDisk::new(rng.next(), Faults::default());
    for _ in 0..2 + rng.below(4) {
        let faults = Faults {
            stop_at: rng.chance(700).then(|| 1 + rng.below(400)),
            error_at: rng.chance(300).then(|| 1 + rng.below(300)),
            short: if rng.chance(400) { 300 } else { 0 },
            capacity: rng
                .chance(150)
                .then(|| disk.used() + 40_000 + usize::try_from(rng.below(300_000)).unwrap()),
            ..Faults::default()
        };
        disk.set_faults(faults);
        promises.power_cut = false;
        let ended = match open(&disk) {
            Ok(log) => {
                work(&log, &disk, &mut rng, &mut promises, &mut serial);
                if faults.capacity.is_some() && log.healthy().is_err() {
                    // The operator makes room; unless something else is wrong, the log goes on by itself.
                    disk.set_faults(Faults { capacity: None, stop_at: None, error_at: None, ..faults });
                    work(&log, &disk, &mut rng, &mut promises, &mut serial);
                }
                if rng.chance(300) { log.close().is_ok() } else { false }
            }
            Err(AuditError::Corrupt { path, detail }) => panic!("{}: {detail}", path.display()),
            Err(AuditError::OtherLog { detail, .. }) => panic!("{detail}"),
            Err(_) => false,
        };
        look(&disk, &mut promises);
        promises.crashes += u32::from(!ended);
        disk.stop();
        promises.power_cut = rng.chance(700);
        disk = disk.restarted(promises.power_cut, Faults::default());
        // Sometimes the machine fails again while it recovers.
        if rng.chance(300) {
            disk.set_faults(Faults { stop_at: Some(1 + rng.below(30)), ..Faults::default() });
            match open(&disk) {
                Err(AuditError::Corrupt { path, detail }) => panic!("{}: {detail}", path.display()),
                Err(AuditError::OtherLog { detail, .. }) => panic!("{detail}"),
                _ => {}
            }
            disk.stop();
            let again = rng.chance(700);
            promises.power_cut |= again;
            disk = disk.restarted(again, Faults::default());
        }
        let (log, recovery) =
            Log::open_on(Arc::new(disk.clone()), options(Path::new(DIR)), key(), TestClock::shared())
                .unwrap();
        promises.dropped += recovery.dropped_bytes;
        check(&disk, &log, &mut promises);
        if rng.chance(500) {
            log.close().unwrap();
            let oldest = disk.files().into_iter().find(|p| p.extension().is_some_and(|e| e == "seg"));
            promises.removed_segments += u32::from(!oldest.unwrap().ends_with("00000000000000000000.seg"));
        }
        disk.stop();
        disk = disk.restarted(rng.chance(500), Faults::default());
        disk.set_faults(Faults::default());
    }
    let log = open(&disk).unwrap();
    check(&disk, &log, &mut promises);
    log.close().unwrap();
    promises
}

#[test]
fn nothing_acknowledged_is_lost() {
    let lives: u64 = std::env::var("BASTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let first: u64 = std::env::var("BASTIDE_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let next = std::sync::atomic::AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from).max(4);
    let totals: Vec<Promises> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut total = Promises::default();
                    loop {
                        let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if n >= lives {
                            return total;
                        }
                        let lived = std::panic::catch_unwind(|| life(first + n)).unwrap_or_else(|cause| {
                            eprintln!(
                                "the life of seed {} failed: BASTIDE_CASES=1 BASTIDE_SEED={0}",
                                first + n
                            );
                            std::panic::resume_unwind(cause)
                        });
                        total.crashes += lived.crashes;
                        total.errors += lived.errors;
                        total.dropped += u64::from(lived.dropped > 0);
                        total.taken += u32::from(lived.taken > 0);
                        total.removed_segments += u32::from(lived.removed_segments > 0);
                    }
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    let crashes: u32 = totals.iter().map(|t| t.crashes).sum();
    let errors: u32 = totals.iter().map(|t| t.errors).sum();
    let dropped: u64 = totals.iter().map(|t| t.dropped).sum();
    let taken: u32 = totals.iter().map(|t| t.taken).sum();
    let removed: u32 = totals.iter().map(|t| t.removed_segments).sum();
    eprintln!(
        "{lives} lives: {crashes} crashes, {errors} with errors, {dropped} with torn batches, {taken} with \
         entries that were only written and are gone, {removed} with removed segments"
    );
    // A test of faults in which nothing fails would prove nothing.
    if lives >= 100 {
        assert!(u64::from(crashes) > lives && u64::from(errors) > lives / 2);
        assert!(u64::from(taken) > lives / 20);
        assert!(dropped > lives / 20 && u64::from(removed) > lives / 20);
    }
}
