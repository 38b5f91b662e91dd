//! Why nobody could sign in, why a session does not hold, and why a change of users or sessions was not made.

use bastide_crypto::PasswordError;
use bastide_store::StoreError;
use bastide_types::{Fault, Problem, Retry, Role, SessionId, UserId};

use crate::passwords::{HashingError, PasswordRule};
use crate::setup::SetupError;

/// Why a presented session is not accepted. Exact for our log; the caller is told the same in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SessionError {
    /// It has not the form of a cookie's value or an API token.
    Malformed,
    /// It has the form, but not the checksum: a typing error or a guess.
    Checksum,
    /// No session of this installation, or one that has ended.
    Unknown,
    /// It has expired.
    Expired(SessionId),
    /// It was not used for too long.
    Idle(SessionId),
    /// It was revoked, or has another token now.
    Revoked(SessionId),
    /// Its person is disabled or was removed.
    Disabled(SessionId),
}

impl SessionError {
    /// The name used in our log and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            SessionError::Malformed => "malformed",
            SessionError::Checksum => "checksum",
            SessionError::Unknown => "unknown",
            SessionError::Expired(_) => "expired",
            SessionError::Idle(_) => "idle",
            SessionError::Revoked(_) => "revoked",
            SessionError::Disabled(_) => "disabled",
        }
    }

    /// As the caller sees it.
    #[must_use]
    pub fn to_problem(self) -> Problem {
        Problem::new(
            "identity.session",
            401,
            Fault::Client,
            Retry::Never,
            "the session is missing or has ended; sign in, or send `authorization: Bearer bsa_...` with an API token \
             that holds",
        )
    }
}

impl std::fmt::Display for SessionError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not signed in: {}", self.reason())
    }
}

impl std::error::Error for SessionError {}

/// Why a person was not let in. For our log only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Nobody has the name.
    UnknownUser,
    /// The password is another one.
    WrongPassword,
    /// The person is disabled.
    Disabled,
    /// The person has a second factor and gave no code.
    CodeMissing,
    /// The code is wrong, too old or used up.
    WrongCode,
    /// The account had too many failures; nothing was compared.
    AccountLocked,
    /// The address had too many failures; nothing was compared.
    AddressLocked,
    /// The password, the second factor or the person changed while they signed in.
    Overtaken,
}

impl Refusal {
    /// The name used in our log and metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::UnknownUser => "unknown_user",
            Refusal::WrongPassword => "wrong_password",
            Refusal::Disabled => "disabled",
            Refusal::CodeMissing => "code_missing",
            Refusal::WrongCode => "wrong_code",
            Refusal::AccountLocked => "account_locked",
            Refusal::AddressLocked => "address_locked",
            Refusal::Overtaken => "overtaken",
        }
    }
}

/// Why nobody signed in.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// For a reason that the caller is not told.
    #[error("sign-in refused: {}", refusal.reason())]
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whose name it was, if anybody's.
        user: Option<UserId>,
    },
    /// Too many are signing in at the same time. Says nothing about this one.
    #[error("too many sign-ins at the same time")]
    Busy,
    /// Something of ours failed.
    #[error("nobody can sign in")]
    Failed(#[source] AccountError),
}

impl SignInError {
    /// As the caller sees it: the same for every refusal.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        match self {
            SignInError::Refused { .. } => Problem::new(
                "identity.sign_in",
                401,
                Fault::Client,
                Retry::Later,
                "the name, the password or the code is wrong, or there were too many attempts; check all three, and \
                 wait a few minutes before the next attempt",
            ),
            SignInError::Busy => AccountError::Busy.to_problem(),
            SignInError::Failed(e) => e.to_problem(),
        }
    }
}

impl From<HashingError> for SignInError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => SignInError::Busy,
            HashingError::Password(e) => SignInError::Failed(AccountError::Hash(e)),
        }
    }
}

impl From<StoreError> for SignInError {
    fn from(error: StoreError) -> Self {
        SignInError::Failed(AccountError::Store(error))
    }
}

