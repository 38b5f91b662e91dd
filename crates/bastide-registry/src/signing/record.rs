//! What is attested of a scan.

use std::collections::BTreeSet;

use bastide_crypto::sha256;
use bastide_signing::{Manifest, ScanRecord, Signed};
use bastide_types::{Assessment, Rule, Timestamp};

use crate::render;
use crate::scan::{Scan, ScannedFile};

/// The statement that binds a scan to the signature of the model that was scanned, and to the bill of materials (by its
/// SHA-256) made in the same run.
///
/// The rules that applied are those of findings that were not accepted. Rules whose findings people accepted are named
/// apart, and so is the verdict that there would be without, so that an acceptance is seen and nobody has to share it.
#[must_use]
pub fn scan_record(
    scan: &Scan,
    manifest: &Manifest,
    signed: &Signed,
    bom: Option<[u8; 32]>,
    at: Timestamp,
) -> ScanRecord {
    let findings = || scan.files.iter().flat_map(ScannedFile::findings);
    let open = || findings().filter(|(_, accepted)| accepted.is_none()).map(|(finding, _)| finding.rule);
    let accepted = findings().filter(|(_, accepted)| accepted.is_some()).map(|(finding, _)| finding.rule);
    let found =
        scan.files.iter().map(|file| file.report.assessment()).fold(Assessment::Clean, Assessment::max);
    ScanRecord {
        name: manifest.name().to_owned(),
        root: manifest.root(),
        statement: signed.statement,
        at,
        verdict: scan.assessment(),
        found,
        accepted: ids(accepted),
        scanner: "bastide".to_owned(),
        scanner_version: env!("CARGO_PKG_VERSION").to_owned(),
        rules: sha256(format!("{}\n", render::rules_json(render::rules())).as_bytes()),
        failed: ids(open().filter(|rule| rule.effect > Assessment::Review)),
        warned: ids(open().filter(|rule| rule.effect == Assessment::Review)),
        bom,
        base_model: manifest.base_model().cloned(),
    }
}

/// Each once, in order.
fn ids(rules: impl Iterator<Item = &'static Rule>) -> Vec<String> {
    let ids: BTreeSet<&str> = rules.map(|rule| rule.id).collect();
    ids.into_iter().map(str::to_owned).collect()
}
