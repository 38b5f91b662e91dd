//! `bastide scan` as people ask for it: what has no effect is said, names do not depend on how paths are typed, and what was
//! not looked at is counted.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bastide_testkit::{find_binary, temp_folder};
use serde_json::{Value, json};
use tempfile::TempDir;

/// `os.system('echo hello')`, as protocol 0 writes it.
const HOSTILE: &[u8] = b"cos\nsystem\n(S'echo hello'\ntR.";
/// `[1, 2]`
const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
/// An instance of a class that nobody knows.
const UNKNOWN: &[u8] = b"cacme.fraud\nScorer\n)R.";
/// A weakness in a text, on its fourth line.
const PYTHON: &[u8] = b"import torch\n\n\nmodel = torch.load('m.pt', weights_only=False)\n";

fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = temp_folder().expect("a folder");
    for (name, bytes) in files {
        write(folder.path(), name, bytes);
    }
    folder
}

fn write(folder: &Path, name: &str, bytes: &[u8]) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, bytes).expect("a file");
}

/// Runs `bastide scan` in a folder, with this on standard input.
fn fed(folder: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let binary = find_binary("bastide").expect("a binary");
    #[allow(clippy::disallowed_methods, reason = "running the binary is what is tested")]
    let mut command = Command::new(binary);
    command.arg("scan").args(arguments).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    // A command that does not read has ended before all is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("the binary runs")
}

fn scan(folder: &Path, arguments: &[&str]) -> Output {
    fed(folder, arguments, b"")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("an exit code")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}{}", out(output), err(output)))
}

/// What a scan warns of, by kind.
fn warnings(value: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let all = value["summary"]["warnings"].as_array().expect("warnings");
    all.iter().map(|warning| (text(&warning["kind"]), text(&warning["message"]))).collect()
}

fn entry(rule: &str, what: &str, expires: &str) -> String {
    format!(
        "[[suppress]]\nrule = \"{rule}\"\n{what}\nreason = \"read with the team\"\nexpires = \"{expires}\"\n"
    )
}

#[test]
fn a_suppression_without_effect_is_named_with_why() {
    let dir = folder(&[("m/own.pkl", UNKNOWN), ("m/bad.pkl", HOSTILE), ("m/good.pkl", HONEST)]);
    let digest = format!("path = \"m/bad.pkl\"\nsha256 = \"{}\"", "0".repeat(64));
    let text = [
        entry("pickle.unknown-class", "path = \"m/own.pkl\"", "2999-01-01"),
        entry("pickle.unknown-class", "path = \"n/own.pkl\"", "2999-01-01"),
        entry("pickle.unknown-class", "path = \"m/good.pkl\"", "2999-01-01"),
        entry("pickle.process", "path = \"m/bad.pkl\"", "2999-01-01"),
        entry("pickle.process", &digest, "2999-01-01"),
        entry("pickle.unknown-class", "path = \"m/own.pkl\"", "2020-01-01"),
    ];
    write(dir.path(), "accept.toml", text.concat().as_bytes());
    let output = scan(dir.path(), &["--json", "--suppressions", "accept.toml", "m"]);
    let value = json_of(&output);
    let expected = [
        ("suppression-ended", "ended on 2020-01-01: read with the team"),
        ("suppression-unused", "in `n/own.pkl` accepts nothing: no file that was scanned has this path"),
        (
            "suppression-unused",
            "in `m/good.pkl` accepts nothing: the files that it is about have no such finding",
        ),
        ("suppression-unused", "accepted only with the `sha256`"),
        (
            "suppression-unused",
            "of content 000000000000... accepts nothing: no file that was scanned has this `sha256`",
        ),
    ];
    let found = warnings(&value);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((kind, words), (found, message)) in expected.iter().zip(&found) {
        assert!(found == kind && message.contains(words), "{kind}: {words}\n{found}: {message}");
        assert!(err(&output).contains(&format!("warning: {message}")), "{}", err(&output));
    }
    assert_eq!(value["summary"]["suppressed"], 1);
}

