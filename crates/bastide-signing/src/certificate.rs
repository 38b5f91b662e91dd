//! Certificates of signers: a chain from the bundle, roots from the operator.
//!
//! rustls-webpki, which is part of the program through rustls, parses certificates and checks their signatures. Its path
//! builder is for web servers and of no use here: it refuses a signer whose certificate could also issue, and such are
//! what the reference implementation's own instructions make. So paths are built here, by the rules of RFC 5280 section 6
//! without policies and with names constrained refused: names chain, signatures hold, every authority is one and may sign
//! certificates, all are valid at the time, and purposes that are named include code. The purpose matters: a certificate
//! for a web server chains to the same roots as one for code. Nothing is asked of revocation lists.

use bastide_crypto::{EcdsaKeyError, EcdsaVerifyingKey, sha256};
use bastide_types::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;
use webpki::aws_lc_rs as algorithm;

use crate::der::{Facts, Issued};
use crate::names;

/// The most certificates in a bundle. Real chains have two to four.
pub const MAX_CHAIN: usize = 16;

/// The longest certificate, in bytes. Real ones stay below four thousand.
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

/// The most signatures of certificates that are checked for one chain: certificates of one name and many keys could ask for
/// any number.
const MAX_CHECKS: u32 = 128;

/// What certificates may be signed with. No SHA-1, no RSA below 2048 bits.
const ALGORITHMS: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithm::ECDSA_P256_SHA256,
    algorithm::ECDSA_P256_SHA384,
    algorithm::ECDSA_P256_SHA512,
    algorithm::ECDSA_P384_SHA256,
    algorithm::ECDSA_P384_SHA384,
    algorithm::ECDSA_P384_SHA512,
    algorithm::ECDSA_P521_SHA256,
    algorithm::ECDSA_P521_SHA384,
    algorithm::ECDSA_P521_SHA512,
    algorithm::ED25519,
    algorithm::RSA_PKCS1_2048_8192_SHA256,
    algorithm::RSA_PKCS1_2048_8192_SHA384,
    algorithm::RSA_PKCS1_2048_8192_SHA512,
    algorithm::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithm::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithm::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// The certificates that the operator trusts: authorities, or signers themselves.
#[derive(Clone, Debug)]
pub struct Roots(Vec<CertificateDer<'static>>);

/// The signer that a certificate names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSigner {
    /// SHA-256 of its DER.
    pub fingerprint: [u8; 32],
    /// Whom it is for, as RFC 4514 writes it.
    pub subject: String,
    /// Who issued it, likewise.
    pub issuer: String,
    /// The other names it is for: e-mail addresses, host names, URIs.
    pub names: Vec<String>,
    /// The first instant of its validity.
    pub not_before: Timestamp,
    /// The last.
    pub not_after: Timestamp,
}

impl CertificateSigner {
    /// From a certificate that was parsed.
    fn of(known: &Known<'_>) -> Option<Self> {
        // As parsed, both names are the content of the sequence.
        Some(CertificateSigner {
            fingerprint: sha256(known.der),
            subject: names::distinguished(known.parsed.subject())?,
            issuer: names::distinguished(known.parsed.issuer())?,
            names: names::alternative(known.der).unwrap_or_default(),
            not_before: known.facts.not_before?,
            not_after: known.facts.not_after?,
        })
    }

    /// Whether this is the subject or another name of it, letter by letter.
    #[must_use]
    pub fn is(&self, identity: &str) -> bool {
        self.subject == identity || self.names.iter().any(|name| name == identity)
    }
}

