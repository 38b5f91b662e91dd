//! 7z archives (7zFormat.txt of the LZMA SDK), as scanners of models have been avoided with (nullifAI).
//!
//! An own reader, because what reads them elsewhere makes room for counts before it has seen that much.

mod coder;
mod header;

use self::coder::{Chain, No};
use self::header::{Fields, File, Folder, Streams};
use super::expand::{End, Expanded, Opener};
use super::links::Links;
use super::member::{Container, target};
use super::stream::TRAILING;
use super::zip::{ENCRYPTED, UNSUPPORTED};
use super::{bomb, names};
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Part, Source, read_exactly};

const SIGNATURE: &[u8] = b"7z\xbc\xaf\x27\x1c";
const SIGNATURE_SIZE: u64 = 32;

/// Whether the bytes begin a 7z archive.
pub(crate) fn is_seven(head: &[u8]) -> bool {
    head.starts_with(SIGNATURE)
}

/// Scans every file.
pub(crate) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut cursor = Cursor::at(source, 12);
    let (offset, size) = (cursor.u64_le()?, cursor.u64_le()?);
    let start = offset.checked_add(SIGNATURE_SIZE).ok_or(Halt::Truncated { offset: source.size() })?;
    if size == 0 {
        return Ok(());
    }
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if size > scan.limits.structure_bytes {
        return Err(Halt::limit(format!(
            "{} in a header",
            crate::halt::size(scan.limits.structure_bytes as u64)
        )));
    }
    let bytes = read_exactly(source, start, size)?;
    let behind = Part::from(source, start + size as u64);
    if behind.size() > 0 {
        scan.find(&TRAILING, start + size as u64, format!("{} bytes behind the 7z archive", behind.size()));
        scan.nested("data behind the archive", &behind);
    }
    let Some((streams, files)) = header(source, bytes, scan)? else { return Ok(()) };
    members(source, &streams, &files, scan)
}

/// Streams and files of the header, which may itself be packed; `None` where it cannot be had, which is found.
fn header(
    source: &dyn Source,
    mut bytes: Vec<u8>,
    scan: &mut Scan<'_>,
) -> Parsed<Option<(Streams, Vec<File>)>> {
    const PACKED: usize = 4;
    for _ in 0..PACKED {
        let limits = scan.limits;
        let mut fields = Fields::new(&bytes, limits);
        match fields.byte()? {
            1 => return plain(fields).map(Some),
            23 => {}
            _ => return Err(Halt::malformed(0, "the header is of an unknown kind")),
        }
        let streams = fields.streams()?;
        let Some(folder) = streams.folders.first() else { return Ok(None) };
        let part = Part::new(
            source,
            SIGNATURE_SIZE.saturating_add(streams.start),
            streams.packed.first().copied().unwrap_or(0),
        );
        let Some(content) = unpack(folder, &part, "the header", scan)? else { return Ok(None) };
        content.ended("the header")?;
        let size = usize::try_from(content.size()).unwrap_or(usize::MAX);
        if size > limits.structure_bytes {
            return Err(Halt::limit(format!(
                "{} in a header",
                crate::halt::size(limits.structure_bytes as u64)
            )));
        }
        let unpacked = read_exactly(&content, 0, size)?;
        drop(content);
        bytes = unpacked;
    }
    Err(Halt::malformed(0, "the header is packed again and again"))
}

fn plain(mut fields: Fields<'_>) -> Parsed<(Streams, Vec<File>)> {
    let (mut streams, mut files) = (Streams::default(), Vec::new());
    loop {
        match fields.byte()? {
            0 => return Ok((streams, files)),
            3 => drop(fields.streams()?),
            4 => streams = fields.streams()?,
            5 => files = fields.files()?,
            _ => return Err(Halt::malformed(0, "the header holds an unknown property")),
        }
    }
}

/// Decodes a folder; `None` where that cannot be, which is found.
fn unpack<'a>(
    folder: &Folder,
    part: &'a Part<'a>,
    what: &str,
    scan: &mut Scan<'_>,
) -> Parsed<Option<Expanded<'a>>> {
    match Chain::new(folder) {
        Ok(chain) => {
            let open: Opener<'a> = Box::new(move || chain.open(part));
            Expanded::new(open, part.size(), scan).map(Some)
        }
        Err(No::Encrypted) => {
            scan.find(&ENCRYPTED, None, what);
            Ok(None)
        }
        Err(No::Unsupported) => {
            scan.find(&UNSUPPORTED, None, what);
            Ok(None)
        }
    }
}

fn members(source: &dyn Source, streams: &Streams, files: &[File], scan: &mut Scan<'_>) -> Parsed<()> {
    let mut links = Links::default();
    for file in files {
        names::check(&file.name, 0, scan);
        links.member(&file.name, 0, scan)?;
    }
    let container = Container { format: Format::SevenZip, source };
    let mut start = SIGNATURE_SIZE.saturating_add(streams.start);
    let mut packed = streams.packed.iter();
    let mut files = files.iter().filter(|file| file.has_content);
    for folder in &streams.folders {
        let sizes = packed.by_ref().take(usize::try_from(folder.inputs).unwrap_or(0));
        let size = sizes.fold(0_u64, |sum, &size| sum.saturating_add(size));
        let part = Part::new(source, start, size);
        start = start.saturating_add(size);
        let Some(content) = unpack(folder, &part, "files in the archive", scan)? else {
            files.by_ref().take(folder.files.len()).for_each(drop);
            continue;
        };
        if matches!(content.end, End::Bomb) {
            let what = format!("a block makes more than {} bytes from {size}", content.size());
            scan.find(&bomb::BOMB, None, what);
            files.by_ref().take(folder.files.len()).for_each(drop);
            continue;
        }
        let mut at = 0_u64;
        for &size in &folder.files {
            let Some(file) = files.next() else { break };
            let member = Part::new(&content, at, size);
            at = at.saturating_add(size);
            one(&container, file, &member, &mut links, scan)?;
        }
        if let Err(halt) = content.ended("a block of files") {
            scan.halted(Format::SevenZip, halt);
        } else if content.size() < at {
            return Err(Halt::malformed(0, "a block makes less than its files"));
        }
    }
    Ok(())
}

fn one(
    container: &Container<'_>,
    file: &File,
    member: &Part<'_>,
    links: &mut Links,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    /// The upper half is the mode of Unix.
    const UNIX: u32 = 0x8000;
    let mode = file.attributes >> 16;
    if file.attributes & UNIX != 0 && mode & 0o170_000 == 0o120_000 {
        links.symbolic(&file.name, &target(member)?, 0, scan);
        return Ok(());
    }
    match container.stored(&file.name, member, scan) {
        Err(halt @ (Halt::Limit { .. } | Halt::Unreadable(_))) => Err(halt),
        Err(halt) => {
            scan.halted(container.format, halt);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
