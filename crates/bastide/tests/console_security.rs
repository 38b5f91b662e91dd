//! The console from the outside, as an attacker sees it: every route with every kind of visitor.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use bastide_console::{Access, Route};
use bastide_types::Role;
use common::console::{PASSWORD, Place, Visitor, encoded};
use common::{Answer, send, wait_until};
use http::Method;
use serde_json::Value;

/// How long what was said may take to be read.
const SOON: Duration = Duration::from_secs(10);
/// What no page of the console may lack.
const HEADERS: [(&str, &str); 7] = [
    ("content-security-policy", "default-src 'none'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=()"),
];

/// An address of the route, with something for what stands for `{}`.
fn path(route: Route) -> String {
    route.path().replace("{}", "thing")
}

fn is_public(route: Route) -> bool {
    matches!(route.access(), Access::Public { .. })
}

fn wants(route: Route) -> Option<bastide_types::Permission> {
    match route.access() {
        Access::May(permission) | Access::Fresh(permission) => Some(permission),
        _ => None,
    }
}

fn call(visitor: &mut Visitor, route: Route, fields: &[(&str, &str)]) -> Answer {
    match route.method() == Method::POST {
        true => visitor.post_raw(&path(route), &[], fields),
        false => visitor.get(&path(route)),
    }
}

/// What the installation holds that a form could have changed.
fn state(place: &Place) -> Vec<Value> {
    let lists: [&[&str]; 5] = [
        &["user", "list", "--json"],
        &["key", "list", "--json"],
        &["provider", "list", "--json"],
        &["project", "list", "--json"],
        &["policy", "show", "--json"],
    ];
    let mut found: Vec<Value> =
        lists.iter().map(|list| serde_json::from_slice(&place.command(list).stdout).expect("JSON")).collect();
    // A session that is refused something was seen all the same.
    for user in found.iter_mut().take(1).filter_map(Value::as_array_mut).flatten() {
        user["last_seen"] = Value::Null;
    }
    found
}

/// How many halves of changes the log has.
fn changes(place: &Place) -> usize {
    place.entries().iter().filter(|entry| entry["kind"] == "changed").count()
}

fn denied(place: &Place) -> Vec<String> {
    let entries = place.entries();
    let denied = entries.iter().filter(|entry| entry["kind"] == "denied");
    denied
        .map(|entry| {
            format!(
                "{} {} {}",
                entry["route"].as_str().unwrap_or("?"),
                entry["status"],
                entry["code"].as_str().unwrap_or("?")
            )
        })
        .collect()
}

fn assert_headers(answer: &Answer, at: &str) {
    for (name, begins) in HEADERS {
        let value = answer.header(name).unwrap_or_default();
        assert!(value.starts_with(begins), "{at}: {name}: {value:?}");
    }
    assert!(answer.header("cache-control").is_some(), "{at}");
}

#[test]
fn without_a_session_every_route_leads_to_the_sign_in_and_changes_nothing() {
    let place = Place::new();
    place.administrator();
    let (before, log) = (state(&place), changes(&place));
    for route in Route::ALL.iter().copied().filter(|route| !is_public(*route)) {
        for session in [None, Some("bsc_nonsense".to_owned()), Some("x".repeat(5000))] {
            let mut nobody = Visitor { session, ..place.visitor() };
            let answer = call(&mut nobody, route, &[("csrf", "guess"), ("name", "x")]);
            assert_eq!(answer.status, 303, "{route:?}: {}", answer.text());
            let location = answer.header("location").expect("a location");
            assert!(location.starts_with("/console/sign-in"), "{route:?}: {location}");
            assert_headers(&answer, route.name());
        }
    }
    assert_eq!((state(&place), changes(&place)), (before, log));
}

