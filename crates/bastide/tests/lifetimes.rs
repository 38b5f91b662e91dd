//! What must not last: the streams of an expired key, callers that do not read, changes when the server stops.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bastide_testkit::{ChatReply, Pieces, Reply, Step, cpu_time, temp_folder};
use common::{Rig, bastide, wait_until};
use serde_json::{Value, json};

#[test]
fn a_stream_is_cut_when_its_key_expires() {
    let rig = Rig::enforcing();
    // The upstream falls silent after three events: nothing but the clock can end this.
    let reply = ChatReply::text("one two three four five").stream(&Pieces::Chars(4), false);
    rig.mock.answer("silent", reply.cut(3, Step::Hang));
    let key = rig.make_key("brief", &["--expires", "2s"]);
    let made = Instant::now();
    let mut stream = rig.stream(&key, "silent");
    let mut text = String::new();
    stream.read_to_string(&mut text).expect("text");
    let lasted = made.elapsed();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    assert!(text.contains("auth.revoked") && !text.contains("[DONE]"), "{text}");
    assert!(lasted > Duration::from_secs(1) && lasted < Duration::from_secs(5), "{lasted:?}");
    wait_until("the upstream is left", Duration::from_secs(5), || rig.mock.abandoned() == 1);
    let outcome = rig.entries().into_iter().rev().find(|e| e["kind"] == "outcome").expect("recorded");
    assert_eq!((&outcome["ending"], &outcome["status"]), (&json!("blocked"), &json!(401)));
    let refused =
        common::send(rig.address(), "GET", "/v1/models", &[("authorization", &format!("Bearer {key}"))], b"");
    assert_eq!(refused.code(), "auth.refused");
}

#[test]
fn an_answer_that_begins_after_its_key_ended_does_not_begin() {
    let rig = Rig::enforcing();
    let text = ChatReply::text("one two three");
    let wait = Duration::from_secs(2);
    rig.mock.answer("late-stream", text.stream(&Pieces::Chars(4), false).after(wait));
    rig.mock.answer("late", text.whole().after(wait));
    for (model, stream) in [("late-stream", true), ("late", false)] {
        let key = rig.make_key(model, &[]);
        let bearer = format!("Bearer {key}");
        let answer = std::thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let body = json!({"model":model,"stream":stream,"messages":[{"role":"user","content":"hi"}]});
                let headers = [("authorization", bearer.as_str())];
                let body = body.to_string();
                common::send(rig.address(), "POST", "/v1/chat/completions", &headers, body.as_bytes())
            });
            // By the whole name: the other one begins with it.
            let named = json!({ "model": model }).to_string();
            let asked = named.trim_matches(['{', '}']);
            wait_until("the upstream is asked", Duration::from_secs(5), || {
                rig.mock.received().iter().any(|r| r.text().contains(asked))
            });
            assert!(rig.command(&["key", "revoke", model]).status.success());
            asking.join().expect("an answer")
        });
        assert!(!answer.text().contains("one"), "{}", answer.text());
        assert!(answer.text().contains("auth.revoked"), "{}", answer.text());
        let outcome = rig.entries().into_iter().rev().find(|e| e["kind"] == "outcome").expect("recorded");
        assert_eq!(outcome["ending"], "blocked");
    }
}

/// A whole answer whose second half comes this much later than its first; it says `one two three`.
fn halting(status: &str, wait: Duration) -> Reply {
    let body = ChatReply::text("one two three").to_json();
    let (begun, rest) = body.split_at(20);
    let head =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}", body.len());
    let begun = format!("{head}\r\n\r\n{begun}");
    Reply::raw(vec![Step::Write(begun.into()), Step::Pause(wait), Step::Write(rest.to_owned().into())])
}

/// Asks for a whole answer, and does something once it has begun to arrive.
fn while_it_arrives(rig: &Rig, key: &str, model: &str, act: impl FnOnce()) -> common::Answer {
    let asked = rig.mock.requests();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let body = json!({"model":model,"messages":[{"role":"user","content":"hi"}]}).to_string();
            let bearer = format!("Bearer {key}");
            let headers = [("authorization", bearer.as_str())];
            common::send(rig.address(), "POST", "/v1/chat/completions", &headers, body.as_bytes())
        });
        wait_until("the upstream is asked", Duration::from_secs(5), || rig.mock.requests() > asked);
        std::thread::sleep(Duration::from_millis(200));
        act();
        asking.join().expect("an answer")
    })
}

