//! The guard's rules as written, in the settings file and in what is stored, and the profile that they make with the
//! defaults.

use bastide_inspect::{From, GuardProfile, Rule, Target};
use bastide_types::{Category, Direction, GuardMode, Guarded, Origin, Score, Trust, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// Longest text of rules, bytes: a thousand rules are a tenth of it.
const MOST_BYTES: usize = 1 << 20;

/// What is done about what is found.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardTable {
    /// Whether the guard acts (`enforce`), only records (`observe`) or looks for nothing (`off`).
    #[schemars(extend("enum" = ["enforce", "observe", "off"]))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// Rules in place of the default ones that they cover; the most specific rule that matches a finding decides.
    pub rules: Vec<RuleTable>,
}

/// One rule as written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleTable {
    /// Findings of this category; a rule has one of `category`, `family` and `detector`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Findings of this family.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["personal_data", "secret", "attack"]))]
    pub family: Option<String>,
    /// Findings of this detector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detector: Option<String>,
    /// Only in text of this origin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Only in text that is trusted like this; not together with `origin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["operator", "user", "untrusted"]))]
    pub trust: Option<String>,
    /// Only in requests or only in replies.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["request", "response"]))]
    pub direction: Option<String>,
    /// Only from this score on (0 to 1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub min_score: Option<f64>,
    /// What is done.
    #[schemars(extend("enum" = ["allow", "flag", "tokenise", "redact", "hold", "block"]))]
    pub verdict: String,
}

/// A settings file of which only the guard is read.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Document {
    guard: GuardTable,
}

/// A guard that could be put in force.
#[derive(Clone, Debug)]
pub struct GuardDraft {
    /// Whether it acts.
    pub mode: GuardMode,
    /// The rules as written.
    pub text: String,
    /// The rules, read.
    pub tables: Vec<RuleTable>,
    /// What they make with the defaults.
    pub profile: GuardProfile,
}

impl GuardDraft {
    /// Reads rules in the form of the settings file (`[[guard.rules]]`). A mode in the text counts where none is given;
    /// `otherwise` where the text has none either.
    ///
    /// # Errors
    /// What does not hold, with its place.
    pub fn read(mode: Option<GuardMode>, text: &str, otherwise: GuardMode) -> Result<GuardDraft, Failure> {
        if text.len() > MOST_BYTES {
            return Err(Failure::usage(format!("the rules have more than {MOST_BYTES} bytes")));
        }
        let document: Document = toml::from_str(text)
            .map_err(|e| Failure::usage(format!("the rules do not parse: {}", e.to_string().trim_end())))?;
        let written = document.guard.mode.as_deref().map(|m| m.parse::<GuardMode>());
        let written = written.transpose().map_err(|e| setting("guard.mode", &e))?;
        let mode = match (mode, written) {
            (Some(given), Some(written)) if given != written => {
                return Err(setting(
                    "guard.mode",
                    &format!(
                        "the text says `{written}` and beside it `{given}` is chosen; leave it out of the text"
                    ),
                ));
            }
            (Some(mode), _) | (None, Some(mode)) => mode,
            (None, None) => otherwise,
        };
        let tables = document.guard.rules;
        Ok(GuardDraft { mode, text: text.to_owned(), profile: guard_profile(&tables)?, tables })
    }
}

/// Rules as text, in the form of the settings file.
#[must_use]
pub fn rules_text(tables: &[RuleTable]) -> String {
    if tables.is_empty() {
        return String::new();
    }
    let guard = GuardTable { mode: None, rules: tables.to_vec() };
    toml::to_string(&Document { guard }).unwrap_or_default()
}

/// What is wrong with a setting.
#[must_use]
pub fn setting(name: &str, what: &str) -> Failure {
    Failure::usage(format!("setting `{name}`: {what}"))
}

