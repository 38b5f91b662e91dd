//! The mock seen from outside: over a socket, as a gateway would.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests, outside of the test functions"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bastide_testkit::load::{LoadConfig, Stop, chat_body, run};
use bastide_testkit::{ChatReply, MockConfig, MockUpstream, Pieces, Reply, Scenario, Step};

fn mock() -> MockUpstream {
    MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() }).expect("starts")
}

fn request(model: &str, stream: bool) -> Vec<u8> {
    let body = format!(
        r#"{{"model":"{model}","stream":{stream},"messages":[{{"role":"user","content":"héllo 4111"}}]}}"#
    );
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Everything the mock sends, and whether the connection broke.
fn converse(mock: &MockUpstream, request: &[u8]) -> (String, bool) {
    let mut stream = TcpStream::connect(mock.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request).unwrap();
    let mut out = Vec::new();
    let mut buffer = [0; 4096];
    let broke = loop {
        match stream.read(&mut buffer) {
            Ok(0) => break false,
            Ok(n) => out.extend_from_slice(buffer.get(..n).unwrap()),
            Err(_) => break true,
        }
    };
    (String::from_utf8_lossy(&out).into_owned(), broke)
}

fn body(reply: &str) -> &str {
    reply.split_once("\r\n\r\n").unwrap().1
}

#[test]
fn plain_json_and_a_stream_of_a_hundred_events() {
    let mock = mock();
    let (reply, _) = converse(&mock, &request("gpt-5", false));
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n"), "{reply}");
    let body: serde_json::Value = serde_json::from_str(body(&reply)).unwrap();
    assert!(body["choices"][0]["message"]["content"].as_str().unwrap().contains("one wall"));
    let (reply, _) = converse(&mock, &request("gpt-5", true));
    assert_eq!(reply.matches("\ndata: {").count(), 100);
    assert!(reply.contains("data: [DONE]\n\n"));
}

#[test]
fn echo_repeats_the_user_in_pieces() {
    let mock = mock();
    let (reply, _) = converse(&mock, &request("mock-echo-1", true));
    assert!(reply.contains(r#"{"content":"é"}"#), "{reply}");
    let (reply, _) = converse(&mock, &request("mock-echo", false));
    assert!(reply.contains("héllo 4111"));
}

#[test]
fn scripts_and_records() {
    let mock = mock();
    mock.answer("scripted", ChatReply::text("as told").stream(&Pieces::Chars(2), true));
    mock.answer_next(Reply::json(418, "{}").header("x-tea", "pot"));
    assert!(converse(&mock, &request("scripted", true)).0.contains("x-tea: pot"));
    let (reply, _) = converse(&mock, &request("scripted", true));
    assert!(reply.contains(r#"{"content":"as"}"#) && reply.contains("total_tokens"));
    let received = mock.take_received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("host"), Some("x"));
    assert!(received[0].text().contains("héllo 4111"));
    assert!(mock.received().is_empty());
}

#[test]
fn a_chunked_request_after_expect_continue() {
    let mock = mock();
    let request = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\nconnection: close\r\n\
                   transfer-encoding: chunked\r\n\r\n8\r\n{\"model\"\r\n6\r\n:\"mo\"}\r\n0\r\n\r\n";
    let (reply, _) = converse(&mock, request.as_bytes());
    assert!(reply.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"), "{reply}");
    assert_eq!(mock.received()[0].body, br#"{"model":"mo"}"#);
}

#[test]
fn faults_show_on_the_wire() {
    let mock = mock();
    let (reply, _) = converse(&mock, &request("mock-retry-11", false));
    assert!(reply.starts_with("HTTP/1.1 429 ") && reply.contains("retry-after: 11\r\n"));
    assert!(converse(&mock, &request("mock-status-503", true)).0.starts_with("HTTP/1.1 503 "));
    let (reply, broke) = converse(&mock, &request("mock-cut-4", true));
    assert_eq!((reply.matches("\ndata: {").count(), broke), (4, true));
    let (reply, broke) = converse(&mock, &request("mock-cut", false));
    assert!(!broke && serde_json::from_str::<serde_json::Value>(body(&reply)).is_err());
    assert!(!converse(&mock, &request("mock-end", true)).0.contains("[DONE]"));
    assert_eq!(converse(&mock, &request("mock-close", false)).0, "");
    assert!(!converse(&mock, &request("mock-nothttp", false)).0.contains("HTTP/1.1"));
    assert!(converse(&mock, &request("mock-type", false)).0.contains("text/html"));
    assert!(converse(&mock, &request("mock-huge-2", false)).0.len() > 2_000_000);
    assert!(converse(&mock, &request("mock-crlf", true)).0.contains("}\r\n\r\n\r\n"));
    let begun = Instant::now();
    converse(&mock, &request("mock-slow-60", false));
    assert!(begun.elapsed() >= Duration::from_millis(60));
}

#[test]
fn every_named_scenario_that_ends_does_so_by_itself() {
    let mock = mock();
    for (name, _) in Scenario::NAMES.iter().filter(|(name, _)| !["hang", "stall", "huge"].contains(name)) {
        for stream in [false, true] {
            let begun = Instant::now();
            converse(&mock, &request(&format!("mock-{name}"), stream));
            assert!(begun.elapsed() < Duration::from_secs(4), "{name} {stream}");
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_while_the_mock_hangs_or_waits() {
    let mock = mock();
    for (count, model) in (1..).zip(["mock-hang", "mock-stall", "mock-drip-400"]) {
        let mut stream = TcpStream::connect(mock.address()).unwrap();
        stream.write_all(&request(model, true)).unwrap();
        assert!(mock.wait_until(MockUpstream::requests, count, Duration::from_secs(5)).await);
        drop(stream);
        assert!(mock.wait_until(MockUpstream::abandoned, count, Duration::from_secs(5)).await, "{model}");
    }
}

#[tokio::test]
async fn the_load_counts_what_it_got() {
    let mock = MockUpstream::start(MockConfig::default()).await.unwrap();
    let base = LoadConfig {
        stop: Stop::Requests(300),
        warm_up: 20,
        connections: 4,
        ..LoadConfig::new(&mock.base_url())
    };
    let report = run(base.clone()).await.unwrap();
    assert_eq!((report.requests, report.failed()), (300, 0), "{report}");
    assert_eq!(mock.connections(), 8, "connections are kept alive");
    assert!(report.latency.p50_us > 0.0 && report.first_chunk.p99_us <= report.latency.max_us);

    let report = run(base.clone().streamed()).await.unwrap();
    assert_eq!((report.requests, report.failed()), (300, 0), "{report}");
    assert!(report.body_bytes > 300 * 100 * 150);

    for (model, failure, stream) in [
        ("mock-status-500", "status 500", false),
        ("mock-cut", "cut inside the reply", true),
        ("mock-end", "stream without [DONE]", true),
        ("mock-close", "closed before the reply", false),
        ("mock-nothttp", "not HTTP", false),
        ("mock-hang", "timed out", false),
    ] {
        let report = run(LoadConfig {
            body: chat_body(model, stream, 20),
            stream,
            stop: Stop::Requests(3),
            warm_up: 0,
            timeout: Duration::from_millis(200),
            ..base.clone()
        });
        let report = report.await.unwrap();
        assert_eq!((report.requests, report.failures.get(failure)), (0, Some(&3)), "{model}: {report}");
    }
}

#[tokio::test]
async fn receipts_are_collected_from_heads_and_from_streams() {
    let mock = MockUpstream::start(MockConfig::default()).await.unwrap();
    mock.answer("json", ChatReply::text("x").whole().header("bastide-receipt", "from-head"));
    let events = [b"data: {}\n\n".to_vec(), b": bastide-receipt from-stream\n\ndata: [DONE]\n\n".to_vec()];
    mock.answer("sse", Reply::stream(events.clone()));
    mock.answer("cut", Reply::stream(events).cut(2, Step::Reset));
    for (model, stream, receipt) in
        [("json", false, "from-head"), ("sse", true, "from-stream"), ("cut", true, "from-stream")]
    {
        let report = run(LoadConfig {
            body: chat_body(model, stream, 20),
            stream,
            stop: Stop::Requests(2),
            warm_up: 0,
            receipts: true,
            ..LoadConfig::new(&mock.base_url())
        });
        assert_eq!(report.await.unwrap().receipts, [receipt, receipt], "{model}");
    }
}
