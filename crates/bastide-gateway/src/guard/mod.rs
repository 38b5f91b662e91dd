//! The guard pipeline: every segment of both halves of an exchange through one engine, one profile, one place that
//! decides what is written instead.
//!
//! INVARIANT: [`Inspected`] is made here only, and only from text that went through this pipeline (or from an
//! operator's explicit `off`, which it then says). The upstream client takes nothing else.

mod bounds;
mod calls;
mod lane;
mod passage;
mod queue;
mod request;
mod response;
mod stream;
mod tally;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use bastide_anonymize::{PlaceholderDetector, Placement, Vault, escape_json, redaction, unescape_json};
use bastide_crypto::sha256;
use bastide_inspect::{
    Detector, Engine, EngineError, GuardProfile, Scratch, Syntax, personal_data_detectors, secret_detectors,
    standard_detectors,
};
use bastide_types::{
    Category, Digest, Direction, Finding, GuardMode, Guarded, Origin, Problem, SegmentKind, Trust, Verdict,
};

use bounds::Bounds;
pub(crate) use passage::Report;
pub(crate) use stream::{StreamGuard, StreamRefusal};
pub(crate) use tally::Tally;

use crate::problem::raise;

/// Engines and profile. Immutable: a changed profile is a new guard.
pub struct Guard {
    mode: GuardMode,
    profile: GuardProfile,
    digest: Digest,
    request: Arc<Engine>,
    response: Arc<Engine>,
    time: Duration,
}

impl std::fmt::Debug for Guard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guard")
            .field("mode", &self.mode)
            .field("profile", &self.digest)
            .finish_non_exhaustive()
    }
}

/// How far a value went through the guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Inspected, and what the profile demanded was done.
    Enforced(Digest),
    /// Inspected and recorded; nothing was changed.
    Observed(Digest),
    /// Not inspected, because the operator switched the guard off.
    Exempt,
}

/// A value that went through the guard.
#[derive(Debug)]
pub struct Inspected<T> {
    value: T,
    coverage: Coverage,
}

impl<T> Inspected<T> {
    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// How it was inspected.
    pub const fn coverage(&self) -> Coverage {
        self.coverage
    }
}

/// Whether the principal may have values of a category put back: into the text of a reply (`None`) or into the arguments
/// of the tool of that name.
pub(crate) type MayRestore = dyn Fn(Option<&str>, Category) -> bool + Send + Sync;

thread_local! {
    /// Automaton caches: one per worker thread, not one per exchange, because they are megabytes and warm up.
    static SCRATCH: RefCell<(Scratch, Scratch)> = RefCell::default();
}

impl Guard {
    /// Compiles the engines.
    ///
    /// # Errors
    /// When a detector's pattern does not compile.
    pub fn new(mode: GuardMode, profile: GuardProfile, time: Duration) -> Result<Self, EngineError> {
        let request = Arc::new(Engine::new(standard_detectors())?);
        // Replies are guarded for what leaves: personal data and secrets. The fewer patterns, the less text is held.
        let mut leaving: Vec<Arc<dyn Detector>> = personal_data_detectors();
        leaving.extend(secret_detectors());
        leaving.push(Arc::new(PlaceholderDetector::default()));
        let response = Arc::new(Engine::new(leaving)?);
        let digest = Digest(sha256(&profile.digest_input()));
        Ok(Guard { mode, profile, digest, request, response, time })
    }

    /// Whether it acts.
    #[must_use]
    pub const fn mode(&self) -> GuardMode {
        self.mode
    }

    /// What it does about what it finds.
    #[must_use]
    pub const fn profile(&self) -> &GuardProfile {
        &self.profile
    }

    /// The engines of the two directions: what is looked for towards a model, and towards a caller, where bastide's own
    /// tokens are looked for as well. Compiling one takes a while, and megabytes.
    #[must_use]
    pub fn engines(&self) -> [Arc<Engine>; 2] {
        [Arc::clone(&self.request), Arc::clone(&self.response)]
    }

    /// What it finds in a text on its way in this direction.
    #[must_use]
    pub fn find(&self, direction: Direction, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        self.with_engine(direction, |engine, scratch| {
            engine.inspect(text, Syntax::Plain, scratch, &mut found);
        });
        found
    }

    /// Digest of its profile.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What a value that passed this guard carries, and what the upstream client demands of it.
    #[must_use]
    pub const fn coverage(&self) -> Coverage {
        match self.mode {
            GuardMode::Enforce => Coverage::Enforced(self.digest),
            GuardMode::Observe => Coverage::Observed(self.digest),
            GuardMode::Off => Coverage::Exempt,
        }
    }

    fn seal<T>(&self, value: T) -> Inspected<T> {
        Inspected { value, coverage: self.coverage() }
    }

