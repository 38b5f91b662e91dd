//! What a caller holds of an entry: first the promise, then the proof that it is in the log.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use bastide_crypto::SigningKey;
use bastide_tlog::{Hash, MemoryTree, NoteKey, leaf_hash};

use crate::error::AuditError;
use crate::receipt::{Receipt, Statement, signed_text};
use crate::slot::Slot;

/// An encoded event with its leaf hash, and the place for the answer to who recorded it.
pub(crate) struct Record {
    pub(crate) entry: Vec<u8>,
    pub(crate) leaf: Hash,
    pub(crate) slot: Slot,
}

impl Record {
    pub(crate) fn new(entry: Vec<u8>) -> Self {
        Record { leaf: leaf_hash(&entry), entry, slot: Slot::new() }
    }
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

/// The proof that an event is in the log, with the durability that was asked for. Only the log makes it.
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
        self.with_statement(Receipt::new)
    }

    /// The text form of the receipt, without the copies that a [`Receipt`] of its own takes.
    #[must_use]
    pub fn receipt_text(&self) -> String {
        self.with_statement(|statement| statement.to_text())
    }

    fn with_statement<R>(&self, run: impl FnOnce(&Statement<'_>) -> R) -> R {
        let (tree, signature) = self.batch.signed();
        let public = &self.batch.signer.public;
        run(&Statement {
            origin: public.name(),
            index: self.index(),
            leaf: self.record.leaf,
            first: self.batch.first,
            size: u64::try_from(tree.size()).unwrap_or(u64::MAX),
            path: &tree.path(self.position).unwrap_or_default(),
            key: public.id(),
            signature,
            entry: Statement::carried(&self.record.entry),
        })
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
    /// How many commits had failed when it came.
    failures: u64,
}

/// What the writer tells a caller.
pub(crate) type Done = Result<(Arc<Batch>, usize), AuditError>;

impl Pending {
    pub(crate) const fn new(index: u64, record: Arc<Record>, failures: u64) -> Self {
        Pending { index, record, failures }
    }

    pub(crate) const fn is_of(&self, failures: u64) -> bool {
        self.failures == failures
    }

    pub(crate) fn is_recorded(&self) -> bool {
        self.record.slot.is_recorded()
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

    /// Waits on this thread, which should not be one that runs async tasks: they would wait too.
    ///
    /// # Errors
    /// When the event was not recorded.
    pub fn wait(self) -> Result<Recorded, AuditError> {
        let done = self.record.slot.wait();
        self.conclude(done)
    }

    fn conclude(&self, done: Done) -> Result<Recorded, AuditError> {
        let (batch, position) = done?;
        Ok(Recorded::new(Arc::clone(&self.record), batch, position))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.record.slot.abandon();
    }
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("index", &self.index).field("leaf", &self.record.leaf).finish()
    }
}

impl Future for Pending {
    type Output = Result<Recorded, AuditError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.record.slot.poll(cx).map(|done| self.conclude(done))
    }
}
