//! Certificates of signers: a chain from the bundle, roots from the operator.
//!
//! rustls-webpki, which is part of the program through rustls, parses certificates and checks their signatures. Its path
//! builder is for web servers and of no use here: it refuses a signer whose certificate could also issue, and such are
//! what the reference implementation's own instructions make. So paths are built here, by the rules of RFC 5280 section 6
//! without policies and with names constrained refused: names chain, signatures hold, every authority is one and may sign
//! certificates, all are valid at the time, and purposes that are named include code. The purpose matters: a certificate
//! for a web server chains to the same roots as one for code. Lists of revoked certificates count where the operator gives
//! them.

use bastide_crypto::{EcdsaKeyError, EcdsaVerifyingKey, sha256};
use bastide_types::Timestamp;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm};
use webpki::EndEntityCert;
use webpki::aws_lc_rs as algorithm;

use crate::chain::{BrokenPath, Search, broken, fault};
use crate::der::{Facts, Issued};
use crate::names;
use crate::revocation::RevocationLists;

/// The most certificates in a bundle. Real chains have two to four.
pub const MAX_CHAIN: usize = 16;

/// The longest certificate, in bytes. Real ones stay below four thousand.
pub const MAX_CERTIFICATE_BYTES: usize = 64 << 10;

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
pub struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    /// What was revoked of what they issued.
    lists: Option<RevocationLists>,
}

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
    /// Until when the list is good that does not name it as revoked; none only where no lists were given.
    pub not_revoked_until: Option<Timestamp>,
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
            not_revoked_until: None,
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
    /// No path to a root, and where the search for one ended.
    #[error("the certificate does not chain to a root that is trusted: {0}")]
    Path(BrokenPath),
    /// The certificates of a signer are not in their order.
    #[error("the certificates do not follow one another from the signer's to the root: {0}")]
    Order(BrokenPath),
    /// Before its validity.
    #[error("the certificate is not valid before {}", day(*.0))]
    NotYetValid(Timestamp),
    /// After its validity.
    #[error("the certificate was valid until {} only", day(*.0))]
    Expired(Timestamp),
    /// For something else than signing.
    #[error(
        "the certificate may not sign: it has neither the key usage `digitalSignature` nor the purpose `codeSigning`"
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
    /// In the list of its issuer.
    #[error("the certificate of `{subject}` was revoked on {}", day(*since))]
    Revoked {
        /// Whose it is.
        subject: String,
        /// Since when the list names it.
        since: Timestamp,
    },
    /// Lists were given, and none that speaks for the signer.
    #[error("no revocation list for certificates of `{issuer}` is among those given: add that authority's")]
    NoList {
        /// Who issued the certificate.
        issuer: String,
    },
    /// Lists were given, and the signer is trusted by itself: no authority stands above it that could revoke it.
    #[error(
        "no revocation list can speak for the certificate of `{subject}`, which issued itself: ask for no list, or trust \
         an authority instead"
    )]
    SelfIssued {
        /// Whose it is.
        subject: String,
    },
    /// Made after the certificate's end, when its authority may have dropped it (RFC 5280 section 3.3).
    #[error(
        "the revocation list of `{issuer}` was made on {}, after the certificate of `{subject}` had ended on {}, and may \
         name it no longer: give one from before that",
        day(*made),
        day(*ended)
    )]
    ListTooLate {
        /// Whose list it is.
        issuer: String,
        /// Whose certificate has ended.
        subject: String,
        /// When the list was made.
        made: Timestamp,
        /// The last instant of the certificate.
        ended: Timestamp,
    },
    /// By somebody else, or by a certificate that may not sign lists.
    #[error("the revocation list of `{issuer}` is not signed by a key of it that may sign lists")]
    ListSignature {
        /// In whose name it speaks.
        issuer: String,
    },
    /// Out of date.
    #[error("the revocation list of `{issuer}` was good until {} only: fetch a newer one", day(*until))]
    ListStale {
        /// Whose it is.
        issuer: String,
        /// When the next one was due.
        until: Timestamp,
    },
    /// A key that is not on a supported curve.
    #[error("the key of the certificate cannot verify model signatures")]
    Key(#[from] EcdsaKeyError),
}

impl Roots {
    fn of(certificates: Vec<CertificateDer<'static>>) -> Self {
        Roots { certificates, lists: None }
    }

    /// From a PEM text with one or more certificates.
    ///
    /// # Errors
    /// When there is none, or one cannot be read.
    pub fn from_pem(text: &str) -> Result<Self, CertificateError> {
        certificates_from_pem(text)
            .map(|ders| Roots::of(ders.into_iter().map(CertificateDer::from).collect()))
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
        Ok(Roots::of(vec![der]))
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: Roots) -> Self {
        self.certificates.extend(more.certificates);
        self.lists = match (self.lists, more.lists) {
            (Some(lists), Some(more)) => Some(lists.and(more)),
            (lists, more) => lists.or(more),
        };
        self
    }

