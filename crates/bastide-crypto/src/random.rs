//! Randomness is an argument.

use std::sync::{Mutex, PoisonError};

/// A source of unpredictable bytes. Tests give a counted one; everything else gives [`SystemRandom`].
pub trait Random: Send + Sync {
    /// Fills the whole of `out`.
    fn fill(&self, out: &mut [u8]);
}

impl<R: Random + ?Sized> Random for &R {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl<R: Random + ?Sized> Random for std::sync::Arc<R> {
    fn fill(&self, out: &mut [u8]) {
        (**self).fill(out);
    }
}

impl dyn Random + '_ {
    /// `N` unpredictable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// The operating system's randomness through the library's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl SystemRandom {
    /// `N` unpredictable bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl Random for SystemRandom {
    #[expect(
        clippy::panic,
        reason = "without randomness no key and no id may come into being; input cannot cause it"
    )]
    fn fill(&self, out: &mut [u8]) {
        if aws_lc_rs::rand::fill(out).is_err() {
            panic!("the operating system gives no randomness");
        }
    }
}

/// Draws from another source in bulk: the library's generator takes a new key after each draw, so that ten bytes cost as
/// much as hundreds. For what is no secret, such as ids and nonces, and never for keys: what is not used yet lies in memory.
pub struct BulkRandom<R> {
    source: R,
    drawn: Mutex<Drawn>,
}

struct Drawn {
    bytes: [u8; Drawn::BYTES],
    used: usize,
}

impl Drawn {
    const BYTES: usize = 256;

    /// The next bytes, if that many are left.
    fn take(&mut self, out: &mut [u8]) -> Option<()> {
        let end = self.used.checked_add(out.len())?;
        out.copy_from_slice(self.bytes.get(self.used..end)?);
        self.used = end;
        Some(())
    }
}

impl<R: Random> BulkRandom<R> {
    /// Draws from `source`, nothing yet.
    #[must_use]
    pub const fn new(source: R) -> Self {
        let drawn = Drawn { bytes: [0; Drawn::BYTES], used: Drawn::BYTES };
        BulkRandom { source, drawn: Mutex::new(drawn) }
    }
}

impl<R: Random> Random for BulkRandom<R> {
    fn fill(&self, out: &mut [u8]) {
        if out.len() > Drawn::BYTES {
            return self.source.fill(out);
        }
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.take(out).is_none() {
            // Not to be given again, should the source panic.
            drawn.used = Drawn::BYTES;
            self.source.fill(&mut drawn.bytes);
            drawn.used = 0;
            let _ = drawn.take(out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Random for Counted {
        fn fill(&self, out: &mut [u8]) {
            self.0.fetch_add(1, Ordering::Relaxed);
            SystemRandom.fill(out);
        }
    }

    #[test]
    fn what_is_drawn_in_bulk_is_given_once() {
        let bulk = BulkRandom::new(Counted::default());
        let through_trait: &dyn Random = &bulk;
        let given: HashSet<[u8; 12]> = (0..100).map(|_| through_trait.bytes()).collect();
        // 21 of 12 bytes are in 256.
        assert_eq!((given.len(), bulk.source.0.load(Ordering::Relaxed)), (100, 5));
        assert!(given.iter().all(|bytes| *bytes != [0; 12]));
        let long = through_trait.bytes::<300>();
        assert!(long.chunks(12).all(|bytes| bytes != [0; 12]), "more than is drawn at once");
    }

    #[test]
    fn two_draws_differ() {
        let through_trait: &dyn Random = &SystemRandom;
        assert_ne!(SystemRandom.bytes::<16>(), through_trait.bytes::<16>());
    }
}
