//! HDF5 (file format specification 3.0, versions 0 to 3 of the superblock): attributes, where Keras keeps a model's
//! configuration, and everything by which one file reaches into others.
//!
//! Values of datasets are read only where they are pickles: the others are numbers. Where a structure is beyond this reader, the bytes are searched for
//! configurations instead, so that none is missed.

mod bytes;
mod heap;
mod message;
mod object;
mod pickles;
mod search;

use std::collections::BTreeSet;

use bastide_types::{Assessment, Rule, Severity};

use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};
use bytes::File;
use pickles::Kept;

/// Data of the host.
pub(crate) const OUTSIDE: Rule = Rule {
    id: "hdf5.outside",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "HDF5 file takes data from a file outside of its folder",
    why: "opening a dataset or group reads that file of the host, and hands it on as part of the model (CVE-2026-1669)",
    fix: "do not load the model",
    cwe: &[73, 22],
    atlas: &["AML.T0010.003"],
};

/// Data beside the file.
pub(crate) const EXTERNAL: Rule = Rule {
    id: "hdf5.external",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "HDF5 file takes data from another file",
    why: "what is loaded is not all in the file that was scanned and signed",
    fix: "scan the other file as well, or repack the model into one",
    cwe: &[73],
    atlas: &["AML.T0010.003"],
};

/// A plug-in.
pub(crate) const FILTER: Rule = Rule {
    id: "hdf5.filter",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "HDF5 file needs a filter that nobody registered",
    why: "the library loads a plug-in by this number from a folder of the host",
    fix: "ask for a file with a common compression",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// Only the mark of the format.
pub(crate) const UNOPENABLE: Rule = Rule {
    id: "hdf5.unopenable",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "file that begins as HDF5 and is none",
    why: "no superblock in it is valid, so that no HDF5 library opens it, and no model configuration stands in it",
    fix: "ask the publisher for the weights, if you need them",
    cwe: &[],
    atlas: &[],
};

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Objects of one file; a Keras model has two for each weight.
const MOST_OBJECTS: usize = 200_000;

/// Where the superblock is: at 0, 512, 1024 or a further power of two.
pub(super) fn superblock(head: &[u8], source: &dyn Source) -> Parsed<Option<u64>> {
    if head.starts_with(SIGNATURE) {
        return Ok(Some(0));
    }
    signature_from(512, head, source)
}

/// The first signature at a power of two from `at` on.
fn signature_from(mut at: u64, head: &[u8], source: &dyn Source) -> Parsed<Option<u64>> {
    const FARTHEST: u64 = 1 << 20;
    while at < source.size().min(FARTHEST) {
        let found = match usize::try_from(at).ok().and_then(|at| head.get(at..at + SIGNATURE.len())) {
            Some(bytes) => bytes == SIGNATURE,
            None => read_up_to(source, at, SIGNATURE.len())? == SIGNATURE,
        };
        if found {
            return Ok(Some(at));
        }
        at *= 2;
    }
    Ok(None)
}

/// Reads a file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let head = read_up_to(source, 0, 1 << 16)?;
    let base = superblock(&head, source)?.ok_or_else(|| Halt::malformed(0, "no superblock"))?;
    let mut base = base;
    let mut openable = is_openable(source, base)?;
    while !openable && let Some(further) = signature_from((2 * base).max(512), &head, source)? {
        base = further;
        openable = is_openable(source, base)?;
    }
    let mut walk = Walk { scan, unread: false, attributes: 0, kept: Kept::default() };
    let root = root(source, base);
    let length_size = root.as_ref().map_or(8, |(file, _)| file.length_size);
    let outcome = root.and_then(|(file, root)| walk.objects(file, root));
    let (unread, attributes, mut kept) = (walk.unread || outcome.is_err(), walk.attributes, walk.kept);
    // What was not read may say it.
    kept.rows |= unread;
    pickles::values(source, kept, length_size, scan)?;
    if !unread {
        return Ok(());
    }
    let found = search::configurations(source, scan)?;
    match outcome {
        Err(_) if found == 0 && !openable => {
            scan.find(&UNOPENABLE, base, "no superblock in it is valid");
            Ok(())
        }
        // A reader that finds nothing at all vouches for nothing.
        Err(halt) if found == 0 && attributes == 0 => Err(halt),
        Err(Halt::Truncated { offset }) => Err(Halt::Truncated { offset }),
        _ => Ok(()),
    }
}

