//! `bastide config`, `doctor`, `healthcheck`, `completions` and `man`.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use bastide_testkit::{BastideProcess, temp_folder};
use common::{Rig, bastide, wait_until};
use serde_json::Value;

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[test]
fn a_guard_that_was_set_is_explained_without_a_server_and_named_at_the_start() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data").to_string_lossy().into_owned();
    let explained = |more: &[&str]| {
        let all: Vec<&str> =
            ["config", "explain", "--json", "--data", &data].iter().chain(more).copied().collect();
        let output = json(&bastide(&all, &[]));
        let mode = output.as_array().and_then(|all| all.iter().find(|e| e["name"] == "guard.mode"));
        mode.expect("guard.mode").clone()
    };
    let kind = |mode: &Value| mode["origin"]["kind"].as_str().unwrap_or_default().to_owned();
    assert_eq!(kind(&explained(&[])), "default");
    assert!(!Path::new(&data).exists(), "nothing is made by asking");
    assert!(bastide(&["guard", "mode", "enforce", "--data", &data], &[]).status.success());
    let stored = explained(&[]);
    assert_eq!((stored["value"].as_str(), &*kind(&stored)), (Some("enforce"), "console"), "{stored}");
    let flag = explained(&["--guard", "observe"]);
    assert_eq!((flag["value"].as_str(), &*kind(&flag)), (Some("observe"), "flag"), "a flag wins");

    // What the start says of a guard that does not act is what makes it act.
    assert!(bastide(&["guard", "mode", "observe", "--data", &data], &[]).status.success());
    for (flag, remedy) in [
        (None, "does not act: `bastide guard mode enforce --data "),
        (Some("observe"), "does not act: what `--guard` says wins"),
    ] {
        let builder = BastideProcess::on(Path::new(&data));
        let builder = flag.map_or(builder.clone(), |mode| builder.argument("--guard").argument(mode));
        let server = builder.start().expect("starts");
        // It may be ready before its output is read.
        wait_until(remedy, Duration::from_secs(10), || server.output().contains(remedy));
    }
}

