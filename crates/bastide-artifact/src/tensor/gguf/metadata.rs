//! The metadata of a GGUF file.

use super::super::keys::Keys;
use super::super::proof::{Proof, flaw};
use super::wire::Wire;
use crate::document;
use crate::halt::Halt;
use crate::scan::{Scan, shown};

/// As the specification says: keys of at most 2^16 - 1 bytes.
const LONGEST_KEY: usize = (1 << 16) - 1;
/// Lists of lists are in the specification, and no writer nests them further.
const DEEPEST_LIST: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;

const UINT32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Reads `keys` pairs; gives the alignment of the tensors.
pub(super) fn read(wire: &mut Wire<'_>, keys: u64, scan: &mut Scan<'_>) -> Proof<u64> {
    let mut alignment = DEFAULT_ALIGNMENT;
    let mut seen = Keys::default();
    for _ in 0..keys {
        scan.spend(1)?;
        let at = wire.cursor.position();
        let key = wire.string(LONGEST_KEY, "metadata key")?;
        if key.is_empty() || key.chars().any(char::is_control) {
            return flaw(at, format!("`{}` is not a metadata key", shown(&key)));
        }
        let kind = wire.u32()?;
        let value_at = wire.cursor.position();
        match (key.as_str(), kind) {
            ("general.alignment", UINT32) => alignment = u64::from(wire.u32()?),
            ("general.alignment", _) => return flaw(value_at, "`general.alignment` is not a 32 bit number"),
            ("general.architecture", kind) if kind != STRING => {
                return flaw(value_at, "`general.architecture` is not a string");
            }
            (_, STRING) => string(wire, &key, scan)?,
            _ => skip(wire, kind, 0, scan)?,
        }
        if !alignment.is_power_of_two() || !alignment.is_multiple_of(8) {
            return flaw(value_at, format!("tensors cannot be aligned to {alignment} bytes"));
        }
        seen.add(&key, at)?;
    }
    match seen.twice() {
        Some(at) => flaw(at, "a metadata key stands twice"),
        None => Ok(alignment),
    }
}

fn string(wire: &mut Wire<'_>, key: &str, scan: &mut Scan<'_>) -> Proof<()> {
    let property = property(key);
    let is_template = key.contains("chat_template");
    if property.is_none() && !is_template {
        return wire.skip_string();
    }
    let length = wire.length()?;
    let at = wire.cursor.position();
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if size > scan.limits.structure_bytes {
        return Err(Halt::limit(format!("{} bytes of one text", scan.limits.structure_bytes)).into());
    }
    let text = String::from_utf8_lossy(wire.cursor.take(size)?).into_owned();
    if let Some(property) = property {
        scan.facts.property(property, &text);
    }
    if is_template {
        document::template(&text, at, scan);
    }
    Ok(())
}

/// The place of a key in a bill of materials.
fn property(key: &str) -> Option<&'static str> {
    Some(match key {
        "general.architecture" => "architecture",
        "general.name" => "name",
        "general.author" => "author",
        "general.version" => "version",
        "general.license" => "licence",
        "general.description" => "description",
        "general.base_model.0.name" => "base_model",
        "general.dataset.0.name" => "dataset",
        "general.type" => "model_type",
        "adapter.type" => "adapter",
        _ => return None,
    })
}

/// Bytes of a value of `kind`, where they are fixed; of others, the least.
fn least(kind: u32, short_counts: bool) -> Option<u64> {
    Some(match kind {
        0 | 1 | BOOL => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        STRING if short_counts => 4,
        STRING => 8,
        ARRAY if short_counts => 8,
        ARRAY => 12,
        _ => return None,
    })
}

fn skip(wire: &mut Wire<'_>, kind: u32, depth: u32, scan: &mut Scan<'_>) -> Proof<()> {
    let at = wire.cursor.position();
    let Some(size) = least(kind, wire.short_counts) else {
        return flaw(at, format!("{kind} is not a type of metadata"));
    };
    match kind {
        STRING => wire.skip_string(),
        ARRAY => list(wire, depth, scan),
        BOOL => match wire.cursor.u8()? {
            0 | 1 => Ok(()),
            other => flaw(at, format!("a truth value is {other}")),
        },
        _ => Ok(wire.cursor.skip(size)?),
    }
}

fn list(wire: &mut Wire<'_>, depth: u32, scan: &mut Scan<'_>) -> Proof<()> {
    let at = wire.cursor.position();
    let kind = wire.u32()?;
    let Some(size) = least(kind, wire.short_counts) else {
        return flaw(at, format!("{kind} is not a type of metadata"));
    };
    if kind == ARRAY && depth >= DEEPEST_LIST {
        return flaw(at, format!("lists are nested more than {DEEPEST_LIST} deep"));
    }
    let count = wire.list(size)?;
    if !matches!(kind, STRING | ARRAY) {
        return Ok(wire.cursor.skip(count * size)?);
    }
    for _ in 0..count {
        scan.spend(1)?;
        skip(wire, kind, depth + 1, scan)?;
    }
    Ok(())
}
