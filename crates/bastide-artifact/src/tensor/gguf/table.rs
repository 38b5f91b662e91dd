//! The tensors of a GGUF file.

use super::super::keys::Keys;
use super::super::proof::{Proof, flaw};
use super::types;
use super::wire::Wire;
use crate::claim::is_absurd;
use crate::halt::Halt;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// `GGML_MAX_DIMS`.
const MAX_DIMENSIONS: u32 = 4;
/// Longer than `GGML_MAX_NAME` of any build.
const LONGEST_NAME: usize = 1024;
/// No machine holds a tensor beyond this: 16 TiB.
const ABSURD: u64 = 1 << 44;
/// Numbers below this are given by forks of llama.cpp to types of their own: those of ik_llama.cpp end at 399.
const FORKS: u32 = 512;
/// What programs pad files to: a page.
const PAGE: u64 = 4096;

/// One tensor.
pub(super) struct Tensor {
    offset: u64,
    size: u64,
    /// Where the table names it.
    at: u64,
}

/// Reads the table of `count` tensors.
pub(super) fn read(wire: &mut Wire<'_>, count: u64, scan: &mut Scan<'_>) -> Proof<Vec<Tensor>> {
    let mut tensors = Vec::new();
    let mut seen = Keys::default();
    let mut largest = ("", 0);
    for _ in 0..count {
        scan.spend(1)?;
        let at = wire.cursor.position();
        let name = wire.string(LONGEST_NAME, "tensor name")?;
        let (dtype, elements, size) = describe(wire, &name, at)?;
        let offset = wire.u64()?;
        scan.facts.tensor(dtype, elements);
        if elements > largest.1 {
            largest = (dtype, elements);
        }
        tensors.push(Tensor { offset, size, at });
        seen.add(&name, at)?;
    }
    if let Some(at) = seen.twice() {
        return flaw(at, "the name of a tensor stands twice");
    }
    if largest.1 > 0 {
        scan.facts.property("quantisation", largest.0);
    }
    Ok(tensors)
}

/// The type, elements and bytes of the tensor called `name`.
fn describe(wire: &mut Wire<'_>, name: &str, at: u64) -> Proof<(&'static str, u64, u64)> {
    let dimensions = wire.u32()?;
    if dimensions > MAX_DIMENSIONS {
        return flaw(at, format!("tensor `{}` has {dimensions} dimensions", shown(name)));
    }
    let mut elements: u64 = 1;
    let mut first = 1;
    for index in 0..dimensions {
        let dimension = wire.count()?;
        if dimension == 0 {
            // ggml divides by it to see whether the product overflows.
            return flaw(at, format!("a dimension of tensor `{}` is 0", shown(name)));
        }
        if index == 0 {
            first = dimension;
        }
        match elements.checked_mul(dimension).filter(|product| i64::try_from(*product).is_ok()) {
            Some(product) => elements = product,
            None => return flaw(at, format!("the number of elements of tensor `{}` overflows", shown(name))),
        }
    }
    let id = wire.u32()?;
    let Some(dtype) = types::of(id) else {
        if id >= FORKS {
            return flaw(at, format!("{id} is not an element type (tensor `{}`)", shown(name)));
        }
        return Err(Halt::malformed(at, format!("element type {id} is unknown")).into());
    };
    if first % dtype.block != 0 {
        return flaw(
            at,
            format!("tensor `{}` cuts a block of {} elements of {}", shown(name), dtype.block, dtype.name),
        );
    }
    match (elements / dtype.block).checked_mul(dtype.bytes).filter(|size| *size <= ABSURD) {
        Some(size) => Ok((dtype.name, elements, size)),
        None => flaw(at, format!("tensor `{}` claims {elements} elements", shown(name))),
    }
}

/// Proves that the tensors lie side by side, each padded to the alignment, from the end of the table to the end of the file.
pub(super) fn prove(source: &dyn Source, mut tensors: Vec<Tensor>, end: u64, alignment: u64) -> Proof<()> {
    tensors.sort_by_key(|tensor| (tensor.offset, tensor.size));
    let mut expected: u64 = 0;
    let mut used: u64 = 0;
    for tensor in &tensors {
        let Tensor { offset, size, at } = *tensor;
        if offset % alignment != 0 {
            return flaw(at, format!("a tensor at {offset} is not aligned to {alignment} bytes"));
        }
        if offset > expected {
            return flaw(at, format!("no tensor accounts for the bytes from {used} to {offset} of the data"));
        }
        if offset < expected {
            return flaw(
                at,
                format!("a tensor begins at {offset} of the data, within another that ends at {used}"),
            );
        }
        used = offset.saturating_add(size);
        expected = used.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
        if expected > ABSURD {
            return flaw(at, "the tensors claim more than 16 TiB");
        }
    }
    let data = end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    let last = if tensors.is_empty() { end } else { data.saturating_add(used) };
    if is_absurd(last, source.size()) {
        return flaw(end, format!("the tensors claim {used} bytes"));
    }
    if last > source.size() {
        return Err(Halt::Truncated { offset: source.size() }.into());
    }
    padding(source, last, alignment)
}

/// Writers pad the last tensor too, some to a page; nothing else may follow.
fn padding(source: &dyn Source, from: u64, alignment: u64) -> Proof<()> {
    let trailing = source.size() - from;
    let most = alignment.max(PAGE);
    let bytes = read_up_to(source, from, usize::try_from(most.min(1 << 20)).unwrap_or(usize::MAX))?;
    match bytes.iter().position(|byte| *byte != 0) {
        Some(at) => flaw(from + at as u64, format!("{trailing} bytes follow the last tensor")),
        None if trailing > most => flaw(from, format!("{trailing} bytes follow the last tensor")),
        None => Ok(()),
    }
}
