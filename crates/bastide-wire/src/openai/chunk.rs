//! One chunk of a streamed chat completion.

use bastide_types::{Segment, SegmentKind};

use super::response::{Answers, Usage};
use super::template::Template;
use crate::scan::{scan, utf8};
use crate::site::Located;
use crate::splice::{JsonTextAs, splice};
use crate::tape::NONE;
use crate::text::quoted;
use crate::trail::Trail;
use crate::walk::Walker;
use crate::{Edit, Lane, LaneField, Limits, Paths, Site, Unscanned, WireError};

/// The data of one server-sent event of a streamed answer, located in its bytes.
///
/// Texts of one [`Lane`] continue each other over chunks; segments without a lane are complete in themselves. Tool
/// arguments are pieces of JSON text, so edits of them are written as given: see [`crate::JsonTextRewriter`].
#[derive(Clone, Debug, Default)]
pub struct ChatChunk {
    /// What it cost, if the upstream says; usually only in the last chunk.
    pub usage: Option<Usage>,
    /// The answers that end with this chunk, ascending, each once.
    pub finish: Vec<u32>,
    /// Content that text inspection cannot read.
    pub unscanned: Vec<Unscanned>,
    /// Whether an answer has log probabilities.
    pub has_logprobs: bool,
    /// Whether log probabilities spell another text than the delta's.
    pub logprobs_diverge: bool,
    /// Segments without a lane that are one text to who reads them: the text parts of a whole message, in order.
    pub joined: Vec<Vec<usize>>,
    /// Whether the `index` of an answer, a tool call or a text is not plain digits below 2^32 - 1. Clients take
    /// `1.0` for 1, or for nothing: nobody knows whose text it is then, and lanes go by position.
    pub odd_index: bool,
    located: Located,
    answers: Answers,
    /// What the next chunk has in common with this one, if it is like most.
    template: Template,
    passed: bool,
}

impl ChatChunk {
    /// Reads the data of an event.
    ///
    /// # Errors
    /// When it is not strict JSON, is over a limit, or has a protocol key twice or in another case.
    pub fn parse(data: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let mut chunk = ChatChunk::default();
        chunk.reparse(data, limits)?;
        Ok(chunk)
    }

    /// Reads the data of another event into the same memory. After an error the chunk is empty.
    ///
    /// # Errors
    /// As [`ChatChunk::parse`].
    pub fn reparse(&mut self, data: &[u8], limits: &Limits) -> Result<(), WireError> {
        if self.is_plain() && self.template.apply(data, limits, &mut self.located) {
            return Ok(());
        }
        self.read_anew(data, limits)
    }

    fn read_anew(&mut self, data: &[u8], limits: &Limits) -> Result<(), WireError> {
        self.passed = false;
        let mut sites = std::mem::take(&mut self.located.sites);
        sites.clear();
        self.unscanned.clear();
        self.joined.clear();
        self.odd_index = false;
        self.answers.clear();
        self.finish.clear();
        let read = self.read(data, limits, sites);
        self.usage = self.answers.usage;
        self.finish.extend_from_slice(&self.answers.finish);
        self.finish.sort_unstable();
        self.finish.dedup();
        self.has_logprobs = !self.answers.logprobs.is_empty();
        self.logprobs_diverge = self.answers.diverge;
        match read {
            Err(_) => *self = ChatChunk::default(),
            Ok(()) if self.is_plain() => self.template.learn(data, &self.located, limits),
            Ok(()) => self.template.clear(),
        }
        read
    }

    /// Notes that a reader has passed all that this chunk says but the text of its [`ChatChunk::news`], if that is
    /// another one in the next chunk read into the same memory.
    pub fn pass(&mut self) {
        self.passed = true;
    }

    /// The only segment whose text a reader has not passed: the chunk is like one of which it said so
    /// ([`ChatChunk::pass`]) in every other byte.
    #[must_use]
    pub fn news(&self) -> Option<usize> {
        self.template.segment().filter(|_| self.passed)
    }

    /// Whether it says nothing but texts.
    fn is_plain(&self) -> bool {
        self.usage.is_none()
            && self.finish.is_empty()
            && self.unscanned.is_empty()
            && !self.has_logprobs
            && !self.logprobs_diverge
            && self.joined.is_empty()
            && !self.odd_index
    }

