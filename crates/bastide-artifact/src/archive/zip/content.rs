//! The data of a zip entry, decoded.

use std::cell::RefCell;
use std::io;

use super::directory::u16_at;
use super::local::ENCRYPTED;
use crate::archive::bomb::{BOMB, promised};
use crate::archive::codec::{self, Reader};
use crate::archive::expand::{End, Expanded, Opener};
use crate::archive::input::Input;
use crate::archive::member::Container;
use crate::archive::program;
use crate::archive::stream::is_padding;
use crate::archive::zip::rules;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_up_to};

/// Data as one reading of the archive has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Data {
    pub(crate) at: u64,
    pub(crate) packed: u64,
    pub(crate) method: u16,
}

/// What the reading says of the data.
pub(crate) struct Said<'a> {
    pub(crate) name: &'a str,
    pub(crate) flags: u16,
    pub(crate) crc: u32,
    /// `None` where it is not said.
    pub(crate) size: Option<u64>,
}

/// What became of an entry's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Its checksum was compared.
    Summed { right: bool },
    /// It was too large or of no use to compare.
    Unsummed,
}

const DEFLATE: u16 = 8;

/// Stored contents up to this are summed: a checksum is a hint, and weights are many.
const SUMMED: u64 = 4 << 20;

/// Scans the data of one entry.
///
/// # Errors
///
/// What keeps it from being read to the end.
pub(crate) fn scan_data(
    container: &Container<'_>,
    data: Data,
    said: &Said<'_>,
    scan: &mut Scan<'_>,
) -> Parsed<Outcome> {
    let part = Part::new(container.source, data.at, data.packed);
    if said.size.is_some_and(|size| promised(size, data.packed)) {
        let size = said.size.unwrap_or_default();
        scan.find(
            &BOMB,
            data.at,
            format!("member `{}` promises {size} bytes from {}", shown(said.name), data.packed),
        );
    }
    if part.size() < data.packed {
        container.stored(said.name, &part, scan)?;
        return Err(Halt::Truncated { offset: container.source.size() });
    }
    if data.method == 0 {
        return stored(container, &part, data, said, scan);
    }
    if !is_supported(data.method) {
        let what = format!("member `{}` is packed by method {}", shown(said.name), data.method);
        scan.find(&rules::UNSUPPORTED, data.at, what);
        return Ok(Outcome::Unsummed);
    }
    expanded(container, &part, data, said, scan)
}

fn stored(
    container: &Container<'_>,
    part: &Part<'_>,
    data: Data,
    said: &Said<'_>,
    scan: &mut Scan<'_>,
) -> Parsed<Outcome> {
    let encrypted = said.flags & ENCRYPTED != 0;
    let outcome = match said.size {
        Some(_) if part.size() <= SUMMED => Outcome::Summed { right: sum(part)? == said.crc },
        _ => Outcome::Unsummed,
    };
    if encrypted {
        let plain = outcome == Outcome::Summed { right: true }
            || program::is_telling(&read_up_to(part, 0, 512)?, part.size());
        if !is_plain(plain, said, data, scan) {
            return Ok(Outcome::Unsummed);
        }
    } else if said.size.is_some_and(|size| size != data.packed) {
        let size = said.size.unwrap_or_default();
        scan.find(
            &rules::MISMATCH,
            data.at,
            format!(
                "member `{}` is stored in {} bytes and said to have {size}",
                shown(said.name),
                data.packed
            ),
        );
    }
    container.stored(said.name, part, scan)?;
    Ok(outcome)
}

