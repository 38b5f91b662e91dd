//! What to do about which finding.
//!
//! A profile is a list of rules. The most specific rule that fits a finding decides: a rule for a detector goes before
//! one for a category, that before one for a family; then one for an origin before one for a trust before one for
//! neither; then one for a direction before one for both; then the higher `min_score`. What no rule fits passes.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt;

use bastide_types::{Category, Direction, Finding, GuardMode, Guarded, Origin, Score, Trust, Verdict};

/// What a rule or a mode speaks of, from the general to the specific.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Every category of a family.
    Family(Guarded),
    /// One category.
    Category(Category),
    /// One detector, by its id.
    Detector(Cow<'static, str>),
}

impl Target {
    fn covers(&self, finding: &Finding) -> bool {
        match self {
            Target::Family(family) => finding.category.family() == *family,
            Target::Category(category) => finding.category == *category,
            Target::Detector(id) => finding.detector == id,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Target::Family(_) => 0,
            Target::Category(_) => 1,
            Target::Detector(_) => 2,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Family(family) => f.write_str(match family {
                Guarded::PersonalData => "personal_data",
                Guarded::Secret => "secret",
                Guarded::Attack => "attack",
                Guarded::Own => "own",
            }),
            Target::Category(category) => write!(f, "{category}"),
            Target::Detector(id) => f.write_str(id),
        }
    }
}

/// From text a rule speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Anyone's.
    Anyone,
    /// Text of this trust.
    Trust(Trust),
    /// Text of this origin.
    Origin(Origin),
}

impl From {
    fn covers(self, origin: Origin, trust: Trust) -> bool {
        match self {
            From::Anyone => true,
            From::Trust(t) => t == trust,
            From::Origin(o) => o == origin,
        }
    }

    fn rank(self) -> u8 {
        match self {
            From::Anyone => 0,
            From::Trust(_) => 1,
            From::Origin(_) => 2,
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            From::Anyone => f.write_str("anyone"),
            From::Trust(Trust::Untrusted) => f.write_str("untrusted"),
            From::Trust(Trust::User) => f.write_str("trusted as user"),
            From::Trust(Trust::Operator) => f.write_str("trusted as operator"),
            From::Origin(origin) => write!(f, "{origin}"),
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What was found.
    pub target: Target,
    /// In whose text.
    pub from: From,
    /// In which half of the exchange; `None` is both.
    pub direction: Option<Direction>,
    /// From this score on.
    pub min_score: Score,
    /// What to do.
    pub verdict: Verdict,
}

impl Rule {
    /// A rule for anyone's text in both directions and any score.
    #[must_use]
    pub fn new(target: Target, verdict: Verdict) -> Rule {
        Rule { target, from: From::Anyone, direction: None, min_score: Score::per_mille(0), verdict }
    }

    /// The same rule for some text only.
    #[must_use]
    pub fn from(self, from: From) -> Rule {
        Rule { from, ..self }
    }

    /// The same rule in one direction only.
    #[must_use]
    pub fn towards(self, direction: Direction) -> Rule {
        Rule { direction: Some(direction), ..self }
    }

    /// The same rule from a score on.
    #[must_use]
    pub fn at(self, per_mille: u16) -> Rule {
        Rule { min_score: Score::per_mille(per_mille), ..self }
    }

    fn fits(&self, finding: &Finding, origin: Origin, trust: Trust, direction: Direction) -> bool {
        self.target.covers(finding)
            && self.from.covers(origin, trust)
            && self.direction.is_none_or(|d| d == direction)
            && finding.score >= self.min_score
    }

    fn rank(&self) -> (u8, u8, bool, Score) {
        (self.target.rank(), self.from.rank(), self.direction.is_some(), self.min_score)
    }

    fn same_place(&self, other: &Rule) -> bool {
        (&self.target, self.from, self.direction, self.min_score)
            == (&other.target, other.from, other.direction, other.min_score)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = self.direction.map_or_else(|| "both".to_owned(), |d| d.to_string());
        let (target, from) = (self.target.to_string(), self.from.to_string());
        write!(f, "{target:<24} {from:<20} {direction:<9} {} {}", self.min_score, self.verdict)
    }
}

/// A profile that contradicts itself or asks for what cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ProfileError {
    /// The field at fault, as a path: `rules[3].verdict`.
    pub field: String,
    /// What is wrong and what would be right.
    pub problem: String,
}

/// What the guard does about one finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What the rules say.
    pub verdict: Verdict,
    /// Whether the guard acts on it.
    pub mode: GuardMode,
    /// Which rule of [`GuardProfile::rules`] decided.
    pub rule: Option<usize>,
}

