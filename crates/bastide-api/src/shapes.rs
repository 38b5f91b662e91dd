//! What operations take and give that has no type of its own below. Their comments are the OpenAPI document's
//! descriptions.

use std::collections::BTreeMap;

use bastide_types::{Category, Origin, Role, Verdict};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

mod guard;

pub(crate) use guard::*;

fn one_of<'n>(names: impl Iterator<Item = &'n str>) -> Schema {
    json_schema!({"type": "string", "enum": names.collect::<Vec<_>>()})
}

fn verdicts(_: &mut SchemaGenerator) -> Schema {
    one_of(Verdict::ALL.iter().map(|v| v.as_str()))
}

fn categories(_: &mut SchemaGenerator) -> Schema {
    one_of(Category::ALL.iter().map(|c| c.as_str()))
}

fn origins(_: &mut SchemaGenerator) -> Schema {
    one_of(Origin::READ.iter().map(|o| o.as_str()))
}

fn roles(_: &mut SchemaGenerator) -> Schema {
    one_of(Role::ALL.iter().map(|r| r.as_str()))
}

/// Which exchanges are wanted. What is left out does not matter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExchangeQuery {
    /// With this verdict, the sterner one of the two halves.
    #[schemars(schema_with = "verdicts")]
    #[serde(default)]
    pub(crate) verdict: Option<String>,
    /// With a finding of this category in either half.
    #[schemars(schema_with = "categories")]
    #[serde(default)]
    pub(crate) category: Option<String>,
    /// Of this model, as the caller named it.
    pub(crate) model: Option<String>,
    /// Of the key with this id.
    pub(crate) key: Option<String>,
    /// Only those that a policy refused.
    #[serde(default)]
    pub(crate) denied: bool,
    /// Only those in which something was found.
    #[serde(default)]
    pub(crate) with_findings: bool,
    /// Before this entry of the log: `next` of the page before.
    pub(crate) before: Option<u64>,
    /// At most so many; 50 when left out, 500 at most.
    pub(crate) limit: Option<usize>,
}

/// How an exchange is shown.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShowQuery {
    /// Its texts by who said what, too.
    #[serde(default)]
    pub(crate) segments: bool,
}

/// Which slots are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrafficQuery {
    /// How long a slot is; a minute when left out.
    #[serde(default)]
    pub(crate) by: SlotLength,
    /// The newest so many, the running one last; 60 when left out, a day of minutes or 30 days of hours at most.
    pub(crate) count: Option<usize>,
}

/// How long a slot is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SlotLength {
    #[default]
    Minute,
    Hour,
}

/// What passed of late.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrafficShown {
    /// Oldest first; the last one still runs.
    pub(crate) slots: Vec<TrafficSlot>,
    /// The models of today (UTC), the most used first.
    pub(crate) models: Vec<ModelUsed>,
}

/// What passed in one slot of time.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TrafficSlot {
    /// When it begins, RFC 3339.
    pub(crate) from: String,
    /// Exchanges, refused ones included.
    pub(crate) exchanges: u32,
    /// Those that a verdict or a policy ended.
    pub(crate) blocked: u32,
    /// Those that something else than a decision ended early.
    pub(crate) failed: u32,
    /// Exchanges by verdict; what is left out is none.
    pub(crate) verdicts: BTreeMap<&'static str, u32>,
    /// Findings by category; what is left out is none.
    pub(crate) findings: BTreeMap<&'static str, u32>,
    /// Tokens in.
    pub(crate) input_tokens: u64,
    /// Tokens out.
    pub(crate) output_tokens: u64,
    /// Time in bastide itself that half of the exchanges took at most, in microseconds.
    pub(crate) own_p50_micros: Option<u64>,
    /// The same for 99 in a hundred.
    pub(crate) own_p99_micros: Option<u64>,
    /// Time until the end that half of them took at most.
    pub(crate) total_p50_micros: Option<u64>,
    /// The same for 99 in a hundred.
    pub(crate) total_p99_micros: Option<u64>,
}

/// What a model was used for today.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct ModelUsed {
    /// As callers named it.
    pub(crate) model: String,
    /// Exchanges, refused ones included.
    pub(crate) exchanges: u64,
    /// Those that a verdict or a policy ended.
    pub(crate) blocked: u64,
    /// Tokens in.
    pub(crate) input_tokens: u64,
    /// Tokens out.
    pub(crate) output_tokens: u64,
}

/// Which entries are wanted. What is left out does not matter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EntryQuery {
    /// Of this kind: `request`, `outcome`, `denied`, `changed`, `revealed`, `started` or `stopped`.
    pub(crate) kind: Option<String>,
    /// With this text in it, letter by letter.
    pub(crate) text: Option<String>,
    /// Before this entry: `next` of the page before.
    pub(crate) before: Option<u64>,
    /// At most so many; 50 when left out, 500 at most.
    pub(crate) limit: Option<usize>,
}

