//! The Merkle tree of RFC 6962 section 2.1, written from its text.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::text::{base64_std, hex};

/// A SHA-256 hash: of a leaf, of a node, of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// As a checkpoint writes it.
    #[must_use]
    pub fn to_base64(self) -> String {
        base64_std(&self.0)
    }

    /// As reports write it.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut h = Sha256::new();
    for part in parts {
        h.update(part);
    }
    Hash(h.finalize().into())
}

/// SHA-256(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&[0], entry])
}

/// SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    hash(&[&[1], &left.0, &right.0])
}

/// The roots of the complete subtrees of a growing tree, largest first: all that appending needs.
#[derive(Clone, Default)]
pub struct Frontier {
    size: u64,
    roots: Vec<Hash>,
}

impl Frontier {
    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        // Each trailing one bit of the old size is a complete subtree as large as the one just finished.
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            node = node_hash(left, node);
        }
        self.roots.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// How many leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The tree hash of the leaves so far; of no leaves, the hash of nothing.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.roots
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(left, right))
            .unwrap_or_else(|| hash(&[]))
    }
}

/// The root that `leaf` at `index` of a tree of `size` leaves leads to along `path`; `None` when the path has not
/// the length that this place demands, or the place does not exist. RFC 9162 section 2.1.3.2.
#[must_use]
pub fn root_from_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut fnode, mut snode) = (index, size - 1);
    let mut node = leaf;
    for sibling in path {
        if snode == 0 {
            return None;
        }
        if fnode & 1 == 1 || fnode == snode {
            node = node_hash(*sibling, node);
            while fnode & 1 == 0 && fnode != 0 {
                fnode >>= 1;
                snode >>= 1;
            }
        } else {
            node = node_hash(node, *sibling);
        }
        fnode >>= 1;
        snode >>= 1;
    }
    (snode == 0).then_some(node)
}

/// The inclusion path of `index` in a tree of `size` leaves (RFC 6962 section 2.1.1), from `subtree(level, i)`: the
/// root of the complete subtree over the leaves `[i << level, (i + 1) << level)`.
///
/// # Errors
/// Those of `subtree`.
pub fn inclusion_path<E>(
    index: u64,
    size: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    let mut path = Vec::new();
    let (mut start, mut end) = (0, size);
    // At most 64 rounds: each halves the range.
    while end.saturating_sub(start) > 1 {
        let split = start + left_size(end - start);
        if index < split {
            path.push(range_hash(split, end, subtree)?);
            end = split;
        } else {
            path.push(range_hash(start, split, subtree)?);
            start = split;
        }
    }
    path.reverse();
    Ok(path)
}

/// The largest power of two below `n`, for `n > 1`.
const fn left_size(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The tree hash of the leaves `[start, end)`, where `start` is a multiple of the smallest power of two that holds
/// the range: true for every range that `inclusion_path` asks for.
fn range_hash<E>(
    start: u64,
    end: u64,
    subtree: &mut impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Hash, E> {
    let mut pieces = Vec::new();
    let mut at = start;
    while at < end {
        let level = 63 - (end - at).leading_zeros();
        pieces.push(subtree(level, at >> level)?);
        at += 1 << level;
    }
    Ok(pieces.into_iter().rev().reduce(|right, left| node_hash(left, right)).unwrap_or_else(|| hash(&[])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH of RFC 6962, as the RFC writes it.
    fn tree_hash(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => hash(&[]),
            [one] => *one,
            _ => {
                let k = usize::try_from(left_size(leaves.len() as u64)).unwrap();
                node_hash(tree_hash(&leaves[..k]), tree_hash(&leaves[k..]))
            }
        }
    }

    fn leaves(n: u8) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&[i])).collect()
    }

    #[test]
    fn the_empty_tree_and_the_first_leaf_are_those_of_the_rfc() {
        assert_eq!(
            Frontier::default().root().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(b"").to_hex(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
    }

    #[test]
    fn the_frontier_equals_the_recursive_definition() {
        let mut frontier = Frontier::default();
        for n in 0..=200_u8 {
            assert_eq!(frontier.root(), tree_hash(&leaves(n)));
            frontier.push(leaf_hash(&[n]));
        }
    }

    #[test]
    fn every_path_leads_to_the_root_and_no_other_place_accepts_it() {
        for size in 1..=40_u8 {
            let all = leaves(size);
            let root = tree_hash(&all);
            for index in 0..size {
                let mut subtree = |level: u32, i: u64| -> Result<Hash, ()> {
                    let from = usize::try_from(i << level).unwrap();
                    Ok(tree_hash(&all[from..from + (1 << level)]))
                };
                let path = inclusion_path(u64::from(index), u64::from(size), &mut subtree).unwrap();
                let leaf = all[usize::from(index)];
                for other_size in 1..=42_u64 {
                    for other in 0..other_size {
                        let led = root_from_path(leaf, other, other_size, &path);
                        let right = (other, other_size) == (u64::from(index), u64::from(size));
                        // A path alone does not fix the size (a neighbour size may share its shape), but within a
                        // size it fixes the index.
                        if right {
                            assert_eq!(led, Some(root));
                        } else if other_size == u64::from(size) {
                            assert_ne!(led, Some(root));
                        }
                    }
                }
                assert_eq!(
                    root_from_path(leaf, u64::from(index), u64::from(size), &path[1.min(path.len())..])
                        .is_some(),
                    path.is_empty()
                );
            }
        }
        assert_eq!(root_from_path(leaf_hash(b""), 0, 0, &[]), None);
        assert_eq!(root_from_path(leaf_hash(b""), u64::MAX, u64::MAX, &[]), None);
    }
}
