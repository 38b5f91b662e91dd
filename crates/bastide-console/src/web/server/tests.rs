#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;

use bastide_admin::{Answering, Authorized, Explained, Finding, Folder, Locked, Node, Request as Asked};
use bastide_audit::LocalDisk;
use bastide_types::{Clock, Permission, Role, UserId};

use super::*;

/// A clock that stands until it is told.
struct Told(Mutex<Duration>);

impl Told {
    fn pass(&self, time: Duration) {
        *self.0.lock().expect("whole") += time;
    }
}

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000).plus(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        *self.0.lock().expect("whole")
    }
}

/// A server of which nothing is asked.
struct Silent;

impl Server for Silent {
    fn execute(self: Arc<Self>, _: Authorized, _: Asked) -> Answering {
        Box::pin(async { Err(Failure::could_not("nothing is asked here")) })
    }

    fn explained(&self) -> Vec<Explained> {
        Vec::new()
    }

    fn findings(&self) -> Vec<Finding> {
        Vec::new()
    }
}

const PASSWORD: &str = "correct horse battery staple";

struct Rig {
    console: Arc<Console>,
    clock: Arc<Told>,
    who: Arc<SessionPrincipal>,
    token: String,
    _folder: tempfile::TempDir,
}

impl Rig {
    /// An administrator who has just signed in and put the second factor off.
    async fn new() -> Rig {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, clock) = (dir.path().to_owned(), Arc::new(Told(Mutex::default())));
        let told: Arc<dyn Clock> = Arc::clone(&clock) as _;
        // Opening waits for the disk, which a thread of the runtime must not.
        let opening = tokio::task::spawn_blocking(move || {
            let Ok(Locked::Mine(folder)) = Folder::take(&path, None) else { panic!("the folder is ours") };
            let node = Node::open_on(Arc::new(LocalDisk), folder, told).expect("opens");
            node.bootstrap().expect("the defaults are made");
            node
        });
        let node = opening.await.expect("opened");
        let admin = Arc::new(Admin::new(Arc::new(node), None));
        let by = Authorized::local_operator(0);
        let password = Secret::new(PASSWORD.to_owned());
        let _made =
            admin.create_user(&by, "ada".to_owned(), Role::Administrator, password).await.expect("made");
        let issued = admin.sign_in(credentials(PASSWORD)).await.expect("signed in").given;
        let _deferred = admin.defer_own_totp(&issued.session).await.expect("put off");
        let (_, stop) = watch::channel(false);
        let console = Arc::new(Console::new(admin, Arc::new(Silent), stop));
        let token = issued.token.expose().clone();
        Rig { console, clock, who: issued.session, token, _folder: dir }
    }

    fn form(&self, route: Route, fields: &[(&str, &str)]) -> Parts<'_> {
        let csrf = self.who.csrf();
        let pairs = [("csrf", csrf)].into_iter().chain(fields.iter().copied());
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Parts {
            console: &self.console,
            visitor: Visitor { address: IpAddr::V4(Ipv4Addr::LOCALHOST), tls: false },
            route,
            target: route.path().to_owned(),
            segments: vec!["thing".to_owned()],
            query: Fields::default(),
            form: Fields::parse(text.as_bytes()),
            who: Some(Arc::clone(&self.who)),
            authorized: None,
        }
    }
}

fn credentials(password: &str) -> Credentials {
    Credentials {
        name: "ada".to_owned(),
        password: Secret::new(password.to_owned()),
        code: None,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        user_agent: String::new(),
    }
}

fn fresh_routes() -> impl Iterator<Item = Route> {
    let fresh = |route: &Route| matches!(route.access(), Access::Fresh(_) | Access::SignedInFresh);
    Route::ALL.iter().copied().filter(fresh)
}

#[tokio::test]
async fn what_matters_asks_for_the_password_again_after_ten_minutes() {
    let rig = Rig::new().await;
    rig.clock.pass(FRESH);
    for route in fresh_routes() {
        assert!(rig.console.admit(&mut rig.form(route, &[])).is_ok(), "{route:?}: ten minutes are of late");
    }
    rig.clock.pass(Duration::from_secs(1));
    for route in fresh_routes() {
        let refused = rig.console.admit(&mut rig.form(route, &[]));
        assert!(matches!(refused, Err(Gate::Refused(Refusal::Stale { wrong: false }))), "{route:?}");
    }
    assert!(rig.console.admit(&mut rig.form(Route::Users, &[])).is_ok(), "what changes nothing goes on");
    assert!(rig.console.admit(&mut rig.form(Route::UserSignOut, &[])).is_ok(), "so does what is no risk");

    let headers = HeaderMap::new();
    let mut wrong = rig.form(Route::UserCreate, &[(CONFIRM_PASSWORD, "not this one")]);
    assert!(matches!(rig.console.renew(&mut wrong, &headers).await, Err(Refusal::Stale { wrong: true })));
    let mut forged = rig.form(Route::UserCreate, &[(CONFIRM_PASSWORD, PASSWORD)]);
    forged.form.set("csrf", "another");
    assert!(matches!(rig.console.renew(&mut forged, &headers).await, Err(Refusal::Forged)));

    let mut right = rig.form(Route::UserCreate, &[(CONFIRM_PASSWORD, PASSWORD)]);
    let cookie = rig.console.renew(&mut right, &headers).await.expect("proved").expect("another cookie");
    assert!(cookie.starts_with("bastide_session=") && cookie.contains("HttpOnly"), "{cookie}");
    assert!(rig.console.admit(&mut right).is_ok() && right.authorized.is_some());
    let accounts = &rig.console.admin.node.accounts;
    assert!(accounts.check(&rig.who).is_err(), "the session has another token now");
}

