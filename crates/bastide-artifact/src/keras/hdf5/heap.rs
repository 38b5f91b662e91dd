//! Heaps: global ones for texts of variable length, fractal ones for many or large attributes and links.

use super::bytes::{Block, File, size};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;

/// Bytes of one collection, one direct block, one object.
const LARGEST: usize = 64 << 20;
/// Levels of a B-tree, rows of a heap.
const DEEPEST: usize = 32;
/// Records of one B-tree.
const MOST_RECORDS: usize = 200_000;

/// The object `index` of the global heap collection at `address` (specification III.E).
pub(super) fn global<'s>(file: File<'s>, address: u64, index: u64) -> Parsed<Block<'s>> {
    let mut head = file.block(address, 8 + file.length_size)?;
    head.expect(b"GCOL")?;
    head.skip(4)?;
    let length = size(head.length()?, LARGEST, address)?;
    let mut heap = file.block(address, length)?;
    heap.skip(8 + file.length_size)?;
    while heap.left() >= 8 + file.length_size {
        let at = heap.u16()?;
        heap.skip(6)?;
        let length = size(heap.length()?, LARGEST, address)?;
        if at == 0 {
            break;
        }
        if at == index {
            return heap.part(length);
        }
        heap.skip(length.next_multiple_of(8).min(heap.left()))?;
    }
    Err(Halt::malformed(address, "an object of the global heap is missing"))
}

/// The data of the local heap at `address` (specification III.D).
pub(super) fn local<'s>(file: File<'s>, address: u64) -> Parsed<Block<'s>> {
    let mut head = file.block(address, 8 + 2 * file.length_size + file.offset_size)?;
    head.expect(b"HEAP")?;
    head.skip(4)?;
    let length = size(head.length()?, LARGEST, address)?;
    head.skip(file.length_size)?;
    file.block(head.offset()?, length)
}

/// Where the objects of a fractal heap are (specification III.G).
struct Fractal<'s> {
    file: File<'s>,
    id_size: usize,
    /// Bytes of an offset within the heap.
    offset_size: usize,
    /// Bytes of an object's length.
    length_size: usize,
    /// Address and heap offset of each direct block.
    blocks: Vec<(u64, u64, u64)>,
    huge: u64,
}

/// What the B-tree at `tree` names in the fractal heap at `heap`: bodies of messages.
pub(super) fn dense<'s>(file: File<'s>, heap: u64, tree: u64, scan: &mut Scan<'_>) -> Parsed<Vec<Block<'s>>> {
    const MOST_BYTES: usize = 64 << 20;
    let heap = Fractal::read(file, heap, scan)?;
    let mut objects = Vec::new();
    let mut held = 0;
    for id in records(file, tree, scan)? {
        let object = heap.object(&id)?;
        held += object.bytes.len();
        if held > MOST_BYTES {
            return Err(Halt::limit(format!("{MOST_BYTES} bytes of attributes")));
        }
        objects.push(object);
    }
    Ok(objects)
}

impl<'s> Fractal<'s> {
    fn read(file: File<'s>, address: u64, scan: &mut Scan<'_>) -> Parsed<Self> {
        let mut head = file.up_to(address, 256)?;
        head.expect(b"FRHP")?;
        head.skip(1)?;
        let id_size = size(head.u16()?, 4096, address)?;
        let filters = head.u16()?;
        if filters != 0 {
            return Err(Halt::malformed(address, "a filtered heap"));
        }
        head.skip(1)?;
        let largest = head.u32()?;
        head.skip(file.length_size)?;
        let huge = head.offset()?;
        head.skip(file.length_size + file.offset_size + 8 * file.length_size)?;
        let width = head.u16()?.max(1);
        let start = head.length()?;
        let largest_direct = head.length()?;
        let bits = head.u16()?;
        head.skip(2)?;
        let root = head.offset()?;
        let rows = head.u16()?;
        let offset_size = size(bits.div_ceil(8), 8, address)?;
        let width_of = |number: u64| (64 - number.leading_zeros() as usize).div_ceil(8).max(1);
        let length_size = width_of(largest_direct).min(width_of(largest));
        let mut heap = Fractal { file, id_size, offset_size, length_size, blocks: Vec::new(), huge };
        let shape = Shape { width, start, largest_direct };
        if file.is_address(root) {
            match rows {
                0 => heap.blocks.push((root, 0, start)),
                rows => heap.indirect(root, rows, 0, &shape, 0, scan)?,
            }
        }
        Ok(heap)
    }

    /// Direct blocks below the indirect block at `address`.
    fn indirect(
        &mut self,
        address: u64,
        rows: u64,
        base: u64,
        shape: &Shape,
        depth: usize,
        scan: &mut Scan<'_>,
    ) -> Parsed<()> {
        if depth > DEEPEST || rows > 64 {
            return Err(Halt::malformed(address, "a heap without end"));
        }
        let head = 5 + self.file.offset_size + self.offset_size;
        let entries = size(rows.saturating_mul(shape.width), 65_536, address)?;
        let mut block = self.file.block(address, head + entries * self.file.offset_size)?;
        block.expect(b"FHIB")?;
        block.skip(head - 4)?;
        let mut at = base;
        for row in 0..rows {
            let length = shape.row(row);
            for _ in 0..shape.width {
                scan.spend(1)?;
                let child = block.offset()?;
                if self.file.is_address(child) {
                    if length <= shape.largest_direct {
                        self.blocks.push((child, at, length));
                    } else {
                        let rows = shape.rows_of(length);
                        self.indirect(child, rows, at, shape, depth + 1, scan)?;
                    }
                }
                at = at.saturating_add(length);
            }
        }
        Ok(())
    }

