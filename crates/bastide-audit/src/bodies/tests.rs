//! What the store promises, on a real folder and on one that fails.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use bastide_crypto::RootKey;
use bastide_types::{Clock, ExchangeId, KeyId, Timestamp};
use bytes::Bytes;

use super::*;
use crate::Subjects;
use crate::disk::{Disk, DiskFile, DiskTree, LocalDisk};

const START: u64 = 1_790_000_000_000_000;
const LONG: Duration = Duration::from_secs(20);

#[derive(Default)]
struct SetClock(AtomicU64);

impl SetClock {
    fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(START + self.0.load(Ordering::SeqCst))
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::SeqCst))
    }
}

struct Rig {
    dir: tempfile::TempDir,
    clock: Arc<SetClock>,
    subjects: Subjects,
}

const SUBJECT: KeyId = KeyId::from_bytes([1; 16]);

impl Rig {
    fn new() -> Rig {
        let dir = tempfile::tempdir().unwrap();
        let subjects = Subjects::open(dir.path().join("subjects"), &RootKey::from_bytes([1; 32])).unwrap();
        Rig { dir, clock: Arc::default(), subjects }
    }

    fn options(&self) -> BodiesOptions {
        BodiesOptions::new(self.dir.path().join("bodies"))
    }

    fn open(&self, options: BodiesOptions) -> Bodies {
        Bodies::open(options, Arc::clone(&self.clock) as _).unwrap()
    }

    fn exchange(&self, n: u8) -> ExchangeId {
        ExchangeId::at(self.clock.now(), [n; 10])
    }

    fn body(&self, exchange: ExchangeId, kind: BodyKind, text: &[u8]) -> Body {
        let key = self.subjects.body_key(SUBJECT, exchange).unwrap();
        Body::new(exchange, key, kind, &Bytes::copy_from_slice(text))
    }

    fn find(&self, exchange: ExchangeId) -> Vec<SealedBody> {
        BodyReader::new(self.dir.path().join("bodies"))
            .find(exchange, exchange.time(), None, &BodyKind::ALL)
            .unwrap()
    }

    fn text(&self, exchange: ExchangeId, sealed: &SealedBody) -> Result<Vec<u8>, OpenError> {
        sealed.open(&self.subjects.body_key(SUBJECT, exchange).unwrap())
    }

    fn files(&self) -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(self.dir.path().join("bodies"))
            .unwrap()
            .map(|e| e.unwrap())
            .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap()))
            .collect();
        files.sort();
        files
    }
}

#[test]
fn a_body_that_is_cut_lets_go_of_the_rest() {
    let rig = Rig::new();
    let exchange = rig.exchange(1);
    let holds = |size: usize| {
        let text = Bytes::from(vec![7; size]);
        let key = rig.subjects.body_key(SUBJECT, exchange).unwrap();
        let body = Body::new(exchange, key, BodyKind::RequestReceived, &text);
        assert_eq!(body.text, vec![7; size.min(MAX_BODY_BYTES)]);
        !text.is_unique()
    };
    assert_eq!([holds(700), holds(MAX_BODY_BYTES), holds(MAX_BODY_BYTES + 1)], [true, true, false]);
}

