//! Inspection of a text that arrives in pieces.

use bastide_types::Finding;

use crate::session::{Session, Window};
use crate::{Engine, Scratch, Syntax};

/// Inspects a text that arrives in pieces, and says how much of it may go on.
///
/// It finds what [`Engine::inspect`] finds in the whole, however the text is cut, and holds back only what may still
/// become part of a finding: the released text never contains a byte of one that has not been reported. How much that
/// is at most depends on the detectors' `max_span`, not on the text.
#[derive(Debug)]
pub struct StreamInspector {
    syntax: Syntax,
    session: Session,
    /// The text from `base` on.
    text: String,
    base: usize,
    released: usize,
}

/// Text that is no longer needed is dropped when there is at least this much of it.
const DROP: usize = 1024;

impl StreamInspector {
    /// At the start of a text.
    #[must_use]
    pub fn new(syntax: Syntax) -> Self {
        StreamInspector { syntax, session: Session::default(), text: String::new(), base: 0, released: 0 }
    }

    /// Takes in the next piece. Appends findings that are final, sorted by place, with offsets from the start of the
    /// text; returns the offset up to which the text is released. Every finding that has a byte before that offset has
    /// been reported and ends at or before it.
    ///
    /// A stream keeps to one engine; the scratch may be a different one each time.
    pub fn push(
        &mut self,
        engine: &Engine,
        scratch: &mut Scratch,
        chunk: &str,
        out: &mut Vec<Finding>,
    ) -> usize {
        if !chunk.is_empty() {
            self.text.push_str(chunk);
            self.step(engine, scratch, false, out);
        }
        self.released
    }

    /// The text has ended: reports the rest and releases everything. Returns the length of the text.
    pub fn finish(&mut self, engine: &Engine, scratch: &mut Scratch, out: &mut Vec<Finding>) -> usize {
        self.step(engine, scratch, true, out);
        self.released
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.base + self.text.len() - self.released
    }

    fn step(&mut self, engine: &Engine, scratch: &mut Scratch, complete: bool, out: &mut Vec<Finding>) {
        let window = Window { text: &self.text, base: self.base, complete };
        self.released = engine.step(&mut self.session, self.syntax, window, scratch, out);
        let unneeded = self.session.needed_from().saturating_sub(self.base);
        if unneeded >= DROP && self.text.is_char_boundary(unneeded) {
            self.text.drain(..unneeded);
            self.base += unneeded;
        }
    }
}
