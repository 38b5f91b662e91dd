//! Compressed streams: gzip, bzip2, xz, lzma, zlib, lz4, zstd. One after the other is one content, as loaders read them;
//! checksums are not asked for, because not every loader does.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use bastide_types::{Assessment, Rule, Severity};
use flate2::{Decompress, FlushDecompress, Status};

use super::bomb::{BOMB, RATIO, Verdict, judge, nested};
use super::codec::{self, Reader};
use super::expand::{End, Expanded, Opener};
use super::input::Input;
use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_up_to};

/// Bytes behind the end.
pub(crate) const TRAILING: Rule = Rule {
    id: "archive.trailing",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "data behind the end of the archive",
    why: "some readers stop at the end and others go on, so two programs see two files",
    fix: "ask the publisher what the data is; pack the content again",
    cwe: &[436],
    atlas: &["AML.T0010.003"],
};

/// Adds the kind of stream that the file is.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) {
    let head = glance.head;
    let format = match head {
        [0x1f, 0x8b, 8, flags, ..] if flags & 0xe0 == 0 => Format::Gzip,
        [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
        | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Format::Bzip2,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Format::Xz,
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Format::Lz4,
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Format::Zstd,
        [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => skippable(glance.source).unwrap_or(Format::Zstd),
        _ if is_zlib(head) => Format::Zlib,
        _ if is_lzma(head) => Format::Lzma,
        _ => return,
    };
    formats.push(format);
}

/// What follows the skippable frames that zstd and lz4 share.
fn skippable(source: &dyn Source) -> Option<Format> {
    let mut at = 0_u64;
    for _ in 0..64 {
        let bytes = read_up_to(source, at, 8).ok()?;
        match bytes.as_slice() {
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, a, b, c, d] => {
                at += 8 + u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            }
            [0x04, 0x22, 0x4d, 0x18, ..] => return Some(Format::Lz4),
            _ => return Some(Format::Zstd),
        }
    }
    None
}

/// A zlib stream (RFC 1950). Its two bytes are common in text too, so some of it must inflate.
pub(super) fn is_zlib(head: &[u8]) -> bool {
    const TRIED: usize = 4 << 10;
    let [cmf, flags, ..] = head else { return false };
    let header = u16::from_be_bytes([*cmf, *flags]);
    if cmf & 0x0f != 8 || cmf >> 4 > 7 || header % 31 != 0 || flags & 0x20 != 0 {
        return false;
    }
    let tried = head.get(2..head.len().min(TRIED)).unwrap_or_default();
    let mut state = Decompress::new(false);
    let mut made = vec![0; 64 << 10];
    let status = state.decompress(tried, &mut made, FlushDecompress::None);
    match status {
        Ok(Status::StreamEnd) => {
            let sum = usize::try_from(state.total_in()).ok().and_then(|used| tried.get(used..used + 4));
            let plain = usize::try_from(state.total_out()).ok().and_then(|n| made.get(..n));
            matches!((sum, plain), (Some(sum), Some(plain)) if sum == adler32(plain).to_be_bytes())
        }
        // Cut off, but long enough that chance is out of the question.
        // Blocks may be empty; that so much of anything else inflates to little is out of the question, too.
        Ok(_) => {
            state.total_in() >= 2 << 10 || (state.total_out() >= 64 && (tried.len() >= 512 || *cmf == 0x78))
        }
        Err(_) => false,
    }
}

fn adler32(bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    let (mut a, mut b) = (1_u32, 0_u32);
    for &byte in bytes {
        a = (a + u32::from(byte)) % MODULUS;
        b = (b + a) % MODULUS;
    }
    b << 16 | a
}

/// The header of `lzma -1` has no magic: its fields must make sense, and some of it must decode.
fn is_lzma(head: &[u8]) -> bool {
    let Some((header, _)) = head.split_first_chunk::<14>() else { return false };
    let [properties, d0, d1, d2, d3, s0, s1, s2, s3, s4, s5, s6, s7, first] = *header;
    let dictionary = u32::from_le_bytes([d0, d1, d2, d3]);
    let size = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    let round =
        dictionary.count_ones() == 1 || (dictionary.count_ones() == 2 && dictionary & dictionary << 1 != 0);
    let plausible = properties < 225
        && (dictionary >= 4096 && round || dictionary == u32::MAX)
        && (size == u64::MAX || size < 1 << 38)
        && first == 0;
    let mut made = [0; 1];
    plausible
        && codec::lzma_alone(Input::new(&head.to_vec()))
            .and_then(|mut reader| reader.read(&mut made))
            .is_ok_and(|n| n > 0)
}

