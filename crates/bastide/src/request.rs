//! What may be asked of an installation besides serving, as it goes over the control socket.

use serde::{Deserialize, Serialize};

/// A request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    KeyCreate(KeyWanted),
    KeyList,
    KeyRevoke {
        key: String,
    },
    ProviderAdd(ProviderWanted),
    ProviderList,
    ProviderRemove {
        name: String,
    },
    ProjectCreate {
        name: String,
    },
    ProjectList,
    PolicyShow,
    /// What a policy text names that there is not.
    PolicyNames {
        text: String,
    },
    PolicySet {
        text: String,
    },
    /// Bring the published log up to date.
    LogPublish,
    /// The entries and kept bodies of an exchange.
    ExchangeShow {
        exchange: String,
        reveal: bool,
    },
    /// Destroy the key of one of the log's subjects.
    SubjectErase {
        key: String,
    },
}

/// A key to be, as it was asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyWanted {
    pub(crate) name: String,
    pub(crate) project: Option<String>,
    pub(crate) expires: Option<String>,
    pub(crate) requests_per_minute: Option<u64>,
    pub(crate) tokens_per_minute: Option<u64>,
    pub(crate) tokens_per_day: Option<u64>,
    pub(crate) concurrency: Option<u32>,
}

/// A provider to be, as it was asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderWanted {
    pub(crate) name: String,
    pub(crate) base_url: String,
    pub(crate) credential: CredentialGiven,
    /// The operator agreed to plain HTTP to another machine.
    pub(crate) plain_http: bool,
    pub(crate) project: Option<String>,
}

/// How a provider's credential is given.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CredentialGiven {
    None,
    Env { name: String },
    File { path: String },
    Sealed { value: String },
}

impl std::fmt::Debug for CredentialGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CredentialGiven::None => "none",
            CredentialGiven::Env { .. } => "env",
            CredentialGiven::File { .. } => "file",
            CredentialGiven::Sealed { .. } => "[secret]",
        })
    }
}
