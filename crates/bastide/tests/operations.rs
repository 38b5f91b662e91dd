//! Starting, stopping and what goes wrong around it: a clear message, nothing lost.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::Read as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bastide_testkit::{
    BastideError, BastideProcess, ChatReply, MockConfig, MockUpstream, Pieces, free_port, temp_folder,
};
use common::Rig;
use common::console::printed;
use serde_json::json;

const BODY: &str = r#"{"model":"mock","messages":[{"role":"user","content":"hi"}]}"#;

fn fails(builder: bastide_testkit::BastideBuilder) -> String {
    match builder.start() {
        Err(BastideError::Ended { output, status }) => {
            assert_eq!(status.code(), Some(3), "{output}");
            assert!(!output.contains("panicked"), "{output}");
            output
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn the_first_start_answers_the_printed_request_with_nothing_configured() {
    let folder = temp_folder().expect("a folder");
    let server = BastideProcess::on(&folder.path().join("data")).start().expect("starts");
    let key = printed(&server, "Bearer ");
    let body =
        json!({"model":"demo","messages":[{"role":"user","content":"my card is 4111 1111 1111 1111"}]})
            .to_string();
    let bearer = format!("Bearer {key}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = common::send(server.address(), "POST", "/v1/chat/completions", &headers, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains("4111 1111 1111 1111"), "the value came back: {text}");
    assert!(text.contains("CREDIT CARD"), "the model spells what it saw instead: {text}");
    let receipt = answer.header("bastide-receipt").expect("a receipt");
    let data = folder.path().join("data");
    let verified = server.run(&["audit", "verify", "--data", &data.to_string_lossy(), "--receipt", receipt]);
    assert!(verified.expect("runs").status.success());
}

#[test]
fn a_busy_port_says_so_and_leaves_the_folder_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data");
    let port = taken.local_addr().expect("bound").port();
    let output = fails(BastideProcess::on(&data).port(port));
    let other = format!("--listen 127.0.0.1:{}", port.checked_add(1).unwrap_or(0));
    assert!(output.contains(&other), "{output}");
    assert!(!data.exists());
}

#[test]
fn a_second_server_on_the_folder_is_refused() {
    let rig = Rig::enforcing();
    let output = fails(BastideProcess::on(rig.folder.path()));
    assert!(output.contains("another bastide serves"), "{output}");
    assert_eq!(rig.chat(BODY).status, 200, "the first goes on");
}

#[test]
fn a_folder_that_cannot_be_written_says_so() {
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "x").expect("written");
    let output = fails(BastideProcess::on(&file.join("data")));
    assert!(output.contains("data folder") && output.contains("file/data"), "{output}");
}

#[test]
fn a_corrupted_database_says_so_and_is_not_overwritten() {
    let rig = Rig::enforcing();
    let Rig { mut server, folder, .. } = rig;
    assert!(server.terminate(Duration::from_secs(10)).expect("ends").success());
    let file = folder.path().join("bastide.db");
    let mut bytes = std::fs::read(&file).expect("readable");
    bytes.iter_mut().skip(100).for_each(|b| *b ^= 0x5a);
    std::fs::write(&file, &bytes).expect("written");
    let output = fails(BastideProcess::on(folder.path()));
    assert!(output.contains("bastide.db"), "{output}");
    assert_eq!(std::fs::read(&file).expect("readable"), bytes);
}

#[test]
fn a_lost_key_file_is_never_replaced() {
    let rig = Rig::enforcing();
    let Rig { mut server, folder, .. } = rig;
    server.terminate(Duration::from_secs(10)).expect("ends");
    std::fs::remove_file(folder.path().join("keys/root.key")).expect("removed");
    let output = fails(BastideProcess::on(folder.path()));
    assert!(output.contains("root.key") && output.contains("backup"), "{output}");
}

#[test]
fn sealed_keys_open_with_their_passphrase_only() {
    let folder = temp_folder().expect("a folder");
    let mut first = BastideProcess::on(folder.path())
        .variable("BASTIDE_PASSPHRASE", "correct horse")
        .start()
        .expect("starts");
    first.terminate(Duration::from_secs(10)).expect("ends");
    let output = fails(BastideProcess::on(folder.path()));
    assert!(output.contains("BASTIDE_PASSPHRASE"), "{output}");
    let output = fails(BastideProcess::on(folder.path()).variable("BASTIDE_PASSPHRASE", "wrong"));
    assert!(output.contains("does not open"), "{output}");
    BastideProcess::on(folder.path())
        .variable("BASTIDE_PASSPHRASE", "correct horse")
        .start()
        .expect("opens again");
}

/// A command that is not a server, with a passphrase in the environment.
fn with_passphrase(arguments: &[&str], passphrase: &str) -> (Option<i32>, String) {
    let output = common::bastide(arguments, &[("BASTIDE_PASSPHRASE", passphrase)]);
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), text.concat())
}

