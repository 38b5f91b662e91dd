//! Texts as they are read: a segment by itself, or the text parts of one message together.
//!
//! A model is given the parts of a message joined, with nothing or with a line break between, as its provider's
//! template has it, and a value that was cut over two parts is whole again. So parts are inspected each by itself, joined,
//! and joined by line breaks, and what any of these readings shows is there. Messages are not joined: every template
//! sets the words of one role apart from the next.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::time::Instant;

use bastide_types::{Category, Direction, Finding, Problem, Segment, SegmentKind, Span, Verdict};
use bastide_wire::Edit;

use super::{Action, Guard, Tally, check, plain, syntax};
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
    pub(super) text: Cow<'p, str>,
    pub(super) first: &'p Segment<'p>,
    /// The segments and where in the text each begins.
    parts: Vec<(&'p Segment<'p>, usize)>,
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
    ) -> Result<Report, Problem> {
        let deadline = self.deadline();
        let mut report = Report::default();
        let mut findings = Vec::new();
        let mut together: Vec<usize> = joined.iter().flatten().copied().collect();
        together.sort_unstable();
        for segment in segments.iter().filter(|s| together.binary_search(&s.index).is_err()) {
            check(deadline)?;
            report.tally.segment(segment.text.len());
            findings.clear();
            self.inspect(direction, &segment.text, syntax(segment.kind), &mut findings);
            if !findings.is_empty() {
                report.settle(&Passage::single(segment), &findings, judge)?;
            }
        }
        for list in joined {
            let Some(passage) = Passage::joined(segments, list) else { continue };
            passage.parts.iter().for_each(|(part, _)| report.tally.segment(part.text.len()));
            let findings = self.read_joined(direction, &passage, deadline)?;
            report.settle(&passage, &findings, judge)?;
        }
        Ok(report)
    }

    /// What any reading of several parts shows.
    fn read_joined(
        &self,
        direction: Direction,
        passage: &Passage<'_>,
        deadline: Instant,
    ) -> Result<Vec<Finding>, Problem> {
        let syntax = syntax(passage.first.kind);
        let (mut findings, mut more) = (Vec::new(), Vec::new());
        check(deadline)?;
        self.inspect(direction, &passage.text, syntax, &mut findings);
        let mut lines = String::with_capacity(passage.text.len() + passage.parts.len());
        for (at, (part, start)) in passage.parts.iter().enumerate() {
            check(deadline)?;
            let known = more.len();
            self.inspect(direction, &part.text, syntax, &mut more);
            more.iter_mut().skip(known).for_each(|f| f.span = f.span.shifted(*start));
            if at > 0 {
                lines.push('\n');
            }
            lines.push_str(&part.text);
        }
        check(deadline)?;
        let known = more.len();
        self.inspect(direction, &lines, syntax, &mut more);
        more.iter_mut().skip(known).for_each(|f| f.span = passage.without_breaks(f.span));
        merge(&mut findings, more);
        Ok(findings)
    }
}

/// Adds what other readings show to the findings of the joined text, but for what is inside one of the same kind.
fn merge(findings: &mut Vec<Finding>, more: Vec<Finding>) {
    let mut all: Vec<(bool, Finding)> = std::mem::take(findings).into_iter().map(|f| (false, f)).collect();
    all.extend(more.into_iter().filter(|f| !f.span.is_empty()).map(|f| (true, f)));
    all.sort_by_key(|(other, f)| (f.span.start, Reverse(f.span.end), *other));
    let mut reach: Vec<(Category, usize)> = Vec::new();
    for (other, finding) in all {
        match reach.iter_mut().find(|(category, _)| *category == finding.category) {
            Some((_, end)) if other && finding.span.end <= *end => continue,
            Some((_, end)) => *end = (*end).max(finding.span.end),
            None => reach.push((finding.category, finding.span.end)),
        }
        findings.push(finding);
    }
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
        for finding in findings {
            let value = passage
                .text
                .get(finding.span.range())
                .ok_or_else(|| raise::guard_failed("a detector reported a span outside its text"))?;
            let value = plain(passage.first.kind, value);
            let (verdict, action) = judge.judge(passage, finding, &value);
            if let Some(verdict) = verdict {
                passage.tally(&mut self.tally, finding, verdict);
            }
            match action {
                Action::Keep => {}
                Action::Replace(with) => replacements.add(finding.span, with),
                Action::Refuse => self.refused = true,
            }
        }
        for (span, with) in replacements.0 {
            passage.edit(span, with, &mut self.edits);
        }
        Ok(())
    }
}

