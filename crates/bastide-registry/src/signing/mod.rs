//! Signing a model on disk, and verifying one.

mod beside;
mod cover;
mod index;
mod record;
mod sign;
mod verify;

use std::io;
use std::path::PathBuf;

use crate::shown::Shown;

use bastide_crypto::ContentHash;
use bastide_signing::{BaseModel, ManifestError, Method, Mismatch, ResourcePath, SignError, VerifyError};

pub use beside::{open_regular, read_signature_file, write_whole};
pub use record::scan_record;
pub use sign::{FoundModel, ScannedModel, find_model, sign_model};
pub use verify::{FoundCopy, Unchecked, compare_all, find_copy, verify_model, verify_signature};

use crate::digest::{DigestError, WalkError};

/// Which files count.
#[derive(Clone, Debug, Default)]
pub struct CoverOptions {
    /// Whether links to files count as these files.
    pub allow_symlinks: bool,
    /// Paths to leave out, as the user named them: absolute or from the working directory. Paths outside the model leave
    /// nothing out.
    pub ignore: Vec<PathBuf>,
    /// Whether `.git`, `.gitattributes`, `.github` and `.gitignore` in the model's root count too.
    pub include_git: bool,
    /// Files about the model that may lie in it, such as an attestation: left out as the signature itself is, and not told
    /// of. Whoever gives them checks them by themselves.
    pub own: Vec<PathBuf>,
}

/// How to sign.
#[derive(Clone, Debug)]
pub struct SignOptions {
    /// Which files.
    pub cover: CoverOptions,
    /// By file or by shard.
    pub method: Method,
    /// With which function.
    pub hash: ContentHash,
    /// The model that this one is made for.
    pub base_model: Option<BaseModel>,
}

/// How to verify. Method and function are those of the signature.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Which files.
    pub cover: CoverOptions,
    /// Whether files that were not signed may be there.
    pub allow_unsigned: bool,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignModelError {
    /// The folder is no model.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A file could not be read.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Nothing to sign, or too much.
    #[error("the model cannot be signed")]
    Manifest(#[from] ManifestError),
    /// A file that loaders would take and the signature does not cover.
    #[error("`{index}` names `{file}`, which the signature does not cover: move it out of what is left out")]
    Index {
        /// Which names it.
        index: ResourcePath,
        /// What it names.
        file: ResourcePath,
    },
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The signature could not be kept.
    #[error("`{}` cannot be written", Shown(path))]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A path that was named could not be found out.
    #[error("`{}` cannot be resolved", Shown(path))]
    Resolve {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a model is not what was signed, or is not known to be.
#[derive(Debug, thiserror::Error)]
pub enum VerifyModelError {
    /// The signature file could not be read.
    #[error("`{}` cannot be read", Shown(path))]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The signature proves nothing.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// The folder is no model.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// A file could not be read.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// Nothing is there, or too much.
    #[error("the model cannot be compared")]
    Manifest(#[from] ManifestError),
    /// A file that loaders would take and the signature does not cover.
    #[error("`{index}` names `{file}`, which the signature does not cover: move it out of what is left out")]
    Index {
        /// Which names it.
        index: ResourcePath,
        /// What it names.
        file: ResourcePath,
    },
    /// It is another model.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// A path that was named could not be found out.
    #[error("`{}` cannot be resolved", Shown(path))]
    Resolve {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
