//! A file as a source of bytes, and its digests taken along the way.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bastide_artifact::Source;
use bastide_crypto::ContentHash;

use crate::together::{Hashing, Stretch};

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
        FileSource::of(file)
    }

    /// Of an open file.
    ///
    /// # Errors
    ///
    /// As [`FileSource::open`].
    pub(crate) fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        Ok(FileSource::new(file, metadata.len()))
    }

    /// Of a regular file of this size.
    pub(crate) fn new(file: File, size: u64) -> Self {
        FileSource { file, size }
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

/// A source whose digests are taken from the same reads: what the scan reads in order is hashed as it passes, and only what
/// it left out is read for the digests alone.
pub(crate) struct Digesting<S>(RefCell<Hashing<S>>);

impl<S: Source> Digesting<S> {
    pub(crate) fn new(source: S, hashes: &[ContentHash]) -> Self {
        let stretch = Stretch { at: 0, end: source.size(), source };
        Digesting(RefCell::new(Hashing::new(stretch, hashes)))
    }

    /// What is left to be hashed.
    pub(crate) fn into_rest(self) -> Hashing<S> {
        self.0.into_inner()
    }
}

impl<S: Source> Source for Digesting<S> {
    fn size(&self) -> u64 {
        self.0.borrow().source().size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut hashing = self.0.borrow_mut();
        let n = hashing.source().read_at(offset, into)?;
        let known = hashing.at().checked_sub(offset).and_then(|known| usize::try_from(known).ok());
        if let Some(new) = known.and_then(|known| into[..n].get(known..)).filter(|new| !new.is_empty()) {
            hashing.take(new);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bastide_crypto::ContentHasher;

    use super::*;
    use crate::together::hash_together;

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
        let mut rests = Vec::new();
        for reads in reads {
            let source = Digesting::new(&bytes, &hashes);
            for (offset, size) in reads {
                source.read_at(*offset, &mut vec![0; *size]).unwrap();
            }
            rests.push(source.into_rest());
        }
        let read: Cell<u64> = Cell::new(rests.iter().map(Hashing::at).sum());
        hash_together(&mut rests, 3, |n| read.set(read.get() + n));
        assert_eq!(read.get(), 4 * 3_000_000);
        for (rest, reads) in rests.into_iter().zip(reads) {
            assert_eq!(rest.finish().unwrap(), expected, "{reads:?}");
        }
    }
}
