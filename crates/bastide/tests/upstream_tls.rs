//! An upstream behind TLS, asked by the real binary.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bastide_testkit::{BastideProcess, ChatReply, MockConfig, MockUpstream, Pieces, Step};
use common::{Answer, send, wait_until};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// How long the front lets a caller talk before it reads: longer than its sockets have room.
const DEAF: Duration = Duration::from_millis(300);

/// Takes TLS off and hands on what is inside. A connection of the upstream that ends without a farewell in HTTP ends
/// without one in TLS too.
struct Front {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    connections: Arc<AtomicU64>,
}

impl Front {
    fn start(to: SocketAddr, made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Front {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a certificate");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runs");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        let connections = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&connections);
        runtime.spawn(async move {
            while let Ok((caller, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut caller) = acceptor.accept(caller).await else { return };
                    tokio::time::sleep(DEAF).await;
                    let mut server = TcpStream::connect(to).await.expect("the mock upstream");
                    let _ = tokio::io::copy_bidirectional(&mut caller, &mut server).await;
                });
            }
        });
        Front { runtime, address, connections }
    }
}

struct Rig {
    mock: MockUpstream,
    front: Front,
    server: BastideProcess,
    key: String,
    _folder: tempfile::TempDir,
}

impl Rig {
    fn start() -> Rig {
        let mock = MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() })
            .expect("a mock upstream");
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let front = Front::start(mock.address(), &made);
        let folder = bastide_testkit::temp_folder().expect("a folder");
        let file = folder.path().join("authorities.pem");
        std::fs::write(&file, made.cert.pem()).expect("written");
        let server = serve(folder.path(), &front, &file);
        let key = server.create_key("test").expect("a key").key;
        Rig { mock, front, server, key, _folder: folder }
    }

    fn chat(&self, model: &str, stream: bool, content: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        let body = json!({"model":model,"stream":stream,"messages":[{"role":"user","content":content}]});
        let headers = [("authorization", bearer.as_str())];
        send(self.server.address(), "POST", "/v1/chat/completions", &headers, body.to_string().as_bytes())
    }

    fn connections(&self) -> u64 {
        self.front.connections.load(Ordering::SeqCst)
    }
}

/// A server that trusts the authorities in `file`.
fn serve(folder: &Path, front: &Front, file: &Path) -> BastideProcess {
    BastideProcess::on(&folder.join("data"))
        .upstream(&format!("https://localhost:{}/v1", front.address.port()))
        .guard("off")
        .variable("SSL_CERT_FILE", &file.to_string_lossy())
        .start()
        .expect("the server starts")
}

#[test]
fn answers_and_streams_share_an_encrypted_connection() {
    let rig = Rig::start();
    let reply = ChatReply::text("one two three four five six seven eight");
    rig.mock.answer("whole", reply.whole());
    rig.mock.answer("stream", reply.stream(&Pieces::Chars(4), false));
    for _ in 0..3 {
        let whole = rig.chat("whole", false, "hi");
        assert_eq!(whole.status, 200, "{}", whole.text());
        assert!(whole.text().contains("seven eight"), "{}", whole.text());
        let stream = rig.chat("stream", true, "hi");
        assert!(
            stream.text().contains("bastide-receipt") && stream.text().contains("[DONE]"),
            "{}",
            stream.text()
        );
        // The caller has its answer a moment before the connection is free again.
        std::thread::sleep(Duration::from_millis(100));
    }
    // On a busy machine one may come too late; without reuse after streams it would be three.
    assert!(rig.connections() < 3, "{}", rig.connections());
}

#[test]
fn a_long_request_to_a_slow_reader_arrives_whole() {
    let rig = Rig::start();
    // More than both sockets and TLS hold between them, towards a server that does not read yet.
    let long = "word ".repeat(1 << 20);
    rig.mock.answer("whole", ChatReply::text("understood").whole());
    let answer = rig.chat("whole", false, &long);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let received = rig.mock.received();
    assert!(received.iter().any(|r| r.text().contains(&long)), "it arrived whole");
}

#[test]
fn a_stream_that_ends_without_a_farewell_is_cut() {
    let rig = Rig::start();
    let reply = ChatReply::text("one two three four five six seven eight");
    rig.mock.answer("cut", reply.stream(&Pieces::Chars(4), false).cut(3, Step::Close));
    let cut = rig.chat("cut", true, "hi");
    assert!(cut.text().contains("upstream.broken") && !cut.text().contains("[DONE]"), "{}", cut.text());
    rig.mock.answer("whole", ChatReply::text("well").whole());
    assert_eq!(rig.chat("whole", false, "hi").status, 200);
    assert_eq!(rig.connections(), 2, "the broken one carries nothing more");
}

#[test]
fn an_encrypted_stream_is_left_with_its_caller() {
    let rig = Rig::start();
    let reply = ChatReply::text("one two three four five six seven eight").stream(&Pieces::Chars(4), false);
    rig.mock.answer("silent", reply.cut(3, Step::Hang));
    let body =
        json!({"model":"silent","stream":true,"messages":[{"role":"user","content":"hi"}]}).to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        rig.server.address(),
        rig.key,
        body.len()
    );
    let mut caller = std::net::TcpStream::connect(rig.server.address()).expect("connects");
    std::io::Write::write_all(&mut caller, request.as_bytes()).expect("sent");
    wait_until("the upstream is asked", Duration::from_secs(10), || rig.mock.requests() == 1);
    drop(caller);
    wait_until("the upstream is left", Duration::from_secs(10), || rig.mock.abandoned() == 1);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_asked() {
    let rig = Rig::start();
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let front = Front::start(rig.mock.address(), &stranger);
    let folder = bastide_testkit::temp_folder().expect("a folder");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let file = folder.path().join("authorities.pem");
    std::fs::write(&file, made.cert.pem()).expect("written");
    let server = serve(folder.path(), &front, &file);
    let bearer = format!("Bearer {}", server.create_key("test").expect("a key").key);
    let body = json!({"model":"m","messages":[{"role":"user","content":"hi"}]}).to_string();
    let headers = [("authorization", bearer.as_str())];
    let answer = send(server.address(), "POST", "/v1/chat/completions", &headers, body.as_bytes());
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(rig.mock.requests(), 0);
    drop(front.runtime);
}
