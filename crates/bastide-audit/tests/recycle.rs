//! What a file's earlier life may not do to those who read or mend the later one.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bastide_audit::{Disk, DiskFile, DiskTree, Durability, LocalDisk, Log, LogReader};
use support::fault::{FaultDisk, Faults};
use support::{TestClock, event, key, options};

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// The file system, where something happens just before a certain file is read from a certain place on.
struct Held {
    path: PathBuf,
    from: u64,
    hook: Hook,
}

struct HeldFile(Box<dyn DiskFile>, u64, Option<Hook>);

impl DiskFile for HeldFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        if let Some(hook) = &self.2
            && offset >= self.1
            && let Some(run) = hook.lock().unwrap().take()
        {
            run();
        }
        self.0.read_at(offset, out)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Disk for Held {
    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dirs(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(dir)
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        LocalDisk.read(path, limit)
    }
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        let hook = (path == self.path).then(|| Arc::clone(&self.hook));
        Ok(Box::new(HeldFile(LocalDisk.open(path, write)?, self.from, hook)))
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.create(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_dir(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
    fn tree(&self, dir: &Path) -> io::Result<Box<dyn DiskTree>> {
        LocalDisk.tree(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        LocalDisk.lock(path)
    }
}

fn firsts(dir: &Path) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = std::fs::read_dir(dir.join("segments"))
        .unwrap()
        .filter_map(|e| {
            let e = e.unwrap();
            let name = e.file_name().into_string().unwrap();
            Some((name.strip_suffix(".seg")?.parse().unwrap(), e.metadata().ok()?.ino()))
        })
        .collect();
    found.sort_unstable();
    found
}

/// Reads from the middle of a segment that becomes another one as it is read.
fn read_while_it_becomes_another(from: u64) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let options = options(&dir).segment_bytes(2 << 20).publish_within(Duration::from_secs(3600));
    let (log, _) = Log::open(options, key(), TestClock::shared()).unwrap();
    let add = |log: &Log, count: u64| {
        let pending: Vec<_> = (0..count).map(|_| log.submit(support::request(40)).unwrap()).collect();
        pending.into_iter().for_each(|p| drop(p.wait().unwrap()));
    };
    let old = loop {
        add(&log, 64);
        if let [_, old, _] = firsts(&dir).as_slice() {
            break *old;
        }
    };
    add(&log, 300);
    let became = Arc::new(AtomicBool::new(false));
    let hook: Box<dyn FnOnce() + Send> = Box::new({
        let (log, dir, became) = (log.clone(), dir.clone(), Arc::clone(&became));
        move || {
            log.publish_now().unwrap();
            let began = Instant::now();
            while !log.stats().reserve_ready && began.elapsed() < Duration::from_secs(10) {
                std::thread::sleep(Duration::from_millis(1));
            }
            while began.elapsed() < Duration::from_secs(10) {
                add(&log, 64);
                if firsts(&dir).iter().any(|now| now.1 == old.1) {
                    became.store(true, Ordering::Relaxed);
                    add(&log, 250);
                    break;
                }
            }
        }
    });
    let disk = Held {
        path: dir.join("segments").join(format!("{:020}.seg", old.0)),
        from,
        hook: Arc::new(Mutex::new(Some(hook))),
    };
    let reader = LogReader::open_on(Arc::new(disk), &dir).unwrap();
    let entries = reader.entries(old.0 + 5, 100_000).unwrap();
    assert!(became.load(Ordering::Relaxed), "the file was not used again");
    let mut indices = entries.iter().map(|e| e.index);
    let mut last = indices.next();
    for index in indices {
        assert_eq!(Some(index), last.map(|l| l + 1), "a hole, or an order that is none");
        last = Some(index);
    }
}

#[test]
fn a_reader_that_comes_too_late_for_the_header_gives_no_entries_out_of_order() {
    read_while_it_becomes_another(0);
}

#[test]
fn a_reader_that_is_overtaken_in_the_middle_leaves_no_hole() {
    read_while_it_becomes_another(8192);
}

fn names(disk: &FaultDisk) -> Vec<String> {
    let names = disk.files().into_iter().filter(|p| p.extension().is_some_and(|e| e == "seg"));
    names.map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Fills the segment behind which one that was used before comes next, until the power goes at the given operation.
/// Gives the operations up to the change of segments, where it came so far.
fn life_of_a_reserve(seed: u64, stop_at: Option<u64>) -> Option<u64> {
    let dir = Path::new("/data/log");
    let options = || options(dir).publish_within(Duration::from_secs(3600));
    let disk = FaultDisk::new(seed, Faults::default());
    let (log, _) = Log::open_on(Arc::new(disk.clone()), options(), key(), TestClock::shared()).unwrap();
    let add = || log.submit(event(1)).and_then(bastide_audit::Pending::wait).is_ok();
    while names(&disk).len() < 3 {
        assert!(add());
    }
    let [_, oldest, newest] = names(&disk).try_into().unwrap();
    let newest: u64 = newest.strip_suffix(".seg").unwrap().parse().unwrap();
    while log.size() / 256 * 256 < newest {
        assert!(add());
    }
    log.publish_now().unwrap();
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(!names(&disk).contains(&oldest), "it is the reserve now");
    // Nothing else makes a name durable from here on.
    let before = names(&disk).len();
    disk.set_faults(Faults { stop_at, ..Faults::default() });
    while names(&disk).len() == before && add() {}
    let changed = (names(&disk).len() > before).then(|| disk.operations());
    let size = log.size();
    let cut = disk.restarted(true, Faults::default());
    let opened = Log::open_on(Arc::new(cut), options(), key(), TestClock::shared());
    let (_, recovery) = opened.unwrap_or_else(|e| panic!("stopped at {stop_at:?}: {e}"));
    assert!(recovery.entries >= size, "stopped at {stop_at:?}");
    changed
}

#[test]
fn a_file_is_begun_anew_only_when_its_new_name_is_on_disk() {
    let changed = life_of_a_reserve(0, None).unwrap();
    for seed in 0..8 {
        for stop_at in changed - 4..=changed {
            life_of_a_reserve(seed, Some(stop_at));
        }
    }
}

#[test]
fn what_was_dropped_does_not_fit_behind_what_comes_next() {
    let dir = Path::new("/data/log");
    let open = |disk: &FaultDisk| {
        Log::open_on(Arc::new(disk.clone()), options(dir), key(), TestClock::shared()).unwrap()
    };
    let disk = FaultDisk::new(1, Faults::default());
    let (log, _) = open(&disk);
    log.submit(event(1)).unwrap().wait().unwrap();
    log.publish_now().unwrap();
    let torn = log.submit_as(Durability::Written, event(102), None).unwrap().wait().unwrap();
    log.submit_as(Durability::Written, event(3), None).unwrap().wait().unwrap();
    disk.stop();
    // Of the two that were not synced only the second is whole after the power cut.
    let disk = disk.restarted(false, Faults::default());
    let segment = dir.join("segments").join(format!("{:020}.seg", 0));
    disk.tamper(&segment, |bytes| {
        let at = bytes.windows(torn.entry().len()).position(|w| w == torn.entry()).unwrap();
        bytes[at] ^= 1;
    });
    let (log, recovery) = open(&disk);
    assert_eq!(recovery.entries, 1);
    assert!(recovery.dropped_bytes > 0);
    // As long as the torn one, so that it ends where the other began.
    log.submit(event(302)).unwrap().wait().unwrap();
    disk.stop();
    let (_, recovery) = open(&disk.restarted(false, Faults::default()));
    assert_eq!(recovery.entries, 2, "what was dropped is back");
}

/// A log of three segments; all entries of the first two fill bundles, and nothing of them is published yet.
fn three_segments(dir: &Path) -> Log {
    let options = options(dir).publish_within(Duration::from_secs(3600));
    let (log, _) = Log::open(options, key(), TestClock::shared()).unwrap();
    let add = || drop(log.submit(event(1)).unwrap().wait().unwrap());
    while firsts(dir).len() < 3 {
        add();
    }
    let newest = firsts(dir).pop().unwrap().0;
    while log.size() / 256 * 256 < newest {
        add();
    }
    log
}

#[test]
fn the_reserve_is_a_segment_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let log = three_segments(&dir);
    log.publish_now().unwrap();
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(1));
    }
    // Not by its number, which a new file may get from one that was removed. The first segment is too small.
    let reserve = std::fs::read(dir.join("segments/reserve")).unwrap();
    assert!(reserve.starts_with(b"bstdseg1") && reserve.len() == 64 * 1024);
    log.close().unwrap();
}

