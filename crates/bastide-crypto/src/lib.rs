//! The one place where bastide touches cryptographic primitives.
