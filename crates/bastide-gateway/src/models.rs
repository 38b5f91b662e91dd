//! `GET /v1/models`: what a key can call.

use std::time::Duration;

use bastide_identity::Principal;
use bastide_policy::{Facts, Invoke, Resource};
use bastide_types::Problem;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde_json::{Value, json};

use crate::exchange::subject;
use crate::gateway::Gateway;
use crate::problem::raise;
use crate::relay::Body;
use crate::upstream::{DEMO, Provider};

/// Lists the models of the principal's providers, asked from them. A provider that does not answer is left out.
pub(crate) async fn list(gateway: &Gateway, principal: &Principal) -> Result<Response<Body>, Problem> {
    let data = visible(gateway, principal).await;
    Ok(respond(&json!({"object": "list", "data": data})))
}

/// One model by name.
pub(crate) async fn one(
    gateway: &Gateway,
    principal: &Principal,
    name: &str,
) -> Result<Response<Body>, Problem> {
    let models = visible(gateway, principal).await;
    let catalogue = gateway.catalogue.load();
    let providers: Vec<&str> =
        catalogue.visible_to(principal.project, principal.demo).map(|p| p.name()).collect();
    // As a request would find it: `PROVIDER/model` where a provider has that name, else the whole name.
    let picked =
        name.split_once('/').filter(|(provider, rest)| !rest.is_empty() && providers.contains(provider));
    let found = models.into_iter().find(|m| match picked {
        Some((provider, model)) => m["owned_by"] == provider && m["id"] == model,
        None => m["id"] == name,
    });
    found.map(|model| respond(&model)).ok_or_else(|| raise::unlisted_model(name, &providers))
}

async fn visible(gateway: &Gateway, principal: &Principal) -> Vec<Value> {
    let catalogue = gateway.catalogue.load_full();
    let policies = gateway.policies.load_full();
    let mut models = Vec::new();
    for provider in catalogue.visible_to(principal.project, principal.demo) {
        for id in ids(gateway, provider).await {
            let resource = Resource { model: &id, provider: provider.name(), project: provider.project() };
            let facts = Facts { demo: principal.demo, ..Facts::default() };
            if policies.authorize::<Invoke>(&subject(principal), &resource, &facts).is_ok() {
                models.push(json!({"id": id, "object": "model", "created": 0, "owned_by": provider.name()}));
            }
        }
    }
    models
}

/// The names a provider gives; none when it does not answer.
async fn ids(gateway: &Gateway, provider: &Provider) -> Vec<String> {
    if provider.is_demo() {
        return vec![DEMO.to_owned()];
    }
    if provider.unusable_because().is_some() {
        return Vec::new();
    }
    let idle_time = gateway.settings.load().limits.idle_time;
    match gateway.client.models(provider, idle_time).await {
        Ok(body) => names(&body).unwrap_or_default(),
        Err(error) => {
            tracing::warn!(provider = provider.name(), %error, "an upstream gave no list of models");
            Vec::new()
        }
    }
}

/// The names in a list of models; `None` when it is none. Only the names go on: the rest is text that nobody inspected.
fn names(body: &[u8]) -> Option<Vec<String>> {
    const MOST: usize = 2_000;
    const LONGEST: usize = 200;
    let value = serde_json::from_slice::<Value>(body).ok()?;
    let names = value["data"]
        .as_array()?
        .iter()
        .filter_map(|m| m["id"].as_str())
        .filter(|id| id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic()))
        .take(MOST);
    Some(names.map(str::to_owned).collect())
}

/// What became of asking a provider for its models.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The models it names.
    pub models: Vec<String>,
    /// Why it cannot be used; `None`: it answered.
    pub failure: Option<String>,
    /// How long it took.
    pub took: Duration,
}

/// How long a provider may take to answer a probe: somebody is waiting.
const PROBE_TIME: Duration = Duration::from_secs(10);

/// Asks a provider for its models, as the first request to it would reach it.
pub(crate) async fn probe(gateway: &Gateway, provider: &Provider) -> Probe {
    let began = gateway.clock.monotonic();
    let answer = if provider.is_demo() {
        Ok(vec![DEMO.to_owned()])
    } else if let Some(why) = provider.unusable_because() {
        Err(why.to_owned())
    } else {
        match gateway.client.models(provider, PROBE_TIME).await {
            Ok(body) => names(&body).ok_or_else(|| {
                "it answered, but with no list of models: is the base URL the one that ends in `/v1`?"
                    .to_owned()
            }),
            Err(error) => Err(match std::error::Error::source(&error) {
                Some(cause) => format!("it {error}: {cause}"),
                None => format!("it {error}"),
            }),
        }
    };
    let took = gateway.clock.monotonic().saturating_sub(began);
    match answer {
        Ok(models) => Probe { models, failure: None, took },
        Err(failure) => Probe { models: Vec::new(), failure: Some(failure), took },
    }
}

fn respond(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from(value.to_string())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
