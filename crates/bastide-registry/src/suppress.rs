//! What people have decided to accept: suppressions, each with a reason and an end.

use bastide_artifact::Finding;
use bastide_types::Assessment;
use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;

use crate::baseline::Baseline;
use crate::place::Here;
use crate::render::hex;
use crate::scan::ScannedFile;
use crate::warning::{Concern, Warning};

/// A decision to accept findings.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// The rule whose findings are accepted.
    pub rule: String,
    /// Of which files: a path from the working folder, or an absolute one, however the scan was given it; `*` stands for
    /// any part of a name, `**` for any folders.
    #[serde(default)]
    pub path: Option<String>,
    /// Of which content: the SHA-256 of the file. What is malicious or unfinished can only be accepted this way.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Only findings that speak of this: a class, a package, an advisory. Any, where it is left out.
    #[serde(default)]
    pub mentions: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds.
    #[serde(deserialize_with = "day")]
    pub expires: Date,
}

/// A day as a text, or as TOML writes dates itself.
fn day<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Date, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Date(toml::value::Datetime),
        Text(String),
    }
    let wrong = || serde::de::Error::custom("`expires` is no day: write it as 2027-03-31");
    let text = match Written::deserialize(value).map_err(|_| wrong())? {
        Written::Date(date) => date.to_string(),
        Written::Text(text) => text,
    };
    text.parse().map_err(|_| wrong())
}

/// Why a file of suppressions or a baseline cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuppressionError {
    /// It is no such file.
    #[error("{0}")]
    Format(String),
    /// One entry names a rule that there is not.
    #[error("line {line}: there is no rule `{rule}`; `bastide scan --rules` lists them")]
    Rule {
        /// Where the entry begins, from 1.
        line: usize,
        /// The name that it gives.
        rule: String,
    },
    /// One entry cannot be meant.
    #[error("line {line}: {what}")]
    Entry {
        /// Where it begins, from 1.
        line: usize,
        /// What is wrong and what to do.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    suppress: Vec<Spanned<Suppression>>,
}

/// The decisions that hold on one day.
#[derive(Clone, Debug, Default)]
pub struct Suppressions {
    held: Vec<Held>,
    baseline: Baseline,
    /// Those that have ended.
    expired: Vec<Suppression>,
}

/// One that has not ended.
#[derive(Clone, Debug)]
struct Held {
    suppression: Suppression,
    pattern: Option<glob::Pattern>,
}

/// A path in a pattern: `*` ends at a folder.
pub(crate) const MATCH: glob::MatchOptions = glob::MatchOptions {
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
        let here = Here::new();
        for suppression in document.suppress {
            let before = text.get(..suppression.span().start).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            let suppression = suppression.into_inner();
            let entry = |what: String| SuppressionError::Entry { line, what };
            if suppression.reason.trim().is_empty() {
                return Err(entry("`reason` is empty: say who decided what, and why".to_owned()));
            }
            if !crate::render::rules().any(|rule| rule.id == suppression.rule) {
                return Err(SuppressionError::Rule { line, rule: suppression.rule });
            }
            if suppression.path.is_none() && suppression.sha256.is_none() {
                return Err(entry(
                    "it names neither `path` nor `sha256`, so it would hold for every file".to_owned(),
                ));
            }
            if suppression.mentions.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(entry(
                    "`mentions` is empty: leave it out to accept every finding of the rule".to_owned(),
                ));
            }
            if let Some(digest) = &suppression.sha256
                && (digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
            {
                return Err(entry("`sha256` is not 64 lower-case hexadecimal digits".to_owned()));
            }
            let pattern =
                suppression.path.as_deref().map(|path| glob::Pattern::new(here.pattern(path))).transpose();
            let pattern = pattern.map_err(|e| entry(format!("`path` is no pattern: {e}")))?;
            if suppression.expires < today {
                suppressions.expired.push(suppression);
            } else {
                suppressions.held.push(Held { suppression, pattern });
            }
        }
        Ok(suppressions)
    }

    /// Adds what a baseline accepts.
    pub fn add(&mut self, baseline: Baseline) {
        self.baseline = baseline;
    }

    /// Whether some hold only for files of a certain content, so that a digest is needed.
    #[must_use]
    pub fn need_digests(&self) -> bool {
        self.held.iter().any(|held| held.suppression.sha256.is_some())
    }

    pub(crate) const fn baseline(&self) -> &Baseline {
        &self.baseline
    }

    /// The decision that accepts `finding` in `file`.
    pub(crate) fn of(&self, file: &ScannedFile, finding: &Finding) -> Option<&Suppression> {
        if let Some(held) = self.held.iter().find(|held| held.accepts(file, finding)) {
            return Some(&held.suppression);
        }
        (!is_grave(finding) && self.baseline.holds(&file.place, finding)).then_some(&BASELINE)
    }

    /// What has ended, and what accepts nothing in `files`, each with why.
    pub(crate) fn unused(&self, files: &[ScannedFile]) -> Vec<Warning> {
        let ended = self.expired.iter().map(|it| Warning {
            concern: Concern::SuppressionEnded,
            message: format!(
                "the suppression of {} ended on {}: {}",
                it.about(),
                it.expires,
                one_line(&it.reason)
            ),
        });
        let unused = self.held.iter().filter_map(|held| {
            let why = held.why_unused(files)?;
            let message = format!("the suppression of {} accepts nothing: {why}", held.suppression.about());
            Some(Warning { concern: Concern::SuppressionUnused, message })
        });
        ended.chain(unused).collect()
    }
}

