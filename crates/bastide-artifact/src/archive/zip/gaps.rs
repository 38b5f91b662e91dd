//! What lies in the file and in no entry: before, between and behind.

use super::content::{Data, Said, scan_data};
use super::local::{self, LOCAL, Local};
use super::members::Names;
use super::{TAIL, directory, rules};
use crate::archive::member::{Container, text};
use crate::archive::names;
use crate::archive::stream::{TRAILING, is_padding};
use crate::format::{self, Format};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_up_to};

/// Scans what the `covered` ranges leave. `listed`: whether there is a directory at all.
pub(crate) fn scan_all(
    container: &Container<'_>,
    name: &str,
    covered: &mut [(u64, u64)],
    names: &Names,
    listed: bool,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    covered.sort_unstable();
    let size = container.source.size();
    let archive_end = covered.iter().map(|&(_, end)| end).max().unwrap_or(size);
    let mut gaps = Gaps { container, names, listed, archive_end, embedded: false };
    let mut at = 0;
    for &(start, end) in covered.iter().chain([&(size, size)]) {
        if at < start {
            match (at, listed) {
                (0, true) => gaps.before(name, start, scan)?,
                _ if at >= archive_end && listed => gaps.behind(at, scan)?,
                _ => gaps.between(at, start, false, scan)?,
            }
        }
        at = at.max(end);
    }
    Ok(())
}

struct Gaps<'a> {
    container: &'a Container<'a>,
    names: &'a Names,
    listed: bool,
    archive_end: u64,
    /// Whether the archive lies within a file of another format, which goes on behind it.
    embedded: bool,
}

/// What may stand before an archive.
enum Host {
    /// A program that unpacks it, or a container that holds it: each is read on its own.
    Known,
    Text,
    /// A file of this format, which does not know of the archive.
    File(Format),
    Nothing,
}

impl Host {
    fn of(formats: &[Format]) -> Self {
        match formats.first() {
            None => Host::Nothing,
            Some(Format::Script | Format::Python | Format::Text) => Host::Text,
            // Metadata of TFLite is a zip archive behind the model. An archive that was stored in another one, or did
            // not compress, stands there as it is, with its end near the end of the file.
            Some(
                Format::Executable
                | Format::TfLite
                | Format::Tar
                | Format::TorchTar
                | Format::Nemo
                | Format::SevenZip
                | Format::OtherArchive
                | Format::Gzip
                | Format::Bzip2
                | Format::Xz
                | Format::Lzma
                | Format::Zlib
                | Format::Lz4
                | Format::Zstd,
            ) => Host::Known,
            Some(format) => Host::File(*format),
        }
    }
}

/// Pictures, sounds and documents that people open: PNG, JPEG, GIF, BMP, RIFF, TIFF, PDF, Ogg, MPEG.
fn is_shown(head: &[u8]) -> bool {
    const MARKS: &[&[u8]] = &[
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"GIF87a",
        b"GIF89a",
        b"RIFF",
        b"II*\0",
        b"MM\0*",
        b"%PDF-",
        b"OggS",
        b"ID3",
    ];
    MARKS.iter().any(|mark| head.starts_with(mark)) || head.get(4..8) == Some(b"ftyp")
}

