//! All pickles of a file, one after the other, as their loaders find them.

use super::judge::Judge;
use super::machine::Machine;
use super::search::search;
use super::torch::{self, Storages};
use super::watch::Watch;
use super::{recognise, rules};
use crate::claim::is_absurd;
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Source, read_up_to};
use bastide_types::Assessment;

/// Reads a file of pickles.
pub(super) fn read(format: Format, source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut machine = Machine::new(source, first_stream(source)?);
    let mut storages = Storages::default();
    let mut streams = 0_u64;
    loop {
        let mut judge = Judge::new(scan);
        let ended = machine.run(&mut judge);
        judge.finish(&machine.state);
        storages.join(std::mem::take(&mut judge.storages));
        let end = match ended {
            Ok(end) => end,
            Err(halt) => {
                let from = machine.input.position().max(machine.start + 1);
                search(source, from, scan)?;
                return Err(halt);
            }
        };
        streams += 1;
        if format == Format::TorchLegacy && streams == torch::PICKLES {
            return storages_follow(source, end, &storages, scan);
        }
        if end >= source.size() {
            return Ok(());
        }
        let next = next_stream(source, end, machine.frame)?;
        let Some(next) = next else { return trailing(source, end, scan) };
        machine.input.seek_to(next);
        machine.again();
    }
}

/// Where the first stream begins: at the start, or behind lines of text that lead to harm.
fn first_stream(source: &dyn Source) -> Parsed<u64> {
    let head = read_up_to(source, 0, 4096)?;
    match recognise::begins(source, 0, &head)? {
        true => Ok(0),
        false => Ok(recognise::behind_lines(source, &head)?.unwrap_or(0)),
    }
}

/// Where the next stream begins: behind STOP for the C unpickler, behind the frame for the Python one.
fn next_stream(source: &dyn Source, end: u64, frame: u64) -> Parsed<Option<u64>> {
    for at in [Some(end), (frame != u64::MAX && frame > end).then_some(frame)].into_iter().flatten() {
        let head = read_up_to(source, at, 64)?;
        if recognise::begins(source, at, &head)? {
            return Ok(Some(at));
        }
    }
    Ok(None)
}

/// What follows the last stream and is none.
fn trailing(source: &dyn Source, end: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    let rest = read_up_to(source, end, 64)?;
    let short = rest.len() as u64 == source.size() - end;
    if short && rest.iter().all(u8::is_ascii_whitespace) {
        return Ok(());
    }
    scan.find(&rules::TRAILING, end, format!("{} bytes follow the last pickle", source.size() - end));
    search(source, end, scan)
}

/// The storages of a legacy PyTorch file.
fn storages_follow(source: &dyn Source, end: u64, storages: &Storages, scan: &mut Scan<'_>) -> Parsed<()> {
    let left = source.size().saturating_sub(end);
    match storages.bytes() {
        Some(bytes) if bytes == left => Ok(()),
        // Loaders set the memory aside as they hear of a storage, long before they read it.
        Some(bytes) if is_absurd(bytes, source.size()) => {
            scan.find(&rules::BOMB, end, format!("the storages claim {bytes} bytes, and {left} follow"));
            search(source, end, scan)
        }
        Some(bytes) if bytes > left => Err(Halt::Truncated { offset: source.size() }),
        // Where sizes and bytes do not agree, nothing says which bytes are storages.
        Some(bytes) => {
            search(source, end, scan)?;
            trailing(source, end + bytes, scan)
        }
        None => search(source, end, scan),
    }
}

/// Reads the pickle that joblib finds in an array of objects; gives where it ends.
pub(super) fn within_array(source: &dyn Source, offset: u64, scan: &mut Scan<'_>) -> Parsed<u64> {
    let mut machine = Machine::new(source, offset);
    let mut judge = Judge::new(scan);
    judge.arrays.plain = true;
    let ended = machine.run(&mut judge);
    judge.finish(&machine.state);
    ended
}

/// Judges the stream at `offset` if it does harm: there, bytes are meant as data for one loader and are opcodes to
/// another. Data that happens to look like a harmless pickle is passed over.
pub(super) fn ambush(source: &dyn Source, offset: u64, scan: &mut Scan<'_>) -> Parsed<Option<u64>> {
    /// Harm that hides behind so much harmless code is reached by no error.
    const STEPS: u64 = 1 << 16;
    /// So many opcodes in a row are no accident: what comes within is theirs.
    const REAL: u64 = 64;
    let watch = Watch::run(source, offset, STEPS)?;
    scan.spend(watch.steps)?;
    // Random bytes may claim any size: only what is imported tells a stream from noise.
    if watch.worst < Assessment::Malicious || watch.odd || watch.imports == 0 {
        return Ok((watch.steps >= REAL).then_some(watch.end));
    }
    let mut machine = Machine::new(source, offset);
    let mut judge = Judge::new(scan);
    judge.arrays.plain = true;
    let ended = machine.run(&mut judge);
    judge.finish(&machine.state);
    Ok(Some(match ended {
        Ok(end) => end,
        Err(Halt::Unreadable(error)) => return Err(Halt::Unreadable(error)),
        // It is no stream of the file's own: where it breaks off does not make the file unfinished.
        Err(_) => machine.input.position().max(offset + 1),
    }))
}
