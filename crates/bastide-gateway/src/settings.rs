//! What the gateway is told: addresses, limits and modes. Every limit has a name, a unit and a reason.

use std::net::SocketAddr;
use std::time::Duration;

use bastide_audit::Durability;
use bastide_inspect::GuardProfile;
use bastide_types::GuardMode;

use crate::trace::Telemetry;

/// Whether exchanges wait for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AuditMode {
    /// The decision is on disk before a byte leaves, and the outcome before the receipt is given.
    #[default]
    Strict,
    /// The decision is handed to the log, and the outcome is in its file before the receipt is given. Both are synced
    /// within 20 ms, for all at once: a power cut may take the exchanges of that time and of the sync out of the log, the
    /// end of the process none that was answered.
    Relaxed,
}

impl AuditMode {
    /// What the entries of an exchange survive once they are acknowledged.
    pub(crate) const fn durability(self) -> Durability {
        match self {
            AuditMode::Strict => Durability::Synced,
            AuditMode::Relaxed => Durability::Written,
        }
    }
}

/// Settings of the data plane.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the gateway listens; decides what `loopback only` means.
    pub listen: SocketAddr,
    /// Host names that requests may carry besides loopback names and the listen address. Empty on an address that is
    /// not loopback: any name, since every route there wants a key.
    pub allowed_hosts: Vec<String>,
    /// Whether the guard acts.
    pub guard: GuardMode,
    /// What the guard does about what it finds.
    pub profile: GuardProfile,
    /// Whether requests wait for the log.
    pub audit: AuditMode,
    /// Sizes and times.
    pub limits: Limits,
    /// Where the spans of exchanges go; `None`: there are none.
    pub telemetry: Option<Telemetry>,
}

/// Sizes and times.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest request body, bytes. Long contexts are megabytes; beyond this the body is an attack or a mistake.
    pub request_bytes: usize,
    /// Largest answer that is not a stream, bytes.
    pub response_bytes: usize,
    /// Largest single event of a stream, bytes.
    pub event_bytes: usize,
    /// Time for a client to send its headers.
    pub header_time: Duration,
    /// Time for a client to send its body.
    pub body_time: Duration,
    /// Time to connect to an upstream: to find its address, to reach it and to agree on TLS.
    pub connect_time: Duration,
    /// Time until an upstream's response headers, and again for a body that is no stream. Reasoning models think for
    /// minutes before the first byte of either.
    pub first_byte_time: Duration,
    /// Longest silence inside an upstream's body.
    pub idle_time: Duration,
    /// Longest time that a caller may take nothing of an answer that waits for it.
    pub write_time: Duration,
    /// Longest guard run over one body.
    pub guard_time: Duration,
    /// Open client connections; more wait in the kernel's queue.
    pub connections: usize,
    /// Time that running exchanges get when the server stops.
    pub drain_time: Duration,
    /// Output tokens reserved for a request that names no maximum.
    pub default_output_tokens: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            request_bytes: 32 << 20,
            response_bytes: 64 << 20,
            event_bytes: 1 << 20,
            header_time: Duration::from_secs(10),
            body_time: Duration::from_secs(60),
            connect_time: Duration::from_secs(5),
            first_byte_time: Duration::from_secs(600),
            idle_time: Duration::from_secs(120),
            write_time: Duration::from_secs(60),
            guard_time: Duration::from_secs(5),
            connections: 16_384,
            drain_time: Duration::from_secs(30),
            default_output_tokens: 4_096,
        }
    }
}
