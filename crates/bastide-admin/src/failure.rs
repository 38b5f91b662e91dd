//! How a command ends badly: a message that says what to do, and an exit code.

use std::fmt;

use bastide_identity::IdentityError;
use bastide_store::StoreError;
use serde_json::{Value, json};

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    message: String,
    kind: Kind,
    /// What of what was given is wrong, where one thing is: `name`, `password`.
    field: Option<&'static str>,
    /// It stands in the JSON that was printed.
    told: bool,
}

/// What kind of failure it is: an exit code for a command, a status for a page or program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was checked does not hold.
    DoesNotHold,
    /// What was asked for cannot be meant.
    Usage,
    /// There is no such thing.
    NotFound,
    /// Whoever asks may not.
    Denied,
    /// It could not be done here and now.
    CouldNot,
}

/// `1`: what was checked does not hold. `2`: the command cannot be meant, whatever the installation holds. `3`: it could
/// not be done here and now. `docs/commands.md` has the table.
impl Failure {
    fn new(message: impl Into<String>, kind: Kind) -> Self {
        Failure { message: message.into(), kind, field: None, told: false }
    }

    /// What was checked does not hold.
    pub fn does_not_hold(message: impl Into<String>) -> Self {
        Failure::new(message, Kind::DoesNotHold)
    }

    /// What was asked for cannot be meant.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(message, Kind::Usage)
    }

    /// It could not be done here and now.
    pub fn could_not(message: impl Into<String>) -> Self {
        Failure::new(message, Kind::CouldNot)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Failure::new(message, Kind::NotFound)
    }

    /// Whoever asks may not.
    pub fn denied(message: impl Into<String>) -> Self {
        Failure::new(message, Kind::Denied)
    }

    /// As another process reports it.
    pub fn reported(message: impl Into<String>, code: u64) -> Self {
        let kind = match code {
            1 => Kind::DoesNotHold,
            2 => Kind::Usage,
            _ => Kind::CouldNot,
        };
        Failure::new(message, kind)
    }

    /// The same failure, with a remark.
    pub fn and(mut self, remark: impl fmt::Display) -> Self {
        self.message.push_str(&format!("; {remark}"));
        self
    }

    /// The same failure, with what there is to know first.
    pub fn after(mut self, first: impl fmt::Display) -> Self {
        self.message = format!("{first}: {}", self.message);
        self
    }

    /// The same failure, of one thing among those that were given: a form says it there.
    pub fn at(self, field: &'static str) -> Self {
        Failure { field: Some(field), ..self }
    }

    /// What of what was given is wrong, where one thing is.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        self.field
    }

    /// The same failure, which the result that was printed tells already.
    pub fn told(self) -> Self {
        Failure { told: true, ..self }
    }

    /// Whether the result that was printed tells it.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.told
    }

    /// For a program: `{"message","exit"}`.
    pub fn to_json(&self) -> Value {
        json!({"message": self.message, "exit": self.code()})
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        match self.kind {
            Kind::DoesNotHold => 1,
            Kind::Usage => 2,
            Kind::NotFound | Kind::Denied | Kind::CouldNot => 3,
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong and what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error with its causes, once each.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

/// Any error becomes `could not`, with its chain.
pub fn could_not(error: impl std::error::Error) -> Failure {
    Failure::could_not(chain(&error))
}

/// A change of the store that was refused: by its words alone, or by what is there.
pub(crate) fn store_refused(error: StoreError) -> Failure {
    match error {
        StoreError::Invalid { .. } => Failure::usage(chain(&error)),
        _ => could_not(error),
    }
}

/// The same for keys and projects.
pub(crate) fn identity_refused(error: IdentityError) -> Failure {
    match error {
        IdentityError::Name { .. } | IdentityError::ExpiredAtBirth | IdentityError::ZeroLimit { .. } => {
            Failure::usage(chain(&error))
        }
        IdentityError::Store(error) => store_refused(error),
        _ => could_not(error),
    }
}
