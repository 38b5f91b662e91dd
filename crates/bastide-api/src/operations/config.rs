//! Providers, projects, policies and the guard.

use std::sync::Arc;

use bastide_admin::{
    Answer, CredentialGiven, Failure, ProviderWanted, Question, Request, Tried, chain, could_not, no_such,
};
use bastide_gateway::Gateway;
use bastide_policy::PolicySet;
use bastide_types::{Direction, Origin};

use crate::call::{Call, Refusal};
use crate::shapes::{
    Changed, GuardRule, GuardShown, Missing, Policies, PoliciesChecked, PoliciesSet, PolicyText, Project,
    ProjectGiven, Provider, ProviderGiven, Tested, TextGiven,
};

pub(crate) async fn providers(call: &Call<'_>, (): (), (): ()) -> Result<Vec<Provider>, Refusal> {
    call.execute(Request::ProviderList).await
}

pub(crate) async fn add_provider(call: &Call<'_>, (): (), given: ProviderGiven) -> Result<Provider, Refusal> {
    // Never a file or variable of the server: a token could have any of them sent to an address of its choice.
    let credential = match given.credential.map(|value| value.trim().to_owned()) {
        None => CredentialGiven::None,
        Some(value) if value.is_empty() => {
            return Err(Failure::usage("the credential is empty; leave it out where none is needed").into());
        }
        Some(value) => CredentialGiven::Sealed { value },
    };
    let wanted = ProviderWanted {
        name: given.name,
        base_url: given.base_url,
        credential,
        plain_http: given.plain_http,
        project: given.project,
    };
    call.execute(Request::ProviderAdd(wanted)).await
}

pub(crate) async fn remove_provider(call: &Call<'_>, (): (), (): ()) -> Result<Changed, Refusal> {
    call.execute(Request::ProviderRemove { name: call.segment.clone() }).await
}

pub(crate) async fn test_provider(call: &Call<'_>, (): (), (): ()) -> Result<Tested, Refusal> {
    let probe = gateway(call)?.probe(&call.segment).await;
    let probe = probe.ok_or_else(|| no_such("provider", &call.segment))?;
    let took_millis = u64::try_from(probe.took.as_millis()).unwrap_or(u64::MAX);
    Ok(Tested { models: probe.models, failure: probe.failure, took_millis })
}

pub(crate) async fn projects(call: &Call<'_>, (): (), (): ()) -> Result<Vec<Project>, Refusal> {
    call.execute(Request::ProjectList).await
}

pub(crate) async fn create_project(call: &Call<'_>, (): (), given: ProjectGiven) -> Result<Project, Refusal> {
    call.execute(Request::ProjectCreate { name: given.name }).await
}

pub(crate) async fn policies(call: &Call<'_>, (): (), (): ()) -> Result<Policies, Refusal> {
    call.execute(Request::PolicyShow).await
}

pub(crate) async fn set_policies(call: &Call<'_>, (): (), given: PolicyText) -> Result<PoliciesSet, Refusal> {
    call.execute(Request::PolicySet { text: given.text }).await
}

pub(crate) async fn check_policies(
    call: &Call<'_>,
    (): (),
    given: PolicyText,
) -> Result<PoliciesChecked, Refusal> {
    let text = given.text.clone();
    // A long text takes a while to parse.
    let parsing = tokio::task::spawn_blocking(move || {
        let set = PolicySet::parse(&text).map_err(|e| Failure::does_not_hold(chain(&e)))?;
        Ok::<_, Failure>((set.len(), set.lints().iter().map(ToString::to_string).collect::<Vec<_>>()))
    });
    let (policies, mut lints) = parsing.await.map_err(could_not)??;
    let named: Missing = call.execute(Request::PolicyNames { text: given.text }).await?;
    lints.extend(named.missing);
    Ok(PoliciesChecked { policies, lints })
}

pub(crate) async fn ask_policies(call: &Call<'_>, (): (), question: Question) -> Result<Answer, Refusal> {
    let admin = Arc::clone(call.admin());
    let asking = tokio::task::spawn_blocking(move || admin.ask_policies(&question));
    Ok(asking.await.map_err(could_not)??)
}

pub(crate) async fn guard(call: &Call<'_>, (): (), (): ()) -> Result<GuardShown, Refusal> {
    let guard = gateway(call)?.guard();
    let rules = guard.profile().rules().iter().map(|rule| GuardRule {
        target: rule.target.to_string(),
        from: rule.from.to_string(),
        direction: rule.direction.map(|direction| match direction {
            Direction::Request => "request",
            Direction::Response => "response",
        }),
        min_score: rule.min_score.get(),
        verdict: rule.verdict.as_str(),
    });
    Ok(GuardShown { mode: guard.mode().as_str(), rules: rules.collect() })
}

pub(crate) async fn inspect(call: &Call<'_>, (): (), given: TextGiven) -> Result<Tried, Refusal> {
    let origin = match given.origin.as_deref() {
        None => Origin::User,
        Some(name) => Origin::ALL.iter().copied().find(|o| o.as_str() == name).ok_or_else(|| {
            let shown: String = name.chars().take(40).collect();
            let known: Vec<String> = Origin::ALL.iter().map(|o| format!("`{o}`")).collect();
            Failure::usage(format!("`{shown}` is not an origin; use one of {}", known.join(", ")))
        })?,
    };
    Ok(call.admin().try_text(origin, given.text).await?)
}

fn gateway<'a>(call: &Call<'a>) -> Result<&'a Arc<Gateway>, Refusal> {
    let none = || Failure::could_not("no gateway runs here");
    Ok(call.admin().gateway.as_ref().ok_or_else(none)?)
}
