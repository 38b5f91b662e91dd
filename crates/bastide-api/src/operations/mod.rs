//! The operations, by what they are about: each takes what was sent, read, and gives what is shown.

pub(crate) mod config;
pub(crate) mod exchanges;
pub(crate) mod guard;
pub(crate) mod keys;
pub(crate) mod log;
pub(crate) mod me;
pub(crate) mod system;
pub(crate) mod tokens;
pub(crate) mod traffic;
pub(crate) mod users;

/// Rows of a page unless told otherwise.
const ROWS: usize = 50;