#[test]
fn a_role_gets_no_further_than_its_permissions_and_the_log_says_who_tried() {
    let place = Place::new();
    let mut administrator = place.administrator();
    for role in [Role::Viewer, Role::Auditor, Role::Operator, Role::Security] {
        let mut visitor = place.somebody(&mut administrator, role.as_str(), role.as_str());
        let csrf = visitor.csrf();
        let (before, log, tried) = (state(&place), changes(&place), denied(&place).len());
        let mut expected = Vec::new();
        for route in Route::ALL.iter().copied() {
            let Some(permission) = wants(route).filter(|permission| !role.grants(*permission)) else {
                continue;
            };
            // A hundred refusals a second are recorded one by one, and more are counted.
            std::thread::sleep(Duration::from_millis(30));
            let answer = call(&mut visitor, route, &[("csrf", &csrf), ("confirm_password", "wrong")]);
            // Whoever proves anew who they are fails before their permission is looked at, and is recorded as well.
            let stale = answer.text().contains("Confirm who you are");
            assert_eq!(answer.status, 403, "{role} {route:?} ({permission}): {}", answer.text());
            if !stale {
                expected.push(format!("{} 403 identity.forbidden", route.name()));
            }
            let answer = call(&mut visitor, route, &[("csrf", &csrf)]);
            assert_eq!(answer.status, 403, "{role} {route:?}");
            assert!(answer.text().contains(permission.as_str()), "{role} {route:?}: {}", answer.text());
            expected.push(format!("{} 403 identity.forbidden", route.name()));
        }
        assert!(!expected.is_empty());
        wait_until("every denial is recorded", SOON, || {
            let recorded = denied(&place).split_off(tried);
            expected.iter().all(|entry| recorded.contains(entry))
        });
        assert_eq!((state(&place), changes(&place)), (before, log), "{role}");
    }
}

#[test]
fn a_form_without_the_token_of_its_session_changes_nothing() {
    let place = Place::new();
    let mut ada = place.administrator();
    let mut other = place.somebody(&mut ada, "bob", "administrator");
    let (own, others) = (ada.csrf(), other.csrf());
    assert!(own.len() >= 26 && own != others);
    let (before, log) = (state(&place), changes(&place));
    let posts = || Route::ALL.iter().copied().filter(|r| r.method() == Method::POST && !is_public(*r));
    for route in posts() {
        let shorter = &own[..own.len() - 1];
        for fields in [vec![], vec![("csrf", "")], vec![("csrf", others.as_str())], vec![("csrf", shorter)]] {
            let mut all = vec![("name", "x"), ("confirm_password", PASSWORD)];
            all.extend(fields);
            let answer = ada.post_raw(&path(route), &[], &all);
            assert_eq!(answer.status, 403, "{route:?}: {}", answer.text());
        }
        for headers in [
            vec![("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site")],
            vec![("origin", "https://evil.example")],
            vec![("origin", "null")],
        ] {
            let answer = ada.post_raw(&path(route), &headers, &[("csrf", &own)]);
            assert_eq!(answer.status, 403, "{route:?} {headers:?}: {}", answer.text());
            assert!(answer.text().contains("another site"), "{route:?}");
        }
    }
    // The public forms too: nobody is signed in as somebody else by another site.
    let mut nobody = place.visitor();
    let fields = [("name", "ada"), ("password", PASSWORD)];
    let crossed = nobody.post_raw("/console/sign-in", &[("sec-fetch-site", "cross-site")], &fields);
    assert_eq!((crossed.status, nobody.session), (403, None));
    assert_eq!((state(&place), changes(&place)), (before, log));
    assert_eq!(ada.get("/console/users").status, 200, "the session goes on");
}

