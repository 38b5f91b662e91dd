//! Verifying: the signature first, and then the files.

use std::collections::HashSet;
use std::path::Path;

use bastide_signing::{
    Manifest, ManifestError, Mismatch, Place, ResourcePath, Serialization, Trust, VerifiedModel, verify,
};

use super::cover::{ignored_paths, model_name, read_signature_file};
use super::{Uncovered, VerifyModelError, VerifyOptions};
use crate::digest::{WalkOptions, digest_files, walk};
use crate::walk::Progress;

/// Checks the signature of a model, and reads nothing of the model.
///
/// # Errors
/// When the signature cannot be read or proves nothing.
pub fn verify_signature(signature: &Path, trust: Trust<'_>) -> Result<VerifiedModel, VerifyModelError> {
    let bundle = read_signature_file(signature)
        .map_err(|source| VerifyModelError::Read { path: signature.to_owned(), source })?;
    Ok(verify(&bundle, trust)?)
}

/// Compares a model with what was signed.
///
/// # Errors
/// When a file is missing, was added, was changed or cannot be read.
pub fn compare_model(
    verified: &VerifiedModel,
    model: &Path,
    signature: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<(), VerifyModelError> {
    let signed = verified.manifest();
    let mut ignored = ignored_paths(model, signature, &options.cover)
        .map_err(|(path, source)| VerifyModelError::Resolve { path, source })?;
    ignored.extend(signed.serialization().ignored.iter().cloned());
    ignored.sort();
    ignored.dedup();
    // What was signed is checked whatever is ignored here.
    let names: HashSet<&ResourcePath> =
        signed.resources().iter().filter_map(|it| it.place.path.as_ref()).collect();
    ignored.retain(|ignored| !names.iter().any(|name| name.is_in(ignored)));
    let serialization = Serialization {
        ignored,
        allow_symlinks: options.cover.allow_symlinks,
        ..signed.serialization().clone()
    };
    let wanted = |name: &ResourcePath| !options.allow_unsigned || names.contains(name);
    match manifest_of(model, serialization, wanted, progress) {
        Ok(actual) => Ok(verified.compare(&actual)?),
        // An empty folder is no model that could be compared, but everything is missing from it.
        Err(Uncovered::Manifest(ManifestError::Empty)) => {
            let mut missing: Vec<Place> = signed.resources().iter().map(|it| it.place.clone()).collect();
            missing.sort();
            Err(Mismatch { missing, ..Mismatch::default() }.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks a signature, and then that the model is what was signed. Nothing of the model is read before the signature
/// holds.
///
/// # Errors
/// When the signature proves nothing, or a file is missing, was added, was changed or cannot be read.
pub fn verify_model(
    model: &Path,
    signature: &Path,
    trust: Trust<'_>,
    options: &VerifyOptions,
) -> Result<VerifiedModel, VerifyModelError> {
    let verified = verify_signature(signature, trust)?;
    compare_model(&verified, model, signature, options, &())?;
    Ok(verified)
}

fn manifest_of(
    model: &Path,
    serialization: Serialization,
    wanted: impl Fn(&ResourcePath) -> bool,
    progress: &dyn Progress,
) -> Result<Manifest, Uncovered> {
    let options =
        WalkOptions { allow_symlinks: serialization.allow_symlinks, ignored: serialization.ignored.clone() };
    let mut files = walk(model, &options)?;
    files.retain(|file| file.name.as_ref().is_none_or(&wanted));
    let resources = digest_files(&files, serialization.method, serialization.hash, progress)?;
    Ok(Manifest::new(model_name(model), serialization, resources)?)
}
