//! The records of a bastide: who may call, who may sign in, where calls go, which policies hold. The only SQL of the project.
//!
//! Owns: the database file, its schema and migrations, its durability, and one narrow method per thing that is asked
//! or changed. Knows nothing of credentials in clear, of what a policy means, of the log beyond the leaf index that
//! each change carries, or of who is allowed to change what.
//!
//! ```
//! use bastide_store::{NewProject, Store};
//! use bastide_types::{OrganisationId, ProjectId, Timestamp};
//!
//! let store = Store::in_memory()?;
//! let (organisation, project) = (OrganisationId::from_bytes([1; 16]), ProjectId::from_bytes([2; 16]));
//! let at = Timestamp::from_micros(1);
//! store.add_organisation(organisation, "acme", at, 7)?;
//! store.add_project(NewProject { id: project, organisation, name: "search" }, at, 8)?;
//! assert_eq!(store.project(project)?.map(|p| p.name).as_deref(), Some("search"));
//! assert_eq!(store.applied_intent(8)?, Some("project.create".to_owned()));
//! # Ok::<(), bastide_store::StoreError>(())
//! ```
//!
//! # A change and the log
//! Every change is: intent leaf in the log, then the row, then an outcome leaf. The row and the mark that the intent
//! with this index was applied are one transaction, so after a crash [`Store::applied_intent`] says for each intent
//! without an outcome what became of it. An intent is applied at most once.
//!
//! # Durability
//! SQLite in WAL mode with `synchronous=FULL`: what a method returned is on the disk. One connection writes, one reads.
//! Damage to the file's structure, and values that the schema excludes, are noticed and named; a flipped letter inside
//! a text is not: policies are compared with their digest and keys with their hash by those who use them.

mod database;
mod error;
mod guard_profiles;
mod keys;
mod migrations;
mod open;
mod organisations;
mod policies;
mod providers;
mod sessions;
mod settings;
mod sql;
mod users;

pub use database::Store;
pub use error::StoreError;
pub use guard_profiles::{GuardProfileRow, NewGuardProfile};
pub use keys::{KeyLimits, KeyRow, NewKeyRow};
pub use organisations::{NewProject, OrganisationRow, ProjectRow};
pub use policies::PolicyRow;
pub use providers::{CredentialSource, NewProvider, ProviderRow};
pub use sessions::{NewSessionRow, SessionCarrier, SessionRow};
pub use users::{NewUserRow, UserRow};
