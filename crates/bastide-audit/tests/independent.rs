//! The verifier that shares no code with this crate accepts what it writes, and refuses what was changed.

mod support;

use bastide_types::{Digest, Event};
use bastide_verify::{own_log_key, verify_log, verify_receipt};
use support::{event, every_event, open, outcome, request};

#[test]
fn log_and_receipts_hold_for_the_independent_verifier() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let mut receipts = Vec::new();
    for n in 0..70 {
        let pending: Vec<_> = (0..n % 23).map(|i| log.submit(event(n * 100 + i)).unwrap()).collect();
        let recorded: Vec<_> = pending.into_iter().map(|p| p.wait().unwrap()).collect();
        receipts.extend(recorded.last().map(|r| r.receipt().to_string()));
    }
    let asked = log.submit(request(60)).unwrap().wait().unwrap();
    let Event::Outcome(mut end) = outcome() else { unreachable!() };
    (end.request_index, end.request_leaf) = (asked.index(), Digest(asked.leaf()));
    let end = log.submit(Event::Outcome(end)).unwrap().wait().unwrap();
    receipts.extend([asked.receipt().to_string(), end.receipt().to_string()]);
    log.publish_now().unwrap();

    let key = own_log_key(dir.path()).unwrap();
    let report = verify_log(dir.path(), Some(&key)).unwrap();
    assert_eq!(report.size, log.size(), "{report}");
    for receipt in &receipts {
        verify_receipt(receipt, &key, Some(dir.path())).unwrap();
    }
    log.close().unwrap();
    verify_log(dir.path(), Some(&key)).unwrap();

    let tile = dir.path().join("tile/entries/001");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    assert!(verify_log(dir.path(), Some(&key)).is_err());
}

#[test]
fn every_kind_of_entry_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let key: bastide_verify::VerifierKey = log.key().vkey().parse().unwrap();
    for event in every_event() {
        let receipt = log.submit(event).unwrap().wait().unwrap().receipt().to_string();
        verify_receipt(&receipt, &key, None).unwrap();
    }
    log.close().unwrap();
}
