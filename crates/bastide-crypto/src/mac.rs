//! HMAC-SHA256 (RFC 2104), HKDF over it (RFC 5869), and comparison without a timing channel.

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;

use crate::hash::to_array;

/// The HMAC-SHA256 of the concatenated `parts`. Parts are not delimited: a caller whose parts vary in length and
/// could be shifted against each other writes their lengths itself.
#[must_use]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    HmacKey::new(key).sign(parts)
}

/// A key of HMAC-SHA256 with its two inner blocks already hashed. Has no `Debug`; the library wipes it on drop.
#[derive(Clone)]
pub struct HmacKey(hmac::Key);

impl HmacKey {
    /// From key bytes of any length; 32 random bytes are right.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        HmacKey(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The tag of the concatenated `parts`.
    #[must_use]
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        if let [whole] = parts {
            return self.sign_whole(whole);
        }
        let mut context = self.context();
        for part in parts {
            context.update(part);
        }
        context.finish()
    }

    /// In one call, which moves a context of more than a kilobyte about less often.
    #[expect(
        clippy::expect_used,
        reason = "fails only where the tag has no room, and that is what the type fixes"
    )]
    fn sign_whole(&self, message: &[u8]) -> [u8; 32] {
        let mut tag = [0; 32];
        hmac::sign_to_buffer(&self.0, message, &mut tag).expect("a tag has 32 bytes");
        tag
    }

    /// Whether `tag` is the tag of the concatenated `parts`, in constant time.
    #[must_use]
    pub fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> bool {
        constant_time_eq(&self.sign(parts), tag)
    }

    /// A computation that takes the message piece by piece.
    #[must_use]
    pub fn context(&self) -> HmacContext {
        HmacContext(hmac::Context::with_key(&self.0))
    }
}

/// An HMAC-SHA256 computation in progress.
#[derive(Clone)]
pub struct HmacContext(hmac::Context);

impl HmacContext {
    /// Appends to the message.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The tag of everything appended.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        to_array(self.0.sign().as_ref())
    }
}

/// HMAC-SHA1, for one-time codes after RFC 4226 and nothing else: there it is what authenticator apps compute, and its
/// weakness against collisions does not matter.
#[must_use]
pub fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key), message);
    let mut out = [0; 20];
    out.copy_from_slice(tag.as_ref());
    out
}

/// Whether both are equal, in time that depends on their lengths only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// More output was asked of HKDF than 255 blocks of 32 bytes (RFC 5869 section 2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a derived key has at most 8160 bytes")]
pub struct HkdfLengthError;

/// HKDF-SHA256 (RFC 5869): fills `out` from the input key.
///
/// # Errors
/// When `out` is longer than 8160 bytes.
pub fn hkdf_sha256(salt: &[u8], input: &[u8], info: &[u8], out: &mut [u8]) -> Result<(), HkdfLengthError> {
    const BLOCK: usize = 32;
    if out.len() > 255 * BLOCK {
        return Err(HkdfLengthError);
    }
    let mut pseudorandom = hmac_sha256(salt, &[input]);
    let expander = HmacKey::new(&pseudorandom);
    zeroize::Zeroize::zeroize(&mut pseudorandom);
    let mut previous = [0_u8; BLOCK];
    for (counter, chunk) in (1_u8..=255).zip(out.chunks_mut(BLOCK)) {
        let mut context = expander.context();
        if counter > 1 {
            context.update(&previous);
        }
        context.update(info);
        context.update(&[counter]);
        previous = context.finish();
        for (to, from) in chunk.iter_mut().zip(previous) {
            *to = from;
        }
    }
    zeroize::Zeroize::zeroize(&mut previous);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streamed_equals_whole() {
        let key = HmacKey::new(b"key");
        let mut context = key.context();
        context.update(b"The quick brown fox ");
        context.update(b"jumps over the lazy dog");
        let tag = context.finish();
        assert_eq!(tag, hmac_sha256(b"key", &[b"The quick brown fox jumps over the lazy dog"]));
        assert_eq!(tag[..4], [0xf7, 0xbc, 0x83, 0xf4]);
        assert_eq!(tag, hmac_sha256(b"key", &[b"The quick brown fox ", b"jumps over the lazy dog"]));
        assert!(key.verify(&[b"The quick brown fox jumps over the lazy dog"], &tag));
        assert!(!key.verify(&[b"The quick brown fox jumps over the lazy cat"], &tag));
    }

    #[test]
    fn the_second_sha1_vector_of_rfc_2202() {
        let tag = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(tag.map(|b| format!("{b:02x}")).concat(), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn lengths_count_in_comparison() {
        assert!(constant_time_eq(b"", b""));
        assert!(!constant_time_eq(b"a", b"ab"));
        assert!(!constant_time_eq(b"ab", b"aB"));
    }
}
