//! The log in a real folder.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_audit::{AuditError, Durability, Log, LogOptions, LogReader, Receipt};
use bastide_crypto::SigningKey;
use support::fault::{FaultDisk, Faults};
use support::{ORIGIN, TestClock, event, every_event, key, open, options};

fn segments(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("segments"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".seg"))
        .collect();
    names.sort();
    names
}

#[test]
fn events_are_recorded_in_order_published_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, recovery) = open(dir.path());
    assert_eq!((recovery.entries, recovery.dropped_bytes), (0, 0));
    let events = every_event();
    let pending: Vec<_> = events.iter().map(|e| log.submit(e.clone()).unwrap()).collect();
    for (n, pending) in pending.into_iter().enumerate() {
        let (index, leaf) = (pending.index(), pending.leaf());
        let recorded = pending.wait().unwrap();
        assert_eq!((recorded.index(), recorded.leaf()), (n as u64, leaf));
        assert_eq!(index, n as u64);
        assert_eq!(recorded.entry(), bastide_audit::encode(&events[n]).unwrap());
    }
    assert_eq!(log.size(), events.len() as u64);
    // Before any checkpoint the segments have them.
    log.publish_now().unwrap();
    let reader = LogReader::open(dir.path()).unwrap();
    assert_eq!(reader.verify().unwrap(), events.len() as u64);
    assert_eq!(reader.checkpoint().origin, ORIGIN);
    assert_eq!(reader.key(), log.key());
    for (n, event) in events.iter().enumerate() {
        let entry = reader.entry(n as u64).unwrap().unwrap();
        assert_eq!(entry.value().unwrap().get("kind").unwrap().as_text(), Some(event.kind()));
        assert_eq!(reader.prove(n as u64).unwrap().0, entry.leaf());
    }
    assert_eq!(reader.entry(events.len() as u64).unwrap(), None);
    log.healthy().unwrap();
    log.close().unwrap();
}

#[test]
fn the_checkpoint_follows_by_itself_and_unpublished_entries_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let within = Duration::from_millis(150);
    let (log, _) = Log::open(options(dir.path()).publish_within(within), key(), TestClock::shared()).unwrap();
    log.submit(event(1)).unwrap().wait().unwrap();
    let reader = LogReader::open(dir.path()).unwrap();
    if reader.checkpoint().size == 0 {
        assert_eq!(reader.entry(0).unwrap().unwrap().bytes, bastide_audit::encode(&event(1)).unwrap());
    }
    let began = Instant::now();
    while log.published() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "no checkpoint comes");
        std::thread::sleep(Duration::from_millis(5));
    }
    log.close().unwrap();
}

#[test]
fn a_slow_disk_begins_its_checkpoint_sooner() {
    let disk = FaultDisk::new(1, Faults::default());
    let within = Duration::from_millis(800);
    let options = options(Path::new("/data/log")).publish_within(within);
    let (log, _) = Log::open_on(Arc::new(disk.clone()), options, key(), TestClock::shared()).unwrap();
    // Three files: a tile, a bundle and the checkpoint.
    disk.set_faults(Faults { creates_in: Duration::from_millis(130), ..Faults::default() });
    let published_after = |n| {
        log.submit(event(n)).unwrap().wait().unwrap();
        let began = Instant::now();
        while log.published() <= n {
            std::thread::sleep(Duration::from_millis(5));
        }
        began.elapsed()
    };
    assert!(published_after(0) >= within, "nothing is known of the disk yet");
    // Of the 800 + 390 ms the files are no longer a part; several tries, for a machine that is busy.
    assert!((1..5).any(|n| published_after(n) < within + Duration::from_millis(200)));
    log.close().unwrap();
}

#[test]
fn a_partial_tile_that_did_not_grow_is_not_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) =
        Log::open(options(dir.path()).publish_within(Duration::from_secs(3600)), key(), TestClock::shared())
            .unwrap();
    let publish = |entries: std::ops::Range<u64>| {
        let pending: Vec<_> = entries.map(|n| log.submit(event(n)).unwrap()).collect();
        pending.into_iter().for_each(|p| drop(p.wait().unwrap()));
        log.publish_now().unwrap();
    };
    let inode = |tile: &str| dir.path().join("tile").join(tile).metadata().unwrap().ino();
    publish(0..300);
    let before = inode("1/000.p/1");
    publish(300..310);
    assert_eq!(inode("1/000.p/1"), before);
    assert_ne!(inode("0/001.p/44"), inode("0/001.p/54"));
    publish(310..520);
    assert_ne!(inode("1/000.p/2"), before);
    assert!(!dir.path().join("tile/0/001.p").exists(), "the full one is there");
    LogReader::open(dir.path()).unwrap().verify().unwrap();
    log.close().unwrap();
}

