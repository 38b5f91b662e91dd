//! Checking signatures. What passes is a value that nothing else makes.

use bastide_crypto::{BadSignature, EcdsaVerifyingKey, sha256};

use crate::bundle::{Bundle, BundleError, Material};
use crate::certificate::{CertificateError, Roots, ValidAt};
use crate::dsse::{IN_TOTO, pae, pae_v0_2};
use crate::manifest::{Manifest, Mismatch};
use crate::model;
use crate::scan::{self, ScanRecord};
use crate::sign::key_hint;
use crate::statement::StatementError;

/// Whose signatures count.
#[derive(Clone, Copy, Debug)]
pub enum Trust<'a> {
    /// This key's, and no certificate's.
    Key(&'a EcdsaVerifyingKey),
    /// Those of certificates that lead to these roots, and no bare key's.
    Certificates {
        /// What they lead to.
        roots: &'a Roots,
        /// When they have to be valid.
        at: ValidAt,
    },
}

/// Who signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedBy {
    /// The key that was given.
    Key {
        /// Its name in bundles.
        hint: String,
    },
    /// A certificate that leads to a root.
    Certificate {
        /// SHA-256 of its DER.
        fingerprint: [u8; 32],
    },
}

/// A manifest whose signature holds. What it says of a model on disk is known only once the two are compared.
#[derive(Clone, Debug)]
pub struct VerifiedModel {
    manifest: Manifest,
    statement: [u8; 32],
    signed_by: SignedBy,
}

/// A scan whose signature holds, of the model whose signature holds.
#[derive(Clone, Debug)]
pub struct VerifiedScan {
    record: ScanRecord,
    signed_by: SignedBy,
}

/// Why a signature proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The file is no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A certificate's signature, checked with a key.
    #[error("the signature was made with a certificate: verify it with the certificates of its authority")]
    NeedsCertificates,
    /// A key's signature, checked with certificates.
    #[error("the signature was made with a key: verify it with the public key")]
    NeedsKey,
    /// Another key is named.
    #[error("the signature names another key (`{named}`) than the one given (`{given}`)")]
    OtherKey {
        /// By the bundle.
        named: String,
        /// By the caller.
        given: String,
    },
    /// The key did not sign this.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The certificate proves nothing.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The signature holds, and what it states is refused.
    #[error("the signature holds, but not what it states")]
    Statement(#[from] StatementError),
    /// A scan of something else.
    #[error("the scan attestation is for another model or another signature of it")]
    OtherModel,
}

impl VerifiedModel {
    /// The manifest that was signed.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// SHA-256 of the payload that was signed.
    #[must_use]
    pub fn statement(&self) -> [u8; 32] {
        self.statement
    }

    /// Who signed.
    #[must_use]
    pub fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }

    /// Compares what was signed with what is there.
    ///
    /// # Errors
    /// When anything is missing, was added or changed.
    pub fn compare(&self, actual: &Manifest) -> Result<(), Mismatch> {
        self.manifest.compare(actual)
    }
}

impl VerifiedScan {
    /// What was found.
    #[must_use]
    pub fn record(&self) -> &ScanRecord {
        &self.record
    }

    /// Who says so.
    #[must_use]
    pub fn signed_by(&self) -> &SignedBy {
        &self.signed_by
    }
}

/// Checks the signature of a model.
///
/// # Errors
/// When the file is no bundle, was not signed by whom `trust` names, or states what no honest signer would.
pub fn verify(bundle: &[u8], trust: Trust<'_>) -> Result<VerifiedModel, VerifyError> {
    let (payload, signed_by) = verify_payload(bundle, trust)?;
    Ok(VerifiedModel { manifest: model::read(&payload)?, statement: sha256(&payload), signed_by })
}

/// Checks a scan attestation of a model whose signature was checked.
///
/// # Errors
/// As [`verify`], and when it is of another model or of another signature of this one.
pub fn verify_scan(
    bundle: &[u8],
    trust: Trust<'_>,
    model: &VerifiedModel,
) -> Result<VerifiedScan, VerifyError> {
    let (payload, signed_by) = verify_payload(bundle, trust)?;
    let record = scan::read(&payload)?;
    if record.root != model.manifest.root()
        || record.statement != model.statement
        || record.base_model.as_ref() != model.manifest.base_model()
    {
        return Err(VerifyError::OtherModel);
    }
    Ok(VerifiedScan { record, signed_by })
}

fn verify_payload(bundle: &[u8], trust: Trust<'_>) -> Result<(Vec<u8>, SignedBy), VerifyError> {
    let Bundle { material, payload, signature } = Bundle::read(bundle)?;
    let signed_by = match (trust, material) {
        (Trust::Key(key), Material::PublicKey { hint }) => {
            let given = key_hint(key);
            if let Some(named) = hint.filter(|named| *named != given) {
                return Err(VerifyError::OtherKey { named, given });
            }
            check(key, &payload, &signature, EcdsaVerifyingKey::verify)?;
            SignedBy::Key { hint: given }
        }
        (Trust::Certificates { roots, at }, Material::Certificates(chain)) => {
            let key = roots.check(&chain, at)?;
            // Version 0.2 hashed with SHA-256 here whatever the curve.
            check(&key, &payload, &signature, EcdsaVerifyingKey::verify_sha256)?;
            SignedBy::Certificate { fingerprint: chain.first().map_or([0; 32], |leaf| sha256(leaf)) }
        }
        (Trust::Key(_), Material::Certificates(_)) => return Err(VerifyError::NeedsCertificates),
        (Trust::Certificates { .. }, Material::PublicKey { .. }) => return Err(VerifyError::NeedsKey),
    };
    Ok((payload, signed_by))
}

/// A check of a signature over a message, with one hash function or another.
type Checking = fn(&EcdsaVerifyingKey, &[u8], &[u8]) -> Result<(), BadSignature>;

/// Over the payload as carried, in the encoding of the protocol or else in that of version 0.2.
fn check(
    key: &EcdsaVerifyingKey,
    payload: &[u8],
    signature: &[u8],
    old: Checking,
) -> Result<(), BadSignature> {
    key.verify(&pae(IN_TOTO, payload), signature)
        .or_else(|_| old(key, &pae_v0_2(IN_TOTO, payload), signature))
}
