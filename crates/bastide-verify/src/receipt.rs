//! Verification of one receipt, alone or against the log it comes from.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::cbor::{Value, read};
use crate::entry::{Entry, MAX_ENTRY_BYTES};
use crate::failure::{Failure, FailureKind};
use crate::folder::{Folder, TILE_WIDTH};
use crate::merkle::{Hash, inclusion_path, leaf_hash, root_from_path};
use crate::note::{VerifierKey, open_checkpoint};
use crate::text::{base64_std, from_base64_url, printable};

/// How a receipt's text begins.
pub const RECEIPT_PREFIX: &str = "bst1.";
/// An entry, a path of 64 hashes and the rest, in base64.
const MAX_RECEIPT_BYTES: usize = (MAX_ENTRY_BYTES + 64 * 32 + 4096).div_ceil(3) * 4;
/// What the signature is made for: no signature of another purpose by the same key fits.
const SIGNED_PREFIX: &str = "bastide-receipt/v1";

/// The fields of a receipt. Nothing in them is true before [`verify_receipt`] says so.
struct Receipt<'a> {
    origin: &'a str,
    index: u64,
    leaf: Hash,
    first: u64,
    size: u64,
    path: Vec<Hash>,
    key: [u8; 4],
    signature: [u8; 64],
    entry: Option<&'a [u8]>,
}

/// What was found to hold.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptReport {
    /// The log's name.
    pub origin: String,
    /// The entry's place in the log.
    pub index: u64,
    /// Its leaf hash, hexadecimal.
    pub leaf: String,
    /// The first entry of the batch that was signed.
    pub batch_first: u64,
    /// How many entries that batch has.
    pub batch_size: u64,
    /// Entries under the checkpoint the entry was found under; absent when no log was given.
    pub included_under: Option<u64>,
    /// The entry, as JSON; byte strings are hexadecimal.
    pub entry: Option<serde_json::Value>,
    #[serde(skip)]
    rendered: Option<String>,
}

impl fmt::Display for ReceiptReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "receipt holds")?;
        writeln!(f, "  log                {}", printable(&self.origin))?;
        writeln!(f, "  entry              {}", self.index)?;
        writeln!(f, "  leaf               {}", self.leaf)?;
        match self.included_under {
            Some(size) => writeln!(f, "  in the log         yes, under its checkpoint of {size} entries")?,
            None => writeln!(f, "  in the log         not looked up (--log)")?,
        }
        match &self.rendered {
            Some(text) => write!(f, "{text}"),
            None => writeln!(f, "the receipt carries no entry; the log has it (--log)"),
        }
    }
}

/// Verifies a receipt: that the holder of `key` signed a batch with this entry at this place, and, when `log` is
/// given (a log's folder, or a data folder with a `log` in it), that the entry stands at this place of the log and is
/// included under its signed checkpoint.
///
/// # Errors
/// What does not hold. [`FailureKind::NotYetPublished`] when the receipt holds and its entry lies beyond the log's
/// checkpoint: ask again a moment later.
pub fn verify_receipt(text: &str, key: &VerifierKey, log: Option<&Path>) -> Result<ReceiptReport, Failure> {
    let bytes = decode(text)?;
    let receipt = Receipt::read(&bytes).map_err(|e| Failure::broken("receipt", e))?;
    receipt.check(key)?;
    let mut report = ReceiptReport {
        origin: receipt.origin.to_owned(),
        index: receipt.index,
        leaf: receipt.leaf.to_hex(),
        batch_first: receipt.first,
        batch_size: receipt.size,
        included_under: None,
        entry: None,
        rendered: None,
    };
    if let Some(bytes) = receipt.entry {
        report.show(bytes)?;
    }
    if let Some(dir) = log {
        let folder = Folder::open(dir)?;
        let (size, entry) = look_up(&folder, key, &receipt)?;
        report.included_under = Some(size);
        report.show(&entry)?;
    }
    Ok(report)
}