#[test]
fn every_value_has_its_origin() {
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("settings.toml");
    let text = "# what follows\nallowed_hosts = ['a.example']\n\n[guard]\nmode = 'off'\n[limits]\nidle_seconds = 7\n";
    std::fs::write(&file, text).expect("written");
    let path = file.to_string_lossy().into_owned();
    let variables = [
        ("BASTIDE_AUDIT", "relaxed"),
        ("BASTIDE_PASSPHRASE", "hunter2"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2"),
    ];
    let arguments =
        ["config", "explain", "--config", &path, "--guard", "observe", "--allow-host", "b.example"];
    let output = bastide(&[&arguments[..], &["--json"]].concat(), &variables);
    let explained = json(&output);
    let rows = |name: &str| -> Vec<(String, Value)> {
        let rows = explained.as_array().expect("a list").iter().filter(|e| e["name"] == name);
        rows.map(|e| (e["value"].to_string(), e["origin"].clone())).collect()
    };
    let row = |name: &str| rows(name).pop().unwrap_or_else(|| panic!("`{name}` is missing"));
    let origin = |name: &str| row(name).1;
    assert_eq!(origin("listen")["kind"], "default");
    assert_eq!(row("guard.mode").0, "\"observe\"");
    assert_eq!(origin("guard.mode")["flag"], "--guard");
    assert_eq!(origin("audit")["variable"], "BASTIDE_AUDIT");
    assert_eq!(row("limits.idle_seconds").0, "7");
    assert_eq!(
        (&origin("limits.idle_seconds")["line"], &origin("limits.idle_seconds")["path"]),
        (&7.into(), &path.clone().into())
    );
    let hosts = rows("allowed_hosts");
    assert_eq!((hosts[0].0.as_str(), hosts[1].0.as_str()), ("[\"a.example\"]", "[\"b.example\"]"));
    assert_eq!((&hosts[0].1["line"], &hosts[1].1["flag"]), (&2.into(), &"--allow-host".into()));
    assert_eq!(origin("telemetry.otlp_endpoint")["variable"], "OTEL_EXPORTER_OTLP_ENDPOINT");
    assert_eq!(row("telemetry.headers").0, "[\"authorization\"]");
    assert_eq!(origin("passphrase")["variable"], "BASTIDE_PASSPHRASE");
    let table = bastide(&arguments, &variables);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains(&format!("{path}:7")), "{table}");
    assert!(!table.contains("hunter2") && !String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}

#[test]
fn a_file_is_checked_in_the_words_of_serve() {
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("settings.toml");
    let path = file.to_string_lossy().into_owned();
    let data = folder.path().join("data").to_string_lossy().into_owned();
    for bad in [
        "listen = '8800'",
        "listen = '0.0.0.0:1'",
        "[guard]\nmode = 'on'",
        "[limits]\nidle_seconds = 0",
        "[bodies]\nbytes = 1",
        "[tls]\ncert = 'x'",
        "[tls]\ncert = '/nowhere/c'\nkey = '/nowhere/k'",
        "[telemetry]\notlp_endpoint = 'collector'",
        "x = 1",
    ] {
        std::fs::write(&file, bad).expect("written");
        let checked = bastide(&["config", "check", &path], &[]);
        let served = bastide(&["serve", "--config", &path, "--data", &data], &[]);
        assert_eq!(checked.status.code(), served.status.code(), "{bad}");
        let (checked, served) =
            (String::from_utf8_lossy(&checked.stderr), String::from_utf8_lossy(&served.stderr));
        assert_eq!(checked, served, "{bad}");
    }
    std::fs::write(&file, "listen = 1\nlisten_on = 'x'\n[limits]\nidle_seconds = 0\n").expect("written");
    let all = bastide(&["config", "check", &path], &[]);
    let said = String::from_utf8_lossy(&all.stderr).into_owned();
    for (line, what) in
        [(1, "`listen`: wants a text"), (2, "no setting `listen_on`"), (4, "`limits.idle_seconds`")]
    {
        assert!(said.lines().any(|l| l.contains(&format!("{path}:{line}: ")) && l.contains(what)), "{said}");
    }
    assert!(said.contains("there are 3 mistakes"), "{said}");
    let log = bastide(&["config", "check"], &[("BASTIDE_LOG", "info,bastide_gatway=debug")]);
    let said = String::from_utf8_lossy(&log.stderr).into_owned();
    assert!(log.status.code() == Some(2) && said.contains("is `bastide_gateway` meant?"), "{said}");
    std::fs::write(&file, "[guard]\nmode = 'observe'").expect("written");
    let good = bastide(&["config", "check", &path], &[("BASTIDE_GAURD", "off")]);
    assert_eq!(good.status.code(), Some(0), "{good:?}");
    let said = String::from_utf8_lossy(&good.stderr).into_owned();
    assert!(said.contains("`BASTIDE_GAURD`") && said.contains("`BASTIDE_GUARD`"), "{said}");
    std::fs::write(&file, "#".repeat((1 << 20) + 1)).expect("written");
    assert_eq!(bastide(&["config", "check", &path], &[]).status.code(), Some(2));
}

#[test]
fn the_schema_says_what_the_file_may_hold() {
    let output =
        bastide(&["config", "schema"], &[("BASTIDE_GUARD", "off"), ("BASTIDE_LISTEN", "127.0.0.1:1")]);
    let schema = json(&output);
    assert_eq!(schema["additionalProperties"], false);
    let guard = &schema["properties"]["guard"]["properties"];
    assert_eq!(guard["mode"]["default"], "enforce", "whatever the environment says");
    assert_eq!(guard["rules"]["items"]["required"], serde_json::json!(["verdict"]));
    assert_eq!(schema["properties"]["limits"]["properties"]["idle_seconds"]["maximum"], 86_400);
    assert!(!schema.to_string().contains("\"null\""), "TOML has none");
}

fn findings(output: &std::process::Output) -> Vec<(String, String)> {
    let value = json(output);
    let text = |f: &Value, name: &str| f[name].as_str().unwrap_or_default().to_owned();
    let findings = value["findings"].as_array().expect("findings").iter();
    findings.map(|f| (text(f, "check"), text(f, "state"))).collect()
}

fn state(findings: &[(String, String)], check: &str) -> String {
    let found = findings.iter().find(|(name, _)| name == check);
    found.map(|(_, state)| state.clone()).unwrap_or_else(|| panic!("`{check}` is missing: {findings:?}"))
}

fn doctor(data: &Path, arguments: &[&str]) -> std::process::Output {
    let data = data.to_string_lossy().into_owned();
    let listen = ["--listen", "127.0.0.1:0"];
    bastide(&[&["doctor", "--json", "--data", &data][..], &listen, arguments].concat(), &[])
}

/// The server makes its folder so; a test's is made before.
fn private(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).expect("set");
}

