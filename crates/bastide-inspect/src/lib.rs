//! Finds personal data, secrets and attacks in text, whole or streamed.
//!
//! Owns: the detectors and their checks, the engine that runs all of them in one pass, the readings of a text in which
//! disguised values show (folded, decoded), the streaming guard that holds back only what may still become a finding,
//! and the profile that says what to do about one. Knows nothing of requests, of replacing, of policy or of sockets.
//!
//! ```
//! use bastide_inspect::{Engine, Scratch, StreamInspector, Syntax, standard_detectors};
//!
//! let engine = Engine::new(standard_detectors())?;
//! let (mut scratch, mut found) = (Scratch::default(), Vec::new());
//! engine.inspect("nothing to see here", Syntax::Plain, &mut scratch, &mut found);
//! assert!(found.is_empty());
//!
//! let mut stream = StreamInspector::new(Syntax::Plain);
//! stream.push(&engine, &mut scratch, "nothing to s", &mut found);
//! assert!(stream.held_bytes() <= "s".len() + "nothing to ".len(), "only what may become something waits");
//! assert_eq!(stream.finish(&engine, &mut scratch, &mut found), 12);
//! # Ok::<(), bastide_inspect::EngineError>(())
//! ```

mod automaton;
mod context;
mod detector;
mod detectors;
mod engine;
mod needle;
mod profile;
mod reader;
mod readings;
mod resolve;
mod run;
mod scratch;
mod session;
mod stream;
mod trail;
mod trigger;
mod validators;
mod view;
mod view_chars;
mod view_runs;

pub use detector::{Candidate, Detector, Match, OpenEnded, Pattern};
pub use detectors::*;
pub use engine::{Engine, EngineError, Syntax};
pub use profile::*;
pub use readings::{Reading, readings};
pub use scratch::Scratch;
pub use stream::StreamInspector;
