//! The real binary in front of a scripted upstream, asked over real sockets.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "each test binary uses its part of the rig"
)]

pub mod console;
pub mod model;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bastide_testkit::{BastideProcess, MockConfig, MockUpstream};
use serde_json::Value;

/// A server, its upstream and a key.
pub struct Rig {
    pub mock: MockUpstream,
    pub server: BastideProcess,
    pub key: String,
    pub folder: tempfile::TempDir,
}

impl Rig {
    pub fn enforcing() -> Rig {
        Rig::with_guard("enforce")
    }

    pub fn with_guard(mode: &str) -> Rig {
        Rig::with(&["--guard", mode])
    }

    pub fn with(arguments: &[&str]) -> Rig {
        let mock = MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() })
            .expect("a mock upstream");
        let folder = bastide_testkit::temp_folder().expect("a folder");
        let mut builder = BastideProcess::on(folder.path()).upstream(&mock.base_url());
        for argument in arguments {
            builder = builder.argument(argument);
        }
        let server = builder.start().expect("the server starts");
        let key = server.create_key("test").expect("a key").key;
        Rig { mock, server, key, folder }
    }

    /// Another command on the same data folder.
    pub fn command(&self, arguments: &[&str]) -> std::process::Output {
        let data = self.folder.path().to_string_lossy().into_owned();
        let all: Vec<&str> = arguments.iter().copied().chain(["--data", &data]).collect();
        self.server.run(&all).expect("the binary runs")
    }

    /// The log's entries.
    pub fn entries(&self) -> Vec<Value> {
        let output = self.command(&["audit", "tail", "-n", "100000", "--json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// A key with these further arguments of `key create`.
    pub fn make_key(&self, name: &str, arguments: &[&str]) -> String {
        let all: Vec<&str> = ["key", "create", name, "--json"].iter().chain(arguments).copied().collect();
        let output = self.command(&all);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        made["key"].as_str().expect("a key").to_owned()
    }

    /// Asks for a stream and leaves the rest to the caller.
    pub fn stream(&self, key: &str, model: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address()).expect("connects");
        self.ask_for_stream(&mut stream, key, model);
        stream
    }

    /// The same on a connection that is there.
    pub fn ask_for_stream(&self, stream: &mut TcpStream, key: &str, model: &str) {
        let body =
            serde_json::json!({"model":model,"stream":true,"messages":[{"role":"user","content":"hi"}]});
        let body = body.to_string();
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {key}\r\ncontent-length: {}\r\n\
             connection: close\r\n\r\n{body}",
            self.address(),
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sent");
    }

    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    pub fn chat(&self, body: &str) -> Answer {
        self.post("/v1/chat/completions", body)
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        send(self.address(), "POST", path, &[("authorization", &bearer)], body.as_bytes())
    }

    pub fn get(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        send(self.address(), "GET", path, &[("authorization", &bearer)], b"")
    }
}

/// Runs the binary without a server, in an environment without our variables.
pub fn bastide(arguments: &[&str], variables: &[(&str, &str)]) -> std::process::Output {
    bastide_told(arguments, variables, "")
}

/// The same, with this on its standard input.
pub fn bastide_told(arguments: &[&str], variables: &[(&str, &str)], input: &str) -> std::process::Output {
    let binary = bastide_testkit::find_binary("bastide").expect("a binary");
    #[allow(clippy::disallowed_methods, reason = "running the binary is what is tested")]
    let mut command = std::process::Command::new(binary);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BASTIDE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).envs(variables.iter().copied());
    let piped = std::process::Stdio::piped;
    let mut child = command.stdin(piped()).stdout(piped()).stderr(piped()).spawn().expect("the binary runs");
    // A command that does not read has ended before all is written.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("the binary runs")
}

/// Asks until the answer is yes.
pub fn wait_until(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) {
    let until = std::time::Instant::now() + limit;
    while !holds() {
        assert!(std::time::Instant::now() < until, "{what}: not within {limit:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The connection ended before the body did.
    pub cut: bool,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> String {
        serde_json::from_slice::<Value>(&self.body)
            .ok()
            .and_then(|v| v["error"]["code"].as_str().map(str::to_owned))
            .unwrap_or_else(|| format!("no code in: {}", self.text()))
    }
}

pub fn response_json(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_else(|e| panic!("{e}: {}", answer.text()))
}

/// One request on a connection of its own, headers as given, nothing helpful added but `host` and the length.
pub fn send(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(n, _)| n.eq_ignore_ascii_case("host")) {
        request.push_str(&format!("host: {to}\r\n"));
    }
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() || method == "POST" {
        request.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    request.push_str("\r\n");
    let mut bytes = request.into_bytes();
    bytes.extend_from_slice(body);
    raw(to, &bytes)
}

/// Raw bytes out, one response back.
pub fn raw(to: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // A server that refuses early may close before all is written; its answer counts.
    let _ = stream.write_all(bytes);
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    parse(&got)
}

fn parse(got: &[u8]) -> Answer {
    let end = got.windows(4).position(|w| w == b"\r\n\r\n");
    let Some(end) = end else {
        return Answer { status: 0, headers: Vec::new(), body: got.to_vec(), cut: true };
    };
    let head = String::from_utf8_lossy(&got[..end]).into_owned();
    let mut lines = head.lines();
    let status = lines.next().and_then(|l| l.split(' ').nth(1)).and_then(|s| s.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned()))
        .collect();
    let rest = &got[end + 4..];
    let chunked = headers.iter().any(|(n, v)| n == "transfer-encoding" && v == "chunked");
    let (body, cut) = if chunked {
        unchunk(rest)
    } else {
        let length = headers.iter().find(|(n, _)| n == "content-length").and_then(|(_, v)| v.parse().ok());
        (rest.to_vec(), length.is_some_and(|n: usize| n > rest.len()))
    };
    Answer { status, headers, body, cut }
}

fn unchunk(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|w| w == b"\r\n") else { return (body, true) };
        let size = std::str::from_utf8(&rest[..line]).ok().and_then(|s| usize::from_str_radix(s, 16).ok());
        let Some(size) = size else { return (body, true) };
        rest = &rest[line + 2..];
        if size == 0 {
            return (body, false);
        }
        if rest.len() < size + 2 {
            body.extend_from_slice(rest);
            return (body, true);
        }
        body.extend_from_slice(&rest[..size]);
        rest = &rest[size + 2..];
    }
}
