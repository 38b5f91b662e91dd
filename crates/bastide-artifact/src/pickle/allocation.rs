//! What a stream makes its loader set aside or count through, against the bytes that it carries.
//!
//! An honest pickler writes what it saves: a thousand zeros are a thousand bytes. So all that calls ask for beyond the stream
//! is added up, whichever constructor it is: `bytearray(n)`, storages and arrays by their shape, and containers of what an
//! iterator gives (CWE-789). How much that is, is counted once, by the call that makes the iterator.

use std::collections::HashMap;

use super::joblib::Arrays;
use super::literal::{self, Literal};
use super::lookup;
use super::machine::{Call, Global, State};
use super::sizes;
use super::torch::element_size;
use super::value::{Kind, Value};

/// What one stream asked for so far.
#[derive(Default)]
pub(super) struct Ledger {
    claimed: u128,
    told: bool,
    /// How many elements the results of calls have or give, by where they were made.
    gives: HashMap<u64, u128>,
}

impl Ledger {
    /// No machine is hurt by less: 256 MiB.
    const FLOOR: u128 = 1 << 28;
    /// A byte of the stream is an element of a container at most, whose reference takes eight, and twice if it is copied.
    const TIMES: u128 = 16;
    /// Results whose elements are known.
    const KNOWN: usize = 1 << 17;

    /// Adds what a call sets aside; whether that is one too many.
    pub(super) fn charge(&mut self, state: &State<'_>, arrays: &Arrays, call: &Call<'_>) -> bool {
        !self.told && {
            let bytes = of_call(self, state, arrays, call);
            self.exceeds(state, bytes)
        }
    }

    /// Notes how many elements the result of a call at `offset` has or gives.
    pub(super) fn note(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let Some(global) = state.global(call.callee).filter(|_| call.callee.kind() == Kind::Global) else {
            return;
        };
        if self.told || self.gives.len() >= Self::KNOWN {
            return;
        }
        // Of more arguments than are known any number may be gone over.
        let gives = match call.whole || global.module != "itertools" {
            true => given(self, state, global, call.args),
            false => u128::MAX,
        };
        if gives > 0 || is_endless_by_default(global) {
            self.gives.insert(offset, gives);
        }
    }

    /// Adds `bytes`; whether that is now, and was not before, more than an honest stream of this file asks for.
    pub(super) fn exceeds(&mut self, state: &State<'_>, bytes: u128) -> bool {
        self.claimed = self.claimed.saturating_add(bytes);
        let honest = u128::from(state.source.size()).saturating_mul(Self::TIMES).max(Self::FLOOR);
        let exceeded = self.claimed > honest && !self.told;
        self.told |= exceeded;
        exceeded
    }
}

/// A reference to an object, or a number of double precision.
const WORD: u128 = 8;

/// Bytes that the callee sets aside for its arguments, beside what these are themselves.
fn of_call(ledger: &Ledger, state: &State<'_>, arrays: &Arrays, call: &Call<'_>) -> u128 {
    let Some(global) = state.global(call.callee).filter(|_| !call.args.is_empty() || call.keywords.is_some())
    else {
        return 0;
    };
    let keywords = call.keywords.and_then(|keywords| state.heap.get(keywords));
    let keywords = keywords.map_or(&[] as &[Value], |cell| cell.items());
    let args: Vec<Value> = call.args.iter().chain(keywords.iter().skip(1).step_by(2)).copied().collect();
    let name = global.name.rsplit('.').next().unwrap_or_default();
    let each = |at: usize, size: u128| {
        args.get(at).map_or(0, |arg| length(ledger, state, *arg).saturating_mul(size))
    };
    match (global.module.split('.').next().unwrap_or_default(), name) {
        ("builtins" | "__builtin__", "bytes" | "bytearray") => sized(ledger, state, args.first().copied()),
        ("builtins" | "__builtin__", "str" | "unicode") => each(0, 1),
        ("builtins" | "__builtin__" | "collections", "list" | "tuple" | "set" | "frozenset" | "dict")
        | ("collections", "deque" | "Counter" | "OrderedDict" | "UserList" | "UserString")
        | ("cloudpickle", "_make_dict_keys" | "_make_dict_values" | "_make_dict_items") => each(0, WORD),
        ("collections", "defaultdict") => each(1, WORD),
        ("array", "array") => each(1, WORD),
        ("array", "_array_reconstructor") => each(3, 1),
        ("io" | "_io" | "_pyio", "BytesIO" | "StringIO") => each(0, 1),
        ("builtins" | "__builtin__", "iter" | "enumerate" | "zip" | "range" | "xrange" | "reversed")
        | ("itertools", _) => 0,
        ("numpy" | "torch" | "scipy" | "timm" | "torchvision" | "transformers" | "ultralytics", _) => {
            of_shape(state, arrays, &global.module, name, &args)
        }
        _ => iterated(ledger, state, &args),
    }
}

