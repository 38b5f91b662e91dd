//! Logs and receipts from a writer that shares no code with the one in bastide, and every way of altering them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "the configuration exempts test functions, not the functions they share"
)]

mod command;
mod log;
mod proof;
mod receipt;
mod support;
