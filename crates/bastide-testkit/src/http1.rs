//! As much of HTTP/1.1 framing (RFC 9112) as the mock and the load generator share.
//!
//! Both measure somebody else, so what they spend themselves has to be small: a head is scanned once, a body is never
//! copied unless someone wants it.

use memchr::memmem;

/// Largest head either side accepts, in bytes.
pub(crate) const MAX_HEAD: usize = 64 * 1024;

/// The peer sent something that is not HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// After so many bytes.
    Exactly(usize),
    /// With the last chunk.
    Chunked,
    /// With the connection.
    UntilClose,
}

/// A message head inside a receive buffer.
#[derive(Debug)]
pub(crate) struct Head<'a> {
    /// Request or status line, without its line end.
    pub(crate) start: &'a [u8],
    fields: &'a [u8],
    /// Bytes up to and including the empty line.
    pub(crate) length: usize,
}

impl<'a> Head<'a> {
    /// The head at the start of `buffer`, or `None` while it is incomplete.
    pub(crate) fn find(buffer: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let Some(end) = memmem::find(buffer, b"\r\n\r\n") else {
            return if buffer.len() > MAX_HEAD { Err(Malformed) } else { Ok(None) };
        };
        let head = buffer.get(..end + 2).ok_or(Malformed)?;
        let line = memmem::find(head, b"\r\n").ok_or(Malformed)?;
        let (start, fields) = head.split_at_checked(line).ok_or(Malformed)?;
        Ok(Some(Head { start, fields: fields.get(2..).unwrap_or_default(), length: end + 4 }))
    }

    /// Header fields in order: name as sent, value without outer blanks.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        self.fields.split(|b| *b == b'\n').filter_map(|line| {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let colon = memchr::memchr(b':', line)?;
            let (name, value) = line.split_at_checked(colon)?;
            Some((name, value.get(1..).unwrap_or_default().trim_ascii()))
        })
    }

    /// Method and target of a request.
    pub(crate) fn request_line(&self) -> Result<(&'a str, &'a str), Malformed> {
        let line = std::str::from_utf8(self.start).map_err(|_| Malformed)?;
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some(method), Some(target), Some("HTTP/1.1" | "HTTP/1.0")) => Ok((method, target)),
            _ => Err(Malformed),
        }
    }

    /// Status code of a response.
    pub(crate) fn status(&self) -> Result<u16, Malformed> {
        let code = self.start.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5)).ok_or(Malformed)?;
        std::str::from_utf8(code).ok().and_then(|code| code.parse().ok()).ok_or(Malformed)
    }
}

