//! Ed25519 (RFC 8032).

use std::fmt;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroize;

use crate::random::Random;

/// A signature that is not this key's over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// A private key of Ed25519. Has no `Debug`; the library wipes it on drop.
pub struct SigningKey(Ed25519KeyPair);

impl SigningKey {
    /// A new one.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut seed = [0; 32];
        random.fill(&mut seed);
        SigningKey::from_seed(seed)
    }

    /// From its 32-byte seed (RFC 8032 section 5.1.5), which is wiped here.
    #[must_use]
    #[expect(clippy::expect_used, reason = "every 32-byte seed is a key; the only failure is lack of memory")]
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("any 32 bytes are a seed");
        seed.zeroize();
        SigningKey(pair)
    }

    /// The signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut out = [0; 64];
        // The library's signature has 64 bytes by RFC 8032; a zip cannot fail where a copy could.
        for (to, from) in out.iter_mut().zip(self.0.sign(message).as_ref()) {
            *to = *from;
        }
        out
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut out = [0; 32];
        for (to, from) in out.iter_mut().zip(self.0.public_key().as_ref()) {
            *to = *from;
        }
        VerifyingKey(out)
    }
}

/// A public key of Ed25519. Bytes that are no point on the curve verify nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// From its encoding (RFC 8032 section 5.1.2).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        VerifyingKey(bytes)
    }

    /// Its encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature.
    ///
    /// # Errors
    /// When the signature is not this key's over this message, or has not 64 bytes.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(message, signature).map_err(|_| BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ed25519:")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_vector_of_rfc_8032() {
        let seed = [
            0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
            0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
        ];
        let key = SigningKey::from_seed(seed);
        assert_eq!(key.verifying_key().as_bytes()[..4], [0xd7, 0x5a, 0x98, 0x01]);
        let signature = key.sign(b"");
        assert_eq!(signature[..4], [0xe5, 0x56, 0x43, 0x00]);
        assert_eq!(key.verifying_key().verify(b"", &signature), Ok(()));
        assert_eq!(key.verifying_key().verify(b"", &signature[..63]), Err(BadSignature));
        assert_eq!(VerifyingKey::from_bytes([0xff; 32]).verify(b"", &signature), Err(BadSignature));
    }
}
