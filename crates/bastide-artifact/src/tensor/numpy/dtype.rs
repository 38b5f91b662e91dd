//! Element types of numpy as the header of an array writes them.

use super::literal::Literal;

/// What the proof needs to know of a type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dtype {
    /// Bytes of one element.
    pub(super) size: u64,
    /// Whether any part of it is a Python object, which stands in the file as a pickle.
    pub(super) objects: bool,
}

/// The type that `descr` describes; nothing where numpy would not take it.
pub(super) fn of(descr: &Literal) -> Option<Dtype> {
    match descr {
        Literal::Text(text) => simple(text),
        // A type and the shape of its elements.
        Literal::Tuple(pair) => match pair.as_slice() {
            [base, shape] => repeated(of(base)?, shape),
            _ => None,
        },
        Literal::List(fields) => structured(fields),
        _ => None,
    }
}

fn structured(fields: &[Literal]) -> Option<Dtype> {
    let mut whole = Dtype::default();
    for field in fields {
        let Literal::Tuple(parts) = field else { return None };
        let part = match parts.as_slice() {
            [_, descr] => of(descr)?,
            [_, descr, shape] => repeated(of(descr)?, shape)?,
            _ => return None,
        };
        whole.size = whole.size.checked_add(part.size)?;
        whole.objects |= part.objects;
    }
    Some(whole)
}

fn repeated(base: Dtype, shape: &Literal) -> Option<Dtype> {
    let count = match shape {
        Literal::Tuple(_) => elements(shape)?,
        Literal::Whole(count) => u64::try_from(*count).ok()?,
        _ => return None,
    };
    Some(Dtype { size: base.size.checked_mul(count)?, objects: base.objects })
}

/// The number of elements in a shape; nothing where it is none or overflows.
pub(super) fn elements(shape: &Literal) -> Option<u64> {
    let Literal::Tuple(dimensions) = shape else { return None };
    dimensions.iter().try_fold(1_u64, |product, dimension| match dimension {
        Literal::Whole(dimension) => product.checked_mul(u64::try_from(*dimension).ok()?),
        _ => None,
    })
}

/// A type of one word: byte order, kind, size, and for times their unit.
fn simple(text: &str) -> Option<Dtype> {
    let word = text.strip_prefix(['<', '>', '=', '|']).unwrap_or(text);
    let word = word.split('[').next()?;
    let mut rest = word.chars();
    let kind = rest.next()?;
    let number = rest.as_str();
    let size = |default: u64| if number.is_empty() { Some(default) } else { number.parse::<u64>().ok() };
    let (size, objects) = match kind {
        'O' => (8, true),
        'b' | 'B' | '?' => (size(1)?, false),
        'i' | 'u' | 'f' | 'c' | 'm' | 'M' => (size(8)?, false),
        'S' | 'a' | 'V' | 'T' => (size(0)?, kind == 'T'),
        'U' => (size(0)?.checked_mul(4)?, false),
        _ => return None,
    };
    Some(Dtype { size, objects })
}
