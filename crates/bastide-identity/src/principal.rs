//! The one who calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bastide_store::{KeyLimits, KeyRow};
use bastide_types::{KeyId, OrganisationId, ProjectId, Timestamp};

use crate::error::AuthError;

/// A key that holds, and whom it acts for. Only [`Identity::authenticate`](crate::Identity::authenticate) hands one
/// out; there is no anonymous, empty or default one.
pub struct Principal {
    /// The key.
    pub key: KeyId,
    /// The key's name.
    pub name: String,
    /// The project it acts for.
    pub project: ProjectId,
    /// The project's organisation.
    pub organisation: OrganisationId,
    /// Made at first start to try the gateway with; for this machine only.
    pub demo: bool,
    /// What it may use.
    pub limits: KeyLimits,
    /// From when on it is refused, as of when it was read; a rotation may bring the end nearer.
    pub expires_at: Option<Timestamp>,
    pub(crate) state: Arc<State>,
}

impl Principal {
    pub(crate) fn new(row: &KeyRow, organisation: OrganisationId, state: Arc<State>) -> Self {
        Principal {
            key: row.id,
            name: row.name.clone(),
            project: row.project,
            organisation,
            demo: row.demo,
            limits: row.limits,
            expires_at: row.expires_at,
            state,
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("key", &self.key)
            .field("name", &self.name)
            .field("project", &self.project)
            .field("organisation", &self.organisation)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Principal {}

/// The end of a key that has none.
const NEVER: u64 = u64::MAX;

/// Whether a key holds, shared by everyone who carries its principal.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) key: KeyId,
    revoked: AtomicBool,
    /// Microseconds since the epoch; `NEVER` for none. A rotation brings it nearer.
    ends_micros: AtomicU64,
    maker: Maker,
}

/// Whose rights bound a key's.
#[derive(Debug)]
pub(crate) enum Maker {
    /// The operator's, who has all.
    Operator,
    /// Another key's.
    Key(Arc<State>),
    /// A key that is not there, or a chain too long: a damaged record. Such a key does not hold.
    Lost,
}

impl State {
    /// Keys made by keys made by keys. Deeper chains have no use and would make each check longer.
    pub(crate) const MAX_DEPTH: usize = 4;

    pub(crate) fn new(row: &KeyRow, maker: Maker) -> Self {
        State {
            key: row.id,
            revoked: AtomicBool::new(row.revoked_at.is_some()),
            ends_micros: AtomicU64::new(row.expires_at.map_or(NEVER, Timestamp::as_micros)),
            maker,
        }
    }

    pub(crate) fn revoke(&self) {
        self.revoked.store(true, Ordering::Release);
    }

    /// Ends at this instant, or as before where that is sooner.
    pub(crate) fn end_by(&self, at: Timestamp) {
        self.ends_micros.fetch_min(at.as_micros(), Ordering::AcqRel);
    }

    /// How many keys stand between this one and the operator.
    pub(crate) fn depth(&self) -> usize {
        match &self.maker {
            Maker::Operator | Maker::Lost => 0,
            Maker::Key(maker) => 1 + maker.depth(),
        }
    }

    /// Whether it holds at `now`, and every key above it does.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), AuthError> {
        if self.revoked.load(Ordering::Acquire) {
            return Err(AuthError::Revoked(self.key));
        }
        if self.ends_micros.load(Ordering::Acquire) <= now.as_micros() {
            return Err(AuthError::Expired(self.key));
        }
        match &self.maker {
            Maker::Operator => Ok(()),
            Maker::Key(maker) => maker.check(now).map_err(|_| AuthError::MakerGone(self.key)),
            Maker::Lost => Err(AuthError::MakerGone(self.key)),
        }
    }
}