    fn read(&mut self, data: &[u8], limits: &Limits, sites: Vec<Site>) -> Result<(), WireError> {
        let text = utf8(data)?;
        scan(text, limits, &mut self.located.tape)?;
        let mut walker = Walker::new(text, &self.located.tape, limits, sites);
        walker.response(true, &mut self.answers)?;
        let Walker { sites, unscanned, joined, odd_index, .. } = walker;
        self.located.sites = sites;
        self.unscanned = unscanned;
        self.joined = joined;
        self.odd_index = odd_index;
        self.located.len = data.len();
        Ok(())
    }

    /// The pieces of text; `data` must be what was parsed.
    #[must_use]
    pub fn segments<'b>(&self, data: &'b [u8]) -> Vec<Segment<'b>> {
        self.located.segments(data)
    }

    /// How many segments there are.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.located.sites.len()
    }

    /// Bytes of memory that what was read takes.
    #[must_use]
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.located.memory() + self.template.memory()
    }

    /// One piece of text.
    #[must_use]
    pub fn segment<'b>(&self, data: &'b [u8], index: usize) -> Option<Segment<'b>> {
        self.located.segment(data, index)
    }

    /// Bytes of one piece of text as it is written, escapes and all: no less than it has when read.
    #[must_use]
    pub fn written_len(&self, index: usize) -> usize {
        self.located.sites.get(index).map_or(0, |site| self.located.tape.node(site.node).range().len())
    }

    /// Which text a segment is a piece of.
    #[must_use]
    pub fn lane(&self, index: usize) -> Option<Lane> {
        let site = self.located.sites.get(index)?;
        Some(Lane { choice: site.choice, field: site.lane? })
    }

    /// What tells the lanes of [`LaneField::Unknown`] of one answer apart.
    #[must_use]
    pub fn lane_paths<'c>(&'c self, data: &'c [u8]) -> LanePaths<'c> {
        let body = std::str::from_utf8(data).unwrap_or_default();
        let longest = LanePaths::BEFORE + LanePaths::MAX_BYTES;
        let trail = Trail::new(&self.located.tape, body, true, longest);
        LanePaths { sites: &self.located.sites, trail }
    }

    /// Whether a segment stands outside the answers: `id`, `model`, `system_fingerprint` and unknown fields beside
    /// them, which a server repeats in every chunk. A reader that has passed the same text at the same index need
    /// not inspect it again.
    #[must_use]
    pub fn is_envelope(&self, index: usize) -> bool {
        self.located.sites.get(index).is_some_and(|site| site.choice == NONE)
    }

    /// Where the segments stand.
    #[must_use]
    pub fn paths<'c>(&'c self, data: &'c [u8]) -> Paths<'c> {
        self.located.paths(data)
    }

    /// The data with the edits made and every other byte as it was, except that the `logprobs` of each edited answer
    /// become null: they repeat the text, also the part that is held back.
    ///
    /// # Errors
    /// When an edit names no segment, lies outside its text, or overlaps another.
    pub fn splice(&self, data: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        let patches = self.answers.logprob_patches(&self.located, edits);
        splice(&self.located, data, edits, JsonTextAs::Verbatim, patches)
    }

    /// The data without any log probabilities, edited.
    ///
    /// # Errors
    /// As [`ChatChunk::splice`].
    pub fn splice_without_logprobs(&self, data: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        let patches = self.answers.all_logprob_patches(&self.located);
        splice(&self.located, data, edits, JsonTextAs::Verbatim, patches)
    }

    /// The data without any log probabilities.
    ///
    /// # Errors
    /// When `data` is not what was parsed.
    pub fn drop_logprobs(&self, data: &[u8]) -> Result<Vec<u8>, WireError> {
        self.splice_without_logprobs(data, &[])
    }

    /// The data of a new chunk that carries `texts` as deltas: for text that was held back when no further chunk of
    /// its answer comes. It takes `id`, `object`, `created`, `model` and all else outside the answers from this one,
    /// except `usage`, which would be counted twice. Texts of unknown fields are left out.
    ///
    /// # Errors
    /// When `data` is not what was parsed, or is no object.
    pub fn carrying(&self, data: &[u8], texts: &[(Lane, &str)]) -> Result<Vec<u8>, WireError> {
        let body = self.located.own(data)?;
        let tape = &self.located.tape;
        let mut out = String::with_capacity(data.len() + 64);
        out.push('{');
        for (key, value) in tape.members(0) {
            if matches!(&*tape.text(body, key), "choices" | "usage") {
                continue;
            }
            let member = tape.node(key).range().start..tape.node(value).range().end;
            out.push_str(body.get(member).unwrap_or_default());
            out.push(',');
        }
        out.push_str("\"choices\":[");
        let known = texts.iter().filter(|(lane, _)| lane.field != LaneField::Unknown);
        for (position, (lane, text)) in known.enumerate() {
            if position > 0 {
                out.push(',');
            }
            let delta = delta(lane.field, &quoted(text));
            out.push_str(&format!(
                "{{\"index\":{},\"delta\":{{{delta}}},\"logprobs\":null,\"finish_reason\":null}}",
                lane.choice
            ));
        }
        out.push_str("]}");
        Ok(out.into_bytes())
    }

    /// Whether a segment is a key: an edit of it can collide with another.
    #[must_use]
    pub fn is_key(&self, index: usize) -> bool {
        self.located.sites.get(index).is_some_and(|s| s.kind == SegmentKind::Key)
    }
}

