//! What an installation tells about itself, as data: for commands and pages alike.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An effective setting. No secret is ever in one.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Explained {
    /// As in the settings file, e.g. `guard.mode`; what is not in the file has the name of its flag.
    pub name: &'static str,
    /// The value in force.
    pub value: Value,
    /// Who said so.
    pub origin: Origin,
    /// Whether a change takes effect only with the next start.
    pub needs_restart: bool,
    /// What was written since and is not in force, as far as it was looked at: at a reload, and when a command asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A value that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pending {
    /// The value.
    pub value: Value,
    /// Who says so.
    pub origin: Origin,
    /// Whether it waits for the next start; else for a reload.
    pub restart: bool,
}

impl Pending {
    /// What it waits for, in words.
    #[must_use]
    pub const fn needs(&self) -> &'static str {
        if self.restart { "needs restart" } else { "needs reload" }
    }
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The settings file.
    File {
        /// The file, as it was named.
        path: String,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A flag.
    Flag {
        /// The flag, `--` included.
        flag: String,
    },
    /// A command that was given to the running server.
    Command {
        /// The command.
        command: String,
    },
    /// What was set in the console, or by the command line in its place.
    Console {
        /// Which version of it.
        version: u64,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File { path, line } => write!(f, "{path}:{line}"),
            Origin::Console { version } => write!(f, "console version {version}"),
            Origin::Environment { variable: name }
            | Origin::Flag { flag: name }
            | Origin::Command { command: name } => f.write_str(name),
        }
    }
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check, in a word or two.
    pub check: String,
    /// How it stands.
    pub state: Health,
    /// What there is.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

/// How something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It does not work, or is not safe.
    Fail,
}

impl Health {
    /// `ok`, `warn` or `fail`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Health::Ok => "ok",
            Health::Warn => "warn",
            Health::Fail => "fail",
        }
    }
}

impl Finding {
    /// All is well.
    #[must_use]
    pub fn ok(check: &str, message: impl Into<String>) -> Self {
        Finding { check: check.to_owned(), state: Health::Ok, message: message.into(), remedy: None }
    }

    /// It works, and somebody should know.
    #[must_use]
    pub fn warn(check: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { state: Health::Warn, remedy: Some(remedy.into()), ..Finding::ok(check, message) }
    }

    /// It does not work, or is not safe.
    #[must_use]
    pub fn fail(check: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Finding { state: Health::Fail, ..Finding::warn(check, message, remedy) }
    }
}
