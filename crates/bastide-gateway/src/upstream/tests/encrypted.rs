//! Connections behind TLS.

use std::sync::Arc;

use hyper_rustls::MaybeHttpsStream;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpSocket;
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
            let mut connection = Box::new(encrypted(tcp, client).await);
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

/// A connection behind TLS to a server whose name is `localhost`.
async fn encrypted(tcp: TcpStream, config: Arc<ClientConfig>) -> Connection {
    let name = ServerName::try_from("localhost").expect("a name");
    let connecting = TlsConnector::from(config).connect(name, TokioIo::new(TokioIo::new(tcp)));
    Connection::new(MaybeHttpsStream::Https(TokioIo::new(connecting.await.expect("a handshake"))))
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
async fn what_tls_holds_when_all_is_written_is_sent_too() {
    // Less than TLS holds of what it has taken, so that the socket is full when the last byte is taken.
    const ROOM: u32 = 8 << 10;
    let body = vec![b'.'; 256 << 10];
    let socket = || {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_send_buffer_size(ROOM).expect("set");
        socket.set_recv_buffer_size(ROOM).expect("set");
        socket
    };
    let server = socket();
    server.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener = server.listen(1).expect("listens");
    let address = listener.local_addr().expect("bound");
    let (client, server) = configs();
    let asking = async {
        let tcp = socket().connect(address).await.expect("connects");
        encrypted(tcp, client).await.ask(HEAD.as_bytes(), &body).await.map(|(_, sent)| sent)
    };
    let answering = async {
        let (tcp, _) = listener.accept().await.expect("accepts");
        let mut server = TlsAcceptor::from(server).accept(tcp).await.expect("a handshake");
        let mut bytes = vec![0; HEAD.len() + body.len()];
        server.read_exact(&mut bytes).await.expect("the whole request");
        server.write_all(ANSWER.as_bytes()).await.expect("writes");
        assert!(bytes.starts_with(HEAD.as_bytes()) && bytes.ends_with(&body));
    };
    let both = async { tokio::join!(asking, answering) };
    let (sent, ()) = tokio::time::timeout(Duration::from_secs(10), both).await.expect("nothing is held back");
    assert!(sent.expect("an answer"));
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
