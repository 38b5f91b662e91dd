//! The judge: hears what a pickle would do, and finds.

use std::collections::{HashMap, HashSet};

use super::allocation::Ledger;
use super::arguments;
use super::attributes;
use super::defined::is_defined;
use super::evaluated;
use super::facts;
use super::found::{calling, hostile, imported, quoted};
use super::joblib::{self, Arrays};
use super::machine::{Call, Event, Host, How, Next, State};
use super::names::{Condition, Entry, Standing, Use, standing};
use super::partials::is_method_caller;
use super::recognise;
use super::render::{self, printable};
use super::rules;
use super::sizes;
use super::torch::Storages;
use super::value::{Kind, Value};
use crate::halt::Parsed;
use crate::scan::Scan;
use bastide_types::Rule;

/// Calls of one global that are shown; more say nothing new.
const CALLS: u32 = 16;
/// Embedded files that are opened in one stream.
pub(super) const FILES: usize = 4096;

/// What is known of one global of the stream.
#[derive(Clone, Copy)]
pub(super) struct Seen {
    pub(super) standing: Standing,
    /// Where it is first imported.
    offset: u64,
    pub(super) calls: u32,
}

/// Judges one stream.
pub(super) struct Judge<'j, 'l> {
    pub(super) scan: &'j mut Scan<'l>,
    pub(super) seen: HashMap<u16, Seen>,
    pub(super) files: HashSet<u64>,
    pub(super) arrays: Arrays,
    pub(super) storages: Storages,
    /// Byte buffers whose contents were scanned.
    pub(super) buffers: HashSet<u64>,
    /// Byte strings and texts that were looked at for harm.
    pub(super) looked_at: HashSet<u64>,
    /// What pickled partials stand for: the function and its arguments of their state.
    pub(super) partials: HashMap<u64, (Value, Value)>,
    /// Dictionaries of the standard library, made by a call, that hold a name which unpicklers look up.
    pub(super) marked: HashSet<u64>,
    /// Whether a joblib array stood in the stream.
    pub(super) joblib: bool,
    /// The first formula that calls more than statisticians do.
    pub(super) formula: Option<Value>,
    /// What may be the source of a traced module.
    pub(super) sources: Vec<Value>,
    /// How many of these were judged.
    pub(super) judged: usize,
    /// What the stream makes its loader set aside.
    pub(super) ledger: Ledger,
}

impl<'j, 'l> Judge<'j, 'l> {
    pub(super) fn new(scan: &'j mut Scan<'l>) -> Self {
        Judge {
            scan,
            seen: HashMap::new(),
            files: HashSet::new(),
            arrays: Arrays::default(),
            storages: Storages::default(),
            buffers: HashSet::new(),
            looked_at: HashSet::new(),
            partials: HashMap::new(),
            marked: HashSet::new(),
            joblib: false,
            formula: None,
            sources: Vec::new(),
            judged: 0,
            ledger: Ledger::default(),
        }
    }

    /// Ends the stream: finds what was imported and not called.
    pub(super) fn finish(&mut self, state: &State<'_>) {
        evaluated::finish(self, state);
        let mut seen: Vec<_> = self.seen.iter().filter(|(_, seen)| seen.calls == 0).collect();
        seen.sort_by_key(|(_, seen)| seen.offset);
        for (&number, seen) in seen {
            let Some(global) = state.globals.get(usize::from(number)) else { continue };
            if let Some((rule, what)) = imported(seen.standing) {
                self.scan.find(rule, seen.offset, format!("{} is imported, {what}", quoted(global)));
            }
        }
    }

    fn import(&mut self, state: &State<'_>, global: Value, offset: u64) {
        let Some(name) = state.global(global) else { return };
        self.seen.entry(global.number()).or_insert_with(|| Seen {
            standing: standing(&name.module, &name.name),
            offset,
            calls: 0,
        });
    }

    pub(super) fn call(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        if call.callee.kind() != Kind::Global {
            return self.call_value(state, call, offset);
        }
        let Some(standing) = self.called(call.callee) else { return };
        self.call_global(state, call, standing, offset);
    }

