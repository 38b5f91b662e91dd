//! What a model file would do to the program that loads it.
//!
//! Owns: recognising formats by content, reading them as their loaders do, the symbolic pickle machine, the allow list of
//! globals, the rules, and the assessment; source code, infrastructure files and lock files it hands to `bastide-code`.
//! Knows nothing of files, folders, signatures, policies or output formats: bytes
//! in, findings out. Nothing is ever executed, imported or unpickled; every reader is bounded by [`Limits`], which count
//! bytes and steps and never time, so that an assessment is the same on every machine.
//!
//! ```
//! use bastide_artifact::{Limits, scan};
//! use bastide_types::Assessment;
//!
//! let pickle = b"cos\nsystem\n(S'echo hello'\ntR.".as_slice();
//! let report = scan(&pickle, "model.bin", &Limits::default());
//! assert_eq!(report.assessment(), Assessment::Malicious);
//! assert_eq!(report.findings[0].call.as_deref(), Some("os.system('echo hello')"));
//! ```

mod archive;
mod claim;
mod code;
mod document;
mod folder;
mod format;
mod graph;
mod halt;
mod keras;
mod limits;
mod lines;
mod pickle;
mod report;
mod rules;
mod scan;
mod source;
mod tensor;
mod text;

pub use folder::folder;
pub use format::Format;
pub use limits::Limits;
#[doc(hidden)]
pub use pickle::pickle_trace;
pub use report::{Facts, Finding, Library, Pinned, Report, Tensors};
pub use rules::rules;
pub use scan::scan;
#[doc(hidden)]
pub use scan::scan_as;
pub use source::{Part, Source};
