//! The guard profile: what it does, its versions, and what another one would have done.

use std::collections::{BTreeSet, HashMap};

use bastide_crypto::sha256;
use bastide_inspect::{From, GuardProfile, Rule, Target, standard_detectors};
use bastide_store::{GuardProfileRow, NewGuardProfile};
use bastide_types::{
    Category, Digest, Direction, Finding, GuardMode, Guarded as Family, Origin, Score, Severity, Span,
    Timestamp, Verdict, View,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::change::{Turn, What};
use crate::entries::{Found, Guarded, to_hex};
use crate::exchanges::{ExchangeFilter, ExchangeRow};
use crate::failure::{Failure, could_not, store_refused};
use crate::rules::GuardDraft;
use crate::versions::{BUILT_IN, GuardVersion};

/// Exchanges that another profile is tried on.
const PREVIEWED: usize = 1_000;
/// Exchanges of a page of the log.
const PAGE: usize = 500;
/// Exchanges that a preview lists.
const MOST_LISTED: usize = 50;

/// The guard in force.
#[derive(Clone, Debug)]
pub struct GuardNow {
    /// Whether it acts.
    pub mode: GuardMode,
    /// What it does about what it finds.
    pub profile: GuardProfile,
    /// The version that was stored last; in force unless something outside of the console says what the guard does.
    pub stored: Option<GuardProfileRow>,
}

/// A rule in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleShown {
    /// What was found.
    pub finding: String,
    /// In whose text.
    pub from: String,
    /// In which half; `None`: both.
    pub direction: Option<String>,
    /// From this score on, in per mille.
    pub min_score: u16,
    /// What is done.
    #[serde(serialize_with = "verdict_name")]
    pub verdict: Verdict,
    /// Whether it is the operator's; else it is one of the defaults.
    pub yours: bool,
}

fn verdict_name<S: serde::Serializer>(verdict: &Verdict, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(verdict.as_str())
}

/// One answer of the matrix: from this score on, this is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Of this detector alone; `None`: of every other one.
    pub detector: Option<String>,
    /// From this score on, in per mille.
    pub min_score: u16,
    /// What is done.
    pub verdict: Verdict,
    /// Whether a rule of the operator's says so.
    pub yours: bool,
}

/// Whose text, in the matrix: its heading, an origin that stands for it, and the half.
pub const MATRIX: [(&str, Origin, Direction); 5] = [
    ("System prompt", Origin::System, Direction::Request),
    ("User", Origin::User, Direction::Request),
    ("Tools, documents", Origin::ToolResult, Direction::Request),
    ("Earlier answers", Origin::Assistant, Direction::Request),
    ("Answer", Origin::Assistant, Direction::Response),
];

/// A detector.
#[derive(Clone, Copy, Debug)]
pub struct DetectorShown {
    /// Its id.
    pub id: &'static str,
    /// What it finds.
    pub category: Category,
    /// How bad that is.
    pub severity: Severity,
}

/// The detectors, by id.
#[must_use]
pub fn detectors() -> Vec<DetectorShown> {
    let all = standard_detectors();
    let mut shown: Vec<DetectorShown> = all
        .iter()
        .map(|d| DetectorShown { id: d.id(), category: d.category(), severity: d.severity() })
        .collect();
    shown.sort_by_key(|d| d.id);
    shown
}

/// The rules of a profile, in the order in which they are tried.
#[must_use]
pub fn rules_shown(profile: &GuardProfile) -> Vec<RuleShown> {
    let defaults = GuardProfile::default_profile();
    profile.rules().iter().map(|rule| rule_shown(rule, !defaults.rules().contains(rule))).collect()
}

fn rule_shown(rule: &Rule, yours: bool) -> RuleShown {
    RuleShown {
        finding: rule.target.to_string(),
        from: match rule.from {
            From::Anyone => "anyone".to_owned(),
            other => other.to_string(),
        },
        direction: rule.direction.map(|d| d.to_string()),
        min_score: rule.min_score.get(),
        verdict: rule.verdict,
        yours,
    }
}

