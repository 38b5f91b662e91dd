//! Torch 7 (`.t7`): Lua objects, written by `torch.save` in `torch7/File.lua`.
//!
//! Functions are stored as Lua bytecode with the values they close over. The bytecode of LuaJIT has no verifier, so a
//! file with a function runs anything as soon as the function is called, and class methods call such fields.

mod wire;

use std::collections::HashSet;

use bastide_types::{Assessment, Rule, Severity};

use super::proof::{Proof, flaw, settle};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Cursor, Source, read_up_to};
use wire::Wire;

/// Bytecode.
pub(super) const FUNCTION: Rule = Rule {
    id: "torch7.function",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "Lua bytecode",
    why: "bytecode from a file is not verified and runs with the rights of the program that calls it",
    fix: "do not load it; ask for the weights alone (`clearState`, then save the parameters)",
    cwe: &[502, 913],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Classes of unknown meaning.
pub(super) const CLASS: Rule = Rule {
    id: "torch7.class",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "Lua class from outside the known libraries",
    why: "loading calls the `read` method of a registered class, and what it does is up to its package",
    fix: "see which package registers the class",
    cwe: &[470],
    atlas: &["AML.T0011.000"],
};

/// Lengths that the loader would believe.
pub(super) const STRUCTURE: Rule = Rule {
    id: "torch7.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "Torch 7 lengths that no file has",
    why: "the loader is written in C and allocates by these numbers",
    fix: "do not load it; fetch the file again from its publisher",
    cwe: &[20, 789],
    atlas: &["AML.T0010.003"],
};

const NUMBER: i64 = 1;
const STRING: i64 = 2;
const TABLE: i64 = 3;
const TORCH: i64 = 4;
const BOOLEAN: i64 = 5;

/// Objects remembered; no model has as many.
const MOST_OBJECTS: usize = 2 << 20;

/// Prefixes of class names that the packages around Torch register.
const PACKAGES: &[&str] = &[
    "bnn.", "cltorch.", "cudnn.", "cunn.", "cutorch.", "dp.", "fbcunn.", "fbnn.", "graph.", "image.", "inn.",
    "nn.", "nngraph.", "nnx.", "optim.", "rnn.", "stn.", "tds.", "tnt.", "torch.",
];

/// Whether `torch.load` would read an object here, in the binary or the text form.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    is_ascii(glance.head) || is_binary(glance.head)
}

fn is_binary(head: &[u8]) -> bool {
    let int = |at: usize| {
        let bytes = head.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(-1, |bytes| i64::from(i32::from_le_bytes(*bytes)))
    };
    let text = |at: usize, size: i64| {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let text = head.get(at..).and_then(|rest| rest.get(..size)).unwrap_or_default();
        !text.is_empty() && text.iter().all(|byte| matches!(byte, b' '..=b'~'))
    };
    if int(0) == 6 {
        return head.get(8..10) == Some(b"\x1bL");
    }
    if int(4) != 1 {
        return false;
    }
    match int(0) {
        TORCH => {
            (int(8) == 3 && head.get(12..14) == Some(b"V "))
                || ((1..256).contains(&int(8)) && text(12, int(8)))
        }
        TABLE => {
            let key = match int(12) {
                STRING => (1..256).contains(&int(16)) && text(20, int(16)),
                NUMBER => head.get(16..24).and_then(|bytes| bytes.first_chunk()).is_some_and(|bytes| {
                    let key = f64::from_le_bytes(*bytes);
                    key.fract() == 0.0 && (1.0..1e9).contains(&key)
                }),
                _ => false,
            };
            (1..1 << 24).contains(&int(8)) && key
        }
        7 | 8 => head.get(12..14) == Some(b"\x1bL"),
        _ => false,
    }
}

fn is_ascii(head: &[u8]) -> bool {
    let text = head.get(..head.len().min(128)).unwrap_or_default();
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut number = || {
        let line = lines.next().and_then(|line| std::str::from_utf8(line).ok())?;
        if line.len() > 9 || !line.bytes().all(|byte| byte.is_ascii_digit()) {
            None
        } else {
            line.parse::<usize>().ok()
        }
    };
    let (Some(kind), Some(second)) = (number(), number()) else { return false };
    if kind == 6 {
        return lines.next().is_some_and(|line| line.starts_with(b"\x1bL"));
    }
    let (1, Some(third)) = (second, number()) else { return false };
    match kind {
        3 => match (number(), number()) {
            (Some(2), Some(size)) if third > 0 => {
                lines.next().is_some_and(|line| line.len() == size && size > 0)
            }
            _ => false,
        },
        4 => lines.next().is_some_and(|line| line.len() == third && third > 0 && line.is_ascii()),
        7 | 8 => lines.next().is_some_and(|line| line.starts_with(b"\x1bL")),
        _ => false,
    }
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let ascii = is_ascii(&read_up_to(source, 0, 128)?);
    let wire = Wire { cursor: Cursor::new(source), ascii };
    let proof = Reader { wire, source, seen: HashSet::new(), pending: 1 }.objects(scan);
    settle(proof, &STRUCTURE, scan)
}

struct Reader<'a> {
    wire: Wire<'a>,
    source: &'a dyn Source,
    /// Indices of objects read; a second mention is a reference.
    seen: HashSet<i64>,
    /// Objects still to come. What an object holds follows it, so that a count is all it takes.
    pending: u64,
}

