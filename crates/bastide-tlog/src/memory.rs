//! A small tree held whole: the entries of one group commit.

use crate::hash::{Hash, node_hash};

/// A tree of known leaves with all its nodes, for many paths at a logarithmic price each.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    /// `levels[0]` are the leaves; the last level has one node. A node without a right sibling rises unchanged,
    /// which yields the tree of RFC 6962: its left subtrees are always complete.
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// Over these leaves.
    #[must_use]
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(last) = levels.last()
            && last.len() > 1
        {
            let next = last
                .chunks(2)
                .map(|pair| match *pair {
                    [left, right] => node_hash(left, right),
                    [single] => single,
                    _ => Hash::default(),
                })
                .collect();
            levels.push(next);
        }
        MemoryTree { levels }
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> usize {
        self.levels.first().map_or(0, Vec::len)
    }

    /// The leaf at `index`.
    #[must_use]
    pub fn leaf(&self, index: usize) -> Option<Hash> {
        self.levels.first()?.get(index).copied()
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first().copied()).unwrap_or_else(Hash::empty_root)
    }

    /// The inclusion path of the leaf at `index`, from the leaf up; `None` when there is no such leaf.
    #[must_use]
    pub fn path(&self, index: usize) -> Option<Vec<Hash>> {
        self.leaf(index)?;
        let below_top = self.levels.len().saturating_sub(1);
        Some(
            self.levels
                .iter()
                .take(below_top)
                .enumerate()
                .filter_map(|(height, level)| level.get((index >> height) ^ 1).copied())
                .collect(),
        )
    }
}
