//! Housekeeping off the hot path: the next segment is ready before it is needed, and segments whose entries are safe
//! in bundles are removed. Under load the one becomes the other: a file of zeros costs as much as the log itself.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bastide_tlog::{TileKind, TilePath};

use crate::disk::{Disk, DiskTree, write_all};
use crate::error::AuditError;
use crate::segment::segment_path;

/// How much is zeroed between two syncs: a burst of 64 MiB would hold up the commits that run beside it.
const ZERO_CHUNK: usize = 1 << 20;
/// How long the reserve may be missing while a segment that could become it is in use still.
const RECYCLE_WITHIN: Duration = Duration::from_secs(2);
/// After a failure to make the reserve.
const RETRY: Duration = Duration::from_secs(5);

pub(crate) fn reserve_path(segments: &Path) -> PathBuf {
    segments.join("reserve")
}

/// Creates a segment file of `bytes` zeros under a temporary name and renames it to `to`. The zeros are written, not
/// only allocated: a first write into merely allocated blocks makes the file system commit metadata with each sync,
/// which turns 0.1 ms into several. Gives up when `cancelled`.
pub(crate) fn prepare(
    disk: &dyn Disk,
    to: &Path,
    bytes: u64,
    cancelled: impl Fn() -> bool,
) -> Result<(), AuditError> {
    let temporary = to.with_extension("tmp");
    let made = (|| {
        // Not to the last byte: the records, the tiles and everyone else would find the disk full with every try.
        let spare = bytes / 8;
        if disk.free(to.parent().unwrap_or(to))? < bytes.saturating_add(spare) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut file = disk.create(&temporary)?;
        let zeros = vec![0; ZERO_CHUNK];
        let mut offset = 0;
        while offset < bytes {
            if cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let length = usize::try_from(bytes - offset).unwrap_or(ZERO_CHUNK).min(ZERO_CHUNK);
            write_all(file.as_mut(), offset, zeros.get(..length).unwrap_or_default())?;
            file.sync()?;
            offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        disk.rename(&temporary, to)
    })();
    made.map_err(|e| {
        // What is left of it would only take up the space that is missing.
        let _ = disk.remove_file(&temporary);
        AuditError::io("write", to, e)
    })
}

#[derive(Clone)]
enum Reserve {
    Ready,
    /// It is being made, perhaps again after a failure.
    Wanted {
        again: bool,
    },
    Failed(AuditError),
}

impl Reserve {
    const WANTED: Reserve = Reserve::Wanted { again: false };
}

struct State {
    reserve: Reserve,
    /// The writer waits for it, or it was missing for long enough.
    hurried: bool,
    /// First entries of the segments that exist, oldest first; the last is being written.
    segments: VecDeque<u64>,
    /// Entries that are in full bundles under a published checkpoint.
    bundled: u64,
    /// A partial bundle that recovery would need until the full one is durable.
    protected: Option<u64>,
    closing: bool,
}

pub(crate) struct Keeper {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: PathBuf,
    segment_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

impl Keeper {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        segment_bytes: u64,
        existing: VecDeque<u64>,
        protected: Option<u64>,
        reserve_ready: bool,
    ) -> Self {
        let reserve = if reserve_ready { Reserve::Ready } else { Reserve::WANTED };
        let state =
            State { reserve, hurried: false, segments: existing, bundled: 0, protected, closing: false };
        Keeper {
            disk,
            dir: dir.to_owned(),
            segments: dir.join("segments"),
            segment_bytes,
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the reserve is there, for the writer that needs it now. A failure of before is tried again once:
    /// there may be room by now.
    pub(crate) fn reserve(&self) -> Result<(), AuditError> {
        let mut state = self.lock();
        let mut asked = false;
        loop {
            match &state.reserve {
                Reserve::Ready => return Ok(()),
                Reserve::Failed(error) if asked || state.closing => return Err(error.clone()),
                Reserve::Failed(_) => {
                    asked = true;
                    state.reserve = Reserve::Wanted { again: true };
                    self.changed.notify_all();
                }
                Reserve::Wanted { .. } if state.closing => return Err(AuditError::Closed),
                Reserve::Wanted { .. } => {
                    state.hurried = true;
                    self.changed.notify_all();
                }
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(crate) fn reserve_ready(&self) -> bool {
        matches!(self.lock().reserve, Reserve::Ready)
    }

    /// Whether the last try to make the reserve failed, and none has succeeded since.
    pub(crate) fn reserve_failed(&self) -> bool {
        matches!(self.lock().reserve, Reserve::Failed(_) | Reserve::Wanted { again: true })
    }

    /// The reserve became the segment that begins with `first`.
    pub(crate) fn took_reserve(&self, first: u64) {
        let mut state = self.lock();
        (state.reserve, state.hurried) = (Reserve::WANTED, false);
        // INVARIANT: ascending, so that the one being written is never taken for one that is done.
        debug_assert!(state.segments.back().is_none_or(|last| *last < first));
        state.segments.push_back(first);
        self.changed.notify_all();
    }

    /// Entries below this are in full bundles under a published checkpoint.
    pub(crate) fn bundled(&self, entries: u64) {
        let mut state = self.lock();
        state.bundled = entries;
        if deletable(&state) {
            self.changed.notify_all();
        }
    }

    /// Whether the partial bundles of this index must stay.
    pub(crate) fn protects(&self, bundle: u64) -> bool {
        self.lock().protected == Some(bundle)
    }

    pub(crate) fn close(&self) {
        self.lock().closing = true;
        self.changed.notify_all();
    }

    /// The thread. Gives back the segments that are left when the log closes, and the tree if it may still be trusted.
    pub(crate) fn run(&self, tree: Box<dyn DiskTree>) -> (VecDeque<u64>, Option<Box<dyn DiskTree>>) {
        // After one failed sync of the tree no later success says anything about the tiles of before: nothing is
        // removed until a restart has written them anew.
        let mut tree = Some(tree);
        loop {
            let mut state = self.lock();
            let prepares = loop {
                // Before a reserve is made, and before the end, which needs one: what is removed may become it.
                if tree.is_some() && deletable(&state) {
                    break false;
                }
                if state.closing {
                    if matches!(state.reserve, Reserve::Wanted { .. }) {
                        state.reserve = Reserve::Failed(AuditError::Closed);
                        self.changed.notify_all();
                    }
                    return (std::mem::take(&mut state.segments), tree);
                }
                let older = tree.is_some() && state.segments.len() > 1;
                let patience = match state.reserve {
                    Reserve::Ready => None,
                    Reserve::Failed(_) => Some(RETRY),
                    Reserve::Wanted { again: false } if older && !state.hurried => Some(RECYCLE_WITHIN),
                    Reserve::Wanted { .. } => break true,
                };
                let Some(patience) = patience else {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                };
                let (next, timeout) =
                    self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                state = next;
                if timeout.timed_out() {
                    match state.reserve {
                        Reserve::Failed(_) => state.reserve = Reserve::Wanted { again: true },
                        Reserve::Wanted { .. } => state.hurried = true,
                        Reserve::Ready => {}
                    }
                }
            };
            drop(state);
            if prepares {
                let closing = || self.lock().closing;
                let made =
                    prepare(self.disk.as_ref(), &reserve_path(&self.segments), self.segment_bytes, closing);
                let mut state = self.lock();
                state.reserve = match made {
                    Ok(()) => Reserve::Ready,
                    Err(_) if state.closing => Reserve::Failed(AuditError::Closed),
                    Err(error) => {
                        tracing::warn!(%error, "the next log segment could not be prepared");
                        Reserve::Failed(error)
                    }
                };
                self.changed.notify_all();
            } else if let Some(trusted) = tree.as_mut()
                && let Err(error) = self.remove_bundled(trusted.as_mut())
            {
                tracing::warn!(%error, "old log segments are kept until the next start");
                tree = None;
            }
        }
    }

    /// Makes the tiles durable, then removes the segments that they replace, or makes one the reserve that is missing.
    fn remove_bundled(&self, tree: &mut dyn DiskTree) -> Result<(), AuditError> {
        // What is bundled while the sync runs may not be covered by it: only this much is removed.
        let bundled = self.lock().bundled;
        tree.sync().map_err(|e| AuditError::io("write", &self.dir, e))?;
        let protected = self.lock().protected.take_if(|p| p.saturating_add(1).saturating_mul(256) <= bundled);
        if let Some(index) = protected {
            remove_partials(self.disk.as_ref(), &self.dir, TileKind::Entries, index);
        }
        loop {
            let mut state = self.lock();
            if state.segments.get(1).is_none_or(|next| *next > bundled) {
                return Ok(());
            }
            let Some(oldest) = state.segments.front().copied() else { return Ok(()) };
            state.segments.pop_front();
            let missing = !matches!(state.reserve, Reserve::Ready);
            drop(state);
            if missing && recycle(self.disk.as_ref(), &self.segments, oldest, self.segment_bytes)? {
                self.lock().reserve = Reserve::Ready;
                self.changed.notify_all();
            } else {
                remove_segment(self.disk.as_ref(), &self.segments, oldest)?;
            }
        }
    }
}

fn deletable(state: &State) -> bool {
    state.segments.get(1).is_some_and(|next| *next <= state.bundled)
}

/// Makes a segment whose entries are safe the reserve, for good, unless its size is another. What stands in it is nothing
/// under the salt of the segment that it will be.
fn recycle(disk: &dyn Disk, segments: &Path, first: u64, segment_bytes: u64) -> Result<bool, AuditError> {
    let path = segment_path(segments, first);
    let recycled = || {
        if disk.open(&path, false)?.size()? != segment_bytes {
            return Ok(false);
        }
        disk.rename(&path, &reserve_path(segments))?;
        disk.sync_dir(segments)?;
        Ok(true)
    };
    recycled().map_err(|e| AuditError::io("rename", &path, e))
}

/// Removes a segment for good before the next one is: recovery takes a gap for damage.
pub(crate) fn remove_segment(disk: &dyn Disk, segments: &Path, first: u64) -> Result<(), AuditError> {
    let path = segment_path(segments, first);
    disk.remove_file(&path)
        .and_then(|()| disk.sync_dir(segments))
        .map_err(|e| AuditError::io("remove", &path, e))
}

/// Removes the partial tiles that a full one replaced; they are in nobody's way if that fails.
pub(crate) fn remove_partials(disk: &dyn Disk, dir: &Path, kind: TileKind, index: u64) {
    let full = TilePath { kind, index, width: 256 };
    let folder = dir.join(format!("{full}.p"));
    if let Err(error) = disk.remove_dir(&folder) {
        tracing::debug!(%error, "partial tiles could not be removed");
    }
}
