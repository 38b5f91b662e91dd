//! A chat completion request.

use bastide_types::{Origin, Segment, SegmentKind, Span};

use super::names::{Prediction, Request, StreamOptions};
use super::parts::{Place, Voice};
use crate::scan::{scan, utf8};
use crate::site::Located;
use crate::splice::{JsonTextAs, Patch, splice};
use crate::tape::{Kind, Tape};
use crate::text::quoted;
use crate::walk::Walker;
use crate::{Edit, Limits, Paths, Unscanned, WireError};

/// A request of `POST /v1/chat/completions`, located in its bytes.
#[derive(Clone, Debug)]
pub struct ChatRequest {
    /// The model's name as asked for.
    pub model: String,
    /// The segment of the model's name: free text like any other, for who has not matched it with a known model.
    pub model_segment: usize,
    /// Whether a stream is asked for.
    pub stream: bool,
    /// Whether the last chunk is to carry the usage.
    pub include_usage: bool,
    /// How many answers are asked for; 1 when the request does not say.
    pub n: u32,
    /// The most tokens one answer may have: the larger of `max_completion_tokens` and `max_tokens`.
    pub max_output_tokens: Option<u64>,
    /// Content that text inspection cannot read.
    pub unscanned: Vec<Unscanned>,
    /// The names of the tools and functions that the request defines.
    pub tools: Vec<String>,
    /// Segments that the model reads as one text: the text parts of one message, in order.
    pub joined: Vec<Vec<usize>>,
    located: Located,
    model_node: u32,
    stream_options: Option<u32>,
    usage_node: Option<u32>,
}

/// Most answers of one request; OpenAI's own limit.
const MAX_N: u64 = 128;
/// Bytes of a model's name. The longest in use are paths and resource names of some 150; and the name goes into the
/// exchange's entry of the log, which has no room for more than names.
const MAX_MODEL_BYTES: usize = 256;

#[derive(Default)]
struct Head {
    model: Option<(u32, usize)>,
    messages: bool,
    stream: bool,
    include_usage: bool,
    n: Option<u64>,
    max_tokens: Option<u64>,
    max_completion_tokens: Option<u64>,
    tools: Vec<String>,
    stream_options: Option<u32>,
    usage_node: Option<u32>,
}

