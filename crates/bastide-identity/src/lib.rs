//! Organisations, projects and the keys that act for them.