/// What a callee may go over: what gives elements without having them, as an argument or in a dictionary of arguments.
fn iterated(ledger: &Ledger, state: &State<'_>, args: &[Value]) -> u128 {
    let inner =
        |dict: &Value| state.heap.get(*dict).filter(|_| dict.kind() == Kind::Dict).map(|cell| cell.items());
    let all = args.iter().chain(args.iter().filter_map(inner).flatten());
    let made = all.inspect(|_| state.work(1)).filter(|arg| arg.kind() == Kind::Instance);
    made.fold(0_u128, |all, arg| all.saturating_add(length(ledger, state, *arg))).saturating_mul(WORD)
}

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
/// Elements that no other object of a library has without bytes for them in the file.
const ELEMENTS: u128 = 1 << 34;

/// Bytes of an array, storage or layer by what its arguments count.
fn of_shape(state: &State<'_>, arrays: &Arrays, module: &str, name: &str, args: &[Value]) -> u128 {
    let is_class = name.starts_with(|c: char| c.is_ascii_uppercase());
    let elements = || sizes::elements(state, args);
    let wide = || args.iter().map(|arg| width(state, arrays, *arg)).fold(WORD, u128::max);
    match module.split('.').next().unwrap_or_default() {
        "numpy" if matches!(name, "bytes_" | "record" | "str_" | "void") => elements(),
        // Without bytes, a scalar is as many zeros as its type has.
        "numpy" if name == "scalar" && args.len() == 1 => wide(),
        "numpy" if ARRAYS.contains(&name) => elements().saturating_mul(wide()),
        "torch" if name.ends_with("Storage") => {
            elements().saturating_mul(element_size(name).map_or(4, u128::from))
        }
        "torch" if name.ends_with("Tensor") || (is_class && module.starts_with("torch.nn.")) => {
            elements().saturating_mul(4)
        }
        "torch" if name == "Size" || name == "Generator" => 0,
        "scipy" if !module.starts_with("scipy.sparse") => 0,
        "torch" | "timm" | "torchvision" | "transformers" | "ultralytics" if !is_class => 0,
        "numpy" => 0,
        _ => Some(elements()).filter(|elements| *elements >= ELEMENTS).unwrap_or(0),
    }
}

/// Bytes of an element, if the argument is a type of elements: its code has numbers that are multiplied, `V8` and `(2,3)f8`.
fn width(state: &State<'_>, arrays: &Arrays, of: Value) -> u128 {
    if let Some(element) = arrays.element(of) {
        return element.size().into();
    }
    let code = match of.kind() {
        Kind::Text | Kind::Bytes => Some(of),
        Kind::Instance => state.heap.get(of).and_then(|made| made.items().get(1).copied()),
        _ => None,
    };
    let Some(code) = code.and_then(|code| state.text(code)) else { return 1 };
    let numbers = code.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    numbers.fold(1, |all, digits| all.saturating_mul(digits.parse().unwrap_or(u128::MAX)))
}

/// Bytes of `bytes(of)`: a number counts zeros, and anything else is gone over.
fn sized(ledger: &Ledger, state: &State<'_>, of: Option<Value>) -> u128 {
    let Some(of) = of else { return 0 };
    sizes::number(state, of).unwrap_or_else(|| length(ledger, state, of))
}

