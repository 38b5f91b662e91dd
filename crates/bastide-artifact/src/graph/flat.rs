//! FlatBuffers without generated code: <https://flatbuffers.dev/internals/>. Every offset is held against the file.

use crate::halt::Halt;
use crate::source::{Cursor, Source};
use crate::tensor::proof::{Proof, flaw};

/// Offsets are 32 bits and the format ends at 2 GiB; beyond, an offset is no cut file but a made one.
const LARGEST: u64 = 1 << 31;

/// A reader of tables.
pub(super) struct Flat<'a> {
    cursor: Cursor<'a>,
    size: u64,
}

/// A table whose own table of fields was held against the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) at: u64,
    vtable: u64,
    vtable_size: u64,
    size: u64,
}

/// The elements of a vector, all of which the file has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Vector {
    pub(super) start: u64,
    pub(super) count: u64,
}

impl<'a> Flat<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        Flat { cursor: Cursor::new(source), size: source.size() }
    }

    /// The table that the file begins with a reference to.
    pub(super) fn root(&mut self) -> Proof<Table> {
        /// Writers put the root first: behind more than its own table of fields nothing honest leads.
        const FARTHEST: u32 = 1 << 20;
        let first = self.u32(0)?;
        if first > FARTHEST && u64::from(first) > self.size {
            return flaw(0, format!("the root is said to be at {first}, behind the end of the file"));
        }
        let at = self.follow(0)?;
        self.table(at)
    }

    fn table(&mut self, at: u64) -> Proof<Table> {
        let back = i64::from(self.i32(at)?);
        let vtable =
            i64::try_from(at).ok().and_then(|at| at.checked_sub(back)).and_then(|v| u64::try_from(v).ok());
        let Some(vtable) = vtable.filter(|vtable| *vtable < LARGEST) else {
            return flaw(at, "a table refers to its fields outside of the file");
        };
        let (vtable_size, size) = (u64::from(self.u16(vtable)?), u64::from(self.u16(vtable + 2)?));
        if vtable_size < 4 || vtable_size % 2 != 0 || size < 4 {
            return flaw(vtable, "a table of fields is shorter than its own head");
        }
        self.within(vtable, vtable_size)?;
        self.within(at, size)?;
        Ok(Table { at, vtable, vtable_size, size })
    }

    /// Proves that the file has `size` bytes at `at`.
    fn within(&self, at: u64, size: u64) -> Proof<()> {
        match at.checked_add(size) {
            Some(end) if end <= self.size => Ok(()),
            Some(end) if end < LARGEST => Err(Halt::Truncated { offset: self.size }.into()),
            _ => flaw(at.min(self.size), "a reference leads outside of the file"),
        }
    }

    /// The offset of the field `id`, of `size` bytes; nothing where the table lacks it.
    fn field(&mut self, table: &Table, id: u64, size: u64) -> Proof<Option<u64>> {
        let entry = 4 + 2 * id;
        if entry + 2 > table.vtable_size {
            return Ok(None);
        }
        let offset = u64::from(self.u16(table.vtable + entry)?);
        if offset == 0 {
            return Ok(None);
        }
        if offset + size > table.size {
            return flaw(table.vtable + entry, "a field lies outside of its table");
        }
        Ok(Some(table.at + offset))
    }

    /// Where the reference at `at` leads.
    fn follow(&mut self, at: u64) -> Proof<u64> {
        let offset = u64::from(self.u32(at)?);
        self.within(at + offset, 4)?;
        Ok(at + offset)
    }

    /// The vector in field `id`, of elements of `element` bytes; an empty one where the table lacks it.
    pub(super) fn vector(&mut self, table: &Table, id: u64, element: u64) -> Proof<Vector> {
        let Some(at) = self.field(table, id, 4)? else { return Ok(Vector::default()) };
        let start = self.follow(at)?;
        let count = u64::from(self.u32(start)?);
        self.within(start + 4, count * element)?;
        Ok(Vector { start: start + 4, count })
    }

    /// Element `index` of a vector of tables.
    pub(super) fn element(&mut self, vector: &Vector, index: u64) -> Proof<Table> {
        let at = self.follow(vector.start + 4 * index)?;
        self.table(at)
    }

    /// The table in field `id`.
    pub(super) fn child(&mut self, table: &Table, id: u64) -> Proof<Option<Table>> {
        let Some(at) = self.field(table, id, 4)? else { return Ok(None) };
        let at = self.follow(at)?;
        self.table(at).map(Some)
    }

    /// The text in field `id`, of which 4096 bytes are enough; empty where the table lacks it.
    pub(super) fn text(&mut self, table: &Table, id: u64) -> Proof<String> {
        Ok(String::from_utf8_lossy(&self.some(table, id, 4096)?).into_owned())
    }

    /// The bytes in field `id`, of which a mebibyte is enough; none where the table lacks it.
    pub(super) fn bytes(&mut self, table: &Table, id: u64) -> Proof<Vec<u8>> {
        self.some(table, id, 1 << 20)
    }

    fn some(&mut self, table: &Table, id: u64, most: u64) -> Proof<Vec<u8>> {
        let vector = self.vector(table, id, 1)?;
        self.cursor.seek(vector.start);
        let size = usize::try_from(vector.count.min(most)).unwrap_or(0);
        Ok(self.cursor.take(size)?.to_vec())
    }

    /// The numbers in field `id`: 1, 4 or 8 bytes, 0 where the table lacks it.
    pub(super) fn byte(&mut self, table: &Table, id: u64) -> Proof<u8> {
        match self.field(table, id, 1)? {
            Some(at) => Ok(self.array::<1>(at)?[0]),
            None => Ok(0),
        }
    }

    pub(super) fn number(&mut self, table: &Table, id: u64) -> Proof<u32> {
        match self.field(table, id, 4)? {
            Some(at) => self.u32(at),
            None => Ok(0),
        }
    }

    pub(super) fn long(&mut self, table: &Table, id: u64) -> Proof<u64> {
        match self.field(table, id, 8)? {
            Some(at) => Ok(u64::from_le_bytes(self.array(at)?)),
            None => Ok(0),
        }
    }

    pub(super) fn has(&mut self, table: &Table, id: u64) -> Proof<bool> {
        Ok(self.field(table, id, 1)?.is_some())
    }

    /// Element `index` of a vector of signed numbers.
    pub(super) fn item(&mut self, vector: &Vector, index: u64) -> Proof<i32> {
        self.i32(vector.start + 4 * index)
    }

    fn array<const N: usize>(&mut self, at: u64) -> Proof<[u8; N]> {
        self.within(at, N as u64)?;
        self.cursor.seek(at);
        Ok(self.cursor.array()?)
    }

    fn u16(&mut self, at: u64) -> Proof<u16> {
        Ok(u16::from_le_bytes(self.array(at)?))
    }

    fn u32(&mut self, at: u64) -> Proof<u32> {
        Ok(u32::from_le_bytes(self.array(at)?))
    }

    fn i32(&mut self, at: u64) -> Proof<i32> {
        Ok(i32::from_le_bytes(self.array(at)?))
    }
}
