//! What one scan may cost.

/// Bounds of one scan. They count bytes and steps, never time: the assessment is the same on every machine.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How deep archives, compressed streams and embedded files are followed.
    pub depth: usize,
    /// Entries read in one archive.
    pub entries: u64,
    /// Bytes that decompression may make, over the whole file.
    pub expanded_bytes: u64,
    /// Bytes of one structure that must be in memory at once (a header, a JSON document, an XML file).
    pub structure_bytes: usize,
    /// Steps of the symbolic machine, elements of graphs and the like, over the whole file.
    pub steps: u64,
    /// Findings kept; more are counted.
    pub findings: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            depth: 8,
            entries: 200_000,
            expanded_bytes: 16 << 30,
            structure_bytes: 32 << 20,
            steps: 4_000_000_000,
            findings: 200,
        }
    }
}
