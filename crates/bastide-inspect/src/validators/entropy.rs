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
    // A sum of at most 8000 fits; the cast rounds towards zero.
    (0..=8000).rev().find(|m| f64::from(*m) <= bits).unwrap_or(0)
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
    let lower = bytes.to_ascii_lowercase();
    let run = bytes.windows(8).any(|w| w.iter().all(|b| Some(b) == w.first()));
    run || STAND_INS.iter().any(|s| lower.windows(s.len()).any(|w| w == s.as_bytes()))
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
