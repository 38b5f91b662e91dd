//! Versions of policies and guard: how each came to be.

use bastide_admin::{WasSet, to_hex};
use bastide_types::{Digest, Timestamp};

use crate::design::{Facts, Href, Html, Id, Link, When};

/// When and by whom, as cells of a history.
pub(super) fn cells(set: Option<&WasSet>, now: Timestamp) -> [Html; 2] {
    match set {
        Some(set) => [When::new(set.at, now).into(), set.by.as_deref().unwrap_or("operator").into()],
        None => ["built in".into(), "nobody".into()],
    }
}

/// What there is to say of one version.
pub(super) fn facts(facts: Facts, set: Option<&WasSet>, digest: &Digest, now: Timestamp) -> Facts {
    let facts = facts.fact("Digest", Id::new(to_hex(&digest.0)));
    let Some(set) = set else {
        return facts.fact("Set", "by nobody: it is built in, and an installation begins with it");
    };
    let entry = Href::page("/console/log").segment(&set.entry.to_string());
    facts
        .fact("Set", When::new(set.at, now))
        .fact("By", set.by.as_deref().unwrap_or("the operator on the machine"))
        .fact("Entry of the log", Link::new(entry, format!("#{}", set.entry)))
}
