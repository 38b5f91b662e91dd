//! Settings that change while the server runs: all that was asked for, or nothing.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bastide_testkit::{BastideProcess, MockConfig, MockUpstream, free_port, temp_folder};
use common::{Rig, wait_until};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};

const SECRET: &str =
    r#"{"model":"mock","messages":[{"role":"user","content":"my card is 4111 1111 1111 1111"}]}"#;

/// A server with a settings file.
fn rig_with(settings: &str) -> Rig {
    let mock = MockUpstream::start_blocking(MockConfig { record: true, ..MockConfig::default() })
        .expect("a mock upstream");
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, settings).expect("written");
    let server = BastideProcess::on(folder.path())
        .upstream(&mock.base_url())
        .argument("--config")
        .argument(&file.to_string_lossy())
        .start()
        .expect("the server starts");
    let key = server.create_key("test").expect("a key").key;
    Rig { mock, server, key, folder }
}

fn write(rig: &Rig, settings: &str) {
    std::fs::write(rig.folder.path().join("settings.toml"), settings).expect("written");
}

fn reload(rig: &Rig) -> Value {
    let output = rig.command(&["config", "reload", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

/// One request on a connection that stays open.
fn ask(stream: &mut TcpStream, rig: &Rig, body: &str) -> String {
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n{body}",
        rig.address(),
        rig.key,
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut got = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&got).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")?.parse::<usize>().ok());
            if rest.len() >= length.expect("a length") {
                return text;
            }
        }
        let read = stream.read(&mut buffer).expect("read");
        assert!(read > 0, "closed after {text}");
        got.extend_from_slice(&buffer[..read]);
    }
}

#[test]
fn another_guard_mode_is_in_force_on_a_connection_that_stays_open() {
    let rig = rig_with("[guard]\nmode = 'observe'");
    let mut stream = TcpStream::connect(rig.address()).expect("connects");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    assert!(ask(&mut stream, &rig, SECRET).starts_with("HTTP/1.1 200"));
    let rules = "[[guard.rules]]\ncategory = 'CREDIT_CARD'\nverdict = 'block'\n";
    write(&rig, &format!("[guard]\nmode = 'enforce'\n{rules}"));
    let done = reload(&rig);
    assert_eq!(done["changed"], json!(["guard.mode", "guard.rules"]), "{done}");
    let refused = ask(&mut stream, &rig, SECRET);
    assert!(refused.contains("guard.blocked"), "{refused}");
    let changes: Vec<Value> = rig.entries().into_iter().filter(|e| e["action"] == "config.reload").collect();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert_eq!(changes[0]["phase"], "intent");
    assert_eq!(changes[1]["phase"], "done");
    assert_eq!(changes[0]["state"].as_str().map(str::len), Some(64), "{changes:?}");
}

#[test]
fn a_bad_file_changes_nothing_and_says_why() {
    let rig = rig_with("[guard]\nmode = 'observe'");
    for (bad, why) in [
        ("[guard]\nmode = 'enforced'", "`guard.mode`"),
        ("[guard]\nmode = 'enforce'\n[limits]\nbody_seconds = 0", "`limits.body_seconds`"),
        ("allowed_hosts = ['a:1']\n[guard]\nmode = 'enforce'", "`allowed_hosts`"),
        ("listen = '0.0.0.0:1'\n[tls]\ncert = '/nowhere'\nkey = '/nowhere'", "/nowhere"),
        ("gaurd = 1", "settings.toml:1: there is no setting `gaurd`; is `guard` meant?"),
    ] {
        write(&rig, bad);
        let error = reload(&rig)["error"]["message"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(why) && error.starts_with("nothing was changed"), "{bad}: {error}");
    }
    std::fs::remove_file(rig.folder.path().join("settings.toml")).expect("removed");
    assert!(reload(&rig)["error"]["message"].as_str().is_some_and(|m| m.contains("cannot read")));
    let output = rig.server.output();
    assert!(
        output.contains("those of before stay in force") && output.contains("limits.body_seconds"),
        "{output}"
    );
    assert_eq!(rig.chat(SECRET).status, 200);
    let sent = rig.mock.received();
    let sent = String::from_utf8_lossy(&sent.last().expect("a request").body).into_owned();
    assert!(sent.contains("4111 1111 1111 1111"), "it still only observes: {sent}");
    assert!(!rig.entries().iter().any(|e| e["action"] == "config.reload"));
}

