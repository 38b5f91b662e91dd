//! The data plane: a zero-trust gateway in front of LLMs.
//!
//! Owns: the listener, the routes and who may use them, the life of an exchange, the guard pipeline, limits, upstreams
//! and the relay of streams. Knows nothing of how text is inspected, where keys and policies are stored, how the log
//! proves itself, or who configured it: it is handed [`Parts`] and serves.
//!
//! The life of a request, file by file: [`server`](serve) accepts and dispatches, `route` says who may use what, `auth`
//! establishes who asks, `exchange` walks the steps (parse, decide, reserve, inspect, decide, record, send), `guard`
//! inspects both halves, `upstream` sends, `reply` and `relay` bring the answer back, `problem` says no. `trace` notes along
//! the way what a collector is told.

mod auth;
mod bodies;
mod certificate;
mod choices;
mod digests;
mod exchange;
mod expiry;
mod gateway;
mod guard;
mod limits;
mod metrics;
mod models;
mod offload;
mod problem;
mod relay;
mod reply;
mod route;
mod server;
mod settings;
mod stall;
mod surface;
mod trace;
mod traffic;
mod upstream;

pub use certificate::Certificate;
pub use gateway::{Gateway, Parts};
pub use guard::{Coverage, Guard, Inspected};
pub use limits::{KeyUsage, Ledger, Reservation};
pub use metrics::{MetricDoc, Metrics};
pub use models::Probe;
pub use problem::{EXCHANGE_HEADER, RECEIPT_HEADER};
pub use relay::Body;
pub use route::{Access, NoRoute, Route};
pub use server::{Door, serve};
pub use settings::{AuditMode, Limits, Settings};
pub use surface::{Answer, Surface, Visitor, path_segment};
pub use trace::{Endpoint, ExportHeaders, Sampler, Telemetry, TelemetryError};
pub use traffic::{ModelUse, Noted, Slot, Times, Traffic};
pub use upstream::{Catalogue, Credential, PlainHttp, Provider, ProviderError, Target};
