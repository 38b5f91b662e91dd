//! The documentation names what the source has, and nothing else.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What codes begin with.
const FAMILIES: [&str; 14] = [
    "api", "audit", "auth", "guard", "http", "identity", "limit", "log", "model", "policy", "server",
    "store", "upstream", "wire",
];
/// Literals of the same form that are something else: actions of the log, permissions, a setting, files, a row of the records,
/// attributes of spans.
const OTHERS: [&str; 12] = [
    "policy.set",
    "guard.set",
    "guard.manage",
    "guard.mode",
    "log.view",
    "guard.rules",
    "log.key",
    "log.vkey",
    "identity.lookup_fingerprint",
    "http.route",
    "server.address",
    "server.port",
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").map_while(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Every literal in the source of the product that has the form of a code.
fn codes() -> BTreeSet<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository().join("crates")).expect("crates").map_while(Result::ok) {
        let aside = ["xtask", "bastide-testkit", "bastide-verify"];
        let name = entry.file_name().to_string_lossy().into_owned();
        if !aside.contains(&name.as_str()) && entry.path().join("src").is_dir() {
            sources(&entry.path().join("src"), &mut files);
        }
    }
    assert!(files.len() > 100, "{}", files.len());
    let mut found = BTreeSet::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let parts: Vec<&str> = text.split('"').collect();
        let in_words = |part: &&&str| {
            let Some((family, name)) = part.split_once('.') else { return false };
            FAMILIES.contains(&family)
                && !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        found.extend(parts.iter().filter(in_words).map(|part| (*part).to_owned()));
    }
    found.retain(|code| !OTHERS.contains(&code.as_str()));
    found
}

#[test]
fn every_problem_code_is_documented_and_every_documented_code_exists() {
    let document = std::fs::read_to_string(repository().join("docs/errors.md")).expect("docs/errors.md");
    let mut documented = BTreeSet::new();
    let mut lines = document.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(code) = line.strip_prefix("## ").filter(|title| title.contains('.')) else { continue };
        assert!(documented.insert(code.to_owned()), "`{code}` stands twice");
        lines.next();
        let text = lines.peek().copied().unwrap_or_default();
        assert!(text.len() > 20 && !text.starts_with('#'), "`{code}` has no paragraph");
    }
    let codes = codes();
    assert!(codes.len() > 40, "{codes:?}");
    let missing: Vec<_> = codes.difference(&documented).collect();
    assert!(missing.is_empty(), "without a paragraph in docs/errors.md: {missing:?}");
    let stale: Vec<_> = documented.difference(&codes).collect();
    assert!(stale.is_empty(), "in docs/errors.md and nowhere else: {stale:?}");
}

/// The table of settings is made from the code (`cargo xtask docs --check`); the example in the guide is written by hand.
#[test]
fn every_limit_stands_in_the_example() {
    let document = std::fs::read_to_string(repository().join("docs/configuration.md")).expect("readable");
    let source =
        std::fs::read_to_string(repository().join("crates/bastide/src/config/file.rs")).expect("readable");
    let (_, table) = source.split_once("struct LimitsTable {").expect("the table of limits");
    let (table, _) = table.split_once("\n}").expect("its end");
    let fields = table.lines().filter_map(|line| line.trim().strip_prefix("pub(super) ")?.split_once(':'));
    let names: Vec<&str> = fields.map(|(name, _)| name).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(document.contains(&format!("\n{name} = ")), "`{name}` is missing in docs/configuration.md");
    }
}

#[test]
fn the_default_rules_of_the_guard_are_documented_in_their_order() {
    let document = std::fs::read_to_string(repository().join("docs/configuration.md")).expect("readable");
    let profile = bastide_inspect::GuardProfile::default_profile();
    let rows: String = profile
        .rules()
        .iter()
        .map(|rule| {
            let direction = rule.direction.map_or("both".to_owned(), |d| d.to_string());
            let score = f64::from(rule.min_score.get()) / 1000.0;
            format!("| `{}` | {} | {direction} | {score} | `{}` |\n", rule.target, rule.from, rule.verdict)
        })
        .collect();
    assert!(document.contains(&format!("|---|---|---|---|---|\n{rows}\n")), "the table should be:\n{rows}");
}

#[test]
fn every_verdict_is_documented() {
    let document = std::fs::read_to_string(repository().join("docs/configuration.md")).expect("readable");
    for verdict in bastide_types::Verdict::ALL {
        assert!(document.contains(&format!("\n| `{verdict}` | ")), "`{verdict}` has no row");
    }
}