/// Whether the superblock at `base` has a version and widths that libraries take, as far as the file goes.
fn is_openable(source: &dyn Source, base: u64) -> Parsed<bool> {
    let start = read_up_to(source, base, 16)?;
    let widths = match start.get(8) {
        Some(0 | 1) => start.get(13..15),
        Some(2 | 3) => start.get(9..11),
        Some(_) => return Ok(false),
        None => None,
    };
    Ok(widths.is_none_or(|widths| widths.iter().all(|width| matches!(width, 2 | 4 | 8 | 16))))
}

/// The address of the root group's header.
fn root(source: &dyn Source, base: u64) -> Parsed<(File<'_>, u64)> {
    let mut file = File { source, base, offset_size: 8, length_size: 8 };
    let mut block = file.up_to(0, 256)?;
    block.expect(SIGNATURE)?;
    let version = block.u8()?;
    let sizes = |block: &mut bytes::Block<'_>| -> Parsed<(usize, usize)> {
        let (offset, length) = (usize::from(block.u8()?), usize::from(block.u8()?));
        if !matches!((offset, length), (2 | 4 | 8 | 16, 2 | 4 | 8 | 16)) {
            return Err(Halt::malformed(base, "widths of offsets and lengths"));
        }
        Ok((offset, length))
    };
    match version {
        0 | 1 => {
            block.skip(4)?;
            (file.offset_size, file.length_size) = sizes(&mut block)?;
            block.file = file;
            block.skip(1 + 2 + 2 + 4 + if version == 1 { 4 } else { 0 })?;
            let stated = block.offset()?;
            block.skip(3 * file.offset_size)?;
            block.skip(file.offset_size)?;
            file.base = if stated == 0 { base } else { stated };
            Ok((file, block.offset()?))
        }
        2 | 3 => {
            (file.offset_size, file.length_size) = sizes(&mut block)?;
            block.file = file;
            block.skip(1)?;
            let stated = block.offset()?;
            block.skip(2 * file.offset_size)?;
            file.base = if stated == 0 { base } else { stated };
            Ok((file, block.offset()?))
        }
        _ => Err(Halt::malformed(base, format!("version {version} of the superblock"))),
    }
}

/// The walk over all objects.
pub(super) struct Walk<'w, 'l> {
    pub(super) scan: &'w mut Scan<'l>,
    /// Something was not understood.
    pub(super) unread: bool,
    /// Attributes read.
    pub(super) attributes: u64,
    /// Pickles that attributes tell of.
    pub(super) kept: Kept,
}

impl Walk<'_, '_> {
    fn objects(&mut self, file: File<'_>, root: u64) -> Parsed<()> {
        let mut seen = BTreeSet::new();
        let mut open = vec![root];
        while let Some(address) = open.pop() {
            if !file.is_address(address) || !seen.insert(address) {
                continue;
            }
            self.scan.spend(1)?;
            if seen.len() > MOST_OBJECTS {
                return Err(Halt::limit(format!("{MOST_OBJECTS} objects of an HDF5 file")));
            }
            match self.object(file, address, &mut open) {
                // The root must be readable; of the others the rest still counts.
                Err(halt) if address == root => return Err(halt),
                Err(_) => self.unread = true,
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// A name of another file from which data comes.
    pub(super) fn other_file(&mut self, what: &str, name: &str, at: u64) {
        if name.is_empty() || name == "." {
            return;
        }
        let rule = if crate::document::config::escapes(name) { &OUTSIDE } else { &EXTERNAL };
        self.scan.find(rule, at, format!("{what} `{}`", shown(name)));
    }
}

#[cfg(test)]
mod tests;