#[tokio::test]
async fn an_unused_session_leads_to_the_sign_in() {
    let rig = Rig::new().await;
    rig.clock.pass(Duration::from_secs(31 * 60));
    for route in
        Route::ALL.iter().copied().filter(|r| matches!(r.access(), Access::May(_) | Access::Fresh(_)))
    {
        assert!(matches!(rig.console.admit(&mut rig.form(route, &[])), Err(Gate::SignIn)), "{route:?}");
    }
}

#[tokio::test]
async fn what_a_page_asks_for_by_itself_keeps_nobody_signed_in() {
    let rig = Rig::new().await;
    let cookie = ("cookie", format!("bastide_session={}", rig.token));
    let by_hand = headers(&[(cookie.0, &cookie.1)]);
    let by_script = headers(&[(cookie.0, &cookie.1), ("x-fragment", "1")]);
    let minutes = |n: u64| rig.clock.pass(Duration::from_secs(n * 60));
    for _ in 0..3 {
        minutes(29);
        assert!(rig.console.session(&by_hand, false).is_some(), "used by hand every half hour");
    }
    let events = headers(&[(cookie.0, &cookie.1), ("accept", "text/event-stream")]);
    for again in [&by_script, &events] {
        minutes(14);
        assert!(rig.console.session(again, false).is_some(), "the page renews itself meanwhile");
    }
    minutes(3);
    assert!(rig.console.session(&by_script, false).is_none(), "nobody was there for half an hour");
    assert!(rig.console.session(&events, false).is_none());
    assert!(rig.console.session(&by_hand, false).is_none());
}

#[tokio::test]
async fn over_tls_a_cookie_of_a_plain_connection_signs_nobody_in() {
    let rig = Rig::new().await;
    let cookie = |name: &str| headers(&[("cookie", &format!("{name}={}", rig.token))]);
    assert!(rig.console.session(&cookie("bastide_session"), true).is_none());
    assert!(rig.console.session(&cookie("__Host-bastide_session"), true).is_some());
    assert!(rig.console.session(&cookie("__Host-bastide_session"), false).is_none());
}

#[tokio::test]
async fn who_may_not_send_a_long_form_gets_no_room_for_one() {
    let rig = Rig::new().await;
    let who = Some(&*rig.who);
    for route in Route::ALL.iter().copied() {
        assert_eq!(most_bytes(route, None), MOST_SMALL_BYTES, "{route:?}");
    }
    assert_eq!(most_bytes(Route::PoliciesSet, who), MOST_FORM_BYTES);
    assert_eq!(most_bytes(Route::UserCreate, who), MOST_SMALL_BYTES);
}

#[tokio::test]
async fn only_what_the_route_is_for_is_permitted() {
    let rig = Rig::new().await;
    let mut parts = rig.form(Route::KeyCreate, &[]);
    assert!(rig.console.admit(&mut parts).is_ok());
    let given = parts.authorized.expect("permitted");
    assert!(given.covers(Permission::KeysManage) && !given.covers(Permission::UsersManage));
    assert!(given.user().is_some_and(|user: UserId| user == rig.who.user));
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(n, v)| (HeaderName::from_static(n), v.parse().expect("a header"))).collect()
}

#[test]
fn forms_of_other_sites_are_refused() {
    let host = ("host", "localhost:8800");
    for good in [
        vec![host],
        vec![host, ("origin", "http://localhost:8800"), ("sec-fetch-site", "same-origin")],
        vec![host, ("sec-fetch-site", "none")],
        vec![("host", "ai.example"), ("origin", "https://ai.example")],
    ] {
        assert!(is_same_site(&headers(&good)), "{good:?}");
    }
    for bad in [
        vec![host, ("sec-fetch-site", "cross-site")],
        vec![host, ("sec-fetch-site", "same-site")],
        vec![host, ("origin", "http://localhost:9999")],
        vec![host, ("origin", "null")],
        vec![host, ("origin", "http://localhost:8800.evil.example")],
        vec![("origin", "http://localhost:8800")],
    ] {
        assert!(!is_same_site(&headers(&bad)), "{bad:?}");
    }
}
