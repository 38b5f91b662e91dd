//! The vocabulary of bastide: the words every other crate speaks, and nothing else.
//!
//! Owns: identifiers, instants, secrets that do not print, categories, findings, verdicts, the segments of the
//! message model, the events of the log, the roles of people, the assessment of artifacts, and what a problem is. Knows nothing of bytes on a wire, of detection, of
//! policy, of files, sockets or clocks.
//!
//! ```
//! use bastide_types::{Category, Direction, Guarded, Origin, Verdict};
//!
//! assert_eq!(Category::CreditCard.as_str(), "CREDIT_CARD");
//! assert_eq!(Category::CreditCard.family(), Guarded::PersonalData);
//! assert!(Verdict::Block > Verdict::Redact, "the sterner verdict wins");
//! assert_eq!(Origin::ToolResult.trust(), bastide_types::Trust::Untrusted);
//! assert_eq!(Direction::Response.to_string(), "response");
//! ```

mod artifact;
mod category;
mod code;
mod event;
mod finding;
mod id;
mod message;
mod problem;
mod role;
mod secret;
mod time;
mod verdict;

pub use artifact::{Assessment, Rule};
pub use category::{Category, Guarded, ParseCategoryError};
pub use code::Code;
pub use event::{
    ActorRef, DecisionRecord, Denial, Digest, Ending, Event, ExchangeOutcome, ExchangeRequest, FindingRecord,
    GuardRecord, Mutation, MutationPhase, PolicyEffect, Pseudonym, Reveal, TimingRecord, UsageRecord,
};
pub use finding::{Finding, Score, Severity, Span, View};
pub use id::{
    ExchangeId, IdText, KeyId, OrganisationId, ParseIdError, ProjectId, ProviderId, SessionId, UserId,
};
pub use message::{Direction, Origin, Segment, SegmentKind, Trust};
pub use problem::{Fault, Problem, Retry};
pub use role::{ParseRoleError, Permission, Role};
pub use secret::{Secret, Sensitive};
pub use time::{Clock, Timestamp};
pub use verdict::{GuardMode, Verdict};
