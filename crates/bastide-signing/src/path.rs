//! Names of files inside a model: relative, in POSIX form, with one spelling each.

use std::fmt;

/// The longest name of a resource, in bytes: the longest path that Linux opens.
pub const MAX_PATH_BYTES: usize = 4096;

/// The path of a file, relative to the model's root.
///
/// Never empty, absolute, or with an empty, `.` or `..` part; no NUL and no backslash, which one system reads as a
/// letter and another as a separator. So one file has one name, and a name never leads out of the model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourcePath(String);

/// A name that is none, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing, or a part that is empty or `.`.
    #[error("a part of it is empty or `.`")]
    EmptyPart,
    /// From the root of the file system.
    #[error("it is absolute")]
    Absolute,
    /// Out of the model.
    #[error("it leads out of the model")]
    Parent,
    /// A backslash, or a control character.
    #[error("it holds a backslash or a control character")]
    Character,
    /// Beyond [`MAX_PATH_BYTES`].
    #[error("it is longer than {MAX_PATH_BYTES} bytes")]
    TooLong,
}

impl ResourcePath {
    /// Checks the name.
    ///
    /// # Errors
    /// When it is not relative, has several spellings or leads out of the model.
    pub fn new(name: &str) -> Result<Self, PathError> {
        if name.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        if name.starts_with('/') {
            return Err(PathError::Absolute);
        }
        if name.contains(|letter: char| letter == '\\' || letter.is_ascii_control()) {
            return Err(PathError::Character);
        }
        for part in name.split('/') {
            match part {
                "" | "." => return Err(PathError::EmptyPart),
                ".." => return Err(PathError::Parent),
                _ => {}
            }
        }
        Ok(ResourcePath(name.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is `folder` or lies in it.
    #[must_use]
    pub fn is_in(&self, folder: &ResourcePath) -> bool {
        let rest = self.0.strip_prefix(&folder.0);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_plain_relative_names_pass() {
        for name in ["a", "a/b", "tok.json", "tok/a", ".git", "..a", "a..", "a b/ü/日本", "C:", "a:0:1"] {
            assert!(ResourcePath::new(name).is_ok(), "{name}");
        }
        for (name, error) in [
            ("", PathError::EmptyPart),
            (".", PathError::EmptyPart),
            ("a//b", PathError::EmptyPart),
            ("a/", PathError::EmptyPart),
            ("./a", PathError::EmptyPart),
            ("/a", PathError::Absolute),
            ("..", PathError::Parent),
            ("a/../b", PathError::Parent),
            ("a\\..\\b", PathError::Character),
            ("a\0", PathError::Character),
            ("a\nb", PathError::Character),
        ] {
            assert_eq!(ResourcePath::new(name), Err(error), "{name:?}");
        }
        assert_eq!(ResourcePath::new(&"a".repeat(4097)), Err(PathError::TooLong));
    }

    #[test]
    fn a_folder_holds_what_is_in_it_and_no_namesake() {
        let path = |name| ResourcePath::new(name).unwrap();
        assert!(path(".git/x").is_in(&path(".git")) && path(".git").is_in(&path(".git")));
        assert!(!path(".gitignore").is_in(&path(".git")) && !path("a/.git").is_in(&path(".git")));
    }

    proptest! {
        #[test]
        fn what_passes_stays_inside(name in "[./a\\\\\\x00é:]{0,12}") {
            if let Ok(path) = ResourcePath::new(&name) {
                let joined = std::path::Path::new("/root").join(path.as_str());
                prop_assert!(joined.components().all(|c| c != std::path::Component::ParentDir));
                prop_assert!(joined.starts_with("/root") && joined != std::path::Path::new("/root"));
            }
        }
    }
}