/// Why a change of users or sessions was not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// A name that cannot be used.
    #[error("`{name}` is no name for a user: {detail}")]
    Name {
        /// The name, shortened, without control characters.
        name: String,
        /// What is wrong and what to do.
        detail: &'static str,
    },
    /// A name that a token cannot have.
    #[error("`{name}` is no name for a token: {detail}")]
    TokenName {
        /// The name, shortened, without control characters.
        name: String,
        /// What is wrong and what to do.
        detail: &'static str,
    },
    /// A password that cannot be used.
    #[error(transparent)]
    Password(#[from] PasswordRule),
    /// Too many passwords are being hashed at the same time.
    #[error("the server is busy with other sign-ins; try again in a few seconds")]
    Busy,
    /// There is no such person.
    #[error("there is no user `{id}`; they may have been removed")]
    NoUser {
        /// As given.
        id: UserId,
    },
    /// The setup code was not accepted.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The code that was to confirm an authenticator app.
    #[error(
        "this is not the code that the app shows now; check the clock of the device and try the next code"
    )]
    WrongCode,
    /// No authenticator app is waiting to be confirmed.
    #[error("no authenticator app is waiting to be confirmed; begin again")]
    NoEnrolment,
    /// The person has no authenticator app.
    #[error("there is no authenticator app to recover from; set one up first")]
    NoSecondFactor,
    /// The token would do more than its maker.
    #[error("a token cannot do more than the one who makes it, and you cannot do all that `{role}` can")]
    MoreThanMaker {
        /// As asked for.
        role: Role,
    },
    /// A token cannot make tokens.
    #[error("only someone signed in with a browser can do this; an API token cannot")]
    NeedsBrowser,
    /// The expiry lies in the past or too far ahead.
    #[error("the expiry must lie ahead, and no more than 366 days")]
    Expiry,
    /// Too many sessions.
    #[error(
        "there are already 100 sessions and tokens of this user; end some, unused ones end by themselves"
    )]
    TooManySessions,
    /// The session that asks does not hold.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// Changed while the change was made ready.
    #[error("the user changed meanwhile; begin again")]
    Overtaken,
    /// In force from now on, but only in this process.
    #[error(
        "{what} from now on, but that could not be recorded: after a restart it would be undone; mend the database \
         and do it once more"
    )]
    Unrecorded {
        /// `the user is refused`, ...
        what: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The sealed secret of an authenticator app does not open.
    #[error(
        "the secret of the authenticator app does not open; an administrator must remove it from the user"
    )]
    Sealed,
    /// A password could not be hashed or compared.
    #[error("the password could not be checked")]
    Hash(#[source] PasswordError),
    /// The store refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<HashingError> for AccountError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => AccountError::Busy,
            HashingError::Password(e) => AccountError::Hash(e),
        }
    }
}

impl AccountError {
    /// As a caller of the management API sees it.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let client = |code, status| Problem::new(code, status, Fault::Client, Retry::Never, self.to_string());
        let operator = |code, retry| Problem::new(code, 503, Fault::Operator, retry, self.to_string());
        match self {
            AccountError::Name { .. } => client("identity.name", 400).at("user.name"),
            AccountError::TokenName { .. } => client("identity.name", 400).at("token.name"),
            AccountError::Password(_) => client("identity.password", 400).at("password"),
            AccountError::Busy => operator("identity.busy", Retry::Later),
            AccountError::NoUser { .. } => client("identity.user", 404),
            AccountError::Setup(_) => client("identity.setup", 403).at("code"),
            AccountError::WrongCode => client("identity.code", 400).at("code"),
            AccountError::NoEnrolment | AccountError::NoSecondFactor => client("identity.code", 409),
            AccountError::MoreThanMaker { .. } => client("identity.more_than_maker", 403).at("role"),
            AccountError::NeedsBrowser => client("identity.needs_browser", 403),
            AccountError::Expiry => client("identity.expiry", 400).at("expires_at"),
            AccountError::TooManySessions => client("identity.sessions", 409),
            AccountError::Session(e) => e.to_problem(),
            AccountError::Overtaken => client("identity.overtaken", 409),
            AccountError::Unrecorded { .. } => operator("identity.unrecorded", Retry::Later),
            AccountError::Sealed => operator("identity.sealed", Retry::Never),
            AccountError::Hash(_) => operator("identity.hash", Retry::Later),
            AccountError::Store(e) => e.to_problem(),
        }
    }
}