impl Judgement {
    /// What happens: nothing where the guard is off, at most a record where it observes.
    #[must_use]
    pub fn enforced(self) -> Verdict {
        match self.mode {
            GuardMode::Off => Verdict::Allow,
            GuardMode::Observe => self.verdict.min(Verdict::Flag),
            GuardMode::Enforce => self.verdict,
        }
    }
}

/// Which findings lead to which verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardProfile {
    rules: Vec<Rule>,
    modes: Vec<(Target, GuardMode)>,
    mode: GuardMode,
}

impl Default for GuardProfile {
    fn default() -> Self {
        GuardProfile::default_profile()
    }
}

impl GuardProfile {
    /// From rules in any order.
    ///
    /// # Errors
    /// When two rules speak of the same findings, or a verdict cannot be carried out.
    pub fn from_rules(rules: Vec<Rule>) -> Result<GuardProfile, ProfileError> {
        for (i, rule) in rules.iter().enumerate() {
            validate(i, rule, rules.get(..i).unwrap_or_default())?;
        }
        Ok(GuardProfile::sorted(rules))
    }

    fn sorted(mut rules: Vec<Rule>) -> GuardProfile {
        rules.sort_by_key(|rule| Reverse(rule.rank()));
        GuardProfile { rules, modes: Vec::new(), mode: GuardMode::Enforce }
    }

    /// The profile that holds where nothing is configured.
    ///
    /// - Personal data and secrets act from a score of 0.5: below it no check digit held and no word stood near.
    /// - Towards the model they are tokenised, so that the answer can be restored; towards the caller redacted, unless
    ///   the request held the same value, which the caller of [`GuardProfile::judge`] knows.
    /// - Injected instructions are blocked where only data belongs, from 0.7; in a user's own words from 0.9, for a
    ///   person may quote an attack; an operator's own prompt is never blocked. What the model itself wrote is
    ///   recorded only: else an answer that explains an attack would block every later turn of its conversation.
    /// - Invisible text is recorded; tag characters, which have no honest use, are blocked where only data belongs.
    /// - bastide's own placeholders pass.
    #[must_use]
    pub fn default_profile() -> GuardProfile {
        use Direction::{Request, Response};
        let untrusted = From::Trust(Trust::Untrusted);
        let user = From::Trust(Trust::User);
        let mut rules = Vec::new();
        for family in [Guarded::PersonalData, Guarded::Secret] {
            let of = || Target::Family(family);
            rules.push(Rule::new(of(), Verdict::Flag));
            rules.push(Rule::new(of(), Verdict::Tokenise).towards(Request).at(500));
            rules.push(Rule::new(of(), Verdict::Redact).towards(Response).at(500));
        }
        rules.push(Rule::new(Target::Family(Guarded::Attack), Verdict::Flag));
        let injection = || Target::Category(Category::PromptInjection);
        let tags = || Target::Detector("invisible.tag".into());
        rules.push(Rule::new(injection(), Verdict::Block).from(untrusted).towards(Request).at(700));
        rules.push(Rule::new(injection(), Verdict::Block).from(user).towards(Request).at(900));
        rules.push(Rule::new(tags(), Verdict::Block).from(untrusted).towards(Request));
        for origin in [Origin::Assistant, Origin::Reasoning, Origin::ToolCall] {
            rules.push(Rule::new(injection(), Verdict::Flag).from(From::Origin(origin)));
            rules.push(Rule::new(tags(), Verdict::Flag).from(From::Origin(origin)));
        }
        rules.push(Rule::new(Target::Family(Guarded::Own), Verdict::Allow));
        GuardProfile::sorted(rules)
    }

    /// The same profile in another mode.
    #[must_use]
    pub fn with_mode(self, mode: GuardMode) -> GuardProfile {
        GuardProfile { mode, ..self }
    }

