//! Which files of a model count, and the files beside it.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bastide_signing::{MAX_BUNDLE_BYTES, ResourcePath};

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
    for path in cover.ignore.iter().map(PathBuf::as_path).chain([signature]) {
        let resolved = resolve(path).map_err(|source| (path.to_owned(), source))?;
        // Outside the model, or with a name that no resource can have: nothing to leave out.
        let inside = resolved.strip_prefix(&root).ok().and_then(Path::to_str);
        out.extend(inside.and_then(|name| ResourcePath::new(name).ok()));
    }
    out.sort();
    out.dedup();
    Ok(out)
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

/// Reads a signature or an attestation, as far as one may be long.
///
/// # Errors
/// What the system says.
pub fn read_signature_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One more than a bundle may have, so that a longer file is refused and not cut.
    File::open(path)?.take(MAX_BUNDLE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a signature or an attestation beside its place and renames it, so that there is never half of one.
///
/// # Errors
/// What the system says.
pub fn write_signature_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".partial");
    let beside = PathBuf::from(beside);
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::AlreadyExists) {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written
}