impl ReceiptReport {
    fn show(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let entry = Entry::read(bytes).map_err(|e| Failure::broken(format!("entry {}", self.index), e))?;
        self.entry = Some(entry.fields.to_json());
        self.rendered = Some(entry.render());
        Ok(())
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Failure> {
    let wrong = |detail: &str| Failure::broken("receipt", detail);
    let text = text.strip_prefix(RECEIPT_PREFIX).ok_or_else(|| wrong("does not begin with `bst1.`"))?;
    if text.len() > MAX_RECEIPT_BYTES {
        return Err(wrong("is longer than any receipt"));
    }
    from_base64_url(text).ok_or_else(|| wrong("is not base64url without padding"))
}

impl<'a> Receipt<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, String> {
        const FIELDS: [&str; 10] =
            ["v", "origin", "index", "leaf", "first", "size", "path", "key", "sig", "entry"];
        let map = read(bytes).map_err(|e| format!("is not canonical CBOR: {e}"))?;
        let Value::Map(pairs) = &map else { return Err("is not a map".to_owned()) };
        // What is not signed has no place in a receipt.
        if pairs.iter().any(|(k, _)| !k.as_text().is_some_and(|k| FIELDS.contains(&k))) {
            return Err("has a field of no meaning".to_owned());
        }
        let number = |name| map.get(name).and_then(Value::as_u64).ok_or(format!("has no number `{name}`"));
        let bytes = |name| map.get(name).and_then(Value::as_bytes).ok_or(format!("has no bytes `{name}`"));
        if number("v")? != 1 {
            return Err("is of an unknown version".to_owned());
        }
        let (path, rest) = bytes("path")?.as_chunks::<32>();
        if !rest.is_empty() || path.len() > 64 {
            return Err("has a path that is no list of hashes".to_owned());
        }
        let length = |name: &str| format!("has a `{name}` of the wrong length");
        Ok(Receipt {
            origin: map.get("origin").and_then(Value::as_text).ok_or("names no log")?,
            index: number("index")?,
            leaf: Hash(bytes("leaf")?.try_into().map_err(|_| length("leaf"))?),
            first: number("first")?,
            size: number("size")?,
            path: path.iter().map(|h| Hash(*h)).collect(),
            key: bytes("key")?.try_into().map_err(|_| length("key"))?,
            signature: bytes("sig")?.try_into().map_err(|_| length("sig"))?,
            entry: match map.get("entry") {
                None => None,
                Some(value) => Some(value.as_bytes().ok_or("has an `entry` that is no byte string")?),
            },
        })
    }

    fn check(&self, key: &VerifierKey) -> Result<(), Failure> {
        let wrong = |detail: &str| Err(Failure::broken("receipt", detail));
        if self.origin != key.name() || self.key != key.id() {
            return wrong("comes from another log than the given log key");
        }
        if self.first.checked_add(self.size).is_none() {
            return wrong("has an impossible batch");
        }
        let root = self
            .index
            .checked_sub(self.first)
            .and_then(|within| root_from_path(self.leaf, within, self.size, &self.path));
        let Some(root) = root else {
            return wrong("has a path that does not fit its place in the batch");
        };
        let Receipt { origin, first, size, .. } = self;
        let message = format!("{SIGNED_PREFIX}\n{origin}\n{first}\n{size}\n{}\n", base64_std(&root.0));
        if !key.signed(message.as_bytes(), &self.signature) {
            return wrong("its signature is not valid");
        }
        if self.entry.is_some_and(|e| leaf_hash(e) != self.leaf) {
            return wrong("its entry does not hash to its leaf");
        }
        Ok(())
    }
}

/// Finds the receipt's entry in the log; gives the checkpoint's size and the entry.
fn look_up(folder: &Folder, key: &VerifierKey, receipt: &Receipt<'_>) -> Result<(u64, Vec<u8>), Failure> {
    let checkpoint = open_checkpoint(&folder.checkpoint()?, key)?;
    let index = receipt.index;
    if index >= checkpoint.size {
        let detail = format!(
            "entry {index} lies beyond the log's checkpoint of {} entries; the receipt itself is valid: try again \
             after the next checkpoint",
            checkpoint.size
        );
        return Err(Failure { kind: FailureKind::NotYetPublished, subject: "checkpoint".to_owned(), detail });
    }
    let tile = index / TILE_WIDTH;
    let width = (checkpoint.size - tile * TILE_WIDTH).min(TILE_WIDTH);
    let bundle = folder.bundle(tile, width)?;
    let entry = bundle
        .entry(index % TILE_WIDTH)
        .ok_or_else(|| Failure::broken(format!("entry {index}"), "is missing from its bundle"))?;
    if leaf_hash(entry) != receipt.leaf {
        let detail =
            "is another in the log than in the receipt: the log was rewritten after the receipt was given";
        return Err(Failure::broken(format!("entry {index}"), detail));
    }
    let mut subtree = |level, i| folder.subtree(level, i, checkpoint.size);
    let path = inclusion_path(index, checkpoint.size, &mut subtree)?;
    if root_from_path(receipt.leaf, index, checkpoint.size, &path) != Some(checkpoint.root) {
        return Err(Failure::broken(format!("entry {index}"), "is not included under the log's checkpoint"));
    }
    Ok((checkpoint.size, entry.to_vec()))
}