    /// The same profile with a mode of its own for a family, a category or a detector; the most specific holds, of two
    /// alike the later.
    #[must_use]
    pub fn with_mode_for(mut self, target: Target, mode: GuardMode) -> GuardProfile {
        self.modes.retain(|(t, _)| *t != target);
        self.modes.push((target, mode));
        self.modes.sort_by_key(|(target, _)| Reverse(target.rank()));
        self
    }

    /// The rules, in the order in which they are tried.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The mode for what has none of its own.
    #[must_use]
    pub fn mode(&self) -> GuardMode {
        self.mode
    }

    /// Whether nothing is ever acted on nor recorded, so that inspection can be left out.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.mode == GuardMode::Off && self.modes.iter().all(|(_, mode)| *mode == GuardMode::Off)
    }

    /// What happens about a finding. In observing mode that is [`Verdict::Flag`] at most; [`GuardProfile::consider`]
    /// tells what it would have been.
    #[must_use]
    pub fn judge(&self, finding: &Finding, origin: Origin, trust: Trust, direction: Direction) -> Verdict {
        self.consider(finding, origin, trust, direction).enforced()
    }

    /// What the rules say about a finding, and whether the guard acts on it.
    #[must_use]
    pub fn consider(
        &self,
        finding: &Finding,
        origin: Origin,
        trust: Trust,
        direction: Direction,
    ) -> Judgement {
        let decided = self.rules.iter().enumerate().find(|(_, r)| r.fits(finding, origin, trust, direction));
        let mode = self.modes.iter().find(|(t, _)| t.covers(finding)).map_or(self.mode, |(_, mode)| *mode);
        Judgement {
            verdict: decided.map_or(Verdict::Allow, |(_, rule)| rule.verdict),
            mode,
            rule: decided.map(|(i, _)| i),
        }
    }

    /// The profile in a form that is the same for the same rules in any order: what its digest is made of.
    #[must_use]
    pub fn digest_input(&self) -> Vec<u8> {
        let mut lines: Vec<String> = self.rules.iter().map(|rule| format!("rule {rule}")).collect();
        lines.extend(self.modes.iter().map(|(target, mode)| format!("mode {target} {mode}")));
        lines.sort_unstable();
        format!("bastide-guard-profile/1\nmode {}\n{}\n", self.mode, lines.join("\n")).into_bytes()
    }
}

impl fmt::Display for GuardProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "mode {}", self.mode)?;
        for (target, mode) in &self.modes {
            writeln!(f, "mode {mode} for {target}")?;
        }
        writeln!(f, "{:<24} {:<20} {:<9} {:<5} verdict", "finding", "text from", "direction", "score")?;
        self.rules.iter().try_for_each(|rule| writeln!(f, "{rule}"))
    }
}

fn validate(index: usize, rule: &Rule, earlier: &[Rule]) -> Result<(), ProfileError> {
    let wrong = |field: &str, problem: String| {
        Err(ProfileError { field: format!("rules[{index}].{field}"), problem })
    };
    if let Some(same) = earlier.iter().position(|other| other.same_place(rule)) {
        return wrong("verdict", format!("`rules[{same}]` speaks of the same findings; keep one of the two"));
    }
    let family = match &rule.target {
        Target::Family(family) => Some(*family),
        Target::Category(category) => Some(category.family()),
        Target::Detector(id) if id.is_empty() => {
            return wrong(
                "target",
                "a detector id must not be empty; `bastide inspect --list` prints them".to_owned(),
            );
        }
        Target::Detector(_) => None,
    };
    match family {
        Some(Guarded::Own) if rule.verdict != Verdict::Allow => wrong(
            "verdict",
            format!("`{}` would break bastide's own placeholders; use `allow`", rule.verdict),
        ),
        Some(Guarded::Attack) if rule.verdict == Verdict::Tokenise => wrong(
            "verdict",
            "`tokenise` would bring the attack back when the answer is restored; use `redact` or `block`"
                .to_owned(),
        ),
        _ if rule.verdict == Verdict::Tokenise && rule.direction != Some(Direction::Request) => wrong(
            "verdict",
            "`tokenise` only makes sense towards the model; set `direction` to `request` or use `redact`"
                .to_owned(),
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