#[test]
fn cookies_are_for_this_site_alone_and_renewed_with_every_proof() {
    let place = Place::new();
    let mut ada = place.newcomer();
    let first = ada.session.clone();
    let answer = ada.sign_in("ada", PASSWORD);
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    for part in ["bastide_session=", "HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
    assert_ne!(ada.session, first, "a new session at each sign-in");
    let later = ada.post("/console/account/totp/defer", &[]);
    assert_eq!(later.status, 303);
    // A proof renews the session, and what it was before is dead.
    let mut before = ada.clone();
    let made = ada.post(
        "/console/users",
        &[("name", "bob"), ("role", "viewer"), ("password", PASSWORD), ("confirm_password", PASSWORD)],
    );
    assert_eq!(made.status, 303, "{}", made.text());
    assert_ne!(ada.session, before.session);
    assert_eq!(
        before.get("/console/users").header("location"),
        Some("/console/sign-in?next=%2Fconsole%2Fusers")
    );
    assert_eq!(ada.get("/console/users").status, 200);
    // Another password ends the other sessions and keeps this one, renewed.
    let mut other = place.visitor();
    other.sign_in("ada", PASSWORD);
    let before = ada.session.clone();
    let new = "an entirely different phrase";
    let changed = ada.post(
        "/console/account/password",
        &[("current_password", PASSWORD), ("password", new), ("repeated_password", new)],
    );
    assert_eq!(changed.header("location"), Some("/console/account"), "{}", changed.text());
    assert_ne!(ada.session, before);
    assert_eq!(ada.get("/console/users").status, 200);
    assert_eq!(other.get("/console/users").status, 303);
    // Signed out is signed out, whoever kept the cookie.
    let mut kept = ada.clone();
    let out = ada.post("/console/sign-out", &[]);
    assert!(out.header("set-cookie").expect("a cookie").contains("Max-Age=0"));
    assert_eq!(kept.get("/console/users").status, 303);
}

#[test]
fn whoever_is_not_let_in_learns_nothing_and_is_locked_out_in_the_end() {
    let place = Place::new();
    let mut ada = place.administrator();
    place.somebody(&mut ada, "off", "viewer");
    assert!(place.command(&["user", "disable", "off"]).status.success());
    let mut nobody = place.visitor();
    let mut page = |name: &str, password: &str| {
        let answer = nobody.sign_in(name, password);
        assert_eq!(answer.status, 401, "{name}");
        (answer.text().replace(name, "NAME"), answer.headers.len())
    };
    let wrong = page("ada", "not the password at all");
    assert_eq!(page("eve", "not the password at all"), wrong, "nobody has the name");
    assert_eq!(page("off", PASSWORD), wrong, "they are disabled");
    for _ in 0..6 {
        page("ada", "guess guess guess");
    }
    assert_eq!(page("ada", PASSWORD), wrong, "the account is locked, and nobody is told");
    assert!(nobody.session.is_none());
    let refused =
        || denied(&place).iter().filter(|e| *e == "POST /console/sign-in 401 identity.sign_in").count();
    wait_until("each attempt is in the log", SOON, || refused() == 10);
    assert_eq!(ada.get("/console/users").status, 200, "who is in stays in");
    wait_until("the operator is told why", SOON, || place.server.output().contains("AccountLocked"));
}

#[test]
fn the_setup_is_there_once_and_guesses_slow_it_down() {
    let place = Place::new();
    let mut visitor = place.visitor();
    assert_eq!(visitor.get("/console/sign-in").header("location"), Some("/console/setup"));
    let code = place.setup_code();
    let fields = |code: &'static str| {
        [("setup_code", code), ("name", "eve"), ("password", PASSWORD), ("repeated_password", PASSWORD)]
    };
    for _ in 0..10 {
        assert_eq!(visitor.post_raw("/console/setup", &[], &fields("AAAA-BBBB-CCCC")).status, 422);
    }
    let right =
        [("setup_code", &*code), ("name", "ada"), ("password", PASSWORD), ("repeated_password", PASSWORD)];
    let late = visitor.post_raw("/console/setup", &[], &right);
    assert_eq!(late.status, 422);
    assert!(late.text().contains("the next one is looked at in"), "{}", late.text());
    assert!(!late.text().contains(PASSWORD), "what was typed as a password does not come back");
    let recorded =
        || denied(&place).iter().filter(|e| *e == "POST /console/setup 403 identity.setup").count();
    // Denials are recorded beside the answer.
    wait_until("eleven guesses are recorded", SOON, || recorded() == 11);
    wait_until("the right one is good yet", SOON, || {
        visitor.post_raw("/console/setup", &[], &right).status == 303
    });

    let place = Place::new();
    place.administrator();
    let code = place.setup_code();
    let mut late = place.visitor();
    assert_eq!(late.get("/console/setup").header("location"), Some("/console/sign-in"));
    let right =
        [("setup_code", &*code), ("name", "eve"), ("password", PASSWORD), ("repeated_password", PASSWORD)];
    assert_eq!(late.post_raw("/console/setup", &[], &right).header("location"), Some("/console/sign-in"));
    let users: Value =
        serde_json::from_slice(&place.command(&["user", "list", "--json"]).stdout).expect("JSON");
    assert_eq!(users.as_array().map(Vec::len), Some(1));
}