#[test]
fn a_sound_installation_is_found_sound_with_and_without_its_server() {
    let rig = Rig::enforcing();
    assert_eq!(rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#).status, 200);
    assert!(rig.command(&["healthcheck"]).status.success());
    private(rig.folder.path());
    let upstream = rig.mock.base_url();
    let output = doctor(rig.folder.path(), &["--online", "--upstream", &upstream]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let with = findings(&output);
    for check in
        ["settings", "folder", "log", "records", "clock", "server", "log writer", "providers", "online"]
    {
        assert_eq!(state(&with, check), "ok", "{check}: {with:?}");
    }
    assert_eq!(state(&with, "keys"), "warn", "they lie in clear");
    let Rig { mut server, folder, .. } = rig;
    server.terminate(Duration::from_secs(20)).expect("stops");
    let output = doctor(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(state(&findings(&output), "log"), "ok");
    let data = folder.path().to_string_lossy().into_owned();
    assert_eq!(bastide(&["healthcheck", "--data", &data], &[]).status.code(), Some(1));
    assert_eq!(bastide(&["config", "reload", "--data", &data], &[]).status.code(), Some(3));
}

#[test]
fn what_is_wrong_is_found_and_fails() {
    let rig = Rig::enforcing();
    let Rig { mut server, folder, .. } = rig;
    server.terminate(Duration::from_secs(20)).expect("stops");
    let at = |name: &str| folder.path().join(name);
    let found = |check: &str| {
        let output = doctor(folder.path(), &[]);
        assert_eq!(output.status.code(), Some(1), "{check}: {output:?}");
        assert_eq!(state(&findings(&output), check), "fail");
    };
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
    };
    mode(folder.path(), 0o755);
    found("folder");
    mode(folder.path(), 0o700);
    mode(&at("keys/root.key"), 0o644);
    found("keys");
    mode(&at("keys/root.key"), 0o600);
    std::fs::rename(at("keys/root.key"), at("aside")).expect("moved");
    found("keys");
    std::fs::rename(at("aside"), at("keys/root.key")).expect("moved");
    let damage = |name: &str, place: usize, check: &str| {
        let whole = std::fs::read(at(name)).expect("readable");
        let mut bytes = whole.clone();
        let middle = bytes.len() / place;
        bytes[middle] ^= 0x55;
        std::fs::write(at(name), &bytes).expect("written");
        found(check);
        std::fs::write(at(name), &whole).expect("written");
    };
    damage("log/checkpoint", 2, "log");
    damage("bastide.db", usize::MAX, "records");
    assert_eq!(doctor(folder.path(), &[]).status.code(), Some(0), "all is mended");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("bound").to_string();
    let data = folder.path().to_string_lossy().into_owned();
    let busy = bastide(&["doctor", "--json", "--data", &data, "--listen", &listen], &[]);
    assert_eq!((busy.status.code(), state(&findings(&busy), "port").as_str()), (Some(1), "fail"));
    let closed = listen.as_str();
    drop(taken);
    let away = doctor(folder.path(), &["--online", "--upstream", &format!("http://{closed}/v1")]);
    assert_eq!(state(&findings(&away), "online"), "fail");
    let human = bastide(&["doctor", "--data", &data, "--guard", "enforce", "--listen", "127.0.0.1:0"], &[]);
    assert!(String::from_utf8_lossy(&human.stdout).contains("ok    log "), "{human:?}");
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data");
    let output = doctor(&data, &["--online"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(state(&findings(&output), "folder"), "warn");
    assert!(!data.exists());
}

#[test]
fn shells_and_manual_pages_know_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = bastide(&["completions", shell], &[]);
        let script = String::from_utf8_lossy(&script.stdout).into_owned();
        assert!(script.contains("log-level") && script.contains("healthcheck"), "{shell}");
    }
    let folder = temp_folder().expect("a folder");
    let pages = folder.path().join("man");
    assert!(bastide(&["man", &pages.to_string_lossy()], &[]).status.success());
    for page in ["bastide.1", "bastide-key-create.1", "bastide-config-explain.1"] {
        let text = std::fs::read_to_string(pages.join(page)).unwrap_or_else(|e| panic!("{page}: {e}"));
        assert!(text.contains(".SH NAME") && !text.contains(".SH EXTRA"), "{page}");
    }
    let first = std::fs::read_to_string(pages.join("bastide.1")).expect("a page");
    assert!(first.contains(".SH \"EXIT STATUS\""), "{first}");
    let create = std::fs::read_to_string(pages.join("bastide-key-create.1")).expect("a page");
    assert!(create.contains(r"[\-\-expires WHEN]") && create.contains(" NAME\n"), "{create}");
    assert!(!pages.join("bastide-reference.1").exists(), "it is for our own documentation");
    assert!(String::from_utf8_lossy(&bastide(&["man"], &[]).stdout).contains(".TH bastide 1"));
}
