//! The client against servers that behave as they like.

mod encrypted;

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::catalogue::Destination;
use super::client::{Client, SendError};
use super::connection::NetworkBody;

const HEAD: &str = "POST /v1/chat/completions HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n";
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

struct Bench {
    listener: TcpListener,
    destination: Destination,
    client: Client,
}

impl Bench {
    async fn new() -> Self {
        Bench::of("http", Duration::from_secs(5)).await
    }

    async fn of(scheme: &str, connect_time: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("{scheme}://{}/v1", listener.local_addr().expect("bound"));
        let uri = |path: &str| format!("{base}{path}").parse().expect("a URI");
        let destination = Destination::new(uri("/chat/completions"), uri("/models"));
        let client = Client::new(connect_time).expect("a client");
        Bench { listener, destination, client }
    }

    async fn ask(&self, body: &[u8]) -> Result<Response<NetworkBody>, SendError> {
        self.client.ask(&self.destination, HEAD.as_bytes(), body).await
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.expect("accepts").0
    }

    /// A request that is answered with these bytes on that connection.
    async fn exchange(
        &self,
        server: &mut TcpStream,
        answer: &str,
    ) -> Result<Response<NetworkBody>, SendError> {
        let answering = async {
            request(server).await;
            server.write_all(answer.as_bytes()).await.expect("writes");
        };
        tokio::join!(self.ask(b"{}"), answering).0
    }

    /// The first exchange, for which a connection is made.
    async fn first(&self, answer: &str) -> (TcpStream, Result<Response<NetworkBody>, SendError>) {
        let answering = async {
            let mut server = self.accept().await;
            request(&mut server).await;
            server.write_all(answer.as_bytes()).await.expect("writes");
            server
        };
        let (answer, server) = tokio::join!(self.ask(b"{}"), answering);
        (server, answer)
    }
}

/// Reads one request.
async fn request(server: &mut TcpStream) {
    let mut bytes = vec![0; HEAD.len() + 2];
    server.read_exact(&mut bytes).await.expect("a request");
    assert!(bytes.starts_with(HEAD.as_bytes()) && bytes.ends_with(b"{}"));
}

async fn text(response: Response<NetworkBody>) -> Result<String, std::io::Error> {
    let mut body = response.into_body();
    let mut text = Vec::new();
    while let Some(piece) = poll_fn(|cx| body.poll_data(cx)).await {
        text.extend_from_slice(&piece?);
    }
    Ok(String::from_utf8(text).expect("UTF-8"))
}

/// Whether the other side has closed this connection.
async fn is_closed(server: &mut TcpStream) -> bool {
    let reading = tokio::time::timeout(Duration::from_millis(300), server.read_u8()).await;
    matches!(reading, Ok(Err(_)))
}

#[tokio::test]
async fn a_connection_carries_one_request_after_another() {
    let bench = Bench::new().await;
    let (mut server, answer) = bench.first(ANSWER).await;
    assert_eq!(text(answer.expect("answers")).await.expect("whole"), "ok");
    for framed in
        [ANSWER, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n"]
    {
        let answer = bench.exchange(&mut server, framed).await.expect("answers on the same connection");
        assert_eq!(text(answer).await.expect("whole"), "ok");
    }
}

#[tokio::test]
async fn an_idle_connection_keeps_room_for_a_head_only() {
    let bench = Bench::new().await;
    let (mut server, answer) = bench.first(ANSWER).await;
    text(answer.expect("answers")).await.expect("whole");
    let waiting = bench.destination.idle.take().expect("it waits");
    assert_eq!(waiting.room(), 8 << 10, "and is read into again");
    bench.destination.idle.put(waiting);
    let long = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{}", "x".repeat(100_000));
    let answer = bench.exchange(&mut server, &long).await.expect("answers on the same connection");
    assert_eq!(text(answer).await.expect("whole").len(), 100_000);
    assert!(bench.destination.idle.take().expect("it waits").room() <= 8 << 10);
}

#[tokio::test]
async fn interim_responses_are_passed_over_and_have_an_end() {
    let bench = Bench::new().await;
    let interim = "HTTP/1.1 103 Early Hints\r\nretry-after: 1\r\n\r\n";
    let (_server, answer) = bench.first(&format!("{}{ANSWER}", interim.repeat(3))).await;
    let answer = answer.expect("answers");
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("retry-after")), (200, false));
    let (_server, answer) = bench.first(&interim.repeat(50)).await;
    assert!(matches!(answer, Err(SendError::Broken(_))));
}

