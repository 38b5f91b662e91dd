//! Every command from the outside: what it prints, and what its exit code says.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use bastide_testkit::{BastideProcess, temp_folder};
use common::{Rig, bastide, bastide_told};
use serde_json::Value;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

/// The commands that a `--help` lists.
fn listed(path: &[&str]) -> Vec<String> {
    let all: Vec<&str> = path.iter().copied().chain(["--help"]).collect();
    let help = said(&bastide(&all, &[]));
    let (_, commands) = help.split_once("Commands:\n").unwrap_or_default();
    commands
        .lines()
        .take_while(|line| !line.is_empty())
        // A line further in goes on about the command above it.
        .filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

/// Every command that does something, as its words.
fn every_command() -> Vec<String> {
    let mut all = Vec::new();
    for command in listed(&[]) {
        let below = listed(&[&command]);
        if below.is_empty() {
            all.push(command);
        } else {
            all.extend(below.iter().map(|verb| format!("{command} {verb}")));
        }
    }
    all
}

struct Case<'a> {
    command: &'a str,
    arguments: Vec<&'a str>,
    code: i32,
    says: &'a str,
}

/// A case: what is asked, how it ends, what it says.
fn case<'a>(command: &'a str, arguments: &[&'a str], code: i32, says: &'a str) -> Case<'a> {
    Case { command, arguments: arguments.to_vec(), code, says }
}

