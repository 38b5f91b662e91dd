//! What the machine sees, for comparison with real unpicklers.

use super::machine::{Event, Host, Machine, Next, State};
use super::value::{Kind, Value};
use crate::halt::Parsed;

/// Every import and call of the first pickle in `bytes`, in order, one to a line, and how it ended.
#[doc(hidden)]
#[must_use]
pub fn pickle_trace(bytes: &[u8]) -> Vec<String> {
    let mut trace = Trace(Vec::new());
    let source = bytes;
    let ended = Machine::new(&source, 0).run(&mut trace);
    trace.0.push(if ended.is_ok() { "stop" } else { "error" }.to_owned());
    trace.0
}

struct Trace(Vec<String>);

impl Host for Trace {
    fn on(&mut self, state: &State<'_>, event: Event<'_>, _offset: u64) -> Parsed<Next> {
        match event {
            Event::Import { global } => {
                if let Some(global) = state.global(global) {
                    self.0.push(format!("import {} {}", global.module, global.name).replace('\n', " "));
                }
            }
            Event::Call(call) => {
                let kinds: Vec<&str> = call.args.iter().map(|arg| kind(*arg)).collect();
                let callee = match state.global(call.callee).filter(|_| call.callee.kind() == Kind::Global) {
                    Some(global) => format!("{}.{}", global.module, global.name).replace('\n', " "),
                    None => kind(call.callee).to_owned(),
                };
                let known = call.whole || !kinds.is_empty();
                let kinds = if known { kinds.join(",") } else { "?".to_owned() };
                self.0.push(format!("call {callee} {kinds}"));
            }
            Event::Build { object, .. } => self.0.push(format!("build {}", kind(object))),
            Event::Frames { .. } => self.0.push("frames".to_owned()),
            _ => {}
        }
        Ok(Next::Continue)
    }

    fn spend(&mut self, _steps: u64) -> Parsed<()> {
        Ok(())
    }
}

fn kind(value: Value) -> &'static str {
    match value.kind() {
        Kind::Unknown => "unknown",
        Kind::None => "none",
        // `I01` is a truth value, and stands among numbers.
        Kind::Bool | Kind::Int => "int",
        Kind::Float => "float",
        Kind::Text => "text",
        Kind::Bytes => "bytes",
        Kind::Tuple => "tuple",
        Kind::List => "list",
        Kind::Dict => "dict",
        Kind::Set => "set",
        Kind::Global => "global",
        Kind::Instance | Kind::Result => "object",
        Kind::Persistent => "persistent",
        Kind::Extension => "extension",
    }
}
