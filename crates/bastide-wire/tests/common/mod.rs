//! What the tests share: a small random source, a generator that knows what it wrote, and an independent parser.
#![allow(dead_code, reason = "each test binary uses a part")]

pub(crate) mod generate;
pub(crate) mod tree;

/// How many cases to run: `BASTIDE_CASES`, or what a few seconds allow.
pub(crate) fn cases(default: u64) -> u64 {
    std::env::var("BASTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// SplitMix64 (Steele, Lea, Flood 2014): fast, seedable, good enough to choose test inputs.
#[derive(Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`, which is not zero.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n).unwrap()).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