#[test]
fn it_closes_and_opens_across_segments_and_removes_what_is_bundled() {
    let dir = tempfile::tempdir().unwrap();
    let mut next = 0;
    for round in 0..6_u64 {
        let (log, recovery) = open(dir.path());
        assert_eq!((recovery.entries, recovery.dropped_bytes), (next, 0));
        // About 300 bytes each: several segments of 64 KiB a round.
        let pending: Vec<_> = (next..next + 350 + round * 77)
            .map(|n| {
                let pending = log.submit(event(n)).unwrap();
                if n % 20 == 0 { Err(pending.wait().unwrap()) } else { Ok(pending) }
            })
            .collect();
        pending.into_iter().flatten().for_each(|p| drop(p.wait().unwrap()));
        next = log.size();
        if round % 2 == 0 {
            log.close().unwrap();
            let reader = LogReader::open(dir.path()).unwrap();
            assert_eq!(reader.verify().unwrap(), next);
        } else {
            // Dropped without a close: ended in the background, like a process that is told to stop at once.
            drop(log);
            wait_for_lock(dir.path());
        }
    }
    let (log, _) = open(dir.path());
    log.close().unwrap();
    let reader = LogReader::open(dir.path()).unwrap();
    assert_eq!(reader.verify().unwrap(), next);
    for n in (0..next).step_by(97) {
        assert_eq!(reader.entry(n).unwrap().unwrap().bytes, bastide_audit::encode(&event(n)).unwrap());
    }
    assert!(segments(dir.path()).len() < 3, "{:?}", segments(dir.path()));
}

fn wait_for_lock(dir: &Path) {
    let began = Instant::now();
    while let Err(AuditError::Locked { .. }) = Log::open(options(dir), key(), TestClock::shared()).map(drop) {
        assert!(began.elapsed() < Duration::from_secs(20), "the lock stays");
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(2));
    let began = Instant::now();
    while let Err(AuditError::Locked { .. }) =
        Log::open(options(dir), key(), TestClock::shared()).map(|(l, _)| l.close())
    {
        assert!(began.elapsed() < Duration::from_secs(20), "the lock stays");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_burst_into_an_empty_segment_is_all_there() {
    // More at once than the first segment, which is smaller than the others, can hold.
    for round in 0..10 {
        let disk = FaultDisk::new(round, Faults::default());
        let options = || options(Path::new("/data/log")).segment_bytes(4 << 20);
        let (log, _) = Log::open_on(Arc::new(disk.clone()), options(), key(), TestClock::shared()).unwrap();
        let pending: Vec<_> = (0..2_000).map(|n| log.submit(event(n)).unwrap()).collect();
        pending.into_iter().for_each(|p| drop(p.wait().unwrap()));
        log.publish_now().unwrap();
        disk.stop();
        let disk = disk.restarted(round % 2 == 0, Faults::default());
        let (log, recovery) =
            Log::open_on(Arc::new(disk.clone()), options(), key(), TestClock::shared()).unwrap();
        assert_eq!(recovery.entries, 2_000);
        log.publish_now().unwrap();
        assert_eq!(LogReader::open_on(Arc::new(disk), "/data/log").unwrap().verify().unwrap(), 2_000);
        log.close().unwrap();
    }
}

#[test]
fn receipts_verify_and_no_bent_receipt_does() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let pending: Vec<_> = (0..20).map(|n| log.submit(event(n)).unwrap()).collect();
    let recorded: Vec<_> = pending.into_iter().map(|p| p.wait().unwrap()).collect();
    for one in &recorded {
        let text = one.receipt_text();
        assert_eq!(text, one.receipt().to_string());
        assert!(text.bytes().all(|b| b.is_ascii_graphic()));
        let receipt: Receipt = text.parse().unwrap();
        assert_eq!((receipt.index(), receipt.leaf().0), (one.index(), one.leaf()));
        assert_eq!(receipt.entry(), Some(one.entry()));
        receipt.verify(log.key()).unwrap();
    }
    // Every character of the shortest one, by another of its alphabet.
    let text = recorded[0].receipt().to_string();
    for at in 0..text.len() {
        for other in [b'A', b'B', b'_', b'9'] {
            let mut bent = text.clone().into_bytes();
            if bent[at] == other {
                continue;
            }
            bent[at] = other;
            let accepted = Receipt::parse(std::str::from_utf8(&bent).unwrap())
                .is_ok_and(|r| r.verify(log.key()).is_ok());
            assert!(!accepted, "character {at}");
        }
    }
    let stranger =
        bastide_tlog::NoteKey::new(ORIGIN, SigningKey::from_seed([1; 32]).verifying_key()).unwrap();
    assert!(recorded[0].receipt().verify(&stranger).is_err());
    log.close().unwrap();
}

#[test]
fn a_long_entry_is_left_out_of_its_receipt() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let recorded = log.submit(support::request(60)).unwrap().wait().unwrap();
    let receipt = recorded.receipt();
    assert!(recorded.entry().len() > 1536 && receipt.entry().is_none());
    receipt.to_string().parse::<Receipt>().unwrap().verify(log.key()).unwrap();
    log.close().unwrap();
}

