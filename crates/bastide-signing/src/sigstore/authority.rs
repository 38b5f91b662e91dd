//! What the authority of Sigstore (Fulcio) writes into certificates (`sigstore/fulcio`, docs/oid-info.md).

use crate::der::{self, UTF8_STRING};

/// The object identifiers of the extensions.
pub(super) struct Extensions {
    /// The issuer of the identity token, as a DER text.
    issuer_v2: &'static [u8],
    /// The same as bare bytes, in old certificates.
    issuer_v1: &'static [u8],
}

pub(super) const FULCIO: Extensions = Extensions {
    // 1.3.6.1.4.1.57264.1.8
    issuer_v2: &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x08],
    // 1.3.6.1.4.1.57264.1.1
    issuer_v1: &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x01],
};

impl Extensions {
    /// Who vouched for the identity. The newer extension decides where both stand.
    pub(super) fn provider(&self, certificate: &[u8]) -> Option<String> {
        let bytes = match der::extension(certificate, self.issuer_v2) {
            Some(value) => {
                let (text, rest) = der::expect(value, UTF8_STRING)?;
                rest.is_empty().then_some(text)?
            }
            None => der::extension(certificate, self.issuer_v1)?,
        };
        Some(std::str::from_utf8(bytes).ok()?.to_owned())
    }
}
