//! In-toto statements (`in-toto/attestation`, Statement v1): what a signature says of which subject.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::hex;
use crate::manifest::ManifestError;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// A payload that says nothing this crate can rely on.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Not the JSON of a statement.
    #[error("the signed payload is no statement that this version reads")]
    Json(#[from] serde_json::Error),
    /// Another `_type`.
    #[error("the signed payload is of type `{0}`, not `{STATEMENT}`")]
    Type(String),
    /// Another `predicateType`: a signature, but for something else.
    #[error("the signature states `{found}`, not `{wanted}`")]
    Predicate {
        /// What was asked for.
        wanted: &'static str,
        /// What stands there.
        found: String,
    },
    /// Several subjects, or none: it would be open which one is signed.
    #[error("the statement has {0} subjects; a model signature has one")]
    Subjects(usize),
    /// A digest that is not lower-case hexadecimal digits of the right number.
    #[error("the digest of `{0}` is malformed")]
    Digest(String),
    /// A root digest that is not that of the resources.
    #[error("the root digest of the statement is not that of its resources")]
    Root,
    /// A method or hash function that is unknown, or a shard size that is none.
    #[error("the serialization `{0}` is not supported")]
    Serialization(String),
    /// A resource under another algorithm than the serialization names.
    #[error("the resource `{name}` has the algorithm `{algorithm}`, which the serialization does not name")]
    Algorithm {
        /// The resource.
        name: String,
        /// As it stands there.
        algorithm: String,
    },
    /// Resources that make no manifest.
    #[error("the manifest is refused")]
    Manifest(#[from] ManifestError),
    /// A verdict of a scan that contradicts its result, or is unknown.
    #[error("the scan says both `{result}` and `{verdict}`")]
    Verdict {
        /// The result of the predicate.
        result: String,
        /// The verdict beside it.
        verdict: String,
    },
}

/// As it is written. Keys that are unknown are ignored, as the specification wants; a known one may stand only once.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Statement<P> {
    #[serde(rename = "_type")]
    kind: String,
    pub(crate) subject: Vec<Named>,
    predicate_type: String,
    pub(crate) predicate: P,
}

/// Something that has a name and a SHA-256 digest.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Named {
    #[serde(default)]
    pub(crate) name: String,
    pub(crate) digest: Sha256Digest,
}

#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Sha256Digest {
    sha256: String,
}

/// What decides how the rest is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(rename = "_type")]
    kind: String,
    predicate_type: String,
}

impl Named {
    pub(crate) fn new(name: &str, digest: &[u8; 32]) -> Self {
        Named { name: name.to_owned(), digest: Sha256Digest { sha256: hex::encode(digest) } }
    }

    pub(crate) fn bytes(&self) -> Result<[u8; 32], StatementError> {
        hex::decode_array(&self.digest.sha256).ok_or_else(|| StatementError::Digest(self.name.clone()))
    }
}

impl<P> Statement<P> {
    pub(crate) fn new(subject: Named, predicate_type: &str, predicate: P) -> Self {
        Statement {
            kind: STATEMENT.to_owned(),
            subject: vec![subject],
            predicate_type: predicate_type.to_owned(),
            predicate,
        }
    }

    /// The one subject.
    pub(crate) fn only_subject(&self) -> Result<&Named, StatementError> {
        match self.subject.as_slice() {
            [one] => Ok(one),
            several => Err(StatementError::Subjects(several.len())),
        }
    }
}

/// The type of the predicate, once the payload is known to be a statement.
pub(crate) fn predicate_type(payload: &[u8]) -> Result<String, StatementError> {
    let head: Head = serde_json::from_slice(payload)?;
    if head.kind != STATEMENT {
        return Err(StatementError::Type(head.kind));
    }
    Ok(head.predicate_type)
}

/// Reads a statement with this predicate and no other.
pub(crate) fn read<P: DeserializeOwned>(
    payload: &[u8],
    wanted: &'static str,
) -> Result<Statement<P>, StatementError> {
    let found = predicate_type(payload)?;
    if found != wanted {
        return Err(StatementError::Predicate { wanted, found });
    }
    Ok(serde_json::from_slice(payload)?)
}
