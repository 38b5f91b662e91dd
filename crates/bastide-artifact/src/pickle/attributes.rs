//! Attributes: which names lead to data, to harm, or change how an object behaves.

use super::arguments::Refusal;
use super::machine::{Call, Global, State};
use super::made::class_of;
use super::names::{Entry, Standing, Use};
use super::value::{Kind, Value};

/// Bound methods, enumeration members and, before protocol 4, dotted names: `getattr(Class, 'name')`.
pub(super) fn getattr(
    state: &State<'_>,
    call: &Call<'_>,
    standing: &dyn Fn(Value) -> Option<Standing>,
) -> Result<(), Refusal> {
    let [receiver, name, ..] = call.args else { return Err(Refusal::Resolves) };
    let enumeration = receiver.kind() == Kind::Global
        && state.global(*receiver).is_some_and(|global| global.module == "enum" && global.name == "Enum")
        && state.text(*name).as_deref() == Some("__new__");
    let class = match receiver.kind() {
        Kind::Instance => class_of(state, *receiver).unwrap_or(*receiver),
        _ => *receiver,
    };
    let known = match receiver.kind() {
        Kind::Global | Kind::Instance => {
            enumeration
                || is_rebuilt(state, class)
                || matches!(
                    standing(class),
                    Some(Standing::Allowed(Entry { usage: Use::Class, .. }) | Standing::Class)
                )
        }
        _ => receiver.is_data(),
    };
    let single = state.text(*name).is_some_and(|name| {
        // The pickler of protocols before 4 writes `__newobj_ex__` as a partial of it.
        let bound = receiver.kind() == Kind::Global && name == "__new__";
        (bound || !name.starts_with("__"))
            && is_harmless(&name)
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    });
    // Of what is made by a function, methods for its users are enough.
    let private = (class != *receiver || is_rebuilt(state, class))
        && state.text(*name).is_some_and(|name| name.starts_with('_'));
    // `DataFrame.query` evaluates what it is given; methods of the name search elsewhere.
    let evaluates = state.global(class).is_some_and(|class| class.module.starts_with("pandas"))
        && state.text(*name).as_deref() == Some("query");
    match known && single && !private && !evaluates {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}

/// An object of numpy or torch that a function of theirs makes: a generator of random numbers, a tensor.
fn is_rebuilt(state: &State<'_>, object: Value) -> bool {
    let made = state.global(object).filter(|_| object.kind() == Kind::Instance);
    made.is_some_and(|by| match by.name.as_str() {
        "__generator_ctor" | "__randomstate_ctor" | "__bit_generator_ctor" => {
            by.module.starts_with("numpy.random")
        }
        "_frombuffer" | "scalar" => by.module.starts_with("numpy"),
        "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_parameter" => by.module == "torch._utils",
        _ => false,
    })
}

/// The dotted global that `getattr(Class, 'name')`, or dill's `_getattr` with a third argument, stands for.
pub(super) fn attribute_of(state: &State<'_>, result: Value) -> Option<Global> {
    let getattr = state.global(result).filter(|_| result.kind() == Kind::Instance)?;
    let (class, name) = match (getattr.name.as_str(), state.heap.get(result)?.all()?) {
        ("getattr", &[_, class, name]) | ("_getattr", &[_, class, name, _]) => (class, name),
        _ => return None,
    };
    let class_name = state.global(class).filter(|_| class.kind() == Kind::Global)?;
    Some(Global {
        module: class_name.module.clone(),
        name: format!("{}.{}", class_name.name, state.text(name)?),
    })
}

/// Attributes, with dots between them: public ones lead to data, and special ones to everything.
pub(super) fn attribute_path(state: &State<'_>, path: Value) -> Result<(), Refusal> {
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
pub(super) fn is_pure_method(state: &State<'_>, name: Value) -> bool {
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