#[test]
fn what_is_kept_is_found_by_its_exchange_and_opened_by_its_subject_only() {
    let rig = Rig::new();
    let store = rig.open(rig.options());
    let (one, two) = (rig.exchange(1), rig.exchange(2));
    store.push(rig.body(one, BodyKind::ResponseReceived, b"the answer"));
    store.push(rig.body(one, BodyKind::RequestReceived, b"my card is 4111 1111 1111 1111"));
    store.push(rig.body(two, BodyKind::RequestReceived, b"another"));
    assert!(store.flush(LONG));
    let found = rig.find(one);
    let kinds: Vec<BodyKind> = found.iter().map(|b| b.header().kind).collect();
    assert_eq!(kinds, [BodyKind::RequestReceived, BodyKind::ResponseReceived]);
    assert_eq!(rig.text(one, &found[0]).unwrap(), b"my card is 4111 1111 1111 1111");
    assert_eq!((found[0].header().size, found[0].header().cut), (30, false));
    assert_eq!(rig.text(one, &found[1]).unwrap(), b"the answer");
    assert!(rig.find(rig.exchange(3)).is_empty());
    // Another subject's key, and the key of another exchange of the same subject.
    let stranger = rig.subjects.body_key(KeyId::from_bytes([2; 16]), one).unwrap();
    assert_eq!(found[0].open(&stranger), Err(OpenError::Erased));
    assert_eq!(found[0].open(&rig.subjects.body_key(SUBJECT, two).unwrap()), Err(OpenError::Damaged));
    store.close();
    let files = rig.files();
    assert_eq!(files.len(), 1);
    assert!(!files[0].1.windows(4).any(|w| w == b"4111"), "no text in clear");
}

#[test]
fn an_erased_subject_s_bodies_are_noise_for_good() {
    let rig = Rig::new();
    let store = rig.open(rig.options());
    let exchange = rig.exchange(1);
    store.push(rig.body(exchange, BodyKind::RequestReceived, b"text"));
    // One that is sealed only after the erasure, as of an exchange that was running then.
    let late = rig.body(exchange, BodyKind::ResponseReceived, b"late");
    assert!(store.flush(LONG));
    rig.subjects.erase(SUBJECT).unwrap();
    store.push(late);
    assert!(store.flush(LONG));
    assert!(rig.subjects.exchange_keys(SUBJECT, exchange).unwrap().is_none(), "a reader makes no key");
    assert_eq!(rig.subjects.key_digest(SUBJECT).unwrap(), None);
    for sealed in rig.find(exchange) {
        // The subject goes on and has another key now.
        assert_eq!(rig.text(exchange, &sealed), Err(OpenError::Erased), "{:?}", sealed.header().kind);
    }
}

#[test]
fn a_long_body_is_cut_and_says_so() {
    let rig = Rig::new();
    let store = rig.open(rig.options());
    let exchange = rig.exchange(1);
    let long: Vec<u8> = (0..MAX_BODY_BYTES + 10).map(|i| u8::try_from(i % 251).unwrap()).collect();
    store.push(rig.body(exchange, BodyKind::RequestReceived, &long));
    store.push(rig.body(exchange, BodyKind::RequestSent, &long[..MAX_BODY_BYTES]));
    let key = rig.subjects.body_key(SUBJECT, exchange).unwrap();
    let text = Bytes::from_static(b"begin");
    store.push(Body::beginning(exchange, key.clone(), BodyKind::ResponseReceived, text, 500));
    store.push(Body::prefix(exchange, key, BodyKind::ResponseSent, 3));
    assert!(store.flush(LONG));
    let found = rig.find(exchange);
    let said: Vec<_> = found.iter().map(|b| (b.header().size, b.header().cut, b.header().prefix)).collect();
    let all = u64::try_from(MAX_BODY_BYTES).unwrap();
    assert_eq!(said, [(all + 10, true, false), (all, false, false), (500, true, false), (3, false, true)]);
    assert_eq!(rig.text(exchange, &found[0]).unwrap(), long[..MAX_BODY_BYTES]);
    assert_eq!(rig.text(exchange, &found[2]).unwrap(), b"begin");
}

#[test]
fn every_bit_of_a_record_is_bound() {
    let rig = Rig::new();
    let store = rig.open(rig.options());
    let exchange = rig.exchange(1);
    store.push(rig.body(exchange, BodyKind::RequestReceived, b"text"));
    store.close();
    let (name, bytes) = rig.files().remove(0);
    let path = rig.dir.path().join("bodies").join(name);
    for at in 8..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 4;
        std::fs::write(&path, &bent).unwrap();
        for sealed in rig.find(exchange) {
            assert_eq!(rig.text(exchange, &sealed), Err(OpenError::Damaged), "byte {at}");
        }
    }
    // Whoever mends the check of the header has not mended the seal.
    let mut header = BodyHeader::decode(&bytes[8..]).unwrap();
    header.cut = true;
    let forged = [&bytes[..8], &header.encode(), &bytes[72..]].concat();
    std::fs::write(&path, forged).unwrap();
    assert_eq!(rig.text(exchange, &rig.find(exchange)[0]), Err(OpenError::Damaged));
}

