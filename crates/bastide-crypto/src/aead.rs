//! AES-256-GCM (NIST SP 800-38D).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroize;

/// A sealed text that was not sealed with this key, nonce and associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed text is not authentic under this key")]
pub struct NotAuthentic;

#[expect(clippy::expect_used, reason = "32 bytes are the key length of AES-256; the type fixes it")]
fn cipher(key: &[u8; 32]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are a key"))
}

/// Seals `plaintext` and binds `aad` to it; the 16-byte tag is appended.
///
/// The caller never uses a nonce twice under one key: random nonces are good for 2^32 messages a key
/// (SP 800-38D section 8.3).
#[must_use]
#[expect(clippy::expect_used, reason = "fails only beyond 64 GiB, which no caller can hold in memory here")]
pub fn seal(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len().saturating_add(16));
    out.extend_from_slice(plaintext);
    cipher(key)
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut out)
        .expect("the plaintext is shorter than 64 GiB");
    out
}

/// [`seal`] behind what is in `out`, without a copy of its own: ciphertext, then the tag.
#[expect(clippy::expect_used, reason = "fails only beyond 64 GiB, which no caller can hold in memory here")]
pub fn seal_append(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], plaintext: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(plaintext);
    let text = out.get_mut(start..).unwrap_or_default();
    let tag = cipher(key)
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), Aad::from(aad), text)
        .expect("the plaintext is shorter than 64 GiB");
    out.extend_from_slice(tag.as_ref());
}

/// Opens what [`seal`] made.
///
/// # Errors
/// When key, nonce, associated data or text differ from those of the sealing.
pub fn open(key: &[u8; 32], nonce: [u8; 12], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
    let mut buffer = sealed.to_vec();
    match cipher(key).open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(aad), &mut buffer) {
        Ok(plaintext) => {
            let length = plaintext.len();
            buffer.truncate(length);
            Ok(buffer)
        }
        Err(_) => {
            buffer.zeroize();
            Err(NotAuthentic)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn opens_only_as_it_was(text in prop::collection::vec(any::<u8>(), 0..100), at in any::<usize>(), bit in 0..8_u32) {
            let (key, nonce) = ([1; 32], [2; 12]);
            let sealed = seal(&key, nonce, b"aad", &text);
            let mut appended = b"before".to_vec();
            seal_append(&key, nonce, b"aad", &text, &mut appended);
            prop_assert_eq!(appended, [b"before", sealed.as_slice()].concat());
            prop_assert_eq!(open(&key, nonce, b"aad", &sealed), Ok(text));
            prop_assert_eq!(open(&key, nonce, b"aab", &sealed), Err(NotAuthentic));
            prop_assert_eq!(open(&key, [3; 12], b"aad", &sealed), Err(NotAuthentic));
            let mut bent = sealed.clone();
            let at = at % bent.len();
            bent[at] ^= 1_u8 << bit;
            prop_assert_eq!(open(&key, nonce, b"aad", &bent), Err(NotAuthentic));
        }
    }

    #[test]
    fn shorter_than_a_tag_is_not_authentic() {
        assert_eq!(open(&[0; 32], [0; 12], b"", b"short"), Err(NotAuthentic));
    }
}