    /// The same, where what these lists name as revoked does not count. There has to be one for the signer's certificate;
    /// an authority's is looked up where there is one of its issuer.
    #[must_use]
    pub fn without_revoked(mut self, lists: RevocationLists) -> Self {
        self.lists = Some(match self.lists {
            Some(before) => before.and(lists),
            None => lists,
        });
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
        let mut signer = CertificateSigner::of(&leaf).ok_or(CertificateError::Malformed)?;
        in_time(&leaf, &signer, at)?;
        let between: Vec<_> = between.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let between: Vec<_> = between.iter().filter_map(Known::of).collect();
        let roots: Vec<_> = self.certificates.iter().filter_map(Known::of).collect();
        let path = Search::of(&roots, &between, at).path_from(&leaf);
        // A signer that is itself trusted needs no path: how self-signed certificates are used.
        if path.is_none() && !self.certificates.contains(leaf.der) {
            return Err(CertificateError::Path(broken(&leaf, &roots, &between, at)));
        }
        may_sign_code(&leaf)?;
        signer.not_revoked_until = self.revocation(&leaf, &path.unwrap_or_default(), at)?;
        Ok((EcdsaVerifyingKey::from_spki(&leaf.parsed.subject_public_key_info())?, signer))
    }

    /// Asks the lists of every certificate on the path but the root.
    fn revocation(
        &self,
        leaf: &Known<'_>,
        path: &[&Known<'_>],
        at: Timestamp,
    ) -> Result<Option<Timestamp>, CertificateError> {
        let Some(lists) = &self.lists else { return Ok(None) };
        // A signer that is itself trusted: it issued itself, or its issuer is not there to be asked.
        let Some(issuer) = path.first() else {
            let own = leaf.parsed.subject() == leaf.parsed.issuer();
            return Err(match own {
                true => CertificateError::SelfIssued { subject: leaf.subject() },
                false => CertificateError::NoList { issuer: leaf.issuer() },
            });
        };
        for (child, issuer) in path.iter().zip(path.iter().skip(1)) {
            lists.check(child, issuer, at)?;
        }
        let until = lists.check(leaf, issuer, at)?;
        until.map(Some).ok_or_else(|| CertificateError::NoList { issuer: leaf.issuer() })
    }
}

/// Checks what a signer is about to publish: the certificate is for signing and valid, and each that follows issued the
/// one before it. Whether the last leads to a root is for [`Roots::check`].
///
/// # Errors
/// When no verifier would take it, or a certificate does not belong where it stands.
pub fn check_signer(chain: &[Vec<u8>], at: Timestamp) -> Result<CertificateSigner, CertificateError> {
    if chain.len() > MAX_CHAIN || chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
        return Err(CertificateError::Chain);
    }
    let ders: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let all: Option<Vec<_>> = ders.iter().map(Known::of).collect();
    let all = all.ok_or(CertificateError::Malformed)?;
    let (leaf, _) = all.split_first().ok_or(CertificateError::Chain)?;
    let signer = CertificateSigner::of(leaf).ok_or(CertificateError::Malformed)?;
    in_time(leaf, &signer, at)?;
    may_sign_code(leaf)?;
    for (below, (child, issuer)) in all.iter().zip(all.iter().skip(1)).enumerate() {
        if let Some(why) = fault(child, issuer, below, at) {
            return Err(CertificateError::Order(why));
        }
    }
    Ok(signer)
}

fn in_time(leaf: &Known<'_>, signer: &CertificateSigner, at: Timestamp) -> Result<(), CertificateError> {
    match leaf.facts.holds_at(at) {
        true => Ok(()),
        false if at < signer.not_before => Err(CertificateError::NotYetValid(signer.not_before)),
        false => Err(CertificateError::Expired(signer.not_after)),
    }
}

fn may_sign_code(leaf: &Known<'_>) -> Result<(), CertificateError> {
    match (leaf.facts.is_for_code(), leaf.facts.may_sign()) {
        (false, _) => Err(CertificateError::Purpose),
        (true, false) => Err(CertificateError::Usage),
        (true, true) => Ok(()),
    }
}

/// A certificate that was parsed.
pub(crate) struct Known<'a> {
    pub(crate) der: &'a CertificateDer<'a>,
    pub(crate) parsed: EndEntityCert<'a>,
    issued: Issued<'a>,
    pub(crate) facts: Facts,
}

impl<'a> Known<'a> {
    fn of(der: &'a CertificateDer<'a>) -> Option<Self> {
        // Refuses critical extensions that are not known, and versions but the third.
        let parsed = EndEntityCert::try_from(der).ok()?;
        Some(Known { der, parsed, issued: Issued::of(der)?, facts: Facts::of(der)? })
    }

    /// Whom it is for, as far as that can be written.
    pub(crate) fn subject(&self) -> String {
        names::distinguished(self.parsed.subject()).unwrap_or_default()
    }

    /// Who issued it, likewise.
    pub(crate) fn issuer(&self) -> String {
        names::distinguished(self.parsed.issuer()).unwrap_or_default()
    }

    /// Whether the key of this certificate signed that one.
    pub(crate) fn signed(&self, child: &Known<'_>) -> bool {
        self.made(child.issued)
    }

    /// Whether the key of this certificate made a signature.
    pub(crate) fn made(&self, signature: Issued<'_>) -> bool {
        let Issued { message, algorithm, signature } = signature;
        ALGORITHMS
            .iter()
            .filter(|known| known.signature_alg_id().as_ref() == algorithm)
            // Refuses an algorithm that is not the key's.
            .any(|known| self.parsed.verify_signature(*known, message, signature).is_ok())
    }
}

/// The day of an instant in UTC, for people.
pub(crate) fn day(at: Timestamp) -> String {
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
