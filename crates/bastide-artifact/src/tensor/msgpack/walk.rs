//! The items of a MessagePack document, one after another.

use super::super::proof::{Proof, flaw};
use crate::halt::{Halt, Parsed};
use crate::source::{Cursor, Source};

/// The most that one item of an honest file holds: Flax cuts arrays into pieces of a gibibyte.
const LONGEST: u64 = (1 << 30) + (1 << 16);

/// One item. Containers come before what they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Nothing, a truth value or a float.
    Scalar,
    Whole(u64),
    /// A string of `size` bytes at the offset.
    Text(u64, u64),
    Binary(u64, u64),
    Extension(i8, u64, u64),
    Array(u64),
    Map(u64),
}

/// A reader of items.
pub(super) struct Walk<'a> {
    pub(super) cursor: Cursor<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(source: &'a dyn Source, at: u64) -> Self {
        Walk { cursor: Cursor::at(source, at) }
    }

    /// The next item; passes over its bytes, but not over what a container holds.
    ///
    /// # Errors
    ///
    /// [`Halt::Truncated`] at the end of the bytes, [`Halt::Malformed`] at the one byte that begins nothing; a flaw where an
    /// item claims bytes that neither the file nor any other has.
    pub(super) fn next(&mut self) -> Proof<Item> {
        let first = self.cursor.u8()?;
        Ok(match first {
            0x00..=0x7f => Item::Whole(u64::from(first)),
            0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Item::Scalar,
            0x80..=0x8f => Item::Map(u64::from(first & 15)),
            0x90..=0x9f => Item::Array(u64::from(first & 15)),
            0xa0..=0xbf => self.text(u64::from(first & 31))?,
            0xc1 => {
                return Err(Halt::malformed(self.cursor.position() - 1, "byte 0xc1 begins nothing").into());
            }
            0xc4..=0xc6 => {
                let size = self.number(first - 0xc4)?;
                let at = self.skip(size)?;
                Item::Binary(at, size)
            }
            0xc7..=0xc9 => {
                let size = self.number(first - 0xc7)?;
                self.extension(size)?
            }
            0xca => self.scalar(4)?,
            0xcb => self.scalar(8)?,
            0xcc..=0xcf => Item::Whole(self.number(first - 0xcc)?),
            0xd0 => self.scalar(1)?,
            0xd1 => self.scalar(2)?,
            0xd2 => self.scalar(4)?,
            0xd3 => self.scalar(8)?,
            0xd4..=0xd8 => self.extension(1 << (first - 0xd4))?,
            0xd9..=0xdb => {
                let size = self.number(first - 0xd9)?;
                self.text(size)?
            }
            0xdc | 0xdd => Item::Array(self.number(first - 0xdc + 1)?),
            0xde | 0xdf => Item::Map(self.number(first - 0xde + 1)?),
        })
    }

    /// A number of 2^`power` bytes.
    fn number(&mut self, power: u8) -> Parsed<u64> {
        Ok(match power {
            0 => u64::from(self.cursor.u8()?),
            1 => u64::from(u16::from_be_bytes(self.cursor.array()?)),
            2 => u64::from(u32::from_be_bytes(self.cursor.array()?)),
            _ => u64::from_be_bytes(self.cursor.array()?),
        })
    }

    fn skip(&mut self, size: u64) -> Proof<u64> {
        let at = self.cursor.position();
        if size > LONGEST && size > self.cursor.left() {
            return flaw(at, format!("an item claims {size} bytes, more than the file has"));
        }
        self.cursor.skip(size)?;
        Ok(at)
    }

    fn scalar(&mut self, size: u64) -> Proof<Item> {
        self.skip(size)?;
        Ok(Item::Scalar)
    }

    fn text(&mut self, size: u64) -> Proof<Item> {
        Ok(Item::Text(self.skip(size)?, size))
    }

    fn extension(&mut self, size: u64) -> Proof<Item> {
        let code = i8::from_be_bytes(self.cursor.array()?);
        Ok(Item::Extension(code, self.skip(size)?, size))
    }
}
