//! Argument rules: calls that are harmless with the arguments which picklers give, and not with others.

use super::literal::Literal;
use super::machine::{Call, Global, How, State};
use super::names::{Condition, Entry, Standing, Use};
use super::sizes::is_power;
use super::value::{Kind, Value};

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

/// Sizes beyond this are no object of a model.
const HUGE: i128 = 1 << 31;

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
        | Condition::Traced => Ok(()),
        Condition::Callable => first.map_or(Ok(()), |value| callable(value, standing)),
        Condition::Iterators => match call.whole && call.args.iter().all(|arg| is_iterator(state, *arg)) {
            true => Ok(()),
            false => Err(Refusal::Followed),
        },
        Condition::Symbolic => match call.whole {
            true => call.args.iter().try_for_each(|arg| symbolic(state, *arg, 0)),
            false => Err(Refusal::Followed),
        },
        Condition::Bare => bare(call, Refusal::Opens),
        Condition::Spelled => bare(call, Refusal::Constructed),
        Condition::One => match call.args {
            [value] if call.whole && value.is_data() => Ok(()),
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
        Condition::Sizes => {
            let huge = |value: &Value| match state.literal(*value) {
                Some(Literal::Int(size)) => size >= HUGE,
                Some(Literal::LongInt) => true,
                _ => false,
            };
            if call.args.iter().any(huge) { Err(Refusal::Huge) } else { Ok(()) }
        }
    }
}

