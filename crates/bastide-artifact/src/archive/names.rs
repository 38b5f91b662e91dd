//! Names of members, as those who unpack them use them: as paths.

use bastide_types::{Assessment, Rule, Severity};

use crate::scan::{Scan, shown};

/// A member that is written outside the folder.
pub(crate) const ESCAPE: Rule = Rule {
    id: "archive.escape",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "member is written outside the folder",
    why: "unpacking overwrites files of the user, such as start scripts or keys",
    fix: "do not unpack the archive",
    cwe: &[22, 23, 36],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A link that leads outside.
pub(crate) const LINK_ESCAPE: Rule = Rule {
    id: "archive.link-escape",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "link leads outside the folder",
    why: "whoever unpacks the archive reads or writes files through the link",
    fix: "do not unpack the archive",
    cwe: &[59, 61],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A link that stays inside.
pub(crate) const LINK: Rule = Rule {
    id: "archive.link",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "archive holds a link",
    why: "what is loaded under this name is another file of the archive, which is assessed itself",
    fix: "nothing to do",
    cwe: &[59],
    atlas: &[],
};

/// A link of a system that is packed as a whole.
pub(crate) const ROOTED_LINK: Rule = Rule {
    id: "archive.rooted-link",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "link counts from where a system begins",
    why: "the archive holds files of a system, as packages and images do; unpacked elsewhere, the link leads out of the folder",
    fix: "install the package, or start the image, instead of unpacking it",
    cwe: &[59],
    atlas: &[],
};

/// A name that programs read in different ways.
pub(crate) const NAME: Rule = Rule {
    id: "archive.name",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "name that programs read in different ways",
    why: "two programs take two different files for this member",
    fix: "ask the publisher for an archive with plain names",
    cwe: &[41, 176],
    atlas: &[],
};

/// A name with an end in the middle.
pub(crate) const NUL: Rule = Rule {
    id: "archive.name-nul",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "name ends in the middle",
    why: "Python's zipfile cuts the name at the NUL and PyTorch does not: the scanner and the loader see other members",
    fix: "do not load the file",
    cwe: &[158, 436],
    atlas: &["AML.T0010.003"],
};

/// Where a path leads from the folder it is unpacked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Inside,
    /// Up and down again, without leaving.
    Winding,
    Outside,
}

/// Where `path` leads from `depth` folders below the top.
pub(super) fn way(path: &str, depth: usize) -> Way {
    let drive = matches!(path.as_bytes(), [b'a'..=b'z' | b'A'..=b'Z', b':', b'/' | b'\\', ..]);
    let home = matches!(path.as_bytes(), [b'~', b'/' | b'\\', ..]);
    if drive || home || path.starts_with(['/', '\\']) {
        return Way::Outside;
    }
    let mut level = depth;
    let mut winding = false;
    for part in path.split(['/', '\\']) {
        match part.trim_end_matches(' ') {
            "" | "." => {}
            ".." => {
                winding = true;
                match level.checked_sub(1) {
                    Some(up) => level = up,
                    None => return Way::Outside,
                }
            }
            _ => level += 1,
        }
    }
    if winding { Way::Winding } else { Way::Inside }
}

/// Judges the name of a member; whether it is one that stays inside.
pub(crate) fn check(name: &str, offset: u64, scan: &mut Scan<'_>) -> bool {
    if name.contains('\0') {
        scan.find(&NUL, offset, format!("member `{}`", shown(name)));
    }
    match way(name, 0) {
        Way::Outside => {
            scan.find(&ESCAPE, offset, format!("member `{}`", shown(name)));
            return false;
        }
        Way::Winding => scan.find(&NAME, offset, format!("member `{}` leads up and down again", shown(name))),
        Way::Inside if way(&decoded(name), 0) == Way::Outside => {
            scan.find(&NAME, offset, format!("member `{}` leads outside once it is decoded", shown(name)));
        }
        Way::Inside => {}
    }
    true
}

/// Whether `path` goes up after it went down.
pub(super) fn turns_back(path: &str) -> bool {
    let mut parts = path.split(['/', '\\']).filter(|part| !matches!(*part, "" | "."));
    parts.any(|part| part != "..") && parts.any(|part| part == "..")
}

/// As a program sees the name that decodes escapes or look-alikes of dots and strokes.
fn decoded(name: &str) -> String {
    const ALIKE: &[(&str, &str)] = &[
        ("%25", "%"),
        ("%2e", "."),
        ("%2f", "/"),
        ("%5c", "\\"),
        ("\u{ff0e}", "."),
        ("\u{2024}", "."),
        ("\u{2025}", ".."),
        ("\u{ff0f}", "/"),
        ("\u{2215}", "/"),
        ("\u{2044}", "/"),
        ("\u{ff3c}", "\\"),
    ];
    ALIKE.iter().fold(name.to_ascii_lowercase(), |name, (from, to)| name.replace(from, to))
}

/// A name as file systems that fold case and drop trailing dots see it.
pub(crate) fn folded(name: &str) -> String {
    let name = name.trim_end_matches('/').to_lowercase();
    let parts: Vec<&str> = name.split(['/', '\\']).map(|part| part.trim_end_matches(['.', ' '])).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_are_told_from_those_that_do_not() {
        for path in [
            "/etc/passwd",
            "C:/x",
            "c:\\x",
            "..",
            "a/../../b",
            "..\\x",
            "a\\..\\..\\x",
            "\\\\host\\x",
            "~/.bashrc",
            ".. /x",
        ] {
            assert_eq!(way(path, 0), Way::Outside, "{path}");
        }
        for path in
            ["a/b", "./a", "..a/b", "a..b", "a/...", "dense/kernel:0", "a:0/b", "~lock", "archive/data/0"]
        {
            assert_eq!(way(path, 0), Way::Inside, "{path}");
        }
        assert_eq!(way("a/../b", 0), Way::Winding);
        assert_eq!(way("../b", 1), Way::Winding);
        assert_eq!(way(&decoded("%2e%2e%2Fx"), 0), Way::Outside);
        assert_eq!(way(&decoded("%252e%252e/x"), 0), Way::Outside);
    }

    #[test]
    fn targets_that_turn_back_are_told_from_those_that_go_up_first() {
        assert!(!turns_back("../../lib/x"));
        assert!(!turns_back("./lib/x"));
        assert!(turns_back("lib/../x"));
        assert!(turns_back("../lib/.."));
    }

    #[test]
    fn names_that_fall_together_are_found() {
        assert_eq!(folded("A/Data.PKL. "), folded("a/data.pkl"));
        assert_ne!(folded("a/b"), folded("a/c"));
    }
}
