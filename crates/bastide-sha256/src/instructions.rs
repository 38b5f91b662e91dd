//! The SHA extensions of x86-64, and nothing on other processors.

pub(crate) use processor::Instructions;

#[cfg(not(target_arch = "x86_64"))]
mod processor {
    /// There are none: no value of this type can be made.
    #[derive(Clone, Copy)]
    pub(crate) enum Instructions {}

    impl Instructions {
        pub(crate) fn detect() -> Option<Self> {
            None
        }

        pub(crate) fn compress<const N: usize>(self, _: &mut [[u32; 8]; N], _: [&[[u8; 64]]; N]) {
            match self {}
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod processor {
    use std::arch::is_x86_feature_detected;

    use crate::rounds;

    /// Proof that the processor has them: only [`detect`](Self::detect) makes one.
    #[derive(Clone, Copy)]
    pub(crate) struct Instructions(());

    impl Instructions {
        pub(crate) fn detect() -> Option<Self> {
            let detected = is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("sse4.1")
                && is_x86_feature_detected!("avx2");
            detected.then_some(Instructions(()))
        }

        /// Takes as many blocks from the front of each content into its state as the shortest has.
        pub(crate) fn compress<const N: usize>(self, states: &mut [[u32; 8]; N], blocks: [&[[u8; 64]]; N]) {
            #[expect(unsafe_code, reason = "the compiler cannot know what `detect` has found")]
            // SAFETY: the function needs the features that `detect` saw before it made `self`, and nothing else.
            unsafe {
                rounds::compress(states, blocks);
            }
        }
    }
}
