//! The scan attestation: what a scanner made of a model that is signed.
//!
//! A statement with in-toto's `test-result` predicate, so that policies that know tests know scans, and with properties of
//! ours beside it. Its subject is the root digest of the model signature, and it names that signature's statement by
//! digest as well, because the root covers no file names.

use bastide_types::{Assessment, Timestamp};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::manifest::BaseModel;
use crate::statement::{self, Named, Statement, StatementError};

const PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// The most rules that an attestation names; what is beyond is in the report.
pub const MAX_RULES: usize = 4096;

/// What a scan found of which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScanRecord {
    /// What the model is called.
    pub name: String,
    /// The root digest of its signature.
    pub root: [u8; 32],
    /// The digest of the statement in its signature ([`crate::Signed::statement`]).
    pub statement: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// What is to be made of it, by the signer: without the findings that the signer accepted.
    pub verdict: Assessment,
    /// What was found, with those.
    pub found: Assessment,
    /// The rules whose findings the signer accepted.
    pub accepted: Vec<String>,
    /// The program that looked.
    pub scanner: String,
    /// Its version.
    pub scanner_version: String,
    /// A digest of the rules that it applied.
    pub rules: [u8; 32],
    /// The rules that made the verdict worse than clean.
    pub failed: Vec<String>,
    /// The rules that ask for a look.
    pub warned: Vec<String>,
    /// The digest of the bill of materials made in the same pass.
    pub bom: Option<[u8; 32]>,
    /// The model that this one is made for.
    pub base_model: Option<BaseModel>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    result: String,
    /// What the scanner was configured with: its rules.
    configuration: Vec<Named>,
    #[serde(default)]
    warned_tests: Vec<String>,
    #[serde(default)]
    failed_tests: Vec<String>,
    verdict: String,
    /// What the verdict says, for whoever reads the statement without the documentation.
    #[serde(default, skip_deserializing)]
    meaning: &'static str,
    found_verdict: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    accepted_tests: Vec<String>,
    metadata: Metadata,
    scanner: Scanner,
    manifest: Named,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bom: Option<Named>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_model: Option<Named>,
}

/// As in-toto's predicates for scans of vulnerabilities have it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    scan_finished_on: jiff::Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Scanner {
    name: String,
    version: String,
}

/// The payload that is signed for a scan.
pub(crate) fn write(record: &ScanRecord) -> Result<Vec<u8>, StatementError> {
    let first = |rules: &[String]| rules.iter().take(MAX_RULES).cloned().collect();
    let predicate = Predicate {
        result: result_of(record.verdict).to_owned(),
        configuration: vec![Named::new("rules", &record.rules)],
        warned_tests: first(&record.warned),
        failed_tests: first(&record.failed),
        verdict: record.verdict.as_str().to_owned(),
        meaning: meaning(record.verdict),
        found_verdict: record.found.as_str().to_owned(),
        accepted_tests: first(&record.accepted),
        metadata: Metadata { scan_finished_on: civil(record.at) },
        scanner: Scanner { name: record.scanner.clone(), version: record.scanner_version.clone() },
        manifest: Named::new("manifest", &record.statement),
        bom: record.bom.as_ref().map(|digest| Named::new("bom", digest)),
        base_model: record.base_model.as_ref().map(|base| Named::new(&base.name, &base.root)),
    };
    let subject = Named::new(&record.name, &record.root);
    Ok(serde_json::to_vec(&Statement::new(subject, PREDICATE, predicate))?)
}

/// The scan that a payload states.
pub(crate) fn read(payload: &[u8]) -> Result<ScanRecord, StatementError> {
    let statement = statement::read::<Predicate>(payload, PREDICATE)?;
    let subject = statement.only_subject()?;
    let Predicate { result, configuration, verdict, found_verdict, manifest, bom, base_model, .. } =
        &statement.predicate;
    let contradicts =
        |verdict: &String| StatementError::Verdict { result: result.clone(), verdict: verdict.clone() };
    let found = known(found_verdict).ok_or_else(|| contradicts(found_verdict))?;
    let verdict = known(verdict)
        // Acceptance takes findings away, and adds none.
        .filter(|verdict| result_of(*verdict) == result && *verdict <= found)
        .ok_or_else(|| contradicts(verdict))?;
    if verdict != found && statement.predicate.accepted_tests.is_empty() {
        return Err(contradicts(found_verdict));
    }
    let at = statement.predicate.metadata.scan_finished_on.as_duration().as_micros();
    let [rules] = configuration.as_slice() else {
        return Err(StatementError::Digest("rules".to_owned()));
    };
    Ok(ScanRecord {
        name: subject.name.clone(),
        root: subject.bytes()?,
        statement: manifest.bytes()?,
        at: Timestamp::from_micros(u64::try_from(at).unwrap_or(0)),
        verdict,
        found,
        rules: rules.bytes()?,
        bom: bom.as_ref().map(Named::bytes).transpose()?,
        base_model: match base_model {
            Some(base) => Some(BaseModel { name: base.name.clone(), root: base.bytes()? }),
            None => None,
        },
        accepted: statement.predicate.accepted_tests,
        scanner: statement.predicate.scanner.name,
        scanner_version: statement.predicate.scanner.version,
        failed: statement.predicate.failed_tests,
        warned: statement.predicate.warned_tests,
    })
}