#[test]
fn every_command_ends_with_the_documented_exit_code() {
    let folder = temp_folder().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let log = path("data/log");
    let (data, missing, new) = (path("data"), path("missing"), path("new"));
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
        path(name)
    };
    let good = write("good.cedar", "@id(\"all\") @unscoped(\"test\") permit (principal, action, resource);");
    let bad = write("bad.cedar", "permit (principal, action,");
    let config = write("config.toml", "listen = \"8800\"\n");
    let hosts = write("hosts.toml", "allowed_hosts = [\"https://x\"]\n");
    let wordy = write("wordy.toml", "[limits]\nrequest_bytes = \"32 MiB\"\n");
    let scored = write("scored.toml", "[[guard.rules]]\nfamily = \"secret\"\nmin_score = \"high\"\n");
    let flat = write("flat.toml", "limits = 5\n");
    let jsonl = write("broken.jsonl", "{\"id\":1}\n");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = taken.local_addr().expect("bound").to_string();
    let any = "127.0.0.1:0";
    let nobody = "key_00000000000000000000000000";
    let cases = vec![
        case("key create", &["ci", "--data", &data], 0, "shown once"),
        case("key create", &["ci", "--data", &data], 3, "a key named `ci` exists; revoke it"),
        case("key create", &["", "--data", &data], 2, "is no name for a key"),
        case("key create", &["<b>", "--data", &data], 2, "is no name for a key"),
        case("key create", &["b", "--project", "nope", "--data", &data], 3, "no project `nope`"),
        case("key create", &["b", "--expires", "soon", "--data", &data], 2, "`90s`"),
        case("key create", &["b", "--expires", "4000d", "--data", &data], 2, "ten years"),
        case("key create", &["b", "--expires", "2000-01-01T00:00:00Z", "--data", &data], 2, "in the past"),
        case("key create", &["b", "--requests-per-minute", "0", "--data", &data], 2, "limit of 0"),
        case("key create", &["b", "--requests-per-minute", "x", "--data", &data], 2, "invalid value"),
        case("explain-error", &["guard.blocked"], 0, "guard.blocked"),
        case("explain-error", &["nothing"], 2, "is no code"),
        case("key list", &["--data", &data], 0, "ci"),
        case("key list", &["--data", &missing], 3, "no data folder"),
        case("key revoke", &["nope", "--data", &data], 3, "no key `nope`"),
        case("key revoke", &[nobody, "--data", &data], 3, "there is no key"),
        case("key revoke", &["ci", "--data", &missing], 3, "no data folder"),
        case("key revoke", &["ci", "--data", &data], 0, "is revoked"),
        case("key revoke", &["ci", "--data", &data], 3, "is revoked already"),
        case("key create", &["ci", "--data", &data], 0, "shown once"),
        case("key create", &["turn", "--data", &data], 0, "shown once"),
        case("key rotate", &["nope", "--data", &data], 3, "no key `nope`"),
        case("key rotate", &["turn", "--overlap", "1y", "--data", &data], 2, "is no span"),
        case("key rotate", &["turn", "--overlap", "91d", "--data", &data], 2, "more than 90 days"),
        case("key rotate", &["turn", "--data", &missing], 3, "no data folder"),
        case("key rotate", &["turn", "--overlap", "0", "--data", &data], 0, "ends at"),
        case("project create", &["search", "--data", &data], 0, "search"),
        case("project create", &["search", "--data", &data], 3, "already a project `search`"),
        case("project create", &["", "--data", &data], 2, "is no name for a project"),
        case("project list", &["--data", &data], 0, "search"),
        case("project list", &["--data", &missing], 3, "no data folder"),
        case(
            "token create",
            &["ada", "--name", "ci", "--role", "viewer", "--data", &data],
            3,
            "no user `ada`",
        ),
        case("token list", &["--data", &missing], 3, "no data folder"),
        case("token revoke", &["ses_nope", "--data", &data], 3, "no token `ses_nope`"),
        case("user list", &["--data", &data], 0, "no users yet"),
        case("user list", &["--data", &missing], 3, "no data folder"),
        case("user create", &["ada", "--data", &data], 3, "no password on standard input"),
        case("user role", &["ada", "nobody", "--data", &data], 2, "`nobody` is not a role"),
        case("user role", &["ada", "viewer", "--data", &data], 3, "no user `ada`"),
        case("user disable", &["ada", "--data", &data], 3, "no user `ada`"),
        case("user enable", &["ada", "--data", &data], 3, "no user `ada`"),
        case("user password", &["ada", "--data", &data], 3, "no password on standard input"),
        case("user totp-remove", &["ada", "--data", &data], 3, "no user `ada`"),
        case("user remove", &["ada", "--data", &missing], 3, "no data folder"),
        case("provider add", &["ollama", "--data", &data], 0, "serves from"),
        case("provider add", &["ollama", "--data", &data], 3, "already a provider `ollama`"),
        case("provider add", &["mine", "--data", &data], 2, "--base-url"),
        case("provider add", &["mine", "--base-url", "ftp://x", "--data", &data], 2, "is not a base URL"),
        case("provider add", &["Mine", "--base-url", "https://x/v1", "--data", &data], 2, "lower-case"),
        case("provider add", &["openai", "--key-env", "", "--data", &data], 2, "is no name"),
        case("provider add", &["openai", "--key-file", &missing, "--data", &data], 3, "cannot read"),
        case(
            "provider add",
            &["openai", "--key-stdin", "--data", &data],
            3,
            "no credential on standard input",
        ),
        case("provider add", &["openai", "--project", "nope", "--data", &data], 3, "no project `nope`"),
        case(
            "provider add",
            &["plain", "--base-url", "http://10.0.0.9/v1", "--key-env", "NOT_SET_HERE", "--data", &data],
            2,
            "plain HTTP",
        ),
        case(
            "provider add",
            &["plain", "--base-url", "http://10.0.0.9/v1", "--data", &data],
            2,
            "agree to it with `--plain-http`",
        ),
        case(
            "provider add",
            &["plain", "--base-url", "http://10.0.0.9/v1", "--plain-http", "--data", &data],
            0,
            "serves from",
        ),
        case(
            "provider add",
            &["mine", "--base-url", "https://llm.example/v1/chat/completions/", "--data", &data],
            2,
            "leave out `/chat/completions`: the base URL, as an SDK takes it, is `https://llm.example/v1`",
        ),
        case("provider list", &["--data", &data], 0, "ollama"),
        case("provider list", &["--data", &missing], 3, "no data folder"),
        case("provider remove", &["nope", "--data", &data], 3, "no provider `nope`"),
        case("provider remove", &["ollama", "--data", &data], 0, "is removed"),
        case("guard show", &["--data", &data], 0, "mode enforce"),
        case("guard show", &["--data", &missing], 3, "no data folder"),
        case("guard set", &[&bad, "--data", &data], 2, "do not parse"),
        case("guard set", &[&missing, "--data", &data], 3, "cannot read"),
        case("guard mode", &["observe", "--data", &data], 0, "set to observe"),
        case("guard mode", &["loud", "--data", &data], 2, "is not a guard mode"),
        case("guard history", &["--data", &data], 0, "observe"),
        case("guard history", &["--data", &missing], 3, "no data folder"),
        case("policy schema", &[], 0, "action invoke"),
        case("policy show", &["--data", &data], 0, "permit"),
        case("policy show", &["--data", &missing], 3, "no data folder"),
        case("policy check", &[&good], 0, "1 policy holds"),
        case("policy check", &[&bad], 1, "line 1"),
        case("policy check", &[&missing], 3, "cannot read"),
        case("policy set", &[&good, "--data", &data], 0, "version 1 is in force"),
        case("policy set", &[&bad, "--data", &data], 1, "line 1"),
        case("policy set", &["--version", "0", "--data", &data], 0, "version 2 is in force"),
        case("policy set", &["--version", "7", "--data", &data], 3, "no version 7"),
        case("policy history", &["--data", &data], 0, "built in"),
        case("policy history", &["--data", &missing], 3, "no data folder"),
        case("policy set", &[&missing, "--data", &data], 3, "cannot read"),
        case(
            "audit show",
            &["exc_00000000000000000000000000", "--data", &data],
            3,
            "the log has no exchange",
        ),
        case("audit show", &["nope", "--data", &data], 2, "bastide-exchange"),
        case("audit show", &["exc_00000000000000000000000000", "--data", &missing], 3, "no data folder"),
        case("audit erase", &["nope", "--yes", "--data", &data], 3, "no key `nope`"),
        case("audit erase", &["ci", "--data", &data], 2, "--yes"),
        case("audit erase", &["ci", "--yes", "--data", &missing], 3, "no data folder"),
        case("audit verify", &["--data", &data], 0, "holds"),
        case("audit verify", &["--data", &log], 0, "holds"),
        case("audit tail", &["--data", &log], 0, "policy.set"),
        case("audit key", &["--data", &log], 0, "default/node-1"),
        case("key list", &["--data", &log], 3, "is the log of a data folder"),
        case("audit verify", &["--data", &data, "--receipt", "bst1..."], 2, "the beginning of a receipt"),
        case("audit verify", &["--data", &data, "--receipt", "bst1.AAAAA"], 1, "was it cut short?"),
        case("audit verify", &["--data", &missing], 3, "no log"),
        case("audit verify", &["--data", &data, "--receipt", ""], 2, "is empty"),
        case("audit verify", &["--data", &data, "--receipt", &missing], 3, "missing"),
        case("audit verify", &["--data", &data, "--receipt", &good], 3, "no receipt"),
        case("audit verify", &["--data", &data, "--receipt", "bst1.AAAA"], 1, "receipt"),
        case("audit tail", &["--data", &data], 0, "policy.set"),
        case("audit tail", &["--data", &data, "-n", "x"], 2, "invalid value"),
        case("audit tail", &["--data", &missing], 3, "no log"),
        case("audit key", &["--data", &data], 0, "default/node-1"),
        case("audit key", &["--data", &missing], 3, "no log"),
        case("scan", &[&good], 0, "1 clean"),
        case("scan", &["--json", "--sarif", "-", &good], 2, "standard output"),
        case("scan", &[&missing], 3, "path.unreadable"),
        case("sign", &["--key", &missing, "--signature", &new, &good], 3, "cannot read"),
        case("sign", &["--signature", &new, &good], 2, "--key"),
        case("verify", &["--public-key", &missing, "--signature", &new, &good], 3, "cannot read"),
        case("verify", &["--signature", &new, &good], 2, "--public-key"),
        case("inspect", &["mail ada@example.org"], 0, "EMAIL_ADDRESS"),
        case("inspect", &[&config], 0, "is a file, and its name is what was inspected"),
        case("inspect", &["--min-score", "2", "x"], 2, "between 0 and 1"),
        case("inspect", &["--jsonl", &missing], 3, "cannot read"),
        case("inspect", &["--jsonl", &jsonl], 3, "line 1"),
        case("serve", &["--data", &new, "--listen", "8800"], 2, "`127.0.0.1:8800`"),
        case("serve", &["--data", &new, "--listen", &busy], 3, "choose another port"),
        case("serve", &["--data", &new, "--listen", "0.0.0.0:0"], 2, "--tls-cert"),
        case("serve", &["--data", &new, "--config", &missing], 3, "cannot read the settings"),
        case("serve", &["--data", &new, "--config", &config], 2, "`127.0.0.1:8800`"),
        case("serve", &["--data", &new, "--config", &hosts], 2, "it has a scheme"),
        case("serve", &["--data", &new, "--config", &wordy], 2, "wants a whole number"),
        case("serve", &["--data", &new, "--config", &scored], 2, "wants a number"),
        case("serve", &["--data", &new, "--config", &flat], 2, "wants a table"),
        case("serve", &["--data", &new, "--allow-host", "a.example/v1"], 2, "it has a path"),
        case("serve", &["--data", &new, "--allow-host", "a example"], 2, "it has blanks"),
        case("serve", &["--data", &new, "--guard", "on"], 2, "invalid value"),
        case("serve", &["--data", &new, "--listen", any, "--upstream", "nonsense"], 2, "is not a base URL"),
        case(
            "serve",
            &["--data", &new, "--listen", any, "--upstream", "http://10.0.0.9/v1"],
            2,
            "agree to it with `--upstream-plain-http`",
        ),
        case("config check", &[&hosts], 2, "it has a scheme"),
        case("config check", &[&missing], 3, "cannot read the settings"),
        case("config explain", &[], 0, "guard.mode"),
        case("config explain", &["--config", &config], 2, "`127.0.0.1:8800`"),
        case("config schema", &[], 0, "additionalProperties"),
        case("config reload", &["--data", &data], 3, "no server runs"),
        case("log-level", &["debug", "--data", &data], 3, "no server runs"),
        case("doctor", &["--data", &data, "--listen", &busy], 1, "fail  port"),
        case("doctor", &["--data", &data, "--listen", any], 0, "ok    records"),
        case("healthcheck", &["--data", &missing], 1, "no server runs"),
        case("completions", &["bash"], 0, "bastide"),
        case("completions", &["csh"], 2, "invalid value"),
        case("man", &[], 0, ".TH bastide"),
        case("man", &[&config], 3, "cannot write the manual pages"),
        case("data seal", &["--data", &data], 2, "there is no passphrase"),
        case("data seal", &["--data", &missing], 3, "there are no keys"),
        case(
            "serve",
            &[
                "--data",
                &new,
                "--listen",
                any,
                "--upstream",
                "http://127.0.0.1:9/v1",
                "--upstream-key-env",
                "NOT_SET_HERE",
            ],
            3,
            "`NOT_SET_HERE` is not set",
        ),
        case(
            "serve",
            &["--data", &new, "--listen", any, "--tls-cert", &missing, "--tls-key", &missing],
            3,
            "PEM",
        ),
    ];
    for Case { command, arguments, code, says } in &cases {
        let all: Vec<&str> = command.split(' ').chain(arguments.iter().copied()).collect();
        let output = bastide(&all, &[]);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(*code), "{all:?}: {text}");
        assert!(text.contains(says) && !text.contains("panicked"), "{all:?}: {text}");
    }
    let commands = every_command();
    assert!(commands.len() > 15, "{commands:?}");
    for command in &commands {
        assert!(cases.iter().any(|c| c.command == command), "`{command}` has no case");
        let all: Vec<&str> = command.split(' ').chain(["--no-such-flag"]).collect();
        assert_eq!(bastide(&all, &[]).status.code(), Some(2), "{command}");
    }
}

