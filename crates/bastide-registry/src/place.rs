//! What a file is called, however somebody typed the path to it.

use std::fs;
use std::path::{Component, Path, PathBuf};

/// The folder that commands are given in, from which files are called.
///
/// A suppression, a baseline or a report that goes by `m/a.pkl` holds for that file whether the scan was given `m`, `./m/`,
/// `m/a.pkl`, `.` or `/home/me/project`.
pub(crate) struct Here(Option<PathBuf>);

impl Here {
    pub(crate) fn new() -> Self {
        Here(std::env::current_dir().and_then(fs::canonicalize).ok())
    }

    /// The path from here where it lies below, else the absolute path. Links on the way are followed, the last part is not:
    /// it is the name.
    pub(crate) fn place(&self, path: &Path) -> PathBuf {
        self.below(&absolute(path))
    }

    /// The same for a folder whose files are listed, followed where it is a link itself.
    pub(crate) fn folder(&self, path: &Path) -> PathBuf {
        self.below(&fs::canonicalize(path).unwrap_or_else(|_| absolute(path)))
    }

    /// A pattern as it is matched with places: `./m/*` and `/home/me/project/m/*` are `m/*`.
    pub(crate) fn pattern<'p>(&self, pattern: &'p str) -> &'p str {
        let here = self.0.as_deref().and_then(Path::to_str);
        let below = here.and_then(|here| pattern.strip_prefix(here)?.strip_prefix('/'));
        let mut pattern = below.unwrap_or(pattern);
        while let Some(rest) = pattern.strip_prefix("./") {
            pattern = rest;
        }
        pattern.trim_end_matches('/')
    }

    fn below(&self, path: &Path) -> PathBuf {
        let rest = self.0.as_deref().and_then(|here| path.strip_prefix(here).ok());
        rest.unwrap_or(path).to_owned()
    }
}

fn absolute(path: &Path) -> PathBuf {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let Some(Component::Normal(name)) = whole.components().next_back() else {
        return fs::canonicalize(&whole).unwrap_or(whole);
    };
    match whole.parent().map(fs::canonicalize) {
        Some(Ok(folder)) => folder.join(name),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_has_one_name() {
        let root = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(root.path()).unwrap();
        fs::create_dir_all(root.join("m/sub")).unwrap();
        fs::write(root.join("m/a"), "").unwrap();
        std::os::unix::fs::symlink("m", root.join("link")).unwrap();
        let here = Here(Some(root.clone()));
        for typed in ["m/a", "m/./a", "m//a", "m/sub/../a", "link/a"] {
            assert_eq!(here.place(&root.join(typed)), Path::new("m/a"), "{typed}");
        }
        for typed in ["m", "m/", "./m", "m/sub/..", "link"] {
            assert_eq!(here.folder(&root.join(typed)), Path::new("m"), "{typed}");
        }
        assert_eq!(here.folder(&root), Path::new(""));
        assert_eq!(here.place(Path::new("/nowhere/at/all")), Path::new("/nowhere/at/all"));
        let absolute = root.join("m/*.pkl").display().to_string();
        assert_eq!(here.pattern(&absolute), "m/*.pkl");
        assert_eq!(here.pattern("././m/"), "m");
        assert_eq!(here.pattern("/other/**"), "/other/**");
    }
}
