//! What one half of an exchange amounted to.

use bastide_types::{Category, Direction, Finding, FindingRecord, GuardRecord, Origin, Score, Verdict};

use super::Guard;

/// Tools of one reply that are kept apart; policies refuse to decide on more than 256, so the next one is a refusal.
const MAX_TOOLS: usize = 257;

/// Counts and findings of one half.
#[derive(Debug)]
pub(crate) struct Tally {
    findings: Vec<FindingRecord>,
    total: u32,
    segments: u32,
    bytes: u64,
    verdict: Verdict,
    counts: Vec<(Category, u32, Score)>,
    origins: Vec<Origin>,
    unscanned: usize,
    tools: Vec<String>,
    revision: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            findings: Vec::new(),
            total: 0,
            segments: 0,
            bytes: 0,
            verdict: Verdict::Allow,
            counts: Vec::new(),
            origins: Vec::new(),
            unscanned: 0,
            tools: Vec::new(),
            revision: 0,
        }
    }
}

impl Tally {
    pub(crate) fn segment(&mut self, bytes: usize) {
        self.segments = self.segments.saturating_add(1);
        self.bytes(bytes);
    }

    pub(crate) fn bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(crate) fn found(&mut self, finding: &Finding, origin: Origin, segment: usize, verdict: Verdict) {
        self.total = self.total.saturating_add(1);
        let mut news = verdict > self.verdict;
        self.verdict = self.verdict.max(verdict);
        if !self.origins.contains(&origin) {
            self.origins.push(origin);
            news = true;
        }
        match self.counts.iter_mut().find(|(c, _, _)| *c == finding.category) {
            Some((_, count, highest)) => {
                *count = count.saturating_add(1);
                news |= finding.score > *highest;
                *highest = (*highest).max(finding.score);
            }
            None => {
                self.counts.push((finding.category, 1, finding.score));
                news = true;
            }
        }
        self.revision += u64::from(news);
        if self.findings.len() < GuardRecord::MAX_FINDINGS || self.leave_out_a_milder(verdict) {
            self.findings.push(FindingRecord {
                category: finding.category,
                origin,
                segment: u32::try_from(segment).unwrap_or(u32::MAX),
                start: u64::try_from(finding.span.start).unwrap_or(u64::MAX),
                end: u64::try_from(finding.span.end).unwrap_or(u64::MAX),
                score: finding.score,
                detector: finding.detector,
                view: finding.view,
                verdict,
            });
        }
    }

    /// Leaves out the last of the mildest listed findings, if that is milder than `verdict`: whoever fills the list with
    /// trifles does not keep out of it why a request was refused.
    fn leave_out_a_milder(&mut self, verdict: Verdict) -> bool {
        let mildest = self.findings.iter().enumerate().rev().min_by_key(|(_, finding)| finding.verdict);
        let at = mildest.filter(|(_, finding)| finding.verdict < verdict).map(|(at, _)| at);
        at.map(|at| self.findings.remove(at)).is_some()
    }

    /// The sternest verdict so far.
    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Raised with every change of what policies see: scores, verdict, origins, tools and what nobody can read.
    pub(crate) const fn revision(&self) -> u64 {
        self.revision
    }

    /// Notes parts that nobody can read.
    pub(crate) fn pass_unscanned(&mut self, parts: usize) {
        self.unscanned = self.unscanned.saturating_add(parts);
        self.revision += u64::from(parts > 0);
    }

    /// Parts that nobody could read.
    pub(crate) const fn unscanned(&self) -> usize {
        self.unscanned
    }

    /// Notes that the reply calls a tool.
    pub(crate) fn calls(&mut self, tool: &str) {
        if self.tools.len() < MAX_TOOLS && !self.tools.iter().any(|t| t == tool) {
            self.tools.push(tool.to_owned());
            self.revision += 1;
        }
    }

    /// The tools that the reply calls, each once.
    pub(crate) fn tools(&self) -> &[String] {
        &self.tools
    }