#[test]
fn an_orderly_end_without_a_reserve_makes_one_of_a_segment() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("log");
    let log = three_segments(&dir);
    assert!(!log.stats().reserve_ready);
    let size = log.size();
    log.close().unwrap();
    let left: Vec<u64> = firsts(&dir).into_iter().map(|(first, _)| first).collect();
    assert_eq!(left, [size], "nothing is left to read for the next start");
}

#[test]
fn what_a_start_dropped_stays_dropped_when_that_could_not_be_synced() {
    let dir = Path::new("/data/log");
    let open =
        |disk: &FaultDisk| Log::open_on(Arc::new(disk.clone()), options(dir), key(), TestClock::shared());
    let mut tried = 0;
    for seed in 0..40 {
        let disk = FaultDisk::new(seed, Faults::default());
        let (log, _) = open(&disk).unwrap();
        log.submit(event(1)).unwrap().wait().unwrap();
        log.publish_now().unwrap();
        let x = log.submit_as(Durability::Written, event(102), None).unwrap().wait().unwrap();
        let y = log.submit_as(Durability::Written, event(3), None).unwrap().wait().unwrap();
        drop(log.submit(event(4)).unwrap().wait().unwrap());
        disk.stop();
        // The power went: of the first one a part is missing.
        let disk = disk.restarted(true, Faults::default());
        let segment = dir.join("segments").join(format!("{:020}.seg", 0));
        disk.tamper(&segment, |bytes| {
            let at = bytes.windows(x.entry().len()).position(|w| w == x.entry()).unwrap();
            bytes[at] ^= 1;
        });
        for error_at in 1..12 {
            let disk = disk.copy();
            disk.set_faults(Faults { error_at: Some(error_at), ..Faults::default() });
            if open(&disk).is_ok() {
                continue;
            }
            disk.set_faults(Faults::default());
            let (log, recovery) = open(&disk).unwrap();
            if recovery.entries != 1 {
                continue;
            }
            tried += 1;
            // As long as the first one, so that it ends where the second begins.
            log.submit(event(302)).unwrap().wait().unwrap();
            disk.stop();
            let (log, recovery) = open(&disk.restarted(true, Faults::default())).unwrap();
            assert_eq!(recovery.entries, 2, "seed {seed}, error at {error_at}: entry {} is back", y.index());
            drop(log);
        }
    }
    assert!(tried > 20, "{tried}");
}