/// A chain that proves nothing, and why.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// No certificate in a PEM text.
    #[error("no PEM block `CERTIFICATE` is here that can be read")]
    Pem,
    /// No certificate in the bundle, or more or longer ones than anybody writes.
    #[error(
        "the bundle has no certificate, more than {MAX_CHAIN}, or one of more than {MAX_CERTIFICATE_BYTES} bytes"
    )]
    Chain,
    /// Not the encoding of a certificate.
    #[error("a certificate is malformed")]
    Malformed,
    /// No path, or one that does not hold.
    #[error("the certificate does not chain to a root that is trusted")]
    Path,
    /// Before its validity.
    #[error("the certificate is not valid before {}", day(*.0))]
    NotYetValid(Timestamp),
    /// After its validity.
    #[error(
        "the certificate was valid until {} only: have the model signed again, or give a time at which this signature is \
         known to have been there",
        day(*.0)
    )]
    Expired(Timestamp),
    /// For something else than signing.
    #[error(
        "the certificate may not be used for signing: neither key usage `digitalSignature` nor the purpose `codeSigning`"
    )]
    Usage,
    /// The purposes leave code signing out.
    #[error("the certificate is for purposes that leave out `codeSigning`")]
    Purpose,
    /// Somebody else.
    #[error("the signer is `{found}`, not `{wanted}`")]
    OtherIdentity {
        /// The subject of the certificate, and its other names.
        found: String,
        /// By the caller.
        wanted: String,
    },
    /// A key that is not on a supported curve.
    #[error("the key of the certificate cannot verify model signatures")]
    Key(#[from] EcdsaKeyError),
}

impl Roots {
    /// From a PEM text with one or more certificates.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        certificates_from_pem(text).map(|ders| Roots(ders.into_iter().map(CertificateDer::from).collect()))
    }

    /// From one certificate in DER.
    ///
    /// # Errors
    /// When it cannot be read.
    #[cfg(feature = "sigstore")]
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        let der = CertificateDer::from(der.to_vec());
        if Known::of(&der).is_none() {
            return Err(CertificateError::Malformed);
        }
        Ok(Roots(vec![der]))
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Roots) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Checks a chain, leaf first, and gives the key of the leaf and whom it names. Every certificate of the path has to be
    /// valid at the time.
    ///
    /// # Errors
    /// When it does not lead to a root, or the leaf may not sign.
    pub fn check(
        &self,
        chain: &[Vec<u8>],
        at: Timestamp,
    ) -> Result<(EcdsaVerifyingKey, CertificateSigner), CertificateError> {
        if chain.len() > MAX_CHAIN || chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
            return Err(CertificateError::Chain);
        }
        let (leaf, between) = chain.split_first().ok_or(CertificateError::Chain)?;
        let leaf = CertificateDer::from(leaf.as_slice());
        let leaf = Known::of(&leaf).ok_or(CertificateError::Malformed)?;
        let signer = CertificateSigner::of(&leaf).ok_or(CertificateError::Malformed)?;
        if !leaf.facts.holds_at(at) {
            return Err(if at < signer.not_before {
                CertificateError::NotYetValid(signer.not_before)
            } else {
                CertificateError::Expired(signer.not_after)
            });
        }
        // A signer that is itself trusted needs no path: how self-signed certificates are used.
        if !self.0.contains(leaf.der) && !self.path_leads_from(&leaf, between, at) {
            return Err(CertificateError::Path);
        }
        if !leaf.facts.is_for_code() {
            return Err(CertificateError::Purpose);
        }
        if !leaf.facts.may_sign() {
            return Err(CertificateError::Usage);
        }
        Ok((EcdsaVerifyingKey::from_spki(&leaf.parsed.subject_public_key_info())?, signer))
    }

    fn path_leads_from(&self, leaf: &Known<'_>, between: &[Vec<u8>], at: Timestamp) -> bool {
        let between: Vec<_> = between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let between = between.iter().filter_map(Known::of).filter(|it| it.facts.is_for_code());
        let roots = self.0.iter().filter_map(Known::of);
        let search = Search {
            roots: roots.filter(|it| it.facts.holds_at(at)).collect(),
            between: between.filter(|it| it.facts.holds_at(at)).collect(),
        };
        let mut checks = MAX_CHECKS;
        search.leads_to_root(leaf, 0, &mut checks)
    }
}

/// A certificate that was parsed.
struct Known<'a> {
    der: &'a CertificateDer<'a>,
    parsed: EndEntityCert<'a>,
    issued: Issued<'a>,
    facts: Facts,
}

impl<'a> Known<'a> {
    fn of(der: &'a CertificateDer<'a>) -> Option<Self> {
        // Refuses critical extensions that are not known, and versions but the third.
        let parsed = EndEntityCert::try_from(der).ok()?;
        Some(Known { der, parsed, issued: Issued::of(der)?, facts: Facts::of(der)? })
    }

