//! Private keys under a passphrase: PKCS#8 (RFC 5958 section 3) with PBES2 (RFC 8018), as OpenSSL 1.1 and later and
//! Python's `cryptography` write them: PBKDF2 and AES-CBC.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use crate::der::{self, INTEGER, OCTET_STRING, OID, SEQUENCE};
use crate::ecdsa::EcdsaKeyError;

/// The most rounds that are made: some seconds. The file names the number.
const MAX_ROUNDS: u32 = 10_000_000;

const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
/// hmacWithSHA1 and its successors, up to the last number.
const HMAC_WITH: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02];
/// aes128-CBC-PAD and its siblings, up to the last number.
const AES: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01];

/// How a key is encrypted.
struct Encrypted<'a> {
    prf: pbkdf2::Algorithm,
    salt: &'a [u8],
    rounds: NonZeroU32,
    cipher: &'static Algorithm,
    key_bytes: usize,
    iv: [u8; 16],
    content: &'a [u8],
}

/// The private key in DER (PKCS#8, not encrypted).
///
/// # Errors
/// When it is encrypted in another way, or the passphrase is another.
pub(crate) fn open(der: &[u8], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, EcdsaKeyError> {
    let encrypted = Encrypted::read(der).ok_or(EcdsaKeyError::EncryptedOtherwise)?;
    let mut key = Zeroizing::new(vec![0; encrypted.key_bytes]);
    pbkdf2::derive(encrypted.prf, encrypted.rounds, encrypted.salt, passphrase, &mut key);
    // The padding tells most wrong passphrases; the rest give no key.
    let wrong = |_| EcdsaKeyError::Passphrase;
    let key = UnboundCipherKey::new(encrypted.cipher, &key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let mut content = Zeroizing::new(encrypted.content.to_vec());
    let iv = DecryptionContext::Iv128(FixedLength::from(encrypted.iv));
    let plain = key.decrypt(&mut content, iv).map_err(wrong)?;
    Ok(Zeroizing::new(plain.to_vec()))
}

impl<'a> Encrypted<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let (info, _) = der::expect(der, SEQUENCE)?;
        let (algorithm, rest) = der::expect(info, SEQUENCE)?;
        let (content, _) = der::expect(rest, OCTET_STRING)?;
        let (id, parameters) = der::expect(algorithm, OID)?;
        let (parameters, _) = der::expect(parameters, SEQUENCE)?;
        let (derivation, rest) = der::expect(parameters, SEQUENCE)?;
        let (scheme, _) = der::expect(rest, SEQUENCE)?;
        if id != PBES2 {
            return None;
        }
        let (prf, salt, rounds) = derivation_of(derivation)?;
        let (id, iv) = der::expect(scheme, OID)?;
        let (iv, _) = der::expect(iv, OCTET_STRING)?;
        let (cipher, key_bytes) = match id.strip_prefix(AES)? {
            [0x02] => (&AES_128, 16),
            [0x16] => (&AES_192, 24),
            [0x2a] => (&AES_256, 32),
            _ => return None,
        };
        Some(Encrypted { prf, salt, rounds, cipher, key_bytes, iv: iv.try_into().ok()?, content })
    }
}

