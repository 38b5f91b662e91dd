//! Source text as CPython decodes it (PEP 263): by its byte order mark, by the codec that a comment in its first two lines
//! names, else as UTF-8.
//!
//! A codec decides what the bytes of a program mean. Most leave ASCII alone. Those that do not show a reader one program
//! and Python another: `+AGU-` is `e` in UTF-7, `\u0065` is `e` in `unicode_escape`, and what a reader takes for a comment
//! may end in the middle. Which codecs CPython takes for source was tried with 3.8 to 3.12.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};

use crate::remark::rule;

rule!(
    DISGUISED, "code.disguised-source", Critical, Malicious, "is written in a code that hides it",
    why: "the codec that it names makes another program of its bytes than the one that a reader sees",
    fix: "do not run it; delete the file, and look for what it has done where it ran",
    cwe: [506, 838], atlas: ["AML.T0011.000"],
);
rule!(
    UNUSUAL_ENCODING, "code.unusual-encoding", Medium, Review, "names a codec that programs are not written in",
    why: "the codec decides what the bytes of the program mean; this one is not read here as Python reads it",
    fix: "save the file in UTF-8",
    cwe: [838], atlas: [],
);

pub(crate) const RULES: &[&bastide_types::Rule] = &[&DISGUISED, &UNUSUAL_ENCODING];

/// What the bytes of a file say.
pub(crate) struct Decoded<'b> {
    pub(crate) text: Cow<'b, str>,
    /// The codec, and whether what it makes of the bytes is not what they look like.
    pub(crate) odd: Option<(String, bool)>,
}

/// How a codec reads bytes.
enum Codec {
    Utf8,
    /// ASCII, and one character for each further byte; where it has `ª`, which is an `a` in a name, and `º` behind it.
    Single(u8),
    /// ASCII, and two bytes for each further character.
    Double,
    /// ASCII with sequences that change what follows.
    Shifting,
    Utf7,
    Escape {
        raw: bool,
    },
    Ebcdic,
    Unknown,
}

/// Decodes a file as `import` does.
pub(crate) fn decode(bytes: &[u8]) -> Decoded<'_> {
    if let Some(rest) = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]) {
        return Decoded { text: String::from_utf8_lossy(rest), odd: None };
    }
    // CPython refuses these; other tools do not.
    match bytes {
        [0xff, 0xfe, rest @ ..] => return plain(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => return plain(utf16(rest, u16::from_be_bytes)),
        _ => {}
    }
    let Some(name) = cookie(bytes) else {
        return Decoded { text: String::from_utf8_lossy(bytes), odd: None };
    };
    let looks = String::from_utf8_lossy(bytes);
    let text = match codec(&name) {
        Codec::Utf8 => return Decoded { text: looks, odd: None },
        Codec::Single(feminine) => return plain(bytes.iter().map(|byte| single(*byte, feminine)).collect()),
        Codec::Double => return plain(double(bytes)),
        Codec::Shifting | Codec::Unknown => return Decoded { text: looks, odd: Some((name, false)) },
        Codec::Utf7 => utf7(bytes),
        Codec::Escape { raw } => escapes(bytes, raw),
        Codec::Ebcdic => bytes.iter().map(|byte| ebcdic(*byte)).collect(),
    };
    let differs = text != looks;
    Decoded { text: text.into(), odd: Some((name, differs)) }
}

fn plain(text: String) -> Decoded<'static> {
    Decoded { text: text.into(), odd: None }
}

/// The codec that the first two lines name: `^[ \t\f]*#.*?coding[:=][ \t]*([-_.a-zA-Z0-9]+)`. The second counts only
/// behind a blank line or a comment.
fn cookie(bytes: &[u8]) -> Option<String> {
    const LONGEST: usize = 4096;
    let head = bytes.get(..LONGEST).unwrap_or(bytes);
    for line in head.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty()).take(2) {
        let bare = line.trim_ascii_start();
        let Some(comment) = bare.strip_prefix(b"#") else {
            if bare.is_empty() {
                continue;
            }
            return None;
        };
        let named = memchr::memmem::find_iter(comment, b"coding").find_map(|at| {
            let rest = comment.get(at + 6..)?;
            let rest = rest.strip_prefix(b":").or_else(|| rest.strip_prefix(b"="))?.trim_ascii_start();
            let of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
            let name: Vec<u8> = rest.iter().take_while(of_name).copied().collect();
            String::from_utf8(name).ok().filter(|name| !name.is_empty())
        });
        if named.is_some() {
            return named;
        }
    }
    None
}