#[test]
fn an_answer_whose_key_ends_while_it_arrives_is_not_given() {
    let rig = Rig::enforcing();
    let wait = Duration::from_secs(20);
    for (left, status) in [(1, "200 OK"), (2, "429 Too Many Requests")] {
        rig.mock.answer("halting", halting(status, wait));
        let name = format!("brief-{left}");
        let key = rig.make_key(&name, &[]);
        let begun = Instant::now();
        let answer = while_it_arrives(&rig, &key, "halting", || {
            assert!(rig.command(&["key", "revoke", &name]).status.success());
        });
        assert_eq!((answer.status, answer.code()), (401, "auth.revoked".to_owned()));
        assert!(begun.elapsed() < wait, "at once, as a stream is cut");
        wait_until("the upstream is left", Duration::from_secs(5), || rig.mock.abandoned() == left);
        let outcome = rig.entries().into_iter().rev().find(|e| e["kind"] == "outcome").expect("recorded");
        assert_eq!((&outcome["ending"], &outcome["status"]), (&json!("blocked"), &json!(401)));
    }
}

#[test]
fn an_answer_is_judged_by_the_policies_of_its_end() {
    let rig = Rig::enforcing();
    rig.mock.answer("halting", halting("200 OK", Duration::from_secs(3)));
    let file = rig.folder.path().join("nothing.cedar");
    let policies = r#"@id("all") @unscoped("test") permit (principal, action, resource);
        @id("nothing-back") @unscoped("test")
        forbid (principal, action == Bastide::Action::"receive", resource);"#;
    std::fs::write(&file, policies).expect("written");
    let answer = while_it_arrives(&rig, &rig.key, "halting", || {
        assert!(rig.command(&["policy", "set", &file.display().to_string()]).status.success());
    });
    assert_eq!(answer.code(), "policy.denied");
    let outcome = rig.entries().into_iter().rev().find(|e| e["kind"] == "outcome").expect("recorded");
    assert_eq!(outcome["ending"], "blocked");
}

