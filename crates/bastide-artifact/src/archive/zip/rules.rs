//! What is wrong with zip archives that two readers read in two ways.

use bastide_types::{Assessment, Rule, Severity};

/// Two readers, two contents.
pub(crate) const MISMATCH: Rule = Rule {
    id: "zip.mismatch",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "archive contradicts itself",
    why: "one reader takes the directory and another the headers: the scanner sees another file than the loader \
          (CVE-2025-1944)",
    fix: "do not load the file; no library writes such an archive",
    cwe: &[436, 693],
    atlas: &["AML.T0010.003", "AML.T0018"],
};

/// Plain data that is said to be encrypted.
pub(crate) const FLAGS: Rule = Rule {
    id: "zip.flags",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "plain data flagged as encrypted",
    why: "PyTorch ignores the flag and loads the data, while scanners that heed it see nothing (CVE-2025-1945)",
    fix: "do not load the file",
    cwe: &[436, 693],
    atlas: &["AML.T0010.003", "AML.T0018"],
};

/// Data that cannot be read.
pub(crate) const ENCRYPTED: Rule = Rule {
    id: "archive.encrypted",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "content is encrypted",
    why: "what cannot be read was not assessed",
    fix: "decrypt the archive and scan its content",
    cwe: &[],
    atlas: &[],
};

/// A packer that is not known here.
pub(crate) const UNSUPPORTED: Rule = Rule {
    id: "archive.unsupported",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "content is packed in an unusual way",
    why: "what cannot be unpacked was not assessed",
    fix: "unpack the archive in a sandbox and scan the parts",
    cwe: &[],
    atlas: &[],
};

/// What stands in the archive and in no list.
pub(crate) const HIDDEN: Rule = Rule {
    id: "zip.hidden",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "data that the directory does not list",
    why: "readers that go through the archive from its start see more than those that ask the directory",
    fix: "pack the members again with a common tool",
    cwe: &[436],
    atlas: &["AML.T0010.003"],
};

/// Something else before the archive.
pub(crate) const PREFIX: Rule = Rule {
    id: "zip.prefix",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "data before the archive",
    why: "readers that look at the start of the file take it for something else",
    fix: "ask the publisher why the archive does not begin with the file",
    cwe: &[436],
    atlas: &[],
};

/// Two formats in one file.
pub(crate) const MIXED: Rule = Rule {
    id: "archive.mixed",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "archive behind a file of another format",
    why: "one loader reads the file from its start and another from its end: they load two different models",
    fix: "do not load the file",
    cwe: &[436, 693],
    atlas: &["AML.T0010.003", "AML.T0018"],
};

/// A wrong checksum.
pub(crate) const CHECKSUM: Rule = Rule {
    id: "zip.checksum",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "wrong checksum",
    why: "the file was damaged or changed; PyTorch loads it all the same, and some scanners stop (CVE-2025-10156)",
    fix: "fetch the file again and compare its digest with the publisher's",
    cwe: &[354],
    atlas: &["AML.T0010.003"],
};

/// No checksums at all.
pub(crate) const NO_CHECKSUMS: Rule = Rule {
    id: "zip.no-checksums",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "archive without checksums",
    why: "`torch.serialization.set_crc32_options(False)` writes such files",
    fix: "nothing to do",
    cwe: &[],
    atlas: &[],
};

/// One name, two members.
pub(crate) const DUPLICATE: Rule = Rule {
    id: "zip.duplicate",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "two members of one name",
    why: "some loaders take the first and some the last, and a scanner may see only the other",
    fix: "do not load the file",
    cwe: &[436, 694],
    atlas: &["AML.T0010.003"],
};

/// The same, where no loader is known.
pub(crate) const DUPLICATE_FILE: Rule = Rule {
    id: "zip.duplicate-file",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "file stands twice in the archive",
    why: "some programs unpack the first and some the last",
    fix: "pack the members again",
    cwe: &[694],
    atlas: &[],
};

/// A storage that is larger than what holds it.
pub(crate) const RECORD: Rule = Rule {
    id: "zip.record",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "storage larger than its record",
    why: "older versions of PyTorch lay a storage of the claimed size over the record, so that its tensors read and write memory \
          that is not theirs; later ones refuse the file",
    fix: "do not load the file; no library writes such an archive",
    cwe: &[125, 787],
    atlas: &["AML.T0010.003"],
};
