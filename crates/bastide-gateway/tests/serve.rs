//! A running gateway, as who embeds it sees it.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bastide_audit::{Bodies, BodiesOptions, Log, LogOptions, Subjects};
use bastide_crypto::{RootKey, SigningKey, SystemRandom};
use bastide_gateway::{AuditMode, Catalogue, Door, Gateway, Guard, Limits, Parts, Settings, serve};
use bastide_identity::Identity;
use bastide_inspect::GuardProfile;
use bastide_policy::PolicySet;
use bastide_store::Store;
use bastide_types::{Clock, GuardMode, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::timeout;

/// Longer than any of this takes, and far shorter than for ever.
const LIMIT: Duration = Duration::from_secs(20);

/// A clock that stands.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1)
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

/// A gateway that listens there, without keys and providers, and its log.
fn gateway(folder: &Path, listen: SocketAddr) -> (Gateway, Log) {
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let root = Arc::new(RootKey::generate(&SystemRandom));
    let options = LogOptions::new(folder.join("log"), "test/node-1");
    let key = SigningKey::generate(&SystemRandom);
    let (log, _) = Log::open(options, key, Arc::clone(&clock)).expect("a log");
    let bodies = BodiesOptions::new(folder.join("bodies"));
    let bodies = Bodies::open(bodies, Arc::clone(&clock)).expect("bodies");
    let subjects = Arc::new(Subjects::open(folder.join("subjects"), &root).expect("subjects"));
    let store = Arc::new(Store::in_memory().expect("a store"));
    let identity = Arc::new(Identity::open(store, &root, Arc::clone(&clock)).expect("no keys"));
    let profile = GuardProfile::default();
    let guard = Guard::new(GuardMode::Enforce, profile.clone(), Duration::from_secs(5)).expect("a guard");
    let settings = Settings {
        listen,
        allowed_hosts: Vec::new(),
        guard: GuardMode::Enforce,
        profile,
        audit: AuditMode::Strict,
        limits: Limits::default(),
        telemetry: None,
    };
    let gateway = Gateway::new(Parts {
        settings,
        identity,
        policies: Arc::new(PolicySet::starter()),
        catalogue: Arc::new(Catalogue::new(Vec::new())),
        guard: Arc::new(guard),
        log: log.clone(),
        bodies,
        subjects,
        root,
        clock,
        random: Arc::new(SystemRandom),
    });
    (gateway.expect("a gateway"), log)
}

#[tokio::test]
async fn the_server_delivers_what_the_log_answers() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (gateway, log) = gateway(folder.path(), listener.local_addr().expect("bound"));
    // Of two deliveries the newer works and the older ends: this one tells of the server's.
    let replaced = tokio::spawn(log.deliver());
    yield_now().await;
    assert!(!replaced.is_finished());
    let (stop, stopping) = watch::channel(false);
    let door = Door { listener, tls: None, data_plane: true, surfaces: Vec::new() };
    let serving = tokio::spawn(serve(Arc::new(gateway), vec![door], stopping));
    timeout(LIMIT, replaced).await.expect("the server runs one").expect("no panic");
    stop.send(true).expect("it serves");
    timeout(LIMIT, serving).await.expect("it stops").expect("no panic").expect("in order");
    log.close().expect("whole");
}
