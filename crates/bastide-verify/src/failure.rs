//! Why a verification did not succeed.

use std::fmt;

use serde::Serialize;

/// What kind of failure it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// The claim is false: something was changed, forged or left out.
    DoesNotHold,
    /// What was asked for makes no sense: a key that is no key.
    Usage,
    /// Something could not be read, so nothing is known.
    Unreadable,
    /// The receipt's entry lies beyond the log's checkpoint: true so far, ask again after the next checkpoint.
    NotYetPublished,
}

/// A verification that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{subject}: {detail}")]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// The file, field or entry it is about.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

impl Failure {
    pub(crate) fn broken(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Failure { kind: FailureKind::DoesNotHold, subject: subject.into(), detail: detail.into() }
    }

    pub(crate) fn usage(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Failure { kind: FailureKind::Usage, subject: subject.into(), detail: detail.into() }
    }

    pub(crate) fn unreadable(subject: impl Into<String>, detail: impl fmt::Display) -> Self {
        Failure { kind: FailureKind::Unreadable, subject: subject.into(), detail: detail.to_string() }
    }

    /// The exit code of a command that ends with this failure: 1 does not hold, 2 usage, 3 could not.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self.kind {
            FailureKind::DoesNotHold => 1,
            FailureKind::Usage => 2,
            FailureKind::Unreadable | FailureKind::NotYetPublished => 3,
        }
    }
}