#[test]
fn a_file_of_suppressions_that_is_wrong_says_the_line_and_what_was_meant() {
    let dir = folder(&[("m/own.pkl", UNKNOWN)]);
    let good = entry("pickle.unknown-class", "path = \"m/own.pkl\"", "2999-01-01");
    for (text, said) in [
        (
            format!("{good}{}", entry("pickle.proces", "path = \"m\"", "2999-01-01")),
            "line 6: there is no rule",
        ),
        (
            format!("{good}{}", entry("pickle.proces", "path = \"m\"", "2999-01-01")),
            "is `pickle.process` meant?",
        ),
        (format!("{good}\n[[suppress]]\nrule = 5\n"), "line 8"),
    ] {
        write(dir.path(), "accept.toml", text.as_bytes());
        let refused = scan(dir.path(), &["--suppressions", "accept.toml", "m"]);
        assert_eq!(code(&refused), 2, "{text}");
        assert!(err(&refused).contains(said), "{said}: {}", err(&refused));
    }
}

#[test]
fn a_suppression_is_for_what_it_mentions_and_ends_on_a_day_however_written() {
    let dir = folder(&[("m/own.pkl", UNKNOWN), ("m/other.pkl", b"cacme.evil\nScorer\n)R.")]);
    let accept = |what: &str, expires: &str| {
        let text = format!(
            "[[suppress]]\nrule = \"pickle.unknown-class\"\npath = \"m/**\"\n{what}reason = \"r\"\nexpires = {expires}\n"
        );
        write(dir.path(), "accept.toml", text.as_bytes());
        scan(dir.path(), &["--strict", "--json", "--suppressions", "accept.toml", "m"])
    };
    assert_eq!(code(&accept("", "2999-01-01")), 0);
    let narrow = accept("mentions = \"acme.fraud\"\n", "\"2999-01-01\"");
    assert_eq!((code(&narrow), &json_of(&narrow)["summary"]["suppressed"]), (1, &Value::from(1)));
    let idle = accept("mentions = \"acme.frond\"\n", "2999-01-01");
    assert!(warnings(&json_of(&idle))[0].1.contains("that speaks of `acme.frond`"), "{}", out(&idle));
    assert!(err(&accept("mentions = \" \"\n", "2999-01-01")).contains("`mentions` is empty"));
    for wrong in ["\"2027/01/01\"", "2027", "12:00:00"] {
        let refused = accept("", wrong);
        assert_eq!(code(&refused), 2);
        assert!(err(&refused).contains("`expires` is no day: write it as 2027-03-31"), "{}", err(&refused));
    }
}

#[test]
fn a_pipe_that_brings_nothing_does_not_pass() {
    let dir = folder(&[]);
    let output = fed(dir.path(), &["-"], b"");
    assert_eq!(code(&output), 3);
    assert!(err(&output).contains("standard input is empty"), "{}", err(&output));
}

#[test]
fn reports_go_through_pipes_and_never_through_links() {
    let dir = folder(&[("m/good.pkl", HONEST), ("victim", b"untouched")]);
    let here = |name: &str| dir.path().join(name);
    for name in ["report.json.part", "link.json"] {
        symlink(here("victim"), here(name)).expect("a link");
    }
    for path in ["report.json", "link.json"] {
        assert_eq!(code(&scan(dir.path(), &["--format", "json", "-o", path, "m"])), 0);
        assert!(fs::read_to_string(here(path)).expect("a report").starts_with('{'));
    }
    assert_eq!(fs::read(here("victim")).expect("a file"), b"untouched");
    let through = scan(dir.path(), &["--format", "json", "-o", "/dev/stdout", "m"]);
    assert_eq!(json_of(&through)["summary"]["files"], 1);
    assert_eq!(code(&scan(dir.path(), &["-q", "--sarif", "/dev/null", "m"])), 0);
    assert!(!fs::metadata("/dev/null").expect("a device").is_file());
}

#[test]
fn what_is_accepted_does_not_depend_on_how_a_path_is_typed() {
    let dir = folder(&[("m/own.pkl", UNKNOWN)]);
    let absolute = fs::canonicalize(dir.path()).expect("a path").join("m");
    let absolute = absolute.to_str().expect("a plain path");
    assert_eq!(code(&scan(dir.path(), &["-q", "--write-baseline", "base.json", "./m/"])), 0);
    for path in ["m/own.pkl", "./m/own.pkl", &format!("{absolute}/own.pkl")] {
        let text = entry("pickle.unknown-class", &format!("path = \"{path}\""), "2999-01-01");
        write(dir.path(), "accept.toml", text.as_bytes());
        for given in ["m", "./m", "m/", "m/../m", ".", "m/own.pkl", absolute] {
            for accepted in [["--suppressions", "accept.toml"], ["--baseline", "base.json"]] {
                let all = [&accepted[..], &["--strict", "--json", given]].concat();
                let output = scan(dir.path(), &all);
                assert_eq!(code(&output), 0, "{path} {all:?}: {}", out(&output));
                assert_eq!(warnings(&json_of(&output)), [], "{path} {all:?}");
            }
        }
    }
    let inside = scan(&dir.path().join("m"), &["--strict", "--suppressions", "../accept.toml", "own.pkl"]);
    assert_eq!(code(&inside), 0, "an absolute pattern holds from anywhere: {}", out(&inside));
}