#[test]
fn keys_are_sealed_later_only_by_the_command_for_it() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().display().to_string();
    let mut server = BastideProcess::on(folder.path()).start().expect("starts");
    let seal = ["data", "seal", "--data", &data];
    let (code, text) = with_passphrase(&seal, "correct horse");
    assert!(code == Some(3) && text.contains("stop it first"), "while a server runs: {text}");
    server.terminate(Duration::from_secs(10)).expect("ends");

    let files = ["keys/root.key", "keys/log.key"].map(|name| folder.path().join(name));
    let read = || files.clone().map(|file| std::fs::read_to_string(file).expect("readable"));
    let before = read();
    let (code, text) = with_passphrase(&["key", "list", "--data", &data], "correct horse");
    assert!(code == Some(3) && text.contains(&format!("bastide data seal --data {data}")), "{text}");
    let output = fails(BastideProcess::on(folder.path()).variable("BASTIDE_PASSPHRASE", "correct horse"));
    assert!(output.contains("bastide data seal"), "{output}");
    assert_eq!(read(), before, "nothing is sealed on the way");

    let (code, text) = with_passphrase(&seal, "correct horse");
    assert!(code == Some(0) && text.contains("are sealed"), "{text}");
    assert!(read().iter().all(|text| text.starts_with("bastide-sealed")), "both");
    let (code, text) = with_passphrase(&seal, "correct horse");
    assert!(code == Some(0) && text.contains("sealed already"), "{text}");
    let (code, text) = with_passphrase(&seal, "wrong");
    assert!(code == Some(3) && text.contains("does not open"), "{text}");
    // Cut off between the two files: the other key is sealed by doing it again, under the same passphrase only.
    let [_, log] = &files;
    std::fs::write(log, &before[1]).expect("written");
    let (code, text) = with_passphrase(&seal, "wrong");
    assert!(code == Some(3) && text.contains("does not open"), "{text}");
    assert_eq!(with_passphrase(&seal, "correct horse").0, Some(0));
    let started = BastideProcess::on(folder.path()).variable("BASTIDE_PASSPHRASE", "correct horse").start();
    started.expect("starts with it");
}

#[test]
fn an_empty_passphrase_is_refused_and_leaves_no_folder() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("data");
    let shown = data.display().to_string();
    let (code, text) = with_passphrase(&["key", "create", "ci", "--data", &shown], "");
    assert!(code == Some(2) && text.contains("`BASTIDE_PASSPHRASE` is empty"), "{text}");
    let file = folder.path().join("passphrase");
    std::fs::write(&file, "\n").expect("written");
    let file = file.display().to_string();
    let create = ["key", "create", "ci", "--data", &shown, "--passphrase-file", &file];
    let output = common::bastide(&create, &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!data.exists());
}

#[test]
fn what_the_first_start_prints_to_be_run_names_its_folder() {
    let folder = temp_folder().expect("a folder");
    let data = folder.path().join("a data folder");
    let server = BastideProcess::on(&data).start().expect("starts");
    common::wait_until("the next step", Duration::from_secs(5), || {
        server.output().contains("add a provider")
    });
    let output = server.output();
    let line = output.lines().find(|l| l.starts_with("add a provider")).expect("a line");
    assert_eq!(line.matches(&format!("--data '{}'", data.display())).count(), 2, "{line}");
}

#[test]
fn a_provider_without_its_credential_fails_visibly_and_alone() {
    let mock =
        MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() }).expect("a mock");
    let folder = temp_folder().expect("a folder");
    let data = folder.path().display().to_string();
    let add = |name: &str, url: &str, more: &[&str]| {
        let all = [&["provider", "add", name, "--base-url", url, "--data", &data][..], more].concat();
        assert!(common::bastide(&all, &[]).status.success());
    };
    add("first", "https://first.example/v1", &["--key-env", "CREDENTIAL_OF_NOBODY"]);
    add("second", &mock.base_url(), &[]);
    let server = BastideProcess::on(folder.path()).start().expect("the other one serves");
    let bearer = format!("Bearer {}", server.create_key("test").expect("a key").key);
    let ask = |model: &str| {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]}).to_string();
        let headers = [("authorization", bearer.as_str())];
        common::send(server.address(), "POST", "/v1/chat/completions", &headers, body.as_bytes())
    };
    // More often than a breaker takes to open: a rest would send these to the second provider.
    for model in ["mock", "first/mock"].into_iter().cycle().take(12) {
        let answer = ask(model);
        assert_eq!((answer.status, answer.code().as_str()), (503, "upstream.unusable"), "{}", answer.text());
        assert!(answer.text().contains("`first`") && answer.text().contains("bastide provider list"));
        assert!(!answer.text().contains("CREDENTIAL_OF_NOBODY"), "the operator's to know: {}", answer.text());
        assert!(answer.header("bastide-receipt").is_some());
    }
    assert_eq!(mock.requests(), 0, "none went to the next provider");
    assert_eq!(ask("second/mock").status, 200);
    assert_eq!(server.output().matches("CREDENTIAL_OF_NOBODY").count(), 1, "{}", server.output());
    let list = server.run(&["provider", "list", "--data", &data]).expect("runs");
    let table = String::from_utf8_lossy(&list.stdout).into_owned();
    let line = table.lines().find(|l| l.starts_with("first")).expect("listed");
    assert!(line.contains("unusable: the environment variable `CREDENTIAL_OF_NOBODY` is not set"), "{table}");
    assert!(table.lines().any(|l| l.starts_with("second") && l.contains("ready")), "{table}");
}

