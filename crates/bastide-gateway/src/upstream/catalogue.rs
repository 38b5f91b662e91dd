//! The providers there are, and which of them serve a model.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use bastide_types::{ProjectId, Secret};
use http::{HeaderValue, Uri};

use super::idle::Idle;

/// How many failures in a row open a provider's breaker, and for how long. Five: one or two are weather.
const BREAKER_FAILURES: u32 = 5;
const BREAKER_REST: Duration = Duration::from_secs(10);

/// What follows the base URL.
const CHAT: &str = "/chat/completions";

/// A credential for a provider, ready to be sent.
pub struct Credential {
    header: HeaderValue,
}

impl Credential {
    /// A bearer token.
    ///
    /// # Errors
    /// When it holds characters that no header may carry.
    pub fn bearer(token: &Secret<String>) -> Result<Self, ProviderError> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", token.expose().trim()))
            .map_err(|_| ProviderError::Credential)?;
        header.set_sensitive(true);
        Ok(Credential { header })
    }

    pub(crate) const fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

/// Why a provider cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The base URL is none.
    #[error("`{0}` is not a base URL; write it as an SDK takes it, e.g. `https://api.openai.com/v1`")]
    Url(String),
    /// Plain HTTP to another machine with a credential.
    #[error(
        "`{0}` would carry the provider's credential over plain HTTP to another machine; use `https://`, or a \
         loopback address"
    )]
    PlainCredential(String),
    /// Plain HTTP to another machine that nobody has agreed to.
    #[error(
        "`{0}` would carry prompts and answers over plain HTTP to another machine; use `https://`, a loopback address, or \
         agree to it with `{1}`"
    )]
    PlainHttp(String, &'static str),
    /// The address of the operation, not of the API.
    #[error(
        "`{0}` is the address of one operation; leave out `/chat/completions`: the base URL, as an SDK takes it, is `{1}`"
    )]
    Operation(String, String),
    /// A link-local address: cloud metadata services live there.
    #[error(
        "`{0}` is a link-local address, where cloud metadata services live; give the provider's own address"
    )]
    LinkLocal(String),
    /// The credential holds characters that no header may carry.
    #[error("the provider's credential holds characters that a header cannot carry; check for line breaks")]
    Credential,
}

/// The two addresses below a base URL.
#[derive(Debug)]
pub(crate) struct Destination {
    pub(crate) chat: Uri,
    pub(crate) models: Uri,
    /// The `host` header field.
    pub(crate) host: String,
    /// Connections that carry no request now. Of this provider alone: another one's requests, with another credential,
    /// never travel on them.
    pub(crate) idle: Arc<Idle>,
}

impl Destination {
    pub(crate) fn new(chat: Uri, models: Uri) -> Self {
        let host = chat.host().unwrap_or_default();
        // A scheme's own port is left out (RFC 9110, section 4.2.3).
        let host = match (chat.scheme_str(), chat.port_u16()) {
            (_, None) | (Some("https"), Some(443)) | (Some("http"), Some(80)) => host.to_owned(),
            (_, Some(port)) => format!("{host}:{port}"),
        };
        Destination { chat, models, host, idle: Arc::default() }
    }
}

/// Whether a provider on another machine may be reached without TLS. What is said then crosses the network in clear,
/// so a credential never goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// On loopback only; the flag with which the operator agrees to more.
    LoopbackOnly(&'static str),
    /// Anywhere: the operator agreed.
    Anywhere,
}

/// Where a provider is.
#[derive(Debug)]
enum Place {
    /// On the network.
    Network(Destination),
    /// The built-in demo model.
    Demo,
    /// Nowhere: why it cannot be used.
    Nowhere(String),
}

/// A destination and its credential.
#[derive(Debug)]
pub struct Provider {
    name: Arc<str>,
    project: Option<ProjectId>,
    place: Place,
    credential: Option<Credential>,
    failures: AtomicU32,
    rest_until_micros: AtomicU64,
}

