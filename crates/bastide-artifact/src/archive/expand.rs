//! What decompression makes, as a source: read at any place, in flat memory.

use std::cell::RefCell;
use std::io::{self, Read};

use flate2::Crc;

use super::bomb::{self, Verdict};
use super::codec::Reader;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::Source;

/// How much is decoded at once.
const STEP: usize = 64 << 10;
/// The longest content that is kept whole, in the outer levels and further in: eight levels stay below 120 MiB.
const KEPT: [usize; 3] = [32 << 20, 32 << 20, 8 << 20];
/// What is kept of the start and of the end of a longer one: recognition looks at both.
const EDGE: usize = 1 << 20;
/// How far a reader of a longer content may go back without decoding it again.
const WINDOW: usize = 4 << 20;
/// How many times over a longer content may be decoded.
const PASSES: u64 = 12;

/// Makes a decoder at the start of its stream.
pub(crate) type Opener<'a> = Box<dyn Fn() -> io::Result<Reader<'a>> + 'a>;

/// How decoding ended.
pub(crate) enum End {
    /// At the end of the stream.
    Whole,
    /// In an error: the bytes before it are there.
    Broken(io::Error),
    /// In a judgement: what follows is not worth its bytes.
    Bomb,
}

/// Decoded content.
pub(crate) struct Expanded<'a> {
    open: Opener<'a>,
    size: u64,
    /// All of it, or its first [`EDGE`] bytes.
    head: Vec<u8>,
    /// Its last bytes, where `head` is not all.
    tail: Vec<u8>,
    window: RefCell<Window<'a>>,
    pub(crate) crc: u32,
    pub(crate) end: End,
}

struct Window<'a> {
    reader: Option<Reader<'a>>,
    /// The last bytes that `reader` gave.
    kept: Vec<u8>,
    /// How much it gave in all.
    at: u64,
    budget: u64,
}

impl<'a> Expanded<'a> {
    /// Decodes once to the end: how much there is, and whether it may be there at all.
    ///
    /// `packed` is how many bytes it is made from.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] where the scan may not decode as much. What goes wrong in the stream is [`Expanded::end`].
    pub(crate) fn new(open: Opener<'a>, packed: u64, scan: &mut Scan<'_>) -> Parsed<Self> {
        let keep = *KEPT.get(scan.depth()).unwrap_or(&KEPT[2]);
        let mut this = Expanded {
            open,
            size: 0,
            head: Vec::new(),
            tail: Vec::new(),
            window: RefCell::new(Window { reader: None, kept: Vec::new(), at: 0, budget: 0 }),
            crc: 0,
            end: End::Whole,
        };
        let mut crc = Crc::new();
        this.end = match (this.open)() {
            Ok(mut reader) => this.measure(&mut reader, packed, keep, &mut crc, scan)?,
            Err(error) => End::Broken(error),
        };
        this.crc = crc.sum();
        this.window.get_mut().budget = this.size.saturating_mul(PASSES);
        Ok(this)
    }

    fn measure(
        &mut self,
        reader: &mut Reader<'a>,
        packed: u64,
        keep: usize,
        crc: &mut Crc,
        scan: &mut Scan<'_>,
    ) -> Parsed<End> {
        let mut step = vec![0; STEP];
        let mut recovering: Option<Reader<'a>> = None;
        loop {
            let size = if recovering.is_some() { 1 } else { STEP };
            let read = match &mut recovering {
                Some(slow) => slow.read(step.get_mut(..size).unwrap_or_default()),
                None => reader.read(&mut step),
            };
            let n = match read {
                Ok(0) => return Ok(End::Whole),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Decoders keep back what they had made when they met the error; a loader that reads in small pieces
                // has used it by then.
                Err(error) if recovering.is_none() => match self.reopened(scan)? {
                    Some(slow) => {
                        recovering = Some(slow);
                        continue;
                    }
                    None => return Ok(End::Broken(error)),
                },
                Err(error) => return Ok(End::Broken(error)),
            };
            let fresh = step.get(..n).unwrap_or_default();
            scan.expand(n as u64)?;
            crc.update(fresh);
            self.size += n as u64;
            self.keep(fresh, keep);
            if bomb::judge(self.size, packed, &self.head, scan) == Verdict::Bomb {
                return Ok(End::Bomb);
            }
        }
    }

