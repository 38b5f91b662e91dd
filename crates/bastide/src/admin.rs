//! Everything that may be asked of an installation besides serving: one list of requests, executed by a running server
//! for its socket or by a command that holds the folder itself.
//!
//! Every change is an intent in the log, then the row that carries the intent's index, then its outcome in the log.

use std::sync::Arc;

use bastide_crypto::{SystemRandom, seal};
use bastide_gateway::{Catalogue, Credential, Gateway, Provider};
use bastide_identity::NewKey;
use bastide_policy::PolicySet;
use bastide_store::{CredentialSource, KeyLimits, NewProvider, ProviderRow};
use bastide_types::{
    ActorRef, Digest, Event, KeyId, Mutation, MutationPhase, ProjectId, ProviderId, Secret, Timestamp,
};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::{Failure, chain, could_not};
use crate::node::Node;

/// A request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    KeyCreate {
        name: String,
        project: Option<String>,
        expires: Option<String>,
        requests_per_minute: Option<u64>,
        tokens_per_minute: Option<u64>,
        tokens_per_day: Option<u64>,
        concurrency: Option<u32>,
    },
    KeyList,
    KeyRevoke {
        key: String,
    },
    ProviderAdd {
        name: String,
        base_url: String,
        credential: CredentialGiven,
        project: Option<String>,
    },
    ProviderList,
    ProviderRemove {
        name: String,
    },
    ProjectCreate {
        name: String,
    },
    ProjectList,
    PolicyShow,
    PolicySet {
        text: String,
    },
    /// Bring the published log up to date.
    LogPublish,
    /// The entries and kept bodies of an exchange.
    ExchangeShow {
        exchange: String,
        reveal: bool,
    },
    /// Destroy the key of one of the log's subjects.
    SubjectErase {
        key: String,
    },
}

/// How a provider's credential is given.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum CredentialGiven {
    None,
    Env { name: String },
    File { path: String },
    Sealed { value: String },
}

impl std::fmt::Debug for CredentialGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CredentialGiven::None => "none",
            CredentialGiven::Env { .. } => "env",
            CredentialGiven::File { .. } => "file",
            CredentialGiven::Sealed { .. } => "[secret]",
        })
    }
}

/// Executes requests on a node.
pub(crate) struct Admin {
    pub(crate) node: Arc<Node>,
    /// The running gateway, to be told of changes.
    pub(crate) gateway: Option<Arc<Gateway>>,
}

impl Admin {
    /// Executes one request for the operator on this machine.
    pub(crate) async fn execute(&self, uid: u32, request: Request) -> Result<Value, Failure> {
        let actor = ActorRef::LocalOperator { uid };
        match request {
            Request::KeyCreate { .. } => self.key_create(actor, request).await,
            Request::KeyList => Ok(Value::from(
                self.node
                    .store
                    .keys()
                    .map_err(could_not)?
                    .iter()
                    .map(|k| self.show_key(k))
                    .collect::<Vec<_>>(),
            )),
            Request::KeyRevoke { key } => self.key_revoke(actor, &key).await,
            Request::ProviderAdd { name, base_url, credential, project } => {
                self.provider_add(actor, &name, &base_url, credential, project).await
            }
            Request::ProviderList => Ok(Value::from(
                self.node.store.providers().map_err(could_not)?.iter().map(show_provider).collect::<Vec<_>>(),
            )),
            Request::ProviderRemove { name } => self.provider_remove(actor, &name).await,
            Request::ProjectCreate { name } => self.project_create(actor, &name).await,
            Request::ProjectList => {
                let projects = self.node.store.projects().map_err(could_not)?;
                Ok(Value::from(
                    projects
                        .iter()
                        .map(|p| json!({"id": p.id.to_string(), "name": p.name, "created": show_time(p.created_at)}))
                        .collect::<Vec<_>>(),
                ))
            }
            Request::PolicyShow => {
                let active = self.node.store.active_policy().map_err(could_not)?;
                Ok(json!({
                    "version": active.as_ref().map(|p| p.version),
                    "text": active.map_or_else(|| PolicySet::starter().text().to_owned(), |p| p.text),
                }))
            }
            Request::PolicySet { text } => self.policy_set(actor, &text).await,
            Request::LogPublish => {
                self.node.log.publish_now().map_err(could_not)?;
                Ok(json!({"size": self.node.log.size()}))
            }
            Request::ExchangeShow { exchange, reveal } => self.exchange_show(actor, &exchange, reveal).await,
            Request::SubjectErase { key } => self.subject_erase(actor, &key).await,
        }
    }

