//! A log that another implementation wrote, from the folder that `BASTIDE_TESTDATA` names: `tlog/log` holds the
//! checkpoints of sizes 0 to 15, the tiles and the entry bundles.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at what it did not expect")]

use std::path::PathBuf;

use bastide_tlog::{
    Checkpoint, Frontier, MemoryTree, Note, NoteKey, TileBuilder, TileKind, TilePath, TreeReader,
    decode_bundle, encode_bundle, leaf_hash, verify_consistency, verify_inclusion,
};

const VKEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("BASTIDE_TESTDATA").map(|f| PathBuf::from(f).join("tlog/log"));
    if folder.is_none() {
        eprintln!("skipped: BASTIDE_TESTDATA names no folder with tlog/log");
    }
    folder
}

fn checkpoints(folder: &std::path::Path) -> Vec<Checkpoint> {
    let key = NoteKey::parse(VKEY).unwrap();
    (0..=15_u64)
        .map(|size| {
            let note = std::fs::read(folder.join(format!("checkpoint.{size}"))).unwrap();
            // `checkpoint` is the newest.
            assert_eq!(note == std::fs::read(folder.join("checkpoint")).unwrap(), size == 15);
            let note = Note::parse(&note).unwrap();
            let checkpoint = Checkpoint::parse(note.verify(&key).unwrap()).unwrap();
            assert_eq!((checkpoint.size, checkpoint.origin.as_str()), (size, key.name()));
            checkpoint
        })
        .collect()
}

#[test]
fn every_checkpoint_verifies_and_every_root_comes_out_of_the_entries() {
    let Some(folder) = folder() else { return };
    let checkpoints = checkpoints(&folder);
    for checkpoint in &checkpoints {
        let mut frontier = Frontier::new();
        if checkpoint.size > 0 {
            let path = TilePath::in_tree(TileKind::Entries, 0, checkpoint.size).unwrap();
            let bundle = std::fs::read(folder.join(path.to_string())).unwrap();
            let entries = decode_bundle(&bundle).unwrap();
            assert_eq!(entries.len() as u64, checkpoint.size);
            entries.iter().for_each(|e| frontier.append(leaf_hash(e)));
            assert_eq!(encode_bundle(entries).unwrap(), bundle, "our writer gives the same bytes");
        }
        assert_eq!(frontier.root(), checkpoint.root, "at {}", checkpoint.size);
    }
}

#[test]
fn every_pair_of_sizes_is_consistent_and_every_entry_included() {
    let Some(folder) = folder() else { return };
    let checkpoints = checkpoints(&folder);
    for new in &checkpoints {
        let mut reader =
            TreeReader::new(new.size, |path: TilePath| std::fs::read(folder.join(path.to_string())));
        assert_eq!(reader.root_at(new.size).unwrap(), new.root);
        for old in checkpoints.iter().filter(|old| old.size <= new.size) {
            let path = reader.consistency(old.size).unwrap();
            verify_consistency(old.size, old.root, new.size, new.root, &path).unwrap();
            assert_eq!(reader.root_at(old.size).unwrap(), old.root);
        }
        for index in 0..new.size {
            let path = reader.inclusion(index).unwrap();
            verify_inclusion(reader.leaf(index).unwrap(), index, new.size, &path, new.root).unwrap();
        }
    }
}

#[test]
fn our_writer_given_the_same_entries_gives_the_same_tiles_and_roots() {
    let Some(folder) = folder() else { return };
    let checkpoints = checkpoints(&folder);
    let bundle = std::fs::read(folder.join("tile/entries/000.p/15")).unwrap();
    let (mut frontier, mut tiles, mut leaves) = (Frontier::new(), TileBuilder::new(), Vec::new());
    for (entry, expected) in decode_bundle(&bundle).unwrap().into_iter().zip(checkpoints.iter().skip(1)) {
        let leaf = leaf_hash(entry);
        frontier.append(leaf);
        leaves.push(leaf);
        tiles.append(leaf, &mut |_, _| {});
        assert_eq!(frontier.root(), expected.root);
        assert_eq!(MemoryTree::new(leaves.clone()).root(), expected.root);
        for (path, hashes) in tiles.partials() {
            let theirs = std::fs::read(folder.join(path.to_string())).unwrap();
            assert_eq!(hashes.iter().flat_map(|h| h.0).collect::<Vec<u8>>(), theirs, "{path}");
        }
    }
    assert_eq!(frontier.size(), 15);
}