/// Scans the content of a compressed file, and what stands behind it.
pub(crate) fn read(format: Format, source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let end = Rc::new(Cell::new(0));
    let place = end.clone();
    let open: Opener<'_> =
        Box::new(move || Ok(Box::new(Streams::new(format, source, place.clone())) as Reader<'_>));
    let content = Expanded::new(open, source.size(), scan)?;
    let inner = content_name(name);
    match content.end {
        End::Bomb => {
            scan.find(&BOMB, None, format!("more than {} bytes from {}", content.size(), source.size()))
        }
        _ if same(source, &content)? => {
            scan.find(&BOMB, None, "the stream decompresses to itself, without end");
            return Ok(());
        }
        _ => {
            if judge(content.size(), source.size(), &start(&content)?, scan) == Verdict::High {
                scan.find(&RATIO, None, format!("{} bytes from {}", content.size(), source.size()));
            }
            let before = scan.expanded();
            if content.size() > 0 {
                scan.nested(&inner, &content);
            }
            let inside = scan.expanded().saturating_sub(before);
            if nested(inside, source.size()) {
                scan.find(&BOMB, None, format!("archives in it make {inside} bytes from {}", source.size()));
            }
        }
    }
    if matches!(content.end, End::Whole) {
        trailing(format, &Part::from(source, end.get()), end.get(), scan)?;
    }
    content.ended(&format!("the {format} stream"))
}

/// Scans what stands behind the last stream.
fn trailing(format: Format, rest: &Part<'_>, offset: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    if !is_padding(rest)? {
        scan.find(&TRAILING, offset, format!("{} bytes behind the {format} stream", rest.size()));
        scan.nested("data behind the stream", rest);
    }
    Ok(())
}

/// Whether there is nothing but zeros.
pub(crate) fn is_padding(rest: &dyn Source) -> Parsed<bool> {
    let mut at = 0;
    while at < rest.size() {
        let bytes = read_up_to(rest, at, 256 << 10)?;
        if bytes.is_empty() || bytes.iter().any(|&byte| byte != 0) {
            return Ok(bytes.is_empty());
        }
        at += bytes.len() as u64;
    }
    Ok(true)
}

/// Whether two sources begin alike and are of one size: an archive that holds itself.
pub(crate) fn same(outer: &dyn Source, inner: &dyn Source) -> Parsed<bool> {
    const COMPARED: usize = 64 << 10;
    Ok(outer.size() == inner.size()
        && outer.size() > 0
        && read_up_to(outer, 0, COMPARED)? == read_up_to(inner, 0, COMPARED)?)
}

/// The first bytes of a content.
pub(crate) fn start(content: &dyn Source) -> Parsed<Vec<u8>> {
    read_up_to(content, 0, 512)
}

/// `model.pkl` for `model.pkl.gz`.
fn content_name(name: &str) -> String {
    const PACKED: &[&str] = &["gz", "bz2", "xz", "lzma", "lz4", "zst", "z", "zlib"];
    match name.rsplit_once('.') {
        Some((stem, last)) if last.eq_ignore_ascii_case("tgz") => shown(&format!("{stem}.tar")),
        Some((stem, last)) if PACKED.iter().any(|packed| last.eq_ignore_ascii_case(packed)) => shown(stem),
        _ => "content".to_owned(),
    }
}

/// Streams of one kind, one after the other, as one.
struct Streams<'a> {
    format: Format,
    input: Input<'a>,
    current: Option<Reader<'a>>,
    count: u64,
    /// Where the last stream began.
    began: u64,
    /// Where its frame began, behind what was skipped.
    frame_at: u64,
    ended: bool,
    /// Where the last stream ended.
    end: Rc<Cell<u64>>,
}

impl<'a> Streams<'a> {
    fn new(format: Format, source: &'a dyn Source, end: Rc<Cell<u64>>) -> Self {
        Streams {
            format,
            input: Input::new(source),
            current: None,
            count: 0,
            began: 0,
            frame_at: 0,
            ended: false,
            end,
        }
    }

