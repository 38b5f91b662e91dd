//! The message model: what any dialect's exchange comes down to.

use std::fmt;

/// Who wrote a piece of text, as far as the dialect tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The application's system prompt.
    System,
    /// The application's developer message.
    Developer,
    /// The person or program that asks.
    User,
    /// The model's answer, now or in an earlier turn.
    Assistant,
    /// The model's reasoning.
    Reasoning,
    /// Names, descriptions and schemas of tools.
    ToolDefinition,
    /// The arguments of a tool call.
    ToolCall,
    /// What a tool gave back.
    ToolResult,
    /// A retrieved or attached document.
    Document,
    /// Text to embed.
    EmbeddingInput,
    /// Anything the dialect does not name: unknown fields, metadata.
    Other,
}

impl Origin {
    /// Every origin.
    pub const ALL: &'static [Origin] = &[
        Origin::System,
        Origin::Developer,
        Origin::User,
        Origin::Assistant,
        Origin::Reasoning,
        Origin::ToolDefinition,
        Origin::ToolCall,
        Origin::ToolResult,
        Origin::Document,
        Origin::EmbeddingInput,
        Origin::Other,
    ];

    /// Those of text that is read today: nothing takes text to embed yet.
    pub const READ: &'static [Origin] = &[
        Origin::System,
        Origin::Developer,
        Origin::User,
        Origin::Assistant,
        Origin::Reasoning,
        Origin::ToolDefinition,
        Origin::ToolCall,
        Origin::ToolResult,
        Origin::Document,
        Origin::Other,
    ];

    /// The name used in configuration and the log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::System => "system",
            Origin::Developer => "developer",
            Origin::User => "user",
            Origin::Assistant => "assistant",
            Origin::Reasoning => "reasoning",
            Origin::ToolDefinition => "tool_definition",
            Origin::ToolCall => "tool_call",
            Origin::ToolResult => "tool_result",
            Origin::Document => "document",
            Origin::EmbeddingInput => "embedding_input",
            Origin::Other => "other",
        }
    }

    /// How far text of this origin is trusted unless a policy says otherwise. Tool definitions count as untrusted:
    /// they arrive from tool servers, and poisoned ones are a known attack (MITRE ATLAS AML.T0110).
    #[must_use]
    pub const fn trust(self) -> Trust {
        match self {
            Origin::System | Origin::Developer => Trust::Operator,
            Origin::User | Origin::EmbeddingInput => Trust::User,
            Origin::Assistant
            | Origin::Reasoning
            | Origin::ToolDefinition
            | Origin::ToolCall
            | Origin::ToolResult
            | Origin::Document
            | Origin::Other => Trust::Untrusted,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How far an instruction in the text may be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trust {
    /// Data only: an instruction here is an attack.
    Untrusted,
    /// The person's own words.
    User,
    /// The application's own words.
    Operator,
}

/// Which half of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Towards the model.
    Request,
    /// Towards the caller.
    Response,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Request => "request",
            Direction::Response => "response",
        })
    }
}

/// What kind of thing a segment is in its document, hence how an edit must be written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SegmentKind {
    /// A string.
    Text,
    /// A string that holds JSON text (tool-call arguments): an edit must keep it JSON.
    JsonText,
    /// An object key.
    Key,
    /// A number: an edit turns it into a string.
    Number,
}

/// One piece of text of an exchange, decoded, with who wrote it. Where it stands in the bytes is known to the codec
/// that found it and named it by `index`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Position in the codec's list of segments.
    pub index: usize,
    /// Who wrote it.
    pub origin: Origin,
    /// How far it is trusted.
    pub trust: Trust,
    /// How it stands in the document.
    pub kind: SegmentKind,
    /// The decoded text.
    pub text: std::borrow::Cow<'a, str>,
    /// Which of the `n` answers, in a response.
    pub choice: Option<u32>,
}
