//! Tensors and little else: formats whose promise is that loading them runs nothing. Each is proved from its structure.

mod gguf;
mod keys;
mod msgpack;
mod mxnet;
mod numpy;
pub(crate) mod proof;
mod safetensors;
mod torch7;

use bastide_types::Rule;

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::Source;

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[
    &safetensors::STRUCTURE,
    &gguf::STRUCTURE,
    &numpy::HEADER,
    &numpy::LONG_HEADER,
    &numpy::TRAILING,
    &numpy::OBJECTS,
    &msgpack::STRUCTURE,
    &msgpack::EXTENSION,
    &msgpack::TRAILING,
    &torch7::FUNCTION,
    &torch7::CLASS,
    &torch7::STRUCTURE,
    &mxnet::STRUCTURE,
];

/// A format and what recognises it.
type Mark = (Format, fn(&Glance<'_>) -> bool);

const MARKS: [Mark; 6] = [
    (Format::Safetensors, safetensors::recognise),
    (Format::Gguf, gguf::recognise),
    (Format::Numpy, numpy::recognise),
    (Format::Msgpack, msgpack::recognise),
    (Format::Torch7, torch7::recognise),
    (Format::Mxnet, mxnet::recognise),
];

/// Adds what a loader could take the file for.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    formats.extend(MARKS.iter().filter(|(_, mark)| mark(glance)).map(|(format, _)| *format));
    Ok(())
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    _name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    Some(match format {
        Format::Safetensors => safetensors::read(source, scan),
        Format::Gguf => gguf::read(source, scan),
        Format::Numpy => numpy::read(source, scan),
        Format::Msgpack => msgpack::read(source, scan),
        Format::Torch7 => torch7::read(source, scan),
        Format::Mxnet => mxnet::read(source, scan),
        _ => return None,
    })
}
