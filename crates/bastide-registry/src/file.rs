//! A file as a source of bytes, and its digest taken along the way.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use bastide_artifact::Source;
use bastide_crypto::Sha256;

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

/// How much is read at once where nothing but the digest asks for it.
const CHUNK: usize = 1 << 20;

/// A source whose digest is taken from the same reads: what the scan reads in order is hashed as it passes, and only what it
/// left out is read for the digest alone.
pub(crate) struct Digesting<'a> {
    source: &'a dyn Source,
    hashed: RefCell<(Sha256, u64)>,
}

impl<'a> Digesting<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Digesting { source, hashed: RefCell::new((Sha256::new(), 0)) }
    }

    /// Reads the rest and gives the SHA-256 of the whole.
    pub(crate) fn finish(self, mut passed: impl FnMut(u64)) -> io::Result<[u8; 32]> {
        let (mut hash, mut at) = self.hashed.into_inner();
        passed(at);
        let mut chunk = vec![0; CHUNK];
        while at < self.source.size() {
            let n = self.source.read_at(at, &mut chunk)?;
            if n == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "it became shorter while it was read",
                ));
            }
            hash.update(&chunk[..n]);
            at += n as u64;
            passed(n as u64);
        }
        Ok(hash.finish())
    }
}

impl Source for Digesting<'_> {
    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(offset, into)?;
        let (hash, at) = &mut *self.hashed.borrow_mut();
        let new = at
            .checked_sub(offset)
            .and_then(|known| usize::try_from(known).ok())
            .and_then(|k| into[..n].get(k..));
        if let Some(new) = new.filter(|new| !new.is_empty()) {
            hash.update(new);
            *at += new.len() as u64;
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_whole_whatever_was_read() {
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 253) as u8).collect();
        let expected = bastide_crypto::sha256(&bytes);
        let reads: [&[(u64, usize)]; 4] = [
            &[],
            &[(0, 10), (5, 20), (2_999_990, 10)],
            &[(100, 50), (0, 4096), (2000, 9000)],
            &[(0, 3_000_000)],
        ];
        for reads in reads {
            let source = Digesting::new(&bytes);
            for (offset, size) in reads {
                source.read_at(*offset, &mut vec![0; *size]).unwrap();
            }
            let mut read = 0;
            assert_eq!(source.finish(|n| read += n).unwrap(), expected, "{reads:?}");
            assert_eq!(read, 3_000_000);
        }
    }
}
