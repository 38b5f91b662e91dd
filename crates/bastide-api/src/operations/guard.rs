//! The guard: what it does, its versions, what another one would have done, and a text to try it on.

use bastide_admin::{Failure, GuardPreview, GuardVersion as Version, Request, Tried, show_time};
use bastide_types::{Origin, Verdict};

use super::config::version_number;
use crate::call::{Call, Refusal};
use crate::shapes::{
    GuardGiven, GuardPreviewed, GuardSet, GuardShown, GuardVersion, GuardVersionShown, OtherEnd, TextGiven,
};

pub(crate) async fn show(call: &Call<'_>, (): (), (): ()) -> Result<GuardShown, Refusal> {
    call.execute(Request::GuardShow { version: None }).await
}

pub(crate) async fn set(call: &Call<'_>, (): (), given: GuardGiven) -> Result<GuardSet, Refusal> {
    call.execute(Request::GuardSet { mode: given.mode, rules: given.rules }).await
}

pub(crate) async fn preview(call: &Call<'_>, (): (), given: GuardGiven) -> Result<GuardPreviewed, Refusal> {
    let draft = call.admin().guard_draft(given.mode.as_deref(), given.rules.as_deref())?;
    Ok(previewed(&call.admin().guard_preview(&draft).await?))
}

pub(crate) async fn versions(call: &Call<'_>, (): (), (): ()) -> Result<Vec<GuardVersion>, Refusal> {
    Ok(call.admin().guard_versions()?.iter().map(version_shown).collect())
}

pub(crate) async fn version(call: &Call<'_>, (): (), (): ()) -> Result<GuardVersionShown, Refusal> {
    let version = call.admin().guard_version(version_number(call)?)?;
    Ok(GuardVersionShown { version: version_shown(&version), text: version.text })
}

pub(crate) async fn inspect(call: &Call<'_>, (): (), given: TextGiven) -> Result<Tried, Refusal> {
    let origin = match given.origin.as_deref() {
        None => Origin::User,
        Some(name) => Origin::READ.iter().copied().find(|o| o.as_str() == name).ok_or_else(|| {
            let shown: String = name.chars().take(40).collect();
            let known: Vec<String> = Origin::READ.iter().map(|o| format!("`{o}`")).collect();
            Failure::usage(format!("`{shown}` is not an origin; use one of {}", known.join(", ")))
        })?,
    };
    Ok(call.admin().try_text(origin, given.text).await?)
}

fn version_shown(version: &Version) -> GuardVersion {
    let set = version.set.as_ref();
    GuardVersion {
        version: version.version,
        mode: version.mode.as_str(),
        set: set.map(|set| show_time(set.at)),
        set_by: set.and_then(|set| set.by.clone()),
        newest: version.active,
        entry: set.map(|set| set.entry),
    }
}

fn previewed(preview: &GuardPreview) -> GuardPreviewed {
    let counted = |which: fn((usize, usize)) -> usize| {
        let counts = Verdict::ALL.iter().map(|v| (v.as_str(), which(preview.counts(*v))));
        counts.filter(|(_, count)| *count > 0).collect()
    };
    let changes = preview.list.iter().map(|change| OtherEnd {
        exchange: change.exchange.clone(),
        at: show_time(change.at),
        model: change.model.clone(),
        from: change.from.as_str(),
        to: change.to.as_str(),
        categories: change.categories.clone(),
    });
    GuardPreviewed {
        exchanges: preview.exchanges,
        findings: preview.findings,
        cut: preview.cut,
        denied: preview.denied,
        now: counted(|(now, _)| now),
        then: counted(|(_, then)| then),
        changed: preview.changed,
        changes: changes.collect(),
    }
}
