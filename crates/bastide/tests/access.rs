//! Every route with every kind of credential: who is refused, how, and that the log says so.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::{Duration, Instant};

use common::{Answer, Rig, send};
use serde_json::Value;

/// The routes, as the gateway lists them; a new one without a line here fails the test that compares the two.
const ROUTES: [(&str, &str, &str, bool); 6] = [
    ("POST /v1/chat/completions", "POST", "/v1/chat/completions", true),
    ("GET /v1/models", "GET", "/v1/models", true),
    ("GET /v1/models/{model}", "GET", "/v1/models/mock", true),
    ("GET /healthz", "GET", "/healthz", false),
    ("GET /readyz", "GET", "/readyz", false),
    ("GET /metrics", "GET", "/metrics", false),
];

const BODY: &str = r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#;

#[test]
fn every_route_is_in_the_sweep() {
    let swept: Vec<&str> = ROUTES.iter().map(|r| r.0).collect();
    let all: Vec<&str> = bastide_gateway::Route::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(swept, all);
}

fn call(rig: &Rig, route: usize, headers: &[(&str, &str)]) -> Answer {
    let (_, method, path, _) = ROUTES[route];
    let body = if method == "POST" { BODY } else { "" };
    send(rig.address(), method, path, headers, body.as_bytes())
}

#[test]
fn every_route_refuses_every_bad_credential_and_the_log_says_so() {
    let rig = Rig::enforcing();
    let revoked = rig.server.create_key("revoked").expect("a key");
    rig.command(&["key", "revoke", "revoked"]);
    let short = rig.command(&["key", "create", "short", "--expires", "1h", "--json"]);
    assert!(short.status.success());
    let other = Rig::enforcing();
    let altered = {
        let mut key = rig.key.clone();
        let last = key.pop().expect("a character");
        key.push(if last == 'a' { 'b' } else { 'a' });
        key
    };
    let bearer = |key: &str| format!("Bearer {key}");
    let good = bearer(&rig.key);
    type Case<'a> = (&'a str, Vec<(&'a str, String)>, u16, &'a str);
    let cases: Vec<Case<'_>> = vec![
        ("missing", vec![], 401, "auth.missing"),
        ("empty", vec![("authorization", String::new())], 401, "auth.missing"),
        ("malformed", vec![("authorization", bearer("bst_nonsense"))], 401, "auth.refused"),
        ("one character off", vec![("authorization", bearer(&altered))], 401, "auth.refused"),
        ("another scheme", vec![("authorization", "Basic eDp5".to_owned())], 401, "auth.refused"),
        ("revoked", vec![("authorization", bearer(&revoked.key))], 401, "auth.refused"),
        ("another tenant's", vec![("authorization", bearer(&other.key))], 401, "auth.refused"),
        ("huge", vec![("authorization", bearer(&"x".repeat(20_000)))], 401, "auth.refused"),
        (
            "two at once",
            vec![("authorization", good.clone()), ("x-api-key", revoked.key.clone())],
            400,
            "auth.ambiguous",
        ),
        (
            "two of a kind",
            vec![("authorization", good.clone()), ("authorization", bearer(&revoked.key))],
            400,
            "auth.ambiguous",
        ),
    ];
    for (index, (name, _, _, keyed)) in ROUTES.iter().enumerate() {
        for (case, headers, status, code) in &cases {
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            let before = rig.entries().len();
            let answer = call(&rig, index, &headers);
            if !keyed {
                assert_eq!(answer.status, 200, "{name} is listed as open: {case}");
                continue;
            }
            assert_eq!((answer.status, answer.code().as_str()), (*status, *code), "{name}: {case}");
            assert!(!answer.text().contains("bst_n") && !answer.text().contains(&altered), "{name}: {case}");
            let denied = || {
                let entries = rig.entries();
                entries.iter().skip(before).filter(|e| e["kind"] == "denied" && e["route"] == *name).count()
            };
            // A denial does not wait for the disk: a flood of bad keys must not become a flood of syncs.
            let until = Instant::now() + Duration::from_secs(5);
            while denied() == 0 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(20));
            }
            assert_eq!(denied(), 1, "{name}: {case} is in the log");
        }
        let answer = call(&rig, index, &[("authorization", &good)]);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    assert_eq!(
        rig.mock.received().iter().filter(|r| r.method == "POST").count(),
        1,
        "only the good key got through"
    );
}

