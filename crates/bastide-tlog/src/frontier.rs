//! The right edge of a growing tree: all that an appender must remember.

use crate::hash::{Hash, node_hash};

/// The roots of the complete subtrees that a tree of `size` leaves consists of, largest first: one for each bit set
/// in `size`, so at most 64.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Frontier { size: 0, peaks: Vec::new() }
    }

    /// From the roots of the complete subtrees, largest first; `None` when their number does not fit the size.
    #[must_use]
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Frontier { size, peaks })
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf: amortised one node hash.
    pub fn append(&mut self, leaf: Hash) {
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            // INVARIANT: one peak for each bit set in `size`, so there is one for each trailing one.
            let Some(left) = self.peaks.pop() else { break };
            node = node_hash(left, node);
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// The root of the tree (RFC 6962 section 2.1).
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return Hash::empty_root() };
        peaks.fold(*last, |right, left| node_hash(*left, right))
    }
}
