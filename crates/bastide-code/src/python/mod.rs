//! Python as it was typed: names resolved, texts folded, values followed from where they come to where they act.

mod call;
mod command;
mod deferred;
mod download;
mod encoding;
mod expression;
mod fold;
mod function;
mod hostile;
mod literal;
mod loaders;
mod magic;
mod names;
mod namespace;
mod natives;
mod output;
mod reach;
mod reader;
mod request;
mod resolve;
mod role;
mod serving;
mod sources;
mod spelling;
mod statement;
mod text;
mod theft;
mod value;

use bastide_types::Rule;
use reader::Budget;
use role::Role;

use crate::python::encoding::{DISGUISED, UNUSUAL_ENCODING};
use crate::remark::{Remark, Remarks, rule, shown};
use crate::secrets;

rule!(
    /// More text than is read.
    TOO_LARGE, "code.too-large", Medium, Unfinished, "source text too large",
    why: "what lies beyond the limit was not assessed; nobody types that much into one file",
    fix: "look at what the file holds, and move data out of it",
    cwe: [400], atlas: [],
);
rule!(
    /// The grammar or the budget gave up.
    UNFINISHED, "code.unfinished", Medium, Unfinished, "source text not read to the end",
    why: "what was not read was not assessed",
    fix: "look at the file by hand; split it if it was made by a program",
    cwe: [400], atlas: [],
);

pub(crate) const RULES: &[&Rule] = &[&TOO_LARGE, &UNFINISHED];

/// The rules of each kind.
pub(crate) fn families() -> impl Iterator<Item = &'static [&'static Rule]> {
    [
        encoding::RULES,
        spelling::RULES,
        hostile::RULES,
        download::RULES,
        command::RULES,
        loaders::RULES,
        natives::RULES,
        output::RULES,
        serving::RULES,
        request::RULES,
    ]
    .into_iter()
}

/// The longest text that is read, in bytes: the longest modules of the libraries of this field have 1.2 MiB.
pub const LONGEST: usize = 1_280 << 10;

/// What a file with the Python source `text` does wrong.
///
/// Looks at every text: one that is broken is read as far as it can be, one that is too long or costs too much to read is
/// read as far as that goes and said to be unfinished.
#[must_use]
pub fn python(text: &str) -> Vec<Remark> {
    source(text, &mut Budget::new(Role::Program, false))
}

fn source(text: &str, budget: &mut Budget) -> Vec<Remark> {
    let taken = spelling::taken(text);
    let mut remarks = Remarks::new(&taken);
    spelling::check(text, &mut remarks);
    read(&taken, &mut remarks, 0, budget);
    remarks.finish()
}

/// What the file of Python called `name` does wrong, read from its bytes as Python decodes them. Not more of it need be
/// given than [`LONGEST`] and a byte. The name, without folders, tells who runs the file.
#[must_use]
pub fn python_file(name: &str, bytes: &[u8]) -> Vec<Remark> {
    let decoded = encoding::decode(bytes);
    let mut found = source(&decoded.text, &mut Budget::new(Role::of(name), Role::is_part(name)));
    if let Some((codec, differs)) = decoded.odd {
        let mut remarks = Remarks::new(&decoded.text);
        let codec = shown(&codec);
        match differs {
            true => remarks.add(&DISGUISED, 0, format!("`{codec}` makes another program of its bytes")),
            false => remarks.add(&UNUSUAL_ENCODING, 0, format!("the file is written in `{codec}`")),
        }
        found.splice(0..0, remarks.finish());
    }
    found
}

/// What the cells of a notebook do wrong, for each of them: they are one program, whose names live from cell to cell. Lines
/// that begin with `!` or `%` are read as their commands; in a file they would be Python.
#[must_use]
pub fn notebook(cells: &[&str]) -> Vec<Vec<Remark>> {
    let taken: Vec<_> = cells.iter().map(|cell| spelling::taken(cell)).collect();
    let whole = taken.join("\n");
    let mut remarks = Remarks::new(&whole);
    spelling::check(&cells.join("\n"), &mut remarks);
    secrets::scan(&whole, &mut remarks);
    let mut starts = Vec::with_capacity(cells.len());
    let mut plain = Vec::with_capacity(cells.len());
    let mut start = 0;
    for cell in &taken {
        starts.push(start);
        plain.push((start, magic::without(cell, start, &mut remarks)));
        start += cell.len() + 1;
    }
    plain.retain(|(start, cell)| start + cell.len() <= LONGEST);
    if plain.len() < cells.len() {
        let message =
            format!("the cells have more than {LONGEST} bytes, and only the first of them were read");
        remarks.add(&TOO_LARGE, 0, message);
    }
    let pieces: Vec<(usize, &str)> = plain.iter().map(|(start, cell)| (*start, &**cell)).collect();
    reader::read_cells(&pieces, &mut remarks, &mut Budget::new(Role::Program, false));
    parted(remarks.finish(), &whole, &starts)
}

/// Remarks on the whole, which are in order, as remarks on the parts that begin at `starts`.
fn parted(remarks: Vec<Remark>, whole: &str, starts: &[usize]) -> Vec<Vec<Remark>> {
    let mut parts = vec![Vec::new(); starts.len()];
    let before = lines_before(whole, starts);
    for mut remark in remarks {
        let offset = usize::try_from(remark.offset).unwrap_or(usize::MAX);
        let at = starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let (Some(part), Some(start), Some(before)) = (parts.get_mut(at), starts.get(at), before.get(at))
        else {
            continue;
        };
        remark.offset = offset.saturating_sub(*start) as u64;
        remark.line = remark.line.saturating_sub(u32::try_from(*before).unwrap_or(u32::MAX)).max(1);
        part.push(remark);
    }
    parts
}

/// How many lines of `whole` end before each of `starts`, which are in order.
fn lines_before(whole: &str, starts: &[usize]) -> Vec<usize> {
    let mut breaks = memchr::memchr_iter(b'\n', whole.as_bytes()).peekable();
    let mut lines = 0;
    let until = |start: &usize| {
        while breaks.next_if(|at| at < start).is_some() {
            lines += 1;
        }
        lines
    };
    starts.iter().map(until).collect()
}

/// What one cell of a notebook does wrong by itself.
#[must_use]
pub fn cell(text: &str) -> Vec<Remark> {
    notebook(&[text]).pop().unwrap_or_default()
}

/// Reads `text`, which `depth` texts execute one within another.
fn read(text: &str, remarks: &mut Remarks<'_>, depth: u8, budget: &mut Budget) {
    let mut text = text;
    if text.len() > LONGEST {
        let message = format!("the text has more than {LONGEST} bytes, and only the first of them were read");
        remarks.add(&TOO_LARGE, 0, message);
        text = text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text);
    }
    secrets::scan(text, remarks);
    reader::read(text, remarks, depth, budget);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_before_each_start() {
        assert_eq!(lines_before("a\nb\n\nc", &[0, 2, 4, 5, 6, 6, 9]), [0, 1, 2, 3, 3, 3, 3]);
        assert_eq!(lines_before("", &[0]), [0]);
    }
}