/// A `Content-Length` value.
pub(crate) fn parse_length(value: &[u8]) -> Result<usize, Malformed> {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

/// Takes the chunked transfer coding off a body that arrives in arbitrary pieces.
#[derive(Debug, Default)]
pub(crate) struct Dechunker {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    SizeStart,
    Size(usize),
    Extension(usize),
    Data(usize),
    DataEnd,
    /// In the trailer section; the number of bytes on the current line.
    Trailer(usize),
    Done,
}

impl Dechunker {
    /// Reads from `input`, hands decoded bytes to `sink` and returns how much of `input` was used. Everything is used
    /// unless the body ended inside it.
    pub(crate) fn feed(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Result<usize, Malformed> {
        let mut at = 0;
        while let Some(&byte) = input.get(at) {
            self.state = match self.state {
                State::SizeStart => State::Size(hex(byte).ok_or(Malformed)?),
                State::Size(size) => match (hex(byte), byte) {
                    (Some(digit), _) => {
                        State::Size(size.checked_mul(16).and_then(|s| s.checked_add(digit)).ok_or(Malformed)?)
                    }
                    (None, b'\n') => after_size(size),
                    (None, b'\r' | b';' | b' ') => State::Extension(size),
                    _ => return Err(Malformed),
                },
                State::Extension(size) if byte == b'\n' => after_size(size),
                State::Extension(size) => State::Extension(size),
                State::Data(left) => {
                    let here = input.get(at..).unwrap_or_default();
                    let data = here.get(..left).unwrap_or(here);
                    sink(data);
                    at += data.len();
                    self.state =
                        if data.len() == left { State::DataEnd } else { State::Data(left - data.len()) };
                    continue;
                }
                State::DataEnd => match byte {
                    b'\r' => State::DataEnd,
                    b'\n' => State::SizeStart,
                    _ => return Err(Malformed),
                },
                State::Trailer(line) => match byte {
                    b'\r' => State::Trailer(line),
                    b'\n' if line == 0 => State::Done,
                    b'\n' => State::Trailer(0),
                    _ => State::Trailer(line + 1),
                },
                State::Done => break,
            };
            at += 1;
        }
        Ok(at)
    }

    /// Whether the last chunk and its trailer have been read.
    pub(crate) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }
}

fn after_size(size: usize) -> State {
    if size == 0 { State::Trailer(0) } else { State::Data(size) }
}

fn hex(byte: u8) -> Option<usize> {
    char::from(byte).to_digit(16).and_then(|digit| usize::try_from(digit).ok())
}

/// `body` as one chunk.
pub(crate) fn chunk(body: &[u8]) -> Vec<u8> {
    let mut out = format!("{:x}\r\n", body.len()).into_bytes();
    out.extend_from_slice(body);
    out.extend_from_slice(b"\r\n");
    out
}

/// The chunk that ends a body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn dechunk(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool, usize), Malformed> {
        let mut decoder = Dechunker::default();
        let mut out = Vec::new();
        let mut used = 0;
        for piece in pieces {
            used += decoder.feed(piece, |data| out.extend_from_slice(data))?;
        }
        Ok((out, decoder.is_done(), used))
    }

    #[test]
    fn heads_are_found_only_when_complete() {
        assert!(Head::find(b"GET / HTTP/1.1\r\nhost: a\r\n").unwrap().is_none());
        let head = Head::find(b"GET /v1 HTTP/1.1\r\nHost:  a b \r\nx:\r\n\r\nbody").unwrap().unwrap();
        assert_eq!(head.request_line(), Ok(("GET", "/v1")));
        assert_eq!(head.length, 37);
        let fields: Vec<_> = head.fields().collect();
        assert_eq!(fields, [(&b"Host"[..], &b"a b"[..]), (&b"x"[..], &b""[..])]);
        let head = Head::find(b"HTTP/1.1 429 Too Many\r\n\r\n").unwrap().unwrap();
        assert_eq!(head.status(), Ok(429));
    }

    #[test]
    fn a_chunked_body_decodes_the_same_however_it_is_split() {
        let whole: &[u8] = b"3\r\nabc\r\nA;x=1\r\n0123456789\r\n0\r\ntrailer: 1\r\n\r\n";
        let (text, done, used) = dechunk(&[whole]).unwrap();
        assert_eq!((text.as_slice(), done, used), (&b"abc0123456789"[..], true, whole.len()));
        for cut in 0..whole.len() {
            let (left, right) = whole.split_at(cut);
            assert_eq!(dechunk(&[left, right]).unwrap(), (b"abc0123456789".to_vec(), true, whole.len()));
        }
        let (_, done, used) = dechunk(&[b"0\r\n\r\nHTTP/1.1 200 OK"]).unwrap();
        assert_eq!((done, used), (true, 5), "the next response is left alone");
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(dechunk(&[b"xyz"]), Err(Malformed));
        assert_eq!(dechunk(&[b"1\r\nab"]), Err(Malformed));
        assert_eq!(dechunk(&[b"ffffffffffffffffff\r\n"]), Err(Malformed));
        assert_eq!(Head::find(&vec![b'a'; MAX_HEAD + 1]).err(), Some(Malformed));
    }
}