/// What a profile does about a category in one column of [`MATRIX`]: that of single detectors that have rules of their
/// own, then that of the others, the highest score first. Empty: the guard does not look for it there.
#[must_use]
pub fn steps(profile: &GuardProfile, category: Category, origin: Origin, direction: Direction) -> Vec<Step> {
    if !looks_for(category, direction) {
        return Vec::new();
    }
    let others = steps_of(profile, category, "", origin, direction);
    let named = standard_detectors().into_iter().filter(|detector| detector.category() == category);
    let named = named.filter(|detector| {
        let its = |rule: &Rule| matches!(&rule.target, Target::Detector(id) if **id == *detector.id());
        profile.rules().iter().any(its)
    });
    let alone = named.flat_map(|detector| {
        let steps = steps_of(profile, category, detector.id(), origin, direction);
        let same = steps.iter().map(|s| s.verdict).eq(others.iter().map(|s| s.verdict));
        if same { Vec::new() } else { steps }
    });
    alone.chain(others.iter().cloned()).collect()
}

/// Towards a caller the guard looks for what leaves: personal data and secrets. An attack on a model has come to its end
/// there, and fewer patterns hold back less of a stream.
fn looks_for(category: Category, direction: Direction) -> bool {
    direction == Direction::Request || category.family() != Family::Attack
}

fn steps_of(
    profile: &GuardProfile,
    category: Category,
    detector: &'static str,
    origin: Origin,
    direction: Direction,
) -> Vec<Step> {
    let defaults = GuardProfile::default_profile();
    let scores: BTreeSet<u16> = profile.rules().iter().map(|r| r.min_score.get()).chain([0]).collect();
    let mut found: Vec<Step> = Vec::new();
    // Upwards: a step that says what the one below says is none.
    for score in scores {
        let judged = profile.consider(&finding(category, score, detector), origin, origin.trust(), direction);
        let rule = judged.rule.and_then(|at| profile.rules().get(at));
        let yours = rule.is_some_and(|rule| !defaults.rules().contains(rule));
        let detector = (!detector.is_empty()).then(|| detector.to_owned());
        let step = Step { detector, min_score: score, verdict: judged.verdict, yours };
        if found.last().is_none_or(|last| (last.verdict, last.yours) != (step.verdict, step.yours)) {
            found.push(step);
        }
    }
    found.reverse();
    found
}

/// The rule of a profile that decides about a recorded finding.
#[must_use]
pub fn rule_for(profile: &GuardProfile, found: &Found, direction: Direction) -> Option<RuleShown> {
    let category: Category = found.category.parse().ok()?;
    let origin = Origin::ALL.iter().copied().find(|o| o.as_str() == found.origin)?;
    let score = u16::try_from(found.score).unwrap_or(u16::MAX);
    let all = standard_detectors();
    let detector = all.iter().map(|d| d.id()).find(|id| *id == found.detector).unwrap_or_default();
    let judged = profile.consider(&finding(category, score, detector), origin, origin.trust(), direction);
    let rule = profile.rules().get(judged.rule?)?;
    Some(rule_shown(rule, !GuardProfile::default_profile().rules().contains(rule)))
}

fn finding(category: Category, score: u16, detector: &'static str) -> Finding {
    Finding {
        category,
        span: Span::new(0, 0),
        score: Score::per_mille(score),
        severity: Severity::Low,
        detector,
        reason: std::borrow::Cow::Borrowed(""),
        view: View::Raw,
    }
}

/// An exchange that would end otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct WouldChange {
    /// Its id.
    pub exchange: String,
    /// When it was.
    #[serde(skip)]
    pub at: Timestamp,
    /// The model as the caller named it.
    pub model: String,
    /// What the guard in force does about it.
    #[serde(serialize_with = "verdict_name")]
    pub from: Verdict,
    /// What the other one would do.
    #[serde(serialize_with = "verdict_name")]
    pub to: Verdict,
    /// Which findings it is about, by category.
    pub categories: Vec<String>,
}

