//! A policy set: from text to decisions.

use std::collections::HashMap;
use std::sync::Arc;

use bastide_crypto::Sha256;
use bastide_types::{DecisionRecord, Digest, PolicyEffect};
use cedar_policy as cedar;
use cedar_policy::{Authorizer, Decision, Effect, PolicyId, Request};

use crate::action::{Action, ActionKind, Sealed};
use crate::context::context;
use crate::decision::{Authorized, MAX_NAMED, Reason, Refusal};
use crate::error::PolicyError;
use crate::index::Index;
use crate::lint::Lint;
use crate::load::{self, Loaded};
use crate::scene::{Scene, Scenes};
use crate::schema::Names;
use crate::subject::{Facts, Resource, Subject};

/// A checked and indexed set of policies. Immutable: a change is a new set.
#[derive(Debug)]
pub struct PolicySet {
    text: String,
    digest: Digest,
    lints: Vec<Lint>,
    names: Names,
    index: Index,
    meta: HashMap<PolicyId, Meta>,
    scenes: Scenes,
    authorizer: Authorizer,
}

/// What a decision needs to know of a policy besides its condition.
#[derive(Debug)]
pub(crate) struct Meta {
    pub(crate) effect: Effect,
    pub(crate) ask: Option<String>,
    /// Place in the text.
    pub(crate) order: usize,
}

/// How one policy came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its condition holds.
    Satisfied,
    /// Its condition does not hold.
    NotSatisfied,
    /// Its condition could not be evaluated.
    Failed(String),
}

/// One policy's part in a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The policy's id.
    pub policy: String,
    /// What it does when its condition holds.
    pub effect: PolicyEffect,
    /// Whether it did.
    pub outcome: Outcome,
}

/// Cedar's answer over all candidates, before our own rules.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    permits: Vec<PolicyId>,
    forbids: Vec<PolicyId>,
    errors: Vec<(PolicyId, String)>,
}

impl PolicySet {
    /// Parses, checks against the schema, lints and indexes. Takes about 0.2 ms per policy.
    ///
    /// # Errors
    /// Every problem of the text, each with its policy, line, column and remedy. Nothing is half in force.
    pub fn parse(text: &str) -> Result<PolicySet, PolicyError> {
        let Loaded { names, policies, lints, meta, schema_text } = load::load(text)?;
        let index = Index::build(policies, &names.actions)
            .map_err(|e| PolicyError::new([load::without_place(e.to_string())]))?;
        let mut digest = Sha256::new();
        // Lengths keep the two texts apart: moving a byte from one to the other changes the digest.
        digest.update(b"bastide policy set v1\0");
        digest.update(&(schema_text.len() as u64).to_be_bytes());
        digest.update(schema_text.as_bytes());
        digest.update(text.as_bytes());
        Ok(PolicySet {
            text: text.to_owned(),
            digest: Digest(digest.finish()),
            lints,
            names,
            index,
            meta,
            scenes: Scenes::default(),
            authorizer: Authorizer::new(),
        })
    }

    /// The policies a new installation begins with: keys call their own project's and shared providers, what the guard
    /// let through passes, nothing that cannot be inspected does.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a constant text that a test parses")]
    pub fn starter() -> PolicySet {
        PolicySet::parse(include_str!("starter.cedar")).expect("the starter policy is valid")
    }

