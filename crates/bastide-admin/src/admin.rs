//! Everything that may be asked of an installation besides serving, executed by a running server for its socket or by a
//! command that holds the folder itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use bastide_crypto::SystemRandom;
use bastide_gateway::{Credential, Gateway, PlainHttp, Provider};
use bastide_identity::{Authorized, KeyLimits, KeyRow, NewKey, Principal, ProjectRow};
use bastide_policy::PolicySet;
use bastide_store::{CredentialSource, NewProvider, ProviderRow};
use bastide_types::{ActorRef, KeyId, ProjectId, ProviderId, Secret, Timestamp};
use serde_json::{Value, json};

use crate::bodies::{Look, off_the_runtime};
use crate::change::{Changes, Made, Turn, What};
use crate::denials::Denials;
use crate::exchanges::KeyNames;
use crate::failure::{Failure, chain, could_not, identity_refused, store_refused};
use crate::models::KNOWN;
use crate::names::Names;
use crate::node::Node;
use crate::providers::FIXED;
use crate::request::{CredentialGiven, KeyWanted, ProviderWanted, Request};
use crate::time::{key_expiry, show_time};
use crate::usage;

/// Executes requests on a node.
pub struct Admin {
    /// The installation.
    pub node: Arc<Node>,
    /// The running gateway, to be told of changes.
    pub gateway: Option<Arc<Gateway>>,
    /// Who may change something now.
    pub changes: Changes,
    names: Mutex<Option<Arc<KeyNames>>>,
    pub(crate) denials: Denials,
    /// With which the demo is asked from here.
    pub(crate) demo: Mutex<Option<Arc<Principal>>>,
}

impl Admin {
    /// On a node, and on the gateway that serves from it.
    #[must_use]
    pub fn new(node: Arc<Node>, gateway: Option<Arc<Gateway>>) -> Self {
        Admin {
            changes: Changes::new(Arc::clone(&node)),
            names: Mutex::default(),
            denials: Denials::default(),
            demo: Mutex::default(),
            node,
            gateway,
        }
    }

    /// Executes one request for somebody who may. A change goes on to its end when the caller stops waiting.
    ///
    /// # Errors
    /// What was wrong with the request, or why it could not be done.
    pub async fn execute(self: &Arc<Self>, by: &Authorized, request: Request) -> Result<Value, Failure> {
        request.allowed(by)?;
        if let (Request::ProviderAdd(wanted), Some(_)) = (&request, by.user()) {
            only_own_credentials(wanted)?;
        }
        let actor = by.actor();
        let request = match self.ask_of_people(by, request).await {
            Ok(answered) => return answered,
            Err(other) => other,
        };
        match request {
            Request::KeyList => self.keys(),
            Request::ProviderList => self.providers(),
            Request::ProjectList => {
                Ok(self.node.store.projects().map_err(could_not)?.iter().map(show_project).collect())
            }
            Request::PolicyShow { version } => self.policies_shown(version),
            Request::PolicyHistory => self.policy_history(),
            Request::GuardShow { version } => self.guard_shown(version),
            Request::GuardHistory => self.guard_history(),
            Request::PolicyNames { text } => Ok(json!({ "missing": self.names()?.missing_in(&text) })),
            Request::LogPublish => {
                let log = self.node.log.clone();
                let publishing = tokio::task::spawn_blocking(move || log.publish_now().map(|()| log.size()));
                let size = publishing.await.map_err(could_not)?.map_err(could_not)?;
                Ok(json!({ "size": size }))
            }
            Request::ExchangeShow { exchange, reveal } => {
                let look = Look { reveal, segments: false };
                let shown = self.exchange_show(actor, &exchange, look).await?;
                serde_json::to_value(shown).map_err(could_not)
            }
            Request::TokenCreate(wanted) => self.token_create(by, wanted).await,
            Request::TokenList => self.tokens(),
            Request::TokenRevoke { token } => self.token_revoke(actor, &token).await,
            Request::ConfigReload
            | Request::ConfigExplain
            | Request::LogLevel { .. }
            | Request::Doctor
            | Request::Ready => {
                Err(Failure::could_not("there is no server here that this could be asked of"))
            }
            change => {
                let admin = Arc::clone(self);
                let by = by.clone();
                let changing = tokio::spawn(async move { admin.change(&by, change).await });
                changing.await.map_err(could_not)?
            }
        }
    }

