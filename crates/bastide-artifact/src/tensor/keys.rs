//! Keys that must not stand twice, as digests: names may be long and many.

use crate::halt::{Halt, Parsed};

/// No header holds more names.
const MOST: usize = 4 << 20;

/// Keys of one table, with their offsets.
#[derive(Default)]
pub(super) struct Keys(Vec<(u64, u64)>);

impl Keys {
    /// Adds the key at offset `at`.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] beyond 4 million keys.
    pub(super) fn add(&mut self, key: &str, at: u64) -> Parsed<()> {
        if self.0.len() >= MOST {
            return Err(Halt::limit(format!("{MOST} names in one header")));
        }
        self.0.push((digest(key.as_bytes()), at));
        Ok(())
    }

    /// Where the first key stands that stood before.
    pub(super) fn twice(mut self) -> Option<u64> {
        self.0.sort_unstable();
        let repeated = self.0.windows(2).filter_map(|pair| match pair {
            [first, second] if first.0 == second.0 => Some(second.1),
            _ => None,
        });
        repeated.min()
    }
}

/// FNV-1a with a final mix. Who makes two keys collide only has an own file refused.
fn digest(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
