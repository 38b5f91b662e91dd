//! The one place where bastide touches cryptographic primitives.
//!
//! Owns: SHA-256, HMAC and HKDF over it, digests of large contents (also BLAKE2b and BLAKE3), Ed25519, ECDSA over the
//! NIST curves and private keys under a passphrase, AES-256-GCM, passphrase sealing and password hashes (Argon2id), comparison in constant
//! time, and the source of randomness as an argument. Knows nothing of what is hashed, signed or sealed, of files, or
//! of where keys come from. The primitives are those of AWS-LC, RustCrypto and the authors of BLAKE3, but for one: large
//! contents are hashed with the SHA-256 of `bastide-sha256` where the processor can do several at once. Nothing here is an
//! own cipher.
//!
//! ```
//! use bastide_crypto::{HmacKey, RootKey, SigningKey, SystemRandom, sha256};
//!
//! let root = RootKey::generate(&SystemRandom);
//! let mac = HmacKey::new(&root.derive("example/mac"));
//! assert_eq!(mac.sign(&[b"ab", b"c"]), mac.sign(&[b"abc"]), "parts are one message");
//!
//! let signer = SigningKey::generate(&SystemRandom);
//! let signature = signer.sign(&sha256(b"text"));
//! assert!(signer.verifying_key().verify(&sha256(b"text"), &signature).is_ok());
//! assert!(signer.verifying_key().verify(&sha256(b"test"), &signature).is_err());
//! ```

mod aead;
mod content;
pub mod der;
mod ecdsa;
mod hash;
mod key_file;
mod mac;
mod password;
mod pbes2;
mod random;
mod root;
mod sealed;
mod sign;

pub use aead::{NotAuthentic, open, seal, seal_append};
pub use content::{
    BLAKE3_PART_BYTES, Blake3Part, Blake3PartDigest, ContentHash, ContentHasher, blake3_of_parts,
    update_together,
};
pub use ecdsa::{
    Curve, EcdsaKeyError, EcdsaSigningKey, EcdsaVerifyingKey, SignatureNotMade, ecdsa_der_from_fixed,
};
pub use hash::{Sha256, sha256};
pub use key_file::KeyFile;
pub use mac::{HkdfLengthError, HmacContext, HmacKey, constant_time_eq, hkdf_sha256, hmac_sha1, hmac_sha256};
pub use password::{
    PasswordError, hash_password, password_needs_rehash, unmatched_password_hash, verify_password,
};
pub use random::{BulkRandom, Random, SystemRandom};
pub use root::RootKey;
pub use sealed::{SealedError, SealedFile};
pub use sign::{BadSignature, SigningKey, VerifyingKey};
