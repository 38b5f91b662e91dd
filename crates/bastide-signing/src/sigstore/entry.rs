//! Entries of the transparency log (Rekor), as a bundle carries them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_types::Timestamp;
use serde::{Deserialize, Deserializer};

use super::checkpoint::Checkpoint;
use super::root::{Log, TrustedRoot};
use super::{KeylessError, merkle};
use crate::bundle::Base64;
use crate::hex;

/// The most timestamps of one signature.
const MAX_TIMESTAMPS: usize = 16;

/// The longest path to the head of a tree: one of 2^64 leaves.
const MAX_PATH: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogEntry {
    #[serde(default, deserialize_with = "number")]
    log_index: u64,
    log_id: LogId,
    kind_version: KindVersion,
    #[serde(default, deserialize_with = "number")]
    integrated_time: u64,
    #[serde(default)]
    inclusion_promise: Option<InclusionPromise>,
    #[serde(default)]
    inclusion_proof: Option<InclusionProof>,
    canonicalized_body: Base64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogId {
    key_id: Base64,
}

/// What an entry is of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct KindVersion {
    pub(super) kind: String,
    pub(super) version: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionPromise {
    signed_entry_timestamp: Base64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct InclusionProof {
    #[serde(default, deserialize_with = "number")]
    log_index: u64,
    root_hash: Base64,
    #[serde(default, deserialize_with = "number")]
    tree_size: u64,
    #[serde(default)]
    hashes: Vec<Base64>,
    #[serde(default)]
    checkpoint: Option<WireCheckpoint>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct WireCheckpoint {
    envelope: String,
}

/// What timestamp authorities signed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct TimestampData {
    rfc3161_timestamps: Vec<WireTimestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireTimestamp {
    signed_timestamp: Base64,
}

impl TimestampData {
    /// The times that authorities of the trusted root put on the signature. Timestamps of others are passed over.
    pub(super) fn times(&self, signature: &[u8], root: &TrustedRoot) -> Result<Vec<Timestamp>, KeylessError> {
        if self.rfc3161_timestamps.len() > MAX_TIMESTAMPS {
            return Err(KeylessError::Timestamps(self.rfc3161_timestamps.len()));
        }
        let times = self.rfc3161_timestamps.iter();
        Ok(times.filter_map(|it| root.time_of(&it.signed_timestamp.0, signature)).collect())
    }
}

impl LogEntry {
    pub(super) fn kind(&self) -> &KindVersion {
        &self.kind_version
    }

    /// The entry as it is in the log: what its kind says of it.
    pub(super) fn body(&self) -> &[u8] {
        &self.canonicalized_body.0
    }

    pub(super) fn log_index(&self) -> u64 {
        self.log_index
    }

    /// The time that the log put on the entry; none where it is of a log that does not.
    pub(super) fn promised_at(&self, root: &TrustedRoot) -> Result<Option<Timestamp>, KeylessError> {
        let Some(promise) = &self.inclusion_promise else { return Ok(None) };
        let micros = self.integrated_time.checked_mul(1_000_000).ok_or(KeylessError::EntryTimestamp)?;
        let at = Timestamp::from_micros(micros);
        let log = self.log(root, at)?;
        if log.key.signed(self.promised().as_bytes(), &promise.signed_entry_timestamp.0) {
            Ok(Some(at))
        } else {
            Err(KeylessError::EntryTimestamp)
        }
    }

    fn log<'r>(&self, root: &'r TrustedRoot, at: Timestamp) -> Result<&'r Log, KeylessError> {
        let id = &self.log_id.key_id.0;
        root.log(id, at).ok_or_else(|| KeylessError::UnknownLog(STANDARD.encode(id)))
    }

    /// What the log signs when it takes an entry: canonical JSON (RFC 8785), whose values need no escapes.
    fn promised(&self) -> String {
        let LogEntry { log_index, integrated_time, .. } = self;
        let body = STANDARD.encode(self.body());
        let log = hex::encode(&self.log_id.key_id.0);
        format!(
            r#"{{"body":"{body}","integratedTime":{integrated_time},"logID":"{log}","logIndex":{log_index}}}"#
        )
    }

    /// Checks that the entry is in a tree whose head the log signed.
    pub(super) fn verify_inclusion(&self, root: &TrustedRoot, at: Timestamp) -> Result<(), KeylessError> {
        let log = self.log(root, at)?;
        let proof = self.inclusion_proof.as_ref().ok_or(KeylessError::NoProof)?;
        let note = proof.checkpoint.as_ref().ok_or(KeylessError::NoProof)?;
        let checkpoint = Checkpoint::verify(&note.envelope, &log.id, &log.key)?;
        // The proof repeats both; a bundle in which they differ contradicts itself.
        if proof.tree_size != checkpoint.size || proof.root_hash.0 != checkpoint.head {
            return Err(KeylessError::Inclusion);
        }
        if proof.hashes.len() > MAX_PATH {
            return Err(KeylessError::Inclusion);
        }
        let path: Result<Vec<[u8; 32]>, _> =
            proof.hashes.iter().map(|it| it.0.as_slice().try_into()).collect();
        let path = path.map_err(|_| KeylessError::Inclusion)?;
        let leaf = merkle::leaf(self.body());
        let head = merkle::head(leaf, proof.log_index, checkpoint.size, &path);
        if head == Some(checkpoint.head) { Ok(()) } else { Err(KeylessError::Inclusion) }
    }
}

/// 64-bit numbers are texts in the JSON of protobuf; parsers have to take numbers as well.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelling {
        Number(u64),
        Text(String),
    }
    match Spelling::deserialize(deserializer)? {
        Spelling::Number(number) => Ok(number),
        Spelling::Text(text) => text.parse().map_err(serde::de::Error::custom),
    }
}
