//! How a command ends badly: a message that says what to do, and an exit code.

use std::fmt;
use std::process::ExitCode;

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    message: String,
    code: u8,
}

/// `1`: what was checked does not hold. `2`: the command was wrong. `3`: it could not be done.
impl Failure {
    pub(crate) fn does_not_hold(message: impl Into<String>) -> Self {
        Failure { message: message.into(), code: 1 }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure { message: message.into(), code: 2 }
    }

    pub(crate) fn could_not(message: impl Into<String>) -> Self {
        Failure { message: message.into(), code: 3 }
    }

    pub(crate) const fn is_usage(&self) -> bool {
        self.code == 2
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An error with its causes, once each.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
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
pub(crate) fn could_not(error: impl std::error::Error) -> Failure {
    Failure::could_not(chain(&error))
}