#[test]
fn a_failing_command_says_so_in_json_too() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    assert!(bastide(&["key", "create", "ci", "--data", &data], &[]).status.success());
    for (arguments, code) in [
        (vec!["key", "list", "--nope"], 2),
        (vec!["key", "revoke", "nobody"], 3),
        (vec!["key", "create", ""], 2),
        (vec!["provider", "list", "--data", "/nowhere/at/all"], 3),
        (vec!["policy", "show", "--data", "/nowhere/at/all"], 3),
        (vec!["policy", "check", "/nowhere"], 3),
        (vec!["audit", "verify", "--receipt", "bst1.AAAA"], 1),
        (vec!["audit", "key", "--data", "/nowhere/at/all"], 3),
        (vec!["audit", "show", "nope"], 2),
        (vec!["inspect", "--min-score", "2", "x"], 2),
        (vec!["data", "seal"], 2),
    ] {
        let given = arguments.contains(&"--data") || ["inspect", "policy"].contains(&arguments[0]);
        let place: &[&str] = if given { &[] } else { &["--data", &data] };
        let output = bastide(&[&arguments[..], &["--json"], place].concat(), &[]);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        let error = &json(&output)["error"];
        assert_eq!(error["exit"], code, "{arguments:?}: {error}");
        let message = error["message"].as_str().expect("a message");
        let last = message.lines().next().expect("a line");
        assert!(String::from_utf8_lossy(&output.stderr).contains(last), "{arguments:?}: {}", said(&output));
    }
    let help = bastide(&["key", "list", "--json", "--help"], &[]);
    assert!(help.status.success() && !said(&help).contains("\"error\""), "{}", said(&help));
    let text = bastide(&["key", "revoke", "nobody", "--data", &data], &[]);
    assert!(text.stdout.is_empty(), "only who asks for JSON gets it: {}", said(&text));
}