/// What was not read to its end may be anything when its content changes, and what is malicious is never accepted by name.
fn is_grave(finding: &Finding) -> bool {
    finding.rule.effect > Assessment::Review
}

impl Held {
    fn accepts(&self, file: &ScannedFile, finding: &Finding) -> bool {
        let content = match self.suppression.sha256 {
            Some(_) => self.is_content_of(file),
            None => !is_grave(finding),
        };
        content && self.is_about(finding) && self.is_path_of(file)
    }

    fn is_about(&self, finding: &Finding) -> bool {
        let speaks = |text: &String| {
            let call = finding.call.as_deref().unwrap_or_default();
            finding.message.contains(text.as_str()) || call.contains(text.as_str())
        };
        self.suppression.rule == finding.rule.id && self.suppression.mentions.as_ref().is_none_or(speaks)
    }

    fn is_path_of(&self, file: &ScannedFile) -> bool {
        self.pattern.as_ref().is_none_or(|pattern| pattern.matches_path_with(&file.place, MATCH))
    }

    fn is_content_of(&self, file: &ScannedFile) -> bool {
        self.suppression
            .sha256
            .as_ref()
            .is_none_or(|wanted| file.sha256.is_some_and(|it| *wanted == hex(&it)))
    }

    /// Why it accepts nothing in `files`, if it does not.
    fn why_unused(&self, files: &[ScannedFile]) -> Option<String> {
        let mut about = files.iter().filter(|file| self.is_path_of(file)).peekable();
        if about.peek().is_none() {
            return Some("no file that was scanned has this path".to_owned());
        }
        let mut same = about.filter(|file| self.is_content_of(file)).peekable();
        if same.peek().is_none() {
            return Some("no file that was scanned has this `sha256`".to_owned());
        }
        let mut found = same.flat_map(|file| {
            file.report.findings.iter().filter(|f| self.is_about(f)).map(move |f| (file, f))
        });
        let Some((file, first)) = found.next() else {
            return Some("the files that it is about have no such finding".to_owned());
        };
        let accepts = self.accepts(file, first) || found.any(|(file, finding)| self.accepts(file, finding));
        (!accepts).then(|| {
            "what is malicious or unfinished is accepted only with the `sha256` of the file".to_owned()
        })
    }
}

impl Suppression {
    /// What it is about, in one line.
    fn about(&self) -> String {
        let path = self.path.as_ref().map(|path| format!(" in `{}`", one_line(path))).unwrap_or_default();
        let digest =
            self.sha256.as_ref().and_then(|it| it.get(..12)).map(|it| format!(" of content {it}..."));
        let mentions = self
            .mentions
            .as_ref()
            .map(|it| format!(" that speaks of `{}`", one_line(it)))
            .unwrap_or_default();
        format!("`{}`{path}{}{mentions}", self.rule, digest.unwrap_or_default())
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

static BASELINE: std::sync::LazyLock<Suppression> = std::sync::LazyLock::new(|| Suppression {
    rule: String::new(),
    path: None,
    sha256: None,
    mentions: None,
    reason: "in the baseline".to_owned(),
    expires: Date::MAX,
});
