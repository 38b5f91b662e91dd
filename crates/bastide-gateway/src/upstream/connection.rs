//! One connection to an upstream, and one exchange at a time on it.
//!
//! Read by whoever waits for the answer, in the same task: hyper's client gives each connection a task of its own, which
//! hands over one frame at a time, and a stream of a hundred events then costs two hundred switches between tasks.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bastide_wire::http1::{BodyReader, HttpError, MAX_HEAD_BYTES, ResponseHead, head_end};
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::idle::Idle;
use crate::reply::is_read;

/// Bytes that are read at once: of a head, and of a body that does not fit beside it.
const FIRST_READ: usize = 8 << 10;
const READ: usize = 32 << 10;
/// How long the end of a body may take after the last event of its stream.
const LINGER: Duration = Duration::from_secs(1);
/// Interim responses (status 1xx) before the answer.
const MOST_INTERIM: u32 = 16;

/// A connection that carries no request now, or one.
pub(super) struct Connection {
    io: TokioIo<MaybeHttpsStream<TokioIo<TcpStream>>>,
    /// What was read and belongs to nobody yet. An idle connection keeps the memory for its next head, and no more.
    buffer: BytesMut,
}

/// Why an exchange gave no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No byte of the request was taken: another connection may carry it.
    Unsent(io::Error),
    /// Part of it or all was sent.
    Sent(io::Error),
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        Failure::Sent(malformed(error))
    }
}

fn malformed(error: HttpError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

/// What is left to be sent.
struct Outgoing<'a> {
    parts: [&'a [u8]; 2],
    /// Part of it may have left.
    begun: bool,
    /// All of it has left this process, what TLS holds included.
    flushed: bool,
}

impl Outgoing<'_> {
    fn poll_send(&mut self, connection: &mut Connection, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            let slices = self.parts.map(IoSlice::new);
            // TLS may have sent records of what it then reports as failed.
            self.begun |= connection.is_encrypted();
            let mut written = ready!(Pin::new(&mut connection.io).poll_write_vectored(cx, &slices))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.begun = true;
            for part in &mut self.parts {
                let taken = written.min(part.len());
                *part = part.get(taken..).unwrap_or_default();
                written -= taken;
            }
        }
        ready!(Pin::new(&mut connection.io).poll_flush(cx))?;
        self.flushed = true;
        Poll::Ready(Ok(()))
    }

    fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.is_empty())
    }
}

impl Connection {
    pub(super) fn new(io: MaybeHttpsStream<TokioIo<TcpStream>>) -> Self {
        Connection { io: TokioIo::new(io), buffer: BytesMut::new() }
    }

    fn is_encrypted(&self) -> bool {
        matches!(self.io.inner(), MaybeHttpsStream::Https(_))
    }

    /// Whether an idle connection can carry a request: the other side has neither closed it nor said anything unasked,
    /// which the next request would take for its answer. Reads one byte at most, however much there is.
    pub(super) fn is_quiet(&self) -> bool {
        let (tcp, all_read) = match self.io.inner() {
            MaybeHttpsStream::Http(tcp) => (tcp.inner(), true),
            MaybeHttpsStream::Https(tls) => {
                // What came with the last answer may be decrypted and unread. Whatever is in the socket counts as
                // unasked: session tickets come ahead of the first answer, and records without data may have no end.
                let (tcp, session) = tls.inner().get_ref();
                (tcp.inner().inner(), session.wants_read())
            }
        };
        // Not polled: where the budget of the task is spent, everything would look like silence.
        let nothing = |read: io::Result<usize>| read.is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock);
        all_read && nothing(tcp.try_read(&mut [0]))
    }

    /// Sends a request, head and body, and reads the head of its answer; `true`: the whole request was sent.
    ///
    /// # Errors
    /// When the connection breaks or is closed, or what comes back is no answer.
    pub(super) async fn ask(&mut self, head: &[u8], body: &[u8]) -> Result<(Answer, bool), Failure> {
        let mut outgoing = Outgoing { parts: [head, body], begun: false, flushed: false };
        let (mut heads, mut answer, mut broken) = (Heads::default(), None, None);
        poll_fn(|cx| {
            if broken.is_none() && !outgoing.flushed {
                match outgoing.poll_send(self, cx) {
                    Poll::Ready(Err(error)) if !outgoing.begun => {
                        return Poll::Ready(Err(Failure::Unsent(error)));
                    }
                    Poll::Ready(Err(error)) => broken = Some(error),
                    Poll::Ready(Ok(())) | Poll::Pending => {}
                }
            }
            while answer.is_none() {
                answer = heads.next(&mut self.buffer)?;
                if answer.is_some() {
                    break;
                }
                match self.poll_fill(FIRST_READ, cx) {
                    Poll::Ready(Ok(1..)) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::Sent(error))),
                    // Also when sending failed: the refusal may be on its way, and if it is not, reading fails too.
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(0)) => {
                        let closed =
                            || io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer");
                        return Poll::Ready(Err(Failure::Sent(broken.take().unwrap_or_else(closed))));
                    }
                }
            }
            // Some servers refuse a request in the middle of its body and read no more of it. No other answer is one to
            // half a request.
            let all_sent = outgoing.flushed;
            match answer.take() {
                Some(said) if all_sent || said.is_refusal() => Poll::Ready(Ok((said, all_sent))),
                early => match broken.take() {
                    Some(error) => Poll::Ready(Err(Failure::Sent(error))),
                    None => {
                        answer = early;
                        Poll::Pending
                    }
                },
            }
        })
        .await
    }

    /// Gives back what a long answer took.
    fn trim(&mut self) {
        // Its whole capacity is seen, not only what is behind what was read.
        self.buffer.reserve(FIRST_READ);
        if self.buffer.capacity() > FIRST_READ {
            self.buffer = BytesMut::new();
        }
    }

    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.buffer.capacity()
    }

    /// Reads what there is, at most as much as the buffer has room for; 0: the other side closed.
    fn poll_fill(&mut self, room: usize, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buffer.reserve(room);
        pin!(self.io.read_buf(&mut self.buffer)).poll(cx)
    }
}