#[test]
fn what_is_printed_as_text_is_there_as_json() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    assert!(bastide(&["key", "create", "ci", "--data", &data], &[]).status.success());
    let schema = bastide(&["policy", "schema", "--json"], &[]);
    assert!(json(&schema)["schema"].as_str().expect("a text").contains("action invoke"));
    let show = json(&bastide(&["policy", "show", "--json", "--data", &data], &[]));
    assert!(show["version"] == 0 && show["text"].as_str().expect("a text").contains("permit"), "{show}");
    let key = json(&bastide(&["audit", "key", "--json", "--data", &data], &[]));
    let text = String::from_utf8_lossy(&bastide(&["audit", "key", "--data", &data], &[]).stdout).into_owned();
    assert_eq!(key["key"], text.trim_end());
    let one = "permit (principal, action, resource);";
    let checked = json(&bastide_told(&["policy", "check", "-", "--json"], &[], one));
    assert!(checked["policies"] == 1 && checked["lints"][0].as_str().is_some(), "{checked}");
}

#[test]
fn policies_come_from_standard_input_and_name_what_there_is() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    assert!(bastide(&["provider", "add", "ollama", "--data", &data], &[]).status.success());
    let projects = json(&bastide(&["project", "list", "--json", "--data", &data], &[]));
    let project = projects[0]["id"].as_str().expect("an id").to_owned();
    let policy = |provider: &str, project: &str| {
        format!(
            "@id(\"a\") permit (principal in Bastide::Project::\"{project}\", action, \
             resource in Bastide::Provider::\"{provider}\");"
        )
    };
    let tell = |arguments: &[&str], text: &str| bastide_told(arguments, &[], text);
    let right = tell(&["policy", "set", "-", "--data", &data], &policy("ollama", &project));
    assert!(right.status.success() && !said(&right).contains("warning"), "{}", said(&right));
    let shown = said(&bastide(&["policy", "show", "--data", &data], &[]));
    assert_eq!(shown, policy("ollama", &project), "what was read is in force");

    let wrong = policy("olama", "default");
    for command in ["check", "set"] {
        let output = tell(&["policy", command, "-", "--data", &data], &wrong);
        let text = said(&output);
        assert!(output.status.success(), "a warning only: {text}");
        assert!(text.contains("warning: line 1: `Bastide::Provider::\"olama\"` names no provider"), "{text}");
        assert!(text.contains(&format!("policies name it by its id, `{project}`")), "{text}");
    }
    let alone = said(&tell(&["policy", "check", "-"], &wrong));
    assert!(!alone.contains("warning"), "without a folder nobody can say: {alone}");
}

