//! The console's pages under "Control", as a browser without script uses them: keys, providers, policies, the guard and
//! the playground, each with what it changes for the next request.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use bastide_testkit::{BastideProcess, MockConfig, MockUpstream, temp_folder};
use common::console::{printed, put_off_second_factor};
use common::{Answer, Rig, send, wait_until};
use serde_json::json;

const PASSWORD: &str = "correct horse battery staple";
const CARD: &str = "my card is 4111 1111 1111 1111";

/// Somebody at a browser, who is signed in.
struct Browser {
    at: SocketAddr,
    cookie: String,
    csrf: String,
}

fn encode(fields: &[(&str, &str)]) -> String {
    let part = |text: &str| {
        text.bytes()
            .map(|b| match b {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(b).to_string(),
                _ => format!("%{b:02X}"),
            })
            .collect::<String>()
    };
    fields.iter().map(|(n, v)| format!("{}={}", part(n), part(v))).collect::<Vec<_>>().join("&")
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn cookie_of(answer: &Answer) -> String {
    let set = answer.headers.iter().filter(|(n, v)| n == "set-cookie" && v.starts_with("bastide_session="));
    set.map(|(_, v)| v.split(';').next().unwrap_or_default().to_owned()).next().expect("a session's cookie")
}

impl Browser {
    /// Makes the first administrator.
    fn first(server: &BastideProcess) -> Browser {
        let code = &*printed(server, "enter the code ");
        let fields =
            [("setup_code", code), ("name", "ada"), ("password", PASSWORD), ("repeated_password", PASSWORD)];
        let answer = send(server.address(), "POST", "/console/setup", &[FORM], encode(&fields).as_bytes());
        assert_eq!(answer.status, 303, "{}", answer.text());
        Browser::with(server.address(), &answer)
    }

    fn sign_in(server: &BastideProcess) -> Browser {
        let fields = [("name", "ada"), ("password", PASSWORD)];
        let answer = send(server.address(), "POST", "/console/sign-in", &[FORM], encode(&fields).as_bytes());
        assert_eq!(answer.status, 303, "{}", answer.text());
        Browser::with(server.address(), &answer)
    }

    fn with(at: SocketAddr, answer: &Answer) -> Browser {
        let cookie = cookie_of(answer);
        let csrf = put_off_second_factor(at, &cookie);
        Browser { at, cookie, csrf }
    }

    fn get(&self, path: &str) -> Answer {
        send(self.at, "GET", path, &[("cookie", &self.cookie)], b"")
    }

    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.text()
    }

    fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.post_with(path, fields, &[])
    }

    fn post_with(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", self.csrf.as_str())];
        all.extend(fields);
        let mut sent = vec![FORM, ("cookie", &self.cookie)];
        sent.extend(headers);
        send(self.at, "POST", path, &sent, encode(&all).as_bytes())
    }

    /// Posts what is answered by another page.
    fn does(&self, path: &str, fields: &[(&str, &str)]) {
        let answer = self.post(path, fields);
        assert_eq!(answer.status, 303, "{path}: {}", answer.text());
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("no `{before}` in: {text}")).1;
    rest.split(after).next().unwrap_or_default()
}

fn ask(rig: &Rig, key: &str, text: &str) -> Answer {
    let body = json!({"model":"mock","messages":[{"role":"user","content":text}]}).to_string();
    let bearer = format!("Bearer {key}");
    send(rig.address(), "POST", "/v1/chat/completions", &[("authorization", &bearer)], body.as_bytes())
}

/// The key that a page shows once, and its id.
fn made(page: &str) -> (String, String) {
    let key = format!(
        "bst_{}",
        between(page, "bst_", "&#10;").split(['<', '"', '&', ' ']).next().unwrap_or_default()
    );
    let id = page.split("/console/keys/").filter_map(|s| s.split('"').next()).find(|s| s.starts_with("key_"));
    (key.trim().to_owned(), id.expect("a link to the key").to_owned())
}

