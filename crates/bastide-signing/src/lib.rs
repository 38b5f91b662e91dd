//! OpenSSF Model Signing 1.0, and the attestation of scans beside it.
//!
//! Owns: the manifest of a model, the in-toto statement around it, the DSSE envelope, the Sigstore bundle, chains of
//! certificates, and the statement that binds the verdict of a scan to a signature. Knows nothing of files, of clocks, of
//! where keys are kept or of how contents are read: digests go in, bytes come out.
//!
//! It reads what the reference implementation (`model-signing` 0.2 and 1.x) writes, also where that leaves the
//! specification, and writes what the reference reads. Keyless signatures of Sigstore are verified with the feature
//! `sigstore`, and not made. Not here: Ed25519 and ML-DSA, which the format does not have.
//!
//! ```
//! use bastide_crypto::{ContentHash, Curve, EcdsaSigningKey, sha256};
//! use bastide_signing::{Identity, Manifest, Method, Place, Resource, ResourcePath, Serialization, Trust, sign, verify};
//!
//! let by_file =
//!     Serialization { method: Method::Files, hash: ContentHash::Sha256, allow_symlinks: false, ignored: vec![] };
//! let place = Place { path: Some(ResourcePath::new("model.safetensors")?), shard: None };
//! let weights = Resource { place, digest: sha256(b"weights").to_vec() };
//! let manifest = Manifest::new("sample", by_file, vec![weights])?;
//!
//! let key = EcdsaSigningKey::generate(Curve::P384)?;
//! let signed = sign(&manifest, &key, Identity::key(key.verifying_key()))?;
//! let verified = verify(&signed.bundle, Trust::Key(key.verifying_key()))?;
//! verified.compare(&manifest)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bundle;
mod certificate;
mod chain;
mod der;
mod dsse;
mod hex;
mod manifest;
mod model;
mod names;
mod path;
mod revocation;
mod scan;
mod sign;
#[cfg(feature = "sigstore")]
mod sigstore;
mod statement;
mod verify;

pub use bundle::{BundleError, MAX_BUNDLE_BYTES};
pub use certificate::{
    CertificateError, CertificateSigner, MAX_CERTIFICATE_BYTES, MAX_CHAIN, Roots, certificates_from_pem,
    check_signer,
};
pub use chain::BrokenPath;
pub use manifest::{
    BaseModel, MAX_IGNORED, MAX_RESOURCES, Manifest, ManifestError, Method, Mismatch, Place, Resource,
    Serialization, Shard,
};
pub use path::{MAX_PATH_BYTES, PathError, ResourcePath};
pub use revocation::{MAX_LIST_BYTES, RevocationListError, RevocationLists};
pub use scan::{MAX_RULES, ScanRecord};
pub use sign::{Identity, SignError, Signed, Signer, key_hint, sign, sign_scan};
#[cfg(feature = "sigstore")]
pub use sigstore::{
    KeylessError, KeylessIdentity, KeylessSigner, MAX_TRUSTED_ROOT_BYTES, TrustedRoot, TrustedRootError,
};
pub use statement::StatementError;
pub use verify::{Format, SignedBy, Trust, VerifiedModel, VerifiedScan, VerifyError, verify, verify_scan};