/// What another profile makes of what was recorded.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GuardPreview {
    /// Exchanges that were looked at: the newest.
    pub exchanges: usize,
    /// Findings in them.
    pub findings: usize,
    /// Exchanges with more findings than the log lists: theirs are judged by those it does.
    pub cut: usize,
    /// Exchanges that a policy refused: they end like that with either guard.
    pub denied: usize,
    /// Exchanges by verdict with the guard in force, in the order of [`Verdict::ALL`].
    pub before: Vec<usize>,
    /// The same with the other one.
    pub after: Vec<usize>,
    /// How many would end otherwise.
    pub changed: usize,
    /// The newest of them.
    pub list: Vec<WouldChange>,
}

impl Admin {
    /// The guard in force; without a server, the one that was stored or the default one.
    ///
    /// # Errors
    /// When the records cannot be read, or what is stored does not hold any more.
    pub fn guard_now(&self) -> Result<GuardNow, Failure> {
        let stored = self.node.store.active_guard_profile().map_err(could_not)?;
        if let Some(gateway) = &self.gateway {
            let guard = gateway.guard();
            return Ok(GuardNow { mode: guard.mode(), profile: guard.profile().clone(), stored });
        }
        let draft = match &stored {
            Some(row) => GuardDraft::read(Some(row.mode), &row.text, row.mode)?,
            None => GuardDraft::read(None, "", GuardMode::default())?,
        };
        Ok(GuardNow { mode: draft.mode, profile: draft.profile, stored })
    }

    /// The rules that had this digest, in hexadecimal: those in force, or of a version of before; `None`: neither.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn profile_of(&self, digest: &str) -> Result<Option<GuardProfile>, Failure> {
        let is_it = |profile: &GuardProfile| to_hex(&sha256(&profile.digest_input())) == digest;
        let now = self.guard_now()?.profile;
        if is_it(&now) {
            return Ok(Some(now));
        }
        let before = self.guard_versions()?.into_iter().find(|version| to_hex(&version.digest.0) == digest);
        let read = |version: GuardVersion| GuardDraft::read(Some(version.mode), &version.text, version.mode);
        Ok(before.and_then(|version| read(version).ok()).map(|draft| draft.profile).filter(is_it))
    }

    /// A guard to be: what is left out stays as it was stored last.
    ///
    /// # Errors
    /// What does not hold.
    pub fn guard_draft(&self, mode: Option<&str>, rules: Option<&str>) -> Result<GuardDraft, Failure> {
        let mode = mode.map(|text| text.parse().map_err(|e: String| Failure::usage(e))).transpose()?;
        let stored = self.node.store.active_guard_profile().map_err(could_not)?;
        let in_force = match &self.gateway {
            Some(gateway) => gateway.guard().mode(),
            None => stored.as_ref().map_or_else(GuardMode::default, |row| row.mode),
        };
        let kept = stored.map(|row| row.text).unwrap_or_default();
        GuardDraft::read(mode, rules.unwrap_or(&kept), in_force)
    }

    /// Stores a guard as the next version; `put` puts it in force in the running server.
    ///
    /// # Errors
    /// When it could not be recorded or stored.
    pub async fn guard_set(
        &self,
        turn: &mut Turn<'_>,
        set_by: Option<&str>,
        draft: &GuardDraft,
        put: impl FnOnce(u64),
    ) -> Result<Value, Failure> {
        let digest = Digest(sha256(&draft.profile.digest_input()));
        let resource = format!("guard {}", draft.mode);
        let what = What { action: "guard.set", resource, state: Some(digest) };
        let version = turn
            .change(what, |intent| {
                let new = NewGuardProfile { text: &draft.text, mode: draft.mode, digest, set_by };
                let at = self.node.clock.now();
                let version = self.node.store.set_guard_profile(&new, at, intent).map_err(store_refused)?;
                put(version);
                Ok(version)
            })
            .await?;
        Ok(json!({"version": version, "mode": draft.mode.as_str(), "rules": draft.tables.len()}))
    }

    /// The guard in force, or one of before, for a program.
    pub(crate) fn guard_shown(&self, version: Option<u64>) -> Result<Value, Failure> {
        let (mode, profile, version, text) = match version {
            None => {
                let now = self.guard_now()?;
                let (version, text) =
                    now.stored.map_or((BUILT_IN, String::new()), |row| (row.version, row.text));
                (now.mode, now.profile, version, text)
            }
            Some(version) => {
                let GuardVersion { version, mode, text, .. } = self.guard_version(version)?;
                let draft = GuardDraft::read(Some(mode), &text, mode)?;
                (mode, draft.profile, version, text)
            }
        };
        Ok(json!({
            "mode": mode.as_str(),
            "rules": rules_shown(&profile),
            "version": version,
            "text": text,
            "profile": to_hex(&sha256(&profile.digest_input())),
        }))
    }

    /// What a guard would make of the findings of the newest exchanges, beside what the one in force makes of them.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn guard_preview(&self, draft: &GuardDraft) -> Result<GuardPreview, Failure> {
        let now = self.guard_now()?;
        let mut rows: Vec<ExchangeRow> = Vec::new();
        let mut before = None;
        while rows.len() < PREVIEWED {
            let most = PAGE.min(PREVIEWED - rows.len());
            let page = self.exchanges(ExchangeFilter::default(), before, most).await?;
            rows.extend(page.rows);
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let in_force = now.profile.with_mode(now.mode);
        let draft = draft.profile.clone().with_mode(draft.mode);
        Ok(preview(&rows, &in_force, &draft))
    }
}

