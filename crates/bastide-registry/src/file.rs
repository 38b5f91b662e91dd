//! A file as a source of bytes, and its digests taken along the way.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bastide_artifact::Source;
use bastide_crypto::{ContentHash, ContentHasher};

/// An open regular file.
pub struct FileSource {
    file: File,
    size: u64,
}

impl FileSource {
    /// Opens `path` for reading.
    ///
    /// # Errors
    ///
    /// What the system says, and [`io::ErrorKind::InvalidInput`] for what is no regular file. A pipe in a folder of models
    /// is never waited for.
    pub fn open(path: &Path) -> io::Result<Self> {
        let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(FileSource { file, size: metadata.len() })
    }
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        // A file that grows while it is scanned keeps the size it had.
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let n = left.min(into.len());
        loop {
            match self.file.read_at(&mut into[..n], offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// How much is read at once where nothing but the digests asks for it.
const CHUNK: usize = 1 << 20;

/// A source whose digests are taken from the same reads: what the scan reads in order is hashed as it passes, and only what
/// it left out is read for the digests alone.
pub(crate) struct Digesting<'a> {
    source: &'a dyn Source,
    hashed: RefCell<Hashed>,
}

/// What was hashed of a source from its start.
struct Hashed {
    hashers: Vec<ContentHasher>,
    bytes: u64,
}

impl Hashed {
    fn take(&mut self, next: &[u8]) {
        self.hashers.iter_mut().for_each(|hasher| hasher.update(next));
        self.bytes += next.len() as u64;
    }
}

impl<'a> Digesting<'a> {
    pub(crate) fn new(source: &'a dyn Source, hashes: &[ContentHash]) -> Self {
        let hashers = hashes.iter().map(|hash| ContentHasher::new(*hash)).collect();
        Digesting { source, hashed: RefCell::new(Hashed { hashers, bytes: 0 }) }
    }

    /// Reads the rest and gives the digests of the whole, in the order they were asked for.
    pub(crate) fn finish(self, mut passed: impl FnMut(u64)) -> io::Result<Vec<Vec<u8>>> {
        let mut hashed = self.hashed.into_inner();
        passed(hashed.bytes);
        let mut chunk = vec![0; CHUNK];
        while hashed.bytes < self.source.size() {
            let n = self.source.read_at(hashed.bytes, &mut chunk)?;
            if n == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it became shorter while it was read",
                ));
            }
            hashed.take(&chunk[..n]);
            passed(n as u64);
        }
        Ok(hashed.hashers.into_iter().map(ContentHasher::finish).collect())
    }
}

impl Source for Digesting<'_> {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(offset, into)?;
        let mut hashed = self.hashed.borrow_mut();
        let new = hashed
            .bytes
            .checked_sub(offset)
            .and_then(|known| usize::try_from(known).ok())
            .and_then(|known| into[..n].get(known..));
        if let Some(new) = new.filter(|new| !new.is_empty()) {
            hashed.take(new);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digests_are_those_of_the_whole_whatever_was_read() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
        let hashes = [ContentHash::Sha256, ContentHash::Blake2b512, ContentHash::Blake3];
        let expected = hashes.map(|hash| {
            let mut hasher = ContentHasher::new(hash);
            hasher.update(&bytes);
            hasher.finish()
        });
        let reads: [&[(u64, usize)]; 4] = [
            &[],
            &[(0, 10), (5, 20), (2_999_990, 10)],
            &[(100, 50), (0, 4096), (2000, 9000)],
            &[(0, 3_000_000)],
        ];
        for reads in reads {
            let source = Digesting::new(&bytes, &hashes);
            for (offset, size) in reads {
                source.read_at(*offset, &mut vec![0; *size]).unwrap();
            }
            let mut read = 0;
            assert_eq!(source.finish(|n| read += n).unwrap(), expected, "{reads:?}");
            assert_eq!(read, 3_000_000);
        }
    }
}
