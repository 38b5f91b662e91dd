//! From a folder to the digests of its files.

mod hash;
mod walk;

pub use hash::{DigestError, digest_files};
pub use walk::{FoundFile, WalkError, WalkOptions, Walked, walk};
