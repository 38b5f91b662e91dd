//! The management API of the real binary: who may do what, that every denial and every change is in the log, and where it
//! answers.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bastide_api::{Access, Operation};
use bastide_types::{Permission, Role};
use common::{Answer, Rig, response_json, send, wait_until};
use serde_json::{Value, json};

const NAME: &str = "ada";
const PASSWORD: &str = "a+long+and+winding+passphrase";

/// Makes the first administrator through the console, and gives the cookie of its session.
fn set_up(rig: &Rig, console: SocketAddr) -> String {
    let output = rig.server.output();
    let code =
        output.split("enter the code ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a code");
    let form = format!("setup_code={code}&name={NAME}&password={PASSWORD}&repeated_password={PASSWORD}");
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let answer = send(console, "POST", "/console/setup", &kind, form.as_bytes());
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("set-cookie").and_then(|c| c.split(';').next()).expect("a session").to_owned()
}

/// A token of the administrator that may do what this role may.
fn token(rig: &Rig, role: Role) -> String {
    token_of(rig, NAME, role)
}

fn token_of(rig: &Rig, name: &str, role: Role) -> String {
    let made =
        rig.command(&["token", "create", name, "--name", role.as_str(), "--role", role.as_str(), "--json"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    made["token"].as_str().expect("a token").to_owned()
}

fn ask(to: SocketAddr, token: &str, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let bearer = format!("Bearer {token}");
    let mut headers = vec![("authorization", bearer.as_str())];
    let body = body.map(Value::to_string).unwrap_or_default();
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    send(to, method, path, &headers, body.as_bytes())
}

fn code(answer: &Answer) -> String {
    response_json(answer)["code"].as_str().unwrap_or("no code").to_owned()
}

fn path_of(operation: Operation) -> String {
    let names: Vec<&str> =
        operation.path().split('/').map(|s| if s.starts_with('{') { "nobody" } else { s }).collect();
    names.join("/")
}

/// A role that lacks the permission.
fn lacking(permission: Permission) -> Option<Role> {
    Role::ALL.iter().rev().copied().find(|role| !role.grants(permission))
}

#[test]
fn nobody_gets_in_without_a_token_or_with_one_that_may_not() {
    let rig = Rig::enforcing();
    let cookie = set_up(&rig, rig.address());
    let (_, session) = cookie.split_once('=').expect("a cookie");
    let revoked = token(&rig, Role::Administrator);
    let listed = rig.command(&["token", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).expect("JSON");
    let id = listed[0]["id"].as_str().expect("a token");
    assert!(rig.command(&["token", "revoke", id]).status.success());
    let tokens: Vec<(Role, String)> = Role::ALL.iter().map(|r| (*r, token(&rig, *r))).collect();
    let with =
        |role: Role| tokens.iter().find(|(r, _)| *r == role).map(|(_, t)| t.as_str()).expect("a token");

    for operation in Operation::ALL {
        let (method, path) = (operation.method(), path_of(*operation));
        let send_with = |headers: &[(&str, &str)]| send(rig.address(), method.as_str(), &path, headers, b"");
        // The log takes a hundred denials of nobody a second, and counts the others.
        std::thread::sleep(Duration::from_millis(100));
        let before = rig.entries().len();
        let cases: [(&str, &str, &str); 7] = [
            ("nothing", "", ""),
            ("a cookie", "cookie", &cookie),
            ("a key of the gateway", "authorization", &format!("Bearer {}", rig.key)),
            ("a browser's session", "authorization", &format!("Bearer {session}")),
            ("a revoked token", "authorization", &format!("Bearer {revoked}")),
            ("nonsense", "authorization", "Bearer bsa_nonsense"),
            ("another scheme", "authorization", "Basic eDp5"),
        ];
        for (what, name, value) in &cases {
            let headers: Vec<(&str, &str)> = if name.is_empty() { Vec::new() } else { vec![(*name, *value)] };
            let answer = send_with(&headers);
            assert_eq!(answer.status, 401, "{}: {what}: {}", operation.name(), answer.text());
            assert!(code(&answer).starts_with("auth."), "{}: {what}", operation.name());
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert!(answer.header("www-authenticate").is_some_and(|v| v.starts_with("Bearer")));
        }
        let Access::May(permission) = operation.access() else { continue };
        let role = lacking(permission);
        if let Some(role) = role {
            let answer = ask(rig.address(), with(role), method.as_str(), &path, None);
            let shown = (answer.status, code(&answer));
            assert_eq!(shown, (403, "identity.forbidden".to_owned()), "{}: {role}", operation.name());
            assert!(answer.text().contains(permission.as_str()), "{}", answer.text());
        }
        let denied = || {
            let of_this = |e: &&Value| e["kind"] == "denied" && e["route"] == operation.name();
            let entries = rig.entries();
            let these: Vec<&Value> = entries.iter().skip(before).filter(of_this).collect();
            let known = these.iter().filter(|e| e["actor"]["type"] == "user").count();
            let told: u64 = these.iter().map(|e| 1 + e["suppressed"].as_u64().unwrap_or(0)).sum();
            (known, told > 0)
        };
        wait_until(operation.name(), Duration::from_secs(5), || {
            denied() == (usize::from(role.is_some()), true)
        });
    }
}

#[test]
fn every_permission_that_an_operation_needs_is_one_that_somebody_lacks() {
    // Else the sweep above proves nothing about it. Everybody sees the traffic.
    let everybodys: BTreeSet<&str> = Operation::ALL
        .iter()
        .filter_map(|o| match o.access() {
            Access::May(p) if lacking(p).is_none() => Some(p.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(everybodys, BTreeSet::from(["traffic.view"]));
}

#[test]
fn every_operation_does_what_it_says_and_changes_are_in_the_log() {
    // No flag says what the guard does: then it can be set.
    let rig = Rig::with(&[]);
    set_up(&rig, rig.address());
    assert!(rig.command(&["guard", "mode", "enforce"]).status.success());
    let admin = token(&rig, Role::Administrator);
    let mut used = BTreeSet::new();
    let chat = rig
        .chat(r#"{"model":"mock","messages":[{"role":"user","content":"my card is 4111 1111 1111 1111"}]}"#);
    let (exchange, receipt) =
        (chat.header("bastide-exchange").expect("an id"), chat.header("bastide-receipt"));
    // Every operation once, in an order in which each finds what it needs; what it changes, as the log calls it.
    let mut call = |operation: Operation,
                    segment: &str,
                    query: &str,
                    body: Option<Value>,
                    action: Option<&str>| {
        assert!(used.insert(operation.name()), "{operation:?} twice");
        let path: Vec<&str> =
            operation.path().split('/').map(|s| if s.starts_with('{') { segment } else { s }).collect();
        let before = rig.entries().len();
        let answer =
            ask(rig.address(), &admin, operation.method().as_str(), &(path.join("/") + query), body.as_ref());
        assert!((200..300).contains(&answer.status), "{operation:?}: {} {}", answer.status, answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{operation:?}");
        let entries = rig.entries();
        let changed: Vec<(&str, &str)> = entries
            .iter()
            .skip(before)
            .filter(|e| e["kind"] == "changed")
            .map(|e| (e["action"].as_str().unwrap_or("?"), e["phase"].as_str().unwrap_or("?")))
            .collect();
        match action {
            Some(action) => assert_eq!(changed, [(action, "intent"), (action, "done")], "{operation:?}"),
            None => assert_eq!(changed, [], "{operation:?} changes nothing"),
        }
        match answer.body.is_empty() {
            true => Value::Null,
            false => response_json(&answer),
        }
    };
    use Operation as O;
    let page = call(O::ListExchanges, "", "?verdict=tokenise&limit=5", None, None);
    assert_eq!(page["rows"][0]["request"]["exchange"], exchange);
    assert!(page["rows"][0]["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{page}");
    let shown = call(O::ShowExchange, exchange, "?segments=true", None, None);
    assert!(!shown.to_string().contains("4111 1111"), "masked");
    let why = json!({"reason": "somebody asked"});
    let revealed = call(O::RevealExchange, exchange, "", Some(why), None);
    assert!(revealed.to_string().contains("4111 1111") && revealed["revealed"].is_u64(), "{revealed}");
    let traffic = call(O::ShowTraffic, "", "?by=minute&count=3", None, None);
    assert_eq!(traffic["slots"].as_array().map(Vec::len), Some(3));
    assert_eq!(traffic["models"][0]["exchanges"], 1);

    assert!(call(O::ShowLog, "", "", None, None)["failure"].is_null());
    let entries = call(O::ListEntries, "", "?kind=revealed", None, None);
    assert_eq!(entries["entries"][0]["index"], revealed["revealed"]);
    assert_eq!(entries["entries"][0]["reason"], "somebody asked");
    let index = revealed["revealed"].to_string();
    let proof = call(O::ProveEntry, &index, "", None, None);
    assert!(proof["path"].as_array().is_some_and(|p| !p.is_empty()), "{proof}");
    // By the code that shares nothing with the writer.
    let key = std::fs::read_to_string(rig.folder.path().join("log/log.vkey")).expect("a key");
    let key = key.trim().parse().expect("a key");
    let report = bastide_verify::verify_proof(proof.to_string().as_bytes(), &key).expect("it holds");
    assert_eq!(
        (report.index.to_string(), proof["root"].as_str()),
        (index.clone(), Some(report.root.as_str()))
    );
    assert!(
        call(O::ShowCheckpoint, "", "", None, None)["checkpoint"]
            .as_str()
            .is_some_and(|c| c.contains("default/node-1"))
    );
    let checked = call(O::CheckReceipt, "", "", Some(json!({"receipt": receipt})), None);
    assert_eq!(checked["holds"], true);

    let wanted = json!({"name": "of the api", "expires": "30d", "requests_per_minute": 5});
    let key = call(O::CreateKey, "", "", Some(wanted), Some("key.create"));
    assert!(key["key"].as_str().is_some_and(|k| k.starts_with("bst_")));
    let keys = call(O::ListKeys, "", "", None, None);
    let listed = keys.as_array().and_then(|k| k.iter().find(|k| k["id"] == key["id"])).expect("it is listed");
    assert_eq!((listed["limits"]["requests_per_minute"].as_u64(), listed.get("key")), (Some(5), None));
    let at_once = Some(json!({"overlap": "0"}));
    let next = call(O::RotateKey, "of%20the%20api", "", at_once, Some("key.rotate"));
    assert!(next["key"].as_str().is_some_and(|k| k.starts_with("bst_")) && next["id"] != key["id"], "{next}");
    assert_eq!((&next["old"]["id"], next["old"]["state"].as_str()), (&key["id"], Some("expired")));
    let revoked = call(O::RevokeKey, "of%20the%20api", "", None, Some("key.revoke"));
    assert_eq!((&revoked["id"], revoked["state"].as_str()), (&next["id"], Some("revoked")));
    let erased = call(O::EraseKey, "test", "", Some(json!({"confirm": true})), Some("subject.erase"));
    assert_eq!(erased["erased"], true);

    let provider = json!({"name": "other", "base_url": rig.mock.base_url(), "credential": "s3cret"});
    let added = call(O::AddProvider, "", "", Some(provider), Some("provider.add"));
    assert_eq!(added["credential"], "sealed");
    assert!(call(O::TestProvider, "other", "", None, None)["failure"].is_null());
    assert!(!call(O::ListProviders, "", "", None, None).to_string().contains("s3cret"));
    call(O::RemoveProvider, "other", "", None, Some("provider.remove"));
    call(O::CreateProject, "", "", Some(json!({"name": "apps"})), Some("project.create"));
    assert!(call(O::ListProjects, "", "", None, None).to_string().contains("\"apps\""));

    let text = call(O::ShowPolicies, "", "", None, None)["text"].as_str().expect("a text").to_owned();
    assert!(call(O::CheckPolicies, "", "", Some(json!({"text": text})), None)["policies"].as_u64() > Some(0));
    let question = json!({"action": "invoke", "key": "test", "model": "mock"});
    assert_eq!(call(O::AskPolicies, "", "", Some(question), None)["permitted"], true);
    assert_eq!(call(O::SetPolicies, "", "", Some(json!({"text": text})), Some("policy.set"))["version"], 1);
    let versions = call(O::ListPolicyVersions, "", "", None, None);
    assert_eq!((versions[0]["version"].as_u64(), versions[0]["in_force"].as_bool()), (Some(1), Some(true)));
    assert_eq!((versions[1]["version"].as_u64(), versions[1]["set"].as_str()), (Some(0), None), "built in");
    assert_eq!(call(O::ShowPolicyVersion, "1", "", None, None)["text"], text.as_str());

    let guard = call(O::ShowGuard, "", "", None, None);
    assert_eq!((guard["mode"].as_str(), guard["version"].as_u64()), (Some("enforce"), Some(1)));
    let strict = json!({"rules": "[[guard.rules]]\ncategory = 'CREDIT_CARD'\nverdict = 'block'\n"});
    let preview = call(O::PreviewGuard, "", "", Some(strict.clone()), None);
    assert_eq!((preview["changed"].as_u64(), preview["then"]["block"].as_u64()), (Some(1), Some(1)));
    assert_eq!(preview["changes"][0]["exchange"], exchange);
    let set = call(O::SetGuard, "", "", Some(strict), Some("guard.set"));
    assert_eq!((set["version"].as_u64(), set["mode"].as_str()), (Some(2), Some("enforce")));
    let blocked =
        rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"4111 1111 1111 1111"}]}"#);
    assert_eq!(blocked.status, 403, "in force at once");
    let versions = call(O::ListGuardVersions, "", "", None, None);
    assert_eq!((versions[0]["version"].as_u64(), versions[0]["newest"].as_bool()), (Some(2), Some(true)));
    assert!(call(O::ShowGuardVersion, "2", "", None, None)["text"].to_string().contains("CREDIT_CARD"));
    let tried = call(O::InspectText, "", "", Some(json!({"text": "4111 1111 1111 1111"})), None);
    assert_eq!(tried["findings"][0]["category"], "CREDIT_CARD");

    let settings = call(O::ListSettings, "", "", None, None);
    let listen = settings.as_array().and_then(|s| s.iter().find(|s| s["name"] == "listen")).expect("listen");
    assert_eq!(listen["origin"]["kind"], "flag");
    assert!(call(O::Examine, "", "", None, None)["findings"].as_array().is_some_and(|f| f.len() > 3));
    call(O::Reload, "", "", None, Some("config.reload"));
    assert_eq!(call(O::ShowLogLevel, "", "", None, None)["filter"], "info");
    let level = json!({"filter": "warn"});
    assert_eq!(call(O::SetLogLevel, "", "", Some(level), Some("log_level.set"))["filter"], "warn");

    let user = json!({"name": "bob", "role": "viewer", "password": "another long passphrase"});
    assert_eq!(call(O::CreateUser, "", "", Some(user), Some("user.create"))["role"], "viewer");
    let change = json!({"change": "role", "role": "auditor"});
    assert_eq!(call(O::ChangeUser, "bob", "", Some(change), Some("user.role"))["role"], "auditor");
    assert_eq!(call(O::ListUsers, "", "", None, None).as_array().map(Vec::len), Some(2));
    call(O::RemoveUser, "bob", "", None, Some("user.remove"));
    token(&rig, Role::Viewer);
    let tokens = call(O::ListTokens, "", "", None, None);
    let viewers = tokens.as_array().and_then(|all| all.iter().find(|t| t["role"] == "viewer"));
    let viewers = viewers.and_then(|t| t["id"].as_str()).expect("it is listed");
    assert!(!tokens.to_string().contains("bsa_"), "none of them stands there again");
    call(O::RevokeToken, viewers, "", None, Some("session.revoke"));

    let me = call(O::ShowSelf, "", "", None, None);
    assert_eq!((me["name"].as_str(), me["session"]["this"].as_bool()), (Some(NAME), Some(true)));
    let document = call(O::ShowDocument, "", "", None, None);
    assert_eq!(document, bastide_api::openapi());
    let sessions = call(O::ListSessions, "", "", None, None);
    let browser = sessions.as_array().and_then(|s| s.iter().find(|s| s["kind"] == "browser")).expect("one");
    call(O::EndSession, browser["id"].as_str().expect("an id"), "", None, Some("session.revoke"));
    let all: BTreeSet<&str> = Operation::ALL.iter().map(|o| o.name()).collect();
    assert_eq!(used, all, "every operation is used");
}

#[test]
fn what_cannot_be_read_or_meant_is_refused_by_name() {
    let rig = Rig::enforcing();
    set_up(&rig, rig.address());
    let admin = token(&rig, Role::Administrator);
    let bearer = format!("Bearer {admin}");
    let json = ("content-type", "application/json");
    let before = rig.entries().len();
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    type Case<'a> = (&'a str, &'a str, Option<(&'a str, &'a str)>, &'a str, u16, &'a str);
    let cases: [Case<'_>; 28] = [
        ("GET", "/api", None, "", 404, "http.not_found"),
        ("GET", "/api/v1/nothing", None, "", 404, "http.not_found"),
        ("GET", "/api/v1/keys/", None, "", 404, "http.not_found"),
        ("DELETE", "/api/v1/keys", None, "", 405, "http.method"),
        ("OPTIONS", "/api/v1/keys", None, "", 405, "http.method"),
        ("GET", "/api/v1/keys?more=1", None, "", 400, "api.request"),
        ("GET", "/api/v1/exchanges?limit=x", None, "", 400, "api.request"),
        ("GET", "/api/v1/exchanges?limit=1&limit=2", None, "", 400, "api.request"),
        ("GET", "/api/v1/exchanges?verdict=nice", None, "", 422, "api.refused"),
        ("GET", "/api/v1/exchanges/exc_nothing", None, "", 422, "api.refused"),
        ("POST", "/api/v1/keys", None, r#"{"name":"x"}"#, 415, "http.content_type"),
        (
            "POST",
            "/api/v1/keys",
            Some(("content-type", "text/plain")),
            r#"{"name":"x"}"#,
            415,
            "http.content_type",
        ),
        ("POST", "/api/v1/keys", Some(("content-encoding", "gzip")), "x", 415, "http.encoded_body"),
        ("POST", "/api/v1/keys", Some(json), "", 400, "api.request"),
        ("POST", "/api/v1/keys", Some(json), r#"{"name":"x","secret":1}"#, 400, "api.request"),
        ("POST", "/api/v1/keys", Some(json), r#"{"name":"x","name":"y"}"#, 400, "api.request"),
        ("POST", "/api/v1/keys", Some(json), &deep, 400, "api.request"),
        ("POST", "/api/v1/keys", Some(json), r#"{"name":"x","expires":"yesterday"}"#, 422, "api.refused"),
        ("POST", "/api/v1/keys/nobody/revoke", None, "", 404, "api.not_found"),
        ("POST", "/api/v1/keys/%ff/revoke", None, "", 400, "api.request"),
        (
            "POST",
            "/api/v1/providers",
            Some(json),
            r#"{"name":"p","base_url":"https://x.example/v1","credential":{"kind":"file","path":"/etc/passwd"}}"#,
            400,
            "api.request",
        ),
        ("POST", "/api/v1/system/reload", Some(json), "{}", 400, "api.request"),
        ("POST", "/api/v1/keys/test/erase", Some(json), r#"{"confirm":false}"#, 422, "api.refused"),
        ("POST", "/api/v1/keys/test/rotate", Some(json), r#"{"overlap":"soon"}"#, 422, "api.refused"),
        ("PUT", "/api/v1/guard", Some(json), r#"{"mode":"off"}"#, 409, "api.conflict"),
        ("GET", "/api/v1/guard/versions/x", None, "", 404, "api.not_found"),
        ("GET", "/api/v1/policies/versions/7", None, "", 404, "api.not_found"),
        ("DELETE", "/api/v1/tokens/nothing", None, "", 404, "api.not_found"),
    ];
    for (method, path, header, body, status, wanted) in cases {
        let headers: Vec<(&str, &str)> =
            [("authorization", bearer.as_str())].into_iter().chain(header).collect();
        let answer = send(rig.address(), method, path, &headers, body.as_bytes());
        assert_eq!(
            (answer.status, code(&answer).as_str()),
            (status, wanted),
            "{method} {path}: {}",
            answer.text()
        );
        let problem = response_json(&answer);
        assert_eq!(
            (problem["status"].as_u64(), answer.header("content-type")),
            (Some(u64::from(status)), Some("application/problem+json"))
        );
        assert!(problem["detail"].as_str().is_some_and(|d| !d.is_empty() && d.len() < 600), "{problem}");
        assert_eq!(answer.header("allow").is_some(), status == 405, "{method} {path}");
        assert_eq!(problem["type"], format!("urn:bastide:error:{wanted}"));
        assert_eq!(problem["doc"], format!("bastide explain-error {wanted}"));
    }
    let huge = format!("{{\"text\":\"{}\"}}", "x".repeat(9 << 20));
    let answer =
        send(rig.address(), "PUT", "/api/v1/policies", &[("authorization", &bearer), json], huge.as_bytes());
    // A server that refuses early may close before all is written, and the answer is lost then.
    assert!(matches!(answer.status, 413 | 0), "{}", answer.status);
    let host = send(
        rig.address(),
        "GET",
        "/api/v1/me",
        &[("host", "evil.example"), ("authorization", &bearer)],
        b"",
    );
    assert_eq!(host.status, 421);
    let changed = rig.entries().into_iter().skip(before).filter(|e| e["kind"] == "changed").count();
    assert_eq!(changed, 0, "nothing of this changed anything");
}

#[test]
fn a_token_can_do_no_more_than_its_user_and_dies_with_their_rights() {
    let rig = Rig::enforcing();
    set_up(&rig, rig.address());
    let admin = token(&rig, Role::Administrator);
    let viewer = token(&rig, Role::Viewer);
    let own = |token: &str| response_json(&ask(rig.address(), token, "GET", "/api/v1/me", None));
    let admins = own(&admin)["session"]["id"].as_str().expect("an id").to_owned();
    // One that was given away to read does not sign its giver out.
    let end = |token: &str, id: &str| {
        ask(rig.address(), token, "DELETE", &format!("/api/v1/me/sessions/{id}"), None).status
    };
    assert_eq!(end(&viewer, &admins), 403);
    let viewers = own(&viewer)["session"]["id"].as_str().expect("an id").to_owned();
    assert_eq!(end(&viewer, &viewers), 200);
    assert_eq!(ask(rig.address(), &viewer, "GET", "/api/v1/me", None).status, 401);

    let bob = json!({"name": "bob", "role": "operator", "password": "another long passphrase"});
    assert_eq!(ask(rig.address(), &admin, "POST", "/api/v1/users", Some(&bob)).status, 201);
    let more = rig.command(&["token", "create", "bob", "--name", "x", "--role", "administrator"]);
    assert_eq!(more.status.code(), Some(2), "{}", String::from_utf8_lossy(&more.stderr));
    let made = rig.command(&["token", "create", "bob", "--name", "x", "--role", "operator", "--json"]);
    let made: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    let bobs = made["token"].as_str().expect("a token");
    let keys = |token: &str| ask(rig.address(), token, "GET", "/api/v1/keys", None).status;
    assert_eq!(keys(bobs), 200);
    let change = |body: Value| ask(rig.address(), &admin, "PATCH", "/api/v1/users/bob", Some(&body)).status;
    assert_eq!(change(json!({"change": "role", "role": "viewer"})), 200);
    assert_eq!(keys(bobs), 403, "the role counts at once");
    assert_eq!(change(json!({"change": "disable"})), 200);
    assert_eq!(keys(bobs), 401);
    let none = rig.command(&["token", "create", "nobody", "--name", "x", "--role", "viewer"]);
    assert_eq!(none.status.code(), Some(3));
    assert!(!rig.server.output().contains(&admin), "no token is in the server's own log");
}

#[test]
fn a_token_that_is_found_becomes_no_person() {
    let rig = Rig::enforcing();
    set_up(&rig, rig.address());
    let admin = token(&rig, Role::Administrator);
    let ask = |method: &str, path: &str, body: Value| {
        let answer = ask(rig.address(), &admin, method, path, Some(&body));
        (answer.status, code(&answer))
    };
    let refused = (403, "identity.forbidden".to_owned());
    let another = "another long passphrase";
    let made = json!({"name": "eve", "role": "administrator", "password": another});
    assert_eq!(ask("POST", "/api/v1/users", made), refused, "no administrator is made");
    let bob = json!({"name": "bob", "role": "viewer", "password": another});
    assert_eq!(ask("POST", "/api/v1/users", bob).0, 201);
    let raised = json!({"change": "role", "role": "administrator"});
    assert_eq!(ask("PATCH", "/api/v1/users/bob", raised), refused, "nobody is made one");
    for change in [
        json!({"change": "password", "password": another}),
        json!({"change": "remove_totp"}),
        json!({"change": "defer_totp"}),
    ] {
        assert_eq!(ask("PATCH", &format!("/api/v1/users/{NAME}"), change), refused, "nor taken over");
    }
    let kind = [("content-type", "application/x-www-form-urlencoded")];
    let form = format!("name={NAME}&password={PASSWORD}");
    let answer = send(rig.address(), "POST", "/console/sign-in", &kind, form.as_bytes());
    assert_eq!(answer.status, 303, "the password is the one of before");
    let denials = || rig.entries().iter().filter(|e| e["kind"] == "denied" && e["status"] == 403).count();
    wait_until("each try is in the log", Duration::from_secs(5), || denials() == 5);
}

#[test]
fn requests_at_the_same_time_are_bounded_whatever_they_bring() {
    use std::io::Write as _;
    let rig = Rig::enforcing();
    set_up(&rig, rig.address());
    let admin = token(&rig, Role::Administrator);
    let bob = json!({"name": "bob", "role": "viewer", "password": "another long passphrase"});
    assert_eq!(ask(rig.address(), &admin, "POST", "/api/v1/users", Some(&bob)).status, 201);
    let bob = token_of(&rig, "bob", Role::Viewer);
    let begin = || {
        let mut stream = std::net::TcpStream::connect(rig.address()).expect("connects");
        let head = format!(
            "PUT /api/v1/policies HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {admin}\r\n\
             content-type: application/json\r\ncontent-length: 4000000\r\n\r\n{{",
            rig.address()
        );
        stream.write_all(head.as_bytes()).expect("sent");
        stream
    };
    // Bodies that never end hold a place each, and one more gets none: not even to be read.
    let slow: Vec<_> = (0..16).map(|_| begin()).collect();
    let me = || ask(rig.address(), &admin, "GET", "/api/v1/me", None);
    wait_until("every place is taken", Duration::from_secs(5), || me().status == 429);
    let refused = me();
    assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("api.busy", Some("1")));
    assert_eq!(ask(rig.address(), &bob, "GET", "/api/v1/me", None).status, 200, "nobody takes every place");
    assert_eq!(rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#).status, 200);
    drop(slow);
    wait_until("places again", Duration::from_secs(10), || me().status == 200);
}

#[test]
fn with_an_address_of_their_own_console_and_api_answer_nowhere_else() {
    let port = bastide_testkit::free_port().expect("a port");
    let admin_listen = SocketAddr::from(([127, 0, 0, 1], port));
    let rig = Rig::with(&["--admin-listen", &admin_listen.to_string()]);
    let output = rig.server.output();
    assert!(output.contains(&format!("http://localhost:{port}/console/setup")), "{output}");
    set_up(&rig, admin_listen);
    let admin = token(&rig, Role::Administrator);
    assert_eq!(ask(admin_listen, &admin, "GET", "/api/v1/me", None).status, 200);
    assert_eq!(send(admin_listen, "GET", "/console/sign-in", &[], b"").status, 200);
    for path in ["/api/v1/me", "/console", "/console/sign-in", "/console/assets/console.css"] {
        assert_eq!(ask(rig.address(), &admin, "GET", path, None).status, 404, "{path} at the gateway");
    }
    let bearer = format!("Bearer {}", rig.key);
    for path in ["/v1/models", "/healthz", "/readyz", "/metrics"] {
        let answer = send(admin_listen, "GET", path, &[("authorization", &bearer)], b"");
        assert_eq!((answer.status, answer.code().as_str()), (404, "http.not_found"), "{path} at the console");
        assert_eq!(rig.get(path).status, 200, "{path} at the gateway");
    }
    let foreign = send(admin_listen, "GET", "/console/sign-in", &[("host", "evil.example")], b"");
    assert_eq!(foreign.status, 421);
    let explained = response_json(&ask(admin_listen, &admin, "GET", "/api/v1/settings", None));
    let setting = explained.as_array().and_then(|s| s.iter().find(|s| s["name"] == "admin_listen"));
    assert_eq!(setting.map(|s| s["value"].clone()), Some(json!(admin_listen.to_string())));
}

#[test]
fn an_address_for_administrators_is_checked_like_the_gateways() {
    let check = |arguments: &[&str]| {
        let all: Vec<&str> = ["config", "check"].iter().chain(arguments).copied().collect();
        let output = common::bastide(&all, &[]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, why) = check(&["--admin-listen", "0.0.0.0:8900"]);
    assert!(code == Some(2) && why.contains("`0.0.0.0:8900` is not loopback"), "{why}");
    assert_eq!(check(&["--admin-listen", "0.0.0.0:8900", "--plain-http"]).0, Some(0));
    let (code, why) = check(&["--listen", "127.0.0.1:8800", "--admin-listen", "127.0.0.1:8800"]);
    assert!(code == Some(2) && why.contains("`admin_listen`"), "{why}");
    let (code, why) = check(&["--admin-listen", "8900"]);
    assert!(code == Some(2) && why.contains("127.0.0.1:8900"), "{why}");
}
