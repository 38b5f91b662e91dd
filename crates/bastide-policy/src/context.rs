//! The circumstances as Cedar sees them.

use std::sync::{PoisonError, RwLock};

use bastide_types::{Category, Origin, Score, Verdict};
use cedar_policy::{Context, RestrictedExpression};

use crate::action::Action;
use crate::subject::Facts;

/// Tools in one request: twice what a provider takes (OpenAI: 128). More would make a decision's cost the caller's.
pub(crate) const MAX_TOOLS: usize = 256;

fn strings<'a>(items: impl Iterator<Item = &'a str>) -> RestrictedExpression {
    RestrictedExpression::new_set(items.map(|s| RestrictedExpression::new_string(s.to_owned())))
}

/// The highest score of each category, in the order of [`Category::ALL`].
fn highest(findings: &[(Category, Score)]) -> Vec<(Category, Score)> {
    let mut highest: Vec<(Category, Score)> = Vec::new();
    for (category, score) in findings {
        match highest.iter_mut().find(|(c, _)| c == category) {
            Some((_, best)) => *best = (*best).max(*score),
            None => highest.push((*category, *score)),
        }
    }
    highest.sort_by_key(|(c, _)| *c);
    highest
}

/// The context of an action. Fails when the facts are too many, or Cedar refuses them.
pub(crate) fn context(action: Action, facts: &Facts<'_>) -> Result<Context, String> {
    if facts.tools.len() > MAX_TOOLS {
        return Err(format!(
            "the request names {} tools; at most {MAX_TOOLS} can be decided on",
            facts.tools.len()
        ));
    }
    let mut pairs = Vec::with_capacity(8);
    let mut put = |name: &str, value: RestrictedExpression| pairs.push((name.to_owned(), value));
    put("stream", RestrictedExpression::new_bool(facts.stream));
    put("demo", RestrictedExpression::new_bool(facts.demo));
    put("unscanned", RestrictedExpression::new_bool(facts.unscanned));
    put("tools", strings(facts.tools.iter().map(String::as_str)));
    if action != Action::Invoke {
        let highest = highest(facts.findings);
        put("categories", strings(highest.iter().map(|(c, _)| c.as_str())));
        let scores = highest
            .iter()
            .map(|(c, s)| (c.as_str().to_owned(), RestrictedExpression::new_long(i64::from(s.get()))));
        put("scores", RestrictedExpression::new_record(scores).map_err(|e| e.to_string())?);
        put("origins", strings(facts.origins.iter().map(|o| o.as_str())));
        put("verdict", RestrictedExpression::new_string(facts.verdict.as_str().to_owned()));
    }
    Context::from_pairs(pairs).map_err(|e| e.to_string())
}

/// The circumstances of the last question, and their context: building one costs more than evaluating a policy, and
/// one application sends the same tools and flags all day.
#[derive(Debug, Default)]
pub(crate) struct LastContext(RwLock<Option<Remembered>>);

#[derive(Debug)]
struct Remembered {
    stream: bool,
    unscanned: bool,
    demo: bool,
    tools: Box<[String]>,
    findings: Box<[(Category, Score)]>,
    verdict: Verdict,
    origins: Box<[Origin]>,
    context: Context,
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

impl LastContext {
    /// About how many bytes of names and findings are kept: some ten tools.
    const MAX_KEPT: usize = 1_024;

    /// As [`context`], from memory where the facts are those of the last call.
    pub(crate) fn get(&self, action: Action, facts: &Facts<'_>) -> Result<Context, String> {
        if let Some(last) = &*self.0.read().unwrap_or_else(PoisonError::into_inner)
            && last.is_of(facts)
        {
            return Ok(last.context.clone());
        }
        let context = context(action, facts)?;
        let size = facts.tools.iter().map(|t| t.len() + 64).sum::<usize>()
            + 16 * (facts.findings.len() + facts.origins.len());
        if size <= Self::MAX_KEPT {
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Remembered {
                stream: facts.stream,
                unscanned: facts.unscanned,
                demo: facts.demo,
                tools: facts.tools.into(),
                findings: facts.findings.into(),
                verdict: facts.verdict,
                origins: facts.origins.into(),
                context: context.clone(),
            });
        }
        Ok(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_score_of_a_category_counts() {
        let s = Score::per_mille;
        let found = [(Category::Secret, s(10)), (Category::EmailAddress, s(500)), (Category::Secret, s(900))];
        assert_eq!(highest(&found), [(Category::EmailAddress, s(500)), (Category::Secret, s(900))]);
    }

    #[test]
    fn what_is_remembered_is_used_for_the_same_facts_only() {
        let (tools, others) = (["a".to_owned()], ["b".to_owned()]);
        let (found, more) =
            ([(Category::Secret, Score::per_mille(1))], [(Category::Secret, Score::per_mille(2))]);
        let base = Facts { tools: &tools, findings: &found, ..Facts::default() };
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
        let last = LastContext::default();
        for facts in variants {
            for facts in [base, facts, facts] {
                assert_eq!(last.get(Action::Release, &facts), context(Action::Release, &facts));
            }
        }
    }
}
