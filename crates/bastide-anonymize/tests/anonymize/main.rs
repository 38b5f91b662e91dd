//! Whole texts there and back, and every way we know of making restoring carry a value away.

mod engine;
mod exfiltration;
mod prose;
mod roundtrip;
mod support;
