//! What a caller holds of an entry: first the promise, then the proof that it is on disk.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bastide_crypto::SigningKey;
use bastide_tlog::{Hash, MemoryTree, NoteKey};
use tokio::sync::oneshot;

use crate::error::AuditError;
use crate::receipt::{Receipt, signed_text};

/// An encoded event with its leaf hash.
pub(crate) struct Record {
    pub(crate) entry: Vec<u8>,
    pub(crate) leaf: Hash,
}

/// Who signs for the log.
pub(crate) struct Signer {
    pub(crate) key: SigningKey,
    pub(crate) public: NoteKey,
}

/// The entries of one group commit, of which only the hashes are kept.
pub(crate) struct Batch {
    pub(crate) first: u64,
    leaves: Vec<Hash>,
    signer: Arc<Signer>,
    /// Made when the first receipt is asked for, and shared by the others: one signature for each commit at most.
    signed: OnceLock<(MemoryTree, [u8; 64])>,
}

impl Batch {
    pub(crate) const fn new(first: u64, leaves: Vec<Hash>, signer: Arc<Signer>) -> Self {
        Batch { first, leaves, signer, signed: OnceLock::new() }
    }

    fn signed(&self) -> &(MemoryTree, [u8; 64]) {
        self.signed.get_or_init(|| {
            let tree = MemoryTree::new(self.leaves.clone());
            let size = u64::try_from(self.leaves.len()).unwrap_or(u64::MAX);
            let text = signed_text(self.signer.public.name(), self.first, size, tree.root());
            let signature = self.signer.key.sign(text.as_bytes());
            (tree, signature)
        })
    }
}

/// The proof that an event is in the log and on the disk. Only the log makes it.
#[derive(Clone)]
pub struct Recorded {
    record: Arc<Record>,
    batch: Arc<Batch>,
    position: usize,
}

impl Recorded {
    pub(crate) const fn new(record: Arc<Record>, batch: Arc<Batch>, position: usize) -> Self {
        Recorded { record, batch, position }
    }

    /// Its index in the log.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.batch.first.saturating_add(u64::try_from(self.position).unwrap_or(u64::MAX))
    }

    /// Its leaf hash (RFC 6962).
    #[must_use]
    pub fn leaf(&self) -> [u8; 32] {
        self.record.leaf.0
    }

    /// The entry as it stands in the log.
    #[must_use]
    pub fn entry(&self) -> &[u8] {
        &self.record.entry
    }

    /// The receipt. The first one of a commit costs a signature, the others a path.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let (tree, signature) = self.batch.signed();
        let public = &self.batch.signer.public;
        Receipt::new(
            public.name(),
            self.index(),
            self.record.leaf,
            self.batch.first,
            u64::try_from(tree.size()).unwrap_or(u64::MAX),
            tree.path(self.position).unwrap_or_default(),
            public.id(),
            *signature,
            &self.record.entry,
        )
    }
}

impl std::fmt::Debug for Recorded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").field("index", &self.index()).field("leaf", &self.record.leaf).finish()
    }
}

/// An event on its way to the disk. Dropping it does not take the event back.
pub struct Pending {
    index: u64,
    record: Arc<Record>,
    done: oneshot::Receiver<Done>,
}

/// What the writer tells a caller.
pub(crate) type Done = Result<(Arc<Batch>, usize), AuditError>;

impl Pending {
    pub(crate) const fn new(index: u64, record: Arc<Record>, done: oneshot::Receiver<Done>) -> Self {
        Pending { index, record, done }
    }

    /// The index that it will have if it is recorded.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// Its leaf hash (RFC 6962).
    #[must_use]
    pub fn leaf(&self) -> [u8; 32] {
        self.record.leaf.0
    }

    /// Waits on this thread, which must not be one that runs async tasks.
    ///
    /// # Errors
    /// When the event was not recorded.
    pub fn wait(self) -> Result<Recorded, AuditError> {
        let done = self.done.blocking_recv();
        conclude(&self.record, done)
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("index", &self.index).field("leaf", &self.record.leaf).finish()
    }
}

impl Future for Pending {
    type Output = Result<Recorded, AuditError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.done).poll(cx).map(|done| conclude(&self.record, done))
    }
}

/// A writer that ended without an answer ended with the log.
fn conclude(
    record: &Arc<Record>,
    done: Result<Done, oneshot::error::RecvError>,
) -> Result<Recorded, AuditError> {
    let (batch, position) = done.map_err(|_| AuditError::Closed)??;
    Ok(Recorded::new(Arc::clone(record), batch, position))
}
