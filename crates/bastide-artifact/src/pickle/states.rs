//! What objects are given after they were made: states, attributes and items.

use super::attributes;
use super::facts;
use super::found::{imported, quoted};
use super::judge::{FILES, Judge};
use super::machine::State;
use super::names::{Condition, Entry, Standing};
use super::render::{self, printable};
use super::rules;
use super::value::{Kind, Value};

impl Judge<'_, '_> {
    pub(super) fn build(&mut self, state: &State<'_>, object: Value, with: Value, offset: u64) {
        if object.kind() == Kind::Instance {
            self.note_partial(state, object, with);
            self.note_buffer(state, object, with);
            self.note_plan(state, object, with, offset);
            facts::note_build(self, state, object, with);
            if self.ledger.exceeds(state, self.arrays.references(state, with).into()) {
                let message = "an array of objects claims more of them than the stream has";
                self.scan.find(&rules::BOMB, offset, message);
            }
        }
        match object.kind() {
            Kind::Global => {
                let Some(global) = state.global(object) else { return };
                let call = format!(
                    "{}.__dict__.update({})",
                    render::expression(state, object),
                    render::expression(state, with)
                );
                let message = format!("attributes of {} are replaced", quoted(global));
                self.scan.find_call(&rules::PATCH, offset, message, call);
                if let Some(seen) = self.seen.get_mut(&object.number()) {
                    seen.calls = seen.calls.saturating_add(u32::from(imported(seen.standing).is_none()));
                }
            }
            Kind::Instance | Kind::Result | Kind::Unknown | Kind::Persistent | Kind::Extension => {
                let computed = Self::made_dict(state, with).is_some_and(|filled| {
                    filled || self.marked.contains(&with.offset()) || self.marked.len() >= FILES
                });
                if computed {
                    self.scan.find(
                        &rules::PATCH,
                        offset,
                        "an object is given attributes whose names are computed",
                    );
                }
                self.open_handed(state, &[with]);
                if let Some(cell) = state.heap.get(with).filter(|_| with.is_container()) {
                    self.open_handed(state, cell.items());
                }
                if let Some(name) = attributes::dangerous_key(state, with) {
                    let message = format!("an object is given its own `{}`", printable(&name));
                    let call = format!(
                        "{}.__setstate__({})",
                        render::expression(state, object),
                        render::expression(state, with)
                    );
                    self.scan.find_call(&rules::PATCH, offset, message, call);
                }
            }
            _ => {}
        }
    }

    /// What is harmless as it is called here is not when something else calls it, with arguments that are not seen.
    pub(super) fn hold(&mut self, state: &State<'_>, value: Value, offset: u64) {
        let Some(seen) = self.seen.get(&value.number()) else { return };
        let Standing::Allowed(Entry { condition: Some(condition), .. }) = seen.standing else { return };
        let reaches = matches!(
            condition,
            Condition::Nested
                | Condition::Buffer
                | Condition::Traced
                | Condition::Getattr
                | Condition::Ufunc
                | Condition::Rebuild
                | Condition::Member
                | Condition::Lookup
                | Condition::Record
                | Condition::Defines
                | Condition::Labels
                | Condition::Repr
                | Condition::Apply { .. }
        );
        if let Some(global) = state.global(value).filter(|_| reaches) {
            let message = format!("{} is handed on, for something else to call", quoted(global));
            self.scan.find(&rules::COMPUTED, offset, message);
        } else if let Some(global) = state.global(value)
            && matches!(condition, Condition::Method | Condition::Names)
        {
            let message = format!("{} is handed on, for something else to call", quoted(global));
            self.scan.find(&rules::ARGUMENTS, offset, message);
        }
    }

    /// Whether `object` is a dictionary of the standard library that a call made, and whether from arguments.
    fn made_dict(state: &State<'_>, object: Value) -> Option<bool> {
        let global = state.global(object).filter(|_| object.kind() == Kind::Instance)?;
        let dict = matches!(
            (global.module.as_str(), global.name.as_str()),
            ("builtins" | "__builtin__", "dict") | ("collections", "OrderedDict" | "Counter" | "defaultdict")
        );
        dict.then(|| state.heap.get(object).is_some_and(|cell| cell.items().len() > 1))
    }

    pub(super) fn store(&mut self, state: &State<'_>, object: Value, special: bool, offset: u64) {
        if special && object.kind() == Kind::Instance {
            // A vocabulary may hold any word. As the items of an object that shows them as attributes they are looked up.
            if Self::made_dict(state, object).is_some() {
                if self.marked.len() < FILES {
                    self.marked.insert(object.offset());
                }
            } else {
                let message = "an object is given items that unpicklers look up as its attributes";
                self.scan.find(&rules::PATCH, offset, message);
            }
        }
        if let Some(global) = state.global(object).filter(|_| object.kind() == Kind::Global) {
            let message = format!("items are put into {}", quoted(global));
            self.scan.find(&rules::PATCH, offset, message);
        }
    }
}
