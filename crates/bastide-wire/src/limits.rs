//! Bounds on a document, so that no body costs more than its bytes suggest.

/// What a document may contain at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Levels of arrays and objects. Real bodies stay below 20; parsers behind us overflow their stack in the
    /// thousands.
    pub max_depth: u16,
    /// Values and keys together; each costs 16 bytes of memory here.
    pub max_values: u32,
    /// Pieces of text to inspect; each costs an inspection call.
    pub max_segments: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { max_depth: 64, max_values: 100_000, max_segments: 20_000 }
    }
}