#[test]
fn what_needs_a_restart_is_named_and_the_rest_is_taken() {
    let rig = rig_with("");
    write(
        &rig,
        "allowed_hosts = ['ai.example']\n[limits]\nconnections = 5\nrequest_bytes = 1024\n[bodies]\nkeep = 'none'",
    );
    let output = rig.command(&["config", "reload"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        text,
        "in force: allowed_hosts, limits.request_bytes\nneeds restart: limits.connections, bodies.keep\n"
    );
    let long = json!({"model":"mock","messages":[{"role":"user","content":"x".repeat(2000)}]}).to_string();
    assert_eq!(rig.chat(&long).status, 413);
    let named = |host| common::send(rig.address(), "GET", "/healthz", &[("host", host)], b"").status;
    assert_eq!((named("ai.example"), named("other.example")), (200, 421));
    assert_eq!(reload(&rig)["changed"], json!([]), "a second time there is nothing new");
    let output = rig.command(&["config", "explain", "--running"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = |name: &str| -> Vec<&str> {
        table.lines().find(|l| l.starts_with(name)).expect(name).split_whitespace().collect()
    };
    assert_eq!(row("limits.connections")[1..6], ["16384", "default", "at", "the", "start;"], "{table}");
    assert_eq!(row("limits.request_bytes")[1], "1024", "{table}");
}

#[test]
fn what_the_file_says_by_now_stands_beside_what_the_server_runs_with() {
    let rig = rig_with("[limits]\nconnections = 7\nidle_seconds = 3\n");
    let file = rig.folder.path().join("settings.toml").to_string_lossy().into_owned();
    let row = |name: &str| {
        let output = rig.command(&["config", "explain", "--running"]);
        let table = String::from_utf8_lossy(&output.stdout).into_owned();
        table.lines().find(|l| l.starts_with(&format!("{name} "))).expect(name).to_owned()
    };
    assert!(row("limits.connections").ends_with(&format!("{file}:2")), "{}", row("limits.connections"));
    write(&rig, "# moved down\n[limits]\nconnections = 8\nidle_seconds = 4\n");
    let waits = format!("7           {file}:2 at the start; {file}:3 now says 8, needs restart");
    let connections = row("limits.connections");
    assert!(
        connections.split_whitespace().eq(format!("limits.connections {waits}").split_whitespace()),
        "{connections}"
    );
    assert!(
        row("limits.idle_seconds").ends_with("now says 4, needs reload"),
        "{}",
        row("limits.idle_seconds")
    );

    // The doctor speaks of the server that runs, not of one with the defaults.
    let doctor = || String::from_utf8_lossy(&rig.command(&["doctor"]).stdout).into_owned();
    let said = doctor();
    for part in ["now says 8, needs restart", "now says 4, needs reload", "the running server answers at"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("no settings file") && !said.contains("8800"), "{said}");
    assert_eq!(reload(&rig)["needs_restart"], json!(["limits.connections"]));
    assert!(
        row("limits.connections").ends_with("now says 8, needs restart"),
        "{}",
        row("limits.connections")
    );
    let idle = row("limits.idle_seconds");
    assert!(idle.split_whitespace().skip(1).eq(["4", &format!("{file}:4")]), "{idle}");
    write(&rig, "[limits]\nconnections = 'many'\n");
    let said = doctor();
    assert!(said.contains("fail  settings") && said.contains("settings.toml:2"), "{said}");
}

#[test]
fn a_stored_guard_that_a_file_displaces_is_named_everywhere() {
    let rig = rig_with("");
    assert!(rig.command(&["guard", "mode", "observe"]).status.success());
    let said = |arguments: &[&str]| {
        let output = rig.command(arguments);
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    };
    write(&rig, "\n[limits]\nidle_seconds = 9\n");
    assert!(!said(&["config", "reload"]).contains("no longer holds"));
    write(&rig, "\n[[guard.rules]]\nfamily = 'secret'\nverdict = 'block'\n");
    let file = rig.folder.path().join("settings.toml").to_string_lossy().into_owned();
    let (ends, place) = ("guard version 1", format!("no longer holds: {file}:2"));
    for arguments in
        [&["config", "check", &file][..], &["config", "reload"], &["doctor"], &["doctor", "--config", &file]]
    {
        let said = said(arguments);
        assert!(said.contains(ends) && said.contains(&place), "{arguments:?}: {said}");
    }
    assert!(!said(&["config", "reload"]).contains("no longer holds"), "it ends once");
    let shown = said(&["guard", "show"]);
    assert!(shown.contains(&format!("which does not hold: {file}:2 says what the guard does")), "{shown}");
    write(&rig, "");
    reload(&rig);
    assert!(!said(&["doctor"]).contains("guard version"), "the stored one holds again");
}

#[test]
fn a_flag_wins_over_the_file_also_when_it_is_read_again() {
    let folder = temp_folder().expect("a folder");
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "").expect("written");
    let rig = Rig::with(&["--guard", "observe", "--config", &file.to_string_lossy()]);
    std::fs::write(&file, "[guard]\nmode = 'off'\n[limits]\nidle_seconds = 3").expect("written");
    assert_eq!(reload(&rig)["changed"], json!(["limits.idle_seconds"]));
}

fn hang_up(server: &BastideProcess) {
    let pid = i32::try_from(server.pid()).ok().and_then(rustix::process::Pid::from_raw).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).expect("sent");
}

#[test]
fn a_hangup_reads_the_settings_again() {
    let rig = rig_with("[guard]\nmode = 'observe'");
    write(&rig, "[[guard.rules]]\ncategory = 'CREDIT_CARD'\nverdict = 'block'");
    hang_up(&rig.server);
    wait_until("the rule is in force", Duration::from_secs(20), || {
        rig.chat(SECRET).code() == "guard.blocked"
    });
    assert!(rig.server.output().contains("the settings were read again"));
}

#[test]
fn a_service_manager_is_told_what_the_server_does() {
    let folder = temp_folder().expect("a folder");
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).expect("bound");
    manager.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let told = || {
        let mut buffer = [0; 256];
        let read = manager.recv(&mut buffer).expect("told in time");
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    };
    let builder = BastideProcess::on(&folder.path().join("data"));
    let mut server = builder.variable("NOTIFY_SOCKET", &socket.to_string_lossy()).start().expect("starts");
    assert_eq!(told(), "READY=1");
    hang_up(&server);
    let reloading = told();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect("the time stands beside it");
    assert!(since.parse::<u64>().is_ok_and(|micros| micros > 0), "{reloading}");
    assert_eq!(told(), "READY=1");
    server.terminate(Duration::from_secs(20)).expect("stops");
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn the_log_shows_more_at_once_and_until_the_stop() {
    let rig = Rig::enforcing();
    let shown = |arguments: &[&str]| {
        let output = rig.command(arguments);
        (output.status.code(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    assert_eq!(shown(&["log-level"]), (Some(0), "info".to_owned()));
    assert!(!rig.server.output().contains("DEBUG"));
    assert_eq!(shown(&["log-level", "bastide_gateway=debug"]).0, Some(0));
    drop(common::raw(rig.address(), b"nonsense\r\n\r\n"));
    wait_until("a line of that level", Duration::from_secs(10), || rig.server.output().contains("DEBUG"));
    assert_eq!(shown(&["log-level", "=="]).0, Some(2));
    let slip = rig.command(&["log-level", "debugg"]);
    let said = String::from_utf8_lossy(&slip.stderr).into_owned();
    assert!(slip.status.code() == Some(2) && said.contains("is `debug` meant?"), "{said}");
    assert_eq!(shown(&["log-level"]), (Some(0), "bastide_gateway=debug".to_owned()));
    let explained = shown(&["config", "explain", "--running"]).1;
    assert!(
        explained.lines().any(|l| l.starts_with("log ") && l.ends_with("bastide log-level")),
        "{explained}"
    );
    assert!(rig.entries().iter().any(|e| {
        e["action"] == "log_level.set" && e["resource"] == "bastide_gateway=debug" && e["phase"] == "done"
    }));
}

/// A server that speaks TLS, which is killed when dropped.
struct Encrypted(Child);

impl Drop for Encrypted {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes a new certificate with its key, and gives it as the client will see it.
fn certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("written");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("written");
    CertificateDer::from_pem_slice(made.cert.pem().as_bytes()).expect("a certificate")
}

/// What the server shows; `None`: there was no handshake.
fn shown(address: SocketAddr, trusted: &[CertificateDer<'static>]) -> Option<CertificateDer<'static>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(trusted.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = TcpStream::connect(address).ok()?;
    while client.is_handshaking() {
        client.complete_io(&mut stream).ok()?;
    }
    client.peer_certificates()?.first().cloned().map(CertificateDer::into_owned)
}

#[test]
fn a_renewed_certificate_is_shown_to_new_connections() {
    let folder = temp_folder().expect("a folder");
    let first = certificate(folder.path());
    let address = SocketAddr::from(([127, 0, 0, 1], free_port().expect("a port")));
    let data = folder.path().join("data");
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let binary = bastide_testkit::find_binary("bastide").expect("a binary");
    #[allow(clippy::disallowed_methods, reason = "running the binary is what is tested")]
    let server = std::process::Command::new(binary)
        .args(["serve", "--listen", &address.to_string(), "--data", &data.to_string_lossy()])
        .args(["--tls-cert", &file("cert.pem"), "--tls-key", &file("key.pem")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("starts");
    let _server = Encrypted(server);
    let data = data.to_string_lossy().into_owned();
    wait_until("it is ready", Duration::from_secs(20), || {
        common::bastide(&["healthcheck", "--data", &data], &[]).status.success()
    });
    wait_until("it shows the first", Duration::from_secs(20), || {
        shown(address, std::slice::from_ref(&first)).as_ref() == Some(&first)
    });
    let second = certificate(folder.path());
    let both = [first.clone(), second.clone()];
    assert_eq!(shown(address, &both).as_ref(), Some(&first), "a file alone changes nothing");
    let done = common::bastide(&["config", "reload", "--data", &data, "--json"], &[]);
    let done: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(done["changed"], json!(["tls.cert"]));
    assert_eq!(shown(address, &both).as_ref(), Some(&second));
    // A key that does not belong to the certificate: the good pair goes on.
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.path().join("key.pem"), other.signing_key.serialize_pem()).expect("written");
    let refused = common::bastide(&["config", "reload", "--data", &data], &[]);
    assert_eq!(refused.status.code(), Some(3), "{refused:?}");
    assert_eq!(shown(address, &both).as_ref(), Some(&second));
}
