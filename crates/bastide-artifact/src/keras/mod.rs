//! Keras: the configuration of a model, wherever it stands, and HDF5, which holds it for models before Keras 3.
//!
//! A `.keras` archive is a zip archive; its `config.json` comes here by its content.

mod config;
mod hdf5;

use bastide_types::Rule;

pub(crate) use config::{config, is_config, judge};

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::Source;

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[
    &config::LAMBDA,
    &config::MODULE,
    &config::VOCABULARY,
    &config::NAMED_FUNCTION,
    &config::CUSTOM,
    &config::FOREIGN,
    &hdf5::OUTSIDE,
    &hdf5::EXTERNAL,
    &hdf5::FILTER,
    &hdf5::UNOPENABLE,
];

/// Adds what a loader could take the file for.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    if hdf5::superblock(glance.head, glance.source)?.is_some() {
        formats.push(Format::Hdf5);
    }
    Ok(())
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    _name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    match format {
        Format::Hdf5 => Some(hdf5::read(source, scan)),
        // Read as JSON, or as a zip archive.
        _ => None,
    }
}
