//! What one run of the guard may take.

use std::time::{Duration, Instant};

use bastide_anonymize::Vault;
use bastide_types::{Direction, Finding, Problem};

use crate::problem::raise;

/// The time and the findings that are left to a run, and whether anybody waits for its end.
///
/// Each finding takes some 300 bytes until it is written into the document, which for the shortest of them is fifty times
/// its own. What is found more than once, in several readings of one text, counts as often.
pub(crate) struct Bounds<'r> {
    deadline: Instant,
    findings: usize,
    awaited: &'r dyn Fn() -> bool,
}

impl<'r> Bounds<'r> {
    /// Those of a run that begins now.
    pub(super) fn new(time: Duration, awaited: &'r dyn Fn() -> bool) -> Self {
        // As many as there can be tokens for: whatever is replaced can be put back.
        Bounds { deadline: Instant::now() + time, findings: Vault::MAX_VALUES, awaited }
    }

    /// Whether a run that found so many more may go on.
    pub(super) fn allow(&self, found: &[Finding]) -> bool {
        found.len() <= self.findings && Instant::now() <= self.deadline && (self.awaited)()
    }

    /// Takes what was found in one text.
    ///
    /// # Errors
    /// When that is more than was left.
    pub(super) fn take(&mut self, found: usize, direction: Direction) -> Result<(), Problem> {
        self.findings = self.findings.checked_sub(found).ok_or_else(|| raise::too_many(direction))?;
        Ok(())
    }
}
