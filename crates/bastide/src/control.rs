//! How commands reach a running server: one JSON line each way over a socket in the data folder.
//!
//! The socket is 0600 in a 0700 folder, and the kernel says who is at the other end: only the server's own user and
//! root are heard.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bastide_admin::{Authorized, Failure, Request};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::running::Running;

/// A request is one line: a policy file is the largest.
const LINE_BYTES: u64 = 8 << 20;
/// An answer is one line too: the four bodies of an exchange, with each of their bytes as an escape.
const ANSWER_BYTES: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// Connections at a time; an operator has one, a script a few.
const CONNECTIONS: usize = 64;
/// For requests that run when the server stops: a change takes milliseconds, unless the disk is in trouble.
const LAST_REQUEST: Duration = Duration::from_secs(10);
/// For a change that nobody waits for any more.
const LAST_CHANGE: Duration = Duration::from_secs(10);

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// The open socket.
pub(crate) struct Control {
    running: Arc<Running>,
    path: PathBuf,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// Opens the socket and answers.
pub(crate) fn listen(running: Arc<Running>, dir: &Path) -> Result<Control, Failure> {
    let path = path(dir);
    let failed = |e: std::io::Error| Failure::could_not(format!("cannot open `{}`: {e}", path.display()));
    // The folder's lock is ours, so a socket that is there is left over from a crash.
    match std::fs::remove_file(&path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(failed(e)),
        _ => {}
    }
    let listener = UnixListener::bind(&path).map_err(|e| {
        let hint = if path.as_os_str().len() > 100 {
            "; a socket's path has at most 107 bytes: use a shorter `--data`"
        } else {
            ""
        };
        Failure::could_not(format!("cannot open `{}`: {e}{hint}", path.display()))
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(serve(Arc::clone(&running), listener, stopping));
    Ok(Control { running, path, stop, serving })
}

impl Control {
    /// Takes no further request and waits for those that run, so that the log closes over whole changes. `false` when
    /// the log lacks the outcome of one.
    pub(crate) async fn stop(self) -> bool {
        // Gone first: a command that begins now is to find nobody rather than a server that no longer listens.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.stop.send(true);
        let _ = self.serving.await;
        self.running.admin.changes.close(LAST_CHANGE).await
    }
}

async fn serve(running: Arc<Running>, listener: UnixListener, mut stopping: watch::Receiver<bool>) {
    let others = stopping.clone();
    let mut answering = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if answering.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    answering.spawn(answer(Arc::clone(&running), stream, others.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a control connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = answering.join_next() => {}
            () = told(&mut stopping) => break,
        }
    }
    drop(listener);
    let ended = async { while answering.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_REQUEST, ended).await.is_err() {
        tracing::warn!("a control request did not end in time; whoever asked gets no answer");
    }
    answering.shutdown().await;
}

async fn told(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever would have said so.
    let _ = stopping.wait_for(|stop| *stop).await;
}

async fn answer(running: Arc<Running>, stream: tokio::net::UnixStream, mut stopping: watch::Receiver<bool>) {
    let own = rustix::process::geteuid().as_raw();
    let uid = match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => peer.uid(),
        _ => return,
    };
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(LINE_BYTES));
    let asked = tokio::select! {
        asked = tokio::time::timeout(PATIENCE, reader.read_line(&mut line)) => asked,
        () = told(&mut stopping) => return,
    };
    let result = match asked {
        Err(_) => return tracing::debug!("a control connection asked nothing in time"),
        Ok(Err(_) | Ok(0)) => return,
        Ok(Ok(_)) => match serde_json::from_str::<Request>(&line) {
            // Not timed: a change that is stopped in the middle would be worse than one that takes long.
            Ok(request) => running.execute(&Authorized::local_operator(uid), request).await,
            Err(_) => Err(Failure::could_not(
                "the running server does not know this request; it is of another version: restart it",
            )),
        },
    };
    let reply = match result {
        Ok(value) => json!({ "ok": value }),
        Err(failure) => json!({"error": failure.message(), "exit": failure.code()}),
    };
    let text = format!("{reply}\n");
    let _ = tokio::time::timeout(PATIENCE, write.write_all(text.as_bytes())).await;
}

/// Asks the running server what only a server can answer.
pub(crate) fn ask_server(dir: &Path, request: &Request) -> Result<Value, Failure> {
    if UnixStream::connect(path(dir)).is_err() {
        return Err(Failure::could_not(format!(
            "no server runs on `{}`, or it belongs to another user; name its data folder with `--data DIR`",
            dir.display()
        )));
    }
    ask(dir, request)
}

/// Asks the running server.
pub(crate) fn ask(dir: &Path, request: &Request) -> Result<Value, Failure> {
    let path = path(dir);
    let failed = |e: std::io::Error| {
        Failure::could_not(format!(
            "another process holds `{}` but does not answer on its control socket ({e}); wait for it to start or stop",
            dir.display()
        ))
    };
    let mut stream = UnixStream::connect(&path).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let mut line = serde_json::to_string(request).map_err(|e| Failure::could_not(e.to_string()))?;
    line.push('\n');
    stream.write_all(line.as_bytes()).map_err(failed)?;
    let mut reply = String::new();
    let answered = BufReader::new(stream.take(ANSWER_BYTES)).read_line(&mut reply);
    let unknown = |what: &str| {
        Failure::could_not(format!(
            "{what}, so what was asked for may be done or not; see with `bastide audit tail`, and look at the server's \
             own log"
        ))
    };
    match answered {
        Ok(0) => return Err(unknown("the running server gave no answer")),
        Ok(_) => {}
        Err(_) => return Err(unknown("the running server did not answer in time")),
    }
    let mut reply: Value =
        serde_json::from_str(&reply).map_err(|_| unknown("the running server's answer does not parse"))?;
    if let Some(message) = reply["error"].as_str() {
        return Err(Failure::reported(message, reply["exit"].as_u64().unwrap_or(3)));
    }
    Ok(reply["ok"].take())
}
