//! The binary: what it prints and how it exits.

use std::process::Output;

use crate::support::Log;
use tempfile::tempdir;

fn run(arguments: &[&str]) -> Output {
    #[expect(clippy::disallowed_methods, reason = "a test of the binary starts the binary")]
    std::process::Command::new(env!("CARGO_BIN_EXE_bastide-verify")).args(arguments).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn exit_codes_say_what_happened() {
    let log = Log::of_exchanges(6);
    let dir = tempdir().unwrap();
    let data = dir.path().join("data");
    log.publish(&data.join("log"));
    let data = data.to_str().unwrap();
    let key_file = format!("{data}/log/log.vkey");
    let receipt = log.receipt(2, 1..4, true);
    let receipt_file = dir.path().join("receipt.txt");
    std::fs::write(&receipt_file, format!("{receipt}\n")).unwrap();
    let receipt_file = receipt_file.to_str().unwrap();
    let key = log.vkey_text();

    for arguments in [
        vec!["receipt", &receipt, "--log-key", &key],
        vec!["receipt", receipt_file, "--log-key", &key_file, "--log", data],
        vec!["log", data],
        vec!["log", data, "--log-key", &key, "--json"],
        vec!["consistency", &format!("{data}/log/checkpoint"), data],
    ] {
        let output = run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {output:?}");
    }
    let output = run(&["receipt", &receipt, "--log-key", &key, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["report"]["entry"]["kind"], "request");

    let altered = receipt.replace("bst1.q", "bst1.p").replace("bst1.r", "bst1.s");
    assert_ne!(altered, receipt);
    assert_eq!(run(&["receipt", &altered, "--log-key", &key]).status.code(), Some(1));
    assert_eq!(run(&["receipt", &receipt]).status.code(), Some(2), "no key");
    assert_eq!(run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(
        run(&["receipt", &receipt, "--log-key", receipt_file]).status.code(),
        Some(2),
        "a file that is no key"
    );
    assert_eq!(run(&["receipt", "/no/such/file", "--log-key", &key]).status.code(), Some(3));
    let output = run(&["log", "/no/such/folder", "--json"]);
    assert_eq!(output.status.code(), Some(3));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(json["failure"]["kind"], "unreadable");
}
