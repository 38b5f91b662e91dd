use bastide_types::Assessment;
use proptest::prelude::*;

use crate::graph::testing::Builder;
use crate::{Format, Limits, Report, scan};

struct Model {
    options: &'static [u8],
    custom: Option<&'static str>,
    shape: [i32; 2],
    data: usize,
    buffer: u32,
    code: u32,
    input: i32,
    path: Option<&'static str>,
}

const PLAIN: Model =
    Model { options: b"", custom: None, shape: [2, 3], data: 24, buffer: 0, code: 0, input: 0, path: None };

impl Model {
    fn bytes(&self) -> Vec<u8> {
        let mut b = Builder::new(*b"TFL3");
        let data = match self.path {
            Some(path) => {
                let numbers = [1, 12, 12 + u32::try_from(path.len()).unwrap()].map(u32::to_le_bytes);
                b.bytes(&[numbers.as_flattened(), path.as_bytes()].concat())
            }
            None => b.bytes(&vec![0; self.data]),
        };
        let buffer = b.table(&[(0, data)]);
        let buffers = b.references(&[buffer]);
        let shape = b.numbers(&self.shape);
        let kind = Builder::number(if self.path.is_some() { 5 } else { 0 });
        let tensor = b.table(&[(0, shape), (1, kind), (2, Builder::number(self.buffer))]);
        let tensors = b.references(&[tensor]);
        let inputs = b.numbers(&[self.input]);
        let options = b.bytes(self.options);
        let operator = b.table(&[(0, Builder::number(self.code)), (1, inputs), (5, options)]);
        let operators = b.references(&[operator]);
        let graph = b.table(&[(0, tensors), (3, operators)]);
        let graphs = b.references(&[graph]);
        let code = match self.custom {
            Some(name) => {
                let name = b.bytes(name.as_bytes());
                b.table(&[(1, name), (3, Builder::number(32))])
            }
            None => b.table(&[(3, Builder::number(9))]),
        };
        let codes = b.references(&[code]);
        let root = b.table(&[(0, Builder::number(3)), (1, codes), (2, graphs), (4, buffers)]);
        b.finish(root)
    }
}

fn scanned(bytes: &[u8]) -> Report {
    let report = scan(&bytes, "model.tflite", &Limits::default());
    assert_eq!(report.format, Format::TfLite);
    report
}

#[test]
fn the_metadata_behind_a_model_is_part_of_it() {
    use crate::archive::sample::{entry, zip};
    let metadata = zip(&[entry("labels.txt", b"cat\ndog\n"), entry("vocab.txt", b"a\nb\n").deflated()]);
    let report = scan(&[PLAIN.bytes(), metadata].concat(), "model.tflite", &Limits::default());
    assert_eq!(report.facts.tensors["FLOAT32"].elements, 6);
    assert_eq!(report.assessment(), Assessment::Clean, "{:?}", report.findings);
}

#[test]
fn plain_models_are_clean_and_counted() {
    let report = scanned(&PLAIN.bytes());
    assert_eq!(report.assessment(), Assessment::Clean, "{:?}", report.findings);
    assert_eq!(report.facts.tensors["FLOAT32"].elements, 6);
    let bytes = PLAIN.bytes();
    assert_eq!(scanned(&bytes[..bytes.len() - 8]).assessment(), Assessment::Unfinished);
}

#[test]
fn operators_are_told_apart() {
    for (name, expected) in [
        ("TFLite_Detection_PostProcess", Assessment::Clean),
        ("FlexStringLower", Assessment::Clean),
        ("Mine", Assessment::Review),
        ("FlexMine", Assessment::Review),
        ("FlexReadFile", Assessment::Malicious),
        ("FlexWriteFile", Assessment::Malicious),
        ("FlexEagerPyFunc", Assessment::Malicious),
    ] {
        assert_eq!(scanned(&Model { custom: Some(name), ..PLAIN }.bytes()).assessment(), expected, "{name}");
    }
}

#[test]
fn the_node_in_the_options_counts_whatever_the_code_is_called() {
    let options = b"\x0a\x01n\x12\x08ReadFile";
    let model = Model { custom: Some("FlexAdd"), options, ..PLAIN };
    assert_eq!(scanned(&model.bytes()).assessment(), Assessment::Malicious);
    let model = Model { custom: Some("FlexAdd"), options: b"\x0a\x01n\x12\x03Add", ..PLAIN };
    assert_eq!(scanned(&model.bytes()).assessment(), Assessment::Clean);
}

#[test]
fn files_that_the_model_itself_names_are_judged_as_in_tensorflow() {
    use Assessment::{Clean, Malicious, Review};
    for (operation, path, expected) in [
        ("FlexSaveV2", None, Review),
        ("FlexSaveV2", Some("checkpoint"), Review),
        ("FlexSaveV2", Some("/home/user/.bashrc"), Malicious),
        ("FlexSaveV2", Some("../x"), Malicious),
        ("FlexTextLineReaderV2", Some("/home/user/.bashrc"), Malicious),
        ("FlexRestoreV2", Some("/etc/hostname"), Malicious),
        ("FlexRestoreV2", Some("/home/user/model"), Clean),
        ("FlexStringLower", Some("/etc/hostname"), Clean),
    ] {
        let model = Model { custom: Some(operation), path, ..PLAIN };
        assert_eq!(scanned(&model.bytes()).assessment(), expected, "{operation} {path:?}");
    }
    let options = b"\x0a\x01n\x12\x06SaveV2";
    let hidden = Model { custom: Some("FlexAdd"), options, path: Some("/etc/x"), ..PLAIN };
    assert_eq!(scanned(&hidden.bytes()).assessment(), Malicious);
}

#[test]
fn references_that_lead_nowhere_are_malicious() {
    for model in [
        Model { shape: [-5, 3], ..PLAIN },
        Model { shape: [1 << 30, 3], ..PLAIN },
        Model { data: 20, ..PLAIN },
        Model { buffer: 7, ..PLAIN },
        Model { code: 1, ..PLAIN },
        Model { input: 1, ..PLAIN },
        Model { input: -2, ..PLAIN },
    ] {
        assert_eq!(scanned(&model.bytes()).assessment(), Assessment::Malicious);
    }
    let mut wild = PLAIN.bytes();
    wild[..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(scanned(&wild).assessment(), Assessment::Malicious);
}

proptest! {
    #[test]
    fn no_damage_panics(at in 8_usize..400, byte: u8) {
        let mut bytes = PLAIN.bytes();
        let at = 8 + at % (bytes.len() - 8);
        bytes[at] = byte;
        scanned(&bytes);
    }
}
