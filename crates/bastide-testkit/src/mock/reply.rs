//! A reply as the bytes, pauses and accidents that make it up.

use std::time::Duration;

use bytes::Bytes;

use super::sse::SseStyle;
use crate::http1;

/// One thing the mock does on the connection while it answers.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sends these bytes in one write.
    Write(Bytes),
    /// Waits.
    Pause(Duration),
    /// Waits until the client leaves.
    Hang,
    /// Ends the connection in good order (FIN).
    Close,
    /// Breaks the connection (RST).
    Reset,
}

/// What the mock answers to a request.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    before: Option<Duration>,
    end: Option<Step>,
}

#[derive(Clone, Debug)]
enum Body {
    Whole { bytes: Vec<u8>, sent: usize },
    Chunks(Vec<Step>),
    Raw(Vec<Step>),
}

impl Reply {
    fn with_body(status: u16, content_type: &str, body: Body) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Reply { status, headers, body, before: None, end: None }
    }

    /// A body of any type, with its length declared.
    #[must_use]
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let bytes = body.into();
        let sent = bytes.len();
        Reply::with_body(status, content_type, Body::Whole { bytes, sent })
    }

    /// JSON.
    #[must_use]
    pub fn json(status: u16, body: &str) -> Self {
        Reply::new(status, "application/json", body)
    }

    /// OpenAI's error body.
    #[must_use]
    pub fn error(status: u16, message: &str, kind: &str, code: Option<&str>) -> Self {
        let body =
            serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
        Reply::json(status, &body.to_string())
    }

    /// Server-sent events, one to an HTTP chunk and to a write.
    #[must_use]
    pub fn sse(events: &[String], style: &SseStyle) -> Self {
        Reply::stream(style.frame(events))
    }

    /// An event stream of these bytes, one entry to an HTTP chunk and to a write, cut wherever the caller likes.
    #[must_use]
    pub fn stream(chunks: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let steps = chunks.into_iter().map(|chunk| Step::Write(chunk.into())).collect();
        Reply::with_body(200, "text/event-stream; charset=utf-8", Body::Chunks(steps))
    }

    /// Steps straight onto the socket, without any HTTP around them.
    #[must_use]
    pub fn raw(steps: Vec<Step>) -> Self {
        Reply::with_body(200, "", Body::Raw(steps))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Says that the body is of this type, whatever it is.
    #[must_use]
    pub fn content_type(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", content_type)
    }

    /// Waits before the first byte.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.before = Some(wait);
        self
    }

    /// Waits between the writes of a stream.
    #[must_use]
    pub fn paced(mut self, gap: Duration) -> Self {
        if let Body::Chunks(steps) = &mut self.body {
            let paced = std::mem::take(steps).into_iter().flat_map(|step| [step, Step::Pause(gap)]);
            *steps = paced.collect();
            steps.pop();
        }
        self
    }

    /// Writes a stream in bursts of `events` events, as many of them to one write. Each stays an HTTP chunk.
    #[must_use]
    pub fn bursts(mut self, events: usize) -> Self {
        if let Body::Chunks(steps) = &mut self.body {
            let all = std::mem::take(steps);
            let burst = |group: &[Step]| {
                let mut bytes = Vec::new();
                for step in group {
                    if let Step::Write(data) = step {
                        bytes.extend_from_slice(&http1::chunk(data));
                    }
                }
                Step::Write(bytes.into())
            };
            let raw = all.chunks(events.max(1)).map(burst);
            let end = self.end.take().unwrap_or(Step::Write(Bytes::from_static(http1::LAST_CHUNK)));
            let mut steps: Vec<Step> =
                std::iter::once(Step::Write(head_of(self.status, &self.headers, None).into()))
                    .chain(raw)
                    .collect();
            steps.push(end);
            self.body = Body::Raw(merge_ends(steps));
        }
        self
    }

    /// Ends the reply by `end` after so many of its parts: bytes of a whole body, chunks of a stream. What is left is
    /// never sent.
    #[must_use]
    pub fn cut(mut self, parts: usize, end: Step) -> Self {
        match &mut self.body {
            Body::Whole { sent, .. } => *sent = parts.min(*sent),
            Body::Chunks(steps) | Body::Raw(steps) => steps.truncate(parts),
        }
        self.end = Some(end);
        self
    }

    /// The steps that send it.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        let mut out: Vec<Step> = self.before.map(Step::Pause).into_iter().collect();
        match &self.body {
            Body::Whole { bytes, sent } => {
                let mut message = head_of(self.status, &self.headers, Some(bytes.len()));
                message.extend_from_slice(bytes.get(..*sent).unwrap_or(bytes));
                out.push(Step::Write(message.into()));
            }
            Body::Chunks(steps) => {
                out.push(Step::Write(head_of(self.status, &self.headers, None).into()));
                out.extend(steps.iter().map(|step| match step {
                    Step::Write(bytes) => Step::Write(http1::chunk(bytes).into()),
                    other => other.clone(),
                }));
                if self.end.is_none() {
                    out.push(Step::Write(Bytes::from_static(http1::LAST_CHUNK)));
                }
            }
            Body::Raw(steps) => out.extend(steps.iter().cloned()),
        }
        out.extend(self.end.clone());
        out
    }
}

