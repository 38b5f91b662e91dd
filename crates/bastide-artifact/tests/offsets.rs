//! A place that is told is a place in the file.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bastide_artifact::{Format, Limits, Report, scan_as};

fn told(format: Format, data: &[u8]) -> Report {
    let report = scan_as(format, &data, "model.bin", &Limits::default());
    assert!(!report.findings.is_empty(), "{format}");
    for finding in report.findings.iter().filter(|finding| finding.members.is_empty()) {
        assert!(finding.offset.is_none_or(|at| at <= data.len() as u64), "{format}: {finding:?}");
    }
    report
}

#[test]
fn a_pointer_out_of_the_file_is_told_without_a_place() {
    // Too short for its own header.
    let report = told(Format::Executorch, b" \0");
    assert_eq!(report.findings[0].offset, None);
    told(Format::TfLite, b"\xff\xff\xff\x7fTFL3");
}

#[test]
fn text_that_is_longer_decoded_than_in_the_file_moves_no_place_out_of_it() {
    // Each of these bytes is a character of three bytes once decoded.
    let broken = [b"[\"".as_slice(), &[0xff; 300], b"\", "].concat();
    told(Format::Json, &broken);
    let header = [b"{'descr': '<f8', '".as_slice(), &[0xd2; 90], b"': (0,"].concat();
    let array = [b"\x93NUMPY\x01\0".as_slice(), &u16::try_from(header.len()).unwrap().to_le_bytes(), &header];
    told(Format::Numpy, &array.concat());
}