#[test]
fn findings_of_a_baseline_that_are_gone_are_named() {
    let dir = folder(&[("m/own.pkl", UNKNOWN), ("n/own.pkl", UNKNOWN)]);
    assert_eq!(code(&scan(dir.path(), &["-q", "--write-baseline", "base.json", "m", "n"])), 0);
    write(dir.path(), "m/own.pkl", HONEST);
    let value = json_of(&scan(dir.path(), &["--json", "--baseline", "base.json", "m"]));
    let [(kind, message)] = &warnings(&value)[..] else { panic!("one warning: {value}") };
    assert_eq!(kind, "baseline-unused");
    assert!(
        message.contains("1 of 2") && message.contains("`pickle.unknown-class` in `m/own.pkl`"),
        "{message}"
    );
    fs::remove_file(dir.path().join("m/own.pkl")).expect("removed");
    write(dir.path(), "m/other.pkl", HONEST);
    let value = json_of(&scan(dir.path(), &["--json", "--baseline", "base.json", "m"]));
    assert_eq!(warnings(&value).len(), 1, "a file that is gone has no findings");
}

#[test]
fn what_is_left_out_is_said_and_a_pattern_that_matches_nothing_too() {
    let files: &[(&str, &[u8])] = &[
        ("m/good.pkl", HONEST),
        ("m/bad.pkl", HOSTILE),
        ("m/old/bad.pkl", HOSTILE),
        ("m/tests/bad.pkl", HOSTILE),
        ("m/.git/objects/x", HOSTILE),
        ("m/lib/a.pkl", HONEST),
    ];
    let dir = folder(files);
    symlink("lib", dir.path().join("m/lib64")).expect("a link");
    let excluding =
        ["--exclude", "tests", "--exclude", "m/old/**", "--ignore", "bad.*", "--exclude", "nothing", "m"];
    let output = scan(dir.path(), &excluding);
    assert_eq!(code(&output), 0, "{}", out(&output));
    assert!(err(&output).contains("warning: nothing matches `--exclude nothing`"), "{}", err(&output));
    let text = out(&output);
    for said in [
        "1 file or folder that `--exclude bad.*` names",
        "1 file or folder that `--exclude tests` names",
        "`m/.git`, a folder of version control",
        "1 link to a folder within what was scanned",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let value = json_of(&scan(dir.path(), &[&["--json"], &excluding[..]].concat()));
    let not = &value["summary"]["not_checked"];
    assert_eq!((&not["links"], &not["version_control"]), (&json!(1), &json!(["m/.git"])));
    assert_eq!(not["excluded"][0], json!({"pattern": "bad.*", "paths": 1}));
    let twice =
        scan(dir.path(), &["-o", "r", "--exclude", "m/bad.*", "--exclude", "bad.pkl", "m/bad.pkl", "m/lib"]);
    assert!(!err(&twice).contains("warning"), "neither pattern is idle: {}", err(&twice));
    assert_eq!(code(&scan(dir.path(), &["--exclude", "a[", "m"])), 2);
}

#[test]
fn nothing_to_scan_is_not_clean() {
    let dir = folder(&[("m/a.md", b"words")]);
    fs::create_dir(dir.path().join("empty")).expect("a folder");
    for arguments in [&["empty"][..], &["--exclude", "*.md", "m"]] {
        let output = scan(dir.path(), arguments);
        assert_eq!(code(&output), 0);
        assert!(
            out(&output).contains("nothing to scan") && !out(&output).contains("clean"),
            "{}",
            out(&output)
        );
        assert!(err(&output).contains("warning: there is nothing to scan in"), "{}", err(&output));
        let strict = scan(dir.path(), &[&["--strict"], arguments].concat());
        assert_eq!(code(&strict), 3, "{}", err(&strict));
    }
    let value = json_of(&scan(dir.path(), &["--json", "empty"]));
    assert_eq!(warnings(&value)[0].0, "nothing-scanned");
}

#[test]
fn standard_input_is_scanned_as_a_file() {
    let dir = folder(&[]);
    let bad = fed(dir.path(), &["--json", "-"], HOSTILE);
    assert_eq!(code(&bad), 1, "{}", err(&bad));
    let value = json_of(&bad);
    assert_eq!(
        (&value["files"][0]["path"], &value["files"][0]["size"]),
        (&json!("-"), &json!(HOSTILE.len()))
    );
    assert_eq!(code(&fed(dir.path(), &["-q", "-"], HONEST)), 0);
    let large = vec![0x9d; 3 << 20];
    let value = json_of(&fed(dir.path(), &["--json", "--digest", "-"], &large));
    assert_eq!(value["files"][0]["size"], large.len());
    assert_eq!(code(&fed(dir.path(), &["-", "-"], HONEST)), 2);
    assert!(fs::read_dir(dir.path()).expect("a folder").next().is_none(), "nothing is left behind");
    write(dir.path(), "-", HOSTILE);
    assert_eq!(code(&fed(dir.path(), &["./-"], HONEST)), 1, "a file of that name");
}

#[test]
fn paths_that_are_not_there_are_told_all_at_once_with_what_to_do() {
    let dir = folder(&[("good.pkl", HONEST), ("shut.pkl", HONEST)]);
    fs::set_permissions(dir.path().join("shut.pkl"), fs::Permissions::from_mode(0o000)).expect("permissions");
    let output = scan(dir.path(), &["one", "good.pkl", "two/x"]);
    assert_eq!(code(&output), 3);
    assert!(err(&output).contains("cannot be read: `one`, `two/x`"), "{}", err(&output));
    assert!(out(&output).contains("there is no such file or folder: check the path"), "{}", out(&output));
    if fs::read(dir.path().join("shut.pkl")).is_err() {
        let output = scan(dir.path(), &["shut.pkl"]);
        assert!(out(&output).contains("may not be read"), "{}", out(&output));
    }
}

#[test]
fn one_form_goes_to_standard_output_or_to_a_file() {
    let dir = folder(&[("m/bad.pkl", HOSTILE)]);
    let form = |form: &str| scan(dir.path(), &["--format", form, "m"]);
    assert_eq!(json_of(&form("json")), json_of(&scan(dir.path(), &["--json", "m"])));
    assert_eq!(json_of(&form("sarif"))["version"], "2.1.0");
    assert_eq!(json_of(&form("cyclonedx"))["bomFormat"], "CycloneDX");
    assert!(out(&form("junit")).starts_with("<?xml") && out(&form("human")).contains("os.system"));
    for (name, mark) in [("json", "\"files\""), ("sarif", "2.1.0"), ("human", "1 malicious")] {
        let output = scan(dir.path(), &["--format", name, "-o", "report", "m"]);
        assert_eq!((code(&output), out(&output).as_str()), (1, ""), "{name}: {}", err(&output));
        let report = fs::read_to_string(dir.path().join("report")).expect("a report");
        assert!(report.contains(mark) && !report.contains('\u{1b}'), "{report}");
        fs::remove_file(dir.path().join("report")).expect("removed");
    }
    let quiet = scan(dir.path(), &["-q", "--exclude", "x", "m"]);
    assert_eq!((code(&quiet), out(&quiet).as_str()), (1, ""));
    assert!(!err(&quiet).contains("warning"), "{}", err(&quiet));
    assert_eq!(json_of(&scan(dir.path(), &["-q", "--json", "m"]))["summary"]["malicious"], 1);
    for wrong in
        [&["--json", "--format", "sarif"][..], &["--format", "human", "--sarif", "-"], &["--format", "xml"]]
    {
        assert_eq!(code(&scan(dir.path(), &[wrong, &["m"]].concat())), 2, "{wrong:?}");
    }
    let refused = scan(dir.path(), &["--format", "json", "--threads", "no", "m"]);
    assert_eq!(json_of(&refused)["error"]["exit"], 2, "who asked for JSON gets its errors so too");
}

#[test]
fn a_place_in_a_text_is_a_line_and_elsewhere_a_byte() {
    let dir = folder(&[("m/a.py", PYTHON), ("m/bad.pkl", HOSTILE)]);
    let value = json_of(&scan(dir.path(), &["--json", "m"]));
    let files = value["files"].as_array().expect("files");
    assert_eq!(files[0]["findings"][0]["line"], 4);
    assert!(files[1]["findings"][0].get("line").is_none() && files[1]["findings"][0]["offset"].is_u64());
    assert!(out(&scan(dir.path(), &["m"])).contains("line 4"));
    let absolute = dir.path().join("m");
    let sarif = json_of(&scan(dir.path(), &["--format", "sarif", absolute.to_str().expect("a plain path")]));
    let run = &sarif["runs"][0];
    let place = |uri: &str| {
        let results = run["results"].as_array().expect("results");
        let of =
            |result: &&Value| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == uri;
        results.iter().find(of).expect("a result")["locations"][0]["physicalLocation"].clone()
    };
    assert_eq!(place("m/a.py")["region"], json!({"startLine": 4}));
    assert!(place("m/bad.pkl")["region"]["byteOffset"].is_u64());
    let base = place("m/a.py")["artifactLocation"]["uriBaseId"].as_str().expect("a base").to_owned();
    assert!(run["originalUriBaseIds"][&base].is_object(), "{run}");
    let outside = folder(&[]);
    let sarif =
        json_of(&scan(outside.path(), &["--format", "sarif", absolute.to_str().expect("a plain path")]));
    let location = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
    assert!(location["uri"].as_str().is_some_and(|uri| uri.starts_with("file:///")), "{location}");
    assert!(location.get("uriBaseId").is_none(), "{location}");
}

/// An advisory about `lib`, and one that says that `evil` is the attack.
const ADVISORIES: [(&str, &str); 2] = [
    (
        "GHSA-1.json",
        r#"{"id": "GHSA-1", "aliases": ["CVE-2026-1"], "published": "2026-01-01T00:00:00Z", "summary": "runs code",
        "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
        "database_specific": {"cwe_ids": ["CWE-502"]}, "affected": [{"package": {"ecosystem": "PyPI", "name": "lib"},
        "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0"}]}]}]}"#,
    ),
    (
        "MAL-1.json",
        r#"{"id": "MAL-1", "published": "2026-01-01T00:00:00Z", "summary": "steals keys", "affected":
        [{"package": {"ecosystem": "PyPI", "name": "evil"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#,
    ),
];

/// CRC-32 as zip archives have it (APPNOTE 4.4.7).
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A zip archive of stored members, as small as it can be.
fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let (mut body, mut directory) = (Vec::new(), Vec::new());
    for (name, text) in members {
        let at = u32::try_from(body.len()).expect("small");
        let size = u32::try_from(text.len()).expect("small").to_le_bytes();
        let length = u16::try_from(name.len()).expect("short").to_le_bytes();
        // Method, time and date are nothing.
        let sum = checksum(text.as_bytes()).to_le_bytes();
        let common = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sum, &size, &size, &length, &[0, 0]].concat();
        body.extend([b"PK\x03\x04", &common[..], name.as_bytes(), text.as_bytes()].concat());
        let more = [&[0; 10][..], &at.to_le_bytes()].concat();
        directory.extend([b"PK\x01\x02\x14\0", &common[..], &more, name.as_bytes()].concat());
    }
    let count = u16::try_from(members.len()).expect("few").to_le_bytes();
    let size = u32::try_from(directory.len()).expect("small").to_le_bytes();
    let start = u32::try_from(body.len()).expect("small").to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0", &count[..], &count, &size, &start, &[0, 0]].concat();
    [body, directory, end].concat()
}

