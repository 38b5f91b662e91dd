//! Files within a pickle: byte strings, and texts that stand for them, which something opens.

use super::arguments::Refusal;
use super::encoded;
use super::judge::{FILES, Judge};
use super::literal::Literal;
use super::machine::{Call, State};
use super::recognise;
use super::value::{Kind, Value};
use super::watch::Watch;
use crate::format::Format;
use crate::halt::Halt;
use crate::source::Part;
use bastide_types::Assessment;

/// Literals of one stream that are looked at once; more are looked at each time that they are handed over.
const LOOKED_AT: usize = 1 << 18;

impl Judge<'_, '_> {
    /// The first argument is a file, which the callee loads.
    pub(super) fn load_nested(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let Some(&file) = call.args.first() else {
            return self.refuse(state, call, Refusal::Followed, offset);
        };
        match state.literal(file) {
            Some(Literal::Bytes { offset: start, size }) => self.open(state, start, size),
            Some(Literal::Text { .. }) => self.open_text(state, file, false),
            Some(_) => {}
            None => match encoded::encoded(state, file) {
                Some(text) => self.open_text(state, text, false),
                None if file.kind() == Kind::Unknown => {
                    self.refuse(state, call, Refusal::Followed, offset);
                }
                None => self.refuse(state, call, Refusal::Bytes, offset),
            },
        }
    }

    /// Opens the bytes that a text stands for as a file of their own; all, or those that are one.
    pub(super) fn open_text(&mut self, state: &State<'_>, text: Value, only_files: bool) {
        let start = text.offset();
        if self.files.contains(&start) || self.files.len() >= FILES {
            return;
        }
        let bytes = match only_files && !encoded::begins_like_file(state, text).unwrap_or(true) {
            true => return,
            false if only_files && !self.is_new(start) => return,
            false => encoded::latin1(state, text, self.scan),
        };
        let is_file =
            |bytes: &Vec<u8>| !only_files || recognise::is_file(bytes, 0, bytes.len() as u64).unwrap_or(true);
        match bytes {
            Ok(Some(bytes)) if is_file(&bytes) => {
                self.files.insert(start);
                self.scan.nested(&format!("bytes at {start}"), &bytes);
            }
            Ok(None) if !only_files => {
                self.scan.halted(Format::Pickle, Halt::limit("64 MiB of text that is a file"));
            }
            Ok(_) => {}
            Err(halt) => self.scan.halted(Format::Pickle, halt),
        }
    }

    /// Scans what a buffer is given to hold: loaders read it as a file, whatever it begins with.
    pub(super) fn note_buffer(&mut self, state: &State<'_>, object: Value, with: Value) {
        let is_buffer = state
            .global(object)
            .is_some_and(|g| g.name == "BytesIO" && matches!(g.module.as_str(), "io" | "_io" | "_pyio"));
        if !is_buffer {
            return;
        }
        let cell = state.heap.get(with).filter(|_| with.kind() == Kind::Tuple);
        match cell.and_then(|cell| cell.items().first()).and_then(|bytes| state.literal(*bytes)) {
            Some(Literal::Bytes { offset, size }) => {
                self.open(state, offset, size);
                if self.buffers.len() < FILES {
                    self.buffers.insert(object.offset());
                }
            }
            _ => {
                self.buffers.remove(&object.offset());
            }
        }
    }

    /// Opens byte strings that do harm as pickles, whatever they begin with: what an unknown class or function does with
    /// them is not known, and some unpickle them.
    pub(super) fn open_handed(&mut self, state: &State<'_>, values: &[Value]) {
        /// Harm that hides behind so much harmless code is in no state of an object.
        const STEPS: u64 = 1 << 12;
        for value in values {
            let new = value.kind() == Kind::Bytes && self.is_new(value.offset());
            let Some(Literal::Bytes { offset, size }) = new.then(|| state.literal(*value)).flatten() else {
                continue;
            };
            let part = Part::new(state.source, offset, size);
            let harm = Watch::run(&part, 0, STEPS)
                .inspect(|watch| state.work(watch.steps))
                .is_ok_and(|watch| watch.imports > 0 && !watch.odd && watch.worst == Assessment::Malicious);
            if harm {
                self.open(state, offset, size);
            }
        }
    }

    /// Whether what stands at `offset` was not looked at before, which is remembered.
    fn is_new(&mut self, offset: u64) -> bool {
        match self.looked_at.len() < LOOKED_AT {
            true => self.looked_at.insert(offset),
            false => !self.looked_at.contains(&offset),
        }
    }

    /// Opens bytes as a file of their own.
    pub(super) fn open(&mut self, state: &State<'_>, start: u64, size: u64) {
        if self.files.len() >= FILES {
            let message = format!("more than {FILES} files lie in byte strings of one pickle");
            self.scan.find(&crate::rules::LIMIT, start, message);
        } else if self.files.insert(start) {
            let part = Part::new(state.source, start, size);
            self.scan.nested(&format!("bytes at {start}"), &part);
        }
    }
}