    /// Counts a call of a global; what it is, unless it was called too often to be shown again.
    fn called(&mut self, callee: Value) -> Option<Standing> {
        let seen = self.seen.get_mut(&callee.number())?;
        seen.calls = seen.calls.saturating_add(1);
        let silent = seen.calls > CALLS && !matches!(seen.standing, Standing::Allowed(_));
        (!silent).then_some(seen.standing)
    }

    fn call_global(&mut self, state: &State<'_>, call: &Call<'_>, standing: Standing, offset: u64) {
        let Some(global) = state.global(call.callee) else { return };
        if let Standing::Allowed(Entry { usage: Use::Class | Use::Call, condition }) = standing {
            if let Some(condition) = condition {
                self.conditions(state, call, condition, offset);
            }
            if self.ledger.charge(state, &self.arrays, call) {
                self.refuse(state, call, arguments::Refusal::Huge, offset);
            }
            if global.name.starts_with("_rebuild_tensor")
                && let Some(stored) = call.args.first().and_then(|storage| self.storages.stored(*storage))
                && stored.is_plain()
                && sizes::leaves_storage(state, call.args, stored)
            {
                self.refuse(state, call, arguments::Refusal::Beyond, offset);
            }
            joblib::note_call(&mut self.arrays, state, call, offset);
            facts::note_call(self, state, call);
            return;
        }
        self.open_handed(state, call.args);
        let standing = match standing {
            Standing::Reaching(_) if arguments::is_made(call) || arguments::numbers(call) => Standing::Class,
            other => other,
        };
        let (rule, what) = match hostile(state, call, standing) {
            Some(family) => (family.rule(), "is not known, and what it is given tells what it does"),
            None => calling(standing, &global.module),
        };
        let message = format!("{} {what}", quoted(global));
        self.scan.find_call(rule, offset, message, render::call(state, call));
    }

    fn conditions(&mut self, state: &State<'_>, call: &Call<'_>, condition: Condition, offset: u64) {
        match condition {
            Condition::Construct => self.construct(state, call, offset),
            Condition::Apply { args } => self.apply(state, call, args, offset),
            Condition::Buffer => match call.args {
                [buffer] if call.whole && self.buffers.contains(&buffer.offset()) => {}
                _ => self.refuse(state, call, arguments::Refusal::Followed, offset),
            },
            Condition::Nested => self.load_nested(state, call, offset),
            Condition::Traced => self.run_traced(state, call, offset),
            Condition::Rebuild => self.rebuild(state, call, offset),
            Condition::Defines => self.define(state, call, offset),
            Condition::Codec | Condition::Sizes => {
                self.check(state, call, condition, offset);
                if let Some(&text) = call.args.first().filter(|_| call.args.len() > 1) {
                    self.open_text(state, text, true);
                }
            }
            _ => self.check(state, call, condition, offset),
        }
        if let Condition::Callable | Condition::Wraps = condition
            && let Some((&function, args)) = call.args.split_first()
        {
            self.bind(state, function, args, offset);
        }
    }

    /// Whether the arguments are those that picklers give.
    fn check(&mut self, state: &State<'_>, call: &Call<'_>, condition: Condition, offset: u64) {
        let standings = |value: Value| self.seen.get(&value.number()).map(|seen| seen.standing);
        if let Err(refusal) = arguments::check(state, call, condition, &standings) {
            self.refuse(state, call, refusal, offset);
        }
    }

