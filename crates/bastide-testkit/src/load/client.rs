//! One connection of the load: writes a prepared request, reads the reply to its end, counts.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use memchr::memmem;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::http1::{BodyLength, Dechunker, Head, Malformed, parse_length};

/// How one request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No connection.
    Connect,
    /// The connection ended before the reply began.
    NoReply,
    /// The connection ended inside the reply.
    Cut,
    /// The reply was not HTTP.
    Malformed,
    /// The stream ended in good order, but without `[DONE]`.
    NoDone,
    /// The status was not 200.
    Status(u16),
    /// It took too long.
    Timeout,
}

/// One reply.
#[derive(Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) first_byte: Option<Instant>,
    pub(crate) body_bytes: u64,
    /// The receipt that the reply carried, in its head or as a comment of the stream.
    pub(crate) receipt: Option<String>,
}

/// What to expect of a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expect {
    pub(crate) stream: bool,
    /// Keeps the decoded body to look for a receipt.
    pub(crate) receipts: bool,
}

/// A connection that reconnects when it has to.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

const RECEIPT: &str = "bastide-receipt";

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client { address, stream: None, buffer: Vec::with_capacity(64 * 1024) }
    }

    /// Sends `request` and reads the reply to its end. A receipt that arrived before a failure is in `exchange`.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        expect: Expect,
        exchange: &mut Exchange,
    ) -> Result<(), Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(self.address).await.map_err(|_| Failure::Connect)?,
        };
        self.buffer.clear();
        stream.write_all(request).await.map_err(|_| Failure::NoReply)?;
        let reusable = self.read_reply(&mut stream, expect, exchange).await?;
        if reusable {
            self.stream = Some(stream);
        }
        Ok(())
    }

    /// Forgets the connection, and with it an unread reply.
    pub(crate) fn hang_up(&mut self) {
        self.stream = None;
    }

    async fn read_reply(
        &mut self,
        stream: &mut TcpStream,
        expect: Expect,
        exchange: &mut Exchange,
    ) -> Result<bool, Failure> {
        let (status, length, used, mut reusable) = loop {
            if let Some(head) = Head::find(&self.buffer).map_err(malformed)? {
                let status = head.status().map_err(malformed)?;
                let (length, reusable, receipt) = framing(&head).map_err(malformed)?;
                exchange.receipt = receipt;
                break (status, length, head.length, reusable);
            }
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return Err(Failure::NoReply),
                Ok(_) => {}
            }
        };
        let mut body = Body::new(length, expect);
        let mut at = used;
        loop {
            let received = self.buffer.get(at..).unwrap_or_default();
            if !received.is_empty() && exchange.first_byte.is_none() {
                exchange.first_byte = Some(Instant::now());
            }
            body.feed(received).map_err(malformed)?;
            if body.is_done() {
                break;
            }
            self.buffer.clear();
            at = 0;
            match stream.read_buf(&mut self.buffer).await {
                Ok(0) if length == BodyLength::UntilClose => {
                    reusable = false;
                    break;
                }
                Ok(0) | Err(_) => {
                    exchange.receipt = exchange.receipt.take().or_else(|| body.receipt());
                    return Err(Failure::Cut);
                }
                Ok(_) => {}
            }
        }
        exchange.body_bytes = body.bytes;
        exchange.receipt = exchange.receipt.take().or_else(|| body.receipt());
        match status {
            200 if expect.stream && !body.saw_done() => Err(Failure::NoDone),
            200 => Ok(reusable),
            other => {
                if reusable {
                    // A refusal ends an exchange in good order; the connection stays good, but a closed-loop client
                    // that went on at once would only measure refusals.
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                Err(Failure::Status(other))
            }
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn malformed(_: Malformed) -> Failure {
    Failure::Malformed
}

fn framing(head: &Head<'_>) -> Result<(BodyLength, bool, Option<String>), Malformed> {
    let mut length = BodyLength::UntilClose;
    let mut reusable = true;
    let mut receipt = None;
    for (name, value) in head.fields() {
        if name.eq_ignore_ascii_case(b"content-length") {
            length = BodyLength::Exactly(parse_length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            length = BodyLength::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") {
            reusable = !value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(RECEIPT.as_bytes()) {
            receipt = Some(String::from_utf8_lossy(value).into_owned());
        }
    }
    Ok((length, reusable, receipt))
}

/// A body under way.
struct Body {
    left: Left,
    expect: Expect,
    bytes: u64,
    /// The last decoded bytes, enough to see `[DONE]`; all of them when receipts are wanted.
    tail: Vec<u8>,
}

enum Left {
    Bytes(usize),
    Chunks(Dechunker),
    Unknown,
}

/// `data: [DONE]` with the blank lines around it.
const TAIL: usize = 48;

impl Body {
    fn new(length: BodyLength, expect: Expect) -> Self {
        let left = match length {
            BodyLength::Exactly(length) => Left::Bytes(length),
            BodyLength::Chunked => Left::Chunks(Dechunker::default()),
            BodyLength::UntilClose => Left::Unknown,
        };
        Body { left, expect, bytes: 0, tail: Vec::new() }
    }

    fn feed(&mut self, received: &[u8]) -> Result<(), Malformed> {
        let Body { left, expect, bytes, tail } = self;
        let mut sink = |data: &[u8]| {
            *bytes = bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
            if expect.receipts {
                tail.extend_from_slice(data);
            } else if expect.stream {
                let fresh = data.get(data.len().saturating_sub(TAIL)..).unwrap_or(data);
                tail.drain(..(tail.len() + fresh.len()).saturating_sub(TAIL).min(tail.len()));
                tail.extend_from_slice(fresh);
            }
        };
        match left {
            Left::Bytes(left) => {
                let data = received.get(..*left).unwrap_or(received);
                sink(data);
                *left -= data.len();
            }
            Left::Chunks(decoder) => {
                decoder.feed(received, sink)?;
            }
            Left::Unknown => sink(received),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        match &self.left {
            Left::Bytes(left) => *left == 0,
            Left::Chunks(decoder) => decoder.is_done(),
            Left::Unknown => false,
        }
    }

    fn saw_done(&self) -> bool {
        memmem::find(&self.tail, b"[DONE]").is_some()
    }

    /// A receipt in a comment of a stream: `: bastide-receipt VALUE`, with or without a second colon.
    fn receipt(&self) -> Option<String> {
        if !(self.expect.receipts && self.expect.stream) {
            return None;
        }
        let text = String::from_utf8_lossy(&self.tail);
        text.lines().rev().find_map(|line| {
            let value = line.strip_prefix(':')?.trim_start().strip_prefix(RECEIPT)?;
            Some(value.trim_start_matches([':', '=', ' ']).trim_end().to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_stream_is_seen_across_pieces_and_its_receipt_found() {
        let text = b"data: {}\n\n: bastide-receipt: abc=\n\ndata: [DONE]\n\n";
        for receipts in [false, true] {
            for cut in 0..text.len() {
                let (left, right) = text.split_at(cut);
                let mut body = Body::new(BodyLength::Exactly(text.len()), Expect { stream: true, receipts });
                body.feed(left).unwrap();
                assert!(cut == text.len() || !body.is_done());
                body.feed(right).unwrap();
                assert!(body.is_done() && body.saw_done());
                assert_eq!(body.receipt().as_deref(), receipts.then_some("abc="));
            }
        }
    }
}
