//! The text that a log signs (c2sp.org/tlog-checkpoint).

use crate::hash::Hash;

/// What a log commits to: its first `size` entries have this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, unique to it: `default/node-1`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Text that is no checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub struct CheckpointError(&'static str);

impl Checkpoint {
    /// The note text: three lines, each ended by a newline.
    #[must_use]
    pub fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Reads a note text. Extension lines are allowed by the specification and say nothing here: they are dropped.
    ///
    /// # Errors
    /// When a line is missing or empty, the size has leading zeroes, or the root is not 32 bytes of base64.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError("it does not end in a newline"))?;
        let mut lines = text.split('\n');
        let origin = lines.next().filter(|l| !l.is_empty()).ok_or(CheckpointError("the origin is empty"))?;
        let size = lines.next().and_then(parse_decimal).ok_or(CheckpointError("bad tree size"))?;
        let root = lines.next().and_then(Hash::from_base64).ok_or(CheckpointError("bad root hash"))?;
        if lines.any(str::is_empty) {
            return Err(CheckpointError("an empty extension line"));
        }
        Ok(Checkpoint { origin: origin.to_owned(), size, root })
    }
}

/// A decimal number without sign or leading zeroes.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    if !canonical || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
