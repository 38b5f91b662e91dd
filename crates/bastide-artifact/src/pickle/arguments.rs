//! Argument rules: calls that are harmless with the arguments which picklers give, and not with others.

use std::collections::HashSet;

use super::attributes::{attribute_path, getattr, is_harmless, is_pure_method};
use super::defined::is_defined;
use super::lookup::{is_lookup, is_member, is_record, is_repr};
use super::machine::{Call, Global, How, State};
use super::names::{Condition, Entry, Standing, Use};
use super::sizes::is_power;
use super::value::{Kind, Value};
use super::watch::dotted;
use crate::source::read_up_to;

/// Why a call of an allowed global is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It reaches what it likes by name.
    Resolves,
    /// It would call what it is given.
    Callable,
    /// What it is given is not known.
    Followed,
    /// It loads what was computed.
    Bytes,
    /// It makes something that no memory holds.
    Huge,
    /// Its constructor opens what it is given the name of.
    Opens,
    /// Nobody has seen what its constructor does with arguments.
    Constructed,
    /// It evaluates a text.
    Evaluated,
    /// It is a view of more than there is.
    Beyond,
}

/// Checks the arguments of a call.
pub(super) fn check(
    state: &State<'_>,
    call: &Call<'_>,
    condition: Condition,
    standing: &dyn Fn(Value) -> Option<Standing>,
) -> Result<(), Refusal> {
    if !call.whole && call.args.is_empty() {
        return Err(Refusal::Followed);
    }
    let first = call.args.first().copied();
    match condition {
        // The judge sees to these itself.
        Condition::Construct
        | Condition::Apply { .. }
        | Condition::Nested
        | Condition::Buffer
        | Condition::Rebuild
        | Condition::Defines
        | Condition::Sizes
        | Condition::Traced => Ok(()),
        Condition::Callable => first.map_or(Ok(()), |value| callable(value, standing)),
        Condition::Iterators => match call.whole && call.args.iter().all(|arg| is_iterator(state, *arg)) {
            true => Ok(()),
            false => Err(Refusal::Followed),
        },
        Condition::Symbolic => match call.whole {
            true => {
                let mut known = HashSet::new();
                call.args.iter().try_for_each(|arg| symbolic(state, *arg, 0, &mut known))
            }
            false => Err(Refusal::Followed),
        },
        Condition::Bare => bare(call, Refusal::Opens),
        Condition::Spelled => bare(call, Refusal::Constructed),
        Condition::One => match call.args {
            [value] if call.whole && (value.is_data() || is_singleton(state, *value)) => Ok(()),
            _ => Err(Refusal::Resolves),
        },
        Condition::Data => match call.whole && call.args.iter().all(|value| value.is_data()) {
            true => Ok(()),
            false => Err(Refusal::Followed),
        },
        Condition::Codec => codec(state, call),
        Condition::Fraction => match call.args.iter().any(|value| is_power(state, *value)) {
            true => Err(Refusal::Huge),
            false => Ok(()),
        },
        Condition::Subscript => subscript(call, standing),
        Condition::Union => match first.and_then(|value| state.global(value)) {
            Some(or) if or.name == "or_" && call.whole && call.args.len() == 2 => Ok(()),
            _ => Err(Refusal::Resolves),
        },
        Condition::Own => match call.args.iter().all(|value| is_own(state, call.callee, *value)) {
            true => Ok(()),
            false => Err(Refusal::Callable),
        },
        Condition::Getattr => getattr(state, call, standing),
        Condition::Names => match call.whole {
            true => call.args.iter().try_for_each(|value| attribute_path(state, *value)),
            false => Err(Refusal::Followed),
        },
        Condition::Method => match first {
            Some(value) if is_pure_method(state, value) => Ok(()),
            // What it does depends on what it is called with.
            Some(value) => attribute_path(state, value).and(Err(Refusal::Followed)),
            None => Ok(()),
        },
        Condition::Ufunc => ufunc(state, call),
        Condition::Labels => labels(state, call, standing),
        Condition::Lookup => is_lookup(state, call),
        Condition::Record => is_record(state, call),
        Condition::Repr => is_repr(state, call),
        Condition::Member => is_member(state, call, standing),
        Condition::Wraps => match call.whole {
            true => call.args.iter().try_for_each(|value| callable(*value, standing)),
            false => Err(Refusal::Followed),
        },
        Condition::Binds => match call.args {
            [class, rest @ ..]
                if state.global(*class).is_some_and(is_partial) && class.kind() == Kind::Global =>
            {
                rest.iter().try_for_each(|value| callable(*value, standing))
            }
            _ => Err(Refusal::Callable),
        },
        Condition::Held => match call.whole && call.args.iter().skip(1).all(|value| value.is_data()) {
            true => Ok(()),
            false => Err(Refusal::Callable),
        },
    }
}

