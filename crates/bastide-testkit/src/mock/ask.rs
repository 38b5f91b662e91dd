//! The few things that the mock reads in a request.

use serde::Deserialize;

/// What a chat request asks for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Ask {
    /// The model's name.
    #[serde(default)]
    pub(crate) model: String,
    /// Whether the reply is to be streamed.
    #[serde(default)]
    pub(crate) stream: bool,
    /// Whether tokens come with their probabilities.
    #[serde(default)]
    pub(crate) logprobs: bool,
    /// Choices.
    #[serde(default)]
    pub(crate) n: Option<u16>,
    /// Settings of a stream.
    #[serde(default)]
    pub(crate) stream_options: Option<StreamOptions>,
}

/// `stream_options`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct StreamOptions {
    /// Whether a last event reports usage.
    #[serde(default)]
    pub(crate) include_usage: bool,
}

impl Ask {
    /// Reads a body; `None` when it is not a chat request.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Choices asked for, at most 128 as OpenAI has it.
    pub(crate) fn choices(&self) -> usize {
        usize::from(self.n.unwrap_or(1).clamp(1, 128))
    }

    /// Whether a last event reports usage.
    pub(crate) fn include_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }

    /// Whether the precomputed reply is a right answer.
    pub(crate) fn is_common(&self) -> bool {
        !self.logprobs && self.choices() == 1 && !self.include_usage() && !self.model.starts_with("mock-")
    }
}
