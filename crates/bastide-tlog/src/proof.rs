//! Checking proofs (RFC 9162 sections 2.1.3.2 and 2.1.4.2, which spell out those of RFC 6962).

use crate::hash::{Hash, node_hash};

/// A proof that does not prove what it was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the proof does not hold")]
pub struct BadProof;

/// Checks that `leaf` is at `index` in the tree of `size` leaves with this root.
///
/// # Errors
/// When it is not, or the path is longer or shorter than that of such a tree.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), BadProof> {
    if inclusion_root(leaf, index, size, path)? == root { Ok(()) } else { Err(BadProof) }
}

/// The root that the path leads to from `leaf` at `index` in a tree of `size` leaves: for a root that is signed and
/// not carried.
///
/// # Errors
/// When the path is longer or shorter than that of such a tree.
pub fn inclusion_root(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Result<Hash, BadProof> {
    if index >= size {
        return Err(BadProof);
    }
    let (mut node_index, mut last) = (index, size - 1);
    let mut node = leaf;
    for sibling in path {
        if last == 0 {
            return Err(BadProof);
        }
        if node_index & 1 == 1 || node_index == last {
            node = node_hash(*sibling, node);
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last >>= 1;
            }
        } else {
            node = node_hash(node, *sibling);
        }
        node_index >>= 1;
        last >>= 1;
    }
    if last == 0 { Ok(node) } else { Err(BadProof) }
}

/// Checks that the tree of `old_size` leaves is the beginning of the tree of `new_size` leaves.
///
/// # Errors
/// When it is not, or the path is not that of such trees. Equal sizes need an empty path and equal roots; the empty
/// tree is the beginning of every tree, by an empty path.
pub fn verify_consistency(
    old_size: u64,
    old_root: Hash,
    new_size: u64,
    new_root: Hash,
    path: &[Hash],
) -> Result<(), BadProof> {
    let holds = |condition: bool| if condition { Ok(()) } else { Err(BadProof) };
    if old_size > new_size {
        return Err(BadProof);
    }
    if old_size == new_size {
        return holds(path.is_empty() && old_root == new_root);
    }
    if old_size == 0 {
        return holds(path.is_empty() && old_root == Hash::empty_root());
    }
    // A complete old tree is itself the first node and is left out of the path.
    let mut steps = path.iter().copied();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { steps.next() };
    let first = first.ok_or(BadProof)?;
    let (mut node_index, mut last) = (old_size - 1, new_size - 1);
    while node_index & 1 == 1 {
        node_index >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (first, first);
    for step in steps {
        if last == 0 {
            return Err(BadProof);
        }
        if node_index & 1 == 1 || node_index == last {
            old = node_hash(step, old);
            new = node_hash(step, new);
            while node_index & 1 == 0 && node_index != 0 {
                node_index >>= 1;
                last >>= 1;
            }
        } else {
            new = node_hash(new, step);
        }
        node_index >>= 1;
        last >>= 1;
    }
    holds(last == 0 && old == old_root && new == new_root)
}