    /// Who wrote the texts in which something was found.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        self.origins.clone()
    }

    /// How many of each category.
    pub(crate) fn counts(&self) -> Vec<(Category, u32)> {
        self.counts.iter().map(|(c, n, _)| (*c, *n)).collect()
    }

    /// The highest score of each category: what policies see.
    pub(crate) fn scores(&self) -> Vec<(Category, Score)> {
        self.counts.iter().map(|(c, _, s)| (*c, *s)).collect()
    }

    /// The categories with a verdict of at least `verdict`, for a message.
    pub(crate) fn named(&self, verdict: Verdict) -> String {
        let mut names: Vec<&str> =
            self.findings.iter().filter(|f| f.verdict >= verdict).map(|f| f.category.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }

    /// The findings, for metrics.
    pub(crate) fn findings(&self) -> &[FindingRecord] {
        &self.findings
    }

    /// The record for the log.
    pub(crate) fn record(&self, guard: &Guard, direction: Direction, unscanned: usize) -> GuardRecord {
        GuardRecord {
            direction,
            mode: guard.mode(),
            profile: guard.digest(),
            segments: self.segments,
            bytes: self.bytes,
            unscanned: u32::try_from(unscanned).unwrap_or(u32::MAX),
            findings: self.findings.clone(),
            findings_total: self.total,
            verdict: self.verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::{Severity, Span, View};
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Found(Category, u16, Origin, Verdict),
        Unscanned(usize),
        Calls(&'static str),
        Said(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let category = prop_oneof![Just(Category::EmailAddress), Just(Category::CreditCard)];
        let origin = prop_oneof![Just(Origin::Assistant), Just(Origin::Reasoning)];
        let verdict = prop_oneof![Just(Verdict::Allow), Just(Verdict::Flag), Just(Verdict::Redact)];
        prop_oneof![
            4 => (category, 1u16..4, origin, verdict).prop_map(|(c, s, o, v)| Step::Found(c, s * 100, o, v)),
            1 => (0usize..2).prop_map(Step::Unscanned),
            1 => prop_oneof![Just("a"), Just("b"), Just("")].prop_map(Step::Calls),
            1 => (0usize..9).prop_map(Step::Said),
        ]
    }

    fn finding(category: Category, score: u16) -> Finding {
        Finding {
            category,
            span: Span::new(0, 1),
            score: Score::per_mille(score),
            severity: Severity::Low,
            detector: "test",
            reason: "".into(),
            view: View::Raw,
        }
    }

    #[test]
    fn trifles_do_not_keep_a_stern_finding_out_of_the_list() {
        let mut tally = Tally::default();
        let mut find = |category, segment, verdict| {
            tally.found(&finding(category, 900), Origin::ToolResult, segment, verdict);
        };
        find(Category::Secret, 0, Verdict::Redact);
        (1..150).for_each(|segment| find(Category::EmailAddress, segment, Verdict::Flag));
        find(Category::PromptInjection, 150, Verdict::Block);
        find(Category::CreditCard, 151, Verdict::Redact);
        (152..200).for_each(|segment| find(Category::EmailAddress, segment, Verdict::Flag));
        let listed: Vec<u32> = tally.findings().iter().map(|f| f.segment).collect();
        assert_eq!(listed, (0..98).chain([150, 151]).collect::<Vec<_>>());
        assert_eq!(tally.named(Verdict::Hold), Category::PromptInjection.as_str());
        assert_eq!(tally.total, 200);
    }

    fn seen(tally: &Tally) -> impl PartialEq + std::fmt::Debug + use<> {
        (tally.scores(), tally.verdict(), tally.unscanned(), tally.origins(), tally.tools().to_vec())
    }

    proptest! {
        #[test]
        fn the_revision_changes_with_what_policies_see(steps in prop::collection::vec(step(), 0..30)) {
            let mut tally = Tally::default();
            for step in steps {
                let (before, revision) = (seen(&tally), tally.revision());
                match step {
                    Step::Found(category, score, origin, verdict) => {
                        tally.found(&finding(category, score), origin, 0, verdict);
                    }
                    Step::Unscanned(parts) => tally.pass_unscanned(parts),
                    Step::Calls(tool) => tally.calls(tool),
                    Step::Said(bytes) => tally.segment(bytes),
                }
                prop_assert_eq!(before == seen(&tally), revision == tally.revision());
            }
        }
    }
}
