//! What people have decided to accept: suppressions, each with a reason and an end, and baselines.

use std::collections::BTreeSet;
use std::path::Path;

use bastide_artifact::Finding;
use bastide_crypto::Sha256;
use bastide_types::Assessment;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::render::hex;
use crate::scan::Scan;

/// A decision to accept findings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The rule whose findings are accepted.
    pub rule: String,
    /// Of which files: a path as the scan shows it; `*` stands for any part of a name, `**` for any folders.
    #[serde(default)]
    pub path: Option<String>,
    /// Of which content: the SHA-256 of the file. What is malicious or unfinished can only be accepted this way.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
}

/// Why a file of suppressions or a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// It is no such file.
    #[error("{0}")]
    Format(String),
    /// One entry cannot be meant.
    #[error("`suppress` number {number}: {what}")]
    Entry {
        /// Which, from 1.
        number: usize,
        /// What is wrong and what to do.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    suppress: Vec<Suppression>,
}

/// The decisions that hold on one day.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    held: Vec<(Suppression, Option<glob::Pattern>)>,
    baseline: BTreeSet<String>,
    /// Those that have ended.
    expired: Vec<Suppression>,
}

/// A path in a pattern: `*` ends at a folder.
const MATCH: glob::MatchOptions = glob::MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

impl Suppressions {
    /// Reads a file of suppressions:
    ///
    /// ```toml
    /// [[suppress]]
    /// rule = "pickle.unknown-class"
    /// path = "models/fraud/**"
    /// reason = "our own class, reviewed with the fraud team"
    /// expires = "2027-03-31"
    /// ```
    ///
    /// # Errors
    ///
    /// Where it is no such file, or an entry names no reason, no known rule, or neither a path nor a digest.
    pub fn parse(text: &str, today: Date) -> Result<Self, SuppressionError> {
        let document: Document = toml::from_str(text)
            .map_err(|e| SuppressionError::Format(e.to_string().trim_end().to_owned()))?;
        let mut suppressions = Suppressions::default();
        for (i, suppression) in document.suppress.into_iter().enumerate() {
            let entry = |what: String| SuppressionError::Entry { number: i + 1, what };
            if suppression.reason.trim().is_empty() {
                return Err(entry("`reason` is empty: say who decided what, and why".to_owned()));
            }
            if !crate::render::rules().any(|rule| rule.id == suppression.rule) {
                return Err(entry(format!(
                    "there is no rule `{}`; `bastide scan --rules` lists them",
                    suppression.rule
                )));
            }
            if suppression.path.is_none() && suppression.sha256.is_none() {
                return Err(entry(
                    "it names neither `path` nor `sha256`, so it would hold for every file".to_owned(),
                ));
            }
            if let Some(digest) = &suppression.sha256
                && (digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
            {
                return Err(entry("`sha256` is not 64 lower-case hexadecimal digits".to_owned()));
            }
            let pattern = suppression.path.as_deref().map(glob::Pattern::new).transpose();
            let pattern = pattern.map_err(|e| entry(format!("`path` is no pattern: {e}")))?;
            if suppression.expires < today {
                suppressions.expired.push(suppression);
            } else {
                suppressions.held.push((suppression, pattern));
            }
        }
        Ok(suppressions)
    }

    /// Adds what a baseline accepts.
    pub fn add(&mut self, baseline: Baseline) {
        self.baseline.extend(baseline.fingerprints);
    }

    /// Those that have ended.
    #[must_use]
    pub fn expired(&self) -> &[Suppression] {
        &self.expired
    }

    /// Whether some hold only for files of a certain content, so that a digest is needed.
    #[must_use]
    pub fn need_digests(&self) -> bool {
        self.held.iter().any(|(suppression, _)| suppression.sha256.is_some())
    }

    /// The decision that accepts `finding` in the file at `path`.
    pub(crate) fn of(
        &self,
        path: &Path,
        sha256: Option<[u8; 32]>,
        finding: &Finding,
    ) -> Option<&Suppression> {
        // What was not read to its end may be anything when its content changes.
        let grave = finding.rule.effect > Assessment::Review;
        let held = self.held.iter().find(|(suppression, pattern)| {
            let content = match (&suppression.sha256, sha256) {
                (Some(wanted), Some(digest)) => *wanted == hex(&digest),
                (Some(_), None) => false,
                (None, _) => !grave,
            };
            content
                && suppression.rule == finding.rule.id
                && pattern.as_ref().is_none_or(|p| p.matches_path_with(path, MATCH))
        });
        if let Some((suppression, _)) = held {
            return Some(suppression);
        }
        (!grave && self.baseline.contains(&fingerprint(path, finding))).then_some(&BASELINE)
    }
}

static BASELINE: std::sync::LazyLock<Suppression> = std::sync::LazyLock::new(|| Suppression {
    rule: String::new(),
    path: None,
    sha256: None,
    reason: "in the baseline".to_owned(),
    expires: Date::MAX,
});

/// The findings there were on a day, so that only new ones count. What is malicious or unfinished is never in it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Format of the file.
    version: u32,
    /// [`fingerprint`] of each.
    fingerprints: Vec<String>,
}

impl Baseline {
    /// The only version there is.
    const VERSION: u32 = 1;

    /// What `scan` found, but for what is malicious or unfinished.
    #[must_use]
    pub fn of(scan: &Scan) -> Self {
        let all = scan.files.iter().flat_map(|file| {
            let accepted = file.report.findings.iter().filter(|f| f.rule.effect <= Assessment::Review);
            accepted.map(|f| fingerprint(&file.path, f))
        });
        let fingerprints: BTreeSet<String> = all.collect();
        Baseline { version: Baseline::VERSION, fingerprints: fingerprints.into_iter().collect() }
    }

    /// Reads a baseline.
    ///
    /// # Errors
    ///
    /// Where it is none, or one of another version.
    pub fn parse(text: &str) -> Result<Self, SuppressionError> {
        let baseline: Baseline =
            serde_json::from_str(text).map_err(|e| SuppressionError::Format(e.to_string()))?;
        if baseline.version != Baseline::VERSION {
            return Err(SuppressionError::Format(format!(
                "it is of version {}, and only version {} is known; write it again",
                baseline.version,
                Baseline::VERSION
            )));
        }
        Ok(baseline)
    }

    /// As it is written to a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).map(|json| json + "\n").unwrap_or_default()
    }

    /// How many findings it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }
}

/// What makes a finding the same in the next scan: its file, member, rule and message, wherever in the file it stands.
pub(crate) fn fingerprint(path: &Path, finding: &Finding) -> String {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(&(bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(path.as_os_str().as_encoded_bytes());
    part(finding.rule.id.as_bytes());
    part(finding.message.as_bytes());
    finding.members.iter().for_each(|member| part(member.as_bytes()));
    hex(&hash.finish())
}
