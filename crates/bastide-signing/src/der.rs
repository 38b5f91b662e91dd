//! The few fields of a certificate that path building needs and the certificate parser keeps to itself (RFC 5280).
//!
//! Reads certificates only after rustls-webpki has parsed the same bytes strictly: what is looked past here, such as an
//! extension that stands twice, has been refused there.

use std::time::Duration;

pub(crate) use bastide_crypto::der::{INTEGER, OCTET_STRING, OID, SEQUENCE, expect, read};
use bastide_types::Timestamp;

pub(crate) const SET: u8 = 0x31;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
pub(crate) const IA5_STRING: u8 = 0x16;
const BOOLEAN: u8 = 0x01;
const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
const EXTENSIONS: u8 = 0xa3;

const ID_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const ID_BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const ID_NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x1e];
const ID_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
/// id-kp-codeSigning and anyExtendedKeyUsage (RFC 5280 section 4.2.1.12).
const ID_CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
const ID_ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0x00];

/// What a certificate says of its use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// The first instant of validity.
    pub(crate) not_before: Option<Timestamp>,
    /// The last.
    pub(crate) not_after: Option<Timestamp>,
    /// The first byte of the key usage, where there is one.
    key_usage: Option<u8>,
    /// Whether the extended key usage names code signing.
    code_signing: bool,
    /// Whether the extended key usage names purposes, and neither code signing nor any.
    other_purposes: bool,
    /// Whether it may issue certificates, as far as the basic constraints go.
    ca: bool,
    /// How many authorities may stand between it and a signer.
    path_length: Option<u8>,
    /// Whether it may issue for some names only.
    name_constraints: bool,
}

/// What an issuer signed, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Issued<'a> {
    /// The bytes that are signed.
    pub(crate) message: &'a [u8],
    /// The content of the algorithm identifier.
    pub(crate) algorithm: &'a [u8],
    /// The signature.
    pub(crate) signature: &'a [u8],
}

impl<'a> Issued<'a> {
    /// From a certificate; none when it is not built like one.
    pub(crate) fn of(certificate: &'a [u8]) -> Option<Self> {
        let (content, _) = expect(certificate, SEQUENCE)?;
        let (_, rest) = expect(content, SEQUENCE)?;
        let message = content.get(..content.len() - rest.len())?;
        let (algorithm, rest) = expect(rest, SEQUENCE)?;
        let (bits, _) = expect(rest, BIT_STRING)?;
        // Whole bytes: no bit of the last one is unused.
        let signature = bits.strip_prefix(&[0])?;
        Some(Issued { message, algorithm, signature })
    }
}

impl Facts {
    /// From a certificate; none when it is not built like one.
    pub(crate) fn of(certificate: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(certificate, SEQUENCE)?;
        let (mut tbs, _) = expect(certificate, SEQUENCE)?;
        let mut facts = Facts::default();
        let mut sequences = 0;
        while !tbs.is_empty() {
            let (tag, content, rest) = read(tbs)?;
            tbs = rest;
            // Signature algorithm, issuer, validity, subject, key: five sequences in this order.
            sequences += usize::from(tag == SEQUENCE);
            if tag == SEQUENCE && sequences == 3 {
                let (not_before, content) = time(content)?;
                let (not_after, _) = time(content)?;
                (facts.not_before, facts.not_after) = (Some(not_before), Some(not_after));
            }
            if tag == EXTENSIONS {
                facts.read_extensions(content)?;
            }
        }
        facts.not_before.is_some().then_some(facts)
    }

    /// Whether the key may sign data: the key usage says so, or the purposes name code.
    pub(crate) fn may_sign(&self) -> bool {
        self.key_usage.is_some_and(|usage| usage & 0x80 != 0) || self.code_signing
    }

    /// Whether the purposes, if any are named, include code signing.
    pub(crate) fn is_for_code(&self) -> bool {
        !self.other_purposes
    }

