//! Replaces findings by tokens that only their owner can turn back.
