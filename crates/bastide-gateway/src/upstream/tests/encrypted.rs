//! Connections behind TLS.

use std::sync::Arc;

use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::*;
use crate::upstream::connection::Connection;

impl Bench {
    /// The first exchange on a connection behind TLS.
    async fn first_encrypted(&self, answer: &[u8]) -> (TlsStream<TcpStream>, Response<NetworkBody>) {
        let (client, server) = configs();
        let asking = async {
            let tcp = TcpStream::connect(self.listener.local_addr().expect("bound")).await.expect("connects");
            let name = ServerName::try_from("localhost").expect("a name");
            let connecting = TlsConnector::from(client).connect(name, TokioIo::new(TokioIo::new(tcp)));
            let tls = TokioIo::new(connecting.await.expect("a handshake"));
            let mut connection = Box::new(Connection::new(MaybeHttpsStream::Https(tls)));
            let (answer, sent) = connection.ask(HEAD.as_bytes(), b"{}").await.expect("an answer");
            NetworkBody::response(connection, answer, sent, &self.destination.idle)
        };
        let answering = async {
            let mut server =
                TlsAcceptor::from(server).accept(self.accept().await).await.expect("a handshake");
            serve(&mut server, answer).await;
            server
        };
        let (response, server) = tokio::join!(asking, answering);
        (server, response)
    }
}

/// Two sides that trust each other.
fn configs() -> (Arc<ClientConfig>, Arc<ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate");
    (Arc::new(client), Arc::new(server))
}

/// Reads one request and answers it in one record.
async fn serve(server: &mut TlsStream<TcpStream>, answer: &[u8]) {
    let mut bytes = vec![0; HEAD.len() + 2];
    server.read_exact(&mut bytes).await.expect("a request");
    server.write_all(answer).await.expect("writes");
    server.flush().await.expect("flushes");
}

#[tokio::test]
async fn an_encrypted_connection_carries_one_request_after_another() {
    let bench = Bench::new().await;
    let (mut server, first) = bench.first_encrypted(ANSWER.as_bytes()).await;
    assert_eq!(text(first).await.expect("whole"), "ok");
    for _ in 0..2 {
        let (answer, ()) = tokio::join!(bench.ask(b"{}"), serve(&mut server, ANSWER.as_bytes()));
        assert_eq!(text(answer.expect("on the same connection")).await.expect("whole"), "ok");
    }
}

#[tokio::test]
async fn records_without_data_are_unasked_too() {
    // They have no end where the other side wants none, and reading them would hold up everybody else.
    for tidied in [false, true] {
        let bench = Bench::new().await;
        let (mut server, first) = bench.first_encrypted(ANSWER.as_bytes()).await;
        text(first).await.expect("whole");
        server.get_mut().1.refresh_traffic_keys().expect("keys");
        server.flush().await.expect("sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
        let idle = &bench.destination.idle;
        let waits = if tidied { idle.tidy() } else { idle.take().is_some() };
        assert!(!waits, "tidied: {tidied}");
    }
}

#[tokio::test]
async fn what_was_decrypted_and_not_read_answers_nobody() {
    // An answer that fills the buffer, and more in the same record.
    for length in [4 << 10, 8 << 10] {
        let bench = Bench::new().await;
        let head = |body| format!("HTTP/1.1 200 OK\r\ncontent-length: {body}\r\n\r\n");
        let mut answer = head(length - head(length).len()).into_bytes();
        answer.resize(length, b'.');
        answer.extend_from_slice(ANSWER.as_bytes());
        let (_server, first) = bench.first_encrypted(&answer).await;
        text(first).await.expect("whole");
        assert!(bench.destination.idle.take().is_none(), "{length}");
    }
}

#[tokio::test]
async fn a_handshake_that_nobody_answers_is_no_connection() {
    let bench = Bench::of("https", Duration::from_millis(200)).await;
    let asking = tokio::time::timeout(Duration::from_secs(5), bench.ask(b"{}"));
    let (asked, _silent) = tokio::join!(asking, bench.accept());
    // And so no byte of the request has left, and the next provider may have it.
    assert!(matches!(asked.expect("in time"), Err(SendError::Connect(_))));
}
