//! Locates text in the wire formats of LLM dialects and splices edits into the original bytes.
//!
//! Owns: a strict JSON scanner, the shapes of the OpenAI chat dialect (requests, answers, streamed chunks), the
//! server-sent events decoder, and splicing. Knows nothing of what the text means, of what is to be edited and why,
//! of sockets or of time.
//!
//! ```
//! use bastide_types::{Origin, Span};
//! use bastide_wire::{ChatRequest, Edit, Limits};
//!
//! let body = br#"{"model":"m","messages":[{"role":"user","content":"I am \u0041da"}],"x":1.50}"#;
//! let request = ChatRequest::parse(body, &Limits::default())?;
//! let said = request.segments(body).into_iter().find(|s| s.origin == Origin::User).ok_or("no user")?;
//! assert_eq!(said.text, "I am Ada");
//! let edit = Edit { segment: said.index, span: Span::new(5, 8), replacement: "<\"P\">".to_owned() };
//! let sent = request.splice(body, &[edit])?;
//! assert_eq!(sent, br#"{"model":"m","messages":[{"role":"user","content":"I am <\"P\">"}],"x":1.50}"#);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cost;
mod document;
mod error;
pub mod http1;
mod joined;
mod json_rewriter;
mod json_text;
mod lane;
mod limits;
mod openai;
mod scan;
mod site;
mod splice;
mod sse;
mod tape;
mod text;
mod trail;
mod unscanned;
mod vocabulary;
mod walk;

pub use document::JsonDocument;
pub use error::WireError;
pub use joined::{JoinedText, Reading};
pub use json_rewriter::JsonTextRewriter;
pub use json_text::{JsonSite, json_text_sites};
pub use lane::{Lane, LaneField};
pub use limits::Limits;
pub use openai::chunk::{ChatChunk, LanePaths};
pub use openai::request::ChatRequest;
pub use openai::response::{ChatResponse, Usage};
pub use splice::Edit;
pub use sse::{SseDecoder, SseEvent};
pub use unscanned::{Unscanned, UnscannedKind};

pub use site::Paths;

pub(crate) use site::Site;
