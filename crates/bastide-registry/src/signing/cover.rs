//! Which files of a model count, and the state they are in.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bastide_signing::ResourcePath;

use super::CoverOptions;
use crate::digest::{DigestError, FoundFile};

/// What version control keeps beside a model, in its root.
const GIT_PATHS: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// The last part of the path, also where it is `.`; for people only.
pub(super) fn model_name(model: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    name(model).or_else(|| name(&fs::canonicalize(model).ok()?)).unwrap_or_default()
}

/// The ignored paths by their names in the model, the signature file among them.
pub(super) fn ignored_paths(
    model: &Path,
    signature: &Path,
    cover: &CoverOptions,
) -> Result<Vec<ResourcePath>, (PathBuf, io::Error)> {
    let mut out = Vec::new();
    if !cover.include_git {
        out.extend(GIT_PATHS.iter().filter_map(|path| ResourcePath::new(path).ok()));
    }
    let root = fs::canonicalize(model).map_err(|source| (model.to_owned(), source))?;
    for path in cover.ignore.iter().chain(&cover.own).map(PathBuf::as_path).chain([signature]) {
        let resolved = resolve(path).map_err(|source| (path.to_owned(), source))?;
        // Outside the model, or with a name that no resource can have: nothing to leave out.
        let inside = resolved.strip_prefix(&root).ok().and_then(Path::to_str);
        out.extend(inside.and_then(|name| ResourcePath::new(name).ok()));
    }
    out.sort();
    out.dedup();
    Ok(out)
}

/// What of a model's folder is about the model and no part of it: the signature, and what was given as such.
pub(super) fn own_paths(
    model: &Path,
    signature: &Path,
    cover: &CoverOptions,
) -> Result<Vec<ResourcePath>, (PathBuf, io::Error)> {
    let own = CoverOptions { include_git: true, own: cover.own.clone(), ..CoverOptions::default() };
    ignored_paths(model, signature, &own)
}

/// The path without links on its way; the last part need not exist and is not followed, since it is the name that is
/// left out.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => Ok(fs::canonicalize(parent)?.join(name)),
        _ => fs::canonicalize(&path),
    }
}

/// Which file, in which state: what changes when a file is written, replaced or given another name.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp([i64; 4], [u64; 3]);

/// The state of every file, to be compared with what it is after they were read.
pub(super) fn stamps(files: &[FoundFile]) -> Result<Vec<Stamp>, DigestError> {
    let stamp = |file: &FoundFile| {
        let metadata = if file.symlink { fs::metadata(&file.path) } else { fs::symlink_metadata(&file.path) };
        let of = metadata.map_err(|source| DigestError::Io { path: file.path.clone(), source })?;
        let times = [of.mtime(), of.mtime_nsec(), of.ctime(), of.ctime_nsec()];
        Ok(Stamp(times, [of.dev(), of.ino(), of.size()]))
    };
    files.iter().map(stamp).collect()
}

/// Compares the state of every file with what it was.
pub(super) fn unchanged(files: &[FoundFile], before: &[Stamp]) -> Result<(), DigestError> {
    let now = stamps(files)?;
    let mut states = files.iter().zip(before.iter().zip(&now));
    match states.find(|(_, (before, now))| before != now) {
        Some((file, _)) => Err(DigestError::Changed(file.path.clone())),
        None => Ok(()),
    }
}
