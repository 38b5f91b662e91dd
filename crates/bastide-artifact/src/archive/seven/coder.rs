//! The coders of a folder, one over the other.

use std::io::{self, Read};

use super::header::{Coder, Folder};
use crate::archive::codec::{self, Filter, Reader};
use crate::archive::input::Input;
use crate::source::Source;

/// What a coder does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Copy,
    Lzma { properties: u8, dictionary: u32 },
    Lzma2 { dictionary: u32 },
    Deflate,
    Bzip2,
    Zstd,
    Lz4,
    Filter(Filter),
}

/// The coders from the packed bytes to the plain ones, with what each makes.
#[derive(Debug)]
pub(crate) struct Chain(Vec<(Kind, u64)>);

/// Why there is no chain.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum No {
    Encrypted,
    /// A coder that is not known here, or several streams that are joined.
    Unsupported,
}

const AES: u64 = 0x06f1_0701;

impl Chain {
    pub(crate) fn new(folder: &Folder) -> Result<Self, No> {
        if folder.coders.iter().any(|coder| coder.id == AES) {
            return Err(No::Encrypted);
        }
        if folder.coders.iter().any(|coder| (coder.inputs, coder.outputs) != (1, 1)) || folder.inputs != 1 {
            return Err(No::Unsupported);
        }
        // With one stream each, inputs and outputs have the numbers of their coders.
        let count = folder.coders.len() as u64;
        let first = (0..count).find(|at| !folder.bound.iter().any(|(input, _)| input == at));
        let mut chain = Vec::new();
        let mut next = first;
        while let Some(at) = next {
            let index = usize::try_from(at).map_err(|_| No::Unsupported)?;
            let coder = folder.coders.get(index).ok_or(No::Unsupported)?;
            let made = folder.made.get(index).copied().unwrap_or(0);
            chain.push((kind(coder).ok_or(No::Unsupported)?, made));
            if chain.len() as u64 > count {
                return Err(No::Unsupported);
            }
            next = folder.bound.iter().find(|(_, output)| *output == at).map(|(input, _)| *input);
        }
        match chain.len() as u64 == count {
            true => Ok(Chain(chain)),
            false => Err(No::Unsupported),
        }
    }

    pub(crate) fn open<'a>(&self, packed: &'a dyn Source) -> io::Result<Reader<'a>> {
        let mut reader: Reader<'a> = Box::new(Input::new(packed));
        for (place, &(kind, made)) in self.0.iter().enumerate() {
            let direct = place == 0;
            let decoded: Reader<'a> = match kind {
                Kind::Copy => reader,
                Kind::Lzma { properties, dictionary } => {
                    codec::lzma_raw(reader, properties, dictionary, made)?
                }
                Kind::Lzma2 { dictionary } => codec::lzma2(reader, dictionary)?,
                Kind::Filter(filter) => filter.over(reader),
                Kind::Deflate if direct => codec::deflate(Input::new(packed)),
                Kind::Bzip2 if direct => codec::bzip2(Input::new(packed)),
                Kind::Zstd if direct => codec::zstd(Input::new(packed))?,
                Kind::Lz4 if direct => codec::lz4(Input::new(packed)),
                _ => return Err(io::ErrorKind::Unsupported.into()),
            };
            reader = Box::new(decoded.take(made));
        }
        Ok(reader)
    }
}

fn kind(coder: &Coder) -> Option<Kind> {
    let properties = coder.properties.as_slice();
    Some(match coder.id {
        0 => Kind::Copy,
        0x21 => Kind::Lzma2 { dictionary: lzma2_dictionary(*properties.first()?)? },
        0x03_0101 => match *properties {
            [properties, a, b, c, d, ..] => {
                Kind::Lzma { properties, dictionary: u32::from_le_bytes([a, b, c, d]) }
            }
            _ => return None,
        },
        0x04_0108 => Kind::Deflate,
        0x04_0202 => Kind::Bzip2,
        0x04f7_1101 => Kind::Zstd,
        0x04f7_1104 => Kind::Lz4,
        0x03 => Kind::Filter(Filter::Delta(properties.first().copied().unwrap_or(0))),
        0x04 | 0x0303_0103 => Kind::Filter(Filter::X86),
        0x05 | 0x0303_0205 => Kind::Filter(Filter::PowerPc),
        0x06 | 0x0303_0401 => Kind::Filter(Filter::Ia64),
        0x07 | 0x0303_0501 => Kind::Filter(Filter::Arm),
        0x08 | 0x0303_0701 => Kind::Filter(Filter::ArmThumb),
        0x09 | 0x0303_0805 => Kind::Filter(Filter::Sparc),
        0x0a => Kind::Filter(Filter::Arm64),
        0x0b => Kind::Filter(Filter::RiscV),
        _ => return None,
    })
}

/// The byte that stands for a dictionary: 2 or 3 times a power of two.
fn lzma2_dictionary(byte: u8) -> Option<u32> {
    match byte {
        40 => Some(u32::MAX),
        0..40 => (2 | u32::from(byte & 1)).checked_shl(u32::from(byte / 2) + 11),
        _ => None,
    }
}