    async fn key_create(&self, actor: ActorRef, request: Request) -> Result<Value, Failure> {
        let Request::KeyCreate {
            name,
            project,
            expires,
            requests_per_minute,
            tokens_per_minute,
            tokens_per_day,
            concurrency,
        } = request
        else {
            return Err(Failure::usage("no request for a key"));
        };
        let project = self.project(project.as_deref())?;
        let now = self.node.clock.now();
        let expires_at = expires.as_deref().map(|text| when(text, now)).transpose()?;
        let limits = KeyLimits {
            requests_per_minute,
            tokens_per_minute,
            tokens_per_day,
            concurrency: concurrency.map(u64::from),
        };
        let new = NewKey { name, project, expires_at, limits, demo: false };
        let prepared = self.node.identity.prepare_key(new, None).map_err(|e| Failure::usage(chain(&e)))?;
        let (row, key) = self
            .change(actor, "key.create", prepared.id().to_string(), None, |intent| {
                self.node.identity.create_prepared(prepared, intent).map_err(could_not)
            })
            .await?;
        let mut shown = self.show_key(&row);
        shown["key"] = Value::from(key.expose().as_str());
        Ok(shown)
    }

    async fn key_revoke(&self, actor: ActorRef, key: &str) -> Result<Value, Failure> {
        let keys = self.node.store.keys().map_err(could_not)?;
        let id = match key.parse::<KeyId>() {
            Ok(id) => id,
            Err(_) => {
                let live: Vec<_> = keys.iter().filter(|k| k.name == key && k.revoked_at.is_none()).collect();
                match live.as_slice() {
                    [one] => one.id,
                    [] if keys.iter().any(|k| k.name == key) => {
                        return Err(Failure::usage(format!("the key `{key}` is revoked already")));
                    }
                    [] => {
                        return Err(Failure::usage(format!(
                            "there is no key `{key}`; `bastide key list` shows them"
                        )));
                    }
                    _ => {
                        let what =
                            format!("several keys are named `{key}`; give the id, from `bastide key list`");
                        return Err(Failure::usage(what));
                    }
                }
            }
        };
        let row = self
            .change(actor, "key.revoke", id.to_string(), None, |intent| {
                self.node.identity.revoke_key(id, intent).map_err(could_not)
            })
            .await?;
        if let Some(gateway) = &self.gateway {
            gateway.rights_changed();
        }
        Ok(self.show_key(&row))
    }

    async fn provider_add(
        &self,
        actor: ActorRef,
        name: &str,
        base_url: &str,
        given: CredentialGiven,
        project: Option<String>,
    ) -> Result<Value, Failure> {
        let project = project.as_deref().map(|p| self.project(Some(p))).transpose()?;
        let id = ProviderId::from_bytes(SystemRandom.bytes());
        let source = match given {
            CredentialGiven::None => CredentialSource::None,
            CredentialGiven::Env { name } => CredentialSource::Env(name),
            CredentialGiven::File { path } => CredentialSource::File(path),
            CredentialGiven::Sealed { value } => self.node.seal_credential(&Secret::new(value), id),
        };
        let credential = self.node.credential(&source, id)?;
        Provider::new(name, base_url, credential, project).map_err(|e| Failure::usage(chain(&e)))?;
        self.change(actor, "provider.add", name.to_owned(), None, |intent| {
            let new = NewProvider { id, project, name, base_url, credential: &source };
            self.node.store.add_provider(&new, self.node.clock.now(), intent).map_err(could_not)
        })
        .await?;
        self.providers_changed()?;
        let rows = self.node.store.providers().map_err(could_not)?;
        Ok(rows.iter().find(|p| p.id == id).map(show_provider).unwrap_or_default())
    }

