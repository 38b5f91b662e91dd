//! Bodies beside the log: what was received and sent, sealed under the keys of the log's subjects.
//!
//! The log proves and never forgets, so it holds digests only. The texts lie here, where they can be lost (no request
//! waits for them), expire, and become unreadable all at once: when a subject's key is destroyed. `FORMAT.md`, "Bodies".

mod body;
mod format;
mod options;
mod queue;
mod reader;
mod store;
#[cfg(test)]
mod tests;
mod writer;

pub use body::{Body, BodyKey, BodyKind, MAX_BODY_BYTES};
pub use format::{BodyHeader, scan_bodies};
pub use options::{BodiesOptions, Keep};
pub use reader::{BodyReader, OpenError, SealedBody};
pub use store::{Bodies, BodyStats};
