//! Receipts: `FORMAT.md`, "Receipt".

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bastide_tlog::{Hash, NoteKey, inclusion_root, leaf_hash};

use crate::cbor::Cbor;
use crate::value::Value;

const PREFIX: &str = "bst1.";
const VERSION: u64 = 1;
/// Proxies commonly grant all response headers 4 to 8 KiB together: a longer entry is left out of the receipt.
const MAX_CARRIED_ENTRY: usize = 1536;
/// A path of 64 hashes, the carried entry and the rest, in base64.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// Proof that an entry was on disk at this place of the log, signed before the next checkpoint: it holds against a
/// log that is later rolled back or rewritten. Displays as its text, visible ASCII without spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    origin: String,
    index: u64,
    leaf: Hash,
    first: u64,
    size: u64,
    path: Vec<Hash>,
    key: [u8; 4],
    signature: [u8; 64],
    entry: Option<Vec<u8>>,
}

/// Why a receipt proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The text is no receipt.
    #[error("not a receipt: {0}")]
    Malformed(&'static str),
    /// It names another log or key.
    #[error("the receipt is of another log or key")]
    OtherLog,
    /// Path, entry or signature do not fit.
    #[error("the receipt does not verify")]
    BadProof,
}

/// What a receipt says, wherever that stands.
pub(crate) struct Statement<'a> {
    pub(crate) origin: &'a str,
    pub(crate) index: u64,
    pub(crate) leaf: Hash,
    pub(crate) first: u64,
    pub(crate) size: u64,
    pub(crate) path: &'a [Hash],
    pub(crate) key: [u8; 4],
    pub(crate) signature: &'a [u8; 64],
    /// Left out where it is long.
    pub(crate) entry: Option<&'a [u8]>,
}

impl<'a> Statement<'a> {
    /// The entry as far as a receipt has room for it.
    pub(crate) fn carried(entry: &'a [u8]) -> Option<&'a [u8]> {
        Some(entry).filter(|entry| entry.len() <= MAX_CARRIED_ENTRY)
    }

    fn to_cbor(&self) -> Vec<u8> {
        // Keys, lengths and what has a fixed one take 200 bytes.
        let carried = self.entry.map_or(0, <[u8]>::len);
        let mut out = Vec::with_capacity(200 + self.origin.len() + self.path.len() * 32 + carried);
        let mut cbor = Cbor(&mut out);
        cbor.map(9 + usize::from(self.entry.is_some()));
        cbor.uint_at("v", VERSION);
        cbor.bytes_at("key", &self.key);
        cbor.bytes_at("sig", self.signature);
        cbor.bytes_at("leaf", &self.leaf.0);
        cbor.text("path");
        cbor.joined(self.path.iter().map(|hash| &hash.0));
        cbor.uint_at("size", self.size);
        if let Some(entry) = self.entry {
            cbor.bytes_at("entry", entry);
        }
        cbor.uint_at("first", self.first);
        cbor.uint_at("index", self.index);
        cbor.text_at("origin", self.origin);
        out
    }

    /// The text form, visible ASCII without spaces.
    pub(crate) fn to_text(&self) -> String {
        let cbor = self.to_cbor();
        let mut text = String::with_capacity(PREFIX.len() + (cbor.len() * 4).div_ceil(3));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(cbor, &mut text);
        text
    }
}

/// What the log's key signs: the root over the entries of one group commit.
pub(crate) fn signed_text(origin: &str, first: u64, size: u64, root: Hash) -> String {
    format!("bastide-receipt/v1\n{origin}\n{first}\n{size}\n{root}\n")
}

impl Receipt {
    pub(crate) fn new(statement: &Statement<'_>) -> Self {
        Receipt {
            origin: statement.origin.to_owned(),
            index: statement.index,
            leaf: statement.leaf,
            first: statement.first,
            size: statement.size,
            path: statement.path.to_vec(),
            key: statement.key,
            signature: *statement.signature,
            entry: statement.entry.map(<[u8]>::to_vec),
        }
    }

