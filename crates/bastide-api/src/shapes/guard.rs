//! The guard, as the management API shows and takes it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the guard does.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GuardShown {
    /// `enforce`, `observe` or `off`.
    mode: String,
    /// Its rules, the defaults included; the most specific one that fits a finding decides, and what none fits passes.
    rules: Vec<GuardRule>,
    /// The version that was stored last; 0: none was, and the built-in rules hold.
    version: u64,
    /// The rules of that version as they were written, in the form of the settings file.
    text: String,
    /// The digest of the rules in force, as entries of the log have it.
    profile: String,
    /// The flag, variable or setting that says what the guard does, and wins over what is stored.
    #[serde(default)]
    locked_by: Option<String>,
}

/// A rule of the guard.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GuardRule {
    /// What was found: a category, a family or a detector.
    finding: String,
    /// In whose text.
    from: String,
    /// `request` or `response`; both when absent.
    direction: Option<String>,
    /// From this score on, in per mille.
    min_score: u16,
    /// What is done.
    verdict: String,
    /// Whether it is the operator's; else it is one of the defaults.
    yours: bool,
}

/// A guard to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardGiven {
    /// `enforce`, `observe` or `off`; as before when left out.
    pub(crate) mode: Option<String>,
    /// Rules in the form of the settings file (`[[guard.rules]]`); as stored before when left out.
    pub(crate) rules: Option<String>,
}

/// A guard that was put in force.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GuardSet {
    /// Its version.
    version: u64,
    /// Its mode.
    mode: String,
    /// How many rules it has besides the defaults.
    rules: usize,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// A version of the guard.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GuardVersion {
    /// Counts up; 0: the built-in rules alone.
    pub(crate) version: u64,
    /// `enforce`, `observe` or `off`.
    pub(crate) mode: &'static str,
    /// When it was set, RFC 3339; absent: it is built in.
    pub(crate) set: Option<String>,
    /// Who set it; absent: the operator on the machine, or it is built in.
    pub(crate) set_by: Option<String>,
    /// Whether it was stored last; in force unless a flag, a variable or the settings file says otherwise.
    pub(crate) newest: bool,
    /// The entry of the log that announced it; absent: it is built in.
    pub(crate) entry: Option<u64>,
}

/// A version of the guard, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GuardVersionShown {
    #[serde(flatten)]
    pub(crate) version: GuardVersion,
    /// Its rules as they were written.
    pub(crate) text: String,
}

/// What another guard would have made of the newest exchanges.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct GuardPreviewed {
    /// Exchanges that were looked at: the newest.
    pub(crate) exchanges: usize,
    /// Findings in them.
    pub(crate) findings: usize,
    /// Exchanges with more findings than the log lists: theirs are judged by those it does.
    pub(crate) cut: usize,
    /// Exchanges that a policy refused: they end like that with either guard.
    pub(crate) denied: usize,
    /// Exchanges by verdict with the guard in force; what is left out is none.
    pub(crate) now: BTreeMap<&'static str, usize>,
    /// The same with the other one.
    pub(crate) then: BTreeMap<&'static str, usize>,
    /// How many would end otherwise.
    pub(crate) changed: usize,
    /// The newest of them.
    pub(crate) changes: Vec<OtherEnd>,
}

/// An exchange that would end otherwise.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct OtherEnd {
    /// Its id.
    pub(crate) exchange: String,
    /// When it was, RFC 3339.
    pub(crate) at: String,
    /// The model as the caller named it.
    pub(crate) model: String,
    /// What the guard in force does about it.
    pub(crate) from: &'static str,
    /// What the other one would do.
    pub(crate) to: &'static str,
    /// Which findings it is about, by category.
    pub(crate) categories: Vec<String>,
}
