//! Who is calling? Organisations, projects and the service keys that act for them; people, and their sessions.
//!
//! Owns: the form of a key, its making, its keyed hash, the table of all keys in memory, expiry, revocation, and the
//! principal, a value that only a key that holds can make. And for people: passwords, authenticator apps, recovery codes,
//! the lock after failures, sessions and API tokens, and [`Authorized`], a value that only a permission can make. Knows
//! nothing of HTTP, of what a key may do, of counting against limits, of the log beyond the index of the entry that
//! announced a change.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use bastide_types::{Clock, Timestamp};
//! # struct Stopped;
//! # impl Clock for Stopped {
//! #     fn now(&self) -> Timestamp { Timestamp::from_micros(1) }
//! #     fn monotonic(&self) -> Duration { Duration::ZERO }
//! # }
//! use bastide_identity::{Identity, IdentityError, NewKey};
//!
//! let store = Arc::new(bastide_store::Store::in_memory()?);
//! let identity = Identity::open(store, &bastide_crypto::RootKey::from_bytes([7; 32]), Arc::new(Stopped))?;
//! let mut next_leaf = 0..;
//! let defaults = identity.bootstrap(|_intent| Ok::<u64, IdentityError>(next_leaf.next().unwrap_or(0)))?;
//!
//! let (row, secret) = identity.create_key(NewKey::named("ci", defaults.project), 2)?;
//! assert_eq!(identity.authenticate(secret.expose()).map(|p| p.key), Ok(row.id));
//! identity.revoke_key(row.id, 3)?;
//! assert!(identity.authenticate(secret.expose()).is_err());
//! # Ok::<(), IdentityError>(())
//! ```
//!
//! # What history teaches
//! A failed check never falls through to an empty identity (CVE-2026-59822): there is no such value. Nothing presented
//! reaches SQL (CVE-2026-42208): the table is in memory, under the full keyed hash of the full text (a cache under a
//! truncated hash was CVE-2026-35030). Expiry is checked at use, not by a janitor (GO-2025-3854).

mod account_error;
mod accounts;
mod authorised;
mod bootstrap;
mod create;
mod error;
mod identity;
mod name;
mod passwords;
mod principal;
mod recovery;
mod second_factor;
mod session;
mod sessions;
mod setup;
mod sign_in;
mod steady;
mod text;
mod throttle;
mod totp;
mod users;

pub use account_error::{AccountError, Refusal, SessionError, SignInError};
pub use accounts::{Accounts, Pseudonyms, SessionLifetimes};
pub use authorised::{AuthoriseError, Authorized, Denied};
pub use bastide_store::{KeyLimits, KeyRow, OrganisationRow, ProjectRow, SessionCarrier};
pub use bootstrap::{Defaults, Intent};
pub use create::{NewKey, PreparedKey};
pub use error::{AuthError, IdentityError};
pub use identity::Identity;
pub use passwords::PasswordRule;
pub use principal::Principal;
pub use second_factor::{PreparedTotp, SecondFactor, TotpSetup};
pub use session::{IssuedSession, SessionPrincipal};
pub use sessions::{NewToken, PreparedRotation, PreparedSession};
pub use setup::SetupError;
pub use sign_in::SignIn;
pub use text::{COOKIE_PREFIX, KEY_PREFIX, TOKEN_PREFIX, looks_like_a_key};
pub use users::{PreparedPassword, PreparedUser, User};
