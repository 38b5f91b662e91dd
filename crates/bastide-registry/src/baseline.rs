//! The findings there were on a day, so that only new ones count.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use bastide_artifact::Finding;
use bastide_crypto::Sha256;
use bastide_types::Assessment;
use serde::{Deserialize, Serialize};

use crate::render::hex;
use crate::scan::{Scan, ScannedFile};
use crate::shown::Shown;
use crate::suppress::SuppressionError;
use crate::warning::{Concern, Warning};

/// The findings of a scan, to be accepted in later ones. What is malicious or unfinished is never in it.
#[derive(Clone, Debug, Default)]
pub struct Baseline(BTreeMap<String, Held>);

/// The file.
#[derive(Serialize, Deserialize)]
struct Document {
    /// Format of the file.
    version: u32,
    #[serde(default)]
    findings: Vec<Held>,
}

/// One finding of a baseline. Rule and path are for people; the fingerprint decides.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    rule: String,
    path: String,
    fingerprint: String,
}

impl Baseline {
    /// The only version there is. The first one had no names, only fingerprints.
    const VERSION: u32 = 2;

    /// What `scan` found, but for what is malicious or unfinished.
    #[must_use]
    pub fn of(scan: &Scan) -> Self {
        let held = |file: &ScannedFile, finding: &Finding| Held {
            rule: finding.rule.id.to_owned(),
            path: file.place.display().to_string(),
            fingerprint: fingerprint(&file.place, finding),
        };
        let all = scan.files.iter().flat_map(|file| {
            let accepted = file.report.findings.iter().filter(|f| f.rule.effect <= Assessment::Review);
            accepted.map(move |finding| held(file, finding))
        });
        Baseline(all.map(|held| (held.fingerprint.clone(), held)).collect())
    }

    /// Reads a baseline.
    ///
    /// # Errors
    ///
    /// Where it is none, or one of another version.
    pub fn parse(text: &str) -> Result<Self, SuppressionError> {
        let document: Document = serde_json::from_str(text)
            .map_err(|e| SuppressionError::Format(format!("it is no baseline: {e}")))?;
        if document.version != Baseline::VERSION {
            return Err(SuppressionError::Format(format!(
                "it is of version {}, and only version {} is known; write it again with `--write-baseline`",
                document.version,
                Baseline::VERSION
            )));
        }
        Ok(Baseline(document.findings.into_iter().map(|held| (held.fingerprint.clone(), held)).collect()))
    }

    /// As it is written to a file: in the order of paths, so that changes of it read well.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut findings: Vec<Held> = self.0.values().cloned().collect();
        findings.sort_by(|a, b| (&a.path, &a.rule, &a.fingerprint).cmp(&(&b.path, &b.rule, &b.fingerprint)));
        let document = Document { version: Baseline::VERSION, findings };
        serde_json::to_string_pretty(&document).map(|json| json + "\n").unwrap_or_default()
    }

    /// How many findings it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn holds(&self, place: &Path, finding: &Finding) -> bool {
        !self.0.is_empty() && self.0.contains_key(&fingerprint(place, finding))
    }

    /// A warning where findings are gone from what was scanned.
    pub(crate) fn unused(&self, scan: &Scan) -> Option<Warning> {
        const NAMED: usize = 3;
        let mut left: BTreeMap<&str, &Held> =
            self.0.iter().map(|(print, held)| (print.as_str(), held)).collect();
        for file in &scan.files {
            for finding in &file.report.findings {
                left.remove(fingerprint(&file.place, finding).as_str());
            }
        }
        let scanned: HashSet<&Path> = scan.files.iter().map(|file| file.place.as_path()).collect();
        // One scan may look at a part of what the baseline is about.
        let looked_at = |path: &Path| scanned.contains(path) || scan.covers(path);
        let mut gone: Vec<&Held> =
            left.into_values().filter(|held| looked_at(Path::new(&held.path))).collect();
        gone.sort_by(|a, b| (&a.path, &a.rule).cmp(&(&b.path, &b.rule)));
        if gone.is_empty() {
            return None;
        }
        let named: Vec<String> = gone
            .iter()
            .take(NAMED)
            .map(|held| format!("`{}` in `{}`", held.rule, Shown(Path::new(&held.path))))
            .collect();
        let more = if gone.len() > NAMED { ", ..." } else { "" };
        let message = format!(
            "{} of {} findings in the baseline are not there any more: {}{more}; write it again with \
             `--write-baseline`",
            gone.len(),
            self.len(),
            named.join(", "),
        );
        Some(Warning { concern: Concern::BaselineUnused, message })
    }
}

/// What makes a finding the same in the next scan: its file, member, rule and message, wherever in the file it stands.
pub(crate) fn fingerprint(place: &Path, finding: &Finding) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(place.as_os_str().as_encoded_bytes());
    part(finding.rule.id.as_bytes());
    part(finding.message.as_bytes());
    finding.members.iter().for_each(|member| part(member.as_bytes()));
    hex(&hash.finish())
}
