//! Checkpoints: the head of a log's tree in a signed note (`transparency-dev/formats`, log/README.md).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeylessError;
use super::log_key::LogKey;

/// The most signatures of a note that are looked at: the log's, and those of its witnesses.
const MAX_SIGNATURES: usize = 64;

/// A head of a tree that the log signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub(super) size: u64,
    pub(super) head: [u8; 32],
}

impl Checkpoint {
    /// From a note that the log with this id and key signed.
    pub(super) fn verify(note: &str, log: &[u8; 32], key: &LogKey) -> Result<Self, KeylessError> {
        let end = note.rfind("\n\n").ok_or(KeylessError::Checkpoint)?;
        // What is signed ends with the newline of its last line.
        let (text, signatures) = note.split_at_checked(end + 1).ok_or(KeylessError::Checkpoint)?;
        let checkpoint = Checkpoint::read(text).ok_or(KeylessError::Checkpoint)?;
        let hint = log.get(..4).unwrap_or_default();
        let mut signatures = signatures.lines().filter_map(signature).take(MAX_SIGNATURES);
        if signatures.any(|bytes| {
            bytes.strip_prefix(hint).is_some_and(|signature| key.signed(text.as_bytes(), signature))
        }) {
            return Ok(checkpoint);
        }
        Err(KeylessError::CheckpointSignature)
    }

    /// Three lines: the name of the log, the size of the tree, its head. More may follow.
    fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let (_name, size, head) = (lines.next().filter(|it| !it.is_empty())?, lines.next()?, lines.next()?);
        let number: u64 = size.parse().ok().filter(|number: &u64| number.to_string() == size)?;
        Some(Checkpoint { size: number, head: STANDARD.decode(head).ok()?.try_into().ok()? })
    }
}

/// The bytes of a line `— name base64`: four that name the key, then the signature.
fn signature(line: &str) -> Option<Vec<u8>> {
    let (_name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    STANDARD.decode(encoded).ok()
}