/// Judges the findings of these exchanges by both profiles.
fn preview(rows: &[ExchangeRow], in_force: &GuardProfile, draft: &GuardProfile) -> GuardPreview {
    let known: HashMap<&str, &'static str> =
        standard_detectors().iter().map(|d| d.id()).map(|id| (id, id)).collect();
    let mut preview = GuardPreview {
        exchanges: rows.len(),
        before: vec![0; Verdict::ALL.len()],
        after: vec![0; Verdict::ALL.len()],
        ..GuardPreview::default()
    };
    for row in rows {
        // What a policy refused is refused whatever the guard says.
        let least = if row.is_denied() { Verdict::Block } else { Verdict::Allow };
        preview.denied += usize::from(row.is_denied());
        let (mut from, mut to) = (least, least);
        let mut categories = BTreeSet::new();
        let mut cut = false;
        for (guarded, direction) in halves(row) {
            cut |= guarded.findings_total > u64::try_from(guarded.findings.len()).unwrap_or(u64::MAX);
            for found in &guarded.findings {
                preview.findings += 1;
                let Some((old, new)) = judged(found, direction, &known, in_force, draft) else { continue };
                if old != new {
                    categories.insert(found.category.clone());
                }
                (from, to) = (from.max(old), to.max(new));
            }
        }
        preview.cut += usize::from(cut);
        count(&mut preview.before, from);
        count(&mut preview.after, to);
        if from != to {
            preview.changed += 1;
            if preview.list.len() < MOST_LISTED {
                preview.list.push(WouldChange {
                    exchange: row.request.exchange.clone(),
                    at: row.at,
                    model: row.request.model.clone(),
                    from,
                    to,
                    categories: categories.into_iter().collect(),
                });
            }
        }
    }
    preview
}

fn halves(row: &ExchangeRow) -> impl Iterator<Item = (&Guarded, Direction)> {
    let answer = row.outcome.as_ref().and_then(|o| o.guard.as_ref()).map(|g| (g, Direction::Response));
    row.request.guard.as_ref().map(|g| (g, Direction::Request)).into_iter().chain(answer)
}

fn judged(
    found: &Found,
    direction: Direction,
    known: &HashMap<&str, &'static str>,
    in_force: &GuardProfile,
    draft: &GuardProfile,
) -> Option<(Verdict, Verdict)> {
    let category: Category = found.category.parse().ok()?;
    let origin = Origin::ALL.iter().copied().find(|o| o.as_str() == found.origin)?;
    let score = u16::try_from(found.score).unwrap_or(u16::MAX);
    // A detector of another version is no detector that a rule could name.
    let detector = known.get(found.detector.as_str()).copied().unwrap_or_default();
    let finding = finding(category, score, detector);
    let judge = |profile: &GuardProfile| profile.judge(&finding, origin, origin.trust(), direction);
    let (old, new) = (judge(in_force), judge(draft));
    // What the caller sent itself comes back as it is, whatever a profile says: the log has it as allowed.
    let own = direction == Direction::Response && found.verdict == "allow" && old != Verdict::Allow;
    Some(if own { (Verdict::Allow, Verdict::Allow) } else { (old, new) })
}