#[test]
fn a_key_is_made_used_rotated_and_revoked() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    let wrong =
        ada.post("/console/keys", &[("name", "app"), ("expires", "custom"), ("expires_custom", "soon")]);
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.text().contains("is no time") && wrong.text().contains("value=\"app\""),
        "{}",
        wrong.text()
    );

    let fields = [("name", "app"), ("expires", "30d"), ("tokens_per_day", "100000")];
    let answer = ada.post("/console/keys", &fields);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let (key, id) = made(&answer.text());
    assert_eq!(ask(&rig, &key, "hi").status, 200);
    let page = ada.page(&format!("/console/keys/{id}"));
    assert!(!page.contains(&key), "a key is shown once");
    assert!(page.contains("100,000 tokens/day") && page.contains("key.create"), "{page}");
    let list = ada.page("/console/keys?q=app");
    assert!(list.contains(&id) && !ada.page("/console/keys?q=nobody").contains(&id));

    // The old key works on for a while; with a name that a rotation may share.
    let rotated = ada.post(&format!("/console/keys/{id}/rotate"), &[("overlap", "2s")]);
    assert_eq!(rotated.status, 200, "{}", rotated.text());
    let (successor, other) = made(&rotated.text());
    assert_ne!(id, other);
    assert!(rotated.text().contains("export BASTIDE_KEY=") && rotated.text().contains("ChatOpenAI"));
    let list = ada.page("/console/keys?q=app");
    assert!(list.contains(">old<") && list.contains(">successor<"), "twins are told apart: {list}");
    let page = ada.page(&format!("/console/keys/{id}"));
    assert!(page.contains("Revoke the key <code>app</code> (bst_"), "the dialog names it: {page}");
    assert_eq!(ask(&rig, &successor, "hi").status, 200);
    assert_eq!(ask(&rig, &key, "hi").status, 200, "during the overlap both work");
    wait_until("the old key ends", Duration::from_secs(10), || ask(&rig, &key, "hi").status == 401);
    assert_eq!(ask(&rig, &successor, "hi").status, 200);
    let page = ada.page(&format!("/console/keys/{other}"));
    assert!(page.contains("100,000 tokens/day") && page.contains("key.rotate"), "{page}");

    // Without an overlap the old one ends with the answer, and the command line does the same.
    let output = rig.command(&["key", "rotate", "app", "--overlap", "0", "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let third: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let third_key = third["key"].as_str().expect("a key");
    assert_eq!(ask(&rig, &successor, "hi").status, 401);
    assert_eq!(ask(&rig, third_key, "hi").status, 200);
    let again = rig.command(&["key", "rotate", &id]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("has a successor already"));

    ada.does(&format!("/console/keys/{}/revoke", third["id"].as_str().expect("an id")), &[]);
    assert_eq!(ask(&rig, third_key, "hi").status, 401);
    let page = ada.page(&format!("/console/keys/{}", third["id"].as_str().expect("an id")));
    assert!(between(&page, "<dt>Ends</dt>", "</dd>").contains("revoked"), "{page}");
}

#[test]
fn a_rotation_holds_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let old = rig.make_key("app", &[]);
    let output = rig.command(&["key", "rotate", "app", "--overlap", "0", "--json"]);
    assert!(output.status.success());
    let new: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    rig.server.kill();
    rig.server =
        BastideProcess::on(rig.folder.path()).upstream(&rig.mock.base_url()).start().expect("starts");
    assert_eq!(ask(&rig, &old, "hi").status, 401);
    assert_eq!(ask(&rig, new["key"].as_str().expect("a key"), "hi").status, 200);
}

#[test]
fn a_provider_is_added_tested_and_removed() {
    let rig = Rig::with(&[]);
    let other =
        MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() }).expect("a mock");
    let ada = Browser::first(&rig.server);
    let plain = [("name", "far"), ("base_url", "http://10.1.2.3/v1"), ("credential", "none")];
    let refused = ada.post("/console/providers", &plain);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("name=\"plain_http\""), "consent is asked for: {}", refused.text());
    assert!(refused.text().contains("or tick the box"), "{}", refused.text());
    assert!(!ada.page("/console/models").contains("name=\"plain_http\""), "and only then");

    let fields = [
        ("name", "near"),
        ("base_url", &other.base_url()),
        ("credential", "sealed"),
        ("credential_value", "sk-very-secret"),
    ];
    ada.does("/console/providers", &fields);
    let page = ada.page("/console/models");
    assert!(
        page.contains("near") && page.contains("sealed in the data folder") && !page.contains("sk-very"),
        "{page}"
    );
    let tested = ada.post("/console/providers/near/test", &[]);
    let said = tested.headers.iter().find(|(_, v)| v.starts_with("bastide_flash=")).expect("something said");
    assert!(said.1.contains("answered"), "{}", said.1);
    assert!(ask(&rig, &rig.key, "hi").status == 200 && !other.received().is_empty(), "it comes first");

    ada.does("/console/providers/near/remove", &[]);
    drop(other.take_received());
    assert!(ask(&rig, &rig.key, "hi").status == 200 && other.received().is_empty());
    ada.does("/console/projects", &[("project_name", "research")]);
    assert!(ada.page("/console/models").contains("research"));
    assert_eq!(ada.post("/console/projects", &[("project_name", "research")]).status, 422);
}

