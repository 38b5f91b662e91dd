//! Which files there are below the paths that were given.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::exclude::Exclude;
use crate::place::Here;
use crate::scan::{Options, STDIN};

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
    /// What it is called however its path was typed.
    pub(crate) place: PathBuf,
    pub(crate) size: u64,
    /// Why it cannot be read, where that is known already.
    pub(crate) fault: Option<String>,
    /// Where it leads, if it is a link out of the folder that was given.
    pub(crate) leads_out: Option<PathBuf>,
}

/// How deep folders are followed: deeper trees end as unreadable.
const DEPTH: usize = 64;

/// Folders of version control hold objects of the past in their own format, and no loader looks there by itself. What
/// names a file in one is found by what the files of a folder say of each other.
const PASSED_OVER: &[&str] = &[".git", ".hg", ".svn"];

/// What Git itself keeps at the top of its folder; anything else there was put there to be passed over.
const OF_GIT: &[&str] = &[
    "annex",
    "branches",
    "config",
    "config.worktree",
    "description",
    "filter-repo",
    "gc.pid",
    "gitk.cache",
    "hooks",
    "index",
    "info",
    "lfs",
    "logs",
    "modules",
    "objects",
    "packed-refs",
    "refs",
    "rr-cache",
    "shallow",
    "sharedindex",
    "worktrees",
    "xet",
];

/// All files at and below `paths`, in the order of the paths and within a folder by name.
///
/// A link to a file is followed, as loaders do. A link to a folder is followed only from the command line, so that no
/// tree is endless; one that leads out is there as unread. Folders of version control are left out, unless given, and so is
/// what the options exclude.
pub(crate) fn walk(paths: &[PathBuf], options: &Options) -> Found {
    let here = Here::new();
    let mut found = Found::default();
    for path in paths {
        let stdin = options.stdin.as_ref().filter(|_| path.as_os_str() == STDIN);
        if let Some(stdin) = stdin {
            let size = stdin.metadata().map_or(0, |metadata| metadata.len());
            let (path, place) = (path.clone(), path.clone());
            found.entries.push(Entry { path, place, size, fault: None, leads_out: None });
            continue;
        }
        let metadata = fs::metadata(path);
        let folder = metadata.as_ref().is_ok_and(fs::Metadata::is_dir);
        let place = if folder { here.folder(path) } else { here.place(path) };
        let mut walk = Walk { given: path, place: &place, exclude: &options.exclude, found: &mut found };
        if walk.is_excluded(path) {
            continue;
        }
        match metadata {
            Ok(_) if folder => {
                let root = fs::canonicalize(path).unwrap_or_else(|_| path.clone());
                walk.folder(path, &root, 0);
                found.roots.push(place);
            }
            Ok(metadata) => walk.add(path, metadata.len(), None, None),
            Err(error) => walk.fault(path, &error),
        }
    }
    found
}

/// What there is below the paths that were given.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    /// What the folders that were given are called.
    pub(crate) roots: Vec<PathBuf>,
    pub(crate) left_out: LeftOut,
}

/// What lies below the paths that were given and is not scanned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Folders of version control, but for what Git runs and what Git never writes.
    pub version_control: Vec<PathBuf>,
    /// Files and folders that a pattern left out, by the pattern.
    pub excluded: BTreeMap<String, u64>,
    /// Links to folders that are read where they are.
    pub links: u64,
}

/// One path that was given, and what is found below it.
struct Walk<'w> {
    given: &'w Path,
    /// What `given` is called.
    place: &'w Path,
    exclude: &'w Exclude,
    found: &'w mut Found,
}

/// What the system says, with what to do about it.
pub(crate) fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder: check the path".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "it may not be read: scan as a user who may read it, or change its permissions".to_owned()
        }
        _ => error.to_string(),
    }
}

