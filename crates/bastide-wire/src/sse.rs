//! Server-sent events: the decoder of the WHATWG EventSource specification (HTML, section 9.2.6), which keeps each
//! event's bytes so that what is not edited passes as it came.

use bytes::{Bytes, BytesMut};

use crate::WireError;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseEvent {
    /// Its bytes, from the end of the previous event through the blank line that ends it.
    pub raw: Bytes,
    /// The data lines joined with line feeds; absent when there is none, as in a comment that keeps a connection
    /// alive.
    pub data: Option<Bytes>,
    /// The value of the last `event` field, if any.
    pub name: Option<Bytes>,
    /// Whether there is anything besides data lines: comments, names, ids. A reader of this event sees them, so they
    /// are inspected or left out with [`SseEvent::framed`].
    pub has_more: bool,
}

impl SseEvent {
    /// Whether this is the end mark of OpenAI's streams.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.data.as_deref() == Some(b"[DONE]")
    }

    /// The bytes of an event with this data and nothing else.
    #[must_use]
    pub fn framed(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 8);
        for line in data.split(|&b| b == b'\n') {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.push(b'\n');
        }
        out.push(b'\n');
        out
    }
}

/// Cuts a byte stream into events.
#[derive(Debug)]
pub struct SseDecoder {
    buffer: BytesMut,
    /// Bytes at the start of the buffer that are known to hold no complete line beyond `line`.
    scanned: usize,
    /// Where the current line starts.
    line: usize,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_cr: bool,
    /// Whether anything was read at all, for the byte order mark.
    started: bool,
    /// What the lines of the current event said.
    event: Pending,
    max_event_bytes: usize,
    failed: bool,
}

/// The event being read; ranges are of the buffer.
#[derive(Debug, Default)]
struct Pending {
    data: Option<(usize, usize)>,
    /// More than one data line: the joined data.
    joined: Option<Vec<u8>>,
    name: Option<(usize, usize)>,
    has_more: bool,
    any: bool,
}

impl SseDecoder {
    /// A decoder that refuses events of more than `max_event_bytes`.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        SseDecoder {
            buffer: BytesMut::new(),
            scanned: 0,
            line: 0,
            after_cr: false,
            started: false,
            event: Pending::default(),
            max_event_bytes,
            failed: false,
        }
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete event. After an error there are no more.
    ///
    /// # Errors
    /// When an event is over the limit.
    pub fn next_event(&mut self) -> Option<Result<SseEvent, WireError>> {
        if self.failed {
            return None;
        }
        if !self.started && !self.start() {
            return None;
        }
        loop {
            let Some(found) = memchr::memchr2(b'\n', b'\r', self.buffer.get(self.scanned..)?) else {
                self.scanned = self.buffer.len();
                return self.within_limit(self.scanned);
            };
            let end = self.scanned + found;
            let feed = self.buffer.get(end) == Some(&b'\n');
            self.scanned = end + 1;
            if feed && self.after_cr && end == self.line {
                // The second half of CR LF: part of the line break that was already acted on.
                self.after_cr = false;
                self.line = end + 1;
                continue;
            }
            self.after_cr = !feed;
            let start = std::mem::replace(&mut self.line, end + 1);
            if start < end {
                self.field(start, end);
                continue;
            }
            if !self.event.any {
                // A blank line that ends nothing stays with the next event's bytes.
                continue;
            }
            // Take the line feed of a CR LF along if it is here; if not it goes with the next event.
            let mut length = end + 1;
            if self.after_cr && self.buffer.get(length) == Some(&b'\n') {
                length += 1;
                self.after_cr = false;
            }
            if let Some(over) = self.within_limit(length) {
                return Some(over);
            }
            return Some(Ok(self.dispatch(length)));
        }
    }

    /// What is left when the stream ends: an event without its blank line, which a reader following the
    /// specification ignores. Pass it on only as an event of its own.
    #[must_use]
    pub fn remainder(&self) -> &[u8] {
        &self.buffer
    }

    /// How many bytes wait for the rest of their event.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.len()
    }

    /// Skips a byte order mark; false while it cannot yet be told.
    fn start(&mut self) -> bool {
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if self.buffer.len() < MARK.len() && MARK.starts_with(&self.buffer) {
            return false;
        }
        if self.buffer.starts_with(MARK) {
            // The mark stays in the first event's bytes and outside its first line.
            self.line = MARK.len();
            self.scanned = MARK.len();
        }
        self.started = true;
        true
    }

    fn within_limit(&mut self, length: usize) -> Option<Result<SseEvent, WireError>> {
        if length <= self.max_event_bytes {
            return None;
        }
        self.failed = true;
        self.buffer = BytesMut::new();
        Some(Err(WireError::at(
            WireError::EVENT_SIZE,
            self.max_event_bytes,
            "a server-sent event is too long",
        )))
    }

    /// One line that is not blank.
    fn field(&mut self, start: usize, end: usize) {
        self.event.any = true;
        let line = self.buffer.get(start..end).unwrap_or_default();
        let colon = memchr::memchr(b':', line);
        let name = line.get(..colon.unwrap_or(line.len())).unwrap_or_default();
        let mut value = colon.map_or(end, |c| start + c + 1);
        if colon.is_some() && self.buffer.get(value) == Some(&b' ') {
            value += 1;
        }
        match name {
            b"data" => self.data_line(value.min(end), end),
            b"event" => {
                self.event.name = Some((value.min(end), end));
                self.event.has_more = true;
            }
            _ => self.event.has_more = true,
        }
    }

    fn data_line(&mut self, start: usize, end: usize) {
        let line = self.buffer.get(start..end).unwrap_or_default();
        match (&mut self.event.joined, self.event.data) {
            (Some(joined), _) => {
                joined.push(b'\n');
                joined.extend_from_slice(line);
            }
            (None, Some((first, first_end))) => {
                let mut joined = self.buffer.get(first..first_end).unwrap_or_default().to_vec();
                joined.push(b'\n');
                joined.extend_from_slice(line);
                self.event.joined = Some(joined);
            }
            (None, None) => self.event.data = Some((start, end)),
        }
    }

    fn dispatch(&mut self, length: usize) -> SseEvent {
        let event = std::mem::take(&mut self.event);
        let raw = self.buffer.split_to(length).freeze();
        self.line = 0;
        self.scanned = 0;
        // INVARIANT: the ranges lie in the first `length` bytes, in which they were found.
        let part = |(start, end): (usize, usize)| raw.slice(start..end);
        let data = match event.joined {
            Some(joined) => Some(Bytes::from(joined)),
            None => event.data.map(part),
        };
        SseEvent { data, name: event.name.map(part), has_more: event.has_more, raw }
    }
}
