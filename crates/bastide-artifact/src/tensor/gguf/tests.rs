use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

/// A writer of either byte order.
#[derive(Clone)]
struct Writer {
    big: bool,
    short: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn new(version: u32, big: bool, tensors: u64, keys: u64) -> Self {
        let mut writer = Writer { big, short: version == 1, bytes: b"GGUF".to_vec() };
        writer.u32(version).count(tensors).count(keys);
        writer
    }

    fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend(if self.big { value.to_be_bytes() } else { value.to_le_bytes() });
        self
    }

    fn count(&mut self, value: u64) -> &mut Self {
        if self.short { self.u32(u32::try_from(value).unwrap()) } else { self.u64(value) }
    }

    fn string(&mut self, text: &str) -> &mut Self {
        self.count(text.len() as u64);
        self.bytes.extend(text.as_bytes());
        self
    }

    fn tensor(&mut self, name: &str, dimensions: &[u64], kind: u32, offset: u64) -> &mut Self {
        self.string(name).u32(u32::try_from(dimensions.len()).unwrap());
        for dimension in dimensions {
            self.count(*dimension);
        }
        self.u32(kind).u64(offset)
    }

    fn data(&mut self, size: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len().next_multiple_of(32) + size, 0);
        bytes
    }
}

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "model.gguf", &Limits::default())
}

#[test]
fn tokens_without_scores_are_a_flaw_and_predecessors_are_read() {
    let lists = |tokens: u64, scores: u64| {
        let mut writer = Writer::new(3, false, 0, 2);
        writer.string("tokenizer.ggml.tokens").u32(9).u32(8).count(tokens);
        for _ in 0..tokens {
            writer.string("a");
        }
        writer.string("tokenizer.ggml.scores").u32(9).u32(6).count(scores);
        for _ in 0..scores {
            writer.u32(0);
        }
        writer.data(0)
    };
    assert_eq!(scanned(&lists(3, 3)).assessment(), Assessment::Clean, "{:?}", scanned(&lists(3, 3)).findings);
    assert_eq!(scanned(&lists(3, 2)).assessment(), Assessment::Malicious);

    let old = |magic: &[u8], numbers: &[u32]| {
        let numbers = numbers.iter().flat_map(|number| number.to_le_bytes());
        magic.iter().copied().chain(numbers).chain([0; 64]).collect::<Vec<u8>>()
    };
    for (bytes, assessment) in [
        (old(b"lmgg", &[51_865, 1500, 512, 8, 6, 448, 1]), Assessment::Clean),
        (old(b"tjgg", &[3, 2, 512, 8, 6, 448, 1, 1, 1, 0, 1, 0]), Assessment::Clean),
        (old(b"tjgg", &[3, 2, 512, 8, 6, 448, 1, 1, u32::MAX]), Assessment::Unfinished),
    ] {
        assert_eq!(scanned(&bytes).assessment(), assessment, "{:?}", scanned(&bytes).findings);
    }
}

fn flawed(bytes: &[u8], part: &str) {
    let report = scanned(bytes);
    assert_eq!(report.assessment(), Assessment::Malicious, "{part}: {:?}", report.findings);
    assert!(report.findings[0].message.contains(part), "{part}: {}", report.findings[0].message);
}

fn honest(version: u32, big: bool) -> Vec<u8> {
    let mut writer = Writer::new(version, big, 2, 4);
    writer.string("general.architecture").u32(8).string("llama");
    writer.string("general.alignment").u32(4).u32(32);
    writer.string("tokenizer.ggml.tokens").u32(9).u32(8).count(2).string("a").string("b");
    writer.string("llama.rope.scale").u32(9).u32(6).count(2).u32(0).u32(0);
    writer.tensor("a", &[32, 2], 2, 0).tensor("b", &[5], 0, 64);
    writer.data(96)
}

#[test]
fn every_version_and_byte_order_is_read() {
    for (version, big) in [(1, false), (2, false), (3, false), (3, true)] {
        let bytes = honest(version, big);
        let report = scanned(&bytes);
        assert_eq!(
            (report.format, report.assessment()),
            (Format::Gguf, Assessment::Clean),
            "{:?}",
            report.findings
        );
        assert_eq!(report.facts.tensors["Q4_0"].elements, 64);
        assert_eq!(report.facts.properties["architecture"], "llama");
        assert_eq!(
            scanned(&bytes[..bytes.len() - 12]).assessment(),
            Assessment::Clean,
            "the last padding may lack"
        );
        for size in [30, 100, bytes.len() - 13] {
            assert_eq!(scanned(&bytes[..size]).assessment(), Assessment::Unfinished, "{size}");
        }
    }
}

