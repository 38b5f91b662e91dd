//! Tensors of ONNX, and the files that hold their data.

use std::collections::BTreeMap;

use super::super::path;
use super::super::proto::{Span, Value};
use super::{EXTERNAL, Reader, STRUCTURE};
use crate::halt::Parsed;
use crate::scan::shown;

/// A part of ONNX Runtime takes this location for an address in memory (`kTensorProtoMemoryAddressTag`).
const MEMORY: &str = "_ORT_MEM_ADDR_";
/// No file is larger: 1 EiB.
const ABSURD: u64 = 1 << 60;

/// What a tensor says of its size.
#[derive(Default)]
struct Sizes {
    /// Nothing once they are negative or their product overflows.
    elements: Option<u64>,
    kind: u64,
    raw: Option<u64>,
    /// Values in each field of typed data, by its number.
    typed: BTreeMap<u64, u64>,
    external: bool,
}

impl Reader<'_, '_, '_> {
    pub(super) fn tensor(&mut self, mut message: Span) -> Parsed<()> {
        let at = message.start;
        let mut sizes = Sizes { elements: Some(1), ..Sizes::default() };
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            match (field.number, field.value) {
                (1, Value::Varint(dimension)) => sizes.multiply(dimension),
                (1, Value::Bytes(mut span)) => {
                    while let Some(dimension) = self.proto.packed(&mut span)? {
                        self.scan.spend(1)?;
                        sizes.multiply(dimension);
                    }
                }
                (2, Value::Varint(kind)) => sizes.kind = kind,
                (4..=7 | 10 | 11, value) => {
                    let elements = self.typed(field.number, value)?;
                    let sum = sizes.typed.entry(field.number).or_default();
                    *sum = sum.saturating_add(elements);
                }
                (9, Value::Bytes(span)) => sizes.raw = Some(span.size()),
                (13, Value::Bytes(span)) => {
                    sizes.external = true;
                    self.external(span)?;
                }
                (14, Value::Varint(1)) => sizes.external = true,
                _ => {}
            }
        }
        let (name, bits) = element(sizes.kind).unwrap_or(("unknown", 0));
        let Some(elements) = sizes.elements else {
            self.scan.find(&STRUCTURE, at, "the dimensions of a tensor are negative or overflow");
            return Ok(());
        };
        self.scan.facts.tensor(name, elements);
        let expected = elements.checked_mul(bits).map(|bits| bits.div_ceil(8));
        match (expected, sizes.raw) {
            (None, _) => self.scan.find(&STRUCTURE, at, "the size of a tensor overflows"),
            (Some(expected), Some(raw)) if bits > 0 && !sizes.external && raw != expected => {
                let what = format!("a tensor needs {expected} bytes by its shape and has {raw}");
                self.scan.find(&STRUCTURE, at, what);
            }
            (Some(_), None) if !sizes.external => {
                if let Some((needed, there)) = sizes.contradiction(elements) {
                    let what = format!("a tensor needs {needed} values by its shape and has {there}");
                    self.scan.find(&STRUCTURE, at, what);
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// How many values a field of typed data holds.
    fn typed(&mut self, field: u64, value: Value) -> Parsed<u64> {
        let Value::Bytes(mut span) = value else { return Ok(1) };
        match field {
            4 => Ok(span.size() / 4),
            6 => Ok(1),
            10 => Ok(span.size() / 8),
            _ => {
                let mut count = 0;
                while self.proto.packed(&mut span)?.is_some() {
                    self.scan.spend(1)?;
                    count += 1;
                }
                Ok(count)
            }
        }
    }

    /// One property of external data.
    fn external(&mut self, message: Span) -> Parsed<()> {
        let at = message.start;
        let (key, value) = self.pair(message)?;
        match key.as_str() {
            "location" => self.location(&value, at),
            "offset" | "length" if value.parse::<u64>().is_ok_and(|number| number <= ABSURD) => {}
            "offset" | "length" => {
                let what = format!("the {key} of external data is `{}`", shown(&value));
                self.scan.find(&STRUCTURE, at, what);
            }
            _ => {}
        }
        Ok(())
    }

    /// A file that the runtime opens.
    pub(super) fn location(&mut self, path: &str, at: u64) {
        if path.contains(MEMORY) {
            self.scan.find(&EXTERNAL, at, "external data at an address in memory");
        } else if let Some(why) = path::escape(path) {
            self.scan.find(&EXTERNAL, at, format!("the path `{}` {why}", shown(path)));
        } else if self.scan.depth() == 0 && !path.is_empty() {
            self.scan.facts.file(path);
        }
    }
}

impl Sizes {
    /// How many values the shape needs and how many there are, where these differ. Runtimes that copy what the shape says
    /// without a look at the data read past it. A tensor without any data is a place for some.
    fn contradiction(&self, elements: u64) -> Option<(u64, u64)> {
        let (field, each) = match self.kind {
            1 => (4, 1),
            14 => (4, 2),
            2..=6 | 9 | 10 | 16..=20 | 24 => (5, 1),
            8 => (6, 1),
            7 => (7, 1),
            11 => (10, 1),
            15 => (10, 2),
            12 | 13 => (11, 1),
            // Several to a value, in ways that differ between releases.
            _ => return None,
        };
        let there = *self.typed.get(&field)?;
        let needed = elements.saturating_mul(each);
        (there > 0 && there != needed).then_some((needed, there))
    }

    fn multiply(&mut self, dimension: u64) {
        let dimension = i64::try_from(dimension).is_ok().then_some(dimension);
        self.elements =
            self.elements.zip(dimension).and_then(|(elements, dimension)| elements.checked_mul(dimension));
    }
}

/// Name and bits of an element type (`TensorProto.DataType`); strings have no size of their own.
fn element(kind: u64) -> Option<(&'static str, u64)> {
    Some(match kind {
        1 => ("FLOAT", 32),
        2 => ("UINT8", 8),
        3 => ("INT8", 8),
        4 => ("UINT16", 16),
        5 => ("INT16", 16),
        6 => ("INT32", 32),
        7 => ("INT64", 64),
        8 => ("STRING", 0),
        9 => ("BOOL", 8),
        10 => ("FLOAT16", 16),
        11 => ("DOUBLE", 64),
        12 => ("UINT32", 32),
        13 => ("UINT64", 64),
        14 => ("COMPLEX64", 64),
        15 => ("COMPLEX128", 128),
        16 => ("BFLOAT16", 16),
        17 => ("FLOAT8E4M3FN", 8),
        18 => ("FLOAT8E4M3FNUZ", 8),
        19 => ("FLOAT8E5M2", 8),
        20 => ("FLOAT8E5M2FNUZ", 8),
        21 => ("UINT4", 4),
        22 => ("INT4", 4),
        23 => ("FLOAT4E2M1", 4),
        24 => ("FLOAT8E8M0", 8),
        25 => ("UINT2", 2),
        26 => ("INT2", 2),
        _ => return None,
    })
}
