use bastide_types::Assessment;
use proptest::prelude::*;

use crate::graph::testing::{message, text, varint};
use crate::{Format, Limits, Report, scan};

fn model(kind: &[u8]) -> Vec<u8> {
    let metadata = message(100, &[text(3, "an author"), text(4, "MIT")]);
    [varint(1, 5), message(2, &[message(1, &[text(1, "x")]), metadata]), kind.to_vec()].concat()
}

fn scanned(bytes: &[u8]) -> Report {
    let report = scan(&bytes, "model.mlmodel", &Limits::default());
    assert_eq!(report.format, Format::CoreMl);
    report
}

fn program(path: &str) -> Vec<u8> {
    let value = message(5, &[text(1, path), varint(2, 64)]);
    let operation = message(3, &[text(1, "const"), message(5, &[text(1, "val"), message(2, &[value])])]);
    let block = message(3, &[text(1, "CoreML6"), message(2, &[operation])]);
    message(502, &[varint(1, 1), message(2, &[text(1, "main"), message(2, &[block])])])
}

#[test]
fn networks_and_programs_are_clean() {
    let report = scanned(&model(&message(500, &[message(1, &[text(1, "relu"), message(130, &[])])])));
    assert_eq!(report.assessment(), Assessment::Clean, "{:?}", report.findings);
    assert_eq!(report.facts.properties["licence"], "MIT");
    assert_eq!(scanned(&model(&program("@model_path/weights/weight.bin"))).assessment(), Assessment::Clean);
}

#[test]
fn custom_classes_are_reviewed_also_within_pipelines() {
    let layer = message(500, &[message(1, &[text(1, "l"), message(500, &[text(10, "Evil")])])]);
    let custom = message(555, &[text(10, "Evil")]);
    for kind in [layer, custom.clone(), message(202, &[message(1, &[model(&custom)])])] {
        assert_eq!(scanned(&model(&kind)).assessment(), Assessment::Review);
    }
    let looped =
        message(615, &[text(2, "c"), message(4, &[message(1, &[message(500, &[text(10, "Evil")])])])]);
    let nested = message(500, &[message(1, &[text(1, "loop"), looped])]);
    assert_eq!(scanned(&model(&nested)).assessment(), Assessment::Review);
}

#[test]
fn paths_outside_the_package_are_malicious() {
    for path in ["@model_path/../../x", "/etc/passwd", "../weights.bin"] {
        assert_eq!(scanned(&model(&program(path))).assessment(), Assessment::Malicious, "{path}");
        let linked = message(556, &[message(1, &[message(1, &[text(1, path)])])]);
        assert_eq!(scanned(&model(&linked)).assessment(), Assessment::Malicious, "{path}");
    }
}

proptest! {
    #[test]
    fn no_damage_panics(at in 0_usize..200, byte: u8) {
        let mut bytes = model(&program("@model_path/w"));
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = scan(&bytes, "a", &Limits::default());
    }
}
