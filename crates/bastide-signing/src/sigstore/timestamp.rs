//! Timestamps of authorities (RFC 3161) over a signature: a CMS message (RFC 5652) around the digest and the time.
//!
//! Whose key counts is the trusted root's to say, certificate and all; what certificates a timestamp brings along is not
//! looked at.

use bastide_crypto::sha256;
use bastide_types::Timestamp;

use crate::certificate;
use crate::der::{self, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, SET};

const CONTEXT_0: u8 = 0xa0;
/// 1.2.840.113549.1.7.2
const ID_SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.16.1.4
const ID_TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
/// 1.2.840.113549.1.9.3
const ID_CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const ID_MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
/// 2.16.840.1.101.3.4.2.1
const ID_SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// The time of a timestamp over `message`, if the holder of `authority`, a certificate in DER, signed it.
pub(super) fn verify(response: &[u8], message: &[u8], authority: &[u8]) -> Option<Timestamp> {
    let token = Token::read(response)?;
    if token.imprint != sha256(message) || token.digest != sha256(token.content) {
        return None;
    }
    certificate::signed_by(authority, &token.signed, token.algorithm, token.signature).then_some(token.at)
}

struct Token<'a> {
    /// What the message is about: digest and time.
    content: &'a [u8],
    /// The digest that is dated.
    imprint: &'a [u8],
    at: Timestamp,
    /// The digest of the content, as it was signed.
    digest: &'a [u8],
    /// What was signed: the attributes of the signer.
    signed: Vec<u8>,
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Token<'a> {
    fn read(response: &'a [u8]) -> Option<Self> {
        let (response, []) = der::expect(response, SEQUENCE)? else { return None };
        let (_status, token) = der::expect(response, SEQUENCE)?;
        let (token, []) = der::expect(token, SEQUENCE)? else { return None };
        let data = der::expect(typed(token, ID_SIGNED_DATA)?, SEQUENCE)?.0;
        let (_version, rest) = der::expect(data, INTEGER)?;
        let (_digests, rest) = der::expect(rest, SET)?;
        let (inner, mut rest) = der::expect(rest, SEQUENCE)?;
        let content = der::expect(typed(inner, ID_TST_INFO)?, OCTET_STRING)?.0;
        // Certificates and revocation lists may stand between.
        let signers = loop {
            let (tag, value, after) = der::read(rest)?;
            if tag == SET {
                break value;
            }
            rest = after;
        };
        let (signer, []) = der::expect(signers, SEQUENCE)? else { return None };
        let (imprint, at) = info(content)?;
        let (_version, rest) = der::expect(signer, INTEGER)?;
        let (_, _signer, rest) = der::read(rest)?;
        let (digest_algorithm, rest) = der::expect(rest, SEQUENCE)?;
        if der::expect(digest_algorithm, OID)?.0 != ID_SHA256 {
            return None;
        }
        let (attributes, rest) = der::expect(rest, CONTEXT_0)?;
        let (algorithm, rest) = der::expect(rest, SEQUENCE)?;
        let (signature, _) = der::expect(rest, OCTET_STRING)?;
        if der::expect(attribute(attributes, ID_CONTENT_TYPE)?, OID)?.0 != ID_TST_INFO {
            return None;
        }
        let digest = der::expect(attribute(attributes, ID_MESSAGE_DIGEST)?, OCTET_STRING)?.0;
        // Signed is the set that they are, under its own tag (RFC 5652 section 5.4).
        let signed = der::element(SET, attributes);
        Some(Token { content, imprint, at, digest, signed, algorithm, signature })
    }
}

/// What stands behind a type, if it is this one.
fn typed<'a>(content: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let (id, rest) = der::expect(content, OID)?;
    let (value, _) = der::expect(rest, CONTEXT_0)?;
    (id == wanted).then_some(value)
}

/// The one value of an attribute that may stand only once.
fn attribute<'a>(mut attributes: &'a [u8], wanted: &[u8]) -> Option<&'a [u8]> {
    let mut found = None;
    while !attributes.is_empty() {
        let (attribute, rest) = der::expect(attributes, SEQUENCE)?;
        attributes = rest;
        let (id, values) = der::expect(attribute, OID)?;
        if id == wanted && found.replace(der::expect(values, SET)?.0).is_some() {
            return None;
        }
    }
    found
}

/// The SHA-256 that is dated, and the time, without parts of a second.
fn info(content: &[u8]) -> Option<(&[u8], Timestamp)> {
    let (content, []) = der::expect(content, SEQUENCE)? else { return None };
    let (_version, rest) = der::expect(content, INTEGER)?;
    let (_policy, rest) = der::expect(rest, OID)?;
    let (imprint, rest) = der::expect(rest, SEQUENCE)?;
    let (_serial, rest) = der::expect(rest, INTEGER)?;
    let (time, _) = der::expect(rest, GENERALIZED_TIME)?;
    let (algorithm, digest) = der::expect(imprint, SEQUENCE)?;
    if der::expect(algorithm, OID)?.0 != ID_SHA256 {
        return None;
    }
    let whole: Vec<u8> = time.iter().copied().take_while(u8::is_ascii_digit).chain([b'Z']).collect();
    let (at, _) = der::time(&der::element(GENERALIZED_TIME, &whole))?;
    time.ends_with(b"Z").then_some((der::expect(digest, OCTET_STRING)?.0, at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = (verify(&bytes, b"", b""), info(&der::element(SEQUENCE, &bytes)));
        }
    }
}