fn count(counts: &mut [usize], verdict: Verdict) {
    let at = Verdict::ALL.iter().position(|v| *v == verdict).unwrap_or_default();
    if let Some(count) = counts.get_mut(at) {
        *count += 1;
    }
}

impl GuardPreview {
    /// How many exchanges have this verdict before and after.
    #[must_use]
    pub fn counts(&self, verdict: Verdict) -> (usize, usize) {
        let at = Verdict::ALL.iter().position(|v| *v == verdict).unwrap_or_default();
        let of = |counts: &[usize]| counts.get(at).copied().unwrap_or_default();
        (of(&self.before), of(&self.after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(origin: &str, verdict: &str) -> Found {
        Found {
            category: "EMAIL_ADDRESS".to_owned(),
            origin: origin.to_owned(),
            segment: 0,
            start: 0,
            end: 9,
            score: 900,
            detector: "email".to_owned(),
            view: "raw".to_owned(),
            verdict: verdict.to_owned(),
        }
    }

    #[test]
    fn what_the_caller_sent_itself_is_judged_by_no_profile_when_it_comes_back() {
        let text = "[[guard.rules]]\nfamily = 'personal_data'\nverdict = 'block'";
        let strict = GuardDraft::read(None, text, GuardMode::Enforce).expect("it holds").profile;
        let judge = |found: &Found, direction| {
            judged(found, direction, &HashMap::new(), &GuardProfile::default_profile(), &strict)
        };
        let answer = Direction::Response;
        assert_eq!(judge(&found("assistant", "redact"), answer), Some((Verdict::Redact, Verdict::Block)));
        assert_eq!(judge(&found("assistant", "allow"), answer), Some((Verdict::Allow, Verdict::Allow)));
        let request = judge(&found("user", "tokenise"), Direction::Request);
        assert_eq!(request, Some((Verdict::Tokenise, Verdict::Block)));
    }

    #[test]
    fn the_matrix_says_from_which_score_on() {
        let steps = steps(
            &GuardProfile::default_profile(),
            Category::PromptInjection,
            Origin::ToolResult,
            Direction::Request,
        );
        let shown: Vec<_> = steps.iter().map(|s| (s.min_score, s.verdict, s.yours)).collect();
        assert_eq!(shown, [(700, Verdict::Block, false), (0, Verdict::Flag, false)]);
    }

    #[test]
    fn the_matrix_says_what_holds_for_one_detector_and_what_is_not_looked_for() {
        let profile = GuardProfile::default_profile();
        let in_tools = steps(&profile, Category::InvisibleText, Origin::ToolResult, Direction::Request);
        let shown: Vec<_> = in_tools.iter().map(|s| (s.detector.as_deref(), s.verdict)).collect();
        assert_eq!(shown, [(Some("invisible.tag"), Verdict::Block), (None, Verdict::Flag)]);
        let by_user = steps(&profile, Category::InvisibleText, Origin::User, Direction::Request);
        assert_eq!(by_user.len(), 1, "what does not differ is not said twice");
        let back = |category| steps(&profile, category, Origin::Assistant, Direction::Response);
        assert!(back(Category::PromptInjection).is_empty() && !back(Category::CreditCard).is_empty());
    }

    #[test]
    fn the_rule_that_decided_about_a_recorded_finding_is_told() {
        let profile = GuardProfile::default_profile();
        let rule = rule_for(&profile, &found("user", "tokenise"), Direction::Request).expect("a rule");
        assert_eq!((rule.verdict, rule.min_score, rule.yours), (Verdict::Tokenise, 500, false));
    }
}
