//! Which files a model is: every regular file in its folder that is not ignored.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::shown::Shown;

use bastide_signing::{MAX_RESOURCES, PathError, ResourcePath};

/// The deepest folder. Real models have three or four levels.
const MAX_DEPTH: usize = 64;

/// What to look past and what to refuse.
#[derive(Clone, Debug, Default)]
pub struct WalkOptions {
    /// Whether a symbolic link to a file counts as that file, wherever it is. Links to folders never count: what is in
    /// them would be loaded and not be covered.
    pub allow_symlinks: bool,
    /// Files that are left out, and folders with all that is in them.
    pub ignored: Vec<ResourcePath>,
}

/// A file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundFile {
    /// Its name in the model; none where the model is this file.
    pub name: Option<ResourcePath>,
    /// Where it is.
    pub path: PathBuf,
    /// How long it is.
    pub bytes: u64,
    /// Whether the name is a symbolic link.
    pub symlink: bool,
}

/// What a model is, and what is beside it in its folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Its files, in the order of their names.
    pub files: Vec<FoundFile>,
    /// What was looked past: files, and folders with all that is in them.
    pub left_out: Vec<ResourcePath>,
    /// Folders with nothing in them, which a list of files cannot speak of.
    pub empty_folders: Vec<ResourcePath>,
}

/// A folder that is no model.
#[derive(Debug, thiserror::Error)]
pub enum WalkError {
    /// A file or folder could not be looked at.
    #[error("`{}` cannot be read", Shown(path))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A link where none is allowed.
    #[error("`{}` is a symbolic link; allow links to files, or ignore it", Shown(.0))]
    Symlink(PathBuf),
    /// A link to a folder, whose files would not be covered.
    #[error("`{}` is a symbolic link to a folder, whose files would not be covered; ignore it", Shown(.0))]
    SymlinkToFolder(PathBuf),
    /// A pipe, socket or device.
    #[error("`{}` is neither a file nor a folder; ignore it", Shown(.0))]
    Special(PathBuf),
    /// A name that signatures cannot hold.
    #[error("`{}` cannot be signed under this name: {why}", Shown(path))]
    Name {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        why: PathError,
    },
    /// A name that is not text.
    #[error("`{}` cannot be signed: its name is not UTF-8", Shown(.0))]
    NotUtf8(PathBuf),
    /// Too many files, or too deep.
    #[error("`{}` has more than {MAX_RESOURCES} files or more than {MAX_DEPTH} levels", Shown(.0))]
    TooLarge(PathBuf),
}

