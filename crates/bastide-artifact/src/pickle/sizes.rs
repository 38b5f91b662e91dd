//! What shapes and exponents count, and where views end.

use super::literal::Literal;
use super::machine::State;
use super::torch::Stored;
use super::value::{Kind, Value};
use crate::source::read_up_to;

/// Digits of an exponent: ten to such a power takes a machine no noticeable time.
const EXPONENT: usize = 5;
/// How deep shapes are nested in arguments.
const DEPTH: usize = 3;
/// Values of one argument that are looked at: no shape has more, and what holds itself many times has no end.
const VALUES: u32 = 32;

/// The elements that the arguments of a constructor count, as one shape or as several.
pub(super) fn elements(state: &State<'_>, args: &[Value]) -> u128 {
    let (mut largest, mut product) = (0, 1_u128);
    for arg in args {
        let mut left = VALUES;
        let shape = count(state, *arg, 0, &mut left);
        largest = shape.max(largest);
        product = product.saturating_mul(shape);
    }
    product.max(largest)
}

/// The elements of a shape, or what a number alone counts; one for anything else.
fn count(state: &State<'_>, value: Value, depth: usize, left: &mut u32) -> u128 {
    let Some(less) = left.checked_sub(1) else { return 1 };
    *left = less;
    state.work(1);
    match value.kind() {
        Kind::Int | Kind::Instance => number(state, value).unwrap_or(1).max(1),
        Kind::Tuple | Kind::List if depth < DEPTH => {
            let cell = state.heap.get(value);
            let items = cell.map_or(&[] as &[Value], |cell| cell.items());
            items.iter().fold(1, |all, item| all.saturating_mul(count(state, *item, depth + 1, left)))
        }
        _ => 1,
    }
}

/// What a number counts, nothing if it is negative. Numbers that a call makes are numbers, too: `int('1000000000')`, and the
/// scalars of numpy.
pub(super) fn number(state: &State<'_>, value: Value) -> Option<u128> {
    let of = |literal| match literal {
        Literal::Int(size) => Some(u128::try_from(size).unwrap_or(0)),
        Literal::LongInt => Some(u128::MAX),
        _ => None,
    };
    match value.kind() {
        Kind::Int => state.literal(value).and_then(of),
        Kind::Instance => made_number(state, value),
        _ => None,
    }
}

fn made_number(state: &State<'_>, value: Value) -> Option<u128> {
    let made = state.global(value)?;
    let args = state.heap.get(value)?.items();
    match (made.module.as_str(), made.name.as_str(), args) {
        ("builtins" | "__builtin__", "int" | "long", &[_, of, ref base @ ..]) => match state.literal(of)? {
            Literal::Int(size) => Some(u128::try_from(size).unwrap_or(0)),
            Literal::Text { text, .. } if base.is_empty() => text.trim().replace('_', "").parse().ok(),
            // In another base, or from other bytes: nobody writes a size like this.
            _ => Some(u128::MAX),
        },
        (module, "scalar", &[_, dtype, of]) if module.starts_with("numpy") && is_integer(state, dtype) => {
            let Some(Literal::Bytes { offset, size: size @ 1..=8 }) = state.literal(of) else { return None };
            let mut bytes = [0; 8];
            let read = read_up_to(state.source, offset, usize::try_from(size).ok()?).ok()?;
            bytes.get_mut(..read.len())?.copy_from_slice(&read);
            Some(u64::from_le_bytes(bytes).into())
        }
        _ => None,
    }
}

/// Whether `numpy.dtype('i8')` made the type, or another code of integers.
fn is_integer(state: &State<'_>, dtype: Value) -> bool {
    let code = state.heap.get(dtype).and_then(|made| made.items().get(1)).and_then(|code| state.text(*code));
    code.is_some_and(|code| code.trim_start_matches(['<', '>', '=', '|']).starts_with(['i', 'u']))
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
        _ => number(state, value).map(|number| i128::try_from(number).unwrap_or(i128::MAX)),
    };
    let all = |value: Value| -> Option<Vec<i128>> {
        let cell = state.heap.get(value).filter(|_| matches!(value.kind(), Kind::Tuple | Kind::List))?;
        cell.all()?.iter().map(|item| number(*item)).collect()
    };
    let &[_, offset, size, stride, ..] = args else { return false };
    // Shapes of so many numbers are not followed, and no tensor of a model has one.
    let longer = |value: Value| {
        let cell = state.heap.get(value).filter(|_| matches!(value.kind(), Kind::Tuple | Kind::List));
        cell.is_some_and(|cell| cell.all().is_none())
    };
    if longer(size) || longer(stride) {
        return true;
    }
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