impl Walk<'_> {
    fn add(&mut self, path: &Path, size: u64, fault: Option<String>, leads_out: Option<PathBuf>) {
        let place = self.place_of(path);
        self.found.entries.push(Entry { path: path.to_owned(), place, size, fault, leads_out });
    }

    fn fault(&mut self, path: &Path, error: &io::Error) {
        self.add(path, 0, Some(why(error)), None);
    }

    fn place_of(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(self.given) {
            Ok(below) if !below.as_os_str().is_empty() => self.place.join(below),
            _ => self.place.to_owned(),
        }
    }

    /// Whether a pattern leaves `path` out, which is counted.
    fn is_excluded(&mut self, path: &Path) -> bool {
        let place = self.place_of(path);
        let mut excluded = false;
        for pattern in self.exclude.of(&place) {
            let paths = self.found.left_out.excluded.entry(pattern.to_owned()).or_default();
            // Each path counts once; the other patterns that match it are not idle for it.
            *paths += u64::from(!excluded);
            excluded = true;
        }
        excluded
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
            if self.is_excluded(&path) {
                continue;
            }
            match entry.file_type() {
                Err(error) => self.fault(&path, &error),
                Ok(kind) if kind.is_dir() => {
                    if PASSED_OVER.iter().any(|name| entry.file_name() == *name) {
                        self.strangers(&path, root, depth + 1);
                        self.found.left_out.version_control.push(path);
                    } else {
                        self.folder(&path, root, depth + 1);
                    }
                }
                Ok(kind) => self.file(&path, kind.is_symlink(), root),
            }
        }
    }

    /// Reads what lies in a folder of version control and is none of its own.
    fn strangers(&mut self, folder: &Path, root: &Path, depth: usize) {
        if folder.file_name() != Some(".git".as_ref()) {
            return;
        }
        let listed: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
        let mut listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.fault(folder, &error),
        };
        let hooks = folder.join("hooks");
        if hooks.is_dir() {
            self.hooks(&hooks, root);
        }
        listed.retain(|entry| {
            let name = entry.file_name();
            // Git runs what these name.
            name == "config" || name == "config.worktree" || !is_of_git(&name.to_string_lossy())
        });
        listed.sort_by_key(fs::DirEntry::file_name);
        for entry in listed {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => self.folder(&entry.path(), root, depth + 1),
                Ok(kind) => self.file(&entry.path(), kind.is_symlink(), root),
                Err(error) => self.fault(&entry.path(), &error),
            }
        }
    }

    /// Reads the programs that Git runs by itself; the samples that every repository has are none.
    fn hooks(&mut self, folder: &Path, root: &Path) {
        let listed: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
        let mut listed = match listed {
            Ok(listed) => listed,
            Err(error) => return self.fault(folder, &error),
        };
        listed.sort_by_key(fs::DirEntry::file_name);
        for entry in listed {
            let sample = entry.path().extension().is_some_and(|extension| extension == "sample");
            match entry.file_type() {
                Ok(kind) if kind.is_file() && !sample => self.file(&entry.path(), false, root),
                Ok(kind) if kind.is_symlink() => self.file(&entry.path(), true, root),
                _ => {}
            }
        }
    }

    fn file(&mut self, path: &Path, link: bool, root: &Path) {
        let metadata = match fs::metadata(path) {
            // What lies inside is read where it is.
            Ok(metadata) if metadata.is_dir() && leads_out(path, root).is_none() => {
                self.found.left_out.links += 1;
                return;
            }
            Ok(metadata) if metadata.is_dir() => {
                let fault = Some("it is a link to a folder; give that folder to scan it too".to_owned());
                let leads_out = leads_out(path, root);
                self.add(path, 0, fault, leads_out);
                return;
            }
            Ok(metadata) => metadata,
            Err(error) => {
                let leads_out = leads_out(path, root).filter(|target| is_of_host(path, target));
                let fault = match (link, error.kind()) {
                    (true, io::ErrorKind::NotFound) => "it is a link to what is not there".to_owned(),
                    _ => why(&error),
                };
                self.add(path, 0, Some(fault), leads_out);
                return;
            }
        };
        let leads_out = if link { leads_out(path, root) } else { None };
        self.add(path, metadata.len(), None, leads_out);
    }
}

/// Whether Git keeps something of this name at the top of its folder: `HEAD` and its kin, their locks, and [`OF_GIT`].
fn is_of_git(name: &str) -> bool {
    let name = name.strip_suffix(".lock").unwrap_or(name);
    let of_refs = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    of_refs || name.starts_with("sharedindex.") || OF_GIT.contains(&name)
}

/// Where a link leads, if that is outside of `root`. The caches of model hubs keep a model as links to `blobs/DIGEST`
/// beside the folder of its snapshots, which is no way out.
pub(crate) fn leads_out(link: &Path, root: &Path) -> Option<PathBuf> {
    let target = fs::read_link(link).ok()?;
    let there = fs::canonicalize(link).ok();
    let inside = there.as_ref().is_some_and(|there| there.starts_with(root));
    let cached = target.is_relative() && there.is_some_and(|there| is_cached(link, &there));
    (!inside && !cached).then_some(target)
}