#[test]
fn a_running_server_lists_the_provider_of_its_command_line() {
    let rig = Rig::enforcing();
    let listed = json(&rig.command(&["provider", "list", "--json"]));
    let provider = &listed[0];
    assert_eq!((&provider["name"], &provider["given"]), (&"upstream".into(), &"serve --upstream".into()));
    assert_eq!(provider["base_url"], rig.mock.base_url());
    assert!(said(&rig.command(&["provider", "list"])).contains("serve --upstream"));
    let refused = rig.command(&["provider", "remove", "upstream"]);
    assert!(
        refused.status.code() == Some(3) && said(&refused).contains("command line"),
        "{}",
        said(&refused)
    );
}

#[test]
fn entries_of_the_log_are_matched_with_keys() {
    let rig = Rig::enforcing();
    assert_eq!(rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#).status, 200);
    let keys = json(&rig.command(&["key", "list", "--json"]));
    let entries = rig.entries();
    let request = entries.iter().find(|e| e["kind"] == "request").expect("recorded");
    let pseudonym = keys[0]["pseudonym"].as_str().expect("a pseudonym");
    assert_eq!(request["actor"]["key"], pseudonym);
    let table = said(&rig.command(&["key", "list"]));
    assert!(table.contains("in the log") && table.contains(&pseudonym[..8]), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 120), "{table}");
    let tail = said(&rig.command(&["audit", "tail"]));
    let line = tail.lines().find(|l| l.contains(" request ")).expect("a line");
    assert!(line.contains(&format!("key {}", &pseudonym[..8])), "{line}");
}

