//! Joblib's layout: raw arrays between the opcodes of a pickle.
//!
//! After the BUILD of a `NumpyArrayWrapper`, joblib's unpickler reads the array by itself (`joblib/numpy_pickle.py`,
//! `NumpyArrayWrapper.read_array`): a byte with the length of the padding and the padding, if the wrapper knows an
//! alignment; then shape × item size bytes, or another pickle where the type has objects.

use std::collections::HashMap;

use super::judge::Judge;
use super::literal::Literal;
use super::machine::{Call, Next, State};
use super::value::{Kind, Value};
use super::{rules, stream};
use crate::claim::is_absurd;
use crate::halt::{Halt, Parsed};
use crate::source::read_exactly;

/// Element types by the offset of what made them.
#[derive(Default)]
pub(super) struct Arrays {
    types: HashMap<u64, Element>,
    /// Joblib reads a pickle within an array with the plain unpickler.
    pub(super) plain: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    kind: char,
    size: u64,
    objects: bool,
}

impl Element {
    pub(super) fn size(self) -> u64 {
        self.size
    }

    /// The code of the type without byte order: `f8`, `U10`, `O`.
    pub(super) fn code(self) -> String {
        match self.kind {
            'O' => "O".to_owned(),
            'U' => format!("U{}", self.size / 4),
            kind => format!("{kind}{}", self.size),
        }
    }
}

impl Arrays {
    /// The type that the stream made at `dtype`.
    pub(super) fn element(&self, dtype: Value) -> Option<Element> {
        self.types.get(&dtype.offset()).copied()
    }
}

impl Arrays {
    /// Bytes that an array of objects takes by its state, `(1, shape, dtype, in_columns, list)`: numpy sets them aside before
    /// it looks at the list.
    pub(super) fn references(&self, state: &State<'_>, with: Value) -> u64 {
        let cell = state.heap.get(with).filter(|_| with.kind() == Kind::Tuple);
        let Some(&[_, shape, dtype, ..]) = cell.map(|cell| cell.items()) else { return 0 };
        let objects = self.element(dtype).filter(|element| element.objects);
        let size = objects
            .zip(elements(state, shape))
            .map(|(element, count)| count.saturating_mul(element.size.max(8)));
        size.unwrap_or(0)
    }
}

/// More types than any model has.
const TYPES: usize = 1 << 16;

/// Remembers the element types that are made.
pub(super) fn note_call(arrays: &mut Arrays, state: &State<'_>, call: &Call<'_>, offset: u64) {
    let dtype = state.global(call.callee).is_some_and(|g| g.module == "numpy" && g.name == "dtype");
    if !dtype || arrays.types.len() >= TYPES {
        return;
    }
    if let Some(element) = call.args.first().and_then(|code| state.text(*code)).and_then(|code| parse(&code))
    {
        arrays.types.insert(offset, element);
    }
}

/// `f8`, `V12`, `U10`, `O8`.
fn parse(code: &str) -> Option<Element> {
    let code = code.trim_start_matches(['<', '>', '=', '|']);
    let kind = code.chars().next()?;
    let width: u64 = match code.get(kind.len_utf8()..)? {
        "" => 1,
        digits => digits.parse().ok()?,
    };
    let size = if kind == 'U' { width.checked_mul(4)? } else { width };
    Some(Element { kind, size, objects: kind == 'O' })
}

/// What joblib does after an object was given its state: nothing, or it reads an array.
pub(super) fn after_build(
    judge: &mut Judge<'_, '_>,
    state: &State<'_>,
    object: Value,
    with: Value,
    offset: u64,
) -> Parsed<Next> {
    let Some(class) = state.global(object).filter(|_| object.kind() == Kind::Instance) else {
        return Ok(Next::Continue);
    };
    match class.name.as_str() {
        "dtype" if class.module == "numpy" => {
            refine(&mut judge.arrays, state, object, with);
            Ok(Next::Continue)
        }
        "NumpyArrayWrapper" if class.module.ends_with("joblib.numpy_pickle") => {
            array(judge, state, with, offset)
        }
        "NDArrayWrapper" | "ZNDArrayWrapper" if class.module.contains("joblib.numpy_pickle") => {
            let file =
                attribute(state, with, "filename").and_then(|name| state.text(name)).unwrap_or_default();
            let outside = file.contains(['/', '\\']) || file.is_empty();
            let rule = if outside { &rules::FILE } else { &rules::COMPANION };
            judge.scan.find(rule, offset, format!("an array is read from `{}`", crate::scan::shown(&file)));
            Ok(Next::Continue)
        }
        _ => Ok(Next::Continue),
    }
}

