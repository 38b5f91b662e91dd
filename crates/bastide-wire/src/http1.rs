//! HTTP/1.1 responses as a client reads them (RFC 9112): where a head ends, what it says of the body's framing, and the
//! body's data without that framing. Without I/O: bytes come in a buffer, cut anywhere.
//!
//! A body comes out in pieces as large as what has arrived, however small the chunks are that it was framed in: a
//! stream of a hundred events that a server sent as a hundred chunks is one piece when it came in one read.

use std::mem::MaybeUninit;

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of a head that are read.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// Fields of a head; providers send about thirty.
const MAX_FIELDS: usize = 128;
/// Bytes of a chunk's extensions, or of the trailers, which nobody reads.
const MAX_UNREAD_BYTES: usize = 16 << 10;
/// Pieces up to this long are copied out of the buffer, so that a connection reads all its small answers into the same
/// memory. A longer one takes the memory with it.
const COPIED_BYTES: usize = 4 << 10;

/// What is wrong with a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HttpError(&'static str);

impl HttpError {
    /// What a reader of responses found wrong beyond what stands here.
    #[must_use]
    pub const fn new(what: &'static str) -> Self {
        HttpError(what)
    }
}

/// How a body ends (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// After so many bytes.
    Length(u64),
    /// With a chunk of no bytes.
    Chunked,
    /// With the connection.
    Close,
}

/// What the head of a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The status code.
    pub status: u16,
    /// How the body that follows is framed. It is the body of a response to anything but HEAD or CONNECT.
    pub framing: Framing,
    /// Whether the connection can carry another request once the body is over.
    pub persistent: bool,
}

/// The end of the head that `bytes` begin with, behind its blank line; `None` when it is not all there. The first
/// `searched` bytes are known not to hold it.
#[must_use]
pub fn head_end(bytes: &[u8], searched: usize) -> Option<usize> {
    // The blank line may have begun in what was searched.
    let from = searched.saturating_sub(3);
    let rest = bytes.get(from..)?;
    memchr::memchr_iter(b'\n', rest).find_map(|feed| match rest.get(feed + 1..)? {
        [b'\n', ..] => Some(from + feed + 2),
        [b'\r', b'\n', ..] => Some(from + feed + 3),
        _ => None,
    })
}

impl ResponseHead {
    /// Reads a whole head, and gives each field's name, as it is written, and value to `field`.
    ///
    /// # Errors
    /// When it is malformed, too long, or its framing is not one that two readers agree about.
    pub fn parse<'h>(head: &'h [u8], mut field: impl FnMut(&'h str, &'h [u8])) -> Result<Self, HttpError> {
        if head.len() > MAX_HEAD_BYTES {
            return Err(HttpError("the head of the response is too long"));
        }
        // Four kilobytes that are not written before they are used.
        let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            head,
            &mut fields,
        ) {
            Ok(httparse::Status::Complete(length)) if length == head.len() => {}
            Err(httparse::Error::TooManyHeaders) => {
                return Err(HttpError("the response has too many header fields"));
            }
            Ok(_) | Err(_) => return Err(HttpError("the response is not HTTP/1.1")),
        }
        let (Some(status), Some(version)) = (response.code, response.version) else {
            return Err(HttpError("the response is not HTTP/1.1"));
        };
        let mut said = Said::default();
        for header in response.headers.iter() {
            said.field(header.name, header.value)?;
            field(header.name, header.value);
        }
        let bodiless = matches!(status, 100..=199 | 204 | 304);
        let framing = match said {
            _ if bodiless => Framing::Length(0),
            Said { chunked: true, .. } => Framing::Chunked,
            Said { length: Some(length), .. } => Framing::Length(length),
            Said { .. } => Framing::Close,
        };
        // Both framings at once: the chunks count, and what follows them is not believed (section 6.3, rule 3).
        let both = said.chunked && (said.length.is_some() || version == 0);
        // Nor what follows a head that claims a body which it cannot have, or that leaves HTTP.
        let claimed = said.chunked || said.length.is_some_and(|length| length > 0);
        // A lone line feed ends a line too (section 2.2), but not for every reader.
        let mut feeds = memchr::memchr_iter(b'\n', head);
        let lone = feeds.any(|at| at.checked_sub(1).and_then(|at| head.get(at)) != Some(&b'\r'));
        let doubtful = both || lone || status == 101 || bodiless && claimed;
        let kept = !said.close && (version == 1 || said.keep_alive);
        let persistent = kept && !doubtful && framing != Framing::Close;
        Ok(ResponseHead { status, framing, persistent })
    }
}

/// What the fields say of framing and connection.
#[derive(Clone, Copy, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
}

