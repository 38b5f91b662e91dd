use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

const PICKLE: &[u8] = b"cos\nsystem\n(S'echo harmless'\ntR.";

fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    match version {
        1 => bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes()),
        _ => bytes.extend(u32::try_from(header.len()).unwrap().to_le_bytes()),
    }
    [&bytes, header.as_bytes(), data].concat()
}

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "a.npy", &Limits::default())
}

fn with(descr: &str, shape: &str, data: usize) -> Report {
    let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}  \n");
    scanned(&file(1, &header, &vec![1; data]))
}

#[test]
fn arrays_are_held_against_the_file() {
    for (descr, shape, size) in [
        ("'<f4'", "(2, 3)", 24),
        ("'|b1'", "()", 1),
        ("'<U5'", "(2,)", 40),
        ("'|S3'", "(2L,)", 6),
        ("'<M8[ns]'", "(1,)", 8),
        ("'<c16'", "(1,)", 16),
        ("'|V7'", "(1,)", 7),
        ("[('a', '<f4'), (('title', 'b'), '|u1', (2, 2)), ('c', [('d', '<i2')])]", "(3,)", 30),
        ("('<f4', (2,))", "(1,)", 8),
        ("'<f8'", "(0, 5)", 0),
    ] {
        assert_eq!(
            with(descr, shape, size).assessment(),
            Assessment::Clean,
            "{descr} {:?}",
            with(descr, shape, size)
        );
        assert_eq!(with(descr, shape, size + 1).assessment(), Assessment::Review, "{descr}");
        if size > 0 {
            assert_eq!(with(descr, shape, size - 1).assessment(), Assessment::Unfinished, "{descr}");
        }
    }
    assert_eq!(with("'<f4'", "(1,)", 4).format, Format::Numpy);
}

#[test]
fn objects_are_said_wherever_they_stand() {
    for descr in [
        "'|O'",
        "'O'",
        "'O8'",
        "'object'",
        "'object_'",
        "'Object0'",
        "'\\x4f'",
        "b'|O'",
        "'f4, O'",
        "'(2,)O'",
        "'2O,f4'",
        "[('a', '<f4'), ('b', '|O')]",
        "[('a', [('b', 'object', (2,))])]",
        "[(('title', 'a'), 'object')]",
        "('|O', (2,))",
        "('|O', 2L)",
    ] {
        let report = with(descr, "(1,)", 8);
        assert!(
            report.findings.iter().any(|f| f.rule.id == "numpy.objects"),
            "{descr}: {:?}",
            report.findings
        );
    }
}

#[test]
fn types_by_their_names_are_held_against_the_file() {
    for (descr, size) in [
        ("'float32'", 4),
        ("'int64'", 8),
        ("'bool'", 1),
        ("'complex128'", 16),
        ("'f4,i2'", 6),
        ("'(2,3)u1'", 6),
        ("'f'", 4),
        ("'i'", 4),
        ("'datetime64[ns]'", 8),
        ("'\\x3cf8'", 8),
    ] {
        assert_eq!(with(descr, "(1,)", size).assessment(), Assessment::Clean, "{descr}");
        assert_eq!(with(descr, "(1,)", size - 1).assessment(), Assessment::Unfinished, "{descr}");
    }
}

#[test]
fn the_data_of_unknown_types_is_looked_at() {
    let report = file(1, "{'descr': 'novel', 'fortran_order': False, 'shape': (1,), }", PICKLE);
    assert_eq!(scanned(&report).assessment(), Assessment::Malicious);
}

#[test]
fn the_pickle_of_objects_is_followed() {
    let header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }";
    let nowhere = Limits { depth: 0, ..Limits::default() };
    let report = scan(&file(1, header, b"\x80\x04N.").as_slice(), "a.npy", &nowhere);
    assert!(report.findings.iter().any(|f| f.rule.id == "archive.depth"), "{:?}", report.findings);
}

#[test]
fn headers_that_are_no_literal_are_malicious() {
    for header in [
        "__import__('os').system('echo')",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'x': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), 'shape': (2,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1+1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (f(),)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}; 1",
        "[1]",
    ] {
        for version in [1, 2, 3] {
            let report = scanned(&file(version, header, &[0; 4]));
            assert_eq!(report.assessment(), Assessment::Malicious, "{header}: {:?}", report.findings);
        }
    }
    let deep = format!("{}{}", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(scanned(&file(1, &deep, &[])).assessment(), Assessment::Malicious);
}

#[test]
fn several_arrays_may_follow_one_another() {
    let one = file(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", &[0; 4]);
    assert_eq!(scanned(&[one.clone(), one.clone()].concat()).facts.tensors["<f4"].count, 2);
    let bad = file(1, "{'descr': f(), 'fortran_order': False, 'shape': (1,), }", &[0; 4]);
    assert_eq!(scanned(&[one, bad].concat()).assessment(), Assessment::Malicious);
}

#[test]
fn long_headers_are_reviewed_and_unknown_versions_unfinished() {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }}{}\n", " ".repeat(10_001));
    assert_eq!(scanned(&file(1, &header, &[0; 4])).assessment(), Assessment::Review);
    assert_eq!(scanned(&file(4, "{}", &[])).assessment(), Assessment::Unfinished);
}

proptest! {
    #[test]
    fn no_header_panics(header in r#"[\{\}\(\)\[\]',:a-zA-Z0-9 \\.-]{0,80}"#, version in 1_u8..4) {
        scanned(&file(version, &header, &[0; 4]));
        scanned(&file(version, &format!("{{'descr': {header}, 'fortran_order': False, 'shape': (1,)}}"), &[0; 4]));
    }
}
