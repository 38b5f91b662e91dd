//! A writer of logs and receipts, as plain as can be: it keeps everything in memory and hashes it all again each
//! time. Test code only.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bastide_verify::VerifierKey;
use ciborium::Value;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};

pub(crate) type Hash = [u8; 32];

pub(crate) fn sha(parts: &[&[u8]]) -> Hash {
    parts.iter().fold(Sha256::new(), |h, p| h.chain_update(p)).finalize().into()
}

pub(crate) fn leaf(entry: &[u8]) -> Hash {
    sha(&[&[0], entry])
}

fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

pub(crate) fn tree(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => sha(&[]),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(split(more.len()));
            sha(&[&[1], &tree(left), &tree(right)])
        }
    }
}

pub(crate) fn path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, last) = if at < left.len() {
        (path(at, left), tree(right))
    } else {
        (path(at - left.len(), right), tree(left))
    };
    path.push(last);
    path
}

/// A map with its keys in canonical order.
pub(crate) fn map(pairs: Vec<(&str, Value)>) -> Value {
    let mut pairs = pairs;
    pairs.sort_by_key(|(k, _)| (k.len(), k.to_string()));
    Value::Map(pairs.into_iter().map(|(k, v)| (Value::Text(k.to_owned()), v)).collect())
}

pub(crate) fn cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}

pub(crate) fn text(t: &str) -> Value {
    Value::Text(t.to_owned())
}

pub(crate) fn number(n: u64) -> Value {
    Value::Integer(n.into())
}

pub(crate) fn entry(kind: &str, at: u64, more: Vec<(&str, Value)>) -> Vec<u8> {
    let mut pairs = vec![("v", number(1)), ("kind", text(kind)), ("at", number(at))];
    pairs.extend(more);
    cbor(&map(pairs))
}

pub(crate) fn request(exchange: &str, at: u64) -> Vec<u8> {
    let finding = map(vec![
        ("category", text("CREDIT_CARD")),
        ("verdict", text("tokenise")),
        ("start", number(10)),
        ("end", number(26)),
    ]);
    entry(
        "request",
        at,
        vec![
            ("exchange", text(exchange)),
            ("model", text("demo-1")),
            ("verdict", text("tokenise")),
            ("received", Value::Bytes(vec![7; 32])),
            ("guard", map(vec![("mode", text("enforce")), ("findings", Value::Array(vec![finding]))])),
        ],
    )
}

pub(crate) fn outcome(exchange: &str, at: u64, index: u64, leaf: Hash) -> Vec<u8> {
    entry(
        "outcome",
        at,
        vec![
            ("exchange", text(exchange)),
            ("request_index", number(index)),
            ("request_leaf", Value::Bytes(leaf.to_vec())),
            ("status", number(200)),
        ],
    )
}

pub(crate) struct Log {
    pub(crate) origin: String,
    pub(crate) key: SigningKey,
    pub(crate) entries: Vec<Vec<u8>>,
}

pub(crate) const EPOCH_2026: u64 = 1_767_225_600_000_000;

impl Log {
    pub(crate) fn new(entries: Vec<Vec<u8>>) -> Self {
        Log { origin: "acme.example/node-1".to_owned(), key: SigningKey::from_bytes(&[9; 32]), entries }
    }

    /// A start, then exchanges: a request and, two entries later, its outcome.
    pub(crate) fn of_exchanges(n: u64) -> Self {
        let mut entries = vec![entry("started", EPOCH_2026, vec![("version", text("0.1.0"))])];
        let mut waiting: Vec<(String, u64, Hash)> = Vec::new();
        for i in 0..n {
            let at = EPOCH_2026 + i * 1_000_000;
            let id = format!("exc_{i:026}");
            let request = request(&id, at);
            waiting.push((id, entries.len() as u64, leaf(&request)));
            entries.push(request);
            if waiting.len() > 2 {
                let (id, index, leaf) = waiting.remove(0);
                entries.push(outcome(&id, at, index, leaf));
            }
        }
        Log::new(entries)
    }

