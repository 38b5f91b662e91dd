//! Local headers: what readers see that go through the archive from its start (APPNOTE 6.3.10, sections 4.3.7 to 4.3.9).

use super::directory::{Entry, u16_at, u32_at, u64_at, zip64};
use crate::halt::Parsed;
use crate::source::{Source, read_up_to};

pub(crate) const LOCAL: &[u8; 4] = b"PK\x03\x04";
pub(crate) const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";
const HEADER: usize = 30;

/// Sizes and checksum stand behind the data.
pub(crate) const STREAMED: u16 = 1 << 3;
/// Encrypted, patched, strongly encrypted, or with a masked header: what Python's zipfile refuses.
pub(crate) const ENCRYPTED: u16 = 1 | 1 << 5 | 1 << 6 | 1 << 13;

/// A local header.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) at: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u64,
    pub(crate) size: u64,
    /// Where the data begins.
    pub(crate) data: u64,
}

impl Local {
    /// The header at `at`; `None` where there is none.
    pub(crate) fn read(source: &dyn Source, at: u64, name_hint: usize) -> Parsed<Option<Self>> {
        let mut bytes = read_up_to(source, at, HEADER + name_hint + 32)?;
        if !bytes.starts_with(LOCAL) || bytes.len() < HEADER {
            return Ok(None);
        }
        let (name_size, extra_size) = (usize::from(u16_at(&bytes, 26)), usize::from(u16_at(&bytes, 28)));
        let whole = HEADER + name_size + extra_size;
        if bytes.len() < whole {
            bytes = read_up_to(source, at, whole)?;
        }
        let (Some(name), Some(extra)) =
            (bytes.get(HEADER..HEADER + name_size), bytes.get(HEADER + name_size..whole))
        else {
            return Ok(None);
        };
        let mut sizes = [u64::from(u32_at(&bytes, 22)), u64::from(u32_at(&bytes, 18))];
        zip64(extra, &mut sizes);
        let [size, packed] = sizes;
        Ok(Some(Local {
            at,
            name: name.to_vec(),
            flags: u16_at(&bytes, 6),
            method: u16_at(&bytes, 8),
            crc: u32_at(&bytes, 14),
            packed,
            size,
            data: at + whole as u64,
        }))
    }

    /// Whether the header does not say how long the data is.
    pub(crate) fn is_open(&self) -> bool {
        self.packed == 0 && (self.flags & STREAMED != 0 || self.size != 0)
    }

    /// Whether the fields make sense: what a search finds may be chance.
    pub(crate) fn is_plausible(&self) -> bool {
        let known = matches!(self.method, 0..=10 | 12 | 14 | 18..=20 | 93..=99);
        known
            && !self.name.is_empty()
            && self.name.iter().all(|&byte| byte >= b' ')
            && self.name.len() <= 4096
    }
}

/// How many bytes of descriptor follow the data that ends at `end`: none, or one of the four shapes that writers give it
/// (with and without signature, of 32 and 64 bits).
pub(crate) fn descriptor(source: &dyn Source, end: u64, entry: &Entry) -> Parsed<u64> {
    let bytes = read_up_to(source, end, 24)?;
    let body: usize = if bytes.starts_with(DESCRIPTOR) { 4 } else { 0 };
    let sizes = (entry.packed, entry.size);
    let short = (u64::from(u32_at(&bytes, body + 4)), u64::from(u32_at(&bytes, body + 8)));
    let size = if (u64_at(&bytes, body + 4), u64_at(&bytes, body + 12)) == sizes && bytes.len() >= body + 20 {
        20
    } else if body > 0 || short == (sizes.0 & 0xffff_ffff, sizes.1 & 0xffff_ffff) {
        12
    } else {
        return Ok(0);
    };
    Ok((bytes.len().min(body + size)) as u64)
}

/// The next place from `from` where `needle` stands before `to`.
pub(crate) fn find(source: &dyn Source, needle: &[u8; 4], from: u64, to: u64) -> Parsed<Option<u64>> {
    // Small at first: where records are dense, each is found for the price of a few bytes.
    const FIRST: usize = 512;
    const MOST: usize = 1 << 20;
    let (mut at, mut chunk) = (from, FIRST);
    while at < to {
        let size = usize::try_from(to - at).unwrap_or(chunk).min(chunk);
        let bytes = read_up_to(source, at, size)?;
        if let Some(found) = memchr::memmem::find(&bytes, needle) {
            return Ok(Some(at + found as u64));
        }
        if bytes.len() < chunk {
            return Ok(None);
        }
        at += (chunk - 3) as u64;
        chunk = (2 * chunk).min(MOST);
    }
    Ok(None)
}