#[test]
fn a_mistyped_command_is_told_what_was_meant() {
    for (given, meant) in
        [(&["kye", "list"][..], "'key'"), (&["policy", "shwo"], "'show'"), (&["prvoider"], "'provider'")]
    {
        let output = bastide(given, &[]);
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(said(&output).contains(meant), "{given:?}: {}", said(&output));
    }
    assert!(!said(&bastide(&["fly"], &[])).contains("similar"), "nothing is like it");
}

#[test]
fn every_code_is_explained() {
    for code in bastide_types::Code::all() {
        let output = bastide(&["explain-error", code.name], &[]);
        assert!(output.status.success() && said(&output).contains(code.about), "{}", code.name);
    }
    let by_type = bastide(&["explain-error", "urn:bastide:error:guard.blocked", "--json"], &[]);
    assert_eq!(json(&by_type)["code"], "guard.blocked");
    let slip = bastide(&["explain-error", "guard.blockd"], &[]);
    assert_eq!(slip.status.code(), Some(2));
    assert!(said(&slip).contains("is `guard.blocked` meant?"), "{}", said(&slip));
}

#[test]
fn keys_last_as_long_wherever_they_are_made_and_until_the_end_of_a_day() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let ends = |name: &str, more: &[&str]| {
        let all: Vec<&str> =
            ["key", "create", name, "--json", "--data", &data].iter().chain(more).copied().collect();
        json(&bastide(&all, &[]))["expires"].clone()
    };
    assert!(ends("usual", &[]).is_string());
    assert!(ends("for good", &["--expires", "never"]).is_null());
    assert_eq!(ends("a day", &["--expires", "2035-12-31"]), "2036-01-01T00:00:00.000Z");
}

#[test]
fn the_documented_exit_codes_are_those_of_every_command() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/commands.md"));
    let document = document.expect("docs/commands.md");
    for command in every_command() {
        assert!(document.contains(&format!("`{command}")), "`{command}` is missing in docs/commands.md");
    }
}

