use bastide_verify::{FailureKind, verify_proof};
use serde_json::{Value, json};

use crate::support::{Log, path};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// As the management API answers.
fn proof(log: &Log, index: usize) -> Value {
    let leaves = log.leaves();
    let path: Vec<String> = path(index, &leaves).iter().map(|hash| hex(hash)).collect();
    json!({
        "entry": {"index": index, "kind": "request"},
        "json": "{}",
        "bytes": hex(&log.entries[index]),
        "leaf": hex(&leaves[index]),
        "path": path,
        "checkpoint": log.checkpoint(log.entries.len()),
    })
}

#[test]
fn every_entry_is_proved_and_nothing_else_is() {
    let log = Log::of_exchanges(5);
    let key = log.vkey();
    let verify = |proof: &Value| verify_proof(proof.to_string().as_bytes(), &key);
    for index in 0..log.entries.len() {
        let good = proof(&log, index);
        let report = verify(&good).expect("it holds");
        assert_eq!((report.index, report.size), (index as u64, log.entries.len() as u64));
        let said = report.to_string();
        assert!(said.contains(&report.root) && said.contains(&report.root_base64), "{said}");

        let mut elsewhere = good.clone();
        elsewhere["entry"]["index"] = json!((index + 1) % log.entries.len());
        let mut other = good.clone();
        other["bytes"] = json!(hex(&log.entries[(index + 1) % log.entries.len()]));
        let mut short = good.clone();
        short["path"].as_array_mut().unwrap().pop();
        let mut unsigned = good.clone();
        unsigned["checkpoint"] = json!(log.checkpoint(log.entries.len()).replacen('\n', "\n1", 1));
        for (wrong, what) in
            [(elsewhere, "place"), (other, "entry"), (short, "path"), (unsigned, "checkpoint")]
        {
            let failure = verify(&wrong).expect_err(what);
            assert_eq!(failure.kind, FailureKind::DoesNotHold, "{what}: {failure}");
        }
    }
    let mut long = proof(&log, 0);
    long["path"] = json!(vec![hex(&[0; 32]); 65]);
    assert_eq!(verify(&long).unwrap_err().kind, FailureKind::DoesNotHold);
    for no_proof in ["", "{}", "[]", "{\"entry\":{\"index\":-1}}"] {
        assert_eq!(
            verify_proof(no_proof.as_bytes(), &key).unwrap_err().kind,
            FailureKind::Usage,
            "{no_proof}"
        );
    }
}
