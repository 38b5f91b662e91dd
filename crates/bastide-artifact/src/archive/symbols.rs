//! Tables of symbols in `ar` archives, which linkers read and nobody unpacks.

use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::{Source, read_up_to};

/// Whether the member `name` is a table of symbols by its content too: of GNU (`/`, `/SYM64/`), the second one of Windows
/// (`/`), or of BSD (`__.SYMDEF`).
///
/// # Errors
///
/// What keeps it from being read.
pub(super) fn is_symbols(name: &str, content: &dyn Source, scan: &mut Scan<'_>) -> Parsed<bool> {
    if !matches!(name, "/" | "/SYM64/" | "__.SYMDEF" | "__.SYMDEF SORTED") {
        return Ok(false);
    }
    let most = scan.limits.structure_bytes;
    if content.size() > most as u64 {
        return Ok(false);
    }
    scan.spend(content.size() / 64)?;
    let table = read_up_to(content, 0, most)?;
    Ok(match name {
        "/" => gnu(&table, 4).is_some() || windows(&table).is_some(),
        "/SYM64/" => gnu(&table, 8).is_some(),
        _ => bsd(&table).is_some(),
    })
}

/// A count, as many offsets, as many names; numbers of `width` bytes, the highest first.
fn gnu(table: &[u8], width: usize) -> Option<()> {
    let (count, rest) = table.split_at_checked(width)?;
    let count = count.iter().fold(0_u64, |count, byte| count << 8 | u64::from(*byte));
    let count = usize::try_from(count).ok()?;
    named(rest.get(count.checked_mul(width)?..)?, count)
}

/// A count of members, their offsets, a count of symbols, for each the number of its member, their names (PE format, "Second
/// Linker Member").
fn windows(table: &[u8]) -> Option<()> {
    let members = usize::try_from(little(table)?).ok()?;
    let rest = table.get(members.checked_mul(4)?.checked_add(4)?..)?;
    let count = usize::try_from(little(rest)?).ok()?;
    named(rest.get(count.checked_mul(2)?.checked_add(4)?..)?, count)
}

/// The size of pairs of numbers, the pairs, the size of the names, the names (`ranlib(5)`).
fn bsd(table: &[u8]) -> Option<()> {
    let pairs = usize::try_from(little(table)?).ok()?;
    let rest = table.get(pairs.checked_add(4)?..)?;
    let size = usize::try_from(little(rest)?).ok()?;
    let names = rest.get(4..)?;
    let behind = names.get(size..)?;
    (pairs.is_multiple_of(8) && behind.len() < 16 && is_text(names)).then_some(())
}

/// `count` names, each with a zero at its end, and what fills them up to the next member.
fn named(names: &[u8], count: usize) -> Option<()> {
    let end = match count.checked_sub(1) {
        Some(last) => memchr::memchr_iter(0, names).nth(last)? + 1,
        None => 0,
    };
    let filled = names.get(end..)?;
    (filled.len() < 16 && is_text(names)).then_some(())
}

/// Whether nothing in it is a control character but the ends of names and of lines.
fn is_text(names: &[u8]) -> bool {
    names.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, 0 | b'\n'))
}

fn little(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().copied().map(u32::from_le_bytes)
}
