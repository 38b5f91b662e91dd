//! Python as it was typed: names resolved, texts folded, values followed from where they come to where they act.

mod call;
mod command;
mod expression;
mod fold;
mod hostile;
mod literal;
mod loaders;
mod magic;
mod names;
mod output;
mod reader;
mod serving;
mod sources;
mod statement;
mod value;

use bastide_types::Rule;
use reader::Budget;

use crate::remark::{Remark, Remarks, rule};
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
    [hostile::RULES, command::RULES, loaders::RULES, output::RULES, serving::RULES].into_iter()
}

/// The longest text that is read, in bytes: the longest modules of the libraries of this field have 1.2 MiB.
pub const LONGEST: usize = 1_280 << 10;

/// What a file with the Python source `text` does wrong.
///
/// Looks at every text: one that is broken is read as far as it can be, one that is too long or costs too much to read is
/// read as far as that goes and said to be unfinished.
#[must_use]
pub fn python(text: &str) -> Vec<Remark> {
    let mut remarks = Remarks::new(text);
    read(text, &mut remarks, 0, &mut Budget::new());
    remarks.finish()
}

/// What the cell of a notebook with the source `text` does wrong. Lines that begin with `!` or `%` are read as their
/// commands; in a file they would be Python.
#[must_use]
pub fn cell(text: &str) -> Vec<Remark> {
    let mut remarks = Remarks::new(text);
    let plain = magic::without(text, &mut remarks);
    read(&plain, &mut remarks, 0, &mut Budget::new());
    remarks.finish()
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
