//! What every exchange shares.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use bastide_audit::{Bodies, Log, Subjects};
use bastide_crypto::{Random, RootKey};
use bastide_identity::{Identity, Principal};
use bastide_policy::PolicySet;
use bastide_types::{Clock, ExchangeId, Timestamp};
use bytes::Bytes;
use http::Response;
use tokio::sync::{Notify, watch};

use crate::bodies::Gathering;
use crate::exchange;
use crate::guard::Guard;
use crate::limits::Ledger;
use crate::metrics::Metrics;
use crate::models::{self, Probe};
use crate::problem::{self, raise};
use crate::relay::Body;
use crate::settings::Settings;
use crate::trace::{Trace, Tracer};
use crate::traffic::Traffic;
use crate::upstream::{Catalogue, Client};

/// Everything the gateway is made of.
pub struct Parts {
    /// Settings; [`Gateway::reconfigure`] changes them.
    pub settings: Settings,
    /// Keys.
    pub identity: Arc<Identity>,
    /// Policies.
    pub policies: Arc<PolicySet>,
    /// Providers.
    pub catalogue: Arc<Catalogue>,
    /// The guard.
    pub guard: Arc<Guard>,
    /// The log.
    pub log: Log,
    /// Where bodies are kept.
    pub bodies: Bodies,
    /// Keys of the log's subjects.
    pub subjects: Arc<Subjects>,
    /// The root of all derived keys.
    pub root: Arc<RootKey>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness, for ids of exchanges and spans.
    pub random: Arc<dyn Random + Send + Sync>,
}

/// The running gateway. What may change while it runs (settings, policies, providers, the guard) is swapped whole; an exchange
/// works with what it began with, and a running answer is re-checked when [`Gateway::rights_changed`] says so.
pub struct Gateway {
    pub(crate) settings: ArcSwap<Settings>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) policies: ArcSwap<PolicySet>,
    pub(crate) catalogue: ArcSwap<Catalogue>,
    pub(crate) guard: ArcSwap<Guard>,
    pub(crate) gathering: Gathering,
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
    pub(crate) bodies: Bodies,
    pub(crate) subjects: Arc<Subjects>,
    pub(crate) root: Arc<RootKey>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random + Send + Sync>,
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) traffic: Traffic,
    pub(crate) tracer: Option<Arc<Tracer>>,
    pub(crate) rights: watch::Sender<u64>,
    pub(crate) keys: Notify,
    stopping: AtomicBool,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("listen", &self.settings.load().listen).finish_non_exhaustive()
    }
}

impl Gateway {
    /// Puts the parts together.
    ///
    /// # Errors
    /// When the system's certificate authorities cannot be read, or when spans are to be exported and there is no
    /// tokio runtime.
    pub fn new(parts: Parts) -> io::Result<Self> {
        let limits = &parts.settings.limits;
        let client = Client::new(limits.connect_time)?;
        let metrics = Metrics::default();
        let tracer = parts.settings.telemetry.as_ref().map(|telemetry| {
            let (clock, random) = (Arc::clone(&parts.clock), Arc::clone(&parts.random));
            Tracer::start(telemetry, client.transport(), metrics.spans(), clock, random)
        });
        let tracer = tracer.transpose()?;
        Ok(Gateway {
            gathering: Gathering::default(),
            ledger: Ledger::new(Arc::clone(&parts.clock)),
            settings: ArcSwap::from_pointee(parts.settings),
            identity: parts.identity,
            policies: ArcSwap::new(parts.policies),
            catalogue: ArcSwap::new(parts.catalogue),
            guard: ArcSwap::new(parts.guard),
            log: parts.log,
            bodies: parts.bodies,
            subjects: parts.subjects,
            root: parts.root,
            clock: parts.clock,
            random: parts.random,
            client,
            metrics,
            traffic: Traffic::default(),
            tracer,
            rights: watch::Sender::new(0),
            keys: Notify::new(),
            stopping: AtomicBool::new(false),
        })
    }

    /// Uses other policies from now on; running answers are re-checked.
    pub fn set_policies(&self, policies: Arc<PolicySet>) {
        self.policies.store(policies);
        self.rights_changed();
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Uses other settings and another guard from now on; `None`: the same guard. Exchanges that run keep theirs, and
    /// their answers are re-checked. What belongs to the listener and the collector (`listen`, `telemetry`,
    /// `limits.connections`, `limits.connect_time`) is taken at the start only: whoever calls leaves it as it is.
    pub fn reconfigure(&self, settings: Settings, guard: Option<Arc<Guard>>) {
        self.settings.store(Arc::new(settings));
        if let Some(guard) = guard {
            self.guard.store(guard);
        }
        self.rights_changed();
    }

    /// Whether it takes requests and its log takes entries: what `/readyz` says.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.is_stopping() && self.log.healthy().is_ok()
    }

    /// The providers in use.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// Uses other providers from now on.
    pub fn set_catalogue(&self, catalogue: Arc<Catalogue>) {
        self.catalogue.store(catalogue);
    }

    /// There is a new key: it may be the next one to expire.
    pub fn keys_changed(&self) {
        self.keys.notify_one();
    }

    /// A key was revoked or expired, or policies changed: every running answer checks at once whether it may go on.
    pub fn rights_changed(&self) {
        self.rights.send_modify(|epoch| *epoch = epoch.wrapping_add(1));
    }

    /// What every key has used today.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Where bodies are kept.
    pub const fn bodies(&self) -> &Bodies {
        &self.bodies
    }

    /// A chat completion for a principal that was authenticated before: what `POST /v1/chat/completions` does, for a
    /// caller inside this process.
    pub async fn chat(self: &Arc<Self>, principal: Arc<Principal>, body: Bytes) -> Response<Body> {
        if self.is_stopping() {
            return problem::response(&raise::stopping(), None, None);
        }
        match exchange::chat(Arc::clone(self), self.settings(), principal, body, Trace::default()).await {
            Ok(response) => response,
            Err(refused) => {
                self.metrics.problem(refused.problem.code);
                refused.into_response()
            }
        }
    }

    /// Asks the provider of this name for its models; `None`: there is none.
    pub async fn probe(&self, provider: &str) -> Option<Probe> {
        let catalogue = self.catalogue();
        let provider = catalogue.providers().iter().find(|p| p.name() == provider)?;
        Some(models::probe(self, provider).await)
    }

    /// The guard in force.
    #[must_use]
    pub fn guard(&self) -> Arc<Guard> {
        self.guard.load_full()
    }

    /// Uses another guard from now on; running exchanges keep theirs.
    pub fn set_guard(&self, guard: Arc<Guard>) {
        self.guard.store(guard);
    }

    /// The policies in force.
    #[must_use]
    pub fn policies(&self) -> Arc<PolicySet> {
        self.policies.load_full()
    }

    /// What passed of late.
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Counters and histograms.
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// New exchanges are refused from now on.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn new_exchange_id(&self, now: Timestamp) -> ExchangeId {
        let mut random = [0; 10];
        self.random.fill(&mut random);
        ExchangeId::at(now, random)
    }
}