impl Reader<'_> {
    fn objects(&mut self, scan: &mut Scan<'_>) -> Proof<()> {
        while let Some(pending) = self.pending.checked_sub(1) {
            self.pending = pending;
            scan.spend(1)?;
            self.object(scan)?;
        }
        Ok(())
    }

    fn object(&mut self, scan: &mut Scan<'_>) -> Proof<()> {
        let at = self.wire.cursor.position();
        match self.wire.int()? {
            0 => Ok(()),
            NUMBER => Ok(self.wire.float()?),
            STRING => {
                let (start, size) = self.wire.string()?;
                if size > 3 && read_up_to(self.source, start, 4)?.starts_with(b"\x1bL") {
                    scan.find(&FUNCTION, start, "a string holds Lua bytecode");
                }
                Ok(())
            }
            BOOLEAN => Ok(self.wire.int().map(|_| ())?),
            TABLE => {
                if self.is_new()? {
                    let size = self.wire.int()?;
                    self.pending += 2 * self.wire.length(size, 4, at)?;
                }
                Ok(())
            }
            TORCH => {
                if self.is_new()? {
                    self.class(at, scan)?;
                }
                Ok(())
            }
            // The first kind of functions is written without an index.
            6 => self.function(at, scan),
            7 | 8 => {
                if self.is_new()? {
                    self.function(at, scan)?;
                }
                Ok(())
            }
            other => Err(Halt::malformed(at, format!("{other} is no type of object")).into()),
        }
    }

    /// A function: its bytecode, and then the values that it closes over.
    fn function(&mut self, at: u64, scan: &mut Scan<'_>) -> Proof<()> {
        scan.find(&FUNCTION, at, "the file holds a Lua function");
        self.wire.string()?;
        self.pending += 1;
        Ok(())
    }

    /// Whether the object whose index comes next was not read before.
    fn is_new(&mut self) -> Parsed<bool> {
        if self.seen.len() >= MOST_OBJECTS {
            return Err(Halt::limit(format!("{MOST_OBJECTS} Lua objects")));
        }
        Ok(self.seen.insert(self.wire.int()?))
    }

    fn name(&mut self) -> Proof<String> {
        let (at, size) = self.wire.string()?;
        if size > 256 {
            return flaw(at, format!("a class name has {size} bytes"));
        }
        let name = read_up_to(self.source, at, usize::try_from(size).unwrap_or(0))?;
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    fn class(&mut self, at: u64, scan: &mut Scan<'_>) -> Proof<()> {
        let mut name = self.name()?;
        // Before version 1 the class stood where the version is now.
        if name.strip_prefix("V ").is_some_and(|version| version.parse::<u32>().is_ok()) {
            name = self.name()?;
        }
        if !PACKAGES.iter().any(|package| name.starts_with(package)) {
            scan.find(&CLASS, at, format!("class `{}`", shown(&name)));
        }
        match name.as_str() {
            "tds.Hash" | "tds.hash" => {
                let size = self.wire.long()?;
                self.pending += 2 * self.wire.length(size, 4, at)?;
            }
            "tds.Vec" | "tds.vec" => {
                let size = self.wire.long()?;
                self.pending += self.wire.length(size, 4, at)?;
            }
            name => match name.strip_prefix("torch.").and_then(element) {
                Some((kind, dtype, bytes)) => self.numbers(kind, dtype, bytes, at, scan)?,
                // The default `write` of classes: a table of their fields.
                None => self.pending += 1,
            },
        }
        Ok(())
    }

    fn numbers(&mut self, kind: Kind, dtype: &str, bytes: u64, at: u64, scan: &mut Scan<'_>) -> Proof<()> {
        match kind {
            Kind::Tensor => {
                let dimensions = self.wire.int()?;
                if !(0..=64).contains(&dimensions) {
                    return flaw(at, format!("a tensor has {dimensions} dimensions"));
                }
                let mut elements = Some(u64::from(dimensions > 0));
                for _ in 0..dimensions {
                    let dimension = self.wire.long()?;
                    elements = elements.and_then(|n| n.checked_mul(u64::try_from(dimension).ok()?));
                }
                for _ in 0..=dimensions {
                    self.wire.long()?; // strides and the offset in the storage
                }
                let Some(elements) = elements else {
                    return flaw(at, "the shape of a tensor is negative or overflows");
                };
                scan.facts.tensor(dtype, elements);
                self.pending += 1;
            }
            Kind::Storage => {
                let size = self.wire.long()?;
                let least = if self.wire.ascii { 1 } else { bytes };
                let size = self.wire.length(size, least, at)?;
                scan.spend(if self.wire.ascii { size } else { 0 })?;
                self.wire.elements(size, bytes)?;
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Tensor,
    Storage,
}

/// Kind, element type and its bytes of the class `torch.` + `name`.
fn element(name: &str) -> Option<(Kind, &str, u64)> {
    let (dtype, kind) = match (name.strip_suffix("Tensor"), name.strip_suffix("Storage")) {
        (Some(dtype), _) => (dtype, Kind::Tensor),
        (_, Some(dtype)) => (dtype, Kind::Storage),
        _ => return None,
    };
    let bytes = match dtype.strip_prefix("Cuda").unwrap_or(dtype) {
        "Double" | "Long" => 8,
        "Float" | "Int" | "" => 4,
        "Short" | "Half" => 2,
        "Char" | "Byte" => 1,
        _ => return None,
    };
    Some((kind, dtype, bytes))
}

#[cfg(test)]
mod tests;
