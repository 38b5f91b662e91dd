//! Merkle trees, tiles, checkpoints and proofs of a transparency log (RFC 6962, C2SP tlog-tiles).