#[test]
fn each_flaw_is_found() {
    let one = |dimensions: &[u64], kind, offset| {
        Writer::new(3, false, 1, 0).tensor("w", dimensions, kind, offset).data(64)
    };
    assert_eq!(scanned(&one(&[16], 0, 0)).assessment(), Assessment::Clean);
    flawed(&one(&[8], 0, 32), "no tensor accounts");
    flawed(&one(&[16], 0, 8), "not aligned");
    flawed(&one(&[1; 5], 0, 0), "5 dimensions");
    flawed(&one(&[0], 0, 0), "is 0");
    flawed(&one(&[1 << 32, 1 << 32], 0, 0), "overflows");
    flawed(&one(&[1 << 50], 0, 0), "claims");
    flawed(&one(&[33], 2, 0), "cuts a block");
    flawed(&one(&[8], 0xffff_ffff, 0), "element type");
    assert_eq!(scanned(&one(&[8], 99, 0)).assessment(), Assessment::Unfinished, "a type of a newer release");
    let two = |a, b| Writer::new(3, false, 2, 0).tensor("a", &[16], 0, a).tensor("b", &[16], 0, b).data(128);
    assert_eq!(scanned(&two(64, 0)).assessment(), Assessment::Clean);
    flawed(&two(0, 32), "within another");
    let mut trailing = one(&[16], 0, 0);
    trailing.extend(b"echo");
    flawed(&trailing, "follow");
    trailing.truncate(trailing.len() - 4);
    trailing.resize(trailing.len() + 5000, 0);
    flawed(&trailing, "follow");
    flawed(&Writer::new(3, false, 2, 0).tensor("a", &[8], 0, 0).tensor("a", &[8], 0, 32).data(64), "twice");
}

#[test]
fn hostile_counts_and_metadata_are_found() {
    flawed(&Writer::new(3, false, u64::MAX, 0).data(9), "tensors");
    flawed(&Writer::new(3, false, 0, 1 << 60).data(9), "metadata keys");
    let key = |write: &dyn Fn(&mut Writer)| {
        let mut writer = Writer::new(3, false, 0, 1);
        write(&mut writer);
        writer.data(64)
    };
    flawed(
        &key(&|w| {
            w.u64(u64::MAX - 3);
        }),
        "string claims",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(8).u64(1 << 40);
        }),
        "string claims",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(9).u32(4).u64(1 << 62);
        }),
        "list claims",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(13);
        }),
        "not a type",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(9).u32(77).u64(0);
        }),
        "not a type",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(7).u32(2);
        }),
        "truth value",
    );
    flawed(
        &key(&|w| {
            w.string("a\n").u32(7).u32(1);
        }),
        "not a metadata key",
    );
    flawed(
        &key(&|w| {
            w.string("").u32(7).u32(1);
        }),
        "not a metadata key",
    );
    for alignment in [0, 1, 4, 33, 48] {
        flawed(
            &key(&|w| {
                w.string("general.alignment").u32(4).u32(alignment);
            }),
            "aligned",
        );
    }
    flawed(
        &key(&|w| {
            w.string("general.alignment").u32(10).u64(32);
        }),
        "32 bit",
    );
    flawed(
        &key(&|w| {
            w.string("a").u32(9);
            for _ in 0..9 {
                w.u32(9).u64(1);
            }
        }),
        "nested",
    );
    let mut twice = Writer::new(3, false, 0, 2);
    twice.string("a").u32(4).u32(1).string("a").u32(4).u32(1);
    flawed(&twice.data(0), "twice");
}

#[test]
fn predecessors_and_later_versions_are_not_called_clean() {
    let mut old = b"tjgg".to_vec();
    old.resize(64, 0);
    assert_eq!(scanned(&old).assessment(), Assessment::Unfinished);
    assert_eq!(scanned(&Writer::new(9, false, 0, 0).data(0)).assessment(), Assessment::Unfinished);
}

#[test]
fn templates_are_read_under_any_key() {
    let hostile = "{{ x.__class__.__mro__ }}";
    let file = |key: &str, text: &str, list: bool| {
        let mut writer = Writer::new(3, false, 0, 1);
        writer.string(key);
        if list {
            writer.u32(9).u32(8).count(1).string(text);
        } else {
            writer.u32(8).string(text);
        }
        scanned(&writer.data(0)).assessment()
    };
    for key in
        ["tokenizer.chat_template", "tokenizer.chat_template.rag", "adapter.prompt_template", "my.prompt"]
    {
        assert_eq!(file(key, hostile, false), Assessment::Malicious, "{key}");
        assert_eq!(file(key, "{{ messages[0].content }}", false), Assessment::Clean, "{key}");
    }
    for key in ["general.name", "general.description"] {
        assert_eq!(file(key, "a template {{ x.__class__ }}", false), Assessment::Clean, "{key}");
        let chain = "{{ x.__class__.__mro__[1].__subclasses__() }}";
        assert_eq!(file(key, chain, false), Assessment::Malicious, "{key}");
    }
    assert_eq!(file("tokenizer.chat_templates", hostile, true), Assessment::Malicious);
    assert_eq!(file("tokenizer.chat_templates", "default", true), Assessment::Clean);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        scanned(&[b"GGUF\x03\0\0\0".as_slice(), &bytes].concat());
    }

    #[test]
    fn no_damage_panics(at in 0_usize..300, byte: u8) {
        let mut bytes = honest(3, false);
        let at = at % bytes.len();
        bytes[at] = byte;
        scanned(&bytes);
    }
}