impl Provider {
    /// A provider with an OpenAI-compatible API below `base_url`, for one project or for all.
    ///
    /// # Errors
    /// When the URL is none, is link-local, or would carry the credential, or texts without the operator's consent, in
    /// plain text over a network.
    pub fn new(
        name: &str,
        base_url: &str,
        credential: Option<Credential>,
        project: Option<ProjectId>,
        plain: PlainHttp,
    ) -> Result<Self, ProviderError> {
        let wrong = || ProviderError::Url(base_url.to_owned());
        let trimmed = base_url.trim_end_matches('/');
        if let Some(base) = trimmed.strip_suffix(CHAT) {
            return Err(ProviderError::Operation(base_url.to_owned(), base.to_owned()));
        }
        let chat: Uri = format!("{trimmed}{CHAT}").parse().map_err(|_| wrong())?;
        let models: Uri = format!("{trimmed}/models").parse().map_err(|_| wrong())?;
        let host = chat.host().ok_or_else(wrong)?;
        let authority = chat.authority().ok_or_else(wrong)?;
        if authority.as_str().contains('@') || trimmed.contains(['?', '#']) {
            return Err(wrong());
        }
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok();
        if ip.is_some_and(super::client::is_link_local) {
            return Err(ProviderError::LinkLocal(base_url.to_owned()));
        }
        let loopback = host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback());
        match chat.scheme_str() {
            Some("https") => {}
            Some("http") if loopback => {}
            Some("http") if credential.is_some() => {
                return Err(ProviderError::PlainCredential(base_url.to_owned()));
            }
            Some("http") => match plain {
                PlainHttp::Anywhere => {}
                PlainHttp::LoopbackOnly(flag) => {
                    return Err(ProviderError::PlainHttp(base_url.to_owned(), flag));
                }
            },
            _ => return Err(wrong()),
        }
        Ok(Provider::at(Place::Network(Destination::new(chat, models)), name, credential, project))
    }

    /// A provider that is configured and cannot be used, for example because its credential is missing. It keeps its
    /// place, so that its requests fail visibly instead of going to whichever provider comes next.
    #[must_use]
    pub fn unusable(name: &str, project: Option<ProjectId>, reason: String) -> Self {
        Provider::at(Place::Nowhere(reason), name, None, project)
    }

    fn at(place: Place, name: &str, credential: Option<Credential>, project: Option<ProjectId>) -> Self {
        Provider {
            name: name.into(),
            project,
            place,
            credential,
            failures: AtomicU32::new(0),
            rest_until_micros: AtomicU64::new(0),
        }
    }

    /// The built-in demo model. Only on loopback, only for keys made for it.
    #[must_use]
    pub fn demo() -> Self {
        Provider::at(Place::Demo, super::DEMO, None, None)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// The project it belongs to; `None`: offered to every project.
    #[must_use]
    pub const fn project(&self) -> Option<ProjectId> {
        self.project
    }

    /// Whether it is the built-in demo model.
    #[must_use]
    pub const fn is_demo(&self) -> bool {
        matches!(self.place, Place::Demo)
    }

    /// Why it cannot be used; `None` where it can.
    #[must_use]
    pub fn unusable_because(&self) -> Option<&str> {
        match &self.place {
            Place::Nowhere(reason) => Some(reason),
            Place::Network(_) | Place::Demo => None,
        }
    }

    pub(crate) const fn destination(&self) -> Option<&Destination> {
        match &self.place {
            Place::Network(destination) => Some(destination),
            Place::Demo | Place::Nowhere(_) => None,
        }
    }

    pub(crate) const fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    /// Whether it is left alone for a while, after failures in a row.
    #[must_use]
    pub fn rests(&self, now: Duration) -> bool {
        !self.available(now)
    }

    /// Whether the breaker lets requests through at this time (monotonic). After its rest one failure reopens it,
    /// because the count stands just below the limit.
    pub(crate) fn available(&self, now: Duration) -> bool {
        micros(now) >= self.rest_until_micros.load(Ordering::Relaxed)
    }

    pub(crate) fn succeeded(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self, now: Duration) {
        if self.unusable_because().is_some() {
            // A rest would let its requests go to the next provider.
            return;
        }
        let count = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        if count >= BREAKER_FAILURES {
            self.failures.store(BREAKER_FAILURES - 1, Ordering::Relaxed);
            self.rest_until_micros.store(micros(now + BREAKER_REST), Ordering::Relaxed);
        }
    }
}

fn micros(d: Duration) -> u64 {
    u64::try_from(d.as_micros()).unwrap_or(u64::MAX)
}

/// Where one request may go: the name the upstream knows the model by, and the providers in order of preference.
#[derive(Clone, Debug)]
pub struct Target {
    /// The model's name at the upstream.
    pub model: Arc<str>,
    /// In order; the first that takes the request answers it.
    pub providers: Vec<Arc<Provider>>,
}

/// All providers. Every model name goes to every provider of the project, in the order they were added; `NAME/model`
/// picks the provider NAME.
#[derive(Debug, Default)]
pub struct Catalogue {
    providers: Vec<Arc<Provider>>,
}

impl Catalogue {
    /// A catalogue of these, in order of preference.
    #[must_use]
    pub fn new(providers: Vec<Arc<Provider>>) -> Self {
        Catalogue { providers }
    }

