//! What may be asked of an installation besides serving: the one vocabulary of the command line, the console and the
//! management API. Over the control socket it goes as one line of JSON.

use bastide_identity::Authorized;
use bastide_types::Permission;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bodies::RevealWanted;
use crate::failure::Failure;

/// A request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Make a key; the answer is the only place where it ever stands.
    KeyCreate(KeyWanted),
    /// All keys, revoked and expired ones included.
    KeyList,
    /// Refuse a key from now on, in running streams too.
    KeyRevoke {
        /// Its id, or its name where only one has it.
        key: String,
    },
    /// Make a successor of a key, which itself works on for a while and then ends.
    KeyRotate {
        /// Its id, or its name where only one that works has it.
        key: String,
        /// How long: `0`, or a span such as `24h`, which is what holds when it is left out.
        overlap: Option<String>,
    },
    /// Add a provider of models.
    ProviderAdd(ProviderWanted),
    /// All providers.
    ProviderList,
    /// Remove a provider.
    ProviderRemove {
        /// Its name.
        name: String,
    },
    /// Make a project.
    ProjectCreate {
        /// Its name.
        name: String,
    },
    /// All projects.
    ProjectList,
    /// Policies.
    PolicyShow {
        /// Of which version, where 0 is the built-in one; those in force when left out.
        version: Option<u64>,
    },
    /// The versions of the policies, the newest first.
    PolicyHistory,
    /// What a policy text names that there is not.
    PolicyNames {
        /// The text.
        text: String,
    },
    /// Put policies in force.
    PolicySet {
        /// The text.
        text: String,
    },
    /// A guard.
    GuardShow {
        /// Of which version, where 0 is the built-in one; the one in force when left out.
        version: Option<u64>,
    },
    /// The versions of the guard profile, the newest first.
    GuardHistory,
    /// Put a guard in force.
    GuardSet {
        /// `off`, `observe` or `enforce`; as before when left out.
        mode: Option<String>,
        /// Rules in the form of the settings file; as before when left out.
        rules: Option<String>,
    },
    /// Read the settings file and the certificate again. This and the four below are asked of a running server only.
    ConfigReload,
    /// The effective settings, each with its origin.
    ConfigExplain,
    /// What the server's own log shows.
    LogLevel {
        /// What it shows from now on; nothing changes when left out.
        filter: Option<String>,
    },
    /// What the server finds about itself.
    Doctor,
    /// Whether the server takes requests.
    Ready,
    /// Bring the published log up to date.
    LogPublish,
    /// The entries and kept bodies of an exchange.
    ExchangeShow {
        /// Its id.
        exchange: String,
        /// Without masks; the look is recorded first.
        reveal: Option<RevealWanted>,
    },
    /// Make an API token for somebody; the answer is the only place where it ever stands. For the operator on the machine.
    TokenCreate(TokenWanted),
    /// All API tokens that hold.
    TokenList,
    /// End an API token.
    TokenRevoke {
        /// Its id.
        token: String,
    },
    /// Destroy the key of one of the log's subjects.
    SubjectErase {
        /// The subject's key: its id, or its name where only one ever had it.
        key: String,
    },
    /// All people who may sign in.
    UserList,
    /// Add a person.
    UserCreate {
        /// What they sign in with.
        name: String,
        /// Their role.
        role: String,
        /// Their first password.
        password: PasswordGiven,
    },
    /// Give a person another role.
    UserRole {
        /// Their id or name, here and below.
        user: String,
        /// The role.
        role: String,
    },
    /// Refuse a person from now on; their sessions and tokens end.
    UserDisable {
        /// Who.
        user: String,
    },
    /// Let a person in again.
    UserEnable {
        /// Who.
        user: String,
    },
    /// Set a person's password; their sessions and tokens end.
    UserPassword {
        /// Who.
        user: String,
        /// The password.
        password: PasswordGiven,
    },
    /// Take a person's authenticator app and recovery codes away.
    UserTotpRemove {
        /// Who.
        user: String,
    },
    /// Remove a person.
    UserRemove {
        /// Who.
        user: String,
    },
}

