use bastide_types::Assessment;
use proptest::prelude::*;

use super::super::testing::{message, text, varint};
use crate::{Format, Limits, Report, scan};

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "model.onnx", &Limits::default())
}

fn node(domain: &str, operator: &str, rest: &[u8]) -> Vec<u8> {
    message(1, &[text(1, "x"), text(2, "y"), text(4, operator), text(7, domain), rest.to_vec()])
}

fn model(graph: &[Vec<u8>], rest: &[Vec<u8>]) -> Vec<u8> {
    [
        varint(1, 8),
        text(2, "pytorch"),
        text(3, "2.6"),
        message(7, graph),
        message(8, &[varint(2, 17)]),
        rest.concat(),
    ]
    .concat()
}

fn external(pairs: &[(&str, &str)]) -> Vec<u8> {
    let pairs: Vec<_> =
        pairs.iter().map(|(key, value)| message(13, &[text(1, key), text(2, value)])).collect();
    message(5, &[varint(1, 4), varint(2, 1), text(8, "w"), pairs.concat(), varint(14, 1)])
}

fn effect(bytes: &[u8]) -> Assessment {
    let report = scanned(bytes);
    assert_eq!(report.format, Format::Onnx, "{:?}", report.findings);
    report.assessment()
}

#[test]
fn functions_that_multiply_are_malicious() {
    let function = |level: usize, calls: usize| {
        let call = message(7, &[text(4, &format!("F{}", level + 1)), text(7, "mine")]);
        message(25, &[text(1, &format!("F{level}")), call.repeat(calls), text(10, "mine")])
    };
    let functions = |calls: usize| (0..12).map(|level| function(level, calls)).collect::<Vec<_>>();
    let last = message(25, &[text(1, "F12"), text(10, "mine")]);
    let graph = [node("mine", "F0", &[]), text(2, "g")];
    for (calls, assessment) in [(1, Assessment::Clean), (20, Assessment::Malicious)] {
        let rest = [functions(calls).concat(), last.clone()];
        assert_eq!(effect(&model(&graph, &rest)), assessment, "{calls}");
    }
}

#[test]
fn typed_data_must_have_the_shape_as_raw_data_must() {
    let of = |kind: u64, data: Vec<u8>| {
        let tensor = message(5, &[varint(1, 2), varint(1, 3), varint(2, kind), data]);
        effect(&model(&[node("", "Relu", &[]), text(2, "g"), tensor], &[]))
    };
    for (kind, data) in [
        (1, message(4, &[vec![0; 24]])),
        (7, message(7, &[vec![1; 6]])),
        (7, varint(7, 1).repeat(6)),
        (9, message(5, &[vec![1; 6]])),
        (14, message(4, &[vec![0; 48]])),
        (8, text(6, "x").repeat(6)),
        (1, Vec::new()),
    ] {
        assert_eq!(of(kind, data), Assessment::Clean, "{kind}");
    }
    for (kind, data) in [
        (1, message(4, &[vec![0; 4]])),
        (7, message(7, &[vec![1; 7]])),
        (11, message(10, &[vec![0; 8]])),
        (8, text(6, "x")),
        (1, message(9, &[vec![0; 4]])),
    ] {
        assert_eq!(of(kind, data), Assessment::Malicious, "{kind}");
    }
}

#[test]
fn standard_models_are_clean_and_described() {
    let tensor = message(5, &[varint(1, 2), varint(1, 3), varint(2, 10), message(9, &[vec![0; 12]])]);
    let bytes = model(&[node("", "Relu", &[]), text(2, "g"), tensor], &[]);
    let report = scanned(&bytes);
    assert_eq!(
        (report.format, report.assessment()),
        (Format::Onnx, Assessment::Clean),
        "{:?}",
        report.findings
    );
    assert_eq!(report.facts.tensors["FLOAT16"].elements, 6);
    assert_eq!(report.facts.properties["producer"], "pytorch 2.6");
    assert_eq!(report.facts.properties["opset"], "17");
    assert_eq!(effect(&bytes[..bytes.len() - 9]), Assessment::Unfinished);
}

#[test]
fn external_data_stays_beside_the_model() {
    for location in ["model.onnx.data", "weights/w.bin"] {
        let bytes = model(&[external(&[("location", location), ("offset", "4096"), ("length", "16")])], &[]);
        assert_eq!(effect(&bytes), Assessment::Clean, "{location}");
    }
    for location in
        ["../w", "/etc/passwd", "a/../../b", "C:\\w", "file:///w", "a\\..\\..\\b", "*/_ORT_MEM_ADDR_/*"]
    {
        assert_eq!(
            effect(&model(&[external(&[("location", location)])], &[])),
            Assessment::Malicious,
            "{location}"
        );
        let inside =
            message(5, &[text(1, "value"), [&[0x2a], &external(&[("location", location)])[1..]].concat()]);
        assert_eq!(
            effect(&model(&[node("", "Constant", &inside)], &[])),
            Assessment::Malicious,
            "{location}"
        );
    }
    for number in ["-1", "99999999999999999999", "x"] {
        let bytes = model(&[external(&[("location", "w"), ("offset", number)])], &[]);
        assert_eq!(effect(&bytes), Assessment::Malicious, "{number}");
    }
}

#[test]
fn operators_from_elsewhere_are_reviewed_unless_the_model_defines_them() {
    let custom = node("com.example", "Mine", &[]);
    assert_eq!(effect(&model(std::slice::from_ref(&custom), &[])), Assessment::Review);
    let function = message(25, &[text(1, "Mine"), text(10, "com.example"), message(7, &[text(4, "Relu")])]);
    assert_eq!(effect(&model(&[custom], &[function])), Assessment::Clean);
    assert_eq!(effect(&model(&[node("com.microsoft", "PythonOp", &[])], &[])), Assessment::Malicious);
}

#[test]
fn subgraphs_functions_and_training_are_walked() {
    let python = node("com.microsoft", "PythonOp", &[]);
    let branch = message(5, &[text(1, "then_branch"), message(6, std::slice::from_ref(&python))]);
    assert_eq!(effect(&model(&[node("", "If", &branch)], &[])), Assessment::Malicious);
    let function = message(25, &[text(1, "F"), message(7, &[text(4, "PyOp")])]);
    assert_eq!(effect(&model(&[], &[function])), Assessment::Malicious);
    let training = message(20, &[message(2, &[python])]);
    assert_eq!(effect(&model(&[text(2, "g")], &[training])), Assessment::Malicious);
}

#[test]
fn sizes_must_agree() {
    for tensor in [
        message(5, &[varint(1, 2), varint(2, 1), message(9, &[vec![0; 7]])]),
        message(5, &[varint(1, u64::MAX), varint(2, 1)]),
        message(5, &[varint(1, 1 << 40), varint(1, 1 << 40), varint(2, 1)]),
    ] {
        assert_eq!(effect(&model(&[tensor], &[])), Assessment::Malicious);
    }
}

proptest! {
    #[test]
    fn no_damage_panics(at in 0_usize..200, byte: u8) {
        let mut bytes = model(&[node("", "Relu", &[]), external(&[("location", "w")])], &[]);
        let at = at % bytes.len();
        bytes[at] = byte;
        scanned(&bytes);
    }
}