#[test]
fn without_a_second_factor_everything_but_the_way_to_one_is_closed() {
    let place = Place::new();
    let mut ada = place.newcomer();
    let csrf = ada.csrf();
    for route in Route::ALL.iter().copied().filter(|route| !is_public(*route)) {
        use Route as R;
        let open = matches!(
            route,
            R::Account
                | R::AccountPassword
                | R::AccountTotpBegin
                | R::AccountTotpConfirm
                | R::AccountTotpDefer
                | R::SignOut
                | R::Theme
        );
        if !open {
            let answer = call(&mut ada, route, &[("csrf", &csrf), ("name", "x")]);
            assert_eq!(
                answer.header("location"),
                Some("/console/account?first"),
                "{route:?}: {}",
                answer.text()
            );
        }
    }
    assert!(ada.get("/console/account").text().contains("Later"));
    ada.post("/console/account/totp/defer", &[]);
    let page = ada.get("/console/account").text();
    assert!(page.contains("Your account has no second factor"), "every page says so");
}

#[test]
fn a_second_factor_is_put_off_at_the_machine_itself_and_not_through_a_proxy() {
    let place = Place::with(&["--allow-host", "ai.example"]);
    let mut ada = place.newcomer();
    let (csrf, log) = (ada.csrf(), changes(&place));
    let passed_on: [&[(&str, &str)]; 5] = [
        &[("forwarded", "for=192.0.2.1")],
        &[("x-forwarded-for", "192.0.2.1")],
        &[("x-real-ip", "192.0.2.1")],
        &[("via", "1.1 proxy")],
        &[("host", "ai.example")],
    ];
    for headers in passed_on {
        let answer = ada.post_raw("/console/account/totp/defer", headers, &[("csrf", &csrf)]);
        assert_eq!(answer.status, 403, "{headers:?}");
        assert!(answer.text().contains("only on the machine itself"), "{headers:?}: {}", answer.text());
    }
    assert_eq!(changes(&place), log, "nothing was changed");
    assert_eq!(ada.post("/console/account/totp/defer", &[]).status, 303, "here it can");
}

#[test]
fn a_guard_and_policies_are_saved_after_another_proof_only() {
    let place = Place::new();
    let mut ada = place.administrator();
    let policies = "permit (principal, action, resource);";
    let rules = "[[guard.rules]]\ncategory = \"CREDIT_CARD\"\nverdict = \"block\"\n";
    for (path, fields, kept) in [
        ("/console/policies", vec![("text", policies)], "permit (principal, action, resource);"),
        ("/console/guard", vec![("mode", "enforce"), ("rules", rules)], "CREDIT_CARD"),
    ] {
        let (before, log) = (state(&place), changes(&place));
        let with =
            |password| fields.iter().copied().chain([("confirm_password", password)]).collect::<Vec<_>>();
        let wrong = ada.post(path, &with("not this one"));
        assert_eq!(wrong.status, 403, "{path}");
        assert!(wrong.text().contains("Confirm who you are") && wrong.text().contains(kept), "{path}");
        assert!(!wrong.text().contains("not this one"), "{path}: no password comes back");
        assert_eq!((state(&place), changes(&place)), (before, log), "{path}: nothing was changed");
        let mut before = ada.clone();
        assert_eq!(ada.post(path, &with(PASSWORD)).status, 303, "{path}");
        assert_ne!(ada.session, before.session, "{path}: the session is renewed");
        assert_eq!(before.get("/console/users").status, 303, "{path}: and the one of before is dead");
    }
    let set = |action: &str| {
        place.entries().iter().filter(|e| e["action"] == action && e["phase"] == "done").count()
    };
    assert_eq!((set("policy.set"), set("guard.set"), set("session.rotate")), (1, 1, 2));
}

