//! Providers, projects and models as pages show them.

use bastide_gateway::{ModelUse, Probe};
use bastide_identity::ProjectRow;
use bastide_store::CredentialSource;
use bastide_types::ProjectId;

use crate::admin::{Admin, no_such};
use crate::failure::{Failure, could_not};

/// A provider that is known by name.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name.
    pub name: &'static str,
    /// Where its API is.
    pub base_url: &'static str,
    /// The variable that its own SDK reads the credential from; `None`: it wants none.
    pub variable: Option<&'static str>,
}

/// The providers that are known by name.
pub const KNOWN: [Known; 5] = [
    known("groq", "https://api.groq.com/openai/v1", Some("GROQ_API_KEY")),
    known("mistral", "https://api.mistral.ai/v1", Some("MISTRAL_API_KEY")),
    known("ollama", "http://127.0.0.1:11434/v1", None),
    known("openai", "https://api.openai.com/v1", Some("OPENAI_API_KEY")),
    known("openrouter", "https://openrouter.ai/api/v1", Some("OPENROUTER_API_KEY")),
];

const fn known(name: &'static str, base_url: &'static str, variable: Option<&'static str>) -> Known {
    Known { name, base_url, variable }
}

/// How a provider stands in the running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProviderState {
    /// It takes requests.
    Ready,
    /// Why it cannot be used; its requests fail.
    Unusable(String),
    /// Left alone for a moment after failures in a row.
    Resting,
    /// No server runs here.
    Unknown,
}

/// What is known of a provider.
#[derive(Clone, Debug)]
pub struct ProviderFacts {
    /// Its name.
    pub name: String,
    /// Where its API is; empty for the built-in demo.
    pub base_url: String,
    /// Where its credential is: never the credential.
    pub credential: String,
    /// The project it is for, by name; `None`: every project.
    pub project: Option<String>,
    /// How it stands.
    pub state: ProviderState,
    /// Who said that it is there.
    pub given: &'static str,
    /// Whether it was added, and can be removed.
    pub removable: bool,
}

impl Admin {
    /// All providers, in the order in which they are tried.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn all_providers(&self) -> Result<Vec<ProviderFacts>, Failure> {
        let projects = self.project_names()?;
        let rows = self.node.store.providers().map_err(could_not)?;
        let mut all: Vec<ProviderFacts> = rows
            .into_iter()
            .map(|row| ProviderFacts {
                state: self.provider_state(&row.name),
                base_url: row.base_url,
                credential: match &row.credential {
                    CredentialSource::None => "none".to_owned(),
                    CredentialSource::Env(name) => format!("variable {name}"),
                    CredentialSource::File(path) => format!("file {path}"),
                    CredentialSource::Sealed(_) => "sealed in the data folder".to_owned(),
                },
                project: row.project.map(|p| projects.get(&p).cloned().unwrap_or_default()),
                given: "added",
                removable: true,
                name: row.name,
            })
            .collect();
        all.extend(self.node.fixed_provider.as_ref().map(|fixed| ProviderFacts {
            name: fixed.provider.name().to_owned(),
            base_url: fixed.base_url.clone(),
            credential: match fixed.credential.strip_prefix("env:") {
                Some(name) => format!("variable {name}"),
                None => fixed.credential.clone(),
            },
            project: None,
            state: self.provider_state(fixed.provider.name()),
            given: "serve --upstream",
            removable: false,
        }));
        all.extend(self.node.demo_provider.as_ref().map(|demo| ProviderFacts {
            name: demo.name().to_owned(),
            base_url: String::new(),
            credential: "none".to_owned(),
            project: None,
            state: ProviderState::Ready,
            given: "built in",
            removable: false,
        }));
        Ok(all)
    }

    fn provider_state(&self, name: &str) -> ProviderState {
        let Some(gateway) = &self.gateway else { return ProviderState::Unknown };
        let catalogue = gateway.catalogue();
        let Some(provider) = catalogue.providers().iter().find(|p| p.name() == name) else {
            return ProviderState::Unusable("the running server does not have it; restart it".to_owned());
        };
        match provider.unusable_because() {
            Some(why) => ProviderState::Unusable(why.to_owned()),
            None if provider.rests(self.node.clock.monotonic()) => ProviderState::Resting,
            None => ProviderState::Ready,
        }
    }

    /// Asks a provider for its models, as a request would reach it.
    ///
    /// # Errors
    /// When there is no such provider, or no server runs here.
    pub async fn probe_provider(&self, name: &str) -> Result<Probe, Failure> {
        let gateway = self.gateway.as_ref().ok_or_else(|| Failure::could_not("no server runs here"))?;
        gateway.probe(name).await.ok_or_else(|| no_such("provider", name))
    }

    /// Where a project's request for a model would go: the model's name there, and the providers in the order in which
    /// they are tried. `None`: no provider serves the project.
    #[must_use]
    pub fn route_of(&self, model: &str, project: ProjectId) -> Option<(String, Vec<String>)> {
        let catalogue = self.gateway.as_ref()?.catalogue();
        let target = catalogue.resolve(model, project, false)?;
        Some((target.model.to_string(), target.providers.iter().map(|p| p.name().to_owned()).collect()))
    }

    /// The models that were asked for today (UTC), by the names that callers used.
    #[must_use]
    pub fn models_today(&self) -> Vec<(String, ModelUse)> {
        let now = self.node.clock.now();
        self.gateway.as_ref().map(|g| g.traffic().models(now)).unwrap_or_default()
    }

    /// All projects, oldest first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn all_projects(&self) -> Result<Vec<ProjectRow>, Failure> {
        self.node.store.projects().map_err(could_not)
    }
}