    /// Whether the key may sign certificates with so many authorities below it. One that may do so for some names only is
    /// refused: which names those are is not read.
    pub(crate) fn may_issue(&self, authorities_below: usize) -> bool {
        self.ca
            && !self.name_constraints
            && self.key_usage.is_none_or(|usage| usage & 0x04 != 0)
            && self.path_length.is_none_or(|length| authorities_below <= usize::from(length))
    }

    /// Whether the key may sign lists of revoked certificates.
    pub(crate) fn may_sign_lists(&self) -> bool {
        self.key_usage.is_none_or(|usage| usage & 0x02 != 0)
    }

    /// Whether the basic constraints make it an authority.
    pub(crate) fn is_authority(&self) -> bool {
        self.ca
    }

    /// Whether it is valid at this time.
    pub(crate) fn holds_at(&self, at: Timestamp) -> bool {
        self.not_before.is_some_and(|first| first <= at)
            && self.not_after.is_some_and(|last| at < last.plus(Duration::from_secs(1)))
    }

    fn read_extensions(&mut self, content: &[u8]) -> Option<()> {
        let (mut extensions, _) = expect(content, SEQUENCE)?;
        while !extensions.is_empty() {
            let (extension, rest) = expect(extensions, SEQUENCE)?;
            extensions = rest;
            let (id, mut rest) = expect(extension, OID)?;
            if let Some((_, after)) = expect(rest, BOOLEAN) {
                rest = after;
            }
            let (value, _) = expect(rest, OCTET_STRING)?;
            match id {
                ID_KEY_USAGE => {
                    let (bits, _) = expect(value, BIT_STRING)?;
                    // The first byte counts the unused bits of the last.
                    self.key_usage = Some(bits.get(1).copied().unwrap_or(0));
                }
                ID_BASIC_CONSTRAINTS => {
                    let (constraints, _) = expect(value, SEQUENCE)?;
                    if let Some((ca, rest)) = expect(constraints, BOOLEAN) {
                        self.ca = ca == [0xff];
                        // Longer ones than a byte holds are no limit to any chain that is read here, and fail closed.
                        let length = expect(rest, INTEGER).map(|(value, _)| value);
                        self.path_length =
                            length.map(|value| if let [length @ 0..=0x7f] = value { *length } else { 0 });
                    }
                }
                ID_EXTENDED_KEY_USAGE => {
                    let (mut purposes, _) = expect(value, SEQUENCE)?;
                    self.other_purposes = true;
                    while let Some((purpose, rest)) = expect(purposes, OID) {
                        self.code_signing |= purpose == ID_CODE_SIGNING;
                        self.other_purposes &= purpose != ID_CODE_SIGNING && purpose != ID_ANY_PURPOSE;
                        purposes = rest;
                    }
                }
                ID_NAME_CONSTRAINTS => self.name_constraints = true,
                _ => {}
            }
        }
        Some(())
    }
}

/// The value of an extension of a certificate.
pub(crate) fn extension<'a>(certificate: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    find_extension(extensions(certificate)?, wanted)
}

/// The value of one of these extensions.
pub(crate) fn find_extension<'a>(mut extensions: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    while !extensions.is_empty() {
        let (extension, rest) = expect(extensions, SEQUENCE)?;
        extensions = rest;
        let (id, mut rest) = expect(extension, OID)?;
        if let Some((_, after)) = expect(rest, BOOLEAN) {
            rest = after;
        }
        if id == wanted {
            return expect(rest, OCTET_STRING).map(|(value, _)| value);
        }
    }
    None
}

fn extensions(certificate: &[u8]) -> Option<&[u8]> {
    let (certificate, _) = expect(certificate, SEQUENCE)?;
    let (mut tbs, _) = expect(certificate, SEQUENCE)?;
    loop {
        let (tag, content, rest) = read(tbs)?;
        if tag == EXTENSIONS {
            return expect(content, SEQUENCE).map(|(extensions, _)| extensions);
        }
        tbs = rest;
    }
}

