//! The symbolic pickle machine: CPython's unpickler with values that do nothing.
//!
//! It runs every opcode of `Lib/pickle.py` and `Modules/_pickle.c` on values that only say what they are, and tells a
//! [`Host`] what an unpickler would import, call and change. Where the two implementations differ it goes on if either
//! would.

use std::cell::Cell;
use std::collections::HashMap;

use super::heap::Heap;
use super::input::Input;
use super::literal::Literal;
use super::memo::Memo;
use super::value::{Kind, Value};
use crate::halt::{Halt, Parsed};
use crate::source::{Source, read_up_to};

/// What a machine tells of.
pub(super) enum Event<'e> {
    /// A global is imported.
    Import { global: Value },
    /// The name of an import is no literal.
    Computed { module: Value, name: Value },
    /// Something is called.
    Call(Call<'e>),
    /// An object is given a state: `__setstate__`, or attributes one by one.
    Build { object: Value, state: Value },
    /// A dictionary has a key that says something: of which version a library was, or what a library evaluates.
    Telling { key: Value, value: Value },
    /// Items are put into what is no container of the stream's own; whether one is a name that unpicklers look up.
    Store { object: Value, special: bool },
    /// A global becomes an element of a container, and so a value that something else may call.
    Hold { global: Value },
    /// The key of a dictionary is an object that was made.
    Key { key: Value },
    /// An object is asked for by a persistent id.
    Persistent { id: Value },
    /// An object is taken from the process's extension registry.
    Extension { code: i64 },
    /// Bytes that begin like a file of their own.
    File { start: u64, size: u64 },
    /// The loader would need resources out of all proportion.
    Bomb { what: String },
    /// The C and the Python unpickler read frames differently from here on.
    Frames { what: &'static str },
}

/// How something is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// `callee(*args)`, by REDUCE.
    Call,
    /// `callee(*args)`, by INST or OBJ.
    Instantiate,
    /// `callee.__new__(callee, *args)`.
    New,
    /// The same with keywords.
    NewWithKeywords,
}

/// One call.
#[derive(Clone, Copy)]
pub(super) struct Call<'e> {
    pub(super) how: How,
    pub(super) callee: Value,
    /// The first arguments.
    pub(super) args: &'e [Value],
    /// Whether these are all.
    pub(super) whole: bool,
    pub(super) keywords: Option<Value>,
}

/// Whoever judges what a machine does.
pub(super) trait Host {
    /// Hears of one event, caused by the opcode at `offset`; may tell the machine to go on elsewhere.
    fn on(&mut self, state: &State<'_>, event: Event<'_>, offset: u64) -> Parsed<Next>;

    /// Pays for `steps` opcodes.
    fn spend(&mut self, steps: u64) -> Parsed<()>;
}

/// What a machine does after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Goes on with the next opcode.
    Continue,
    /// Passes over raw data, which a loader reads by itself, and goes on there.
    At(u64),
}

/// One thing imported, under the name that the stream gives.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Global {
    pub(super) module: String,
    pub(super) name: String,
}

/// What values mean.
pub(super) struct State<'a> {
    pub(super) source: &'a dyn Source,
    pub(super) globals: Vec<Global>,
    pub(super) heap: Heap,
    /// The protocol that the stream claims.
    pub(super) protocol: u8,
    /// Where the next opcode stands.
    pub(super) position: u64,
    /// Whether the last text was the key under which scikit-learn keeps its version.
    pub(super) version_follows: bool,
    /// The version of scikit-learn that an estimator was made with.
    pub(super) scikit_learn: Option<Value>,
    /// Steps that walks over values took, not yet paid for.
    pub(super) worked: Cell<u64>,
}

impl State<'_> {
    /// Notes what a walk over values took, for whoever pays for it.
    pub(super) fn work(&self, steps: u64) {
        self.worked.set(self.worked.get().saturating_add(steps));
    }

    pub(super) fn global(&self, value: Value) -> Option<&Global> {
        match value.kind() {
            Kind::Global | Kind::Instance => self.globals.get(usize::from(value.number())),
            _ => None,
        }
    }

    /// What a literal says.
    pub(super) fn literal(&self, value: Value) -> Option<Literal> {
        match value.kind() {
            Kind::None | Kind::Bool | Kind::Int | Kind::Float | Kind::Text | Kind::Bytes => {
                Literal::read(self.source, value.offset()).ok()
            }
            _ => None,
        }
    }

    /// A text or byte string as a name, whole.
    pub(super) fn text(&self, value: Value) -> Option<String> {
        match self.literal(value)? {
            Literal::Text { text, whole: true } => Some(text),
            Literal::Bytes { offset, size } if size <= Literal::TEXT as u64 => {
                let bytes = read_up_to(self.source, offset, usize::try_from(size).ok()?).ok()?;
                Some(String::from_utf8_lossy(&bytes).into_owned())
            }
            _ => None,
        }
    }
}

