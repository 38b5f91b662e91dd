//! Tar archives, through the mark at their end and whatever stands behind it: Python stops there, `tar -i` does not.

mod header;

use bastide_types::{Assessment, Rule, Severity};

use self::header::{BLOCK, Header, Pax, text};
use super::kind;
use super::links::Links;
use super::member::Container;
use super::names;
use super::stream::TRAILING;
use super::zip::UNSUPPORTED;
use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source, read_up_to};

/// A member that is no file.
pub(crate) const SPECIAL: Rule = Rule {
    id: "tar.special",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "archive makes a device or a pipe",
    why: "whoever reads the unpacked file reads a disk, or waits for ever",
    fix: "do not unpack the archive",
    cwe: &[67],
    atlas: &["AML.T0010.003"],
};

/// A file that runs as somebody else.
pub(crate) const PRIVILEGE: Rule = Rule {
    id: "tar.privilege",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "file runs with the rights of its owner",
    why: "unpacked by root, the file gives its rights to whoever starts it",
    fix: "unpack the archive as an ordinary user",
    cwe: &[250, 732],
    atlas: &[],
};

/// A header that readers take in two ways.
pub(crate) const AMBIGUOUS: Rule = Rule {
    id: "tar.mismatch",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "archive has two readings",
    why: "one reader passes over the content and another takes headers out of it (CVE-2025-62518)",
    fix: "do not unpack the archive",
    cwe: &[436, 843],
    atlas: &["AML.T0010.003"],
};

/// Sizes below this fit into the header: none of them needs a pax record.
const OCTAL: u64 = 1 << 33;
/// A long name, and the records of a pax header.
const LONG: u64 = 1 << 20;

/// What kind of tar archive the file is, if it is one.
pub(crate) fn recognise(glance: &Glance<'_>) -> Parsed<Option<Format>> {
    const LOOKED: usize = 256;
    let Some(first) = glance.head.first_chunk().and_then(Header::parse).filter(Header::is_plausible) else {
        return Ok(None);
    };
    let mut names = Vec::new();
    let mut next = Some(first);
    let mut at = 0_u64;
    while let (Some(header), true) = (next, names.len() < LOOKED) {
        let padded = header.size.div_ceil(BLOCK).saturating_mul(BLOCK);
        at = at.saturating_add(BLOCK).saturating_add(padded);
        names.push(header.name);
        next = read_up_to(glance.source, at, 512)?.first_chunk().and_then(Header::parse);
    }
    Ok(Some(kind::of_tar(&names)))
}

/// Scans every member.
pub(crate) fn read(format: Format, source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut walk = Walk {
        container: Container { format, source },
        at: 0,
        general: Pax::default(),
        next: Pax::default(),
        links: Links::of_system(),
        junk: None,
        ended: false,
    };
    let read = walk.members(scan);
    walk.links.finish(scan);
    read
}

struct Walk<'a> {
    container: Container<'a>,
    at: u64,
    /// What holds for all members that follow.
    general: Pax,
    /// What holds for the next one.
    next: Pax,
    links: Links,
    /// Where blocks began that are no headers.
    junk: Option<u64>,
    /// Whether the mark of the end was seen.
    ended: bool,
}

