//! The entries of a directory, beside the headers they point to.

use std::collections::{HashMap, HashSet};

use super::content::{Data, Outcome, Said, scan_data};
use super::directory::{Directory, Entry};
use super::local::{self, Local, STREAMED};
use super::rules;
use crate::archive::bomb::{BOMB, shared};
use crate::archive::links::Links;
use crate::archive::member::{Container, target, text};
use crate::archive::names;
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::Part;

/// Modes of Unix.
const TYPE: u32 = 0o170_000;
const SYMLINK: u32 = 0o120_000;
/// How many entries that share data with others are scanned: each may be a whole archive long.
const OVERLAPS: u64 = 16;

/// What the names of a directory say.
#[derive(Default)]
pub(crate) struct Names {
    pub(crate) all: HashSet<Vec<u8>>,
}

impl Names {
    /// Judges the names, and how many there are.
    pub(crate) fn check(&mut self, container: &Container<'_>, directory: &Directory, scan: &mut Scan<'_>) {
        let entries = &directory.entries;
        let mut seen: HashMap<&[u8], &Entry> = HashMap::with_capacity(entries.len());
        let mut folded: HashSet<String> = HashSet::new();
        for entry in entries {
            let name = text(&entry.name);
            names::check(&name, entry.local, scan);
            if let Some(unicode) = entry.unicode.as_deref().map(text).filter(|unicode| *unicode != name) {
                names::check(&unicode, entry.local, scan);
            }
            match seen.insert(&entry.name, entry) {
                Some(other) => duplicate(container, entry, other, &name, scan),
                None if is_unpacked(container.format) && !folded.insert(names::folded(&name)) => {
                    scan.find(
                        &names::NAME,
                        entry.local,
                        format!("`{}` and another differ only in case", shown(&name)),
                    );
                }
                None => {}
            }
        }
        self.all.extend(entries.iter().map(|entry| entry.name.clone()));
        let found = entries.len() as u64;
        match &directory.halt {
            // Writers without zip64 let the count run over.
            None if found & 0xffff != directory.counted & 0xffff => {
                let what = format!("the directory counts {} members and has {found}", directory.counted);
                scan.find(&rules::MISMATCH, directory.start, what);
            }
            _ => {}
        }
    }
}

/// Whether members become files, whose names must differ by more than case.
fn is_unpacked(format: Format) -> bool {
    matches!(format, Format::Zip | Format::TorchServe)
}

fn duplicate(container: &Container<'_>, entry: &Entry, other: &Entry, name: &str, scan: &mut Scan<'_>) {
    let same = (entry.crc, entry.size) == (other.crc, other.size);
    let rule =
        if same || container.format == Format::Zip { &rules::DUPLICATE_FILE } else { &rules::DUPLICATE };
    if !name.ends_with('/') {
        scan.find(rule, entry.local, format!("member `{}`", shown(name)));
    }
}

/// What has been said of checksums.
#[derive(Default)]
struct Sums {
    right: u64,
    wrong: Vec<(String, u64)>,
}

/// Scans every entry; adds what the entries cover of the file.
pub(crate) fn scan_all(
    container: &Container<'_>,
    directory: &Directory,
    covered: &mut Vec<(u64, u64)>,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    total(container, directory, scan);
    let mut entries: Vec<&Entry> = directory.entries.iter().collect();
    entries.sort_by_key(|entry| entry.local);
    overlapping(container, &entries, scan);
    let mut links = Links::default();
    let mut seen = HashSet::new();
    let mut sums = Sums::default();
    let (mut reached, mut overlaps) = (0, 0);
    for entry in entries {
        scan.spend(1)?;
        let name = text(&entry.name);
        let Some(local) = Local::read(container.source, entry.local, entry.name.len())? else {
            let what = format!("member `{}` has no header", shown(&name));
            scan.halted(container.format, Halt::malformed(entry.local, what));
            continue;
        };
        links.member(&name, local.at, scan)?;
        compare(entry, &local, &name, scan);
        let data = Data { at: local.data, packed: entry.packed, method: entry.method };
        let end = local.data.saturating_add(entry.packed);
        if local.at < reached && !seen.contains(&data) {
            scan.find(&rules::MISMATCH, local.at, "members overlap");
            overlaps += 1;
        }
        let streamed = (local.flags | entry.flags) & STREAMED != 0;
        let behind = if streamed { local::descriptor(container.source, end, entry)? } else { 0 };
        covered.push((local.at, end.saturating_add(behind)));
        reached = reached.max(end);
        if overlaps > OVERLAPS || !seen.insert(data) {
            continue;
        }
        if entry.mode.is_some_and(|mode| mode & TYPE == SYMLINK) && entry.size <= 4096 {
            links.symbolic(&name, &target_of(container, entry, &local)?, local.at, scan);
        }
        let said =
            Said { name: &name, flags: entry.flags | local.flags, crc: entry.crc, size: Some(entry.size) };
        match scan_data(container, data, &said, scan) {
            Ok(Outcome::Summed { right: true }) => sums.right += 1,
            Ok(Outcome::Summed { right: false }) => sums.wrong.push((name.clone(), local.at)),
            Ok(Outcome::Unsummed) => {}
            Err(halt @ (Halt::Limit { .. } | Halt::Unreadable(_))) => return Err(halt),
            Err(halt) => scan.halted(container.format, halt),
        }
        other_view(container, entry, &local, &name, &mut seen, scan);
    }
    sums.judge(container.format, scan);
    Ok(())
}

