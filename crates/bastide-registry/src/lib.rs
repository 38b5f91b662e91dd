//! What is done with artifacts on disk.
//!
//! Owns: walking folders, reading and hashing files on all cores, scanning them, matching what they name against advisories,
//! what people have decided to accept, the forms in which a scan is handed on (JSON, SARIF, CycloneDX, JUnit), and signing and
//! verifying folders. Knows nothing of formats or rules, which are `bastide-artifact`'s, of how a manifest is written or a
//! signature checked, which is `bastide-signing`'s, of terminals or of the gateway.

mod baseline;
mod digest;
mod exclude;
mod file;
#[cfg(feature = "pkcs11")]
mod pkcs11;
mod place;
mod queue;
pub mod render;
mod scan;
mod shown;
mod signing;
mod suppress;
mod together;
mod vulnerability;
mod walk;
mod warning;

pub use baseline::Baseline;
pub use digest::{DigestError, FoundFile, WalkError, WalkOptions, Walked, digest_files, walk};
pub use exclude::{Exclude, ExcludeError};
pub use file::FileSource;
#[cfg(feature = "pkcs11")]
pub use pkcs11::{Pkcs11Error, Pkcs11Signer, Pkcs11Uri, Pkcs11UriError};
pub use scan::{Options, Scan, ScannedFile, scan};
pub use signing::{
    CoverOptions, FoundCopy, FoundModel, ScannedModel, SignModelError, SignOptions, Unchecked,
    VerifyModelError, VerifyOptions, compare_all, find_copy, find_model, open_regular, read_signature_file,
    scan_record, sign_model, verify_model, verify_signature, write_whole,
};
pub use suppress::{Suppression, SuppressionError, Suppressions};
pub use vulnerability::{AdvisoryError, Vulnerability, advisories};
pub use walk::{LeftOut, Progress};
pub use warning::{Concern, Warning};
