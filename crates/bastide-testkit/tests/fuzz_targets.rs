//! The fuzz targets without a fuzzer: every target over its corpus and over inputs made from it.
//!
//! `BASTIDE_CASES` sets how many are made for each target, `BASTIDE_SEED` which ones.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    unreachable_pub,
    reason = "the claims of the fuzz targets are assertions, and the targets are compiled into another crate too"
)]

#[path = "../../../fuzz/src/targets.rs"]
mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(n.max(1)).unwrap()).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

/// What parsers of our formats have branches for.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u0000",
    "\\ud83c",
    "\\u0041",
    "null",
    "true",
    "-0",
    "1e999",
    "0x",
    " ",
    "\n",
    "\r",
    "\r\n\r\n",
    "\n\n",
    "data:",
    "data: ",
    "event: x",
    ": c",
    "[DONE]",
    "\u{feff}",
    "é",
    "🏰",
    "\u{200b}",
    "\u{202e}",
    "\u{e0041}",
    "４",
    "@",
    ".com",
    "4111111111111111",
    "-----BEGIN PRIVATE KEY-----",
    "eyJ",
    "AKIA",
    "sk-",
    "bst_",
    "bst1.",
    "bOdy",
    "bstdbod1",
    "ignore all previous instructions",
    "](",
    "![",
    "<",
    ">",
    "href=",
    "https://",
    "url(",
    "&quot;",
    "\"model\":",
    "\"messages\":",
    "\"content\":",
    "\"tool_calls\":",
    "\"arguments\":",
    "\"choices\":",
    "\"delta\":",
    "\"logprobs\":",
    "— ",
    "permit (principal, action, resource)",
    "when { context.demo };",
    "tile/",
    "/x001",
    ".p/",
    "%40",
    "%2e",
    "\u{0}",
    "A",
    "9",
];

/// What readers of binary formats have branches for: marks, and sizes that are large, negative or off by one.
const BINARY: &[&[u8]] = &[
    b"\0\0\0\0",
    b"\x01\0\0\0",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\0\0\0\0\x01\0\0\0",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
    b"PK\x01\x02",
    b"PK\x03\x04",
    b"PK\x05\x06\0\0\0\0",
    b"ustar",
    b"\x1f\x8b\x08\0",
    b"\x80\x02",
    b"\x80\x04\x95",
    b"cos\nsystem\n",
    b"(S'echo'\ntR.",
    b"\x93NUMPY",
    b"\x89HDF\r\n\x1a\n",
    b"OHDR",
    b"\xdf\xff\xff\xff\xff",
    b"{\"__metadata__\":",
    b"'descr': '|O'",
    b"{{ x.__class__ }}",
    b"{% for a in b %}",
    b"<!ENTITY a \"b\">",
    b"!!python/name:",
    b"_target_: ",
    b"&a [*a]",
    b"\"class_name\": \"Lambda\"",
    b"import os\n",
    b"def f():\n ",
];

/// An input that resembles the seeds: one of them, or two crossed, with a few changes.
fn mutate(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let seed = |random: &mut Random| seeds.get(random.below(seeds.len())).cloned().unwrap_or_default();
    let mut input = seed(random);
    if random.below(4) == 0 {
        let other = seed(random);
        let (cut, from) = (random.below(input.len() + 1), random.below(other.len() + 1));
        input.truncate(cut);
        input.extend_from_slice(&other[from..]);
    }
    for _ in 0..random.below(5) {
        let at = random.below(input.len() + 1);
        match random.below(9) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.byte(),
            2 => input.insert(at, random.byte()),
            3 => {
                let to = (at + random.below(16)).min(input.len());
                input.drain(at..to);
            }
            4 => {
                // A piece over again, somewhere else: repetition and nesting.
                let to = (at + random.below(64)).min(input.len());
                let piece = input[at..to].to_vec();
                let place = random.below(input.len() + 1);
                input.splice(place..place, piece);
            }
            5 => input.truncate(at),
            6 => {
                let token = BINARY[random.below(BINARY.len())];
                // Over what is there as often as in between: most binary formats have their fields at fixed places.
                let to = if random.below(2) == 0 { at } else { (at + token.len()).min(input.len()) };
                input.splice(at..to, token.iter().copied());
            }
            _ => {
                let token = TOKENS[random.below(TOKENS.len())].as_bytes().iter().copied();
                input.splice(at..at, token);
            }
        }
    }
    input
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("`{}`: {error}; every target has a corpus", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// As a Rust byte string, to be pasted into a test or written into the corpus.
fn shown(input: &[u8]) -> String {
    format!("b\"{}\"", input.escape_ascii())
}

/// How many inputs of a parser of bytes one of this target takes as long as: engines and policies do more with each.
fn cost(target: &str) -> u64 {
    match target {
        "inspect" | "stream_inspect" => 10,
        "policy_parse" => 100,
        // A reader of files runs twice, by several formats, and may expand what it finds.
        name if name.starts_with("artifact_") || name.starts_with("code_") => 20,
        "signing_keyless" | "signing_roots" => 20,
        _ => 1,
    }
}

fn drive(name: &str) {
    let seeds = corpus(name);
    assert!(!seeds.is_empty(), "no corpus for {name}");
    let mut random = Random(number("BASTIDE_SEED", 1));
    let cases = number("BASTIDE_CASES", 10_000) / cost(name);
    let generated = (0..cases.max(1)).map(|_| mutate(&mut random, &seeds));
    for input in seeds.iter().cloned().chain(generated) {
        if catch_unwind(AssertUnwindSafe(|| targets::run(name, &input))).is_err() {
            panic!("{name} does not hold for {}", shown(&input));
        }
    }
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        $(#[test] fn $name() { drive(stringify!($name)); })*

        #[test]
        fn every_target_is_driven_and_has_its_own_binary() {
            let driven = [$(stringify!($name)),*];
            let known: Vec<&str> = targets::targets().map(|(name, _)| *name).collect();
            assert_eq!(driven.as_slice(), known.as_slice());
            let manifest = include_str!("../../../fuzz/Cargo.toml");
            for name in known {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets!(
    json_scanner,
    chat_request,
    chat_response,
    chat_chunk,
    http1_response,
    sse,
    inspect,
    stream_inspect,
    receipt_parse,
    checkpoint_parse,
    entry_bundle,
    tile_path,
    policy_parse,
    presented_key,
    placement,
    body_segment,
    cookie,
    form,
    api_request,
    artifact_any,
    artifact_pickle,
    artifact_zip,
    artifact_zip_model,
    artifact_tar,
    artifact_seven_zip,
    artifact_stream,
    artifact_safetensors,
    artifact_gguf,
    artifact_numpy,
    artifact_msgpack,
    artifact_torch7,
    artifact_mxnet,
    artifact_onnx,
    artifact_tensorflow,
    artifact_tflite,
    artifact_executorch,
    artifact_coreml,
    artifact_paddle,
    artifact_hdf5,
    artifact_json,
    artifact_jinja,
    artifact_xml,
    artifact_yaml,
    artifact_rds,
    artifact_trees,
    artifact_text,
    artifact_archive,
    artifact_java,
    artifact_table,
    code_python,
    code_infrastructure,
    code_dependencies,
    signing_bundle,
    signing_keyless,
    signing_roots,
    sha256,
);
