//! Providers, projects and policies.

use std::sync::Arc;

use bastide_admin::{
    Answer, CredentialGiven, Failure, PolicyVersion as Version, ProviderWanted, Question, Request, chain,
    could_not, no_such, show_time,
};
use bastide_gateway::Gateway;
use bastide_policy::PolicySet;

use crate::call::{Call, Refusal};
use crate::shapes::{
    Changed, Missing, Policies, PoliciesChecked, PoliciesSet, PolicyText, PolicyVersion, PolicyVersionShown,
    Project, ProjectGiven, Provider, ProviderGiven, Tested,
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
    call.execute(Request::PolicyShow { version: None }).await
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
    Ok(call.admin().ask_policies(question).await?)
}

pub(crate) async fn policy_versions(call: &Call<'_>, (): (), (): ()) -> Result<Vec<PolicyVersion>, Refusal> {
    Ok(call.admin().policy_versions()?.iter().map(version).collect())
}

pub(crate) async fn policy_version(call: &Call<'_>, (): (), (): ()) -> Result<PolicyVersionShown, Refusal> {
    let shown = call.admin().policy_version(version_number(call)?)?;
    Ok(PolicyVersionShown { version: version(&shown), text: shown.text })
}

fn version(version: &Version) -> PolicyVersion {
    let set = version.set.as_ref();
    PolicyVersion {
        version: version.version,
        set: set.map(|set| show_time(set.at)),
        set_by: set.and_then(|set| set.by.clone()),
        in_force: version.active,
        entry: set.map(|set| set.entry),
    }
}

/// The version that an address names.
pub(super) fn version_number(call: &Call<'_>) -> Result<u64, Failure> {
    call.segment.parse().map_err(|_| {
        let given: String = call.segment.chars().filter(|c| !c.is_control()).take(40).collect();
        Failure::not_found(format!("`{given}` is no version; `GET .../versions` lists them"))
    })
}

pub(super) fn gateway<'a>(call: &Call<'a>) -> Result<&'a Arc<Gateway>, Refusal> {
    let none = || Failure::could_not("no gateway runs here");
    Ok(call.admin().gateway.as_ref().ok_or_else(none)?)
}
