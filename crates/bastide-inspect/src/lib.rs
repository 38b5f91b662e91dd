//! Finds personal data, secrets and attacks in text, whole or streamed.