/// How many elements something has or gives.
fn length(ledger: &Ledger, state: &State<'_>, of: Value) -> u128 {
    match of.kind() {
        Kind::Bytes => match state.literal(of) {
            Some(Literal::Bytes { size, .. }) => size.into(),
            _ => 0,
        },
        Kind::Text => {
            let size = literal::text_size(state.source, of.offset()).unwrap_or(0);
            state.work(size / 64);
            size.into()
        }
        Kind::Tuple | Kind::List | Kind::Dict | Kind::Set => state.heap.elements(of).into(),
        Kind::Instance => match ledger.gives.get(&of.offset()) {
            Some(gives) => *gives,
            None if state.global(of).is_some_and(is_endless_by_default) => u128::MAX,
            None => 0,
        },
        _ => 0,
    }
}

/// Whether a number alone says how much a call gives, so that anything is possible where that is not known.
fn is_endless_by_default(made: &Global) -> bool {
    matches!(made.name.as_str(), "bytes" | "bytearray" | "range" | "xrange" | "_eval_repr")
        || made.module == "itertools"
}

/// How many elements what a call makes has or gives.
fn given(ledger: &Ledger, state: &State<'_>, global: &Global, args: &[Value]) -> u128 {
    let module = global.module.split('.').next().unwrap_or_default();
    let each = |value: &Value| length(ledger, state, *value);
    match (module, global.name.as_str()) {
        ("builtins" | "__builtin__", "bytes" | "bytearray") => sized(ledger, state, args.first().copied()),
        ("builtins" | "__builtin__", "range" | "xrange") => {
            let all: Vec<i128> = args.iter().map(|value| int(state, *value)).collect();
            steps(&all)
        }
        ("dill", "_eval_repr") => {
            let text = args.first().and_then(|text| state.text(*text));
            text.and_then(|text| lookup::range(&text)).map_or(0, |all| steps(&all))
        }
        ("builtins" | "__builtin__", "zip") => args.iter().map(each).min().unwrap_or(0),
        ("itertools", "count" | "cycle" | "product") => u128::MAX,
        ("ipaddress", name) if name.ends_with("Network") => u128::MAX,
        ("numpy", "broadcast" | "ndindex" | "nditer") => u128::MAX,
        ("itertools", "repeat") => args.get(1).map_or(u128::MAX, |times| number(state, *times)),
        ("itertools", "islice") => {
            let all = args.first().map_or(0, each);
            let ends = args.get(1..).unwrap_or_default().iter().take(2).map(|end| number(state, *end));
            all.min(ends.max().unwrap_or(u128::MAX))
        }
        ("itertools", _) => args.iter().fold(0_u128, |all, arg| all.saturating_add(each(arg))),
        ("array", "array") => args.get(1).map_or(0, each),
        ("builtins" | "__builtin__" | "collections" | "io" | "_io", _) => args.first().map_or(0, each),
        _ => 0,
    }
}

/// How many numbers a range has.
fn steps(of: &[i128]) -> u128 {
    let (start, stop, step) = match *of {
        [stop] => (0, stop, 1),
        [start, stop] => (start, stop, 1),
        [start, stop, step, ..] => (start, stop, step),
        [] => return 0,
    };
    let (from, to) = if step < 0 { (stop, start) } else { (start, stop) };
    let span = to.saturating_sub(from);
    u128::try_from(span).unwrap_or(0).div_ceil(step.unsigned_abs().max(1))
}

fn int(state: &State<'_>, value: Value) -> i128 {
    match state.literal(value) {
        Some(Literal::Int(number)) => number,
        Some(Literal::LongInt) => i128::MAX,
        _ => i128::try_from(number(state, value)).unwrap_or(i128::MAX),
    }
}

/// A number that counts something.
fn number(state: &State<'_>, value: Value) -> u128 {
    sizes::number(state, value).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_counted_as_python_does() {
        assert_eq!(steps(&[5]), 5);
        assert_eq!(steps(&[2, 9, 3]), 3);
        assert_eq!(steps(&[9, 2, -3]), 3);
        assert_eq!(steps(&[9, 2]), 0);
        assert_eq!(steps(&[0, i128::MAX]), i128::MAX.unsigned_abs());
        assert_eq!(steps(&[0, 5, 0]), 5);
    }
}
