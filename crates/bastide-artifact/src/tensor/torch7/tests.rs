use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

#[derive(Default)]
struct Writer {
    ascii: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn int(&mut self, value: i32) -> &mut Self {
        if self.ascii {
            self.bytes.extend(format!("{value}\n").as_bytes());
        } else {
            self.bytes.extend(value.to_le_bytes());
        }
        self
    }

    fn longs(&mut self, values: &[i64]) -> &mut Self {
        for value in values {
            if self.ascii {
                self.bytes.extend(format!("{value} ").as_bytes());
            } else {
                self.bytes.extend(value.to_le_bytes());
            }
        }
        if self.ascii {
            *self.bytes.last_mut().unwrap() = b'\n';
        }
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        self.int(i32::try_from(text.len()).unwrap());
        self.bytes.extend(text.as_bytes());
        if self.ascii {
            self.bytes.push(b'\n');
        }
        self
    }

    fn class(&mut self, index: i32, name: &str) -> &mut Self {
        self.int(4).int(index).text("V 1").text(name)
    }

    /// `nn.Linear` with a weight and one more field.
    fn module(ascii: bool, class: &str, value: &dyn Fn(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer { ascii, bytes: Vec::new() };
        writer.class(1, class).int(3).int(2).int(2).int(2).text("weight");
        writer.class(3, "torch.LongTensor").int(2).longs(&[2, 1]).longs(&[1, 1]).longs(&[1]);
        writer.class(4, "torch.LongStorage").longs(&[2]).longs(&[7, 8]);
        writer.int(2).text("train");
        value(&mut writer);
        writer.bytes
    }
}

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "model.t7", &Limits::default())
}

fn flag(writer: &mut Writer) {
    writer.int(5).int(1);
}

fn function(writer: &mut Writer) {
    writer.int(8).int(9).text("\u{1b}LJ\u{2}echo").int(3).int(10).int(0);
}

#[test]
fn modules_of_tensors_are_clean() {
    for ascii in [false, true] {
        let bytes = Writer::module(ascii, "nn.Linear", &flag);
        let report = scanned(&bytes);
        assert_eq!(
            (report.format, report.assessment()),
            (Format::Torch7, Assessment::Clean),
            "{:?}",
            report.findings
        );
        assert_eq!(report.facts.tensors["Long"].elements, 2);
        assert_eq!(scanned(&bytes[..bytes.len() - 6]).assessment(), Assessment::Unfinished);
    }
}

#[test]
fn functions_are_malicious_wherever_they_stand() {
    for ascii in [false, true] {
        let nested = scanned(&Writer::module(ascii, "nn.Linear", &function));
        assert_eq!(nested.assessment(), Assessment::Malicious, "{:?}", nested.findings);
        let mut bare = Writer { ascii, bytes: Vec::new() };
        bare.int(8).int(1).text("\u{1b}Luaecho").int(0);
        assert_eq!(scanned(&bare.bytes).assessment(), Assessment::Malicious);
        // The first kind has no index.
        let mut old = Writer { ascii, bytes: Vec::new() };
        old.int(6).text("\u{1b}Luaecho").int(0);
        let report = scanned(&old.bytes);
        assert_eq!((report.format, report.assessment()), (Format::Torch7, Assessment::Malicious));
        assert_eq!(report.findings.len(), 1, "it is read to its end: {:?}", report.findings);
    }
    let hidden = Writer::module(false, "nn.Linear", &|w| {
        w.int(2).text("\u{1b}Lua echo");
    });
    assert_eq!(scanned(&hidden).assessment(), Assessment::Malicious);
}

#[test]
fn other_classes_are_reviewed_and_wild_lengths_malicious() {
    assert_eq!(scanned(&Writer::module(false, "evil.Loader", &flag)).assessment(), Assessment::Review);
    let wild = Writer::module(false, "nn.Linear", &|w| {
        w.int(2).int(-5);
    });
    assert_eq!(scanned(&wild).assessment(), Assessment::Malicious);
}

#[test]
fn lists_of_numbers_are_not_taken_for_it() {
    for text in ["3\n1\n4\n1\n5\n9\n", "4\n1\n3\n2\n", "1\n2\n3\n"] {
        assert_ne!(scan(&text.as_bytes(), "a.txt", &Limits::default()).format, Format::Torch7, "{text}");
    }
}

proptest! {
    #[test]
    fn no_damage_panics(at in 0_usize..400, byte: u8, ascii: bool) {
        let mut bytes = Writer::module(ascii, "nn.Linear", &function);
        let at = at % bytes.len();
        bytes[at] = byte;
        scanned(&bytes);
    }
}
