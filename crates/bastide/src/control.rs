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

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::admin::{Admin, Request};
use crate::failure::Failure;

/// A request is one line: a policy file is the largest.
const LINE_BYTES: u64 = 8 << 20;
/// An answer is one line too: the four bodies of an exchange, with each of their bytes as an escape.
const ANSWER_BYTES: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn path(dir: &Path) -> PathBuf {
    dir.join("control.sock")
}

/// Opens the socket and answers until dropped.
pub(crate) fn listen(admin: Arc<Admin>, dir: &Path) -> Result<tokio::task::JoinHandle<()>, Failure> {
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
    Ok(tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let admin = Arc::clone(&admin);
                    tokio::spawn(async move {
                        if tokio::time::timeout(PATIENCE, answer(&admin, stream)).await.is_err() {
                            tracing::debug!("a control connection took too long");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "a control connection failed");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }))
}

async fn answer(admin: &Admin, stream: tokio::net::UnixStream) {
    let own = rustix::process::geteuid().as_raw();
    let uid = match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => peer.uid(),
        _ => return,
    };
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    let mut reader = tokio::io::BufReader::new(read.take(LINE_BYTES));
    let result = match reader.read_line(&mut line).await {
        Err(_) | Ok(0) => return,
        Ok(_) => match serde_json::from_str::<Request>(&line) {
            Ok(request) => admin.execute(uid, request).await,
            Err(_) => Err(Failure::could_not(
                "the running server does not know this request; it is of another version: restart it",
            )),
        },
    };
    let reply = match result {
        Ok(value) => json!({ "ok": value }),
        Err(failure) => json!({"error": failure.message(), "usage": failure.is_usage()}),
    };
    let _ = write.write_all(format!("{reply}\n").as_bytes()).await;
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
    BufReader::new(stream.take(ANSWER_BYTES)).read_line(&mut reply).map_err(failed)?;
    let mut reply: Value = serde_json::from_str(&reply)
        .map_err(|_| Failure::could_not("the running server's answer does not parse; look at its own log"))?;
    if let Some(message) = reply["error"].as_str() {
        let message = message.to_owned();
        let usage = reply["usage"].as_bool().unwrap_or_default();
        return Err(if usage { Failure::usage(message) } else { Failure::could_not(message) });
    }
    Ok(reply["ok"].take())
}
