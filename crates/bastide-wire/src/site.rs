//! Where the segments of a document stand.

use std::borrow::Cow;

use bastide_types::{Origin, Segment, SegmentKind};

use crate::tape::{NONE, Node, Tape, node_text, wide};
use crate::trail::Trail;
use crate::{LaneField, WireError};

/// One segment: a token and what is known about it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) node: u32,
    /// Which answer, or [`NONE`].
    pub(crate) choice: u32,
    pub(crate) origin: Origin,
    pub(crate) kind: SegmentKind,
    pub(crate) lane: Option<LaneField>,
}

/// Where the segments of a document stand. Asked for in order, all of them cost one walk over it.
pub struct Paths<'c> {
    sites: &'c [Site],
    trail: Trail<'c>,
}

impl Paths<'_> {
    /// JSON pointer (RFC 6901) of a segment; empty for one that is not there.
    pub fn of(&mut self, index: usize) -> &str {
        match self.sites.get(index) {
            Some(site) => self.trail.to(site.node),
            None => "",
        }
    }
}

impl std::fmt::Debug for Paths<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Paths").finish_non_exhaustive()
    }
}

/// A scanned document with its segments: what every codec here is built on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Located {
    pub(crate) tape: Tape,
    pub(crate) sites: Vec<Site>,
    /// Length of the document, to notice another one.
    pub(crate) len: usize,
}

impl Located {
    pub(crate) fn segment<'b>(&self, body: &'b [u8], index: usize) -> Option<Segment<'b>> {
        let site = self.sites.get(index)?;
        Some(Segment {
            index,
            origin: site.origin,
            trust: site.origin.trust(),
            kind: site.kind,
            text: self.text(body, site.node)?,
            choice: (site.choice != NONE).then_some(site.choice),
        })
    }

    /// The text of a token; nothing for none.
    pub(crate) fn text<'b>(&self, body: &'b [u8], node: u32) -> Option<Cow<'b, str>> {
        let node = self.tape.node(node);
        // The document was checked as a whole; checking the piece again is cheaper than carrying a borrow around.
        let piece = std::str::from_utf8(body.get(node.range())?).ok()?;
        Some(node_text(piece, Node { start: 0, end: node.end - node.start, ..node }))
    }

    pub(crate) fn segments<'b>(&self, body: &'b [u8]) -> Vec<Segment<'b>> {
        debug_assert_eq!(body.len(), self.len, "segments of another document");
        (0..self.sites.len()).filter_map(|index| self.segment(body, index)).collect()
    }

    pub(crate) fn paths<'c>(&'c self, body: &'c [u8]) -> Paths<'c> {
        let body = std::str::from_utf8(body).unwrap_or_default();
        Paths { sites: &self.sites, trail: Trail::new(&self.tape, body, false, usize::MAX) }
    }

    /// The document as text, if it is the one that was scanned as far as its length tells.
    pub(crate) fn own<'b>(&self, body: &'b [u8]) -> Result<&'b str, WireError> {
        if body.len() != self.len {
            return Err(WireError::edit(0, "the edits belong to another document"));
        }
        crate::scan::utf8(body)
    }

    pub(crate) fn memory(&self) -> usize {
        self.tape.nodes.capacity() * size_of::<Node>() + self.sites.capacity() * size_of::<Site>()
    }

    pub(crate) fn offset(&self, node: u32) -> usize {
        wide(self.tape.node(node).start)
    }
}
