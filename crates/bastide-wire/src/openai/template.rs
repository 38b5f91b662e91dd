//! Chunks that say everything as the one before did, but for one text.
//!
//! A server writes each chunk of an answer like the last: the same members in the same order, the same `id` and
//! `model`, and another piece of text. Such a chunk needs no reading: its tokens are those of the one before, the
//! later ones moved by as much as the text is longer or shorter.
//!
//! INVARIANT: what comes of it is what reading it would give. The scanner comes to the text in the state in which it
//! came to the last one, reads one string by the same rules ([`string_end`]), and then meets the same bytes in the
//! same state. The walk asks of the text of a [`spoken`] lane nothing but whether it is a string, except where log
//! probabilities repeat it; a chunk that has any is no template.

use crate::scan::string_end;
use crate::site::Located;
use crate::tape::{Kind, narrow};
use crate::{LaneField, Limits, Site};

/// The most that is kept of a chunk. What stands around a text takes a few hundred bytes.
const MAX_BYTES: usize = 4 << 10;

/// What a chunk says around its text.
#[derive(Clone, Debug, Default)]
pub(super) struct Template {
    /// The bytes through the quote that opens the text, then those from the quote that closes it on.
    around: Vec<u8>,
    /// How many of them come before the text; none where there is no template.
    before: usize,
    /// The segment of the text, and its token.
    segment: usize,
    node: u32,
    /// The tokens that hold it.
    holders: Vec<u32>,
    limits: Limits,
}

impl Template {
    pub(super) fn clear(&mut self) {
        self.before = 0;
    }

    pub(super) fn memory(&self) -> usize {
        self.around.capacity() + self.holders.capacity() * size_of::<u32>()
    }

    /// The segment of the text.
    pub(super) fn segment(&self) -> Option<usize> {
        (self.before > 0).then_some(self.segment)
    }

    /// Takes the longest text of `data`, which was read, as the one that may change.
    pub(super) fn learn(&mut self, data: &[u8], located: &Located, limits: &Limits) {
        self.clear();
        let longest = located
            .sites
            .iter()
            .enumerate()
            .filter(|(_, site)| spoken(site) && located.tape.kind(site.node) == Kind::String)
            .max_by_key(|(_, site)| located.tape.node(site.node).range().len());
        let Some((segment, site)) = longest else { return };
        let text = located.tape.node(site.node).inner();
        let (Some(before), Some(after)) = (data.get(..text.start), data.get(text.end..)) else { return };
        if before.len() + after.len() > MAX_BYTES {
            return;
        }
        self.around.clear();
        self.around.extend_from_slice(before);
        self.around.extend_from_slice(after);
        self.holders.clear();
        self.holders.extend(located.tape.around(site.node));
        (self.before, self.segment, self.node, self.limits) = (before.len(), segment, site.node, *limits);
    }

    /// Makes `located` what `data` is, if that says all but its text as the template does.
    #[inline]
    pub(super) fn apply(&self, data: &[u8], limits: &Limits, located: &mut Located) -> bool {
        let Some((end, escaped)) = self.text_end(data, limits) else { return false };
        // Behind the quote.
        located.tape.rewrite(self.node, &self.holders, narrow(end + 1), escaped);
        located.len = data.len();
        true
    }

    /// Where the text of `data` ends, and whether there are escapes in it.
    #[inline]
    fn text_end(&self, data: &[u8], limits: &Limits) -> Option<(usize, bool)> {
        let (before, after) =
            self.around.split_at_checked(self.before).filter(|(before, _)| !before.is_empty())?;
        let rest = data.strip_prefix(before)?;
        let text = rest.strip_suffix(after)?;
        if self.limits != *limits || u32::try_from(data.len()).is_err() {
            return None;
        }
        std::str::from_utf8(text).ok()?;
        // The quote that ends the string is the one that the template goes on with, and no other before it.
        string_end(data, before.len()).ok().filter(|(end, _)| *end == before.len() + text.len())
    }
}

/// Whether the walk takes a lane's text for what it is without looking at it.
fn spoken(site: &Site) -> bool {
    matches!(
        site.lane,
        Some(
            LaneField::Content
                | LaneField::Refusal
                | LaneField::Reasoning
                | LaneField::ReasoningText
                | LaneField::ToolArguments(_)
                | LaneField::ToolInput(_)
                | LaneField::FunctionArguments
        )
    )
}