/// One stream under way.
pub(super) struct Machine<'a> {
    pub(super) input: Input<'a>,
    pub(super) state: State<'a>,
    pub(super) stack: Vec<Value>,
    /// Heights of the stack under each MARK.
    pub(super) marks: Vec<usize>,
    /// The height of the last MARK: nothing below it can be popped.
    pub(super) fence: usize,
    pub(super) memo: Memo,
    numbers: HashMap<Global, u16>,
    pub(super) start: u64,
    /// Where the current frame ends; `u64::MAX` outside of frames.
    pub(super) frame: u64,
    /// Opcodes not yet paid for.
    pub(super) unpaid: u64,
    /// Opcodes run.
    pub(super) steps: u64,
    /// Opcodes that may run.
    pub(super) most: u64,
    /// Opcodes paid for at once.
    pub(super) batch: u64,
    bombs: u32,
}

impl<'a> Machine<'a> {
    /// The most values on the stack: 64 MiB. A tuple of more elements is not seen in models.
    const STACK: usize = 8 << 20;
    const MARKS: usize = 100_000;
    const BATCH: u64 = 1 << 16;

    pub(super) fn new(source: &'a dyn Source, offset: u64) -> Self {
        Machine {
            input: Input::new(source, offset),
            state: State {
                source,
                globals: Vec::new(),
                heap: Heap::new(),
                protocol: 0,
                position: offset,
                version_follows: false,
                scikit_learn: None,
                worked: Cell::new(0),
            },
            stack: Vec::new(),
            marks: Vec::new(),
            fence: 0,
            memo: Memo::default(),
            numbers: HashMap::new(),
            start: offset,
            frame: u64::MAX,
            unpaid: 0,
            steps: 0,
            most: u64::MAX,
            batch: Self::BATCH,
            bombs: 0,
        }
    }

    /// Begins the next stream right behind the last one.
    pub(super) fn again(&mut self) {
        self.start = self.input.position();
        self.state.globals.clear();
        self.state.protocol = 0;
        self.stack.clear();
        self.marks.clear();
        self.fence = 0;
        self.memo = Memo::default();
        self.numbers.clear();
        self.frame = u64::MAX;
        self.bombs = 0;
    }

    /// Stops after `most` opcodes, as if the limit of steps were reached.
    pub(super) fn at_most(mut self, most: u64) -> Self {
        self.most = most;
        self.batch = Self::BATCH.min(most);
        self
    }

