//! Why nobody could be established, and why a key or project could not be made.

use bastide_store::StoreError;
use bastide_types::{Fault, KeyId, Problem, Retry};

/// Why a presented credential is not accepted. Exact for our log; the caller is told the same in every case, because
/// each difference would tell a guesser something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthError {
    /// None was presented.
    Missing,
    /// Two different ones were presented.
    Conflicting,
    /// It has not the form of a key.
    Malformed,
    /// It has the form, but not the checksum: a typing error or a guess.
    Checksum,
    /// No key of this installation.
    Unknown,
    /// It has expired.
    Expired(KeyId),
    /// It was revoked.
    Revoked(KeyId),
    /// The key that made it has expired or was revoked: it never grants more than its maker has.
    MakerGone(KeyId),
}

impl AuthError {
    /// The name used in our log and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            AuthError::Missing => "missing",
            AuthError::Conflicting => "conflicting",
            AuthError::Malformed => "malformed",
            AuthError::Checksum => "checksum",
            AuthError::Unknown => "unknown",
            AuthError::Expired(_) => "expired",
            AuthError::Revoked(_) => "revoked",
            AuthError::MakerGone(_) => "maker_gone",
        }
    }

    /// The key, where it is one of ours.
    #[must_use]
    pub const fn key(self) -> Option<KeyId> {
        match self {
            AuthError::Expired(key) | AuthError::Revoked(key) | AuthError::MakerGone(key) => Some(key),
            _ => None,
        }
    }

    /// As the caller sees it.
    #[must_use]
    pub fn to_problem(self) -> Problem {
        match self {
            AuthError::Conflicting => Problem::new(
                "identity.conflicting",
                400,
                Fault::Client,
                Retry::Never,
                "the request carries two different credentials; send one",
            ),
            _ => Problem::new(
                "identity.unauthenticated",
                401,
                Fault::Client,
                Retry::Never,
                "the key is missing or not valid; send `authorization: Bearer bst_...` with a key of this bastide, \
                 or ask your project's administrator for one",
            ),
        }
    }
}

impl std::fmt::Display for AuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not authenticated: {}", self.reason())
    }
}

impl std::error::Error for AuthError {}

/// Why a change of keys, projects or organisations was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A name that cannot be used.
    #[error("`{name}` is no name for a {what}: {detail}")]
    Name {
        /// `key`, `project`, `organisation`.
        what: &'static str,
        /// The name, shortened, without control characters.
        name: String,
        /// What is wrong and what to do.
        detail: &'static str,
    },
    /// The project is not known.
    #[error("there is no project `{id}`; `bastide project list` shows them")]
    NoProject {
        /// As given.
        id: String,
    },
    /// The key would expire before it is made.
    #[error("the expiry lies in the past; choose a later one")]
    ExpiredAtBirth,
    /// A limit of zero.
    #[error(
        "a limit of 0 for {limit} lets nothing through; leave it out for no limit, or revoke the key instead"
    )]
    ZeroLimit {
        /// Which.
        limit: &'static str,
    },
    /// The maker has less than the key would have.
    #[error("a key cannot grant more than the key that makes it: {what}")]
    MoreThanMaker {
        /// Which part.
        what: &'static str,
    },
    /// The maker itself does not hold any more.
    #[error("the key that asks is not valid any more")]
    Maker(#[source] AuthError),
    /// The root key is not the one the keys were made with.
    #[error(
        "the root key does not belong to this data folder, so no key would be recognised; restore the root key that \
         was in use, or begin with another folder"
    )]
    OtherRootKey,
    /// The key is refused from now on, but only in this process.
    #[error(
        "key `{key}` is refused from now on, but that could not be recorded: after a restart it would be valid again; \
         mend the database and revoke it once more"
    )]
    RevokedUnrecorded {
        /// Which.
        key: KeyId,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl IdentityError {
    /// As a caller of the management API sees it.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let client = |code, status| Problem::new(code, status, Fault::Client, Retry::Never, self.to_string());
        match self {
            IdentityError::Name { what, .. } => client("identity.name", 400).at(format!("{what}.name")),
            IdentityError::NoProject { .. } => client("identity.project", 404).at("project"),
            IdentityError::ExpiredAtBirth => client("identity.expiry", 400).at("expires_at"),
            IdentityError::ZeroLimit { limit } => client("identity.limit", 400).at(format!("limits.{limit}")),
            IdentityError::MoreThanMaker { .. } => client("identity.more_than_maker", 403),
            IdentityError::Maker(e) => e.to_problem(),
            IdentityError::OtherRootKey => {
                Problem::new("identity.root_key", 503, Fault::Operator, Retry::Never, self.to_string())
            }
            IdentityError::RevokedUnrecorded { .. } => {
                Problem::new("identity.unrecorded", 503, Fault::Operator, Retry::Later, self.to_string())
            }
            IdentityError::Store(e) => e.to_problem(),
        }
    }
}