/// Where in their answers the texts of unknown fields stand, and of those that hold anything. Asked for in order, all of
/// them cost one walk over the chunk.
pub struct LanePaths<'c> {
    sites: &'c [Site],
    trail: Trail<'c>,
}

impl LanePaths<'_> {
    /// A path that is longer is cut, and has more bytes than this still: texts in such depths cannot be told apart.
    pub const MAX_BYTES: usize = 256;
    /// What stands before it in the chunk has no more.
    const BEFORE: usize = "/choices/#4294967295/".len();

    /// The place of a segment, list elements by their `index` where they have one; nothing where the lane says all.
    pub fn of(&mut self, index: usize) -> Option<String> {
        let site = self.sites.get(index).filter(|site| site.lane == Some(LaneField::Unknown))?;
        // Behind `/choices/#0/`: which answer it is, the lane says.
        let path = self.trail.to(site.node).splitn(4, '/').nth(3)?;
        let end = path.floor_char_boundary(Self::MAX_BYTES + char::MAX.len_utf8());
        path.get(..end).map(str::to_owned)
    }
}

impl std::fmt::Debug for LanePaths<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LanePaths").finish_non_exhaustive()
    }
}

impl Answers {
    fn clear(&mut self) {
        self.finish.clear();
        self.logprobs.clear();
        let (finish, logprobs) = (std::mem::take(&mut self.finish), std::mem::take(&mut self.logprobs));
        *self = Answers { finish, logprobs, ..Answers::default() };
    }
}

/// The member of a delta that carries one lane's text.
fn delta(field: LaneField, text: &str) -> String {
    match field {
        LaneField::Content => format!("\"content\":{text}"),
        LaneField::Refusal => format!("\"refusal\":{text}"),
        LaneField::Reasoning => format!("\"reasoning_content\":{text}"),
        LaneField::ReasoningText => format!("\"reasoning\":{text}"),
        LaneField::ReasoningDetail(i) => {
            format!("\"reasoning_details\":[{{\"index\":{i},\"type\":\"reasoning.text\",\"text\":{text}}}]")
        }
        LaneField::ToolArguments(i) => {
            format!("\"tool_calls\":[{{\"index\":{i},\"function\":{{\"arguments\":{text}}}}}]")
        }
        LaneField::ToolName(i) => {
            format!("\"tool_calls\":[{{\"index\":{i},\"function\":{{\"name\":{text}}}}}]")
        }
        LaneField::ToolId(i) => format!("\"tool_calls\":[{{\"index\":{i},\"id\":{text}}}]"),
        LaneField::ToolInput(i) => {
            format!("\"tool_calls\":[{{\"index\":{i},\"custom\":{{\"input\":{text}}}}}]")
        }
        LaneField::FunctionArguments => format!("\"function_call\":{{\"arguments\":{text}}}"),
        LaneField::FunctionName => format!("\"function_call\":{{\"name\":{text}}}"),
        LaneField::AudioTranscript => format!("\"audio\":{{\"transcript\":{text}}}"),
        LaneField::Unknown => String::new(),
    }
}
