//! The operations of an installation: everything that may be asked of it besides serving.
//!
//! Owns: the data folder and its lock, the opened installation ([`Node`]), changes with their intent and outcome in the
//! log, and what the command line, the console and the management API can ask ([`Request`], [`Admin`]). Knows nothing of
//! how a question arrives or how an answer is shown.

mod admin;
mod bodies;
mod change;
mod clock;
mod demo;
mod denials;
mod entries;
mod evidence;
mod exchanges;
mod failure;
mod folder;
mod guard;
mod keys;
mod mask;
mod models;
mod names;
mod node;
mod people;
mod places;
mod playground;
mod policies;
mod providers;
mod question;
mod recall;
mod report;
mod request;
mod rules;
mod segments;
mod server;
mod time;
mod tokens;
mod unsettled;
mod usage;
mod users;
mod versions;
mod who;

pub use admin::{Admin, no_such};
pub use bastide_identity::Authorized;
pub use bastide_store::GuardProfileRow;
pub use bodies::{BodyShown, EntryShown, ExchangeShown, KeyShown, Look, RevealWanted};
pub use change::{Changes, Made, Turn, What, note_settled_while_running};
pub use clock::SystemClock;
pub use demo::DemoExchange;
pub use entries::{Actor, Decided, Entry, Found, Guarded, OutcomeEntry, RequestEntry, Says, to_hex};
pub use evidence::{EntryFilter, EntryPage, LogHealth, Proof, ReceiptShown};
pub use exchanges::{ExchangeFilter, ExchangePage, ExchangeRow, KeyName};
pub use failure::{Failure, Kind, chain, could_not};
pub use folder::{Folder, KeyFile, Locked, shell_word};
pub use guard::{
    DetectorShown, GuardNow, GuardPreview, MATRIX, RuleShown, Step, WouldChange, detectors, rule_for,
    rules_shown, steps,
};
pub use keys::{KeyFacts, KeyState};
pub use models::{KNOWN, Known, ProviderFacts, ProviderState};
pub use node::{ACTIONS, Node};
pub use people::{Credentials, NotIn, UserChange};
pub use places::{Place, Places};
pub use playground::{MAX_TRIED_BYTES, Tried, TriedFinding, TriedReading};
pub use policies::{PolicyChecked, PolicyInForce, Remark};
pub use providers::{FIXED, Fixed};
pub use question::{Answer, Looked, Question};
pub use recall::recall_traffic_beside;
pub use report::{Explained, Finding, Health, Origin, Pending};
pub use request::{CredentialGiven, KeyWanted, PasswordGiven, ProviderWanted, Request, TokenWanted};
pub use rules::{GuardDraft, GuardTable, RuleTable, guard_profile, guard_rule, rules_text, score, setting};
pub use segments::{Mark, MarkKind, Said};
pub use server::{Answering, Server};
pub use time::{KEY_LASTS, NEVER, TOKEN_LASTS, show_time};
pub use usage::{
    note_sessions, note_sessions_while_running, restore_usage, save_usage, save_usage_while_running,
};
pub use versions::{BUILT_IN, GuardVersion, PolicyVersion, WasSet};
pub use who::{Names, Who};
