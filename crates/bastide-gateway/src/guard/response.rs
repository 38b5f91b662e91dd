//! The reply half, whole.

use bastide_anonymize::Vault;
use bastide_types::{Category, Direction, GuardMode, Origin, Problem, Segment};
use bastide_wire::Edit;

use super::request::Replacements;
use super::{Action, Guard, MayRestore, Tally, check, placement, plain, syntax, written};
use crate::problem::raise;

/// What the guard found in a reply and what it wants written instead.
pub(crate) struct ResponseReport {
    pub(crate) tally: Tally,
    pub(crate) refused: bool,
    pub(crate) edits: Vec<Edit>,
}

impl Guard {
    /// Inspects every segment of a whole reply, and puts values back for tokens of this exchange.
    pub(crate) fn inspect_response(
        &self,
        segments: &[Segment<'_>],
        vault: &Vault,
        tool_of: &dyn Fn(usize) -> String,
        may_restore: &MayRestore,
    ) -> Result<ResponseReport, Problem> {
        let mut report = ResponseReport { tally: Tally::default(), refused: false, edits: Vec::new() };
        if self.mode == GuardMode::Off {
            return Ok(report);
        }
        let deadline = self.deadline();
        let mut findings = Vec::new();
        for segment in segments {
            check(deadline)?;
            report.tally.segment(segment.text.len());
            findings.clear();
            self.inspect(Direction::Response, &segment.text, syntax(segment.kind), &mut findings);
            if findings.is_empty() {
                continue;
            }
            let mut edits = Replacements::default();
            let mut placement = placement(segment.kind);
            let mut placed = 0;
            for finding in &findings {
                let outside = || raise::guard_failed("a detector reported a span outside its text");
                let value = segment.text.get(finding.span.range()).ok_or_else(outside)?;
                if finding.category == Category::Placeholder {
                    placement.advance(segment.text.get(placed..finding.span.start).unwrap_or_default());
                    // An unknown tool has no grant.
                    let tool = (segment.origin == Origin::ToolCall).then(|| tool_of(segment.index));
                    let restored = vault
                        .restore(value)
                        .filter(|(c, _)| placement.restorable() && may_restore(tool.as_deref(), *c));
                    if let Some((_, restored)) = restored {
                        placement.advance(&written(segment.kind, restored));
                        edits.add(finding.span, restored.to_owned());
                    } else {
                        placement.advance(value);
                    }
                    placed = finding.span.end;
                    continue;
                }
                let value = plain(segment.kind, value);
                let (verdict, action) =
                    self.act_on_response(finding, &value, segment.origin, segment.trust, vault);
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
}
