//! The trusted root: which authorities, logs of certificates and logs of signatures count, and from when to when
//! (`sigstore/protobuf-specs`, sigstore_trustroot.proto).

use std::time::Duration;

use bastide_types::Timestamp;
use serde::{Deserialize, Deserializer};

use super::log_key::LogKey;
use super::{KeylessError, MAX_TRUSTED_ROOT_BYTES, sct, timestamp};
use crate::bundle::Base64;
use crate::certificate::{self, CertificateError, MAX_CERTIFICATE_BYTES, MAX_CHAIN, Roots};
use crate::chain::BrokenPath;

/// The most authorities, or logs of one kind.
const MAX_OF_A_KIND: usize = 64;

/// Whom keyless signatures are believed. Where it comes from is the operator's care: it is distributed in Sigstore's TUF
/// repository, or by whoever runs the instance.
#[derive(Clone, Debug)]
pub struct TrustedRoot {
    authorities: Vec<Authority>,
    logs: Vec<Log>,
    certificate_logs: Vec<Log>,
    timestamp_authorities: Vec<Authority>,
}

/// A file that is no trusted root.
#[derive(Debug, thiserror::Error)]
pub enum TrustedRootError {
    /// Beyond [`MAX_TRUSTED_ROOT_BYTES`].
    #[error("the trusted root is longer than {MAX_TRUSTED_ROOT_BYTES} bytes")]
    TooLong,
    /// Not the JSON of one.
    #[error("this is no trusted root that this version reads")]
    Json(#[from] serde_json::Error),
    /// Another version or kind.
    #[error("the trusted root is of type `{0}`, not `application/vnd.dev.sigstore.trustedroot...`")]
    MediaType(String),
    /// Nothing that signatures could lead to.
    #[error("the trusted root has no certificate authority, no transparency log or no log of certificates")]
    Empty,
    /// More than anybody has.
    #[error("the trusted root has more than {MAX_OF_A_KIND} authorities or logs of a kind")]
    TooMany,
    /// A certificate that is none.
    #[error("a certificate authority of the trusted root is malformed")]
    Authority(#[from] CertificateError),
}

/// Who issues certificates for signers, or dates signatures.
#[derive(Clone, Debug)]
struct Authority {
    /// Its certificates in DER, the root last. That of a timestamp authority is the first.
    chain: Vec<Vec<u8>>,
    roots: Roots,
    valid: Validity,
}

/// A log and its key.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// What entries call it.
    pub(super) id: [u8; 32],
    pub(super) key: LogKey,
    valid: Validity,
}

/// From when to when something counts, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
struct Validity {
    #[serde(deserialize_with = "time")]
    start: Timestamp,
    #[serde(default, deserialize_with = "optional_time")]
    end: Option<Timestamp>,
}

impl Validity {
    fn holds_at(self, at: Timestamp) -> bool {
        self.start <= at && self.end.is_none_or(|end| at <= end)
    }
}

impl TrustedRoot {
    /// From `trusted_root.json`. Logs with keys of algorithms that are not known are passed over.
    ///
    /// # Errors
    /// When it is none, or has nothing to trust.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        if bytes.len() > MAX_TRUSTED_ROOT_BYTES {
            return Err(TrustedRootError::TooLong);
        }
        let wire: Wire = serde_json::from_slice(bytes)?;
        if !wire.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            return Err(TrustedRootError::MediaType(wire.media_type));
        }
        let Wire { tlogs, certificate_authorities, ctlogs, timestamp_authorities, .. } = wire;
        let counts = [tlogs.len(), certificate_authorities.len(), ctlogs.len(), timestamp_authorities.len()];
        if counts.iter().any(|count| *count > MAX_OF_A_KIND) {
            return Err(TrustedRootError::TooMany);
        }
        let authorities = |wire: Vec<_>| wire.into_iter().map(authority).collect::<Result<Vec<_>, _>>();
        let root = TrustedRoot {
            authorities: authorities(certificate_authorities)?,
            timestamp_authorities: authorities(timestamp_authorities)?,
            logs: tlogs.into_iter().filter_map(log).collect(),
            certificate_logs: ctlogs.into_iter().filter_map(log).collect(),
        };
        if root.authorities.is_empty() || root.logs.is_empty() || root.certificate_logs.is_empty() {
            return Err(TrustedRootError::Empty);
        }
        Ok(root)
    }

    /// The time that a timestamp authority put on a signature, if one that counts did.
    pub(super) fn time_of(&self, response: &[u8], signature: &[u8]) -> Option<Timestamp> {
        self.timestamp_authorities.iter().find_map(|authority| {
            let signer = authority.chain.first()?;
            let at = timestamp::verify(response, signature, signer)?;
            (authority.valid.holds_at(at) && certificate::holds_at(signer, at)).then_some(at)
        })
    }

    /// The log of signatures with this id, if it counts at the time.
    pub(super) fn log(&self, id: &[u8], at: Timestamp) -> Option<&Log> {
        self.logs.iter().find(|log| log.id == id && log.valid.holds_at(at))
    }

    /// Checks that an authority issued the certificate for signing code, that it was valid at the time, and that a log of
    /// certificates saw it.
    pub(super) fn check_certificate(&self, certificate: &[u8], at: Timestamp) -> Result<(), KeylessError> {
        let mut refused = CertificateError::Path(BrokenPath::NoAuthority);
        for authority in self.authorities.iter().filter(|authority| authority.valid.holds_at(at)) {
            let chain = [&[certificate.to_vec()], authority.chain.as_slice()].concat();
            match authority.roots.check(&chain, at) {
                Ok(_) => {
                    let seen =
                        authority.chain.iter().any(|issuer| self.certificate_log_saw(certificate, issuer));
                    return if seen { Ok(()) } else { Err(KeylessError::CertificateLog) };
                }
                Err(CertificateError::Expired(_) | CertificateError::NotYetValid(_)) => {
                    return Err(KeylessError::OutsideValidity);
                }
                Err(error) => refused = error,
            }
        }
        Err(KeylessError::Authority(refused))
    }

    fn certificate_log_saw(&self, certificate: &[u8], issuer: &[u8]) -> bool {
        let find = |id: &[u8; 32], at| {
            let log = self.certificate_logs.iter().find(|log| log.id == *id && log.valid.holds_at(at));
            log.map(|log| &log.key)
        };
        sct::seen(certificate, issuer, find).is_some()
    }
}