#[test]
fn policies_are_checked_set_by_somebody_and_taken_back() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    let before = ada.page("/console/policies");
    assert!(before.contains("starter policy"), "{before}");
    let bad = ada
        .post("/console/policies", &[("text", "permit (principal, action, resource)\nwhen { nonsense };")]);
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("line 2, column") && bad.text().contains("aria-invalid"), "{}", bad.text());
    assert_eq!(ask(&rig, &rig.key, "hi").status, 200, "nothing was changed");

    let permit = "@id(\"all\")\npermit (principal, action, resource);\n";
    let checked = ada.post("/console/policies/check", &[("text", permit)]);
    assert_eq!(checked.status, 200);
    assert!(checked.text().contains("It holds: 1 policy"));
    ada.does("/console/policies", &[("text", permit)]);
    let deny = "@id(\"nobody\")\nforbid (principal, action, resource);\n";
    ada.does("/console/policies", &[("text", deny)]);
    assert_eq!(ask(&rig, &rig.key, "hi").status, 403);

    // The question, as a link, and what a caller is told.
    let told = ada.page("/console/policies/try?key=test&model=mock");
    assert!(told.contains("Denied") && told.contains("nobody"), "{told}");
    let version = ada.page("/console/policies/versions/1");
    assert!(
        version.contains("<dt>By</dt><dd dir=\"auto\">ada</dd>")
            && version.contains("Use this version again"),
        "{version}"
    );
    ada.does("/console/policies", &[("text", permit)]);
    assert_eq!(ask(&rig, &rig.key, "hi").status, 200);
    let told = ada.page("/console/policies/try?key=test&model=mock");
    assert!(told.contains("Permitted") && told.contains("all"), "{told}");
    assert!(ada.page("/console/policies").contains("version 3"));

    // What nobody set can be taken back to as well.
    let built_in = ada.page("/console/policies/versions/0");
    assert!(built_in.contains("it is built in") && built_in.contains("Use this version again"), "{built_in}");
    let said = |arguments: &[&str]| String::from_utf8_lossy(&rig.command(arguments).stdout).into_owned();
    assert!(said(&["policy", "set", "--version", "0"]).contains("version 4 is in force"));
    let history = said(&["policy", "history"]);
    assert!(history.contains("built in") && history.contains("in force"), "{history}");
    assert_eq!(said(&["policy", "show"]), said(&["policy", "show", "--version", "0"]));
    assert!(!rig.command(&["policy", "set", "--version", "9"]).status.success());
}

#[test]
fn what_a_policy_refused_is_told_as_refused() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    let deny = "@id(\"all\")\npermit (principal, action, resource);\n@id(\"no-cards\")\nforbid (principal, action == \
                Bastide::Action::\"release\", resource)\nwhen { context.categories.contains(\"CREDIT_CARD\") };\n";
    ada.does("/console/policies", &[("text", deny)]);
    let refused = ask(&rig, &rig.key, CARD);
    assert_eq!(refused.status, 403, "{}", refused.text());
    let exchange = refused.header("bastide-exchange").expect("an exchange");
    let page = ada.page(&format!("/console/exchanges/{exchange}"));
    for said in ["<code>no-cards</code>", "would have been replaced by a token", "none: nothing left"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!page.contains(">replaced by a token"), "nothing went on: {page}");
    let steps = ada.page("/console/guide");
    assert!(steps.contains("would tokenise") && steps.contains("Nothing of it left"), "{steps}");
    let log = ada.page("/console/log?kind=request");
    assert!(log.contains("<code>no-cards</code>"), "the log's line names the policy: {log}");
    // With either guard it ends as the policy says.
    let strict = [("mode", "enforce"), ("rules", BLOCK_CARDS), ("do", "preview")];
    let preview = ada.post("/console/guard/preview", &strict).text();
    assert!(preview.contains("Nothing of what has passed would have ended otherwise"), "{preview}");
    assert!(preview.contains("A policy refused 1"), "{preview}");
}