impl Said {
    fn field(&mut self, name: &str, value: &[u8]) -> Result<(), HttpError> {
        if name.eq_ignore_ascii_case("content-length") {
            for part in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                let length = decimal(part).ok_or(HttpError("the response's content-length is no number"))?;
                if self.length.replace(length).is_some_and(|earlier| earlier != length) {
                    return Err(HttpError("the response has two content-lengths"));
                }
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            // We ask for none, and a second coding would hide the text from inspection.
            if self.chunked || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(HttpError("the response's transfer-encoding is not `chunked`"));
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case("connection") {
            for option in value.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
                self.close |= option.eq_ignore_ascii_case(b"close");
                self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

/// Takes a body out of its framing.
#[derive(Debug)]
pub struct BodyReader {
    state: State,
    /// Bytes of extensions or trailers since the last data.
    unread: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Length(u64),
    Close,
    /// In the digits of a chunk's size.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind them: spaces and extensions.
    Extension {
        size: u64,
    },
    /// Before the line feed of a chunk's size.
    SizeEnd {
        size: u64,
    },
    Data(u64),
    /// Before the line break behind the data, and in it.
    DataEnd,
    DataFeed,
    /// At the start of a line of the trailers, and in one.
    Trailer,
    TrailerLine,
    /// Before the last line feed.
    LastFeed,
    Done,
}

impl BodyReader {
    /// A reader of the body behind this head.
    #[must_use]
    pub const fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Size { size: 0, digits: 0 },
            Framing::Close => State::Close,
        };
        BodyReader { state, unread: 0 }
    }

    /// Whether the body is over. What `buffer` holds then is not of this response.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes all data of the body that is in the buffer, as one piece; `None` when there is none yet.
    ///
    /// # Errors
    /// When the framing is broken, or its unread parts are too long. There is no more data then.
    pub fn take(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, HttpError> {
        let there = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let length = match self.state {
            State::Done => return Ok(None),
            State::Close => buffer.len(),
            State::Length(left) if left > there => {
                self.state = State::Length(left - there);
                buffer.len()
            }
            State::Length(left) => {
                self.state = State::Done;
                // No more than what is there.
                usize::try_from(left).unwrap_or(buffer.len())
            }
            _ => return self.chunks(buffer),
        };
        Ok(piece(buffer, length))
    }

    /// The connection was closed by the other side.
    ///
    /// # Errors
    /// When the body was not over.
    pub fn close(&mut self) -> Result<(), HttpError> {
        match self.state {
            State::Done | State::Close => {
                self.state = State::Done;
                Ok(())
            }
            _ => Err(HttpError("the response was cut")),
        }
    }

    /// Moves the data of all chunks together, to the front of the buffer.
    fn chunks(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, HttpError> {
        let (mut read, mut written) = (0, 0);
        while self.state != State::Done {
            if let State::Data(left) = self.state {
                let here = usize::try_from(left).map_or(buffer.len(), |left| left.saturating_add(read));
                let end = here.min(buffer.len());
                buffer.copy_within(read..end, written);
                let taken = end - read;
                (read, written) = (end, written + taken);
                let left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                self.state = if left == 0 { State::DataEnd } else { State::Data(left) };
                if left > 0 {
                    break;
                }
            } else {
                let Some(byte) = buffer.get(read) else { break };
                self.state = self.step(*byte)?;
                read += 1;
            }
        }
        let data = piece(buffer, written);
        buffer.advance(read - written);
        Ok(data)
    }

    /// One byte of the framing (RFC 9112, section 7.1).
    fn step(&mut self, byte: u8) -> Result<State, HttpError> {
        const BROKEN: HttpError = HttpError("the response's chunks are broken");
        Ok(match (self.state, byte) {
            (State::Size { digits: 1.., size }, b'\r') | (State::Extension { size }, b'\r') => {
                State::SizeEnd { size }
            }
            (State::Size { digits: 1.., size }, b' ' | b'\t' | b';') => {
                self.skip(State::Extension { size })?
            }
            (State::Size { size, digits: digits @ 0..16 }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(BROKEN)?;
                State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Extension { .. }, b'\n') => return Err(BROKEN),
            (State::Extension { size }, _) => self.skip(State::Extension { size })?,
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailer,
            (State::SizeEnd { size }, b'\n') => {
                self.unread = 0;
                State::Data(size)
            }
            (State::DataEnd, b'\r') => State::DataFeed,
            (State::DataFeed, b'\n') => State::Size { size: 0, digits: 0 },
            (State::Trailer, b'\r') => State::LastFeed,
            (State::TrailerLine, b'\n') => State::Trailer,
            (State::Trailer | State::TrailerLine, _) if byte != b'\n' => self.skip(State::TrailerLine)?,
            (State::LastFeed, b'\n') => State::Done,
            _ => return Err(BROKEN),
        })
    }

    fn skip(&mut self, next: State) -> Result<State, HttpError> {
        self.unread += 1;
        if self.unread > MAX_UNREAD_BYTES {
            return Err(HttpError("the response's chunk extensions or trailers are too long"));
        }
        Ok(next)
    }
}

/// The first bytes of the buffer, taken out of it; `None` where they are none.
fn piece(buffer: &mut BytesMut, length: usize) -> Option<Bytes> {
    if length > COPIED_BYTES {
        return Some(buffer.split_to(length).freeze());
    }
    let copied = buffer.get(..length).filter(|data| !data.is_empty()).map(Bytes::copy_from_slice)?;
    buffer.advance(length);
    Some(copied)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(head: &str) -> Result<ResponseHead, HttpError> {
        ResponseHead::parse(head.as_bytes(), |_, _| ())
    }

    /// Everything that a reader gives of these bytes, in pieces of this size, and what it leaves.
    fn read(framing: Framing, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, Vec<u8>, bool), HttpError> {
        let (mut reader, mut buffer, mut data) = (BodyReader::new(framing), BytesMut::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            buffer.extend_from_slice(piece);
            while let Some(more) = reader.take(&mut buffer)? {
                data.extend_from_slice(&more);
            }
        }
        Ok((data, buffer.to_vec(), reader.is_done()))
    }

    #[test]
    fn small_pieces_leave_the_memory_to_the_next_answer() {
        let mut buffer = BytesMut::with_capacity(2 * COPIED_BYTES);
        let (place, mut held) = (buffer.as_ptr(), Vec::new());
        for length in [700, COPIED_BYTES, 1, COPIED_BYTES + 1] {
            assert_eq!(buffer.as_ptr(), place, "before {length}");
            buffer.extend_from_slice(&vec![7; length]);
            let mut reader = BodyReader::new(Framing::Length(u64::try_from(length).unwrap()));
            held.push(reader.take(&mut buffer).unwrap().unwrap());
            buffer.reserve(2 * COPIED_BYTES);
        }
        assert_ne!(buffer.as_ptr(), place, "the long piece took it");
        assert_eq!(held.iter().map(Bytes::len).sum::<usize>(), 700 + 2 * COPIED_BYTES + 2);
    }

    #[test]
    fn a_head_ends_at_its_blank_line_however_it_is_cut() {
        let head = b"HTTP/1.1 200 OK\r\na: b\r\n\r\nbody\r\n\r\n";
        for cut in 0..=head.len() {
            let found = head_end(&head[..cut], 0);
            assert_eq!(found, (cut >= 25).then_some(25), "{cut}");
            if found.is_none() {
                assert_eq!(head_end(head, cut), Some(25), "searched {cut}");
            }
        }
        assert_eq!(head_end(b"HTTP/1.1 200 OK\n\n", 0), Some(17));
    }

    #[test]
    fn framing_is_what_section_6_3_says() {
        let framing = |fields: &str| {
            parse(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n")).map(|h| (h.framing, h.persistent))
        };
        assert_eq!(framing(""), Ok((Framing::Close, false)));
        assert_eq!(framing("Content-Length: 5\r\n"), Ok((Framing::Length(5), true)));
        assert_eq!(framing("content-length: 5, 5\r\nContent-Length: 5\r\n"), Ok((Framing::Length(5), true)));
        assert_eq!(
            framing("content-length: 5\r\nconnection: x, Close\r\nconnection: keep-alive\r\n"),
            Ok((Framing::Length(5), false))
        );
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n"), Ok((Framing::Chunked, true)));
        assert_eq!(
            framing("transfer-encoding: chunked\r\ncontent-length: 3\r\n"),
            Ok((Framing::Chunked, false))
        );
        for bad in [
            "content-length: 5\r\ncontent-length: 6\r\n",
            "content-length: +5\r\n",
            "content-length: 0x5\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "transfer-encoding : chunked\r\n",
            "a: b\r\n folded\r\n",
        ] {
            assert!(framing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn old_servers_close_unless_they_say_otherwise() {
        let persistent = |head: &str| parse(head).map(|h| h.persistent);
        assert_eq!(persistent("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n"), Ok(false));
        assert_eq!(
            persistent("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\n"),
            Ok(true)
        );
        assert_eq!(
            persistent("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n"),
            Ok(false)
        );
        for status in [100, 103, 204, 304] {
            let head = parse(&format!("HTTP/1.1 {status} x\r\ncontent-length: 9\r\n\r\n"));
            assert_eq!(head.map(|h| (h.framing, h.persistent)), Ok((Framing::Length(0), false)));
        }
        assert_eq!(persistent("HTTP/1.1 204 x\r\n\r\n"), Ok(true));
        assert_eq!(persistent("HTTP/1.1 101 x\r\n\r\n"), Ok(false));
    }

    #[test]
    fn a_head_with_lone_line_feeds_is_read_and_what_follows_its_body_is_not_believed() {
        for head in [
            "HTTP/1.1 200 OK\ncontent-length: 5\n\n",
            "HTTP/1.1 200 OK\ncontent-length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 5\n\r\n",
        ] {
            let read = parse(head).map(|h| (h.framing, h.persistent));
            assert_eq!(read, Ok((Framing::Length(5), false)), "{head:?}");
        }
    }

    #[test]
    fn what_is_no_head_is_an_error() {
        for bad in [
            "HTTP/2 200 OK\r\n\r\n",
            "hello\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
        let many = "a: b\r\n".repeat(MAX_FIELDS + 1);
        assert!(parse(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
        let long = "b".repeat(MAX_HEAD_BYTES);
        assert!(parse(&format!("HTTP/1.1 200 OK\r\na: {long}\r\n\r\n")).is_err());
    }

    #[test]
    fn chunks_that_arrived_together_are_one_piece() {
        let mut buffer = BytesMut::from(&b"3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nt: u\r\n\r\nrest"[..]);
        let mut reader = BodyReader::new(Framing::Chunked);
        assert_eq!(reader.take(&mut buffer), Ok(Some(Bytes::from_static(b"abcdefg"))));
        assert!(reader.is_done() && buffer[..] == b"rest"[..]);
        assert_eq!(reader.take(&mut buffer), Ok(None));
    }

    #[test]
    fn sizes_may_be_padded_in_every_chunk_of_a_long_stream() {
        let wire = format!("{}0\r\n\r\n", "3      ;a=b\r\nabc\r\n".repeat(MAX_UNREAD_BYTES));
        let (data, rest, over) = read(Framing::Chunked, wire.as_bytes(), 1000).expect("a body");
        assert_eq!((data.len(), rest.len(), over), (3 * MAX_UNREAD_BYTES, 0, true));
    }

    #[test]
    fn broken_chunks_are_errors() {
        for bad in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3 x\nabc",
            "0\r\n\n",
            "11111111111111111\r\n",
            "+3\r\nabc\r\n",
            "0x3\r\nabc\r\n",
            " 3\r\nabc\r\n",
            "3\r\rabc",
        ] {
            assert!(read(Framing::Chunked, bad.as_bytes(), 64).is_err(), "{bad:?}");
        }
        let long = format!("3;{}\r\nabc", "e".repeat(MAX_UNREAD_BYTES + 1));
        assert!(read(Framing::Chunked, long.as_bytes(), 64).is_err());
        let trailers = format!("0\r\n{}\r\n", "t: u\r\n".repeat(MAX_UNREAD_BYTES / 4));
        assert!(read(Framing::Chunked, trailers.as_bytes(), 64).is_err());
    }

    #[test]
    fn a_body_that_is_cut_is_not_over() {
        let mut reader = BodyReader::new(Framing::Length(3));
        assert_eq!(reader.take(&mut BytesMut::from("ab")), Ok(Some(Bytes::from_static(b"ab"))));
        assert!(reader.close().is_err());
        assert!(BodyReader::new(Framing::Chunked).close().is_err());
        let mut reader = BodyReader::new(Framing::Close);
        assert!(reader.close().is_ok() && reader.is_done());
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
                               extension in "[ -~&&[^\r\n]]{0,8}", trailers in 0_usize..3,
                               piece in 1_usize..50, rest in prop::collection::vec(any::<u8>(), 0..9)) {
            let mut wire = Vec::new();
            for (n, chunk) in chunks.iter().enumerate() {
                let extension = if n % 2 == 0 { format!(";{extension}") } else { String::new() };
                wire.extend_from_slice(format!("{:X}{extension}\r\n", chunk.len()).as_bytes());
                wire.extend_from_slice(chunk);
                wire.extend_from_slice(b"\r\n");
            }
            wire.extend_from_slice(b"000\r\n");
            wire.extend_from_slice(&b"x: y\r\n".repeat(trailers));
            wire.extend_from_slice(b"\r\n");
            let whole = chunks.concat();
            let mut followed = wire.clone();
            followed.extend_from_slice(&rest);
            prop_assert_eq!(read(Framing::Chunked, &followed, piece), Ok((whole.clone(), rest.clone(), true)));
            for cut in 0..wire.len() {
                let (data, _, done) = read(Framing::Chunked, &wire[..cut], piece).expect("not broken, only cut");
                prop_assert!(!done && whole.starts_with(&data));
            }
            let length = u64::try_from(whole.len()).unwrap_or(0);
            let mut followed = whole.clone();
            followed.extend_from_slice(&rest);
            prop_assert_eq!(read(Framing::Length(length), &followed, piece), Ok((whole, rest, true)));
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), piece in 1_usize..50) {
            let _ = ResponseHead::parse(&bytes, |_, _| ());
            let _ = head_end(&bytes, piece);
            let _ = read(Framing::Chunked, &bytes, piece);
        }
    }
}
