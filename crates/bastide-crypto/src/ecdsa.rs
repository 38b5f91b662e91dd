//! ECDSA over the NIST curves (FIPS 186-5), signatures in ASN.1 DER, each curve with the hash of its strength.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom as LibraryRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1,
    ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA256_ASN1, ECDSA_P521_SHA512_ASN1,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use crate::key_file::{self, KeyFile};
use crate::sign::BadSignature;
use crate::{der, pbes2};

/// The curves that can sign here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Curve {
    /// secp256r1, with SHA-256.
    P256,
    /// secp384r1, with SHA-384.
    P384,
    /// secp521r1, with SHA-512.
    P521,
}

/// A key that cannot be used, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EcdsaKeyError {
    /// Something else than the key that was asked for.
    #[error("{0} is here")]
    Holds(KeyFile),
    /// A private key under a passphrase, and no passphrase.
    #[error("the private key is encrypted with a passphrase")]
    Encrypted,
    /// Encrypted in a way that is not read.
    #[error(
        "the private key is encrypted in a way that is not supported (anything but PBKDF2 with AES-CBC): write it anew \
         with `openssl pkcs8 -topk8 -in KEY -out NEW`"
    )]
    EncryptedOtherwise,
    /// Another passphrase.
    #[error("the passphrase does not open the private key")]
    Passphrase,
    /// A key of another algorithm or curve.
    #[error("it is {0}; model signatures have keys on P-256 (`prime256v1`), P-384 or P-521")]
    Algorithm(&'static str),
    /// Another encoding, or not a key at all.
    #[error(
        "the key is no elliptic curve key that is supported: P-256, P-384 or P-521, named curve, uncompressed point"
    )]
    Unsupported,
}

/// The primitive refused to sign, which it does only for want of memory or randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature could not be made")]
pub struct SignatureNotMade;

/// A private key. Has no `Debug`; the library wipes it on drop.
pub struct EcdsaSigningKey {
    pair: EcdsaKeyPair,
    public: EcdsaVerifyingKey,
}

impl EcdsaSigningKey {
    /// A new one, from the library's own randomness.
    ///
    /// # Errors
    /// When the library has none.
    pub fn generate(curve: Curve) -> Result<Self, SignatureNotMade> {
        let pair = EcdsaKeyPair::generate(curve.signing()).map_err(|_| SignatureNotMade)?;
        Ok(EcdsaSigningKey::from_pair(curve, pair))
    }

    /// From the first private key in a PEM text: PKCS#8 (RFC 5958) or SEC 1 (RFC 5915), not encrypted.
    ///
    /// # Errors
    /// When there is none, it is encrypted, or it belongs to no curve of [`Curve`].
    pub fn from_pem(text: &str) -> Result<Self, EcdsaKeyError> {
        match KeyFile::of(text.as_bytes()) {
            KeyFile::Private => {}
            KeyFile::Encrypted => return Err(EcdsaKeyError::Encrypted),
            KeyFile::OldEncrypted => return Err(EcdsaKeyError::EncryptedOtherwise),
            other => return Err(EcdsaKeyError::Holds(other)),
        }
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| EcdsaKeyError::Holds(KeyFile::Unknown))?;
        EcdsaSigningKey::from_der(key.secret_der())
    }

    /// From a private key in a PEM text that a passphrase encrypts: PKCS#8 with PBES2.
    ///
    /// # Errors
    /// When there is none, the passphrase is another, or it belongs to no curve of [`Curve`].
    pub fn from_encrypted_pem(text: &str, passphrase: &[u8]) -> Result<Self, EcdsaKeyError> {
        let der = key_file::block(text, "ENCRYPTED PRIVATE KEY")
            .ok_or_else(|| EcdsaKeyError::Holds(KeyFile::of(text.as_bytes())))?;
        let der = pbes2::open(&der, passphrase)?;
        // Whatever a wrong passphrase gives that happens to be padded right.
        if der::expect(&der, der::SEQUENCE).is_none() {
            return Err(EcdsaKeyError::Passphrase);
        }
        EcdsaSigningKey::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, EcdsaKeyError> {
        for curve in Curve::ALL {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve.signing(), der) {
                return Ok(EcdsaSigningKey::from_pair(curve, pair));
            }
        }
        Err(unsupported(der))
    }

    /// The signature of `message`, hashed with the curve's hash, in ASN.1 DER.
    ///
    /// # Errors
    /// When the library has no memory or no randomness.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureNotMade> {
        let signature = self.pair.sign(&LibraryRandom::new(), message).map_err(|_| SignatureNotMade)?;
        Ok(signature.as_ref().to_vec())
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> &EcdsaVerifyingKey {
        &self.public
    }

    fn from_pair(curve: Curve, pair: EcdsaKeyPair) -> Self {
        let public = EcdsaVerifyingKey { curve, point: pair.public_key().as_ref().to_vec() };
        EcdsaSigningKey { pair, public }
    }
}

/// A public key. A point that is not on its curve verifies nothing.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EcdsaVerifyingKey {
    curve: Curve,
    /// Uncompressed (SEC 1 section 2.3.3): one byte `04`, then both coordinates.
    point: Vec<u8>,
}

