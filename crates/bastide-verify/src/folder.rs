//! The files of a log, as C2SP tlog-tiles lays them out.
//!
//! Everything read is bounded by what its place in the layout allows, and nothing but regular files is opened (a
//! named pipe would make the verifier wait for ever).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::merkle::{Hash, node_hash};
use crate::note::{VerifierKey, decimal};

/// Hashes in a full tile, entries in a full bundle.
pub(crate) const TILE_WIDTH: u64 = 256;
/// A hundred witnesses' signatures fit many times.
const MAX_NOTE_BYTES: u64 = 64 * 1024;
/// An entry of 16 KiB as hexadecimal and twice in words, 64 hashes and a checkpoint.
const MAX_PROOF_BYTES: u64 = 512 * 1024;
/// A bundle of 256 entries with their 16-bit lengths.
const MAX_BUNDLE_BYTES: u64 = TILE_WIDTH * (2 + 65_535);

/// Which sequence of files under `tile/`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Hashes of the complete subtrees of 256^level leaves.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// A log's folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// `dir` is the log's folder, or a data folder whose `log` it is.
    pub(crate) fn open(dir: &Path) -> Result<Self, Failure> {
        for root in [dir.to_owned(), dir.join("log")] {
            if root.join("checkpoint").is_file() {
                return Ok(Folder { root });
            }
        }
        Err(Failure::unreadable(
            dir.display().to_string(),
            "no log here: neither it nor its `log` holds a file `checkpoint`",
        ))
    }

    pub(crate) fn checkpoint(&self) -> Result<Vec<u8>, Failure> {
        read_note(&self.root.join("checkpoint"))
    }

    /// The key the folder itself names.
    pub(crate) fn own_key(&self) -> Result<VerifierKey, Failure> {
        let text = read_note(&self.root.join("log.vkey"))?;
        let text = String::from_utf8(text)
            .map_err(|_| Failure::broken("log.vkey", "not UTF-8; give the log key yourself"))?;
        text.strip_suffix('\n')
            .unwrap_or(&text)
            .parse()
            .map_err(|f: Failure| Failure::broken("log.vkey", f.detail))
    }

    /// The first `width` hashes of the tile `index` of `level`.
    pub(crate) fn tile(&self, level: u8, index: u64, width: u64) -> Result<Vec<Hash>, Failure> {
        let (name, have, bytes) = self.read(Kind::Hashes(level), index, width, TILE_WIDTH * 32)?;
        if bytes.len() as u64 != have * 32 {
            return Err(Failure::broken(name, format!("has {} bytes, not {have} hashes", bytes.len())));
        }
        let take = usize::try_from(width).unwrap_or(usize::MAX);
        Ok(bytes.as_chunks::<32>().0.iter().take(take).map(|h| Hash(*h)).collect())
    }

    /// The first `width` entries of the bundle `index`.
    pub(crate) fn bundle(&self, index: u64, width: u64) -> Result<Bundle, Failure> {
        let (name, have, bytes) = self.read(Kind::Entries, index, width, MAX_BUNDLE_BYTES)?;
        let cut = || Failure::broken(name.clone(), "ends in the middle of an entry");
        let mut spans = Vec::new();
        let mut at = 0_usize;
        for _ in 0..have {
            let length = bytes.get(at..).and_then(|r| r.first_chunk::<2>()).ok_or_else(cut)?;
            let start = at + 2;
            at = start + usize::from(u16::from_be_bytes(*length));
            if at > bytes.len() {
                return Err(cut());
            }
            spans.push(start..at);
        }
        if at != bytes.len() {
            return Err(Failure::broken(name, format!("has bytes after its {have} entries")));
        }
        spans.truncate(usize::try_from(width).unwrap_or(usize::MAX));
        Ok(Bundle { bytes, spans })
    }

    /// The root of the complete subtree over the leaves `[index << level, (index + 1) << level)` of a log of `size`
    /// entries, read from the tile that holds it or folded from a row of one.
    pub(crate) fn subtree(&self, level: u32, index: u64, size: u64) -> Result<Hash, Failure> {
        let (tile_level, fold) = (level / 8, level % 8);
        let first = index << fold; // in hashes of the tile's level
        let tile = first / TILE_WIDTH;
        let row = u8::try_from(tile_level).unwrap_or(u8::MAX);
        let in_level = size.checked_shr(8 * tile_level).unwrap_or(0);
        let width = in_level.saturating_sub(tile * TILE_WIDTH).min(TILE_WIDTH);
        let hashes = self.tile(row, tile, width)?;
        let from = usize::try_from(first % TILE_WIDTH).unwrap_or(usize::MAX);
        let mut nodes: Vec<Hash> = hashes.iter().skip(from).take(1 << fold).copied().collect();
        if nodes.len() != 1 << fold {
            return Err(Failure::broken(relative(Kind::Hashes(row), tile), "is too short for its log"));
        }
        while let [_, _, ..] = nodes.as_slice() {
            nodes = nodes.as_chunks::<2>().0.iter().map(|[l, r]| node_hash(*l, *r)).collect();
        }
        nodes.first().copied().ok_or_else(|| Failure::broken("tile", "is empty"))
    }

    /// Reads a file of at least `width` items: the partial one of that width, the full one, or a wider partial one
    /// (a log may drop a partial file once a wider one stands). Gives its name and how many items it must hold.
    fn read(
        &self,
        kind: Kind,
        index: u64,
        width: u64,
        limit: u64,
    ) -> Result<(String, u64, Vec<u8>), Failure> {
        let full = relative(kind, index);
        let partial = format!("{full}.p");
        let mut candidates = vec![(full.clone(), TILE_WIDTH)];
        if width < TILE_WIDTH {
            candidates.insert(0, (format!("{partial}/{width}"), width));
            candidates.extend(self.wider(&partial, width).map(|w| (format!("{partial}/{w}"), w)));
        }
        for (name, have) in candidates {
            if let Some(bytes) = read_bounded(&self.root.join(&name), limit)? {
                return Ok((name, have, bytes));
            }
        }
        Err(Failure::broken(full, format!("missing, and its log claims {width} items of it")))
    }

    fn wider(&self, partial: &str, width: u64) -> Option<u64> {
        let names = std::fs::read_dir(self.root.join(partial)).ok()?;
        names
            .take(1024)
            .filter_map(|e| decimal(e.ok()?.file_name().to_str()?))
            .filter(|w| (width + 1..TILE_WIDTH).contains(w))
            .min()
    }
}

