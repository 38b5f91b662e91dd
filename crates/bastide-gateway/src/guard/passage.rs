//! Texts as they are read: a segment by itself, or the text parts of one message together.
//!
//! Parts are inspected in every reading of a [`JoinedText`], and what any of these shows is judged: a word in one part
//! may talk down what the next part says plainly. Messages are not joined: every template sets the words of one role
//! apart from the next.

use std::cmp::Reverse;

use bastide_types::{Category, Direction, Finding, Problem, Segment, SegmentKind, Span, Verdict};
use bastide_wire::{Edit, JoinedText};

use super::bounds::Bounds;
use super::{Action, Guard, Tally, plain, syntax};
use crate::problem::raise;

/// What the guard found in one half of an exchange and what it wants written instead.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    pub(crate) refused: bool,
    pub(crate) edits: Vec<Edit>,
}

/// One text: the whole of one segment, or several that are read joined.
pub(super) struct Passage<'p> {
    pub(super) text: JoinedText<'p>,
    pub(super) first: &'p Segment<'p>,
    parts: Vec<&'p Segment<'p>>,
}

/// Says what is done about the findings of one half.
pub(super) trait Judge {
    /// Another passage begins.
    fn begin(&mut self, passage: &Passage<'_>);
    /// What is done about a finding whose text, without the escapes of JSON, is `value`. Findings come in order. No
    /// verdict: it is none of the profile's.
    fn judge(&mut self, passage: &Passage<'_>, finding: &Finding, value: &str) -> (Option<Verdict>, Action);
}

impl Guard {
    /// Inspects every segment; those in a list of `joined` together.
    pub(super) fn inspect_all<'s>(
        &self,
        direction: Direction,
        segments: &'s [Segment<'s>],
        joined: &[Vec<usize>],
        judge: &mut impl Judge,
        mut bounds: Bounds<'_>,
    ) -> Result<Report, Problem> {
        let mut report = Report::default();
        let mut findings = Vec::new();
        let mut together: Vec<usize> = joined.iter().flatten().copied().collect();
        together.sort_unstable();
        for segment in segments.iter().filter(|s| together.binary_search(&s.index).is_err()) {
            report.tally.segment(segment.text.len());
            findings.clear();
            self.inspect(direction, &segment.text, syntax(segment.kind), &mut bounds, &mut findings)?;
            if !findings.is_empty() {
                report.settle(&Passage::single(segment), &findings, judge)?;
            }
        }
        self.inspect_joined(direction, segments, joined, judge, &mut bounds, &mut report)?;
        Ok(report)
    }

    /// Inspects the lists of segments that are read as one text.
    pub(super) fn inspect_joined<'s>(
        &self,
        direction: Direction,
        segments: &'s [Segment<'s>],
        joined: &[Vec<usize>],
        judge: &mut impl Judge,
        bounds: &mut Bounds<'_>,
        report: &mut Report,
    ) -> Result<(), Problem> {
        for list in joined {
            let Some(passage) = Passage::joined(segments, list) else { continue };
            passage.parts.iter().for_each(|part| report.tally.segment(part.text.len()));
            let findings = self.read(direction, &passage, bounds)?;
            report.settle(&passage, &findings, judge)?;
        }
        Ok(())
    }

    /// What any reading of a passage shows, in order.
    fn read(
        &self,
        direction: Direction,
        passage: &Passage<'_>,
        bounds: &mut Bounds<'_>,
    ) -> Result<Vec<Finding>, Problem> {
        let (mut findings, mut found) = (Vec::new(), Vec::new());
        for (other, reading) in passage.text.readings().enumerate() {
            self.inspect(direction, &reading.text, syntax(passage.first.kind), bounds, &mut found)?;
            found.iter_mut().for_each(|f| f.span = passage.text.place(&reading, f.span));
            if other > 0 {
                // A value is put back where the whole text allows it: `.evil.example` may stand in the next part.
                found.retain(|f| f.category != Category::Placeholder && !f.span.is_empty());
            }
            findings.append(&mut found);
        }
        sort(&mut findings);
        Ok(findings)
    }
}

/// Puts findings of several readings in order, each once.
pub(super) fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by_key(|f| (f.span.start, Reverse(f.span.end), f.detector, f.score));
    findings.dedup_by_key(|f| (f.span, f.detector, f.score));
}

