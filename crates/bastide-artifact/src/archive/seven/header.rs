//! The header of a 7z archive: which streams there are, how they are packed, and the files in them (7zFormat.txt).

use crate::halt::{Halt, Parsed};
use crate::limits::Limits;

/// Reads a header that is in memory.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
    limits: &'a Limits,
}

/// Streams of packed bytes and the folders they are made of.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    /// Where the first packed stream begins, behind the signature header.
    pub(crate) start: u64,
    pub(crate) packed: Vec<u64>,
    pub(crate) folders: Vec<Folder>,
}

/// A block of files that are packed together.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) coders: Vec<Coder>,
    /// Pairs of (input of a coder, output of the coder that feeds it).
    pub(crate) bound: Vec<(u64, u64)>,
    /// How many packed streams it takes.
    pub(crate) inputs: u64,
    /// What each coder makes.
    pub(crate) made: Vec<u64>,
    /// Sizes of the files in it.
    pub(crate) files: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Coder {
    pub(crate) id: u64,
    pub(crate) inputs: u64,
    pub(crate) outputs: u64,
    pub(crate) properties: Vec<u8>,
}

/// One file.
#[derive(Debug, Default)]
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) has_content: bool,
    pub(crate) attributes: u32,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(bytes: &'a [u8], limits: &'a Limits) -> Self {
        Fields { bytes, at: 0, limits }
    }

    fn malformed<T>(&self, what: &str) -> Parsed<T> {
        Err(Halt::malformed(self.at as u64, what))
    }

    fn take(&mut self, size: u64) -> Parsed<&'a [u8]> {
        let end = usize::try_from(size).ok().and_then(|size| self.at.checked_add(size));
        match end.and_then(|end| self.bytes.get(self.at..end)) {
            Some(bytes) => {
                self.at += bytes.len();
                Ok(bytes)
            }
            None => Err(Halt::Truncated { offset: self.bytes.len() as u64 }),
        }
    }

    pub(crate) fn byte(&mut self) -> Parsed<u8> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// A number whose first byte tells how many follow.
    fn number(&mut self) -> Parsed<u64> {
        let first = self.byte()?;
        let more = first.leading_ones();
        let low =
            self.take(u64::from(more))?.iter().rev().fold(0_u64, |sum, &byte| sum << 8 | u64::from(byte));
        let high = u64::from(first & 0x7f_u8.checked_shr(more).unwrap_or(0));
        Ok(low | high.checked_shl(8 * more).unwrap_or(0))
    }

    /// A count of things that each take room in memory.
    fn count(&mut self) -> Parsed<u64> {
        let count = self.number()?;
        match count <= self.limits.entries {
            true => Ok(count),
            false => Err(Halt::limit(format!("{} entries in an archive", self.limits.entries))),
        }
    }

    fn bits(&mut self, count: u64) -> Parsed<Vec<bool>> {
        let bytes = self.take(count.div_ceil(8))?;
        let bits = bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & 0x80_u8 >> bit != 0));
        Ok(bits.take(usize::try_from(count).unwrap_or(usize::MAX)).collect())
    }

    /// Bits with a byte before that says whether all are set.
    fn defined(&mut self, count: u64) -> Parsed<Vec<bool>> {
        match self.byte()? {
            0 => self.bits(count),
            _ => Ok(vec![true; usize::try_from(count).unwrap_or(0)]),
        }
    }

    fn digests(&mut self, count: u64) -> Parsed<Vec<bool>> {
        let defined = self.defined(count)?;
        self.take(4 * defined.iter().filter(|defined| **defined).count() as u64)?;
        Ok(defined)
    }

    pub(crate) fn streams(&mut self) -> Parsed<Streams> {
        let mut streams = Streams::default();
        let mut summed = Vec::new();
        loop {
            match self.byte()? {
                0 => break,
                6 => self.pack_info(&mut streams)?,
                7 => summed = self.unpack_info(&mut streams)?,
                8 => self.substreams(&mut streams, &summed)?,
                _ => return self.malformed("the streams hold an unknown property"),
            }
        }
        Ok(streams)
    }

    fn pack_info(&mut self, streams: &mut Streams) -> Parsed<()> {
        streams.start = self.number()?;
        let count = self.count()?;
        loop {
            match self.byte()? {
                0 => return Ok(()),
                9 => streams.packed = (0..count).map(|_| self.number()).collect::<Parsed<_>>()?,
                10 => drop(self.digests(count)?),
                _ => return self.malformed("the packed streams hold an unknown property"),
            }
        }
    }

    fn unpack_info(&mut self, streams: &mut Streams) -> Parsed<Vec<bool>> {
        let mut summed = Vec::new();
        loop {
            match self.byte()? {
                0 => break,
                11 => {
                    let count = self.count()?;
                    if self.byte()? != 0 {
                        return self.malformed("the folders stand elsewhere");
                    }
                    streams.folders = (0..count).map(|_| self.folder()).collect::<Parsed<_>>()?;
                }
                12 => {
                    for folder in &mut streams.folders {
                        let outputs: u64 = folder.coders.iter().map(|coder| coder.outputs).sum();
                        folder.made = (0..outputs).map(|_| self.number()).collect::<Parsed<_>>()?;
                    }
                }
                10 => summed = self.digests(streams.folders.len() as u64)?,
                _ => return self.malformed("the folders hold an unknown property"),
            }
        }
        for folder in &mut streams.folders {
            folder.files = vec![folder.size()];
        }
        Ok(summed)
    }

    fn folder(&mut self) -> Parsed<Folder> {
        const MOST: u64 = 32;
        let mut folder = Folder::default();
        let coders = self.number()?;
        if coders == 0 || coders > MOST {
            return self.malformed("a folder has no coder or too many");
        }
        for _ in 0..coders {
            let flags = self.byte()?;
            let id = self
                .take(u64::from(flags & 0x0f).min(8))?
                .iter()
                .fold(0_u64, |id, &byte| id << 8 | u64::from(byte));
            let (inputs, outputs) = if flags & 0x10 != 0 { (self.number()?, self.number()?) } else { (1, 1) };
            if inputs > MOST || outputs > MOST {
                return self.malformed("a coder has too many streams");
            }
            let size = if flags & 0x20 != 0 { self.number()? } else { 0 };
            folder.coders.push(Coder { id, inputs, outputs, properties: self.take(size)?.to_vec() });
        }
        let inputs: u64 = folder.coders.iter().map(|coder| coder.inputs).sum();
        let outputs: u64 = folder.coders.iter().map(|coder| coder.outputs).sum();
        let bound = outputs.saturating_sub(1);
        folder.bound = (0..bound).map(|_| Ok((self.number()?, self.number()?))).collect::<Parsed<_>>()?;
        folder.inputs = inputs.saturating_sub(bound);
        if folder.inputs > 1 {
            for _ in 0..folder.inputs {
                self.number()?;
            }
        }
        Ok(folder)
    }

    fn substreams(&mut self, streams: &mut Streams, summed: &[bool]) -> Parsed<()> {
        let mut kind = self.byte()?;
        let mut counts = vec![1; streams.folders.len()];
        if kind == 13 {
            for count in &mut counts {
                *count = self.count()?;
            }
            kind = self.byte()?;
        }
        let mut room = self.limits.entries;
        let mut sums = 0;
        for (at, (folder, &count)) in streams.folders.iter_mut().zip(&counts).enumerate() {
            room = match room.checked_sub(count) {
                Some(room) => room,
                None => return Err(Halt::limit(format!("{} entries in an archive", self.limits.entries))),
            };
            let size = folder.size();
            let mut files = Vec::new();
            let mut sum = 0_u64;
            for _ in 1..count {
                let size = if kind == 9 { self.number()? } else { 0 };
                sum = sum.saturating_add(size);
                files.push(size);
            }
            if count > 0 {
                files.push(size.saturating_sub(sum));
            }
            folder.files = files;
            if !(count == 1 && summed.get(at) == Some(&true)) {
                sums += count;
            }
        }
        if kind == 9 {
            kind = self.byte()?;
        }
        while kind != 0 {
            match kind {
                10 => drop(self.digests(sums)?),
                _ => return self.malformed("the files' streams hold an unknown property"),
            }
            kind = self.byte()?;
        }
        Ok(())
    }

    pub(crate) fn files(&mut self) -> Parsed<Vec<File>> {
        let count = self.count()?;
        let mut files: Vec<File> = Vec::new();
        files.resize_with(usize::try_from(count).unwrap_or(0), || File {
            has_content: true,
            ..File::default()
        });
        loop {
            let kind = self.byte()?;
            if kind == 0 {
                return Ok(files);
            }
            let size = self.number()?;
            let mut field = Fields::new(self.take(size)?, self.limits);
            match kind {
                14 => {
                    for (file, empty) in files.iter_mut().zip(field.bits(count)?) {
                        file.has_content = !empty;
                    }
                }
                17 => field.names(&mut files)?,
                21 => field.attributes(&mut files)?,
                _ => {}
            }
        }
    }

    fn names(&mut self, files: &mut [File]) -> Parsed<()> {
        if self.byte()? != 0 {
            return self.malformed("the names stand elsewhere");
        }
        for file in files {
            let mut units = Vec::new();
            loop {
                match self.take(2)? {
                    [0, 0] => break,
                    unit => units.push(unit.first_chunk().copied().map_or(0, u16::from_le_bytes)),
                }
            }
            file.name = String::from_utf16_lossy(&units);
        }
        Ok(())
    }

    fn attributes(&mut self, files: &mut [File]) -> Parsed<()> {
        let defined = self.defined(files.len() as u64)?;
        if self.byte()? != 0 {
            return self.malformed("the attributes stand elsewhere");
        }
        for (file, _) in files.iter_mut().zip(defined).filter(|(_, defined)| *defined) {
            file.attributes = self.take(4)?.first_chunk().copied().map_or(0, u32::from_le_bytes);
        }
        Ok(())
    }
}

impl Folder {
    /// What it makes: the output that feeds no other coder.
    pub(crate) fn size(&self) -> u64 {
        let last = (0..).zip(&self.made).find(|(at, _)| !self.bound.iter().any(|(_, output)| output == at));
        last.map_or(0, |(_, &size)| size)
    }
}
