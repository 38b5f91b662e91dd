//! The data plane: a zero-trust gateway in front of LLMs.