#[test]
fn a_browser_at_the_bare_address_is_shown_to_the_console_and_nobody_else_is() {
    let rig = Rig::enforcing();
    let root = |method: &str, accept: &str| send(rig.address(), method, "/", &[("accept", accept)], b"");
    let browser = root("GET", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert_eq!((browser.status, browser.header("location")), (303, Some("/console")));
    assert!(browser.body.is_empty());
    for (method, accept) in [("GET", "*/*"), ("GET", "application/json"), ("POST", "text/html")] {
        let other = root(method, accept);
        assert_eq!((other.status, other.code().as_str()), (404, "http.not_found"), "{method} {accept}");
        assert!(other.text().contains("`/console`") && other.text().contains("`/v1`"), "{}", other.text());
        assert!(other.text().contains("bastide explain-error http.not_found"), "{}", other.text());
    }
    let named = send(rig.address(), "GET", "/", &[("accept", "text/html"), ("host", "evil.example")], b"");
    assert_eq!(named.status, 421, "a page of another name is not sent on either");
}

#[test]
fn a_console_with_an_address_of_its_own_is_found_there() {
    let admin = bastide_testkit::free_port().expect("a port");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], admin));
    let rig = Rig::with(&["--admin-listen", &address.to_string()]);
    let root = |to| send(to, "GET", "/", &[("accept", "text/html")], b"");
    assert_eq!(root(rig.address()).status, 404);
    assert!(!root(rig.address()).text().contains("`/console`"), "it is not here");
    assert_eq!(root(address).header("location"), Some("/console"));
}

#[test]
fn a_key_that_expires_stops_working() {
    let rig = Rig::enforcing();
    let soon = rig.command(&["key", "create", "x", "--expires", "2000-01-01T00:00:00Z"]);
    assert_eq!(soon.status.code(), Some(2), "a key that never works is refused");
    assert!(String::from_utf8_lossy(&soon.stderr).contains("in the past"));
}

#[test]
fn what_no_policy_permits_is_denied_by_name_and_recorded() {
    let rig = Rig::enforcing();
    let file = rig.folder.path().join("p.cedar");
    std::fs::write(
        &file,
        r#"@id("everyone") @unscoped("test") permit (principal, action, resource);
           @id("no-secret-model") forbid (principal, action == Bastide::Action::"invoke", resource == Bastide::Model::"upstream/secret");"#,
    )
    .expect("written");
    let set = rig.command(&["policy", "set", &file.display().to_string()]);
    assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    let denied = rig.chat(&BODY.replace("mock", "secret"));
    assert_eq!((denied.status, denied.code().as_str()), (403, "policy.denied"));
    assert!(denied.text().contains("no-secret-model"), "{}", denied.text());
    assert!(denied.header("bastide-receipt").is_some(), "a refusal has a receipt");
    assert_eq!(rig.chat(BODY).status, 200);
    let last = rig.entries();
    assert!(last.iter().any(|e| e["kind"] == "request" && e["verdict"] == "block" && e["model"] == "secret"));
}

#[test]
fn limits_hold_and_say_when_to_come_back() {
    let rig = Rig::enforcing();
    let made = rig.command(&["key", "create", "slow", "--requests-per-minute", "2", "--json"]);
    let key: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let bearer = format!("Bearer {}", key["key"].as_str().expect("a key"));
    let ask = || {
        send(rig.address(), "POST", "/v1/chat/completions", &[("authorization", &bearer)], BODY.as_bytes())
    };
    assert_eq!((ask().status, ask().status), (200, 200));
    let third = ask();
    assert_eq!((third.status, third.code().as_str()), (429, "limit.requests_per_minute"));
    assert_eq!(third.header("retry-after"), Some("30"));
}

#[test]
fn names_of_other_servers_are_refused() {
    let rig = Rig::enforcing();
    let bearer = format!("Bearer {}", rig.key);
    for host in ["evil.example", "127.0.0.1.evil.example:80"] {
        let answer =
            send(rig.address(), "GET", "/v1/models", &[("host", host), ("authorization", &bearer)], b"");
        assert_eq!((answer.status, answer.code().as_str()), (421, "http.host"), "{host}");
    }
}
