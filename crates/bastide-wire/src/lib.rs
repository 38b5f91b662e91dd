//! Locates text in the wire formats of LLM dialects and splices edits into the original bytes.
