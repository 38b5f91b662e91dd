//! A small secret sealed under a passphrase, as text that an operator can look at.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::aead::{open, seal};

const MAGIC: &str = "bastide-sealed v1";

/// 64 MiB, three passes, one lane: the second recommended choice of RFC 9106 section 4, with one lane because a
/// server opens this file once, at start.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// What a file may ask for: someone who swaps the file must not be able to make the server allocate or compute
/// without end.
const MAX_MEMORY_KIB: u32 = 1024 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 16;
/// Root keys and credentials are far smaller.
const MAX_FILE_BYTES: usize = 64 * 1024;

/// Why a sealed file did not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// It is not in the format, or asks for more than this version grants.
    #[error("not a sealed file of this version: {0}")]
    Malformed(&'static str),
    /// Wrong passphrase, or a file that was changed.
    #[error("the passphrase is wrong or the file was changed")]
    NotAuthentic,
    /// The memory for Argon2id could not be had, or the salt is shorter than 8 bytes.
    #[error("the passphrase could not be stretched: {0}")]
    Stretch(String),
}

/// Passphrase sealing: Argon2id and AES-256-GCM, parameters in the header, the header authenticated.
///
/// ```text
/// bastide-sealed v1
/// argon2id m=65536,t=3,p=1
/// salt <base64>
/// nonce <base64>
/// data <base64>
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SealedFile;

impl SealedFile {
    /// Seals `secret`; `salt` and `nonce` are fresh random bytes.
    ///
    /// # Errors
    /// When there is no memory for Argon2id (64 MiB).
    pub fn seal_with_passphrase(
        passphrase: &[u8],
        salt: [u8; 16],
        nonce: [u8; 12],
        secret: &[u8],
    ) -> Result<String, SealedError> {
        let header = format!(
            "{MAGIC}\nargon2id m={MEMORY_KIB},t={PASSES},p={LANES}\nsalt {}\nnonce {}\n",
            STANDARD.encode(salt),
            STANDARD.encode(nonce)
        );
        let key = stretch(passphrase, &salt, MEMORY_KIB, PASSES, LANES)?;
        let sealed = seal(&key, nonce, header.as_bytes(), secret);
        Ok(format!("{header}data {}\n", STANDARD.encode(sealed)))
    }

    /// Opens what [`SealedFile::seal_with_passphrase`] wrote; the secret is wiped when dropped.
    ///
    /// # Errors
    /// When the text is not in the format or the passphrase is wrong.
    pub fn open_with_passphrase(passphrase: &[u8], text: &str) -> Result<Zeroizing<Vec<u8>>, SealedError> {
        if text.len() > MAX_FILE_BYTES {
            return Err(SealedError::Malformed("longer than 64 KiB"));
        }
        let data_at = text.find("\ndata ").ok_or(SealedError::Malformed("no line `data`"))? + 1;
        let (header, data) = text.split_at(data_at);
        let mut lines = header.lines();
        if lines.next() != Some(MAGIC) {
            return Err(SealedError::Malformed("the first line is not `bastide-sealed v1`"));
        }
        let (memory, passes, lanes) = lines
            .next()
            .and_then(|l| l.strip_prefix("argon2id "))
            .and_then(parameters)
            .ok_or(SealedError::Malformed("bad or excessive Argon2id parameters"))?;
        let salt: [u8; 16] = field(lines.next(), "salt ").ok_or(SealedError::Malformed("bad salt"))?;
        let nonce: [u8; 12] = field(lines.next(), "nonce ").ok_or(SealedError::Malformed("bad nonce"))?;
        if lines.next().is_some() {
            return Err(SealedError::Malformed("an unknown line in the header"));
        }
        let sealed = data
            .strip_prefix("data ")
            .and_then(|d| STANDARD.decode(d.trim_end()).ok())
            .ok_or(SealedError::Malformed("bad data"))?;
        let key = stretch(passphrase, &salt, memory, passes, lanes)?;
        open(&key, nonce, header.as_bytes(), &sealed)
            .map(Zeroizing::new)
            .map_err(|_| SealedError::NotAuthentic)
    }
}

fn parameters(text: &str) -> Option<(u32, u32, u32)> {
    let mut parts = text.split(',');
    let mut next = |prefix: &str, max: u32| -> Option<u32> {
        let value: u32 = parts.next()?.strip_prefix(prefix)?.parse().ok()?;
        (1..=max).contains(&value).then_some(value)
    };
    let found = (next("m=", MAX_MEMORY_KIB)?, next("t=", MAX_PASSES)?, next("p=", MAX_LANES)?);
    parts.next().is_none().then_some(found)
}

fn field<const N: usize>(line: Option<&str>, prefix: &str) -> Option<[u8; N]> {
    STANDARD.decode(line?.strip_prefix(prefix)?).ok()?.try_into().ok()
}

fn stretch(
    passphrase: &[u8],
    salt: &[u8],
    memory_kib: u32,
    passes: u32,
    lanes: u32,
) -> Result<Zeroizing<[u8; 32]>, SealedError> {
    let failed = |e: argon2::Error| SealedError::Stretch(e.to_string());
    let params = Params::new(memory_kib, passes, lanes, Some(32)).map_err(failed)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, key.as_mut())
        .map_err(failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_the_passphrase_only_and_unchanged_only() {
        let text = SealedFile::seal_with_passphrase(b"horse", [1; 16], [2; 12], b"root key").unwrap();
        assert_eq!(SealedFile::open_with_passphrase(b"horse", &text).unwrap().as_slice(), b"root key");
        assert_eq!(SealedFile::open_with_passphrase(b"house", &text), Err(SealedError::NotAuthentic));
        let weakened = text.replace("t=3", "t=1");
        assert_eq!(SealedFile::open_with_passphrase(b"horse", &weakened), Err(SealedError::NotAuthentic));
    }

    #[test]
    fn a_file_cannot_ask_for_the_machine() {
        let text = "bastide-sealed v1\nargon2id m=65536,t=3,p=1\nsalt AQEBAQEBAQEBAQEBAQEBAQ==\n\
                    nonce AgICAgICAgICAgIC\ndata AAAA\n";
        for (from, to) in [
            ("m=65536", "m=4294967295"),
            ("t=3", "t=1000000"),
            ("t=3", "t=0"),
            ("p=1", "p=999"),
            ("p=1", "p=1,x=1"),
            ("v1", "v2"),
            ("salt AQ", "salt A"),
            ("data ", "date "),
            ("nonce", "more x\nnonce"),
        ] {
            let bent = text.replacen(from, to, 1);
            assert!(
                matches!(SealedFile::open_with_passphrase(b"", &bent), Err(SealedError::Malformed(_))),
                "{from} -> {to}"
            );
        }
    }
}