    /// Inspects one text of one half.
    ///
    /// # Errors
    /// When the bounds are reached before all of it is inspected.
    fn inspect(
        &self,
        direction: Direction,
        text: &str,
        syntax: Syntax,
        bounds: &mut Bounds<'_>,
        out: &mut Vec<Finding>,
    ) -> Result<(), Problem> {
        let before = out.len();
        let whole = self.with_engine(direction, |engine, scratch| {
            engine.inspect_while(text, syntax, scratch, out, |found| bounds.allow(found))
        });
        bounds.take(out.len() - before, direction)?;
        if whole {
            return Ok(());
        }
        Err(raise::guard_failed("the guard did not finish in time; send less text at once"))
    }

    fn with_engine<R>(&self, direction: Direction, run: impl FnOnce(&Engine, &mut Scratch) -> R) -> R {
        SCRATCH.with_borrow_mut(|(request, response)| match direction {
            Direction::Request => run(&self.request, request),
            Direction::Response => run(&self.response, response),
        })
    }

    /// Bounds of a run that begins now; `awaited` says whether anybody waits for its end.
    fn bounds<'r>(&self, awaited: &'r dyn Fn() -> bool) -> Bounds<'r> {
        Bounds::new(self.time, awaited)
    }
}

const fn syntax(kind: SegmentKind) -> Syntax {
    match kind {
        SegmentKind::JsonText => Syntax::Json,
        SegmentKind::Text | SegmentKind::Key | SegmentKind::Number => Syntax::Plain,
    }
}

/// A found value without the escapes of the JSON text it stood in: one value has one token, however it is written.
fn plain(kind: SegmentKind, value: &str) -> Cow<'_, str> {
    match kind {
        // A span that cuts an escape stays as it is written: it is still the same in every request.
        SegmentKind::JsonText => unescape_json(value).unwrap_or(Cow::Borrowed(value)),
        SegmentKind::Text | SegmentKind::Key | SegmentKind::Number => Cow::Borrowed(value),
    }
}

/// A value as it will stand in the text.
fn written(kind: SegmentKind, value: &str) -> Cow<'_, str> {
    match kind {
        SegmentKind::JsonText => Cow::Owned(escape_json(value)),
        SegmentKind::Text | SegmentKind::Key | SegmentKind::Number => Cow::Borrowed(value),
    }
}

fn placement(kind: SegmentKind) -> Placement {
    match kind {
        SegmentKind::JsonText => Placement::json(),
        SegmentKind::Text | SegmentKind::Key | SegmentKind::Number => Placement::default(),
    }
}

/// What is done about one finding.
enum Action {
    Keep,
    Replace(String),
    Refuse,
}

impl Guard {
    /// The profile's verdict, as recorded, and whether it is acted on.
    fn judge(
        &self,
        finding: &Finding,
        origin: Origin,
        trust: Trust,
        direction: Direction,
    ) -> (Verdict, bool) {
        let judgement = self.profile.consider(finding, origin, trust, direction);
        (judgement.verdict, self.mode == GuardMode::Enforce && judgement.mode == GuardMode::Enforce)
    }

    /// Judges a finding in a request and says what is written instead.
    fn act_on_request(
        &self,
        finding: &Finding,
        value: &str,
        origin: Origin,
        trust: Trust,
        vault: &mut Vault,
    ) -> (Verdict, Action) {
        let (verdict, acts) = self.judge(finding, origin, trust, Direction::Request);
        if matches!(finding.category.family(), Guarded::PersonalData | Guarded::Secret) {
            vault.remember(finding.category, value);
        }
        let action = if acts {
            match verdict {
                Verdict::Tokenise => Action::Replace(vault.tokenise(finding.category, value)),
                Verdict::Redact => Action::Replace(redaction(finding.category)),
                // Nobody is there to release what is held, so holding is refusing.
                Verdict::Hold | Verdict::Block => Action::Refuse,
                Verdict::Allow | Verdict::Flag => Action::Keep,
            }
        } else {
            Action::Keep
        };
        (verdict, action)
    }

    /// Judges a finding in a reply. Values that the request itself contained are the caller's own.
    fn act_on_response(
        &self,
        finding: &Finding,
        value: &str,
        origin: Origin,
        trust: Trust,
        vault: &Vault,
    ) -> (Verdict, Action) {
        if finding.category != Category::Placeholder && vault.knows(finding.category, value) {
            return (Verdict::Allow, Action::Keep);
        }
        let (verdict, acts) = self.judge(finding, origin, trust, Direction::Response);
        let action = if acts {
            match verdict {
                // A token in a reply could never be turned back: the value came from elsewhere.
                Verdict::Tokenise | Verdict::Redact => Action::Replace(redaction(finding.category)),
                Verdict::Hold | Verdict::Block => Action::Refuse,
                Verdict::Allow | Verdict::Flag => Action::Keep,
            }
        } else {
            Action::Keep
        };
        (verdict, action)
    }
}
