//! What people leave out of a scan.

use std::path::Path;

use crate::place::Here;
use crate::suppress::MATCH;

/// Patterns of files and folders that are not scanned.
#[derive(Clone, Debug, Default)]
pub struct Exclude(Vec<One>);

#[derive(Clone, Debug)]
struct One {
    /// As it was given.
    given: String,
    pattern: glob::Pattern,
    /// Whether it is a name at any depth, because it has no folder in it.
    name: bool,
}

/// A pattern that is none.
#[derive(Debug, thiserror::Error)]
#[error("`{pattern}` is no pattern: {source}")]
pub struct ExcludeError {
    pattern: String,
    source: glob::PatternError,
}

impl Exclude {
    /// A pattern without `/` is the name of a file or folder at any depth; one with it is a path from the working folder.
    /// `*` stands for any part of a name, `**` for any folders. A folder that matches is left out whole.
    ///
    /// # Errors
    ///
    /// Where one is no pattern.
    pub fn new(patterns: &[String]) -> Result<Self, ExcludeError> {
        let here = Here::new();
        let one = |given: &String| {
            let bare = here.pattern(given);
            let pattern =
                glob::Pattern::new(bare).map_err(|source| ExcludeError { pattern: given.clone(), source })?;
            Ok(One { given: given.clone(), pattern, name: !bare.contains('/') })
        };
        patterns.iter().map(one).collect::<Result<_, _>>().map(Exclude)
    }

    /// The patterns that leave out what is at `place`.
    pub(crate) fn of(&self, place: &Path) -> impl Iterator<Item = &str> {
        let matches = move |one: &&One| {
            let by_name = one.name.then(|| place.file_name()).flatten().map(Path::new);
            one.pattern.matches_path_with(by_name.unwrap_or(place), MATCH)
        };
        self.0.iter().filter(matches).map(|one| one.given.as_str())
    }

    /// The patterns as they were given.
    pub(crate) fn given(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|one| one.given.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_counts_anywhere_and_a_path_from_here() {
        let patterns = ["*.md", "tests/", "./m/old/**", "data/*.csv"].map(str::to_owned);
        let exclude = Exclude::new(&patterns).unwrap();
        let of = |place: &'static str| exclude.of(Path::new(place)).next();
        assert_eq!(of("a/b/README.md"), Some("*.md"));
        assert_eq!(of("a/tests"), Some("tests/"));
        assert_eq!(of("m/old/x/y"), Some("./m/old/**"));
        assert_eq!(of("data/a.csv"), Some("data/*.csv"));
        assert_eq!(of("b/data/a.csv"), None);
        assert_eq!(of("data/sub/a.csv"), None, "`*` ends at a folder");
        assert!(Exclude::new(&["a[".to_owned()]).is_err());
    }
}
