//! Receipts, alone and against their log.

use crate::support::{EPOCH_2026, Log, map, number, receipt_text, request};
use bastide_verify::{FailureKind, verify_receipt};
use ciborium::Value;
use proptest::prelude::*;
use tempfile::tempdir;

#[test]
fn receipts_of_every_place_in_every_batch_hold() {
    let log = Log::of_exchanges(12);
    let n = log.entries.len();
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    for first in 0..n {
        for end in first + 1..=n {
            for index in first..end {
                let text = log.receipt(index, first..end, index % 2 == 0);
                let log_folder = (first == 3).then(|| dir.path());
                let report = verify_receipt(&text, &log.vkey(), log_folder).unwrap();
                assert_eq!(report.index, index as u64);
                assert_eq!(report.entry.is_some(), index % 2 == 0 || first == 3);
            }
        }
    }
}

#[test]
fn a_receipt_reads_well() {
    let log = Log::new(vec![request("exc_1", EPOCH_2026)]);
    let report = verify_receipt(&log.receipt(0, 0..1, true), &log.vkey(), None).unwrap();
    let text = report.to_string();
    for part in [
        "request at 2026-01-01T00:00:00.000000Z",
        "model              demo-1",
        "category=CREDIT_CARD",
        "verdict=tokenise",
        "not looked up",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
}

#[test]
fn no_altered_character_verifies() {
    let log = Log::of_exchanges(5);
    let key = log.vkey();
    for with_entry in [false, true] {
        let text = log.receipt(2, 1..6, with_entry);
        assert!(verify_receipt(&text, &key, None).is_ok());
        for i in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] ^= 1 << bit;
                let Ok(bad) = String::from_utf8(bytes) else { continue };
                let failure = verify_receipt(&bad, &key, None).expect_err(&bad);
                assert_eq!(failure.kind, FailureKind::DoesNotHold);
            }
        }
        for cut in 0..text.len() {
            assert!(verify_receipt(&text[..cut], &key, None).is_err());
        }
        assert!(verify_receipt(&format!("{text}A"), &key, None).is_err());
        assert!(verify_receipt(&format!("{text}\n"), &key, None).is_err());
    }
}

/// Each field by a plausible other value.
#[test]
fn no_exchanged_field_verifies() {
    let log = Log::of_exchanges(5);
    let key = log.vkey();
    let good = log.receipt_fields(2, 1..6);
    let others = log.receipt_fields(3, 2..7);
    assert!(verify_receipt(&receipt_text(&map(good.clone())), &key, None).is_ok());
    for (i, (name, value)) in others.iter().enumerate() {
        if *value == good[i].1 {
            continue;
        }
        let mut bad = good.clone();
        bad[i].1 = value.clone();
        assert!(verify_receipt(&receipt_text(&map(bad)), &key, None).is_err(), "{name}");
    }
    for index in [0, 1, 3, 5, 6, u64::MAX] {
        let mut bad = good.clone();
        bad[2].1 = number(index);
        assert!(verify_receipt(&receipt_text(&map(bad)), &key, None).is_err(), "index {index}");
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad.remove(at);
        assert!(verify_receipt(&receipt_text(&map(bad)), &key, None).is_err(), "without field {at}");
    }
    let with = |name, value| map([good.clone(), vec![(name, value)]].concat());
    assert!(
        verify_receipt(&receipt_text(&with("entry", Value::Bytes(log.entries[3].clone()))), &key, None)
            .is_err()
    );
    assert!(
        verify_receipt(&receipt_text(&with("note", number(1))), &key, None).is_err(),
        "an unsigned field"
    );
    let mut extreme = good.clone();
    extreme[4].1 = number(u64::MAX);
    extreme[5].1 = number(u64::MAX);
    assert!(verify_receipt(&receipt_text(&map(extreme)), &key, None).is_err());
}

#[test]
fn a_receipt_outlives_a_rewritten_log_and_waits_for_a_late_one() {
    let log = Log::of_exchanges(8);
    let key = log.vkey();
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    let receipt = log.receipt(4, 3..9, true);
    assert!(verify_receipt(&receipt, &key, Some(dir.path())).is_ok());

    std::fs::write(dir.path().join("checkpoint"), log.checkpoint(4)).unwrap();
    let failure = verify_receipt(&receipt, &key, Some(dir.path())).unwrap_err();
    assert_eq!((failure.kind, failure.exit_code()), (FailureKind::NotYetPublished, 3));

    let mut rewritten = Log::of_exchanges(8);
    rewritten.entries[4] = request("exc_other", EPOCH_2026);
    let dir = tempdir().unwrap();
    rewritten.publish(dir.path());
    let failure = verify_receipt(&receipt, &key, Some(dir.path())).unwrap_err();
    assert_eq!(failure.kind, FailureKind::DoesNotHold);
    assert!(failure.to_string().contains("rewritten"), "{failure}");
}

#[test]
fn inclusion_is_proved_through_tiles_of_every_shape() {
    let entries = (0..66_000).map(|i| crate::support::entry("stopped", i, vec![])).collect();
    let log = Log::new(entries);
    let dir = tempdir().unwrap();
    log.publish(dir.path());
    for index in [0, 255, 256, 65_535, 65_536, 65_900, 65_999] {
        let text = log.receipt(index, index..index + 1, false);
        let report = verify_receipt(&text, &log.vkey(), Some(dir.path())).unwrap();
        assert_eq!(report.included_under, Some(66_000));
    }
    // A wrong hash high up is found by the path that needs it.
    let tile = dir.path().join("tile/1/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[40] ^= 1;
    std::fs::write(&tile, bytes).unwrap();
    let text = log.receipt(0, 0..1, false);
    assert!(verify_receipt(&text, &log.vkey(), Some(dir.path())).is_err());
}

proptest! {
    #[test]
    fn noise_never_verifies_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), text in ".{0,80}") {
        use base64::Engine as _;
        let log = Log::new(Vec::new());
        let noise = format!("bst1.{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes));
        prop_assert!(verify_receipt(&noise, &log.vkey(), None).is_err());
        prop_assert!(verify_receipt(&text, &log.vkey(), None).is_err());
    }
}