#[test]
fn an_answer_that_never_falls_silent_has_an_end() {
    let settings = temp_folder().expect("a folder");
    let file = settings.path().join("settings.toml");
    std::fs::write(&file, "[limits]\nfirst_byte_seconds = 2\n").expect("written");
    let rig = Rig::with(&["--guard", "off", "--config", &file.display().to_string()]);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
    let blanks = (0..100).flat_map(|_| [Step::Write(" ".into()), Step::Pause(Duration::from_millis(200))]);
    rig.mock.answer("blank", Reply::raw(std::iter::once(Step::Write(head.into())).chain(blanks).collect()));
    let begun = Instant::now();
    let answer = rig.chat(r#"{"model":"blank","messages":[{"role":"user","content":"hi"}]}"#);
    assert_eq!((answer.status, answer.code()), (504, "upstream.timeout".to_owned()));
    assert!(begun.elapsed() > Duration::from_millis(1_900), "{:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn an_inspection_ends_when_its_caller_leaves() {
    let settings = temp_folder().expect("a folder");
    let file = settings.path().join("settings.toml");
    std::fs::write(&file, "[limits]\nguard_seconds = 60\n").expect("written");
    let rig = Rig::with(&["--guard", "enforce", "--config", &file.display().to_string()]);
    // Each digit may begin a number of a card or a telephone, and none does: seconds of work.
    let long = "1 ".repeat(14 << 20);
    rig.mock.answer("long", ChatReply::text(&long).whole());
    for (model, says) in [("mock", long.as_str()), ("long", "hi")] {
        let asked = rig.mock.requests();
        let body = json!({"model":model,"messages":[{"role":"user","content":says}]}).to_string();
        let mut stream = TcpStream::connect(rig.address()).expect("connects");
        let (address, key, length) = (rig.address(), &rig.key, body.len());
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {key}\r\n\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes())).expect("sent");
        if model == "long" {
            wait_until("the upstream is asked", Duration::from_secs(5), || rig.mock.requests() > asked);
        }
        std::thread::sleep(Duration::from_millis(700));
        drop(stream);
        let used = || cpu_time(rig.server.pid()).expect("it runs");
        wait_until("nothing is done for it", Duration::from_secs(3), || {
            let before = used();
            std::thread::sleep(Duration::from_millis(300));
            used() == before
        });
    }
    let entries = rig.entries();
    let count = |kind: &str| entries.iter().filter(|e| e["kind"] == kind).count();
    assert_eq!((count("request"), count("outcome")), (1, 1), "nothing was decided about the first");
    let end = entries.last().expect("an outcome");
    assert_eq!(end["ending"], "client_left");
    assert!(end["usage"]["output_tokens"].as_u64() > Some(0), "what came is charged: {}", end["usage"]);
    let exchange = end["exchange"].as_str().expect("its id");
    let shown = rig.command(&["audit", "show", exchange, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    let bodies = shown["bodies"].as_array().expect("bodies");
    let states: Vec<_> = bodies.iter().map(|b| (b["kind"].as_str(), b["state"].as_str())).collect();
    assert!(states.contains(&(Some("response received"), Some("kept"))), "what came is kept: {states:?}");
}

#[test]
fn a_running_stream_is_asked_about_as_it_was_in_the_beginning() {
    let rig = Rig::enforcing();
    let file = rig.folder.path().join("tools.cedar");
    std::fs::write(
        &file,
        r#"@id("all") @unscoped("test") permit (principal, action, resource);
           @id("with-a-tool") @unscoped("test")
           forbid (principal, action == Bastide::Action::"invoke", resource)
           unless { context.tools.contains("search") };"#,
    )
    .expect("written");
    assert!(rig.command(&["policy", "set", &file.display().to_string()]).status.success());
    let reply = ChatReply::text("one two three four five six seven eight");
    rig.mock.answer("slow", reply.stream(&Pieces::Chars(4), false).paced(Duration::from_millis(300)));
    let tool = json!({"type":"function","function":{"name":"search","parameters":{"type":"object"}}});
    let body =
        json!({"model":"slow","stream":true,"tools":[tool],"messages":[{"role":"user","content":"hi"}]});
    // Another key expires meanwhile, which asks every running stream.
    rig.make_key("brief", &["--expires", "1s"]);
    let answer = rig.chat(&body.to_string());
    assert!(answer.text().contains("[DONE]"), "{}", answer.text());
}

/// A server that gives callers two seconds to read, and a connection with a small window.
fn impatient() -> (Rig, tempfile::TempDir, TcpStream) {
    let settings = temp_folder().expect("a folder");
    let file = settings.path().join("settings.toml");
    std::fs::write(&file, "[limits]\nwrite_seconds = 2\n").expect("written");
    let rig = Rig::with(&["--guard", "off", "--config", &file.display().to_string()]);
    use rustix::net::{AddressFamily, SocketType, socket, sockopt};
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    sockopt::set_socket_recv_buffer_size(&socket, 8 << 10).expect("set");
    rustix::net::connect(&socket, &rig.address()).expect("connects");
    (rig, settings, TcpStream::from(socket))
}

/// Far more than two sockets hold between them.
const MUCH: usize = 24 << 20;

#[test]
fn a_caller_that_stops_reading_a_stream_is_disconnected() {
    let (rig, _settings, mut stream) = impatient();
    let reply = ChatReply::text(&"word ".repeat(MUCH / 5)).stream(&Pieces::Chars(16 << 10), false);
    rig.mock.answer("huge", reply);
    let key = rig.key.clone();
    rig.ask_for_stream(&mut stream, &key, "huge");
    let asked = Instant::now();
    let outcome = || rig.entries().into_iter().find(|e| e["kind"] == "outcome");
    wait_until("an outcome", Duration::from_secs(20), || outcome().is_some());
    assert!(asked.elapsed() > Duration::from_millis(1_900), "{:?}", asked.elapsed());
    assert_eq!(outcome().map(|e| e["ending"].clone()), Some(json!("client_left")));
    wait_until("the upstream is left", Duration::from_secs(5), || rig.mock.abandoned() == 1);
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    assert!(got.len() < MUCH && !got.ends_with(b"[DONE]\n\n\r\n0\r\n\r\n"), "{}", got.len());
}

#[test]
fn a_caller_that_stops_reading_a_whole_answer_is_disconnected() {
    let (rig, _settings, mut stream) = impatient();
    rig.mock.answer("big", ChatReply::text(&"word ".repeat(MUCH / 5)).whole());
    let body = r#"{"model":"big","messages":[{"role":"user","content":"hi"}]}"#;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        rig.address(),
        rig.key,
        body.len()
    );
    stream.write_all(head.as_bytes()).expect("sent");
    wait_until("an outcome", Duration::from_secs(20), || {
        rig.entries().iter().any(|e| e["kind"] == "outcome")
    });
    // The one that asks for the metrics is open then.
    let alone = || rig.get("/metrics").text().contains("bastide_connections 1\n");
    assert!(!alone(), "the answer is still on its way");
    wait_until("the connection is closed", Duration::from_secs(20), alone);
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let mut got = Vec::new();
    let _ = stream.read_to_end(&mut got);
    assert!(got.len() < MUCH, "{}", got.len());
}

fn control(data: &Path, request: &Value) -> std::io::Result<UnixStream> {
    let mut stream = UnixStream::connect(data.join("control.sock"))?;
    stream.write_all(format!("{request}\n").as_bytes())?;
    Ok(stream)
}

/// Every intent in the log without an outcome.
fn open_changes(entries: &[Value]) -> Vec<usize> {
    let ended: Vec<u64> = entries.iter().filter_map(|e| e["intent"].as_u64()).collect();
    let is_open = |(index, entry): (usize, &Value)| {
        (entry["phase"] == "intent" && !ended.contains(&u64::try_from(index).expect("small")))
            .then_some(index)
    };
    entries.iter().enumerate().filter_map(is_open).collect()
}

#[test]
fn a_change_is_made_although_its_caller_left() {
    let rig = Rig::enforcing();
    let body = r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(rig.chat(body).status, 200);
    drop(control(rig.folder.path(), &json!({"request": "key_revoke", "key": "test"})).expect("sent"));
    wait_until("the key is refused", Duration::from_secs(10), || rig.chat(body).status == 401);
    let revoked = || rig.entries().iter().any(|e| e["action"] == "key.revoke" && e["phase"] == "done");
    wait_until("the outcome is recorded", Duration::from_secs(10), revoked);
}

#[test]
fn changes_that_run_when_the_server_stops_are_whole() {
    let mut rig = Rig::enforcing();
    let data = rig.folder.path().to_owned();
    let clients: Vec<_> = (0..6)
        .map(|client| {
            let data = data.clone();
            std::thread::spawn(move || {
                let mut made = Vec::new();
                for number in 0.. {
                    let request = json!({"request": "key_create", "name": format!("k{client}-{number}")});
                    let Ok(stream) = control(&data, &request) else { break };
                    let mut answer = String::new();
                    if BufReader::new(stream).read_line(&mut answer).is_err() || answer.is_empty() {
                        break;
                    }
                    let answer: Value = serde_json::from_str(&answer).expect("JSON");
                    match answer["ok"]["id"].as_str() {
                        Some(id) => made.push(id.to_owned()),
                        None => break,
                    }
                }
                made
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(400));
    assert!(rig.server.terminate(Duration::from_secs(20)).expect("ends").success());
    let made: Vec<String> = clients.into_iter().flat_map(|c| c.join().expect("ends")).collect();
    assert!(made.len() > 6, "{}", made.len());

    let data = data.display().to_string();
    let tail = bastide(&["audit", "tail", "-n", "100000", "--json", "--data", &data], &[]);
    let entries: Vec<Value> = String::from_utf8_lossy(&tail.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(open_changes(&entries), Vec::<usize>::new(), "no change is half made");
    assert_eq!(entries.last().map(|e| e["kind"].clone()), Some(json!("stopped")));
    let keys = bastide(&["key", "list", "--json", "--data", &data], &[]);
    let keys = String::from_utf8_lossy(&keys.stdout).into_owned();
    assert!(made.iter().all(|id| keys.contains(id)), "what was acknowledged is there");
}
