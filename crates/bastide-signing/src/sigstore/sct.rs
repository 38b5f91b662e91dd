//! Signed certificate timestamps inside a certificate (RFC 6962 section 3.2 and 3.3): a log of certificates saw it before
//! it was issued, so that whoever watches the log learns of every certificate in their name.

use bastide_crypto::sha256;
use bastide_types::Timestamp;

use super::log_key::LogKey;
use crate::certificate;
use crate::der::{self, OCTET_STRING};

/// 1.3.6.1.4.1.11129.2.4.2
const ID_SCT_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];

/// Of the first version, over a certificate that was not yet issued: `v1`, `certificate_timestamp`.
const V1: u8 = 0;
const CERTIFICATE_TIMESTAMP: u8 = 0;
const PRECERT_ENTRY: u16 = 1;
/// `sha256`, `ecdsa` (RFC 5246 section 7.4.1.4.1).
const SHA256_ECDSA: [u8; 2] = [4, 3];

/// Whether a log that counts saw the certificate before this issuer issued it.
pub(super) fn seen<'k>(
    certificate: &[u8],
    issuer: &[u8],
    log: impl Fn(&[u8; 32], Timestamp) -> Option<&'k LogKey>,
) -> Option<()> {
    let value = der::extension(certificate, ID_SCT_LIST)?;
    let (list, []) = der::expect(value, OCTET_STRING)? else { return None };
    let (mut list, []) = opaque(list)? else { return None };
    let issuer_key = sha256(&certificate::spki_of(issuer)?);
    let unsigned = der::without_extension(certificate, ID_SCT_LIST)?;
    while !list.is_empty() {
        let (timestamp, rest) = opaque(list)?;
        list = rest;
        let Some(sct) = Sct::read(timestamp) else { continue };
        let Some(key) = log(sct.log, sct.at()?) else { continue };
        if key.signed(&sct.message(&issuer_key, &unsigned)?, sct.signature) {
            return Some(());
        }
    }
    None
}

struct Sct<'a> {
    log: &'a [u8; 32],
    millis: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Sct<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[V1])?;
        let (log, rest) = rest.split_first_chunk::<32>()?;
        let (millis, rest) = rest.split_first_chunk::<8>()?;
        let (extensions, rest) = opaque(rest)?;
        let rest = rest.strip_prefix(&SHA256_ECDSA)?;
        let (signature, []) = opaque(rest)? else { return None };
        Some(Sct { log, millis: u64::from_be_bytes(*millis), extensions, signature })
    }

    fn at(&self) -> Option<Timestamp> {
        self.millis.checked_mul(1000).map(Timestamp::from_micros)
    }

    /// What the log signed: the certificate as it was before the timestamps were put in.
    fn message(&self, issuer_key: &[u8; 32], unsigned: &[u8]) -> Option<Vec<u8>> {
        let [0, length @ ..] = u32::try_from(unsigned.len()).ok()?.to_be_bytes() else { return None };
        let mut out = vec![V1, CERTIFICATE_TIMESTAMP];
        out.extend(self.millis.to_be_bytes());
        out.extend(PRECERT_ENTRY.to_be_bytes());
        out.extend(issuer_key);
        out.extend(length);
        out.extend(unsigned);
        out.extend(u16::try_from(self.extensions.len()).ok()?.to_be_bytes());
        out.extend(self.extensions);
        Some(out)
    }
}

/// Bytes behind their length in two bytes.
fn opaque(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = input.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}
