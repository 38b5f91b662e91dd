//! All readings of one text, block by block: what whole texts and streams have in common.

use std::sync::Arc;

use bastide_types::{Finding, Span, View};

use crate::automaton::{Automata, Caches};
use crate::reader::{Context, Found, KEEP, Reader, Work};
use crate::resolve::{Hit, Resolver};
use crate::view::{Fold, first_change};
use crate::view_runs::Runs;
use crate::{Detector, Syntax};

/// The state of an inspection between blocks. All positions are in the original text.
#[derive(Debug, Default)]
pub(crate) struct Session {
    raw: Reader,
    /// There while the folded reading differs from the original near the place of the search.
    fold: Option<Box<Fold>>,
    runs: Runs,
    pub(crate) resolver: Resolver,
    /// Where the last block ended.
    end: usize,
    released: usize,
}

/// The text of a block with what still matters of the text before it.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    /// From `base` on, the block included.
    pub(crate) text: &'a str,
    pub(crate) base: usize,
    /// Nothing follows.
    pub(crate) complete: bool,
}

impl Window<'_> {
    fn end(&self) -> usize {
        self.base + self.text.len()
    }

    fn from(&self, at: usize) -> &str {
        self.text.get(at.saturating_sub(self.base)..).unwrap_or_default()
    }

    fn floor(&self, at: usize) -> usize {
        let mut i = at.saturating_sub(self.base);
        while i > 0 && !self.text.is_char_boundary(i) {
            i -= 1;
        }
        self.base + i
    }

    fn ceiling(&self, at: usize) -> usize {
        let mut i = at.saturating_sub(self.base);
        while i < self.text.len() && !self.text.is_char_boundary(i) {
            i += 1;
        }
        self.base + i
    }
}

/// What a step borrows from the engine and the scratch.
pub(crate) struct Tools<'a> {
    pub(crate) automata: &'a Automata,
    pub(crate) detectors: &'a [Arc<dyn Detector>],
    pub(crate) caches: &'a mut Caches,
    pub(crate) work: &'a mut Work,
}

impl Session {
    pub(crate) fn reset(&mut self) {
        self.raw.reset();
        self.fold = None;
        self.runs.reset();
        self.resolver.reset();
        self.end = 0;
        self.released = 0;
    }

    /// The first byte of the original that a later step may look at.
    pub(crate) fn needed_from(&self) -> usize {
        let read = self.fold.as_ref().map_or(self.end, |f| f.next);
        self.raw.from().min(read).min(self.released).saturating_sub(KEEP)
    }

    pub(crate) fn is_folding(&self) -> bool {
        self.fold.is_some()
    }

    /// Inspects the part of `window` behind the last step's. Returns the place up to which the text is final.
    pub(crate) fn step(
        &mut self,
        tools: Tools<'_>,
        syntax: Syntax,
        window: Window<'_>,
        out: &mut Vec<Finding>,
    ) -> usize {
        let Tools { automata, detectors, caches, work } = tools;
        let cx = &mut Context { automata, detectors, caches, work };
        let Session { raw, fold, runs, resolver, .. } = self;
        let (seen, end) = (self.end, window.end());
        if fold.is_none() && first_change(window.from(seen), syntax, window.complete).is_some() {
            let base = raw.from().saturating_sub(KEEP).max(window.base);
            let known =
                window.text.as_bytes().get(base - window.base..seen - window.base).unwrap_or_default();
            *fold = Some(Box::new(Fold::fork(raw, known, base)));
        }

        let mut decided = raw.advance(
            cx,
            window.text.as_bytes(),
            window.base,
            window.complete,
            View::Raw,
            &mut |mut found| {
                let Span { start, end } = found.span;
                let end = if found.cut { window.floor(end) } else { window.ceiling(end) };
                found.span = Span::new(window.floor(start), end);
                resolver.add(Hit { found, view: View::Raw });
            },
        );
        let decoded = &mut |found: Found, view: View| resolver.add(Hit { found, view });
        if let Some(fold) = fold {
            let known = fold.text.len();
            let unfolded = fold.next;
            fold.extend(window.from(unfolded), syntax, window.complete);
            let mut reader = std::mem::take(&mut fold.reader);
            let undecided =
                reader.advance(cx, &fold.text, fold.base, window.complete, View::Folded, &mut |mut found| {
                    let Span { start, end } = found.span;
                    let end = if found.cut {
                        window.floor(fold.original_start(end))
                    } else {
                        window.ceiling(fold.original_end(end))
                    };
                    found.span = Span::new(window.floor(fold.original_start(start)), end);
                    decoded(found, View::Folded);
                });
            fold.reader = reader;
            // A cut escape is undecided; so is what the reading has not decided.
            decided = decided.min(fold.original_start(undecided)).min(fold.next);
            let new = fold.text.get(known..).unwrap_or_default();
            let place = |at: usize| {
                let at = fold.base + known + at;
                Span::new(fold.original_start(at), fold.original_end(at + 1))
            };
            runs.extend(cx, new, &place, decoded);
        } else {
            let place = |at: usize| Span::new(seen + at, seen + at + 1);
            runs.extend(cx, window.from(seen).as_bytes(), &place, decoded);
        }
        decided = decided.min(runs.settle(cx, end, window.complete, decoded));
        if let Some(folded) = fold {
            folded.trim();
            if folded.is_redundant(raw, end) {
                *fold = None;
            }
        }
        self.end = end;
        self.released = resolver.settle(window.floor(decided), detectors, out).max(self.released);
        self.released
    }
}
