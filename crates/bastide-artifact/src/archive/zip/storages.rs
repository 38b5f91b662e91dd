//! Storages of a PyTorch archive, beside the records that hold them.

use std::collections::HashMap;

use super::directory::{Directory, Entry};
use super::local::Local;
use super::rules::RECORD;
use crate::archive::kind::inner;
use crate::archive::member::{Container, text};
use crate::format::Format;
use crate::halt::Parsed;
use crate::pickle;
use crate::scan::{Scan, shown};
use crate::source::Part;

/// Finds storages that are larger than their record.
pub(super) fn check(container: &Container<'_>, directory: &Directory, scan: &mut Scan<'_>) -> Parsed<()> {
    const STORED: u16 = 0;
    if container.format != Format::TorchZip {
        return Ok(());
    }
    let mut records: HashMap<String, &Entry> = HashMap::new();
    let mut structure = None;
    for entry in &directory.entries {
        let name = text(&entry.name);
        match inner(&name) {
            "data.pkl" if entry.method == STORED => structure = Some(entry),
            within => {
                if let Some(key) = within.strip_prefix("data/") {
                    records.insert(key.to_owned(), entry);
                }
            }
        }
    }
    let Some(structure) = structure else { return Ok(()) };
    let Some(local) = Local::read(container.source, structure.local, structure.name.len())? else {
        return Ok(());
    };
    let part = Part::new(container.source, local.data, structure.packed);
    for (key, bytes) in pickle::storages(&part, scan)? {
        let record = records.get(key.as_str()).filter(|record| record.size < bytes);
        if let Some(record) = record {
            let message =
                format!("storage `{}` claims {bytes} bytes, and its record has {}", shown(&key), record.size);
            scan.find(&RECORD, record.local, message);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;

    use crate::archive::sample;
    use crate::{Limits, scan};

    /// A PyTorch archive with one storage of so many floats, and a record of so many bytes.
    fn assessed(class: &str, elements: u8, record: usize) -> Assessment {
        let storage = [
            b"(X\x07\0\0\0storagectorch\n".as_slice(),
            class.as_bytes(),
            b"\nX\x01\0\0\0\x30X\x03\0\0\0cpuK",
            &[elements],
            b"tQ",
        ]
        .concat();
        let structure = [b"\x80\x02}X\x01\0\0\0w".as_slice(), &storage, b"s."].concat();
        let zip = sample::zip(&[
            sample::entry("m/data.pkl", &structure),
            sample::entry("m/version", b"3\n"),
            sample::entry("m/data/0", &vec![0; record]),
        ]);
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
}
