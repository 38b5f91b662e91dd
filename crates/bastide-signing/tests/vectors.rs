//! The vectors of the specification, and a signature that the reference implementation keeps to test itself with
//! (`vectors/README.md`).
#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use bastide_crypto::{ContentHash, EcdsaVerifyingKey, sha256};
use bastide_signing::{
    BundleError, CertificateError, Manifest, Method, Place, Resource, ResourcePath, Roots, Serialization,
    SignedBy, Trust, VerifiedModel, VerifyError, verify,
};
use bastide_types::Timestamp;

const KEY: &str = include_str!("vectors/key.pub");
const INTERMEDIATE: &str = include_str!("vectors/intermediate.crt");
/// 2025-06-01T00:00:00Z
const SUMMER: Timestamp = Timestamp::from_micros(1_748_736_000_000_000);

fn by_key(bundle: &[u8]) -> Result<VerifiedModel, VerifyError> {
    verify(bundle, Trust::Key(&EcdsaVerifyingKey::from_pem(KEY).unwrap()))
}

fn by_chain(bundle: &[u8], at: Timestamp) -> Result<VerifiedModel, VerifyError> {
    let roots = Roots::from_pem(INTERMEDIATE).unwrap();
    verify(bundle, Trust::Certificates { roots: &roots, at, identity: None })
}

/// The folder that all of them are of.
fn sample() -> Manifest {
    let resource = |name, content: &[u8]| Resource {
        place: Place { path: Some(ResourcePath::new(name).unwrap()), shard: None },
        digest: sha256(content).to_vec(),
    };
    let by_file = Serialization {
        method: Method::Files,
        hash: ContentHash::Sha256,
        allow_symlinks: false,
        ignored: Vec::new(),
    };
    let resources = vec![resource("signme-1", b"signme-1\n"), resource("signme-2", b"signme-2")];
    Manifest::new("sample", by_file, resources).unwrap()
}

#[test]
fn the_valid_ones_verify() {
    for bundle in
        [&include_bytes!("vectors/key.bundle.json")[..], include_bytes!("vectors/v1.1.0-elliptic-key.sig")]
    {
        by_key(bundle).unwrap().compare(&sample()).unwrap();
    }
    let verified = by_chain(include_bytes!("vectors/certificate.bundle.json"), SUMMER).unwrap();
    verified.compare(&sample()).unwrap();
    assert!(matches!(verified.signed_by(), SignedBy::Certificate(it) if it.subject == "CN=intermediate-ca"));
    let late = SUMMER.plus(std::time::Duration::from_secs(3650 * 86_400));
    let late = by_chain(include_bytes!("vectors/certificate.bundle.json"), late);
    assert!(matches!(late, Err(VerifyError::Certificate(CertificateError::Expired(_)))));
}

#[test]
fn the_invalid_ones_are_refused() {
    let missing = by_key(include_bytes!("vectors/missing-envelope.bundle.json"));
    assert!(matches!(missing, Err(VerifyError::Bundle(BundleError::Json(_)))));
    // Its predicate was exchanged after it was signed.
    let wrong = by_key(include_bytes!("vectors/wrong-predicate.bundle.json"));
    assert!(matches!(wrong, Err(VerifyError::Signature(_))));
}
