//! Pickles: what they would import and call, judged by an allow list.
//!
//! A symbolic [`machine`] runs every opcode on values that do nothing and tells a [`judge`] of imports, calls and
//! states. What is not on the list of exact globals is at best unknown; what no model needs is malicious. Nothing
//! depends on the Python, or the packages, of the host.

mod actions;
mod allocation;
mod arguments;
mod attributes;
pub(crate) mod carried;
mod containers;
mod danger;
mod defined;
mod encoded;
mod evaluated;
mod facts;
mod formula;
mod found;
mod heap;
mod hostile;
mod input;
mod joblib;
mod judge;
mod lists;
mod literal;
mod lookup;
mod machine;
mod made;
mod memo;
mod names;
mod nested;
mod opcodes;
mod partials;
pub(crate) mod plan;
mod rebuilt;
mod recognise;
mod render;
mod rules;
mod scalars;
mod search;
mod sizes;
mod states;
mod stream;
mod tables;
mod torch;
mod trace;
mod traced;
mod value;
mod watch;

pub(crate) use recognise::recognise;
pub(crate) use rules::RULES;
pub(crate) use torch::storages;
pub use trace::pickle_trace;

use crate::format::Format;
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::Source;

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    _name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    match format {
        Format::Pickle | Format::Joblib | Format::TorchLegacy => Some(stream::read(format, source, scan)),
        _ => None,
    }
}