/// The default profile with the operator's rules in place of what they cover: a rule for a family without a direction
/// replaces the defaults of both directions.
///
/// # Errors
/// What a rule says that cannot be meant.
pub fn guard_profile(rules: &[RuleTable]) -> Result<GuardProfile, Failure> {
    let given =
        rules.iter().enumerate().map(|(i, r)| guard_rule(i, r)).collect::<Result<Vec<Rule>, Failure>>()?;
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

/// One rule, read; `index` is its number in the settings, from 0.
///
/// # Errors
/// What it says that cannot be meant.
pub fn guard_rule(index: usize, table: &RuleTable) -> Result<Rule, Failure> {
    let name = |part: &str| format!("guard.rules[{index}].{part}");
    let target = match (&table.category, &table.family, &table.detector) {
        (Some(category), None, None) => {
            let category: Category =
                category.parse().map_err(|e| setting(&name("category"), &format!("{e}")))?;
            Target::Category(category)
        }
        (None, Some(family), None) => Target::Family(match family.as_str() {
            "personal_data" => Guarded::PersonalData,
            "secret" => Guarded::Secret,
            "attack" => Guarded::Attack,
            other => {
                let what = format!("`{other}` is not a family; use `personal_data`, `secret` or `attack`");
                return Err(setting(&name("family"), &what));
            }
        }),
        (None, None, Some(id)) => {
            if !bastide_inspect::standard_detectors().iter().any(|d| d.id() == id) {
                let what = format!("`{id}` is not a detector; `bastide inspect --list` prints them");
                return Err(setting(&name("detector"), &what));
            }
            Target::Detector(id.clone().into())
        }
        _ => return Err(setting(&name("category"), "give one of `category`, `family` and `detector`")),
    };
    let from = match (&table.origin, &table.trust) {
        (None, None) => From::Anyone,
        (Some(text), None) => {
            let origin = Origin::ALL.iter().copied().find(|o| o.as_str() == text).ok_or_else(|| {
                let known: Vec<_> = Origin::READ.iter().map(|o| o.as_str()).collect();
                setting(
                    &name("origin"),
                    &format!("`{text}` is not an origin; use one of {}", known.join(", ")),
                )
            })?;
            From::Origin(origin)
        }
        (None, Some(text)) => From::Trust(match text.as_str() {
            "operator" => Trust::Operator,
            "user" => Trust::User,
            "untrusted" => Trust::Untrusted,
            other => {
                let what = format!("`{other}` is not a trust; use `operator`, `user` or `untrusted`");
                return Err(setting(&name("trust"), &what));
            }
        }),
        (Some(_), Some(_)) => return Err(setting(&name("origin"), "give `origin` or `trust`, not both")),
    };
    let direction = match table.direction.as_deref() {
        None => None,
        Some("request") => Some(Direction::Request),
        Some("response") => Some(Direction::Response),
        Some(other) => {
            let what = format!("`{other}` is not a direction; use `request` or `response`");
            return Err(setting(&name("direction"), &what));
        }
    };
    let min_score = match table.min_score {
        None => Score::per_mille(0),
        Some(s) => {
            score(s).ok_or_else(|| setting(&name("min_score"), &format!("`{s}` is not between 0 and 1")))?
        }
    };
    let verdict: Verdict = table.verdict.parse().map_err(|e: String| setting(&name("verdict"), &e))?;
    Ok(Rule { target, from, direction, min_score, verdict })
}

/// A score between 0 and 1 in per mille.
#[must_use]
pub fn score(value: f64) -> Option<Score> {
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    // The scale has a thousand steps, so the search is short and needs no lossy conversion.
    (0..=1000u16).find(|n| f64::from(*n) / 1000.0 >= value - 1e-9).map(Score::per_mille)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARDS: &str = "[[guard.rules]]\ncategory = 'CREDIT_CARD'\nverdict = 'block'\n";

    #[test]
    fn what_is_written_anew_means_the_same() {
        let draft = GuardDraft::read(None, CARDS, GuardMode::Observe).expect("it holds");
        assert_eq!((draft.mode, draft.tables.len()), (GuardMode::Observe, 1));
        let again = GuardDraft::read(None, &rules_text(&draft.tables), GuardMode::Observe).expect("it holds");
        assert_eq!((again.tables, again.profile), (draft.tables, draft.profile));
        let none = GuardDraft::read(None, &rules_text(&[]), GuardMode::Off).expect("it holds");
        assert_eq!(none.profile, GuardProfile::default_profile());
    }

    #[test]
    fn a_mode_in_the_text_counts_and_two_modes_are_refused() {
        let text = format!("guard.mode = 'off'\n{CARDS}");
        let read = |mode, text: &str| GuardDraft::read(mode, text, GuardMode::Enforce).map(|d| d.mode);
        assert_eq!(read(None, &text).ok(), Some(GuardMode::Off));
        let failure = read(Some(GuardMode::Observe), &text).expect_err("two modes");
        assert!(failure.message().contains("`guard.mode`"), "{failure}");
        for wrong in ["nonsense", "[guard]\nmodus = 'off'", "listen = '127.0.0.1:1'"] {
            assert!(read(None, wrong).is_err(), "{wrong}");
        }
    }
}
