//! Archives for tests, as honest writers and others make them.

#![expect(clippy::cast_possible_truncation, reason = "the archives are small")]

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

use crate::limits::Limits;
use crate::report::Report;

/// One entry of a zip archive; what is `None` is as it should be.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) data: Vec<u8>,
    pub(crate) deflated: bool,
    /// Sizes and checksum behind the data, with the signature, as PyTorch and Java write them.
    pub(crate) streamed: bool,
    pub(crate) flags: u16,
    pub(crate) mode: u32,
    /// Bytes of padding in the extra field of the local header, as PyTorch aligns.
    pub(crate) padding: u16,
    pub(crate) central_name: Option<String>,
    pub(crate) crc: Option<u32>,
    pub(crate) size: Option<u32>,
    pub(crate) method: Option<u16>,
    pub(crate) is_listed: bool,
    /// Bytes before its header.
    pub(crate) before: Vec<u8>,
}

pub(crate) fn entry(name: &str, data: &[u8]) -> Entry {
    Entry {
        name: name.to_owned(),
        data: data.to_vec(),
        deflated: false,
        streamed: false,
        flags: 0,
        mode: 0o100_644,
        padding: 0,
        central_name: None,
        crc: None,
        size: None,
        method: None,
        is_listed: true,
        before: Vec::new(),
    }
}

impl Entry {
    pub(crate) fn deflated(mut self) -> Self {
        self.deflated = true;
        self
    }

    pub(crate) fn streamed(mut self) -> Self {
        self.streamed = true;
        self
    }
}

/// A zip archive of these entries.
pub(crate) fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    let mut count = 0_u16;
    for entry in entries {
        out.extend_from_slice(&entry.before);
        let local = out.len() as u32;
        let packed = if entry.deflated { deflate(&entry.data) } else { entry.data.clone() };
        let crc = entry.crc.unwrap_or_else(|| sum(&entry.data));
        let size = entry.size.unwrap_or(entry.data.len() as u32);
        let method = entry.method.unwrap_or(if entry.deflated { 8 } else { 0 });
        let flags = entry.flags | if entry.streamed { 8 } else { 0 };
        let fields = [crc, packed.len() as u32, size];
        let head = if entry.streamed { [0; 3] } else { fields };
        out.extend_from_slice(b"PK\x03\x04");
        put16(&mut out, &[20, flags, method, 0, 0x21]);
        put32(&mut out, &head);
        put16(&mut out, &[entry.name.len() as u16, entry.padding]);
        out.extend_from_slice(entry.name.as_bytes());
        if entry.padding >= 4 {
            out.extend_from_slice(b"FB");
            put16(&mut out, &[entry.padding - 4]);
            out.extend(std::iter::repeat_n(b'Z', usize::from(entry.padding) - 4));
        }
        out.extend_from_slice(&packed);
        if entry.streamed {
            out.extend_from_slice(b"PK\x07\x08");
            put32(&mut out, &fields);
        }
        if entry.is_listed {
            count += 1;
            let name = entry.central_name.as_ref().unwrap_or(&entry.name);
            directory.extend_from_slice(b"PK\x01\x02");
            put16(&mut directory, &[0x0314, 20, flags, method, 0, 0x21]);
            put32(&mut directory, &fields);
            put16(&mut directory, &[name.len() as u16, 0, 0, 0, 0]);
            put32(&mut directory, &[entry.mode << 16, local]);
            directory.extend_from_slice(name.as_bytes());
        }
    }
    let start = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06");
    put16(&mut out, &[0, 0, count, count]);
    put32(&mut out, &[directory.len() as u32, start]);
    put16(&mut out, &[0]);
    out
}

fn put16(out: &mut Vec<u8>, values: &[u16]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

fn put32(out: &mut Vec<u8>, values: &[u32]) {
    out.extend(values.iter().flat_map(|value| value.to_le_bytes()));
}

pub(crate) fn sum(data: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(data);
    crc.sum()
}

pub(crate) fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// One header of a ustar archive and its content.
pub(crate) fn tarred(name: &str, kind: u8, link: &str, data: &[u8]) -> Vec<u8> {
    let mut header = [0_u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..108].copy_from_slice(b"0000644\0");
    header[124..136].copy_from_slice(format!("{:011o}\0", data.len()).as_bytes());
    header[156] = kind;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[257..265].copy_from_slice(b"ustar\x0000");
    summed(&mut header);
    let mut out = header.to_vec();
    out.extend_from_slice(data);
    out.resize(out.len().div_ceil(512) * 512, 0);
    out
}

/// Puts the checksum into a header.
pub(crate) fn summed(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..512].iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A tar archive of these members, with its end.
pub(crate) fn tar(members: &[Vec<u8>]) -> Vec<u8> {
    let mut out = members.concat();
    out.resize(out.len() + 1024, 0);
    out
}

/// A 7z archive with one stored file.
pub(crate) fn seven(name: &str, data: &[u8]) -> Vec<u8> {
    let mut header =
        vec![1, 4, 6, 0, 1, 9, data.len() as u8, 0, 7, 11, 1, 0, 1, 1, 0, 12, data.len() as u8, 0, 8, 0, 0];
    let names: Vec<u8> = name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
    header.extend_from_slice(&[5, 1, 17, names.len() as u8 + 1, 0]);
    header.extend_from_slice(&names);
    header.extend_from_slice(&[0, 0]);
    let mut start = Vec::new();
    start.extend_from_slice(&(data.len() as u64).to_le_bytes());
    start.extend_from_slice(&(header.len() as u64).to_le_bytes());
    start.extend_from_slice(&sum(&header).to_le_bytes());
    let mut out = b"7z\xbc\xaf\x27\x1c\0\x04".to_vec();
    out.extend_from_slice(&sum(&start).to_le_bytes());
    out.extend_from_slice(&start);
    out.extend_from_slice(data);
    out.extend_from_slice(&header);
    out
}

/// The ids of what a scan finds, sorted.
pub(crate) fn found(bytes: &[u8]) -> Vec<&'static str> {
    let mut ids: Vec<_> = report(bytes).findings.iter().map(|finding| finding.rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

pub(crate) fn report(bytes: &[u8]) -> Report {
    crate::scan(&bytes, "model.bin", &Limits::default())
}

/// A program, as far as the first look goes.
pub(crate) const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0";