#[tokio::test]
async fn tasks_record_and_those_that_leave_take_nothing_back() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let log = log.clone();
            tokio::spawn(async move { log.record(event(n)).await.unwrap().index() })
        })
        .collect();
    let mut indices = Vec::new();
    for task in tasks {
        indices.push(task.await.unwrap());
    }
    indices.sort_unstable();
    assert_eq!(indices, (0..40).collect::<Vec<_>>());
    drop(log.submit(event(40)).unwrap());
    let last = log.record(event(41)).await.unwrap();
    assert_eq!(last.index(), 41);
    let stats = log.stats();
    assert_eq!((stats.entries, stats.batch_records.sum, stats.refused), (42, 42, 0));
    let other = log.clone();
    tokio::task::spawn_blocking(|| log.close()).await.unwrap().unwrap();
    assert!(matches!(other.submit(event(42)), Err(AuditError::Closed)));
    assert!(matches!(other.healthy(), Err(AuditError::Closed)));
}

#[test]
fn one_process_one_key_one_origin() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    log.submit(event(0)).unwrap().wait().unwrap();
    assert!(matches!(
        Log::open(options(dir.path()), key(), TestClock::shared()),
        Err(AuditError::Locked { .. })
    ));
    log.close().unwrap();
    let other_key = Log::open(options(dir.path()), SigningKey::from_seed([9; 32]), TestClock::shared());
    assert!(matches!(other_key, Err(AuditError::OtherLog { .. })));
    let renamed = LogOptions::new(dir.path(), "default/node-2");
    assert!(matches!(Log::open(renamed, key(), TestClock::shared()), Err(AuditError::OtherLog { .. })));
    for bad in ["", "a b", "a+b", "ü"] {
        let options = LogOptions::new(dir.path(), bad);
        assert!(matches!(Log::open(options, key(), TestClock::shared()), Err(AuditError::Options(_))));
    }
    let (log, recovery) = open(dir.path());
    assert_eq!(recovery.entries, 1);
    log.close().unwrap();
}

#[test]
fn a_full_queue_refuses_at_once() {
    let disk = FaultDisk::new(1, Faults::default());
    let options = options(Path::new("/data/log")).queue(3);
    let (log, _) = Log::open_on(Arc::new(disk), options, key(), TestClock::shared()).unwrap();
    let mut refused = 0;
    let mut taken = Vec::new();
    for n in 0..20_000 {
        match log.submit(event(n)) {
            Ok(pending) => taken.push(pending),
            Err(AuditError::Full) => refused += 1,
            Err(other) => unreachable!("{other}"),
        }
    }
    assert!(refused > 0);
    assert_eq!(log.stats().refused, refused);
    let count = taken.len() as u64;
    taken.into_iter().for_each(|p| drop(p.wait().unwrap()));
    assert_eq!(log.size(), count);
    log.close().unwrap();
}

#[test]
fn a_full_disk_says_where_and_the_log_goes_on_when_there_is_room() {
    let disk = FaultDisk::new(1, Faults::default());
    let on = Arc::new(disk.clone());
    let (log, _) = Log::open_on(on, options(Path::new("/data/log")), key(), TestClock::shared()).unwrap();
    log.submit(event(0)).unwrap().wait().unwrap();
    while !log.stats().reserve_ready {
        assert!(!log.stats().reserve_failed, "it is still being made");
        std::thread::sleep(Duration::from_millis(1));
    }
    disk.set_faults(Faults { capacity: Some(disk.used()), ..Faults::default() });
    // The reserve still takes a segment's worth of entries.
    let mut recorded = 1;
    let error = loop {
        match log.submit(event(recorded)).unwrap().wait() {
            Ok(_) => recorded += 1,
            Err(error) => break error,
        }
    };
    assert!(recorded > 150, "the reserve holds more than {recorded}");
    assert!(matches!(&error, AuditError::NoSpace { folder } if folder.starts_with("/data/log")), "{error}");
    assert!(error.to_string().contains("free space"));
    assert_eq!((error.to_problem().code, error.to_problem().status), ("audit.no_space", 503));
    assert!(log.healthy().is_err());
    assert!(log.stats().reserve_failed);
    disk.set_faults(Faults::default());
    let index = log.submit(event(recorded)).unwrap().wait().unwrap().index();
    assert_eq!(index, recorded);
    assert!(!log.stats().reserve_failed);
    log.publish_now().unwrap();
    log.healthy().unwrap();
    log.close().unwrap();
}

