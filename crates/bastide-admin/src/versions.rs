//! What policies and guard were before: every version that was set, and the one that is built in.
//!
//! An installation begins with a starter policy and the guard's default rules, which nobody set. They are version 0, so
//! that the first change can be taken back like every other.

use bastide_inspect::GuardProfile;
use bastide_policy::PolicySet;
use bastide_store::{GuardProfileRow, PolicyRow};
use bastide_types::{Digest, GuardMode, Timestamp};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::failure::{Failure, could_not};
use crate::time::show_time;

/// The version that nobody set.
pub const BUILT_IN: u64 = 0;
/// Versions that a list shows, besides the one that is built in.
const MOST: u32 = 200;

/// A version of the policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyVersion {
    /// Counts up; [`BUILT_IN`] is the starter policy.
    pub version: u64,
    /// The text.
    pub text: String,
    /// Its digest, as entries of the log have it.
    pub digest: Digest,
    /// Whether it is in force.
    pub active: bool,
    /// `None`: it is built in.
    pub set: Option<WasSet>,
}

/// A version of the guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardVersion {
    /// Counts up; [`BUILT_IN`] has the default rules alone.
    pub version: u64,
    /// Whether it acts.
    pub mode: GuardMode,
    /// Its rules as they were written.
    pub text: String,
    /// The digest of its profile, as entries of the log have it.
    pub digest: Digest,
    /// Whether it is the newest; in force unless something outside of the console says what the guard does.
    pub active: bool,
    /// `None`: it is built in.
    pub set: Option<WasSet>,
}

/// How a version came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WasSet {
    /// When.
    pub at: Timestamp,
    /// Who did it; `None`: the operator on the machine.
    pub by: Option<String>,
    /// The entry of the log that announced it.
    pub entry: u64,
}

impl PolicyVersion {
    fn built_in(active: bool) -> Self {
        let starter = PolicySet::starter();
        let (text, digest) = (starter.text().to_owned(), starter.digest());
        PolicyVersion { version: BUILT_IN, text, digest, active, set: None }
    }
}

impl From<PolicyRow> for PolicyVersion {
    fn from(row: PolicyRow) -> Self {
        let set = Some(WasSet { at: row.set_at, by: row.set_by, entry: row.intent_index });
        PolicyVersion { version: row.version, text: row.text, digest: row.digest, active: row.active, set }
    }
}

impl GuardVersion {
    fn built_in(active: bool) -> Self {
        let digest = Digest(bastide_crypto::sha256(&GuardProfile::default_profile().digest_input()));
        let (version, mode, text) = (BUILT_IN, GuardMode::default(), String::new());
        GuardVersion { version, mode, text, digest, active, set: None }
    }
}

impl From<GuardProfileRow> for GuardVersion {
    fn from(row: GuardProfileRow) -> Self {
        let set = Some(WasSet { at: row.set_at, by: row.set_by, entry: row.intent_index });
        let (version, mode, digest) = (row.version, row.mode, row.digest);
        GuardVersion { version, mode, text: row.text, digest, active: row.active, set }
    }
}

impl Admin {
    /// The newest versions of the policies, newest first, and the one that is built in.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn policy_versions(&self) -> Result<Vec<PolicyVersion>, Failure> {
        let rows = self.node.store.policies(MOST).map_err(could_not)?;
        let starter = PolicyVersion::built_in(rows.is_empty());
        Ok(rows.into_iter().map(PolicyVersion::from).chain([starter]).collect())
    }

    /// One version of the policies.
    ///
    /// # Errors
    /// When there is none of this number, or the records cannot be read.
    pub fn policy_version(&self, version: u64) -> Result<PolicyVersion, Failure> {
        if version == BUILT_IN {
            let active = self.node.store.active_policy().map_err(could_not)?;
            return Ok(PolicyVersion::built_in(active.is_none()));
        }
        let row = self.node.store.policy(version).map_err(could_not)?;
        row.map(PolicyVersion::from).ok_or_else(|| no_version("policies", version))
    }

    /// The version of the policies that is in force.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn policies_now(&self) -> Result<PolicyVersion, Failure> {
        let active = self.node.store.active_policy().map_err(could_not)?;
        Ok(active.map_or_else(|| PolicyVersion::built_in(true), PolicyVersion::from))
    }

    /// The newest versions of the guard, newest first, and the one that is built in.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn guard_versions(&self) -> Result<Vec<GuardVersion>, Failure> {
        let rows = self.node.store.guard_profiles(MOST).map_err(could_not)?;
        let defaults = GuardVersion::built_in(rows.is_empty());
        Ok(rows.into_iter().map(GuardVersion::from).chain([defaults]).collect())
    }

    /// One version of the guard.
    ///
    /// # Errors
    /// When there is none of this number, or the records cannot be read.
    pub fn guard_version(&self, version: u64) -> Result<GuardVersion, Failure> {
        if version == BUILT_IN {
            let active = self.node.store.active_guard_profile().map_err(could_not)?;
            return Ok(GuardVersion::built_in(active.is_none()));
        }
        let row = self.node.store.guard_profile(version).map_err(could_not)?;
        row.map(GuardVersion::from).ok_or_else(|| no_version("guard", version))
    }

    pub(crate) fn policies_shown(&self, version: Option<u64>) -> Result<Value, Failure> {
        let shown = match version {
            None => self.policies_now()?,
            Some(version) => self.policy_version(version)?,
        };
        Ok(json!({ "version": shown.version, "text": shown.text }))
    }

    pub(crate) fn policy_history(&self) -> Result<Value, Failure> {
        let shown = self.policy_versions()?.into_iter().map(|version| {
            let state = if version.active { "in force" } else { "before" };
            with_set(json!({ "version": version.version.to_string(), "state": state }), version.set)
        });
        Ok(shown.collect())
    }

    pub(crate) fn guard_history(&self) -> Result<Value, Failure> {
        let shown = self.guard_versions()?.into_iter().map(|version| {
            let state = if version.active { "stored" } else { "before" };
            let (number, mode) = (version.version.to_string(), version.mode.as_str());
            with_set(json!({ "version": number, "mode": mode, "state": state }), version.set)
        });
        Ok(shown.collect())
    }
}

/// A version for a program, with how it came to be.
fn with_set(mut version: Value, set: Option<WasSet>) -> Value {
    version["set"] = Value::from(set.as_ref().map_or_else(|| "built in".to_owned(), |set| show_time(set.at)));
    version["set_by"] = Value::from(set.and_then(|set| set.by));
    version
}

fn no_version(of: &str, version: u64) -> Failure {
    let command = if of == "guard" { "guard" } else { "policy" };
    Failure::not_found(format!(
        "there is no version {version} of the {of}; `bastide {command} history` lists them"
    ))
}