/// The entries of one file.
pub(crate) struct Bundle {
    bytes: Vec<u8>,
    spans: Vec<std::ops::Range<usize>>,
}

impl Bundle {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().filter_map(|s| self.bytes.get(s.clone()))
    }

    pub(crate) fn entry(&self, at: u64) -> Option<&[u8]> {
        let span = self.spans.get(usize::try_from(at).ok()?)?;
        self.bytes.get(span.clone())
    }
}

/// The public key that the log in `dir` (its folder, or a data folder) names as its own.
///
/// # Errors
/// When there is no log or no such key.
pub fn own_log_key(dir: &Path) -> Result<VerifierKey, Failure> {
    Folder::open(dir)?.own_key()
}

/// Where a file stands: `tile/0/x001/x234/067`, `tile/entries/000`.
pub(crate) fn relative(kind: Kind, index: u64) -> String {
    let mut number = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        number = format!("x{:03}/{number}", rest % 1000);
        rest /= 1000;
    }
    match kind {
        Kind::Hashes(level) => format!("tile/{level}/{number}"),
        Kind::Entries => format!("tile/entries/{number}"),
    }
}

/// Reads a small file (a note, a key, a receipt): regular, of at most 64 KiB.
///
/// # Errors
/// When it is missing, unreadable or larger.
pub fn read_note(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path, MAX_NOTE_BYTES)?
        .ok_or_else(|| Failure::unreadable(path.display().to_string(), "no such file"))
}

/// The content of a file with the proof of an entry.
///
/// # Errors
/// When it is missing, unreadable or larger.
pub fn read_proof(path: &Path) -> Result<Vec<u8>, Failure> {
    read_bounded(path, MAX_PROOF_BYTES)?
        .ok_or_else(|| Failure::unreadable(path.display().to_string(), "no such file"))
}

/// `None` when there is no such file.
fn read_bounded(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
    let unreadable = |e: &dyn std::fmt::Display| Failure::unreadable(path.display().to_string(), e);
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(&e)),
        Ok(m) if !m.is_file() => return Err(unreadable(&"not a regular file")),
        Ok(m) if m.len() > limit => {
            let detail = format!("has {} bytes; at most {limit} can be right", m.len());
            return Err(Failure::broken(path.display().to_string(), detail));
        }
        Ok(_) => {}
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(&e)),
    };
    let mut bytes = Vec::new();
    // The size may have changed since: the limit is kept while reading too.
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&e))?;
    if bytes.len() as u64 > limit {
        return Err(Failure::broken(path.display().to_string(), format!("longer than {limit} bytes")));
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_cut_into_thousands() {
        for (index, text) in [
            (0, "000"),
            (999, "999"),
            (1000, "x001/000"),
            (1_234_067, "x001/x234/067"),
            (u64::MAX, "x018/x446/x744/x073/x709/x551/615"),
        ] {
            assert_eq!(relative(Kind::Entries, index), format!("tile/entries/{text}"));
            assert_eq!(relative(Kind::Hashes(3), index), format!("tile/3/{text}"));
        }
    }
}
