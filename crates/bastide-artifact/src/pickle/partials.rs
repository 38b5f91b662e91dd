//! What `functools.partial` stands for where picklers write it themselves.

use super::attributes;
use super::judge::{FILES, Judge};
use super::machine::{Call, How, State};
use super::names::{Condition, Entry, Standing};
use super::value::{Kind, Value};

impl Judge<'_, '_> {
    /// `partial(methodcaller, 'name', …)()`: what picklers write for one with keywords.
    pub(super) fn call_method_caller(&mut self, state: &State<'_>, callee: Value, args: Value, offset: u64) {
        let cell = state.heap.get(args).filter(|_| args.kind() == Kind::Tuple);
        let items = cell.map_or(&[] as &[Value], |cell| cell.items());
        let whole = cell.is_some_and(|cell| cell.all().is_some());
        self.call(state, &Call { how: How::Call, callee, args: items, whole, keywords: None }, offset);
    }

    /// `partial(Class.__new__, Class, …)()`: what picklers of protocols before 4 write for `__newobj_ex__`.
    pub(super) fn call_new(&mut self, state: &State<'_>, class: Value, args: Value, offset: u64) {
        let cell = state.heap.get(args);
        let items = cell.map_or(&[] as &[Value], |cell| cell.items());
        let inner = Call {
            how: How::NewWithKeywords,
            callee: class,
            args: items.get(1..).unwrap_or_default(),
            whole: cell.is_some_and(|cell| cell.all().is_some()),
            keywords: None,
        };
        self.call(state, &inner, offset);
    }

    /// Judges what a partial will call one day, as far as constructors are concerned.
    pub(super) fn bind(&mut self, state: &State<'_>, function: Value, args: &[Value], offset: u64) {
        let standing = self.seen.get(&function.number()).map(|seen| seen.standing);
        let constructs = matches!(
            standing.filter(|_| function.kind() == Kind::Global),
            Some(Standing::Reaching(_) | Standing::Allowed(Entry { condition: Some(Condition::Bare), .. }))
        );
        if constructs && !args.is_empty() {
            let call = Call { how: How::Call, callee: function, args, whole: true, keywords: None };
            self.call(state, &call, offset);
        }
    }

    /// Remembers what a partial calls, if that is `Class.__new__` with the class itself.
    pub(super) fn note_partial(&mut self, state: &State<'_>, object: Value, with: Value) {
        self.partials.remove(&object.offset());
        let is_partial = state.global(object).is_some_and(|g| g.module == "functools" && g.name == "partial");
        let cell = state.heap.get(with).filter(|_| with.kind() == Kind::Tuple);
        let Some(&[function, args, keywords, ..]) = cell.filter(|_| is_partial).and_then(|cell| cell.all())
        else {
            return;
        };
        self.bind(state, function, &bound(state, args, keywords), object.offset());
        if self.partials.len() < FILES && is_method_caller(state, function) {
            self.partials.insert(object.offset(), (function, args));
            return;
        }
        let class =
            state.heap.get(args).filter(|_| args.kind() == Kind::Tuple).and_then(|c| c.items().first());
        let (Some(&class), Some(dotted)) = (class, attributes::attribute_of(state, function)) else { return };
        let same = state.global(class).filter(|_| class.kind() == Kind::Global).is_some_and(|class| {
            class.module == dotted.module && dotted.name.strip_suffix(".__new__") == Some(class.name.as_str())
        });
        if same && self.partials.len() < FILES {
            self.partials.insert(object.offset(), (class, args));
        }
    }
}

/// The arguments and the values of keywords that a partial keeps.
fn bound(state: &State<'_>, args: Value, keywords: Value) -> Vec<Value> {
    let items = |of: Value, kind: Kind| {
        let cell = state.heap.get(of).filter(|_| of.kind() == kind);
        cell.map_or(&[] as &[Value], |cell| cell.items())
    };
    let values = items(keywords, Kind::Dict).iter().skip(1).step_by(2);
    items(args, Kind::Tuple).iter().chain(values).copied().collect()
}

/// Whether a value is `operator.methodcaller` itself.
pub(super) fn is_method_caller(state: &State<'_>, value: Value) -> bool {
    value.kind() == Kind::Global
        && state.global(value).is_some_and(|global| {
            global.name == "methodcaller" && matches!(global.module.as_str(), "operator" | "_operator")
        })
}
