//! Randomness is an argument.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        let through_trait: &dyn Random = &SystemRandom;
        assert_ne!(SystemRandom.bytes::<16>(), through_trait.bytes::<16>());
    }
}
