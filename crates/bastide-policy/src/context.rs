//! The circumstances as Cedar sees them.

use bastide_types::{Category, Score};
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_score_of_a_category_counts() {
        let s = Score::per_mille;
        let found = [(Category::Secret, s(10)), (Category::EmailAddress, s(500)), (Category::Secret, s(900))];
        assert_eq!(highest(&found), [(Category::EmailAddress, s(500)), (Category::Secret, s(900))]);
    }
}
