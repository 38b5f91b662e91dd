//! Contents read and hashed side by side on one core.

use std::io;

use bastide_artifact::Source;
use bastide_crypto::{ContentHash, ContentHasher, update_together};

/// Bytes of a read: three buffers of them stay in a core's cache, and the system call is no cost.
pub(crate) const READ_BYTES: usize = 128 << 10;

/// The bytes of a source that are not read yet, from one place to another.
pub(crate) struct Stretch<S> {
    pub(crate) source: S,
    pub(crate) at: u64,
    pub(crate) end: u64,
}

impl<S: Source> Stretch<S> {
    fn left(&self) -> usize {
        usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX)
    }

    /// Room for every read.
    fn buffer(&self) -> Vec<u8> {
        vec![0; self.left().min(READ_BYTES)]
    }

    /// The next bytes; none at the end. A source that ends before is an [`io::ErrorKind::UnexpectedEof`].
    fn next<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let room = self.left().min(buffer.len());
        let read = self.source.read_at(self.at, &mut buffer[..room])?;
        if read == 0 && room > 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.at += read as u64;
        Ok(&buffer[..read])
    }

    /// Gives all of it to `take`, and how much that was to `progress`.
    pub(crate) fn read(mut self, mut take: impl FnMut(&[u8]), progress: impl Fn(u64)) -> io::Result<()> {
        let mut buffer = self.buffer();
        loop {
            let bytes = self.next(&mut buffer)?;
            if bytes.is_empty() {
                return Ok(());
            }
            take(bytes);
            progress(bytes.len() as u64);
        }
    }
}

/// A stretch on its way through hash functions.
pub(crate) struct Hashing<S> {
    stretch: Stretch<S>,
    hashers: Vec<ContentHasher>,
    failed: Option<io::Error>,
}

impl<S: Source> Hashing<S> {
    pub(crate) fn new(stretch: Stretch<S>, hashes: &[ContentHash]) -> Self {
        let hashers = hashes.iter().map(|hash| ContentHasher::new(*hash)).collect();
        Hashing { stretch, hashers, failed: None }
    }

    pub(crate) fn source(&self) -> &S {
        &self.stretch.source
    }

    /// Up to where it is hashed.
    pub(crate) fn at(&self) -> u64 {
        self.stretch.at
    }

    /// Takes the bytes that come next, which somebody else has read.
    pub(crate) fn take(&mut self, next: &[u8]) {
        self.hashers.iter_mut().for_each(|hasher| hasher.update(next));
        self.stretch.at += next.len() as u64;
    }

    /// The digests in the order in which the functions were given, after [`hash_together`].
    pub(crate) fn finish(self) -> io::Result<Vec<Vec<u8>>> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.hashers.into_iter().map(ContentHasher::finish).collect()),
        }
    }
}

/// How many contents a thread takes on at a time, of a function that a core hashes in `lanes` side by side: several
/// times as many, so that the lanes are full until all of them end.
pub(crate) const fn at_a_time(lanes: usize) -> usize {
    if lanes > 1 { 4 * lanes } else { 1 }
}

/// Reads each content to its end and hashes them, `lanes` side by side: those with the most left, so that all end at about
/// the same time. One that cannot be read keeps the reason to itself, and the others go on.
pub(crate) fn hash_together<'a, S: Source + 'a>(
    contents: impl IntoIterator<Item = &'a mut Hashing<S>>,
    lanes: usize,
    progress: impl Fn(u64),
) {
    let mut contents: Vec<_> = contents.into_iter().collect();
    let longest = contents.iter().map(|it| it.stretch.left()).max().unwrap_or(0);
    let mut buffers = vec![vec![0; longest.min(READ_BYTES)]; lanes.clamp(1, contents.len().max(1))];
    loop {
        contents.retain(|it| it.failed.is_none() && it.stretch.left() > 0);
        if contents.is_empty() {
            break;
        }
        contents.sort_by_key(|it| std::cmp::Reverse(it.stretch.left()));
        let mut read = Vec::new();
        for (buffer, content) in buffers.iter_mut().zip(&mut contents) {
            match content.stretch.next(buffer) {
                Ok(bytes) => {
                    progress(bytes.len() as u64);
                    read.extend(content.hashers.iter_mut().map(|hasher| (hasher, bytes)));
                }
                Err(error) => content.failed = Some(error),
            }
        }
        update_together(read);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Gives fewer bytes than asked for, and from a place on none or an error.
    struct Broken<'a>(&'a [u8], Option<io::ErrorKind>);

    impl Source for Broken<'_> {
        fn size(&self) -> u64 {
            self.0.len() as u64
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            let few = into.len().min(50_001);
            match self.1 {
                Some(kind) if offset > 200_000 => Err(kind.into()),
                _ => self.0.read_at(offset, &mut into[..few]),
            }
        }
    }

    #[test]
    fn one_that_fails_or_ends_early_does_not_touch_the_others() {
        let bytes: Vec<u8> = (0..900_000_u32).map(|i| (i % 241) as u8).collect();
        let hashing = |bytes, end, error| {
            Hashing::new(Stretch { source: Broken(bytes, error), at: 0, end }, &[ContentHash::Sha256])
        };
        let mut contents = [
            hashing(&bytes, 900_000, None),
            hashing(&bytes, 900_000, Some(io::ErrorKind::PermissionDenied)),
            hashing(&bytes[..300_000], 300_000, None),
            hashing(&bytes, 900_001, None),
            hashing(&[], 0, None),
        ];
        let read = Cell::new(0);
        hash_together(&mut contents, 3, |bytes| read.set(read.get() + bytes));
        assert_eq!(read.get(), 900_000 + 200_004 + 300_000 + 900_000);
        let digests = contents.map(|content| content.finish().map_err(|error| error.kind()));
        let alone = |bytes: &[u8]| Ok(vec![bastide_crypto::sha256(bytes).to_vec()]);
        assert_eq!(digests[0], alone(&bytes));
        assert_eq!(digests[1], Err(io::ErrorKind::PermissionDenied));
        assert_eq!(digests[2], alone(&bytes[..300_000]));
        assert_eq!(digests[3], Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(digests[4], alone(&[]));
    }
}
