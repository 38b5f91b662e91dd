//! `GET /v1/models`: what a key can call.

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

/// The names a provider gives. Only the names go on: the rest of its answer is text that nobody inspected.
async fn ids(gateway: &Gateway, provider: &Provider) -> Vec<String> {
    const MOST: usize = 2_000;
    const LONGEST: usize = 200;
    if provider.is_demo() {
        return vec![DEMO.to_owned()];
    }
    if provider.unusable_because().is_some() {
        return Vec::new();
    }
    let body = match gateway.client.models(provider, gateway.settings.limits.idle_time).await {
        Ok(body) => body,
        Err(error) => {
            tracing::warn!(provider = provider.name(), %error, "an upstream gave no list of models");
            return Vec::new();
        }
    };
    let Ok(value) = serde_json::from_slice::<Value>(&body) else { return Vec::new() };
    let listed = value["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    listed
        .iter()
        .filter_map(|m| m["id"].as_str())
        .filter(|id| id.len() <= LONGEST && id.bytes().all(|b| b.is_ascii_graphic()))
        .take(MOST)
        .map(str::to_owned)
        .collect()
}

fn respond(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from(value.to_string())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
