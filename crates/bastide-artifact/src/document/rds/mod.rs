//! R objects as `saveRDS` and `save` write them (R Internals, "Serialization Formats"): XDR, binary and ASCII.
//!
//! Reading an object makes promises that run their expression when first looked at (CVE-2024-27322). Formulas, calls and
//! environments are parts of every fitted model and run nothing.

mod items;
mod stream;

use bastide_types::{Assessment, Rule, Severity};

use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::Source;
use stream::{Encoding, Stream};

/// A promise.
pub(crate) const PROMISE: Rule = Rule {
    id: "rds.promise",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "R object is a promise that runs code when looked at",
    why: "reading the file is harmless, and the first use of the object runs the expression (CVE-2024-27322)",
    fix: "do not load the file",
    cwe: &[502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Byte code as a value.
pub(crate) const BYTECODE: Rule = Rule {
    id: "rds.bytecode",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "R object is byte code",
    why: "byte code is run like an expression, is not verified, and stands only in functions where R itself writes it",
    fix: "do not load the file",
    cwe: &[502, 913],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A promise where R itself leaves them.
pub(crate) const CAPTURED_PROMISE: Rule = Rule {
    id: "rds.captured-promise",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "environment of a function holds an argument that was never used",
    why: "R saves environments as they are; the argument is evaluated if the function uses it",
    fix: "nothing, if you trust the function",
    cwe: &[],
    atlas: &[],
};

/// Code that acts.
pub(crate) const CALL: Rule = Rule {
    id: "rds.call",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "R code in the file runs commands, or downloads, or deletes",
    why: "a model needs no such call; it runs when the function or expression that holds it does",
    fix: "do not load the file",
    cwe: &[94, 502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Code that makes code.
pub(crate) const EVAL: Rule = Rule {
    id: "rds.eval",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "R function in the file makes and evaluates code",
    why: "what it evaluates is known only when it runs",
    fix: "read the function before calling it",
    cwe: &[95],
    atlas: &["AML.T0010.003"],
};

/// A function.
pub(crate) const FUNCTION: Rule = Rule {
    id: "rds.function",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "file holds R functions",
    why: "they run only when called; models of several packages hold some",
    fix: "nothing, if you trust the model",
    cwe: &[],
    atlas: &[],
};

/// A raw pointer.
pub(crate) const POINTER: Rule = Rule {
    id: "rds.pointer",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "file holds an external pointer",
    why: "pointers are saved as null: the object is not usable as it is",
    fix: "nothing",
    cwe: &[],
    atlas: &[],
};

/// Bytes behind the object.
pub(crate) const TRAILING: Rule = Rule {
    id: "rds.trailing",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "something follows the object in the file",
    why: "R writes one object to a file, and readers ignore the rest: it serves another purpose",
    fix: "read the file with R and save the object again",
    cwe: &[],
    atlas: &[],
};

/// Lengths that cannot be.
pub(crate) const OVERRUN: Rule = Rule {
    id: "rds.overrun",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "R object states an impossible length",
    why: "a reader that computes the size in bytes wraps around and writes past what it allocated",
    fix: "do not load the file",
    cwe: &[190],
    atlas: &["AML.T0010.003"],
};

/// How the file begins, and the encoding that follows.
fn header(head: &[u8]) -> Option<(u64, Encoding)> {
    const WORKSPACES: &[&[u8]] = &[b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"RDB2\n", b"RDB3\n"];
    let skipped = WORKSPACES.iter().find(|mark| head.starts_with(mark)).map_or(0, |mark| mark.len());
    let head = head.get(skipped..)?;
    let encoding = match head {
        [b'X', b'\n', 0, 0, 0, 2 | 3, ..] => Encoding::Xdr,
        [b'B', b'\n', 2 | 3, 0, 0, 0, ..] => Encoding::Native,
        [b'A', b'\n', b'2' | b'3', b'\n', digit, ..] if digit.is_ascii_digit() => Encoding::Ascii,
        _ => return None,
    };
    Some((skipped as u64 + 2, encoding))
}

/// Whether this is one.
pub(super) fn recognise(head: &[u8]) -> bool {
    header(head).is_some()
}

/// Reads a file.
pub(super) fn read(source: &dyn Source, head: &[u8], scan: &mut Scan<'_>) -> Parsed<()> {
    let (start, encoding) = header(head).ok_or_else(|| Halt::malformed(0, "no header of R"))?;
    let mut stream = Stream::new(source, start, encoding);
    let version = stream.int()?;
    let writer = stream.int()?;
    stream.int()?;
    if version == 3 {
        let length = stream.int()?;
        stream.text(length)?;
    }
    let writer = u32::try_from(writer).unwrap_or_default();
    scan.facts.library("r", &format!("{}.{}.{}", writer >> 16, writer >> 8 & 0xff, writer & 0xff));
    items::read(&mut stream, scan)
}

#[cfg(test)]
mod tests;