    /// The first argument is made, without its constructor.
    fn construct(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let Some(&class) = call.args.first().filter(|class| class.kind() == Kind::Global) else {
            return self.refuse(state, call, arguments::Refusal::Followed, offset);
        };
        if call.args.iter().take(2).any(|arg| arg.kind() == Kind::Global && self.hands_on(*arg)) {
            return self.refuse(state, call, arguments::Refusal::Callable, offset);
        }
        // `_reconstructor(class, base, state)` makes the base, with its constructor.
        if let Some(&base) = call.args.get(1).filter(|base| base.kind() == Kind::Global)
            && state.global(call.callee).is_some_and(|global| global.name == "_reconstructor")
            && let Some(standing) = self.called(base)
        {
            let args = call.args.get(2..).unwrap_or_default();
            let inner = Call { how: How::Call, callee: base, args, ..*call };
            self.call_global(state, &inner, standing, offset);
        }
        let Some(standing) = self.called(class) else { return };
        // What the class itself asks of its arguments is asked of the rest of these.
        let args = call.args.get(1..).unwrap_or_default();
        if let Standing::Allowed(Entry { usage: Use::Class, .. }) = standing {
            return;
        }
        let inner = Call { callee: class, args, ..*call };
        self.call_global(state, &inner, standing, offset);
    }

    /// The first argument is called with the elements of another.
    pub(super) fn apply(&mut self, state: &State<'_>, call: &Call<'_>, args: usize, offset: u64) {
        let (Some(&callee), Some(&args)) = (call.args.first(), call.args.get(args)) else {
            return self.refuse(state, call, arguments::Refusal::Followed, offset);
        };
        let (items, whole) = match state.heap.get(args).filter(|_| args.kind() == Kind::Tuple) {
            Some(cell) => (cell.items(), cell.all().is_some()),
            None => (&[] as &[Value], false),
        };
        if self.applies(callee) {
            return self.refuse(state, call, arguments::Refusal::Callable, offset);
        }
        let inner = Call { how: How::Call, callee, args: items, whole, keywords: None };
        self.call(state, &inner, offset);
    }

    /// Whether a global calls one of its arguments with others. Nested calls of this kind would lead as deep as the file
    /// likes.
    fn applies(&self, callee: Value) -> bool {
        self.seen.get(&callee.number()).is_some_and(|seen| {
            matches!(
                seen.standing,
                Standing::Allowed(Entry {
                    condition: Some(Condition::Apply { .. } | Condition::Rebuild),
                    ..
                })
            )
        })
    }

    /// The same of functions that make one of their arguments, too.
    fn hands_on(&self, callee: Value) -> bool {
        let constructs = self.seen.get(&callee.number()).is_some_and(|seen| {
            matches!(
                seen.standing,
                Standing::Allowed(Entry { usage: Use::Call, condition: Some(Condition::Construct) })
            )
        });
        constructs || self.applies(callee)
    }

    pub(super) fn refuse(
        &mut self,
        state: &State<'_>,
        call: &Call<'_>,
        refusal: arguments::Refusal,
        offset: u64,
    ) {
        let Some(global) = state.global(call.callee) else { return };
        let (rule, what): (&'static Rule, _) = match refusal {
            arguments::Refusal::Resolves => (&rules::RESOLVER, "is given what reaches anything by its name"),
            arguments::Refusal::Callable => {
                (&rules::COMPUTED, "is given something to call that is not allowed")
            }
            arguments::Refusal::Bytes => (&rules::COMPUTED, "loads bytes that are computed"),
            arguments::Refusal::Followed => (&rules::ARGUMENTS, "is given arguments that cannot be followed"),
            arguments::Refusal::Opens => {
                (&rules::FILE, "is made by its constructor, which opens what it is named")
            }
            arguments::Refusal::Constructed => {
                (&rules::ARGUMENTS, "is made by its constructor with arguments, as no pickler does")
            }
            arguments::Refusal::Huge => (&rules::BOMB, "makes something that fills the memory"),
            arguments::Refusal::Evaluated => (&rules::EXECUTION, "evaluates what it is given"),
            arguments::Refusal::Beyond => (&rules::BOMB, "makes a tensor that reaches beyond its storage"),
        };
        let message = format!("{} {what}", quoted(global));
        self.scan.find_call(rule, offset, message, render::call(state, call));
    }

