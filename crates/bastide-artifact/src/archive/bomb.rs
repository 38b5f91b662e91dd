//! Archives that are made to exhaust whoever opens them (CWE-409).

use bastide_types::{Assessment, Rule, Severity};

use crate::scan::Scan;

/// Much from little, or an archive without end.
pub(crate) const BOMB: Rule = Rule {
    id: "archive.bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "decompression bomb",
    why: "opening the archive would fill memory or disk: no weights compress like this",
    fix: "delete the file; if it is yours, store the weights without filler",
    cwe: &[409],
    atlas: &["AML.T0010.003", "AML.T0029"],
};

/// Much from little, in a content that may be honest.
pub(crate) const RATIO: Rule = Rule {
    id: "archive.ratio",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "unusually high compression",
    why: "arrays of one value compress like this, and so do decompression bombs",
    fix: "see that you expect a file of this size, and limit the memory of the loader",
    cwe: &[409],
    atlas: &[],
};

/// More from one byte than any data but filler gives: deflate ends at 1032, weights at 3.
const MUCH: u64 = 200;
/// Below this nobody is hurt.
const FLOOR: u64 = 64 << 20;
/// What begins like a model may be an array of zeros up to here.
const ZEROS: u64 = 1 << 30;
/// Once a file was shown to be a bomb, the rest of it is judged by less.
const AGAIN: u64 = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Plain,
    /// Worth a look.
    High,
    Bomb,
}

/// Whether `made` bytes, of which `head` is the start, may come from `packed` bytes.
pub(crate) fn judge(made: u64, packed: u64, head: &[u8], scan: &Scan<'_>) -> Verdict {
    if made < AGAIN || made / MUCH < packed {
        return Verdict::Plain;
    }
    if scan.found(&BOMB) {
        return Verdict::Bomb;
    }
    match made {
        ..FLOOR => Verdict::Plain,
        ..ZEROS if looks_like_a_model(head) => Verdict::High,
        _ => Verdict::Bomb,
    }
}

/// Whether a directory promises `size` bytes from `packed` as no compressor makes them. PyTorch and others reserve as
/// much before they read.
pub(crate) fn promised(size: u64, packed: u64) -> bool {
    /// Zeros through bzip2; the others stay far below.
    const MOST: u64 = 50_000;
    size >= ZEROS && size / MOST > packed
}

/// Whether `inside` bytes that archives within a content made are too much for the `packed` bytes of that content.
///
/// Packing what is packed gains nothing, unless the inner stream is filler itself: then two levels give more than any one.
pub(crate) fn nested(inside: u64, packed: u64) -> bool {
    const LEAST: u64 = 16 << 20;
    const MOST: u64 = 10_000;
    inside >= LEAST && inside / MOST > packed
}

/// Whether members that share `packed` bytes of data promise more in all, `size`, than an archive that keeps one copy of
/// each file does.
pub(crate) fn shared(size: u64, packed: u64, members: usize) -> bool {
    const LEAST: u64 = 16 << 20;
    const FEW: usize = 8;
    members > FEW && size >= LEAST && size / MUCH > packed
}

/// Whether the bytes begin as contents that may honestly be zeros further on.
fn looks_like_a_model(head: &[u8]) -> bool {
    const STARTS: &[&[u8]] = &[
        b"\x93NUMPY",
        b"\x89HDF\r\n\x1a\n",
        b"GGUF",
        b"PK\x03\x04",
        b"\x80\x02",
        b"\x80\x03",
        b"\x80\x04",
        b"\x80\x05",
    ];
    STARTS.iter().any(|start| head.starts_with(start))
        || head.get(8..10) == Some(b"{\"")
        || head.get(257..262) == Some(b"ustar")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn an_array_of_zeros_is_worth_a_look_and_filler_is_a_bomb() {
        let limits = Limits::default();
        let scan = Scan::new(&limits);
        let verdict = |made, packed, head: &[u8]| judge(made, packed, head, &scan);
        assert_eq!(verdict(100 << 20, 100 << 10, b"\x93NUMPY\x01\x00"), Verdict::High);
        assert_eq!(verdict(100 << 20, 100 << 10, b"\0\0\0\0"), Verdict::Bomb);
        assert_eq!(verdict(2 << 30, 2 << 20, b"\x93NUMPY\x01\x00"), Verdict::Bomb);
        assert_eq!(verdict(10 << 20, 10 << 10, b"\0\0\0\0"), Verdict::Plain);
        assert_eq!(verdict(4 << 30, 1 << 30, b"\0\0\0\0"), Verdict::Plain);
    }

    #[test]
    fn levels_and_members_that_multiply_are_bombs() {
        assert!(nested(60 << 20, 500));
        assert!(!nested(60 << 20, 60 << 10), "one level of filler");
        assert!(!nested(1 << 20, 10), "too little to hurt");
        assert!(shared(100 * (4 << 20), 4096, 100));
        assert!(!shared(2 * (100 << 20), 4096, 2), "a file that stands twice");
        assert!(!shared(100 << 20, 1 << 20, 100));
    }
}