impl ChatRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// When the body is not strict JSON, is over a limit, has a protocol key twice or in another case, lacks `model`
    /// or `messages`, or has a field of a type that would leave its text unread.
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let text = utf8(body)?;
        let mut tape = Tape::default();
        scan(text, limits, &mut tape)?;
        let mut walker = Walker::new(text, &tape, limits, Vec::new());
        let mut head = Head::default();
        walker.request(&mut head)?;
        let (model_node, model_segment) = head.model.ok_or_else(|| walker.missing(0, "model"))?;
        if !head.messages {
            return Err(walker.missing(0, "messages"));
        }
        let model = walker.text(model_node).into_owned();
        let Walker { sites, unscanned, joined, .. } = walker;
        Ok(ChatRequest {
            model,
            model_segment,
            stream: head.stream,
            include_usage: head.include_usage,
            n: head.n.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            max_output_tokens: head.max_completion_tokens.max(head.max_tokens),
            unscanned,
            tools: head.tools,
            joined,
            located: Located { tape, sites, len: body.len() },
            model_node,
            stream_options: head.stream_options,
            usage_node: head.usage_node,
        })
    }

    /// The pieces of text; `body` must be what was parsed. Strings without escapes are borrowed from it.
    #[must_use]
    pub fn segments<'b>(&self, body: &'b [u8]) -> Vec<Segment<'b>> {
        self.located.segments(body)
    }

    /// How many segments there are.
    #[must_use]
    pub fn segment_count(&self) -> usize {
        self.located.sites.len()
    }

    /// JSON pointer (RFC 6901) of a segment; that of its value for a key.
    #[must_use]
    pub fn paths<'c>(&'c self, body: &'c [u8]) -> Paths<'c> {
        self.located.paths(body)
    }

    /// The request with the edits made and every other byte as it was.
    ///
    /// # Errors
    /// When an edit names no segment, lies outside its text, overlaps another, or makes a key that the protocol
    /// refuses.
    pub fn splice(&self, body: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        self.splice_with(body, edits, None)
    }

    /// [`ChatRequest::splice`] that also puts another model's name; edits of the name then have no effect.
    ///
    /// # Errors
    /// As [`ChatRequest::splice`].
    pub fn splice_with(
        &self,
        body: &[u8],
        edits: &[Edit],
        model: Option<&str>,
    ) -> Result<Vec<u8>, WireError> {
        self.splice_for(body, edits, model, false)
    }

    /// [`ChatRequest::splice_with`] that can also ask for the usage of a stream, for settling what was reserved.
    ///
    /// # Errors
    /// As [`ChatRequest::splice`].
    pub fn splice_for(
        &self,
        body: &[u8],
        edits: &[Edit],
        model: Option<&str>,
        ask_usage: bool,
    ) -> Result<Vec<u8>, WireError> {
        let mut patches = Vec::new();
        if let Some(model) = model {
            patches.push(self.over(self.model_node, quoted(model)));
        }
        if ask_usage && !self.include_usage {
            patches.push(self.usage_patch());
        }
        let spliced = splice(&self.located, body, edits, JsonTextAs::Json, patches)?;
        if edits.iter().any(|e| self.is_key(e.segment)) {
            // A key that becomes a protocol name would be read by the upstream and was inspected as something else.
            let limits = Limits { max_depth: u16::MAX, max_values: u32::MAX, max_segments: u32::MAX };
            ChatRequest::parse(&spliced, &limits)?;
        }
        Ok(spliced)
    }

    fn is_key(&self, segment: usize) -> bool {
        self.located.sites.get(segment).is_some_and(|s| s.kind == SegmentKind::Key)
    }

    fn over(&self, node: u32, bytes: String) -> Patch {
        let range = self.located.tape.node(node).range();
        Patch { range: Span::new(range.start, range.end), bytes }
    }

    /// Sets `stream_options.include_usage`, wherever it is missing from.
    fn usage_patch(&self) -> Patch {
        const USAGE: &str = "\"include_usage\":true";
        let insert = |node: u32, bytes: String| {
            let inside = self.located.offset(node) + 1;
            Patch { range: Span::new(inside, inside), bytes }
        };
        match (self.usage_node, self.stream_options) {
            (Some(value), _) => self.over(value, "true".to_owned()),
            (None, Some(options)) => match self.located.tape.kind(options) {
                Kind::Object => {
                    let empty = self.located.tape.node(options).next == options.saturating_add(1);
                    insert(options, format!("{USAGE}{}", if empty { "" } else { "," }))
                }
                _ => self.over(options, format!("{{{USAGE}}}")),
            },
            // The request has members: `model` and `messages` are required.
            (None, None) => insert(0, format!("\"stream_options\":{{{USAGE}}},")),
        }
    }
}

