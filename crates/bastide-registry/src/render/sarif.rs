//! SARIF 2.1.0 (OASIS), as code-scanning services read it.

use std::collections::BTreeMap;

use bastide_artifact::Finding;
use bastide_types::{Assessment, Rule, Severity};
use serde_json::{Value, json};

use crate::baseline::fingerprint;
use crate::render::{rules, uri};
use crate::scan::{Scan, ScannedFile};
use crate::suppress::Suppression;

/// The scan as one SARIF run.
#[must_use]
pub fn sarif(scan: &Scan) -> Value {
    let known: BTreeMap<&str, usize> = rules().enumerate().map(|(i, rule)| (rule.id, i)).collect();
    let results: Vec<Value> = scan
        .files
        .iter()
        .flat_map(|file| file.findings().map(|(f, suppression)| result(file, f, suppression, &known)))
        .collect();
    let unfinished = scan.count(Assessment::Unfinished);
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "bastide",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules().map(rule).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "originalUriBaseIds": {ROOT: {"description": {"text": "The folder that the scan ran in."}}},
            "invocations": [{
                "executionSuccessful": unfinished == 0,
                "toolExecutionNotifications": notices(scan),
            }],
            "results": results,
        }],
    })
}

const fn level(effect: Assessment) -> &'static str {
    match effect {
        Assessment::Malicious => "error",
        Assessment::Review | Assessment::Unfinished => "warning",
        Assessment::Clean => "note",
    }
}

/// As GitHub ranks security results: 0.1 to 10.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

fn rule(rule: &Rule) -> Value {
    let cwe = rule.cwe.iter().map(|number| format!("external/cwe/cwe-{number:03}"));
    let atlas = rule.atlas.iter().map(|id| format!("external/mitre-atlas/{id}"));
    let tags: Vec<String> = std::iter::once("security".to_owned()).chain(cwe).chain(atlas).collect();
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": format!("{}. What to do: {}.", rule.why, rule.fix)},
        "defaultConfiguration": {"level": level(rule.effect)},
        "properties": {"tags": tags, "security-severity": security_severity(rule.severity)},
    })
}

/// Where a file is: below the folder that the scan ran in, which a service knows as the root of the sources, or anywhere.
fn artifact(file: &ScannedFile) -> Value {
    let mut location = json!({"uri": uri(&file.place)});
    if file.place.is_relative() {
        location["uriBaseId"] = ROOT.into();
    }
    location
}

/// What code-scanning services call the folder of the sources.
const ROOT: &str = "%SRCROOT%";

/// What the scan could not do, and what was odd about it.
fn notices(scan: &Scan) -> Vec<Value> {
    let unfinished = scan.count(Assessment::Unfinished);
    let unfinished = (unfinished > 0).then(|| {
        let text = format!("{unfinished} of {} files could not be assessed to the end", scan.files.len());
        json!({"level": "error", "message": {"text": text}})
    });
    let warnings =
        scan.warnings.iter().map(|warning| json!({"level": "warning", "message": {"text": warning.message}}));
    unfinished.into_iter().chain(warnings).collect()
}

fn result(
    file: &ScannedFile,
    finding: &Finding,
    suppression: Option<&Suppression>,
    known: &BTreeMap<&str, usize>,
) -> Value {
    let mut text = finding.message.clone();
    if let Some(call) = &finding.call {
        text.push_str(&format!(": {call}"));
    }
    let mut location = json!({"physicalLocation": {"artifactLocation": artifact(file)}});
    if finding.members.is_empty() {
        // A text has lines, and what is none has bytes: SARIF 2.1.0, 3.30.1.
        let region = match (finding.line, finding.offset) {
            (Some(line), _) => Some(json!({"startLine": line})),
            (None, Some(offset)) => Some(json!({"byteOffset": offset, "byteLength": 0})),
            (None, None) => None,
        };
        if let Some(region) = region {
            location["physicalLocation"]["region"] = region;
        }
    } else {
        let at = finding.offset.map_or_else(String::new, |offset| format!(" at byte {offset}"));
        text.push_str(&format!(" (in {}{at})", finding.members.join(" → ")));
        location["logicalLocations"] = json!([{"fullyQualifiedName": finding.members.join("/")}]);
    }
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": known.get(finding.rule.id),
        "level": level(finding.rule.effect),
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"bastideFinding/v1": fingerprint(&file.place, finding)},
    });
    if let Some(suppression) = suppression {
        result["suppressions"] = json!([{"kind": "external", "justification": suppression.reason}]);
    }
    result
}
