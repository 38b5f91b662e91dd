//! What was permitted of late: a decision is a pure function of the scene and the facts, and one application sends the
//! same tools and flags all day.

use std::sync::{PoisonError, RwLock};

use bastide_types::{Category, DecisionRecord, Origin, Score, Verdict};

use crate::subject::Facts;

/// The last few permissions of one scene and one action, each with the facts it was given for. Denials are worked out
/// each time: they are rare, and their text is for a person.
#[derive(Debug, Default)]
pub(crate) struct Permits(RwLock<Recent>);

#[derive(Debug, Default)]
struct Recent {
    slots: [Option<Remembered>; Permits::SLOTS],
    next: usize,
}

#[derive(Debug)]
struct Remembered {
    stream: bool,
    unscanned: bool,
    demo: bool,
    tools: Box<[String]>,
    findings: Box<[(Category, Score)]>,
    verdict: Verdict,
    origins: Box<[Origin]>,
    record: DecisionRecord,
}

impl Remembered {
    fn is_of(&self, facts: &Facts<'_>) -> bool {
        // By parts, so that a new fact does not compile until it is compared here.
        let Facts { stream, unscanned, demo, tools, findings, verdict, origins } = facts;
        (self.stream, self.unscanned, self.demo, self.verdict) == (*stream, *unscanned, *demo, *verdict)
            && *self.tools == **tools
            && *self.findings == **findings
            && *self.origins == **origins
    }
}

impl Permits {
    /// Streams and whole replies, with and without a finding.
    const SLOTS: usize = 4;
    /// About how many bytes of names and findings are kept for one: some ten tools.
    const MAX_KEPT: usize = 1_024;

    /// The permission for exactly these facts, if it was given of late.
    pub(crate) fn recall(&self, facts: &Facts<'_>) -> Option<DecisionRecord> {
        let recent = self.0.read().unwrap_or_else(PoisonError::into_inner);
        recent.slots.iter().flatten().find(|r| r.is_of(facts)).map(|r| r.record.clone())
    }

    /// Keeps a permission in place of the oldest.
    pub(crate) fn keep(&self, facts: &Facts<'_>, record: &DecisionRecord) {
        let size = facts.tools.iter().map(|t| t.len() + 64).sum::<usize>()
            + 16 * (facts.findings.len() + facts.origins.len());
        if size > Self::MAX_KEPT {
            return;
        }
        let mut recent = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = recent.next % Self::SLOTS;
        recent.next = next + 1;
        if let Some(slot) = recent.slots.get_mut(next) {
            *slot = Some(Remembered {
                stream: facts.stream,
                unscanned: facts.unscanned,
                demo: facts.demo,
                tools: facts.tools.into(),
                findings: facts.findings.into(),
                verdict: facts.verdict,
                origins: facts.origins.into(),
                record: record.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::PolicyEffect;

    use super::*;

    #[test]
    fn a_permission_is_recalled_for_the_same_facts_only() {
        let (tools, others) = (["a".to_owned()], ["b".to_owned()]);
        let (found, more) =
            ([(Category::Secret, Score::per_mille(1))], [(Category::Secret, Score::per_mille(2))]);
        let base = Facts { tools: &tools, findings: &found, ..Facts::default() };
        let record = |n: usize| DecisionRecord {
            action: "release",
            effect: PolicyEffect::Permit,
            policies: [n.to_string()].into(),
        };
        let variants = [
            Facts { stream: true, ..base },
            Facts { unscanned: true, ..base },
            Facts { demo: true, ..base },
            Facts { tools: &others, ..base },
            Facts { tools: &[], ..base },
            Facts { findings: &more, ..base },
            Facts { findings: &[], ..base },
            Facts { verdict: Verdict::Flag, ..base },
            Facts { origins: &[Origin::User], ..base },
        ];
        let permits = Permits::default();
        permits.keep(&base, &record(99));
        for (n, facts) in variants.iter().enumerate() {
            assert_eq!(permits.recall(facts), None, "{facts:?}");
            assert_eq!(permits.recall(&base), Some(record(99)));
            let other = Permits::default();
            other.keep(facts, &record(n));
            assert_eq!(other.recall(facts), Some(record(n)));
            assert_eq!(other.recall(&base), None, "{facts:?}");
        }
    }

    #[test]
    fn few_are_kept_and_none_that_is_large() {
        let permits = Permits::default();
        let record = DecisionRecord { action: "invoke", effect: PolicyEffect::Permit, policies: [].into() };
        let named = |n: usize| [n.to_string()];
        for n in 0..=Permits::SLOTS {
            permits.keep(&Facts { tools: &named(n), ..Facts::default() }, &record);
        }
        assert_eq!(permits.recall(&Facts { tools: &named(0), ..Facts::default() }), None, "the oldest went");
        assert!(permits.recall(&Facts { tools: &named(1), ..Facts::default() }).is_some());
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        permits.keep(&Facts { tools: &many, ..Facts::default() }, &record);
        assert_eq!(permits.recall(&Facts { tools: &many, ..Facts::default() }), None);
    }
}
