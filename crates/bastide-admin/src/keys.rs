//! Keys as pages show them, and their rotation.

use std::collections::HashMap;

use bastide_identity::{KeyLimits, KeyRow};
use bastide_types::{KeyId, Timestamp};
use serde_json::Value;

use crate::admin::{Admin, expired};
use crate::change::{Turn, What};
use crate::failure::{Failure, could_not, identity_refused};
use crate::time::overlap;
use crate::usage;

/// How long a key still works after its rotation unless somebody says otherwise: everybody is back at work by then.
const OVERLAP: &str = "24h";

/// How a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Active,
    /// It has expired.
    Expired,
    /// It was revoked.
    Revoked,
}

impl KeyState {
    /// `active`, `expired` or `revoked`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            KeyState::Active => "active",
            KeyState::Expired => "expired",
            KeyState::Revoked => "revoked",
        }
    }
}

/// What is known of a key.
#[derive(Clone, Debug)]
pub struct KeyFacts {
    /// Its id.
    pub id: KeyId,
    /// What people call it.
    pub name: String,
    /// Its project's name.
    pub project: String,
    /// The beginning of the key.
    pub hint: String,
    /// How it stands.
    pub state: KeyState,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is refused.
    pub expires_at: Option<Timestamp>,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as far as that is known.
    pub last_use: Option<Timestamp>,
    /// What it may use.
    pub limits: KeyLimits,
    /// Tokens of today (UTC).
    pub used_today: u64,
    /// What the log calls it, in hexadecimal.
    pub pseudonym: String,
    /// The key that a rotation put in its place.
    pub successor: Option<KeyId>,
}

impl Admin {
    /// All keys, the newest first, revoked and expired ones included.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn all_keys(&self) -> Result<Vec<KeyFacts>, Failure> {
        let rows = self.node.store.keys().map_err(could_not)?;
        let projects = self.project_names()?;
        let used = match &self.gateway {
            Some(gateway) => gateway.ledger().snapshot(),
            None => usage::read(self.node.dir()).unwrap_or_default(),
        };
        let used: HashMap<KeyId, _> = used.into_iter().map(|u| (u.key, u)).collect();
        let now = self.node.identity.now();
        let today = now.as_micros() / MICROS_PER_DAY;
        let facts = |row: &KeyRow| {
            let usage = used.get(&row.id);
            KeyFacts {
                id: row.id,
                name: row.name.clone(),
                project: projects.get(&row.project).cloned().unwrap_or_default(),
                hint: row.hint.clone(),
                state: match row.revoked_at {
                    Some(_) => KeyState::Revoked,
                    None if expired(row, now) => KeyState::Expired,
                    None => KeyState::Active,
                },
                created_at: row.created_at,
                expires_at: row.expires_at,
                revoked_at: row.revoked_at,
                last_use: usage.and_then(|u| u.last_use),
                limits: row.limits,
                used_today: usage.filter(|u| u.day == today).map_or(0, |u| u.tokens),
                pseudonym: self.pseudonym(row.id),
                successor: successor(row, &rows),
            }
        };
        Ok(rows.iter().rev().map(facts).collect())
    }

    /// One key, by its id.
    ///
    /// # Errors
    /// When there is none, or the records cannot be read.
    pub fn one_key(&self, id: &str) -> Result<KeyFacts, Failure> {
        let keys = self.all_keys()?.into_iter();
        keys.into_iter().find(|k| k.id.to_string() == id).ok_or_else(|| crate::admin::no_such("key", id))
    }

    /// Makes a successor of a key, which itself works on for a while.
    pub(crate) async fn key_rotate(
        &self,
        turn: &mut Turn<'_>,
        key: &str,
        for_how_long: Option<&str>,
    ) -> Result<Value, Failure> {
        let overlap = overlap(for_how_long.unwrap_or(OVERLAP))?;
        let id = self.key_named(key)?;
        let rows = self.node.store.keys().map_err(could_not)?;
        let row = rows.iter().find(|k| k.id == id).ok_or_else(|| crate::admin::no_such("key", key))?;
        if let Some(successor) = successor(row, &rows) {
            let why = format!("the key `{key}` has a successor already, `{successor}`; rotate that one");
            return Err(Failure::could_not(why));
        }
        if row.revoked_at.is_some() {
            return Err(Failure::could_not(format!(
                "the key `{key}` is revoked, so nothing can take its place without a gap; make a new one"
            )));
        }
        let prepared = self.node.identity.prepare_successor(row).map_err(identity_refused)?;
        let resource = format!("{id} to {}", prepared.id());
        let what = What { action: "key.rotate", resource, state: None };
        let (old, new, secret) = turn
            .change(what, |intent| {
                let ends = self.node.identity.now().plus(overlap);
                let rotated = self.node.identity.rotate_prepared(id, ends, prepared, intent);
                let rotated = rotated.map_err(identity_refused)?;
                self.names_changed();
                if let Some(gateway) = &self.gateway {
                    gateway.keys_changed();
                    // Without an overlap its streams end now.
                    gateway.rights_changed();
                }
                Ok(rotated)
            })
            .await?;
        let mut shown = self.show_key(&new)?;
        shown["key"] = Value::from(secret.expose().as_str());
        shown["old"] = self.show_key(&old)?;
        Ok(shown)
    }
}

const MICROS_PER_DAY: u64 = 86_400_000_000;

/// The newest key in the place of one that was rotated: of the same name and project, made while the other still held
/// and not before it. Only a rotation lets two such keys be.
fn successor(row: &KeyRow, rows: &[KeyRow]) -> Option<KeyId> {
    let takes_over = |other: &&KeyRow| {
        other.id != row.id
            && other.name == row.name
            && other.project == row.project
            && other.intent_index > row.intent_index
            && row.revoked_at.is_none_or(|at| at > other.created_at)
    };
    rows.iter().rev().find(takes_over).map(|other| other.id)
}
