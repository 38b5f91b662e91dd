//! Signed notes and checkpoints (C2SP signed-note, tlog-checkpoint).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::failure::Failure;
use crate::merkle::Hash;
use crate::text::{base64_std, from_base64_std};

/// Ed25519, in a verifier key of C2SP signed-note.
const ALGORITHM_ED25519: u8 = 1;
/// The most signature lines a note may have: a log's own and its witnesses'.
const MAX_SIGNATURES: usize = 64;

/// A log's public key under its name: `name+hash+base64(0x01 || key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    /// The log's name, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of SHA-256(name || 0x0A || 0x01 || key).
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Whether `signature` is this key's over `message`. Strict: no signature has a second valid form.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl FromStr for VerifierKey {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        let wrong = |detail: &str| Failure::usage("log key", detail);
        // Base64 may contain `+`, the name may not: the first two separate.
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("not of the form name+hash+base64; it stands in the log folder as `log.vkey`"));
        };
        if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(wrong("its name is empty or has white space"));
        }
        let key = from_base64_std(key).ok_or_else(|| wrong("its third part is not base64"))?;
        let (Some(&ALGORITHM_ED25519), Some(public)) = (key.first(), key.get(1..)) else {
            return Err(wrong("not an Ed25519 key"));
        };
        let public = <&[u8; 32]>::try_from(public).map_err(|_| wrong("an Ed25519 key has 32 bytes"))?;
        let point = VerifyingKey::from_bytes(public).map_err(|_| wrong("not a point of the curve"))?;
        let digest = Sha256::new().chain_update(name).chain_update(b"\n").chain_update(&key).finalize();
        let expected = digest.first_chunk::<4>().copied().unwrap_or_default();
        if id != format!("{:08x}", u32::from_be_bytes(expected)) {
            return Err(wrong("its hash does not fit its name and key"));
        }
        Ok(VerifierKey { name: name.to_owned(), id: expected, key: point })
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ALGORITHM_ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), base64_std(&key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a log says of itself: so many entries, under this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The tree hash over them.
    pub root: Hash,
    /// Signatures by others, which were not checked.
    pub cosignatures: usize,
}

/// Reads a signed checkpoint and checks that `key` signed it.
///
/// # Errors
/// [`crate::FailureKind::DoesNotHold`] when it is malformed, of another origin, or not signed by the key.
pub fn open_checkpoint(note: &[u8], key: &VerifierKey) -> Result<Checkpoint, Failure> {
    let wrong = |detail: &str| Failure::broken("checkpoint", detail);
    let note = std::str::from_utf8(note).map_err(|_| wrong("not UTF-8"))?;
    if note.chars().any(|c| c.is_control() && c != '\n') {
        return Err(wrong("has control characters"));
    }
    // The signatures follow the last empty line; the signed text ends with the line feed before it.
    let gap = note.rfind("\n\n").ok_or_else(|| wrong("has no signature"))?;
    let (body, signatures) = note.split_at_checked(gap + 1).ok_or_else(|| wrong("has no signature"))?;
    let signatures = signatures.strip_prefix('\n').ok_or_else(|| wrong("has no signature"))?;
    let signatures =
        signatures.strip_suffix('\n').ok_or_else(|| wrong("its last signature line does not end"))?;

    let mut signed = false;
    let mut cosignatures = 0;
    for (i, line) in signatures.split('\n').enumerate() {
        if i >= MAX_SIGNATURES {
            return Err(wrong("has too many signatures"));
        }
        let (name, blob) = line
            .strip_prefix("\u{2014} ")
            .and_then(|l| l.split_once(' '))
            .and_then(|(name, blob)| Some((name, from_base64_std(blob)?)))
            .filter(|(name, blob)| !name.is_empty() && blob.len() > 4)
            .ok_or_else(|| wrong("has a malformed signature line"))?;
        let Some((id, signature)) = blob.split_first_chunk::<4>() else { continue };
        if name != key.name || *id != key.id {
            cosignatures += 1;
            continue;
        }
        let good = <&[u8; 64]>::try_from(signature).is_ok_and(|s| key.signed(body.as_bytes(), s));
        if !good || signed {
            return Err(wrong("the log's signature is not valid"));
        }
        signed = true;
    }
    if !signed {
        return Err(wrong("not signed by the given log key"));
    }

    // Extension lines are never empty (C2SP tlog-checkpoint), and the body ends with one line feed.
    if body.contains("\n\n") {
        return Err(wrong("has an empty line in its body"));
    }
    let mut lines = body.split('\n');
    let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
        return Err(wrong("has fewer than three lines"));
    };
    if origin != key.name {
        return Err(wrong("its origin is not the name of the log key"));
    }
    let root = from_base64_std(root)
        .and_then(|r| <[u8; 32]>::try_from(r).ok())
        .ok_or_else(|| wrong("its root is not a hash"))?;
    let size = decimal(size).ok_or_else(|| wrong("its size is not a number"))?;
    Ok(Checkpoint { origin: origin.to_owned(), size, root: Hash(root), cosignatures })
}

/// A decimal number in its one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind;

    // The verifier key and the empty log's checkpoint that Tessera's build script writes.
    const KEY: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    const NOTE: &str = "example.com/log/testdata\n15\nrKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n\u{2014} example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n";

    #[test]
    fn a_foreign_checkpoint_opens_and_no_altered_byte_of_it_does() {
        let key: VerifierKey = KEY.parse().unwrap();
        assert_eq!(key.to_string(), KEY);
        assert_eq!(open_checkpoint(NOTE.as_bytes(), &key).unwrap().size, 15);
        for i in 0..NOTE.len() {
            for flip in (0..8).map(|bit| 1_u8 << bit) {
                let mut bytes = NOTE.as_bytes().to_vec();
                bytes[i] ^= flip;
                assert!(open_checkpoint(&bytes, &key).is_err(), "byte {i} ^ {flip}");
            }
        }
        for cut in 0..NOTE.len() {
            assert!(open_checkpoint(&NOTE.as_bytes()[..cut], &key).is_err());
        }
        let cosigned = format!("{NOTE}\u{2014} witness.example/w AAAAAAAAAAAAAAAA\n");
        assert_eq!(open_checkpoint(cosigned.as_bytes(), &key).unwrap().cosignatures, 1);
        assert!(open_checkpoint(format!("{NOTE}trailing\n").as_bytes(), &key).is_err());
    }

    #[test]
    fn no_altered_key_is_a_key() {
        for i in 0..KEY.len() {
            for flip in (0..8).map(|bit| 1_u8 << bit) {
                let mut bytes = KEY.as_bytes().to_vec();
                bytes[i] ^= flip;
                if let Ok(text) = String::from_utf8(bytes) {
                    let error = text.parse::<VerifierKey>().unwrap_err();
                    assert_eq!(error.kind, FailureKind::Usage);
                }
            }
        }
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for wrong in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "\u{661}"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }
}