#[test]
fn plain_http_beyond_loopback_is_refused_unless_said() {
    let folder = temp_folder().expect("a folder");
    let port = free_port().expect("a port");
    let any = BastideProcess::on(folder.path()).argument("--listen").argument(&format!("0.0.0.0:{port}"));
    match any.start() {
        Err(BastideError::Ended { output, status }) => {
            assert_eq!(status.code(), Some(2), "{output}");
            assert!(
                output.contains("--tls-cert") || output.contains("cannot be used multiple times"),
                "{output}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn everything_is_there_after_kill_9() {
    let rig = Rig::enforcing();
    let receipt = rig.chat(BODY).header("bastide-receipt").expect("a receipt").to_owned();
    let Rig { mut server, folder, mock, key } = rig;
    server.kill();
    let server =
        BastideProcess::on(folder.path()).upstream(&mock.base_url()).start().expect("starts by itself");
    let data = folder.path().to_string_lossy().into_owned();
    let verified = server.run(&["audit", "verify", "--data", &data, "--receipt", &receipt]).expect("runs");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let bearer = format!("Bearer {key}");
    let answer = common::send(
        server.address(),
        "POST",
        "/v1/chat/completions",
        &[("authorization", &bearer)],
        BODY.as_bytes(),
    );
    assert_eq!(answer.status, 200, "the key still holds");
}

#[test]
fn stopping_lets_a_running_stream_end() {
    let mut rig = Rig::enforcing();
    let reply = ChatReply::text("one two three four five six seven eight").stream(&Pieces::Chars(5), false);
    rig.mock.answer("slow", reply.paced(Duration::from_millis(100)));
    let mut stream = rig.stream(&rig.key, "slow");
    let mut first = [0; 64];
    stream.read_exact(&mut first).expect("it has begun");
    let status = rig.server.terminate(Duration::from_secs(20)).expect("ends");
    assert!(status.success());
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text");
    assert!(rest.contains("data: [DONE]"), "{rest}");
    let output = rig.command(&["audit", "verify"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_client_that_leaves_ends_the_upstream_too() {
    let rig = Rig::enforcing();
    let long = "word ".repeat(500);
    let reply = ChatReply::text(&long).stream(&Pieces::Chars(5), false);
    rig.mock.answer("long", reply.paced(Duration::from_millis(20)));
    let mut stream = rig.stream(&rig.key, "long");
    let mut first = [0; 64];
    stream.read_exact(&mut first).expect("it has begun");
    drop(stream);
    let until = Instant::now() + Duration::from_secs(5);
    while rig.mock.abandoned() == 0 {
        assert!(Instant::now() < until, "the upstream goes on for nobody");
        std::thread::sleep(Duration::from_millis(20));
    }
    let outcome = rig.entries().into_iter().rev().find(|e| e["kind"] == "outcome").expect("recorded");
    assert_eq!(outcome["ending"], "client_left");
}

#[test]
fn revoking_a_key_cuts_its_running_stream() {
    let rig = Rig::enforcing();
    let long = "word ".repeat(500);
    let reply = ChatReply::text(&long).stream(&Pieces::Chars(5), false);
    rig.mock.answer("long", reply.paced(Duration::from_millis(20)));
    let mut stream = rig.stream(&rig.key, "long");
    let mut first = [0; 64];
    stream.read_exact(&mut first).expect("it has begun");
    assert!(rig.command(&["key", "revoke", "test"]).status.success());
    let revoked = Instant::now();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("text");
    assert!(revoked.elapsed() < Duration::from_secs(2), "within a second, with room for a slow machine");
    assert!(rest.contains("auth.revoked") && !rest.contains("[DONE]"), "{rest}");
}

#[test]
fn metrics_name_what_happened() {
    let rig = Rig::enforcing();
    rig.chat(r#"{"model":"mock","messages":[{"role":"user","content":"mail ada@example.org"}]}"#);
    let text = rig.get("/metrics").text();
    for name in [
        "bastide_exchanges_total{ending=\"complete\"} 1",
        "bastide_findings_total{category=\"EMAIL_ADDRESS\",direction=\"request\",verdict=\"tokenise\"} 1",
        "bastide_own_overhead_seconds_count 1",
        "bastide_guard_duration_seconds_bucket",
        "gen_ai_server_request_duration_seconds_count 1",
        "gen_ai_server_time_to_first_token_seconds_count 1",
    ] {
        assert!(text.contains(name), "{name} in:\n{text}");
    }
}
