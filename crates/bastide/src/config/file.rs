//! The settings file as written. The comments here are the documentation of the settings: the JSON Schema and the table
//! in `docs/reference/configuration.md` are made from them.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::telemetry::TelemetryTable;
use bastide_admin::GuardTable;

/// Settings of `bastide serve`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "bastide settings")]
pub(crate) struct ConfigFile {
    /// IP address and port to listen on.
    pub(super) listen: Option<String>,
    /// IP address and port for the console and the management API alone, which then answer nowhere else; with the
    /// certificate of `tls`.
    pub(super) admin_listen: Option<String>,
    /// Host names that requests may carry besides loopback names, without scheme and port; empty on an address that is
    /// not loopback: any.
    pub(super) allowed_hosts: Vec<String>,
    /// Whether each exchange waits until the log is on disk (`strict`), or the log is synced every 20 ms, for all at once
    /// (`relaxed`): a power cut may then take the exchanges since the last sync out of the log, a crash of the server none
    /// that was answered.
    #[schemars(extend("enum" = ["strict", "relaxed"]))]
    pub(super) audit: Option<String>,
    /// The certificate that the listener shows; needed on anything but loopback, unless something in front ends TLS.
    pub(super) tls: Option<Tls>,
    /// What is done about what is found.
    pub(super) guard: GuardTable,
    /// Sizes and times.
    pub(super) limits: LimitsTable,
    /// What was received and sent, sealed beside the log.
    pub(super) bodies: BodiesTable,
    /// Spans of exchanges, for an OpenTelemetry collector.
    pub(super) telemetry: TelemetryTable,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// File with the certificate chain (PEM).
    pub(crate) cert: PathBuf,
    /// File with the private key (PEM).
    pub(crate) key: PathBuf,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    /// Largest request body, bytes.
    #[schemars(range(min = 1024))]
    pub(super) request_bytes: Option<usize>,
    /// Largest answer that is not a stream, bytes.
    #[schemars(range(min = 1024))]
    pub(super) response_bytes: Option<usize>,
    /// Largest event of a stream, bytes.
    #[schemars(range(min = 1024))]
    pub(super) event_bytes: Option<usize>,
    /// Open client connections; more wait in the kernel's queue.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(super) connections: Option<usize>,
    /// Output tokens reserved for a request that names no maximum.
    pub(super) default_output_tokens: Option<u64>,
    /// Time for a client to send its headers, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) header_seconds: Option<u64>,
    /// Time for a client to send its body, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) body_seconds: Option<u64>,
    /// Time to connect to a provider, from its name to the end of the TLS handshake, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) connect_seconds: Option<u64>,
    /// Time until a provider's answer begins, and again until one that is no stream ends, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) first_byte_seconds: Option<u64>,
    /// Longest silence inside a provider's answer, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) idle_seconds: Option<u64>,
    /// Longest time that a caller may take nothing of an answer that waits for it, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) write_seconds: Option<u64>,
    /// Longest guard run over one body, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) guard_seconds: Option<u64>,
    /// Time that running exchanges get when the server stops, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) drain_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BodiesTable {
    /// Which are kept: `all`, those of exchanges in which something was `found` or refused, or `none`.
    #[schemars(extend("enum" = ["all", "found", "none"]))]
    pub(super) keep: Option<String>,
    /// Age at which they are removed, within about an hour more, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) days: Option<u64>,
    /// Size of all of them at which the oldest go, bytes.
    #[schemars(range(min = 16_777_216))]
    pub(super) bytes: Option<u64>,
}
