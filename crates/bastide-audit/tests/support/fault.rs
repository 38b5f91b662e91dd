//! A disk in memory that fails as disks do: short writes, errors, no space, and power cuts after which of everything
//! not synced any subset of sectors is there.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bastide_audit::{Disk, DiskFile, DiskTree};

const SECTOR: usize = 512;

/// SplitMix64: small, seeded, good enough to choose faults.
#[derive(Clone)]
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }
    pub(crate) fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
    fn index(&mut self, n: usize) -> usize {
        usize::try_from(self.below(n as u64)).unwrap()
    }
}

/// What goes wrong, and when. Operations are those that change the disk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// The power goes, or the process dies, at this operation.
    pub(crate) stop_at: Option<u64>,
    /// This operation, if it is a write or a sync, fails with an I/O error.
    pub(crate) error_at: Option<u64>,
    /// Writes that do only a part, per mille.
    pub(crate) short: u64,
    /// Bytes that the disk holds.
    pub(crate) capacity: Option<usize>,
    /// How long it takes to create a file.
    pub(crate) creates_in: Duration,
}

#[derive(Clone, Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    /// Written since the last sync: offset and bytes.
    pending: Vec<(usize, Vec<u8>)>,
    /// A sync of the whole tree lost some of it. Whoever has the file open learns of that with the next sync of it, as
    /// on Linux, where the error belongs to the file.
    broken: bool,
}

impl Inode {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        if self.live.len() < offset + bytes.len() {
            self.live.resize(offset + bytes.len(), 0);
        }
        self.live[offset..offset + bytes.len()].copy_from_slice(bytes);
        self.pending.push((offset, bytes.to_vec()));
    }

    /// What is marked as not yet written is written; what a failed sync marked clean is not.
    fn flush(&mut self) {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            if self.durable.len() < offset + bytes.len() {
                self.durable.resize(offset + bytes.len(), 0);
            }
            self.durable[offset..offset + bytes.len()].copy_from_slice(&bytes);
        }
    }

    /// Any subset of the sectors written since the last sync reaches the disk.
    fn settle(&mut self, rng: &mut Rng) {
        for (offset, bytes) in std::mem::take(&mut self.pending) {
            let mut at = offset;
            while at < offset + bytes.len() {
                let end = ((at / SECTOR + 1) * SECTOR).min(offset + bytes.len());
                if rng.chance(500) {
                    if self.durable.len() < end {
                        self.durable.resize(end, 0);
                    }
                    self.durable[at..end].copy_from_slice(&bytes[at - offset..end - offset]);
                }
                at = end;
            }
        }
    }
}

#[derive(Clone)]
enum NameChange {
    Link(PathBuf, usize),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf),
}

type Names = BTreeMap<PathBuf, usize>;

fn apply(names: &mut Names, change: &NameChange) {
    match change {
        NameChange::Link(path, inode) => drop(names.insert(path.clone(), *inode)),
        NameChange::Unlink(path) => drop(names.remove(path)),
        NameChange::Rename(from, to) => {
            if let Some(inode) = names.remove(from) {
                names.insert(to.clone(), inode);
            }
        }
    }
}

struct State {
    inodes: Vec<Inode>,
    names: Names,
    durable_names: Names,
    /// Changes of names since the last sync of a folder; a journal keeps their order.
    journal: Vec<NameChange>,
    dirs: BTreeSet<PathBuf>,
    rng: Rng,
    faults: Faults,
    operations: u64,
    stopped: bool,
}

impl State {
    fn alive(&self) -> io::Result<()> {
        if self.stopped { Err(io::Error::other("the machine is off")) } else { Ok(()) }
    }

    /// Counts an operation that changes the disk; true when the machine stops in the middle of it.
    fn operation(&mut self) -> io::Result<bool> {
        self.alive()?;
        self.operations += 1;
        if self.faults.stop_at.is_some_and(|at| self.operations >= at) {
            self.stopped = true;
            return Ok(true);
        }
        Ok(false)
    }

    fn fails_now(&self) -> bool {
        self.faults.error_at == Some(self.operations)
    }

    fn change(&mut self, change: NameChange) {
        apply(&mut self.names, &change);
        self.journal.push(change);
    }