    fn object(&self, id: &[u8]) -> Parsed<Block<'s>> {
        let mut id = Block::new(id.get(..self.id_size).unwrap_or(id).to_vec(), 0, self.file);
        let flags = id.u8()?;
        match flags >> 4 & 3 {
            0 => {
                let at = id.number(self.offset_size)?;
                let length = size(id.number(self.length_size)?, LARGEST, at)?;
                let (address, base, _) = self
                    .blocks
                    .iter()
                    .find(|(_, base, size)| (*base..base.saturating_add(*size)).contains(&at))
                    .ok_or_else(|| Halt::malformed(at, "an object outside of its heap"))?;
                self.file.block(address.saturating_add(at - base), length)
            }
            1 => self.huge_object(&mut id),
            2 => {
                let length = usize::from(flags & 0x0f) + 1;
                id.part(length)
            }
            _ => Err(Halt::malformed(0, "a kind of heap object")),
        }
    }

    /// An object too large for the heap: its id is a key of a B-tree, or says the place itself.
    fn huge_object(&self, id: &mut Block<'s>) -> Parsed<Block<'s>> {
        if id.left() >= self.file.offset_size + self.file.length_size {
            let at = id.offset()?;
            let length = size(id.length()?, LARGEST, at)?;
            return self.file.block(at, length);
        }
        let key = id.number(id.left().min(8))?;
        for record in walk(self.file, self.huge, &mut |_| Ok(()))? {
            let mut record = Block::new(record, self.huge, self.file);
            let at = record.offset()?;
            let length = size(record.length()?, LARGEST, at)?;
            if record.length()? == key {
                return self.file.block(at, length);
            }
        }
        Err(Halt::malformed(self.huge, "a large attribute is missing"))
    }
}

/// The doubling table of a fractal heap.
struct Shape {
    width: u64,
    start: u64,
    largest_direct: u64,
}

impl Shape {
    /// Bytes of each block of `row`.
    fn row(&self, row: u64) -> u64 {
        self.start.checked_shl(u32::try_from(row.saturating_sub(1)).unwrap_or(64)).unwrap_or(u64::MAX)
    }

    /// Rows of the indirect block that spans `length` bytes.
    fn rows_of(&self, length: u64) -> u64 {
        let first = self.start.saturating_mul(self.width).max(1);
        u64::from((length / first).max(1).ilog2()) + 1
    }
}

/// The heap ids of the records of the B-tree at `address`, by name or by creation order.
fn records(file: File<'_>, address: u64, scan: &mut Scan<'_>) -> Parsed<Vec<Vec<u8>>> {
    let kind = file.up_to(address, 6)?.bytes.get(5).copied().unwrap_or_default();
    let records = walk(file, address, &mut |count| scan.spend(count))?;
    // Links by name begin with a hash of four bytes, by order with eight; attributes begin with the id.
    let skip = match kind {
        5 => 4,
        6 => 8,
        8 | 9 => 0,
        _ => return Err(Halt::malformed(address, "a kind of B-tree")),
    };
    Ok(records.into_iter().map(|record| record.get(skip..).unwrap_or_default().to_vec()).collect())
}

/// All records of a B-tree of version 2 (specification III.A.2).
fn walk(file: File<'_>, address: u64, spend: &mut dyn FnMut(u64) -> Parsed<()>) -> Parsed<Vec<Vec<u8>>> {
    let mut head = file.up_to(address, 64)?;
    head.expect(b"BTHD")?;
    head.skip(2)?;
    let node_size = size(head.u32()?, 1 << 20, address)?;
    let record_size = size(head.u16()?.max(1), 4096, address)?;
    let depth = size(head.u16()?, DEEPEST, address)?;
    head.skip(2)?;
    let root = head.offset()?;
    let in_root = head.u16()?;
    let bytes_of =
        |number: usize| (usize::BITS as usize - number.leading_zeros() as usize).div_ceil(8).max(1);
    // Widths of the counts beside the pointers to each level, from the leaves up.
    let leaf_most = node_size.saturating_sub(10) / record_size;
    let mut totals = vec![leaf_most];
    let mut most = vec![leaf_most];
    for level in 1..=depth {
        let below = totals.get(level - 1).copied().unwrap_or_default();
        let pointer = file.offset_size + bytes_of(leaf_most) + if level > 1 { bytes_of(below) } else { 0 };
        let here = node_size.saturating_sub(10 + pointer) / (record_size + pointer);
        most.push(here);
        totals.push(here.saturating_add(1).saturating_mul(below).saturating_add(here));
    }
    let mut all = Vec::new();
    let mut open = vec![(root, in_root, depth)];
    while let Some((at, count, level)) = open.pop() {
        if !file.is_address(at) {
            continue;
        }
        let count = size(count, node_size / record_size + 1, at)?;
        spend(count as u64 + 1)?;
        let mut node = file.up_to(at, node_size)?;
        node.expect(if level == 0 { b"BTLF" } else { b"BTIN" })?;
        node.skip(2)?;
        for _ in 0..count {
            all.push(node.take(record_size)?.to_vec());
        }
        if all.len() > MOST_RECORDS {
            return Err(Halt::limit(format!("{MOST_RECORDS} records of a B-tree")));
        }
        for _ in 0..if level > 0 { count + 1 } else { 0 } {
            let child = node.offset()?;
            let records = node.number(bytes_of(leaf_most))?;
            if level > 1 {
                node.skip(bytes_of(totals.get(level - 1).copied().unwrap_or_default()))?;
            }
            open.push((child, records, level - 1));
        }
    }
    Ok(all)
}