    /// A new decoder, at the end of what is known.
    fn reopened(&self, scan: &mut Scan<'_>) -> Parsed<Option<Reader<'a>>> {
        scan.expand(self.size)?;
        let Ok(mut reader) = (self.open)() else { return Ok(None) };
        let passed = io::copy(&mut reader.by_ref().take(self.size), &mut io::sink());
        Ok(passed.is_ok_and(|passed| passed == self.size).then_some(reader))
    }

    fn keep(&mut self, fresh: &[u8], keep: usize) {
        if self.tail.is_empty() && self.head.len() + fresh.len() <= keep {
            self.head.extend_from_slice(fresh);
            return;
        }
        if self.tail.is_empty() {
            let from = self.head.len().saturating_sub(EDGE);
            self.tail.extend_from_slice(self.head.get(from..).unwrap_or_default());
            self.head.truncate(EDGE);
            self.head.shrink_to_fit();
        }
        self.tail.extend_from_slice(fresh);
        if self.tail.len() > 2 * EDGE {
            self.tail.drain(..self.tail.len() - EDGE);
        }
    }

    /// What the end of the stream means for the whole, once its content was scanned.
    pub(crate) fn ended(&self, what: &str) -> Parsed<()> {
        match &self.end {
            End::Whole | End::Bomb => Ok(()),
            End::Broken(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(Halt::malformed(0, format!("{what} is cut off")))
            }
            End::Broken(error) => Err(Halt::malformed(0, format!("{what} cannot be decompressed ({error})"))),
        }
    }
}

impl Source for Expanded<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let wanted = into.len().min(left);
        let Some(into) = into.get_mut(..wanted) else { return Ok(0) };
        if copy(&self.head, 0, offset, into)
            || copy(&self.tail, self.size - self.tail.len() as u64, offset, into)
        {
            return Ok(wanted);
        }
        self.window.borrow_mut().read(&self.open, offset, into)?;
        Ok(wanted)
    }
}

impl<'a> Window<'a> {
    fn read(&mut self, open: &Opener<'a>, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let wanted = offset + filled as u64;
            let start = self.at - self.kept.len() as u64;
            if self.reader.is_none() || wanted < start {
                self.reader = Some(open()?);
                self.kept.clear();
                self.at = 0;
            } else if wanted < self.at {
                let from = usize::try_from(wanted - start).unwrap_or(usize::MAX);
                let there = self.kept.get(from..).unwrap_or_default();
                let n = there.len().min(rest.len());
                rest[..n].copy_from_slice(&there[..n]);
                filled += n;
            } else {
                self.step()?;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> io::Result<()> {
        if self.kept.len() >= 2 * WINDOW {
            self.kept.drain(..self.kept.len() - WINDOW);
        }
        let old = self.kept.len();
        self.kept.resize(old + STEP, 0);
        let read = match &mut self.reader {
            Some(reader) => reader.read(self.kept.get_mut(old..).unwrap_or_default()),
            None => Ok(0),
        };
        self.kept.truncate(old + *read.as_ref().unwrap_or(&0));
        let n = read? as u64;
        self.at += n;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.budget = self.budget.checked_sub(n).ok_or_else(|| {
            io::Error::other(format!("it would have to be decompressed more than {PASSES} times"))
        })?;
        Ok(())
    }
}

/// Fills `into` from `bytes`, which begin at `start`, if they have all of it.
fn copy(bytes: &[u8], start: u64, offset: u64, into: &mut [u8]) -> bool {
    let from = offset.checked_sub(start).and_then(|from| usize::try_from(from).ok());
    let there = from.and_then(|from| bytes.get(from..from.checked_add(into.len())?));
    there.inspect(|there| into.copy_from_slice(there)).is_some()
}

#[cfg(test)]
mod tests {
    use super::super::codec;
    use super::super::input::Input;
    use super::*;
    use crate::limits::Limits;
    use crate::source::read_exactly;
    use std::io::Write;

    #[test]
    fn a_content_larger_than_memory_reads_alike_at_every_place() {
        let mut x = 1_u64;
        let plain: Vec<u8> = (0..40 << 20)
            .map(|i| {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                if i % 7 == 0 { x.to_be_bytes()[0] } else { 7 }
            })
            .collect();
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&plain).unwrap();
        let packed = encoder.finish().unwrap();
        let limits = Limits::default();
        let mut scan = Scan::new(&limits);
        let open: Opener<'_> = Box::new(|| Ok(codec::deflate(Input::new(&packed))));
        let content = Expanded::new(open, packed.len() as u64, &mut scan).unwrap();
        assert_eq!(content.size(), plain.len() as u64);
        assert!(content.head.len() < plain.len(), "it must not be kept whole");
        for at in [0, 5 << 20, 6 << 20, (6 << 20) - 100, 39 << 20, (40 << 20) - 9, 1 << 20, (1 << 20) - 5] {
            let bytes = read_exactly(&content, at as u64, 9).unwrap();
            assert_eq!(bytes, plain[at..at + 9], "at {at}");
        }
        let mut failed = false;
        for _ in 0..40 {
            failed |= content.read_at(30 << 20, &mut [0; 8]).is_err();
            failed |= content.read_at(2 << 20, &mut [0; 8]).is_err();
        }
        assert!(failed, "reading to and fro must come to an end");
    }
}