/// Names and numbers, if it is a text at all: sympy evaluates other texts as Python.
fn symbolic(state: &State<'_>, value: Value, depth: usize) -> Result<(), Refusal> {
    const DEPTH: usize = 6;
    let harmless = match value.kind() {
        Kind::Text => state.text(value).is_some_and(|text| {
            let name = text.chars().all(|c| c.is_alphanumeric() || c == '_');
            let number = || text.chars().all(|c| c.is_ascii_hexdigit() || "+-._/".contains(c));
            name || number()
        }),
        Kind::Tuple | Kind::List | Kind::Dict | Kind::Set => {
            let Some(cell) = state.heap.get(value).filter(|_| depth < DEPTH) else {
                return Err(Refusal::Followed);
            };
            cell.items().iter().try_for_each(|item| symbolic(state, *item, depth + 1))?;
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

/// Whether the call takes all that an iterator gives, which is without end or nearly.
pub(super) fn exhausts(state: &State<'_>, call: &Call<'_>) -> bool {
    const MOST: i128 = 1 << 24;
    let lazy = state.global(call.callee).is_none_or(|global| {
        global.module == "itertools"
            || matches!(global.name.as_str(), "iter" | "enumerate" | "zip" | "range" | "xrange" | "repeat")
    });
    let endless = |value: &Value| {
        let Some(global) = state.global(*value).filter(|_| value.kind() == Kind::Instance) else {
            return false;
        };
        let args = state.heap.get(*value).map_or(&[] as &[Value], |cell| cell.items());
        let long = || {
            args.iter().any(|arg| match state.literal(*arg) {
                Some(Literal::Int(size)) => size.abs() >= MOST,
                Some(Literal::LongInt) => true,
                _ => false,
            })
        };
        match (global.module.as_str(), global.name.as_str()) {
            ("itertools", "count" | "cycle" | "product") => true,
            ("itertools", "repeat") => args.len() < 3 || long(),
            // What it goes over may have no end.
            ("itertools", _) => args.iter().any(|arg| arg.kind() == Kind::Instance),
            ("builtins" | "__builtin__", "range" | "xrange") => long(),
            ("builtins" | "__builtin__", "enumerate" | "zip" | "iter") => {
                args.iter().any(|arg| arg.kind() == Kind::Instance)
            }
            _ => false,
        }
    };
    !lazy && call.args.iter().any(endless)
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

/// Bound methods, enumeration members and, before protocol 4, dotted names: `getattr(Class, 'name')`.
fn getattr(
    state: &State<'_>,
    call: &Call<'_>,
    standing: &dyn Fn(Value) -> Option<Standing>,
) -> Result<(), Refusal> {
    let [receiver, name, ..] = call.args else { return Err(Refusal::Resolves) };
    let known = match receiver.kind() {
        Kind::Global | Kind::Instance => matches!(
            standing(*receiver),
            Some(Standing::Allowed(Entry { usage: Use::Class, .. }) | Standing::Class)
        ),
        _ => receiver.is_data(),
    };
    let single = state.text(*name).is_some_and(|name| {
        // The pickler of protocols before 4 writes `__newobj_ex__` as a partial of it.
        let bound = receiver.kind() == Kind::Global && name == "__new__";
        (bound || !name.starts_with("__"))
            && is_harmless(&name)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    match known && single {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}

/// The dotted global that `getattr(Class, 'name')` stands for.
pub(super) fn attribute_of(state: &State<'_>, result: Value) -> Option<Global> {
    let getattr = state.global(result).filter(|_| result.kind() == Kind::Instance)?;
    if getattr.name != "getattr" {
        return None;
    }
    let [_, class, name] = *state.heap.get(result)?.all()? else { return None };
    let class_name = state.global(class).filter(|_| class.kind() == Kind::Global)?;
    Some(Global {
        module: class_name.module.clone(),
        name: format!("{}.{}", class_name.name, state.text(name)?),
    })
}

/// A literal name without a leading underscore or a dot.
fn public(state: &State<'_>, name: Value) -> bool {
    name.kind() == Kind::Text
        && state.text(name).is_some_and(|name| {
            name.starts_with(|c: char| c.is_ascii_alphabetic())
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// Attributes, with dots between them: public ones lead to data, and special ones to everything.
fn attribute_path(state: &State<'_>, path: Value) -> Result<(), Refusal> {
    let Some(path) = state.text(path).filter(|_| path.kind() == Kind::Text) else {
        return Err(Refusal::Resolves);
    };
    let public = |part: &str| part.starts_with(|c: char| c.is_alphabetic());
    let special = |part: &str| part.starts_with("__");
    if path.split('.').any(|part| special(part) || !is_harmless(part)) {
        return Err(Refusal::Resolves);
    }
    match path.split('.').all(public) {
        true => Ok(()),
        false => Err(Refusal::Followed),
    }
}

/// Not the name of what reaches files, processes or the network, on whatever object it is called.
pub(super) fn is_harmless(name: &str) -> bool {
    const HARMFUL: [&str; 57] = [
        "Popen",
        "call",
        "check_call",
        "check_output",
        "chmod",
        "connect",
        "dump",
        "dumps",
        "eval",
        "exec",
        "execute",
        "execv",
        "extract",
        "extractall",
        "fork",
        "fromfile",
        "getoutput",
        "hardlink_to",
        "import_module",
        "link_to",
        "load",
        "loads",
        "memmap",
        "mkdir",
        "open",
        "popen",
        "read_bytes",
        "read_text",
        "remove",
        "rename",
        "rmdir",
        "rmtree",
        "run",
        "save",
        "savetxt",
        "savez",
        "send",
        "sendall",
        "spawn",
        "symlink_to",
        "system",
        "to_csv",
        "to_excel",
        "to_feather",
        "to_hdf",
        "to_json",
        "to_parquet",
        "to_pickle",
        "to_sql",
        "tofile",
        "touch",
        "unlink",
        "urlopen",
        "write",
        "write_bytes",
        "write_text",
        "writelines",
    ];
    HARMFUL.binary_search(&name).is_err()
}

/// A method of texts or arrays that only computes: what people pickle `methodcaller` for.
fn is_pure_method(state: &State<'_>, name: Value) -> bool {
    const PURE: [&str; 40] = [
        "abs",
        "all",
        "any",
        "argmax",
        "argmin",
        "astype",
        "capitalize",
        "casefold",
        "clip",
        "copy",
        "count",
        "cumsum",
        "decode",
        "encode",
        "endswith",
        "fillna",
        "flatten",
        "get",
        "isalpha",
        "isdigit",
        "isna",
        "items",
        "join",
        "keys",
        "lower",
        "lstrip",
        "max",
        "mean",
        "min",
        "ravel",
        "replace",
        "reshape",
        "rstrip",
        "split",
        "startswith",
        "strip",
        "sum",
        "title",
        "upper",
        "values",
    ];
    name.kind() == Kind::Text
        && state.text(name).is_some_and(|name| PURE.binary_search(&name.as_str()).is_ok())
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

/// Attributes that unpicklers look up on the object itself, or that change what it is.
pub(super) const KEYS: [&str; 25] = [
    "__bases__",
    "__builtins__",
    "__call__",
    "__class__",
    "__closure__",
    "__code__",
    "__defaults__",
    "__del__",
    "__getattr__",
    "__getattribute__",
    "__getstate__",
    "__globals__",
    "__iadd__",
    "__import__",
    "__init__",
    "__mro__",
    "__new__",
    "__reduce__",
    "__reduce_ex__",
    "__setattr__",
    "__setitem__",
    "__setstate__",
    "__subclasses__",
    "append",
    "extend",
];

/// A key of a state that changes how the object behaves, rather than what it holds.
pub(super) fn dangerous_key(state: &State<'_>, with: Value) -> Option<String> {
    let mut dicts = vec![with];
    if let Some(cell) = state.heap.get(with).filter(|_| with.kind() == Kind::Tuple) {
        dicts.extend(cell.items().iter().take(2));
    }
    let dict = dicts.into_iter().find(|dict| dict.kind() == Kind::Dict && state.heap.special(*dict))?;
    let keys = state.heap.get(dict).map(|cell| cell.items().iter().step_by(2));
    let named =
        keys.into_iter().flatten().find(|key| key.number() == Value::SPECIAL && key.kind() == Kind::Text);
    Some(named.and_then(|key| state.text(*key)).unwrap_or_else(|| "__class__ or the like".to_owned()))
}