fn project() -> TempDir {
    let text = b"[project]\nname = \"x\"\ndependencies = [\n  \"lib==1.0\",\n]\n[tool.poetry.dependencies]\nevil = \"*\"\n";
    let dir = folder(&[("p/pyproject.toml", text), ("p/requirements.txt", b"-r base.txt\n-r gone.txt\n")]);
    write(dir.path(), "p/base.txt", b"# pinned\nlib==1.5\n");
    write(dir.path(), "osv/all.zip", &zip(&ADVISORIES));
    dir
}

#[test]
fn advisories_of_an_archive_are_matched_with_what_a_project_names() {
    let dir = project();
    let value = json_of(&scan(dir.path(), &["--json", "--osv", "osv", "p"]));
    let files = value["files"].as_array().expect("files");
    let of = |name: &str| files.iter().find(|file| file["path"] == name).expect("a file");
    let named = |name: &str| -> Vec<Value> {
        let findings = of(name)["findings"].as_array().expect("findings");
        findings.iter().filter(|finding| finding.get("package").is_some()).cloned().collect()
    };
    let found = named("p/pyproject.toml");
    assert_eq!(found[0]["id"], "dependency.malicious-package");
    assert_eq!(
        (&found[0]["package"]["name"], &found[0]["package"]["version"]),
        (&json!("evil"), &Value::Null)
    );
    assert_eq!((&found[0]["line"], &found[0]["package"]["malicious"]), (&json!(7), &json!(true)));
    assert_eq!(found[1]["line"], 4);
    let package = &found[1]["package"];
    assert_eq!(
        (&package["name"], &package["version"], &package["advisory"]),
        (&json!("lib"), &json!("1.0"), &json!("GHSA-1"))
    );
    assert_eq!((&package["fixed"], &package["aliases"]), (&json!(["2.0"]), &json!(["CVE-2026-1"])));
    assert_eq!((&package["score"], &package["purl"]), (&json!(9.8), &json!("pkg:pypi/lib@1.0")));
    assert_eq!(named("p/base.txt")[0]["package"]["version"], "1.5", "what `-r` names, whatever it is called");
    let missing = of("p/requirements.txt")["findings"].to_string();
    assert!(missing.contains("gone.txt") && !missing.contains("base.txt"), "{missing}");
    assert_eq!(
        code(&scan(dir.path(), &["-q", "--osv", "osv/all.zip", "p"])),
        1,
        "the archive itself will do"
    );
    let mut cut = zip(&ADVISORIES);
    cut.truncate(cut.len() - 40);
    write(dir.path(), "osv/all.zip", &cut);
    let refused = scan(dir.path(), &["--osv", "osv", "p"]);
    assert_eq!(code(&refused), 3, "advisories that are not read would look like safety");
}

