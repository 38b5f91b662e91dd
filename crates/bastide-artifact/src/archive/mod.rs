//! PLACE

use bastide_types::Rule;

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::Source;

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[];

/// Adds what a loader could take the file for.
pub(crate) fn recognise(_glance: &Glance<'_>, _formats: &mut Vec<Format>) -> Parsed<()> {
    Ok(())
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    _format: Format,
    _source: &dyn Source,
    _name: &str,
    _scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    None
}