#[test]
fn a_running_server_answers_with_the_same_exit_codes() {
    let rig = Rig::enforcing();
    let file = rig.folder.path().join("bad.cedar");
    std::fs::write(&file, "permit (").expect("written");
    for (arguments, code, says) in [
        (vec!["key", "create", "test"], 3, "a key named `test` exists"),
        (vec!["key", "create", ""], 2, "is no name"),
        (vec!["key", "revoke", "nope"], 3, "there is no key `nope`"),
        (vec!["provider", "remove", "nope"], 3, "there is no provider `nope`"),
        (vec!["policy", "set", file.to_str().expect("UTF-8")], 1, "line 1"),
    ] {
        let output = rig.command(&arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(says), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn keys_are_listed_with_project_limits_expiry_and_last_use() {
    let rig = Rig::enforcing();
    assert!(rig.command(&["project", "create", "search"]).status.success());
    let limits = ["--requests-per-minute", "60", "--tokens-per-day", "1000"];
    let arguments = [&["--project", "search", "--expires", "30d"][..], &limits].concat();
    rig.make_key("indexer", &arguments);
    // The same name in another project is another key.
    rig.make_key("test", &["--project", "search"]);
    assert_eq!(rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#).status, 200);

    let table = said(&rig.command(&["key", "list"]));
    let line = table.lines().find(|l| l.contains("indexer")).expect("listed");
    for part in ["search", "60 requests/min, 1000 tokens/day", "active", "20"] {
        assert!(line.contains(part), "{part}: {table}");
    }
    let keys = json(&rig.command(&["key", "list", "--json"]));
    let key = |name: &str, project: &str| {
        let all = keys.as_array().expect("a list");
        all.iter().find(|k| k["name"] == name && k["project"] == project).expect("listed").clone()
    };
    assert_eq!(key("indexer", "search")["limits"]["requests_per_minute"], 60);
    assert!(
        key("indexer", "search")["expires"].is_string() && key("indexer", "search")["last_use"].is_null()
    );
    let used = key("test", "default")["last_use"].clone();
    assert!(used.is_string(), "{keys}");

    // Known without a server too, from what it saved.
    let Rig { mut server, folder, .. } = rig;
    server.terminate(Duration::from_secs(10)).expect("ends");
    let data = folder.path().to_string_lossy().into_owned();
    let keys = json(&bastide(&["key", "list", "--json", "--data", &data], &[]));
    assert!(keys.as_array().expect("a list").iter().any(|k| k["last_use"] == used), "{keys}");
}

#[test]
fn the_servers_environment_counts_for_a_providers_credential() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let add = ["provider", "add", "openai", "--key-env", "KEY_OF_THE_SERVER", "--data", &data];
    let offline = bastide(&add, &[]);
    assert!(offline.status.success(), "no server, so nobody can say: {}", said(&offline));

    let other = temp_folder().expect("a folder");
    let with =
        BastideProcess::on(other.path()).variable("KEY_OF_THE_SERVER", "sk-1").start().expect("starts");
    let data = other.path().display().to_string();
    let add = ["provider", "add", "openai", "--key-env", "KEY_OF_THE_SERVER", "--data", &data];
    assert!(with.run(&add).expect("runs").status.success(), "the server has it");
    let add = ["provider", "add", "groq", "--key-env", "KEY_OF_NOBODY", "--data", &data];
    let refused = with.run(&add).expect("runs");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    assert!(
        said(&refused).contains("`KEY_OF_NOBODY` is not set where the server runs"),
        "{}",
        said(&refused)
    );
}

#[test]
fn a_known_provider_without_a_credential_is_warned_of() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let output = bastide(&["provider", "add", "mistral", "--data", &data], &[]);
    let warning = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && warning.contains("--key-env MISTRAL_API_KEY"), "{warning}");
    for quiet in [&["ollama"][..], &["groq", "--base-url", "http://127.0.0.1:9/v1"]] {
        let all = [&["provider", "add"], quiet, &["--data", &data]].concat();
        let output = bastide(&all, &[]);
        assert!(!said(&output).contains("warning"), "{}", said(&output));
    }
}

#[test]
fn policies_are_checked_with_their_warnings() {
    let folder = temp_folder().expect("a folder");
    let check = |text: &str| {
        let file = folder.path().join("p.cedar");
        std::fs::write(&file, text).expect("written");
        let output = bastide(&["policy", "check", &file.display().to_string()], &[]);
        (output.status.code(), said(&output))
    };
    let one = "@id(\"a\") @unscoped(\"x\") permit (principal, action, resource);";
    let two = format!(
        "{one}\n@id(\"b\") @unscoped(\"x\") forbid (principal, action, resource) when {{ context.stream }};"
    );
    assert_eq!(check(one), (Some(0), "1 policy holds\n".to_owned()));
    let (code, text) = check("permit (principal, action, resource);");
    assert!(code == Some(0) && text.contains("warning: ") && text.contains("@id"), "{text}");
    let (code, text) = check(&two.replace("{ context.stream }", "{ context.sream }"));
    assert!(code == Some(1) && text.contains("policy `b`, line 2"), "{text}");
    let (code, text) = check("");
    assert!(code == Some(0) && text.contains("everything is denied"), "{text}");
}

#[test]
fn the_environment_is_checked_at_the_start() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").display().to_string();
    let serve = ["serve", "--data", &data, "--listen", "127.0.0.1:0"];
    let output = bastide(&serve, &[("BASTIDE_LOG", "info,gateway=loud")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("`BASTIDE_LOG` is no filter"), "{}", said(&output));
    let output = bastide(&["serve", "--data", &data], &[("BASTIDE_LISTEN", "8800")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));

    let server = BastideProcess::on(folder.path())
        .variable("BASTIDE_PASPHRASE", "correct horse")
        .variable("BASTIDE_KEY_OF_A_PROVIDER", "sk-secret")
        .upstream("http://127.0.0.1:9/v1")
        .argument("--upstream-key-env")
        .argument("BASTIDE_KEY_OF_A_PROVIDER")
        .start()
        .expect("starts all the same");
    let warned = || server.output().contains("BASTIDE_PASPHRASE");
    common::wait_until("a warning", Duration::from_secs(5), warned);
    let output = server.output();
    let line = output.lines().find(|l| l.contains("BASTIDE_PASPHRASE")).unwrap_or_default();
    assert!(line.contains("BASTIDE_PASSPHRASE"), "{line}");
    assert!(!output.contains("correct horse") && !output.contains("BASTIDE_KEY_OF_A_PROVIDER"), "{output}");
}

#[test]
fn the_demo_has_one_name() {
    let folder = temp_folder().expect("a folder");
    let server = BastideProcess::on(&folder.path().join("data")).start().expect("starts");
    let printed = || {
        let output = server.output();
        output.split("Bearer ").nth(1).and_then(|s| s.split_once('\'')).map(|(key, _)| key.to_owned())
    };
    // The server is ready before its output has come through the pipe.
    common::wait_until("a demo key is printed", Duration::from_secs(5), || printed().is_some());
    let key = printed().unwrap_or_default();
    let bearer = format!("Bearer {key}");
    let ask = |method: &str, path: &str, body: &str| {
        let headers = [("authorization", bearer.as_str())];
        common::response_json(&common::send(server.address(), method, path, &headers, body.as_bytes()))
    };
    let models = ask("GET", "/v1/models", "");
    assert_eq!((&models["data"][0]["id"], &models["data"][0]["owned_by"]), (&"demo".into(), &"demo".into()));
    let body = r#"{"model":"demo","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(ask("POST", "/v1/chat/completions", body)["model"], "demo");
}

#[test]
fn verification_says_each_thing_once() {
    let rig = Rig::enforcing();
    let body = r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#;
    let receipt = rig.chat(body).header("bastide-receipt").expect("a receipt").to_owned();
    let output = rig.command(&["audit", "verify", "--receipt", &receipt]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(text.matches("holds").count(), 2, "the log and the receipt: {text}");
}

#[test]
fn the_tail_says_what_was_done_and_what_would_have_been() {
    let mail = r#"{"model":"mock","messages":[{"role":"user","content":"mail ada@example.org"}]}"#;
    let rig = Rig::with_guard("observe");
    assert_eq!(rig.chat(mail).status, 200);
    let line = |rig: &Rig| {
        let text = said(&rig.command(&["audit", "tail"]));
        text.lines().rev().find(|l| l.contains(" request ")).unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(line(&rig).contains("would tokenise  [EMAIL_ADDRESS in user would tokenise]"), "{}", line(&rig));
    let policy = rig.folder.path().join("p.cedar");
    let text = "@id(\"nothing-at-all\") @unscoped(\"test\") forbid (principal, action, resource);";
    std::fs::write(&policy, text).expect("written");
    assert!(rig.command(&["policy", "set", &policy.display().to_string()]).status.success());
    assert_eq!(rig.chat(mail).status, 403);
    assert!(line(&rig).contains("block  invoke denied by `nothing-at-all`"), "{}", line(&rig));
}

#[test]
fn a_model_is_found_under_every_name_that_a_request_may_use() {
    let rig = Rig::enforcing();
    for name in ["mock", "upstream/mock"] {
        let found = rig.get(&format!("/v1/models/{name}"));
        assert_eq!(found.status, 200, "{name}: {}", found.text());
        assert_eq!(common::response_json(&found)["owned_by"], "upstream");
    }
    let unknown = rig.get("/v1/models/nobody/llama");
    assert_eq!((unknown.status, unknown.code().as_str()), (404, "model.unknown"));
    assert!(unknown.text().contains("`nobody` names no provider"), "{}", unknown.text());
    let unknown = rig.get("/v1/models/upstream/llama");
    assert!(unknown.status == 404 && !unknown.text().contains("names no provider"), "{}", unknown.text());
}
