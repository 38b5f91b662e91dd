//! Merkle trees, tiles, checkpoints and proofs of a transparency log.
//!
//! Owns: the hashes and proofs of RFC 6962 section 2, the tile layout of c2sp.org/tlog-tiles, the checkpoint text of
//! c2sp.org/tlog-checkpoint and its signature as a c2sp.org/signed-note (Ed25519). Knows nothing of what entries mean,
//! of files, or of when a checkpoint is due: tiles are asked for through a closure.
//!
//! ```
//! use bastide_tlog::{Frontier, MemoryTree, leaf_hash, verify_inclusion};
//!
//! let leaves: Vec<_> = (0..5_u8).map(|i| leaf_hash(&[i])).collect();
//! let mut frontier = Frontier::new();
//! leaves.iter().for_each(|leaf| frontier.append(*leaf));
//!
//! let tree = MemoryTree::new(leaves.clone());
//! assert_eq!(tree.root(), frontier.root());
//! let path = tree.path(3).unwrap();
//! assert!(verify_inclusion(leaves[3], 3, 5, &path, frontier.root()).is_ok());
//! assert!(verify_inclusion(leaves[2], 3, 5, &path, frontier.root()).is_err());
//! ```

mod bundle;
mod checkpoint;
mod frontier;
mod hash;
mod memory;
mod note;
mod proof;
mod tile;
mod tree;

pub use bundle::{BundleError, MAX_ENTRY_BYTES, decode_bundle, encode_bundle};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use frontier::Frontier;
pub use hash::{Hash, leaf_hash, node_hash};
pub use memory::MemoryTree;
pub use note::{Note, NoteError, NoteKey, NoteSignature};
pub use proof::{BadProof, inclusion_root, verify_consistency, verify_inclusion};
pub use tile::{TILE_WIDTH, TileBuilder, TileKind, TilePath};
pub use tree::{TreeError, TreeReader};
