//! `bastide scan` from the outside: what it prints and writes, what its exit code says, and what people may accept.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;

use bastide_testkit::temp_folder;
use common::bastide;
use serde_json::{Value, json};
use tempfile::TempDir;

/// `os.system('echo hello')`, as protocol 0 writes it.
const HOSTILE: &[u8] = b"cos\nsystem\n(S'echo hello'\ntR.";
/// `[1, 2]`
const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
/// An instance of a class that nobody knows.
const UNKNOWN: &[u8] = b"cacme.fraud\nScorer\n)R.";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = temp_folder().expect("a folder");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    folder
}

fn scan(arguments: &[&str], folder: &Path) -> Output {
    let all: Vec<&str> = ["scan"].iter().chain(arguments).copied().collect();
    let path = folder.to_str().expect("a plain path");
    let all: Vec<String> = all.iter().map(|a| a.replace("DIR", path)).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    bastide(&all, &[])
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn verdicts(value: &Value) -> Vec<(String, String)> {
    let name = |file: &Value| {
        let path = file["path"].as_str().expect("a path");
        path.rsplit('/').next().unwrap_or_default().to_owned()
    };
    let files = value["files"].as_array().expect("files");
    files.iter().map(|f| (name(f), f["verdict"].as_str().expect("a verdict").to_owned())).collect()
}

#[test]
fn the_contract_of_json_holds() {
    let dir = folder(&[("a/bad.bin", HOSTILE), ("good.pkl", HONEST), ("own.pkl", UNKNOWN)]);
    let output = scan(&["--json", "DIR"], dir.path());
    assert_eq!(code(&output), 1);
    let value = json_of(&output);
    let expected = [("bad.bin", "malicious"), ("good.pkl", "clean"), ("own.pkl", "review")];
    assert_eq!(verdicts(&value), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
    let bad = &value["files"][0];
    assert_eq!(bad["path"], dir.path().join("a/bad.bin").to_str().expect("a plain path"));
    assert_eq!(bad["format"], "pickle");
    let finding = &bad["findings"][0];
    assert!(finding["id"].as_str().is_some_and(|id| id.starts_with("pickle.")), "{finding}");
    assert_eq!(finding["severity"], "critical");
    assert!(finding["message"].is_string() && finding["offset"].is_u64(), "{finding}");
    assert_eq!(finding["call"], "os.system('echo hello')");
    assert_eq!(value["files"][1]["findings"], json!([]));
    let summary = &value["summary"];
    assert_eq!((&summary["files"], &summary["malicious"]), (&json!(3), &json!(1)));
    assert_eq!((&summary["clean"], &summary["review"]), (&json!(1), &json!(1)));
    assert_eq!(summary["verdict"], "malicious");
}

#[test]
fn exit_codes_say_what_the_worst_is() {
    let dir = folder(&[("bad", HOSTILE), ("good", HONEST), ("own", UNKNOWN)]);
    let of = |arguments: &[&str]| code(&scan(arguments, dir.path()));
    assert_eq!(of(&["DIR/good"]), 0);
    assert_eq!(of(&["DIR/good", "DIR/own"]), 0, "what is to be reviewed fails nothing");
    assert_eq!(of(&["--strict", "DIR/good"]), 0);
    assert_eq!(of(&["--strict", "DIR/good", "DIR/own"]), 1);
    assert_eq!(of(&["DIR/missing"]), 3);
    assert_eq!(of(&["DIR/good", "DIR/missing"]), 3);
    assert_eq!(of(&["DIR/missing", "DIR/bad"]), 1, "1 beats 3");
    assert_eq!(of(&["--strict", "DIR/missing", "DIR/own"]), 1);
    assert_eq!(of(&[]), 2, "nothing to scan is no scan");
}

#[test]
fn every_path_has_an_answer() {
    let other = folder(&[("z", HONEST)]);
    let dir = folder(&[
        ("empty", b""),
        ("cut.pkl", b"\x80\x04\x95\x40\x00\x00\x00\x00\x00\x00\x00]\x94("),
        (".git/objects/x", HOSTILE),
        ("lib/y", HONEST),
        ("sealed.pt", &[0x9d; 4000]),
    ]);
    symlink("lib", dir.path().join("lib64")).expect("a link");
    symlink(other.path(), dir.path().join("elsewhere")).expect("a link");
    symlink(other.path().join("z"), dir.path().join("far")).expect("a link");
    symlink("/nowhere/at/all", dir.path().join("dangling")).expect("a link");
    symlink("/etc/hostname", dir.path().join("outside")).expect("a link");
    let status = std::os::unix::net::UnixListener::bind(dir.path().join("socket"));
    let value = json_of(&scan(&["--json", "DIR", "DIR/missing"], dir.path()));
    drop(status);
    let of = |name: &str| verdicts(&value).into_iter().find(|(n, _)| n == name).map(|(_, v)| v);
    assert_eq!(of("empty").as_deref(), Some("clean"));
    assert_eq!(of("cut.pkl").as_deref(), Some("unfinished"));
    assert_eq!(of("dangling").as_deref(), Some("unfinished"));
    assert_eq!(of("outside").as_deref(), Some("malicious"), "a file of the host");
    assert_eq!(of("far").as_deref(), Some("review"));
    assert_eq!(of("elsewhere").as_deref(), Some("unfinished"));
    assert_eq!(of("lib64"), None, "read where it is");
    assert_eq!(of("sealed.pt").as_deref(), Some("review"), "nobody knows what it does");
    assert_eq!(of("socket").as_deref(), Some("unfinished"));
    assert_eq!(of("missing").as_deref(), Some("unfinished"));
    assert_eq!(of("x"), None);
    assert!(
        value["summary"]["passed_over"][0].as_str().is_some_and(|p| p.ends_with(".git")),
        "said, not hidden"
    );
    assert_eq!(code(&scan(&["DIR/.git"], dir.path())), 1, "unless it is given");
}

#[test]
fn nothing_that_is_read_is_written_over() {
    let dir = folder(&[("m/a.pkl", HONEST), ("m/config.json", b"{}"), ("old.sarif", b"anything")]);
    for arguments in [
        &["--sarif", "DIR/m/a.pkl", "DIR/m/a.pkl"][..],
        &["--junit", "DIR/m/config.json", "DIR/m"],
        &["--sarif", "DIR/r", "--junit", "DIR/m/../r", "DIR/m"],
        &["--cyclonedx", "DIR/old.sarif", "--suppressions", "DIR/old.sarif", "DIR/m"],
    ] {
        let refused = scan(arguments, dir.path());
        assert_eq!(code(&refused), 2, "{arguments:?}: {}", String::from_utf8_lossy(&refused.stderr));
    }
    assert_eq!(fs::read(dir.path().join("m/config.json")).expect("still there"), b"{}");
    for arguments in [&["--sarif", "DIR/old.sarif", "DIR/m"][..], &["--sarif", "DIR/m/out.sarif", "DIR/m"]] {
        for _again in 0..2 {
            assert_eq!(code(&scan(arguments, dir.path())), 0, "{arguments:?}");
        }
    }
}

#[test]
fn a_name_cannot_speak_for_the_report() {
    let dir = folder(&[("c\n::error ::forged\nd.pkl", HOSTILE)]);
    let text = String::from_utf8(scan(&["DIR"], dir.path()).stdout).expect("text");
    assert!(text.contains("c\\n::error") && !text.contains("\n::error"), "{text}");
}

#[test]
fn a_person_reads_the_worst_first_and_what_to_do() {
    let dir = folder(&[("a-good", HONEST), ("b-own", UNKNOWN), ("c-bad", HOSTILE)]);
    let text = String::from_utf8(scan(&["DIR"], dir.path()).stdout).expect("text");
    let at = |words: &str| text.find(words).unwrap_or_else(|| panic!("no `{words}` in {text}"));
    assert!(at("c-bad") < at("b-own"), "{text}");
    assert!(at("os.system('echo hello')") < at("What to do"), "{text}");
    assert!(text.contains("1 malicious, 1 to review, 1 clean"), "{text}");
    assert!(
        !text.contains("a-good") && !text.contains('\u{1b}'),
        "no noise, and no colours into a pipe: {text}"
    );
}

#[test]
fn reports_go_to_files_in_one_scan() {
    let dir = folder(&[("m/bad <&> \".pkl", HOSTILE), ("m/own.pkl", UNKNOWN)]);
    let arguments =
        ["--sarif", "DIR/s.json", "--junit", "DIR/j.xml", "--cyclonedx", "DIR/b.json", "--json", "DIR/m"];
    assert_eq!(code(&scan(&arguments, dir.path())), 1);
    let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect("a report");

    let sarif: Value = serde_json::from_str(&read("s.json")).expect("JSON");
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    let rule = result["ruleIndex"].as_u64().and_then(|i| usize::try_from(i).ok()).expect("an index");
    assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
    assert_eq!(result["level"], "error");
    let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().expect("a URI");
    assert!(uri.ends_with("/m/bad%20%3C%26%3E%20%22.pkl"), "{uri}");

    let junit = read("j.xml");
    assert!(junit.contains("tests=\"2\" failures=\"1\" errors=\"0\""), "{junit}");
    assert!(junit.contains("bad &lt;&amp;&gt; &quot;.pkl"), "{junit}");

    let bom: Value = serde_json::from_str(&read("b.json")).expect("JSON");
    assert_eq!((&bom["bomFormat"], &bom["specVersion"]), (&json!("CycloneDX"), &json!("1.6")));
    let hash = bom["components"][0]["hashes"][0]["content"].as_str().expect("a digest");
    assert_eq!(hash.len(), 64);

    let both = scan(&["--json", "--sarif", "-", "DIR/m"], dir.path());
    assert_eq!(code(&both), 2, "two reports cannot share the standard output");
    let alone = scan(&["--sarif", "-", "DIR/m"], dir.path());
    assert_eq!(json_of(&alone)["version"], "2.1.0");
    let nowhere = scan(&["--sarif", "DIR/no/such/folder/s.json", "DIR/m"], dir.path());
    assert_eq!(code(&nowhere), 3);
}

#[test]
fn what_is_accepted_has_a_reason_and_an_end() {
    let dir = folder(&[("own.pkl", UNKNOWN), ("bad.pkl", HOSTILE)]);
    let found = json_of(&scan(&["--json", "--digest", "DIR/own.pkl", "DIR/bad.pkl"], dir.path()));
    let rule = found["files"][0]["findings"][0]["id"].as_str().expect("a rule").to_owned();
    let hostile = found["files"][1]["findings"][0]["id"].as_str().expect("a rule").to_owned();
    let digest = found["files"][1]["sha256"].as_str().expect("a digest").to_owned();
    let accept = |text: String, paths: &str| {
        fs::write(dir.path().join("accept.toml"), text).expect("a file");
        scan(&["--json", "--strict", "--suppressions", "DIR/accept.toml", paths], dir.path())
    };
    let entry = |rule: &str, what: &str, expires: &str| {
        format!(
            "[[suppress]]\nrule = \"{rule}\"\n{what}\nreason = \"ours, read with the team\"\nexpires = \"{expires}\"\n"
        )
    };
    let held = accept(entry(&rule, "path = \"**/own.pkl\"", "2999-01-01"), "DIR/own.pkl");
    assert_eq!(code(&held), 0);
    let value = json_of(&held);
    assert_eq!(value["files"][0]["findings"][0]["suppressed"]["reason"], "ours, read with the team");
    assert_eq!(
        (&value["files"][0]["verdict"], &value["summary"]["suppressed"]),
        (&json!("clean"), &json!(1))
    );

    let ended = accept(entry(&rule, "path = \"**/own.pkl\"", "2020-01-01"), "DIR/own.pkl");
    assert_eq!(code(&ended), 1);
    assert!(String::from_utf8_lossy(&ended.stderr).contains("ended on 2020-01-01"));

    let by_path = accept(entry(&hostile, "path = \"**\"", "2999-01-01"), "DIR/bad.pkl");
    assert_eq!(code(&by_path), 1, "a path alone accepts nothing malicious");
    let by_content = accept(entry(&hostile, &format!("sha256 = \"{digest}\""), "2999-01-01"), "DIR/bad.pkl");
    assert_eq!(code(&by_content), 0);

    for (text, said) in [
        (
            "[[suppress]]\nrule = \"x.y\"\npath = \"*\"\nreason = \"r\"\nexpires = \"2999-01-01\"".to_owned(),
            "no rule `x.y`",
        ),
        (entry(&rule, "", "2999-01-01"), "neither `path` nor `sha256`"),
        (entry(&rule, "sha256 = \"12\"", "2999-01-01"), "64 lower-case"),
        (format!("[[suppress]]\nrule = \"{rule}\"\npath = \"*\"\nexpires = \"2999-01-01\""), "reason"),
        (entry(&rule, "path = \"*\"", "soon"), "expires"),
    ] {
        let refused = accept(text.clone(), "DIR/own.pkl");
        assert_eq!(code(&refused), 2, "{text}");
        assert!(String::from_utf8_lossy(&refused.stderr).contains(said), "{text}: {refused:?}");
    }
}

#[test]
fn a_baseline_lets_only_new_findings_fail() {
    let dir = folder(&[("m/own.pkl", UNKNOWN), ("m/bad.pkl", HOSTILE)]);
    assert_eq!(code(&scan(&["--write-baseline", "DIR/base.json", "DIR/m"], dir.path())), 1);
    let strict = ["--json", "--strict", "--baseline", "DIR/base.json", "DIR/m"];
    let value = json_of(&scan(&strict, dir.path()));
    let expected =
        [("bad.pkl", "malicious"), ("own.pkl", "clean")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    assert_eq!(verdicts(&value), expected, "no baseline accepts what is malicious");
    fs::remove_file(dir.path().join("m/bad.pkl")).expect("removed");
    assert_eq!(code(&scan(&strict, dir.path())), 0);
    fs::write(dir.path().join("m/new.pkl"), b"cacme.other\nModel\n)R.").expect("a file");
    assert_eq!(code(&scan(&strict, dir.path())), 1);
    fs::write(dir.path().join("base.json"), "{}").expect("a file");
    assert_eq!(code(&scan(&strict, dir.path())), 2);
}

#[test]
fn rules_are_listed_with_what_to_do() {
    let value = json_of(&bastide(&["scan", "--rules", "--json"], &[]));
    let rules = value.as_array().expect("rules");
    let mut ids: Vec<&str> = rules.iter().filter_map(|r| r["id"].as_str()).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id names one rule");
    for rule in rules {
        for field in ["title", "why", "fix"] {
            let text = rule[field].as_str().unwrap_or_default();
            assert!(!text.is_empty() && !text.ends_with('.'), "{rule}");
        }
        let id = rule["id"].as_str().unwrap_or_default();
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        assert!(id.contains('.') && id.chars().all(plain), "{id}");
    }
    assert_eq!(code(&bastide(&["scan", "--rules"], &[])), 0);
}
