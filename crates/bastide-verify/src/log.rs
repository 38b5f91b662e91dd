//! Verification of a whole log: every byte that is published is derived again from the entries.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::entry::Entry;
use crate::failure::Failure;
use crate::folder::{Folder, Kind, TILE_WIDTH, relative};
use crate::links::Links;
use crate::merkle::{Frontier, Hash, leaf_hash};
use crate::note::{Checkpoint, VerifierKey, open_checkpoint};
use crate::text::{printable, rfc3339};

/// What the entries of the log are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Entries {
    /// bastide's: each must be canonical CBOR of version 1, and an outcome must belong to its request.
    #[default]
    Bastide,
    /// Anything: a log of another program.
    Any,
}

/// How to verify.
#[derive(Clone, Debug, Default)]
pub struct LogOptions {
    /// The key the checkpoint must be signed with. Without one, the folder's own `log.vkey` is believed, which shows
    /// that nothing is torn or rotten, and not whose log it is: whoever rewrote the log rewrote the key too.
    pub key: Option<VerifierKey>,
    /// What the entries are.
    pub entries: Entries,
}

impl LogOptions {
    pub(crate) fn key_for(&self, folder: &Folder) -> Result<(VerifierKey, bool), Failure> {
        match &self.key {
            Some(key) => Ok((key.clone(), true)),
            None => Ok((folder.own_key()?, false)),
        }
    }
}

/// What was found to hold.
#[derive(Clone, Debug, Serialize)]
pub struct LogReport {
    /// The log's name.
    pub origin: String,
    /// Entries under the checkpoint.
    pub size: u64,
    /// The root, as the checkpoint writes it.
    pub root: String,
    /// The same in hexadecimal.
    pub root_hex: String,
    /// The key that signed.
    pub key: String,
    /// Whether the caller gave that key; otherwise it came from the folder itself.
    pub key_given: bool,
    /// Signatures of others on the checkpoint; not checked.
    pub cosignatures: usize,
    /// Entry bundles hashed again.
    pub bundles: u64,
    /// Tiles compared.
    pub tiles: u64,
    /// How many entries of each kind; empty when the entries may be anything.
    pub kinds: BTreeMap<String, u64>,
    /// The time the first entry gives, in microseconds since the Unix epoch.
    pub first_at: Option<u64>,
    /// The time the last entry gives.
    pub last_at: Option<u64>,
    /// Requests without an outcome: in flight when the checkpoint was made, or cut off by a crash.
    pub open_requests: u64,
}

impl fmt::Display for LogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "log {} holds", printable(&self.origin))?;
        writeln!(f, "  entries            {}", self.size)?;
        writeln!(f, "  root               {}", self.root_hex)?;
        writeln!(f, "  in the checkpoint  {}", self.root)?;
        writeln!(f, "  signed by          {}", printable(&self.key))?;
        if !self.key_given {
            writeln!(
                f,
                "                     the folder's own key: shows that the log is whole, not whose it is (--log-key)"
            )?;
        }
        writeln!(f, "  derived again      {} bundles, {} tiles", self.bundles, self.tiles)?;
        if let (Some(first), Some(last)) = (self.first_at, self.last_at) {
            writeln!(f, "  from, to           {}, {}", rfc3339(first), rfc3339(last))?;
        }
        for (kind, count) in &self.kinds {
            writeln!(f, "  {:<18} {count}", printable(kind))?;
        }
        if self.open_requests > 0 {
            writeln!(f, "  without outcome    {}", self.open_requests)?;
        }
        Ok(())
    }
}

/// Verifies the log in `dir` (the log's folder, or a data folder with a `log` in it): the checkpoint's signature, the
/// root over every entry, every tile, the form of every entry, and that each outcome belongs to its request.
///
/// # Errors
/// The first thing that does not hold, or what could not be read.
pub fn verify_log(dir: &Path, key: Option<&VerifierKey>) -> Result<LogReport, Failure> {
    verify_log_with(dir, &LogOptions { key: key.cloned(), entries: Entries::Bastide })
}

/// Like [`verify_log`], for logs of other programs too.
///
/// # Errors
/// The first thing that does not hold, or what could not be read.
pub fn verify_log_with(dir: &Path, options: &LogOptions) -> Result<LogReport, Failure> {
    let folder = Folder::open(dir)?;
    let (key, key_given) = options.key_for(&folder)?;
    let checkpoint = open_checkpoint(&folder.checkpoint()?, &key)?;
    derive(&folder, &key, key_given, &checkpoint, options.entries, &mut |_| Ok(()))
}

/// What [`verify_consistency`] found to hold.
#[derive(Clone, Debug, Serialize)]
pub struct ConsistencyReport {
    /// Entries under the old checkpoint.
    pub old_size: u64,
    /// Its root.
    pub old_root: String,
    /// The log as it stands.
    pub log: LogReport,
}

impl fmt::Display for ConsistencyReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "the log has only grown: its first {} entries have the root {}",
            self.old_size, self.old_root
        )?;
        fmt::Display::fmt(&self.log, f)
    }
}

