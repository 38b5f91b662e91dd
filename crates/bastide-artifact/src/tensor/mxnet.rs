//! MXNet parameters: a list of arrays, then their names (`NDArray::Load` in `src/ndarray/ndarray.cc`).

use bastide_types::{Assessment, Rule, Severity};

use super::proof::{Proof, flaw, settle};
use crate::claim::is_absurd;
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Source};

/// The list does not account for the file.
pub(super) const STRUCTURE: Rule = Rule {
    id: "mxnet.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "MXNet parameters do not account for the file",
    why: "no release of MXNet writes such a file; its loader allocates and copies by these counts",
    fix: "do not load it; fetch the file again from its publisher",
    cwe: &[20, 125, 789],
    atlas: &["AML.T0010.003"],
};

const MAGIC: u64 = 0x112;
const V1: u32 = 0xf993_fac8;
const V2: u32 = 0xf993_fac9;
const V3: u32 = 0xf993_faca;
/// `TShape` of other frameworks ends at 32.
const MOST_DIMENSIONS: u32 = 32;
/// No machine holds an array beyond this: 16 TiB.
const ABSURD: u64 = 1 << 44;
/// No file holds more arrays; a count above this and beyond the file is no cut.
const MANY: u64 = 1 << 20;

/// Whether MXNet would read a list of arrays here.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    glance.head.len() >= 24 && glance.head.starts_with(&[0x12, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let proof = prove(source, scan);
    settle(proof, &STRUCTURE, scan)
}

fn prove(source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    let mut cursor = Cursor::new(source);
    if cursor.u64_le()? != MAGIC {
        return Err(Halt::malformed(0, "not a list of arrays").into());
    }
    cursor.skip(8)?;
    let arrays = counted(&mut cursor, 4, "arrays")?;
    for _ in 0..arrays {
        scan.spend(1)?;
        array(&mut cursor, scan)?;
    }
    let at = cursor.position();
    let names = counted(&mut cursor, 8, "names")?;
    if names != 0 && names != arrays {
        return flaw(at, format!("{arrays} arrays have {names} names"));
    }
    for _ in 0..names {
        scan.spend(1)?;
        let length = counted(&mut cursor, 1, "bytes of a name")?;
        cursor.skip(length)?;
    }
    match cursor.left() {
        0 => Ok(()),
        left => flaw(cursor.position(), format!("{left} bytes follow the last name")),
    }
}

/// A count of things that take at least `least` bytes each.
fn counted(cursor: &mut Cursor<'_>, least: u64, what: &str) -> Proof<u64> {
    let at = cursor.position();
    let count = cursor.u64_le()?;
    if count > MANY && count.checked_mul(least).is_none_or(|bytes| bytes > cursor.left()) {
        return flaw(at, format!("{count} {what} do not fit the file"));
    }
    Ok(count)
}

fn array(cursor: &mut Cursor<'_>, scan: &mut Scan<'_>) -> Proof<()> {
    let at = cursor.position();
    let magic = cursor.u32_le()?;
    let (version, auxiliaries) = match magic {
        V1 => (1, 0),
        V2 | V3 => match cursor.u32_le()? {
            0 => (2, 0),
            1 => (2, 1),
            2 => (2, 2),
            other => return flaw(at, format!("{other} is no kind of storage")),
        },
        _ => (0, 0),
    };
    let stored = if auxiliaries > 0 { shape(cursor, version, None)? } else { None };
    // Before version 1 there was no magic: the number is that of the dimensions.
    let Some(whole) = shape(cursor, version, (version == 0).then_some(magic))? else { return Ok(()) };
    cursor.skip(8)?; // the device
    let kind = cursor.u32_le()?;
    let Some((name, bytes)) = element(kind) else {
        return flaw(at, format!("{kind} is no element type"));
    };
    let mut auxiliary_bytes = 0;
    for _ in 0..auxiliaries {
        let kind = cursor.u32_le()?;
        let Some((_, bytes)) = element(kind) else { return flaw(at, format!("{kind} is no element type")) };
        auxiliary_bytes += shape(cursor, version, None)?.unwrap_or(0).saturating_mul(bytes);
    }
    let size = stored.unwrap_or(whole).saturating_mul(bytes).saturating_add(auxiliary_bytes);
    if size > ABSURD || is_absurd(size, cursor.position().saturating_add(cursor.left())) {
        return flaw(at, format!("an array claims {size} bytes"));
    }
    scan.facts.tensor(name, whole);
    Ok(cursor.skip(size)?)
}

