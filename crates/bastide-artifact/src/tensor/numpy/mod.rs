//! One or several numpy arrays: a header that is a Python literal, then the elements, or a pickle of them.
//!
//! <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>. `np.load` unpickles arrays of objects when
//! told to (CVE-2019-6446), and old versions evaluated the header.

mod dtype;
mod literal;

use bastide_types::{Assessment, Rule, Severity};

use super::proof::{Proof, flaw, settle};
use crate::claim::is_absurd;
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Cursor, Part, Source, read_up_to};
use literal::Literal;

/// The header is not one.
pub(super) const HEADER: Rule = Rule {
    id: "numpy.header",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "array header that numpy does not write",
    why: "a header is a literal with a type, an order and a shape; expressions in it ran in loaders that evaluate it, and sizes \
          that no file has exhaust memory",
    fix: "do not load it; ask the publisher for an array that `numpy.save` writes",
    cwe: &[95, 789],
    atlas: &["AML.T0010.003"],
};

/// The elements are a pickle.
pub(super) const OBJECTS: Rule = Rule {
    id: "numpy.objects",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "array of Python objects",
    why: "its elements are a pickle, which `numpy.load(allow_pickle=True)` loads; the pickle is assessed by itself",
    fix: "store numbers and strings in arrays of their own types",
    cwe: &[502],
    atlas: &[],
};

/// A header longer than numpy reads by default.
pub(super) const LONG_HEADER: Rule = Rule {
    id: "numpy.long-header",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "array header longer than numpy reads",
    why: "numpy refuses headers beyond 10,000 bytes unless told otherwise: parsing them may exhaust the interpreter",
    fix: "see what the header holds before `max_header_size` is raised",
    cwe: &[400],
    atlas: &[],
};

/// Something else after the arrays.
pub(super) const TRAILING: Rule = Rule {
    id: "numpy.trailing",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "bytes after the array",
    why: "`numpy.load` does not read them; another program may",
    fix: "see what they are, or save the array anew",
    cwe: &[],
    atlas: &[],
};

const MAGIC: &[u8] = b"\x93NUMPY";
/// numpy's default for `max_header_size`.
const LONG: usize = 10_000;

/// Whether numpy would read an array here.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    glance.head.starts_with(MAGIC)
}

/// Reads the file: arrays one after another, as `numpy.save` appends them to an open file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut at = 0;
    loop {
        let end = match array(source, at, scan) {
            Ok(Some(end)) => end,
            Ok(None) => return Ok(()),
            Err(stop) => return settle(Err(stop), &HEADER, scan),
        };
        if end == source.size() {
            return Ok(());
        }
        let next = read_up_to(source, end, 4096)?;
        if next.starts_with(MAGIC) {
            at = end;
        } else if next.iter().all(|byte| *byte == 0) && source.size() - end <= 4096 {
            return Ok(());
        } else {
            scan.find(&TRAILING, end, format!("{} bytes follow the last array", source.size() - end));
            scan.nested("trailing", &Part::from(source, end));
            return Ok(());
        }
    }
}

/// Reads the array at `start`; gives where it ends, or nothing where the rest of the file is its pickle.
fn array(source: &dyn Source, start: u64, scan: &mut Scan<'_>) -> Proof<Option<u64>> {
    scan.spend(64)?;
    let mut cursor = Cursor::at(source, start);
    cursor.skip(MAGIC.len() as u64)?;
    let [major, minor] = cursor.array()?;
    let length = match (major, minor) {
        (1, 0) => usize::from(cursor.u16_le()?),
        (2 | 3, 0) => usize::try_from(cursor.u32_le()?).unwrap_or(usize::MAX),
        _ => {
            let what = format!("version {major}.{minor} of the format is unknown");
            return Err(Halt::malformed(start + 6, what).into());
        }
    };
    let at = cursor.position();
    if length as u64 > cursor.left() && length > scan.limits.structure_bytes {
        return flaw(at, format!("the header claims {length} bytes"));
    }
    if length > LONG {
        scan.find(&LONG_HEADER, at, format!("the header has {length} bytes"));
    }
    if length > scan.limits.structure_bytes {
        return Err(Halt::limit(format!(
            "{} of one structure",
            crate::halt::size(scan.limits.structure_bytes as u64)
        ))
        .into());
    }
    let bytes = cursor.take(length)?;
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // Versions 1 and 2 are Latin-1.
        Err(_) if major < 3 => bytes.iter().copied().map(char::from).collect(),
        Err(_) => return flaw(at, "the header is not UTF-8"),
    };
    elements(&literal::parse(&text, at)?, at, cursor.position(), source, scan)
}

/// Holds the header against the file.
fn elements(
    header: &Literal,
    at: u64,
    data: u64,
    source: &dyn Source,
    scan: &mut Scan<'_>,
) -> Proof<Option<u64>> {
    let Literal::Dict(pairs) = header else { return flaw(at, "the header is not a dictionary") };
    let field = |name: &str| {
        let mut values = pairs.iter().filter(|(key, _)| *key == Literal::Text(name.to_owned()));
        values.next().map(|(_, value)| value).filter(|_| values.next().is_none())
    };
    let (Some(descr), Some(Literal::Truth(_)), Some(shape), 3) =
        (field("descr"), field("fortran_order"), field("shape"), pairs.len())
    else {
        return flaw(at, "the header does not hold exactly `descr`, `fortran_order` and `shape`");
    };
    let Some(count) = dtype::elements(shape) else {
        return flaw(at, "the shape is no tuple of sizes, or their product overflows");
    };
    let Some(dtype) = dtype::of(descr) else {
        // A type that is new here may still be one of objects.
        scan.nested("array", &Part::from(source, data));
        return Err(Halt::malformed(at, "the element type is unknown").into());
    };
    let name = match descr {
        Literal::Text(text) => shown(text),
        _ => "structured".to_owned(),
    };
    scan.facts.tensor(&name, count);
    if dtype.objects {
        scan.find(&OBJECTS, at, format!("the array of type `{name}` holds Python objects"));
        scan.nested("array", &Part::from(source, data));
        return Ok(None);
    }
    let size = count.checked_mul(dtype.size.max(1));
    let Some(size) = size.filter(|size| !is_absurd(*size, source.size()) || dtype.size == 0) else {
        return flaw(at, format!("the array claims {count} elements of {} bytes", dtype.size));
    };
    let size = if dtype.size == 0 { 0 } else { size };
    if size > source.size() - data {
        return Err(Halt::Truncated { offset: source.size() }.into());
    }
    Ok(Some(data + size))
}

#[cfg(test)]
mod tests;
