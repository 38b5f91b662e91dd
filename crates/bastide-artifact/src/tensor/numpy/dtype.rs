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
        Literal::Text(text) => words(text),
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
        // numpy unpacks a field whatever sequence it is.
        let (Literal::Tuple(parts) | Literal::List(parts)) = field else { return None };
        let part = match parts.as_slice() {
            [_, descr] => of(descr)?,
            [_, descr, shape] => repeated(of(descr)?, shape)?,
            _ => return None,
        };
        whole = whole.and(part)?;
    }
    Some(whole)
}

impl Dtype {
    fn new(size: u64) -> Self {
        Dtype { size, objects: false }
    }

    /// A type of this and then `other`.
    fn and(self, other: Dtype) -> Option<Dtype> {
        Some(Dtype { size: self.size.checked_add(other.size)?, objects: self.objects | other.objects })
    }

    fn times(self, count: u64) -> Option<Dtype> {
        Some(Dtype { size: self.size.checked_mul(count)?, ..self })
    }
}

fn repeated(base: Dtype, shape: &Literal) -> Option<Dtype> {
    let count = match shape {
        Literal::Tuple(_) => elements(shape)?,
        Literal::Whole(count) => u64::try_from(*count).ok()?,
        _ => return None,
    };
    base.times(count)
}

/// The number of elements in a shape; nothing where it is none or overflows.
pub(super) fn elements(shape: &Literal) -> Option<u64> {
    let Literal::Tuple(dimensions) = shape else { return None };
    dimensions.iter().try_fold(1_u64, |product, dimension| match dimension {
        Literal::Whole(dimension) => product.checked_mul(u64::try_from(*dimension).ok()?),
        _ => None,
    })
}

/// A type, or several with commas between them, which `numpy.dtype` takes for one with fields: `f4, (2,)O`.
fn words(text: &str) -> Option<Dtype> {
    let mut whole = Dtype::default();
    let mut rest = text;
    loop {
        let (count, after) = count(rest.trim_start())?;
        let (word, next) = match after.split_once(',') {
            Some((word, next)) => (word, Some(next)),
            None => (after, None),
        };
        whole = whole.and(word_of(word.trim())?.times(count)?)?;
        match next {
            None => return Some(whole),
            Some(next) if next.trim().is_empty() => return Some(whole),
            Some(next) => rest = next,
        }
    }
}

/// The shape before a type, and what follows: `(2, 3)f4`, `2f4`.
fn count(text: &str) -> Option<(u64, &str)> {
    if let Some((shape, rest)) = text.strip_prefix('(').and_then(|inside| inside.split_once(')')) {
        let mut sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
        let product = sizes.try_fold(1_u64, |product, size| product.checked_mul(size.parse().ok()?))?;
        return Some((product, rest.trim_start()));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    Some((if number.is_empty() { 1 } else { number.parse().ok()? }, rest))
}

/// A type of one word: its name, or byte order, kind, size, and for times their unit.
fn word_of(text: &str) -> Option<Dtype> {
    let word = text.strip_prefix(['<', '>', '=', '|']).unwrap_or(text);
    let word = word.split('[').next()?;
    named(word).or_else(|| coded(word))
}

/// Types by the names that `numpy.dtype` knows, also those of former releases.
fn named(word: &str) -> Option<Dtype> {
    if word.trim_end_matches('_').trim_end_matches('0').eq_ignore_ascii_case("object") {
        return Some(Dtype { size: 8, objects: true });
    }
    let size = match word.trim_end_matches('_') {
        "bool" | "bool8" | "int8" | "uint8" | "byte" | "ubyte" => 1,
        "int16" | "uint16" | "float16" | "half" | "short" | "ushort" => 2,
        "int32" | "uint32" | "float32" | "single" | "intc" | "uintc" => 4,
        "int64" | "uint64" | "float64" | "float" | "double" | "int" | "uint" | "long" | "ulong" | "intp"
        | "uintp" | "longlong" | "ulonglong" | "complex64" | "csingle" | "singlecomplex" | "datetime64"
        | "timedelta64" => 8,
        "float96" => 12,
        "complex128" | "complex" | "cdouble" | "cfloat" | "float128" | "longdouble" | "longfloat" => 16,
        "complex192" => 24,
        "complex256" | "clongdouble" | "clongfloat" | "longcomplex" => 32,
        "str" | "unicode" | "bytes" | "string" | "void" | "bytes0" | "str0" | "void0" => 0,
        _ => return None,
    };
    Some(Dtype::new(size))
}

/// A kind of one letter and a size in bytes. A letter alone is a type of C.
fn coded(word: &str) -> Option<Dtype> {
    let mut rest = word.chars();
    let kind = rest.next()?;
    let number = rest.as_str();
    if number.is_empty()
        && let Some(size) = alone(kind)
    {
        return Some(Dtype::new(size));
    }
    let size = |default: u64| if number.is_empty() { Some(default) } else { number.parse::<u64>().ok() };
    Some(match kind {
        'O' => Dtype { size: 8, objects: true },
        'b' | 'B' | '?' => Dtype::new(size(1)?),
        'i' | 'u' | 'f' | 'c' | 'm' | 'M' => Dtype::new(size(8)?),
        'S' | 'a' | 'V' => Dtype::new(size(0)?),
        'T' => Dtype { size: size(0)?, objects: true },
        'U' => Dtype::new(size(0)?.checked_mul(4)?),
        _ => return None,
    })
}

/// Bytes of a type that a letter alone names.
fn alone(kind: char) -> Option<u64> {
    Some(match kind {
        'c' => 1,
        'e' | 'h' | 'H' => 2,
        'f' | 'i' | 'I' => 4,
        'd' | 'l' | 'L' | 'q' | 'Q' | 'p' | 'P' | 'n' | 'N' | 'F' => 8,
        'D' | 'g' => 16,
        'G' => 32,
        _ => return None,
    })
}