/// Elements of a shape; nothing where the array is empty.
fn shape(cursor: &mut Cursor<'_>, version: u8, legacy: Option<u32>) -> Proof<Option<u64>> {
    let at = cursor.position();
    let dimensions = match legacy {
        Some(dimensions) => dimensions,
        None => cursor.u32_le()?,
    };
    if dimensions == 0 || dimensions == u32::MAX {
        return Ok(None);
    }
    if dimensions > MOST_DIMENSIONS {
        return flaw(at, format!("an array has {dimensions} dimensions"));
    }
    let mut elements: u64 = 1;
    for _ in 0..dimensions {
        let dimension = if version == 0 { u64::from(cursor.u32_le()?) } else { cursor.u64_le()? };
        match elements.checked_mul(dimension).filter(|product| *product <= ABSURD) {
            Some(product) => elements = product,
            None => return flaw(at, "the shape of an array overflows"),
        }
    }
    Ok(Some(elements))
}

/// Name and bytes of an element type (`mshadow/base.h`).
fn element(kind: u32) -> Option<(&'static str, u64)> {
    Some(match kind {
        0 => ("float32", 4),
        1 => ("float64", 8),
        2 => ("float16", 2),
        3 => ("uint8", 1),
        4 => ("int32", 4),
        5 => ("int8", 1),
        6 => ("int64", 8),
        7 => ("bool", 1),
        8 => ("int16", 2),
        9 => ("uint16", 2),
        10 => ("uint32", 4),
        11 => ("uint64", 8),
        12 => ("bfloat16", 2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, Report, scan};

    fn file() -> Vec<u8> {
        let mut bytes = Vec::new();
        for value in [0x112_u64, 0, 2] {
            bytes.extend(value.to_le_bytes());
        }
        // Version 2, dense, 2 x 3 of float32 on the processor.
        for value in [0xf993_fac9_u32, 0, 2, 2, 0, 3, 0, 1, 0, 0] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0; 24]);
        // Before version 1: one dimension of 4 uint8.
        for value in [1_u32, 4, 1, 0, 3] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([0; 4]);
        bytes.extend(2_u64.to_le_bytes());
        for name in ["arg:w", "aux:b"] {
            bytes.extend((name.len() as u64).to_le_bytes());
            bytes.extend(name.as_bytes());
        }
        bytes
    }

    fn scanned(bytes: &[u8]) -> Report {
        scan(&bytes, "model.params", &Limits::default())
    }

    #[test]
    fn lists_are_held_against_the_file() {
        let report = scanned(&file());
        assert_eq!(
            (report.format, report.assessment()),
            (Format::Mxnet, Assessment::Clean),
            "{:?}",
            report.findings
        );
        assert_eq!(report.facts.tensors["float32"].elements, 6);
        assert_eq!(scanned(&file()[..90]).assessment(), Assessment::Unfinished);
        let mut trailing = file();
        trailing.push(1);
        assert_eq!(scanned(&trailing).assessment(), Assessment::Malicious);
        for (at, byte) in [(23, 1), (32, 200), (42, 9), (28, 7), (60, 99)] {
            let mut damaged = file();
            damaged[at] = byte;
            assert_eq!(scanned(&damaged).assessment(), Assessment::Malicious, "{at}");
        }
    }

    proptest! {
        #[test]
        fn no_damage_panics(at in 0_usize..150, byte: u8) {
            let mut bytes = file();
            let at = at % bytes.len();
            bytes[at] = byte;
            scanned(&bytes);
        }
    }
}