/// The codec of that name, which Python compares without case and marks.
fn codec(name: &str) -> Codec {
    const ORDINAL: u8 = 0xaa;
    let name = name.to_ascii_lowercase().replace(['-', '_', '.', ' '], "");
    let number = |prefix: &str| name.strip_prefix(prefix).and_then(|rest| rest.parse::<u16>().ok());
    match name.as_str() {
        "utf8" | "u8" | "utf" | "utf8sig" | "cp65001" | "utf8ucs2" | "utf8ucs4" | "utf8mac" => Codec::Utf8,
        "utf8unix" | "utf8dos" => Codec::Utf8,
        "utf7" | "u7" | "unicode11utf7" => Codec::Utf7,
        "unicodeescape" => Codec::Escape { raw: false },
        "rawunicodeescape" => Codec::Escape { raw: true },
        "cp037" | "037" | "ibm037" | "ebcdiccpus" | "cp500" | "ibm500" | "cp1026" | "cp1140" | "cp273"
        | "cp875" | "cp424" | "ibm039" | "csibm037" | "ebcdiccpnl" | "ebcdiccpca" | "ebcdiccpwt" | "500"
        | "1026" | "1140" => Codec::Ebcdic,
        "ascii" | "usascii" | "646" | "latin1" | "latin" | "l1" | "8859" | "cp819" | "binary" => {
            Codec::Single(ORDINAL)
        }
        "gbk" | "cp936" | "936" | "ms936" | "gb2312" | "gb18030" | "gb180302000" | "euccn" | "big5"
        | "big5tw" | "big5hkscs" | "hkscs" | "cp950" | "950" | "euckr" | "ksc5601" | "korean" | "cp949"
        | "949" | "uhc" | "johab" | "cp1361" | "eucjp" | "ujis" | "ujis8" | "eucjis2004" | "eucjisx0213"
        | "shiftjis" | "sjis" | "cp932" | "ms932" | "mskanji" | "windows31j" | "932" | "chinese"
        | "csgb2312" => Codec::Double,
        "hz" | "hzgb" | "hzgb2312" | "shiftjis2004" | "shiftjisx0213" | "cp864" => Codec::Shifting,
        _ if name.starts_with("iso2022") => Codec::Shifting,
        _ if name.starts_with("iso8859") || name.starts_with("windows125") || name.starts_with("latin") => {
            Codec::Single(ORDINAL)
        }
        _ if name.starts_with("mac") => Codec::Single(0xbb),
        _ if name.starts_with("koi8")
            || matches!(name.as_str(), "tis620" | "ptcp154" | "kz1048" | "hproman8") =>
        {
            Codec::Single(ORDINAL)
        }
        _ => match number("cp").or_else(|| number("ibm")) {
            Some(1250..=1258) => Codec::Single(ORDINAL),
            Some(437..=869 | 1006 | 1125) => Codec::Single(0xa6),
            _ => Codec::Unknown,
        },
    }
}

fn single(byte: u8, feminine: u8) -> char {
    match byte {
        0x80.. if byte == feminine => 'ª',
        0x80.. if byte == feminine + 1 => 'º',
        _ => char::from(byte),
    }
}

/// Two bytes to a character: a letter of the full width where the row of these stands, else some ideograph. What matters
/// is that the second byte, which may look like a backslash, is none.
fn double(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (0x81..=0xfe, [second @ (0x30..=0x39 | 0x40..=0xfe), tail @ ..]) => {
                rest = tail;
                text.push(match (first, second) {
                    (0xa3, 0xa1..=0xfe) => full_width(u32::from(second - 0xa0)),
                    (0x82, 0x60..=0x79) => full_width(u32::from(second - 0x60) + 0x21),
                    (0x82, 0x81..=0x9a) => full_width(u32::from(second - 0x81) + 0x41),
                    _ => '一',
                });
            }
            (0x80.., _) => text.push('一'),
            (ascii, _) => text.push(char::from(*ascii)),
        }
    }
    text
}

