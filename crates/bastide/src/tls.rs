//! The certificate of the listener, read from its files.

use std::path::Path;
use std::sync::Arc;

use bastide_crypto::sha256;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::Tls;
use bastide_admin::{Failure, chain, could_not};

/// What the listener needs, and a digest of the certificates to tell them from others.
pub(crate) struct Read {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) digest: [u8; 32],
}

/// Reads both files; they must belong together.
pub(crate) fn read(tls: &Tls) -> Result<Read, Failure> {
    let failed = |path: &Path, what: String| {
        Failure::could_not(format!("`{}` is no usable PEM file: {what}", path.display()))
    };
    let certificates = CertificateDer::pem_file_iter(&tls.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| failed(&tls.cert, e.to_string()))?;
    let digest =
        sha256(&certificates.iter().flat_map(|der| der.as_ref().iter().copied()).collect::<Vec<u8>>());
    let key = PrivateKeyDer::from_pem_file(&tls.key).map_err(|e| failed(&tls.key, e.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(could_not)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|e| failed(&tls.cert, chain(&e)))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Read { config: Arc::new(config), digest })
}
