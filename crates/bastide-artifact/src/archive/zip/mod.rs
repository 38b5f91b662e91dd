//! Zip archives, as every reader reads them: through the directory at the end, from header to header, and by what lies in
//! between. What two readers would read in two ways is found, and all of it is scanned.
//!
//! The failures this guards against: picklescan stopped at a wrong checksum (CVE-2025-10156), at flags (CVE-2025-1945)
//! and at names (CVE-2025-1944) that PyTorch does not look at.

mod content;
mod directory;
mod gaps;
mod local;
mod members;
mod rules;
mod storages;

use self::directory::{Directory, directories};
use super::kind;
use super::member::{Container, text};
use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::limits::Limits;
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};

pub(crate) use self::rules::{
    CHECKSUM, DUPLICATE, DUPLICATE_FILE, ENCRYPTED, FLAGS, HIDDEN, MISMATCH, MIXED, NO_CHECKSUMS, PREFIX,
    RECORD, UNSUPPORTED,
};

/// The end record with its longest comment.
const TAIL: usize = (64 << 10) + 22;

/// What kind of zip archive the file is, if it is one, and whether weights of llama.cpp are in it.
pub(crate) fn recognise(glance: &Glance<'_>) -> Option<(Format, bool)> {
    let ended = directory::is_zip(glance.source, glance.tail);
    if !ended && !glance.head.starts_with(local::LOCAL) {
        return None;
    }
    let limits = Limits { entries: kind::NAMES as u64, ..Limits::default() };
    let directories = directories(glance.source, glance.tail, &limits).unwrap_or_default();
    let listed: Vec<String> =
        directories.iter().flat_map(|directory| &directory.entries).map(|entry| text(&entry.name)).collect();
    let names = if listed.is_empty() { streamed_names(glance.source) } else { listed };
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.ends_with('/')).collect();
    let is_skops = || directories.iter().any(|directory| is_skops(glance.source, directory));
    let has_weights = names.iter().any(|name| name.ends_with(".gguf") || *name == ".args");
    Some((kind::of_zip(&names, is_skops), has_weights))
}

/// Names in the local headers of an archive that has no directory.
fn streamed_names(source: &dyn Source) -> Vec<String> {
    const LOOKED: u64 = 256 << 20;
    let mut names = Vec::new();
    let mut at = 0;
    while let Ok(Some(found)) = local::find(source, local::LOCAL, at, source.size().min(LOOKED)) {
        match local::Local::read(source, found, 64) {
            Ok(Some(local)) if local.is_plausible() => names.push(text(&local.name)),
            Ok(_) => {}
            Err(_) => break,
        }
        at = found + 4;
        if names.len() >= kind::NAMES {
            break;
        }
    }
    names
}

/// Whether `schema.json` names the loaders of skops.
fn is_skops(source: &dyn Source, directory: &Directory) -> bool {
    const LOOKED: u64 = 64 << 10;
    let schema = directory.entries.iter().find(|entry| entry.name == b"schema.json");
    let Some(entry) = schema else { return false };
    let Ok(Some(local)) = local::Local::read(source, entry.local, entry.name.len()) else { return false };
    let part = Part::new(source, local.data, entry.packed);
    let start = content::start(entry.method, &part, LOOKED);
    memchr::memmem::find(&start, b"\"__loader__\"").is_some()
}

/// Scans everything that a reader could take for a member of the archive.
pub(crate) fn read(format: Format, source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let tail = read_up_to(source, source.size().saturating_sub(TAIL as u64), TAIL)?;
    let directories = directories(source, &tail, scan.limits)?;
    let container = Container { format, source };
    if let [first, _, ..] = directories.as_slice() {
        let what = format!("{} directories that readers choose from", directories.len());
        scan.find(&MISMATCH, first.start, what);
    }
    let mut covered = Vec::new();
    let mut names = members::Names::default();
    for directory in &directories {
        names.check(&container, directory, scan);
        members::scan_all(&container, directory, &mut covered, scan)?;
        storages::check(&container, directory, scan)?;
        // No reader of archives looks at the comment, and readers of other formats may find theirs in it.
        let comment = Part::new(source, directory.comment, directory.archive_end - directory.comment);
        if comment.size() > 0 {
            scan.nested("comment", &comment);
        }
        covered.push((directory.start, directory.archive_end));
    }
    let listed = !directories.is_empty();
    let halts: Vec<Halt> = directories.into_iter().filter_map(|directory| directory.halt).collect();
    // What a directory that is too long lists does not count as hidden.
    if !halts.iter().any(|halt| matches!(halt, Halt::Limit { .. })) {
        gaps::scan_all(&container, name, &mut covered, &names, listed, scan)?;
    }
    match halts.into_iter().next() {
        Some(halt) => Err(halt),
        None if listed => Ok(()),
        None => Err(Halt::Truncated { offset: source.size() }),
    }
}