/// The state of a type: `(3, '|', None, names, fields, size, alignment, flags)`.
fn refine(arrays: &mut Arrays, state: &State<'_>, object: Value, with: Value) {
    /// `NPY_ITEM_REFCOUNT`: elements refer to objects.
    const REFERENCES: i128 = 1;
    let Some(cell) = state.heap.get(with).filter(|_| with.kind() == Kind::Tuple) else { return };
    let item = |at: usize| match cell.items().get(at).and_then(|value| state.literal(*value)) {
        Some(Literal::Int(int)) => Some(int),
        _ => None,
    };
    let Some(element) = arrays.types.get_mut(&object.offset()) else { return };
    if let Some(size) = item(5).and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0) {
        element.size = size;
    }
    element.objects |= item(7).is_some_and(|flags| flags & REFERENCES != 0);
}

/// The value of a key in a dictionary that is known whole.
pub(super) fn attribute(state: &State<'_>, dict: Value, name: &str) -> Option<Value> {
    let cell = state.heap.get(dict).filter(|_| dict.kind() == Kind::Dict)?;
    cell.all()?.chunks(2).rev().find_map(|pair| match *pair {
        [key, value] if state.text(key).is_some_and(|key| key == name) => Some(value),
        _ => None,
    })
}

fn array(judge: &mut Judge<'_, '_>, state: &State<'_>, with: Value, offset: u64) -> Parsed<Next> {
    if judge.arrays.plain {
        return Ok(Next::Continue);
    }
    judge.joblib = true;
    let unknown = || Halt::malformed(offset, "the shape or type of a joblib array cannot be followed");
    let element =
        attribute(state, with, "dtype").and_then(|dtype| judge.arrays.types.get(&dtype.offset()).copied());
    let element = element.ok_or_else(unknown)?;
    // The plain unpickler goes on right here, with the array's bytes as opcodes.
    stream::ambush(state.source, state.position, judge.scan)?;
    if element.objects {
        return stream::within_array(state.source, state.position, judge.scan).map(Next::At);
    }
    let shape = attribute(state, with, "shape").ok_or_else(unknown)?;
    let count = elements(state, shape).ok_or_else(unknown)?;
    judge.scan.facts.tensor(&element.code(), count);
    let bytes = count.saturating_mul(element.size);
    let padding = match attribute(state, with, "numpy_array_alignment_bytes").and_then(|v| state.literal(v)) {
        None | Some(Literal::None) => 0,
        Some(_) => {
            1 + u64::from(read_exactly(state.source, state.position, 1)?.first().copied().unwrap_or(0))
        }
    };
    let end = state.position.saturating_add(padding).saturating_add(bytes);
    if is_absurd(bytes, state.source.size()) {
        judge.scan.find(&rules::BOMB, offset, format!("an array claims {bytes} bytes"));
    }
    if end > state.source.size() {
        return Err(Halt::Truncated { offset: state.source.size() });
    }
    Ok(Next::At(end))
}

/// The product of a shape.
pub(super) fn elements(state: &State<'_>, shape: Value) -> Option<u64> {
    if shape.kind() != Kind::Tuple {
        return None;
    }
    let mut product = 1_u64;
    for &length in state.heap.get(shape)?.all()? {
        let Some(Literal::Int(length)) = state.literal(length) else { return None };
        product = product.saturating_mul(u64::try_from(length).ok()?);
    }
    Some(product)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn element_types_by_their_codes() {
        let element = |kind, size, objects| Some(Element { kind, size, objects });
        assert_eq!(parse("f8"), element('f', 8, false));
        assert_eq!(parse("<U10"), element('U', 40, false));
        assert_eq!(parse("|O"), element('O', 1, true));
        assert_eq!(parse("O8"), element('O', 8, true));
        assert_eq!(parse("V12"), element('V', 12, false));
        assert_eq!(parse("<U10").map(Element::code).as_deref(), Some("U10"));
        assert_eq!(parse(""), None);
    }
}