    async fn provider_remove(&self, actor: ActorRef, name: &str) -> Result<Value, Failure> {
        if !self.node.store.providers().map_err(could_not)?.iter().any(|p| p.name == name) {
            let what = format!("there is no provider `{name}`; `bastide provider list` shows them");
            return Err(Failure::usage(what));
        }
        self.change(actor, "provider.remove", name.to_owned(), None, |intent| {
            self.node.store.remove_provider(name, self.node.clock.now(), intent).map_err(could_not)
        })
        .await?;
        self.providers_changed()?;
        Ok(json!({"name": name, "removed": true}))
    }

    fn providers_changed(&self) -> Result<(), Failure> {
        if let Some(gateway) = &self.gateway {
            gateway.set_catalogue(Arc::new(self.node.catalogue()?));
        }
        Ok(())
    }

    async fn project_create(&self, actor: ActorRef, name: &str) -> Result<Value, Failure> {
        let row = self
            .change(actor, "project.create", name.to_owned(), None, |intent| {
                let organisations = self.node.identity.organisations().map_err(could_not)?;
                let first =
                    organisations.first().ok_or_else(|| Failure::could_not("there is no organisation"))?;
                self.node.identity.create_project(first.id, name, intent).map_err(could_not)
            })
            .await?;
        Ok(json!({"id": row.id.to_string(), "name": row.name, "created": show_time(row.created_at)}))
    }

    async fn policy_set(&self, actor: ActorRef, text: &str) -> Result<Value, Failure> {
        let set = PolicySet::parse(text).map_err(|e| Failure::usage(chain(&e)))?;
        let digest = set.digest();
        let version = self
            .change(actor, "policy.set", "policies".to_owned(), Some(digest), |intent| {
                self.node.store.set_policy(text, digest, self.node.clock.now(), intent).map_err(could_not)
            })
            .await?;
        let lints: Vec<String> = set.lints().iter().map(ToString::to_string).collect();
        if let Some(gateway) = &self.gateway {
            gateway.set_policies(Arc::new(set));
        }
        Ok(json!({"version": version, "warnings": lints}))
    }

    /// Intent, row, outcome.
    pub(crate) async fn change<T>(
        &self,
        actor: ActorRef,
        action: &'static str,
        resource: String,
        state: Option<Digest>,
        apply: impl FnOnce(u64) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let record = |phase| {
            self.node.log.record(Event::Changed(Box::new(Mutation {
                at: self.node.clock.now(),
                actor,
                action,
                resource: resource.clone(),
                state,
                phase,
            })))
        };
        let intent = record(MutationPhase::Intent).await.map_err(could_not)?.index();
        match apply(intent) {
            Ok(value) => {
                record(MutationPhase::Done { intent }).await.map_err(could_not)?;
                Ok(value)
            }
            Err(failure) => {
                record(MutationPhase::Failed { intent }).await.map_err(could_not)?;
                Err(failure)
            }
        }
    }

    fn project(&self, given: Option<&str>) -> Result<ProjectId, Failure> {
        let projects = self.node.store.projects().map_err(could_not)?;
        let found = match given {
            None => projects.first(),
            Some(text) => projects.iter().find(|p| p.name == text || p.id.to_string() == text),
        };
        found.map(|p| p.id).ok_or_else(|| {
            let shown = given.unwrap_or("default");
            Failure::usage(format!("there is no project `{shown}`; `bastide project list` shows them"))
        })
    }

    fn show_key(&self, key: &bastide_store::KeyRow) -> Value {
        let now = self.node.clock.now();
        let state = if key.revoked_at.is_some() {
            "revoked"
        } else if key.expires_at.is_some_and(|at| at <= now) {
            "expired"
        } else {
            "active"
        };
        json!({
            "id": key.id.to_string(),
            "name": key.name,
            "project": key.project.to_string(),
            "hint": key.hint,
            "state": state,
            "created": show_time(key.created_at),
            "expires": key.expires_at.map(show_time),
            "revoked": key.revoked_at.map(show_time),
            "limits": {
                "requests_per_minute": key.limits.requests_per_minute,
                "tokens_per_minute": key.limits.tokens_per_minute,
                "tokens_per_day": key.limits.tokens_per_day,
                "concurrency": key.limits.concurrency,
            },
        })
    }
}

