//! The documentation names what the source has, and nothing else.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bastide_types::Code;

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

/// The files of the product, but for the table of codes itself.
fn texts() -> Vec<String> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(repository().join("crates")).expect("crates").map_while(Result::ok) {
        // Tools, and what knows no callers: names of files have the form of a code.
        let aside = [
            "xtask",
            "bastide-testkit",
            "bastide-verify",
            "bastide-artifact",
            "bastide-code",
            "bastide-registry",
            "bastide-signing",
        ];
        let name = entry.file_name().to_string_lossy().into_owned();
        if !aside.contains(&name.as_str()) && entry.path().join("src").is_dir() {
            sources(&entry.path().join("src"), &mut files);
        }
    }
    let table = repository().join("crates/bastide-types/src/code");
    files.retain(|file| !file.starts_with(&table));
    assert!(files.len() > 100, "{}", files.len());
    files.iter().map(|file| std::fs::read_to_string(file).expect("readable")).collect()
}

fn is_code(literal: &str) -> bool {
    let Some((family, name)) = literal.split_once('.') else { return false };
    FAMILIES.contains(&family)
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !OTHERS.contains(&literal)
}

/// The number that stands behind a literal, after a comma: a status.
fn status_behind(rest: &str) -> Option<u16> {
    let digits: String =
        rest.trim_start().strip_prefix(',')?.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|status| (400..600).contains(status))
}

#[test]
fn every_code_of_the_source_is_in_the_table_with_its_status_and_the_table_has_no_other() {
    let (mut used, mut with_status) = (BTreeSet::new(), 0);
    for text in texts() {
        let parts: Vec<&str> = text.split('"').collect();
        for (at, code) in parts.iter().enumerate().filter(|(_, part)| is_code(part)) {
            let known = Code::named(code).unwrap_or_else(|| panic!("`{code}` is not in the table of codes"));
            if let Some(status) = parts.get(at + 1).and_then(|rest| status_behind(rest)) {
                assert!(known.comes_with(status), "`{code}` with status {status}");
                with_status += 1;
            }
            used.insert((*code).to_owned());
        }
    }
    assert!(used.len() > 80 && with_status > 60, "{} codes, {with_status} with a status", used.len());
    let stale: Vec<&str> = Code::all().map(|code| code.name).filter(|name| !used.contains(*name)).collect();
    assert!(stale.is_empty(), "in the table and nowhere else: {stale:?}");
}

/// Links of answers and of other pages lead to anchors of the page that is made from the table.
#[test]
fn links_to_a_code_lead_to_it() {
    let mut found = 0;
    let pages = std::fs::read_dir(repository().join("docs")).expect("docs").map_while(Result::ok);
    for page in pages.map(|page| page.path()).filter(|path| path.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&page).expect("readable");
        let own = page.ends_with("errors.md");
        let marker = if own { "](#" } else { "errors.md#" };
        for anchor in text.split(marker).skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(Code::all().any(|code| code.anchor() == anchor), "{}: `{anchor}`", page.display());
            found += 1;
        }
    }
    assert!(found > 6, "{found}");
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
