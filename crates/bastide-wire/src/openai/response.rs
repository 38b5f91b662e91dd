//! A chat completion, whole or one chunk of it: the walk that both share, and the whole one.

use std::borrow::Cow;

use bastide_types::{Origin, Segment, Span};

use super::message::Spoken;
use super::names::{Choice, Response, TokenDetails, Usage as UsageName};
use super::parts::{Place, Voice};
use crate::scan::{scan, utf8};
use crate::site::Located;
use crate::splice::{JsonTextAs, Patch, splice};
use crate::tape::{Kind, NONE, Tape};
use crate::vocabulary::find;
use crate::walk::{Given, Walker};
use crate::{Edit, Limits, Paths, Unscanned, WireError};

/// Tokens as the upstream counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the request.
    pub input_tokens: u64,
    /// Tokens of all answers.
    pub output_tokens: u64,
}

/// The answer of `POST /v1/chat/completions` without streaming, located in its bytes.
#[derive(Clone, Debug)]
pub struct ChatResponse {
    /// What it cost, if the upstream says.
    pub usage: Option<Usage>,
    /// How many answers there are.
    pub choices: usize,
    /// Content that text inspection cannot read.
    pub unscanned: Vec<Unscanned>,
    /// Whether an answer has log probabilities.
    pub has_logprobs: bool,
    /// Whether log probabilities spell another text than the answer's. Their tokens are segments then, but text
    /// spread over them is not seen as a whole: drop them.
    pub logprobs_diverge: bool,
    /// The names of the tools that the answers call.
    pub tools: Vec<String>,
    /// Segments that are one text to who reads them: the text parts of one message, in order.
    pub joined: Vec<Vec<usize>>,
    given: Vec<Given>,
    located: Located,
    answers: Answers,
}

/// What the walk learns besides segments.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    pub(super) count: usize,
    pub(super) usage: Option<Usage>,
    pub(super) finish: Vec<u32>,
    /// The answer and the node of each `logprobs` that is not null.
    pub(super) logprobs: Vec<(u32, u32)>,
    pub(super) diverge: bool,
    pub(super) has_choices: bool,
}

impl ChatResponse {
    /// Reads an answer.
    ///
    /// # Errors
    /// When it is not strict JSON, is over a limit, has a protocol key twice or in another case, or lacks `choices`:
    /// read an error body with [`crate::JsonDocument`].
    pub fn parse(body: &[u8], limits: &Limits) -> Result<Self, WireError> {
        let text = utf8(body)?;
        let mut tape = Tape::default();
        scan(text, limits, &mut tape)?;
        let mut walker = Walker::new(text, &tape, limits, Vec::new());
        let mut answers = Answers::default();
        walker.response(false, &mut answers)?;
        if !answers.has_choices {
            return Err(walker.missing(0, "choices"));
        }
        let tools = walker.called.iter().map(|&name| walker.text(name).into_owned()).collect();
        let Walker { sites, unscanned, joined, given, .. } = walker;
        Ok(ChatResponse {
            usage: answers.usage,
            choices: answers.count,
            unscanned,
            has_logprobs: !answers.logprobs.is_empty(),
            logprobs_diverge: answers.diverge,
            tools,
            joined,
            given,
            located: Located { tape, sites, len: body.len() },
            answers,
        })
    }

    /// The pieces of text; `body` must be what was parsed.
    #[must_use]
    pub fn segments<'b>(&self, body: &'b [u8]) -> Vec<Segment<'b>> {
        self.located.segments(body)
    }

    /// The name of the tool whose arguments or input a segment is a piece of; nothing for other segments, and where the
    /// call has no name.
    #[must_use]
    pub fn tool_of<'b>(&self, body: &'b [u8], index: usize) -> Option<Cow<'b, str>> {
        let at = self.given.partition_point(|given| given.sites.end <= index);
        let given = self.given.get(at).filter(|given| given.sites.contains(&index) && given.name != NONE)?;
        self.located.text(body, given.name)
    }

    /// Where the segments stand.
    #[must_use]
    pub fn paths<'c>(&'c self, body: &'c [u8]) -> Paths<'c> {
        self.located.paths(body)
    }

    /// The answer with the edits made and every other byte as it was, except that the `logprobs` of each edited
    /// answer become null.
    ///
    /// # Errors
    /// When an edit names no segment, lies outside its text, or overlaps another.
    pub fn splice(&self, body: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        let patches = self.answers.logprob_patches(&self.located, edits);
        splice(&self.located, body, edits, JsonTextAs::Json, patches)
    }

    /// The answer without any log probabilities, edited.
    ///
    /// # Errors
    /// As [`ChatResponse::splice`].
    pub fn splice_without_logprobs(&self, body: &[u8], edits: &[Edit]) -> Result<Vec<u8>, WireError> {
        splice(&self.located, body, edits, JsonTextAs::Json, self.answers.all_logprob_patches(&self.located))
    }
}

