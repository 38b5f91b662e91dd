//! The hashes of RFC 6962 section 2.1.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::{Sha256, sha256};

/// A Merkle tree hash: SHA-256. Prints as standard base64, the form of checkpoints.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The root of the tree without leaves: the hash of the empty string.
    #[must_use]
    pub fn empty_root() -> Hash {
        Hash(sha256(b""))
    }

    /// From standard base64.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Hash> {
        STANDARD.decode(text).ok()?.try_into().ok().map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Entries up to this long are hashed in one call, which is half the price of three for a small one.
const SHORT_BYTES: usize = 1024;

/// The hash of a leaf: `SHA-256(0x00 || entry)`. The prefix keeps an entry from posing as an inner node.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut message = [0; 1 + SHORT_BYTES];
    if let Some(place) = message.get_mut(1..=entry.len()) {
        place.copy_from_slice(entry);
        return Hash(sha256(message.get(..=entry.len()).unwrap_or_default()));
    }
    let mut hash = Sha256::new();
    hash.update(&[0]);
    hash.update(entry);
    Hash(hash.finish())
}

/// The hash of an inner node: `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: Hash, right: Hash) -> Hash {
    let mut message = [1_u8; 65];
    for (to, from) in message.iter_mut().skip(1).zip(left.0.iter().chain(&right.0)) {
        *to = *from;
    }
    Hash(sha256(&message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_hashed_alike_in_one_call_and_in_pieces() {
        for bytes in [0, 1, SHORT_BYTES - 1, SHORT_BYTES, SHORT_BYTES + 1] {
            let entry = vec![7; bytes];
            assert_eq!(leaf_hash(&entry).0, sha256(&[&[0], entry.as_slice()].concat()), "{bytes}");
        }
    }
}
