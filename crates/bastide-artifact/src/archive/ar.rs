//! `ar` archives, as linkers and Debian packages use them (`ar(5)`): members one behind the other, each with a header of text.

use super::member::{Container, text};
use super::names;
use super::stream::TRAILING;
use super::symbols::is_symbols;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};

/// What such an archive begins with.
pub(crate) const MARK: &[u8] = b"!<arch>\n";
/// Bytes of a member's header.
const HEADER: usize = 60;
/// Names longer than the header's field, all together; GNU keeps them in a member of their own.
const MOST_NAMES: usize = 1 << 20;
/// The longest name: no path that a system opens is longer (`PATH_MAX`).
const NAME: usize = 4096;
/// What reading a byte of a name costs: members may share one.
const READ: u64 = 32;

/// Scans every member; those of a package of Debian (`deb(5)`) as what a system installs.
pub(crate) fn read(container: &Container<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    let first = read_up_to(container.source, MARK.len() as u64, HEADER + 2)?;
    match first.starts_with(b"debian-binary") && first.ends_with(b"2.") {
        true => scan.in_package(|scan| members(container, scan)),
        false => members(container, scan),
    }
}

fn members(container: &Container<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    let source = container.source;
    let mut long = Vec::new();
    let mut at = MARK.len() as u64;
    let mut count = 0;
    while at < source.size() {
        count += 1;
        scan.spend(1)?;
        if count > scan.limits.entries {
            return Err(Halt::limit(format!("{} entries in an archive", scan.limits.entries)));
        }
        let header = read_up_to(source, at, HEADER)?;
        let Some(member) = Member::parse(&header) else {
            scan.find(&TRAILING, at, "bytes that are no member");
            scan.nested("data behind the members", &Part::from(source, at));
            let cut = header.len() < HEADER;
            return if cut { Err(Halt::Truncated { offset: source.size() }) } else { Ok(()) };
        };
        let content = Part::new(source, at + HEADER as u64, member.size);
        if content.size() < member.size {
            return Err(Halt::Truncated { offset: source.size() });
        }
        if member.name == b"//" {
            long = read_up_to(&content, 0, MOST_NAMES)?;
        } else {
            let (name, skipped) = member.name(&content, &long)?;
            scan.spend(READ * name.len() as u64)?;
            let content = Part::from(&content, skipped);
            if !is_symbols(&name, &content, scan)? {
                names::check(&name, at, scan);
                scanned(container, &name, &content, scan)?;
            }
        }
        // Members begin at even offsets.
        at = (at + HEADER as u64).saturating_add(member.size).saturating_add(member.size % 2);
    }
    Ok(())
}

/// Scans a member; one that is broken ends none of the others.
pub(super) fn scanned(
    container: &Container<'_>,
    name: &str,
    content: &dyn Source,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    match container.stored(name, content, scan) {
        Err(halt @ (Halt::Limit { .. } | Halt::Unreadable(_))) => return Err(halt),
        Err(halt) => scan.halted(container.format, halt),
        Ok(()) => {}
    }
    Ok(())
}

/// A member's header.
struct Member<'a> {
    name: &'a [u8],
    size: u64,
}

impl<'a> Member<'a> {
    fn parse(header: &'a [u8]) -> Option<Self> {
        let size = std::str::from_utf8(header.get(48..58)?).ok()?.trim().parse().ok()?;
        (header.get(58..60)? == b"`\n").then_some(Member { name: header.get(..16)?.trim_ascii_end(), size })
    }

    /// The name, and how many bytes of the content it takes: BSD puts long ones there.
    fn name(&self, content: &dyn Source, long: &[u8]) -> Parsed<(String, u64)> {
        let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<usize>().ok();
        if let Some(length) = self.name.strip_prefix(b"#1/").and_then(number) {
            if length > NAME {
                return Err(too_long());
            }
            let name = read_up_to(content, 0, length)?;
            let plain = name.split(|byte| *byte == 0).next().unwrap_or_default();
            return Ok((text(plain), length as u64));
        }
        let listed = self.name.strip_prefix(b"/").and_then(number).and_then(|at| long.get(at..));
        let name = match listed {
            Some(rest) => {
                let end = rest.iter().take(NAME + 1).position(|byte| *byte == b'\n');
                rest.get(..end.unwrap_or(rest.len()))
                    .filter(|name| name.len() <= NAME)
                    .ok_or_else(too_long)?
            }
            None => self.name,
        };
        // The names of tables are all stroke.
        let is_table = listed.is_none() && matches!(name, b"/" | b"/SYM64/");
        Ok((text(name.strip_suffix(b"/").filter(|_| !is_table).unwrap_or(name)), 0))
    }
}

fn too_long() -> Halt {
    Halt::limit(format!("{NAME} bytes in the name of a member"))
}
