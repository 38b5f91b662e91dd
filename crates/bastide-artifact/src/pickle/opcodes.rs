//! What each opcode does, in the order of `pickletools.opcodes`.

use super::machine::{Host, How, Machine};
use super::value::{Kind, Value};
use crate::halt::{Halt, Parsed};

impl Machine<'_> {
    /// Runs until STOP; gives the offset behind it.
    ///
    /// # Errors
    ///
    /// Where an unpickler would raise an error, or a limit is reached. What was told before counts.
    pub(super) fn run(&mut self, host: &mut dyn Host) -> Parsed<u64> {
        let ended = self.run_steps(host);
        host.spend(std::mem::take(&mut self.unpaid))?;
        ended
    }

    fn run_steps(&mut self, host: &mut dyn Host) -> Parsed<u64> {
        loop {
            let offset = self.input.position();
            if offset >= self.frame {
                self.leave_frame(host, offset)?;
            }
            let Some(opcode) = self.input.next()? else {
                return Err(Halt::Truncated { offset });
            };
            self.unpaid += 1;
            if self.unpaid == self.batch {
                self.settle(host)?;
            }
            if opcode == b'.' {
                self.pop()?;
                self.stop(host, offset)?;
                return Ok(offset + 1);
            }
            self.step(host, opcode, offset)?;
        }
    }

    #[cold]
    fn settle(&mut self, host: &mut dyn Host) -> Parsed<()> {
        if self.input.position() >= Value::OFFSETS {
            return Err(Halt::limit(format!("{} bytes of a pickle", Value::OFFSETS)));
        }
        self.steps += self.unpaid;
        host.spend(std::mem::take(&mut self.unpaid))?;
        if self.steps >= self.most {
            return Err(Halt::limit(format!("{} opcodes", self.most)));
        }
        Ok(())
    }

    #[inline]
    fn step(&mut self, host: &mut dyn Host, opcode: u8, offset: u64) -> Parsed<()> {
        match opcode {
            // Numbers and constants.
            b'N' => self.push(Value::at(Kind::None, offset)),
            0x88 | 0x89 => self.push(Value::at(Kind::Bool, offset)),
            b'K' => self.fixed(Kind::Int, 1, offset),
            b'M' => self.fixed(Kind::Int, 2, offset),
            b'J' => self.fixed(Kind::Int, 4, offset),
            b'G' => self.fixed(Kind::Float, 8, offset),
            0x8a => self.long(host, 1, offset),
            0x8b => self.long(host, 4, offset),
            b'I' | b'L' => self.decimal(host, Kind::Int, offset),
            b'F' => self.decimal(host, Kind::Float, offset),
            // Texts and bytes.
            0x8c => self.text(host, 1, offset),
            b'X' => self.text(host, 4, offset),
            0x8d => self.text(host, 8, offset),
            b'U' => self.old_text(host, 1, offset),
            b'T' => self.old_text(host, 4, offset),
            b'S' | b'V' => self.line_text(offset),
            b'C' => self.bytes(host, 1, offset),
            b'B' => self.bytes(host, 4, offset),
            0x8e | 0x96 => self.bytes(host, 8, offset),
            0x97 => self.push(Value::at(Kind::Unknown, offset)),
            0x98 => self.top().map(drop),
            // Containers.
            b']' => self.empty(Kind::List, offset),
            b'}' => self.empty(Kind::Dict, offset),
            0x8f => self.empty(Kind::Set, offset),
            b')' => self.tuple_of(host, 0, offset),
            0x85 => self.tuple_of(host, 1, offset),
            0x86 => self.tuple_of(host, 2, offset),
            0x87 => self.tuple_of(host, 3, offset),
            b't' => {
                let from = self.unmark()?;
                self.tuple(host, from, offset)
            }
            b'l' => self.collect(host, Kind::List, offset),
            b'd' => self.collect(host, Kind::Dict, offset),
            0x91 => self.collect(host, Kind::Set, offset),
            b'a' => self.add_top(host, 1, offset),
            b's' => self.add_top(host, 2, offset),
            b'e' | b'u' | 0x90 => {
                let from = self.unmark()?;
                if opcode == 0x90 {
                    self.add_to_set(host, from, offset)?;
                }
                self.add_from(host, from, offset)
            }
            // The stack.
            b'(' => self.mark(host, offset),
            b'0' => self.pop_or_unmark(),
            b'1' => {
                let from = self.unmark()?;
                self.stack.truncate(from);
                Ok(())
            }
            b'2' => {
                let top = self.top()?;
                self.push(top)
            }
            // The memo.
            0x94 => {
                let top = self.top()?;
                self.memo.memoize(top);
                Ok(())
            }
            b'q' => {
                let [index] = self.input.array()?;
                self.put(host, u64::from(index), offset)
            }
            b'r' => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.put(host, u64::from(index), offset)
            }
            b'p' => {
                let index = self.line_number()?;
                self.put(host, index, offset)
            }
            b'h' => {
                let [index] = self.input.array()?;
                self.get(u64::from(index))
            }
            b'j' => {
                let index = u32::from_le_bytes(self.input.array()?);
                self.get(u64::from(index))
            }
            b'g' => {
                let index = self.line_number()?;
                self.get(index)
            }
            _ => self.rare(host, opcode, offset),
        }
    }

    fn rare(&mut self, host: &mut dyn Host, opcode: u8, offset: u64) -> Parsed<()> {
        match opcode {
            b'c' => {
                let global = self.global_lines(host, offset)?;
                self.push(global)
            }
            0x93 => self.stack_global(host, offset),
            b'R' => {
                let args = self.pop()?;
                let callee = self.pop()?;
                let result = self.call_tuple(host, How::Call, callee, args, None, offset)?;
                self.push(result)
            }
            0x81 => {
                let args = self.pop()?;
                let callee = self.pop()?;
                let result = self.call_tuple(host, How::New, callee, args, None, offset)?;
                self.push(result)
            }
            0x92 => {
                let keywords = self.pop()?;
                let args = self.pop()?;
                let callee = self.pop()?;
                let how = How::NewWithKeywords;
                let result = self.call_tuple(host, how, callee, args, Some(keywords), offset)?;
                self.push(result)
            }
            b'i' => {
                let callee = self.global_lines(host, offset)?;
                let from = self.unmark()?;
                self.call_stack(host, How::Instantiate, callee, from, offset)
            }
            b'o' => self.object(host, offset),
            b'b' => self.build(host, offset),
            b'P' => {
                self.input.line()?;
                self.persistent(host, Value::at(Kind::Text, offset), offset)
            }
            b'Q' => {
                let id = self.pop()?;
                self.persistent(host, id, offset)
            }
            0x82 => {
                let [code] = self.input.array()?;
                self.extension(host, i64::from(code), offset)
            }
            0x83 => {
                let code = u16::from_le_bytes(self.input.array()?);
                self.extension(host, i64::from(code), offset)
            }
            0x84 => {
                let code = i32::from_le_bytes(self.input.array()?);
                self.extension(host, i64::from(code), offset)
            }
            0x80 => {
                let [protocol] = self.input.array()?;
                if protocol > 5 {
                    return Err(Halt::malformed(offset, format!("unknown pickle protocol {protocol}")));
                }
                self.state.protocol = protocol;
                Ok(())
            }
            0x95 => self.enter_frame(host, offset),
            _ => Err(Halt::malformed(offset, format!("unknown pickle opcode 0x{opcode:02x}"))),
        }
    }
}
