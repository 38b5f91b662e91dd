//! One request after the other, as somebody who is signed in.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::shell::Fallible;

/// Whoever asks.
pub(super) struct Visitor {
    address: SocketAddr,
    cookie: Option<String>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Visitor {
    pub(super) fn nobody(address: SocketAddr) -> Self {
        Visitor { address, cookie: None }
    }

    pub(super) fn with(address: SocketAddr, cookie: &str) -> Self {
        Visitor { address, cookie: Some(cookie.to_owned()) }
    }

    pub(super) fn get(&self, path: &str) -> Fallible<Answer> {
        self.send("GET", path, "")
    }

    pub(super) fn post(&self, path: &str, form: &str) -> Fallible<Answer> {
        self.send("POST", path, form)
    }

    fn send(&self, method: &str, path: &str, form: &str) -> Fallible<Answer> {
        let failed = |e: std::io::Error| format!("`{method} {path}`: {e}");
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(2)).map_err(failed)?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).map_err(failed)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        if let Some(cookie) = &self.cookie {
            head.push_str(&format!("cookie: {cookie}\r\n"));
        }
        if method == "POST" {
            let kind = "application/x-www-form-urlencoded";
            head.push_str(&format!("content-type: {kind}\r\ncontent-length: {}\r\n", form.len()));
        }
        // In one write: a second one would wait for the first to be acknowledged.
        stream.write_all(format!("{head}\r\n{form}").as_bytes()).map_err(failed)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map_err(failed)?;
        parse(&bytes).ok_or_else(|| format!("`{method} {path}` has no answer"))
    }
}

/// An answer whose body ends with its connection.
fn parse(bytes: &[u8]) -> Option<Answer> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(bytes.get(..end)?).into_owned();
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Some(Answer { status, headers, body: bytes.get(end + 4..)?.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_head_and_body() {
        let answer = parse(b"HTTP/1.1 303 See Other\r\nSet-Cookie: a=b; Path=/\r\n\r\nbody").expect("parses");
        assert_eq!((answer.status, answer.header("set-cookie")), (303, Some("a=b; Path=/")));
        assert_eq!(answer.text(), "body");
        assert!(parse(b"HTTP/1.1 200").is_none());
    }
}
