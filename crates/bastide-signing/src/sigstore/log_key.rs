//! Keys of logs: what they sign, they sign with their key's one algorithm.

use rustls_pki_types::SignatureVerificationAlgorithm;
use webpki::aws_lc_rs as algorithm;

use crate::der::{self, BIT_STRING, SEQUENCE};

/// What logs sign with. Sigstore's have P-256, and Ed25519 since the second version of its log.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] =
    &[algorithm::ECDSA_P256_SHA256, algorithm::ECDSA_P384_SHA384, algorithm::ED25519];

#[derive(Clone, Debug)]
pub(super) struct LogKey {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    key: Vec<u8>,
}

impl LogKey {
    /// From a SubjectPublicKeyInfo in DER; none where the algorithm is not known.
    pub(super) fn from_spki(spki: &[u8]) -> Option<Self> {
        let (content, rest) = der::expect(spki, SEQUENCE)?;
        let (id, bits) = der::expect(content, SEQUENCE)?;
        let (bits, trailing) = der::expect(bits, BIT_STRING)?;
        let key = bits.strip_prefix(&[0])?;
        let algorithm = ALGORITHMS.iter().find(|it| it.public_key_alg_id().as_ref() == id)?;
        (rest.is_empty() && trailing.is_empty()).then(|| LogKey { algorithm: *algorithm, key: key.to_vec() })
    }

    /// Whether the signature is this key's.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.algorithm.verify_signature(&self.key, message, signature).is_ok()
    }
}
