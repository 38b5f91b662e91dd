//! What is kept of an exchange's bodies, beside the log that holds their digests.
//!
//! Nothing here waits or fails: bodies are handed to the store as they are, and the store's thread seals and writes them.
//! What is kept is byte for byte what the digests in the log are of, so that each can be checked against it.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use bastide_audit::{Bodies, Body, BodyKey, BodyKind, Keep};
use bastide_types::{Ending, ExchangeId};
use bytes::Bytes;

use crate::gateway::Gateway;
use crate::guard::Tally;

/// The most that is kept of a streamed answer, in bytes: it is gathered in memory while the stream runs.
const STREAM_BYTES: usize = 256 << 10;
/// What a stream's memory begins with.
const FIRST_BYTES: usize = 16 << 10;

/// The most that all streams that run gather together.
const GATHERED_BYTES: usize = 64 << 20;

/// Memory that streamed answers share while they are gathered: many long ones at a time are kept shorter.
#[derive(Clone, Default)]
pub(crate) struct Gathering(Arc<AtomicUsize>);

/// One stream's part of it, given back when the stream is over.
#[derive(Default)]
struct Part {
    of: Option<Gathering>,
    bytes: usize,
    full: bool,
}

impl Part {
    /// Takes `bytes` more, if they are there.
    fn take(&mut self, bytes: usize) -> bool {
        let Some(of) = &self.of else { return true };
        if of.0.fetch_add(bytes, Relaxed) > GATHERED_BYTES - bytes.min(GATHERED_BYTES) {
            of.0.fetch_sub(bytes, Relaxed);
            self.full = true;
            return false;
        }
        self.bytes += bytes;
        true
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if let Some(of) = &self.of {
            of.0.fetch_sub(self.bytes, Relaxed);
        }
    }
}

/// The bodies of one exchange.
#[derive(Default)]
pub(crate) struct Kept(Option<Keeping>);

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
    /// `key` is derived together with that of the digests: an erasure finds both or neither.
    pub(crate) fn begin(gateway: &Gateway, exchange: ExchangeId, key: BodyKey, received: &Bytes) -> Kept {
        let store = &gateway.bodies;
        if store.keep() == Keep::None {
            return Kept(None);
        }
        let mut keeping = Keeping {
            store: store.clone(),
            exchange,
            key,
            received: received.clone(),
            held: Vec::new(),
            found: false,
            stream: Stream::within(&gateway.gathering),
        };
        keeping.keep(BodyKind::RequestReceived, received);
        Kept(Some(keeping))
    }

    /// The request was refused: nothing was sent.
    pub(crate) fn refused(&mut self) {
        self.with(|k| k.settle(true));
    }

    /// The request goes out.
    pub(crate) fn sent(&mut self, sent: &Bytes, tally: &Tally) {
        self.with(|k| {
            if std::mem::take(&mut k.received) != *sent {
                k.keep(BodyKind::RequestSent, sent);
            }
            k.settle(!tally.findings().is_empty());
        });
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
        let Stream { mut received, received_size, sent_size, own, part: _part } = stream;
        // It waits to be written with no more room than it takes: its length is what the queue counts.
        received.shrink_to_fit();
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
    part: Part,
}

impl Stream {
    fn within(gathering: &Gathering) -> Self {
        let part = Part { of: Some(gathering.clone()), ..Part::default() };
        Stream { part, ..Stream::default() }
    }

    fn receive(&mut self, data: &[u8]) {
        self.received_size = self.received_size.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        append(&mut self.received, data, &mut self.part);
    }

    fn send(&mut self, data: &[u8]) {
        let at = usize::try_from(self.sent_size).unwrap_or(usize::MAX);
        self.sent_size = self.sent_size.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if let Some(own) = &mut self.own {
            append(own, data, &mut self.part);
            return;
        }
        let within = data.get(..STREAM_BYTES.saturating_sub(at)).unwrap_or(data);
        if !self.received.get(at..).unwrap_or_default().starts_with(within) {
            let mut own = Vec::new();
            append(&mut own, self.received.get(..at).unwrap_or(&self.received), &mut self.part);
            append(&mut own, data, &mut self.part);
            self.own = Some(own);
        }
    }
}

/// Appends as much as the bounds allow; what has once been cut is not gone on with.
fn append(to: &mut Vec<u8>, data: &[u8], part: &mut Part) {
    if to.is_empty() {
        // A stream of a few sentences fits; growing to it would copy it twice.
        to.reserve(FIRST_BYTES);
    }
    let room = STREAM_BYTES.saturating_sub(to.len());
    let within = data.get(..room).unwrap_or(data);
    if !part.full && part.take(within.len()) {
        to.extend_from_slice(within);
    }
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
    fn many_streams_share_what_there_is() {
        let gathering = Gathering::default();
        let piece = vec![b'x'; STREAM_BYTES];
        let mut streams: Vec<Stream> = (0..300).map(|_| Stream::within(&gathering)).collect();
        streams.iter_mut().for_each(|s| s.receive(&piece));
        let held = |streams: &[Stream]| streams.iter().map(|s| s.received.len()).sum::<usize>();
        assert_eq!(held(&streams), GATHERED_BYTES);
        streams.iter_mut().for_each(|s| s.receive(b"later"));
        assert_eq!(held(&streams), GATHERED_BYTES, "what was cut is not gone on with");
        streams.truncate(1);
        let mut next = Stream::within(&gathering);
        next.receive(&piece);
        assert_eq!(next.received.len(), STREAM_BYTES, "what ended gave its part back");
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
