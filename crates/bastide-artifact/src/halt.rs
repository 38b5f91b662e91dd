//! Why a reader stopped before the end.

use std::io;

/// What a reader of one format gives.
pub(crate) type Parsed<T> = Result<T, Halt>;

/// Why a reader stopped. None of these is a verdict: what was found before counts, and the rest is unfinished.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The bytes end in the middle of something.
    Truncated {
        /// Where they end.
        offset: u64,
    },
    /// The bytes are not what the format says.
    Malformed {
        /// Where.
        offset: u64,
        /// What is wrong: lower case, no final stop.
        what: String,
    },
    /// The bytes cannot be read.
    Unreadable(io::Error),
    /// A limit of the scan was reached.
    Limit {
        /// Which: the words that follow "more than".
        what: String,
    },
}

impl Halt {
    /// The bytes at `offset` are not what the format says.
    pub(crate) fn malformed(offset: u64, what: impl Into<String>) -> Self {
        Halt::Malformed { offset, what: what.into() }
    }

    /// The scan would need more than `what`.
    pub(crate) fn limit(what: impl Into<String>) -> Self {
        Halt::Limit { what: what.into() }
    }
}

/// A number of bytes as people read it: `32 MiB`, `1.2 GiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let Some(power) = (1..=UNITS.len()).rev().find(|power| bytes >> (10 * power) > 0) else {
        return format!("{bytes} bytes");
    };
    let unit = UNITS.get(power - 1).copied().unwrap_or_default();
    let whole = bytes >> (10 * power);
    let tenth = ((bytes >> (10 * (power - 1))) & 1023) * 10 / 1024;
    if tenth == 0 { format!("{whole} {unit}") } else { format!("{whole}.{tenth} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_units() {
        let told = [0, 1023, 1 << 10, (5 << 20) / 4, 32 << 20, (6 << 30) / 5, 16 << 30, 1 << 40].map(size);
        assert_eq!(
            told,
            ["0 bytes", "1023 bytes", "1 KiB", "1.2 MiB", "32 MiB", "1.1 GiB", "16 GiB", "1 TiB"]
        );
    }
}