/// `setattr(object, '__qualname__', 'Outer.Inner')`, as dill labels what the stream itself made before.
fn labels(
    state: &State<'_>,
    call: &Call<'_>,
    standing: &dyn Fn(Value) -> Option<Standing>,
) -> Result<(), Refusal> {
    let &[object, label, text] = call.args else { return Err(Refusal::Resolves) };
    let plain = || state.text(text).is_some_and(|name| dotted(&name));
    let said = match state.text(label).as_deref() {
        Some("__doc__") => true,
        // Libraries write these into code that they evaluate.
        Some("__module__" | "__name__" | "__qualname__") => plain(),
        _ => false,
    };
    match said && call.whole && text.kind() == Kind::Text && is_own_making(state, object, standing) {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}

/// Whether the stream made the object, which nobody else has.
fn is_own_making(state: &State<'_>, object: Value, standing: &dyn Fn(Value) -> Option<Standing>) -> bool {
    let called = || read_up_to(state.source, object.offset(), 1).is_ok_and(|opcode| opcode == b"R");
    match object.kind() {
        Kind::Instance => {
            let class = matches!(standing(object), Some(Standing::Allowed(Entry { usage: Use::Class, .. })));
            class || is_defined(state, object)
        }
        // A named tuple of dill's, unless it is one that a library has.
        Kind::Global => called() && !matches!(standing(object), Some(Standing::Allowed(_)) | None),
        _ => false,
    }
}

/// Names and numbers, if it is a text at all: sympy evaluates other texts as Python.
///
/// `known` are the containers that were found harmless.
fn symbolic(state: &State<'_>, value: Value, depth: usize, known: &mut HashSet<u64>) -> Result<(), Refusal> {
    const DEPTH: usize = 6;
    const CONTAINERS: usize = 64;
    state.work(1);
    let harmless = match value.kind() {
        Kind::Text => state.text(value).is_some_and(|text| {
            let name = text.chars().all(|c| c.is_alphanumeric() || c == '_');
            let number = || text.chars().all(|c| c.is_ascii_hexdigit() || "+-._/".contains(c));
            name || number()
        }),
        Kind::Tuple | Kind::List | Kind::Dict | Kind::Set if known.contains(&value.offset()) => true,
        Kind::Tuple | Kind::List | Kind::Dict | Kind::Set => {
            let followed = depth < DEPTH && known.len() < CONTAINERS;
            let Some(cell) = state.heap.get(value).filter(|_| followed) else {
                return Err(Refusal::Followed);
            };
            cell.items().iter().try_for_each(|item| symbolic(state, *item, depth + 1, known))?;
            known.insert(value.offset());
            return cell.all().map(drop).ok_or(Refusal::Followed);
        }
        Kind::Instance => state.global(value).is_some_and(is_number_like),
        Kind::Bytes | Kind::Result | Kind::Unknown | Kind::Persistent | Kind::Extension => false,
        Kind::None | Kind::Bool | Kind::Int | Kind::Float | Kind::Global => true,
    };
    match harmless {
        true => Ok(()),
        false => Err(Refusal::Evaluated),
    }
}

/// What sympy knows how to take: of anything else it may evaluate the text.
fn is_number_like(made: &Global) -> bool {
    const BUILTINS: [&str; 9] =
        ["bool", "complex", "dict", "float", "frozenset", "int", "list", "set", "tuple"];
    match made.module.split('.').next().unwrap_or_default() {
        "sympy" | "mpmath" | "fractions" | "decimal" => true,
        "numpy" => !made.name.contains("str"),
        "builtins" | "__builtin__" => BUILTINS.contains(&made.name.as_str()),
        "collections" => made.name.ends_with("Dict") || made.name == "defaultdict",
        _ => false,
    }
}

/// `Class[…]` makes a type; anything else takes an item out of something.
fn subscript(call: &Call<'_>, standing: &dyn Fn(Value) -> Option<Standing>) -> Result<(), Refusal> {
    let class = call.args.first().filter(|value| value.kind() == Kind::Global && call.whole);
    match class.and_then(|class| standing(*class)) {
        Some(Standing::Allowed(Entry { usage: Use::Class | Use::Value, condition: None })) => Ok(()),
        Some(Standing::Class | Standing::StandardClass) => Err(Refusal::Followed),
        _ => Err(Refusal::Resolves),
    }
}

/// Nothing to call, or something of the package that `callee` is of.
fn is_own(state: &State<'_>, callee: Value, value: Value) -> bool {
    let package = |value| {
        let module = &state.global(value)?.module;
        let end = module.match_indices('.').nth(1).map_or(module.len(), |(at, _)| at);
        module.get(..end)
    };
    value.kind() != Kind::Global || package(value) == package(callee)
}

/// What has a type that no module names.
fn is_singleton(state: &State<'_>, value: Value) -> bool {
    let builtin =
        state.global(value).filter(|global| matches!(global.module.as_str(), "builtins" | "__builtin__"));
    value.kind() == Kind::Global
        && builtin.is_some_and(|global| matches!(global.name.as_str(), "Ellipsis" | "NotImplemented"))
}

fn is_partial(global: &Global) -> bool {
    global.module == "functools" && global.name == "partial"
}

fn callable(value: Value, standing: &dyn Fn(Value) -> Option<Standing>) -> Result<(), Refusal> {
    match value.kind() {
        Kind::Global => match standing(value) {
            Some(Standing::Allowed(Entry {
                condition: Some(Condition::Getattr | Condition::Ufunc), ..
            })) => Err(Refusal::Callable),
            // What is on no list is found for itself.
            _ => Ok(()),
        },
        // Whoever calls a bound name calls the method of what comes next.
        Kind::Instance => match standing(value) {
            Some(Standing::Allowed(Entry {
                condition: Some(Condition::Method | Condition::Names), ..
            })) => Err(Refusal::Callable),
            _ => Ok(()),
        },
        Kind::Unknown | Kind::Extension => Err(Refusal::Callable),
        _ => Ok(()),
    }
}

/// Data, or an iterator over some that the stream made before.
fn is_iterator(state: &State<'_>, value: Value) -> bool {
    let made = || state.global(value).filter(|_| value.kind() == Kind::Instance);
    value.is_data()
        || made().is_some_and(|global| {
            matches!(global.module.as_str(), "builtins" | "__builtin__")
                && matches!(
                    global.name.as_str(),
                    "enumerate" | "iter" | "range" | "reversed" | "zip" | "xrange"
                )
        })
}

/// Without texts a constructor has nothing to open.
fn bare(call: &Call<'_>, otherwise: Refusal) -> Result<(), Refusal> {
    match is_made(call) || numbers(call) {
        true => Ok(()),
        false => Err(otherwise),
    }
}

/// Whether an object is made without its constructor.
pub(super) fn is_made(call: &Call<'_>) -> bool {
    matches!(call.how, How::New | How::NewWithKeywords)
}

/// Whether the arguments are numbers, if there are any.
pub(super) fn numbers(call: &Call<'_>) -> bool {
    let plain = |value: &Value| matches!(value.kind(), Kind::None | Kind::Bool | Kind::Int | Kind::Float);
    call.whole && call.args.iter().all(plain)
}

/// `_codecs.encode(text, 'latin1')` is how Python 2 protocols write bytes; other codecs decompress.
fn codec(state: &State<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    const TEXT_CODECS: [&str; 8] =
        ["latin1", "latin-1", "iso-8859-1", "iso8859-1", "utf-8", "utf8", "ascii", "utf-16"];
    match call.args {
        [_] if call.whole => Ok(()),
        [_, codec, ..] => match state.text(*codec) {
            Some(name) if TEXT_CODECS.contains(&name.to_ascii_lowercase().replace('_', "-").as_str()) => {
                Ok(())
            }
            _ => Err(Refusal::Resolves),
        },
        _ => Err(Refusal::Followed),
    }
}

/// A literal name without a leading underscore or a dot.
fn public(state: &State<'_>, name: Value) -> bool {
    name.kind() == Kind::Text
        && state.text(name).is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// `_ufunc_reconstruct(module, name)` imports the module.
fn ufunc(state: &State<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let [module, name] = call.args else { return Err(Refusal::Resolves) };
    let known = state.text(*module).is_some_and(|module| {
        matches!(
            module.as_str(),
            "numpy"
                | "numpy.core._multiarray_umath"
                | "numpy._core._multiarray_umath"
                | "numpy.core.umath"
                | "numpy._core.umath"
                | "scipy.special"
                | "scipy.special._ufuncs"
                | "scipy.special._special_ufuncs"
        )
    });
    let function = state.text(*name).is_some_and(|name| {
        is_harmless(&name)
            && !["test", "from", "load", "save", "gen", "memmap", "Data", "set", "get", "f2py", "frombuffer"]
                .iter()
                .any(|other| name.starts_with(other))
    });
    match known && function && public(state, *name) {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}
