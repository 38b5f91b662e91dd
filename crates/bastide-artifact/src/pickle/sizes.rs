//! Sizes that a few bytes ask for: arrays, storages and layers without their contents, and powers of ten.

use super::literal::Literal;
use super::machine::{Call, State};
use super::torch::Stored;
use super::value::{Kind, Value};

/// Elements that no object of a model has without bytes for them in the file.
const ELEMENTS: u128 = 1 << 34;
/// Digits of an exponent: ten to such a power takes a machine no noticeable time.
const EXPONENT: usize = 5;
/// What makes arrays of numpy, of a shape or a size.
const ARRAYS: [&str; 10] = [
    "MaskedArray",
    "_mareconstruct",
    "_reconstruct",
    "bytes_",
    "chararray",
    "matrix",
    "ndarray",
    "recarray",
    "str_",
    "void",
];
/// How deep shapes are nested in arguments.
const DEPTH: usize = 3;

/// Whether the constructor sets memory aside for what its arguments count, and they count too much.
pub(super) fn fills(state: &State<'_>, call: &Call<'_>) -> bool {
    let Some(global) = state.global(call.callee) else { return false };
    let name = global.name.rsplit('.').next().unwrap_or_default();
    let is_class = name.starts_with(|c: char| c.is_ascii_uppercase());
    let allocates = match global.module.split('.').next().unwrap_or_default() {
        "torch" => is_class && name != "Size" && name != "Generator",
        "scipy" => global.module.starts_with("scipy.sparse"),
        "numpy" => ARRAYS.contains(&name),
        "timm" | "torchvision" | "transformers" | "ultralytics" => is_class,
        _ => false,
    };
    allocates
        && (product(state, call.args, 0) >= ELEMENTS
            || call.args.iter().any(|arg| count(state, *arg, 0) >= ELEMENTS))
}

/// The elements of a shape, or what a number alone counts; one for anything else.
fn count(state: &State<'_>, value: Value, depth: usize) -> u128 {
    match value.kind() {
        Kind::Int => match state.literal(value) {
            Some(Literal::Int(size)) => u128::try_from(size).unwrap_or(1).max(1),
            Some(Literal::LongInt) => u128::MAX,
            _ => 1,
        },
        Kind::Tuple | Kind::List if depth < DEPTH => {
            let cell = state.heap.get(value);
            product(state, cell.map_or(&[] as &[Value], |cell| cell.items()), depth + 1)
        }
        _ => 1,
    }
}

fn product(state: &State<'_>, values: &[Value], depth: usize) -> u128 {
    values.iter().fold(1, |all, value| all.saturating_mul(count(state, *value, depth)))
}

/// Whether a number is written with an exponent that takes for ever to write out: `1e999999999`, or the tuple of sign, digits
/// and exponent that decimals are made of.
pub(super) fn is_power(state: &State<'_>, value: Value) -> bool {
    match value.kind() {
        Kind::Text => state.text(value).is_none_or(|text| {
            let exponent = text.split_once(['e', 'E']).map_or("", |(_, exponent)| exponent);
            let exponent = exponent.trim().trim_start_matches(['+', '-', '0', '_']);
            exponent.chars().filter(|c| *c != '_').count() > EXPONENT
        }),
        Kind::Tuple => {
            let cell = state.heap.get(value);
            match cell.and_then(|cell| cell.items().get(2)).and_then(|exponent| state.literal(*exponent)) {
                Some(Literal::Int(exponent)) => exponent.unsigned_abs() >= 10_u128.pow(5),
                Some(Literal::LongInt) => true,
                _ => false,
            }
        }
        _ => false,
    }
}

/// Whether a view of a storage reaches beyond it: `_rebuild_tensor(storage, offset, size, stride, …)`.
pub(super) fn leaves_storage(state: &State<'_>, args: &[Value], stored: Stored) -> bool {
    let number = |value: Value| match state.literal(value) {
        Some(Literal::Int(number)) => Some(number),
        _ => None,
    };
    let all = |value: Value| -> Option<Vec<i128>> {
        let cell = state.heap.get(value).filter(|_| matches!(value.kind(), Kind::Tuple | Kind::List))?;
        cell.all()?.iter().map(|item| number(*item)).collect()
    };
    let &[_, offset, size, stride, ..] = args else { return false };
    let (Some(offset), Some(sizes), Some(strides)) = (number(offset), all(size), all(stride)) else {
        return false;
    };
    if sizes.contains(&0) {
        return false;
    }
    let steps = sizes.iter().zip(&strides).map(|(size, stride)| (size - 1).saturating_mul(*stride));
    let last = steps.fold(offset, i128::saturating_add);
    last >= i128::from(stored.elements) || offset < 0 || strides.iter().any(|stride| *stride < 0)
}