fn expanded(
    container: &Container<'_>,
    part: &Part<'_>,
    data: Data,
    said: &Said<'_>,
    scan: &mut Scan<'_>,
) -> Parsed<Outcome> {
    let size = said.size.unwrap_or(u64::MAX);
    let input = RefCell::new(Input::new(part));
    let open: Opener<'_> = Box::new(|| {
        *input.borrow_mut() = Input::new(part);
        decoder(data.method, input.borrow().clone(), size)
    });
    let content = Expanded::new(open, data.packed, scan)?;
    let used = input.borrow().position();
    let whole = matches!(content.end, End::Whole);
    let right = whole && content.crc == said.crc;
    if said.flags & ENCRYPTED != 0 {
        let plain = right || (whole && said.size == Some(content.size()) && content.size() > 0);
        if !is_plain(plain, said, data, scan) {
            return Ok(Outcome::Unsummed);
        }
    }
    container.expanded(said.name, &content, data.packed, scan)?;
    if whole && data.method == DEFLATE && said.size.is_some() {
        slack(&Part::from(part, used), data.at + used, said, scan)?;
    }
    match said.size {
        Some(size) if whole && size != content.size() => {
            let what = format!(
                "member `{}` is said to have {size} bytes and has {}",
                shown(said.name),
                content.size()
            );
            scan.find(&rules::MISMATCH, data.at, what);
            Ok(Outcome::Unsummed)
        }
        Some(_) if whole => Ok(Outcome::Summed { right }),
        _ => Ok(Outcome::Unsummed),
    }
}

/// Scans what stands behind a stream that ends before its data: readers that ask the stream take it for the next member.
fn slack(rest: &Part<'_>, at: u64, said: &Said<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    if !is_padding(rest)? {
        let what = format!("{} bytes behind the stream of member `{}`", rest.size(), shown(said.name));
        scan.find(&rules::HIDDEN, at, what);
        scan.nested("data behind the stream", rest);
    }
    Ok(())
}

/// Whether data that is flagged as encrypted is plain, and the finding either way.
///
/// PyTorch does not look at the flag, and scanners that do see nothing (CVE-2025-1945).
fn is_plain(plain: bool, said: &Said<'_>, data: Data, scan: &mut Scan<'_>) -> bool {
    let rule = if plain { &rules::FLAGS } else { &rules::ENCRYPTED };
    scan.find(rule, data.at, format!("member `{}`", shown(said.name)));
    plain
}

fn is_supported(method: u16) -> bool {
    matches!(method, 8 | 12 | 14 | 20 | 93 | 95)
}

/// A decoder for the data of an entry (APPNOTE 6.3.10, section 4.4.5).
fn decoder(method: u16, input: Input<'_>, size: u64) -> io::Result<Reader<'_>> {
    match method {
        DEFLATE => Ok(codec::deflate(input)),
        12 => Ok(codec::bzip2(input)),
        14 => lzma(input, size),
        20 | 93 => codec::zstd(input),
        95 => Ok(codec::xz(input)),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// The first bytes of the data of an entry, as many as decode.
pub(crate) fn start(method: u16, part: &Part<'_>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reader = match method {
        0 => Ok(Box::new(Input::new(part)) as Reader<'_>),
        _ => decoder(method, Input::new(part), u64::MAX),
    };
    // What fails in the middle has given its start.
    if let Ok(reader) = reader {
        let _ = io::Read::read_to_end(&mut io::Read::take(reader, most), &mut bytes);
    }
    bytes
}

/// How many bytes the data of an entry decodes to, up to `most`; `None` where it does not decode.
pub(crate) fn length(method: u16, part: &Part<'_>, most: u64) -> Option<u64> {
    let mut reader = io::Read::take(decoder(method, Input::new(part), u64::MAX).ok()?, most);
    io::copy(&mut reader, &mut io::sink()).ok()
}

/// Version, size of the properties, properties, stream (APPNOTE 6.3.10, section 5.8.8).
fn lzma(mut input: Input<'_>, size: u64) -> io::Result<Reader<'_>> {
    let mut header = [0; 9];
    io::Read::read_exact(&mut input, &mut header)?;
    let [_, _, _, _, properties, d0, d1, d2, d3] = header;
    let extra = u16_at(&header, 2).saturating_sub(5);
    input.skip(u64::from(extra));
    codec::lzma_raw(Box::new(input), properties, u32::from_le_bytes([d0, d1, d2, d3]), size)
}

fn sum(part: &Part<'_>) -> Parsed<u32> {
    let mut crc = flate2::Crc::new();
    let mut at = 0;
    while at < part.size() {
        let bytes = read_up_to(part, at, 256 << 10)?;
        if bytes.is_empty() {
            break;
        }
        crc.update(&bytes);
        at += bytes.len() as u64;
    }
    Ok(crc.sum())
}
