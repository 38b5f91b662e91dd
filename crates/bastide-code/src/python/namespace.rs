//! Dictionaries that hold what names mean: `vars(os)`, `sys.modules`, `globals()`, `f.__globals__`.

use crate::python::names::{self, Names};
use crate::python::value::{Taint, Value};

/// Functions of `os` that a dictionary of unknown owner is asked for by name.
const TELLING: &[&str] = &["system", "popen", "execv", "execve", "execvp", "spawnl", "spawnv", "posix_spawn"];

/// What the dictionary `path` holds under `key`, if it is one of names. Who writes the name itself needs no dictionary,
/// so that the way there counts as put together.
pub(crate) fn item(path: &str, key: &str, taint: Taint, names: &Names) -> Option<Value> {
    let hidden = taint.with(Taint::COMPUTED);
    if let Some(owner) = path.strip_suffix(".__dict__") {
        return Some(Value::path(&names::member(owner, key), hidden));
    }
    if matches!(path, "globals()" | "locals()" | "vars()") {
        let found = names.get(key).cloned();
        return Some(found.unwrap_or_else(|| Value::path(&names::canonical(key), Taint::NONE)).with(hidden));
    }
    if matches!(path, "__builtins__" | "builtins" | "sys.modules") || is_builtins(path) {
        return Some(Value::path(&named(key), hidden));
    }
    is_globals(path).then(|| match TELLING.contains(&key) {
        true => Value::path(&format!("os.{key}"), hidden),
        false => Value::path(&named(key), hidden),
    })
}

/// Whether `path` is such a dictionary, whose copy is one too.
pub(crate) fn is_dictionary(path: &str) -> bool {
    path.ends_with(".__dict__")
        || matches!(path, "globals()" | "locals()" | "vars()" | "sys.modules")
        || is_globals(path)
        || is_builtins(path)
}

fn is_globals(path: &str) -> bool {
    [".__globals__", ".func_globals", ".f_globals", ".gi_frame.f_globals"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn is_builtins(path: &str) -> bool {
    [".f_builtins", ".__builtins__"].iter().any(|end| path.ends_with(end))
}

/// A module or builtin by the name it has in a dictionary.
fn named(key: &str) -> String {
    if matches!(key, "__builtins__" | "builtins") {
        return "builtins".to_owned();
    }
    let dotted = names::canonical(&format!("{key}."));
    dotted.trim_end_matches('.').to_owned()
}