    #[inline]
    pub(super) fn push(&mut self, value: Value) -> Parsed<()> {
        if self.stack.len() >= Self::STACK {
            return Err(Halt::limit(format!("{} values on the stack of a pickle", Self::STACK)));
        }
        self.stack.push(value);
        Ok(())
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Parsed<Value> {
        if self.stack.len() <= self.fence {
            return Err(self.underflow());
        }
        self.stack.pop().ok_or_else(|| self.underflow())
    }

    #[inline]
    pub(super) fn top(&self) -> Parsed<Value> {
        match self.stack.last() {
            Some(&top) if self.stack.len() > self.fence => Ok(top),
            _ => Err(self.underflow()),
        }
    }

    #[cold]
    pub(super) fn underflow(&self) -> Halt {
        Halt::malformed(self.input.position(), "an opcode of the pickle finds too little on the stack")
    }

    #[inline]
    pub(super) fn mark(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        if self.marks.len() >= Self::MARKS {
            self.bomb(host, offset, format!("more than {} marks are open at once", Self::MARKS))?;
            return Err(Halt::limit(format!("{} open marks", Self::MARKS)));
        }
        self.marks.push(self.stack.len());
        self.fence = self.stack.len();
        Ok(())
    }

    /// Takes away the last MARK; where its values begin.
    #[inline]
    pub(super) fn unmark(&mut self) -> Parsed<usize> {
        let Some(height) = self.marks.pop() else {
            return Err(Halt::malformed(self.input.position(), "an opcode of the pickle finds no mark"));
        };
        self.fence = self.marks.last().copied().unwrap_or(0);
        Ok(height.min(self.stack.len()))
    }

    /// Tells the host; goes on where it says.
    pub(super) fn tell(&mut self, host: &mut dyn Host, event: Event<'_>, offset: u64) -> Parsed<()> {
        self.state.position = self.input.position();
        let next = host.on(&self.state, event, offset)?;
        self.follow(next);
        Ok(())
    }

    /// Raw data stands between frames.
    fn follow(&mut self, next: Next) {
        if let Next::At(there) = next {
            if self.frame <= self.input.position() {
                self.frame = u64::MAX;
            }
            self.input.seek_to(there);
        }
    }

    #[cold]
    pub(super) fn bomb(&mut self, host: &mut dyn Host, offset: u64, what: String) -> Parsed<()> {
        self.bombs += 1;
        // One is enough; every level of a nest of lists would be another.
        if self.bombs > 4 {
            return Ok(());
        }
        self.tell(host, Event::Bomb { what }, offset)
    }

    /// The value for a global: the same number for the same name.
    pub(super) fn import(
        &mut self,
        host: &mut dyn Host,
        module: String,
        name: String,
        offset: u64,
    ) -> Parsed<Value> {
        let global = Global { module: demangled(module), name };
        let number = match self.numbers.get(&global) {
            Some(&number) => number,
            None => {
                let Ok(number) = u16::try_from(self.numbers.len()) else {
                    return Err(Halt::limit("65536 imports in a pickle"));
                };
                self.numbers.insert(global.clone(), number);
                self.state.globals.push(global);
                number
            }
        };
        let global = Value::new(Kind::Global, number, offset);
        self.tell(host, Event::Import { global }, offset)?;
        Ok(global)
    }

    /// Notes a call of `callee` with the stack's values from `from` on, and takes these away.
    pub(super) fn call_stack(
        &mut self,
        host: &mut dyn Host,
        how: How,
        callee: Value,
        from: usize,
        offset: u64,
    ) -> Parsed<()> {
        self.state.position = self.input.position();
        let args = self.stack.get(from..).unwrap_or_default();
        let call = Call { how, callee, args, whole: true, keywords: None };
        let next = host.on(&self.state, Event::Call(call), offset)?;
        if let Some(global) = self.looked_up(callee, args) {
            self.stack.truncate(from);
            let global = self.import(host, global.module, global.name, offset)?;
            return self.push(global);
        }
        let result = result_of(callee, offset);
        self.state.heap.begin(result);
        self.state.heap.add(result, &[callee]);
        self.state.heap.add(result, args);
        self.stack.truncate(from);
        self.push(result)?;
        self.follow(next);
        Ok(())
    }

    /// Notes a call of `callee` with the elements of the tuple `args`.
    pub(super) fn call_tuple(
        &mut self,
        host: &mut dyn Host,
        how: How,
        callee: Value,
        args: Value,
        keywords: Option<Value>,
        offset: u64,
    ) -> Parsed<Value> {
        self.state.position = self.input.position();
        let (items, whole) = match self.state.heap.get(args) {
            Some(cell) if args.is_container() && args.kind() != Kind::Dict => {
                (cell.items().to_vec(), cell.all().is_some())
            }
            _ => (Vec::new(), false),
        };
        let call = Call { how, callee, args: &items, whole, keywords };
        let next = host.on(&self.state, Event::Call(call), offset)?;
        if let Some(global) = self.looked_up(callee, &items) {
            return self.import(host, global.module, global.name, offset);
        }
        let result = result_of(callee, offset);
        self.state.heap.begin(result);
        self.state.heap.add(result, &[callee]);
        self.state.heap.add(result, &items);
        self.follow(next);
        Ok(result)
    }
}

/// The module that `<torch_package_0>.module` is: `torch.package` marks what it imported from a package so, each package
/// with a number of its own (`torch/package/_mangling.py`).
fn demangled(module: String) -> String {
    let inner = module.strip_prefix("<torch_package_").and_then(|rest| rest.split_once(">."));
    match inner.filter(|(number, _)| number.bytes().all(|digit| digit.is_ascii_digit())) {
        Some((_, inner)) => inner.to_owned(),
        None => module,
    }
}

fn result_of(callee: Value, offset: u64) -> Value {
    match callee.kind() {
        Kind::Global => Value::new(Kind::Instance, callee.number(), offset),
        _ => Value::at(Kind::Result, offset),
    }
}