#[test]
fn what_speaks_of_a_refused_entry_is_refused_too() {
    let disk = FaultDisk::new(1, Faults::default());
    let on = Arc::new(disk.clone());
    let (log, _) = Log::open_on(on, options(Path::new("/data/log")), key(), TestClock::shared()).unwrap();
    let before = log.submit(event(0)).unwrap();
    log.submit(event(1)).unwrap().wait().unwrap();
    disk.set_faults(Faults { capacity: Some(disk.used()), ..Faults::default() });
    let mut n = 2;
    while log.submit(event(n)).unwrap().wait().is_ok() {
        n += 1;
    }
    // Refused as well, and nobody has asked yet what became of it.
    let last = log.submit(event(n)).unwrap();
    assert!(log.submit(event(n)).unwrap().wait().is_err());
    assert!(matches!(log.submit_as(Durability::Synced, event(n), Some(&last)), Err(AuditError::Unfounded)));
    disk.set_faults(Faults::default());
    // Its index is another event's now.
    let other = log.submit(event(n)).unwrap().wait().unwrap();
    assert!(other.index() <= last.index());
    assert!(matches!(log.submit_as(Durability::Synced, event(n), Some(&last)), Err(AuditError::Unfounded)));
    // What was on disk before the failure is there, and what came after it too.
    log.submit_as(Durability::Synced, event(n), Some(&before)).unwrap().wait().unwrap();
    let next = log.submit(event(n)).unwrap();
    let after = log.submit_as(Durability::Synced, event(n), Some(&next)).unwrap();
    assert_eq!(after.index(), next.index() + 1);
    after.wait().unwrap();
    log.close().unwrap();
}

#[test]
fn a_failed_sync_poisons_until_restart() {
    let disk = FaultDisk::new(1, Faults::default());
    let on = || Arc::new(disk.clone());
    let options = || options(Path::new("/data/log")).publish_within(Duration::from_secs(3600));
    let (log, _) = Log::open_on(on(), options(), key(), TestClock::shared()).unwrap();
    log.submit(event(0)).unwrap().wait().unwrap();
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    // The next operation but one is the sync of the next commit.
    disk.set_faults(Faults { error_at: Some(2), ..Faults::default() });
    assert!(matches!(log.submit(event(1)).unwrap().wait(), Err(AuditError::Poisoned(_))));
    assert!(matches!(log.submit(event(2)), Err(AuditError::Poisoned(_))));
    assert!(matches!(log.healthy(), Err(AuditError::Poisoned(_))));
    assert!(matches!(log.close(), Err(AuditError::Poisoned(_))));
    let (log, recovery) = Log::open_on(on(), options(), key(), TestClock::shared()).unwrap();
    assert!(recovery.entries >= 1);
    log.submit(event(2)).unwrap().wait().unwrap();
    log.close().unwrap();
}

#[test]
fn what_is_only_written_is_acknowledged_before_the_disk_has_it_and_synced_soon_after() {
    let options = || options(Path::new("/data/log")).publish_within(Duration::from_secs(3600));
    let open = |disk: &FaultDisk| {
        Log::open_on(Arc::new(disk.clone()), options(), key(), TestClock::shared()).unwrap()
    };
    let disk = FaultDisk::new(1, Faults::default());
    let (log, _) = open(&disk);
    let written = |n| log.submit_as(Durability::Written, event(n), None).unwrap().wait();
    written(0).unwrap();
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Published no sooner than it is on disk: the checkpoint holds after a power cut.
    log.publish_now().unwrap();
    assert_eq!(open(&disk.copy().restarted(true, Faults::default())).1.entries, 1);
    // The sync that follows these writes fails, some of them reach the disk and some never will.
    disk.set_faults(Faults { error_at: Some(9), ..Faults::default() });
    let acknowledged = (1..9).take_while(|n| written(*n).is_ok()).count() as u64 + 1;
    while log.healthy().is_ok() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(matches!(log.submit(event(9)), Err(AuditError::Poisoned(_))));
    assert!(matches!(log.publish_now(), Err(AuditError::Poisoned(_))), "they will never be on disk");
    assert_eq!(log.published(), 1);
    assert!(matches!(log.close(), Err(AuditError::Poisoned(_))));
    // The end of the process takes nothing, and what the next start found stays.
    let disk = disk.restarted(false, Faults::default());
    let (log, recovery) = open(&disk);
    assert!(recovery.entries >= acknowledged);
    let disk = disk.restarted(true, Faults::default());
    drop(log);
    assert_eq!(open(&disk).1.entries, recovery.entries);
}

