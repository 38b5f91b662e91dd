//! Decoders as readers: compressed bytes in from an [`Input`], plain bytes out, and never a byte read too far.

use std::io::{self, Read};

use bzip2::Decompress as Bunzip;
use flate2::{Decompress, FlushDecompress, Status};
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::filter::delta::DeltaReader;
use lzma_rust2::{Lzma2Reader, LzmaReader, XzReader};
use ruzstd::decoding::StreamingDecoder;

use super::input::Input;

/// What one decoder may hold: `xz -9` and `zstd --ultra -21` need 64 MiB.
const WINDOW: u32 = 64 << 20;
/// The same in KiB, with the model of probabilities beside the dictionary.
const WINDOW_KIB: u32 = (WINDOW >> 10) + 8192;

pub(crate) type Reader<'a> = Box<dyn Read + 'a>;

/// Raw deflate (RFC 1951).
pub(crate) fn deflate(input: Input<'_>) -> Reader<'_> {
    Box::new(Steps { input, state: Decompress::new(false), done: false })
}

/// One bzip2 stream.
pub(crate) fn bzip2(input: Input<'_>) -> Reader<'_> {
    Box::new(Steps { input, state: Bunzip::new(false), done: false })
}

/// A decoder that takes some bytes and makes some at each step.
trait Step {
    /// Bytes taken and made so far.
    fn totals(&self) -> (u64, u64);

    /// Goes on; whether the stream has ended.
    fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> io::Result<bool>;
}

impl Step for Decompress {
    fn totals(&self) -> (u64, u64) {
        (self.total_in(), self.total_out())
    }

    fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> io::Result<bool> {
        let status = self.decompress(bytes, into, FlushDecompress::None).map_err(invalid)?;
        Ok(status == Status::StreamEnd)
    }
}

impl Step for Bunzip {
    fn totals(&self) -> (u64, u64) {
        (self.total_in(), self.total_out())
    }

    fn step(&mut self, bytes: &[u8], into: &mut [u8]) -> io::Result<bool> {
        let status = self.decompress(bytes, into).map_err(invalid)?;
        Ok(status == bzip2::Status::StreamEnd)
    }
}

/// A stepping decoder as a reader.
struct Steps<'a, S> {
    input: Input<'a>,
    state: S,
    done: bool,
}

impl<S: Step> Read for Steps<'_, S> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.done && !into.is_empty() {
            let state = &mut self.state;
            let (taken, made) = state.totals();
            let (ended, starved) = self.input.with(|bytes| {
                let ended = state.step(bytes, into);
                (count(state.totals().0 - taken), (ended, bytes.is_empty()))
            })?;
            let fresh = count(self.state.totals().1 - made);
            self.done = ended?;
            if fresh > 0 {
                return Ok(fresh);
            }
            if !self.done && starved {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

/// One xz stream.
pub(crate) fn xz(input: Input<'_>) -> Reader<'_> {
    Box::new(XzReader::new_mem_limit(input, false, WINDOW_KIB))
}

/// One lz4 frame, also of the legacy kind.
pub(crate) fn lz4(input: Input<'_>) -> Reader<'_> {
    Box::new(FrameDecoder::new(input))
}

/// One zstd frame.
pub(crate) fn zstd(input: Input<'_>) -> io::Result<Reader<'_>> {
    let decoder = StreamingDecoder::new_with_max_window_size(input, u64::from(WINDOW)).map_err(invalid)?;
    Ok(Box::new(decoder))
}

/// An lzma stream with the 13-byte header of `lzma -1`.
pub(crate) fn lzma_alone(input: Input<'_>) -> io::Result<Reader<'_>> {
    Ok(Box::new(Lzma {
        input: input.clone(),
        reader: Some(LzmaReader::new_mem_limit(input, WINDOW_KIB, None)?),
    }))
}

/// An lzma stream whose properties and size (`u64::MAX` where an end mark tells) stand elsewhere.
pub(crate) fn lzma_raw<'a>(
    input: Reader<'a>,
    properties: u8,
    dictionary: u32,
    size: u64,
) -> io::Result<Reader<'a>> {
    if dictionary > WINDOW {
        return Err(too_large());
    }
    Ok(Box::new(LzmaReader::new_with_props(input, size, properties, dictionary, None)?))
}

/// The reader of lzma reads ahead: what it did not use is given back at the end.
struct Lzma<'a> {
    input: Input<'a>,
    reader: Option<LzmaReader<Input<'a>>>,
}

impl Read for Lzma<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Ok(0) };
        let n = reader.read(into)?;
        if n == 0
            && !into.is_empty()
            && let Some(reader) = self.reader.take()
        {
            let unread = reader.into_parts().1.len() as u64;
            self.input.seek(self.input.position().saturating_sub(unread));
        }
        Ok(n)
    }
}

/// LZMA2 chunks without a container.
pub(crate) fn lzma2<'a>(input: Reader<'a>, dictionary: u32) -> io::Result<Reader<'a>> {
    Ok(Box::new(Lzma2Reader::new_mem_limit(input, dictionary, WINDOW_KIB, None)?))
}

/// Filters of 7z that make programs and samples pack better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Delta(u8),
    X86,
    Arm,
    ArmThumb,
    Arm64,
    PowerPc,
    Sparc,
    Ia64,
    RiscV,
}

impl Filter {
    pub(crate) fn over(self, input: Reader<'_>) -> Reader<'_> {
        match self {
            Filter::Delta(distance) => Box::new(DeltaReader::new(input, usize::from(distance) + 1)),
            Filter::X86 => Box::new(BcjReader::new_x86(input, 0)),
            Filter::Arm => Box::new(BcjReader::new_arm(input, 0)),
            Filter::ArmThumb => Box::new(BcjReader::new_arm_thumb(input, 0)),
            Filter::Arm64 => Box::new(BcjReader::new_arm64(input, 0)),
            Filter::PowerPc => Box::new(BcjReader::new_ppc(input, 0)),
            Filter::Sparc => Box::new(BcjReader::new_sparc(input, 0)),
            Filter::Ia64 => Box::new(BcjReader::new_ia64(input, 0)),
            Filter::RiscV => Box::new(BcjReader::new_riscv(input, 0)),
        }
    }
}

fn invalid(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::OutOfMemory, "it needs a dictionary larger than 64 MiB")
}

/// A count within one buffer.
fn count(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