    /// The next stream, `None` where there is none: the input then stands behind the last one.
    fn next(&mut self) -> io::Result<Option<Reader<'a>>> {
        /// Block gzip makes a member of every 64 KiB.
        const MOST: u64 = 1 << 20;
        let end = self.input.position();
        if self.count > MOST || (self.count > 0 && end == self.began) {
            return Err(io::Error::other(format!("it has more than {MOST} streams")));
        }
        let opened = match self.format {
            Format::Gzip => self.gzip()?,
            Format::Bzip2 => matches!(self.input.peek::<4>()?, Some([b'B', b'Z', b'h', b'1'..=b'9']))
                .then(|| codec::bzip2(self.input.clone())),
            Format::Xz => self.xz()?,
            Format::Lz4 => self.frame(&[0x184d_2204, 0x184c_2102])?.then(|| codec::lz4(self.input.clone())),
            Format::Zstd => match self.frame(&[0xfd2f_b528])? {
                true => Some(codec::zstd(self.input.clone())?),
                false => None,
            },
            Format::Lzma if self.count == 0 => Some(codec::lzma_alone(self.input.clone())?),
            Format::Zlib if self.count == 0 => {
                self.input.skip(2);
                Some(codec::deflate(self.input.clone()))
            }
            _ => None,
        };
        if opened.is_none() {
            self.input.seek(end);
            if self.count == 0 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "there is no stream"));
            }
        }
        self.began = end;
        self.count += 1;
        Ok(opened)
    }

    /// Passes over the header of a gzip member (RFC 1952).
    fn gzip(&mut self) -> io::Result<Option<Reader<'a>>> {
        let Some([0x1f, 0x8b, 8, flags, ..]) = self.input.peek::<10>()? else { return Ok(None) };
        self.input.skip(10);
        if flags & 4 != 0 {
            let extra = self.input.peek::<2>()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.input.skip(2 + u64::from(u16::from_le_bytes(extra)));
        }
        for field in [8, 16] {
            if flags & field != 0 {
                self.skip_text()?;
            }
        }
        if flags & 2 != 0 {
            self.input.skip(2);
        }
        Ok(Some(codec::deflate(self.input.clone())))
    }

    /// Passes over a text that ends in NUL.
    fn skip_text(&mut self) -> io::Result<()> {
        loop {
            let (found, some) = self.input.with(|bytes| {
                let nul = memchr::memchr(0, bytes);
                (nul.map_or(bytes.len(), |nul| nul + 1), (nul.is_some(), !bytes.is_empty()))
            })?;
            match (found, some) {
                (true, _) => return Ok(()),
                (false, true) => {}
                (false, false) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }

    /// Passes over the zeros between xz streams.
    fn xz(&mut self) -> io::Result<Option<Reader<'a>>> {
        while let Some([0, 0, 0, 0]) = self.input.peek::<4>()? {
            self.input.skip(4);
        }
        let magic = self.input.peek::<6>()? == Some([0xfd, b'7', b'z', b'X', b'Z', 0]);
        Ok(magic.then(|| codec::xz(self.input.clone())))
    }

    /// Passes over skippable frames; whether one of the `magics` follows.
    fn frame(&mut self, magics: &[u32]) -> io::Result<bool> {
        while let Some([m0, m1, m2, m3, s0, s1, s2, s3]) = self.input.peek::<8>()? {
            match u32::from_le_bytes([m0, m1, m2, m3]) {
                0x184d_2a50..=0x184d_2a5f => {
                    self.input.skip(8 + u64::from(u32::from_le_bytes([s0, s1, s2, s3])));
                    // A file may be nothing but such frames.
                    self.count = self.count.max(1);
                }
                _ => break,
            }
        }
        self.frame_at = self.input.position();
        Ok(self.input.peek::<4>()?.is_some_and(|magic| magics.contains(&u32::from_le_bytes(magic))))
    }

    /// Passes over what stands behind the data of a stream.
    fn finish(&mut self) -> io::Result<()> {
        match self.format {
            Format::Gzip => self.input.skip(8),
            Format::Zlib => self.input.skip(4),
            Format::Lz4 => self.end_of_lz4()?,
            _ => {}
        }
        Ok(())
    }

    /// Whether the frame ended in its mark: the decoder takes the end of the file for one too.
    fn end_of_lz4(&mut self) -> io::Result<()> {
        const LEGACY: [u8; 4] = [0x02, 0x21, 0x4c, 0x18];
        const SUMMED: u8 = 1 << 2;
        let end = self.input.position();
        self.input.seek(self.frame_at);
        let Some([m0, m1, m2, m3, flags]) = self.input.peek::<5>()? else { return Ok(()) };
        let sum = if flags & SUMMED != 0 { 4 } else { 0 };
        self.input.seek(end.saturating_sub(4 + sum));
        let mark = self.input.peek::<4>()?;
        self.input.seek(end);
        match [m0, m1, m2, m3] == LEGACY || mark == Some([0; 4]) {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl Read for Streams<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !into.is_empty() {
            match &mut self.current {
                Some(reader) => match reader.read(into)? {
                    0 => {
                        self.current = None;
                        self.finish()?;
                    }
                    n => return Ok(n),
                },
                None => {
                    self.current = self.next()?;
                    if self.current.is_none() {
                        self.ended = true;
                        self.end.set(self.input.position());
                    }
                }
            }
        }
        Ok(0)
    }
}