    fn used(&self) -> usize {
        self.names.values().collect::<BTreeSet<_>>().into_iter().map(|i| self.inodes[*i].live.len()).sum()
    }
}

#[derive(Clone)]
pub(crate) struct FaultDisk(Arc<Mutex<State>>);

impl FaultDisk {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        FaultDisk(Arc::new(Mutex::new(State {
            inodes: Vec::new(),
            names: Names::new(),
            durable_names: Names::new(),
            journal: Vec::new(),
            dirs: BTreeSet::new(),
            rng: Rng(seed),
            faults,
            operations: 0,
            stopped: false,
        })))
    }

    pub(crate) fn operations(&self) -> u64 {
        self.0.lock().unwrap().operations
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        let mut state = self.0.lock().unwrap();
        state.faults = faults;
        state.operations = 0;
    }

    /// From now on nothing works any more.
    pub(crate) fn stop(&self) {
        self.0.lock().unwrap().stopped = true;
    }

    pub(crate) fn used(&self) -> usize {
        self.0.lock().unwrap().used()
    }

    /// The disk after a restart: of the process, or of the machine after a power cut.
    pub(crate) fn restarted(&self, power_cut: bool, faults: Faults) -> FaultDisk {
        let mut state = self.0.lock().unwrap();
        state.stopped = true;
        let mut rng = state.rng.clone();
        let (names, mut inodes) = if power_cut {
            let mut names = state.durable_names.clone();
            let kept = rng.index(state.journal.len() + 1);
            state.journal.iter().take(kept).for_each(|change| apply(&mut names, change));
            let mut inodes = state.inodes.clone();
            for inode in &mut inodes {
                inode.settle(&mut rng);
                inode.live = inode.durable.clone();
            }
            (names, inodes)
        } else {
            (state.names.clone(), state.inodes.clone())
        };
        // What no name leads to any more is gone.
        let journalled = state.journal.iter().filter_map(|change| match change {
            NameChange::Link(_, inode) => Some(*inode),
            _ => None,
        });
        let reachable: BTreeSet<usize> =
            names.values().chain(state.durable_names.values()).copied().chain(journalled).collect();
        for (number, inode) in inodes.iter_mut().enumerate() {
            if !reachable.contains(&number) {
                *inode = Inode::default();
            }
        }
        let (durable_names, journal) = if power_cut {
            (names.clone(), Vec::new())
        } else {
            (state.durable_names.clone(), state.journal.clone())
        };
        FaultDisk(Arc::new(Mutex::new(State {
            inodes,
            names,
            durable_names,
            journal,
            dirs: state.dirs.clone(),
            rng,
            faults,
            operations: 0,
            stopped: false,
        })))
    }

    /// Changes a file behind everyone's back.
    pub(crate) fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock().unwrap();
        let inode = state.names[path];
        change(&mut state.inodes[inode].live);
    }

    /// A copy with its own fate.
    pub(crate) fn copy(&self) -> FaultDisk {
        let state = self.0.lock().unwrap();
        FaultDisk(Arc::new(Mutex::new(State {
            inodes: state.inodes.clone(),
            names: state.names.clone(),
            durable_names: state.durable_names.clone(),
            journal: state.journal.clone(),
            dirs: state.dirs.clone(),
            rng: state.rng.clone(),
            faults: Faults::default(),
            operations: 0,
            stopped: false,
        })))
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

fn eio() -> io::Error {
    io::Error::from_raw_os_error(5)
}

impl Disk for FaultDisk {
    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        state.alive()?;
        for dir in path.ancestors() {
            state.dirs.insert(dir.to_owned());
        }
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock().unwrap();
        state.alive()?;
        let inside = state.names.keys().filter(|p| p.parent() == Some(dir));
        Ok(inside.map(|p| p.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        let state = self.0.lock().unwrap();
        state.alive()?;
        let Some(inode) = state.names.get(path) else { return Ok(None) };
        let bytes = state.inodes[*inode].live.clone();
        if bytes.len() as u64 > limit {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Some(bytes))
    }

    fn open(&self, path: &Path, _write: bool) -> io::Result<Box<dyn DiskFile>> {
        let state = self.0.lock().unwrap();
        state.alive()?;
        let inode = *state.names.get(path).ok_or_else(not_found)?;
        Ok(Box::new(FaultFile { disk: self.clone(), inode }))
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let slow = self.0.lock().unwrap().faults.creates_in;
        std::thread::sleep(slow);
        let mut state = self.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        if !path.parent().is_some_and(|p| state.dirs.contains(p)) {
            return Err(not_found());
        }
        // A file emptied is a new file here: stricter than most file systems, and never kinder.
        let inode = state.inodes.len();
        state.inodes.push(Inode::default());
        state.change(NameChange::Link(path.to_owned(), inode));
        Ok(Box::new(FaultFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        if !state.names.contains_key(from) || !to.parent().is_some_and(|p| state.dirs.contains(p)) {
            return Err(not_found());
        }
        state.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        if !state.names.contains_key(path) {
            return Err(not_found());
        }
        state.change(NameChange::Unlink(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        let inside: Vec<PathBuf> = state.names.keys().filter(|p| p.starts_with(path)).cloned().collect();
        inside.into_iter().for_each(|p| state.change(NameChange::Unlink(p)));
        state.dirs.retain(|d| !d.starts_with(path));
        Ok(())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        if state.fails_now() {
            return Err(eio());
        }
        state.durable_names = state.names.clone();
        state.journal.clear();
        Ok(())
    }

    fn tree(&self, _dir: &Path) -> io::Result<Box<dyn DiskTree>> {
        self.0.lock().unwrap().alive()?;
        Ok(Box::new(FaultTree(self.clone())))
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.0.lock().unwrap().alive()?;
        Ok(Box::new(()))
    }
}

struct FaultFile {
    disk: FaultDisk,
    inode: usize,
}

impl DiskFile for FaultFile {
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.0.lock().unwrap();
        state.alive()?;
        Ok(state.inodes[self.inode].live.len() as u64)
    }

    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        let state = self.disk.0.lock().unwrap();
        state.alive()?;
        let offset = usize::try_from(offset).unwrap();
        let from = state.inodes[self.inode].live.get(offset..).unwrap_or_default();
        let count = from.len().min(out.len());
        out[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let stops = state.operation()?;
        let fails = stops || state.fails_now();
        let mut count = bytes.len();
        if fails {
            count = state.rng.index(count + 1);
        } else if count > 1 && state.faults.short > 0 {
            let short = state.faults.short;
            if state.rng.chance(short) {
                if state.rng.chance(200) {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                count = 1 + state.rng.index(count - 1);
            }
        }
        let mut full = false;
        if let Some(capacity) = state.faults.capacity {
            // Only what is written behind the end of a file takes space.
            let length = state.inodes[self.inode].live.len();
            let room = capacity.saturating_sub(state.used());
            let most = (length + room).saturating_sub(offset);
            full = most == 0;
            count = count.min(most);
        }
        let inode = self.inode;
        state.inodes[inode].write(offset, &bytes[..count]);
        match (fails, full) {
            (true, _) => Err(eio()),
            (_, true) => Err(io::ErrorKind::StorageFull.into()),
            _ => Ok(count),
        }
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        let (fails, mut rng) = (state.fails_now(), state.rng.clone());
        let inode = &mut state.inodes[self.inode];
        if fails || std::mem::take(&mut inode.broken) {
            // Some of it is written, the rest is marked clean and never will be: the trap of a second sync.
            inode.settle(&mut rng);
            state.rng = rng;
            return Err(eio());
        }
        inode.flush();
        Ok(())
    }
}

struct FaultTree(FaultDisk);

impl DiskTree for FaultTree {
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.0.0.lock().unwrap();
        if state.operation()? {
            return Err(eio());
        }
        if state.fails_now() {
            let mut rng = state.rng.clone();
            for inode in &mut state.inodes {
                inode.broken |= !inode.pending.is_empty();
                inode.settle(&mut rng);
            }
            state.rng = rng;
            return Err(eio());
        }
        state.inodes.iter_mut().for_each(Inode::flush);
        state.durable_names = state.names.clone();
        state.journal.clear();
        Ok(())
    }
}
