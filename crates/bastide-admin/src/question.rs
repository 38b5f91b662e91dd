//! A decision tried out: what the policies would say, and which of them, and why.

use std::sync::Arc;

use bastide_policy::{
    ActionKind, Facts, Invoke, Outcome, PolicySet, Receive, Release, Resource, Restore, Subject,
};
use bastide_types::{Category, PolicyEffect, Score, Verdict};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::{Admin, no_such};
use crate::bodies::off_the_runtime;
use crate::failure::{Failure, chain, could_not};

/// Tools of one question.
const MOST_TOOLS: usize = 64;

/// What is asked. What is left out is as in the simplest request.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Question {
    /// `invoke`, `release`, `receive` or `restore`.
    pub action: String,
    /// The key, by id or name.
    pub key: String,
    /// The model, as a caller names it.
    pub model: String,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether something cannot be inspected.
    pub unscanned: bool,
    /// Tools: offered, called, or the one whose arguments are written.
    pub tools: Vec<String>,
    /// What was found, each as sure as can be.
    pub categories: Vec<String>,
    /// The guard's verdict; `allow` when left out.
    pub verdict: Option<String>,
    /// Policies to ask instead of those in force.
    pub policies: Option<String>,
}

/// What the policies say.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Answer {
    /// Whether it is permitted.
    pub permitted: bool,
    /// The provider that the model leads to.
    pub provider: String,
    /// The model as policies speak of it.
    pub model: String,
    /// The policies that determined it.
    pub policies: Vec<String>,
    /// What a denied caller is told.
    pub refusal: Option<String>,
    /// Every policy that looked at the question, in the order of the text.
    pub looked: Vec<Looked>,
}

/// One policy's part in an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Looked {
    /// Its id.
    pub policy: String,
    /// `permit` or `forbid`.
    pub effect: &'static str,
    /// `holds`, `does not hold`, or why it could not be evaluated.
    pub outcome: String,
}

impl Admin {
    /// Asks the policies what they would decide. Nothing is sent or recorded.
    ///
    /// # Errors
    /// When the question names what is not there, or its policies do not parse.
    pub async fn ask_policies(self: &Arc<Self>, question: Question) -> Result<Answer, Failure> {
        // Its policies may be a text of megabytes.
        let admin = Arc::clone(self);
        off_the_runtime(move || admin.answer(&question)).await?
    }

    fn answer(&self, question: &Question) -> Result<Answer, Failure> {
        let keys = self.node.store.keys().map_err(could_not)?;
        let key = keys
            .iter()
            .find(|k| k.id.to_string() == question.key)
            .or_else(|| keys.iter().find(|k| k.name == question.key && k.revoked_at.is_none()))
            .ok_or_else(|| no_such("key", &question.key))?;
        let organisation = self
            .node
            .identity
            .organisation_of(key.project)
            .ok_or_else(|| Failure::could_not("the key's project is not there"))?;
        let subject = Subject { key: key.id, project: key.project, organisation, name: &key.name };
        let catalogue = match &self.gateway {
            Some(gateway) => gateway.catalogue(),
            None => Arc::new(self.node.catalogue()?),
        };
        // Keys in the records are never for the demo: that one is of this run of the server.
        let target = catalogue.resolve(&question.model, key.project, false);
        let demo = target.is_none();
        let target = target.or_else(|| catalogue.resolve(&question.model, key.project, true));
        let target = target.ok_or_else(|| {
            Failure::usage("no provider serves this key; add one with `bastide provider add`")
        })?;
        let provider =
            target.providers.first().ok_or_else(|| Failure::could_not("the model leads to no provider"))?;
        let resource =
            Resource { model: &target.model, provider: provider.name(), project: provider.project() };
        let findings = question
            .categories
            .iter()
            .map(|name| {
                Ok((name.parse::<Category>().map_err(|e| Failure::usage(e.to_string()))?, Score::MAX))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let verdict = match &question.verdict {
            None => Verdict::Allow,
            Some(text) => text.parse().map_err(|e: String| Failure::usage(e))?,
        };
        if question.tools.len() > MOST_TOOLS {
            return Err(Failure::usage(format!("ask about at most {MOST_TOOLS} tools at once")));
        }
        let facts = Facts {
            stream: question.stream,
            unscanned: question.unscanned,
            demo,
            tools: &question.tools,
            findings: &findings,
            verdict,
            origins: &[],
        };
        let policies = match (&question.policies, &self.gateway) {
            (Some(text), _) => {
                Arc::new(PolicySet::parse(text).map_err(|e| Failure::does_not_hold(chain(&e)))?)
            }
            (None, Some(gateway)) => gateway.policies(),
            (None, None) => Arc::new(self.node.policies()?),
        };
        match question.action.as_str() {
            "invoke" => Ok(answer::<Invoke>(&policies, &subject, &resource, &facts)),
            "release" => Ok(answer::<Release>(&policies, &subject, &resource, &facts)),
            "receive" => Ok(answer::<Receive>(&policies, &subject, &resource, &facts)),
            "restore" => Ok(answer::<Restore>(&policies, &subject, &resource, &facts)),
            other => {
                let shown: String = other.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(Failure::usage(format!(
                    "`{shown}` is not an action; use `invoke`, `release`, `receive` or `restore`"
                )))
            }
        }
    }
}

fn answer<A: ActionKind>(
    policies: &PolicySet,
    subject: &Subject<'_>,
    resource: &Resource<'_>,
    facts: &Facts<'_>,
) -> Answer {
    let (record, refusal) = match policies.authorize::<A>(subject, resource, facts) {
        Ok(permitted) => (permitted.into_decision(), None),
        Err(refusal) => (refusal.decision().clone(), Some(refusal.to_string())),
    };
    let looked = policies.explain::<A>(subject, resource, facts).into_iter().map(|explained| Looked {
        policy: explained.policy,
        effect: if explained.effect == PolicyEffect::Permit { "permit" } else { "forbid" },
        outcome: match explained.outcome {
            Outcome::Satisfied => "holds".to_owned(),
            Outcome::NotSatisfied => "does not hold".to_owned(),
            Outcome::Failed(why) => why,
        },
    });
    Answer {
        permitted: record.effect == PolicyEffect::Permit,
        provider: resource.provider.to_owned(),
        model: resource.model.to_owned(),
        policies: record.policies.to_vec(),
        refusal,
        looked: looked.collect(),
    }
}