/// The newest signed checkpoint.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Checkpoint {
    /// The log's name.
    pub(crate) origin: String,
    /// The key that verifies it (c2sp.org/signed-note).
    pub(crate) key: String,
    /// The checkpoint (c2sp.org/tlog-checkpoint).
    pub(crate) checkpoint: String,
}

/// A receipt to check.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptGiven {
    /// The value of the `bastide-receipt` header.
    pub(crate) receipt: String,
}

/// A key.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Key {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// Its project, by name.
    project: Option<String>,
    /// Its project's id.
    project_id: String,
    /// Its first characters, to recognise it by.
    hint: String,
    /// `active`, `expired` or `revoked`.
    state: String,
    /// When it was made, RFC 3339.
    created: String,
    /// From when on it is refused.
    expires: Option<String>,
    /// When it was revoked.
    revoked: Option<String>,
    /// When it was last used, as far as it is known.
    last_use: Option<String>,
    /// What the log calls it.
    pseudonym: String,
    /// What it may use; one that is absent does not hold.
    limits: KeyLimits,
}

/// What a key may use.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeyLimits {
    /// Requests in any minute.
    requests_per_minute: Option<u64>,
    /// Tokens in any minute.
    tokens_per_minute: Option<u64>,
    /// Tokens in a day (UTC).
    tokens_per_day: Option<u64>,
    /// Exchanges at the same time.
    concurrency: Option<u64>,
}

/// A key that was made.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeyMade {
    #[serde(flatten)]
    made: Key,
    /// The key itself, shown here and nowhere else.
    key: String,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// How a key is rotated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotation {
    /// How long the key itself works on: `0`, or a span such as `1h`; a day when left out.
    pub(crate) overlap: Option<String>,
}

/// A key in the place of another.
#[derive(Serialize, Deserialize, JsonSchema)]
pub(crate) struct KeyRotated {
    #[serde(flatten)]
    made: KeyMade,
    /// The key before, and when it ends.
    old: Key,
}

/// What is to be erased.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Erasure {
    /// That it is meant: `true`.
    pub(crate) confirm: bool,
}

/// What was erased.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Erased {
    /// The key's id.
    id: String,
    /// Whether there was something to erase.
    erased: bool,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// A provider of models.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Provider {
    /// Its id; of the one on the command line there is none.
    id: Option<String>,
    /// What policies, models' prefixes and the log call it.
    name: String,
    /// Where its API is.
    base_url: String,
    /// Where its credential is: `none`, `sealed`, `env:NAME` or `file:PATH`; never the credential.
    credential: String,
    /// How it was given.
    given: String,
    /// `ready`, or why it cannot be used.
    state: Option<String>,
    /// Whose it is; everybody's when absent.
    project: Option<String>,
    /// The id of that project.
    project_id: Option<String>,
    /// When it was added, RFC 3339.
    created: Option<String>,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// A provider to be. Credentials in files and variables of the server are for whoever operates its machine: `bastide
/// provider add`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderGiven {
    /// What policies, models' prefixes and the log are to call it.
    pub(crate) name: String,
    /// Where its API is, as an SDK takes it.
    pub(crate) base_url: String,
    /// Its credential, which is kept sealed; left out where it needs none.
    pub(crate) credential: Option<String>,
    /// Reach it over `http://` on another machine too: prompts and answers then cross the network in clear.
    #[serde(default)]
    pub(crate) plain_http: bool,
    /// Whose it is, by name or id; everybody's when left out.
    pub(crate) project: Option<String>,
}

/// That something was changed.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Changed {
    /// What there is to know about it.
    #[serde(default)]
    pub(crate) warnings: Vec<String>,
}

/// What became of asking a provider.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Tested {
    /// The models it names.
    pub(crate) models: Vec<String>,
    /// Why it cannot be used; absent: it answered.
    pub(crate) failure: Option<String>,
    /// How long it took, in milliseconds.
    pub(crate) took_millis: u64,
}

/// A project.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Project {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// When it was made, RFC 3339.
    created: String,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// A project to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectGiven {
    /// Its name.
    pub(crate) name: String,
}

/// The policies in force.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Policies {
    /// Counts up with every change; 0: the built-in starter policy.
    version: u64,
    /// Their text, in Cedar.
    text: String,
}

/// Policies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PolicyText {
    /// Their text, in Cedar.
    pub(crate) text: String,
}

/// A version of the policies.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyVersion {
    /// Counts up; 0: the built-in starter policy.
    pub(crate) version: u64,
    /// When it came into force, RFC 3339; absent: it is built in.
    pub(crate) set: Option<String>,
    /// Who set it; absent: the operator on the machine, or it is built in.
    pub(crate) set_by: Option<String>,
    /// Whether it is in force.
    pub(crate) in_force: bool,
    /// The entry of the log that announced it; absent: it is built in.
    pub(crate) entry: Option<u64>,
}

