//! The playground: what the guard makes of a text, step by step, without sending it anywhere.

use bastide_anonymize::{ConversationKey, Placement, Vault, anonymise, apply, restore_text};
use bastide_inspect::{Syntax, readings};
use bastide_types::{Category, Direction, Finding, GuardMode, Origin, ProjectId, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use crate::admin::Admin;
use crate::bodies::off_the_runtime;
use crate::failure::Failure;

/// The longest text that is tried: enough for a long document, and its page is still a page.
pub const MAX_TRIED_BYTES: usize = 64 << 10;
/// Findings that are listed.
const MOST_FINDINGS: usize = 500;
/// Readings that are listed.
const MOST_READINGS: usize = 50;

/// What the guard makes of a text.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Tried {
    /// Whether the guard acts.
    pub mode: &'static str,
    /// The sternest verdict.
    pub verdict: &'static str,
    /// What was found, in order.
    pub findings: Vec<TriedFinding>,
    /// How many there were in all.
    pub findings_total: usize,
    /// The readings besides the text itself.
    pub readings: Vec<TriedReading>,
    /// What would leave; `None`: nothing, it is refused.
    pub sent: Option<String>,
    /// Where bastide's tokens stand in what would leave: first byte, one past the last.
    pub tokens: Vec<(usize, usize)>,
    /// What a caller would get if a model said the same back; `None` where nothing would leave.
    pub restored: Option<String>,
}

/// A finding in a tried text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TriedFinding {
    /// What.
    pub category: &'static str,
    /// First byte.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// How sure, in per mille.
    pub score: u16,
    /// Which detector.
    pub detector: &'static str,
    /// Why.
    pub reason: String,
    /// In which reading.
    pub view: &'static str,
    /// What the profile says.
    pub verdict: &'static str,
}

/// Another reading of a tried text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TriedReading {
    /// Which.
    pub view: &'static str,
    /// First byte of the original that it is of.
    pub start: usize,
    /// One past the last.
    pub end: usize,
    /// What it says.
    pub text: String,
}

impl Admin {
    /// Tries the running guard on a text of this origin. Nothing is sent, recorded or kept.
    ///
    /// # Errors
    /// When the text is too long, or nothing serves here.
    pub async fn try_text(&self, origin: Origin, text: String) -> Result<Tried, Failure> {
        let Some(gateway) = &self.gateway else {
            return Err(Failure::could_not(
                "no server runs here; `bastide inspect` tries the detectors without one",
            ));
        };
        if text.len() > MAX_TRIED_BYTES {
            return Err(Failure::usage(format!(
                "the text has {} bytes; at most {MAX_TRIED_BYTES} can be tried at once",
                text.len()
            )));
        }
        let (guard, root) = (gateway.guard(), std::sync::Arc::clone(&self.node.root));
        off_the_runtime(move || {
            let project = ProjectId::from_bytes([0; 16]);
            let mut vault = Vault::new(move || ConversationKey::derive(&root, project, b"playground"));
            let found = guard.find(Direction::Request, &text);
            let judge = |finding: &Finding| {
                guard.profile().judge(finding, origin, origin.trust(), Direction::Request)
            };
            let sternest = found.iter().map(judge).max().unwrap_or(Verdict::Allow);
            let acts = guard.mode() == GuardMode::Enforce;
            let refused = acts && sternest >= Verdict::Hold;
            let replacements = anonymise(&text, Syntax::Plain, &found, judge, &mut vault);
            let sent = match (refused, acts) {
                (true, _) => None,
                (false, true) => Some(apply(&text, &replacements)),
                (false, false) => Some(text.clone()),
            };
            let token = |found: &Finding| found.category == Category::Placeholder;
            let tokens = sent.as_ref().map(|sent| guard.find(Direction::Response, sent)).unwrap_or_default();
            let tokens = tokens.iter().filter(|f| token(f)).map(|f| (f.span.start, f.span.end)).collect();
            let restored = sent.as_ref().map(|sent| {
                let back = guard.find(Direction::Response, sent);
                let mut placement = Placement::default();
                let written = restore_text(sent, Syntax::Plain, &back, &vault, &mut placement, |_| true);
                apply(sent, &written.replacements)
            });
            let tried = |finding: &Finding| TriedFinding {
                category: finding.category.as_str(),
                start: finding.span.start,
                end: finding.span.end,
                score: finding.score.get(),
                detector: finding.detector,
                reason: finding.reason.to_string(),
                view: finding.view.as_str(),
                verdict: judge(finding).as_str(),
            };
            Tried {
                mode: guard.mode().as_str(),
                verdict: sternest.as_str(),
                findings_total: found.len(),
                findings: found.iter().take(MOST_FINDINGS).map(tried).collect(),
                readings: readings(&text, Syntax::Plain, MOST_READINGS)
                    .into_iter()
                    .map(|r| TriedReading {
                        view: r.view.as_str(),
                        start: r.span.start,
                        end: r.span.end,
                        text: r.text,
                    })
                    .collect(),
                sent,
                tokens,
                restored,
            }
        })
        .await
    }
}
