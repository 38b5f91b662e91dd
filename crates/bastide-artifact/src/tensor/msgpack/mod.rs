//! MessagePack as Flax writes checkpoints: maps of names to arrays, which are extensions of type 1.
//!
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>, `flax/serialization.py`. The format itself runs nothing; a
//! reader of extensions may, and `msgpack-numpy` unpickles arrays of objects.

mod walk;

use bastide_types::{Assessment, Rule, Severity};

use super::proof::{Proof, Stop, flaw, settle};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::pickle::plan;
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};
use walk::{Item, Walk};

/// Counts beyond the file, or nesting without end.
pub(super) const STRUCTURE: Rule = Rule {
    id: "msgpack.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "MessagePack structure made to exhaust its reader",
    why: "readers reserve memory by these counts and call themselves for each level",
    fix: "do not load it; fetch the file again from its publisher",
    cwe: &[400, 674, 789],
    atlas: &["AML.T0010.003"],
};

/// Extensions of unknown meaning.
pub(super) const EXTENSION: Rule = Rule {
    id: "msgpack.extension",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "MessagePack extension that Flax does not write",
    why: "what an extension means is up to the program that reads it; some hold pickles or code",
    fix: "see which program reads it and what it makes of it",
    cwe: &[502],
    atlas: &[],
};

/// Something after the document.
pub(super) const TRAILING: Rule = Rule {
    id: "msgpack.trailing",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "bytes after the MessagePack document",
    why: "the library refuses or ignores them; another program may read them",
    fix: "see what they are, or save the checkpoint anew",
    cwe: &[],
    atlas: &[],
};

/// Twice the depth of the deepest modules; the C reader of Python ends at 1024.
const DEEPEST: usize = 512;
/// Elements that no reader reserves at once without harm.
const MANY: u64 = 1 << 24;

const NDARRAY: i8 = 1;
const COMPLEX: i8 = 2;
const SCALAR: i8 = 3;
const TIMESTAMP: i8 = -1;

/// Whether the file is MessagePack of the kind that models are stored in: a map with a name first, or one array of Flax.
/// What bears the name and would exhaust its reader is taken for it as well.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    is_checkpoint(glance) || glance.named("msgpack") && is_exhausting(glance)
}

fn is_exhausting(glance: &Glance<'_>) -> bool {
    /// Enough to come to the bottom of any nesting.
    const LOOKED_AT: usize = 2 * DEEPEST;
    let mut walk = Walk::new(&glance.source, 0);
    let mut open = Open::new();
    for _ in 0..LOOKED_AT {
        if !open.enter() {
            return false;
        }
        let outcome = walk.next().and_then(|item| open.hold(item, &walk));
        match outcome {
            Ok(_) => {}
            Err(stop) => return matches!(stop, Stop::Flaw { .. }),
        }
    }
    false
}

/// What the open containers still hold, outermost first.
struct Open(Vec<u64>);

impl Open {
    /// The document: one item.
    fn new() -> Self {
        Open(vec![1])
    }

    /// Goes on to the next item; whether there is one.
    fn enter(&mut self) -> bool {
        while let Some(left) = self.0.last_mut() {
            if *left > 0 {
                *left -= 1;
                return true;
            }
            self.0.pop();
        }
        false
    }

    /// Opens the item that `walk` just passed, if it is a container; gives back any other.
    fn hold(&mut self, item: Item, walk: &Walk<'_>) -> Proof<Option<Item>> {
        let inner = match item {
            Item::Map(count) => count.saturating_mul(2),
            Item::Array(count) => count,
            other => return Ok(Some(other)),
        };
        let at = walk.cursor.position();
        if inner > walk.cursor.left() && inner > MANY {
            return flaw(at, format!("a container claims {inner} elements, more than the file has bytes"));
        }
        if self.0.len() >= DEEPEST {
            return flaw(at, format!("containers are nested more than {DEEPEST} deep"));
        }
        self.0.push(inner);
        Ok(None)
    }
}

fn is_checkpoint(glance: &Glance<'_>) -> bool {
    let mut walk = Walk::new(&glance.head, 0);
    match walk.next() {
        Ok(Item::Map(count)) if count > 0 => {}
        // The extension reaches further than the head.
        _ => return is_bare_array(glance),
    }
    let Ok(Item::Text(at, size)) = walk.next() else { return false };
    let key = read_up_to(&glance.head, at, usize::try_from(size).unwrap_or(usize::MAX)).unwrap_or_default();
    if !key.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        || !key.iter().all(|byte| matches!(byte, b' '..=b'~'))
    {
        return false;
    }
    let mut pending = vec![0_u64; 0];
    let mut left: u64 = 1;
    for seen in 0_u32.. {
        while left == 0 {
            match pending.pop() {
                Some(outer) => left = outer,
                // A whole document.
                None => return walk.cursor.left() == 0 || glance.named("msgpack"),
            }
        }
        left -= 1;
        match walk.next() {
            Ok(Item::Extension(NDARRAY..=SCALAR, ..)) => return true,
            Ok(Item::Map(count)) if pending.len() < DEEPEST => {
                pending.push(left);
                left = count.saturating_mul(2);
            }
            Ok(Item::Array(count)) if pending.len() < DEEPEST => {
                pending.push(left);
                left = count;
            }
            Ok(Item::Map(_) | Item::Array(_)) => return true,
            Ok(_) => {}
            Err(Stop::Flaw { .. }) => return true,
            Err(Stop::Halt(Halt::Truncated { .. })) => {
                return seen > 0 || glance.source.size() > glance.head.len() as u64;
            }
            Err(_) => return false,
        }
    }
    false
}

