//! What systemd is told, where it started us: `sd_notify(3)`, one datagram for each state.

#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The server takes requests.
pub(crate) fn ready() {
    tell("READY=1");
}

/// Settings are being read again. `ready` follows.
pub(crate) fn reloading() {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = now.tv_sec.saturating_mul(1_000_000).saturating_add(now.tv_nsec / 1_000);
    tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}"));
}

/// Running exchanges are drained.
pub(crate) fn stopping() {
    tell("STOPPING=1");
}

/// Nobody listens where the variable is not set, and what cannot be told is not worth a failure.
fn tell(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_bytes() {
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::debug!(error = &error as &dyn std::error::Error, "the service manager cannot be told");
    }
}
