//! Records in a segment of bodies: `FORMAT.md`, "Bodies". Pure layout and scanning.

use std::io;
use std::path::{Path, PathBuf};

use bastide_crypto::sha256;
use bastide_types::{ExchangeId, Timestamp};

use super::body::{BodyKind, MAX_BODY_BYTES};
use crate::disk::DiskFile;

/// What a segment begins with: what it is, and its version.
pub(super) const SEGMENT_MAGIC: [u8; 8] = *b"bstdbod1";
pub(super) const SEGMENT_HEADER: u64 = 8;
const RECORD_MAGIC: [u8; 4] = *b"bOdy";
pub(super) const RECORD_HEADER: usize = 64;
/// The header without its check: what is bound to the ciphertext.
const BOUND: usize = 60;
pub(super) const TAG: usize = 16;
const CUT: u8 = 1;
const PREFIX: u8 = 2;
/// Most records are a few kilobytes: one read serves many headers.
const WINDOW: usize = 64 * 1024;

/// What a record says in clear.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyHeader {
    /// Of which exchange.
    pub exchange: ExchangeId,
    /// Which body.
    pub kind: BodyKind,
    /// Bytes of the whole body.
    pub size: u64,
    /// Only its beginning was kept.
    pub cut: bool,
    /// It is the first `size` bytes of the received body, and has no text of its own.
    pub prefix: bool,
    /// Which subject's key sealed it.
    pub(super) subject: [u8; 8],
    pub(super) nonce: [u8; 12],
    /// Bytes of the ciphertext, the tag included.
    pub(super) sealed: usize,
}

impl BodyHeader {
    /// The header as it stands in the file.
    #[must_use]
    pub fn encode(&self) -> [u8; RECORD_HEADER] {
        let flags = if self.cut { CUT } else { 0 } | if self.prefix { PREFIX } else { 0 };
        let length = u32::try_from(self.sealed).unwrap_or(u32::MAX).to_le_bytes();
        let size = self.size.to_le_bytes();
        let what = [self.kind.number(), flags, 0, 0];
        let fields = RECORD_MAGIC
            .iter()
            .chain(&what)
            .chain(&length)
            .chain(&[0; 4])
            .chain(self.exchange.as_bytes())
            .chain(&self.subject)
            .chain(&size)
            .chain(&self.nonce);
        let mut out = [0; RECORD_HEADER];
        out.iter_mut().zip(fields).for_each(|(to, from)| *to = *from);
        let check = sha256(out.get(..BOUND).unwrap_or_default());
        out.iter_mut().skip(BOUND).zip(check).for_each(|(to, from)| *to = from);
        out
    }

    /// The header at the beginning of `bytes`; `None` when there is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<BodyHeader> {
        let (fields, rest) = bytes.split_at_checked(BOUND)?;
        let check = rest.get(..RECORD_HEADER - BOUND)?;
        // The magic first: a digest for every byte of garbage would take long.
        let rest = fields.strip_prefix(&RECORD_MAGIC)?;
        if !sha256(fields).starts_with(check) {
            return None;
        }
        let ([kind, flags, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let ([0, 0, 0, 0], rest) = rest.split_first_chunk::<4>()? else { return None };
        let (exchange, rest) = rest.split_first_chunk::<16>()?;
        let (subject, rest) = rest.split_first_chunk::<8>()?;
        let (size, nonce) = rest.split_first_chunk::<8>()?;
        let sealed = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let sane = (TAG..=MAX_BODY_BYTES + TAG).contains(&sealed) && *flags & !(CUT | PREFIX) == 0;
        sane.then_some(())?;
        Some(BodyHeader {
            exchange: ExchangeId::from_bytes(*exchange),
            kind: BodyKind::from_number(*kind)?,
            size: u64::from_le_bytes(*size),
            cut: flags & CUT != 0,
            prefix: flags & PREFIX != 0,
            subject: *subject,
            nonce: nonce.try_into().ok()?,
            sealed,
        })
    }

    /// Bytes of the whole record.
    #[must_use]
    pub const fn record_bytes(&self) -> usize {
        RECORD_HEADER + self.sealed
    }

    /// What the ciphertext is bound to: everything the header says.
    pub(super) fn bound(header: &[u8; RECORD_HEADER]) -> &[u8] {
        header.get(..BOUND).unwrap_or_default()
    }
}

/// The segment whose first record was written at this time.
pub(super) fn segment_path(dir: &Path, first: Timestamp) -> PathBuf {
    dir.join(format!("{:020}.bodies", first.as_micros()))
}

/// The time in the name of a segment; `None` for other files.
pub(super) fn segment_time(name: &str) -> Option<Timestamp> {
    let digits = name.strip_suffix(".bodies")?;
    let all = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().ok().map(Timestamp::from_micros))?
}