impl EcdsaVerifyingKey {
    /// From a point in uncompressed form, as a PKCS#11 token gives it.
    ///
    /// # Errors
    /// When it has not the form and length of the curve's points.
    pub fn from_point(curve: Curve, point: &[u8]) -> Result<Self, EcdsaKeyError> {
        if point.len() != curve.point_bytes() || point.first() != Some(&0x04) {
            return Err(EcdsaKeyError::Unsupported);
        }
        Ok(EcdsaVerifyingKey { curve, point: point.to_vec() })
    }

    /// From a SubjectPublicKeyInfo in DER (RFC 5480). There is one encoding of a key here: a named curve and an
    /// uncompressed point, so that what is hashed as the name of a key names no second one.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn from_spki(der: &[u8]) -> Result<Self, EcdsaKeyError> {
        for curve in Curve::ALL {
            if let Some(point) = der.strip_prefix(curve.spki_prefix()) {
                return EcdsaVerifyingKey::from_point(curve, point);
            }
        }
        Err(EcdsaKeyError::Unsupported)
    }

    /// From the first public key in a PEM text (`PUBLIC KEY`).
    ///
    /// # Errors
    /// As [`EcdsaVerifyingKey::from_spki`], or when there is none.
    pub fn from_pem(text: &str) -> Result<Self, EcdsaKeyError> {
        let found = KeyFile::of(text.as_bytes());
        if found != KeyFile::Public {
            return Err(EcdsaKeyError::Holds(found));
        }
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|_| EcdsaKeyError::Holds(KeyFile::Unknown))?;
        EcdsaVerifyingKey::from_spki(&der).map_err(|_| unsupported(&der))
    }

    /// The curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki(&self) -> Vec<u8> {
        [self.curve.spki_prefix(), &self.point].concat()
    }

    /// The SubjectPublicKeyInfo in PEM as OpenSSL writes it: lines of 64 characters and a final newline. The text is
    /// what key hints of signature bundles are digests of.
    #[must_use]
    pub fn pem(&self) -> String {
        let body = STANDARD.encode(self.spki());
        let mut out = String::from("-----BEGIN PUBLIC KEY-----\n");
        for (index, letter) in body.chars().enumerate() {
            if index > 0 && index % 64 == 0 {
                out.push('\n');
            }
            out.push(letter);
        }
        out.push_str("\n-----END PUBLIC KEY-----\n");
        out
    }

    /// Checks a signature in ASN.1 DER over `message`, hashed with the curve's hash.
    ///
    /// # Errors
    /// When the signature is not this key's over this message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        self.check(self.curve.verification(), message, signature)
    }

    /// The same with SHA-256 whatever the curve, which old writers used.
    ///
    /// # Errors
    /// When the signature is not this key's over this message.
    pub fn verify_sha256(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let algorithm = match self.curve {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1,
            Curve::P384 => &ECDSA_P384_SHA256_ASN1,
            Curve::P521 => &ECDSA_P521_SHA256_ASN1,
        };
        self.check(algorithm, message, signature)
    }

    fn check(
        &self,
        algorithm: &'static EcdsaVerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        UnparsedPublicKey::new(algorithm, &self.point).verify(message, signature).map_err(|_| BadSignature)
    }
}

fn unsupported(der: &[u8]) -> EcdsaKeyError {
    key_file::other_algorithm(der).map_or(EcdsaKeyError::Unsupported, EcdsaKeyError::Algorithm)
}

impl fmt::Debug for EcdsaVerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:", self.curve)?;
        self.point.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl Curve {
    const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    /// The digest of `message` that a signature of this curve is made over, for tokens that sign digests.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Curve::P256 => &digest::SHA256,
            Curve::P384 => &digest::SHA384,
            Curve::P521 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    /// The curve's object identifier in DER, as PKCS#11 tokens give it (`CKA_EC_PARAMS`).
    #[must_use]
    pub fn from_parameters(der: &[u8]) -> Option<Self> {
        Curve::ALL.into_iter().find(|curve| curve.oid() == der)
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
            Curve::P384 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
            Curve::P521 => &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23],
        }
    }

    /// Everything of a SubjectPublicKeyInfo up to the point: for one curve and one form of points it never varies.
    fn spki_prefix(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
                0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
            Curve::P384 => &[
                0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05,
                0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00,
            ],
            Curve::P521 => &[
                0x30, 0x81, 0x9b, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                0x05, 0x2b, 0x81, 0x04, 0x00, 0x23, 0x03, 0x81, 0x86, 0x00,
            ],
        }
    }

    fn point_bytes(self) -> usize {
        match self {
            Curve::P256 => 65,
            Curve::P384 => 97,
            Curve::P521 => 133,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Curve::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
            Curve::P521 => &ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }

    fn verification(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Curve::P256 => &ECDSA_P256_SHA256_ASN1,
            Curve::P384 => &ECDSA_P384_SHA384_ASN1,
            Curve::P521 => &ECDSA_P521_SHA512_ASN1,
        }
    }
}