impl Walk<'_> {
    /// Reads header by header to the end.
    fn members(&mut self, scan: &mut Scan<'_>) -> Parsed<()> {
        let mut count = 0;
        while let Some(block) = self.block()? {
            scan.spend(1)?;
            match Header::parse(&block) {
                _ if block.iter().all(|&byte| byte == 0) => {
                    self.ended = true;
                    self.at += BLOCK;
                }
                Some(header) => {
                    count += 1;
                    if count > scan.limits.entries {
                        return Err(Halt::limit(format!("{} entries in an archive", scan.limits.entries)));
                    }
                    self.junk(scan);
                    if self.ended {
                        scan.find(&TRAILING, self.at, "members behind the end of the archive");
                        self.ended = false;
                    }
                    self.header(header, scan)?;
                }
                None => {
                    self.junk.get_or_insert(self.at);
                    self.at += BLOCK;
                }
            }
        }
        self.junk(scan);
        match self.at > self.container.source.size() {
            true => Err(Halt::Truncated { offset: self.container.source.size() }),
            false => Ok(()),
        }
    }

    fn block(&self) -> Parsed<Option<[u8; 512]>> {
        let bytes = read_up_to(self.container.source, self.at, 512)?;
        Ok(match bytes.first_chunk() {
            Some(block) => Some(*block),
            // An end that is no full block.
            None if bytes.iter().any(|&byte| byte != 0) => {
                let mut block = [0; 512];
                block.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
                Some(block)
            }
            None => None,
        })
    }

    /// Scans blocks that are no headers, up to here.
    fn junk(&mut self, scan: &mut Scan<'_>) {
        if let Some(start) = self.junk.take() {
            let part = Part::new(self.container.source, start, self.at - start);
            scan.find(&TRAILING, start, format!("{} bytes that belong to no member", part.size()));
            scan.nested("data between the members", &part);
        }
    }

    fn header(&mut self, mut header: Header, scan: &mut Scan<'_>) -> Parsed<()> {
        let at = self.at;
        match header.kind {
            b'x' | b'X' | b'g' => {
                let bytes = self.meta(&header)?;
                let pax = if header.kind == b'g' { &mut self.general } else { &mut self.next };
                return pax.extend(&bytes, at);
            }
            b'L' => {
                self.next.path = Some(text(&self.meta(&header)?));
                return Ok(());
            }
            b'K' => {
                self.next.linkpath = Some(text(&self.meta(&header)?));
                return Ok(());
            }
            _ => {}
        }
        let pax = std::mem::take(&mut self.next);
        let listed = header.size;
        if let Some(path) = pax.path.or_else(|| self.general.path.clone()) {
            names::check(&header.name, at, scan);
            header.name = path;
        }
        if let Some(link) = pax.linkpath.or_else(|| self.general.linkpath.clone()) {
            header.link = link;
        }
        if let Some(size) = pax.size.or(self.general.size) {
            header.size = size;
            if size != listed && size < OCTAL {
                let what =
                    format!("member `{}` has {size} bytes and {listed} in its header", shown(&header.name));
                scan.find(&AMBIGUOUS, at, what);
            }
        }
        self.check(&header, at, scan)?;
        self.content(&header, pax.is_sparse || self.general.is_sparse, scan)
    }

    /// The content of a header that describes the next one.
    fn meta(&mut self, header: &Header) -> Parsed<Vec<u8>> {
        if header.size > LONG {
            return Err(Halt::limit(format!("{LONG} bytes in an extended header")));
        }
        let size = usize::try_from(header.size).unwrap_or(0);
        let bytes = read_up_to(self.container.source, self.at + BLOCK, size)?;
        self.pass(header.size);
        Ok(bytes)
    }

    /// Goes behind a header and its content.
    fn pass(&mut self, size: u64) {
        self.at = size.div_ceil(BLOCK).saturating_mul(BLOCK).saturating_add(self.at + BLOCK);
    }

    /// Judges what unpacking the member does.
    fn check(&mut self, header: &Header, at: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        let name = &header.name;
        names::check(name, at, scan);
        self.links.member(name, at, scan)?;
        match header.kind {
            b'1' => self.links.hard(name, &header.link, at, scan),
            b'2' => self.links.symbolic(name, &header.link, at, scan),
            b'3' | b'4' | b'6' => scan.find(&SPECIAL, at, format!("member `{}`", shown(name))),
            b'5' => {}
            _ if header.mode & 0o6000 != 0 => {
                scan.find(&PRIVILEGE, at, format!("member `{}`", shown(name)));
            }
            _ => {}
        }
        Ok(())
    }

    fn content(&mut self, header: &Header, is_sparse: bool, scan: &mut Scan<'_>) -> Parsed<()> {
        // Links, devices and folders have none: Python takes what follows as the next header.
        if matches!(header.kind, b'1'..=b'6') {
            self.at += BLOCK;
            return Ok(());
        }
        if is_sparse || header.kind == b'S' {
            scan.find(&UNSUPPORTED, self.at, format!("member `{}` has holes", shown(&header.name)));
        }
        let part = Part::new(self.container.source, self.at + BLOCK, header.size);
        match self.container.stored(&header.name, &part, scan) {
            Err(halt @ (Halt::Limit { .. } | Halt::Unreadable(_))) => return Err(halt),
            Err(halt) => scan.halted(self.container.format, halt),
            Ok(()) => {}
        }
        let is_cut = part.size() < header.size;
        self.pass(header.size);
        // The last content need not be padded.
        if !is_cut {
            self.at = self.at.min(self.container.source.size());
        }
        Ok(())
    }
}
