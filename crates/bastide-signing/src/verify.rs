//! Checking signatures. What passes is a value that nothing else makes.

use bastide_crypto::{BadSignature, Curve, EcdsaVerifyingKey, sha256};
use bastide_types::Timestamp;

use crate::bundle::{Bundle, BundleError, Material};
use crate::certificate::{CertificateError, CertificateSigner, Roots};
use crate::dsse::{IN_TOTO, pae, pae_v0_2};
use crate::manifest::{Manifest, Mismatch};
use crate::model;
use crate::scan::{self, ScanRecord};
use crate::sign::key_hint;
#[cfg(feature = "sigstore")]
use crate::sigstore::{self, KeylessError, KeylessIdentity, KeylessSigner, TrustedRoot};
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
        /// When they have to be valid. Nothing in a bundle of this kind proves when it was signed: whoever finds the key
        /// of a certificate that has ended could sign with it, and so the time is now, or one at which the caller knows
        /// the signature to have been there.
        at: Timestamp,
        /// The subject or another name that the signer's certificate must have, where not every signer of these roots
        /// counts.
        identity: Option<&'a str>,
    },
    /// That of whom a provider vouched for, as a Sigstore instance recorded it.
    #[cfg(feature = "sigstore")]
    Keyless {
        /// The instance.
        root: &'a TrustedRoot,
        /// Whom and by whom.
        identity: &'a KeylessIdentity,
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
    Certificate(CertificateSigner),
    /// An identity that a provider vouched for.
    #[cfg(feature = "sigstore")]
    Keyless(KeylessSigner),
}

/// A manifest whose signature holds. What it says of a model on disk is known only once the two are compared.
#[derive(Clone, Debug)]
pub struct VerifiedModel {
    manifest: Manifest,
    statement: [u8; 32],
    signed_by: SignedBy,
    curve: Curve,
    format: Format,
}

/// Which version of the format a signature is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// 1.0.
    V1,
    /// What version 0.2 of the reference implementation wrote, which does not say what was ignored.
    V0_2,
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
    /// A keyless signature, checked with a key or certificates.
    #[cfg(feature = "sigstore")]
    #[error(
        "the signature is keyless (Sigstore): verify it with an identity, its provider and a trusted root"
    )]
    NeedsIdentity,
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
    /// The keyless signature proves nothing.
    #[cfg(feature = "sigstore")]
    #[error(transparent)]
    Keyless(#[from] KeylessError),
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

    /// On which curve the key is that signed: the algorithm is ECDSA, with the hash of the curve.
    #[must_use]
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// Which version of the format it is in.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
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
    let (payload, signed_by, curve) = verify_payload(bundle, trust)?;
    let format = if model::is_v0_2(&payload) { Format::V0_2 } else { Format::V1 };
    Ok(VerifiedModel {
        manifest: model::read(&payload)?,
        statement: sha256(&payload),
        signed_by,
        curve,
        format,
    })
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
    let (payload, signed_by, _) = verify_payload(bundle, trust)?;
    let record = scan::read(&payload)?;
    if record.root != model.manifest.root()
        || record.statement != model.statement
        || record.base_model.as_ref() != model.manifest.base_model()
    {
        return Err(VerifyError::OtherModel);
    }
    Ok(VerifiedScan { record, signed_by })
}

fn verify_payload(bundle: &[u8], trust: Trust<'_>) -> Result<(Vec<u8>, SignedBy, Curve), VerifyError> {
    let Bundle { material, payload, signature } = Bundle::read(bundle)?;
    let (signed_by, curve) = match (trust, material) {
        (Trust::Key(key), Material::PublicKey { hint }) => {
            let given = key_hint(key);
            if let Some(named) = hint.filter(|named| *named != given) {
                return Err(VerifyError::OtherKey { named, given });
            }
            check(key, &payload, &signature, EcdsaVerifyingKey::verify)?;
            (SignedBy::Key { hint: given }, key.curve())
        }
        (Trust::Certificates { roots, at, identity }, Material::Certificates(chain)) => {
            let (key, signer) = roots.check(&chain, at)?;
            if let Some(wanted) = identity.filter(|identity| !signer.is(identity)) {
                let found = [&[signer.subject], signer.names.as_slice()].concat().join("`, `");
                return Err(CertificateError::OtherIdentity { found, wanted: wanted.to_owned() }.into());
            }
            // Version 0.2 hashed with SHA-256 here whatever the curve.
            check(&key, &payload, &signature, EcdsaVerifyingKey::verify_sha256)?;
            (SignedBy::Certificate(signer), key.curve())
        }
        #[cfg(feature = "sigstore")]
        (Trust::Keyless { root, identity }, Material::Keyless(material)) => {
            let message = pae(IN_TOTO, &payload);
            let signed = sigstore::Signed { payload: &payload, message: &message, signature: &signature };
            let (key, signer) = sigstore::check(&material, &signed, root, identity)?;
            key.verify(&message, &signature)?;
            (SignedBy::Keyless(signer), key.curve())
        }
        #[cfg(feature = "sigstore")]
        (_, Material::Keyless(_)) => return Err(VerifyError::NeedsIdentity),
        (_, Material::Certificates(_)) => return Err(VerifyError::NeedsCertificates),
        (_, Material::PublicKey { .. }) => return Err(VerifyError::NeedsKey),
    };
    Ok((payload, signed_by, curve))
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
