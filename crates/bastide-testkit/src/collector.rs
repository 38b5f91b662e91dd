//! A receiver of OTLP over HTTP that keeps what it gets, or misbehaves.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Received;
use crate::http1::{Head, parse_length};

/// What a collector does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CollectorMode {
    /// Keeps it and answers with this status.
    Answers(u16),
    /// Keeps it and never answers.
    Silent,
}

/// A running collector. Its thread ends with the process: nothing waits for it.
#[derive(Debug)]
pub struct Collector {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    mode: Arc<Mutex<CollectorMode>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector {
    /// Starts one on a free port of loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(mode: CollectorMode) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (received, mode) = (Arc::default(), Arc::new(Mutex::new(mode)));
        let (kept, asked) = (Arc::clone(&received), Arc::clone(&mode));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, asked) = (Arc::clone(&kept), Arc::clone(&asked));
                // A connection that breaks has said all it will say.
                std::thread::spawn(move || serve(stream, &kept, &asked).ok());
            }
        });
        Ok(Collector { address, received, mode })
    }

    /// The base URL, as `OTEL_EXPORTER_OTLP_ENDPOINT` takes it.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on, does this.
    pub fn set(&self, mode: CollectorMode) {
        *locked(&self.mode) = mode;
    }

    /// What it got so far, oldest first.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        locked(&self.received).clone()
    }

    /// Waits until what it got is `enough`; `None` after `limit`.
    pub fn wait_for<T>(&self, limit: Duration, enough: impl Fn(&[Received]) -> Option<T>) -> Option<T> {
        let until = Instant::now() + limit;
        loop {
            let found = enough(&locked(&self.received));
            if found.is_some() || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn serve(
    mut stream: TcpStream,
    received: &Mutex<Vec<Received>>,
    mode: &Mutex<CollectorMode>,
) -> std::io::Result<()> {
    let malformed = |_| std::io::Error::other("no HTTP");
    let mut buffer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let (request, length) = loop {
            if let Some(head) = Head::find(&buffer).map_err(malformed)? {
                let (method, path) = head.request_line().map_err(malformed)?;
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let headers: Vec<(String, String)> =
                    head.fields().map(|(n, v)| (text(n).to_ascii_lowercase(), text(v))).collect();
                let length = headers.iter().find(|(name, _)| name == "content-length");
                let length = length.map_or(Ok(0), |(_, v)| parse_length(v.as_bytes())).map_err(malformed)?;
                let (method, path) = (method.to_owned(), path.to_owned());
                if let Some(body) = buffer.get(head.length..head.length + length) {
                    let end = head.length + length;
                    break (Received { method, path, headers, body: body.to_vec() }, end);
                }
            }
            let n = stream.read(&mut piece)?;
            if n == 0 {
                return Ok(());
            }
            buffer.extend_from_slice(piece.get(..n).unwrap_or_default());
        };
        buffer.drain(..length);
        locked(received).push(request);
        let mode = *locked(mode);
        match mode {
            CollectorMode::Answers(status) => {
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
                );
                stream.write_all(answer.as_bytes())?;
            }
            CollectorMode::Silent => {
                // Until the other side has had enough.
                while stream.read(&mut piece)? > 0 {}
                return Ok(());
            }
        }
    }
}