    /// Digest of schema and text: what a decision was based on.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The text as given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is probably not meant, in the order of the text.
    #[must_use]
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// Number of policies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.meta.len()
    }

    /// Whether there is no policy; everything is denied then.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.meta.is_empty()
    }

    /// Decides.
    ///
    /// # Errors
    /// A refusal that names the policies, or says that none permits it; also for everything that went wrong.
    pub fn authorize<A: ActionKind>(
        &self,
        subject: &Subject<'_>,
        resource: &Resource<'_>,
        facts: &Facts<'_>,
    ) -> Result<Authorized<A>, Refusal> {
        let action = <A as Sealed>::ACTION;
        let refuse =
            |reason, policies, ask| Refusal::new(action, resource, self.digest, reason, policies, ask);
        let unasked = |reason| refuse(reason, Vec::new(), Vec::new());
        let scene = self.scene(subject, resource).map_err(unasked)?;
        let permits = scene.permits.get(action.slot());
        if let Some(record) = permits.and_then(|p| p.recall(facts)) {
            return Ok(Authorized::new(scene, record, self.digest));
        }
        let request = self.question(action, &scene, facts).map_err(unasked)?;
        let answer = self.answer(action, &scene, &request);

        // Cedar skips a policy it cannot evaluate. A forbid that might have applied denies instead.
        let failed = |effect: Effect| {
            let of_effect = move |id: &PolicyId| self.meta.get(id).is_none_or(|m| m.effect == effect);
            answer.errors.iter().filter(move |(id, _)| of_effect(id))
        };
        if !answer.forbids.is_empty() {
            let asks = answer.forbids.iter().filter_map(|id| self.meta.get(id)?.ask.clone()).collect();
            return Err(refuse(Reason::Forbidden, self.named(answer.forbids.iter()), asks));
        }
        let broken: Vec<_> = match failed(Effect::Forbid).next() {
            Some(_) => failed(Effect::Forbid).collect(),
            None if answer.permits.is_empty() => failed(Effect::Permit).collect(),
            None => Vec::new(),
        };
        if !broken.is_empty() {
            let errors = broken.iter().take(MAX_NAMED).map(|(_, e)| e.clone()).collect();
            let ids = self.named(broken.iter().map(|(id, _)| id));
            return Err(refuse(Reason::Failed { errors }, ids, Vec::new()));
        }
        if answer.permits.is_empty() {
            return Err(refuse(Reason::NotPermitted, Vec::new(), Vec::new()));
        }
        let policies = self.named(answer.permits.iter()).into();
        let record = DecisionRecord { action: A::NAME, effect: PolicyEffect::Permit, policies };
        if let Some(permits) = scene.permits.get(action.slot()) {
            permits.keep(facts, &record);
        }
        Ok(Authorized::new(scene, record, self.digest))
    }

    /// How each candidate policy came out, in the order of the text; empty when the question never reaches them.
    /// Evaluates one by one: for people, not for the path of a request.
    #[must_use]
    pub fn explain<A: ActionKind>(
        &self,
        subject: &Subject<'_>,
        resource: &Resource<'_>,
        facts: &Facts<'_>,
    ) -> Vec<Explanation> {
        let action = <A as Sealed>::ACTION;
        let Ok(scene) = self.scene(subject, resource) else { return Vec::new() };
        let Ok(request) = self.question(action, &scene, facts) else { return Vec::new() };
        let answer = self.answer(action, &scene, &request);
        let sets = scene.candidates.get(action.slot()).into_iter().flatten();
        let mut explained: Vec<(usize, Explanation)> = sets
            .flat_map(|set| set.policies())
            .map(|policy| {
                let id = policy.id();
                let outcome = match answer.errors.iter().find(|(e, _)| e == id) {
                    Some((_, error)) => Outcome::Failed(error.clone()),
                    None if answer.permits.contains(id) || answer.forbids.contains(id) => Outcome::Satisfied,
                    None => Outcome::NotSatisfied,
                };
                let effect = match policy.effect() {
                    Effect::Permit => PolicyEffect::Permit,
                    Effect::Forbid => PolicyEffect::Deny,
                };
                let order = self.meta.get(id).map_or(usize::MAX, |m| m.order);
                (order, Explanation { policy: id.to_string(), effect, outcome })
            })
            .collect();
        explained.sort_by_key(|(order, _)| *order);
        explained.into_iter().map(|(_, e)| e).collect()
    }

    /// Subject and resource as Cedar knows them, or why they cannot be put to it.
    fn scene(&self, subject: &Subject<'_>, resource: &Resource<'_>) -> Result<Arc<Scene>, Reason> {
        // The boundary between projects is not a matter of policy: one careless `permit (principal, action, resource)`
        // must not open another tenant's provider and credential.
        if resource.project.is_some_and(|owner| owner != subject.project) {
            return Err(Reason::OtherProject);
        }
        // `a/b` + `c` and `a` + `b/c` would be the same model id.
        if resource.provider.is_empty() || resource.provider.contains('/') {
            let detail = "a provider's name is not empty and has no `/`; rename the provider".to_owned();
            return Err(Reason::Unusable { detail });
        }
        self.scenes
            .get(subject, resource, || Scene::new(&self.names, &self.index, subject, resource))
            .map_err(|detail| Reason::Unusable { detail })
    }

    /// The question as Cedar takes it, or why it cannot be put.
    fn question(&self, action: Action, scene: &Scene, facts: &Facts<'_>) -> Result<Request, Reason> {
        let unusable = |detail| Reason::Unusable { detail };
        let unknown = || unusable(format!("action `{}` is not in the schema", action.name()));
        let name = self.names.actions.get(action.slot()).cloned().ok_or_else(unknown)?;
        let context = context(action, facts).map_err(unusable)?;
        Request::new(scene.principal.clone(), name, scene.resource.clone(), context, None)
            .map_err(|e| unusable(e.to_string()))
    }

    /// Cedar's answer: each candidate set on its own, put together as one flat evaluation would.
    fn answer(&self, action: Action, scene: &Scene, request: &Request) -> Answer {
        let mut answer = Answer::default();
        for set in scene.candidates.get(action.slot()).into_iter().flatten() {
            let response = self.authorizer.is_authorized(request, set, &scene.entities);
            // Of a set that denies, the reasons are the satisfied forbids; of one that allows, the satisfied permits.
            // A denying set's permits do not matter: a forbid beats every permit.
            let reasons = match response.decision() {
                Decision::Allow => &mut answer.permits,
                Decision::Deny => &mut answer.forbids,
            };
            reasons.extend(response.diagnostics().reason().cloned());
            answer.errors.extend(response.diagnostics().errors().map(|e| match e {
                cedar::AuthorizationError::PolicyEvaluationError(e) => (e.policy_id().clone(), e.to_string()),
            }));
        }
        answer
    }

    /// Names in the order of the text, at most [`MAX_NAMED`].
    fn named<'a>(&self, ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
        let mut ids: Vec<_> = ids.map(|id| (self.meta.get(id).map_or(usize::MAX, |m| m.order), id)).collect();
        ids.sort_by_key(|(order, _)| *order);
        ids.into_iter().take(MAX_NAMED).map(|(_, id)| id.to_string()).collect()
    }
}