    fn statement(&self) -> Statement<'_> {
        Statement {
            origin: &self.origin,
            index: self.index,
            leaf: self.leaf,
            first: self.first,
            size: self.size,
            path: &self.path,
            key: self.key,
            signature: &self.signature,
            entry: self.entry.as_deref(),
        }
    }

    /// The log's name.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The entry's index.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The entry's leaf hash.
    #[must_use]
    pub const fn leaf(&self) -> Hash {
        self.leaf
    }

    /// The entry, when the receipt carries it.
    #[must_use]
    pub fn entry(&self) -> Option<&[u8]> {
        self.entry.as_deref()
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// When it is not one, in the one spelling there is.
    pub fn parse(text: &str) -> Result<Receipt, ReceiptError> {
        let encoded =
            text.strip_prefix(PREFIX).ok_or(ReceiptError::Malformed("it does not begin with `bst1.`"))?;
        if encoded.len() > MAX_TEXT_BYTES {
            return Err(ReceiptError::Malformed("it is longer than any receipt"));
        }
        let bytes =
            URL_SAFE_NO_PAD.decode(encoded).map_err(|_| ReceiptError::Malformed("it is not base64url"))?;
        let value =
            Value::parse(&bytes).map_err(|_| ReceiptError::Malformed("it is not deterministic CBOR"))?;
        let receipt =
            Self::from_value(&value).ok_or(ReceiptError::Malformed("a field is missing or wrong"))?;
        // A field that is not read is a field that nobody signed.
        if receipt.statement().to_cbor() != bytes {
            return Err(ReceiptError::Malformed("it has a field of no meaning"));
        }
        Ok(receipt)
    }

    fn from_value(value: &Value) -> Option<Receipt> {
        let uint = |key| value.get(key).and_then(Value::as_uint);
        let bytes = |key| value.get(key).and_then(Value::as_bytes);
        if uint("v")? != VERSION {
            return None;
        }
        let (path, rest) = bytes("path")?.as_chunks::<32>();
        if !rest.is_empty() {
            return None;
        }
        let entry = match value.get("entry") {
            Some(entry) => Some(entry.as_bytes()?.to_vec()),
            None => None,
        };
        Some(Receipt {
            origin: value.get("origin")?.as_text()?.to_owned(),
            index: uint("index")?,
            leaf: Hash(bytes("leaf")?.try_into().ok()?),
            first: uint("first")?,
            size: uint("size")?,
            path: path.iter().map(|h| Hash(*h)).collect(),
            key: bytes("key")?.try_into().ok()?,
            signature: bytes("sig")?.try_into().ok()?,
            entry,
        })
    }

    /// Checks that the holder of the log's key vouched for this entry at this place.
    ///
    /// # Errors
    /// When the receipt is of another log, or any part of it does not fit.
    pub fn verify(&self, log: &NoteKey) -> Result<(), ReceiptError> {
        if self.origin != log.name() || self.key != log.id() {
            return Err(ReceiptError::OtherLog);
        }
        if self.entry.as_deref().is_some_and(|entry| leaf_hash(entry) != self.leaf) {
            return Err(ReceiptError::BadProof);
        }
        let within = self.index.checked_sub(self.first).ok_or(ReceiptError::BadProof)?;
        self.first.checked_add(self.size).ok_or(ReceiptError::BadProof)?;
        let root =
            inclusion_root(self.leaf, within, self.size, &self.path).map_err(|_| ReceiptError::BadProof)?;
        let text = signed_text(&self.origin, self.first, self.size, root);
        log.key().verify(text.as_bytes(), &self.signature).map_err(|_| ReceiptError::BadProof)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.statement().to_text())
    }
}

impl std::str::FromStr for Receipt {
    type Err = ReceiptError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Receipt::parse(s)
    }
}
