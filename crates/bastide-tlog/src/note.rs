//! Signed notes and their keys (c2sp.org/signed-note), with Ed25519 signatures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::{SigningKey, VerifyingKey, sha256};

/// Signature type of plain Ed25519.
const ED25519: u8 = 0x01;
/// The specification demands at least 16; witnesses of one log are few.
const MAX_SIGNATURES: usize = 64;
/// A checkpoint has under 200 bytes and a post-quantum signature under 5 kB.
const MAX_NOTE_BYTES: usize = 512 * 1024;

/// Why a note or a key was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The bytes are no signed note.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// The text is no verifier key.
    #[error("not a verifier key `name+hash+key`: {0}")]
    BadKey(&'static str),
    /// No signature by the key asked for.
    #[error("the note carries no signature of this key")]
    Unsigned,
    /// A signature by the key asked for that is wrong.
    #[error("the signature on the note does not verify")]
    BadSignature,
}

/// The public half of a log's key with the name it signs under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl NoteKey {
    /// Under this name.
    ///
    /// # Errors
    /// When the name is empty or holds white space or a plus sign.
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, NoteError> {
        if !is_name(name) {
            return Err(NoteError::BadKey("the name is empty or holds white space or a plus sign"));
        }
        let message = [name.as_bytes(), b"\n", &[ED25519], key.as_bytes()].concat();
        let [a, b, c, d, ..] = sha256(&message);
        Ok(NoteKey { name: name.to_owned(), id: [a, b, c, d], key })
    }

    /// From its text form `name+hash+base64(0x01 || key)`.
    ///
    /// # Errors
    /// When the text is not in that form, the algorithm is not Ed25519, or the hash is not that of name and key.
    pub fn parse(vkey: &str) -> Result<Self, NoteError> {
        let mut parts = vkey.trim_end_matches('\n').splitn(3, '+');
        let (Some(name), Some(hash), Some(encoded)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::BadKey("it has not three parts"));
        };
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::BadKey("the key is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => <[u8; 32]>::try_from(key).ok(),
            _ => None,
        };
        let key = key.ok_or(NoteError::BadKey("the key is not one of Ed25519"))?;
        let found = NoteKey::new(name, VerifyingKey::from_bytes(key))?;
        if found.id_text() != hash {
            return Err(NoteError::BadKey("the hash is not that of name and key"));
        }
        Ok(found)
    }

    /// The name, which for a log is its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key hash: what a signature names its key by.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The key itself.
    #[must_use]
    pub const fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// The text form.
    #[must_use]
    pub fn vkey(&self) -> String {
        let mut bytes = vec![ED25519];
        bytes.extend_from_slice(self.key.as_bytes());
        format!("{}+{}+{}", self.name, self.id_text(), STANDARD.encode(bytes))
    }

    fn id_text(&self) -> String {
        format!("{:08x}", u32::from_be_bytes(self.id))
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: String,
    /// The hash of the key.
    pub id: [u8; 4],
    /// What the key's algorithm made.
    pub signature: Vec<u8>,
}

/// A signed note, read but not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// The note of `text`, which ends in a newline, signed under `key`'s name.
    ///
    /// # Errors
    /// When the text does not end in a newline or holds a control character.
    pub fn sign(text: &str, key: &NoteKey, signer: &SigningKey) -> Result<String, NoteError> {
        if !text.ends_with('\n') || !is_text(text) {
            return Err(NoteError::Malformed(
                "the text must end in a newline and hold no control characters",
            ));
        }
        let mut bytes = key.id.to_vec();
        bytes.extend_from_slice(&signer.sign(text.as_bytes()));
        Ok(format!("{text}\n\u{2014} {} {}\n", key.name, STANDARD.encode(bytes)))
    }

    /// Reads a note.
    ///
    /// # Errors
    /// When it is not one, is larger than 512 KiB, or has more than 64 signatures.
    pub fn parse(bytes: &[u8]) -> Result<Note, NoteError> {
        if bytes.len() > MAX_NOTE_BYTES {
            return Err(NoteError::Malformed("it is larger than 512 KiB"));
        }
        let whole = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("it is not UTF-8"))?;
        if !is_text(whole) {
            return Err(NoteError::Malformed("it holds a control character"));
        }
        // The last empty line separates: the text itself may hold empty lines.
        let at = whole.rfind("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, rest) = whole.split_at(at + 1);
        let lines = rest
            .strip_prefix('\n')
            .and_then(|r| r.strip_suffix('\n'))
            .ok_or(NoteError::Malformed("no signature line"))?;
        let mut signatures = Vec::new();
        for line in lines.split('\n') {
            if signatures.len() >= MAX_SIGNATURES {
                return Err(NoteError::Malformed("more than 64 signatures"));
            }
            signatures.push(signature_line(line).ok_or(NoteError::Malformed("bad signature line"))?);
        }
        Ok(Note { text: text.to_owned(), signatures })
    }

    /// Checks the signature of `key` and gives the signed text; only this text may be acted on.
    ///
    /// # Errors
    /// When there is none, or any signature under this name and hash is wrong.
    pub fn verify(&self, key: &NoteKey) -> Result<&str, NoteError> {
        let mut signed = false;
        for signature in self.signatures.iter().filter(|s| s.name == key.name && s.id == key.id) {
            key.key
                .verify(self.text.as_bytes(), &signature.signature)
                .map_err(|_| NoteError::BadSignature)?;
            signed = true;
        }
        if signed { Ok(&self.text) } else { Err(NoteError::Unsigned) }
    }

    /// The signature lines.
    #[must_use]
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }
}

fn signature_line(line: &str) -> Option<NoteSignature> {
    let (name, encoded) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    if !is_name(name) {
        return None;
    }
    let bytes = STANDARD.decode(encoded).ok()?;
    let (id, signature) = bytes.split_first_chunk::<4>()?;
    (!signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        id: *id,
        signature: signature.to_vec(),
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ')
}

fn is_text(text: &str) -> bool {
    text.bytes().all(|b| b >= 0x20 || b == b'\n')
}