/// Lists the files of a model.
///
/// # Errors
/// When something in it cannot be read or named, or is no file, folder or allowed link.
pub fn walk(model: &Path, options: &WalkOptions) -> Result<Walked, WalkError> {
    let metadata = fs::metadata(model).map_err(|source| io_error(model, source))?;
    if metadata.is_file() {
        let file = FoundFile { name: None, path: model.to_owned(), bytes: metadata.len(), symlink: true };
        return Ok(Walked { files: vec![file], ..Walked::default() });
    }
    let (mut found, mut left_out, mut empty_folders) = (Vec::new(), Vec::new(), Vec::new());
    let mut folders = vec![(model.to_owned(), None::<ResourcePath>, 0)];
    while let Some((folder, name, depth)) = folders.pop() {
        if depth > MAX_DEPTH {
            return Err(WalkError::TooLarge(model.to_owned()));
        }
        let mut empty = true;
        for entry in fs::read_dir(&folder).map_err(|source| io_error(&folder, source))? {
            empty = false;
            let entry = entry.map_err(|source| io_error(&folder, source))?;
            let path = entry.path();
            let child = name_in(name.as_ref(), &path)?;
            if options.ignored.iter().any(|ignored| child.is_in(ignored)) {
                left_out.push(child);
                continue;
            }
            let kind = entry.file_type().map_err(|source| io_error(&path, source))?;
            if kind.is_dir() {
                folders.push((path, Some(child), depth + 1));
                continue;
            }
            let bytes = length(&path, kind, options.allow_symlinks)?;
            found.push(FoundFile { name: Some(child), path, bytes, symlink: kind.is_symlink() });
            if found.len() > MAX_RESOURCES {
                return Err(WalkError::TooLarge(model.to_owned()));
            }
        }
        empty_folders.extend(name.filter(|_| empty));
        if empty_folders.len() > MAX_RESOURCES {
            return Err(WalkError::TooLarge(model.to_owned()));
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    left_out.sort();
    empty_folders.sort();
    Ok(Walked { files: found, left_out, empty_folders })
}

fn name_in(folder: Option<&ResourcePath>, path: &Path) -> Result<ResourcePath, WalkError> {
    let last = path.file_name().and_then(|name| name.to_str());
    let last = last.ok_or_else(|| WalkError::NotUtf8(path.to_owned()))?;
    let name = folder.map_or_else(|| last.to_owned(), |folder| format!("{folder}/{last}"));
    ResourcePath::new(&name).map_err(|why| WalkError::Name { path: path.to_owned(), why })
}

fn length(path: &Path, kind: FileType, allow_symlinks: bool) -> Result<u64, WalkError> {
    if kind.is_symlink() && !allow_symlinks {
        return Err(WalkError::Symlink(path.to_owned()));
    }
    // Follows the link, if it is one.
    let metadata = fs::metadata(path).map_err(|source| io_error(path, source))?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else if metadata.is_dir() {
        Err(WalkError::SymlinkToFolder(path.to_owned()))
    } else {
        Err(WalkError::Special(path.to_owned()))
    }
}

fn io_error(path: &Path, source: io::Error) -> WalkError {
    WalkError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn names(root: &Path, options: &WalkOptions) -> Vec<String> {
        walk(root, options).unwrap().files.into_iter().map(|file| file.name.unwrap().to_string()).collect()
    }

    #[test]
    fn files_come_in_the_order_of_names_without_what_is_ignored() {
        let root = tree(&["tok/a", "tok.json", ".git/config", ".gitignore", "sub/.git/x", "ü b"]);
        fs::create_dir(root.path().join("empty")).unwrap();
        let ignored = vec![ResourcePath::new(".git").unwrap()];
        let options = WalkOptions { allow_symlinks: false, ignored };
        let walked = walk(root.path(), &options).unwrap();
        assert_eq!(walked.left_out, options.ignored);
        assert_eq!(walked.empty_folders, [ResourcePath::new("empty").unwrap()]);
        let found = names(root.path(), &options);
        assert_eq!(found, [".gitignore", "sub/.git/x", "tok.json", "tok/a", "ü b"]);
    }

    #[test]
    fn links_count_only_when_allowed_and_only_to_files() {
        let root = tree(&["a", "d/b"]);
        symlink(root.path().join("a"), root.path().join("link")).unwrap();
        let strict = WalkOptions::default();
        let lenient = WalkOptions { allow_symlinks: true, ..WalkOptions::default() };
        assert!(matches!(walk(root.path(), &strict), Err(WalkError::Symlink(_))));
        assert_eq!(names(root.path(), &lenient), ["a", "d/b", "link"]);
        symlink(root.path().join("d"), root.path().join("folder")).unwrap();
        assert!(matches!(walk(root.path(), &lenient), Err(WalkError::SymlinkToFolder(_))));
        let ignored = vec![ResourcePath::new("folder").unwrap(), ResourcePath::new("link").unwrap()];
        assert_eq!(names(root.path(), &WalkOptions { ignored, ..strict }), ["a", "d/b"]);
    }

    #[test]
    fn what_has_no_name_or_no_content_is_refused() {
        let root = tree(&["back\\slash"]);
        let options = WalkOptions::default();
        assert!(matches!(
            walk(root.path(), &options),
            Err(WalkError::Name { why: PathError::Character, .. })
        ));
        let root = tree(&["a"]);
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
        assert!(matches!(walk(root.path(), &options), Err(WalkError::NotUtf8(_))));
        let root = tree(&["a"]);
        let socket = root.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(matches!(walk(root.path(), &options), Err(WalkError::Special(_))));
        assert!(matches!(walk(Path::new("/nowhere/at/all"), &options), Err(WalkError::Io { .. })));
    }

    #[test]
    fn a_model_may_be_one_file() {
        let root = tree(&["model.gguf"]);
        let found = walk(&root.path().join("model.gguf"), &WalkOptions::default()).unwrap().files;
        assert_eq!((found.len(), &found[0].name, found[0].bytes), (1, &None, 10));
    }
}