    /// A call of something that is no global.
    fn call_value(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        if let Some(dotted) = attributes::attribute_of(state, call.callee) {
            // Before protocol 4 this is how a pickler writes the dotted name.
            let standing = standing(&dotted.module, &dotted.name);
            if let Standing::Allowed(Entry { usage: Use::Class | Use::Call, condition }) = standing {
                if let Some(condition) = condition {
                    self.conditions(state, call, condition, offset);
                }
            } else {
                let (rule, what) = calling(standing, &dotted.module);
                let message = format!("{} {what}", quoted(&dotted));
                self.scan.find_call(rule, offset, message, render::call(state, call));
            }
            return;
        }
        if let Some((callee, args)) = self.partials.get(&call.callee.offset()).copied()
            && call.callee.kind() == Kind::Instance
            && call.whole
        {
            if is_method_caller(state, callee) {
                return self.call_method_caller(state, callee, args, offset);
            }
            if call.args.is_empty() {
                return self.call_new(state, callee, args, offset);
            }
        }
        if is_defined(state, call.callee) {
            return;
        }
        let what = match call.callee.kind() {
            Kind::Result | Kind::Instance => "what an earlier call gave is called",
            Kind::Persistent => "an object found by a persistent id is called",
            Kind::Extension => "an object of the extension registry is called",
            Kind::Unknown => "something that cannot be followed is called",
            // CPython raises an error.
            _ => return,
        };
        self.scan.find_call(&rules::COMPUTED, offset, what, render::call(state, call));
    }

    fn persistent(&mut self, state: &State<'_>, id: Value, offset: u64) {
        if !self.storages.note(state, id, offset) {
            self.reduce_package(state, id, offset);
            let shown = render::expression(state, id);
            self.scan.find(
                &rules::PERSISTENT,
                offset,
                format!("the persistent id is `{}`", printable(&shown)),
            );
        }
    }
}

impl Host for Judge<'_, '_> {
    fn on(&mut self, state: &State<'_>, event: Event<'_>, offset: u64) -> Parsed<Next> {
        // What the events before this one took.
        self.scan.spend(state.worked.take())?;
        match event {
            Event::Import { global } => self.import(state, global, offset),
            Event::Computed { module, name } => {
                let module = render::expression(state, module);
                let call = format!("getattr(__import__({module}), {})", render::expression(state, name));
                self.scan.find_call(&rules::COMPUTED, offset, "the name of an import is computed", call);
            }
            Event::Call(call) => {
                self.call(state, &call, offset);
                self.ledger.note(state, &call, offset);
            }
            Event::Build { object, state: with } => {
                self.build(state, object, with, offset);
                if let Some(version) = state.scikit_learn.and_then(|version| state.text(version)) {
                    self.scan.facts.library("scikit-learn", &version);
                }
                return joblib::after_build(self, state, object, with, offset);
            }
            Event::Telling { key, value } => {
                facts::note_version(self, state, key, value);
                evaluated::judge(self, state, key, value, offset);
            }
            Event::Store { object, special } => self.store(state, object, special, offset),
            Event::Hold { global } => self.hold(state, global, offset),
            Event::Key { key } => {
                let made = state.global(key).is_some_and(|global| {
                    matches!(global.module.as_str(), "builtins" | "__builtin__")
                        && matches!(global.name.as_str(), "str" | "unicode" | "bytes")
                });
                if made {
                    self.scan.find(&rules::COMPUTED, offset, "the name of an attribute or key is computed");
                }
            }
            Event::Persistent { id } => self.persistent(state, id, offset),
            Event::Extension { code } => {
                self.scan.find(&rules::EXTENSION, offset, format!("extension code {code} is looked up"));
            }
            Event::File { start, size } => {
                if recognise::is_file(state.source, start, size)? {
                    self.open(state, start, size);
                }
            }
            Event::Bomb { what } => self.scan.find(&rules::BOMB, offset, what),
            Event::Frames { what } => self.scan.find(&rules::FRAMES, offset, what),
        }
        Ok(Next::Continue)
    }

    fn spend(&mut self, steps: u64) -> Parsed<()> {
        self.scan.spend(steps)
    }
}