/// Joins the head with the first write and the last chunk with the last one, as a real server's buffers do.
fn merge_ends(steps: Vec<Step>) -> Vec<Step> {
    let mut steps = std::collections::VecDeque::from(steps);
    if let (Some(Step::Write(head)), Some(Step::Write(first))) =
        (steps.front().cloned(), steps.get(1).cloned())
    {
        steps.pop_front();
        steps.pop_front();
        steps.push_front(Step::Write([head, first].concat().into()));
    }
    let before_last = steps.len().checked_sub(2).and_then(|at| steps.get(at)).cloned();
    if let (Some(Step::Write(data)), Some(Step::Write(end))) = (before_last, steps.back().cloned()) {
        steps.pop_back();
        steps.pop_back();
        steps.push_back(Step::Write([data, end].concat().into()));
    }
    steps.into()
}

fn head_of(status: u16, headers: &[(String, String)], length: Option<usize>) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} {}\r\n", phrase(status));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    match length {
        Some(length) => head.push_str(&format!("content-length: {length}\r\n\r\n")),
        None => head.push_str("transfer-encoding: chunked\r\n\r\n"),
    }
    head.into_bytes()
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(reply: &Reply) -> String {
        let mut out = String::new();
        for step in reply.steps() {
            match step {
                Step::Write(bytes) => out.push_str(std::str::from_utf8(&bytes).unwrap()),
                other => out.push_str(&format!("<{other:?}>")),
            }
        }
        out
    }

    #[test]
    fn a_cut_body_still_declares_its_whole_length() {
        let reply = Reply::json(200, "{\"a\":1}").cut(3, Step::Close);
        assert_eq!(
            sent(&reply),
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n{\"a<Close>"
        );
    }

    #[test]
    fn a_cut_stream_has_no_last_chunk() {
        let reply = Reply::stream([b"a".to_vec(), b"b".to_vec()]).cut(1, Step::Reset);
        assert!(sent(&reply).ends_with("\r\n\r\n1\r\na\r\n<Reset>"));
        let whole = Reply::stream([b"a".to_vec(), b"b".to_vec()]);
        assert!(sent(&whole).ends_with("\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n\r\n"));
    }

    #[test]
    fn bursts_send_the_same_bytes_in_fewer_writes() {
        let reply = Reply::stream((0..10).map(|n: u8| vec![b'0' + n]));
        let burst = reply.clone().bursts(5);
        assert_eq!(sent(&reply), sent(&burst));
        assert_eq!((reply.steps().len(), burst.steps().len()), (12, 2));
    }
}
