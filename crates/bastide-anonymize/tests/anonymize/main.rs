//! Whole texts there and back, and every way we know of making restoring carry a value away.

#![expect(
    clippy::unwrap_used,
    reason = "the configuration exempts test functions, not the functions they share"
)]

mod engine;
mod exfiltration;
mod oracle;
mod prose;
mod roundtrip;
mod support;
