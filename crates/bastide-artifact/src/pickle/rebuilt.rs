//! Calls within a call or an id.
//!
//! Dill rebuilds arrays in one call: `_create_array(function, args, state, attributes)` is
//! `array = function(*args); array.__setstate__(state); array.__dict__.update(attributes)` (`dill/_dill.py`).

use super::arguments::Refusal;
use super::judge::Judge;
use super::machine::{Call, How, State};
use super::value::{Kind, Value};

impl Judge<'_, '_> {
    /// Judges the call, and what its result is given, as if the stream did so by its own opcodes.
    pub(super) fn rebuild(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let &[function, _, ref states @ ..] = call.args else {
            return self.refuse(state, call, Refusal::Followed, offset);
        };
        if !call.whole || states.len() > 2 {
            return self.refuse(state, call, Refusal::Followed, offset);
        }
        self.apply(state, call, 1, offset);
        if function.kind() == Kind::Global {
            let array = Value::new(Kind::Instance, function.number(), offset);
            states.iter().for_each(|with| self.build(state, array, *with, offset));
        }
    }

    /// Judges the call that `torch.package` makes for the persistent id `("reduce_package", number, function, args)`: that of
    /// the function, with the importer before the arguments (`torch/package/package_importer.py`, `persistent_load`).
    pub(super) fn reduce_package(&mut self, state: &State<'_>, id: Value, offset: u64) {
        let Some(cell) = state.heap.get(id).filter(|_| id.kind() == Kind::Tuple) else { return };
        let (&[kind, callee, with] | &[kind, _, callee, with]) = cell.items() else { return };
        if state.text(kind).as_deref() != Some("reduce_package") {
            return;
        }
        let given = state.heap.get(with).filter(|_| with.is_container());
        let items = given.map_or(&[] as &[Value], |cell| cell.items());
        let args: Vec<Value> = std::iter::once(Value::UNKNOWN).chain(items.iter().copied()).collect();
        let whole = given.is_some_and(|cell| cell.all().is_some());
        self.call(state, &Call { how: How::Call, callee, args: &args, whole, keywords: None }, offset);
    }
}
