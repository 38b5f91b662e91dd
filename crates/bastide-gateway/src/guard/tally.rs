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
        self.verdict = self.verdict.max(verdict);
        if !self.origins.contains(&origin) {
            self.origins.push(origin);
        }
        match self.counts.iter_mut().find(|(c, _, _)| *c == finding.category) {
            Some((_, count, highest)) => {
                *count = count.saturating_add(1);
                *highest = (*highest).max(finding.score);
            }
            None => self.counts.push((finding.category, 1, finding.score)),
        }
        if self.findings.len() < GuardRecord::MAX_FINDINGS {
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

    /// The sternest verdict so far.
    pub(crate) const fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// Notes parts that nobody can read.
    pub(crate) fn pass_unscanned(&mut self, parts: usize) {
        self.unscanned = self.unscanned.saturating_add(parts);
    }

    /// Parts that nobody could read.
    pub(crate) const fn unscanned(&self) -> usize {
        self.unscanned
    }

    /// Notes that the reply calls a tool.
    pub(crate) fn calls(&mut self, tool: &str) {
        if self.tools.len() < MAX_TOOLS && !self.tools.iter().any(|t| t == tool) {
            self.tools.push(tool.to_owned());
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
