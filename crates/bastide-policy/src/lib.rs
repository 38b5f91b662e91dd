//! May this principal do this? Cedar's language behind an index of our own.
//!
//! Owns: the schema of bastide's policies, the starter policy, the index that keeps a decision's cost independent of
//! the number of policies, the decision itself, and the proof types that only a decision can make. Knows nothing of
//! keys as credentials, of requests on a wire, of guards, files, clocks or logs.
//!
//! ```
//! use bastide_policy::{Facts, Invoke, PolicySet, Resource, Subject};
//! use bastide_types::{KeyId, OrganisationId, ProjectId};
//!
//! let project = ProjectId::from_bytes([2; 16]);
//! let subject = Subject {
//!     key: KeyId::from_bytes([1; 16]), project, organisation: OrganisationId::from_bytes([3; 16]), name: "ci",
//! };
//! let resource = Resource { model: "gpt-5", provider: "openai", project: Some(project) };
//! let granted = PolicySet::starter().authorize::<Invoke>(&subject, &resource, &Facts::default()).unwrap();
//! assert_eq!(*granted.decision().policies, ["own-project-invoke"]);
//! ```
//!
//! # Fail closed
//! Nothing is permitted unless a policy permits it. Cedar skips a policy whose condition cannot be evaluated, which is
//! right for a `permit` and wrong for a `forbid`: here a `forbid` that cannot be evaluated denies. A key never reaches
//! another project's provider, whatever the policies say.

mod action;
mod context;
mod decision;
mod error;
mod index;
mod layout;
mod lint;
mod load;
mod memory;
mod scene;
mod schema;
mod set;
mod subject;

pub use action::{ActionKind, Invoke, Receive, Release, Restore};
pub use decision::{Authorized, Reason, Refusal};
pub use error::{PolicyError, PolicyProblem};
pub use lint::{Lint, LintKind};
pub use schema::schema_text;
pub use set::{Explanation, Outcome, PolicySet};
pub use subject::{Facts, Resource, Subject};
