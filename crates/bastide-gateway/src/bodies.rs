//! What is kept of an exchange's bodies, beside the log that holds their digests.
//!
//! Nothing here waits or fails: bodies are handed to the store as they are, and the store's thread seals and writes them.
//! What is kept is byte for byte what the digests in the log are of, so that each can be checked against it.

use bastide_audit::{Bodies, Body, BodyKey, BodyKind, Keep};
use bastide_types::{Ending, ExchangeId, KeyId};
use bytes::Bytes;

use crate::gateway::Gateway;
use crate::guard::Tally;

/// The most that is kept of a streamed answer, in bytes: it is gathered in memory while the stream runs.
const STREAM_BYTES: usize = 256 << 10;
/// What a stream's memory begins with.
const FIRST_BYTES: usize = 16 << 10;

/// The bodies of one exchange.
#[derive(Default)]
pub(crate) struct Kept(Option<Box<Keeping>>);

struct Keeping {
    store: Bodies,
    exchange: ExchangeId,
    key: BodyKey,
    /// The request, until it is known what is sent.
    received: Bytes,
    /// Not handed over yet: so far nothing was found, or nothing is recorded.
    held: Vec<Body>,
    found: bool,
    stream: Stream,
}

impl Kept {
    /// Begins with the request as it was received. It is handed over once the log has its decision.
    pub(crate) fn begin(gateway: &Gateway, subject: KeyId, exchange: ExchangeId, received: &Bytes) -> Kept {
        let store = &gateway.bodies;
        if store.keep() == Keep::None {
            return Kept(None);
        }
        // The key of now: an exchange that outlives an erasure seals under what was erased.
        let Ok(key) = gateway.subjects.body_key(subject, exchange) else { return Kept(None) };
        let mut keeping = Keeping {
            store: store.clone(),
            exchange,
            key,
            received: received.clone(),
            held: Vec::new(),
            found: false,
            stream: Stream::default(),
        };
        keeping.keep(BodyKind::RequestReceived, received);
        Kept(Some(Box::new(keeping)))
    }

    /// The request was refused: nothing was sent.
    pub(crate) fn refused(&mut self) {
        self.with(|k| k.settle(true));
    }

    /// The request goes out, and this with its exchange.
    pub(crate) fn sent(&mut self, sent: &Bytes, tally: &Tally) -> Kept {
        self.with(|k| {
            if std::mem::take(&mut k.received) != *sent {
                k.keep(BodyKind::RequestSent, sent);
            }
            k.settle(!tally.findings().is_empty());
        });
        std::mem::take(self)
    }

    /// The whole answer is there; `found` when something was found in it or it was refused.
    pub(crate) fn answered(&mut self, received: &Bytes, sent: &Bytes, found: bool) {
        self.with(|k| {
            k.keep(BodyKind::ResponseReceived, received);
            if sent != received {
                k.keep(BodyKind::ResponseSent, sent);
            }
            k.settle(found);
        });
    }

    /// A piece of a streamed answer came.
    pub(crate) fn stream_received(&mut self, data: &[u8]) {
        self.with(|k| k.stream.receive(data));
    }

    /// A piece of a streamed answer goes out.
    pub(crate) fn stream_sent(&mut self, data: &[u8]) {
        self.with(|k| k.stream.send(data));
    }

    /// The last piece of a streamed answer goes out.
    pub(crate) fn stream_ended(&mut self, data: &[u8], tally: &Tally, ending: Ending) {
        self.with(|k| {
            k.stream.send(data);
            let stream = std::mem::take(&mut k.stream);
            k.keep_stream(stream);
            k.settle(ending == Ending::Blocked || !tally.findings().is_empty());
        });
    }

    fn with(&mut self, work: impl FnOnce(&mut Keeping)) {
        if let Some(keeping) = &mut self.0 {
            work(keeping);
        }
    }
}

impl Keeping {
    fn keep(&mut self, kind: BodyKind, text: &Bytes) {
        if !text.is_empty() {
            self.held.push(Body::new(self.exchange, self.key.clone(), kind, text));
        }
    }

