//! Trees, tiles and proofs against the definitions of RFC 6962 written down slowly.

use std::collections::HashMap;

use bastide_tlog::{
    Frontier, Hash, MemoryTree, TileBuilder, TileKind, TilePath, TreeError, TreeReader, leaf_hash, node_hash,
    verify_consistency, verify_inclusion,
};
use proptest::prelude::*;

/// MTH of section 2.1.
fn model_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(model_root(left), model_root(right))
        }
    }
}

/// PATH of section 2.1.1.
fn model_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if index < middle {
        (model_path(index, left), model_root(right))
    } else {
        (model_path(index - middle, right), model_root(left))
    };
    path.push(other);
    path
}

/// SUBPROOF of section 2.1.2.
fn model_consistency(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![model_root(leaves)] };
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, other) = if old <= middle {
        (model_consistency(old, left, known), model_root(right))
    } else {
        (model_consistency(old - middle, right, false), model_root(left))
    };
    path.push(other);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

/// Every tile that the trees of 0 to `leaves.len()` entries have.
fn published(leaves: &[Hash]) -> HashMap<String, Vec<u8>> {
    let mut tiles = HashMap::new();
    let mut builder = TileBuilder::new();
    let bytes = |hashes: &[Hash]| hashes.iter().flat_map(|h| h.0).collect::<Vec<u8>>();
    for leaf in leaves {
        builder.append(*leaf, &mut |path, hashes| {
            assert!(path.is_full());
            tiles.insert(path.to_string(), bytes(hashes));
        });
        for (path, hashes) in builder.partials() {
            tiles.insert(path.to_string(), bytes(hashes));
        }
    }
    tiles
}

fn reader(
    size: usize,
    tiles: &HashMap<String, Vec<u8>>,
) -> TreeReader<impl FnMut(TilePath) -> Result<Vec<u8>, String>> {
    TreeReader::new(size as u64, |path: TilePath| {
        tiles.get(&path.to_string()).cloned().ok_or_else(|| format!("no {path}"))
    })
}

#[test]
fn every_size_has_the_root_of_the_definition() {
    let leaves = leaves(300);
    let mut frontier = Frontier::new();
    let mut builder = TileBuilder::new();
    for size in 0..=leaves.len() {
        assert_eq!(frontier.size(), size as u64);
        assert_eq!(builder.root(), frontier.root(), "builder at {size}");
        assert_eq!(frontier.root(), model_root(&leaves[..size]), "frontier at {size}");
        assert_eq!(MemoryTree::new(leaves[..size].to_vec()).root(), frontier.root(), "memory at {size}");
        if let Some(leaf) = leaves.get(size) {
            frontier.append(*leaf);
            builder.append(*leaf, &mut |_, _| {});
        }
    }
}

#[test]
fn every_proof_of_small_trees_is_that_of_the_definition() {
    let leaves = leaves(40);
    let tiles = published(&leaves);
    for size in 1..=leaves.len() {
        let known = &leaves[..size];
        let (tree, root) = (MemoryTree::new(known.to_vec()), model_root(known));
        let mut reader = reader(size, &tiles);
        for index in 0..size {
            let path = model_path(index, known);
            assert_eq!(tree.path(index).unwrap(), path);
            assert_eq!(reader.inclusion(index as u64).unwrap(), path);
            assert_eq!(verify_inclusion(known[index], index as u64, size as u64, &path, root), Ok(()));
            assert!(verify_inclusion(known[index], index as u64, index as u64, &path, root).is_err());
        }
        assert_eq!(tree.path(size), None);
        for old in 1..size {
            let path = model_consistency(old, known, true);
            assert_eq!(reader.consistency(old as u64).unwrap(), path, "{old} -> {size}");
            let old_root = model_root(&leaves[..old]);
            assert_eq!(verify_consistency(old as u64, old_root, size as u64, root, &path), Ok(()));
        }
    }
}

#[test]
fn large_trees_read_from_tiles() {
    let leaves = leaves(256 * 256 + 700);
    let tiles = published(&leaves);
    for size in [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 65_792, leaves.len()] {
        let known = &leaves[..size];
        let root = MemoryTree::new(known.to_vec()).root();
        let mut reader = reader(size, &tiles);
        assert_eq!(reader.root_at(size as u64).unwrap(), root);
        for index in [0, size / 3, size - 1] {
            let path = reader.inclusion(index as u64).unwrap();
            assert_eq!(verify_inclusion(known[index], index as u64, size as u64, &path, root), Ok(()));
            assert_eq!(reader.leaf(index as u64).unwrap(), known[index]);
        }
        for old in [1, size / 2, size.saturating_sub(1)] {
            let path = reader.consistency(old as u64).unwrap();
            let old_root = reader.root_at(old as u64).unwrap();
            assert_eq!(verify_consistency(old as u64, old_root, size as u64, root, &path), Ok(()));
        }
        assert_eq!(reader.tile_builder().unwrap().root(), root);
        // What is read continues like what was built.
        let mut built = TileBuilder::new();
        known.iter().for_each(|leaf| built.append(*leaf, &mut |_, _| {}));
        assert_eq!(
            reader.tile_builder().unwrap().partials().collect::<Vec<_>>(),
            built.partials().collect::<Vec<_>>()
        );
        // Full tiles alone bring back every multiple of 256.
        let even = size - size % 256;
        let mut before = TileBuilder::new();
        known[..even].iter().for_each(|leaf| before.append(*leaf, &mut |_, _| {}));
        let read = |path: TilePath| tiles.get(&path.to_string()).cloned().ok_or("absent");
        let resumed = TileBuilder::from_full_tiles(even as u64, read).unwrap();
        assert_eq!(resumed.partials().collect::<Vec<_>>(), before.partials().collect::<Vec<_>>());
        assert_eq!(resumed.root(), before.root());
    }
}

