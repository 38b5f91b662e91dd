//! How random a string is, and whether it only stands for one.

/// Shannon entropy of the bytes in thousandths of a bit per byte.
///
/// A word of prose has about 2500 to 3000, sixteen random hexadecimal digits 3000 to 3600, twenty random letters and
/// digits 3800 to 4300.
pub(crate) fn entropy_millibits(bytes: &[u8]) -> u32 {
    let mut counts = [0u32; 256];
    for &b in bytes {
        if let Some(n) = counts.get_mut(usize::from(b)) {
            *n += 1;
        }
    }
    let Ok(len) = u32::try_from(bytes.len()) else { return 8000 };
    if len == 0 {
        return 0;
    }
    let len = f64::from(len);
    let bits: f64 =
        counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / len).map(|p| -p * p.log2() * 1000.0).sum();
    // Rounded towards zero, without a cast: the largest that is not above.
    let (mut low, mut high) = (0_u32, 8000_u32);
    while low < high {
        let middle = (low + high).div_ceil(2);
        if f64::from(middle) <= bits { low = middle } else { high = middle - 1 }
    }
    low
}

/// How many different bytes occur.
pub(crate) fn distinct_bytes(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for &b in bytes {
        if let Some(s) = seen.get_mut(usize::from(b)) {
            *s = true;
        }
    }
    seen.iter().filter(|s| **s).count()
}

/// What manuals write where a secret would stand. Lower case.
#[rustfmt::skip]
const STAND_INS: &[&str] = &[
    "example", "your", "placeholder", "changeme", "change_me", "change-me", "replace", "redacted", "dummy", "insert", "xxxx",
    "****", "....", "____", "----", "00000000", "todo", "my_secret", "my-secret", "notreal", "not_real", "fake",
];

/// Whether it stands for a secret rather than being one: a word of [`STAND_INS`], or one byte eight times in a row.
pub(crate) fn looks_like_placeholder(bytes: &[u8]) -> bool {
    let mut run = 0;
    let mut last = None;
    for (at, byte) in bytes.iter().enumerate() {
        run = if last == Some(byte) { run + 1 } else { 1 };
        last = Some(byte);
        if run == 8 {
            return true;
        }
        // Asked at every byte of every candidate: a comparison of one byte rules out almost all.
        let first = byte.to_ascii_lowercase();
        let begins = |word: &&&str| word.as_bytes().first() == Some(&first);
        let rest = bytes.get(at..).unwrap_or_default();
        if STAND_INS.iter().filter(begins).any(|word| starts_with(rest, word)) {
            return true;
        }
    }
    false
}

fn starts_with(bytes: &[u8], word: &str) -> bool {
    bytes.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entropy_of_known_strings() {
        assert_eq!(entropy_millibits(b""), 0);
        assert_eq!(entropy_millibits(b"aaaaaaaa"), 0);
        assert_eq!(entropy_millibits(b"abababab"), 1000);
        assert_eq!(entropy_millibits(b"0123456789abcdef"), 4000);
    }

    #[test]
    fn stand_ins() {
        for s in [
            "AKIAIOSFODNN7EXAMPLE",
            "your-api-key-here",
            "ghp_xxxxxxxxxxxxxxxx",
            "sk-00000000000",
            "aaaaaaaaB",
        ] {
            assert!(looks_like_placeholder(s.as_bytes()), "{s}");
        }
        assert!(!looks_like_placeholder(b"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"));
        assert_eq!(distinct_bytes(b"abca"), 3);
    }
}
