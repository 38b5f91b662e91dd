//! Making signatures.

use bastide_crypto::{EcdsaSigningKey, EcdsaVerifyingKey, SignatureNotMade, sha256};

use crate::bundle::{Bundle, MAX_BUNDLE_BYTES, Material};
use crate::certificate::{self, CertificateError};
use crate::dsse::{IN_TOTO, pae};
use crate::hex;
use crate::manifest::Manifest;
use crate::model;
use crate::scan::{self, ScanRecord};
use crate::statement::StatementError;

/// Whatever holds a private key: a file that was read, or a token.
pub trait Signer {
    /// The signature of `message` in ASN.1 DER, hashed with the hash of the key's curve.
    ///
    /// # Errors
    /// Whatever kept the key from signing.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>>;

    /// The public half.
    fn verifying_key(&self) -> &EcdsaVerifyingKey;
}

impl Signer for EcdsaSigningKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        Ok(EcdsaSigningKey::sign(self, message)?)
    }

    fn verifying_key(&self) -> &EcdsaVerifyingKey {
        EcdsaSigningKey::verifying_key(self)
    }
}

/// How a verifier is to find the key.
#[derive(Clone, Debug)]
pub struct Identity(Material);

/// A signed statement.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The file to keep beside the model.
    pub bundle: Vec<u8>,
    /// SHA-256 of the signed payload: names a manifest with its names and its serialization, where the root digest
    /// names the digests alone.
    pub statement: [u8; 32],
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A certificate for another key.
    #[error("the signing certificate is for another key than the private key")]
    OtherKey,
    /// A certificate that no verifier would take.
    #[error("the signing certificate is refused")]
    Certificate(#[from] CertificateError),
    /// The key did not sign.
    #[error("the key did not sign")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What it gave is no signature of its public half: a fault, or a token with two keys under one label.
    #[error("the signature that was made does not verify with the key's public half")]
    Faulty,
    /// The statement could not be written.
    #[error("the statement could not be written")]
    Statement(#[from] StatementError),
    /// Longer than any verifier here would read.
    #[error(
        "the signature would be longer than {MAX_BUNDLE_BYTES} bytes; sign fewer files, or larger shards"
    )]
    TooLong,
    /// The bundle could not be written.
    #[error("the bundle could not be written")]
    Bundle(#[from] serde_json::Error),
}

impl From<SignatureNotMade> for SignError {
    fn from(error: SignatureNotMade) -> Self {
        SignError::Key(Box::new(error))
    }
}

impl Identity {
    /// By the key alone, which verifiers have from elsewhere; the bundle names it by a digest.
    #[must_use]
    pub fn key(key: &EcdsaVerifyingKey) -> Self {
        Identity(Material::PublicKey { hint: Some(key_hint(key)) })
    }

    /// By certificates in DER: the signer's first, then those that lead from it towards a root.
    ///
    /// # Errors
    /// When there is none, or the first is for another key.
    pub fn certificates(key: &EcdsaVerifyingKey, chain: Vec<Vec<u8>>) -> Result<Self, SignError> {
        let leaf = chain.first().ok_or(SignError::Certificate(CertificateError::Chain))?;
        if certificate::key_of(leaf)? != *key {
            return Err(SignError::OtherKey);
        }
        Ok(Identity(Material::Certificates(chain)))
    }
}

/// Signs a manifest.
///
/// # Errors
/// When the key does not sign, or not with its public half.
pub fn sign(manifest: &Manifest, signer: &dyn Signer, identity: Identity) -> Result<Signed, SignError> {
    sign_payload(model::write(manifest)?, signer, identity)
}

/// Signs what a scan found, bound to the signature of the model that was scanned.
///
/// # Errors
/// When the key does not sign, or not with its public half.
pub fn sign_scan(record: &ScanRecord, signer: &dyn Signer, identity: Identity) -> Result<Signed, SignError> {
    sign_payload(scan::write(record)?, signer, identity)
}

/// The name of a key in a bundle: SHA-256 of its PEM text, in hexadecimal digits.
#[must_use]
pub fn key_hint(key: &EcdsaVerifyingKey) -> String {
    hex::encode(&sha256(key.pem().as_bytes()))
}

fn sign_payload(payload: Vec<u8>, signer: &dyn Signer, identity: Identity) -> Result<Signed, SignError> {
    let message = pae(IN_TOTO, &payload);
    let signature = signer.sign(&message).map_err(SignError::Key)?;
    signer.verifying_key().verify(&message, &signature).map_err(|_| SignError::Faulty)?;
    let statement = sha256(&payload);
    let bundle = Bundle { material: identity.0, payload, signature }.write()?;
    if bundle.len() > MAX_BUNDLE_BYTES {
        return Err(SignError::TooLong);
    }
    Ok(Signed { bundle, statement })
}
