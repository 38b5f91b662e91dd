//! What scanning makes of an artifact, and the rules that say why.

use std::fmt;

use crate::Severity;

/// What may be done with an artifact, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assessment {
    /// Read to the end, and nothing in it acts when it is loaded.
    Clean,
    /// Something that a person should look at: unknown, unusual, or risky by design.
    Review,
    /// Not read to the end, so nothing is promised.
    Unfinished,
    /// It runs code, reaches files or the network, or attacks its loader.
    Malicious,
}

impl Assessment {
    /// The name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Assessment::Clean => "clean",
            Assessment::Review => "review",
            Assessment::Unfinished => "unfinished",
            Assessment::Malicious => "malicious",
        }
    }
}

impl fmt::Display for Assessment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that a scanner of files looks for.
///
/// Rules are constants beside the code that applies them; each engine lists its own.
#[derive(Debug)]
pub struct Rule {
    /// Stable name: family and kind, such as `pickle.execution`.
    pub id: &'static str,
    /// How bad it is if the finding is right.
    pub severity: Severity,
    /// What the finding makes of the artifact: never better than this. [`Assessment::Clean`] is a remark.
    pub effect: Assessment,
    /// What was found, as a heading.
    pub title: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
    /// Numbers of the Common Weakness Enumeration.
    pub cwe: &'static [u16],
    /// Techniques of MITRE ATLAS, such as `AML.T0011.000`.
    pub atlas: &'static [&'static str],
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}
