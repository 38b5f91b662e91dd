//! The tamper-evident log: one writer, group commit, receipts.
//!
//! Owns: the canonical encoding of events, the segment files with their group commits, recovery after a crash, the
//! published tiles and checkpoints, receipts, the reader, the bodies that are kept encrypted beside the log, and the
//! per-subject keys that salt digests and seal bodies (erasing one is crypto-shredding). Knows nothing of HTTP, of policies, of what a finding means, or of where its signing key is kept.
//! The formats are written down in `FORMAT.md`; `bastide-verify` checks them without a line of this crate.
//!
//! ```
//! # use std::{sync::Arc, time::Duration};
//! # use bastide_audit::{Log, LogOptions};
//! # use bastide_types::{Clock, Event, Timestamp};
//! # struct Fixed;
//! # impl Clock for Fixed {
//! #     fn now(&self) -> Timestamp { Timestamp::from_micros(1) }
//! #     fn monotonic(&self) -> Duration { Duration::ZERO }
//! # }
//! # let dir = std::env::temp_dir().join(format!("bastide-audit-doc-{}", std::process::id()));
//! let key = bastide_crypto::SigningKey::from_seed([1; 32]);
//! let options = LogOptions::new(&dir, "default/node-1").segment_bytes(1 << 20);
//! let (log, recovery) = Log::open(options, key, Arc::new(Fixed))?;
//! assert_eq!(recovery.entries, 0);
//!
//! let recorded = log.submit(Event::Stopped { at: Timestamp::from_micros(2) })?.wait()?;
//! assert!(recorded.receipt().to_string().starts_with("bst1."));
//! log.close()?;
//! # std::fs::remove_dir_all(&dir).ok();
//! # Ok::<(), bastide_audit::AuditError>(())
//! ```

mod bodies;
mod cbor;
mod delivery;
mod disk;
mod entry;
mod error;
mod keeper;
mod log;
mod options;
mod outlet;
mod publisher;
mod queue;
mod reader;
mod receipt;
mod record;
mod recovery;
mod search;
mod segment;
mod slot;
mod stats;
mod subjects;
mod tail;
mod value;
mod writer;

pub use bodies::{
    Bodies, BodiesOptions, Body, BodyHeader, BodyKey, BodyKind, BodyReader, BodyStats, Keep, MAX_BODY_BYTES,
    OpenError, SealedBody, scan_bodies,
};
pub use delivery::Delivery;
pub use disk::{Disk, DiskFile, DiskTree, LocalDisk};
pub use entry::{MAX_ENTRY_BYTES, encode};
pub use error::AuditError;
pub use log::Log;
pub use options::{Durability, LogOptions};
pub use reader::{LogEntry, LogReader};
pub use receipt::{Receipt, ReceiptError};
pub use record::{Pending, Recorded};
pub use recovery::Recovery;
pub use search::ExchangeEntries;
pub use stats::{Histogram, LogStats};
pub use subjects::{DigestKey, ExchangeKeys, Subjects};
pub use value::{Value, ValueError};