#[test]
fn a_draft_of_policies_is_tried_without_being_in_force() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    let deny = "@id(\"closed\")\nforbid (principal, action, resource);\n";
    let checked = ada.post("/console/policies/check", &[("text", deny)]).text();
    assert!(checked.contains("Try with this text"), "{checked}");
    let fields = [("text", deny), ("key", "test"), ("model", "mock")];
    let tried = ada.post("/console/policies/try", &fields).text();
    assert!(
        tried.contains("Denied") && tried.contains("closed") && tried.contains("Your text was asked"),
        "{tried}"
    );
    assert_eq!(ask(&rig, &rig.key, "hi").status, 200, "it is not in force");
    // What is wrong is shown with the lines around it, and no others.
    let long =
        format!("{}permit (principal, action, resource)\nwhen {{ nonsense }};\n", "// a line\n".repeat(40));
    let wrong = ada.post("/console/policies/check", &[("text", &long)]).text();
    assert!(wrong.contains("data-n=\"42\"") && !wrong.contains("data-n=\"20\""), "{wrong}");
}

const BLOCK_CARDS: &str = "[[guard.rules]]\ncategory = \"CREDIT_CARD\"\nverdict = \"block\"\n";

#[test]
fn a_guard_that_is_set_holds_for_the_next_request_and_after_a_restart() {
    let mut rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    assert_eq!(ask(&rig, &rig.key, CARD).status, 200, "by default it is tokenised");
    let bad = ada.post(
        "/console/guard",
        &[("mode", "enforce"), ("rules", "[[guard.rules]]\ncategory = \"CARD\"\nverdict = \"block\"")],
    );
    assert_eq!(bad.status, 422);
    assert!(bad.text().contains("is not a category"), "{}", bad.text());

    // The form's buttons write the text.
    let add = [
        ("mode", "enforce"),
        ("rules", ""),
        ("rule_finding", "category:CREDIT_CARD"),
        ("rule_verdict", "block"),
        ("do", "add"),
    ];
    let built = ada.post("/console/guard/preview", &add);
    assert_eq!(built.status, 200, "{}", built.text());
    assert!(built.text().contains("category = &#34;CREDIT_CARD&#34;"), "{}", built.text());

    ada.does("/console/guard", &[("mode", "enforce"), ("rules", BLOCK_CARDS)]);
    assert_eq!(ask(&rig, &rig.key, CARD).status, 403);
    let explained = rig.command(&["config", "explain", "--running"]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(
        explained.lines().any(|l| l.starts_with("guard.rules") && l.contains("console version 1")),
        "{explained}"
    );
    let reloaded = rig.command(&["config", "reload"]);
    assert!(reloaded.status.success());
    assert_eq!(ask(&rig, &rig.key, CARD).status, 403, "a reload keeps it");
    let entries = rig.entries();
    assert!(entries.iter().any(|e| e["action"] == "guard.set" && e["phase"] == "done"), "it is in the log");

    rig.server.kill();
    rig.server =
        BastideProcess::on(rig.folder.path()).upstream(&rig.mock.base_url()).start().expect("starts");
    assert_eq!(ask(&rig, &rig.key, CARD).status, 403, "a restart keeps it");
    let ada = Browser::sign_in(&rig.server);
    let version = ada.page("/console/guard/versions/1");
    assert!(
        version.contains("<dt>By</dt><dd dir=\"auto\">ada</dd>")
            && version.contains("This version is in force"),
        "{version}"
    );
    ada.does("/console/guard", &[("mode", "observe"), ("keep_rules", "yes")]);
    assert_eq!(ask(&rig, &rig.key, CARD).status, 200, "observed");
    let shown = rig.command(&["guard", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!((&shown["mode"], &shown["version"]), (&json!("observe"), &json!(2)));
    assert_eq!(shown["text"], BLOCK_CARDS, "the rules stayed");
    assert!(ada.page("/console/guard/versions/0").contains("Use this version again"));
    assert!(rig.command(&["guard", "set", "--version", "0"]).status.success());
    assert_eq!(ask(&rig, &rig.key, CARD).status, 200, "the built-in rules tokenise again");
    assert!(rig.command(&["guard", "set", "--version", "2"]).status.success());
    assert!(rig.command(&["guard", "mode", "enforce"]).status.success());
    assert_eq!(ask(&rig, &rig.key, CARD).status, 403);
}

#[test]
fn what_the_settings_file_says_of_the_guard_wins_and_locks_its_page() {
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("settings.toml");
    let start = |file: &Path, mock: &MockUpstream| {
        let server = BastideProcess::on(folder.path()).upstream(&mock.base_url());
        server.argument("--config").argument(&file.to_string_lossy()).start().expect("starts")
    };
    let mock = MockUpstream::start_blocking(MockConfig::default()).expect("a mock");
    std::fs::write(&file, "").expect("written");
    let mut server = start(&file, &mock);
    let ada = Browser::first(&server);
    ada.does("/console/guard", &[("mode", "enforce"), ("rules", BLOCK_CARDS)]);
    server.kill();
    std::fs::write(&file, "[guard]\nmode = \"observe\"\n").expect("written");
    let server = start(&file, &mock);
    let ada = Browser::sign_in(&server);
    let page = ada.page("/console/guard");
    assert!(page.contains("settings.toml:2") && page.contains("stored, not in force"), "{page}");
    assert!(!page.contains("Edit the rules"), "{page}");
    let refused = ada.post("/console/guard", &[("mode", "enforce"), ("rules", "")]);
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("settings.toml:2"), "{}", refused.text());
}

#[test]
fn a_preview_counts_what_another_guard_would_do() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    for text in [CARD, CARD, "write to anna.berg@example.com", "nothing here"] {
        assert_eq!(ask(&rig, &rig.key, text).status, 200);
    }
    let count = |rules: &str, mode: &str| {
        let fields = [("mode", mode), ("rules", rules)];
        let answer = ada.post_with("/console/guard/preview", &fields, &[("x-fragment", "1")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(!answer.text().contains("<html"), "a fragment");
        answer.text()
    };
    let cards = count(BLOCK_CARDS, "enforce");
    assert!(cards.contains("2 exchanges would have ended otherwise"), "{cards}");
    assert!(cards.contains("newest 4 exchanges") && cards.contains("/console/exchanges/exc_"), "{cards}");
    let all = count("[[guard.rules]]\nfamily = \"personal_data\"\nverdict = \"block\"\n", "enforce");
    assert!(all.contains("3 exchanges would have ended otherwise"), "{all}");
    assert!(count("", "enforce").contains("Nothing of what has passed"), "the same guard");
    assert!(
        count("", "observe").contains("3 exchanges would have ended otherwise"),
        "what was tokenised would not be"
    );
    let page = ada.post("/console/guard/preview", &[("mode", "enforce"), ("rules", BLOCK_CARDS)]).text();
    assert!(page.contains("<html") && page.contains("2 exchanges would have ended otherwise"));
    // Nothing was put in force.
    assert_eq!(ask(&rig, &rig.key, CARD).status, 200);
}

#[test]
fn the_playground_shows_what_a_request_would_do() {
    let rig = Rig::with(&[]);
    let ada = Browser::first(&rig.server);
    let entries = rig.entries().len();
    let page = ada.post("/console/playground", &[("origin", "user"), ("text", CARD)]);
    assert_eq!(page.status, 200, "{}", page.text());
    let text = page.text();
    assert!(text.contains("CREDIT_CARD") && text.contains("tokenise"), "{text}");
    let leaves = between(&text, "What would leave", "What would come back");
    assert!(leaves.contains("CREDIT_CARD_") && !leaves.contains("4111 1111"), "{leaves}");
    assert!(between(&text, "What would come back", "</main>").contains("4111 1111"), "{text}");
    assert_eq!(rig.entries().len(), entries, "nothing is recorded");
    ask(&rig, &rig.key, CARD);
    let sent = rig.mock.received().last().expect("a request").text();
    assert!(sent.contains("CREDIT_CARD_") && !sent.contains("4111 1111"), "as a request does: {sent}");

    let hidden = ada.post("/console/playground", &[("example", "1")]).text();
    assert!(hidden.contains("PROMPT_INJECTION") && hidden.contains("would be refused"), "{hidden}");
    assert!(hidden.contains("Other readings") && hidden.contains("ignore all previous"), "{hidden}");
    let clean = ada.post_with("/console/playground", &[("example", "3")], &[("x-fragment", "1")]).text();
    assert!(clean.contains("Nothing was found") && !clean.contains("<html"), "{clean}");
    let long = "a".repeat(70_000);
    assert_eq!(ada.post("/console/playground", &[("text", &long), ("origin", "user")]).status, 422);
}
