//! Verifying: the signature first, and then the files.

use std::collections::HashSet;
use std::path::Path;

use bastide_signing::{
    Manifest, ManifestError, Method, Mismatch, Place, Resource, ResourcePath, Serialization, Trust,
    VerifiedModel, verify,
};

use super::beside::read_signature_file;
use super::cover::{Stamp, ignored_paths, model_name, own_paths, stamps, unchanged};
use super::sign::empty_files;
use super::{VerifyModelError, VerifyOptions, index};
use crate::digest::{FoundFile, WalkOptions, Walked, digest_files, walk};
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

/// A folder that may be what was signed, none of its files read.
pub struct FoundCopy {
    name: String,
    serialization: Serialization,
    files: Vec<FoundFile>,
    stamps: Vec<Stamp>,
    unchecked: Unchecked,
}

/// What of a folder a comparison says nothing about, although it is there. The signature itself is not among it, nor are
/// the files of [`super::CoverOptions::own`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unchecked {
    /// Left out by the signer: files, and folders with all that is in them.
    pub left_out: Vec<ResourcePath>,
    /// Left out here, which the signature says nothing of: what version control keeps, and [`super::CoverOptions::ignore`].
    pub ignored: Vec<ResourcePath>,
    /// Not signed, and let be.
    pub unsigned: Vec<ResourcePath>,
    /// Files without content that the signature cannot say anything of: its resources are shards.
    pub empty: Vec<ResourcePath>,
    /// Folders with nothing in them: a signature covers files.
    pub empty_folders: Vec<ResourcePath>,
    /// Links that were followed. They are compared, and what they lead to may change without the folder.
    pub links: Vec<ResourcePath>,
}

impl Unchecked {
    /// How many paths these are.
    #[must_use]
    pub fn count(&self) -> usize {
        let Unchecked { left_out, ignored, unsigned, empty, empty_folders, links } = self;
        [left_out, ignored, unsigned, empty, empty_folders, links].iter().map(|paths| paths.len()).sum()
    }
}

/// Lists the files that are to be compared with what was signed.
///
/// # Errors
/// When something in the folder can be no part of a model, or a signed index names a file that is not signed.
pub fn find_copy(
    verified: &VerifiedModel,
    model: &Path,
    signature: &Path,
    options: &VerifyOptions,
) -> Result<FoundCopy, VerifyModelError> {
    let signed = verified.manifest();
    let unresolved = |(path, source)| VerifyModelError::Resolve { path, source };
    let own = own_paths(model, signature, &options.cover).map_err(unresolved)?;
    let mut ignored = ignored_paths(model, signature, &options.cover).map_err(unresolved)?;
    ignored.extend(signed.serialization().ignored.iter().cloned());
    ignored.sort();
    ignored.dedup();
    // What was signed is checked whatever is ignored here.
    let names: HashSet<&ResourcePath> = signed
        .resources()
        .iter()
        .filter_map(|it| it.place.path.as_ref())
        .chain(signed.empty_files().unwrap_or_default())
        .collect();
    ignored.retain(|ignored| !names.iter().any(|name| name.is_in(ignored)));
    let serialization = Serialization {
        ignored,
        allow_symlinks: options.cover.allow_symlinks,
        ..signed.serialization().clone()
    };
    let walking =
        WalkOptions { allow_symlinks: serialization.allow_symlinks, ignored: serialization.ignored.clone() };
    let Walked { mut files, left_out, empty_folders } = walk(model, &walking)?;
    if let Some((index, file)) = index::uncovered(&files, &names)? {
        return Err(VerifyModelError::Index { index, file });
    }
    let (left_out, ignored) = left_out
        .into_iter()
        .filter(|path| !own.contains(path))
        .partition(|path| signed.serialization().ignored.iter().any(|ignored| path.is_in(ignored)));
    let mut unchecked = Unchecked { left_out, ignored, empty_folders, ..Unchecked::default() };
    if options.allow_unsigned {
        let (kept, unsigned): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| file.name.as_ref().is_none_or(|name| names.contains(name)));
        unchecked.unsigned = unsigned.into_iter().filter_map(|file| file.name).collect();
        files = kept;
    }
    if serialization.method != Method::Files && signed.empty_files().is_none() {
        unchecked.empty = empty_files(&files);
    }
    unchecked.links = files.iter().filter(|file| file.symlink).filter_map(|file| file.name.clone()).collect();
    Ok(FoundCopy { name: model_name(model), stamps: stamps(&files)?, serialization, files, unchecked })
}

