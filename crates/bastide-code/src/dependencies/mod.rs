//! Dependencies: what lock files pin, matched against advisories in the OSV schema, without a network.
//!
//! ```
//! use bastide_code::dependencies::{Database, Kind, Sla, overdue, packages};
//!
//! let text = "torch==2.5.1\n";
//! let kind = Kind::of("requirements.txt", text).unwrap();
//! let mut database = Database::default();
//! database.add(r#"{"id": "X-1", "published": "2025-04-18T15:00:00Z", "affected": [{
//!     "package": {"ecosystem": "PyPI", "name": "torch"},
//!     "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.6.0"}]}]}]}"#).unwrap();
//! let found = database.matches(&packages(kind, text)[0]);
//! assert_eq!(found[0].fixed, ["2.6.0"]);
//! let now = "2026-01-01T00:00:00Z";
//! assert!(overdue(&found[0].published, now, found[0].severity, &Sla::default()).is_some());
//! ```

mod advisory;
mod cvss;
mod database;
mod lock;
mod node;
mod order;
mod origin;
mod project;
mod python;
mod requirements;
mod rules;
mod sla;

pub use advisory::{Advisory, Event, Range, RangeKind};
pub use database::{Database, Vulnerable};
pub use lock::{Kind, Package, packages};
pub use order::{Ecosystem, Version};
pub use requirements::{included, remarks};
pub use rules::{OVERDUE, rule_for};
pub use sla::{Sla, SlaError, overdue};

pub(crate) use rules::RULES;
