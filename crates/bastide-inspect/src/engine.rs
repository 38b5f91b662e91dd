//! All detectors as one engine.

use std::sync::Arc;

use bastide_types::{Category, Finding};

use crate::automaton::Automata;
use crate::session::{Session, Tools, Window};
use crate::view::first_change;
use crate::{Detector, Scratch};

/// How a text is written, hence what else it may spell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Syntax {
    /// Plain text.
    #[default]
    Plain,
    /// JSON text, as in the arguments of a tool call: its escapes are resolved in the folded reading.
    Json,
}

/// The detectors cannot be made into an engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// An expression does not parse.
    #[error("the pattern of detector `{detector}` is not an expression for bytes; write it with unicode off")]
    Pattern {
        /// The detector's id.
        detector: &'static str,
        /// What the parser says.
        source: Box<regex_syntax::Error>,
    },
    /// An expression matches the empty text.
    #[error("the pattern of detector `{detector}` matches the empty text; ask for at least one byte")]
    Empty {
        /// The detector's id.
        detector: &'static str,
    },
    /// A bound is missing or too large.
    #[error(
        "the `max_span` of detector `{detector}` is not within 1..={limit}; use an open-ended pattern for longer kinds"
    )]
    Span {
        /// The detector's id.
        detector: &'static str,
        /// The largest one allowed, in bytes.
        limit: usize,
    },
    /// The automata do not fit.
    #[error(
        "the patterns are too large together; replace counted repetitions by `+` and count in `validate`"
    )]
    TooLarge {
        /// What the compiler says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// Texts up to this many bytes after the last decided place are inspected in one block.
const BLOCK: usize = 16 * 1024;
/// While the folded reading differs: a short block, so that the second search ends soon after the difference.
const FOLDING_BLOCK: usize = 512;
/// A difference this far ahead gets a block boundary of its own, so that what precedes it is read once.
const PLAIN_BLOCK: usize = 256;

/// All detectors, compiled. Immutable: share it by reference or `Arc`.
pub struct Engine {
    detectors: Vec<Arc<dyn Detector>>,
    automata: Arc<Automata>,
}

impl Engine {
    /// Compiles the detectors.
    ///
    /// # Errors
    /// When a pattern does not compile, matches the empty text or has no sensible bound.
    pub fn new(detectors: Vec<Arc<dyn Detector>>) -> Result<Engine, EngineError> {
        let automata = Arc::new(Automata::new(&detectors)?);
        Ok(Engine { detectors, automata })
    }

    /// The id and category of each detector, in order.
    pub fn detectors(&self) -> impl Iterator<Item = (&'static str, Category)> + '_ {
        self.detectors.iter().map(|d| (d.id(), d.category()))
    }

    /// Bytes that the compiled detectors take, without the states that a [`Scratch`] collects.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        self.automata.memory()
    }

    /// Inspects a whole text and appends what is found, sorted by place. Findings do not overlap one another, but for
    /// those of attacks, which may overlap anything.
    ///
    /// A [`crate::StreamInspector`] finds the same, however the text is cut. Only a finding of an open-ended kind that
    /// is longer than 4 KiB is one finding here and several adjacent ones there.
    pub fn inspect(&self, text: &str, syntax: Syntax, scratch: &mut Scratch, out: &mut Vec<Finding>) {
        let whole = self.inspect_while(text, syntax, scratch, out, |_| true);
        debug_assert!(whole, "nothing stops it");
    }

    /// As [`Engine::inspect`], while `may_go_on` says so, which is asked for every few kilobytes and shown what was found so
    /// far. False when it did not and text is left: `out` has something of it then.
    #[must_use = "what was not inspected may hold anything"]
    pub fn inspect_while(
        &self,
        text: &str,
        syntax: Syntax,
        scratch: &mut Scratch,
        out: &mut Vec<Finding>,
        mut may_go_on: impl FnMut(&[Finding]) -> bool,
    ) -> bool {
        let mut session = std::mem::take(&mut scratch.session);
        session.reset();
        let first = out.len();
        let mut at = 0;
        let mut whole = false;
        while !whole && may_go_on(out.get(first..).unwrap_or_default()) {
            let end = block_end(text, syntax, at, &session);
            let window =
                Window { text: text.get(..end).unwrap_or(text), base: 0, complete: end == text.len() };
            self.step(&mut session, syntax, window, scratch, out);
            whole = window.complete;
            at = end;
        }
        join(&mut session, first, out);
        scratch.session = session;
        whole
    }

    pub(crate) fn step(
        &self,
        session: &mut Session,
        syntax: Syntax,
        window: Window<'_>,
        scratch: &mut Scratch,
        out: &mut Vec<Finding>,
    ) -> usize {
        let (caches, work) = scratch.parts(&self.automata);
        session.step(
            Tools { automata: &self.automata, detectors: &self.detectors, caches, work },
            syntax,
            window,
            out,
        )
    }
}

/// Where the block that starts at `at` ends. Any place gives the same findings.
fn block_end(text: &str, syntax: Syntax, at: usize, session: &Session) -> usize {
    let left = text.len() - at;
    let mut length = left.min(if session.is_folding() { FOLDING_BLOCK } else { BLOCK });
    if !session.is_folding() && length > PLAIN_BLOCK {
        let block = text.get(at..).unwrap_or_default();
        let block = block.get(..floor(block, length)).unwrap_or_default();
        if let Some(change) = first_change(block, syntax, true).filter(|&c| c > PLAIN_BLOCK) {
            length = change;
        }
    }
    floor(text, at + length)
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Joins the parts of findings that were cut at their bound.
fn join(session: &mut Session, first: usize, out: &mut Vec<Finding>) {
    let continued = std::mem::take(&mut session.resolver.continued);
    for &index in &continued {
        let Some(part) = out.get(index).cloned() else { continue };
        let head = out.get_mut(first..index).and_then(|before| {
            before.iter_mut().rev().find(|f| f.detector == part.detector && f.span.end == part.span.start)
        });
        if let Some(head) = head {
            head.span.end = part.span.end;
            if let Some(gone) = out.get_mut(index) {
                gone.span.end = gone.span.start;
            }
        }
    }
    if !continued.is_empty() {
        let mut index = 0;
        out.retain(|f| {
            index += 1;
            index <= first || !f.span.is_empty()
        });
    }
    session.resolver.continued = continued;
}