    /// Whether the key of this certificate signed that one.
    fn signed(&self, child: &Known<'_>) -> bool {
        self.made(child.issued)
    }

    /// Whether the key of this certificate made a signature.
    fn made(&self, signature: Issued<'_>) -> bool {
        let Issued { message, algorithm, signature } = signature;
        ALGORITHMS
            .iter()
            .filter(|known| known.signature_alg_id().as_ref() == algorithm)
            // Refuses an algorithm that is not the key's.
            .any(|known| self.parsed.verify_signature(*known, message, signature).is_ok())
    }
}

/// The certificates that a path may use, all valid at the time.
struct Search<'a> {
    roots: Vec<Known<'a>>,
    between: Vec<Known<'a>>,
}

impl Search<'_> {
    /// Whether a path leads from this certificate to a root, with so many authorities below the next.
    fn leads_to_root(&self, child: &Known<'_>, below: usize, checks: &mut u32) -> bool {
        let mut issued_by = |issuer: &Known<'_>| {
            if issuer.parsed.subject() != child.parsed.issuer() || !issuer.facts.may_issue(below) {
                return false;
            }
            let left = checks.checked_sub(1);
            *checks = left.unwrap_or(0);
            left.is_some() && issuer.signed(child)
        };
        if self.roots.iter().any(&mut issued_by) {
            return true;
        }
        if below >= MAX_CHAIN {
            return false;
        }
        let issuers: Vec<_> = self.between.iter().filter(|issuer| issued_by(issuer)).collect();
        issuers.into_iter().any(|issuer| self.leads_to_root(issuer, below + 1, checks))
    }
}

/// The day of an instant in UTC, for people.
fn day(at: Timestamp) -> String {
    let days = i64::try_from(at.as_micros() / 86_400_000_000).unwrap_or(i64::MAX);
    let day =
        jiff::civil::date(1970, 1, 1).checked_add(jiff::SignedDuration::from_hours(days.saturating_mul(24)));
    day.unwrap_or(jiff::civil::Date::MAX).to_string()
}

/// The certificates of a PEM text in DER, in their order.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn certificates_from_pem(text: &str) -> Result<Vec<Vec<u8>>, CertificateError> {
    let ders: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let ders = ders.map_err(|_| CertificateError::Pem)?;
    if ders.is_empty() || ders.iter().any(|der| Facts::of(der).is_none()) {
        return Err(CertificateError::Pem);
    }
    Ok(ders.into_iter().map(|der| der.to_vec()).collect())
}

/// The SubjectPublicKeyInfo of a certificate, in DER.
#[cfg(feature = "sigstore")]
pub(crate) fn spki_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let der = CertificateDer::from(certificate);
    let parsed = EndEntityCert::try_from(&der).ok()?;
    Some(parsed.subject_public_key_info().to_vec())
}

/// Whether the key of a certificate made this signature, with this algorithm (the content of its identifier).
#[cfg(feature = "sigstore")]
pub(crate) fn signed_by(certificate: &[u8], message: &[u8], algorithm: &[u8], signature: &[u8]) -> bool {
    let der = CertificateDer::from(certificate);
    Known::of(&der).is_some_and(|known| known.made(Issued { message, algorithm, signature }))
}

/// The validity of a certificate.
#[cfg(feature = "sigstore")]
pub(crate) fn holds_at(certificate: &[u8], at: Timestamp) -> bool {
    let der = CertificateDer::from(certificate);
    Known::of(&der).is_some_and(|known| known.facts.holds_at(at))
}

/// The key of a certificate that nothing is known of yet.
///
/// # Errors
/// When it is malformed or its key is on no supported curve.
pub(crate) fn key_of(certificate: &[u8]) -> Result<EcdsaVerifyingKey, CertificateError> {
    let der = CertificateDer::from(certificate);
    let parsed = EndEntityCert::try_from(&der).map_err(|_| CertificateError::Malformed)?;
    Ok(EcdsaVerifyingKey::from_spki(&parsed.subject_public_key_info())?)
}