#[tokio::test]
async fn what_follows_an_answer_unasked_answers_nobody() {
    for answer in
        [format!("{ANSWER}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"), format!("{ANSWER}\r\n")]
    {
        let bench = Bench::new().await;
        let (mut server, first) = bench.first(&answer).await;
        assert_eq!(text(first.expect("answers")).await.expect("whole"), "ok");
        assert!(is_closed(&mut server).await);
    }
    // Also when it comes later, while the connection waits.
    let bench = Bench::new().await;
    let (mut server, first) = bench.first(ANSWER).await;
    text(first.expect("answers")).await.expect("whole");
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil").await.expect("writes");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (_other, second) = bench.first(ANSWER).await;
    assert_eq!(text(second.expect("on a new connection")).await.expect("whole"), "ok");
}

#[tokio::test]
async fn a_connection_that_was_closed_while_it_waited_costs_no_request() {
    let bench = Bench::new().await;
    let (server, first) = bench.first(ANSWER).await;
    text(first.expect("answers")).await.expect("whole");
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (_server, second) = bench.first(ANSWER).await;
    assert_eq!(text(second.expect("on a new connection")).await.expect("whole"), "ok");
}

#[tokio::test]
async fn servers_that_say_close_are_closed() {
    for head in [
        "HTTP/1.1 200 OK\r\nconnection: close\r\n",
        "HTTP/1.0 200 OK\r\n",
        // Nor is one used again whose heads two readers may not agree about.
        "HTTP/1.1 200 OK\n",
        "HTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\nHTTP/1.1 200 OK\r\n",
    ] {
        let bench = Bench::new().await;
        let (mut server, first) = bench.first(&format!("{head}content-length: 2\r\n\r\nok")).await;
        assert_eq!(text(first.expect("answers")).await.expect("whole"), "ok");
        assert!(is_closed(&mut server).await, "{head}");
    }
}

#[tokio::test]
async fn cut_answers_are_errors_and_never_sent_again() {
    for cut in ["", "HTTP/1.1 200 OK\r\ncontent-le", "HTTP/1.1 101 Switching Protocols\r\n\r\nx"] {
        let bench = Bench::new().await;
        let answering = async {
            let mut server = bench.accept().await;
            request(&mut server).await;
            server.write_all(cut.as_bytes()).await.expect("writes");
        };
        let (answer, ()) = tokio::join!(bench.ask(b"{}"), answering);
        let broken = match answer {
            Err(SendError::Broken(_)) => true,
            Ok(answer) => answer.status() == 101,
            Err(_) => false,
        };
        assert!(broken, "{cut}");
        let again = tokio::time::timeout(Duration::from_millis(200), bench.accept()).await;
        assert!(again.is_err(), "asked twice");
    }
    for cut in ["content-length: 3\r\n\r\nok", "transfer-encoding: chunked\r\n\r\n2\r\nok\r\n"] {
        let bench = Bench::new().await;
        let (server, answer) = bench.first(&format!("HTTP/1.1 200 OK\r\n{cut}")).await;
        drop(server);
        assert!(text(answer.expect("a head")).await.is_err(), "{cut}");
    }
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_request_is_the_answer() {
    let bench = Bench::new().await;
    let body = Bytes::from(vec![b' '; 16 << 20]);
    let answering = async {
        let mut server = bench.accept().await;
        server.read_exact(&mut [0; 100]).await.expect("the beginning");
        let refusal = "HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno";
        server.write_all(refusal.as_bytes()).await.expect("writes");
        server
    };
    let (answer, mut server) = tokio::join!(bench.ask(&body), answering);
    let answer = answer.expect("answers");
    assert_eq!(answer.status(), 413);
    assert_eq!(text(answer).await.expect("whole"), "no");
    // The rest of the request would be read as the next one.
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), server.read_to_end(&mut rest)).await;
    assert!(read.is_ok() && rest.len() < body.len());
}

