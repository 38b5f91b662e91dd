//! The reply half, whole.

use bastide_anonymize::{Placement, Vault};
use bastide_types::{Category, Direction, Finding, GuardMode, Origin, Problem, Segment, Verdict};

use super::passage::{Judge, Passage, Report};
use super::{Action, Guard, MayRestore, placement, written};

impl Guard {
    /// Inspects every segment of a whole reply, for as long as that is `awaited`, and puts values back for tokens of this
    /// exchange.
    pub(crate) fn inspect_response(
        &self,
        segments: &[Segment<'_>],
        joined: &[Vec<usize>],
        vault: &Vault,
        tool_of: &dyn Fn(usize) -> String,
        may_restore: &MayRestore,
        awaited: &dyn Fn() -> bool,
    ) -> Result<Report, Problem> {
        if self.mode == GuardMode::Off {
            return Ok(Report::default());
        }
        let mut incoming =
            Incoming { guard: self, vault, tool_of, may_restore, readers: Vec::new(), placed: 0 };
        self.inspect_all(Direction::Response, segments, joined, &mut incoming, self.bounds(awaited))
    }
}

/// Judges what comes in.
struct Incoming<'g> {
    guard: &'g Guard,
    vault: &'g Vault,
    tool_of: &'g dyn Fn(usize) -> String,
    may_restore: &'g MayRestore,
    /// What programs make of the text so far. Parts may be shown joined, joined by line breaks, or each by itself: a
    /// value goes where none of the three says no.
    readers: Vec<Placement>,
    placed: usize,
}

impl Judge for Incoming<'_> {
    fn begin(&mut self, passage: &Passage<'_>) {
        let readers = if passage.text.is_joined() { 3 } else { 1 };
        self.readers = vec![placement(passage.first.kind); readers];
        self.placed = 0;
    }

    fn judge(&mut self, passage: &Passage<'_>, finding: &Finding, value: &str) -> (Option<Verdict>, Action) {
        let (origin, trust) = (passage.first.origin, passage.first.trust);
        if finding.category != Category::Placeholder {
            let (verdict, action) = self.guard.act_on_response(finding, value, origin, trust, self.vault);
            return (Some(verdict), action);
        }
        self.read_until(passage, finding.span.start);
        let restorable = self.readers.iter().all(Placement::restorable);
        let raw = passage.text.text().get(finding.span.range()).unwrap_or_default();
        let restored = self.vault.restore(raw).filter(|(category, _)| {
            // An unknown tool has no grant.
            let tool = (origin == Origin::ToolCall).then(|| (self.tool_of)(passage.first.index));
            restorable && (self.may_restore)(tool.as_deref(), *category)
        });
        let Some((_, restored)) = restored else { return (None, Action::Keep) };
        let shown = written(passage.first.kind, restored);
        self.readers.iter_mut().for_each(|reader| reader.advance(&shown));
        self.placed = finding.span.end;
        (None, Action::Replace(restored.to_owned()))
    }
}

impl Incoming<'_> {
    fn read_until(&mut self, passage: &Passage<'_>, until: usize) {
        while self.placed < until {
            let next = passage.text.next_start(self.placed);
            let end = next.map_or(until, |next| next.min(until));
            let text = passage.text.text().get(self.placed..end).unwrap_or_default();
            self.readers.iter_mut().for_each(|reader| reader.advance(text));
            self.placed = end;
            if let (true, [_, lines, alone]) = (next == Some(end), self.readers.as_mut_slice()) {
                lines.advance("\n");
                *alone = placement(passage.first.kind);
            }
        }
    }
}
