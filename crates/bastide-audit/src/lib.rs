//! The tamper-evident log: one writer, group commit, receipts.
