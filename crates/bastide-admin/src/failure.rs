//! How a command ends badly: a message that says what to do, and an exit code.

use std::fmt;

use bastide_identity::IdentityError;
use bastide_store::StoreError;
use serde_json::{Value, json};

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    message: String,
    code: u8,
    /// It stands in the JSON that was printed.
    told: bool,
}

/// `1`: what was checked does not hold. `2`: the command cannot be meant, whatever the installation holds. `3`: it could
/// not be done here and now. `docs/commands.md` has the table.
impl Failure {
    fn new(message: impl Into<String>, code: u8) -> Self {
        Failure { message: message.into(), code, told: false }
    }

    /// What was checked does not hold.
    pub fn does_not_hold(message: impl Into<String>) -> Self {
        Failure::new(message, 1)
    }

    /// What was asked for cannot be meant.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(message, 2)
    }

    /// It could not be done here and now.
    pub fn could_not(message: impl Into<String>) -> Self {
        Failure::new(message, 3)
    }

    /// As another process reports it.
    pub fn reported(message: impl Into<String>, code: u64) -> Self {
        Failure::new(message, u8::try_from(code).ok().filter(|c| *c > 0).unwrap_or(3))
    }

    /// The same failure, with a remark.
    pub fn and(mut self, remark: impl fmt::Display) -> Self {
        self.message.push_str(&format!("; {remark}"));
        self
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
        json!({"message": self.message, "exit": self.code})
    }

    /// The exit code.
    #[must_use]
    pub const fn code(&self) -> u8 {
        self.code
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