#[test]
fn a_secret_in_a_form_is_typed_again_and_not_given_back() {
    let place = Place::new();
    let mut ada = place.administrator();
    let fields = [
        ("name", "other"),
        ("base_url", "http://127.0.0.1:9/v1"),
        ("credential", "sealed"),
        ("credential_value", "sk-a-secret-of-somebody"),
        ("confirm_password", "not this one"),
    ];
    let page = ada.post("/console/providers", &fields);
    assert_eq!(page.status, 403);
    let text = page.text();
    assert!(text.contains("http://127.0.0.1:9/v1") && text.contains("The credential, once more"), "{text}");
    assert!(!text.contains("sk-a-secret"), "{text}");
}

#[test]
fn long_forms_that_never_end_keep_the_console_open() {
    use std::io::Write as _;
    let place = Place::new();
    let mut ada = place.administrator();
    let cookie = format!("bastide_session={}", ada.session.clone().expect("a session"));
    let to = ada.to;
    let begin = || {
        let mut stream = std::net::TcpStream::connect(to).expect("connects");
        let head = format!(
            "POST /console/policies/check HTTP/1.1\r\nhost: {}\r\ncookie: {cookie}\r\n\
             content-type: application/x-www-form-urlencoded\r\ncontent-length: 4000000\r\n\r\ntext=x",
            to
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    // More than there is room for: one may meet the question below where the last of them would have been read.
    let slow: Vec<_> = (0..8).map(|_| begin()).collect();
    let other = ada.clone();
    let fifth = || other.clone().post_raw("/console/policies/check", &[], &[("text", "x")]);
    wait_until("four are being read", SOON, || fifth().status == 503);
    assert!(fifth().header("retry-after").is_some());
    assert_eq!(ada.get("/console/users").status, 200, "pages and short forms go on");
    assert_eq!(ada.post("/console/users", &[("name", "")]).status, 422);
    drop(slow);
    wait_until("room again", SOON, || fifth().status == 403);
}

#[test]
fn what_matters_asks_again_for_the_password() {
    let place = Place::new();
    let mut ada = place.administrator();
    let csrf = ada.csrf();
    let fields = [("csrf", &*csrf), ("name", "bob"), ("role", "viewer"), ("password", PASSWORD)];
    let wrong: Vec<_> = fields.iter().copied().chain([("confirm_password", "not this one")]).collect();
    let answer = ada.post_raw("/console/users", &[], &wrong);
    assert_eq!(answer.status, 403);
    let page = answer.text();
    assert!(page.contains("Confirm who you are") && page.contains("value=\"bob\""), "{page}");
    assert!(!page.contains(PASSWORD) && !page.contains("not this one"), "no password comes back");
}

#[test]
fn a_token_is_no_cookie_and_a_cookie_no_token() {
    let place = Place::new();
    let mut ada = place.administrator();
    let made =
        ada.post("/console/account/tokens", &[("name", "ci"), ("role", "viewer"), ("days", "1")]).text();
    let token = made.split("bsa_").nth(1).expect("a token");
    let token: String = token.chars().take_while(char::is_ascii_alphanumeric).collect();
    let token = format!("bsa_{token}");
    let mut with_token = Visitor { session: Some(token.clone()), ..place.visitor() };
    assert_eq!(with_token.get("/console/users").status, 303, "a token is no cookie");
    let cookie = ada.session.clone().expect("a session");
    for credential in [&cookie, &token] {
        let bearer = format!("Bearer {credential}");
        let headers = [("authorization", &*bearer)];
        let answer = send(ada.to, "GET", "/console/users", &headers, b"");
        assert_eq!(answer.status, 303, "the console reads no bearer");
        let answer = send(ada.to, "GET", "/v1/models", &headers, b"");
        assert_eq!(answer.status, 401, "the data plane takes keys only");
    }
    // A token that would do more than its maker, or a name that is none, is refused at the form.
    let mut bob = place.somebody(&mut ada, "bob", "viewer");
    let more = bob.post("/console/account/tokens", &[("name", "ci"), ("role", "operator"), ("days", "1")]);
    assert_eq!(more.status, 422, "{}", more.text());
    let long = bob.post("/console/account/tokens", &[("name", "ci"), ("role", "viewer"), ("days", "400")]);
    assert_eq!(long.status, 422);
    assert!(long.text().contains("1 to 366"));
}

#[test]
fn every_answer_keeps_to_itself() {
    let place = Place::new();
    let mut ada = place.administrator();
    let page = ada.get("/console/account");
    let text = page.text();
    let asset = text.split("/console/assets/").nth(1).and_then(|r| r.split('"').next()).expect("an asset");
    assert_headers(&page, "a page");
    assert_headers(&ada.get(&format!("/console/assets/{asset}")), "an asset");
    assert_headers(&ada.get("/console/assets/none.css"), "no asset");
    assert_headers(&ada.get("/console/nothing"), "no page");
    assert_headers(&ada.get("/console/%ff"), "no text");
    assert_headers(&ada.post_raw("/console/account", &[], &[]), "another method");
    assert_headers(&place.visitor().get("/console/users"), "a redirect");
    assert_eq!(ada.get("/console/account").header("cache-control"), Some("no-store"));
    for host in ["evil.example", "localhost.evil.example", ""] {
        let cookie = format!("bastide_session={}", ada.session.clone().expect("a session"));
        let answer = send(ada.to, "GET", "/console/account", &[("host", host), ("cookie", &cookie)], b"");
        assert!((400..500).contains(&answer.status), "{host:?}: {}", answer.status);
        assert!(!answer.text().contains("ada"), "{host:?}");
    }
    // Larger than any form.
    let body = vec![b'a'; 9 << 20];
    let kind = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(ada.to, "POST", "/console/sign-in", &[kind], &body).status, 413);
    let form = encoded(&[("name", "ada"), ("password", PASSWORD)]);
    for kind in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let answer = send(ada.to, "POST", "/console/sign-in", &[("content-type", kind)], form.as_bytes());
        assert_eq!(answer.status, 415, "{kind}");
    }
}