/// The head of an answer.
pub(super) struct Answer {
    head: ResponseHead,
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    fn is_refusal(&self) -> bool {
        self.status.is_client_error() || self.status.is_server_error()
    }
}

/// The heads that come before a body.
#[derive(Default)]
struct Heads {
    searched: usize,
    interim: u32,
    /// An interim response said that nothing follows this answer, or left doubt about where it ends.
    last: bool,
}

impl Heads {
    /// The head of the answer itself, taken out of the buffer once it is all there.
    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Answer>, HttpError> {
        while let Some(end) = head_end(buffer, self.searched) {
            let mut headers = HeaderMap::new();
            let mut head = ResponseHead::parse(buffer.get(..end).unwrap_or_default(), |name, value| {
                if is_read(name)
                    && let (Ok(name), Ok(value)) =
                        (HeaderName::try_from(name), HeaderValue::from_bytes(value))
                {
                    headers.append(name, value);
                }
            })?;
            buffer.advance(end);
            self.searched = 0;
            // 101 is an answer to a question that we never ask, and not followed by HTTP.
            let interim = matches!(head.status, 100 | 102..=199);
            if !interim {
                head.persistent &= !self.last;
                let status = StatusCode::from_u16(head.status).unwrap_or(StatusCode::BAD_GATEWAY);
                return Ok(Some(Answer { head, status, headers }));
            }
            self.last |= !head.persistent;
            self.interim += 1;
            if self.interim > MOST_INTERIM {
                return Err(HttpError::new("the upstream sends interim responses without end"));
            }
        }
        self.searched = buffer.len();
        if self.searched > MAX_HEAD_BYTES {
            return Err(HttpError::new("the head of the response is too long"));
        }
        Ok(None)
    }
}

/// The body of an answer, and the connection it comes from. Dropped before its end, it closes the connection: the
/// upstream stops generating.
pub(crate) struct NetworkBody {
    connection: Option<Box<Connection>>,
    reader: BodyReader,
    /// Where the connection goes when the body is over; `None`: it ends with it.
    home: Option<Arc<Idle>>,
}

impl NetworkBody {
    /// The answer with its body. The connection is used again only when the whole request was `sent`.
    pub(super) fn response(
        connection: Box<Connection>,
        answer: Answer,
        sent: bool,
        home: &Arc<Idle>,
    ) -> Response<NetworkBody> {
        let home = (sent && answer.head.persistent).then(|| Arc::clone(home));
        let reader = BodyReader::new(answer.head.framing);
        let mut response = Response::new(NetworkBody { connection: Some(connection), reader, home });
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        response
    }

    /// The next piece: all that has arrived. `None`: the body is over.
    pub(crate) fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let polled = self.poll_piece(cx);
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.connection = None;
        }
        polled
    }

    /// The answer is whole, as its last event said; the body may not be over yet. What ends it is waited for a little, so
    /// that the connection can carry the next request.
    pub(crate) fn finish(mut self) {
        // Most often it came with the last event.
        let cx = &mut Context::from_waker(Waker::noop());
        if self.home.is_some()
            && self.poll_data(cx).is_pending()
            && let Ok(runtime) = Handle::try_current()
        {
            // A piece that is no end is nobody's either, and closes the connection too.
            runtime.spawn(async move { timeout(LINGER, poll_fn(|cx| self.poll_data(cx))).await });
        }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            let data = self.reader.take(&mut connection.buffer).map_err(malformed)?;
            if self.reader.is_done() {
                self.release();
            }
            if let Some(data) = data {
                return Poll::Ready(Some(Ok(data)));
            }
            let Some(connection) = &mut self.connection else { return Poll::Ready(None) };
            if ready!(connection.poll_fill(READ, cx))? == 0 {
                self.reader.close().map_err(malformed)?;
                self.connection = None;
            }
        }
    }

    /// The body is over: the connection waits for the next request, unless something follows that nobody asked for.
    fn release(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && let Some(home) = &self.home
            && connection.buffer.is_empty()
        {
            connection.trim();
            home.put(connection);
        }
    }
}

impl std::fmt::Debug for NetworkBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkBody").field("reader", &self.reader).finish_non_exhaustive()
    }
}
