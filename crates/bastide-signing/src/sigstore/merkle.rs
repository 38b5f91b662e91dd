//! Merkle trees as logs build them (RFC 9162 section 2.1).

use bastide_crypto::Sha256;

/// The hash of an entry.
pub(super) fn leaf(entry: &[u8]) -> [u8; 32] {
    hash(0, &[entry])
}

fn node(left: &[u8], right: &[u8]) -> [u8; 32] {
    hash(1, &[left, right])
}

/// Leaves and nodes are hashed apart by the first byte, so that none passes for the other.
fn hash(first: u8, rest: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(&[first]);
    rest.iter().for_each(|part| hasher.update(part));
    hasher.finish()
}

/// The head of the tree of `size` leaves that the path leads to from the leaf at `index`; none where the path is of
/// another length than such a tree's (RFC 9162 section 2.1.3.2).
pub(super) fn head(leaf: [u8; 32], index: u64, size: u64, path: &[[u8; 32]]) -> Option<[u8; 32]> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                (at, last) = (at >> 1, last >> 1);
            }
        } else {
            hash = node(&hash, sibling);
        }
        (at, last) = (at >> 1, last >> 1);
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The largest power of two below `size`.
    fn split(size: usize) -> usize {
        size.next_power_of_two() / 2
    }

    fn slow_head(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [one] => *one,
            more => {
                let (left, right) = more.split_at(split(more.len()));
                node(&slow_head(left), &slow_head(right))
            }
        }
    }

    fn slow_path(leaves: &[[u8; 32]], index: usize) -> Vec<[u8; 32]> {
        if leaves.len() < 2 {
            return Vec::new();
        }
        let (left, right) = leaves.split_at(split(leaves.len()));
        let (mut path, sibling) = if index < left.len() {
            (slow_path(left, index), slow_head(right))
        } else {
            (slow_path(right, index - left.len()), slow_head(left))
        };
        path.push(sibling);
        path
    }

    proptest! {
        #[test]
        fn paths_lead_to_the_head_from_their_leaf_only(size in 1_usize..70, index: usize, other: usize) {
            let leaves: Vec<[u8; 32]> = (0..size).map(|i| leaf(&i.to_le_bytes())).collect();
            let (index, other) = (index % size, other % size);
            let path = slow_path(&leaves, index);
            let found = head(leaves[index], index as u64, size as u64, &path);
            prop_assert_eq!(found, Some(slow_head(&leaves)));
            if other != index {
                let forged = head(leaves[other], index as u64, size as u64, &path);
                prop_assert_ne!(forged, Some(slow_head(&leaves)));
                let moved = head(leaves[index], other as u64, size as u64, &path);
                prop_assert_ne!(moved, Some(slow_head(&leaves)));
            }
            let longer = [path.clone(), vec![[0; 32]]].concat();
            prop_assert_eq!(head(leaves[index], index as u64, size as u64, &longer), None);
            if let Some(shorter) = path.get(1..) {
                prop_assert_eq!(head(leaves[index], index as u64, size as u64, shorter), None);
            }
        }

        #[test]
        fn nothing_panics(index: u64, size: u64, path: Vec<[u8; 32]>) {
            let _ = head([0; 32], index, size, &path);
        }
    }
}
