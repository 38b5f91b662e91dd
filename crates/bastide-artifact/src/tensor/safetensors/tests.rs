use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "model.safetensors", &Limits::default())
}

fn message(header: &str, data: usize) -> String {
    let report = scanned(&file(header, data));
    assert_eq!(report.format, Format::Safetensors, "{header}");
    assert_eq!(report.assessment(), Assessment::Malicious, "{header}: {:?}", report.findings);
    report.findings[0].message.clone()
}

#[test]
fn honest_files_are_clean_and_counted() {
    let report = scanned(&file(
        r#"{"__metadata__":{"format":"pt","license":"apache-2.0"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"z":{"dtype":"F64","shape":[0,7],"data_offsets":[4,4]},"n":{"dtype":"F4","shape":[4],"data_offsets":[16,18]}}    "#,
        18,
    ));
    assert_eq!(
        (report.format, report.assessment()),
        (Format::Safetensors, Assessment::Clean),
        "{:?}",
        report.findings
    );
    assert_eq!(report.facts.tensors["BF16"].elements, 6);
    assert_eq!(report.facts.tensors["F64"].elements, 0);
    assert_eq!(report.facts.properties["licence"], "apache-2.0");
    assert_eq!(scanned(&file("{}", 0)).assessment(), Assessment::Clean);
    assert_eq!(
        scanned(&file("{\n \"a\" : {\"dtype\": \"U8\", \"shape\": [1], \"data_offsets\": [0, 1]}}", 1))
            .assessment(),
        Assessment::Clean
    );
}

#[test]
fn each_flaw_has_its_own_message() {
    let one = |offsets: &str| format!(r#"{{"a":{{"dtype":"U8","shape":[2],"data_offsets":{offsets}}}}}"#);
    let two = |a: &str, b: &str| {
        format!(
            r#"{{"a":{{"dtype":"U8","shape":[2],"data_offsets":{a}}},"b":{{"dtype":"U8","shape":[2],"data_offsets":{b}}}}}"#
        )
    };
    for (header, data, part) in [
        (one("[0,2]"), 3, "1 bytes follow"),
        (one("[1,3]"), 3, "no tensor accounts"),
        (two("[0,2]", "[1,3]"), 3, "within another"),
        (two("[0,2]", "[0,2]"), 2, "within another"),
        (one("[0,3]"), 3, "needs 2 bytes"),
        (one("[2,0]"), 2, "before it begins"),
        (one("[0,2.0]"), 2, "whole number"),
        (one("[-0,2]"), 2, "whole number"),
        (one("[0,02]"), 2, "whole number"),
        (one("[0,2e0]"), 2, "whole number"),
        (one("[0,99999999999999999999]"), 2, "64 bits"),
        (one("[0,2,2]"), 2, "must"),
        (one("[0,2]") + "\n", 2, "other than spaces"),
        (one("[0,2]") + "\0\0", 2, "other than spaces"),
        (one("[0,2]").replace('a', "\u{1}"), 2, "control character"),
        (one("[0,2]").replace("U8", "O"), 2, "element type"),
        (one("[0,2]").replace("}}", r#","x":1}}"#), 2, "has a field"),
        (one("[0,2]").replace("}}", r#","dtype":"U8"}}"#), 2, "stands twice"),
        (one("[0,2]").replace("}}", "}"), 2, "in the middle"),
        (two("[0,2]", "[2,4]").replace("\"b\"", "\"a\""), 4, "stands twice"),
        (two("[0,2]", "[2,4]").replace("\"b\"", "\"\\u0061\""), 4, "stands twice"),
        (r#"{"__metadata__":{"a":1}}"#.to_owned(), 0, "not a string"),
        (r#"{"__metadata__":{"a":"","a":""}}"#.to_owned(), 0, "stands twice"),
        (
            r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#.to_owned(),
            0,
            "64 bits",
        ),
        (r#"{"a":{"dtype":"F32","shape":[0]}}"#.to_owned(), 0, "lacks"),
        (" {\"__metadata__\":{}}".to_owned(), 0, "begin with"),
        ("\u{feff}{\"__metadata__\":{}}".to_owned(), 0, "begin with"),
        ("[]".to_owned(), 0, "begin with"),
    ] {
        let message = message(&header, data);
        assert!(message.contains(part), "{header}: {message}");
    }
}

#[test]
fn header_lengths_are_held_against_the_library_and_the_file() {
    for length in [MAX + 1, u64::MAX, 1 << 63] {
        let mut bytes = file(r#"{"__metadata__":{}}"#, 0);
        bytes[..8].copy_from_slice(&length.to_le_bytes());
        assert_eq!(scanned(&bytes).assessment(), Assessment::Malicious, "{length}");
    }
    let mut bytes = file(r#"{"__metadata__":{}}"#, 0);
    bytes[0] += 1;
    assert_eq!(
        scanned(&bytes).assessment(),
        Assessment::Malicious,
        "complete JSON, but a length past the end"
    );
}

const MAX: u64 = 100_000_000;

#[test]
fn what_is_cut_off_is_unfinished() {
    let bytes = file(r#"{"a":{"dtype":"F32","shape":[100],"data_offsets":[0,400]}}"#, 400);
    for size in [20, 40, bytes.len() - 400, bytes.len() - 1] {
        let report = scanned(&bytes[..size]);
        assert_eq!(report.assessment(), Assessment::Unfinished, "{size}: {:?}", report.findings);
    }
}

#[test]
fn text_is_not_taken_for_it() {
    for text in ["        {\"a\": 1}", "{\"abcdef\": {\"a\": 1}}", "hello wo{ \"dtype\" }"] {
        assert_ne!(scan(&text.as_bytes(), "a.txt", &Limits::default()).format, Format::Safetensors);
    }
    let other = file(r#"{"frames": 1}"#, 9);
    assert_ne!(
        scan(&other, "a.bin", &Limits::default()).format,
        Format::Safetensors,
        "a length before other JSON"
    );
    let renamed = file(r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,9]}}"#, 9);
    assert_eq!(scan(&renamed, "a.bin", &Limits::default()).assessment(), Assessment::Malicious);
}

proptest! {
    #[test]
    fn no_header_panics(header in r#"[\{\}\[\]",:a0-9 \\u]{0,60}"#, data in 0_usize..9) {
        scanned(&file(&format!("{{{header}"), data));
    }

    #[test]
    fn no_damage_goes_unseen_in_offsets(at in 0_usize..110, byte: u8) {
        let whole = file(r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#, 3);
        let mut bytes = whole.clone();
        bytes[at] = byte;
        // Either a proof still holds (a name changed, a space stands elsewhere) or it is said.
        let report = scanned(&bytes);
        prop_assert!(report.assessment() == Assessment::Clean || !report.findings.is_empty());
    }
}