fn derivation_of(derivation: &[u8]) -> Option<(pbkdf2::Algorithm, &[u8], NonZeroU32)> {
    let (id, parameters) = der::expect(derivation, OID)?;
    let (parameters, _) = der::expect(parameters, SEQUENCE)?;
    let (salt, rest) = der::expect(parameters, OCTET_STRING)?;
    let (rounds, rest) = der::expect(rest, INTEGER)?;
    let rounds = rounds
        .iter()
        .try_fold(0_u32, |all, byte| all.checked_mul(256).and_then(|all| all.checked_add(u32::from(*byte))));
    let rounds = NonZeroU32::new(rounds.filter(|rounds| *rounds <= MAX_ROUNDS)?)?;
    // The length of the key may be named, which the cipher fixes anyway.
    let rest = der::expect(rest, INTEGER).map_or(rest, |(_, rest)| rest);
    let prf = match der::expect(rest, SEQUENCE) {
        None => pbkdf2::PBKDF2_HMAC_SHA1,
        Some((prf, _)) => match der::expect(prf, OID)?.0.strip_prefix(HMAC_WITH)? {
            [0x07] => pbkdf2::PBKDF2_HMAC_SHA1,
            [0x09] => pbkdf2::PBKDF2_HMAC_SHA256,
            [0x0a] => pbkdf2::PBKDF2_HMAC_SHA384,
            [0x0b] => pbkdf2::PBKDF2_HMAC_SHA512,
            _ => return None,
        },
    };
    (id == PBKDF2).then_some((prf, salt, rounds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::EcdsaSigningKey;
    use crate::key_file::block;

    /// One key, encrypted under `harmless` by OpenSSL 3.0 as it does by itself, by `-v2 aes-128-cbc -v2prf
    /// hmacWithSHA1`, and with scrypt. They are for tests and sign nothing.
    const BY_DEFAULT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj49N+bi8Bm+wICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKtWjztdl8Omqj96mk+1+88EgZCi
DxO/jL/+9rwDjLk8tO5Bsh9OthRIl7JrKTsPMvyrtNLCYVIL9swvVr02xeHmcSeG
yoTZ1q4K1tdfdtRtvY4hTa5j96E4XoUVRIJRJDeOilrrnd2PIqlGW3lvhjje1Zog
l8z4EMmlgH/XpHT7VXeTq6PMRKE2ZQyDd3jRhH6LjS85sCH4MdKNjSrgAxuEY70=
-----END ENCRYPTED PRIVATE KEY-----
";
    const SHA1: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAgFzugMf6lvugICCAAw
HQYJYIZIAWUDBAECBBCC1lxP6loKg0szvLDwv9r8BIGQhR4EFq4mJ0PEKcM80seX
k8Jbx3eOHVLpqbIsJBCsRVhupqrXrsmK6v8k9u7sMzqt3az15y0p21MXUVGPMt/p
vO+QzX2bwzks2RGU+EBXLNLH1/QHYQ/UgNW/qn1UaCqyAi7h32p2MPJT0/3RUhm9
cYwXhkgpwtDpQq7d5p4Ha1dC4jnVGZYmoKVRIHzjskkZ
-----END ENCRYPTED PRIVATE KEY-----
";
    const SCRYPT: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAg1yu5MYviAVwICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBCsTwT/BcYWuHxahsXod9WSBIGQYr/zNfe7ww+s
0SM1pRqnrzK5m2NJ2uubyEMc0m5quKVW71NlCir4JiAg5kQaaeMc1D1FuBsrLJe0
f2S7GXF0j0RYUiR4EPuzPCyMKVADGeAMy1EhlSsAj7zPLObBFjF0b/otJQjdSLl8
Z4/wnLN4JUKq2ntsnqU/0A/yMsFvNCqjz0sKbm6CunjeuPhqkaRe
-----END ENCRYPTED PRIVATE KEY-----
";

    #[test]
    fn the_passphrase_opens_what_openssl_encrypted() {
        let one = EcdsaSigningKey::from_encrypted_pem(BY_DEFAULT, b"harmless").unwrap();
        let other = EcdsaSigningKey::from_encrypted_pem(SHA1, b"harmless").unwrap();
        assert_eq!(one.verifying_key(), other.verifying_key());
        for (text, passphrase, error) in [
            (BY_DEFAULT, &b"harmful"[..], EcdsaKeyError::Passphrase),
            (SHA1, b"", EcdsaKeyError::Passphrase),
            (SCRYPT, b"harmless", EcdsaKeyError::EncryptedOtherwise),
        ] {
            assert_eq!(EcdsaSigningKey::from_encrypted_pem(text, passphrase).err(), Some(error));
        }
    }

    #[test]
    fn the_rounds_have_a_limit() {
        let der = block(BY_DEFAULT, "ENCRYPTED PRIVATE KEY").unwrap();
        assert_eq!(Encrypted::read(&der).unwrap().rounds.get(), 2048);
        let at = der.windows(4).position(|it| it == [0x02, 0x02, 0x08, 0x00]).unwrap();
        // Four bytes of salt become the rest of a longer number.
        let mut huge = der.clone();
        huge[at - 10..at + 4].copy_from_slice(&[4, 6, 0, 0, 0, 0, 0, 0, 2, 4, 0x7f, 0xff, 0xff, 0xff]);
        assert!(Encrypted::read(&huge).is_none());
        huge[at..at + 4].copy_from_slice(&[0, 0, 1, 0]);
        assert_eq!(Encrypted::read(&huge).unwrap().rounds.get(), 256);
    }

    proptest! {
        #[test]
        fn no_change_panics(at: prop::sample::Index, byte: u8) {
            let mut der = block(BY_DEFAULT, "ENCRYPTED PRIVATE KEY").unwrap();
            *at.get_mut(&mut der) = byte;
            // Few rounds, for the time that this takes.
            if Encrypted::read(&der).is_none_or(|it| it.rounds.get() <= 4096) {
                let _ = open(&der, b"harmless");
            }
        }
    }
}
