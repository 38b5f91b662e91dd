use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

const NIL: u32 = 254;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn file(items: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"X\n".to_vec();
    bytes.extend(words(&[2, 0x0004_0301, 0x0002_0300]));
    bytes.extend(items.concat());
    bytes
}

fn chars(text: &str) -> Vec<u8> {
    let mut bytes = words(&[9, u32::try_from(text.len()).unwrap()]);
    bytes.extend(text.as_bytes());
    bytes
}

fn symbol(name: &str) -> Vec<u8> {
    [words(&[1]), chars(name)].concat()
}

fn strings(texts: &[&str]) -> Vec<u8> {
    let mut bytes = words(&[16, u32::try_from(texts.len()).unwrap()]);
    texts.iter().for_each(|text| bytes.extend(chars(text)));
    bytes
}

fn call(name: &str, argument: Vec<u8>) -> Vec<u8> {
    [words(&[6]), symbol(name), words(&[2]), argument, words(&[NIL])].concat()
}

fn judge(bytes: &[u8]) -> Report {
    let report = scan(&bytes, "model.rds", &Limits::default());
    assert_eq!(report.format, Format::Rds);
    report
}

fn ids(bytes: &[u8]) -> Vec<&'static str> {
    judge(bytes).findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn vectors_lists_and_formulas_are_clean() {
    let data = words(&[19, 2, 14, 1, 0, 0, 13, 2, 1, 2]);
    assert!(ids(&file(&[data])).is_empty());
    // A list with a formula `y ~ source` and a name: what `lm` leaves behind.
    let formula =
        [words(&[6]), symbol("~"), words(&[2]), symbol("y"), words(&[2]), symbol("source"), words(&[NIL])]
            .concat();
    let attributes = [words(&[0x402]), symbol("names"), strings(&["terms"]), words(&[NIL])].concat();
    assert!(ids(&file(&[words(&[0x213, 1]), formula, attributes])).is_empty());
}

#[test]
fn a_promise_is_malicious_and_one_in_an_environment_is_a_remark() {
    let promise = [words(&[5, 252]), call("print", strings(&["harmless"]))].concat();
    assert_eq!(ids(&file(std::slice::from_ref(&promise))), ["rds.promise"]);
    let frame = [words(&[0x402]), symbol("x"), promise, words(&[NIL])].concat();
    let environment = [words(&[4, 0, 253]), frame, words(&[NIL, NIL])].concat();
    let report = judge(&file(&[environment]));
    assert_eq!(report.assessment(), Assessment::Clean);
    assert_eq!(report.findings[0].rule.id, "rds.captured-promise");
}

#[test]
fn byte_code_belongs_into_functions() {
    // One body: its code, then no constants.
    let code = words(&[21, 1, 13, 2, 12, 1, 0]);
    assert_eq!(ids(&file(std::slice::from_ref(&code))), ["rds.bytecode"]);
    assert_eq!(ids(&file(&[words(&[19, 1]), code.clone()])), ["rds.bytecode"]);
    let attributes = [words(&[0x402]), symbol("hook"), code.clone(), words(&[NIL])].concat();
    assert_eq!(ids(&file(&[words(&[0x20e, 0]), attributes])), ["rds.bytecode"]);
    let closure = [words(&[0x403, 253, NIL]), code].concat();
    assert_eq!(judge(&file(&[closure])).assessment(), Assessment::Clean);
}

#[test]
fn calls_that_act_are_malicious_also_by_reference_and_qualified() {
    assert_eq!(ids(&file(&[call("system", strings(&["echo harmless"]))])), ["rds.call"]);
    let qualified = [words(&[6]), call("::", symbol("base")), words(&[NIL])].concat();
    assert!(ids(&file(&[qualified])).is_empty());
    let qualified = [
        words(&[6, 6]),
        symbol("::"),
        words(&[2]),
        symbol("base"),
        words(&[2]),
        symbol("system"),
        words(&[NIL, NIL]),
    ]
    .concat();
    assert_eq!(ids(&file(&[qualified])), ["rds.call"]);
    // The symbol first stands as a name in a list, then as the head of a call, as reference 1.
    let again = [words(&[19, 2]), symbol("system"), words(&[6, 0x1ff, NIL])].concat();
    assert_eq!(ids(&file(&[again])), ["rds.call"]);
}

#[test]
fn closures_are_remarks_unless_they_evaluate() {
    let closure = |body: Vec<u8>| [words(&[0x403, 253, NIL]), body].concat();
    let report = judge(&file(&[closure(call("sum", words(&[NIL])))]));
    assert_eq!(report.assessment(), Assessment::Clean);
    assert!(ids(&file(&[closure(call("eval", words(&[NIL])))])).contains(&"rds.eval"));
    assert!(ids(&file(&[closure(call("system", words(&[NIL])))])).contains(&"rds.call"));
}

#[test]
fn ascii_is_read_too() {
    let text =
        "A\n2\n262913\n131840\n6\n1\n262153\n6\nsystem\n2\n16\n1\n262153\n13\necho\\040harmless\n254\n";
    assert_eq!(ids(text.as_bytes()), ["rds.call"]);
}

#[test]
fn a_cut_file_is_unfinished() {
    let bytes = file(&[words(&[14, 100])]);
    assert_eq!(judge(&bytes).assessment(), Assessment::Unfinished);
}

proptest! {
    #[test]
    fn mutated_files_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0..60_usize, new: u8) {
        let mut start = file(&[]);
        start.extend(&bytes);
        let _ = judge(&start);
        let mut changed = file(&[call("system", strings(&["x"]))]);
        let place = 14 + at % (changed.len() - 14);
        changed[place] = new;
        let _ = judge(&changed);
    }
}
