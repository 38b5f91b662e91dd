//! Every rule has texts that it speaks of and texts that it does not: `fixtures/<rule>/bad*` and `good*`.
//!
//! What stands between the first point and the ending is the name that a file of Python has: `bad1.handler.py`. The text of `*.cell.*` is a cell of a notebook. The text of `*.repeat.*` is repeated as often as its first line says. A fixture of a lock file is matched against the advisories in `osv.json` beside it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use bastide_code::dependencies::{Database, Kind, OVERDUE, Sla, overdue, packages, remarks, rule_for};
use bastide_code::{cell, infrastructure, python_file, rules};
use bastide_types::Assessment;

const NOW: &str = "2026-06-01T00:00:00Z";

fn folder(rule: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(rule)
}

/// A long text in short: how often, and what.
fn repeated(text: &str) -> String {
    let (times, what) = text.split_once('\n').unwrap();
    what.repeat(times.parse().unwrap())
}

/// The name that a fixture stands for: `handler.py` of `bad1.handler.py`.
fn named(name: &str) -> &str {
    name.split_once('.').filter(|(_, rest)| rest.contains('.')).map_or(name, |(_, rest)| rest)
}

/// The rules that speak of a file.
fn found(path: &Path) -> Vec<(&'static str, Assessment)> {
    let name = path.file_name().unwrap().to_str().unwrap();
    let bytes = fs::read(path).unwrap();
    let lossy = String::from_utf8_lossy(&bytes);
    // Credentials in fixtures are spelled with a mark, so that no scanner of this repository takes them for real.
    let text = lossy.replace("<<>>", "");
    let text = if name.contains(".repeat.") { repeated(&text) } else { text };
    if name.ends_with(".py") {
        let remarks = match name.contains(".cell.") {
            true => cell(&text),
            // Bytes that are no UTF-8 are the point of a fixture.
            false if matches!(lossy, std::borrow::Cow::Owned(_)) => python_file(named(name), &bytes),
            false => python_file(named(name), text.as_bytes()),
        };
        return remarks.iter().map(|remark| (remark.rule.id, remark.rule.effect)).collect();
    }
    if let Some((_, remarks)) = infrastructure(name, &text) {
        return remarks.iter().map(|remark| (remark.rule.id, remark.rule.effect)).collect();
    }
    let kind = Kind::of(name.split_once('.').unwrap().1, &text)
        .unwrap_or_else(|| panic!("{name} is nothing we read"));
    let mut found: Vec<_> =
        remarks(kind, &text).iter().map(|remark| (remark.rule.id, remark.rule.effect)).collect();
    let mut database = Database::default();
    if let Ok(advisory) = fs::read_to_string(path.with_file_name("osv.json")) {
        database.add(&advisory).unwrap();
    }
    for package in packages(kind, &text) {
        for vulnerable in database.matches(&package) {
            let rule = rule_for(&vulnerable);
            found.push((rule.id, rule.effect));
            if overdue(vulnerable.published, NOW, vulnerable.severity, &Sla::default()).is_some() {
                found.push((OVERDUE.id, OVERDUE.effect));
            }
        }
    }
    found
}

#[test]
fn every_rule_speaks_of_its_bad_fixtures_and_of_none_of_its_good_ones() {
    let mut faults = Vec::new();
    for rule in rules() {
        let files = fs::read_dir(folder(rule.id)).into_iter().flatten().map(|entry| entry.unwrap().path());
        let (mut bad, mut good) = (0, 0);
        for path in files {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let speaks = || found(&path).iter().any(|(id, _)| *id == rule.id);
            if name.starts_with("bad") {
                bad += 1;
                if !speaks() {
                    faults.push(format!("{} does not see {name}: {:?}", rule.id, found(&path)));
                }
            } else if name.starts_with("good") {
                good += 1;
                if speaks() {
                    faults.push(format!("{} speaks of {name}", rule.id));
                }
                if found(&path).iter().any(|(_, effect)| *effect == Assessment::Malicious) {
                    faults.push(format!("{}/{name} is taken for hostile: {:?}", rule.id, found(&path)));
                }
            }
        }
        if bad == 0 || good == 0 {
            faults.push(format!("{} has {bad} bad and {good} good fixtures", rule.id));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn rules_have_names_of_their_own_and_say_what_to_do() {
    let mut ids: Vec<&str> = rules().map(|rule| rule.id).collect();
    assert!(rules().all(|rule| !rule.why.is_empty() && !rule.fix.is_empty() && !rule.title.is_empty()));
    assert!(
        rules()
            .all(|rule| ["code.", "infra.", "dependency."].iter().any(|family| rule.id.starts_with(family)))
    );
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