impl Gaps<'_> {
    /// What stands before the first entry: nothing, a program that unpacks the archive, or another file.
    fn before(&mut self, name: &str, end: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        let source = self.container.source;
        let part = Part::new(source, 0, end);
        let head = read_up_to(&part, 0, 4)?;
        // Marks of archives in several volumes stand before the first entry.
        if self.container.format == Format::Llamafile || is_mark(&head) && end == 4 || is_padding(&part)? {
            return Ok(());
        }
        if head == LOCAL {
            let tail = read_up_to(&part, end.saturating_sub(TAIL as u64), TAIL)?;
            if !directory::is_zip(&part, &tail) {
                return self.between(0, end, false, scan);
            }
            scan.find(&rules::MIXED, 0, "two archives, one behind the other");
            scan.nested("archive before the archive", &part);
            return Ok(());
        }
        let formats: Vec<Format> =
            format::recognise(&part, name)?.iter().map(|reading| reading.format).collect();
        match Host::of(&formats) {
            Host::Known => self.embedded = true,
            // zipapp (PEP 441): Python takes the file for the archive.
            Host::Text if is_interpreter(&part)? => {}
            Host::Text => {
                scan.find(&rules::PREFIX, 0, format!("{end} bytes of text"));
                self.between(0, end, true, scan)?;
            }
            // A pickle that keeps a model as bytes goes on behind it.
            Host::File(format) if self.archive_end < source.size() => {
                self.embedded = true;
                scan.find(&rules::PREFIX, 0, format!("it stands within {format} content"));
            }
            Host::File(format) => {
                scan.find(
                    &rules::MIXED,
                    0,
                    format!("a {} archive behind {format} content", self.container.format),
                );
                scan.nested("data before the archive", &part);
            }
            Host::Nothing if is_shown(&read_up_to(&part, 0, 16)?) => {
                scan.find(
                    &rules::MIXED,
                    0,
                    format!("a {} archive behind a picture or document", self.container.format),
                );
                scan.nested("data before the archive", &part);
            }
            Host::Nothing => {
                scan.find(&rules::PREFIX, 0, format!("{end} bytes"));
                self.between(0, end, true, scan)?;
            }
        }
        Ok(())
    }

    fn behind(&self, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        let rest = Part::from(self.container.source, at);
        if !self.embedded && !is_padding(&rest)? {
            scan.find(&TRAILING, at, format!("{} bytes behind the zip archive", rest.size()));
            scan.nested("data behind the archive", &rest);
        }
        Ok(())
    }

    /// Looks for local headers from `start` to `end`, and scans what they lead to and what stands between them; `told`
    /// where it was said already that something is there.
    fn between(&self, start: u64, end: u64, told: bool, scan: &mut Scan<'_>) -> Parsed<()> {
        let mut at = start;
        let mut from = start;
        let mut count = 0;
        while let Some(local) = self.next(from, end)? {
            count += 1;
            if count > scan.limits.entries {
                return Err(Halt::limit(format!("{} entries in an archive", scan.limits.entries)));
            }
            self.rest(at, local.at, told, scan)?;
            let data = self.data(&local, end)?;
            self.entry(&local, data, scan)?;
            from = if local.is_open() { local.data } else { data.at.saturating_add(data.packed) };
            at = data.at.saturating_add(data.packed);
        }
        self.rest(at, end, told, scan)
    }

    /// The next header that makes sense.
    fn next(&self, from: u64, end: u64) -> Parsed<Option<Local>> {
        let mut from = from;
        while let Some(at) = local::find(self.container.source, LOCAL, from, end)? {
            match Local::read(self.container.source, at, 64)? {
                Some(local) if local.is_plausible() => return Ok(Some(local)),
                _ => from = at + 4,
            }
        }
        Ok(None)
    }

    /// The data behind a header; where it does not say how much, up to the next record.
    fn data(&self, local: &Local, end: u64) -> Parsed<Data> {
        let packed = if local.is_open() {
            let source = self.container.source;
            let next = self.next(local.data, end)?.map_or(end, |next| next.at);
            let stop = local::find(source, local::DESCRIPTOR, local.data, next)?;
            stop.unwrap_or(next).saturating_sub(local.data)
        } else {
            local.packed
        };
        Ok(Data { at: local.data, packed, method: local.method })
    }

    fn entry(&self, local: &Local, data: Data, scan: &mut Scan<'_>) -> Parsed<()> {
        let name = text(&local.name);
        names::check(&name, local.at, scan);
        if self.listed {
            let again = self.names.all.contains(&local.name);
            let (rule, what) = match again {
                true => (&rules::MISMATCH, "has a second header, which the directory does not list"),
                false => (&rules::HIDDEN, "is not in the directory"),
            };
            scan.find(rule, local.at, format!("member `{}` {what}", shown(&name)));
        }
        let size = (!local.is_open()).then_some(local.size);
        let said = Said { name: &name, flags: local.flags, crc: local.crc, size };
        match scan_data(self.container, data, &said, scan) {
            Err(halt @ Halt::Limit { .. }) => return Err(halt),
            Err(halt) => scan.halted(self.container.format, halt),
            Ok(_) => {}
        }
        Ok(())
    }

    /// What stands between two records and is none.
    fn rest(&self, start: u64, end: u64, told: bool, scan: &mut Scan<'_>) -> Parsed<()> {
        const DESCRIPTOR_SIZE: u64 = 24;
        let Some(size) = end.checked_sub(start).filter(|&size| size > 0) else { return Ok(()) };
        let part = Part::new(self.container.source, start, size);
        let described = size <= DESCRIPTOR_SIZE && read_up_to(&part, 0, 4)? == local::DESCRIPTOR;
        if !self.listed || described || is_padding(&part)? {
            return Ok(());
        }
        if !told {
            scan.find(&rules::HIDDEN, start, format!("{size} bytes between the members"));
        }
        scan.nested("data between the members", &part);
        Ok(())
    }
}

fn is_mark(head: &[u8]) -> bool {
    head == local::DESCRIPTOR || head == b"PK00"
}

/// Whether the bytes are one line that names Python as the program that reads the file.
fn is_interpreter(part: &Part<'_>) -> Parsed<bool> {
    const LONGEST: usize = 256;
    let line = read_up_to(part, 0, LONGEST)?;
    let whole = part.size() == line.len() as u64;
    let line = line.strip_suffix(b"\n").map(<[u8]>::trim_ascii_end).and_then(|line| line.strip_prefix(b"#!"));
    let Some(line) = line.filter(|line| whole && line.is_ascii() && !line.contains(&b'\n')) else {
        return Ok(false);
    };
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let name = |word: &[u8]| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default().to_vec();
    let program = words.next().map(name).unwrap_or_default();
    let program = if program == b"env" { words.next().map(name).unwrap_or_default() } else { program };
    Ok(program.starts_with(b"python")
        && words.all(|word| matches!(word, b"-I" | b"-E" | b"-s" | b"-S" | b"-u")))
}