impl<'p> Passage<'p> {
    fn single(segment: &'p Segment<'p>) -> Self {
        Passage { text: Cow::Borrowed(&segment.text), first: segment, parts: Vec::new() }
    }

    fn joined(segments: &'p [Segment<'p>], list: &[usize]) -> Option<Self> {
        let mut text = String::new();
        let mut parts = Vec::with_capacity(list.len());
        for segment in list.iter().filter_map(|at| segments.get(*at)) {
            debug_assert_eq!(segment.kind, SegmentKind::Text, "only texts are joined");
            parts.push((segment, text.len()));
            text.push_str(&segment.text);
        }
        let first = parts.first()?.0;
        Some(Passage { text: Cow::Owned(text), first, parts })
    }

    /// The next part after `at` begins here; `None` in the last one.
    pub(super) fn next_part(&self, at: usize) -> Option<usize> {
        let next = self.parts.partition_point(|(_, start)| *start <= at);
        self.parts.get(next).map(|(_, start)| *start)
    }

    /// A span of the text joined by line breaks, in the text joined by nothing.
    fn without_breaks(&self, span: Span) -> Span {
        let place = |at: usize| {
            // Part `i` begins `i` line breaks later there.
            let (mut low, mut high) = (0, self.parts.len());
            while low + 1 < high {
                let middle = low.midpoint(high);
                let begins = self.parts.get(middle).map_or(usize::MAX, |(_, start)| start + middle);
                if begins <= at { low = middle } else { high = middle }
            }
            let end = self.parts.get(low + 1).map_or(self.text.len(), |(_, start)| *start);
            (at - low.min(at)).min(end)
        };
        Span::new(place(span.start), place(span.end))
    }

    fn tally(&self, tally: &mut Tally, finding: &Finding, verdict: Verdict) {
        let at = self.parts.partition_point(|(_, start)| *start <= finding.span.start);
        let part = at.checked_sub(1).and_then(|at| self.parts.get(at));
        match part {
            None => tally.found(finding, self.first.origin, self.first.index, verdict),
            Some((part, start)) => {
                let span = Span::new(finding.span.start - start, finding.span.end - start);
                tally.found(&Finding { span, ..finding.clone() }, part.origin, part.index, verdict);
            }
        }
    }

    /// Writes `with` where the span begins; what of it lies in further parts goes.
    fn edit(&self, span: Span, with: String, edits: &mut Vec<Edit>) {
        if self.parts.is_empty() {
            edits.push(Edit { segment: self.first.index, span, replacement: with });
            return;
        }
        let mut with = with;
        let first = self.parts.partition_point(|(_, start)| *start <= span.start).saturating_sub(1);
        for (part, start) in self.parts.iter().skip(first).take_while(|(_, start)| *start < span.end) {
            let inside = Span::new(span.start.max(*start) - start, (span.end - start).min(part.text.len()));
            if !inside.is_empty() {
                let replacement = std::mem::take(&mut with);
                edits.push(Edit { segment: part.index, span: inside, replacement });
            }
        }
    }
}

/// Replacements in one text, in order and without overlap. An attack may lie over personal data: the sterner, earlier
/// replacement then swallows the other.
#[derive(Default)]
pub(super) struct Replacements(Vec<(Span, String)>);

impl Replacements {
    pub(super) fn add(&mut self, span: Span, with: String) {
        match self.0.last_mut() {
            Some((last, _)) if last.overlaps(span) => last.end = last.end.max(span.end),
            _ => self.0.push((span, with)),
        }
    }

    pub(super) fn into_edits(self, segment: usize) -> impl Iterator<Item = Edit> {
        self.0.into_iter().map(move |(span, replacement)| Edit { segment, span, replacement })
    }
}
