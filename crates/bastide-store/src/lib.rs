//! The only SQL: records of identities, providers and policies in an embedded database.
