//! Archives and compressed streams, what model libraries make of them, and programs.
//!
//! Nothing is unpacked to disk: every member is a [`Source`] over the archive, recognised and scanned by its own content.

mod ar;
mod bomb;
mod codec;
mod cpio;
mod expand;
mod input;
mod java;
mod kind;
mod links;
mod member;
mod names;
mod program;
#[cfg(test)]
pub(crate) mod sample;
mod seven;
mod stream;
mod symbols;
mod tar;
#[cfg(test)]
mod tests;
mod torchscript;
mod zfile;
mod zip;

use bastide_types::Rule;
use member::Container;

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::{Source, read_up_to};

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[
    &bomb::BOMB,
    &bomb::RATIO,
    &names::ESCAPE,
    &names::LINK_ESCAPE,
    &names::LINK,
    &names::ROOTED_LINK,
    &names::NAME,
    &names::NUL,
    &java::GADGET,
    &program::NATIVE,
    &program::IN_MODEL,
    &program::LLAMAFILE,
    &stream::TRAILING,
    &tar::SPECIAL,
    &tar::PRIVILEGE,
    &tar::AMBIGUOUS,
    &member::HANDLER,
    &torchscript::OPERATOR,
    &torchscript::PYTHON,
    &torchscript::CUSTOM,
    &zip::MISMATCH,
    &zip::FLAGS,
    &zip::ENCRYPTED,
    &zip::UNSUPPORTED,
    &zip::HIDDEN,
    &zip::PREFIX,
    &zip::MIXED,
    &zip::CHECKSUM,
    &zip::NO_CHECKSUMS,
    &zip::DUPLICATE,
    &zip::DUPLICATE_FILE,
    &zip::RECORD,
];

/// Adds what a loader could take the file for.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    let before = formats.len();
    program::recognise(glance, formats);
    let is_program = formats.len() > before;
    // A tar archive may end in a stored zip archive, as those of NeMo do: it comes first.
    if let Some(format) = tar::recognise(glance)? {
        formats.push(format);
    }
    match zip::recognise(glance) {
        Some((_, true)) if is_program => {
            formats.truncate(before);
            formats.push(Format::Llamafile);
        }
        Some((format, _)) => formats.push(format),
        None => {}
    }
    if seven::is_seven(glance.head) {
        formats.push(Format::SevenZip);
    }
    if java::recognise(glance.head) {
        formats.push(Format::Java);
    }
    if is_other(glance.head) {
        formats.push(Format::OtherArchive);
    }
    if zfile::stream_at(glance.head).is_some() {
        formats.push(Format::Joblib);
    }
    stream::recognise(glance, formats);
    Ok(())
}

/// Archives of other kinds: ar, cpio and RPM are opened, RAR, cabinets, xar, lzip, lzop, compress, Snappy, WIM and ACE are not.
fn is_other(head: &[u8]) -> bool {
    const MARKS: &[&[u8]] = &[
        ar::MARK,
        b"Rar!\x1a\x07",
        b"MSCF\0\0\0\0",
        b"xar!\0\x1c",
        b"LZIP\x01",
        b"\x89LZO\0\r\n\x1a\n",
        b"\x1f\x9d\x90",
        b"\xff\x06\0\0sNaPpY",
        b"MSWIM\0\0\0",
    ];
    cpio::is_cpio(head)
        || cpio::is_rpm(head)
        || MARKS.iter().any(|mark| head.starts_with(mark))
        || head.get(7..14) == Some(b"**ACE**")
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    Some(match format {
        Format::Zip
        | Format::TorchZip
        | Format::TorchScript
        | Format::TorchExport
        | Format::TorchServe
        | Format::Skops
        | Format::Keras
        | Format::NumpyZip => zip::read(format, source, name, scan),
        Format::Llamafile => {
            scan.find(&program::LLAMAFILE, 0, "it is started as a program");
            zip::read(format, source, name, scan)
        }
        Format::Tar | Format::TorchTar | Format::Nemo => tar::read(format, source, scan),
        Format::SevenZip => seven::read(source, scan),
        Format::OtherArchive => other(source, scan),
        Format::Gzip
        | Format::Bzip2
        | Format::Xz
        | Format::Lzma
        | Format::Zlib
        | Format::Lz4
        | Format::Zstd => stream::read(format, source, name, scan),
        Format::Joblib => zfile::read(source, scan),
        Format::Java => java::read(source, scan),
        Format::Executable => program::read(source, name, scan),
        _ => return None,
    })
}

/// Reads an archive of another kind, if it is one that is opened.
fn other(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let head = read_up_to(source, 0, 128)?;
    let container = Container { format: Format::OtherArchive, source };
    if head.starts_with(ar::MARK) {
        return ar::read(&container, scan);
    } else if cpio::is_cpio(&head) {
        return cpio::read(&container, scan);
    } else if cpio::is_rpm(&head) {
        return cpio::package(source, scan);
    }
    let what = if head.starts_with(b"Rar!") {
        // The licence of the only full decoder forbids to build others from it.
        "RAR archives are not opened: their compression is not published, and no loader of models reads them"
    } else {
        "archives of this kind are not opened"
    };
    scan.find(&zip::UNSUPPORTED, 0, what);
    Ok(())
}