impl FoundCopy {
    /// What the comparison will say nothing about.
    #[must_use]
    pub fn unchecked(&self) -> &Unchecked {
        &self.unchecked
    }

    /// How many files and bytes are compared.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.files.len(), self.files.iter().map(|file| file.bytes).sum())
    }

    /// Hashes every file on all cores, and compares them with what was signed.
    ///
    /// # Errors
    /// When a file is missing, was added, was changed, cannot be read or changes meanwhile.
    pub fn compare(self, verified: &VerifiedModel, progress: &dyn Progress) -> Result<(), VerifyModelError> {
        let resources = self.digest(progress)?;
        self.compare_with(resources, verified)
    }

    fn digest(&self, progress: &dyn Progress) -> Result<Vec<Resource>, VerifyModelError> {
        let Serialization { method, hash, .. } = self.serialization;
        Ok(digest_files(&self.files, method, hash, progress)?)
    }

    /// Whether the digests of that copy are those of this one.
    fn reads_as(&self, other: &FoundCopy) -> bool {
        let Serialization { method, hash, .. } = self.serialization;
        (method, hash) == (other.serialization.method, other.serialization.hash)
            && self.files == other.files
            && self.stamps == other.stamps
    }

    fn compare_with(
        self,
        resources: Vec<Resource>,
        verified: &VerifiedModel,
    ) -> Result<(), VerifyModelError> {
        // What was read is one state of each file only if none was touched meanwhile.
        unchanged(&self.files, &self.stamps)?;
        let (signed, method) = (verified.manifest(), self.serialization.method);
        let actual = match Manifest::new(self.name, self.serialization, resources) {
            Ok(actual) if method != Method::Files => actual.with_empty_files(empty_files(&self.files))?,
            Ok(actual) => actual,
            // An empty folder is no model that could be compared, but everything is missing from it.
            Err(ManifestError::Empty) => {
                let mut missing: Vec<Place> = signed.resources().iter().map(|it| it.place.clone()).collect();
                missing.sort();
                return Err(Mismatch { missing, ..Mismatch::default() }.into());
            }
            Err(error) => return Err(error.into()),
        };
        Ok(verified.compare(&actual)?)
    }
}

/// Compares one folder with several signatures of it. Signatures that cut and hash the same files in the same way share
/// one reading. The results are in the order of the signatures.
///
/// # Errors
/// When a file cannot be read.
pub fn compare_all(
    copies: Vec<(FoundCopy, &VerifiedModel)>,
    progress: &dyn Progress,
) -> Result<Vec<Result<(), VerifyModelError>>, VerifyModelError> {
    let mut digests: Vec<Vec<Resource>> = Vec::new();
    for (at, (copy, _)) in copies.iter().enumerate() {
        let earlier = copies.iter().zip(&digests).take(at).find(|((other, _), _)| copy.reads_as(other));
        let resources = earlier.map(|(_, resources)| resources.clone());
        digests.push(match resources {
            Some(resources) => resources,
            None => copy.digest(progress)?,
        });
    }
    let both = copies.into_iter().zip(digests);
    Ok(both.map(|((copy, verified), resources)| copy.compare_with(resources, verified)).collect())
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
    find_copy(&verified, model, signature, options)?.compare(&verified, &())?;
    Ok(verified)
}
