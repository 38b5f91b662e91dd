//! What class an object is of that a call made.

use super::machine::State;
use super::names::home;
use super::value::{Kind, Value};

/// The class of an object: the global that was called, or the one that it was told to make.
pub(super) fn class_of(state: &State<'_>, object: Value) -> Option<Value> {
    let made = state.global(object).filter(|_| object.kind() == Kind::Instance)?;
    let told = matches!(made.name.as_str(), "_reconstructor" | "__newobj__" | "__newobj_ex__")
        && home(&made.module) == "copyreg";
    if !told && made.name != "_reconstruct" {
        return Some(object);
    }
    let &[_, class, ..] = state.heap.get(object)?.items() else { return None };
    Some(class).filter(|class| class.kind() == Kind::Global)
}