/// The part of a certificate that its issuer signed, as it would be without one extension: what a log of certificates
/// saw of it (RFC 6962 section 3.2).
#[cfg(feature = "sigstore")]
pub(crate) fn without_extension(certificate: &[u8], unwanted: &[u8]) -> Option<Vec<u8>> {
    let (outer, _) = expect(certificate, SEQUENCE)?;
    let (mut tbs, _) = expect(outer, SEQUENCE)?;
    let mut fields = Vec::new();
    while !tbs.is_empty() {
        let (tag, _, rest) = read(tbs)?;
        if tag != EXTENSIONS {
            fields.extend(tbs.get(..tbs.len() - rest.len())?);
        }
        tbs = rest;
    }
    let mut kept = Vec::new();
    let mut extensions = extensions(certificate)?;
    while !extensions.is_empty() {
        let (extension, rest) = expect(extensions, SEQUENCE)?;
        let (id, _) = expect(extension, OID)?;
        if id != unwanted {
            kept.extend(extensions.get(..extensions.len() - rest.len())?);
        }
        extensions = rest;
    }
    fields.extend(element(EXTENSIONS, &element(SEQUENCE, &kept)));
    Some(element(SEQUENCE, &fields))
}

/// An element with this content, in the shortest form, which is the one of DER.
#[cfg(any(feature = "sigstore", test))]
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let first = length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1);
    let digits = length.get(first..).unwrap_or_default();
    let mut out = vec![tag];
    if content.len() > 0x7f {
        // Eight bytes of length at most.
        out.extend(u8::try_from(digits.len()).map(|count| 0x80 | count));
    }
    out.extend(digits);
    out.extend(content);
    out
}

/// A time of either form, always in UTC and to the second (RFC 5280 section 4.1.2.5). Before 1970 counts as 1970.
pub(crate) fn time(input: &[u8]) -> Option<(Timestamp, &[u8])> {
    let (tag, text, rest) = read(input)?;
    let digits = text.strip_suffix(b"Z")?;
    let (year, digits) = match tag {
        UTC_TIME => {
            let year = number(digits.get(..2)?)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME => (number(digits.get(..4)?)?, digits.get(4..)?),
        _ => return None,
    };
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let [month, day, hour, minute, second] = pairs else { return None };
    let days = days_before(year, number(month)?, number(day)?)?;
    let seconds = days * 86_400 + number(hour)? * 3600 + number(minute)? * 60 + number(second)?;
    let micros = u64::try_from(seconds).unwrap_or(0).checked_mul(1_000_000)?;
    Some((Timestamp::from_micros(micros), rest))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Some(value * 10 + i64::from(digit - b'0')),
        _ => None,
    })
}

/// Days from 1970-01-01 to this day of the proleptic Gregorian calendar.
fn days_before(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years that begin in March put the leap day last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * month + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        let mut element = vec![tag, u8::try_from(text.len()).unwrap()];
        element.extend(text.bytes());
        Some(time(&element)?.0.as_micros() / 1_000_000)
    }

    #[test]
    fn times_of_both_forms_are_read() {
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "000229123456Z"), Some(951_827_696));
        assert_eq!(seconds(GENERALIZED_TIME, "20380119031408Z"), Some(2_147_483_648));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(UTC_TIME, "500101000000Z"), Some(0));
        for text in
            ["", "Z", "7001010000Z", "700101000000", "701301000000Z", "70010100000aZ", "700101000000+0100"]
        {
            assert_eq!(seconds(UTC_TIME, text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (Facts::of(&bytes), Issued::of(&bytes).is_some());
            let mut nested = vec![SEQUENCE, 0x82, 0, 0, SEQUENCE, 0x82, 0, 0];
            let length = u16::try_from(bytes.len()).unwrap();
            nested[2..4].copy_from_slice(&(length + 4).to_be_bytes());
            nested[6..8].copy_from_slice(&length.to_be_bytes());
            nested.extend(&bytes);
            let _ = (Facts::of(&nested), Issued::of(&nested).is_some());
        }
    }
}
