//! GGUF of llama.cpp: typed metadata, a table of tensors, then the tensors.
//!
//! Loaders are C and C++ that trusted counts, lengths and offsets of the file (CVE-2024-25664 to 25668, CVE-2025-53630),
//! and Python and C++ programs that render the chat template (CVE-2024-34359). The structure is proved from front to
//! end: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

mod legacy;
mod metadata;
mod table;
mod types;
mod wire;

use bastide_types::{Assessment, Rule, Severity};

use super::proof::{Proof, flaw, settle};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Source};
use wire::Wire;

/// The header does not account for the file.
pub(super) const STRUCTURE: Rule = Rule {
    id: "gguf.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "GGUF structure does not account for the file",
    why: "no converter writes such a file; loaders in C and C++ have read and written out of bounds on such values \
          (CVE-2024-25664 to 25668, CVE-2025-53630)",
    fix: "do not load it; fetch the file again from its publisher, or convert the model anew",
    cwe: &[20, 125, 190, 787],
    atlas: &["AML.T0010.003"],
};

/// Whether a loader would read it as GGUF, or as one of its predecessors `ggml`, `ggmf`, `ggjt` and `ggla`.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    match glance.head.get(..4) {
        Some(b"GGUF") => true,
        Some(b"lmgg" | b"fmgg" | b"tjgg" | b"algg") => glance.head.len() >= 32 && glance.head.contains(&0),
        _ => false,
    }
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let proof = prove(source, scan);
    settle(proof, &STRUCTURE, scan)
}

/// Far beyond any model, and small enough that a file cut off in its metadata stays below.
const MOST_KEYS: u64 = 10_000;
const MOST_TENSORS: u64 = 200_000;

fn prove(source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    let mut cursor = Cursor::new(source);
    let magic = cursor.array::<4>()?;
    if magic != *b"GGUF" {
        return Ok(legacy::read(magic, &mut cursor, scan)?);
    }
    let version = cursor.array::<4>()?;
    let little = u32::from_le_bytes(version);
    // Files of big-endian machines have the same magic; the version tells them apart.
    let big_endian = little & 0xffff == 0 && little != 0;
    let version = if big_endian { u32::from_be_bytes(version) } else { little };
    if !(1..=3).contains(&version) {
        return Err(Halt::malformed(4, format!("version {version} of the format is unknown")).into());
    }
    let mut wire = Wire { cursor, big_endian, short_counts: version == 1 };
    let tensors = counted(&mut wire, MOST_TENSORS, "tensors")?;
    let keys = counted(&mut wire, MOST_KEYS, "metadata keys")?;
    let alignment = metadata::read(&mut wire, keys, scan)?;
    let table = table::read(&mut wire, tensors, scan)?;
    table::prove(source, table, wire.cursor.position(), alignment)
}

/// A count in the header.
fn counted(wire: &mut Wire<'_>, most: u64, what: &str) -> Proof<u64> {
    let at = wire.cursor.position();
    let count = wire.count()?;
    if count > most {
        return flaw(at, format!("the header claims {count} {what}; no model has more than {most}"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