fn is_bare_array(glance: &Glance<'_>) -> bool {
    let size = match glance.head {
        [0xc7, size, 1, 0x93, ..] => u64::from(*size) + 3,
        [0xc8, a, b, 1, 0x93, ..] => u64::from(u16::from_be_bytes([*a, *b])) + 4,
        [0xc9, a, b, c, d, 1, 0x93, ..] => u64::from(u32::from_be_bytes([*a, *b, *c, *d])) + 6,
        _ => return false,
    };
    size == glance.source.size()
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    plan::file(source, scan)?;
    let proof = document(source, scan);
    settle(proof, &STRUCTURE, scan)
}

fn document(source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    let mut walk = Walk::new(source, 0);
    let mut open = Open::new();
    while open.enter() {
        scan.spend(1)?;
        let at = walk.cursor.position();
        let item = walk.next()?;
        if let Some(item) = open.hold(item, &walk)? {
            leaf(item, at, source, scan)?;
        }
    }
    let end = walk.cursor.position();
    if end < source.size() {
        scan.find(&TRAILING, end, format!("{} bytes follow the document", source.size() - end));
        scan.nested("trailing", &Part::from(source, end));
    }
    Ok(())
}

fn leaf(item: Item, at: u64, source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    match item {
        Item::Extension(NDARRAY | SCALAR, start, size) => ndarray(source, start, size, scan),
        Item::Extension(COMPLEX | TIMESTAMP, ..) => Ok(()),
        Item::Extension(code, start, size) => {
            scan.find(&EXTENSION, at, format!("extension of type {code}"));
            scan.nested("extension", &Part::new(source, start, size));
            Ok(())
        }
        Item::Binary(start, size) if size > 2 => {
            // msgpack-numpy stores arrays of objects as pickles.
            if let [0x80, 2..=5] = *read_up_to(source, start, 2)? {
                scan.nested("binary", &Part::new(source, start, size));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// An array of Flax: its shape, the name of its type, its bytes.
fn ndarray(source: &dyn Source, start: u64, size: u64, scan: &mut Scan<'_>) -> Proof<()> {
    let part = Part::new(source, start, size);
    let mut walk = Walk::new(&part, 0);
    let unknown = |scan: &mut Scan<'_>| {
        scan.find(&EXTENSION, start, "an extension of type 1 or 3 that is no array of Flax");
        scan.nested("extension", &part);
        Ok(())
    };
    let (Ok(Item::Array(3)), Ok(Item::Array(dimensions @ 0..=64))) = (walk.next(), walk.next()) else {
        return unknown(scan);
    };
    let mut elements = Some(1_u64);
    for _ in 0..dimensions {
        let Ok(Item::Whole(dimension)) = walk.next() else { return unknown(scan) };
        elements = elements.and_then(|elements| elements.checked_mul(dimension));
    }
    let (Ok(Item::Text(at, length @ 0..=64)), Ok(Item::Binary(data, bytes))) = (walk.next(), walk.next())
    else {
        return unknown(scan);
    };
    let name = read_up_to(&part, at, usize::try_from(length).unwrap_or(0))?;
    let name = String::from_utf8_lossy(&name);
    let Some(elements) = elements else {
        return flaw(start, "the number of elements of an array overflows");
    };
    scan.facts.tensor(&name, elements);
    match bytes_of(&name) {
        Some(each) if elements.checked_mul(each) != Some(bytes) => {
            flaw(start, format!("an array of {elements} elements has {bytes} bytes"))
        }
        None => {
            scan.find(&EXTENSION, start, format!("an array of type `{}`", crate::scan::shown(&name)));
            scan.nested("array", &Part::new(&part, data, bytes));
            Ok(())
        }
        Some(_) => Ok(()),
    }
}

/// Bytes of one element of the numpy type called `name`.
fn bytes_of(name: &str) -> Option<u64> {
    Some(match name {
        "bool" | "int8" | "uint8" | "int4" | "uint4" | "int2" | "uint2" | "V1" => 1,
        "float16" | "bfloat16" | "int16" | "uint16" | "V2" => 2,
        "float32" | "int32" | "uint32" => 4,
        "float64" | "int64" | "uint64" | "complex64" => 8,
        "complex128" => 16,
        name if name.starts_with("float8_") || name.starts_with("float4_") || name.starts_with("float6_") => {
            1
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
