//! Any JSON document: error bodies, model lists.

use bastide_types::{Origin, Segment};

use crate::scan::{scan, utf8};
use crate::site::Located;
use crate::tape::Tape;
use crate::walk::Walker;
use crate::{Edit, Limits, Paths, WireError, splice};

/// A JSON document without a known shape: every string, key and number is a segment of origin `other`.
#[derive(Clone, Debug)]
pub struct JsonDocument {
    located: Located,
}

impl JsonDocument {
    /// Reads a document. Keys may repeat: all of them and all their values are segments.
    ///
    /// # Errors
    /// When it is not JSON (RFC 8259) or over a limit.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let text = utf8(body)?;
        let mut tape = Tape::default();
        scan(text, limits, &mut tape)?;
        let mut walker = Walker::new(text, &tape, limits, Vec::new());
        walker.free(0, Origin::Other)?;
        let sites = walker.sites;
        Ok(JsonDocument { located: Located { tape, sites, len: body.len() } })
    }

    /// The pieces of text; `body` must be what was parsed.
    #[must_use]
    pub fn segments<'b>(&self, body: &'b [u8]) -> Vec<Segment<'b>> {
        self.located.segments(body)
    }

    /// Where the segments stand.
    #[must_use]
    pub fn paths<'c>(&'c self, body: &'c [u8]) -> Paths<'c> {
        self.located.paths(body)
    }

    /// The document with the edits made and every other byte as it was.
    ///
    /// # Errors
    /// When an edit names no segment, lies outside its text, or overlaps another.
    pub fn splice(&self, body: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        splice::splice(&self.located, body, edits, splice::JsonTextAs::Json, Vec::new())
    }
}
