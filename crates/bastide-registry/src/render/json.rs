//! `bastide scan --json`: the contract that scripts stand on. Fields are added, never renamed or removed.

use std::path::PathBuf;

use bastide_artifact::Finding;
use bastide_types::{Assessment, Rule};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::render::{hex, severity};
use crate::scan::{Scan, ScannedFile};
use crate::suppress::Suppression;
use crate::vulnerability::Vulnerability;
use crate::warning::Warning;

/// The scan as one object: `files`, one for every file given or found, and `summary`. A file's entry is made when it is
/// written: all of them at once would take several times the memory of the text.
#[must_use]
pub fn json(scan: &Scan) -> impl Serialize + use<'_> {
    Document { files: Files(scan), summary: summary(scan) }
}

#[derive(Serialize)]
struct Document<'a> {
    files: Files<'a>,
    summary: Value,
}

struct Files<'a>(&'a Scan);

impl Serialize for Files<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.files.iter().map(file))
    }
}

fn summary(scan: &Scan) -> Value {
    let count = |assessment| scan.count(assessment);
    json!({
        "verdict": scan.assessment().as_str(),
        "files": scan.files.len(),
        "bytes": scan.files.iter().map(|file| file.size).sum::<u64>(),
        "clean": count(Assessment::Clean),
        "review": count(Assessment::Review),
        "malicious": count(Assessment::Malicious),
        "unfinished": count(Assessment::Unfinished),
        "suppressed": scan.files.iter().map(|file| file.suppressed.iter().flatten().count()).sum::<usize>(),
        "passed_over": paths(&scan.left_out.version_control),
        "not_checked": not_checked(scan),
        "warnings": scan.warnings.iter().map(warning).collect::<Vec<_>>(),
        "scanner": {"name": "bastide", "version": env!("CARGO_PKG_VERSION")},
    })
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

fn not_checked(scan: &Scan) -> Value {
    let excluded =
        scan.left_out.excluded.iter().map(|(pattern, paths)| json!({"pattern": pattern, "paths": paths}));
    json!({
        "version_control": paths(&scan.left_out.version_control),
        "excluded": excluded.collect::<Vec<_>>(),
        "links": scan.left_out.links,
        "unfinished": scan.count(Assessment::Unfinished),
        "at_limit": scan.at_limit(),
    })
}

fn warning(warning: &Warning) -> Value {
    json!({"kind": warning.concern.as_str(), "message": warning.message})
}

fn file(file: &ScannedFile) -> Value {
    let findings: Vec<Value> =
        file.findings().map(|(found, suppression)| finding(file, found, suppression)).collect();
    let mut value = json!({
        "path": file.path.display().to_string(),
        "place": file.place.display().to_string(),
        "format": file.report.format.as_str(),
        "verdict": file.assessment().as_str(),
        "size": file.size,
        "findings": findings,
    });
    if let Some(digest) = &file.sha256 {
        value["sha256"] = hex(digest).into();
    }
    if file.report.more_findings > 0 {
        value["more_findings"] = file.report.more_findings.into();
    }
    value
}

fn finding(file: &ScannedFile, finding: &Finding, suppression: Option<&Suppression>) -> Value {
    let mut value = Map::new();
    let mut set = |name: &str, of: Value| value.insert(name.to_owned(), of);
    set("id", finding.rule.id.into());
    set("severity", severity(finding.severity()).into());
    set("verdict", finding.rule.effect.as_str().into());
    set("message", finding.message.as_str().into());
    set("offset", finding.offset.into());
    if let Some(line) = finding.line {
        set("line", line.into());
    }
    if !finding.members.is_empty() {
        set("members", finding.members.clone().into());
    }
    if let Some(call) = &finding.call {
        set("call", call.as_str().into());
    }
    if finding.count > 1 {
        set("count", finding.count.into());
    }
    set("cwe", finding.rule.cwe.into());
    set("atlas", finding.rule.atlas.into());
    set("why", finding.rule.why.into());
    set("fix", finding.rule.fix.into());
    if let Some(vulnerability) = file.vulnerability(finding) {
        set("package", package(vulnerability));
    }
    if let Some(suppression) = suppression {
        let until = (suppression.expires != jiff::civil::Date::MAX).then(|| suppression.expires.to_string());
        set("suppressed", json!({"reason": suppression.reason, "expires": until}));
    }
    Value::Object(value)
}

fn package(found: &Vulnerability) -> Value {
    let version = Some(found.package.version.as_str()).filter(|version| !version.is_empty());
    let mut value = json!({
        "ecosystem": found.package.ecosystem.as_str(),
        "name": found.package.name,
        "version": version,
        "purl": found.purl,
        "advisory": found.id,
        "aliases": found.aliases,
        "severity": severity(found.severity),
        "malicious": found.malicious,
        "fixed": found.fixed,
    });
    if let Some(vector) = &found.vector {
        value["vector"] = vector.as_str().into();
    }
    if let Some(score) = found.score {
        value["score"] = score.into();
    }
    if !found.published.is_empty() {
        value["published"] = found.published.as_str().into();
    }
    if let Some(days) = found.overdue_days {
        value["overdue_days"] = days.into();
    }
    value
}

/// Rules as `bastide scan --rules --json` prints them; attestations name the text of all of them by its digest.
#[must_use]
pub fn rules_json(rules: impl IntoIterator<Item = &'static Rule>) -> Value {
    let rule = |rule: &'static Rule| {
        json!({
            "id": rule.id,
            "severity": severity(rule.severity),
            "verdict": rule.effect.as_str(),
            "title": rule.title,
            "why": rule.why,
            "fix": rule.fix,
            "cwe": rule.cwe,
            "atlas": rule.atlas,
        })
    };
    rules.into_iter().map(rule).collect()
}
