//! Objects that a stream refers to again and again: what a few bytes refer to is not gone through anew each time.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bastide_artifact::{Limits, scan};
use bastide_types::Assessment;

/// Calls and states that come again.
const TIMES: usize = 2000;

fn text(text: &str) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap();
    [b"X".as_slice(), &size.to_le_bytes(), text.as_bytes()].concat()
}

/// Puts a global into the memo.
fn import(name: &str, index: u8) -> Vec<u8> {
    let (module, name) = name.split_once(':').unwrap();
    [text(module), text(name), vec![0x93, b'q', index, b'0']].concat()
}

/// Puts `first` into the memo, and then objects each of which `opcodes` make of the last one, `width` times; gives
/// where the last one is.
fn nest(first: &[u8], width: usize, depth: u8, opcodes: (&[u8], &[u8])) -> (Vec<u8>, u8) {
    let mut stream = [first, &[b'q', 100, b'0']].concat();
    for level in 100..100 + depth {
        let held = [b'h', level].repeat(width);
        stream.extend([opcodes.0, b"(", &held, opcodes.1, &[b'q', level + 1, b'0']].concat());
    }
    (stream, 100 + depth)
}

/// Calls what is in the memo at 1 with what is there at `with`, again and again.
fn call_often(with: u8) -> Vec<u8> {
    let call = [b'h', 1, b'h', 2, b'R', b'0'].repeat(TIMES);
    [vec![b'h', with, 0x85, b'q', 2, b'0'], call, b"N".to_vec()].concat()
}

fn verdict(parts: &[Vec<u8>], steps: u64) -> Assessment {
    let stream = [b"\x80\x04", parts.concat().as_slice(), b"."].concat();
    scan(&stream, "model.pkl", &Limits { steps, ..Limits::default() }).assessment()
}

#[test]
fn iterators_over_iterators_are_counted_once() {
    let chains = |first: &[u8], width, depth, often: bool| {
        let (chain, last) = nest(first, width, depth, (b"h\x00", b"tR"));
        let once = [b'h', 1, b'h', last, 0x85, b'R'].to_vec();
        let calls = if often { call_often(last) } else { once };
        verdict(&[import("itertools:chain", 0), import("builtins:list", 1), chain, calls], 100_000)
    };
    assert_eq!(chains(b"C\x04abcd", 15, 8, false), Assessment::Malicious, "a gibielement");
    assert_eq!(chains(b"C\x04abcd", 20, 20, false), Assessment::Malicious);
    assert_eq!(chains(b"C\x04abcd", 200, 4, false), Assessment::Malicious, "more than are known");
    assert_eq!(chains(b"C\x00", 15, 8, true), Assessment::Clean, "nothing, however often");
    assert_eq!(chains(b"C\x04abcd", 1, 100, false), Assessment::Clean, "four elements");
    let (zips, last) = nest(b"C\x00", 15, 8, (b"h\x00", b"tR"));
    let parts = [import("builtins:zip", 0), import("builtins:list", 1), zips, call_often(last)];
    assert_eq!(verdict(&parts, 100_000), Assessment::Clean);
}

#[test]
fn shapes_of_shapes_are_not_followed_everywhere() {
    let (shapes, last) = nest(b"K\x01", 16, 3, (b"", b"t"));
    let arrays = [import("numpy:ndarray", 1), shapes, call_often(last)];
    assert_eq!(verdict(&arrays, 200_000), Assessment::Clean);
}

#[test]
fn what_sympy_is_given_is_looked_at_once() {
    for opcode in [b"t", b"l"] {
        let (expression, last) = nest(&text("x"), 15, 5, (b"", opcode));
        let class = import("sympy.core.containers:Tuple", 1);
        assert_eq!(verdict(&[class.clone(), expression, call_often(last)], 500_000), Assessment::Clean);
        let (code, last) = nest(&text("print('x')"), 15, 5, (b"", opcode));
        assert_eq!(verdict(&[class, code, call_often(last)], 500_000), Assessment::Malicious);
    }
}

#[test]
fn bytes_of_a_state_are_run_once() {
    // A pickle of lists, which does nothing, is the state of an object time and again.
    let inert = b"]0".repeat(2000);
    let bytes = [b"B".as_slice(), &u32::try_from(inert.len()).unwrap().to_le_bytes(), &inert].concat();
    let (state, last) = nest(&bytes, 15, 1, (b"", b"l"));
    let object = [b"h", [1].as_slice(), b")\x81"].concat();
    let builds = [b'h', last, b'b'].repeat(TIMES);
    let parts = [import("collections:Counter", 1), state, object, builds];
    assert_eq!(verdict(&parts, 100_000), Assessment::Clean);
}

#[test]
fn an_unknown_function_is_not_given_more_than_is_looked_at() {
    let (lists, last) = nest(b"K\x01", 16, 4, (b"", b"l"));
    let calls = [b'h', 1, b'h', 2, b'R', b'0'].repeat(16);
    let parts =
        [import("my.models:restore", 1), lists, vec![b'h', last, 0x85, b'q', 2, b'0'], calls, b"N".to_vec()];
    assert_eq!(verdict(&parts, 50_000), Assessment::Review);
}

#[test]
fn a_long_line_is_measured_for_few_calls() {
    let line = [b"V".to_vec(), b"x".repeat(1 << 20), b"\n".to_vec()].concat();
    let parts = [import("builtins:iter", 1), line, b"q\x030".to_vec(), call_often(3)];
    assert_eq!(verdict(&parts, 1_000_000), Assessment::Unfinished);
    assert_eq!(verdict(&parts, 1_000_000_000), Assessment::Clean);
}

#[test]
fn what_makes_objects_makes_none_that_do() {
    let reconstructor = import("copyreg:_reconstructor", 1);
    let object = import("builtins:object", 2);
    let nested = [b"(".to_vec(), [b'h', 1].repeat(5000), b"o".to_vec()].concat();
    assert_eq!(verdict(&[reconstructor.clone(), nested], 100_000), Assessment::Malicious);
    let class = import("collections:OrderedDict", 3);
    let honest = b"(h\x01h\x03h\x02No".to_vec();
    assert_eq!(verdict(&[reconstructor, object, class, honest], 100_000), Assessment::Clean);
}
