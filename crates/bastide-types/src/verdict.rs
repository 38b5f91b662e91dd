//! What is done about a finding.

use std::fmt;
use std::str::FromStr;

use crate::problem::unknown_name;

/// What happens, from mildest to sternest; the sternest verdict of all findings is the verdict of the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing to say.
    Allow,
    /// Passes, and is recorded.
    Flag,
    /// Replaced by a token that turns back into the value for those who may read it.
    Tokenise,
    /// Replaced for good.
    Redact,
    /// Waits for a person.
    Hold,
    /// Refused.
    Block,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: &'static [Verdict] =
        &[Verdict::Allow, Verdict::Flag, Verdict::Tokenise, Verdict::Redact, Verdict::Hold, Verdict::Block];

    /// The name used in configuration and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Allow => "allow",
            Verdict::Flag => "flag",
            Verdict::Tokenise => "tokenise",
            Verdict::Redact => "redact",
            Verdict::Hold => "hold",
            Verdict::Block => "block",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Verdict::ALL
            .iter()
            .copied()
            .find(|v| v.as_str() == s)
            .ok_or_else(|| unknown_name("verdict", s, Verdict::ALL.iter().map(|v| v.as_str())))
    }
}

/// Whether the guard acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum GuardMode {
    /// Inspects nothing. The receipt says so.
    Off,
    /// Inspects, records what it would have done, changes nothing.
    Observe,
    /// Inspects and acts.
    #[default]
    Enforce,
}

impl GuardMode {
    /// The name used in configuration and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            GuardMode::Off => "off",
            GuardMode::Observe => "observe",
            GuardMode::Enforce => "enforce",
        }
    }
}

impl fmt::Display for GuardMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for GuardMode {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match s {
            "off" => Ok(GuardMode::Off),
            "observe" => Ok(GuardMode::Observe),
            "enforce" => Ok(GuardMode::Enforce),
            _ => Err(unknown_name("guard mode", s, ["off", "observe", "enforce"])),
        }
    }
}
