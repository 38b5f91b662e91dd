//! The rules of dependencies.

use bastide_types::{Rule, Severity};

use crate::dependencies::Vulnerable;
use crate::remark::rule;

rule!(MALICIOUS, "dependency.malicious-package", Critical, Malicious, "package that was published to do harm",
    why: "installing or importing it runs its author's code",
    fix: "remove it; if it was installed anywhere, revoke what that machine could read",
    cwe: [506], atlas: ["AML.T0010.001"]);
rule!(CRITICAL, "dependency.vulnerable-critical", Critical, Review, "dependency with a critical vulnerability",
    why: "it is known how to take over what uses this version",
    fix: "update to a fixed version",
    cwe: [1395], atlas: ["AML.T0010.001"]);
rule!(HIGH, "dependency.vulnerable-high", High, Review, "dependency with a severe vulnerability",
    why: "it is known how to harm what uses this version",
    fix: "update to a fixed version",
    cwe: [1395], atlas: ["AML.T0010.001"]);
rule!(MEDIUM, "dependency.vulnerable-medium", Medium, Clean, "dependency with a vulnerability",
    why: "it is known how to harm what uses this version, under conditions",
    fix: "update to a fixed version",
    cwe: [1395], atlas: ["AML.T0010.001"]);
rule!(LOW, "dependency.vulnerable-low", Low, Clean, "dependency with a small vulnerability",
    why: "it is known how to harm what uses this version, a little or under rare conditions",
    fix: "update to a fixed version",
    cwe: [1395], atlas: ["AML.T0010.001"]);
/// An advisory that is older than the time for patches; for the caller, who has a clock.
pub const OVERDUE: Rule = Rule {
    id: "dependency.overdue",
    severity: Severity::High,
    effect: bastide_types::Assessment::Review,
    title: "patch is overdue",
    why: "the vulnerability has been public for longer than the agreed time",
    fix: "update to a fixed version, or write down why not and until when",
    cwe: &[1395],
    atlas: &["AML.T0010.001"],
};
rule!(UNPINNED, "dependency.unpinned", Low, Clean, "dependency without a version",
    why: "the next installation may take another version, and nobody will have looked at it",
    fix: "pin versions with digests, in a lock file",
    cwe: [1357, 829], atlas: ["AML.T0010.001"]);
rule!(INDEX, "dependency.second-index", Medium, Clean, "packages from two indexes",
    why: "whoever registers an internal name in the public index with a higher version is installed instead",
    fix: "use one index that mirrors the other, or bind names to indexes",
    cwe: [427], atlas: ["AML.T0010.001"]);
rule!(PLAIN_INDEX, "dependency.insecure-index", High, Review, "packages over an unprotected connection",
    why: "whoever stands between chooses what is installed",
    fix: "use `https` and drop `--trusted-host`",
    cwe: [319, 295, 494], atlas: ["AML.T0010.001"]);
rule!(UNFIXED_SOURCE, "dependency.moving-source", Low, Clean, "dependency from a branch or an address",
    why: "what the address holds may change between two installations",
    fix: "name the commit (forty digits) or add the digest",
    cwe: [494, 829], atlas: ["AML.T0010.001"]);
rule!(MALFORMED, "dependency.malformed", Medium, Unfinished, "lock file not readable to the end",
    why: "what was not read was not matched against advisories",
    fix: "write the lock file again with its tool",
    cwe: [20], atlas: []);
rule!(UNREAD, "dependency.unread-project", Low, Clean, "project file not readable",
    why: "what the project asks for was not matched against advisories; a template that is no TOML yet looks like this",
    fix: "scan the project that is made of it, or mend the file",
    cwe: [], atlas: []);

pub(crate) const RULES: &[&Rule] = &[
    &MALICIOUS,
    &CRITICAL,
    &HIGH,
    &MEDIUM,
    &LOW,
    &OVERDUE,
    &UNPINNED,
    &INDEX,
    &PLAIN_INDEX,
    &UNFIXED_SOURCE,
    &MALFORMED,
    &UNREAD,
];

/// The rule under which a match is reported: by its severity, and by whether the package itself is the attack.
#[must_use]
pub fn rule_for(found: &Vulnerable<'_>) -> &'static Rule {
    if found.malicious {
        return &MALICIOUS;
    }
    match found.severity {
        Severity::Critical => &CRITICAL,
        Severity::High => &HIGH,
        Severity::Medium => &MEDIUM,
        _ => &LOW,
    }
}