impl Report {
    /// Judges the findings of one passage, in order.
    fn settle(
        &mut self,
        passage: &Passage<'_>,
        findings: &[Finding],
        judge: &mut impl Judge,
    ) -> Result<(), Problem> {
        judge.begin(passage);
        let mut replacements = Replacements::default();
        let mut judged = Vec::new();
        for finding in findings {
            let value = passage
                .text
                .text()
                .get(finding.span.range())
                .ok_or_else(|| raise::guard_failed("a detector reported a span outside its text"))?;
            let value = plain(passage.first.kind, value);
            let (verdict, action) = judge.judge(passage, finding, &value);
            judged.extend(verdict.map(|verdict| (finding, verdict)));
            match action {
                Action::Keep => {}
                Action::Replace(with) => replacements.add(finding.span, with, verdict),
                Action::Refuse => self.refused = true,
            }
        }
        if passage.text.is_joined() {
            sternest(&mut judged);
        }
        for (finding, verdict) in judged {
            passage.tally(&mut self.tally, finding, verdict);
        }
        for (span, with, _) in replacements.0 {
            passage.edit(span, with, &mut self.edits);
        }
        Ok(())
    }
}

/// Leaves out what another reading shows around it as the same kind of thing with a verdict as stern: it is one finding.
fn sternest(judged: &mut Vec<(&Finding, Verdict)>) {
    judged.sort_by_key(|(f, verdict)| (f.span.start, Reverse(f.span.end), Reverse(*verdict)));
    // Of each category and verdict, how far it reaches.
    let mut reach: Vec<(Category, Verdict, usize)> = Vec::new();
    judged.retain(|(finding, verdict)| {
        let covers = |r: &&(Category, Verdict, usize)| {
            r.0 == finding.category && r.1 >= *verdict && r.2 >= finding.span.end
        };
        if reach.iter().any(|r| covers(&r)) {
            return false;
        }
        match reach.iter_mut().find(|r| (r.0, r.1) == (finding.category, *verdict)) {
            Some(r) => r.2 = finding.span.end,
            None => reach.push((finding.category, *verdict, finding.span.end)),
        }
        true
    });
}

impl<'p> Passage<'p> {
    fn single(segment: &'p Segment<'p>) -> Self {
        Passage { text: JoinedText::single(&segment.text), first: segment, parts: vec![segment] }
    }

    fn joined(segments: &'p [Segment<'p>], list: &[usize]) -> Option<Self> {
        let parts: Vec<&Segment<'_>> = list.iter().filter_map(|at| segments.get(*at)).collect();
        debug_assert!(parts.iter().all(|p| p.kind == SegmentKind::Text), "only texts are joined");
        let first = *parts.first()?;
        Some(Passage { text: JoinedText::new(parts.iter().map(|p| &*p.text)), first, parts })
    }

    fn tally(&self, tally: &mut Tally, finding: &Finding, verdict: Verdict) {
        let (part, start) = self.text.part_at(finding.span.start);
        let Some(part) = self.parts.get(part) else { return };
        let span = Span::new(finding.span.start - start, finding.span.end - start);
        tally.found(&Finding { span, ..finding.clone() }, part.origin, part.index, verdict);
    }

    /// Writes `with` where the span begins; what of it lies in further parts goes.
    fn edit(&self, span: Span, with: String, edits: &mut Vec<Edit>) {
        let mut with = with;
        for (part, span) in self.text.spread(span) {
            if let Some(part) = self.parts.get(part) {
                edits.push(Edit { segment: part.index, span, replacement: std::mem::take(&mut with) });
            }
        }
    }
}

/// Replacements in one text, in order and without overlap, each with the verdict that asks for it. Where findings
/// overlap (an attack may lie over personal data), the sternest says what is written; of two alike the first.
#[derive(Default)]
pub(super) struct Replacements(Vec<(Span, String, Option<Verdict>)>);

impl Replacements {
    pub(super) fn add(&mut self, span: Span, with: String, verdict: Option<Verdict>) {
        match self.0.last_mut() {
            Some((last, text, sternest)) if last.overlaps(span) => {
                last.end = last.end.max(span.end);
                if verdict > *sternest {
                    (*text, *sternest) = (with, verdict);
                }
            }
            _ => self.0.push((span, with, verdict)),
        }
    }

    pub(super) fn into_edits(self, segment: usize) -> impl Iterator<Item = Edit> {
        self.0.into_iter().map(move |(span, replacement, _)| Edit { segment, span, replacement })
    }
}
