//! Arrow files and streams, Feather, and Parquet, as far as their schema: readers of PyArrow before 14.0.1 unpickle the
//! metadata of an extension type of Python (CVE-2023-47248), and R unserialises what it keeps there (CVE-2024-52338).
//!
//! Schemas: <https://github.com/apache/arrow/tree/main/format> (`File.fbs`, `Message.fbs`, `Schema.fbs`) and
//! <https://github.com/apache/parquet-format>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::flat::{Flat, Table};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};
use crate::tensor::proof::{Proof, Stop};

/// Bytes of a schema, or of the footer of a Parquet file, that are read.
const LONGEST: u64 = 32 << 20;
/// Fields and pairs of one schema; no table has as many.
const MOST: u64 = 1 << 20;

/// Field numbers of the tables.
mod field {
    pub(super) const FOOTER_SCHEMA: u64 = 1;
    /// After the type of the header.
    pub(super) const MESSAGE_HEADER: u64 = 2;
    pub(super) const SCHEMA_FIELDS: u64 = 1;
    pub(super) const SCHEMA_METADATA: u64 = 2;
    pub(super) const CHILDREN: u64 = 5;
    pub(super) const METADATA: u64 = 6;
}

const MAGIC: &[u8] = b"ARROW1";
/// What stands before each message since version 0.15.
const CONTINUES: [u8; 4] = [0xff; 4];

/// Whether this is an Arrow file, or a stream of Arrow that begins with a schema.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    let stream = glance.head.strip_prefix(&CONTINUES).and_then(<[u8]>::first_chunk::<4>);
    let size = stream.map(|size| u64::from(u32::from_le_bytes(*size)));
    glance.head.starts_with(b"ARROW1\0\0")
        || size.is_some_and(|size| {
            (16..LONGEST).contains(&size)
                && size % 8 == 0
                && message(&Part::new(glance.source, 8, size)).is_ok()
        })
}

/// Whether this is a Parquet file.
pub(super) fn recognise_parquet(glance: &Glance<'_>) -> bool {
    glance.head.starts_with(b"PAR1") && glance.tail.ends_with(b"PAR1") && glance.source.size() > 12
}

/// Reads the schema of an Arrow file or stream: readers take it from the footer or from the first message.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let head = read_up_to(source, 0, 8)?;
    let start = if head.starts_with(MAGIC) { 8 } else { 0 };
    if start > 0 {
        let (footer, size) = trailer(source, MAGIC)?;
        let part = Part::new(source, footer, size);
        let mut flat = Flat::new(&part);
        settle(footer_schema(&mut flat).and_then(|schema| judge(&mut flat, schema, scan)))?;
    }
    let mark = read_up_to(source, start, 8)?;
    let (size, at) = match (mark.strip_prefix(&CONTINUES), mark.first_chunk::<4>()) {
        (Some(size), _) => (size.first_chunk::<4>().copied(), start + 8),
        (None, size) => (size.copied(), start + 4),
    };
    first_message(
        &Part::new(source, at, u64::from(u32::from_le_bytes(size.unwrap_or_default())).min(LONGEST)),
        scan,
    )
}

/// Reads the schema that Parquet files of Arrow keep as text among their pairs of keys and values.
pub(super) fn read_parquet(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let (footer, size) = trailer(source, b"PAR1")?;
    let bytes = read_up_to(source, footer, usize::try_from(size).unwrap_or(0))?;
    for place in memchr::memmem::find_iter(&bytes, b"ARROW:schema") {
        scan.spend(1)?;
        let text = bytes.get(place + "ARROW:schema".len()..).and_then(thrift_text).unwrap_or_default();
        let decoded = STANDARD.decode(text).unwrap_or_default();
        let schema =
            decoded.strip_prefix(&CONTINUES).unwrap_or(&decoded).get(4..).unwrap_or_default().to_vec();
        if !schema.is_empty() {
            first_message(&schema, scan)?;
        }
    }
    Ok(())
}