impl Request {
    /// What whoever asks must be permitted.
    #[must_use]
    pub const fn permission(&self) -> Permission {
        match self {
            Request::KeyCreate(_) | Request::KeyRevoke { .. } | Request::KeyRotate { .. } => {
                Permission::KeysManage
            }
            Request::ProviderAdd(_) | Request::ProviderRemove { .. } => Permission::ProvidersManage,
            Request::ProjectCreate { .. } => Permission::ProjectsManage,
            Request::PolicySet { .. } => Permission::PoliciesManage,
            Request::GuardSet { .. } => Permission::GuardManage,
            Request::GuardShow { .. }
            | Request::GuardHistory
            | Request::KeyList
            | Request::ProviderList
            | Request::ProjectList
            | Request::PolicyShow { .. }
            | Request::PolicyHistory
            | Request::PolicyNames { .. } => Permission::ConfigView,
            Request::LogPublish => Permission::LogView,
            Request::ExchangeShow { reveal: None, .. } => Permission::TrafficView,
            Request::ExchangeShow { reveal: Some(_), .. } => Permission::BodiesReveal,
            Request::TokenCreate(_) | Request::TokenList | Request::TokenRevoke { .. } => {
                Permission::UsersManage
            }
            Request::SubjectErase { .. } => Permission::SubjectsErase,
            Request::ConfigExplain
            | Request::Doctor
            | Request::Ready
            | Request::LogLevel { filter: None } => Permission::ConfigView,
            Request::ConfigReload | Request::LogLevel { filter: Some(_) } => Permission::SystemManage,
            Request::UserList
            | Request::UserCreate { .. }
            | Request::UserRole { .. }
            | Request::UserDisable { .. }
            | Request::UserEnable { .. }
            | Request::UserPassword { .. }
            | Request::UserTotpRemove { .. }
            | Request::UserRemove { .. } => Permission::UsersManage,
        }
    }

    /// Whether whoever asks was permitted to.
    ///
    /// # Errors
    /// When they were permitted something else.
    pub fn allowed(&self, by: &Authorized) -> Result<(), Failure> {
        let needed = self.permission();
        if by.covers(needed) {
            return Ok(());
        }
        Err(Failure::denied(format!("this needs the permission `{needed}`, which was not given")))
    }
}

/// A key to be, as it was asked for. A limit that is left out does not hold.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyWanted {
    /// What people call it.
    pub name: String,
    /// Its project, by name or id; the first one when left out.
    pub project: Option<String>,
    /// When it ends: a day (`2027-01-31`), an RFC 3339 time, a span from now (`30d`), or `never`; after 90 days when left
    /// out.
    pub expires: Option<String>,
    /// Requests in any minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens in any minute.
    pub tokens_per_minute: Option<u64>,
    /// Tokens in a day (UTC).
    pub tokens_per_day: Option<u64>,
    /// Exchanges at the same time.
    pub concurrency: Option<u32>,
}

/// An API token to be, as it was asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenWanted {
    /// Whose it is to be, by name or id.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// What it may do at most.
    pub role: String,
    /// A day, an RFC 3339 time or a span from now (`30d`).
    pub expires: String,
}

/// A provider to be, as it was asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderWanted {
    /// What policies, models' prefixes and the log call it.
    pub name: String,
    /// Where its API is.
    pub base_url: String,
    /// Where its credential is.
    pub credential: CredentialGiven,
    /// The operator agreed to plain HTTP to another machine.
    pub plain_http: bool,
    /// Whose it is, by name or id; everybody's when left out.
    pub project: Option<String>,
}

/// A password on its way to be hashed. Does not print.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordGiven(pub String);

impl std::fmt::Debug for PasswordGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// How a provider's credential is given.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CredentialGiven {
    /// It needs none.
    None,
    /// In an environment variable of the server.
    Env {
        /// The variable.
        name: String,
    },
    /// In a file that the server can read.
    File {
        /// The file.
        path: String,
    },
    /// Here; it is kept sealed.
    Sealed {
        /// The credential.
        value: String,
    },
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
