//! What a file holds that was given as a key: so that an error can say what was given in its place.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::der;

/// What a file holds, as far as its beginning tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// A private key in PEM: PKCS#8 or SEC 1.
    Private,
    /// A private key in PEM under a passphrase (PKCS#8).
    Encrypted,
    /// A private key under a passphrase in the encryption that OpenSSL had before PKCS#8.
    OldEncrypted,
    /// A public key in PEM.
    Public,
    /// Certificates in PEM.
    Certificate,
    /// A request for a certificate.
    CertificateRequest,
    /// A private key as OpenSSH keeps it.
    SshPrivate,
    /// A public key as OpenSSH keeps it.
    SshPublic,
    /// A key of OpenPGP.
    Pgp,
    /// A PKCS#12 file: a key and its certificates under a password.
    Pkcs12,
    /// Something else in DER.
    Der,
    /// Nothing.
    Empty,
    /// None of these.
    Unknown,
}

impl KeyFile {
    /// By the labels of PEM blocks (RFC 7468), the first words of OpenSSH's files, or the first bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        if bytes.trim_ascii().is_empty() {
            return KeyFile::Empty;
        }
        if bytes.first() == Some(&der::SEQUENCE) && der::read(bytes).is_some() {
            return if is_pkcs12(bytes) { KeyFile::Pkcs12 } else { KeyFile::Der };
        }
        let text = String::from_utf8_lossy(bytes);
        // A private key decides before a certificate beside it, and parameters of a curve may stand before either.
        let has = |label: &str| text.contains(&format!("-----BEGIN {label}"));
        let labels = [
            ("ENCRYPTED PRIVATE KEY-----", KeyFile::Encrypted),
            ("OPENSSH PRIVATE KEY-----", KeyFile::SshPrivate),
            ("PRIVATE KEY-----", KeyFile::Private),
            ("EC PRIVATE KEY-----", KeyFile::Private),
            ("RSA PRIVATE KEY-----", KeyFile::Private),
            ("PUBLIC KEY-----", KeyFile::Public),
            ("RSA PUBLIC KEY-----", KeyFile::Public),
            ("SSH2 PUBLIC KEY-----", KeyFile::SshPublic),
            ("CERTIFICATE-----", KeyFile::Certificate),
            ("CERTIFICATE REQUEST-----", KeyFile::CertificateRequest),
            ("PGP ", KeyFile::Pgp),
        ];
        match labels.into_iter().find(|(label, _)| has(label)) {
            Some((_, KeyFile::Private)) if text.contains("Proc-Type: 4,ENCRYPTED") => KeyFile::OldEncrypted,
            Some((_, kind)) => kind,
            None if ["ssh-", "ecdsa-sha2-", "sk-"].iter().any(|word| text.starts_with(word)) => {
                KeyFile::SshPublic
            }
            None => KeyFile::Unknown,
        }
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyFile::Private => "a private key",
            KeyFile::Encrypted | KeyFile::OldEncrypted => "a private key under a passphrase",
            KeyFile::Public => "a public key",
            KeyFile::Certificate => "a certificate",
            KeyFile::CertificateRequest => "a request for a certificate",
            KeyFile::SshPrivate => "a private key of OpenSSH",
            KeyFile::SshPublic => "a public key of OpenSSH",
            KeyFile::Pgp => "a key of OpenPGP",
            KeyFile::Pkcs12 => "a PKCS#12 file",
            KeyFile::Der => "DER, not PEM",
            KeyFile::Empty => "nothing",
            KeyFile::Unknown => "no PEM block of a key",
        })
    }
}

/// PFX (RFC 7292 section 4): version 3, and content of the type `data` or `signedData` of PKCS#7.
fn is_pkcs12(bytes: &[u8]) -> bool {
    const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    let content = || {
        let (pfx, _) = der::expect(bytes, der::SEQUENCE)?;
        let (version, rest) = der::expect(pfx, der::INTEGER)?;
        let (content, _) = der::expect(rest, der::SEQUENCE)?;
        let (kind, _) = der::expect(content, der::OID)?;
        Some(version == [3] && kind.starts_with(PKCS7))
    };
    content().unwrap_or(false)
}

/// The content of the first PEM block with this label.
pub(crate) fn block(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, after) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = after.split_once("-----END ")?;
    let body: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// The algorithm that a key in DER is for, where it is none that signs models: a private key (PKCS#8, SEC 1) or a
/// SubjectPublicKeyInfo.
pub(crate) fn other_algorithm(der: &[u8]) -> Option<&'static str> {
    let (key, _) = der::expect(der, der::SEQUENCE)?;
    // PKCS#8 begins with a version; SEC 1 has the curve behind the number that is the key.
    let inner = der::expect(key, der::INTEGER).map_or(key, |(_, rest)| rest);
    if let Some((_, rest)) = der::expect(inner, der::OCTET_STRING) {
        let (curve, _) = der::expect(rest, 0xa0)?;
        return Some(curve_name(curve));
    }
    if der::expect(inner, der::INTEGER).is_some() {
        return Some("an RSA key");
    }
    let (algorithm, _) = der::expect(inner, der::SEQUENCE)?;
    let (id, parameters) = der::expect(algorithm, der::OID)?;
    Some(match id {
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01] => curve_name(parameters),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, ..] => "an RSA key",
        [0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01] => "a DSA key",
        [0x2b, 0x65, 0x70] => "an Ed25519 key",
        [0x2b, 0x65, 0x71] => "an Ed448 key",
        [0x2b, 0x65, 0x6e | 0x6f] => "a key for key agreement",
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, 0x11..=0x13] => "an ML-DSA key",
        _ => "a key of another algorithm",
    })
}

fn curve_name(parameters: &[u8]) -> &'static str {
    match der::expect(parameters, der::OID).map(|(id, _)| id) {
        Some([0x2b, 0x81, 0x04, 0x00, 0x0a]) => "a key on the curve secp256k1",
        Some([0x2b, 0x81, 0x04, 0x00, 0x21]) => "a key on the curve P-224",
        Some([0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, ..]) => "a key on a Brainpool curve",
        Some(_) => "a damaged key, or one on another curve",
        None => "a key whose curve is spelled out instead of named",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_in_the_place_of_a_key_is_told() {
        for (bytes, kind) in [
            (&b""[..], KeyFile::Empty),
            (b" \n", KeyFile::Empty),
            (b"hello", KeyFile::Unknown),
            (b"-----BEGIN PRIVATE KEY-----", KeyFile::Private),
            (b"-----BEGIN EC PARAMETERS-----\n-----BEGIN EC PRIVATE KEY-----\nMHc", KeyFile::Private),
            (b"-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n", KeyFile::OldEncrypted),
            (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", KeyFile::Encrypted),
            (b"-----BEGIN PUBLIC KEY-----", KeyFile::Public),
            (b"-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----", KeyFile::Private),
            (b"-----BEGIN CERTIFICATE-----", KeyFile::Certificate),
            (b"-----BEGIN CERTIFICATE REQUEST-----", KeyFile::CertificateRequest),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----", KeyFile::SshPrivate),
            (b"ecdsa-sha2-nistp256 AAAA me", KeyFile::SshPublic),
            (b"ssh-ed25519 AAAA me", KeyFile::SshPublic),
            (b"-----BEGIN PGP PRIVATE KEY BLOCK-----", KeyFile::Pgp),
            (b"\x30\x03\x02\x01\x00", KeyFile::Der),
            (
                b"\x30\x13\x02\x01\x03\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x01\x00",
                KeyFile::Pkcs12,
            ),
        ] {
            assert_eq!(KeyFile::of(bytes), kind, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
