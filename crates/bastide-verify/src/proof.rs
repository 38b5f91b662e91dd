//! Verification that one entry is in the log, from the proof that console and management API give of it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::failure::Failure;
use crate::merkle::{Hash, leaf_hash, root_from_path};
use crate::note::{VerifierKey, open_checkpoint};
use crate::text::{from_hex, printable};

/// Hashes from a leaf to the root: a log of 2^64 entries has no more.
const MAX_PATH: usize = 64;

/// What of the answer of `GET /api/v1/log/entries/{index}` counts. Its other fields say the same in other words.
#[derive(Deserialize)]
struct Given {
    entry: Place,
    bytes: String,
    path: Vec<String>,
    checkpoint: String,
}

#[derive(Deserialize)]
struct Place {
    index: u64,
}

/// What was found to hold.
#[derive(Clone, Debug, Serialize)]
pub struct ProofReport {
    /// The log's name.
    pub origin: String,
    /// The entry's place in the log.
    pub index: u64,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The checkpoint's root, hexadecimal.
    pub root: String,
    /// The same as the checkpoint writes it.
    pub root_base64: String,
    /// The key that signed.
    pub key: String,
    /// The entry's leaf hash, hexadecimal.
    pub leaf: String,
    /// The entry, as JSON; byte strings are hexadecimal.
    pub entry: serde_json::Value,
    #[serde(skip)]
    rendered: String,
}

impl fmt::Display for ProofReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "entry {} is in the log", self.index)?;
        writeln!(f, "  log                {}", printable(&self.origin))?;
        writeln!(f, "  leaf               {}", self.leaf)?;
        writeln!(f, "  under              a checkpoint of {} entries", self.size)?;
        writeln!(f, "  root               {}", self.root)?;
        writeln!(f, "  in the checkpoint  {}", self.root_base64)?;
        writeln!(f, "  signed by          {}", printable(&self.key))?;
        write!(f, "{}", self.rendered)
    }
}

/// Verifies that an entry stands at its place under a checkpoint that `key` signed. `proof` is the answer of
/// `GET /api/v1/log/entries/{index}`; leaf and root are derived again, and what the answer says of them does not count.
///
/// # Errors
/// What does not hold, or what is no proof.
pub fn verify_proof(proof: &[u8], key: &VerifierKey) -> Result<ProofReport, Failure> {
    let given: Given = serde_json::from_slice(proof).map_err(|e| {
        Failure::usage("proof", format!("is not the answer of `GET /api/v1/log/entries/INDEX`: {e}"))
    })?;
    let broken = |detail: &str| Failure::broken("proof", detail);
    let bytes = from_hex(&given.bytes).ok_or_else(|| broken("its entry is not hexadecimal"))?;
    let checkpoint = open_checkpoint(given.checkpoint.as_bytes(), key)?;
    let index = given.entry.index;
    if given.path.len() > MAX_PATH {
        return Err(broken("its path is longer than any tree is deep"));
    }
    let hash = |text: &String| Some(Hash(from_hex(text)?.try_into().ok()?));
    let path: Option<Vec<Hash>> = given.path.iter().map(hash).collect();
    let path = path.ok_or_else(|| broken("its path is not of hashes"))?;
    let leaf = leaf_hash(&bytes);
    if root_from_path(leaf, index, checkpoint.size, &path) != Some(checkpoint.root) {
        return Err(broken("entry and path do not lead to the checkpoint's root"));
    }
    let entry = Entry::read(&bytes).map_err(|e| Failure::broken(format!("entry {index}"), e))?;
    Ok(ProofReport {
        origin: checkpoint.origin,
        index,
        size: checkpoint.size,
        root: checkpoint.root.to_hex(),
        root_base64: checkpoint.root.to_base64(),
        key: key.to_string(),
        leaf: leaf.to_hex(),
        rendered: entry.render(),
        entry: entry.fields.to_json(),
    })
}