/// A signature of two numbers of one length, as PKCS#11 tokens give it (IEEE P1363), in ASN.1 DER.
///
/// # Errors
/// When the halves are empty, unequal or longer than any curve here makes them.
pub fn ecdsa_der_from_fixed(signature: &[u8]) -> Result<Vec<u8>, BadSignature> {
    if signature.is_empty() || !signature.len().is_multiple_of(2) || signature.len() > 132 {
        return Err(BadSignature);
    }
    let (r, s) = signature.split_at(signature.len() / 2);
    let body = [der_integer(r)?, der_integer(s)?].concat();
    let length = u8::try_from(body.len()).map_err(|_| BadSignature)?;
    // A length of 128 or more takes a second byte (X.690 section 8.1.3.5); only P-521 gets there.
    let head: &[u8] = if length < 0x80 { &[0x30, length] } else { &[0x30, 0x81, length] };
    Ok([head, &body].concat())
}

fn der_integer(big_endian: &[u8]) -> Result<Vec<u8>, BadSignature> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = big_endian.get(zeros..).unwrap_or_default();
    // Zero is no value that a signature may have.
    let first = digits.first().ok_or(BadSignature)?;
    let mut out = Vec::with_capacity(digits.len() + 3);
    out.push(0x02);
    let sign = usize::from(*first >= 0x80);
    out.push(u8::try_from(digits.len() + sign).map_err(|_| BadSignature)?);
    out.extend(std::iter::repeat_n(0, sign));
    out.extend_from_slice(digits);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::encoding::AsDer as _;
    use aws_lc_rs::signature::{ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair};

    use super::*;

    #[test]
    fn what_one_key_signed_no_other_message_key_or_bit_passes() {
        for curve in Curve::ALL {
            let key = EcdsaSigningKey::generate(curve).unwrap();
            let other = EcdsaSigningKey::generate(curve).unwrap();
            let mut signature = key.sign(b"text").unwrap();
            assert_eq!(key.verifying_key().verify(b"text", &signature), Ok(()));
            assert_eq!(key.verifying_key().verify(b"test", &signature), Err(BadSignature));
            assert_eq!(other.verifying_key().verify(b"text", &signature), Err(BadSignature));
            let last = signature.len() - 1;
            signature[last] ^= 1;
            assert_eq!(key.verifying_key().verify(b"text", &signature), Err(BadSignature));
        }
    }

    #[test]
    fn public_keys_come_back_from_both_encodings_and_agree_with_the_librarys() {
        for curve in Curve::ALL {
            let key = EcdsaSigningKey::generate(curve).unwrap();
            let public = key.verifying_key();
            assert_eq!(EcdsaVerifyingKey::from_spki(&public.spki()).as_ref(), Ok(public));
            assert_eq!(EcdsaVerifyingKey::from_pem(&public.pem()).as_ref(), Ok(public));
            assert_eq!(public.spki(), key.pair.public_key().as_der().unwrap().as_ref());
            assert!(public.pem().lines().all(|line| line.len() <= 64) && public.pem().ends_with("-----\n"));
        }
    }

    #[test]
    fn a_longer_or_shorter_key_is_none() {
        let spki = EcdsaSigningKey::generate(Curve::P256).unwrap().verifying_key().spki();
        assert_eq!(
            EcdsaVerifyingKey::from_spki(&[&spki[..], &[0]].concat()),
            Err(EcdsaKeyError::Unsupported)
        );
        assert_eq!(EcdsaVerifyingKey::from_spki(&spki[..spki.len() - 1]), Err(EcdsaKeyError::Unsupported));
        assert_eq!(EcdsaVerifyingKey::from_spki(&[]), Err(EcdsaKeyError::Unsupported));
    }

    #[test]
    fn a_private_key_is_read_from_pem_and_an_encrypted_one_is_named_as_such() {
        let made = EcdsaSigningKey::generate(Curve::P384).unwrap();
        let document = made.pair.to_pkcs8v1().unwrap();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(document.as_ref())
        );
        assert_eq!(EcdsaSigningKey::from_pem(&pem).unwrap().verifying_key(), made.verifying_key());
        let encrypted = pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
        assert_eq!(EcdsaSigningKey::from_pem(&encrypted).err(), Some(EcdsaKeyError::Encrypted));
        assert_eq!(EcdsaSigningKey::from_pem("").err(), Some(EcdsaKeyError::Holds(KeyFile::Empty)));
    }

    #[test]
    fn numbers_of_fixed_length_become_a_signature() {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
        let public = EcdsaVerifyingKey::from_point(Curve::P521, pair.public_key().as_ref()).unwrap();
        for round in 0..64_u8 {
            let fixed = pair.sign(&LibraryRandom::new(), &[round]).unwrap();
            let der = ecdsa_der_from_fixed(fixed.as_ref()).unwrap();
            assert_eq!(public.verify(&[round], &der), Ok(()));
        }
        assert_eq!(ecdsa_der_from_fixed(&[0; 64]), Err(BadSignature));
        assert_eq!(ecdsa_der_from_fixed(&[1; 63]), Err(BadSignature));
        assert_eq!(ecdsa_der_from_fixed(&[]), Err(BadSignature));
    }
}