#[tokio::test]
async fn only_a_refusal_answers_half_a_request() {
    let body = Bytes::from(vec![b' '; 16 << 20]);
    for (status, answers) in [("200 OK", false), ("302 Found", false), ("413 Content Too Large", true)] {
        let bench = Bench::new().await;
        let answering = async {
            let mut server = bench.accept().await;
            server.read_exact(&mut [0; 100]).await.expect("the beginning");
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
            server.write_all(answer.as_bytes()).await.expect("writes");
            // It arrives before the connection breaks.
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        let (answer, ()) = tokio::join!(bench.ask(&body), answering);
        assert_eq!(answer.is_ok(), answers, "{status}");
        assert!(answers || matches!(answer, Err(SendError::Broken(_))), "{status}");
    }
}

/// The last event of a stream, after which its body may have an end or not.
const LAST: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n[DON]\r\n";

/// The body of such a stream behind its last event.
async fn told(answer: Result<Response<NetworkBody>, SendError>) -> NetworkBody {
    let mut body = answer.expect("answers").into_body();
    let piece = poll_fn(|cx| body.poll_data(cx)).await.expect("data").expect("whole");
    assert_eq!(piece, "[DON]");
    body
}

#[tokio::test]
async fn a_stream_that_is_dropped_closes_its_connection() {
    let bench = Bench::new().await;
    let (mut server, answer) = bench.first(LAST).await;
    drop(told(answer).await);
    assert!(is_closed(&mut server).await);
}

#[tokio::test]
async fn a_stream_that_is_over_waits_for_the_end_of_its_body() {
    let end = "0\r\n\r\n";
    // With the last event, a little later, in two parts; and what is no end.
    for (with_it, later, kept) in
        [(end, "", true), ("", end, true), ("0\r", "\n\r\n", true), ("", "2\r\nhi\r\n", false)]
    {
        let bench = Bench::new().await;
        let (mut server, answer) = bench.first(&format!("{LAST}{with_it}")).await;
        told(answer).await.finish();
        tokio::time::sleep(Duration::from_millis(30)).await;
        server.write_all(later.as_bytes()).await.expect("writes");
        assert_eq!(is_closed(&mut server).await, !kept, "{with_it:?} {later:?}");
        if kept {
            let answer = bench.exchange(&mut server, ANSWER).await.expect("answers on the same connection");
            assert_eq!(text(answer).await.expect("whole"), "ok");
        }
    }
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let bench = Bench::new().await;
    let (_server, answer) = bench.first(&format!("HTTP/1.1 200 OK\r\na: {}", "b".repeat(70 << 10))).await;
    assert!(matches!(answer, Err(SendError::Broken(_))));
}

#[tokio::test]
async fn many_connections_that_were_closed_while_they_waited_are_all_known_for_it() {
    // More than a task may do before it has to give way: a read that is put off is not silence.
    const MANY: usize = 300;
    for unasked in ["", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"] {
        let bench = Bench::new().await;
        let mut servers = Vec::new();
        let mut answers = Vec::new();
        for _ in 0..MANY {
            let (server, answer) = bench.first(ANSWER).await;
            servers.push(server);
            answers.push(answer.expect("answers"));
        }
        for answer in answers {
            text(answer).await.expect("whole");
        }
        for mut server in servers {
            server.write_all(unasked.as_bytes()).await.expect("writes");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (_server, answer) = bench.first(ANSWER).await;
        assert_eq!(text(answer.expect("on a new connection")).await.expect("whole"), "ok");
    }
}

#[tokio::test]
async fn what_the_other_side_has_closed_does_not_wait() {
    let bench = Bench::new().await;
    let (server, first) = bench.first(ANSWER).await;
    text(first.expect("answers")).await.expect("whole");
    assert!(bench.destination.idle.tidy(), "one waits");
    drop(server);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!bench.destination.idle.tidy(), "none waits");
}
