//! What was decided: a permission that cannot be forged, or a refusal that says why.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use bastide_types::{DecisionRecord, Digest, Fault, KeyId, PolicyEffect, Problem, Retry};

use crate::action::{Action, ActionKind};
use crate::scene::Scene;
use crate::subject::{Resource, Subject};

/// Policies named in one decision. A leaf of the log has 16 KiB and holds up to four decisions.
pub(crate) const MAX_NAMED: usize = 16;

/// Proof that a policy set permitted action `A` for one key and one model. Only
/// [`PolicySet::authorize`](crate::PolicySet::authorize) makes one.
#[derive(Debug)]
#[must_use]
pub struct Authorized<A: ActionKind> {
    scene: Arc<Scene>,
    record: DecisionRecord,
    policy: Digest,
    action: PhantomData<fn() -> A>,
}

impl<A: ActionKind> Authorized<A> {
    pub(crate) fn new(scene: Arc<Scene>, record: DecisionRecord, policy: Digest) -> Self {
        Authorized { scene, record, policy, action: PhantomData }
    }

    /// The decision, for the log: the policies that permitted it, at most 16.
    #[must_use]
    pub fn decision(&self) -> &DecisionRecord {
        &self.record
    }

    /// The decision, by value.
    #[must_use]
    pub fn into_decision(self) -> DecisionRecord {
        self.record
    }

    /// Digest of the policy set that decided.
    #[must_use]
    pub fn policy(&self) -> Digest {
        self.policy
    }

    /// Whose permission this is.
    #[must_use]
    pub fn key(&self) -> KeyId {
        self.scene.key
    }

    /// The model it is for.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.scene.model
    }

    /// The provider it is for.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.scene.provider
    }

    /// Whether it is for exactly these two: a check for code that got subject, resource and proof by different ways.
    #[must_use]
    pub fn covers(&self, subject: &Subject<'_>, resource: &Resource<'_>) -> bool {
        self.scene.is_of(subject, resource)
    }
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Policies forbid it.
    Forbidden,
    /// No policy permits it.
    NotPermitted,
    /// A policy could not be evaluated: a `forbid` that might have applied, or every `permit` that might have.
    Failed {
        /// What Cedar says, per policy.
        errors: Vec<String>,
    },
    /// The provider belongs to another project. No policy can change that.
    OtherProject,
    /// The facts cannot be put to the policies.
    Unusable {
        /// What is wrong with them.
        detail: String,
    },
}

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Box<Body>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Body {
    action: Action,
    model: String,
    provider: String,
    reason: Reason,
    ask: Vec<String>,
    record: DecisionRecord,
    policy: Digest,
}

impl Refusal {
    pub(crate) fn new(
        action: Action,
        resource: &Resource<'_>,
        policy: Digest,
        reason: Reason,
        policies: Vec<String>,
        ask: Vec<String>,
    ) -> Self {
        let record =
            DecisionRecord { action: action.name(), effect: PolicyEffect::Deny, policies: policies.into() };
        let (model, provider) = (shown(resource.model), shown(resource.provider));
        Refusal(Box::new(Body { action, model, provider, reason, ask, record, policy }))
    }

    /// The decision, for the log: the policies that denied it, at most 16; none when no policy permits it.
    #[must_use]
    pub fn decision(&self) -> &DecisionRecord {
        &self.0.record
    }

    /// Digest of the policy set that decided.
    #[must_use]
    pub fn policy(&self) -> Digest {
        self.0.policy
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.0.reason
    }

    /// As the caller sees it.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let (code, status, fault) = match self.0.reason {
            Reason::Forbidden | Reason::NotPermitted | Reason::OtherProject => {
                ("policy.denied", 403, Fault::Client)
            }
            Reason::Failed { .. } => ("policy.failed", 403, Fault::Operator),
            Reason::Unusable { .. } => ("policy.undecidable", 403, Fault::Client),
        };
        Problem::new(code, status, fault, Retry::Never, self.to_string())
    }
}

/// The caller's words, short and without control characters or backticks, fit for a message.
fn shown(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    let mut shown: String = text
        .chars()
        .take(MAX_CHARS)
        .map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|p| format!("`{p}`")).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Body { model, provider, reason, ask, record, .. } = &*self.0;
        let (name, to) = (self.0.action.name(), self.0.action.purpose());
        let (noun, verb) =
            if record.policies.len() == 1 { ("policy", "forbids") } else { ("policies", "forbid") };
        let ids = quoted(&record.policies);
        match reason {
            Reason::Forbidden => {
                write!(f, "{noun} {ids} {verb} this key to {to} model `{model}` of provider `{provider}`; ")?;
                if ask.is_empty() {
                    write!(f, "ask your project's administrator for an exception from {ids}")
                } else {
                    f.write_str(&ask.join("; "))
                }
            }
            Reason::NotPermitted => write!(
                f,
                "no policy permits this key to {to} model `{model}` of provider `{provider}`; ask your project's \
                 administrator for a policy that permits `{name}` on `{provider}/{model}`"
            ),
            Reason::Failed { .. } => write!(
                f,
                "{noun} {ids} could not be evaluated for `{name}` on model `{model}` of provider `{provider}`, so it \
                 is denied; ask your project's administrator to mend the policy"
            ),
            Reason::OtherProject => write!(
                f,
                "provider `{provider}` belongs to another project; ask your project's administrator to add the \
                 provider to this project or to share it"
            ),
            Reason::Unusable { detail } => write!(f, "{detail}"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_caller_wrote_is_tamed() {
        assert_eq!(shown("gpt\n`5`\u{1b}[0m"), "gpt\u{fffd}\u{fffd}5\u{fffd}\u{fffd}[0m");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 81);
    }
}
