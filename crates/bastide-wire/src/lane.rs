//! Texts that arrive in pieces.

/// Which text of a streamed answer a piece belongs to. The pieces of one lane, joined in order, are one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// Which of the `n` answers.
    pub choice: u32,
    /// Which text of that answer.
    pub field: LaneField,
}

/// Which text of an answer. Numbers are the `index` that the chunk gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LaneField {
    /// `delta.content`.
    Content,
    /// `delta.refusal`.
    Refusal,
    /// `delta.reasoning_content`.
    Reasoning,
    /// `delta.reasoning`. Some servers send both names with the same text: two lanes, or every piece would stand
    /// twice in one.
    ReasoningText,
    /// `delta.reasoning_details[].text` or `.summary`.
    ReasoningDetail(u32),
    /// `delta.tool_calls[].function.arguments`: JSON text.
    ToolArguments(u32),
    /// `delta.tool_calls[].function.name`. SDKs join it over chunks like any other text.
    ToolName(u32),
    /// `delta.tool_calls[].id`. SDKs join it over chunks as well.
    ToolId(u32),
    /// `delta.tool_calls[].custom.input`: plain text.
    ToolInput(u32),
    /// `delta.function_call.arguments`: JSON text.
    FunctionArguments,
    /// `delta.function_call.name`.
    FunctionName,
    /// `delta.audio.transcript`.
    AudioTranscript,
    /// A string in a member that the dialect does not have, or says nothing of: which one,
    /// [`crate::ChatChunk::lane_paths`] tell.
    Unknown,
}

impl LaneField {
    /// Whether the lane's text is JSON, to be edited as such.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(self, LaneField::ToolArguments(_) | LaneField::FunctionArguments)
    }
}
