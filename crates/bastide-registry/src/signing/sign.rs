//! Signing: find the files, read them once, and sign what was read.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use bastide_signing::{
    BaseModel, Identity, Manifest, Method, Place, Resource, ResourcePath, Serialization, Signed, Signer, sign,
};

use super::beside::write_whole;
use super::cover::{Stamp, ignored_paths, model_name, own_paths, stamps, unchanged};
use super::{SignModelError, SignOptions, index};
use crate::digest::{DigestError, FoundFile, WalkOptions, Walked, digest_files, walk};
use crate::place::Here;
use crate::scan::{Options, Scan, scan_entries};
use crate::walk::{Entry, Progress, leads_out};

/// The files of a model that is to be signed, none of them read.
pub struct FoundModel {
    root: PathBuf,
    name: String,
    serialization: Serialization,
    base_model: Option<BaseModel>,
    files: Vec<FoundFile>,
    left_out: Vec<ResourcePath>,
    stamps: Vec<Stamp>,
}

/// A model whose files were scanned, and hashed in the same reads where it is signed by file.
pub struct ScannedModel {
    /// What was found, of exactly the files that a signature would cover.
    pub scan: Scan,
    digests: HashMap<PathBuf, Vec<u8>>,
    found: FoundModel,
}

/// Lists the files that a signature of `model` kept at `signature` covers.
///
/// # Errors
/// When something in the model can neither be covered nor is ignored.
pub fn find_model(
    model: &Path,
    signature: &Path,
    options: &SignOptions,
) -> Result<FoundModel, SignModelError> {
    let SignOptions { cover, method, hash, base_model } = options;
    let ignored = ignored_paths(model, signature, cover)
        .map_err(|(path, source)| SignModelError::Resolve { path, source })?;
    let walking = WalkOptions { allow_symlinks: cover.allow_symlinks, ignored: ignored.clone() };
    let Walked { files, mut left_out, .. } = walk(model, &walking)?;
    let covered: HashSet<_> = files.iter().filter_map(|file| file.name.as_ref()).collect();
    if let Some((index, file)) = index::uncovered(&files, &covered)? {
        return Err(SignModelError::Index { index, file });
    }
    let own = own_paths(model, signature, cover)
        .map_err(|(path, source)| SignModelError::Resolve { path, source })?;
    left_out.retain(|path| !own.contains(path));
    Ok(FoundModel {
        root: model.to_owned(),
        name: model_name(model),
        serialization: Serialization {
            method: *method,
            hash: *hash,
            allow_symlinks: cover.allow_symlinks,
            ignored,
        },
        base_model: base_model.clone(),
        stamps: stamps(&files)?,
        left_out,
        files,
    })
}

impl FoundModel {
    /// How many files and bytes it has.
    #[must_use]
    pub fn size(&self) -> (usize, u64) {
        (self.files.len(), self.files.iter().map(|file| file.bytes).sum())
    }

    /// What is there and will not be covered: files, and folders with all that is in them. The signature is not among it,
    /// nor are the files of [`super::CoverOptions::own`].
    #[must_use]
    pub fn left_out(&self) -> &[ResourcePath] {
        &self.left_out
    }

    /// Hashes every file on all cores, without looking into any.
    ///
    /// # Errors
    /// When a file cannot be read or changes meanwhile, or there is nothing to sign, or too much.
    pub fn digest(self, progress: &dyn Progress) -> Result<Manifest, SignModelError> {
        let Serialization { method, hash, .. } = self.serialization;
        let resources = digest_files(&self.files, method, hash, progress)?;
        self.manifest(resources)
    }

    /// Scans every file, and hashes what is read along the way where the model is signed by file. Shards are hashed apart:
    /// several cores share one file for them, which a scan does not.
    #[must_use]
    pub fn scan(self, options: &Options, progress: &dyn Progress) -> ScannedModel {
        let root = fs::canonicalize(&self.root).unwrap_or_else(|_| self.root.clone());
        let place = Here::new().folder(&self.root);
        let entry = |file: &FoundFile| Entry {
            path: file.path.clone(),
            place: file
                .path
                .strip_prefix(&self.root)
                .map_or_else(|_| file.path.clone(), |below| place.join(below)),
            size: file.bytes,
            fault: None,
            leads_out: file.name.as_ref().filter(|_| file.symlink).and_then(|_| leads_out(&file.path, &root)),
        };
        let entries: Vec<Entry> = self.files.iter().map(entry).collect();
        let hash = (self.serialization.method == Method::Files).then_some(self.serialization.hash);
        let mut scan = Scan { roots: vec![place.clone()], ..Scan::default() };
        let mut digests = HashMap::new();
        for (file, digest) in scan_entries(&entries, options, hash, progress) {
            digests.extend(digest.map(|digest| (file.path.clone(), digest)));
            scan.files.push(file);
        }
        ScannedModel { scan, digests, found: self }
    }

    fn manifest(self, resources: Vec<Resource>) -> Result<Manifest, SignModelError> {
        // What was read is one state of each file only if none was touched meanwhile.
        unchanged(&self.files, &self.stamps)?;
        let method = self.serialization.method;
        let mut manifest = Manifest::new(self.name, self.serialization, resources)?;
        if method != Method::Files {
            manifest = manifest.with_empty_files(empty_files(&self.files))?;
        }
        Ok(match self.base_model {
            Some(base) => manifest.with_base_model(base),
            None => manifest,
        })
    }
}

impl ScannedModel {
    /// What is to be signed, and the scan. Whether it is to be signed is the caller's judgement of that scan.
    ///
    /// # Errors
    /// When a file could not be read or changed since it was found, or there is nothing to sign, or too much.
    pub fn manifest(self, progress: &dyn Progress) -> Result<(Manifest, Scan), SignModelError> {
        let ScannedModel { scan, mut digests, found } = self;
        if found.serialization.method != Method::Files {
            return Ok((found.digest(progress)?, scan));
        }
        let resource = |file: &FoundFile| {
            let unread = || DigestError::Io {
                path: file.path.clone(),
                source: io::Error::other("it was not read to its end"),
            };
            let digest = digests.remove(&file.path).ok_or_else(unread)?;
            Ok(Resource { place: Place { path: file.name.clone(), shard: None }, digest })
        };
        let resources: Result<Vec<Resource>, DigestError> = found.files.iter().map(resource).collect();
        Ok((found.manifest(resources?)?, scan))
    }
}

/// The files that have no shards.
pub(super) fn empty_files(files: &[FoundFile]) -> Vec<ResourcePath> {
    files.iter().filter(|file| file.bytes == 0).filter_map(|file| file.name.clone()).collect()
}

/// Hashes a model, signs it and writes the signature file, whole or not at all. Nothing is scanned.
///
/// # Errors
/// When a file cannot be read or covered, the key does not sign, or the signature cannot be written.
pub fn sign_model(
    model: &Path,
    signature: &Path,
    options: &SignOptions,
    signer: &dyn Signer,
    identity: Identity,
) -> Result<Signed, SignModelError> {
    let manifest = find_model(model, signature, options)?.digest(&())?;
    let signed = sign(&manifest, signer, identity)?;
    write_whole(signature, &signed.bundle)
        .map_err(|source| SignModelError::Write { path: signature.to_owned(), source })?;
    Ok(signed)
}
