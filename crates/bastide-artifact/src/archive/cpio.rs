//! cpio archives of the portable ASCII formats (`cpio(5)`, `odc` and `newc`), and RPM packages, which hold one behind two
//! headers.

use super::ar::scanned;
use super::links::Links;
use super::member::{Container, target, text};
use super::names;
use super::stream::{TRAILING, is_padding};
use super::tar::SPECIAL;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_exactly, read_up_to};

/// How the formats begin: `odc`, `newc`, and `newc` with sums.
const MARKS: [&[u8]; 3] = [b"070707", b"070701", b"070702"];
const RPM: &[u8] = b"\xed\xab\xee\xdb";
/// Modes of Unix.
const TYPE: u64 = 0o170_000;
const LINK: u64 = 0o120_000;
/// The longest name of a member.
const NAME: u64 = 1 << 16;

pub(crate) fn is_cpio(head: &[u8]) -> bool {
    MARKS.iter().any(|mark| head.starts_with(mark)) && Entry::parse(head).is_some()
}

pub(crate) fn is_rpm(head: &[u8]) -> bool {
    head.starts_with(RPM)
}

/// One member's header.
struct Entry {
    mode: u64,
    name_size: u64,
    size: u64,
    /// Bytes of the header itself.
    header: u64,
    /// What header with name, and content, are padded to.
    align: u64,
}

impl Entry {
    fn parse(header: &[u8]) -> Option<Self> {
        let number = |at: usize, size: usize, base: u32| {
            u64::from_str_radix(std::str::from_utf8(header.get(at..at + size)?).ok()?, base).ok()
        };
        match header.get(..6)? {
            b"070707" => Some(Entry {
                mode: number(18, 6, 8)?,
                name_size: number(59, 6, 8)?,
                size: number(65, 11, 8)?,
                header: 76,
                align: 1,
            }),
            b"070701" | b"070702" => Some(Entry {
                mode: number(14, 8, 16)?,
                name_size: number(94, 8, 16)?,
                size: number(54, 8, 16)?,
                header: 110,
                align: 4,
            }),
            _ => None,
        }
    }
}

/// Scans every member.
pub(crate) fn read(container: &Container<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    // Start-up images and packages are made of nothing else than systems.
    let mut links = Links::of_system();
    let read = members(container, &mut links, scan);
    links.finish(scan);
    read
}

fn members(container: &Container<'_>, links: &mut Links, scan: &mut Scan<'_>) -> Parsed<()> {
    const HEADER: usize = 110;
    let source = container.source;
    let mut at = 0_u64;
    let mut count = 0;
    while at < source.size() {
        count += 1;
        scan.spend(1)?;
        if count > scan.limits.entries {
            return Err(Halt::limit(format!("{} entries in an archive", scan.limits.entries)));
        }
        let Some(entry) = Entry::parse(&read_up_to(source, at, HEADER)?) else {
            return Err(Halt::malformed(at, "no header of a member"));
        };
        if entry.name_size > NAME {
            return Err(Halt::limit(format!("{NAME} bytes in the name of a member")));
        }
        let name_at = at + entry.header;
        let name = read_exactly(source, name_at, usize::try_from(entry.name_size).unwrap_or(0))?;
        let name = text(name.split(|byte| *byte == 0).next().unwrap_or_default());
        let data = (name_at + entry.name_size).next_multiple_of(entry.align);
        let end = data.saturating_add(entry.size);
        if end > source.size() {
            return Err(Halt::Truncated { offset: source.size() });
        }
        if name == "TRAILER!!!" {
            return behind(source, end, scan);
        }
        names::check(&name, at, scan);
        links.member(&name, at, scan)?;
        let content = Part::new(source, data, entry.size);
        if entry.mode & TYPE == LINK {
            links.symbolic(&name, &target(&content)?, at, scan);
        } else {
            member(container, &name, &entry, &content, scan)?;
        }
        at = end.next_multiple_of(entry.align);
    }
    Err(Halt::Truncated { offset: source.size() })
}

/// One member that is no link: what unpacking makes of it, and its content.
fn member(
    container: &Container<'_>,
    name: &str,
    entry: &Entry,
    content: &Part<'_>,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    match entry.mode & TYPE {
        0o020_000 | 0o060_000 | 0o010_000 => {
            scan.find(&SPECIAL, None, format!("member `{}`", shown(name)));
            Ok(())
        }
        _ => scanned(container, name, content, scan),
    }
}

/// What stands behind the last member: zeros, as tapes want them, or another archive.
fn behind(source: &dyn Source, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    let rest = Part::from(source, at);
    if !is_padding(&rest)? {
        scan.find(&TRAILING, at, format!("{} bytes behind the archive", rest.size()));
        scan.nested("data behind the archive", &rest);
    }
    Ok(())
}

/// Scans the payload of an RPM package: a lead, a header of signatures, a header, then a compressed archive.
pub(crate) fn package(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    const LEAD: u64 = 96;
    let signatures = header_end(source, LEAD)?;
    let payload = header_end(source, signatures.next_multiple_of(8))?;
    scan.in_package(|scan| scan.nested("payload", &Part::from(source, payload)));
    Ok(())
}

/// Where the header at `at` ends: its mark, the count of its entries and the size of their data.
fn header_end(source: &dyn Source, at: u64) -> Parsed<u64> {
    let header = read_exactly(source, at, 16)?;
    let number = |place: usize| {
        let bytes = header.get(place..)?.first_chunk::<4>()?;
        Some(u64::from(u32::from_be_bytes(*bytes)))
    };
    match (header.starts_with(b"\x8e\xad\xe8"), number(8), number(12)) {
        (true, Some(entries), Some(size)) => Ok(at + 16 + 16 * entries + size),
        _ => Err(Halt::malformed(at, "no header of a package")),
    }
}