/// A version of the policies, whole.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PolicyVersionShown {
    #[serde(flatten)]
    pub(crate) version: PolicyVersion,
    /// Their text, in Cedar.
    pub(crate) text: String,
}

/// Policies that were put in force.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PoliciesSet {
    /// Their version.
    version: u64,
    /// What is allowed and perhaps not meant.
    lints: Vec<String>,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// Policies that hold together.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct PoliciesChecked {
    /// How many.
    pub(crate) policies: usize,
    /// What is allowed and perhaps not meant.
    pub(crate) lints: Vec<String>,
}

/// What the names of a policy text lack.
#[derive(Debug, Deserialize)]
pub(crate) struct Missing {
    pub(crate) missing: Vec<String>,
}

/// A text to be inspected.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextGiven {
    /// The text.
    pub(crate) text: String,
    /// Who is to have written it; `user` when left out.
    #[schemars(schema_with = "origins")]
    #[serde(default)]
    pub(crate) origin: Option<String>,
}

/// What the server finds about itself.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Examined {
    /// Its version.
    pub(crate) version: &'static str,
    /// One for each check.
    pub(crate) findings: Vec<bastide_admin::Finding>,
}

/// What a reload did.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Reloaded {
    /// Settings that are other ones from now on.
    changed: Vec<String>,
    /// Settings that stay as they are until the next start.
    needs_restart: Vec<String>,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// What the server's own log shows.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LogLevel {
    /// The filter.
    filter: String,
    /// What there is to know besides.
    #[serde(default)]
    warnings: Vec<String>,
}

/// What the server's own log is to show.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogLevelGiven {
    /// A level, or one for a part, such as `info,bastide_gateway=debug`.
    pub(crate) filter: String,
}

/// Somebody who may sign in.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct UserShown {
    /// The id.
    pub(crate) id: String,
    /// What they sign in with.
    pub(crate) name: String,
    /// What they may do.
    #[schemars(schema_with = "roles")]
    pub(crate) role: &'static str,
    /// Whether they have an authenticator app.
    pub(crate) second_factor: bool,
    /// Whether they were let in without one for now.
    pub(crate) second_factor_deferred: bool,
    /// When they were added, RFC 3339.
    pub(crate) created: String,
    /// When their password was set.
    pub(crate) password_set: String,
    /// Since when they are refused; absent: they are not.
    pub(crate) disabled: Option<String>,
    /// What there is to know about a change that was made just now.
    pub(crate) warnings: Vec<String>,
}

/// An API token that holds.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TokenShown {
    /// Its id.
    id: String,
    /// Whose it is, by name.
    user: String,
    /// What it is called.
    name: Option<String>,
    /// What it may do at most.
    role: Option<String>,
    /// When it was made, RFC 3339.
    created: String,
    /// From when on it is refused.
    expires: String,
    /// When it was last used.
    seen: String,
}

/// A user to be.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserGiven {
    /// What they are to sign in with.
    pub(crate) name: String,
    /// What they may do.
    #[schemars(schema_with = "roles")]
    pub(crate) role: String,
    /// Their first password.
    pub(crate) password: String,
}

/// What is changed about a user.
#[derive(Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum UserChanged {
    /// What they may do.
    Role {
        /// The role.
        #[schemars(schema_with = "roles")]
        role: String,
    },
    /// Refuse them from now on.
    Disable,
    /// Let them in again.
    Enable,
    /// Sign them out everywhere, tokens included.
    EndSessions,
    /// Take their authenticator app away.
    RemoveTotp,
    /// Let them in without an authenticator app for now.
    DeferTotp,
    /// Give them another password; they are signed out everywhere.
    Password {
        /// The password.
        password: String,
    },
}

/// Whose token this is.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Myself {
    /// The user's id.
    pub(crate) user: String,
    /// What they sign in with.
    pub(crate) name: String,
    /// What they may do.
    pub(crate) role: &'static str,
    /// What this token may do.
    pub(crate) permissions: Vec<&'static str>,
    /// This token.
    pub(crate) session: SessionShown,
}

/// A session or token.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct SessionShown {
    /// Its id.
    pub(crate) id: String,
    /// `browser` or `token`.
    pub(crate) kind: &'static str,
    /// What a token is called.
    pub(crate) name: Option<String>,
    /// What a token may do at most.
    pub(crate) role: Option<&'static str>,
    /// When it was made, RFC 3339.
    pub(crate) created: String,
    /// From when on it is refused.
    pub(crate) expires: String,
    /// When it was last used.
    pub(crate) seen: String,
    /// What the browser or program called itself.
    pub(crate) user_agent: String,
    /// Where it was made from.
    pub(crate) address: String,
    /// Whether this request came with it.
    pub(crate) this: bool,
}
