//! How a structural proof ends when it fails.

use bastide_types::Rule;

use crate::halt::{Halt, Parsed};
use crate::scan::Scan;

/// What a step of a proof gives.
pub(crate) type Proof<T> = Result<T, Stop>;

/// Why a proof ended before the end of the file.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The structure is one that no honest writer makes.
    Flaw {
        /// Offset of the first wrong byte.
        offset: u64,
        /// What is wrong: lower case, no final stop.
        what: String,
    },
    /// The reader could not go on; nothing is proved or refuted.
    Halt(Halt),
}

impl From<Halt> for Stop {
    fn from(halt: Halt) -> Self {
        Stop::Halt(halt)
    }
}

/// The structure at `offset` is one that no honest writer makes.
pub(crate) fn flaw<T>(offset: u64, what: impl Into<String>) -> Proof<T> {
    Err(Stop::Flaw { offset, what: what.into() })
}

/// Reports a flaw under `rule`; a halt goes on to the caller.
pub(crate) fn settle(proof: Proof<()>, rule: &'static Rule, scan: &mut Scan<'_>) -> Parsed<()> {
    match proof {
        Ok(()) => Ok(()),
        Err(Stop::Flaw { offset, what }) => {
            scan.find(rule, offset, what);
            Ok(())
        }
        Err(Stop::Halt(halt)) => Err(halt),
    }
}
