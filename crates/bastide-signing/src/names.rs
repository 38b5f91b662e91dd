//! Whom a certificate is for, in text (RFC 5280 sections 4.1.2.4 and 4.2.1.6).

use std::fmt::Write as _;

use crate::der::{self, IA5_STRING, OID, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING};

const ID_SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// 1.3.6.1.4.1.57264.1.7, under which Sigstore writes names that are neither addresses nor URIs.
const ID_USERNAME: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x07];

/// The kinds of names that are text (GeneralName of RFC 5280).
const OTHER_NAME: u8 = 0xa0;
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const URI: u8 = 0x86;

/// The attribute types that RFC 4514 has short names for, and the address, which older authorities put there.
const ATTRIBUTES: &[(&[u8], &str)] = &[
    (&[0x55, 0x04, 0x03], "CN"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x09], "STREET"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01], "UID"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01], "emailAddress"),
];

/// The alternative names that are text: addresses, host names, URIs. None where the certificate has no such extension, or
/// one that cannot be read.
pub(crate) fn alternative(certificate: &[u8]) -> Option<Vec<String>> {
    let (mut names, []) = der::expect(der::extension(certificate, ID_SUBJECT_ALT_NAME)?, SEQUENCE)? else {
        return None;
    };
    let mut out = Vec::new();
    while !names.is_empty() {
        let (tag, content, rest) = der::read(names)?;
        names = rest;
        let text = match tag {
            EMAIL | DNS | URI => Some(content),
            OTHER_NAME => username(content),
            _ => None,
        };
        out.extend(text.map(|text| String::from_utf8(text.to_vec())).transpose().ok()?);
    }
    Some(out)
}

fn username(content: &[u8]) -> Option<&[u8]> {
    let (id, value) = der::expect(content, OID)?;
    let (value, []) = der::expect(value, 0xa0)? else { return None };
    let (text, []) = der::expect(value, UTF8_STRING)? else { return None };
    (id == ID_USERNAME).then_some(text)
}

/// A distinguished name as RFC 4514 writes it: the last part first. What is no text is there in hexadecimal digits.
pub(crate) fn distinguished(mut name: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !name.is_empty() {
        let (mut set, rest) = der::expect(name, SET)?;
        name = rest;
        let mut together = Vec::new();
        while !set.is_empty() {
            let (attribute, rest) = der::expect(set, SEQUENCE)?;
            set = rest;
            let (id, value) = der::expect(attribute, OID)?;
            let (tag, content, _) = der::read(value)?;
            let known = ATTRIBUTES.iter().find(|(known, _)| *known == id);
            let label = known.map_or_else(|| dotted(id), |(_, label)| (*label).to_owned());
            let text = std::str::from_utf8(content).ok();
            let text = text.filter(|_| matches!(tag, UTF8_STRING | PRINTABLE_STRING | IA5_STRING));
            together.push(match text {
                Some(text) => format!("{label}={}", escaped(text)),
                None => format!("{label}=#{}", crate::hex::encode(value)),
            });
        }
        parts.push(together.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for (index, letter) in text.char_indices() {
        let edge = index == 0 && matches!(letter, ' ' | '#') || index + 1 == text.len() && letter == ' ';
        if edge || matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// An object identifier in digits and dots.
fn dotted(id: &[u8]) -> String {
    let mut out = String::new();
    let mut value: u64 = 0;
    for byte in id {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            let _ = match (out.is_empty(), value) {
                (true, 0..80) => write!(out, "{}.{}", value / 40, value % 40),
                (true, _) => write!(out, "2.{}", value - 80),
                (false, _) => write!(out, ".{value}"),
            };
            value = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_written_as_rfc_4514_has_it() {
        let part = |id: &[u8], text: &str| {
            let id = der::element(OID, id);
            let text = der::element(UTF8_STRING, text.as_bytes());
            der::element(SET, &der::element(SEQUENCE, &[id, text].concat()))
        };
        let name =
            [part(&[0x55, 0x04, 0x0a], "Bank, AG"), part(&[0x55, 0x04, 0x03], "model signer")].concat();
        assert_eq!(distinguished(&name).unwrap(), r"CN=model signer,O=Bank\, AG");
        assert_eq!(distinguished(&part(&[0x55, 0x04, 0x2e], "#1 ")).unwrap(), r"2.5.4.46=\#1\ ");
        assert_eq!(distinguished(&[]).unwrap(), "");
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (distinguished(&bytes), alternative(&bytes), dotted(&bytes));
            let _ = distinguished(&der::element(SET, &der::element(SEQUENCE, &bytes)));
        }
    }
}
