//! Classes that dill and cloudpickle write by value: a name, bases, and what is in them.
//!
//! Methods are functions, which the stream makes by other calls, found as code. A class of plain values, an enumeration
//! or an exception above all, is none; but it is not known either.

use super::attributes::dangerous_key;
use super::judge::Judge;
use super::lookup::{CLOUDPICKLE, DILL};
use super::machine::{Call, State};
use super::names::home;
use super::render;
use super::rules;
use super::value::{Kind, Value};

/// Types whose making does no more than any class statement.
const BASES: [&str; 9] = ["object", "int", "float", "str", "tuple", "list", "dict", "set", "frozenset"];

impl Judge<'_, '_> {
    /// Judges what makes a class, or fills one.
    pub(super) fn define(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let Some(global) = state.global(call.callee) else { return };
        let plain = match (global.name.as_str(), call.args) {
            ("_create_type", &[kind, _, bases, inside]) => is_plain(state, kind, bases, inside),
            ("_make_skeleton_class", &[kind, _, bases, inside, ..]) => is_plain(state, kind, bases, inside),
            ("_make_skeleton_enum", &[bases, ..]) => are_bases(state, bases),
            ("_class_setstate", &[class, with]) => {
                let enumeration = made_by(state, class, "_make_skeleton_enum");
                enumeration
                    || (made_by(state, class, "_make_skeleton_class") && dangerous_key(state, with).is_none())
            }
            _ => false,
        };
        let (rule, what) = match plain && call.whole {
            true => (&rules::UNKNOWN_CLASS, "defines a class of its own"),
            false => (&rules::CODE, "defines a class with more than plain values in it"),
        };
        self.scan.find_call(
            rule,
            offset,
            format!("`{}.{}` {what}", global.module, global.name),
            render::call(state, call),
        );
    }
}

/// Whether a value is a class that the stream defined, which was found when it was.
pub(super) fn is_defined(state: &State<'_>, class: Value) -> bool {
    ["_create_type", "_make_skeleton_class", "_make_skeleton_enum"]
        .iter()
        .any(|name| made_by(state, class, name))
}

fn made_by(state: &State<'_>, value: Value, name: &str) -> bool {
    value.kind() == Kind::Instance
        && state
            .global(value)
            .is_some_and(|made| made.name == name && matches!(home(&made.module), DILL | CLOUDPICKLE))
}

fn is_plain(state: &State<'_>, kind: Value, bases: Value, inside: Value) -> bool {
    let Some(kind) = state.global(kind).filter(|_| kind.kind() == Kind::Global) else { return false };
    let enumeration = kind.module == "enum" && matches!(kind.name.as_str(), "EnumMeta" | "EnumType");
    let class = matches!(
        (kind.module.as_str(), kind.name.as_str()),
        ("builtins" | "__builtin__", "type") | ("abc", "ABCMeta")
    );
    // Enumerations have their own `__new__`, which members were made with.
    let usual = enumeration || (class && dangerous_key(state, inside).is_none());
    usual && inside.kind() == Kind::Dict && are_bases(state, bases)
}

fn are_bases(state: &State<'_>, bases: Value) -> bool {
    let cell = state.heap.get(bases).filter(|_| bases.kind() == Kind::Tuple);
    let known = |base: &Value| {
        base.kind() == Kind::Global
            && state.global(*base).is_some_and(|base| match base.module.as_str() {
                "builtins" | "__builtin__" | "exceptions" => {
                    let name = base.name.as_str();
                    BASES.contains(&name)
                        || ["Error", "Exception", "Warning"].iter().any(|end| name.ends_with(end))
                }
                "enum" | "abc" => !base.name.contains('.'),
                _ => false,
            })
    };
    cell.and_then(|cell| cell.all()).is_some_and(|bases| bases.iter().all(known))
}
