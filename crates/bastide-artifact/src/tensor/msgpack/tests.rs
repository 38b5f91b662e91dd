use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn array(shape: u8, name: &str, data: usize) -> Vec<u8> {
    let mut inner = vec![0x93, 0x91, shape, 0xa0 | u8::try_from(name.len()).unwrap()];
    inner.extend(name.as_bytes());
    inner.extend([0xc4, u8::try_from(data).unwrap()]);
    inner.resize(inner.len() + data, 0);
    [&[0xc7, u8::try_from(inner.len()).unwrap(), 1], inner.as_slice()].concat()
}

/// `{"params": {"w": value}}`.
fn checkpoint(value: &[u8]) -> Vec<u8> {
    [b"\x81\xa6params\x81\xa1w", value].concat()
}

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "model.msgpack", &Limits::default())
}

#[test]
fn checkpoints_are_clean_and_counted() {
    let report = scanned(&checkpoint(&array(3, "bfloat16", 6)));
    assert_eq!(
        (report.format, report.assessment()),
        (Format::Msgpack, Assessment::Clean),
        "{:?}",
        report.findings
    );
    assert_eq!(report.facts.tensors["bfloat16"].elements, 3);
    assert_eq!(scanned(&array(3, "float32", 12)).format, Format::Msgpack);
    assert_eq!(scanned(b"\x82\xa4step\x05\xa4name\xa3abc").assessment(), Assessment::Clean);
}

#[test]
fn bombs_and_wrong_sizes_are_malicious() {
    for value in [
        b"\xdd\xff\xff\xff\xff".to_vec(),
        b"\xdf\xff\xff\xff\xff".to_vec(),
        b"\xc6\xff\xff\xff\xff".to_vec(),
        b"\xc9\xff\xff\xff\xff\x01".to_vec(),
        vec![0x91; 600],
        array(3, "float32", 11),
    ] {
        let report = scanned(&checkpoint(&value));
        assert_eq!(report.assessment(), Assessment::Malicious, "{value:x?} {:?}", report.findings);
    }
}

#[test]
fn what_only_its_name_tells_is_read_where_it_would_exhaust_its_reader() {
    for bytes in
        [b"\xdd\xff\xff\xff\xff\xc0".to_vec(), b"\x91\xc6\xff\xff\xff\xff\0".to_vec(), vec![0x91; 100_000]]
    {
        let report = scanned(&bytes);
        assert_eq!((report.format, report.assessment()), (Format::Msgpack, Assessment::Malicious));
        assert_ne!(scan(&bytes, "model.bin", &Limits::default()).format, Format::Msgpack);
    }
}

#[test]
fn other_extensions_and_trailing_bytes_are_reviewed() {
    assert_eq!(scanned(&checkpoint(b"\xd4\x2a\x00")).assessment(), Assessment::Review);
    assert_eq!(scanned(&checkpoint(&array(1, "object", 8))).assessment(), Assessment::Review);
    assert_eq!(scanned(&checkpoint(b"\xa1vecho")).assessment(), Assessment::Review);
}

#[test]
fn what_is_cut_off_is_unfinished() {
    let whole = checkpoint(&array(3, "float32", 12));
    assert_eq!(scanned(&whole[..whole.len() - 3]).assessment(), Assessment::Unfinished);
}

#[test]
fn other_files_are_not_taken_for_it() {
    for bytes in
        [b"\x80\x04\x95".as_slice(), b"\x81abc", b"{\"params\": 1}", "ޡﾀabc".as_bytes(), b"\x82\xa1\x00\x01"]
    {
        assert_ne!(scanned(bytes).format, Format::Msgpack, "{bytes:x?}");
    }
}

#[test]
fn random_bytes_are_not_taken_for_it() {
    let mut state = 1_u64;
    for _ in 0..20_000 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_le_bytes()[7]
        })
        .take(100)
        .collect();
        assert_ne!(scan(&bytes, "a", &Limits::default()).format, Format::Msgpack, "{bytes:x?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        scanned(&checkpoint(&bytes));
        scanned(&checkpoint(&[b"\xc7\x20\x01\x93".as_slice(), &bytes].concat()));
    }

    #[test]
    fn text_is_not_taken_for_it(text in ".{1,100}") {
        prop_assert_ne!(scan(&text.as_bytes(), "a", &Limits::default()).format, Format::Msgpack);
    }
}