#[test]
fn no_secret_stands_in_an_address_or_in_the_servers_log() {
    let place = Place::with(&["--log-format", "json"]);
    assert!(place.command(&["log-level", "trace"]).status.success());
    let code = place.setup_code();
    let mut ada = place.newcomer();
    let mut secrets = vec![PASSWORD.to_owned()];
    let mut locations = Vec::new();
    let begun = ada.post("/console/account/totp", &[]).text();
    let secret = begun.split("secret=").nth(1).expect("a secret");
    secrets.push(secret.chars().take_while(char::is_ascii_alphanumeric).collect());
    let csrf = ada.csrf();
    let wrong = ada.post_raw("/console/account/totp/confirm", &[], &[("csrf", &csrf), ("code", "000000")]);
    assert_eq!(wrong.status, 422);
    ada.post("/console/account/totp/defer", &[]);
    secrets.push(csrf);
    secrets.extend(ada.session.clone());
    let new = "an entirely different phrase";
    let done = ada.post(
        "/console/account/password",
        &[("current_password", PASSWORD), ("password", new), ("repeated_password", new)],
    );
    locations.extend(done.header("location").map(str::to_owned));
    secrets.extend([new.to_owned(), ada.session.clone().expect("a session")]);
    for (path, fields) in [
        (
            "/console/users",
            vec![("name", "bob"), ("role", "viewer"), ("password", "bobs own first password")],
        ),
        (
            "/console/users",
            vec![("name", "bob"), ("role", "viewer"), ("password", "bobs own first password")],
        ),
        ("/console/account/tokens", vec![("name", "ci"), ("role", "viewer"), ("days", "1")]),
        ("/console/account/tokens", vec![("name", "ci"), ("role", "nobody"), ("days", "x")]),
    ] {
        let answer = ada.post(path, &fields);
        locations.extend(answer.header("location").map(str::to_owned));
        if let Some(token) = answer.text().split("bsa_").nth(1) {
            secrets.push(format!(
                "bsa_{}",
                token.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
            ));
        }
    }
    secrets.push("bobs own first password".to_owned());
    let mut nobody = place.visitor();
    let typed = "typed into the wrong field";
    locations.extend(nobody.sign_in(typed, typed).header("location").map(str::to_owned));
    secrets.push(typed.to_owned());
    assert!(secrets.iter().all(|secret| secret.len() > 12), "{secrets:?}");
    let told = || place.server.output().matches("somebody was not let in").count();
    wait_until("the last attempt is told", SOON, || told() >= 1);
    let output = place.server.output();
    let log: String = output.lines().filter(|line| line.starts_with('{')).collect::<Vec<_>>().join("\n");
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret} in the log");
        assert!(!locations.iter().any(|to| to.contains(secret.as_str())), "{secret} in {locations:?}");
        for entry in place.entries() {
            assert!(!entry.to_string().contains(secret.as_str()), "{secret} in {entry}");
        }
    }
    assert_eq!(output.matches(code.as_str()).count(), 1, "the setup code stands there once");
}