impl Node {
    /// The providers in the store, ready to be used.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, Failure> {
        let mut providers = Vec::new();
        for row in self.store.providers().map_err(could_not)? {
            match self.provider(&row) {
                Ok(provider) => providers.push(Arc::new(provider)),
                // One provider whose credential is missing must not keep the others from serving.
                Err(failure) => {
                    tracing::error!(provider = row.name, reason = %failure, "a provider cannot be used")
                }
            }
        }
        if let Some(fixed) = &self.fixed_provider {
            providers.push(Arc::clone(fixed));
        }
        if let Some(demo) = &self.demo_provider {
            providers.push(Arc::clone(demo));
        }
        Ok(Catalogue::new(providers))
    }

    fn provider(&self, row: &ProviderRow) -> Result<Provider, Failure> {
        let credential = self.credential(&row.credential, row.id)?;
        Provider::new(&row.name, &row.base_url, credential, row.project).map_err(could_not)
    }

    /// Nonce and ciphertext, bound to the provider's id.
    fn seal_credential(&self, value: &Secret<String>, id: ProviderId) -> CredentialSource {
        let nonce: [u8; 12] = SystemRandom.bytes();
        let mut blob = nonce.to_vec();
        blob.extend(seal(&self.credential_key(), nonce, id.as_bytes(), value.expose().as_bytes()));
        CredentialSource::Sealed(blob)
    }

    fn credential_key(&self) -> [u8; 32] {
        self.root.derive("provider credential")
    }

    pub(crate) fn credential(
        &self,
        source: &CredentialSource,
        id: ProviderId,
    ) -> Result<Option<Credential>, Failure> {
        let value = match source {
            CredentialSource::None => return Ok(None),
            CredentialSource::Env(name) => std::env::var(name).map(Secret::new).map_err(|_| {
                Failure::could_not(format!(
                    "the environment variable `{name}` is not set where the server runs"
                ))
            })?,
            CredentialSource::File(path) => std::fs::read_to_string(path)
                .map(|text| Secret::new(text.trim().to_owned()))
                .map_err(|e| Failure::could_not(format!("cannot read the credential file `{path}`: {e}")))?,
            CredentialSource::Sealed(blob) => {
                let damaged =
                    || Failure::could_not("the sealed credential of a provider does not open; add it again");
                let (nonce, sealed) = blob.split_first_chunk::<12>().ok_or_else(damaged)?;
                let opened = bastide_crypto::open(&self.credential_key(), *nonce, id.as_bytes(), sealed)
                    .map_err(|_| damaged())?;
                Secret::new(String::from_utf8(opened).map_err(|_| damaged())?)
            }
        };
        Credential::bearer(&value).map(Some).map_err(could_not)
    }
}

fn show_provider(row: &ProviderRow) -> Value {
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
        "project": row.project.map(|p| p.to_string()),
        "created": show_time(row.created_at),
    })
}

/// RFC 3339 in UTC.
pub(crate) fn show_time(at: Timestamp) -> String {
    i64::try_from(at.as_micros())
        .ok()
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
        .map_or_else(|| at.as_micros().to_string(), |t| format!("{t:.3}"))
}

/// An RFC 3339 time, or a span from now.
fn when(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::usage(format!(
            "`{text}` is no time: write `2027-01-31T12:00:00Z`, or a span such as `30d` or `12h`"
        ))
    };
    let at = if let Ok(time) = text.parse::<jiff::Timestamp>() {
        u64::try_from(time.as_microsecond()).map(Timestamp::from_micros).map_err(|_| wrong())?
    } else {
        let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
        let n: i64 = number.parse().map_err(|_| wrong())?;
        let hours = match unit {
            "h" => n,
            "d" => n.checked_mul(24).ok_or_else(wrong)?,
            "w" => n.checked_mul(24 * 7).ok_or_else(wrong)?,
            _ => return Err(wrong()),
        };
        let span = SignedDuration::try_from_hours(hours).ok_or_else(wrong)?;
        now.plus(span.try_into().map_err(|_| wrong())?)
    };
    if at <= now {
        return Err(Failure::usage(format!("`{text}` is in the past: such a key would never work")));
    }
    Ok(at)
}