    pub(crate) fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|e| leaf(e)).collect()
    }

    fn key_id(&self) -> [u8; 4] {
        let public = self.key.verifying_key();
        let hash = sha(&[self.origin.as_bytes(), b"\n\x01", public.as_bytes()]);
        [hash[0], hash[1], hash[2], hash[3]]
    }

    pub(crate) fn vkey_text(&self) -> String {
        let public = [&[1][..], self.key.verifying_key().as_bytes()].concat();
        format!("{}+{:08x}+{}", self.origin, u32::from_be_bytes(self.key_id()), STANDARD.encode(public))
    }

    pub(crate) fn vkey(&self) -> VerifierKey {
        self.vkey_text().parse().unwrap()
    }

    pub(crate) fn checkpoint(&self, size: usize) -> String {
        let body = format!("{}\n{size}\n{}\n", self.origin, STANDARD.encode(tree(&self.leaves()[..size])));
        let signature = [&self.key_id()[..], &self.key.sign(body.as_bytes()).to_bytes()].concat();
        format!("{body}\n\u{2014} {} {}\n", self.origin, STANDARD.encode(signature))
    }

    /// Writes everything the log publishes at this size.
    pub(crate) fn publish(&self, dir: &Path) {
        std::fs::create_dir_all(dir).unwrap();
        std::fs::write(dir.join("log.vkey"), format!("{}\n", self.vkey_text())).unwrap();
        for (n, entries) in self.entries.chunks(256).enumerate() {
            let mut bytes = Vec::new();
            for entry in entries {
                bytes.extend(u16::try_from(entry.len()).unwrap().to_be_bytes());
                bytes.extend(entry);
            }
            write(&dir.join("tile/entries"), n, entries.len(), &bytes);
        }
        let mut row = self.leaves();
        for level in 0.. {
            for (n, tile) in row.chunks(256).enumerate() {
                write(&dir.join(format!("tile/{level}")), n, tile.len(), &tile.concat());
            }
            row = row.chunks(256).filter(|t| t.len() == 256).map(tree).collect();
            if row.is_empty() {
                break;
            }
        }
        std::fs::write(dir.join("checkpoint"), self.checkpoint(self.entries.len())).unwrap();
    }

    pub(crate) fn receipt_fields(
        &self,
        index: usize,
        batch: std::ops::Range<usize>,
    ) -> Vec<(&'static str, Value)> {
        let leaves = &self.leaves()[batch.clone()];
        let message = format!(
            "bastide-receipt/v1\n{}\n{}\n{}\n{}\n",
            self.origin,
            batch.start,
            batch.len(),
            STANDARD.encode(tree(leaves))
        );
        vec![
            ("v", number(1)),
            ("origin", text(&self.origin)),
            ("index", number(index as u64)),
            ("leaf", Value::Bytes(leaf(&self.entries[index]).to_vec())),
            ("first", number(batch.start as u64)),
            ("size", number(batch.len() as u64)),
            ("path", Value::Bytes(path(index - batch.start, leaves).concat())),
            ("key", Value::Bytes(self.key_id().to_vec())),
            ("sig", Value::Bytes(self.key.sign(message.as_bytes()).to_bytes().to_vec())),
        ]
    }

    pub(crate) fn receipt(&self, index: usize, batch: std::ops::Range<usize>, with_entry: bool) -> String {
        let mut fields = self.receipt_fields(index, batch);
        if with_entry {
            fields.push(("entry", Value::Bytes(self.entries[index].clone())));
        }
        receipt_text(&map(fields))
    }
}

pub(crate) fn receipt_text(fields: &Value) -> String {
    format!("bst1.{}", URL_SAFE_NO_PAD.encode(cbor(fields)))
}

fn write(dir: &Path, n: usize, width: usize, bytes: &[u8]) {
    assert!(n < 1000, "the tests' logs are small");
    let file = if width == 256 { dir.join(format!("{n:03}")) } else { dir.join(format!("{n:03}.p/{width}")) };
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

/// Every file under `dir`.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}