    /// The keys by their names in the log, which are asked for with every list.
    pub(crate) fn key_names(&self) -> Result<Arc<KeyNames>, Failure> {
        let mut held = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match &*held {
            Some(names) => Ok(Arc::clone(names)),
            None => Ok(Arc::clone(held.insert(Arc::new(self.node.key_names()?)))),
        }
    }

    pub(crate) fn names_changed(&self) {
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Makes one change in a task of its own.
    pub(crate) async fn make<T: Send + 'static>(
        self: &Arc<Self>,
        actor: ActorRef,
        what: What,
        apply: impl FnOnce(u64) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Made<T>, Failure> {
        let admin = Arc::clone(self);
        let making = tokio::spawn(async move {
            let mut turn = admin.changes.turn(actor).await?;
            let given = turn.change(what, apply).await?;
            Ok(Made { given, warnings: turn.into_warnings() })
        });
        making.await.map_err(could_not)?
    }

    async fn change(&self, by: &Authorized, request: Request) -> Result<Value, Failure> {
        let mut turn = self.changes.turn(by.actor()).await?;
        let mut answer = match request {
            Request::KeyCreate(wanted) => self.key_create(&mut turn, wanted).await?,
            Request::KeyRevoke { key } => self.key_revoke(&mut turn, &key).await?,
            Request::KeyRotate { key, overlap } => {
                self.key_rotate(&mut turn, &key, overlap.as_deref()).await?
            }
            Request::ProviderAdd(wanted) => self.provider_add(&mut turn, wanted).await?,
            Request::ProviderRemove { name } => self.provider_remove(&mut turn, &name).await?,
            Request::ProjectCreate { name } => self.project_create(&mut turn, &name).await?,
            Request::PolicySet { text } => {
                let set_by = self.name_of(by)?;
                self.policy_set(&mut turn, &text, set_by.as_deref()).await?
            }
            Request::GuardSet { mode, rules } => {
                // Without a server: it is in force with the next start.
                let draft = self.guard_draft(mode.as_deref(), rules.as_deref())?;
                self.guard_set(&mut turn, self.name_of(by)?.as_deref(), &draft, |_| ()).await?
            }
            Request::SubjectErase { key } => self.subject_erase(&mut turn, &key).await?,
            other => return Err(Failure::could_not(format!("`{other:?}` changes nothing"))),
        };
        answer["warnings"] = Value::from(turn.into_warnings());
        Ok(answer)
    }

    async fn key_create(&self, turn: &mut Turn<'_>, wanted: KeyWanted) -> Result<Value, Failure> {
        let project = self.project(wanted.project.as_deref())?;
        let expires_at = key_expiry(wanted.expires.as_deref(), self.node.identity.now())?;
        let limits = KeyLimits {
            requests_per_minute: wanted.requests_per_minute,
            tokens_per_minute: wanted.tokens_per_minute,
            tokens_per_day: wanted.tokens_per_day,
            concurrency: wanted.concurrency.map(u64::from),
        };
        let name = wanted.name.clone();
        let new = NewKey { name: wanted.name, project, expires_at, limits, demo: false };
        let prepared = self.node.identity.prepare_key(new, None).map_err(identity_refused)?;
        let mut keys = self.node.store.keys().map_err(could_not)?.into_iter();
        if let Some(there) = keys.find(|k| k.name == name && k.project == project && k.revoked_at.is_none()) {
            let state = if expired(&there, self.node.identity.now()) {
                "has expired but is not revoked"
            } else {
                "exists"
            };
            return Err(Failure::could_not(format!(
                "a key named `{name}` {state}; revoke it (`bastide key revoke {}`) or choose another name",
                there.id
            )));
        }
        let what = What { action: "key.create", resource: prepared.id().to_string(), state: None };
        let (row, key) = turn
            .change(what, |intent| {
                let made = self.node.identity.create_prepared(prepared, intent).map_err(identity_refused)?;
                self.names_changed();
                if let Some(gateway) = &self.gateway {
                    gateway.keys_changed();
                }
                Ok(made)
            })
            .await?;
        let mut shown = self.show_key(&row)?;
        shown["key"] = Value::from(key.expose().as_str());
        Ok(shown)
    }

    async fn key_revoke(&self, turn: &mut Turn<'_>, key: &str) -> Result<Value, Failure> {
        let id = self.key_named(key)?;
        let what = What { action: "key.revoke", resource: id.to_string(), state: None };
        let row = turn
            .change(what, |intent| {
                let revoked = self.node.identity.revoke_key(id, intent).map_err(identity_refused);
                // Even where the row could not be written, the key is refused from here on.
                if let Some(gateway) = &self.gateway {
                    gateway.rights_changed();
                }
                revoked
            })
            .await?;
        self.show_key(&row)
    }

    /// The key with this id, or the one that is not revoked with this name; of several, the one that still works.
    pub(crate) fn key_named(&self, key: &str) -> Result<KeyId, Failure> {
        let keys = self.node.store.keys().map_err(could_not)?;
        if let Ok(id) = key.parse::<KeyId>() {
            let known = keys.iter().any(|k| k.id == id);
            return known.then_some(id).ok_or_else(|| no_such("key", key));
        }
        let mut live: Vec<_> = keys.iter().filter(|k| k.name == key && k.revoked_at.is_none()).collect();
        if live.len() > 1 {
            let now = self.node.identity.now();
            live.retain(|k| !expired(k, now));
        }
        match live.as_slice() {
            [one] => Ok(one.id),
            [] if keys.iter().any(|k| k.name == key) => {
                Err(Failure::could_not(format!("the key `{key}` is revoked already")))
            }
            [] => Err(no_such("key", key)),
            _ => {
                let what = format!("several keys are named `{key}`; give the id, from `bastide key list`");
                Err(Failure::could_not(what))
            }
        }
    }

    async fn provider_add(&self, turn: &mut Turn<'_>, wanted: ProviderWanted) -> Result<Value, Failure> {
        let (name, base_url) = (&*wanted.name, &*wanted.base_url);
        let project = wanted.project.as_deref().map(|p| self.project(Some(p))).transpose()?;
        let id = ProviderId::from_bytes(SystemRandom.bytes());
        let source = match wanted.credential {
            CredentialGiven::None => CredentialSource::None,
            CredentialGiven::Env { name } => CredentialSource::Env(name),
            CredentialGiven::File { path } => CredentialSource::File(path),
            CredentialGiven::Sealed { value } => self.node.seal_credential(&Secret::new(value), id),
        };
        let credential = match &source {
            // The server's environment counts, and this is not the server: any credential says whether the URL may
            // carry one.
            CredentialSource::Env(_) if self.gateway.is_none() => {
                Some(Credential::bearer(&Secret::new("any".to_owned())).map_err(could_not)?)
            }
            source => self.node.credential(source, id)?,
        };
        let plain = match wanted.plain_http {
            true => PlainHttp::Anywhere,
            false => PlainHttp::LoopbackOnly("--plain-http"),
        };
        Provider::new(name, base_url, credential, project, plain).map_err(|e| Failure::usage(chain(&e)))?;
        let what = What { action: "provider.add", resource: name.to_owned(), state: None };
        let missed = turn
            .change(what, |intent| {
                let new = NewProvider { id, project, name, base_url, credential: &source };
                self.node.store.add_provider(&new, self.node.clock.now(), intent).map_err(store_refused)?;
                Ok(self.providers_changed())
            })
            .await?;
        turn.warn(missed);
        let rows = self.node.store.providers().map_err(could_not)?;
        Ok(rows.iter().find(|p| p.id == id).map(|p| self.show_provider(p)).transpose()?.unwrap_or_default())
    }

    async fn provider_remove(&self, turn: &mut Turn<'_>, name: &str) -> Result<Value, Failure> {
        if !self.node.store.providers().map_err(could_not)?.iter().any(|p| p.name == name) {
            if name == FIXED && self.node.fixed_provider.is_some() {
                return Err(Failure::could_not(format!(
                    "the provider `{name}` is given on the command line; start the server without `--upstream`"
                )));
            }
            return Err(no_such("provider", name));
        }
        let what = What { action: "provider.remove", resource: name.to_owned(), state: None };
        let missed = turn
            .change(what, |intent| {
                self.node
                    .store
                    .remove_provider(name, self.node.clock.now(), intent)
                    .map_err(store_refused)?;
                Ok(self.providers_changed())
            })
            .await?;
        turn.warn(missed);
        Ok(json!({"name": name, "removed": true}))
    }

    /// Puts the providers of the store in force; what to tell the operator when that could not be done.
    fn providers_changed(&self) -> Option<String> {
        let gateway = self.gateway.as_ref()?;
        match self.node.catalogue() {
            Ok(catalogue) => {
                gateway.set_catalogue(Arc::new(catalogue));
                None
            }
            Err(failure) => Some(format!(
                "the running server goes on with the providers of before: {failure}; restart it"
            )),
        }
    }

    async fn project_create(&self, turn: &mut Turn<'_>, name: &str) -> Result<Value, Failure> {
        let organisations = self.node.identity.organisations().map_err(could_not)?;
        let first = organisations.first().ok_or_else(|| Failure::could_not("there is no organisation"))?;
        let what = What { action: "project.create", resource: name.to_owned(), state: None };
        let row = turn
            .change(what, |intent| {
                self.node.identity.create_project(first.id, name, intent).map_err(identity_refused)
            })
            .await?;
        Ok(show_project(&row))
    }

    async fn policy_set(
        &self,
        turn: &mut Turn<'_>,
        text: &str,
        set_by: Option<&str>,
    ) -> Result<Value, Failure> {
        let parsed = text.to_owned();
        // A text of megabytes takes seconds to parse.
        let parsing = off_the_runtime(move || PolicySet::parse(&parsed)).await?;
        let policies = Arc::new(parsing.map_err(|e| Failure::does_not_hold(chain(&e)))?);
        let digest = policies.digest();
        let mut lints: Vec<String> = policies.lints().iter().map(ToString::to_string).collect();
        lints.extend(self.names()?.missing_in(text));
        let what = What { action: "policy.set", resource: "policies".to_owned(), state: Some(digest) };
        let version = turn
            .change(what, |intent| {
                let at = self.node.clock.now();
                let set = self.node.store.set_policy_by(text, digest, set_by, at, intent);
                let version = set.map_err(store_refused)?;
                if let Some(gateway) = &self.gateway {
                    gateway.set_policies(policies);
                }
                Ok(version)
            })
            .await?;
        Ok(json!({"version": version, "lints": lints}))
    }

    fn project(&self, given: Option<&str>) -> Result<ProjectId, Failure> {
        let projects = self.node.store.projects().map_err(could_not)?;
        let found = match given {
            None => projects.first(),
            Some(text) => projects.iter().find(|p| p.name == text || p.id.to_string() == text),
        };
        found.map(|p| p.id).ok_or_else(|| no_such("project", given.unwrap_or("default")))
    }

    pub(crate) fn project_names(&self) -> Result<HashMap<ProjectId, String>, Failure> {
        Ok(self.node.store.projects().map_err(could_not)?.into_iter().map(|p| (p.id, p.name)).collect())
    }

    fn keys(&self) -> Result<Value, Failure> {
        let rows = self.node.store.keys().map_err(could_not)?;
        let names = self.project_names()?;
        let used = match &self.gateway {
            Some(gateway) => gateway.ledger().snapshot(),
            None => usage::read(self.node.dir()).unwrap_or_default(),
        };
        let used: HashMap<KeyId, Timestamp> =
            used.into_iter().filter_map(|usage| Some((usage.key, usage.last_use?))).collect();
        let now = self.node.identity.now();
        let shown = |key: &KeyRow| {
            let mut shown = show_key(key, &names, used.get(&key.id).copied(), now);
            shown["pseudonym"] = Value::from(self.pseudonym(key.id));
            shown
        };
        Ok(rows.iter().map(shown).collect())
    }

    pub(crate) fn show_key(&self, row: &KeyRow) -> Result<Value, Failure> {
        let mut shown = show_key(row, &self.project_names()?, None, self.node.identity.now());
        shown["pseudonym"] = Value::from(self.pseudonym(row.id));
        Ok(shown)
    }

    /// What the log calls a key, as its entries show it.
    pub(crate) fn pseudonym(&self, key: KeyId) -> String {
        self.node.subjects.pseudonym(key).0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn providers(&self) -> Result<Value, Failure> {
        let rows = self.node.store.providers().map_err(could_not)?;
        let mut shown = rows.iter().map(|row| self.show_provider(row)).collect::<Result<Vec<_>, _>>()?;
        shown.extend(self.node.fixed_provider.as_ref().map(|fixed| {
            json!({
                "id": null,
                "name": fixed.provider.name(),
                "base_url": fixed.base_url,
                "credential": fixed.credential,
                "given": "serve --upstream",
                "state": "ready",
                "project": null,
                "project_id": null,
                "created": null,
            })
        }));
        Ok(Value::from(shown))
    }

    /// A provider, with its state in the running server where there is one.
    fn show_provider(&self, row: &ProviderRow) -> Result<Value, Failure> {
        let state = self.gateway.as_ref().and_then(|gateway| {
            let catalogue = gateway.catalogue();
            let provider = catalogue.providers().iter().find(|p| p.name() == row.name)?;
            Some(provider.unusable_because().map_or("ready".to_owned(), |why| format!("unusable: {why}")))
        });
        let mut shown = show_provider(row, &self.project_names()?);
        shown["state"] = Value::from(state);
        Ok(shown)
    }

    /// What policies can name.
    pub(crate) fn names(&self) -> Result<Names, Failure> {
        let store = &self.node.store;
        let organisations = self.node.identity.organisations().map_err(could_not)?;
        let mut providers: BTreeSet<String> =
            store.providers().map_err(could_not)?.into_iter().map(|row| row.name).collect();
        // Those that no row is needed for.
        providers.extend([FIXED.to_owned(), "demo".to_owned()]);
        Ok(Names {
            organisations: organisations.iter().map(|row| row.id.to_string()).collect(),
            projects: self.project_names()?.into_iter().map(|(id, name)| (id.to_string(), name)).collect(),
            providers,
            keys: store.keys().map_err(could_not)?.into_iter().map(|k| (k.id.to_string(), k.name)).collect(),
        })
    }
}

/// Whoever may add a provider names a server, and the credential is sent there: a person must not have a file or variable
/// of this machine sent to a server of their choice. The operator on the machine can read both anyway.
fn only_own_credentials(wanted: &ProviderWanted) -> Result<(), Failure> {
    let usual = |name: &str| {
        KNOWN.iter().any(|known| known.base_url == wanted.base_url && known.variable == Some(name))
    };
    match &wanted.credential {
        CredentialGiven::None | CredentialGiven::Sealed { .. } => Ok(()),
        CredentialGiven::Env { name } if usual(name) => Ok(()),
        CredentialGiven::Env { .. } | CredentialGiven::File { .. } => Err(Failure::denied(
            "a credential in a variable or file of the server is named on the machine only \
             (`bastide provider add NAME --key-env VARIABLE`); give the credential itself, it is kept sealed",
        )),
    }
}

/// There is nothing of this kind with the name that was given.
#[must_use]
pub fn no_such(what: &str, given: &str) -> Failure {
    let shown: String = given.chars().filter(|c| !c.is_control()).take(100).collect();
    Failure::not_found(format!("there is no {what} `{shown}`; `bastide {what} list` shows them"))
}

pub(crate) fn expired(key: &KeyRow, now: Timestamp) -> bool {
    key.expires_at.is_some_and(|at| at <= now)
}

fn show_key(
    key: &KeyRow,
    projects: &HashMap<ProjectId, String>,
    last_use: Option<Timestamp>,
    now: Timestamp,
) -> Value {
    let state = match key.revoked_at {
        Some(_) => "revoked",
        None if expired(key, now) => "expired",
        None => "active",
    };
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "project": projects.get(&key.project),
        "project_id": key.project.to_string(),
        "hint": key.hint,
        "state": state,
        "created": show_time(key.created_at),
        "expires": key.expires_at.map(show_time),
        "revoked": key.revoked_at.map(show_time),
        "last_use": last_use.map(show_time),
        "limits": {
            "requests_per_minute": key.limits.requests_per_minute,
            "tokens_per_minute": key.limits.tokens_per_minute,
            "tokens_per_day": key.limits.tokens_per_day,
            "concurrency": key.limits.concurrency,
        },
    })
}

fn show_project(row: &ProjectRow) -> Value {
    json!({"id": row.id.to_string(), "name": row.name, "created": show_time(row.created_at)})
}

fn show_provider(row: &ProviderRow, projects: &HashMap<ProjectId, String>) -> Value {
    let credential = match &row.credential {
        CredentialSource::None => "none".to_owned(),
        CredentialSource::Env(name) => format!("env:{name}"),
        CredentialSource::File(path) => format!("file:{path}"),
        CredentialSource::Sealed(_) => "sealed".to_owned(),
    };
    json!({
        "id": row.id.to_string(),
        "name": row.name,
        "base_url": row.base_url,
        "credential": credential,
        "given": "provider add",
        "project": row.project.as_ref().map(|p| projects.get(p)),
        "project_id": row.project.map(|p| p.to_string()),
        "created": show_time(row.created_at),
    })
}

#[cfg(test)]
mod tests;