impl Walker<'_> {
    fn request(&mut self, head: &mut Head) -> Result<(), WireError> {
        let mut fields = self.fields::<Request>(0)?;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(Request::Model) => {
                    match self.string(value)?.len() {
                        0 => return Err(self.error(WireError::VALUE, value, "the model's name is empty")),
                        1..=MAX_MODEL_BYTES => {}
                        _ => {
                            let detail = "the model's name is longer than 256 bytes";
                            return Err(self.error(WireError::LIMIT, value, detail));
                        }
                    }
                    head.model = Some((value, self.sites.len()));
                    self.free(value, Origin::Other)?;
                }
                Some(Request::Messages) => {
                    head.messages = true;
                    for (position, message) in self.elements(value)?.enumerate() {
                        self.request_message(message, position)?;
                    }
                }
                Some(Request::Stream) => head.stream = self.boolean(value)?,
                Some(Request::StreamOptions) => self.stream_options(value, head)?,
                Some(Request::N) => {
                    head.n = self.whole(value)?;
                    if head.n.is_some_and(|n| !(1..=MAX_N).contains(&n)) {
                        return Err(self.error(WireError::VALUE, value, "`n` must be 1 to 128"));
                    }
                }
                Some(Request::MaxTokens) => head.max_tokens = self.limit(value)?,
                Some(Request::MaxCompletionTokens) => head.max_completion_tokens = self.limit(value)?,
                Some(Request::Tools) => self.tools(value, &mut head.tools)?,
                Some(Request::Functions) => self.functions(value, &mut head.tools)?,
                Some(Request::ToolChoice) => self.choose(value)?,
                Some(Request::FunctionCall) => self.choose_function(value)?,
                Some(Request::ResponseFormat) => self.response_format(value)?,
                Some(Request::Prediction) => self.prediction(value)?,
                Some(Request::LogitBias) => self.logit_bias(value)?,
                Some(
                    Request::Temperature
                    | Request::TopP
                    | Request::PresencePenalty
                    | Request::FrequencyPenalty
                    | Request::Seed
                    | Request::TopLogprobs,
                ) => self.parameter(value)?,
                Some(Request::Logprobs | Request::Store | Request::ParallelToolCalls) => {
                    self.free(value, Origin::Other)?;
                }
                Some(Request::ReasoningEffort) => {
                    self.closed(value, &["none", "minimal", "low", "medium", "high", "xhigh"])?;
                }
                Some(Request::Verbosity) => self.closed(value, &["low", "medium", "high"])?,
                Some(Request::ServiceTier) => {
                    self.closed(value, &["auto", "default", "flex", "priority", "scale"])?;
                }
                Some(Request::PromptCacheRetention) => {
                    self.closed(value, &["in-memory", "in_memory", "24h"])?
                }
                Some(Request::Modalities) => self.modalities(value)?,
                Some(
                    Request::Stop
                    | Request::User
                    | Request::Metadata
                    | Request::Audio
                    | Request::WebSearchOptions
                    | Request::PromptCacheKey
                    | Request::SafetyIdentifier,
                ) => self.free(value, Origin::Other)?,
                None => self.unknown(field.key, value)?,
            }
        }
        Ok(())
    }

    /// A token limit: interpreted here, so its type must be right; a long one is not text worth hiding in, but it
    /// is a number that goes on.
    fn limit(&mut self, node: u32) -> Result<Option<u64>, WireError> {
        let value = self.whole(node)?;
        self.parameter(node)?;
        Ok(value)
    }

    fn stream_options(&mut self, node: u32, head: &mut Head) -> Result<(), WireError> {
        head.stream_options = Some(node);
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        let mut fields = self.fields::<StreamOptions>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(StreamOptions::IncludeUsage) => {
                    head.include_usage = self.boolean(field.value)?;
                    head.usage_node = Some(field.value);
                }
                Some(StreamOptions::IncludeObfuscation) => self.free(field.value, Origin::Other)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// `prediction`: text that the answer is expected to repeat, from wherever the application has it.
    fn prediction(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        let voice = Voice { origin: Origin::Other, streamed: false };
        let place = Place { list: "prediction", position: None, holder: "", field: "content" };
        let mut fields = self.fields::<Prediction>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(Prediction::Type) => self.closed(field.value, &["content"])?,
                Some(Prediction::Content) => self.content(field.value, voice, place)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// `logit_bias`: token numbers to small numbers; whatever looks otherwise is text.
    fn logit_bias(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return self.free(node, Origin::Other);
        }
        for (key, value) in self.tape.members(node) {
            let name = self.text(key);
            let token = name.len() <= 7 && name.bytes().all(|b| b.is_ascii_digit());
            if !token {
                self.push(key, Origin::Other, SegmentKind::Key, None)?;
            }
            self.parameter(value)?;
        }
        Ok(())
    }

    fn modalities(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Array {
            return self.free(node, Origin::Other);
        }
        for word in self.elements(node)? {
            self.closed(word, &["text", "audio", "image"])?;
        }
        Ok(())
    }
}
