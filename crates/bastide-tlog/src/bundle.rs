//! Entry bundles: up to 256 entries, each after its length (c2sp.org/tlog-tiles, "Log entries").

use crate::tile::TILE_WIDTH;

/// The longest entry that a bundle can hold: lengths have 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Bytes that are no entry bundle, or entries that fit none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bytes end inside an entry.
    #[error("the bundle ends inside an entry")]
    Truncated,
    /// More than 256 entries.
    #[error("the bundle holds more than 256 entries")]
    TooMany,
    /// An entry of more than 65,535 bytes.
    #[error("an entry has {0} bytes; a bundle holds at most 65535 for each")]
    TooLong(usize),
}

/// The bundle of these entries.
///
/// # Errors
/// When there are more than 256, or one is longer than 65,535 bytes.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BundleError> {
    let mut out = Vec::new();
    for (count, entry) in entries.into_iter().enumerate() {
        if count >= TILE_WIDTH {
            return Err(BundleError::TooMany);
        }
        let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(entry);
    }
    Ok(out)
}

/// The entries of a bundle.
///
/// # Errors
/// When it ends inside an entry or holds more than 256.
pub fn decode_bundle(mut bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut out = Vec::new();
    while !bundle.is_empty() {
        if out.len() >= TILE_WIDTH {
            return Err(BundleError::TooMany);
        }
        let (length, rest) = bundle.split_first_chunk::<2>().ok_or(BundleError::Truncated)?;
        let (entry, rest) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(BundleError::Truncated)?;
        out.push(entry);
        bundle = rest;
    }
    Ok(out)
}