#[test]
fn a_torn_end_loses_its_record_only_and_the_next_start_writes_elsewhere() {
    let rig = Rig::new();
    let exchange = rig.exchange(1);
    let store = rig.open(rig.options());
    store.push(rig.body(exchange, BodyKind::RequestReceived, b"first"));
    store.push(rig.body(exchange, BodyKind::RequestSent, b"second"));
    store.close();
    let (name, bytes) = rig.files().remove(0);
    std::fs::write(rig.dir.path().join("bodies").join(name), &bytes[..bytes.len() - 3]).unwrap();
    let store = rig.open(rig.options());
    store.push(rig.body(exchange, BodyKind::ResponseReceived, b"third"));
    store.close();
    assert_eq!(rig.files().len(), 2);
    let texts: Vec<_> = rig.find(exchange).iter().map(|b| rig.text(exchange, b).unwrap()).collect();
    assert_eq!(texts, [&b"first"[..], b"third"]);
}

#[test]
fn what_is_too_old_goes_segment_by_segment_also_at_the_start() {
    let rig = Rig::new();
    let day = Duration::from_secs(24 * 3600);
    let options = || rig.options().max_age(day);
    let store = rig.open(options());
    let old = rig.exchange(1);
    store.push(rig.body(old, BodyKind::RequestReceived, b"old"));
    assert!(store.flush(LONG));
    rig.clock.advance(writer::SPAN);
    let newer = rig.exchange(2);
    store.push(rig.body(newer, BodyKind::RequestReceived, b"newer"));
    assert!(store.flush(LONG));
    assert_eq!(rig.files().len(), 2, "a segment covers no more than an hour");
    assert_eq!((rig.find(old).len(), rig.find(newer).len()), (1, 1));
    rig.clock.advance(day);
    let last = rig.exchange(3);
    store.push(rig.body(last, BodyKind::RequestReceived, b"last"));
    assert!(store.flush(LONG));
    assert_eq!((rig.find(old).len(), rig.find(newer).len(), rig.find(last).len()), (0, 1, 1));
    store.close();
    rig.clock.advance(day * 2);
    let store = rig.open(options());
    store.close();
    assert!(rig.files().is_empty(), "{:?}", rig.files());
}

#[test]
fn what_is_too_much_goes_from_the_oldest() {
    let rig = Rig::new();
    let store = rig.open(rig.options().max_bytes(BodiesOptions::LEAST_BYTES));
    let text = vec![7; MAX_BODY_BYTES];
    let exchanges: Vec<_> = (0..30)
        .map(|n| {
            let exchange = rig.exchange(n);
            store.push(rig.body(exchange, BodyKind::RequestReceived, &text));
            assert!(store.flush(LONG));
            rig.clock.advance(Duration::from_millis(5));
            let bytes: usize = rig.files().iter().map(|(_, bytes)| bytes.len()).sum();
            assert!(bytes <= 16 << 20, "{bytes} after {n}");
            assert_eq!(store.stats().bytes, bytes as u64);
            exchange
        })
        .collect();
    let kept: Vec<bool> = exchanges.iter().map(|e| !rig.find(*e).is_empty()).collect();
    assert!(kept.is_sorted(), "the newest are there: {kept:?}");
    assert!((10..=15).contains(&kept.iter().filter(|k| **k).count()), "{kept:?}");
}

