//! Object headers (specification IV.A) and groups.

use super::bytes::{Block, File, size};
use super::{Walk, heap};
use crate::halt::{Halt, Parsed};

/// Bytes of one header block; attributes of 64 KiB stand within.
const LARGEST: usize = 16 << 20;
/// Blocks of one header.
const MOST_BLOCKS: usize = 4096;
/// Levels of a B-tree of links.
const DEEPEST: usize = 16;

impl Walk<'_, '_> {
    /// Reads the header at `address`; the objects that it leads to go to `open`.
    pub(super) fn object(&mut self, file: File<'_>, address: u64, open: &mut Vec<u64>) -> Parsed<()> {
        let mark = file.up_to(address, 4)?;
        if mark.bytes == b"OHDR" { self.second(file, address, open) } else { self.first(file, address, open) }
    }

    fn first(&mut self, file: File<'_>, address: u64, open: &mut Vec<u64>) -> Parsed<()> {
        let mut prefix = file.block(address, 16)?;
        if prefix.u8()? != 1 {
            return Err(Halt::malformed(address, "no object header"));
        }
        prefix.skip(7)?;
        let length = size(prefix.u32()?, LARGEST, address)?;
        let mut blocks = vec![(address + 16, length)];
        let mut read = 0;
        while let Some((at, length)) = blocks.pop() {
            read += 1;
            if read > MOST_BLOCKS {
                return Err(Halt::malformed(at, "an object header without end"));
            }
            let mut block = file.block(at, length)?;
            while block.left() >= 8 {
                let kind = block.u16()?;
                let length = size(block.u16()?, LARGEST, at)?;
                let flags = block.u8()?;
                block.skip(3)?;
                let body = block.part(length)?;
                self.any(kind, flags, body, &mut blocks, open)?;
            }
        }
        Ok(())
    }

    fn second(&mut self, file: File<'_>, address: u64, open: &mut Vec<u64>) -> Parsed<()> {
        let mut prefix = file.up_to(address, 64)?;
        prefix.expect(b"OHDR")?;
        if prefix.u8()? != 2 {
            return Err(Halt::malformed(address, "version of the object header"));
        }
        let flags = prefix.u8()?;
        let mut skipped = 0;
        if flags & 0x20 != 0 {
            skipped += 16;
        }
        if flags & 0x10 != 0 {
            skipped += 4;
        }
        prefix.skip(skipped)?;
        let length = size(prefix.number(1 << (flags & 3))?, LARGEST, address)?;
        let mut blocks = vec![(address + prefix.at as u64, length)];
        let mut read = 0;
        while let Some((at, length)) = blocks.pop() {
            read += 1;
            if read > MOST_BLOCKS {
                return Err(Halt::malformed(at, "an object header without end"));
            }
            let mut block = file.block(at, length)?;
            if read > 1 {
                block.expect(b"OCHK")?;
                // The checksum at the end is no message.
                block.bytes.truncate(length.saturating_sub(4));
            }
            let head = if flags & 4 != 0 { 6 } else { 4 };
            while block.left() >= head {
                let kind = u64::from(block.u8()?);
                let length = size(block.u16()?, LARGEST, at)?;
                let message_flags = block.u8()?;
                block.skip(head - 4)?;
                let body = block.part(length)?;
                self.any(kind, message_flags, body, &mut blocks, open)?;
            }
        }
        Ok(())
    }

    /// One message of either kind of header.
    fn any(
        &mut self,
        kind: u64,
        flags: u8,
        mut body: Block<'_>,
        blocks: &mut Vec<(u64, usize)>,
        open: &mut Vec<u64>,
    ) -> Parsed<()> {
        self.scan.spend(1)?;
        if kind == 0x10 {
            let at = body.offset()?;
            let length = size(body.length()?, LARGEST, at)?;
            blocks.push((at, length));
            return Ok(());
        }
        // Shared messages are named by an address: types and filters that other objects hold in full. An attribute there is
        // found by what it says.
        if flags & 2 != 0 {
            self.unread |= kind == 0x0c;
            return Ok(());
        }
        let outcome = match kind {
            0x02 => self.link_info(&mut body, open),
            0x06 => self.link(&mut body, open),
            0x07 => self.external_files(&mut body),
            0x08 => self.layout(&mut body),
            0x0b => self.filters(&mut body),
            0x0c => self.attribute(&mut body),
            0x11 => self.symbol_table(&mut body, open),
            0x15 => self.attribute_info(&mut body),
            _ => Ok(()),
        };
        if let Err(Halt::Limit { what }) = outcome {
            return Err(Halt::Limit { what });
        }
        self.unread |= outcome.is_err();
        Ok(())
    }

    /// Links of a group of the old kind: a B-tree; the names in its local heap say nothing.
    fn symbol_table(&mut self, body: &mut Block<'_>, open: &mut Vec<u64>) -> Parsed<()> {
        let file = body.file;
        let tree = body.offset()?;
        let mut nodes = vec![(tree, 0_usize)];
        while let Some((address, depth)) = nodes.pop() {
            self.scan.spend(1)?;
            let mut node = file.up_to(address, 8)?;
            if node.bytes.starts_with(b"SNOD") {
                node.skip(6)?;
                let count = size(node.u16()?, 65_536, address)?;
                let mut entries = file.block(address + 8, count * (2 * file.offset_size + 24))?;
                for _ in 0..count {
                    let _name = entries.offset()?;
                    let object = entries.offset()?;
                    let cache = entries.u32()?;
                    entries.skip(4)?;
                    entries.skip(16)?;
                    // A soft link leads to a name of this file.
                    if cache != 2 {
                        open.push(object);
                    }
                }
                continue;
            }
            let mut node = file.block(address, 8 + 2 * file.offset_size)?;
            node.expect(b"TREE")?;
            node.skip(2)?;
            let count = size(node.u16()?, 65_536, address)?;
            if depth > DEEPEST {
                return Err(Halt::malformed(address, "a tree of links without end"));
            }
            let width = file.length_size + file.offset_size;
            let mut entries = file.block(address + node.bytes.len() as u64, count * width)?;
            for _ in 0..count {
                entries.skip(file.length_size)?;
                nodes.push((entries.offset()?, depth + 1));
            }
        }
        Ok(())
    }

    /// Links of a group of the new kind, when there are many.
    fn link_info(&mut self, body: &mut Block<'_>, open: &mut Vec<u64>) -> Parsed<()> {
        body.skip(1)?;
        let flags = body.u8()?;
        if flags & 1 != 0 {
            body.skip(8)?;
        }
        let heap = body.offset()?;
        let tree = body.offset()?;
        if body.file.is_address(heap) {
            for mut link in heap::dense(body.file, heap, tree, self.scan)? {
                self.link(&mut link, open)?;
            }
        }
        Ok(())
    }

    /// Attributes, when there are many or large ones.
    fn attribute_info(&mut self, body: &mut Block<'_>) -> Parsed<()> {
        body.skip(1)?;
        let flags = body.u8()?;
        if flags & 1 != 0 {
            body.skip(2)?;
        }
        let heap = body.offset()?;
        let tree = body.offset()?;
        if body.file.is_address(heap) {
            for mut attribute in heap::dense(body.file, heap, tree, self.scan)? {
                self.attribute(&mut attribute)?;
            }
        }
        Ok(())
    }
}