#[test]
fn under_tls_no_cookie_crosses_another_connection() {
    let folder = bastide_testkit::temp_folder().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(file("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(file("key.pem"), made.signing_key.serialize_pem()).expect("written");
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], bastide_testkit::free_port().expect("a port")));
    let data = file("data");
    let added = common::bastide_told(&["user", "create", "ada", "--data", &data], &[], PASSWORD);
    assert!(added.status.success(), "{added:?}");
    let binary = bastide_testkit::find_binary("bastide").expect("a binary");
    #[allow(clippy::disallowed_methods, reason = "running the binary is what is tested")]
    let mut server = std::process::Command::new(binary)
        .args(["serve", "--listen", &address.to_string(), "--data", &data])
        .args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("starts");
    wait_until("it is ready", Duration::from_secs(20), || {
        common::bastide(&["healthcheck", "--data", &data], &[]).status.success()
    });
    let form = encoded(&[("name", "ada"), ("password", PASSWORD)]);
    let answer = encrypted(address, made.cert.der(), &form);
    let _ = server.kill();
    let _ = server.wait();
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    let cookie = answer
        .lines()
        .find(|line| line.starts_with("set-cookie: __Host-bastide_session="))
        .expect("a cookie");
    for part in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/;"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(answer.contains("strict-transport-security: max-age="), "{answer}");
}

/// A sign-in over TLS, and the whole answer.
fn encrypted(
    to: std::net::SocketAddr,
    trusted: &rustls::pki_types::CertificateDer<'_>,
    form: &str,
) -> String {
    use std::io::{Read as _, Write as _};
    let mut roots = rustls::RootCertStore::empty();
    roots.add(trusted.clone().into_owned()).expect("a root");
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("a client");
    let mut stream = std::net::TcpStream::connect(to).expect("connects");
    let mut tls = rustls::Stream::new(&mut client, &mut stream);
    let request = format!(
        "POST /console/sign-in HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    tls.write_all(request.as_bytes()).expect("sent");
    let mut got = Vec::new();
    // The end without a farewell is an end all the same.
    let _ = tls.read_to_end(&mut got);
    String::from_utf8_lossy(&got).into_owned()
}
