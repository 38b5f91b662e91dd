//! The guard's rules as written, and the profile that they make with the defaults.

use bastide_inspect::{From, GuardProfile, Rule, Target};
use bastide_types::{Category, Direction, Guarded, Origin, Score, Trust, Verdict};

use super::field;
use super::file::RuleTable;
use bastide_admin::Failure;

/// The default profile with the operator's rules in place of what they cover: a rule for a family without a direction
/// replaces the defaults of both directions.
pub(super) fn profile(rules: &[RuleTable]) -> Result<GuardProfile, Failure> {
    let given = rules.iter().enumerate().map(|(i, r)| rule(i, r)).collect::<Result<Vec<Rule>, Failure>>()?;
    let covered = |default: &Rule| {
        given.iter().any(|r| {
            r.target == default.target
                && (r.from == From::Anyone || r.from == default.from)
                && (r.direction.is_none() || r.direction == default.direction)
                && r.min_score <= default.min_score
        })
    };
    let wrong = |e: bastide_inspect::ProfileError| {
        Failure::usage(format!("setting `guard.{}`: {}", e.field, e.problem))
    };
    // By themselves first, so that an error counts the operator's rules and not ours.
    GuardProfile::from_rules(given.clone()).map_err(wrong)?;
    let defaults = GuardProfile::default_profile();
    let mut all: Vec<Rule> = defaults.rules().iter().filter(|r| !covered(r)).cloned().collect();
    all.extend(given.iter().cloned());
    GuardProfile::from_rules(all).map_err(wrong)
}

fn rule(index: usize, table: &RuleTable) -> Result<Rule, Failure> {
    let name = |part: &str| format!("guard.rules[{index}].{part}");
    let target = match (&table.category, &table.family, &table.detector) {
        (Some(category), None, None) => {
            let category: Category =
                category.parse().map_err(|e| field(&name("category"), &format!("{e}")))?;
            Target::Category(category)
        }
        (None, Some(family), None) => Target::Family(match family.as_str() {
            "personal_data" => Guarded::PersonalData,
            "secret" => Guarded::Secret,
            "attack" => Guarded::Attack,
            other => {
                let what = format!("`{other}` is not a family; use `personal_data`, `secret` or `attack`");
                return Err(field(&name("family"), &what));
            }
        }),
        (None, None, Some(id)) => {
            if !bastide_inspect::standard_detectors().iter().any(|d| d.id() == id) {
                let what = format!("`{id}` is not a detector; `bastide inspect --list` prints them");
                return Err(field(&name("detector"), &what));
            }
            Target::Detector(id.clone().into())
        }
        _ => return Err(field(&name("category"), "give one of `category`, `family` and `detector`")),
    };
    let from = match (&table.origin, &table.trust) {
        (None, None) => From::Anyone,
        (Some(text), None) => {
            let origin = Origin::ALL.iter().copied().find(|o| o.as_str() == text).ok_or_else(|| {
                let known: Vec<_> = Origin::ALL.iter().map(|o| o.as_str()).collect();
                field(&name("origin"), &format!("`{text}` is not an origin; use one of {}", known.join(", ")))
            })?;
            From::Origin(origin)
        }
        (None, Some(text)) => From::Trust(match text.as_str() {
            "operator" => Trust::Operator,
            "user" => Trust::User,
            "untrusted" => Trust::Untrusted,
            other => {
                let what = format!("`{other}` is not a trust; use `operator`, `user` or `untrusted`");
                return Err(field(&name("trust"), &what));
            }
        }),
        (Some(_), Some(_)) => return Err(field(&name("origin"), "give `origin` or `trust`, not both")),
    };
    let direction = match table.direction.as_deref() {
        None => None,
        Some("request") => Some(Direction::Request),
        Some("response") => Some(Direction::Response),
        Some(other) => {
            let what = format!("`{other}` is not a direction; use `request` or `response`");
            return Err(field(&name("direction"), &what));
        }
    };
    let min_score = match table.min_score {
        None => Score::per_mille(0),
        Some(s) => {
            score(s).ok_or_else(|| field(&name("min_score"), &format!("`{s}` is not between 0 and 1")))?
        }
    };
    let verdict: Verdict = table.verdict.parse().map_err(|e: String| field(&name("verdict"), &e))?;
    Ok(Rule { target, from, direction, min_score, verdict })
}

/// A score between 0 and 1 in per mille.
pub(crate) fn score(value: f64) -> Option<Score> {
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    // The scale has a thousand steps, so the search is short and needs no lossy conversion.
    (0..=1000u16).find(|n| f64::from(*n) / 1000.0 >= value - 1e-9).map(Score::per_mille)
}