fn known(verdict: &str) -> Option<Assessment> {
    [Assessment::Clean, Assessment::Review, Assessment::Unfinished, Assessment::Malicious]
        .into_iter()
        .find(|known| known.as_str() == verdict)
}

/// Beyond the last year that has four digits, that year.
fn civil(at: Timestamp) -> jiff::Timestamp {
    let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    let since = jiff::Timestamp::UNIX_EPOCH.checked_add(SignedDuration::from_micros(micros));
    since.unwrap_or(jiff::Timestamp::MAX)
}

const fn meaning(verdict: Assessment) -> &'static str {
    match verdict {
        Assessment::Clean => {
            "by the rules named, nothing in the model acts when it is loaded, and all of it was read"
        }
        Assessment::Review => "something in the model is unknown or risky by design; people have to look",
        Assessment::Unfinished => "a part of the model could not be read to its end",
        Assessment::Malicious => "something in the model acts when it is loaded, or attacks its loader",
    }
}

/// The predicate knows three results. A scan that did not finish has passed no test.
const fn result_of(verdict: Assessment) -> &'static str {
    match verdict {
        Assessment::Clean => "PASSED",
        Assessment::Review => "WARNED",
        Assessment::Unfinished | Assessment::Malicious => "FAILED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(verdict: Assessment) -> ScanRecord {
        ScanRecord {
            name: "m".to_owned(),
            root: [1; 32],
            statement: [2; 32],
            at: Timestamp::from_micros(1_760_062_340_000_000),
            verdict,
            found: verdict,
            accepted: Vec::new(),
            scanner: "bastide".to_owned(),
            scanner_version: "0.1.0".to_owned(),
            rules: [3; 32],
            failed: vec!["pickle.execution".to_owned()],
            warned: Vec::new(),
            bom: Some([4; 32]),
            base_model: Some(BaseModel { name: "base".to_owned(), root: [5; 32] }),
        }
    }

    #[test]
    fn every_verdict_comes_back() {
        for verdict in [Assessment::Clean, Assessment::Review, Assessment::Unfinished, Assessment::Malicious]
        {
            assert_eq!(read(&write(&record(verdict)).unwrap()).unwrap(), record(verdict));
        }
    }

    #[test]
    fn what_was_accepted_stays_visible() {
        let accepted = ScanRecord {
            found: Assessment::Malicious,
            accepted: vec!["pickle.execution".to_owned()],
            ..record(Assessment::Clean)
        };
        let payload = write(&accepted).unwrap();
        assert_eq!(read(&payload).unwrap(), accepted);
        let text = String::from_utf8(payload).unwrap();
        assert!(text.contains("\"scanFinishedOn\":\"2025-10-10T02:12:20Z\""), "{text}");
        assert!(text.contains("nothing in the model acts when it is loaded"), "{text}");
        for (from, to) in [
            ("\"acceptedTests\":[\"pickle.execution\"],", ""),
            ("\"foundVerdict\":\"malicious\"", "\"foundVerdict\":\"odd\""),
        ] {
            let changed = text.replace(from, to);
            assert_ne!(changed, text);
            assert!(matches!(read(changed.as_bytes()), Err(StatementError::Verdict { .. })), "{changed}");
        }
        let less = ScanRecord { found: Assessment::Clean, ..record(Assessment::Review) };
        assert!(read(&write(&less).unwrap()).is_err(), "more is held against it than was found");
    }

    #[test]
    fn a_result_that_contradicts_its_verdict_is_refused() {
        let text = String::from_utf8(write(&record(Assessment::Malicious)).unwrap()).unwrap();
        for (from, to) in [("FAILED", "PASSED"), ("malicious", "clean"), ("malicious", "fine")] {
            let changed = text.replace(from, to);
            assert!(matches!(read(changed.as_bytes()), Err(StatementError::Verdict { .. })), "{changed}");
        }
    }
}
