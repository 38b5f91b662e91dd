//! Verifies receipts and logs of bastide offline.
//!
//! Owns: an own reading of everything bastide publishes (signed notes, tiles, entry bundles, canonical CBOR,
//! receipts), written from the specifications (RFC 6962, C2SP signed-note, tlog-checkpoint and tlog-tiles, RFC 8949)
//! and sharing no line with the code that writes it, so that one mistake cannot stand on both sides. Knows nothing of
//! the server, of how entries come about, or of what a database says: only files and a public key count.
//!
//! What it shows, with a key that came from elsewhere than the log: the log's owner signed this state of the log;
//! every entry and tile leads to it; a receipt's entry was promised, and stands where the receipt says. What it
//! cannot show: that the owner never signed two histories. For that, keep checkpoints and compare
//! ([`verify_consistency`]), or have witnesses do it.
//!
//! ```
//! use bastide_verify::{FailureKind, VerifierKey, verify_receipt};
//!
//! let key: VerifierKey =
//!     "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx".parse()?;
//! let failure = verify_receipt("bst1.oGE", &key, None).unwrap_err();
//! assert_eq!(failure.kind, FailureKind::DoesNotHold);
//! assert_eq!(failure.exit_code(), 1);
//! # Ok::<(), bastide_verify::Failure>(())
//! ```

mod cbor;
mod entry;
mod failure;
mod folder;
mod links;
mod log;
mod merkle;
mod note;
mod proof;
mod receipt;
mod text;

pub use cbor::Value;
pub use failure::{Failure, FailureKind};
pub use folder::{own_log_key, read_note as read_small_file, read_proof};
pub use log::{
    ConsistencyReport, Entries, LogOptions, LogReport, verify_consistency, verify_log, verify_log_with,
};
pub use merkle::{Frontier, Hash, inclusion_path, leaf_hash, node_hash, root_from_path};
pub use note::{Checkpoint, VerifierKey, open_checkpoint};
pub use proof::{ProofReport, verify_proof};
pub use receipt::{RECEIPT_PREFIX, ReceiptReport, verify_receipt};
