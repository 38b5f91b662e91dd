//! Where bytes come from.

use std::io;

use crate::halt::{Halt, Parsed};

/// Bytes that can be read at any place: a file, a member of an archive, a slice of memory.
///
/// Implementations say the same bytes at every reading; one that cannot (a file that shrinks) gives an error.
pub trait Source {
    /// Number of bytes.
    fn size(&self) -> u64;

    /// Reads into `into` from `offset`; fewer bytes than asked for only where the source ends.
    ///
    /// # Errors
    ///
    /// Whatever keeps the bytes from being read. The scan then ends as unfinished.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;
}

impl Source for [u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let n = rest.len().min(into.len());
        into[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

impl Source for Vec<u8> {
    fn size(&self) -> u64 {
        self.as_slice().size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.as_slice().read_at(offset, into)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn size(&self) -> u64 {
        (**self).size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        (**self).read_at(offset, into)
    }
}

/// A range of another source.
pub struct Part<'a> {
    whole: &'a dyn Source,
    start: u64,
    size: u64,
}

impl<'a> Part<'a> {
    /// `size` bytes from `start`, cut at the end of `whole`.
    #[must_use]
    pub fn new(whole: &'a dyn Source, start: u64, size: u64) -> Self {
        let start = start.min(whole.size());
        Part { whole, start, size: size.min(whole.size() - start) }
    }

    /// From `start` to the end.
    #[must_use]
    pub fn from(whole: &'a dyn Source, start: u64) -> Self {
        Part::new(whole, start, u64::MAX)
    }
}

impl Source for Part<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.size.checked_sub(offset) else { return Ok(0) };
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(into.len());
        self.whole.read_at(self.start + offset, &mut into[..n])
    }
}

/// Reads up to `size` bytes from `offset`, fewer where the source ends before.
///
/// # Errors
///
/// [`Halt::Unreadable`] where the source gives an error.
pub(crate) fn read_up_to(source: &dyn Source, offset: u64, size: usize) -> Parsed<Vec<u8>> {
    let there = source.size().saturating_sub(offset);
    let mut bytes = vec![0; usize::try_from(there).unwrap_or(usize::MAX).min(size)];
    let mut filled = 0;
    while filled < bytes.len() {
        let n = source.read_at(offset + filled as u64, &mut bytes[filled..]).map_err(Halt::Unreadable)?;
        if n == 0 {
            break;
        }
        filled += n;
    }
    bytes.truncate(filled);
    Ok(bytes)
}

/// Reads exactly `size` bytes from `offset`.
///
/// # Errors
///
/// [`Halt::Truncated`] where the source ends before, [`Halt::Unreadable`] where it gives an error.
pub(crate) fn read_exactly(source: &dyn Source, offset: u64, size: usize) -> Parsed<Vec<u8>> {
    if source.size().saturating_sub(offset) < size as u64 {
        return Err(Halt::Truncated { offset: source.size() });
    }
    let bytes = read_up_to(source, offset, size)?;
    if bytes.len() < size {
        return Err(Halt::Truncated { offset: offset + bytes.len() as u64 });
    }
    Ok(bytes)
}

/// How much a [`Cursor`] asks for at once.
const CHUNK: usize = 64 << 10;

/// Reads a source from front to end through a small buffer; jumping is cheap within it.
pub(crate) struct Cursor<'a> {
    source: &'a dyn Source,
    /// Bytes of the source from `base`.
    buffer: Vec<u8>,
    base: u64,
    /// Place in `buffer`.
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Cursor::at(source, 0)
    }

    pub(crate) fn at(source: &'a dyn Source, offset: u64) -> Self {
        Cursor { source, buffer: Vec::new(), base: offset, at: 0 }
    }

    /// Offset of the next byte.
    pub(crate) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Bytes from here to the end.
    pub(crate) fn left(&self) -> u64 {
        self.source.size().saturating_sub(self.position())
    }

    pub(crate) fn seek(&mut self, offset: u64) {
        match offset.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at <= self.buffer.len() => self.at = at,
            _ => {
                self.buffer.clear();
                self.base = offset;
                self.at = 0;
            }
        }
    }

    /// Passes over `count` bytes without reading them.
    ///
    /// # Errors
    ///
    /// [`Halt::Truncated`] where fewer are left.
    pub(crate) fn skip(&mut self, count: u64) -> Parsed<()> {
        if count > self.left() {
            return Err(Halt::Truncated { offset: self.source.size() });
        }
        self.seek(self.position() + count);
        Ok(())
    }

    /// At least `size` bytes from here where the source has them, without passing over them; all that is buffered.
    ///
    /// # Errors
    ///
    /// [`Halt::Unreadable`] where the source gives an error.
    pub(crate) fn peek(&mut self, size: usize) -> Parsed<&[u8]> {
        if self.buffer.len() - self.at < size {
            self.buffer.drain(..self.at);
            self.base += self.at as u64;
            self.at = 0;
            while self.buffer.len() < size {
                let old = self.buffer.len();
                self.buffer.resize(old.max(size - old).max(CHUNK).min(size.max(CHUNK)) + old, 0);
                let n = self.source.read_at(self.base + old as u64, &mut self.buffer[old..]);
                self.buffer.truncate(old + *n.as_ref().unwrap_or(&0));
                if n.map_err(Halt::Unreadable)? == 0 {
                    break;
                }
            }
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    /// The next `size` bytes. Ask only for what a limit allows: they are held in memory.
    ///
    /// # Errors
    ///
    /// [`Halt::Truncated`] where fewer are left, [`Halt::Unreadable`] where the source gives an error.
    pub(crate) fn take(&mut self, size: usize) -> Parsed<&[u8]> {
        if (size as u64) > self.left() {
            return Err(Halt::Truncated { offset: self.source.size() });
        }
        if self.peek(size)?.len() < size {
            return Err(Halt::Truncated { offset: self.position() });
        }
        self.at += size;
        Ok(&self.buffer[self.at - size..self.at])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Parsed<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16_le(&mut self) -> Parsed<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32_le(&mut self) -> Parsed<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64_le(&mut self) -> Parsed<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_where_its_whole_does() {
        let whole = b"0123456789".as_slice();
        let part = Part::new(&whole, 7, 100);
        assert_eq!(part.size(), 3);
        assert_eq!(read_up_to(&part, 1, 10).unwrap(), b"89");
        assert_eq!(Part::from(&whole, 99).size(), 0);
    }

    #[test]
    fn a_cursor_reads_skips_and_returns() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|i| (i % 251) as u8).collect();
        let mut cursor = Cursor::new(&bytes);
        assert_eq!(cursor.take(100_000).unwrap(), &bytes[..100_000]);
        assert_eq!(cursor.peek(3).unwrap()[..3], bytes[100_000..100_003]);
        cursor.skip(50_000).unwrap();
        assert_eq!(cursor.u8().unwrap(), bytes[150_000]);
        cursor.seek(5);
        assert_eq!(cursor.take(2).unwrap(), &bytes[5..7]);
        cursor.seek(199_999);
        assert!(matches!(cursor.take(2), Err(Halt::Truncated { offset: 200_000 })));
        assert_eq!(cursor.take(1).unwrap(), &bytes[199_999..]);
        assert_eq!(cursor.left(), 0);
    }
}
