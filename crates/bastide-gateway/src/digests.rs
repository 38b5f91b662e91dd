//! Digests of the two sides of a stream.

use bastide_crypto::HmacContext;
use bastide_types::Digest;

/// Hashing is the largest single cost of a stream that nothing is changed in, and there both sides are the same bytes.
/// So they are hashed once for as long as they are equal, and apart from the first byte that differs.
pub(crate) struct Digests {
    received: HmacContext,
    sides: Sides,
}

enum Sides {
    /// What was sent is what was received, up to what waits here: received, hashed by neither side, not yet sent.
    Equal {
        ahead: Vec<u8>,
    },
    Apart {
        sent: Box<HmacContext>,
    },
}

/// Room for so much is kept while nothing waits. A stream that came at once needed more of it than it will again.
const ROOM_KEPT: usize = 4 << 10;

/// More than this does not wait unsent in a stream that passes unchanged; a guard that holds more is about to change it.
const MOST_AHEAD: usize = 64 << 10;

impl Digests {
    pub(crate) fn new(context: HmacContext) -> Self {
        Digests { received: context, sides: Sides::Equal { ahead: Vec::new() } }
    }

    /// Takes what the upstream sent.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        match &mut self.sides {
            Sides::Equal { ahead } => {
                ahead.extend_from_slice(bytes);
                if ahead.len() > MOST_AHEAD {
                    self.part();
                }
            }
            Sides::Apart { .. } => self.received.update(bytes),
        }
    }

    /// Takes what goes to the caller.
    pub(crate) fn sent(&mut self, bytes: &[u8]) {
        if let Sides::Equal { ahead } = &mut self.sides {
            if ahead.starts_with(bytes) {
                self.received.update(bytes);
                ahead.drain(..bytes.len());
                if ahead.is_empty() {
                    ahead.shrink_to(ROOM_KEPT);
                }
                return;
            }
            self.part();
        }
        if let Sides::Apart { sent } = &mut self.sides {
            sent.update(bytes);
        }
    }

    fn part(&mut self) {
        let sent = Box::new(self.received.clone());
        if let Sides::Equal { ahead } = std::mem::replace(&mut self.sides, Sides::Apart { sent }) {
            self.received.update(&ahead);
        }
    }

    /// The digests of what was received and of what was sent.
    pub(crate) fn finish(&self) -> (Digest, Digest) {
        let mut received = self.received.clone();
        let sent = match &self.sides {
            Sides::Equal { ahead } => {
                let sent = received.clone();
                received.update(ahead);
                sent
            }
            Sides::Apart { sent } => HmacContext::clone(sent),
        };
        (Digest(received.finish()), Digest(sent.finish()))
    }
}

#[cfg(test)]
mod tests {
    use bastide_crypto::HmacKey;
    use proptest::prelude::*;

    use super::*;

    /// What happens to a stream: pieces that come, and how much of which text goes out.
    #[derive(Clone, Debug)]
    enum Step {
        Receive(Vec<u8>),
        /// As much of what was received and not sent.
        Pass(usize),
        Say(Vec<u8>),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..40);
        prop_oneof![
            4 => bytes().prop_map(Step::Receive),
            4 => (0usize..60).prop_map(Step::Pass),
            1 => bytes().prop_map(Step::Say),
            1 => (0usize..2).prop_map(|n| Step::Receive(vec![7; n * (MOST_AHEAD + 1)])),
        ]
    }

    #[test]
    fn what_has_gone_out_leaves_little_room_behind() {
        let mut digests = Digests::new(HmacKey::new(b"key").context());
        let burst = vec![b'x'; MOST_AHEAD];
        digests.received(&burst);
        digests.sent(&burst);
        let Sides::Equal { ahead } = &digests.sides else { unreachable!("both sides are the same") };
        assert!(ahead.capacity() <= ROOM_KEPT, "{}", ahead.capacity());
    }

    proptest! {
        #[test]
        fn they_are_those_of_the_whole_sides(steps in prop::collection::vec(step(), 0..30)) {
            let key = HmacKey::new(b"key");
            let mut digests = Digests::new(key.context());
            let (mut received, mut sent, mut passed) = (Vec::new(), Vec::new(), 0);
            for step in steps {
                match step {
                    Step::Receive(bytes) => {
                        digests.received(&bytes);
                        received.extend(bytes);
                    }
                    Step::Pass(n) => {
                        let end = received.len().min(passed + n);
                        digests.sent(&received[passed..end]);
                        sent.extend_from_slice(&received[passed..end]);
                        passed = end;
                    }
                    Step::Say(bytes) => {
                        digests.sent(&bytes);
                        sent.extend(bytes);
                    }
                }
                prop_assert_eq!(
                    digests.finish(),
                    (Digest(key.sign(&[&received])), Digest(key.sign(&[&sent])))
                );
            }
        }
    }
}