/// Where the footer is and how long, by the number before the mark at the end.
fn trailer(source: &dyn Source, mark: &[u8]) -> Parsed<(u64, u64)> {
    let end = source.size().checked_sub(mark.len() as u64 + 4);
    let Some(end) = end else { return Err(Halt::Truncated { offset: source.size() }) };
    let tail = read_up_to(source, end, mark.len() + 4)?;
    if !tail.ends_with(mark) {
        return Err(Halt::Truncated { offset: source.size() });
    }
    let size = tail.first_chunk::<4>().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    match end.checked_sub(size) {
        _ if size > LONGEST => Err(Halt::limit(format!("{LONGEST} bytes of a footer"))),
        Some(start) => Ok((start, size)),
        None => Err(Halt::malformed(end, "a footer that is longer than the file")),
    }
}

/// A field of text that follows at once: its type (`0x18`), its length as a varint, its bytes.
fn thrift_text(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = bytes.strip_prefix(&[0x18])?;
    let mut length = 0_usize;
    for shift in (0..35).step_by(7) {
        let (byte, after) = rest.split_first()?;
        rest = after;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.get(..length);
        }
    }
    None
}

fn footer_schema(flat: &mut Flat<'_>) -> Proof<Option<Table>> {
    let footer = flat.root()?;
    flat.child(&footer, field::FOOTER_SCHEMA)
}

/// The schema that a message holds, and what reads it.
fn message<'s>(source: &'s dyn Source) -> Proof<(Flat<'s>, Option<Table>)> {
    let mut flat = Flat::new(source);
    let root = flat.root()?;
    let schema = flat.child(&root, field::MESSAGE_HEADER)?;
    Ok((flat, schema))
}

fn first_message(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    settle(message(source).and_then(|(mut flat, schema)| judge(&mut flat, schema, scan)))
}

/// What is wrong with a schema is no attack on its readers, which verify it.
fn settle(proof: Proof<()>) -> Parsed<()> {
    match proof {
        Ok(()) => Ok(()),
        Err(Stop::Halt(halt)) => Err(halt),
        Err(Stop::Flaw { offset, what }) => Err(Halt::malformed(offset, what)),
    }
}

/// Looks at the pairs of a schema and of each of its fields.
fn judge(flat: &mut Flat<'_>, schema: Option<Table>, scan: &mut Scan<'_>) -> Proof<()> {
    let Some(schema) = schema else { return Ok(()) };
    pairs(flat, &schema, field::SCHEMA_METADATA, scan)?;
    let mut open = vec![(schema, field::SCHEMA_FIELDS)];
    let mut seen = 0;
    while let Some((table, number)) = open.pop() {
        let fields = flat.vector(&table, number, 4)?;
        for index in 0..fields.count {
            scan.spend(1)?;
            seen += 1;
            if seen > MOST {
                return Err(Halt::limit(format!("{MOST} fields of a schema")).into());
            }
            let column = flat.element(&fields, index)?;
            pairs(flat, &column, field::METADATA, scan)?;
            open.push((column, field::CHILDREN));
        }
    }
    Ok(())
}

