//! A connection whose writes do not wait for ever.
//!
//! A caller that stops reading closes its TCP window, and everything behind it waits: the answer, the upstream that
//! generates it, the key's share of its limits. TCP itself never gives up on a peer that acknowledges and takes nothing
//! (RFC 9293, section 3.8.6.1), so the time is measured here: below TLS and HTTP, where a write either makes progress or
//! does not.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

/// A stream on which a pending write that makes no progress for some time is an error.
pub(crate) struct Stalling<S> {
    inner: S,
    patience: Duration,
    /// Made when a write first has to wait, and used again for the next one.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl<S> Stalling<S> {
    pub(crate) const fn new(inner: S, patience: Duration) -> Self {
        Stalling { inner, patience, timer: None, waiting: false }
    }

    /// Gives what a write came to, or its end when it has waited too long.
    fn judge<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = false;
            return written;
        }
        let until = Instant::now() + self.patience;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if !std::mem::replace(&mut self.waiting, true) {
            timer.as_mut().reset(until);
        }
        timer
            .as_mut()
            .poll(cx)
            .map(|()| Err(io::Error::new(io::ErrorKind::TimedOut, "the caller does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalling<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalling<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.judge(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write_vectored(cx, buffers);
        self.judge(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    async fn pair() -> (Stalling<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ours = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connects");
        let (theirs, _) = listener.accept().await.expect("accepts");
        (Stalling::new(ours, PATIENCE), theirs)
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_ends_the_write() {
        let (mut ours, _theirs) = pair().await;
        let piece = vec![0; 1 << 20];
        let writing = async {
            loop {
                if let Err(error) = ours.write_all(&piece).await {
                    break error.kind();
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(20), writing).await;
        assert_eq!(ended.ok(), Some(io::ErrorKind::TimedOut));
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_gets_everything() {
        const ALL: usize = 12 << 20;
        let (mut ours, mut theirs) = pair().await;
        let writing = tokio::spawn(async move {
            let result = ours.write_all(&vec![7; ALL]).await;
            (result, ours)
        });
        let mut piece = vec![0; 1 << 20];
        let (mut got, begun) = (0, Instant::now());
        while got < ALL {
            // Each wait is shorter than the patience, all of them together are longer.
            tokio::time::sleep(PATIENCE / 6).await;
            let mut here = 0;
            while here < piece.len() && got < ALL {
                let read = theirs.read(&mut piece[here..]).await.expect("reads");
                assert!(read > 0, "cut after {got} bytes");
                here += read;
                got += read;
            }
        }
        assert!(begun.elapsed() > PATIENCE);
        assert!(writing.await.expect("ends").0.is_ok());
    }
}
