//! Which files there are below the paths that were given.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Told while work goes on, from any thread.
pub trait Progress: Sync {
    /// So many files and bytes are to be read.
    fn planned(&self, files: u64, bytes: u64);
    /// So many more bytes are done with.
    fn read(&self, bytes: u64);
    /// One more file is done with.
    fn finished(&self, path: &Path);
}

/// For work that nobody watches.
impl Progress for () {
    fn planned(&self, _files: u64, _bytes: u64) {}
    fn read(&self, _bytes: u64) {}
    fn finished(&self, _path: &Path) {}
}

/// One file to be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) path: PathBuf,
    pub(crate) size: u64,
    /// Why it cannot be read, where that is known already.
    pub(crate) fault: Option<String>,
    /// Where it leads, if it is a link out of the folder that was given.
    pub(crate) leads_out: Option<PathBuf>,
}

/// How deep folders are followed: deeper trees end as unreadable.
const DEPTH: usize = 64;

/// Folders of version control hold objects of the past in their own format, and no loader looks there.
const PASSED_OVER: &[&str] = &[".git", ".hg", ".svn"];

/// All files at and below `paths`, in the order of the paths and within a folder by name.
///
/// A link to a file is followed, as loaders do. A link to a folder is followed only from the command line, so that no
/// tree is endless. Folders of version control are left out, unless given; their paths are returned beside.
pub(crate) fn walk(paths: &[PathBuf]) -> (Vec<Entry>, Vec<PathBuf>) {
    let mut walk = Walk { entries: Vec::new(), passed_over: Vec::new() };
    for path in paths {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                let root = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                walk.folder(path, &root, 0);
            }
            Ok(metadata) => walk.entries.push(Entry {
                path: path.clone(),
                size: metadata.len(),
                fault: None,
                leads_out: None,
            }),
            Err(error) => walk.fault(path, &error),
        }
    }
    (walk.entries, walk.passed_over)
}

struct Walk {
    entries: Vec<Entry>,
    passed_over: Vec<PathBuf>,
}

impl Walk {
    fn fault(&mut self, path: &Path, why: &io::Error) {
        let fault = Some(why.to_string());
        self.entries.push(Entry { path: path.to_owned(), size: 0, fault, leads_out: None });
    }

    fn folder(&mut self, folder: &Path, root: &Path, depth: usize) {
        if depth > DEPTH {
            return self.fault(folder, &io::Error::other(format!("it lies deeper than {DEPTH} folders")));
        }
        let listed: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
        let mut listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.fault(folder, &error),
        };
        listed.sort_by_key(fs::DirEntry::file_name);
        for entry in listed {
            let path = entry.path();
            match entry.file_type() {
                Err(error) => self.fault(&path, &error),
                Ok(kind) if kind.is_dir() => {
                    if PASSED_OVER.iter().any(|name| entry.file_name() == *name) {
                        self.passed_over.push(path);
                    } else {
                        self.folder(&path, root, depth + 1);
                    }
                }
                Ok(kind) => self.file(&path, kind.is_symlink(), root),
            }
        }
    }

    fn file(&mut self, path: &Path, link: bool, root: &Path) {
        let metadata = match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                return self.fault(
                    path,
                    &io::Error::other("it is a link to a folder; give that folder to scan it too"),
                );
            }
            Ok(metadata) => metadata,
            Err(error) => return self.fault(path, &error),
        };
        let leads_out = if link { leads_out(path, root) } else { None };
        self.entries.push(Entry { path: path.to_owned(), size: metadata.len(), fault: None, leads_out });
    }
}

/// Where a link leads, if that is outside of `root`. The caches of model hubs keep a model as links to `blobs/DIGEST`
/// two folders above, which is no way out.
pub(crate) fn leads_out(link: &Path, root: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let inside = fs::canonicalize(link).is_ok_and(|there| there.starts_with(root));
    let blob = target.is_relative()
        && target.components().rev().nth(1) == Some(Component::Normal("blobs".as_ref()))
        && target
            .file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.len() >= 32 && n.bytes().all(|b| b.is_ascii_hexdigit()));
    (!inside && !blob).then_some(target)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(entries: &[Entry], root: &Path) -> Vec<String> {
        entries.iter().map(|e| e.path.strip_prefix(root).unwrap_or(&e.path).display().to_string()).collect()
    }

    #[test]
    fn files_come_in_order_links_are_followed_and_version_control_is_not() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["b", "b/.git", "hub/blobs", "hub/snapshots/1"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let digest = "0123456789abcdef0123456789abcdef";
        for file in ["a.bin", "b/z", "b/y", "b/.git/config", &format!("hub/blobs/{digest}")] {
            fs::write(root.path().join(file), file).unwrap();
        }
        let hub = root.path().join("hub/snapshots/1");
        symlink(format!("../../blobs/{digest}"), hub.join("model.safetensors")).unwrap();
        symlink("/etc/passwd", hub.join("weights.bin")).unwrap();
        symlink(".", hub.join("again")).unwrap();

        let (entries, passed_over) = walk(&[root.path().to_owned()]);
        let blob = format!("hub/blobs/{digest}");
        let expected = [
            "a.bin",
            "b/y",
            "b/z",
            &blob,
            "hub/snapshots/1/again",
            "hub/snapshots/1/model.safetensors",
            "hub/snapshots/1/weights.bin",
        ];
        assert_eq!(names(&entries, root.path()), expected);
        assert_eq!(passed_over, [root.path().join("b/.git")]);

        let (entries, _) = walk(&[hub, root.path().join("nothing")]);
        assert!(entries[0].fault.as_deref().is_some_and(|f| f.contains("link to a folder")));
        assert_eq!(entries[1].leads_out, None, "how a hub keeps its files");
        assert_eq!(entries[2].leads_out.as_deref(), Some(Path::new("/etc/passwd")));
        assert!(entries[3].fault.is_some(), "what is not there is said");
    }
}
