//! Opcodes that import, call and change, and frames.

use super::literal::Literal;
use super::machine::{Event, Host, How, Machine};
use super::value::{Kind, Value};
use crate::halt::{Halt, Parsed};

/// Picklers end a frame at 64 KiB and put what is longer outside; who is cut off within one lacks no more than that.
const FRAME: u64 = 1 << 30;

impl Machine<'_> {
    pub(super) fn global_lines(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<Value> {
        let mut line = || -> Parsed<String> {
            let (line, size) = self.input.line()?;
            let whole = size == line.len() as u64 && size <= 4 * Literal::TEXT as u64;
            if line.is_empty() || !whole {
                return Err(Halt::malformed(offset, "the name of an import is empty or longer than any"));
            }
            Ok(String::from_utf8_lossy(line).into_owned())
        };
        let (module, name) = (line()?, line()?);
        self.import(host, module, name, offset)
    }

    pub(super) fn stack_global(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        let name = self.pop()?;
        let module = self.pop()?;
        let value = match (self.state.text(module), self.state.text(name)) {
            (Some(module), Some(name)) => self.import(host, module, name, offset)?,
            _ => {
                self.tell(host, Event::Computed { module, name }, offset)?;
                Value::at(Kind::Result, offset)
            }
        };
        self.push(value)
    }

    pub(super) fn object(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        let from = self.unmark()?;
        let Some(&callee) = self.stack.get(from) else { return Err(self.underflow()) };
        self.call_stack(host, How::Instantiate, callee, from + 1, offset)?;
        let result = self.stack.pop().unwrap_or(Value::UNKNOWN);
        self.stack.truncate(from);
        self.push(result)
    }

    pub(super) fn build(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        let state = self.pop()?;
        let object = self.top()?;
        self.tell(host, Event::Build { object, state }, offset)
    }

    pub(super) fn persistent(&mut self, host: &mut dyn Host, id: Value, offset: u64) -> Parsed<()> {
        self.tell(host, Event::Persistent { id }, offset)?;
        // PyTorch before 1.0 saves the class of a module with its source beside it, and takes the class alone.
        let class =
            match self.state.heap.get(id).filter(|_| id.kind() == Kind::Tuple).map(|cell| cell.items()) {
                Some(&[kind, class, ..]) if class.kind() == Kind::Global => {
                    (self.state.text(kind).as_deref() == Some("module")).then_some(class)
                }
                _ => None,
            };
        self.push(class.unwrap_or(Value::at(Kind::Persistent, offset)))
    }

    pub(super) fn extension(&mut self, host: &mut dyn Host, code: i64, offset: u64) -> Parsed<()> {
        self.tell(host, Event::Extension { code }, offset)?;
        self.push(Value::at(Kind::Extension, offset))
    }

    // Frames. The C unpickler only asks for the frame's bytes to be there; the Python one reads from the frame until
    // it is used up, and fails where an argument crosses its end or a new frame begins within.

    pub(super) fn enter_frame(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        let size = u64::from_le_bytes(self.input.array()?);
        if self.frame != u64::MAX {
            self.tell(host, Event::Frames { what: "a frame begins within another" }, offset)?;
        }
        if size >= FRAME && size > self.input.left() {
            self.bomb(host, offset, format!("a frame claims to have {size} bytes"))?;
        }
        self.frame = self.input.position().saturating_add(size);
        Ok(())
    }

    #[cold]
    pub(super) fn leave_frame(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        let crossed = offset > self.frame;
        self.frame = u64::MAX;
        if crossed {
            self.tell(host, Event::Frames { what: "an argument crosses the end of its frame" }, offset)?;
        }
        Ok(())
    }

    pub(super) fn stop(&mut self, host: &mut dyn Host, offset: u64) -> Parsed<()> {
        if self.frame != u64::MAX && self.frame != offset + 1 {
            self.tell(host, Event::Frames { what: "the pickle stops before its frame ends" }, offset)?;
        }
        Ok(())
    }
}
