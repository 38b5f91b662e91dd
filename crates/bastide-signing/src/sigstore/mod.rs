//! Keyless signatures (Sigstore bundle 0.3): a certificate of some minutes for whom a provider of identities vouched, and
//! a transparency log that saw the signature within these minutes.
//!
//! Everything is checked offline, against a trusted root that the operator has (`trusted_root.json`): the certificate
//! against its authority at the time that the log or a timestamp authority signed; its entry in a log of certificates
//! (RFC 6962 section 3.2); who it is for and who vouched; and the entry of the signature in the log: that it is in the
//! tree whose head the log signed (RFC 9162 section 2.1.3), and that it is of this signature, this payload and this
//! certificate. A log entry that is of something else is CVE-2022-36056. Whether the log shows everybody the same tree is
//! for those who watch the log.

mod authority;
mod body;
mod checkpoint;
mod entry;
mod log_key;
mod merkle;
mod root;
mod sct;
mod timestamp;

use bastide_crypto::{EcdsaVerifyingKey, sha256};
use bastide_types::Timestamp;

use crate::certificate::{self, CertificateError};
use crate::names;
use authority::FULCIO;
pub(crate) use entry::{LogEntry, TimestampData};
pub use root::{TrustedRoot, TrustedRootError};

/// The most bytes of a trusted root. Sigstore's own has eight thousand.
pub const MAX_TRUSTED_ROOT_BYTES: usize = 1 << 20;

/// Who is to have signed. Both are compared letter by letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeylessIdentity {
    /// The e-mail address, or the URI of a workload.
    pub identity: String,
    /// The issuer of OpenID Connect tokens that vouched for it.
    pub provider: String,
}

/// Who signed, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeylessSigner {
    /// As the certificate names the signer.
    pub identity: String,
    /// Who vouched for it.
    pub provider: String,
    /// The time that the log put on the entry, or else a timestamp authority on the signature.
    pub logged_at: Timestamp,
    /// The place of the entry in the log.
    pub log_index: u64,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
}

/// What a bundle says for itself, with nothing verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeylessMaterial {
    pub(crate) certificate: Vec<u8>,
    pub(crate) entries: Vec<LogEntry>,
    pub(crate) timestamps: TimestampData,
}

/// Why a keyless signature proves nothing.
#[derive(Debug, thiserror::Error)]
pub enum KeylessError {
    /// None: nobody saw it signed. Several: it would be open which one counts.
    #[error("the signature has {0} entries of a transparency log; one is needed")]
    Entries(usize),
    /// A log that the trusted root does not have, or not at that time.
    #[error("the log `{0}` is not in the trusted root, or was not at the time of the entry")]
    UnknownLog(String),
    /// An entry of a kind that is not read.
    #[error("the log entry is of the kind `{0}`, which this version does not read")]
    Kind(String),
    /// No time that anybody signed.
    #[error(
        "nobody in the trusted root signed the time of the signature: neither the log nor a timestamp authority"
    )]
    NoTime,
    /// More timestamps than anybody asks for.
    #[error("the signature has {0} timestamps")]
    Timestamps(usize),
    /// The log did not sign this time and this entry.
    #[error("the signed entry timestamp is not the log's, or of another entry or time")]
    EntryTimestamp,
    /// No proof that the entry is in the log.
    #[error("the log entry has no inclusion proof with a checkpoint")]
    NoProof,
    /// Not the form of a checkpoint.
    #[error("the checkpoint of the log is malformed")]
    Checkpoint,
    /// A head of a tree that the log did not sign.
    #[error("the checkpoint was not signed by the log")]
    CheckpointSignature,
    /// The entry is not in the tree.
    #[error("the inclusion proof does not lead from the entry to the checkpoint of the log")]
    Inclusion,
    /// The entry is not the JSON of its kind.
    #[error("the log entry is malformed")]
    Body,
    /// The entry is of another artifact.
    #[error("the log entry is of another payload")]
    OtherPayload,
    /// The entry is of another signature.
    #[error("the log entry is of another signature")]
    OtherSignature,
    /// The entry is of another signer.
    #[error("the log entry is of another certificate")]
    OtherCertificate,
    /// No authority of the trusted root issued the certificate.
    #[error("no authority of the trusted root issued the certificate for signing code")]
    Authority(#[source] CertificateError),
    /// The log, or a timestamp authority, dates the signature before or after the certificate was valid.
    #[error("the certificate was not valid when it signed")]
    OutsideValidity,
    /// A certificate that no log of certificates saw.
    #[error("no log of certificates in the trusted root vouches for the certificate")]
    CertificateLog,
    /// A certificate without a name, or with several.
    #[error("the certificate names no signer, or several")]
    NoIdentity,
    /// A certificate that does not say who vouched.
    #[error("the certificate names no identity provider")]
    NoProvider,
    /// Somebody else.
    #[error("the signer is `{found}`, not `{wanted}`")]
    OtherIdentity {
        /// In the certificate.
        found: String,
        /// By the caller.
        wanted: String,
    },
    /// Somebody else vouched.
    #[error("the identity provider is `{found}`, not `{wanted}`")]
    OtherProvider {
        /// In the certificate.
        found: String,
        /// By the caller.
        wanted: String,
    },
    /// The certificate cannot be read, or has a key of no use.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Checks everything but the signature itself, which the caller checks with the key.
///
/// `message` is what was signed; `payload` what of it the caller will read.
pub(crate) fn check(
    material: &KeylessMaterial,
    signed: &Signed<'_>,
    root: &TrustedRoot,
    wanted: &KeylessIdentity,
) -> Result<(EcdsaVerifyingKey, KeylessSigner), KeylessError> {
    let KeylessMaterial { certificate, entries, timestamps } = material;
    let [entry] = entries.as_slice() else { return Err(KeylessError::Entries(entries.len())) };
    let key = certificate::key_of(certificate)?;
    let promised = entry.promised_at(root)?;
    let stamped = timestamps.times(signed.signature, root)?;
    let times: Vec<Timestamp> = promised.into_iter().chain(stamped).collect();
    let logged_at = *times.first().ok_or(KeylessError::NoTime)?;
    entry.verify_inclusion(root, logged_at)?;
    // Whoever put a time on it: the certificate was valid then.
    times.iter().try_for_each(|at| root.check_certificate(certificate, *at))?;
    let (identity, provider) = who(certificate)?;
    if identity != wanted.identity {
        return Err(KeylessError::OtherIdentity { found: identity, wanted: wanted.identity.clone() });
    }
    if provider != wanted.provider {
        return Err(KeylessError::OtherProvider { found: provider, wanted: wanted.provider.clone() });
    }
    body::check(entry.kind(), entry.body(), signed, certificate)?;
    let signer = KeylessSigner {
        identity,
        provider,
        logged_at,
        log_index: entry.log_index(),
        fingerprint: sha256(certificate),
    };
    Ok((key, signer))
}

/// What an entry of the log has to be of.
pub(crate) struct Signed<'a> {
    /// The payload of the envelope.
    pub(crate) payload: &'a [u8],
    /// What of it was signed.
    pub(crate) message: &'a [u8],
    /// The signature in DER.
    pub(crate) signature: &'a [u8],
}

/// The identity and the provider that a certificate names.
fn who(certificate: &[u8]) -> Result<(String, String), KeylessError> {
    let mut names = names::alternative(certificate).ok_or(KeylessError::NoIdentity)?;
    let identity = names.pop().filter(|_| names.is_empty()).ok_or(KeylessError::NoIdentity)?;
    let provider = FULCIO.provider(certificate).ok_or(KeylessError::NoProvider)?;
    Ok((identity, provider))
}
