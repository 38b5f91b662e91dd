//! The bytes under the machine: a window that moves forward, quick for the short reads of opcodes.

use memchr::memchr;

use crate::halt::{Halt, Parsed};
use crate::source::Source;

/// How much is read at once in the end.
const WINDOW: usize = 128 << 10;
/// How much is read first: many pickles are small, and many bytes are passed over.
const FIRST: usize = 4 << 10;

/// Reads a source forward.
pub(super) struct Input<'a> {
    source: &'a dyn Source,
    size: u64,
    window: Vec<u8>,
    /// Offset of the window's first byte.
    base: u64,
    at: usize,
    /// How much is read next.
    ahead: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: &'a dyn Source, offset: u64) -> Self {
        Input { source, size: source.size(), window: Vec::new(), base: offset, at: 0, ahead: FIRST }
    }

    /// Where the next byte stands.
    #[inline]
    pub(super) fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    pub(super) fn left(&self) -> u64 {
        self.size.saturating_sub(self.position())
    }

    /// The next byte, if there is one.
    #[inline]
    pub(super) fn next(&mut self) -> Parsed<Option<u8>> {
        if let Some(&byte) = self.window.get(self.at) {
            self.at += 1;
            return Ok(Some(byte));
        }
        self.fill(1)?;
        let byte = self.window.get(self.at).copied();
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// The next `count` bytes; ask for small counts.
    #[inline]
    pub(super) fn take(&mut self, count: usize) -> Parsed<&[u8]> {
        if self.window.len() - self.at < count {
            self.fill(count)?;
            if self.window.len() - self.at < count {
                return Err(Halt::Truncated { offset: self.size });
            }
        }
        let start = self.at;
        self.at += count;
        Ok(&self.window[start..self.at])
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Parsed<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Passes over `count` bytes.
    #[inline]
    pub(super) fn skip(&mut self, count: u64) -> Parsed<()> {
        let buffered = (self.window.len() - self.at) as u64;
        if count <= buffered {
            self.at += usize::try_from(count).unwrap_or_default();
            return Ok(());
        }
        if count > self.left() {
            return Err(Halt::Truncated { offset: self.size });
        }
        self.seek(self.position() + count);
        Ok(())
    }

    pub(super) fn seek(&mut self, offset: u64) {
        self.window.clear();
        self.base = offset;
        self.at = 0;
        self.ahead = FIRST;
    }

    /// Goes on at `offset`, in the window where it is there.
    pub(super) fn seek_to(&mut self, offset: u64) {
        match offset.checked_sub(self.base).and_then(|at| usize::try_from(at).ok()) {
            Some(at) if at <= self.window.len() => self.at = at,
            _ => self.seek(offset),
        }
    }

    /// The first bytes from here, at most `count`, without passing over them.
    pub(super) fn peek(&mut self, count: usize) -> Parsed<&[u8]> {
        if self.window.len() - self.at < count {
            self.fill(count)?;
        }
        let end = self.window.len().min(self.at + count);
        Ok(&self.window[self.at..end])
    }

    /// The text up to the next line feed, cut at [`Input::LINE`] bytes, and its whole length.
    ///
    /// Where the bytes end before a line feed, the last one is dropped in its stead, as the C unpickler does.
    pub(super) fn line(&mut self) -> Parsed<(&[u8], u64)> {
        if memchr(b'\n', &self.window[self.at..]).is_none() {
            self.fill(Self::LINE + 1)?;
        }
        let rest = &self.window[self.at..];
        if let Some(end) = memchr(b'\n', rest) {
            let start = self.at;
            self.at += end + 1;
            return Ok((&self.window[start..start + end.min(Self::LINE)], end as u64));
        }
        if rest.len() <= Self::LINE {
            let start = self.at;
            self.at = self.window.len();
            let end = self.at.checked_sub(1).filter(|end| *end >= start);
            let end = end.ok_or(Halt::Truncated { offset: self.size })?;
            return Ok((&self.window[start..end], (end - start) as u64));
        }
        self.long_line()
    }

    /// The longest line that is held in memory.
    pub(super) const LINE: usize = 64 << 10;

    fn long_line(&mut self) -> Parsed<(&[u8], u64)> {
        let start = self.position();
        loop {
            self.at = self.window.len();
            self.fill(1)?;
            let rest = &self.window[self.at..];
            if rest.is_empty() {
                return Err(Halt::Truncated { offset: self.size });
            }
            if let Some(end) = memchr(b'\n', rest) {
                self.at += end + 1;
                // What so long a line says is never needed.
                return Ok((&[], self.position() - 1 - start));
            }
        }
    }

    /// Moves the window on, so that it holds `count` bytes from here if there are as many.
    #[cold]
    fn fill(&mut self, count: usize) -> Parsed<()> {
        self.window.drain(..self.at);
        self.base += self.at as u64;
        self.at = 0;
        let want = count.max(self.ahead);
        self.ahead = (2 * self.ahead).min(WINDOW);
        let mut filled = self.window.len();
        self.window.resize(want.max(filled), 0);
        while filled < count.max(1) {
            match self.source.read_at(self.base + filled as u64, &mut self.window[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => {
                    self.window.truncate(filled);
                    return Err(Halt::Unreadable(error));
                }
            }
        }
        self.window.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_a_feed_or_lose_their_last_byte() {
        let bytes = b"one\ntwo".as_slice();
        let mut input = Input::new(&bytes, 0);
        assert_eq!(input.line().unwrap(), (b"one".as_slice(), 3));
        assert_eq!(input.line().unwrap(), (b"tw".as_slice(), 2));
        assert!(matches!(input.line(), Err(Halt::Truncated { offset: 7 })));
    }

    #[test]
    fn a_line_longer_than_the_window_is_passed_over() {
        let mut bytes = vec![b'7'; 3 * WINDOW];
        bytes.extend(b"\nnext\n");
        let mut input = Input::new(&bytes, 0);
        assert_eq!(input.line().unwrap().1, 3 * WINDOW as u64);
        assert_eq!(input.line().unwrap().0, b"next");
    }

    #[test]
    fn reads_cross_windows() {
        let bytes: Vec<u8> = (0..3 * WINDOW).map(|i| u8::try_from(i % 253).unwrap()).collect();
        let mut input = Input::new(&bytes, 5);
        input.skip(WINDOW as u64 - 7).unwrap();
        let at = usize::try_from(input.position()).unwrap();
        assert_eq!(input.take(100).unwrap(), &bytes[at..at + 100]);
        input.skip(WINDOW as u64).unwrap();
        assert_eq!(input.next().unwrap(), Some(bytes[at + 100 + WINDOW]));
        assert!(input.skip(2 * WINDOW as u64).is_err());
    }
}
