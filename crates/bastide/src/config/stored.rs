//! The guard profile that was set in the console: in force where nobody said anything else.

use std::fmt;

use bastide_admin::{Explained, Failure, GuardDraft, Origin, could_not};
use bastide_store::{GuardProfileRow, Store};
use serde_json::json;

use super::Effective;

const GUARD: [&str; 2] = ["guard.mode", "guard.rules"];

/// Who said what the guard does, outside of the console: a flag, a variable or the settings file.
pub(crate) fn said_by(explained: &[Explained]) -> Option<&Origin> {
    let outside = |origin: &&Origin| !matches!(origin, Origin::Default | Origin::Console { .. });
    explained.iter().filter(|e| GUARD.contains(&e.name)).map(|e| &e.origin).find(outside)
}

/// Puts the stored guard profile in the place of the default one. Where anything was said of the guard, all of it holds
/// and nothing that is stored: half of each would be a guard that nobody wrote.
pub(crate) fn overlay(effective: Effective, store: &Store) -> Result<Effective, Failure> {
    match store.active_guard_profile().map_err(could_not)? {
        Some(row) if said_by(&effective.explained).is_none() => with_profile(effective, &row),
        _ => Ok(effective),
    }
}

/// A stored guard that does not hold, because something outside of the console says what the guard does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Displaced {
    version: u64,
    set_by: Option<String>,
    by: Origin,
}

impl Displaced {
    /// Which one, and who set it.
    pub(crate) fn which(&self) -> String {
        match &self.set_by {
            Some(name) => format!("guard version {}, set by {name},", self.version),
            None => format!("guard version {}", self.version),
        }
    }
}

impl fmt::Display for Displaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} no longer holds: {}", self.which(), self.by)
    }
}

/// The stored guard, where these settings keep it from holding.
pub(crate) fn displaced(effective: &Effective, store: &Store) -> Result<Option<Displaced>, Failure> {
    let Some(by) = said_by(&effective.explained) else { return Ok(None) };
    let row = store.active_guard_profile().map_err(could_not)?;
    Ok(row.map(|row| Displaced { version: row.version, set_by: row.set_by, by: by.clone() }))
}

fn with_profile(mut effective: Effective, row: &GuardProfileRow) -> Result<Effective, Failure> {
    let draft = GuardDraft::read(Some(row.mode), &row.text, row.mode).map_err(|failure| {
        Failure::could_not(format!(
            "the guard profile of version {}, set in the console, does not hold any more: {failure}; set another one with \
             `bastide guard set FILE`",
            row.version
        ))
    })?;
    effective.put_guard(&draft, row.version);
    Ok(effective)
}

impl Effective {
    /// Takes this guard, as set in the console.
    pub(crate) fn put_guard(&mut self, draft: &GuardDraft, version: u64) {
        self.settings.guard = draft.mode;
        self.settings.profile = draft.profile.clone();
        let values = [json!(draft.mode.as_str()), json!(draft.tables)];
        for (name, value) in GUARD.into_iter().zip(values) {
            for explained in self.explained.iter_mut().filter(|e| e.name == name) {
                explained.value = value.clone();
                explained.origin = Origin::Console { version };
            }
        }
    }
}
