//! Who wants what, in which circumstances.

use bastide_types::{Category, KeyId, OrganisationId, Origin, ProjectId, Score, Verdict};

/// Who asks. There is no way to say "nobody".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The key.
    pub key: KeyId,
    /// The key's project.
    pub project: ProjectId,
    /// The project's organisation.
    pub organisation: OrganisationId,
    /// The key's name.
    pub name: &'a str,
}

/// What is asked for: a model at a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// The model's name as the caller wrote it.
    pub model: &'a str,
    /// The provider's name; never contains `/`.
    pub provider: &'a str,
    /// The project that owns the provider; `None` when the operator offers it to every project.
    pub project: Option<ProjectId>,
}

/// The circumstances. Each action's policies see those that are known by then: `invoke` nothing about findings.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// A stream was asked for.
    pub stream: bool,
    /// Something in this half of the exchange cannot be inspected (image, audio, file).
    pub unscanned: bool,
    /// The caller may use the demo provider: a demo key, or a caller on this machine.
    pub demo: bool,
    /// Names of tools: those offered (`invoke`, `release`), those called (`receive`), the one whose arguments are
    /// being written (`restore`; empty for the reply's text).
    pub tools: &'a [String],
    /// What the guard found and how sure it was; a category may occur more than once, the highest score counts.
    pub findings: &'a [(Category, Score)],
    /// The sternest verdict of the guard profile.
    pub verdict: Verdict,
    /// Who wrote the texts in which something was found.
    pub origins: &'a [Origin],
}

impl Default for Facts<'_> {
    fn default() -> Self {
        Facts {
            stream: false,
            unscanned: false,
            demo: false,
            tools: &[],
            findings: &[],
            verdict: Verdict::Allow,
            origins: &[],
        }
    }
}
