//! Why a reader stopped before the end.

use std::io;

/// What a reader of one format gives.
pub(crate) type Parsed<T> = Result<T, Halt>;

/// Why a reader stopped. None of these is a verdict: what was found before counts, and the rest is unfinished.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The bytes end in the middle of something.
    Truncated {
        /// Where they end.
        offset: u64,
    },
    /// The bytes are not what the format says.
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong: lower case, no final stop.
        what: String,
    },
    /// The bytes cannot be read.
    Unreadable(io::Error),
    /// A limit of the scan was reached.
    Limit {
        /// Which: the words that follow "more than".
        what: String,
    },
}

impl Halt {
    /// The bytes at `offset` are not what the format says.
    pub(crate) fn malformed(offset: u64, what: impl Into<String>) -> Self {
        Halt::Malformed { offset, what: what.into() }
    }

    /// The scan would need more than `what`.
    pub(crate) fn limit(what: impl Into<String>) -> Self {
        Halt::Limit { what: what.into() }
    }
}