    /// Where a project's request for a model goes. A key made for the demo reaches the demo only, and no other key
    /// does.
    #[must_use]
    pub fn resolve(&self, model: &str, project: ProjectId, demo: bool) -> Option<Target> {
        if let Some((name, rest)) = model.split_once('/')
            && let Some(named) = self.visible_to(project, demo).find(|p| *p.name == *name)
            && !rest.is_empty()
        {
            return Some(Target { model: rest.into(), providers: vec![Arc::clone(named)] });
        }
        let providers: Vec<_> = self.visible_to(project, demo).cloned().collect();
        (!providers.is_empty()).then(|| Target { model: model.into(), providers })
    }

    /// The providers that a project's keys reach, in order.
    pub fn visible_to(&self, project: ProjectId, demo: bool) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers
            .iter()
            .filter(move |p| p.is_demo() == demo && p.project.is_none_or(|owner| owner == project))
    }

    /// The providers.
    #[must_use]
    pub fn providers(&self) -> &[Arc<Provider>] {
        &self.providers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEVER: PlainHttp = PlainHttp::LoopbackOnly("--plain-http");

    fn project(n: u8) -> ProjectId {
        ProjectId::from_bytes([n; 16])
    }

    #[test]
    fn another_projects_provider_is_not_reached_by_name_or_default() {
        let theirs =
            Provider::new("theirs", "https://a.example/v1", None, Some(project(2)), NEVER).expect("valid");
        let all = Provider::new("all", "https://b.example/v1", None, None, NEVER).expect("valid");
        let catalogue = Catalogue::new(vec![Arc::new(theirs), Arc::new(all), Arc::new(Provider::demo())]);
        let target = catalogue.resolve("gpt", project(1), false).expect("the shared one");
        assert_eq!(target.providers.iter().map(|p| p.name()).collect::<Vec<_>>(), ["all"]);
        let target = catalogue.resolve("theirs/gpt", project(1), false).expect("falls to the shared one");
        assert_eq!((&*target.model, target.providers.len()), ("theirs/gpt", 1));
        let target = catalogue.resolve("theirs/gpt", project(2), false).expect("named");
        assert_eq!((&*target.model, target.providers[0].name()), ("gpt", "theirs"));
        assert!(catalogue.resolve("x", project(1), true).is_some_and(|t| t.providers[0].is_demo()));
    }

    #[test]
    fn urls_that_would_leak_or_mislead_are_refused() {
        let credential = || Credential::bearer(&Secret::new("sk-x".to_owned())).ok();
        for bad in [
            "api.openai.com/v1",
            "ftp://a/v1",
            "https://user@a/v1",
            "https://a/v1?x=1",
            "",
            "http://10.0.0.9/v1",
            "https://169.254.169.254/latest",
            "https://a/v1/chat/completions",
        ] {
            for plain in [NEVER, PlainHttp::Anywhere] {
                assert!(Provider::new("p", bad, credential(), None, plain).is_err(), "{bad}");
            }
        }
        assert!(Provider::new("p", "http://127.0.0.1:9000/v1/", credential(), None, NEVER).is_ok());
        assert!(Credential::bearer(&Secret::new("a\nb".to_owned())).is_err());
    }

    #[test]
    fn texts_cross_a_network_in_clear_only_where_the_operator_agreed() {
        for (url, loopback) in [
            ("http://127.0.0.1:9/v1", true),
            ("http://[::1]:9/v1", true),
            ("http://localhost/v1", true),
            ("http://10.0.0.9/v1", false),
            ("http://localhost.example/v1", false),
            ("http://ollama:11434/v1", false),
        ] {
            assert_eq!(Provider::new("p", url, None, None, NEVER).is_ok(), loopback, "{url}");
            assert!(Provider::new("p", url, None, None, PlainHttp::Anywhere).is_ok(), "{url}");
        }
    }

    #[test]
    fn an_unusable_provider_keeps_its_place_however_often_it_fails() {
        let p = Provider::unusable("p", None, "its credential is missing".to_owned());
        (0..2 * BREAKER_FAILURES).for_each(|_| p.failed(Duration::from_secs(100)));
        assert!(p.available(Duration::from_secs(100)) && !p.is_demo());
    }

    #[test]
    fn a_breaker_opens_rests_and_closes() {
        let p = Provider::demo();
        let start = Duration::from_secs(100);
        for _ in 0..BREAKER_FAILURES {
            assert!(p.available(start));
            p.failed(start);
        }
        assert!(!p.available(start));
        let later = start + BREAKER_REST;
        assert!(p.available(later));
        p.failed(later);
        assert!(!p.available(later), "one failure after the rest reopens it");
        p.succeeded();
        assert!(p.available(later + BREAKER_REST));
    }
}
