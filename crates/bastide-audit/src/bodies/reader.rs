//! Finding the bodies of an exchange again.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bastide_crypto::open;
use bastide_types::{ExchangeId, Timestamp};

use super::body::{BodyKey, BodyKind};
use super::format::{BodyHeader, RECORD_HEADER, read_full, scan_bodies, segment_path, segment_time};
use crate::disk::{Disk, LocalDisk};
use crate::error::AuditError;

/// How far a record may stand from the time of its body: the queue, a slow disk, two readings of the clock.
const SLACK: Duration = Duration::from_secs(300);

/// A body as it stands in the store.
pub struct SealedBody {
    header: BodyHeader,
    sealed: Vec<u8>,
}

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed under another key of the subject, one that is gone.
    #[error("the key that sealed it was erased")]
    Erased,
    /// It is not as it was sealed.
    #[error("it is damaged: its bytes are not those that were sealed")]
    Damaged,
}

impl SealedBody {
    /// What it says in clear.
    #[must_use]
    pub const fn header(&self) -> &BodyHeader {
        &self.header
    }

    /// Its text.
    ///
    /// # Errors
    /// When the key is another one, or the bytes are not those that were sealed.
    pub fn open(&self, key: &BodyKey) -> Result<Vec<u8>, OpenError> {
        if key.subject() != self.header.subject {
            return Err(OpenError::Erased);
        }
        let bound = self.header.encode();
        open(key.bytes(), self.header.nonce, BodyHeader::bound(&bound), &self.sealed)
            .map_err(|_| OpenError::Damaged)
    }
}

/// How far a segment's time is from an exchange's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Distance {
    There,
    Near,
    Far,
}

/// The bodies in a folder, open for reading, also while another process writes them.
pub struct BodyReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

impl BodyReader {
    /// Reads the folder `DATA/bodies` of this machine, which need not exist.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> BodyReader {
        BodyReader::on(Arc::new(LocalDisk), dir)
    }

    /// Reads the folder on any disk.
    #[must_use]
    pub fn on(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>) -> BodyReader {
        BodyReader { disk, dir: dir.into() }
    }

    /// The bodies of an exchange that began and ended at these times (`None`: it may still run), one of each kind at
    /// most. Looks where they should be first, then near it, then everywhere (someone may have set the clock), and no
    /// further once it has all of `expected`.
    ///
    /// # Errors
    /// When the folder or a segment cannot be read.
    pub fn find(
        &self,
        exchange: ExchangeId,
        began: Timestamp,
        ended: Option<Timestamp>,
        expected: &[BodyKind],
    ) -> Result<Vec<SealedBody>, AuditError> {
        let names = match self.disk.list(&self.dir) {
            Ok(names) => names,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(AuditError::io("read", &self.dir, e)),
        };
        let mut times: Vec<Timestamp> = names.iter().filter_map(|name| segment_time(name)).collect();
        times.sort_unstable();
        let distance = |position: usize, first: Timestamp| {
            let within = |slack: Duration| {
                // A segment ends where the next one begins.
                let next = times.get(position + 1).copied();
                ended.is_none_or(|at| first <= at.plus(slack))
                    && next.is_none_or(|next| next.plus(slack) >= began)
            };
            match (within(Duration::ZERO), within(SLACK)) {
                (true, _) => Distance::There,
                (false, true) => Distance::Near,
                (false, false) => Distance::Far,
            }
        };
        let mut segments: Vec<_> =
            times.iter().enumerate().map(|(position, first)| (distance(position, *first), *first)).collect();
        segments.sort_unstable();
        let mut found: Vec<SealedBody> = Vec::new();
        for (distance, first) in segments {
            if distance == Distance::Far && !found.is_empty() {
                break;
            }
            self.search(first, exchange, expected, &mut found)?;
        }
        found.sort_by_key(|body| body.header.kind);
        Ok(found)
    }

    fn search(
        &self,
        first: Timestamp,
        exchange: ExchangeId,
        expected: &[BodyKind],
        found: &mut Vec<SealedBody>,
    ) -> Result<(), AuditError> {
        let lacks = |found: &[SealedBody]| {
            expected.iter().any(|kind| !found.iter().any(|body| body.header.kind == *kind))
        };
        if !lacks(found) {
            return Ok(());
        }
        let path = segment_path(&self.dir, first);
        let failed = |e| AuditError::io("read", &path, e);
        let file = match self.disk.open(&path, false) {
            Ok(file) => file,
            // Removed since it was listed: it was too old.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(failed(e)),
        };
        scan_bodies(file.as_ref(), |offset, header| {
            if header.exchange == exchange && !found.iter().any(|body| body.header.kind == header.kind) {
                let mut sealed = vec![0; header.sealed];
                let from = offset.saturating_add(u64::try_from(RECORD_HEADER).unwrap_or(u64::MAX));
                let read = read_full(file.as_ref(), from, &mut sealed)?;
                sealed.truncate(read);
                found.push(SealedBody { header: header.clone(), sealed });
            }
            Ok(lacks(found))
        })
        .map_err(failed)
    }
}
