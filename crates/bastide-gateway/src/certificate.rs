//! What the listener shows of itself under TLS: swapped while it serves, for certificates live weeks and servers months.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio_rustls::TlsAcceptor;

/// The certificate in use, with its key.
#[derive(Debug)]
pub struct Certificate(ArcSwap<ServerConfig>);

impl Certificate {
    /// A certificate to begin with.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>) -> Self {
        Certificate(ArcSwap::new(config))
    }

    /// Shows another one on connections that begin from now on; those that run keep theirs.
    pub fn replace(&self, config: Arc<ServerConfig>) {
        self.0.store(config);
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.load_full())
    }
}
