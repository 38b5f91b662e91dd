//! The request half.

use bastide_anonymize::Vault;
use bastide_types::{Direction, Finding, GuardMode, Problem, Verdict};
use bastide_wire::ChatRequest;
use bytes::Bytes;

use super::passage::{Judge, Passage, Report};
use super::{Action, Guard, Inspected};
use crate::problem::raise;

impl Guard {
    /// Inspects every segment of a request, for as long as that is `awaited`.
    pub(crate) fn inspect_request(
        &self,
        request: &ChatRequest,
        body: &[u8],
        vault: &mut Vault,
        awaited: &dyn Fn() -> bool,
    ) -> Result<Report, Problem> {
        if self.mode == GuardMode::Off {
            return Ok(Report::default());
        }
        let segments = request.segments(body);
        let (mut outgoing, bounds) = (Outgoing { guard: self, vault }, self.bounds(awaited));
        self.inspect_all(Direction::Request, &segments, &request.joined, &mut outgoing, bounds)
    }

    /// Writes the edits into the original bytes: what was checked is what is sent.
    pub(crate) fn seal_request(
        &self,
        report: &Report,
        request: &ChatRequest,
        body: &Bytes,
        model: Option<&str>,
    ) -> Result<Inspected<Bytes>, Problem> {
        if report.refused {
            // INVARIANT: a refused request is never sealed; the caller refuses before.
            return Err(raise::guard_failed("a refused request was about to be sent"));
        }
        if report.edits.is_empty() && model.is_none() {
            return Ok(self.seal(body.clone()));
        }
        let spliced = request
            .splice_with(body, &report.edits, model)
            .map_err(|_| raise::guard_failed("an edit did not fit the request"))?;
        Ok(self.seal(Bytes::from(spliced)))
    }
}

/// Judges what leaves.
struct Outgoing<'g> {
    guard: &'g Guard,
    vault: &'g mut Vault,
}

impl Judge for Outgoing<'_> {
    fn begin(&mut self, _passage: &Passage<'_>) {}

    fn judge(&mut self, passage: &Passage<'_>, finding: &Finding, value: &str) -> (Option<Verdict>, Action) {
        let (origin, trust) = (passage.first.origin, passage.first.trust);
        let (verdict, action) = self.guard.act_on_request(finding, value, origin, trust, self.vault);
        (Some(verdict), action)
    }
}

impl Report {
    pub(crate) const fn verdict(&self) -> Verdict {
        self.tally.verdict()
    }
}