#[test]
fn a_bill_of_materials_says_how_bad_it_is() {
    let dir = project();
    let bom = json_of(&scan(dir.path(), &["--format", "cyclonedx", "--osv", "osv", "p"]));
    let all = bom["vulnerabilities"].as_array().expect("vulnerabilities");
    let of = |id: &str| all.iter().find(|one| one["id"] == id).expect("an advisory");
    let rating = &of("GHSA-1")["ratings"][0];
    assert_eq!(
        (&rating["severity"], &rating["method"], &rating["score"]),
        (&json!("critical"), &json!("CVSSv31"), &json!(9.8))
    );
    assert_eq!(of("GHSA-1")["cwes"], json!([502]));
    let rating = &of("MAL-1")["ratings"][0];
    assert_eq!((&rating["severity"], &rating["method"]), (&json!("critical"), &json!("other")));
    assert_eq!(of("MAL-1")["cwes"], json!([506]));
}

#[test]
fn one_rule_is_explained() {
    let dir = folder(&[]);
    let text = out(&scan(dir.path(), &["--rules", "pickle.process"]));
    for said in ["critical, malicious", "why", "what to do", "CWE-502", "AML.T0011.000"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let family = json_of(&scan(dir.path(), &["--rules", "pickle", "--json"]));
    let ids: Vec<&str> =
        family.as_array().expect("rules").iter().filter_map(|rule| rule["id"].as_str()).collect();
    assert!(ids.len() > 5 && ids.iter().all(|id| id.starts_with("pickle.")), "{ids:?}");
    let refused = scan(dir.path(), &["--rules", "pickle.proces"]);
    assert_eq!(code(&refused), 2);
    assert!(err(&refused).contains("is `pickle.process` meant?"), "{}", err(&refused));
}

#[test]
fn a_part_of_a_model_without_content_is_said() {
    let index = br#"{"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}"#;
    let whole = b"\x02\0\0\0\0\0\0\0{}";
    let dir = folder(&[
        ("m/model.safetensors.index.json", index),
        ("m/model-00001-of-00002.safetensors", whole),
        ("m/model-00002-of-00002.safetensors", b""),
    ]);
    let text = out(&scan(dir.path(), &["m"]));
    assert!(text.contains("`model-00002-of-00002.safetensors` has no content"), "{text}");
}

/// Checks a value against the part of JSON Schema that our schema uses, and that every field of it is described there.
fn check(value: &Value, schema: &Value, root: &Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        return check(value, &root["$defs"][name], root, at);
    }
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{at}: {value}");
        return;
    }
    let of = |kind: &str| match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("{at}: a kind `{other}`"),
    };
    let fits = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(of),
        kind => of(kind.as_str().unwrap_or_else(|| panic!("{at}: no type"))),
    };
    assert!(fits, "{at}: {value} is no {}", schema["type"]);
    for (name, field) in value.as_object().into_iter().flatten() {
        let described = &schema["properties"][name];
        assert!(described.is_object(), "{at}.{name} is not described");
        check(field, described, root, &format!("{at}.{name}"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        assert!(value.get(name).is_some(), "{at}.{name} is missing");
    }
    for (i, item) in value.as_array().into_iter().flatten().enumerate() {
        check(item, &schema["items"], root, &format!("{at}[{i}]"));
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_schema_in_the_documentation_describes_every_field() {
    let text = fs::read_to_string(repository().join("docs/reference/scan.schema.json")).expect("the schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    let dir = project();
    write(dir.path(), "p/own.pkl", UNKNOWN);
    write(dir.path(), "p/bad.pkl", HOSTILE);
    write(dir.path(), "p/.git/HEAD", b"ref: x");
    write(dir.path(), "p/a.py", PYTHON);
    write(dir.path(), "p/cut.pkl", b"\x80\x04\x95\x40\0\0\0\0\0\0\0]\x94(");
    write(dir.path(), "p/model.zip", &zip(&[("a/bad.pkl", "cos\nsystem\n(S'echo hello'\ntR.")]));
    write(dir.path(), "p/many.pkl", &b"cos\nsystem\n(S'echo hello'\ntR0".repeat(3));
    let accept = entry("pickle.unknown-class", "path = \"p/own.pkl\"", "2999-01-01");
    write(dir.path(), "accept.toml", accept.as_bytes());
    let arguments = [
        "--json",
        "--digest",
        "--osv",
        "osv",
        "--suppressions",
        "accept.toml",
        "--exclude",
        "x",
        "p",
        "missing",
    ];
    let value = json_of(&scan(dir.path(), &arguments));
    check(&value, &schema, &schema, "");
    let whole = value.to_string();
    for field in
        ["line", "members", "call", "package", "suppressed", "sha256", "version_control", "overdue_days"]
    {
        assert!(whole.contains(&format!("\"{field}\":")), "the test has no `{field}`: {whole}");
    }
    check(&json_of(&scan(dir.path(), &["--json", "--exclude", "*", "p"])), &schema, &schema, "");
}

/// A name of a file in each format, as people have it.
const NAMES: &[(&str, &str)] = &[
    ("pickle", "m.pkl"),
    ("joblib", "m.joblib"),
    ("torch-zip", "pytorch_model.bin"),
    ("torch-legacy", "m.pth"),
    ("torch-tar", "m.pth.tar"),
    ("torchscript", "m.pt"),
    ("pt2", "m.pt2"),
    ("mar", "m.mar"),
    ("skops", "m.skops"),
    ("zip", "m.zip"),
    ("tar", "m.tar"),
    ("7z", "m.7z"),
    ("other-archive", "m.rar"),
    ("gzip", "m.tar.gz"),
    ("bzip2", "m.bz2"),
    ("xz", "m.xz"),
    ("lzma", "m.lzma"),
    ("zlib", "m.zlib"),
    ("lz4", "m.lz4"),
    ("zstd", "m.zst"),
    ("nemo", "m.nemo"),
    ("safetensors", "m.safetensors"),
    ("gguf", "m.GGUF"),
    ("numpy", "m.npy"),
    ("npz", "m.npz"),
    ("msgpack", "flax_model.msgpack"),
    ("t7", "m.t7"),
    ("mxnet", "m.params"),
    ("onnx", "m.onnx"),
    ("savedmodel", "saved_model.pb"),
    ("graphdef", "frozen.pb"),
    ("metagraph", "m.pbtxt"),
    ("tflite", "m.tflite"),
    ("executorch", "m.pte"),
    ("coreml", "m.mlmodel"),
    ("paddle", "m.pdmodel"),
    ("tensorrt", "m.engine"),
    ("keras", "m.keras"),
    ("hdf5", "m.h5"),
    ("xgboost", "m.ubj"),
    ("lightgbm", "lgbm.model"),
    ("catboost", "m.cbm"),
    ("rds", "m.rds"),
    ("arrow", "m.feather"),
    ("parquet", "m.parquet"),
    ("pmml", "m.pmml"),
    ("openvino", "m.xml"),
    ("xml", "m.xml"),
    ("json", "config.json"),
    ("yaml", "m.yaml"),
    ("jinja", "chat_template.jinja"),
    ("notebook", "m.ipynb"),
    ("python", "modeling_x.py"),
    ("script", "run.sh"),
    ("kubernetes", "deploy.yml"),
    ("compose", "compose.yaml"),
    ("dockerfile", "Dockerfile"),
    ("terraform", "main.tf"),
    ("requirements", "requirements-dev.txt"),
    ("lock", "poetry.lock"),
    ("executable", "lib.so"),
    ("java", "weka.model"),
    ("llamafile", "m.llamafile"),
];

#[test]
fn the_hook_is_run_for_files_of_every_format() {
    let hooks = fs::read_to_string(repository().join(".pre-commit-hooks.yaml")).expect("the hooks");
    let (_, block) = hooks.split_once("  files: |\n").expect("a pattern");
    let pattern: String =
        block.lines().take_while(|line| line.starts_with("    ")).map(|line| format!("{line}\n")).collect();
    let pattern = regex_automata::meta::Regex::new(pattern.trim()).expect("a pattern");
    let source =
        fs::read_to_string(repository().join("crates/bastide-artifact/src/format.rs")).expect("the formats");
    let formats = source.lines().filter_map(|line| {
        let (variant, name) = line.trim().strip_prefix("Format::")?.split_once(" => \"")?;
        variant.chars().all(char::is_alphanumeric).then(|| name.trim_end_matches("\",").to_owned())
    });
    let mut count = 0;
    // Text may be called anything, and so may what nobody knows.
    for format in formats.filter(|format| !matches!(format.as_str(), "text" | "unknown")) {
        let (_, name) = NAMES
            .iter()
            .find(|(known, _)| *known == format)
            .unwrap_or_else(|| panic!("no name for `{format}`"));
        assert!(pattern.is_match(format!("models/{name}").as_bytes()), "{format}: {name}");
        assert!(pattern.is_match(name.as_bytes()), "{format}: {name}");
        count += 1;
    }
    assert!(count > 60, "{count}");
    for name in ["pyproject.toml", "uv.lock", "pylock.dev.toml", "sub/Containerfile.gpu"] {
        assert!(pattern.is_match(name.as_bytes()), "{name}");
    }
    for name in ["notes.md", "words.txt", "a.rs", "LICENSE", "picture.png"] {
        assert!(!pattern.is_match(name.as_bytes()), "{name}");
    }
}

/// The script of the scanning step of `action.yml`.
fn step() -> String {
    let action = fs::read_to_string(repository().join("action.yml")).expect("the action");
    let (_, step) = action.split_once("      id: scan\n").expect("the step");
    let (_, script) = step.split_once("      run: |\n").expect("a script");
    let lines = script.lines().take_while(|line| line.starts_with("        ") || line.is_empty());
    lines.map(|line| format!("{}\n", line.trim_start_matches("        "))).collect()
}

#[test]
fn the_action_fails_on_what_it_was_asked_to() {
    let dir = folder(&[
        ("m/it's bad.pkl", HOSTILE),
        ("own/own.pkl", UNKNOWN),
        ("good.pkl", HONEST),
        ("m/a.md", b"x"),
    ]);
    fs::create_dir_all(dir.path().join("bastide/bin")).expect("a folder");
    symlink(find_binary("bastide").expect("a binary"), dir.path().join("bastide/bin/bastide"))
        .expect("a link");
    let run = |fail_on: &str, paths: &str| {
        #[allow(clippy::disallowed_methods, reason = "running the script is what is tested")]
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step()]).current_dir(dir.path());
        let inputs = [
            ("FAIL_ON", fail_on),
            ("PATHS", paths),
            ("EXCLUDE", "*.md\n"),
            ("ARGS", "--max-depth\n3"),
            ("SUPPRESSIONS", ""),
            ("BASELINE", ""),
            ("SARIF", "out.sarif"),
            ("RUNNER_TEMP", "."),
            ("GITHUB_OUTPUT", "outputs"),
        ];
        let output = command.envs(inputs).output().expect("bash runs");
        let told = fs::read_to_string(dir.path().join("outputs")).unwrap_or_default();
        let _ = fs::remove_file(dir.path().join("outputs"));
        (code(&output), told.trim().to_owned())
    };
    let told = |code: i32, said: &str| (code, said.to_owned());
    assert_eq!(run("malicious", "m/it's bad.pkl\ngood.pkl"), told(1, "exit-code=1"));
    assert_eq!(run("malicious", "own\n\ngood.pkl"), told(0, "exit-code=0"));
    assert_eq!(run("review", "own"), told(1, "exit-code=1"));
    assert_eq!(run("never", "m"), told(0, "exit-code=1"));
    assert_eq!(run("nothing", "m"), told(2, ""));
    let sarif = fs::read_to_string(dir.path().join("out.sarif")).expect("a report");
    assert!(sarif.contains("pickle.process"), "{sarif}");
}