impl Answers {
    /// Null for the log probabilities of the answers that the edits touch.
    pub(super) fn logprob_patches(&self, located: &Located, edits: &[Edit]) -> Vec<Patch> {
        if self.logprobs.is_empty() {
            return Vec::new();
        }
        let mut edited: Vec<u32> =
            edits.iter().filter_map(|e| located.sites.get(e.segment)).map(|site| site.choice).collect();
        edited.sort_unstable();
        let touched = |choice: u32| edited.binary_search(&choice).is_ok();
        self.logprobs
            .iter()
            .filter(|&&(choice, _)| touched(choice))
            .map(|&(_, node)| null(located, node))
            .collect()
    }

    pub(super) fn all_logprob_patches(&self, located: &Located) -> Vec<Patch> {
        self.logprobs.iter().map(|&(_, node)| null(located, node)).collect()
    }
}

fn null(located: &Located, node: u32) -> Patch {
    let range = located.tape.node(node).range();
    Patch { range: Span::new(range.start, range.end), bytes: "null".to_owned() }
}

impl Walker<'_> {
    /// The whole object. `streamed`: deltas are pieces of longer texts.
    pub(super) fn response(&mut self, streamed: bool, answers: &mut Answers) -> Result<(), WireError> {
        let mut fields = self.fields::<Response>(0)?;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(Response::Choices) => {
                    answers.has_choices = true;
                    if self.kind(value) == Kind::Null {
                        continue;
                    }
                    for (position, choice) in self.elements(value)?.enumerate() {
                        self.choice(choice, position, streamed, answers)?;
                        answers.count += 1;
                    }
                    self.choice = NONE;
                }
                Some(Response::Usage) => self.usage(value, answers)?,
                Some(Response::Object) => {
                    self.closed(value, &["chat.completion.chunk", "chat.completion", ""])?;
                }
                Some(Response::Created) => self.count(value)?,
                Some(Response::ServiceTier) => {
                    self.closed(value, &["auto", "default", "flex", "priority", "scale"])?;
                }
                Some(Response::Id | Response::Model | Response::SystemFingerprint | Response::Citations) => {
                    self.free(value, Origin::Other)?;
                }
                None => self.unknown(field.key, value)?,
            }
        }
        Ok(())
    }

    fn choice(
        &mut self,
        node: u32,
        at: usize,
        streamed: bool,
        answers: &mut Answers,
    ) -> Result<(), WireError> {
        let mut fields = self.fields::<Choice>(node)?;
        self.choice = self.index_of(node, at);
        let mut spoken = Spoken::default();
        let mut logprobs = None;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(Choice::Index) => self.parameter(value)?,
                Some(Choice::Message | Choice::Delta) if self.kind(value) == Kind::Null => {}
                Some(name @ (Choice::Message | Choice::Delta)) => {
                    let delta = matches!(name, Choice::Delta);
                    let place = Place {
                        list: "choices",
                        position: Some(at),
                        holder: if delta { "/delta" } else { "/message" },
                        field: "content",
                    };
                    self.in_delta = streamed && delta;
                    spoken = self.message(
                        value,
                        Voice { origin: Origin::Assistant, streamed: streamed && delta },
                        place,
                    )?;
                    self.in_delta = false;
                }
                Some(Choice::FinishReason) => {
                    if self.kind(value) == Kind::String {
                        answers.finish.push(self.choice);
                    }
                    self.closed(
                        value,
                        &["stop", "length", "tool_calls", "content_filter", "function_call", "error"],
                    )?;
                }
                Some(Choice::Logprobs) => {
                    if self.kind(value) != Kind::Null {
                        logprobs = Some(value);
                    }
                }
                None => self.unknown(field.key, value)?,
            }
        }
        if let Some(node) = logprobs {
            answers.logprobs.push((self.choice, node));
            let content = spoken.content.filter(|&n| self.kind(n) == Kind::String).map(|n| self.text(n));
            let refusal = spoken.refusal.filter(|&n| self.kind(n) == Kind::String).map(|n| self.text(n));
            answers.diverge |= !self.logprobs(node, content.as_deref(), refusal.as_deref())?;
        }
        Ok(())
    }

    fn usage(&mut self, node: u32, answers: &mut Answers) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return self.free(node, Origin::Other);
        }
        let tokens = |walker: &Self, name| {
            find(walker.body, walker.tape, node, name).and_then(|n| walker.whole(n).ok().flatten())
        };
        if let (Some(input_tokens), output) =
            (tokens(self, "prompt_tokens"), tokens(self, "completion_tokens"))
        {
            answers.usage = Some(Usage { input_tokens, output_tokens: output.unwrap_or(0) });
        }
        let mut fields = self.fields::<UsageName>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(UsageName::PromptTokens | UsageName::CompletionTokens | UsageName::TotalTokens) => {
                    self.count(field.value)?;
                }
                Some(UsageName::PromptDetails | UsageName::CompletionDetails) => {
                    self.token_details(field.value)?;
                }
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    fn token_details(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return self.free(node, Origin::Other);
        }
        let mut fields = self.fields::<TokenDetails>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(_) => self.count(field.value)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }
}
