//! What went wrong, whose fault it is, and whether trying again can help.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::code::Code;

/// Who can mend it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The caller: the request is wrong or not permitted.
    Client,
    /// The operator: configuration, keys, disk.
    Operator,
    /// The server behind us.
    Upstream,
    /// bastide itself.
    Us,
}

/// Whether the same request can succeed later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The same request fails again.
    Never,
    /// It may succeed.
    Later,
    /// It may succeed after this time.
    After(Duration),
}

/// A refusal or failure as a caller sees it: RFC 9457 problem details in any dialect's shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable, dotted: `policy.denied`; one of [`Code`]. `bastide explain-error` tells what it means.
    pub code: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Who can mend it.
    pub fault: Fault,
    /// Whether to try again.
    pub retry: Retry,
    /// One sentence: lower case, the caller's words in backticks, what to do next. Never a secret, never the text
    /// that was refused.
    pub detail: Cow<'static, str>,
    /// The field that is wrong, as a path, where there is one.
    pub field: Option<String>,
}

impl Problem {
    /// A problem without a field. Its code stands in the table of codes, with this status.
    #[must_use]
    pub fn new(
        code: &'static str,
        status: u16,
        fault: Fault,
        retry: Retry,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        debug_assert!(
            Code::named(code).is_some_and(|known| known.comes_with(status)),
            "`{code}` with status {status} is not in the table of codes"
        );
        Problem { code, status, fault, retry, detail: detail.into(), field: None }
    }

    /// What kind of problem it is, as RFC 9457 wants it: a name and no place, because nothing is served there.
    #[must_use]
    pub fn uri(&self) -> String {
        format!("{}{}", Code::URN, self.code)
    }

    /// The command that tells more of it, wherever bastide is installed.
    #[must_use]
    pub fn told_by(&self) -> String {
        format!("bastide explain-error {}", self.code)
    }

    /// The same problem, naming the field.
    #[must_use]
    pub fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}

pub(crate) fn unknown_name<'a>(what: &str, got: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<String> = known.into_iter().map(|k| format!("`{k}`")).collect();
    format!("`{got}` is not a {what}; use one of {}", known.join(", "))
}
