//! One connection of the mock: requests in, steps out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::ask::Ask;
use super::reply::{Reply, Step};
use super::scenario::Scenario;
use super::{Received, Shared};
use crate::http1::{BodyLength, Dechunker, Head, Malformed, parse_length};

/// Largest request body, in bytes: the mock keeps it in memory.
const MAX_BODY: usize = 256 << 20;

/// What becomes of the connection after a reply.
enum After {
    Next,
    Over,
}

struct Request {
    method: String,
    target: String,
    scenario: Option<String>,
    /// Filled only when requests are recorded.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
    close: bool,
}

/// Answers requests until the client leaves or a scenario ends the connection.
pub(crate) async fn serve(mut stream: TcpStream, shared: Arc<Shared>) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(16 * 1024);
    while let Some(request) = read_request(&mut stream, &mut buffer, shared.config.record).await? {
        let close = request.close;
        let answer = answer(&request, &shared);
        // Questions about the mock itself are not counted.
        let counted = !request.target.starts_with("/mock/");
        shared.requests.fetch_add(u64::from(counted), Ordering::Relaxed);
        if shared.config.record && counted {
            shared.record(Received {
                method: request.method,
                path: request.target,
                headers: request.fields,
                body: request.body,
            });
        }
        let after = match answer {
            Answer::Ready(bytes) => {
                stream.write_all(&bytes).await?;
                After::Next
            }
            Answer::Steps(steps) => perform(&mut stream, &mut buffer, &steps, &shared).await?,
        };
        if close || matches!(after, After::Over) {
            break;
        }
    }
    Ok(())
}

enum Answer {
    Ready(bytes::Bytes),
    Steps(Vec<Step>),
}

fn answer(request: &Request, shared: &Shared) -> Answer {
    if let Some(reply) = shared.take_next() {
        return Answer::Steps(reply.steps());
    }
    let path = request.target.split('?').next().unwrap_or_default();
    match (request.method.as_str(), path) {
        ("POST", "/v1/chat/completions" | "/chat/completions") => {}
        ("GET", "/v1/models" | "/models") => return Answer::Ready(shared.models.clone()),
        ("GET", "/mock/stats") => return Answer::Steps(Reply::json(200, &shared.stats()).steps()),
        ("GET", "/mock/last") => return Answer::Steps(Reply::json(200, &shared.last_body()).steps()),
        ("GET", "/healthz") => return Answer::Steps(Reply::new(200, "text/plain", "ok\n").steps()),
        _ => {
            let message = format!("no such route: `{} {path}`", request.method);
            return Answer::Steps(Reply::error(404, &message, "invalid_request_error", None).steps());
        }
    }
    let Some(ask) = Ask::read(&request.body) else {
        let reply = Reply::error(400, "the body is not a chat request", "invalid_request_error", None);
        return Answer::Steps(reply.steps());
    };
    if let Some(reply) = shared.scripted(&ask.model) {
        return Answer::Steps(reply.steps());
    }
    if request.scenario.is_none() && ask.is_common() {
        return match (ask.stream, &shared.paced) {
            (false, _) => Answer::Ready(shared.json.clone()),
            (true, None) => Answer::Ready(shared.stream.clone()),
            (true, Some(steps)) => Answer::Steps(steps.clone()),
        };
    }
    let scenario = Scenario::of(request.scenario.as_deref().unwrap_or(&ask.model));
    Answer::Steps(scenario.reply(&ask, &request.body, shared.config.events).steps())
}

async fn perform(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    steps: &[Step],
    shared: &Shared,
) -> io::Result<After> {
    for step in steps {
        let left = match step {
            Step::Write(bytes) => stream.write_all(bytes).await.is_err(),
            Step::Pause(wait) => tokio::time::timeout(*wait, client_leaves(stream, buffer)).await.is_ok(),
            Step::Hang => {
                client_leaves(stream, buffer).await;
                true
            }
            Step::Close => return Ok(After::Over),
            Step::Reset => {
                // What was written so far should reach the client before the RST discards the rest of the queue.
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                stream.set_zero_linger()?;
                return Ok(After::Over);
            }
        };
        if left {
            shared.abandoned.fetch_add(1, Ordering::Relaxed);
            return Ok(After::Over);
        }
    }
    Ok(After::Next)
}

/// Waits until the client closes its side. Bytes of a next request are kept.
async fn client_leaves(stream: &TcpStream, buffer: &mut Vec<u8>) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        match stream.try_read_buf(buffer) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            Ok(_) | Err(_) => {}
        }
    }
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<usize> {
    use tokio::io::AsyncReadExt;
    stream.read_buf(buffer).await
}

/// The next request, or `None` when the client is done.
async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    record: bool,
) -> io::Result<Option<Request>> {
    let (mut request, length, expects, used) = loop {
        if let Some(head) = Head::find(buffer).map_err(bad)? {
            let (request, length, expects) = read_head(&head, record).map_err(bad)?;
            break (request, length, expects, head.length);
        }
        if fill(stream, buffer).await? == 0 {
            return Ok(None);
        }
    };
    buffer.drain(..used);
    if expects {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    match length {
        BodyLength::Exactly(length) if length > MAX_BODY => return Err(bad(Malformed)),
        BodyLength::Exactly(length) => {
            while buffer.len() < length {
                if fill(stream, buffer).await? == 0 {
                    return Ok(None);
                }
            }
            request.body.extend_from_slice(buffer.get(..length).unwrap_or_default());
            buffer.drain(..length);
        }
        BodyLength::Chunked => {
            let mut decoder = Dechunker::default();
            loop {
                let used = decoder.feed(buffer, |data| request.body.extend_from_slice(data)).map_err(bad)?;
                buffer.drain(..used);
                if decoder.is_done() {
                    break;
                }
                if request.body.len() > MAX_BODY {
                    return Err(bad(Malformed));
                }
                if fill(stream, buffer).await? == 0 {
                    return Ok(None);
                }
            }
        }
        BodyLength::UntilClose => {}
    }
    Ok(Some(request))
}

fn read_head(head: &Head<'_>, record: bool) -> Result<(Request, BodyLength, bool), Malformed> {
    let (method, target) = head.request_line()?;
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        scenario: None,
        fields: Vec::new(),
        body: Vec::new(),
        close: false,
    };
    let mut length = BodyLength::Exactly(0);
    let mut expects = false;
    for (name, value) in head.fields() {
        if name.eq_ignore_ascii_case(b"content-length") {
            length = BodyLength::Exactly(parse_length(value)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            length = BodyLength::Chunked;
        } else if name.eq_ignore_ascii_case(b"expect") {
            expects = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            request.close = value.eq_ignore_ascii_case(b"close");
        } else if name.eq_ignore_ascii_case(b"x-mock-scenario") {
            request.scenario = Some(String::from_utf8_lossy(value).into_owned());
        }
        if record {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            request.fields.push((text(name).to_ascii_lowercase(), text(value)));
        }
    }
    Ok((request, length, expects))
}

fn bad(_: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the request is not HTTP/1.1")
}
