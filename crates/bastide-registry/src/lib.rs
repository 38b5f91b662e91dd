//! What is done with artifacts on disk.
//!
//! Owns: walking folders, reading files, scanning them on all cores, what people have decided to accept, and the forms in
//! which a scan is handed on (JSON, SARIF, CycloneDX, JUnit). Knows nothing of formats or rules, which are
//! `bastide-artifact`'s, of terminals or of the gateway.

mod file;
pub mod render;
mod scan;
mod suppress;
mod walk;

pub use file::FileSource;
pub use scan::{Options, Scan, ScannedFile, scan};
pub use suppress::{Baseline, Suppression, SuppressionError, Suppressions};
pub use walk::Progress;
