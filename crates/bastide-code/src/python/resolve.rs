//! Functions that find a function by its name.

use crate::python::expression::member;
use crate::python::names::{self, Names};
use crate::python::namespace;
use crate::python::value::{Known, Taint, Value};

/// What `path(args)` finds, if it is one of these.
pub(crate) fn function(path: &str, args: &[Value], names: &mut Names) -> Option<Value> {
    let positional: Vec<&Value> = args.iter().filter(|arg| !matches!(arg.known, Known::Named(..))).collect();
    let first = *positional.first()?;
    let name = |at: usize| positional.get(at).and_then(|name| name.as_whole_text());
    Some(match path {
        "__import__" | "importlib.import_module" | "importlib.__import__" => imported(path, first, names)?,
        "getattr" | "inspect.getattr_static" | "object.__getattribute__" | "type.__getattribute__" => {
            let unknown = positional.get(1).filter(|name| name.as_text().is_none());
            if let Some(name) = unknown.filter(|name| name.taint.has(Taint::COMPUTED)) {
                return Some(Value::path(&format!("{}.?", first.as_path()?), name.taint));
            }
            let found = member(first, name(1)?).with(first.taint).with(positional.get(1)?.taint);
            if path == "getattr" { found } else { found.with(Taint::COMPUTED) }
        }
        // The names of a module, one of which is then asked for.
        "dir" if is_everywhere(first.as_path()?) => Value::unknown(Taint::COMPUTED),
        "functools.reduce" | "reduce" | "_functools.reduce" => reduced(&positional)?,
        "pkgutil.resolve_name"
        | "pydoc.locate"
        | "pydoc.resolve"
        | "xmlrpc.server.resolve_dotted_attribute" => {
            let name = first.as_whole_text()?.replace(':', ".");
            Value::path(&names::canonical(&name), Taint::COMPUTED)
        }
        "operator.attrgetter" | "operator.itemgetter" | "operator.methodcaller" => {
            Value::path(&format!("{path}({})", first.as_whole_text()?), first.taint)
        }
        "inspect.getmembers" => Value::path(&format!("{}.__dict__", first.as_path()?), first.taint),
        _ => return by_method(path, first, args, names),
    })
}

/// `module.__getattribute__("name")`, `vars(module).get("name")`, and the getters of `operator` when they are called.
fn by_method(path: &str, first: &Value, args: &[Value], names: &Names) -> Option<Value> {
    if let Some((getter, name)) = path.strip_suffix(')').and_then(|path| path.split_once('(')) {
        return match getter {
            "operator.attrgetter" | "operator.methodcaller" => {
                let found = name.split('.').fold(first.clone(), |object, name| member(&object, name));
                Some(found.with(Taint::COMPUTED))
            }
            "operator.itemgetter" => namespace::item(first.as_path()?, name, first.taint, names),
            _ => None,
        };
    }
    let (owner, method) = path.rsplit_once('.')?;
    let key = first.as_whole_text();
    match method {
        "__getattribute__" | "__getattr__" => {
            // Of a class, called with the object: `type(os).__getattribute__(os, "system")`.
            let (object, name) = match (key, args.get(1).and_then(Value::as_whole_text)) {
                (Some(name), _) => (Value::path(owner, Taint::NONE), name),
                (None, Some(name)) => (first.clone(), name),
                (None, None) => return None,
            };
            Some(member(&object, name).with(Taint::COMPUTED))
        }
        "get" | "pop" | "setdefault" | "__getitem__" => namespace::item(owner, key?, first.taint, names),
        "copy" | "items" if namespace::is_dictionary(owner) => Some(Value::path(owner, Taint::NONE)),
        // `BuiltinImporter.load_module("posix")`, `__loader__.load_module("os")`.
        "load_module" | "create_module" => {
            let module = names::canonical(&format!("{}.", key?));
            Some(Value::path(module.trim_end_matches('.'), Taint::IMPORTED))
        }
        _ => None,
    }
}

fn imported(path: &str, module: &Value, names: &mut Names) -> Option<Value> {
    let name = module.as_whole_text()?;
    names.import(name);
    let name = if path == "__import__" { name.split('.').next().unwrap_or(name) } else { name };
    // Programs load optional libraries so, but no module that every Python has.
    let hides = path == "__import__" || is_everywhere(name);
    let taint = if hides { Taint::IMPORTED } else { Taint::NONE };
    let module_path = names::canonical(&format!("{name}."));
    Some(Value::path(module_path.trim_end_matches('.'), taint.with(module.taint)))
}

fn is_everywhere(module: &str) -> bool {
    matches!(module, "os" | "posix" | "nt" | "subprocess" | "builtins" | "pty" | "sys" | "marshal" | "ctypes")
}

/// `reduce(getattr, ["path", "os", "system"], shutil)`.
fn reduced(args: &[&Value]) -> Option<Value> {
    let [function, steps, start @ ..] = args else { return None };
    if function.as_path() != Some("getattr") || steps.items().len() > 16 {
        return None;
    }
    let mut steps = steps.items().iter();
    let first = match start.first() {
        Some(start) => (*start).clone(),
        None => steps.next()?.clone(),
    };
    let found = steps.try_fold(first, |object, name| Some(member(&object, name.as_whole_text()?)))?;
    Some(found.with(Taint::COMPUTED))
}
