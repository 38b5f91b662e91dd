//! What is odd about how a scan was asked for, and makes nothing of a file.

use std::fmt;

/// What a warning is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concern {
    /// A suppression whose last day is over.
    SuppressionEnded,
    /// A suppression that accepted nothing.
    SuppressionUnused,
    /// Findings of the baseline that there are no more.
    BaselineUnused,
    /// A pattern of what to leave out that nothing matched.
    ExcludeUnused,
    /// There was nothing to scan.
    NothingScanned,
}

impl Concern {
    /// The name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Concern::SuppressionEnded => "suppression-ended",
            Concern::SuppressionUnused => "suppression-unused",
            Concern::BaselineUnused => "baseline-unused",
            Concern::ExcludeUnused => "exclude-unused",
            Concern::NothingScanned => "nothing-scanned",
        }
    }

    /// All of them.
    pub const ALL: [Concern; 5] = [
        Concern::SuppressionEnded,
        Concern::SuppressionUnused,
        Concern::BaselineUnused,
        Concern::ExcludeUnused,
        Concern::NothingScanned,
    ];
}

/// One warning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// What it is about.
    pub concern: Concern,
    /// In a sentence: lower case, no final stop, one line.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