fn authority(wire: WireAuthority) -> Result<Authority, TrustedRootError> {
    let chain: Vec<Vec<u8>> = wire.cert_chain.certificates.into_iter().map(|it| it.raw_bytes.0).collect();
    if chain.len() >= MAX_CHAIN || chain.iter().any(|der| der.len() > MAX_CERTIFICATE_BYTES) {
        return Err(CertificateError::Chain.into());
    }
    let root = chain.last().ok_or(CertificateError::Chain)?;
    Ok(Authority { roots: Roots::from_der(root)?, valid: wire.valid_for, chain })
}

fn log(wire: WireLog) -> Option<Log> {
    if wire.hash_algorithm != "SHA2_256" {
        return None;
    }
    let id = wire.log_id.key_id.0.try_into().ok()?;
    Some(Log { id, key: LogKey::from_spki(&wire.public_key.raw_bytes.0)?, valid: wire.public_key.valid_for })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<WireAuthority>,
    #[serde(default)]
    ctlogs: Vec<WireLog>,
    #[serde(default)]
    timestamp_authorities: Vec<WireAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    cert_chain: WireChain,
    valid_for: Validity,
}

#[derive(Deserialize)]
struct WireChain {
    certificates: Vec<WireBytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBytes {
    raw_bytes: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    hash_algorithm: String,
    public_key: WireKey,
    log_id: WireId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: Base64,
    valid_for: Validity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireId {
    key_id: Base64,
}

/// A time of RFC 3339. Before 1970 counts as 1970.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    let time: jiff::Timestamp = text.parse().map_err(serde::de::Error::custom)?;
    let since = time.as_duration();
    let micros = u64::try_from(since.as_micros()).unwrap_or(0);
    Ok(Timestamp::from_micros(0).plus(Duration::from_micros(micros)))
}

fn optional_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    #[derive(Deserialize)]
    struct Time(#[serde(deserialize_with = "time")] Timestamp);
    Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
}
