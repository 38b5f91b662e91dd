//! What the operating system does to a running server: the disk fills up, files may not grow, the clock jumps.
//!
//! A full disk is a small tmpfs in a mount namespace of its own; a jumping clock is libfaketime. Where the machine does
//! not permit or have these, a test says so and passes.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says why")]
#![allow(clippy::disallowed_methods, reason = "the system's own tools arrange the faults")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bastide_testkit::{
    BastideError, BastideProcess, ChatReply, MockConfig, MockUpstream, Pieces, Step, find_binary, temp_folder,
};
use common::{Answer, Rig, send, wait_until};
use serde_json::Value;

const BODY: &str = r#"{"model":"mock","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}"#;

/// A program that runs the binary in special circumstances.
fn wrapper(folder: &Path, script: &str) -> PathBuf {
    let path = folder.join("bastide.sh");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("executable");
    path
}

fn runs(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("`{program}`: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`{program}`: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

/// A mount namespace with a small tmpfs at a folder. It lasts as long as this value.
struct SmallDisk {
    holder: Child,
    enter: Vec<String>,
    folder: PathBuf,
}

impl SmallDisk {
    fn new(folder: &Path, megabytes: u32) -> Result<SmallDisk, String> {
        let mount = format!(
            "mount -t tmpfs -o size={megabytes}m,mode=0700 tmpfs '{}' && echo mounted && exec sleep 600",
            folder.display()
        );
        let mut why = String::new();
        // As root, and else as root of a user namespace, where the kernel lets anyone have one.
        for (flags, enter) in [("-m", &["-m"][..]), ("-Urm", &["-U", "-m", "--preserve-credentials"])] {
            let spawned = Command::new("unshare")
                .args([flags, "sh", "-c", &mount])
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut holder = spawned.map_err(|e| format!("`unshare`: {e}"))?;
            let mut line = String::new();
            let read = holder.stdout.take().map(|out| BufReader::new(out).read_line(&mut line));
            if matches!(read, Some(Ok(_))) && line == "mounted\n" {
                let pid = holder.id().to_string();
                let target = ["nsenter".to_owned(), "-t".to_owned(), pid];
                let enter = target.into_iter().chain(enter.iter().map(|e| (*e).to_owned())).collect();
                return Ok(SmallDisk { holder, enter, folder: folder.to_owned() });
            }
            let _ = holder.kill();
            why.clear();
            let _ = holder.stderr.take().map(|mut err| err.read_to_string(&mut why));
            let _ = holder.wait();
        }
        Err(why.trim().to_owned())
    }

    fn grow(&self, megabytes: u32) {
        let (program, arguments) = self.enter.split_first().expect("nsenter");
        let size = format!("remount,size={megabytes}m");
        let folder = self.folder.display().to_string();
        let all: Vec<&str> =
            arguments.iter().map(String::as_str).chain(["mount", "-o", &size, &folder]).collect();
        runs(program, &all).expect("remounted");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn chat(server: &BastideProcess, key: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    send(server.address(), "POST", "/v1/chat/completions", &[("authorization", &bearer)], BODY.as_bytes())
}

/// Asks until the log has no room, makes room, and looks at what is there in the end.
fn fills_and_recovers(
    mut server: BastideProcess,
    mock: &MockUpstream,
    make_room: impl FnOnce(&BastideProcess),
) {
    let data = server.data().display().to_string();
    let mut key = server.create_key("test");
    for _ in 0..20 {
        // The log's next segment is tried every few seconds and leaves nothing for anyone at that moment.
        if key.is_err() {
            std::thread::sleep(Duration::from_millis(100));
            key = server.create_key("test");
        }
    }
    let key = key.expect("a key").key;
    let mut receipts: Vec<String> = Vec::new();
    let refused = loop {
        let answer = chat(&server, &key);
        if answer.status != 200 {
            break answer;
        }
        receipts.push(answer.header("bastide-receipt").expect("a receipt").to_owned());
        assert!(receipts.len() < 20_000, "it never fills up");
    };
    assert_eq!((refused.status, refused.code().as_str()), (503, "log.unavailable"), "{}", refused.text());
    assert!(receipts.len() > 100, "{}", receipts.len());
    for _ in 0..5 {
        assert_eq!(chat(&server, &key).code(), "log.unavailable");
    }
    assert_eq!(send(server.address(), "GET", "/healthz", &[], b"").status, 200, "it lives");
    assert_eq!(send(server.address(), "GET", "/readyz", &[], b"").status, 503, "and is not ready");
    // The entry of a change is small: where a request has no room left, some changes may still have it.
    let create = |name: &str| server.run(&["project", "create", name, "--data", &data]).expect("runs");
    let refused = (0..200).map(|n| format!("late-{n}")).find_map(|name| {
        let change = create(&name);
        let words = String::from_utf8_lossy(&change.stderr).into_owned();
        match change.status.code() {
            Some(0) => None,
            code => Some((name, code, words)),
        }
    });
    let (late, code, words) = refused.expect("a change is refused in the end");
    assert!(code == Some(3) && words.contains("nothing was changed"), "{words}");

    make_room(&server);
    wait_until("requests pass again", Duration::from_secs(60), || {
        let answer = chat(&server, &key);
        receipts.extend(answer.header("bastide-receipt").filter(|_| answer.status == 200).map(str::to_owned));
        answer.status == 200
    });
    assert!(server.run(&["project", "create", &late, "--data", &data]).expect("runs").status.success());
    assert!(!server.output().contains("panicked"), "{}", server.output());
    let status = server.terminate(Duration::from_secs(60)).expect("ends");
    assert!(status.success(), "{}", server.output());

    let count = receipts.len();
    for receipt in [0, count / 2, count - 2, count - 1].iter().filter_map(|i| receipts.get(*i)) {
        let arguments = ["audit", "verify", "--data", &data, "--receipt", receipt];
        let verified = server.run(&arguments).expect("runs");
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    }
    let tail = server.run(&["audit", "tail", "-n", "100000", "--json", "--data", &data]).expect("runs");
    let tail = String::from_utf8_lossy(&tail.stdout).into_owned();
    let entries: Vec<Value> = tail.lines().filter_map(|l| serde_json::from_str(l).ok()).collect();
    // Where the outcome finds no room the request may have found some, and left.
    let requests = entries.iter().filter(|e| e["kind"] == "request").count() as u64;
    assert!(requests >= mock.requests(), "{requests} recorded, {} left", mock.requests());
    let complete = entries.iter().filter(|e| e["kind"] == "outcome" && e["ending"] == "complete").count();
    assert!(complete >= count, "{complete} outcomes for {count} receipts");
    assert_eq!(entries.last().map(|e| e["kind"].clone()), Some("stopped".into()));
}

#[test]
fn a_full_disk_refuses_loses_nothing_and_recovers() {
    let (folder, tools) = (temp_folder().expect("a folder"), temp_folder().expect("a folder"));
    let disk = match SmallDisk::new(folder.path(), 8) {
        Ok(disk) => disk,
        Err(why) => return println!("skipped: no tmpfs of our own can be mounted here: {why}"),
    };
    let binary = find_binary("bastide").expect("a binary");
    let script = format!("exec {} '{}' \"$@\"", disk.enter.join(" "), binary.display());
    let mock = MockUpstream::start_blocking(MockConfig::default()).expect("a mock upstream");
    let binary = wrapper(tools.path(), &script);
    let start =
        || BastideProcess::on(folder.path()).binary(binary.clone()).upstream(&mock.base_url()).start();
    // The log tries to make its next segment, which takes all the space there is until it gives up; a start at that
    // very moment ends with a clear word, and the next one goes on where it was.
    let mut started = start();
    for _ in 0..20 {
        match &started {
            Err(BastideError::Ended { status, output }) => {
                assert!(status.code() == Some(3) && output.contains("no space left"), "{output}");
                started = start();
            }
            _ => break,
        }
    }
    let server = started.expect("starts on eight megabytes");
    fills_and_recovers(server, &mock, |_| disk.grow(200));
}

#[test]
fn files_that_may_not_grow_refuse_lose_nothing_and_recover() {
    if let Err(why) = runs("prlimit", &["--fsize=1000000:unlimited", "true"]) {
        return println!("skipped: the size of files cannot be limited here: {why}");
    }
    let (folder, tools) = (temp_folder().expect("a folder"), temp_folder().expect("a folder"));
    let binary = find_binary("bastide").expect("a binary");
    // Without the signal that goes with it the limit is an error of the write (EFBIG).
    let script = format!(
        "[ \"$1\" = serve ] || exec '{0}' \"$@\"\ntrap '' XFSZ\nexec prlimit --fsize=8388608:unlimited '{0}' \"$@\"",
        binary.display()
    );
    let mock = MockUpstream::start_blocking(MockConfig::default()).expect("a mock upstream");
    let server = BastideProcess::on(folder.path())
        .binary(wrapper(tools.path(), &script))
        .upstream(&mock.base_url())
        .start()
        .expect("starts with small files");
    fills_and_recovers(server, &mock, |server| {
        let pid = server.pid().to_string();
        runs("prlimit", &["--pid", &pid, "--fsize=unlimited:unlimited"]).expect("the limit is lifted");
    });
}

/// Where libfaketime lies.
fn faketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.map_while(Result::ok).map(|e| e.path());
    let places = folders.chain(["/usr/lib", "/usr/local/lib", "/usr/lib64"].map(PathBuf::from));
    places.map(|p| p.join("faketime/libfaketime.so.1")).find(|p| p.is_file())
}

#[test]
fn a_clock_that_jumps_moves_no_limit_and_no_expiry() {
    let Some(library) = faketime() else {
        return println!("skipped: libfaketime is not installed (`apt-get install faketime`)");
    };
    let (folder, tools) = (temp_folder().expect("a folder"), temp_folder().expect("a folder"));
    let clock = tools.path().join("clock");
    let set = |offset: &str| {
        // At once for every reader: half a file would be another time.
        let next = clock.with_extension("next");
        std::fs::write(&next, format!("{offset}\n")).expect("written");
        std::fs::rename(&next, &clock).expect("renamed");
    };
    set("+0");
    let mock = MockUpstream::start_blocking(MockConfig::default()).expect("a mock upstream");
    let silent = ChatReply::text("one two three").stream(&Pieces::Chars(4), false).cut(3, Step::Hang);
    mock.answer("silent", silent);
    let server = BastideProcess::on(folder.path())
        .upstream(&mock.base_url())
        .variable("LD_PRELOAD", &library.display().to_string())
        .variable("FAKETIME_TIMESTAMP_FILE", &clock.display().to_string())
        .variable("FAKETIME_NO_CACHE", "1")
        // As on a real machine: whoever sets the clock does not set the time since the start.
        .variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .start()
        .expect("starts");
    let key = server.create_key("test").expect("a key").key;
    let mut rig = Rig { mock, server, key, folder };
    let status = |key: &str| chat(&rig.server, key).status;
    let code = |key: &str| chat(&rig.server, key).code();

    let hour = rig.make_key("hour", &["--expires", "1h"]);
    let budget = rig.make_key("budget", &["--tokens-per-day", "60"]);
    let slow = rig.make_key("slow", &["--requests-per-minute", "1"]);
    assert_eq!((status(&hour), status(&budget), status(&slow)), (200, 200, 200));
    assert_eq!(
        (code(&budget), code(&slow)),
        ("limit.tokens_per_day".into(), "limit.requests_per_minute".into())
    );

    // Back, before any start: no second budget, no new minute, no longer life.
    let brief = rig.make_key("brief", &["--expires", "2s"]);
    assert_eq!(status(&brief), 200);
    set("-3d");
    assert_eq!((status(&rig.key), status(&hour)), (200, 200));
    assert_eq!(
        (code(&budget), code(&slow)),
        ("limit.tokens_per_day".into(), "limit.requests_per_minute".into())
    );
    wait_until("two seconds pass", Duration::from_secs(5), || code(&brief) == "auth.refused");

    // Forward over an expiry and a day: the key ends and so does its stream, the budget is new, the minute is not.
    let mut stream = rig.stream(&hour, "silent");
    let mut first = [0; 16];
    stream.read_exact(&mut first).expect("it has begun");
    set("+25h");
    let mut rest = String::new();
    stream.read_to_string(&mut rest).expect("cut in time");
    assert!(rest.contains("auth.revoked"), "{rest}");
    assert_eq!((code(&hour), status(&rig.key)), ("auth.refused".into(), 200));
    assert_eq!((status(&budget), code(&slow)), (200, "limit.requests_per_minute".into()));

    // And back to what it was: still no second budget.
    set("+0");
    assert_eq!((status(&rig.key), code(&budget)), (200, "limit.tokens_per_day".into()));

    let jumped = rig.entries().windows(2).any(|pair| pair[1]["at"].as_u64() < pair[0]["at"].as_u64());
    assert!(jumped, "the server saw the clock jump");
    let output = rig.server.output();
    assert!(!output.contains("panicked"), "{output}");
    assert!(rig.server.terminate(Duration::from_secs(30)).expect("ends").success());
    let verified = rig.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}