#[test]
fn a_clock_that_was_set_back_hides_nothing() {
    let rig = Rig::new();
    rig.clock.advance(Duration::from_secs(7200));
    let store = rig.open(rig.options());
    store.push(rig.body(rig.exchange(1), BodyKind::RequestReceived, b"before"));
    assert!(store.flush(LONG));
    rig.clock.0.store(0, Ordering::SeqCst);
    let exchange = rig.exchange(2);
    store.push(rig.body(exchange, BodyKind::RequestReceived, b"after"));
    store.close();
    let reader = BodyReader::new(rig.dir.path().join("bodies"));
    let found = reader.find(exchange, exchange.time(), Some(exchange.time()), &BodyKind::ALL).unwrap();
    assert_eq!(found.len(), 1);
}

/// A disk whose writes wait, or fail.
#[derive(Clone, Default)]
struct Moody {
    held: Arc<(Mutex<bool>, Condvar)>,
    full: Arc<AtomicBool>,
}

impl Moody {
    fn hold(&self, hold: bool) {
        *self.held.0.lock().unwrap() = hold;
        self.held.1.notify_all();
    }
}

struct MoodyFile(Box<dyn DiskFile>, Moody);

impl DiskFile for MoodyFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, out)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        drop(self.1.held.1.wait_while(self.1.held.0.lock().unwrap(), |held| *held).unwrap());
        if self.1.full.load(Ordering::SeqCst) {
            self.0.write_at(offset, &bytes[..bytes.len() / 2])?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync()
    }
}

impl Disk for Moody {
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
        LocalDisk.open(path, write)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MoodyFile(LocalDisk.create(path)?, self.clone())))
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

#[test]
fn a_disk_that_hangs_costs_bodies_and_no_time() {
    let rig = Rig::new();
    let disk = Moody::default();
    disk.hold(true);
    let options = rig.options().queue_bytes(10_000);
    let store = Bodies::open_on(Arc::new(disk.clone()), options, Arc::clone(&rig.clock) as _).unwrap();
    let text = [b'x'; 744];
    for n in 0..30 {
        store.push(rig.body(rig.exchange(n), BodyKind::RequestReceived, &text));
    }
    // A thousand bytes each with what it takes beside: ten fit, whether they wait or are being written.
    assert_eq!(store.stats().dropped_full, 20);
    assert!(!store.flush(Duration::from_millis(50)));
    disk.hold(false);
    assert!(store.flush(LONG));
    assert_eq!((store.stats().kept, store.stats().dropped_full), (10, 20));
    assert!((0..30).filter(|n| !rig.find(rig.exchange(*n)).is_empty()).eq(0..10));
    store.push(rig.body(rig.exchange(31), BodyKind::RequestReceived, &text));
    assert!(store.flush(LONG), "what was counted against the bound was given back");
    assert_eq!(store.stats().kept, 11);
}

#[test]
fn a_full_disk_costs_bodies_and_is_tried_again() {
    let rig = Rig::new();
    let disk = Moody::default();
    let store = Bodies::open_on(Arc::new(disk.clone()), rig.options(), Arc::clone(&rig.clock) as _).unwrap();
    let push = |n: u8| {
        let exchange = rig.exchange(n);
        store.push(rig.body(exchange, BodyKind::RequestReceived, b"a text of some length"));
        assert!(store.flush(LONG));
        exchange
    };
    let before = push(1);
    disk.full.store(true, Ordering::SeqCst);
    push(2);
    rig.clock.advance(Duration::from_secs(6));
    push(3);
    rig.clock.advance(Duration::from_secs(6));
    push(4);
    assert_eq!((store.stats().kept, store.stats().dropped_disk), (1, 3));
    assert_eq!(rig.files().len(), 1, "a full disk collects no empty files");
    disk.full.store(false, Ordering::SeqCst);
    push(5);
    assert_eq!(store.stats().dropped_disk, 4, "not tried again at once");
    rig.clock.advance(Duration::from_secs(6));
    let after = push(6);
    assert_eq!(store.stats().kept, 2);
    for exchange in [before, after] {
        assert_eq!(rig.text(exchange, &rig.find(exchange)[0]).unwrap(), b"a text of some length");
    }
}