    fn keep_stream(&mut self, stream: Stream) {
        let Stream { received, received_size, sent_size, own } = stream;
        if received_size > 0 {
            let (key, text) = (self.key.clone(), Bytes::from(received));
            let kind = BodyKind::ResponseReceived;
            self.held.push(Body::beginning(self.exchange, key, kind, text, received_size));
        }
        let (kind, key) = (BodyKind::ResponseSent, self.key.clone());
        match own {
            Some(own) => {
                self.held.push(Body::beginning(self.exchange, key, kind, Bytes::from(own), sent_size));
            }
            None if sent_size > 0 && sent_size < received_size => {
                self.held.push(Body::prefix(self.exchange, key, kind, sent_size));
            }
            None => {}
        }
    }

    /// Hands over what is held, if this exchange is to be kept as far as is known.
    fn settle(&mut self, found: bool) {
        self.found |= found;
        if self.found || self.store.keep() == Keep::All {
            self.held.drain(..).for_each(|body| self.store.push(body));
        }
    }
}

/// A streamed answer as it passes: both sides up to a bound, once as long as they are equal.
#[derive(Default)]
struct Stream {
    received: Vec<u8>,
    received_size: u64,
    sent_size: u64,
    /// What was sent, from its beginning, once it is not what was received.
    own: Option<Vec<u8>>,
}

impl Stream {
    fn receive(&mut self, data: &[u8]) {
        self.received_size = self.received_size.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        append(&mut self.received, data);
    }

    fn send(&mut self, data: &[u8]) {
        let at = usize::try_from(self.sent_size).unwrap_or(usize::MAX);
        self.sent_size = self.sent_size.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if let Some(own) = &mut self.own {
            append(own, data);
            return;
        }
        let within = data.get(..STREAM_BYTES.saturating_sub(at)).unwrap_or(data);
        if !self.received.get(at..).unwrap_or_default().starts_with(within) {
            let mut own = self.received.get(..at).unwrap_or(&self.received).to_vec();
            append(&mut own, data);
            self.own = Some(own);
        }
    }
}

/// Appends as much as the bound allows.
fn append(to: &mut Vec<u8>, data: &[u8]) {
    if to.is_empty() {
        // A stream of a few sentences fits; growing to it would copy it twice.
        to.reserve(FIRST_BYTES);
    }
    let room = STREAM_BYTES.saturating_sub(to.len());
    to.extend_from_slice(data.get(..room).unwrap_or(data));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(pieces: &[(&[u8], &[u8])]) -> Stream {
        let mut stream = Stream::default();
        for (received, sent) in pieces {
            stream.receive(received);
            stream.send(sent);
        }
        stream
    }

    #[test]
    fn what_passes_unchanged_is_held_once() {
        let stream = pass(&[(b"abc", b"ab"), (b"def", b"cd"), (b"[DONE]", b"ef")]);
        assert_eq!((stream.own, stream.received.as_slice()), (None, &b"abcdef[DONE]"[..]));
        assert_eq!((stream.received_size, stream.sent_size), (12, 6));
    }

    #[test]
    fn what_was_changed_is_held_from_its_beginning() {
        let stream = pass(&[(b"abc", b"ab"), (b"def", b"XX"), (b"g", b"yz")]);
        assert_eq!(stream.own.as_deref(), Some(&b"abXXyz"[..]));
        let longer = pass(&[(b"ab", b"ab!")]);
        assert_eq!(longer.own.as_deref(), Some(&b"ab!"[..]), "more was sent than received");
    }

    #[test]
    fn a_long_stream_is_held_up_to_the_bound() {
        let piece = [b'x'; 1000];
        let pieces = vec![(&piece[..], &piece[..]); 300];
        let same = pass(&pieces);
        assert_eq!((same.received.len(), same.received_size, same.own), (STREAM_BYTES, 300_000, None));
        let mut stream = pass(&pieces[..262]);
        stream.receive(&piece);
        // Across the bound: what lies within it is the same.
        stream.send(&[&piece[..144], b"other"].concat());
        assert_eq!(stream.own, None);
        let mut stream = pass(&pieces[..262]);
        stream.receive(&piece);
        stream.send(b"other");
        stream.send(&[b'y'; 300_000]);
        let own = stream.own.unwrap();
        assert_eq!((own.len(), own.get(262_000..262_005)), (STREAM_BYTES, Some(&b"other"[..])));
    }
}
