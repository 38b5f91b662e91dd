//! Messages that carry text, or lead to other files.

use super::bytes::{Block, size};
use super::{FILTER, Walk, heap};
use crate::halt::{Halt, Parsed};
use crate::keras;

/// Bytes of the longest text kept.
const LONGEST: usize = 32 << 20;

/// Filters of the library itself, and those registered with The HDF Group that are in use.
const FILTERS: &[u64] = &[
    1, 2, 3, 4, 5, 6, 305, 307, 32000, 32001, 32002, 32003, 32004, 32005, 32006, 32007, 32008, 32009, 32010,
    32011, 32012, 32013, 32014, 32015, 32016, 32017, 32018, 32019, 32020, 32021, 32022, 32023, 32024, 32025,
    32026, 32027, 32028, 32029, 32030, 32031,
];

impl Walk<'_, '_> {
    /// An attribute (specification IV.A.2.m): one text is looked at, numbers are not.
    pub(super) fn attribute(&mut self, body: &mut Block<'_>) -> Parsed<()> {
        let version = body.u8()?;
        let flags = body.u8()?;
        let lengths = [body.u16()?, body.u16()?, body.u16()?];
        let [name, kind, space] = lengths.map(|length| usize::try_from(length).unwrap_or(usize::MAX));
        match version {
            1 | 2 => {}
            3 => body.skip(1)?,
            _ => return Err(Halt::malformed(body.address, "version of an attribute")),
        }
        let mut parts = Vec::new();
        for length in [name, kind, space] {
            let start = body.at;
            parts.push(body.part(length)?);
            if version == 1 {
                body.align(start)?;
            }
        }
        let [name, kind, space] = parts.as_mut_slice() else { return Ok(()) };
        let name = name.until_zero()?;
        self.attributes += 1;
        // The type or space is stored elsewhere, as an object of its own.
        if version > 1 && flags & 3 != 0 {
            return self.untyped(&name, body);
        }
        let kind = Kind::read(kind)?;
        let elements = elements(space)?;
        let at = body.address + body.at as u64;
        match kind {
            Kind::Fixed(length) if elements == 1 => {
                let text = body.take(length.min(body.left()))?.to_vec();
                self.text(&name, &text, at)?;
            }
            Kind::Variable if elements <= 65_536 => {
                for _ in 0..elements {
                    body.skip(4)?;
                    let (collection, index) = (body.offset()?, body.u32()?);
                    if body.file.is_address(collection) && collection != 0 {
                        let text = heap::global(body.file, collection, index)?;
                        if elements == 1 || text.bytes.first() == Some(&b'{') {
                            self.text(&name, &text.bytes, text.address)?;
                        }
                    }
                    self.scan.spend(1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// An attribute whose type is not at hand: a text there is known by how it begins.
    fn untyped(&mut self, name: &str, body: &mut Block<'_>) -> Parsed<()> {
        let at = body.address + body.at as u64;
        let bytes = body.take(body.left().min(LONGEST))?.to_vec();
        if bytes.trim_ascii_start().starts_with(b"{") {
            return self.text(name, &bytes, at);
        }
        // A text of any length is its length, the address of a heap, and a number there.
        let mut rest = body.file.block(at, bytes.len())?;
        rest.skip(4)?;
        let (collection, index) = (rest.offset()?, rest.u32()?);
        if collection != 0 && body.file.is_address(collection) {
            let text = heap::global(body.file, collection, index)?;
            self.text(name, &text.bytes, text.address)?;
        }
        Ok(())
    }

    /// The text of an attribute.
    fn text(&mut self, name: &str, bytes: &[u8], at: u64) -> Parsed<()> {
        let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
        self.kept.note(name, bytes);
        if self.pickled(name, bytes)? {
            return Ok(());
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches(['\0', ' ']).trim_start();
        match name {
            "keras_version" => self.scan.facts.library("keras", text),
            "tensorflow_version" => self.scan.facts.library("tensorflow", text),
            "h5py_version" => self.scan.facts.library("h5py", text),
            _ => {}
        }
        // Escapes of JSON spell any name.
        let holds_config = text.contains("class_name") || text.contains("\\u00");
        if text.starts_with(['{', '[']) && holds_config {
            keras::config(text, at, self.scan).map_err(|halt| match halt {
                Halt::Limit { what } => Halt::Limit { what },
                _ => Halt::malformed(at, format!("the attribute `{name}` is no JSON")),
            })?;
        }
        Ok(())
    }

    /// A link (specification IV.A.2.g).
    pub(super) fn link(&mut self, body: &mut Block<'_>, open: &mut Vec<u64>) -> Parsed<()> {
        body.skip(1)?;
        let flags = body.u8()?;
        let kind = if flags & 8 != 0 { body.u8()? } else { 0 };
        if flags & 4 != 0 {
            body.skip(8)?;
        }
        if flags & 0x10 != 0 {
            body.skip(1)?;
        }
        let length = size(body.number(1 << (flags & 3))?, 1 << 20, body.address)?;
        let name = String::from_utf8_lossy(body.take(length)?).into_owned();
        match kind {
            0 => open.push(body.offset()?),
            64 => {
                let _length = body.u16()?;
                body.skip(1)?;
                let at = body.address + body.at as u64;
                let other = body.until_zero()?;
                self.other_file(&format!("`{}` is a link into", crate::scan::shown(&name)), &other, at);
            }
            // Soft links lead to a name of this file.
            _ => {}
        }
        Ok(())
    }

    /// Raw data in other files (specification IV.A.2.h).
    pub(super) fn external_files(&mut self, body: &mut Block<'_>) -> Parsed<()> {
        body.skip(4)?;
        let _allocated = body.u16()?;
        let used = body.u16()?;
        let mut names = heap::local(body.file, body.offset()?)?;
        for _ in 0..used {
            let name = size(body.length()?, names.bytes.len(), body.address)?;
            body.skip(2 * body.file.length_size)?;
            names.at = name;
            let at = names.address + name as u64;
            let name = names.until_zero()?;
            self.other_file("a dataset reads its values from", &name, at);
        }
        Ok(())
    }

    /// Where values are (specification IV.A.2.i): only virtual datasets take them from other files.
    pub(super) fn layout(&mut self, body: &mut Block<'_>) -> Parsed<()> {
        let version = body.u8()?;
        if version < 4 || body.u8()? != 3 {
            return Ok(());
        }
        let collection = body.offset()?;
        let index = body.u32()?;
        if !body.file.is_address(collection) {
            return Ok(());
        }
        let mut sources = heap::global(body.file, collection, index)?;
        let version = sources.u8()?;
        let count = sources.length()?;
        let at = sources.address + sources.at as u64;
        // Since version 1, a flag says that the source is this file.
        const SAME_FILE: u8 = 4;
        let flags = if version >= 1 { sources.u8()? } else { 0 };
        if flags & SAME_FILE == 0 {
            let name = sources.until_zero()?;
            self.other_file("a virtual dataset reads its values from", &name, at);
        }
        if count > 1 {
            self.further_sources(&sources);
        }
        Ok(())
    }

    /// The selections between names vary in length; names of files are found by how they begin.
    fn further_sources(&mut self, sources: &Block<'_>) {
        let rest = sources.bytes.get(sources.at..).unwrap_or_default();
        let at = sources.address + sources.at as u64;
        for text in rest.split(|byte| *byte == 0).filter(|text| text.len() > 3) {
            let path = text.iter().all(|byte| byte.is_ascii_graphic())
                && (text.starts_with(b"/") || text.starts_with(b".."));
            // Names of data sets begin with a slash as well.
            let file =
                [b".h5".as_slice(), b".hdf5", b"/etc/", b"/proc/", b"/root/", b"/home/", b"/var/", b"/."]
                    .iter()
                    .any(|mark| memchr::memmem::find(text, mark).is_some());
            if path && (file || text.starts_with(b"../")) {
                self.other_file(
                    "a virtual dataset reads its values from",
                    &String::from_utf8_lossy(text),
                    at,
                );
            }
        }
    }

    /// Filters (specification IV.A.2.l).
    pub(super) fn filters(&mut self, body: &mut Block<'_>) -> Parsed<()> {
        let version = body.u8()?;
        let count = body.u8()?;
        if version == 1 {
            body.skip(6)?;
        }
        for _ in 0..count {
            let at = body.address + body.at as u64;
            let filter = body.u16()?;
            let name = if version == 1 || filter >= 256 { body.u16()? } else { 0 };
            body.skip(2)?;
            let values = size(body.u16()?, 65_536, at)?;
            body.skip(size(name, 65_536, at)?)?;
            body.skip(4 * values)?;
            if version == 1 && values % 2 == 1 {
                body.skip(4)?;
            }
            if !FILTERS.contains(&filter) {
                self.scan.find(&FILTER, at, format!("values are filtered by the plug-in {filter}"));
            }
        }
        Ok(())
    }
}

/// What an attribute holds, as far as it matters.
enum Kind {
    /// A text of so many bytes.
    Fixed(usize),
    /// Texts of any length, in the global heap.
    Variable,
    Other,
}

impl Kind {
    /// A datatype (specification IV.A.2.d).
    fn read(body: &mut Block<'_>) -> Parsed<Kind> {
        let class = body.u8()? & 0x0f;
        let bits = body.u8()?;
        body.skip(2)?;
        let length = body.u32()?;
        Ok(match class {
            // Texts, and opaque bytes.
            3 | 5 => Kind::Fixed(size(length, LONGEST, body.address)?),
            9 if bits & 0x0f == 1 => Kind::Variable,
            // Sequences of bytes.
            9 => match body.u8()? & 0x0f {
                0 | 3 => Kind::Variable,
                _ => Kind::Other,
            },
            _ => Kind::Other,
        })
    }
}

/// How many elements a dataspace has (specification IV.A.2.b).
fn elements(space: &mut Block<'_>) -> Parsed<u64> {
    let version = space.u8()?;
    let rank = space.u8()?;
    space.skip(if version == 1 { 6 } else { 2 })?;
    let mut elements = 1_u64;
    for _ in 0..rank {
        elements = elements.saturating_mul(space.length()?);
    }
    Ok(elements)
}
