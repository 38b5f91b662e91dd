//! Fields of HDF5 structures: little-endian, with offsets and lengths as wide as the superblock says.

use crate::halt::{Halt, Parsed};
use crate::source::{Source, read_exactly};

/// The file with the widths of its fields.
#[derive(Clone, Copy)]
pub(super) struct File<'s> {
    pub(super) source: &'s dyn Source,
    /// Where the superblock begins; addresses count from there.
    pub(super) base: u64,
    pub(super) offset_size: usize,
    pub(super) length_size: usize,
}

impl<'s> File<'s> {
    /// `size` bytes at `address`.
    pub(super) fn block(&self, address: u64, size: usize) -> Parsed<Block<'s>> {
        let at = self.base.checked_add(address).ok_or(Halt::Truncated { offset: self.source.size() })?;
        Ok(Block { bytes: read_exactly(self.source, at, size)?, at: 0, file: *self, address })
    }

    /// `size` bytes at `address`, fewer at the end of the file.
    pub(super) fn up_to(&self, address: u64, size: usize) -> Parsed<Block<'s>> {
        let at = self.base.saturating_add(address);
        let left = self.source.size().saturating_sub(at);
        self.block(address, usize::try_from(left).unwrap_or(usize::MAX).min(size))
    }

    /// The address that stands for none.
    pub(super) fn is_address(&self, address: u64) -> bool {
        let none = if self.offset_size >= 8 { u64::MAX } else { (1 << (8 * self.offset_size)) - 1 };
        address != none && self.base.saturating_add(address) < self.source.size()
    }
}

/// Bytes under a cursor.
#[derive(Clone)]
pub(super) struct Block<'s> {
    pub(super) bytes: Vec<u8>,
    pub(super) at: usize,
    pub(super) file: File<'s>,
    /// Address of the first byte.
    pub(super) address: u64,
}

impl<'s> Block<'s> {
    pub(super) fn new(bytes: Vec<u8>, address: u64, file: File<'s>) -> Self {
        Block { bytes, at: 0, file, address }
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(super) fn take(&mut self, size: usize) -> Parsed<&[u8]> {
        let end = self.at.checked_add(size);
        let taken = end.and_then(|end| self.bytes.get(self.at..end));
        let taken = taken.ok_or_else(|| {
            Halt::malformed(self.address + self.at as u64, "a field reaches past its block")
        })?;
        self.at += size;
        Ok(taken)
    }

    pub(super) fn skip(&mut self, size: usize) -> Parsed<()> {
        self.take(size).map(|_| ())
    }

    /// To the next multiple of eight bytes from `start`.
    pub(super) fn align(&mut self, start: usize) -> Parsed<()> {
        let used = self.at.saturating_sub(start);
        self.skip(used.next_multiple_of(8) - used)
    }

    /// A number of `size` bytes, of which at most eight count.
    pub(super) fn number(&mut self, size: usize) -> Parsed<u64> {
        let bytes = self.take(size)?;
        Ok(bytes.iter().take(8).rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Parsed<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u16(&mut self) -> Parsed<u64> {
        self.number(2)
    }

    pub(super) fn u32(&mut self) -> Parsed<u64> {
        self.number(4)
    }

    pub(super) fn offset(&mut self) -> Parsed<u64> {
        self.number(self.file.offset_size)
    }

    pub(super) fn length(&mut self) -> Parsed<u64> {
        self.number(self.file.length_size)
    }

    /// `size` further bytes as a block of their own.
    pub(super) fn part(&mut self, size: usize) -> Parsed<Block<'s>> {
        let address = self.address + self.at as u64;
        let file = self.file;
        Ok(Block::new(self.take(size)?.to_vec(), address, file))
    }

    /// Bytes up to a zero.
    pub(super) fn until_zero(&mut self) -> Parsed<String> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(0, rest).unwrap_or(rest.len());
        let text = String::from_utf8_lossy(rest.get(..length).unwrap_or_default()).into_owned();
        self.at = (self.at + length + 1).min(self.bytes.len());
        Ok(text)
    }

    pub(super) fn expect(&mut self, mark: &[u8]) -> Parsed<()> {
        let at = self.address;
        if self.take(mark.len())? == mark {
            return Ok(());
        }
        Err(Halt::malformed(at, format!("`{}` is missing", String::from_utf8_lossy(mark))))
    }
}

/// A size from the file as a size in memory.
pub(super) fn size(number: u64, most: usize, at: u64) -> Parsed<usize> {
    usize::try_from(number)
        .ok()
        .filter(|size| *size <= most)
        .ok_or_else(|| Halt::malformed(at, format!("a size of {number}")))
}