/// Whether a link leads to where hosts keep what is theirs: their settings, processes and keys. Where it leads nowhere on
/// this machine, its words decide.
pub(crate) fn is_of_host(link: &Path, target: &Path) -> bool {
    const PLACES: &[&str] =
        &["/boot/", "/dev/", "/etc/", "/proc/", "/run/", "/sys/", "/var/log/", "/var/run/"];
    const KEYS: &[&str] =
        &[".aws", ".azure", ".docker", ".git-credentials", ".gnupg", ".kube", ".netrc", ".ssh"];
    let there = fs::canonicalize(link).unwrap_or_else(|_| {
        let up =
            target.components().skip_while(|part| matches!(part, Component::ParentDir)).collect::<PathBuf>();
        if up.as_path() == target { up } else { Path::new("/").join(up) }
    });
    let text = format!("{}/", there.to_string_lossy());
    // Packages of a distribution keep their settings apart from the rest.
    if text.starts_with("/etc/") && is_installed(link) {
        return false;
    }
    PLACES.iter().any(|place| text.starts_with(place) && !text.starts_with("/dev/shm/"))
        || there.components().any(|part| KEYS.iter().any(|key| part.as_os_str() == *key))
}

/// Whether `link` belongs to a package of the system: nobody keeps models there.
fn is_installed(link: &Path) -> bool {
    let folder = link.parent().and_then(|folder| fs::canonicalize(folder).ok());
    folder.is_some_and(|folder| folder.starts_with("/usr") && !folder.starts_with("/usr/local"))
}

/// Whether `there` is where a hub's cache keeps what it shows as `link`: `NAME/snapshots/REVISION/…` for `NAME/blobs/DIGEST`.
fn is_cached(link: &Path, there: &Path) -> bool {
    let digest = there.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let (Some(blobs), Some(Ok(folder))) = (there.parent(), link.parent().map(fs::canonicalize)) else {
        return false;
    };
    matches!(digest.len(), 32 | 40 | 64)
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
        && blobs.file_name() == Some("blobs".as_ref())
        && blobs.parent().is_some_and(|name| {
            let mut shown = folder.strip_prefix(name).into_iter().flat_map(Path::components);
            shown.next() == Some(Component::Normal("snapshots".as_ref())) && shown.next().is_some()
        })
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
        for folder in ["b", "b/.git/objects", "hub/blobs", "hub/snapshots/1", "blobs"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let digest = "0123456789abcdef0123456789abcdef";
        let blobs = [format!("hub/blobs/{digest}"), format!("blobs/{digest}")];
        let of_git =
            ["b/.git/config", "b/.git/HEAD", "b/.git/index.lock", "b/.git/objects/x", "b/.git/shard.bin"];
        for file in
            ["a.bin", "b/z", "b/y"].iter().chain(&of_git).copied().chain(blobs.iter().map(String::as_str))
        {
            fs::write(root.path().join(file), file).unwrap();
        }
        let hub = root.path().join("hub/snapshots/1");
        symlink(format!("../../blobs/{digest}"), hub.join("model.safetensors")).unwrap();
        symlink("/etc/passwd", hub.join("weights.bin")).unwrap();
        symlink(format!("../../../blobs/{digest}"), hub.join("zero.bin")).unwrap();
        symlink(".", hub.join("again")).unwrap();
        symlink("../../../b", hub.join("elsewhere")).unwrap();
        fs::create_dir_all(root.path().join("b/.git/hooks")).unwrap();
        for hook in ["post-checkout", "pre-commit.sample"] {
            fs::write(root.path().join("b/.git/hooks").join(hook), "#!/bin/sh\n").unwrap();
        }

        let Found { entries, left_out, .. } = walk(&[root.path().to_owned()], &Options::default());
        let [blob, other] = &blobs;
        let expected = [
            "a.bin",
            "b/.git/hooks/post-checkout",
            "b/.git/config",
            "b/.git/shard.bin",
            "b/y",
            "b/z",
            other,
            blob,
            "hub/snapshots/1/model.safetensors",
            "hub/snapshots/1/weights.bin",
            "hub/snapshots/1/zero.bin",
        ];
        assert_eq!(names(&entries, root.path()), expected);
        assert_eq!(left_out.version_control, [root.path().join("b/.git")]);
        assert_eq!(left_out.links, 2, "`again` and `elsewhere`");

        let Found { entries, .. } = walk(&[hub, root.path().join("nothing")], &Options::default());
        assert!(entries[0].fault.as_deref().is_some_and(|f| f.contains("link to a folder")));
        assert!(entries[0].leads_out.is_some() && entries.iter().all(|e| !e.path.ends_with("again")));
        assert_eq!(entries[1].leads_out, None, "how a hub keeps its files");
        assert_eq!(entries[2].leads_out.as_deref(), Some(Path::new("/etc/passwd")));
        assert!(is_of_host(&entries[2].path, Path::new("/etc/passwd")));
        assert!(!is_of_host(&entries[3].path, Path::new("../../../blobs/x")));
        assert!(entries[3].leads_out.is_some(), "another folder of that name");
        assert!(entries[4].fault.is_some(), "what is not there is said");
    }
}
