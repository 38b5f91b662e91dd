use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

const MODEL: &str = r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"units": 2}}]}}"#;
const LAMBDA: &str = r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Lambda", "config": {"function":
    ["4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAAfABTAKkBTqkA", null, null], "function_type": "lambda"}}]}}"#;

fn le16(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_le_bytes()
}

fn le32(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_le_bytes()
}

/// A file of version 2 whose root group has these messages.
fn second(messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, message) in messages {
        body.push(*kind);
        body.extend(le16(message.len()));
        body.push(0);
        body.extend(message);
    }
    let mut file = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00".to_vec();
    let end = 48 + 10 + body.len() + 4;
    for address in [0, u64::MAX, end as u64, 48] {
        file.extend(address.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(b"OHDR\x02\x02");
    file.extend(le32(body.len()));
    file.extend(body);
    file.extend([0; 4]);
    file
}

/// A file of version 0 whose root group has these messages.
fn first(messages: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut body = Vec::new();
    for (kind, message) in messages {
        body.extend(le16(usize::from(*kind)));
        body.extend(le16(message.len()));
        body.extend([0; 4]);
        body.extend(message);
    }
    let mut file = b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08\0\x04\0\x10\0\0\0\0\0".to_vec();
    for address in [0, u64::MAX, (96 + 16 + body.len()) as u64, u64::MAX, 0, 96] {
        file.extend(address.to_le_bytes());
    }
    file.extend([0; 24]);
    file.extend([1, 0]);
    file.extend(le16(messages.len()));
    file.extend(le32(1));
    file.extend(le32(body.len()));
    file.extend([0; 4]);
    file.extend(body);
    file
}

/// An attribute of version 3 with one text of fixed length.
fn attribute(name: &str, text: &str) -> Vec<u8> {
    let mut message = vec![3, 0];
    message.extend(le16(name.len() + 1));
    message.extend(le16(8));
    message.extend(le16(4));
    message.push(0);
    message.extend(name.as_bytes());
    message.push(0);
    message.extend([0x13, 0, 0, 0]);
    message.extend(le32(text.len()));
    message.extend([2, 0, 0, 0]);
    message.extend(text.as_bytes());
    message
}

fn external_link(file: &str) -> Vec<u8> {
    let mut message = vec![1, 8, 64, 1, b'x'];
    message.extend(le16(file.len() + 4));
    message.push(0);
    message.extend(file.as_bytes());
    message.extend(b"\0/a\0");
    message
}

fn judge(bytes: &[u8]) -> Report {
    let report = scan(&bytes, "model.bin", &Limits::default());
    assert_eq!(report.format, Format::Hdf5);
    report
}

fn ids(bytes: &[u8]) -> Vec<&'static str> {
    judge(bytes).findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn configurations_are_found_in_attributes_of_both_kinds_of_header() {
    for build in [first, second] {
        let report = judge(&build(&[
            (12, attribute("model_config", MODEL)),
            (12, attribute("keras_version", "2.15.0")),
        ]));
        assert_eq!(report.assessment(), Assessment::Clean, "{:?}", report.findings);
        assert_eq!(report.facts.libraries[0].version, "2.15.0");
        assert_eq!(ids(&build(&[(12, attribute("anything", LAMBDA))])), ["keras.lambda"]);
    }
}

#[test]
fn types_stored_elsewhere_and_escapes_hide_no_configuration() {
    let escaped = LAMBDA.replace("class_name", "class\\u005fname").replace("Lambda", "\\u004cambda");
    let mut shared = attribute("model_config", &escaped);
    shared[1] = 1;
    for message in [attribute("model_config", &escaped), shared] {
        assert_eq!(ids(&second(&[(12, message)])), ["keras.lambda"]);
    }
    let mut note = attribute("note", "hello");
    note[1] = 1;
    assert_eq!(ids(&second(&[(12, note)])), Vec::<&str>::new());
}

#[test]
fn a_superblock_may_come_later() {
    let mut file = vec![0; 1024];
    file.extend(second(&[(12, attribute("model_config", LAMBDA))]));
    assert_eq!(ids(&file), ["keras.lambda"]);
}

#[test]
fn other_files_and_unknown_filters_are_seen() {
    assert_eq!(ids(&second(&[(6, external_link("/etc/hostname"))])), ["hdf5.outside"]);
    assert_eq!(ids(&second(&[(6, external_link("../../x.h5"))])), ["hdf5.outside"]);
    assert_eq!(ids(&second(&[(6, external_link("beside.h5"))])), ["hdf5.external"]);
    assert_eq!(ids(&second(&[(11, vec![2, 1, 0x39, 0x30, 0, 0, 0, 0, 0, 0])])), ["hdf5.filter"]);
    assert!(ids(&second(&[(11, vec![2, 1, 1, 0, 0, 0, 0, 0])])).is_empty());
}

#[test]
fn what_is_not_understood_is_searched() {
    // The header claims a version that does not exist.
    let mut file = second(&[(12, attribute("model_config", LAMBDA))]);
    file[52] = 9;
    assert!(ids(&file).contains(&"keras.lambda"));
    let mut empty = second(&[]);
    empty[52] = 9;
    assert_eq!(judge(&empty).assessment(), Assessment::Unfinished);
}

#[test]
fn a_mark_without_a_superblock_is_opened_by_no_library() {
    let mut mark = b"\x89HDF\r\n\x1a\n".to_vec();
    mark.extend([0; 64]);
    assert_eq!(ids(&mark), ["hdf5.unopenable"]);
    assert_eq!(judge(&mark).assessment(), Assessment::Clean);
    // A configuration is judged all the same, and a later superblock is found.
    let mut with_configuration = mark.clone();
    with_configuration.extend(LAMBDA.as_bytes());
    assert!(ids(&with_configuration).contains(&"keras.lambda"));
    let mut with_another = mark.clone();
    with_another.resize(512, 0);
    with_another.extend(second(&[(12, attribute("model_config", LAMBDA))]));
    assert_eq!(ids(&with_another), ["keras.lambda"]);
    // A file that is cut off within its superblock, or behind it, is not one that nobody opens.
    for size in [10, 20, 40, 52] {
        assert_eq!(judge(&second(&[])[..size]).assessment(), Assessment::Unfinished, "{size} bytes");
    }
}

#[test]
fn a_pickle_in_an_attribute_is_a_file_of_its_own() {
    let file = second(&[(12, attribute("FLAVOR", "cos\nsystem\n(S'echo harmless'\ntR."))]);
    let report = judge(&file);
    assert!(report.findings.iter().all(|finding| finding.members == ["FLAVOR"]));
}

/// A file of version 2 whose root group has this attribute, and a global heap with these objects behind.
fn with_heap(name: &str, value: &str, objects: &[&[u8]]) -> Vec<u8> {
    let mut body = Vec::new();
    for (index, object) in objects.iter().enumerate() {
        body.extend(le16(index + 1));
        body.extend([1, 0, 0, 0, 0, 0]);
        body.extend((object.len() as u64).to_le_bytes());
        body.extend(*object);
        body.resize(body.len().next_multiple_of(8), 0);
    }
    let mut file = second(&[(12, attribute(name, value))]);
    file.extend(b"GCOL\x01\0\0\0");
    file.extend((16 + body.len() as u64).to_le_bytes());
    file.extend(body);
    file
}

const HARMLESS: &[u8] = b"\x80\x02]q\0K\x01a.";
const HARM: &[u8] = b"\x80\x02cposix\nsystem\nX\x0d\0\0\0echo harmless\x85R.";

#[test]
fn rows_of_arrays_of_objects_are_judged_as_pickles() {
    let pytables = |objects: &[&[u8]]| judge(&with_heap("PSEUDOATOM", "object", objects)).assessment();
    assert_eq!(pytables(&[HARMLESS, b"", HARMLESS]), Assessment::Clean);
    assert_eq!(pytables(&[HARMLESS, HARM]), Assessment::Malicious);
    // Without a frame, with another opcode first, and with bytes behind.
    assert_eq!(pytables(&[b"Ncposix\nsystem\n(S'echo harmless'\ntR."]), Assessment::Malicious);
    assert_eq!(pytables(&[&[HARM, b"behind"].concat()]), Assessment::Malicious);
    assert_eq!(pytables(&[b"\x80\x02cmine\nThing\n)\x81."]), Assessment::Review);
    assert_eq!(judge(&with_heap("FLAVOR", "Object", &[HARM])).assessment(), Assessment::Malicious);
    // Rows of texts stay texts.
    assert_eq!(judge(&with_heap("PSEUDOATOM", "vlstring", &[HARM])).assessment(), Assessment::Clean);
    assert_eq!(judge(&with_heap("note", "object", &[HARM])).assessment(), Assessment::Clean);
}

#[test]
fn a_collection_that_spans_another_hides_nothing() {
    let inner = with_heap("PSEUDOATOM", "object", &[HARM]);
    let at = memchr::memmem::find(&inner, b"GCOL").unwrap();
    let file = with_heap("PSEUDOATOM", "object", &[&inner[at..]]);
    assert_eq!(judge(&file).assessment(), Assessment::Malicious);
}

#[test]
fn objects_that_claim_the_rest_of_the_file_are_looked_at_once() {
    let mut file = with_heap("PSEUDOATOM", "object", &[HARMLESS]);
    for _ in 0..4000 {
        file.extend(b"GCOL\x01\0\0\0\0\0\0\0\x10\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0");
    }
    let limits = Limits { steps: 4_000_000, ..Limits::default() };
    let of = |file: &[u8]| scan(&file, "model.h5", &limits).assessment();
    assert_eq!(of(&file), Assessment::Clean);
    let harm = with_heap("PSEUDOATOM", "object", &[HARM]);
    file.extend(&harm[memchr::memmem::find(&harm, b"GCOL").unwrap()..]);
    assert_eq!(of(&file), Assessment::Malicious);
}

#[test]
fn pickles_of_hickle_are_found_in_its_values() {
    let hickle = with_heap("HICKLE_VERSION", "5.0.3", &[HARM]);
    assert_eq!(judge(&hickle).assessment(), Assessment::Malicious);
    assert_eq!(judge(&with_heap("HICKLE_VERSION", "5.0.3", &[HARMLESS])).assessment(), Assessment::Clean);
}

#[test]
fn an_attribute_that_ends_in_a_full_stop_may_be_a_pickle() {
    let of = |text: &str| judge(&second(&[(12, attribute("note", text))])).assessment();
    assert_eq!(of("Ncposix\nsystem\n(S'echo harmless'\ntR."), Assessment::Malicious);
    assert_eq!(of("Made by the system.\nRun it."), Assessment::Clean);
}

proptest! {
    #[test]
    fn mutated_files_never_panic(at in 8..400_usize, new: u8, cut in 0..400_usize, old: bool) {
        let build = if old { first } else { second };
        let mut file = build(&[(12, attribute("model_config", MODEL)), (6, external_link("a.h5")), (2, vec![0; 18]), (21, vec![0; 18])]);
        let place = at % file.len();
        file[place.max(8)] = new;
        let _ = judge(&file);
        file.truncate(file.len() - cut % (file.len() - 16));
        let _ = scan(&file, "x", &Limits::default());
    }
}