fn full_width(place: u32) -> char {
    char::from_u32(0xff00 + place).unwrap_or('一')
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// RFC 2152.
fn utf7(bytes: &[u8]) -> String {
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_allow_trailing_bits(true)
            .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
    );
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'+' {
            text.push(char::from(*first));
            continue;
        }
        let shifted = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        let run: Vec<u8> = tail.iter().take_while(shifted).copied().collect();
        let after = tail.get(run.len()..).unwrap_or_default();
        if run.is_empty() {
            text.push('+');
            rest = after.strip_prefix(b"-").unwrap_or(after);
            continue;
        }
        // A single digit left over holds no whole byte.
        let whole = run.get(..run.len() - usize::from(run.len() % 4 == 1)).unwrap_or(&run);
        text.push_str(&utf16(&BASE64.decode(whole).unwrap_or_default(), u16::from_be_bytes));
        rest = after.strip_prefix(b"-").unwrap_or(after);
    }
    text
}

/// `unicode_escape` undoes every escape of a string literal, wherever it stands; `raw_unicode_escape` only `\u` and `\U`.
fn escapes(bytes: &[u8], raw: bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        let escape = tail.first().copied().filter(|_| *first == b'\\');
        let digits = match escape {
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(b'x') if !raw => 2,
            _ => 0,
        };
        let hex = tail.get(1..=digits).filter(|_| digits > 0).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(c) = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32) {
            text.push(c);
            rest = tail.get(1 + digits..).unwrap_or_default();
            continue;
        }
        let (c, taken) = match escape.filter(|_| !raw) {
            Some(octal @ b'0'..=b'7') => {
                let run: Vec<u8> =
                    tail.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).copied().collect();
                let number = run.iter().fold(0, |number, digit| number * 8 + u32::from(digit - b'0'));
                (char::from_u32(number).unwrap_or(char::from(octal)), run.len())
            }
            Some(b'n') => ('\n', 1),
            Some(b'r') => ('\r', 1),
            Some(b't') => ('\t', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(quoted @ (b'\\' | b'\'' | b'"')) => (char::from(quoted), 1),
            Some(b'\n') => {
                rest = tail.get(1..).unwrap_or_default();
                continue;
            }
            _ => (char::from(*first), 0),
        };
        text.push(c);
        rest = tail.get(taken..).unwrap_or_default();
    }
    text
}

/// The characters that all the EBCDIC code pages have in common with Python's grammar, by code page 037.
fn ebcdic(byte: u8) -> char {
    const PUNCTUATION: &[(u8, char)] = &[
        (0x05, '\t'),
        (0x25, '\n'),
        (0x15, '\n'),
        (0x40, ' '),
        (0x4b, '.'),
        (0x4c, '<'),
        (0x4d, '('),
        (0x4e, '+'),
        (0x4f, '|'),
        (0x50, '&'),
        (0x5a, '!'),
        (0x5b, '$'),
        (0x5c, '*'),
        (0x5d, ')'),
        (0x5e, ';'),
        (0x60, '-'),
        (0x61, '/'),
        (0x6b, ','),
        (0x6c, '%'),
        (0x6d, '_'),
        (0x6e, '>'),
        (0x6f, '?'),
        (0x7a, ':'),
        (0x7b, '#'),
        (0x7c, '@'),
        (0x7d, '\''),
        (0x7e, '='),
        (0x7f, '"'),
        (0xba, '['),
        (0xbb, ']'),
        (0xc0, '{'),
        (0xd0, '}'),
        (0xe0, '\\'),
        (0x4a, '['),
        (0xa1, '~'),
    ];
    let letter = |base: u8, first: u8| char::from(first + (byte - base));
    match byte {
        0x81..=0x89 => letter(0x81, b'a'),
        0x91..=0x99 => letter(0x91, b'j'),
        0xa2..=0xa9 => letter(0xa2, b's'),
        0xc1..=0xc9 => letter(0xc1, b'A'),
        0xd1..=0xd9 => letter(0xd1, b'J'),
        0xe2..=0xe9 => letter(0xe2, b'S'),
        0xf0..=0xf9 => letter(0xf0, b'0'),
        _ => PUNCTUATION.iter().find(|(code, _)| *code == byte).map_or('\u{fffd}', |(_, c)| *c),
    }
}