/// Whether the log in `dir` continues the one that `old` (a signed checkpoint) speaks of. No proof is asked for:
/// both roots are derived from the entries.
///
/// # Errors
/// [`crate::FailureKind::DoesNotHold`] when the log is shorter or another.
pub fn verify_consistency(
    old: &[u8],
    dir: &Path,
    options: &LogOptions,
) -> Result<ConsistencyReport, Failure> {
    let folder = Folder::open(dir)?;
    let (key, key_given) = options.key_for(&folder)?;
    let old =
        open_checkpoint(old, &key).map_err(|f| Failure { subject: format!("old {}", f.subject), ..f })?;
    let checkpoint = open_checkpoint(&folder.checkpoint()?, &key)?;
    if checkpoint.size < old.size {
        let detail =
            format!("{} entries, fewer than the {} of the old checkpoint", checkpoint.size, old.size);
        return Err(Failure::broken("checkpoint", detail));
    }
    let mut compare = |frontier: &Frontier| {
        if frontier.size() == old.size && frontier.root() != old.root {
            let detail = format!("its first {} entries have another root than the old checkpoint", old.size);
            return Err(Failure::broken("log", detail));
        }
        Ok(())
    };
    let log = derive(&folder, &key, key_given, &checkpoint, options.entries, &mut compare)?;
    Ok(ConsistencyReport { old_size: old.size, old_root: old.root.to_base64(), log })
}

/// One row of tiles while it is derived: at most 256 hashes, whatever the log's size.
#[derive(Default)]
struct Row {
    complete: u64,
    hashes: Vec<Hash>,
}

fn derive(
    folder: &Folder,
    key: &VerifierKey,
    key_given: bool,
    checkpoint: &Checkpoint,
    entries: Entries,
    at_each_size: &mut dyn FnMut(&Frontier) -> Result<(), Failure>,
) -> Result<LogReport, Failure> {
    let mut report = LogReport {
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.to_base64(),
        root_hex: checkpoint.root.to_hex(),
        key: key.to_string(),
        key_given,
        cosignatures: checkpoint.cosignatures,
        bundles: 0,
        tiles: 0,
        kinds: BTreeMap::new(),
        first_at: None,
        last_at: None,
        open_requests: 0,
    };
    let mut frontier = Frontier::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut links = Links::new(folder, checkpoint.size);
    at_each_size(&frontier)?;
    while frontier.size() < checkpoint.size {
        let number = frontier.size() / TILE_WIDTH;
        let bundle = folder.bundle(number, (checkpoint.size - frontier.size()).min(TILE_WIDTH))?;
        report.bundles += 1;
        for bytes in bundle.entries() {
            let index = frontier.size();
            let leaf = leaf_hash(bytes);
            if entries == Entries::Bastide {
                let subject = || format!("entry {index}");
                let entry = Entry::read(bytes).map_err(|e| Failure::broken(subject(), e))?;
                links.check(index, leaf, &entry).map_err(|e| e.at(subject()))?;
                count(&mut report, &entry)?;
            }
            frontier.push(leaf);
            at_each_size(&frontier)?;
            climb(folder, &mut rows, leaf, &mut report.tiles)?;
        }
    }
    for (level, row) in rows.iter().enumerate().filter(|(_, row)| !row.hashes.is_empty()) {
        compare_tile(folder, level, row)?;
        report.tiles += 1;
    }
    if frontier.root() != checkpoint.root {
        return Err(Failure::broken("root", "the entries lead to another root than the checkpoint's"));
    }
    report.open_requests = links.open();
    Ok(report)
}

/// The kinds are a closed list of a few; a log that makes them up by the million does not fill the memory.
const MAX_KINDS: usize = 256;

fn count(report: &mut LogReport, entry: &Entry<'_>) -> Result<(), Failure> {
    report.first_at.get_or_insert(entry.at);
    report.last_at = Some(entry.at);
    if let Some(n) = report.kinds.get_mut(entry.kind) {
        *n += 1;
    } else if report.kinds.len() < MAX_KINDS {
        report.kinds.insert(entry.kind.to_owned(), 1);
    } else {
        return Err(Failure::broken("log", "has more kinds of entries than any version of bastide writes"));
    }
    Ok(())
}

/// Takes a hash into its row; a full row is compared with its tile and climbs one level as one hash.
fn climb(folder: &Folder, rows: &mut Vec<Row>, leaf: Hash, tiles: &mut u64) -> Result<(), Failure> {
    let mut hash = leaf;
    for level in 0.. {
        if rows.len() == level {
            rows.push(Row::default());
        }
        let Some(row) = rows.get_mut(level) else { break };
        row.hashes.push(hash);
        if (row.hashes.len() as u64) < TILE_WIDTH {
            break;
        }
        compare_tile(folder, level, row)?;
        *tiles += 1;
        let mut whole = Frontier::default();
        row.hashes.iter().for_each(|h| whole.push(*h));
        hash = whole.root();
        row.hashes.clear();
        row.complete += 1;
    }
    Ok(())
}

fn compare_tile(folder: &Folder, level: usize, row: &Row) -> Result<(), Failure> {
    // A log of 2^64 entries has eight levels.
    let level = u8::try_from(level).unwrap_or(u8::MAX);
    let published = folder.tile(level, row.complete, row.hashes.len() as u64)?;
    let wrong = published.iter().zip(&row.hashes).position(|(p, d)| p != d);
    match wrong {
        None if published.len() == row.hashes.len() => Ok(()),
        at => {
            let at = at.unwrap_or(published.len());
            let name = relative(Kind::Hashes(level), row.complete);
            Err(Failure::broken(name, format!("its hash {at} is not what the entries lead to")))
        }
    }
}