/// Scans what a reader would unpickle or unserialise of the pairs in field `number`.
fn pairs(flat: &mut Flat<'_>, table: &Table, number: u64, scan: &mut Scan<'_>) -> Proof<()> {
    let pairs = flat.vector(table, number, 4)?;
    let mut extension = String::new();
    let mut metadata = Vec::new();
    for index in 0..pairs.count.min(MOST) {
        scan.spend(1)?;
        let pair = flat.element(&pairs, index)?;
        match flat.text(&pair, 0)?.as_str() {
            "ARROW:extension:name" => extension = flat.text(&pair, 1)?,
            "ARROW:extension:metadata" => metadata = flat.bytes(&pair, 1)?,
            "r" => {
                let value = flat.bytes(&pair, 1)?;
                scan.nested("metadata of R", &value);
            }
            _ => {}
        }
    }
    if extension.starts_with("arrow.py_extension_type") || matches!(metadata.as_slice(), [0x80, 2..=5, ..]) {
        scan.nested("metadata of an extension type", &metadata);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, scan};

    /// A table of references, each of which leads to the bytes given; those of nothing are left out.
    fn table(fields: &[Option<Vec<u8>>]) -> Vec<u8> {
        let vtable = 4 + 2 * fields.len();
        let size = 4 + 4 * fields.len();
        let mut bytes = Vec::new();
        bytes.extend(u16::try_from(vtable).unwrap().to_le_bytes());
        bytes.extend(u16::try_from(size).unwrap().to_le_bytes());
        for (place, field) in fields.iter().enumerate() {
            let offset = if field.is_some() { 4 + 4 * place } else { 0 };
            bytes.extend(u16::try_from(offset).unwrap().to_le_bytes());
        }
        let start = bytes.len();
        bytes.extend(i32::try_from(vtable).unwrap().to_le_bytes());
        bytes.resize(start + size, 0);
        for (place, field) in fields.iter().enumerate() {
            let Some(field) = field else { continue };
            let at = start + 4 + 4 * place;
            let (lead, body) = field.split_at(4);
            let target = bytes.len() + u32::from_le_bytes(lead.try_into().unwrap()) as usize;
            bytes[at..at + 4].copy_from_slice(&u32::try_from(target - at).unwrap().to_le_bytes());
            bytes.extend(body);
        }
        // The table itself begins behind its own table of fields.
        [&u32::try_from(start).unwrap().to_le_bytes(), bytes.as_slice()].concat()
    }

    fn text(text: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 4];
        bytes.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
        bytes.extend(text);
        Some(bytes)
    }

    fn tables(tables: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 4];
        bytes.extend(u32::try_from(tables.len()).unwrap().to_le_bytes());
        let mut end = 8 + 4 * tables.len();
        let mut bodies: Vec<u8> = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            let (lead, body) = table.split_at(4);
            let target = end + u32::from_le_bytes(lead.try_into().unwrap()) as usize;
            bytes.extend(u32::try_from(target - (8 + 4 * index)).unwrap().to_le_bytes());
            bodies.extend(body);
            end += body.len();
        }
        bytes.extend(bodies);
        Some(bytes)
    }

    /// A message with a schema of one field, which has these metadata.
    fn message(name: &[u8], metadata: &[u8]) -> Vec<u8> {
        let pair = |key: &[u8], value: &[u8]| table(&[text(key), text(value)]);
        let pairs =
            tables(&[pair(b"ARROW:extension:name", name), pair(b"ARROW:extension:metadata", metadata)]);
        let inner = table(&[text(b"x"), None, None, None, None, None, pairs]);
        let field = table(&[text(b"s"), None, None, None, None, tables(&[inner])]);
        let schema = table(&[None, tables(&[field])]);
        let message = table(&[None, None, Some(schema)]);
        let (lead, body) = message.split_at(4);
        let root = u32::from_le_bytes(lead.try_into().unwrap()) + 4;
        let mut bytes = [&root.to_le_bytes(), body].concat();
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        let size = u32::try_from(bytes.len()).unwrap();
        [&super::CONTINUES, size.to_le_bytes().as_slice(), bytes.as_slice()].concat()
    }

    fn parquet(schema: &[u8]) -> Vec<u8> {
        let text = STANDARD.encode(schema);
        let mut footer = b"\x18\x0cARROW:schema\x18".to_vec();
        footer.extend([text.len() & 0x7f | 0x80, text.len() >> 7].map(|byte| u8::try_from(byte).unwrap()));
        footer.extend(text.as_bytes());
        let size = u32::try_from(footer.len()).unwrap().to_le_bytes();
        [b"PAR1".as_slice(), &footer, &size, b"PAR1"].concat()
    }

    #[test]
    fn pickles_among_the_metadata_are_found() {
        let pickle = b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0decho harmless\x85R.";
        for (name, metadata, expected) in [
            (b"arrow.py_extension_type".as_slice(), pickle.as_slice(), Assessment::Malicious),
            (b"arrow.py_extension_type", b"cos\nsystem\n(S'echo harmless'\ntR.", Assessment::Malicious),
            (b"arrow.uuid", b"{}", Assessment::Clean),
        ] {
            let schema = message(name, metadata);
            for (bytes, format) in [(schema.clone(), Format::Arrow), (parquet(&schema), Format::Parquet)] {
                let report = scan(&bytes, "data", &Limits::default());
                assert_eq!((report.format, report.assessment()), (format, expected), "{:?}", report.findings);
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>, at in 0_usize..200, value: u8) {
            let mut schema = message(b"arrow.py_extension_type", b"\x80\x04N.");
            let at = at % schema.len();
            schema[at] = value;
            let _ = scan(&schema, "x", &Limits::default());
            let _ = scan(&parquet(&schema), "x", &Limits::default());
            let _ = scan(&[b"ARROW1\0\0".as_slice(), &bytes, b"\x04\0\0\0ARROW1"].concat(), "x", &Limits::default());
        }
    }
}
