//! The guard: what it does, its versions, what another one would have done, and a text to try it on.

use bastide_admin::{Failure, GuardPreview, GuardProfileRow, Request, Tried, show_time};
use bastide_types::{Origin, Verdict};

use super::config::no_version;
use crate::call::{Call, Refusal};
use crate::shapes::{
    GuardGiven, GuardPreviewed, GuardSet, GuardShown, GuardVersion, GuardVersionShown, OtherEnd, TextGiven,
};

pub(crate) async fn show(call: &Call<'_>, (): (), (): ()) -> Result<GuardShown, Refusal> {
    call.execute(Request::GuardShow).await
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
    let row = match call.segment.parse() {
        Ok(number) => call.admin().guard_version(number)?,
        Err(_) => None,
    };
    let row = row.ok_or_else(|| no_version("guard", &call.segment))?;
    Ok(GuardVersionShown { version: version_shown(&row), text: row.text })
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

fn version_shown(row: &GuardProfileRow) -> GuardVersion {
    GuardVersion {
        version: row.version,
        mode: row.mode.as_str(),
        set: show_time(row.set_at),
        set_by: row.set_by.clone(),
        newest: row.active,
        entry: row.intent_index,
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
        now: counted(|(now, _)| now),
        then: counted(|(_, then)| then),
        changed: preview.changed,
        changes: changes.collect(),
    }
}
