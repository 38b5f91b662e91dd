//! Providers as the store has them, made ready to be used: the row, and the credential from where it is kept.

use std::sync::Arc;

use bastide_crypto::{SystemRandom, seal};
use bastide_gateway::{Catalogue, Credential, PlainHttp, Provider};
use bastide_store::{CredentialSource, ProviderRow};
use bastide_types::{ProviderId, Secret};

use crate::failure::{Failure, could_not};
use crate::node::Node;

impl Node {
    /// The providers in the store, ready to be used. One that cannot be used must not keep the others from serving: it
    /// keeps its place, and its requests fail.
    pub fn catalogue(&self) -> Result<Catalogue, Failure> {
        let mut providers = Vec::new();
        for row in self.store.providers().map_err(could_not)? {
            let provider = self.provider(&row).unwrap_or_else(|failure| {
                tracing::error!(
                    provider = row.name,
                    reason = %failure,
                    "a provider cannot be used, and requests to it fail until it is mended and the server restarted"
                );
                Provider::unusable(&row.name, row.project, failure.message().to_owned())
            });
            providers.push(Arc::new(provider));
        }
        if let Some(fixed) = &self.fixed_provider {
            providers.push(Arc::clone(&fixed.provider));
        }
        if let Some(demo) = &self.demo_provider {
            providers.push(Arc::clone(demo));
        }
        Ok(Catalogue::new(providers))
    }

    fn provider(&self, row: &ProviderRow) -> Result<Provider, Failure> {
        let credential = self.credential(&row.credential, row.id)?;
        // Whoever added it without TLS agreed to that then.
        let plain = PlainHttp::Anywhere;
        Provider::new(&row.name, &row.base_url, credential, row.project, plain).map_err(could_not)
    }

    /// Nonce and ciphertext, bound to the provider's id.
    pub fn seal_credential(&self, value: &Secret<String>, id: ProviderId) -> CredentialSource {
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
                    "the environment variable `{name}` is not set where the server runs; restart the server with it, or \
                     give the credential with `--key-file FILE` or `--key-stdin`"
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
        if value.expose().trim().is_empty() {
            return Err(Failure::could_not(format!("{} is empty where the server runs", named(source))));
        }
        Credential::bearer(&value).map(Some).map_err(could_not)
    }
}

/// Where a credential is kept, in words.
fn named(source: &CredentialSource) -> String {
    match source {
        CredentialSource::Env(name) => format!("the environment variable `{name}`"),
        CredentialSource::File(path) => format!("the credential file `{path}`"),
        CredentialSource::None | CredentialSource::Sealed(_) => "the credential".to_owned(),
    }
}

/// The name of the provider that `serve --upstream` makes.
pub const FIXED: &str = "upstream";

/// The server named on the command line.
pub struct Fixed {
    /// Ready to be used.
    pub provider: Arc<Provider>,
    /// Where its API is.
    pub base_url: String,
    /// Where its credential is from, as `bastide provider list` says it.
    pub credential: String,
}
