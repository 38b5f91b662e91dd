//! Sizes that a file claims and does not have: cut off on its way, or a lie that makes loaders set memory aside (CWE-789).

/// No array, string or storage is this large: 1 TiB.
const MOST: u64 = 1 << 40;
/// Loaders set less than this aside without harm: 4 GiB.
const LEAST: u64 = 4 << 30;
/// Who downloads a large file and is cut off has more than a millionth of it.
const SHARE: u64 = 1 << 20;

/// Whether `claimed` bytes in a file of `size` cannot be those of a download that was cut off.
pub(crate) fn is_absurd(claimed: u64, size: u64) -> bool {
    claimed > size && (claimed >= MOST || (claimed >= LEAST && claimed / SHARE >= size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_download_is_no_lie() {
        const GIB: u64 = 1 << 30;
        for (claimed, size) in
            [(5 * GIB, GIB), (5 * GIB, 100 << 10), (700 * GIB, 1 << 20), (100, 10), (GIB, 30)]
        {
            assert!(!is_absurd(claimed, size), "{claimed} in {size}");
        }
        for (claimed, size) in
            [(MOST, 1 << 39), (u64::MAX, GIB), (5 * GIB, 144), (745 * GIB, 144), (64 * GIB, 1000)]
        {
            assert!(is_absurd(claimed, size), "{claimed} in {size}");
        }
        assert!(!is_absurd(MOST, MOST), "what is there is no claim");
    }
}