/// Gives every whole record of a segment to `each` with its offset, in order, until it says `false`. Whatever else is in
/// the file, a torn end or garbage, is passed over.
///
/// # Errors
/// When the file cannot be read, or what `each` says.
pub fn scan_bodies(
    file: &dyn DiskFile,
    mut each: impl FnMut(u64, &BodyHeader) -> io::Result<bool>,
) -> io::Result<()> {
    let size = file.size()?;
    let mut window = Window { file, start: 0, bytes: Vec::new() };
    let mut offset = if window.get(0, 8)?.starts_with(&SEGMENT_MAGIC) { SEGMENT_HEADER } else { 0 };
    loop {
        let ahead = window.get(offset, RECORD_HEADER)?;
        if ahead.len() < RECORD_HEADER {
            return Ok(());
        }
        if let Some(header) = BodyHeader::decode(ahead) {
            let end = offset.saturating_add(u64::try_from(header.record_bytes()).unwrap_or(u64::MAX));
            if end <= size {
                if !each(offset, &header)? {
                    return Ok(());
                }
                offset = end;
                continue;
            }
        }
        // A record begins with the magic: what cannot be one is skipped at a stride.
        let ahead = window.get(offset, RECORD_MAGIC.len() + 1)?;
        let next = ahead.get(1..).and_then(|rest| rest.windows(4).position(|w| w == RECORD_MAGIC));
        let skip = next.map_or_else(|| ahead.len().saturating_sub(RECORD_MAGIC.len() - 1), |at| at + 1);
        offset = offset.saturating_add(u64::try_from(skip.max(1)).unwrap_or(u64::MAX));
    }
}

/// A file read forward through a buffer.
struct Window<'a> {
    file: &'a dyn DiskFile,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// All that is at hand from `offset` on: at least `length` bytes, fewer at the end of the file.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let at = offset.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        let at = match at.filter(|at| at.saturating_add(length) <= self.bytes.len()) {
            Some(at) => at,
            None => {
                self.fill(offset)?;
                0
            }
        };
        Ok(self.bytes.get(at..).unwrap_or_default())
    }

    fn fill(&mut self, offset: u64) -> io::Result<()> {
        self.start = offset;
        self.bytes.resize(WINDOW, 0);
        let filled = read_full(self.file, offset, &mut self.bytes)?;
        self.bytes.truncate(filled);
        Ok(())
    }
}

/// Fills `out` from `offset` on; gives how much there was.
pub(super) fn read_full(file: &dyn DiskFile, offset: u64, out: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let from = offset.saturating_add(u64::try_from(filled).unwrap_or(u64::MAX));
        match file.read_at(from, rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::MemoryFile;

    fn scanned(bytes: Vec<u8>) -> Vec<(u64, BodyHeader)> {
        let mut seen = Vec::new();
        scan_bodies(&MemoryFile(bytes), |offset, header| {
            seen.push((offset, header.clone()));
            Ok(true)
        })
        .unwrap();
        seen
    }

    fn record(n: u8, length: usize) -> Vec<u8> {
        let header = BodyHeader {
            exchange: ExchangeId::from_bytes([n; 16]),
            kind: BodyKind::ALL[usize::from(n) % 4],
            size: u64::from(n) * 7,
            cut: n % 2 == 1,
            prefix: n % 3 == 1,
            subject: [n; 8],
            nonce: [n; 12],
            sealed: TAG + length,
        };
        [&header.encode()[..], &vec![b'b'; header.sealed]].concat()
    }

    proptest! {
        #[test]
        fn whole_records_are_found_whatever_stands_between_them(
            pieces in prop::collection::vec((any::<u8>(), 0..3000_usize, prop::collection::vec(any::<u8>(), 0..200)), 0..12),
            magic in any::<bool>(),
            torn in 1..64_usize,
        ) {
            let mut bytes = if magic { SEGMENT_MAGIC.to_vec() } else { Vec::new() };
            let mut places = Vec::new();
            for (n, length, garbage) in &pieces {
                // The beginning of the magic as garbage, too.
                bytes.extend_from_slice(garbage);
                bytes.extend_from_slice(&b"bOdybOd"[..usize::from(*n) % 8]);
                places.push((bytes.len() as u64, *n));
                bytes.extend_from_slice(&record(*n, *length));
            }
            bytes.extend_from_slice(&record(9, 100)[..torn]);
            let seen: Vec<_> = scanned(bytes).into_iter().map(|(at, h)| (at, h.exchange)).collect();
            let expected: Vec<_> = places.into_iter().map(|(at, n)| (at, ExchangeId::from_bytes([n; 16]))).collect();
            prop_assert_eq!(seen, expected);
        }

        #[test]
        fn no_bytes_panic_and_headers_have_one_spelling(bytes in prop::collection::vec(any::<u8>(), 0..2000), n: u8) {
            scanned(bytes.clone());
            let head = record(n, 3);
            let decoded = BodyHeader::decode(&head).unwrap();
            prop_assert_eq!(&decoded.encode()[..], &head[..64]);
            prop_assert!(BodyHeader::decode(&bytes).is_none_or(|h| h.encode()[..] == bytes[..64]));
        }
    }
}
