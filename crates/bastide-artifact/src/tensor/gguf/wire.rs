//! Numbers and strings of GGUF, in either byte order and in the widths of each version.

use super::super::proof::{Proof, flaw};
use crate::halt::{Halt, Parsed};
use crate::source::Cursor;

/// No honest metadata string or list reaches this; more is a length made to overflow a loader
/// (CVE-2024-25664, CVE-2024-25665, CVE-2024-25668).
const LONGEST_STRING: u64 = 64 << 20;
const LONGEST_LIST: u64 = 32 << 20;

/// The reader under the metadata.
pub(super) struct Wire<'a> {
    pub(super) cursor: Cursor<'a>,
    pub(super) big_endian: bool,
    /// Version 1 has counts and lengths of 32 bits.
    pub(super) short_counts: bool,
}

impl Wire<'_> {
    pub(super) fn u32(&mut self) -> Parsed<u32> {
        let bytes = self.cursor.array()?;
        Ok(if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    pub(super) fn u64(&mut self) -> Parsed<u64> {
        let bytes = self.cursor.array()?;
        Ok(if self.big_endian { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// A count or length.
    pub(super) fn count(&mut self) -> Parsed<u64> {
        if self.short_counts { self.u32().map(u64::from) } else { self.u64() }
    }

    /// The length of a string that is really there.
    pub(super) fn length(&mut self) -> Proof<u64> {
        let at = self.cursor.position();
        let length = self.count()?;
        if length <= self.cursor.left() {
            return Ok(length);
        }
        if length > LONGEST_STRING {
            return flaw(at, format!("a string claims {length} bytes, more than the file has"));
        }
        Err(Halt::Truncated { offset: at }.into())
    }

    /// A string of at most `most` bytes.
    pub(super) fn string(&mut self, most: usize, what: &str) -> Proof<String> {
        let at = self.cursor.position();
        let length = self.length()?;
        let Some(size) = usize::try_from(length).ok().filter(|size| *size <= most) else {
            return flaw(at, format!("a {what} has {length} bytes; {most} are allowed"));
        };
        match std::str::from_utf8(self.cursor.take(size)?) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => flaw(at, format!("a {what} is not UTF-8")),
        }
    }

    /// Passes over a string.
    pub(super) fn skip_string(&mut self) -> Proof<()> {
        let length = self.length()?;
        Ok(self.cursor.skip(length)?)
    }

    /// The length of a list whose elements take at least `least` bytes each.
    pub(super) fn list(&mut self, least: u64) -> Proof<u64> {
        let at = self.cursor.position();
        let count = self.count()?;
        if count.checked_mul(least).is_some_and(|bytes| bytes <= self.cursor.left()) {
            return Ok(count);
        }
        if count > LONGEST_LIST {
            return flaw(at, format!("a list claims {count} elements, more than the file has"));
        }
        Err(Halt::Truncated { offset: at }.into())
    }
}