#[test]
fn the_layout_of_70000_entries_is_that_of_the_specification() {
    let at = |level, index| TilePath::in_tree(TileKind::Hashes(level), index, 70_000);
    assert!(at(0, 272).unwrap().is_full());
    assert_eq!(at(0, 273).unwrap().to_string(), "tile/0/273.p/112");
    assert_eq!(at(0, 274), None);
    assert!(at(1, 0).unwrap().is_full());
    assert_eq!(at(1, 1).unwrap().to_string(), "tile/1/001.p/17");
    assert_eq!(at(2, 0).unwrap().to_string(), "tile/2/000.p/1");
    assert_eq!(at(3, 0), None);
    let far = TilePath { kind: TileKind::Entries, index: 1_234_067, width: 256 };
    assert_eq!(far.to_string(), "tile/entries/x001/x234/067");
}

#[test]
fn paths_have_one_spelling() {
    for bad in [
        "tile/00/000",
        "tile/64/000",
        "tile/0/1",
        "tile/0/0000",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/x001",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/-1/000",
        "tile/0/000/",
        "tile/entries/",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "/tile/0/000",
        "tile/0/000.p/1.p/1",
    ] {
        assert_eq!(TilePath::parse(bad), None, "{bad}");
    }
}

#[test]
fn missing_and_bent_tiles_are_errors() {
    let tiles = published(&leaves(300));
    let mut absent = TreeReader::new(300, |_| Err("gone"));
    assert!(matches!(absent.root_at(300), Err(TreeError::Read { source: "gone", .. })));
    let mut short = TreeReader::new(300, |path: TilePath| {
        tiles.get(&path.to_string()).map(|t| t[1..].to_vec()).ok_or("gone")
    });
    assert!(matches!(short.root_at(300), Err(TreeError::Length { .. })));
    let mut reader = reader(300, &tiles);
    assert!(matches!(reader.inclusion(300), Err(TreeError::Range { size: 300 })));
    assert!(matches!(reader.consistency(301), Err(TreeError::Range { size: 300 })));
}

proptest! {
    #[test]
    fn paths_round_trip(level in 0..64_u8, entries: bool, index: u64, width in 1..=256_u16) {
        let kind = if entries { TileKind::Entries } else { TileKind::Hashes(level) };
        let path = TilePath { kind, index, width };
        prop_assert_eq!(TilePath::parse(&path.to_string()), Some(path));
    }

    #[test]
    fn no_parser_panics(text in "tile/[0-9x/.p]{0,20}", bytes: Vec<u8>) {
        let _ = TilePath::parse(&text);
        let _ = bastide_tlog::decode_bundle(&bytes);
        let _ = bastide_tlog::Note::parse(&bytes);
        let _ = bastide_tlog::Checkpoint::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_bent_proof_never_holds(size in 2..600_usize, a: u64, b: u64, at: usize, bit in 0..8_u32) {
        let known = leaves(size);
        let (index, old) = ((a % size as u64), 1 + b % (size as u64 - 1));
        let root = model_root(&known);
        let old_root = model_root(&known[..usize::try_from(old).unwrap()]);
        let flip = |path: &[Hash]| {
            let mut bent = path.to_vec();
            let count = bent.len() * 32;
            let at = at % count;
            bent[at / 32].0[at % 32] ^= 1_u8 << bit;
            bent
        };
        let path = model_path(usize::try_from(index).unwrap(), &known);
        let leaf = known[usize::try_from(index).unwrap()];
        let n = size as u64;
        prop_assert!(verify_inclusion(leaf, index, n, &path, root).is_ok());
        prop_assert!(verify_inclusion(leaf, index, n, &flip(&path), root).is_err());
        prop_assert!(verify_inclusion(leaf, index, n, &path[1..], root).is_err());
        prop_assert!(verify_inclusion(leaf, (index + 1) % n, n, &path, root).is_err());
        let longer = [path.clone(), vec![root]].concat();
        prop_assert!(verify_inclusion(leaf, index, n, &longer, root).is_err());

        let path = model_consistency(usize::try_from(old).unwrap(), &known, true);
        prop_assert!(verify_consistency(old, old_root, n, root, &path).is_ok());
        prop_assert!(verify_consistency(old, old_root, n, root, &flip(&path)).is_err());
        prop_assert!(verify_consistency(old, old_root, n, root, &path[1..]).is_err());
        prop_assert!(verify_consistency(old, root, n, root, &path).is_err());
        let longer = [path.clone(), vec![root]].concat();
        prop_assert!(verify_consistency(old, old_root, n, root, &longer).is_err());
    }
}
