//! Edits in the original bytes.
//!
//! What was checked is what is sent: no document is ever written anew from a parsed form, because every writer
//! changes something (number spelling, escapes, key order, unknown fields) and the difference between two readings of
//! one document is where guards are evaded.

use bastide_types::{SegmentKind, Span};

use crate::WireError;
use crate::json_text;
use crate::site::{Located, Site};
use crate::tape::{Node, node_text};
use crate::text::{Offsets, escape_into, quoted};

/// A change of one segment's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The segment's index.
    pub segment: usize,
    /// Which bytes of its decoded text; rounded outward to whole characters. An empty span inserts.
    pub span: Span,
    /// What to write there, unescaped.
    pub replacement: String,
}

/// New bytes for a range of the document.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    pub(crate) range: Span,
    pub(crate) bytes: String,
}

/// How segments of JSON text are edited.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum JsonTextAs {
    /// Kept JSON, token by token.
    Json,
    /// As they are: pieces of a stream, which are no JSON by themselves.
    Verbatim,
}

pub(crate) fn splice(
    located: &Located,
    body: &[u8],
    edits: &[Edit],
    json_text: JsonTextAs,
    mut patches: Vec<Patch>,
) -> Result<Vec<u8>, WireError> {
    let text = located.own(body)?;
    // A value that is replaced as a whole (logprobs, the model) takes the edits inside it along.
    let mut replaced: Vec<Span> = patches.iter().map(|p| p.range).filter(|r| !r.is_empty()).collect();
    replaced.sort_unstable();
    let mut order: Vec<&Edit> = edits.iter().collect();
    order.sort_by_key(|e| (e.segment, e.span.start, e.span.end));
    for group in order.chunk_by(|a, b| a.segment == b.segment) {
        let Some(first) = group.first() else { continue };
        let site = located
            .sites
            .get(first.segment)
            .ok_or_else(|| WireError::edit(0, "an edit names a segment that the document does not have"))?;
        let node = located.tape.node(site.node);
        let whole = Span { start: node.range().start, end: node.range().end };
        let first_after = replaced.partition_point(|r| r.end <= whole.start);
        if !replaced.get(first_after).is_some_and(|r| r.overlaps(whole)) {
            edit_segment(text, site, node, group, json_text, &mut patches)?;
        }
    }
    apply(text, patches).map(String::into_bytes)
}

/// Turns the edits of one segment into patches.
fn edit_segment(
    body: &str,
    site: &Site,
    node: Node,
    edits: &[&Edit],
    json_text: JsonTextAs,
    patches: &mut Vec<Patch>,
) -> Result<(), WireError> {
    no_overlap(node, edits)?;
    match site.kind {
        SegmentKind::Number => {
            let number = body.get(node.range()).unwrap_or_default();
            let changed = replace_in(number, edits.iter().map(|e| (e.span, e.replacement.as_str())))
                .ok_or_else(|| out_of_range(node))?;
            let range = Span::new(node.range().start, node.range().end);
            patches.push(Patch { range, bytes: quoted(&changed) });
            Ok(())
        }
        SegmentKind::JsonText if json_text == JsonTextAs::Json => {
            let text = node_text(body, node);
            let changes: Vec<(Span, &str)> = edits.iter().map(|e| (e.span, e.replacement.as_str())).collect();
            let inner = json_text::patches(&text, &changes)
                .map_err(|detail| WireError::edit(node.range().start, detail))?;
            edit_string(body, node, inner.iter().map(|p| (p.range, p.bytes.as_str())), patches)
        }
        SegmentKind::Text | SegmentKind::Key | SegmentKind::JsonText => {
            edit_string(body, node, edits.iter().map(|e| (e.span, e.replacement.as_str())), patches)
        }
    }
}

fn no_overlap(node: Node, edits: &[&Edit]) -> Result<(), WireError> {
    let overlapping = edits.windows(2).any(|pair| match pair {
        [a, b] => b.span.start < a.span.end,
        _ => false,
    });
    if overlapping { Err(WireError::edit(node.range().start, "two edits overlap")) } else { Ok(()) }
}

fn out_of_range(node: Node) -> WireError {
    WireError::edit(node.range().start, "an edit lies beyond the end of its segment")
}

/// Edits of a string or key, in order: offsets of the decoded text become offsets of the raw bytes.
fn edit_string<'e>(
    body: &str,
    node: Node,
    edits: impl Iterator<Item = (Span, &'e str)>,
    patches: &mut Vec<Patch>,
) -> Result<(), WireError> {
    let base = node.inner().start;
    let mut offsets = Offsets::new(body.get(node.inner()).unwrap_or_default());
    let mut taken = 0;
    for (span, replacement) in edits {
        // Rounding can make two edits of one character meet: it goes with the first.
        let raw = json_text::after(offsets.raw_span(span).ok_or_else(|| out_of_range(node))?, taken);
        taken = raw.end;
        let mut bytes = String::with_capacity(replacement.len());
        escape_into(replacement, &mut bytes);
        patches.push(Patch { range: raw.shifted(base), bytes });
    }
    Ok(())
}

/// `text` with the spans replaced; they must be in order, not overlap, and lie on ASCII (a number's spelling).
pub(crate) fn replace_in<'e>(text: &str, edits: impl Iterator<Item = (Span, &'e str)>) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut at = 0;
    for (span, replacement) in edits {
        out.push_str(text.get(at..span.start)?);
        out.push_str(replacement);
        at = span.end;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// Applies patches in any order.
pub(crate) fn apply(body: &str, mut patches: Vec<Patch>) -> Result<String, WireError> {
    patches.sort_by_key(|p| (p.range.start, p.range.end));
    let added: usize = patches.iter().map(|p| p.bytes.len()).sum();
    let mut out = String::with_capacity(body.len() + added);
    let mut at = 0;
    for patch in &patches {
        let kept = body
            .get(at..patch.range.start)
            .ok_or_else(|| WireError::edit(patch.range.start, "two edits overlap"))?;
        out.push_str(kept);
        out.push_str(&patch.bytes);
        at = patch.range.end;
    }
    out.push_str(
        body.get(at..).ok_or_else(|| WireError::edit(at, "an edit lies beyond the end of the document"))?,
    );
    Ok(out)
}
