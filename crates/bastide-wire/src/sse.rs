//! Server-sent events: the decoder of the WHATWG EventSource specification (HTML, section 9.2.6), which keeps each
//! event's bytes so that what is not edited passes as it came.

use std::ops::Range;

use crate::WireError;

/// One event, as it stands in its decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseEvent<'d> {
    /// Its bytes, from the end of the previous event through the blank line that ends it.
    pub raw: &'d [u8],
    /// The data lines joined with line feeds; absent when there is none, as in a comment that keeps a connection
    /// alive.
    pub data: Option<&'d [u8]>,
    /// The value of the last `event` field, if any.
    pub name: Option<&'d [u8]>,
    /// Whether there is anything besides data lines: comments, names, ids. A reader of this event sees them, so they
    /// are inspected or left out with [`SseEvent::framed`].
    pub has_more: bool,
}

impl SseEvent<'_> {
    /// Whether this is the end mark of OpenAI's streams.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.data == Some(b"[DONE]")
    }

    /// The bytes of an event with this data and nothing else.
    #[must_use]
    pub fn framed(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 8);
        Self::frame(data, &mut out);
        out
    }

    /// Appends what [`SseEvent::framed`] gives.
    pub fn frame(data: &[u8], out: &mut Vec<u8>) {
        let mut rest = data;
        loop {
            let line = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(rest.get(..line).unwrap_or_default());
            out.push(b'\n');
            match rest.get(line + 1..) {
                Some(next) => rest = next,
                None => break,
            }
        }
        out.push(b'\n');
    }
}

/// Cuts a byte stream into events.
#[derive(Debug)]
pub struct SseDecoder {
    buffer: Vec<u8>,
    /// Where the event being read begins; all before has been handed out. What follows counts from here.
    begin: usize,
    /// Bytes that are known to hold no complete line beyond `line`.
    scanned: usize,
    /// Where the current line starts.
    line: usize,
    /// A carriage return ended the last line: a line feed right after it belongs to it.
    after_cr: bool,
    /// Whether anything was read at all, for the byte order mark.
    started: bool,
    /// What the lines of the current event said.
    event: Pending,
    /// The data of an event that has more than one data line.
    joined: Vec<u8>,
    max_event_bytes: usize,
    failed: bool,
}

/// The event being read.
#[derive(Debug, Default)]
struct Pending {
    /// The first data line.
    data: Option<Range<usize>>,
    /// More than one data line.
    is_joined: bool,
    name: Option<Range<usize>>,
    has_more: bool,
    any: bool,
}

impl SseDecoder {
    /// A decoder that refuses events of more than `max_event_bytes`.
    #[must_use]
    pub fn new(max_event_bytes: usize) -> Self {
        SseDecoder {
            buffer: Vec::new(),
            begin: 0,
            scanned: 0,
            line: 0,
            after_cr: false,
            started: false,
            event: Pending::default(),
            joined: Vec::new(),
            max_event_bytes,
            failed: false,
        }
    }

    /// Takes the next bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        if !self.failed {
            self.buffer.drain(..self.begin);
            self.begin = 0;
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// The next complete event. After an error there are no more.
    ///
    /// # Errors
    /// When an event is over the limit.
    pub fn next_event(&mut self) -> Option<Result<SseEvent<'_>, WireError>> {
        if self.failed {
            return None;
        }
        if !self.started && !self.start() {
            return None;
        }
        let (length, complete) = match self.read_lines() {
            Some(length) => (length, true),
            None => (self.scanned, false),
        };
        if length > self.max_event_bytes {
            self.fail();
            return Some(Err(WireError::at(
                WireError::EVENT_SIZE,
                self.max_event_bytes,
                "a server-sent event is too long",
            )));
        }
        complete.then(|| Ok(self.dispatch(length)))
    }

    /// What is left when the stream ends: an event without its blank line, which a reader following the
    /// specification ignores. Pass it on only as an event of its own.
    #[must_use]
    pub fn remainder(&self) -> &[u8] {
        self.buffer.get(self.begin..).unwrap_or_default()
    }

    /// How many bytes wait for the rest of their event.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.remainder().len()
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

    fn fail(&mut self) {
        self.failed = true;
        self.buffer = Vec::new();
        self.begin = 0;
    }

    /// Reads the lines that are there through the blank line that ends the event: the event's length.
    fn read_lines(&mut self) -> Option<usize> {
        loop {
            let text = self.buffer.get(self.begin..)?;
            let unread = text.get(self.scanned..)?;
            // A blank line, which every event ends with, needs no search.
            let found = match unread.first() {
                Some(b'\n' | b'\r') => Some(0),
                _ => memchr::memchr2(b'\n', b'\r', unread),
            };
            let Some(found) = found else {
                self.scanned = text.len();
                return None;
            };
            let end = self.scanned + found;
            let feed = text.get(end) == Some(&b'\n');
            let next = text.get(end + 1);
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
                self.field(start..end);
            } else if self.event.any {
                // Take the line feed of a CR LF along if it is here; if not it goes with the next event.
                let paired = self.after_cr && next == Some(&b'\n');
                self.after_cr &= !paired;
                return Some(end + 1 + usize::from(paired));
            }
            // Else it is a blank line that ends nothing, which stays with the next event's bytes.
        }
    }

    /// One line that is not blank.
    fn field(&mut self, line: Range<usize>) {
        self.event.any = true;
        let text = self.remainder().get(line.clone()).unwrap_or_default();
        let (name, value) = match text.strip_prefix(b"data:") {
            Some(value) => (&b"data"[..], value),
            None => {
                let colon = memchr::memchr(b':', text).unwrap_or(text.len());
                (text.get(..colon).unwrap_or_default(), text.get(colon + 1..).unwrap_or_default())
            }
        };
        let value = line.end - value.strip_prefix(b" ").unwrap_or(value).len()..line.end;
        match name {
            b"data" => self.data_line(value),
            b"event" => {
                self.event.name = Some(value);
                self.event.has_more = true;
            }
            _ => self.event.has_more = true,
        }
    }

    fn data_line(&mut self, line: Range<usize>) {
        let Some(first) = &self.event.data else {
            self.event.data = Some(line);
            return;
        };
        let text = self.buffer.get(self.begin..).unwrap_or_default();
        if !self.event.is_joined {
            self.event.is_joined = true;
            self.joined.clear();
            self.joined.extend_from_slice(text.get(first.clone()).unwrap_or_default());
        }
        self.joined.push(b'\n');
        self.joined.extend_from_slice(text.get(line).unwrap_or_default());
    }

    fn dispatch(&mut self, length: usize) -> SseEvent<'_> {
        let event = std::mem::take(&mut self.event);
        let begin = self.begin;
        self.begin = begin + length;
        self.line = 0;
        self.scanned = 0;
        // INVARIANT: the ranges lie in the first `length` bytes, in which they were found.
        let raw = self.buffer.get(begin..self.begin).unwrap_or_default();
        let part = |range: Range<usize>| raw.get(range).unwrap_or_default();
        SseEvent {
            raw,
            data: if event.is_joined { Some(&self.joined) } else { event.data.map(part) },
            name: event.name.map(part),
            has_more: event.has_more,
        }
    }
}
