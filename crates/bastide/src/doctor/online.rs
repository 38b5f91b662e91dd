//! Whether each provider can be reached from here, and its credential is there.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use bastide_admin::{Finding, Request, chain};
use rustls::pki_types::ServerName;
use serde_json::Value;

use crate::{cli, client, serve};

/// For the connection and for the handshake, each.
const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn providers(args: &cli::Doctor) -> Vec<Finding> {
    let mut providers = Vec::new();
    if let Ok(Some(fixed)) = serve::fixed_provider(&args.serve) {
        providers.push((fixed.provider.name().to_owned(), fixed.base_url, String::new()));
    }
    if args.serve.data.dir.join("bastide.db").exists() {
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        match client::execute(&args.serve.data, Request::ProviderList) {
            Ok(rows) => providers.extend(
                rows.as_array()
                    .into_iter()
                    .flatten()
                    .map(|row| (text(row, "name"), text(row, "base_url"), text(row, "credential"))),
            ),
            Err(failure) => {
                return vec![Finding::fail("online", failure.message(), "the providers are not known")];
            }
        }
    }
    // A running server names its `--upstream` too.
    providers.sort();
    providers.dedup_by(|(name, url, _), (other, its, _)| name == other && url == its);
    providers.iter().flat_map(|(name, url, credential)| provider(name, url, credential)).collect()
}

fn provider(name: &str, url: &str, credential: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(variable) = credential.strip_prefix("env:")
        && std::env::var_os(variable).is_none_or(|value| value.is_empty())
    {
        let message = format!("`{name}`: `{variable}` is not set here");
        findings.push(Finding::warn("online", message, "it must be set where the server runs"));
    }
    findings.push(match reach(url) {
        Ok(()) => Finding::ok("online", format!("`{name}` can be reached")),
        Err(error) => Finding::fail(
            "online",
            format!("`{name}` cannot be reached: {}", chain(&error)),
            "look at the network, the firewall and the provider's address",
        ),
    });
    findings
}

/// Connects, and shakes hands where the URL says `https`.
fn reach(url: &str) -> io::Result<()> {
    let no_url = || io::Error::new(io::ErrorKind::InvalidInput, "its base URL has no host");
    let (scheme, rest) = url.split_once("://").ok_or_else(no_url)?;
    let authority = rest.split('/').next().unwrap_or_default();
    let tls = scheme == "https";
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.contains(']')) {
        Some((host, port)) => (host, port.parse().map_err(|_| no_url())?),
        None => (authority, if tls { 443 } else { 80 }),
    };
    let host = host.trim_matches(['[', ']']);
    let mut last = no_url();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) if tls => return shake(host, stream),
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn shake(host: &str, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let mut connection = rustls::ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    Ok(())
}
