//! Storages of a PyTorch archive, beside the records that hold them.

use std::collections::HashMap;

use super::content::{length, start};
use super::directory::{Directory, Entry};
use super::local::Local;
use super::rules::RECORD;
use crate::archive::kind::inner;
use crate::archive::member::{Container, text};
use crate::format::Format;
use crate::halt::Parsed;
use crate::pickle;
use crate::scan::{Scan, shown};
use crate::source::{Part, Source as _};

/// The method of members that are not compressed.
const STORED: u16 = 0;

/// Finds storages that are larger than their record.
pub(super) fn check(container: &Container<'_>, directory: &Directory, scan: &mut Scan<'_>) -> Parsed<()> {
    if container.format != Format::TorchZip {
        return Ok(());
    }
    let mut records: HashMap<String, &Entry> = HashMap::new();
    let mut structure = None;
    for entry in &directory.entries {
        let name = text(&entry.name);
        match inner(&name) {
            "data.pkl" => structure = Some(entry),
            within => {
                if let Some(key) = within.strip_prefix("data/") {
                    records.insert(key.to_owned(), entry);
                }
            }
        }
    }
    let Some(structure) = structure else { return Ok(()) };
    for (key, bytes) in claims(container, structure, scan)? {
        let Some(record) = records.get(key.as_str()) else { continue };
        let there = there(container, record, bytes, scan)?;
        if there < bytes {
            let message =
                format!("storage `{}` claims {bytes} bytes, and its record has {there}", shown(&key));
            scan.find(&RECORD, record.local, message);
        }
    }
    Ok(())
}

/// The storages that `data.pkl` claims, by their keys.
fn claims(container: &Container<'_>, structure: &Entry, scan: &mut Scan<'_>) -> Parsed<Vec<(String, u64)>> {
    let Some(part) = data(container, structure)? else { return Ok(Vec::new()) };
    if structure.method == STORED {
        return pickle::storages(&part, scan);
    }
    let most = scan.limits.structure_bytes as u64;
    let bytes = start(structure.method, &part, most);
    scan.expand(bytes.len() as u64)?;
    pickle::storages(&bytes, scan)
}

/// How many bytes the record has for a storage of `wanted`.
fn there(container: &Container<'_>, record: &Entry, wanted: u64, scan: &mut Scan<'_>) -> Parsed<u64> {
    let Some(part) = data(container, record)? else { return Ok(record.size) };
    if record.size < wanted {
        return Ok(record.size);
    }
    if record.method == STORED {
        // What the file is cut in is missing, not too small.
        return Ok(if part.size() < record.packed { record.size } else { part.size() });
    }
    let made = length(record.method, &part, wanted);
    scan.spend(made.unwrap_or(wanted) / 16)?;
    Ok(made.unwrap_or(record.size))
}

/// The data of an entry, as it stands in the file.
fn data<'a>(container: &Container<'a>, entry: &Entry) -> Parsed<Option<Part<'a>>> {
    let local = Local::read(container.source, entry.local, entry.name.len())?;
    Ok(local.map(|local| Part::new(container.source, local.data, entry.packed)))
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;

    use crate::archive::sample;
    use crate::{Limits, scan};

    /// A PyTorch archive with one storage of so many floats, and a record of so many bytes.
    fn assessed(class: &str, elements: u8, record: usize) -> Assessment {
        packed(class, elements, record, false)
    }

    /// The same, with its members compressed or not.
    fn packed(class: &str, elements: u8, record: usize, deflated: bool) -> Assessment {
        let storage = [
            b"(X\x07\0\0\0storagectorch\n".as_slice(),
            class.as_bytes(),
            b"\nX\x01\0\0\0\x30X\x03\0\0\0cpuK",
            &[elements],
            b"tQ",
        ]
        .concat();
        let structure = [b"\x80\x02}X\x01\0\0\0w".as_slice(), &storage, b"s."].concat();
        let mut entries = [
            sample::entry("m/data.pkl", &structure),
            sample::entry("m/version", b"3\n"),
            sample::entry("m/data/0", &vec![0; record]),
        ];
        entries.iter_mut().for_each(|entry| entry.deflated = deflated);
        let zip = sample::zip(&entries);
        scan(&zip, "model.pt", &Limits::default()).assessment()
    }

    #[test]
    fn a_storage_ends_where_its_record_does() {
        assert_eq!(assessed("FloatStorage", 4, 16), Assessment::Clean);
        assert_eq!(assessed("FloatStorage", 4, 64), Assessment::Clean);
        assert_eq!(assessed("FloatStorage", 4, 12), Assessment::Malicious);
        assert_eq!(assessed("DoubleStorage", 100, 16), Assessment::Malicious);
        assert_eq!(assessed("UntypedStorage", 16, 16), Assessment::Clean);
    }

    #[test]
    fn a_storage_of_a_compressed_archive_ends_where_its_record_does() {
        assert_eq!(packed("FloatStorage", 4, 16, true), Assessment::Clean);
        assert_eq!(packed("FloatStorage", 4, 12, true), Assessment::Malicious);
        assert_eq!(packed("DoubleStorage", 100, 16, true), Assessment::Malicious);
    }
}
