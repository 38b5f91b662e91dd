//! The request half.

use bastide_anonymize::Vault;
use bastide_types::{Direction, GuardMode, Problem, Verdict};
use bastide_wire::{ChatRequest, Edit};
use bytes::Bytes;

use super::{Action, Guard, Inspected, Tally, check, plain, syntax};
use crate::problem::raise;

/// What the guard found in a request and what it wants written instead.
pub(crate) struct RequestReport {
    pub(crate) tally: Tally,
    pub(crate) refused: bool,
    edits: Vec<Edit>,
}

impl Guard {
    /// Inspects every segment of a request.
    pub(crate) fn inspect_request(
        &self,
        request: &ChatRequest,
        body: &[u8],
        vault: &mut Vault,
    ) -> Result<RequestReport, Problem> {
        let mut report = RequestReport { tally: Tally::default(), refused: false, edits: Vec::new() };
        if self.mode == GuardMode::Off {
            return Ok(report);
        }
        let deadline = self.deadline();
        let mut findings = Vec::new();
        for segment in request.segments(body) {
            check(deadline)?;
            report.tally.segment(segment.text.len());
            findings.clear();
            self.inspect(Direction::Request, &segment.text, syntax(segment.kind), &mut findings);
            let mut edits = Replacements::default();
            for finding in &findings {
                let value = segment
                    .text
                    .get(finding.span.range())
                    .ok_or_else(|| raise::guard_failed("a detector reported a span outside its text"))?;
                let value = plain(segment.kind, value);
                let (verdict, action) =
                    self.act_on_request(finding, &value, segment.origin, segment.trust, vault);
                report.tally.found(finding, segment.origin, segment.index, verdict);
                match action {
                    Action::Keep => {}
                    Action::Replace(with) => edits.add(finding.span, with),
                    Action::Refuse => report.refused = true,
                }
            }
            report.edits.extend(edits.into_edits(segment.index));
        }
        Ok(report)
    }

    /// Writes the edits into the original bytes: what was checked is what is sent.
    pub(crate) fn seal_request(
        &self,
        report: &RequestReport,
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

impl RequestReport {
    pub(crate) const fn verdict(&self) -> Verdict {
        self.tally.verdict()
    }
}

/// Replacements in one text, in order and without overlap. An attack may lie over personal data: the sterner, earlier
/// replacement then swallows the other.
#[derive(Default)]
pub(super) struct Replacements(Vec<(bastide_types::Span, String)>);

impl Replacements {
    pub(super) fn add(&mut self, span: bastide_types::Span, with: String) {
        match self.0.last_mut() {
            Some((last, _)) if last.overlaps(span) => last.end = last.end.max(span.end),
            _ => self.0.push((span, with)),
        }
    }

    pub(super) fn into_edits(self, segment: usize) -> impl Iterator<Item = Edit> {
        self.0.into_iter().map(move |(span, replacement)| Edit { segment, span, replacement })
    }
}
