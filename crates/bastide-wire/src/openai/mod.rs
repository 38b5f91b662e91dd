//! The OpenAI chat completions dialect, with the fields that compatible servers add.

pub(crate) mod chunk;
mod logprobs;
mod message;
mod names;
mod parts;
pub(crate) mod request;
pub(crate) mod response;
mod template;
mod tools;
