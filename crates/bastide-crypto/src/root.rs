//! The key that every other key comes from.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::mac::hkdf_sha256;
use crate::random::Random;

/// Separates bastide's derivations from any other use of the same 32 bytes.
const SALT: &[u8] = b"bastide/root/v1";

/// The root key of an installation. Wiped on drop; has no `Debug`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct RootKey([u8; 32]);

impl RootKey {
    /// Takes 32 secret random bytes in.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        RootKey(bytes)
    }

    /// A new one.
    #[must_use]
    pub fn generate(random: &dyn Random) -> Self {
        let mut bytes = [0; 32];
        random.fill(&mut bytes);
        RootKey(bytes)
    }

    /// The bytes, for sealing. Each use is a place to review.
    #[must_use]
    pub const fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one purpose (HKDF-SHA256). Purposes are constants of the code, `audit/signing`, and never reused.
    #[must_use]
    pub fn derive(&self, purpose: &'static str) -> [u8; 32] {
        self.derive_with(purpose, &[])
    }

    /// The key of one purpose for one thing, told apart by `info` (an id, a scope).
    #[must_use]
    pub fn derive_with(&self, purpose: &'static str, info: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        // The zero byte ends the purpose, which as a constant of the code contains none: no (purpose, info) pair
        // can be read as another.
        let info = [purpose.as_bytes(), &[0], info].concat();
        let derived = hkdf_sha256(SALT, &self.0, &info, &mut out);
        debug_assert!(derived.is_ok(), "32 bytes are within HKDF's limit");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_infos_are_apart() {
        let root = RootKey::from_bytes([7; 32]);
        let keys = [
            root.derive("a"),
            root.derive("b"),
            root.derive("ab"),
            root.derive_with("a", b"b"),
            root.derive_with("a", b"\0b"),
            RootKey::from_bytes([8; 32]).derive("a"),
        ];
        for (i, a) in keys.iter().enumerate() {
            assert!(keys.iter().skip(i + 1).all(|b| a != b));
        }
        assert_eq!(root.derive("a"), root.derive_with("a", b""), "the same every time");
    }
}
