//! Rules that every format shares, and the list of all.

use bastide_types::{Assessment, Rule, Severity};

/// The bytes end too early.
pub(crate) const TRUNCATED: Rule = Rule {
    id: "file.truncated",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "file is cut off",
    why: "what is missing cannot be assessed, and a loader may read another part of the file instead",
    fix: "fetch the file again and compare its digest with the publisher's",
    cwe: &[1287],
    atlas: &[],
};

/// The bytes are not what they claim.
pub(crate) const MALFORMED: Rule = Rule {
    id: "file.malformed",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "file does not follow its format",
    why: "a loader that is more lenient than the scanner would read something that was not assessed",
    fix: "ask the publisher for a file that its own library writes; do not load this one",
    cwe: &[1286],
    atlas: &[],
};

/// The bytes cannot be had.
pub(crate) const UNREADABLE: Rule = Rule {
    id: "file.unreadable",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "file cannot be read",
    why: "what was not read was not assessed",
    fix: "see that the file is there and may be read, then scan again",
    cwe: &[],
    atlas: &[],
};

/// The scan would cost too much.
pub(crate) const LIMIT: Rule = Rule {
    id: "file.limit",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "file needs more than the scan may spend",
    why: "what lies beyond the limit was not assessed",
    fix: "raise the limit if the file is trusted to be this large, or treat it as hostile",
    cwe: &[400],
    atlas: &[],
};

/// Files within files within files.
pub(crate) const DEPTH: Rule = Rule {
    id: "archive.depth",
    severity: Severity::High,
    effect: Assessment::Unfinished,
    title: "files nested too deeply",
    why: "no library writes models this deep; nesting is a way around scanners",
    fix: "unpack the file in a sandbox and scan the parts",
    cwe: &[409],
    atlas: &[],
};

/// Every rule, in the order of the documentation.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    const SHARED: &[&Rule] = &[&TRUNCATED, &MALFORMED, &UNREADABLE, &LIMIT, &DEPTH];
    let own = SHARED.iter().chain(crate::format::rules()).chain(crate::folder::RULES).copied();
    own.chain(bastide_code::rules())
}