#[test]
fn what_is_acknowledged_is_synced_and_published_though_the_next_segment_cannot_be_made() {
    let disk = FaultDisk::new(1, Faults::default());
    let open = |disk: &FaultDisk| {
        Log::open_on(Arc::new(disk.clone()), options(Path::new("/data/log")), key(), TestClock::shared())
            .unwrap()
    };
    let (log, _) = open(&disk);
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    let written = |n| log.submit_as(Durability::Written, event(n), None).unwrap().wait();
    // A file takes long to make: the writer waits for the reserve, and nothing of before waits with it.
    disk.set_faults(Faults { creates_in: Duration::from_millis(700), ..Faults::default() });
    let acknowledged = std::sync::atomic::AtomicU64::new(0);
    let waited = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            (0..600).for_each(|n| {
                written(n).unwrap();
                acknowledged.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        });
        let mut waited = false;
        while !writer.is_finished() {
            let before = acknowledged.load(std::sync::atomic::Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(200));
            if acknowledged.load(std::sync::atomic::Ordering::SeqCst) == before {
                waited |= !writer.is_finished();
                let (_, recovery) = open(&disk.copy().restarted(true, Faults::default()));
                assert!(recovery.entries >= before, "{} of {before} are on disk", recovery.entries);
            }
        }
        waited
    });
    assert!(waited, "this is about a writer that waits");
    disk.set_faults(Faults { capacity: Some(disk.used()), ..Faults::default() });
    let refused = (0..20_000).find_map(|n| written(n).err());
    assert!(matches!(refused, Some(AuditError::NoSpace { .. })), "{refused:?}");
    disk.set_faults(Faults::default());
    let (done, published) = std::sync::mpsc::channel();
    let asked = log.clone();
    std::thread::spawn(move || done.send(asked.publish_now()));
    published.recv_timeout(Duration::from_secs(20)).expect("nobody waits for ever").unwrap();
    assert_eq!(log.published(), log.size());
}

#[test]
fn what_opening_reads_is_shown_in_order_and_to_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let opened = || loop {
        let mut shown = Vec::new();
        let show = |index, entry: &[u8]| shown.push((index, entry.to_vec()));
        let disk = Arc::new(bastide_audit::LocalDisk);
        match Log::open_showing(disk, options(dir.path()), key(), TestClock::shared(), show) {
            // One that was dropped ends beside us.
            Err(AuditError::Locked { .. }) => std::thread::sleep(Duration::from_millis(5)),
            opened => break (opened.unwrap(), shown),
        }
    };
    let ((log, recovery), shown) = opened();
    assert_eq!((recovery.shown_from, shown), (0, Vec::new()));
    let said: Vec<_> = (0..600).map(|n| bastide_audit::encode(&event(n)).unwrap()).collect();
    (0..600).for_each(|n| drop(log.submit(event(n)).unwrap().wait().unwrap()));
    let expected = |from: u64| {
        (from..).zip(said.iter().skip(usize::try_from(from).unwrap()).cloned()).collect::<Vec<_>>()
    };

    // Dropped, it is no orderly end: they are read out of the segments.
    log.publish_now().unwrap();
    drop(log);
    let ((log, recovery), shown) = opened();
    assert!(recovery.shown_from <= 512 && shown == expected(recovery.shown_from), "{recovery:?}");

    // After an orderly end only the bundle that is not full yet is read.
    let since = Instant::now();
    while !log.stats().reserve_ready {
        assert!(since.elapsed() < Duration::from_secs(60), "no segment is made ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    log.close().unwrap();
    let ((log, recovery), shown) = opened();
    assert!(recovery.shown_from == 512 && shown == expected(512), "{recovery:?}");
    log.close().unwrap();
}