/// Scans the data as the local header has it, where that is another.
fn other_view(
    container: &Container<'_>,
    entry: &Entry,
    local: &Local,
    name: &str,
    seen: &mut HashSet<Data>,
    scan: &mut Scan<'_>,
) {
    let packed = if local.is_open() { entry.packed } else { local.packed };
    let data = Data { at: local.data, packed, method: local.method };
    if packed == 0 || !seen.insert(data) {
        return;
    }
    let said = Said { name, flags: local.flags, crc: local.crc, size: None };
    if let Err(halt) = scan_data(container, data, &said, scan) {
        scan.halted(container.format, halt);
    }
}

/// What the directory promises in all.
fn total(container: &Container<'_>, directory: &Directory, scan: &mut Scan<'_>) {
    const MOST: u64 = 4 << 30;
    let total = directory.entries.iter().fold(0_u64, |sum, entry| sum.saturating_add(entry.size));
    if total >= MOST && total / 200 >= container.source.size() {
        let size = container.source.size();
        scan.find(&BOMB, directory.start, format!("the members make {total} bytes from {size}"));
    }
}

/// Members over the same data: each costs its reader the whole of it (the bomb of David Fifield, 2019).
fn overlapping(container: &Container<'_>, entries: &[&Entry], scan: &mut Scan<'_>) {
    // Sorted by place. What begins within the data of another one belongs to its group.
    let (mut start, mut end, mut promised, mut members) = (0, 0, 0_u64, 0);
    for entry in entries {
        if entry.local >= end {
            (start, end, promised, members) = (entry.local, entry.local, 0, 0);
        }
        end = end.max(entry.local.saturating_add(entry.packed));
        promised = promised.saturating_add(entry.size);
        members += 1;
        if shared(promised, end - start, members) {
            let size = container.source.size();
            let what = format!("{members} members over the same data make {promised} bytes from {size}");
            scan.find(&BOMB, start, what);
            return;
        }
    }
}

/// Finds what the directory and the header of an entry say differently.
fn compare(entry: &Entry, local: &Local, name: &str, scan: &mut Scan<'_>) {
    let name = shown(name);
    let mut differ = |what: String| scan.find(&rules::MISMATCH, local.at, what);
    if local.name != entry.name {
        differ(format!("member `{name}` is called `{}` in its header", shown(&text(&local.name))));
    }
    if local.method != entry.method {
        differ(format!("member `{name}` has method {} and {} in its header", entry.method, local.method));
    }
    let pairs = [("compressed size", entry.packed, local.packed), ("size", entry.size, local.size)];
    let streamed = local.flags & STREAMED != 0;
    for (what, listed, headed) in pairs {
        if listed != headed && headed != 0 && !(streamed && headed == u64::from(u32::MAX)) {
            differ(format!("member `{name}` has {what} {listed} and {headed} in its header"));
        }
    }
    if !streamed && local.packed == 0 && entry.packed != 0 {
        scan.find(&rules::HIDDEN, local.at, format!("member `{name}` is empty in its header"));
    }
    if !streamed && local.crc != entry.crc && local.crc != 0 {
        scan.find(&rules::CHECKSUM, local.at, format!("member `{name}` has two checksums"));
    }
}

/// Where a link leads: its content.
fn target_of(container: &Container<'_>, entry: &Entry, local: &Local) -> Parsed<String> {
    let part = Part::new(container.source, local.data, entry.packed);
    Ok(match entry.method {
        0 => target(&part)?,
        method => text(&super::content::start(method, &part, 4096)),
    })
}

impl Sums {
    /// A wrong sum among right ones is a change; none at all is a choice of PyTorch's.
    fn judge(self, format: Format, scan: &mut Scan<'_>) {
        let torch = matches!(format, Format::TorchZip | Format::TorchScript | Format::TorchExport);
        if torch && self.right == 0 && self.wrong.len() > 1 {
            scan.find(&rules::NO_CHECKSUMS, None, format!("{} members", self.wrong.len()));
            return;
        }
        for (name, at) in self.wrong {
            scan.find(&rules::CHECKSUM, at, format!("member `{}`", shown(&name)));
        }
    }
}
