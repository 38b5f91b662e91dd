//! Advisories in the OSV schema: <https://ossf.github.io/osv-schema/>.

use bastide_types::Severity;
use serde::Deserialize;

use crate::dependencies::cvss;

/// One advisory.
#[derive(Clone, Debug, Deserialize)]
pub struct Advisory {
    /// Its name: `GHSA-…`, `PYSEC-…`, `RUSTSEC-…`, `MAL-…`.
    pub id: String,
    /// Other names of the same: `CVE-…`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it is about, in a sentence.
    #[serde(default)]
    pub summary: String,
    /// When it became public, as RFC 3339.
    #[serde(default)]
    pub published: String,
    /// When it last changed, as RFC 3339.
    #[serde(default)]
    pub modified: String,
    /// When it was taken back, if it was.
    pub withdrawn: Option<String>,
    /// Which versions of which packages.
    #[serde(default)]
    pub affected: Vec<Affected>,
    #[serde(default, rename = "severity")]
    scores: Vec<Score>,
    #[serde(default)]
    database_specific: serde_json::Value,
}

/// Affected versions of one package.
#[derive(Clone, Debug, Deserialize)]
pub struct Affected {
    /// The package; advisories about commits have none.
    pub package: Option<Name>,
    /// Ranges of versions.
    #[serde(default)]
    pub ranges: Vec<Range>,
    /// Single versions.
    #[serde(default)]
    pub versions: Vec<String>,
    #[serde(default, rename = "severity")]
    scores: Vec<Score>,
}

/// A package by its name.
#[derive(Clone, Debug, Deserialize)]
pub struct Name {
    /// The ecosystem, as OSV calls it.
    pub ecosystem: String,
    /// The name there.
    pub name: String,
}

/// A range of versions.
#[derive(Clone, Debug, Deserialize)]
pub struct Range {
    /// What its events are in.
    #[serde(rename = "type")]
    pub kind: RangeKind,
    /// Where it begins and ends.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// What the events of a range are in.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "UPPERCASE")]
pub enum RangeKind {
    /// Semantic versions.
    Semver,
    /// Versions in the order of the ecosystem.
    Ecosystem,
    /// Commits, which lock files do not name.
    #[serde(other)]
    Git,
}

/// One edge of a range.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Event {
    /// Affected from here on; `0` is before all versions.
    pub introduced: Option<String>,
    /// No longer affected from here on.
    pub fixed: Option<String>,
    /// The last that is affected.
    pub last_affected: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
struct Score {
    score: String,
}

impl Advisory {
    /// How bad it is: by its vectors, else by what its database says, else moderate. A package that is the attack is
    /// critical.
    #[must_use]
    pub fn severity(&self) -> Severity {
        if self.is_malicious() {
            return Severity::Critical;
        }
        let by_vector = self.vectors().filter_map(cvss::severity).max();
        let by_word = || match self.database_specific.get("severity").and_then(serde_json::Value::as_str) {
            Some("CRITICAL") => Some(Severity::Critical),
            Some("HIGH") => Some(Severity::High),
            Some("LOW") => Some(Severity::Low),
            _ => None,
        };
        by_vector.or_else(by_word).unwrap_or(Severity::Medium)
    }

    /// The CVSS vector that says the worst.
    #[must_use]
    pub fn vector(&self) -> Option<&str> {
        let vectors = self.vectors().filter(|vector| vector.starts_with("CVSS:"));
        vectors
            .filter_map(|vector| Some((cvss::severity(vector)?, vector)))
            .max_by_key(|(severity, _)| *severity)
            .map(|(_, it)| it)
    }

    /// The weaknesses that it names, as numbers of the CWE list.
    #[must_use]
    pub fn weaknesses(&self) -> Vec<u32> {
        let named = self.database_specific.get("cwe_ids").and_then(serde_json::Value::as_array);
        let number = |id: &serde_json::Value| id.as_str()?.strip_prefix("CWE-")?.parse().ok();
        named.into_iter().flatten().filter_map(number).collect()
    }

    fn vectors(&self) -> impl Iterator<Item = &str> {
        let own = self.scores.iter();
        let scores = own.chain(self.affected.iter().flat_map(|affected| &affected.scores));
        scores.map(|score| score.score.as_str())
    }

    /// Whether it says that the package itself is an attack.
    #[must_use]
    pub fn is_malicious(&self) -> bool {
        self.id.starts_with("MAL-") || self.aliases.iter().any(|alias| alias.starts_with("MAL-"))
    }
}
