//! Functions handed to something that will call them: `Thread(target=os.system, args=(...,))`, `sorted(x, key=exec)`.

use crate::python::call::Call;
use crate::python::names::{self, runs_command, runs_python};
use crate::python::reader::Reader;
use crate::python::role::Role;
use crate::python::value::{Known, Value};
use crate::python::{command, hostile};
use crate::remark::shown;

/// The most that are looked at, of arguments and of the items of one.
const MANY: usize = 16;

/// Whether what a decorator of that name is put on is called later, by nobody in the text.
pub(crate) fn is_registrar(path: &str) -> bool {
    matches!(
        path,
        "atexit.register"
            | "codecs.register"
            | "codecs.register_error"
            | "functools.singledispatch"
            | "sys.addaudithook"
            | "sys.setprofile"
            | "sys.settrace"
            | "threading.setprofile"
            | "threading.settrace"
    )
}

/// Judges each call that the one at hand may lead to. Who gets the function decides what it is given, so that everything
/// beside it counts as an argument: only what attacks is said of it.
pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    for (at, arg) in call.args.iter().enumerate().take(MANY) {
        let Some(target) = target(plain(arg)) else { continue };
        for args in candidates(call, at) {
            let call = Call { offset: call.offset, path: &target, taint: plain(arg).taint, args: &args };
            hostile::check(reader, &call);
            command::check(reader, &call);
        }
    }
}

/// `(os.system, ("...",))`, as `__reduce__` returns it.
pub(crate) fn reduced(reader: &mut Reader<'_, '_, '_>, offset: usize, value: &Value) {
    let [function, args, ..] = value.items() else { return };
    if let Some(path) = target(function) {
        let call = Call { offset, path: &path, taint: function.taint, args: args.items() };
        if reader.role() == Role::Loader && runs_command(&path) {
            let message = format!("whoever unpickles it calls `{}`", shown(&path));
            reader.remarks.add(&hostile::HIDDEN_CALL, offset, message);
        }
        hostile::check(reader, &call);
        command::check(reader, &call);
    }
}

/// The function that a value is, if it acts.
fn target(value: &Value) -> Option<String> {
    let path = names::canonical(value.as_path()?);
    (runs_command(&path) || runs_python(&path) && path != "compile").then_some(path)
}

fn plain(arg: &Value) -> &Value {
    match &arg.known {
        Known::Named(_, value) => value,
        _ => arg,
    }
}

/// What the function at that place may be given.
fn candidates(call: &Call<'_>, place: usize) -> Vec<Vec<Value>> {
    let mut candidates = Vec::new();
    let rest: Vec<Value> = call.args.iter().skip(place + 1).take(MANY).map(plain).cloned().collect();
    if matches!(call.args.get(place).map(|arg| &arg.known), Some(Known::Path(_))) && !rest.is_empty() {
        candidates.push(rest);
    }
    for (_, other) in call.args.iter().enumerate().take(MANY).filter(|(at, _)| *at != place) {
        let other = plain(other);
        match &other.known {
            Known::List(items, _) => {
                candidates.push(items.iter().take(MANY).cloned().collect());
                candidates.extend(items.iter().skip(1).take(MANY).map(|item| vec![item.clone()]));
            }
            Known::Text(_) | Known::Bytes(_) | Known::Nothing => candidates.push(vec![other.clone()]),
            _ => {}
        }
    }
    candidates
}
