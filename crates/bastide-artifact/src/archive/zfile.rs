//! Joblib's container before version 0.9.3, which it still loads: `ZF`, how long the content is, a zlib stream.
//!
//! `joblib/numpy_pickle_compat.py`, `read_zfile`: the length is hexadecimal, 19 characters with the spaces behind it, or 20 as
//! Python 2 wrote it. Once inflated, the content is unpickled.

use super::bomb::BOMB;
use super::stream::{self, is_zlib};
use crate::format::Format;
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::{Part, Source, read_up_to};

const PREFIX: &[u8] = b"ZF";
/// Characters of the length: `len(hex(2**64))`.
const LENGTH: usize = 19;
/// Characters of the length in any version, and some more.
const WIDTHS: std::ops::RangeInclusive<usize> = 1..=LENGTH + 8;

/// Where the zlib stream begins, if this is such a container.
pub(super) fn stream_at(head: &[u8]) -> Option<usize> {
    let rest = head.strip_prefix(PREFIX)?;
    // Where joblib looks, and for other readers wherever there is a stream behind what may be a length.
    let wide = usize::from(rest.get(LENGTH) == Some(&b' '));
    std::iter::once(LENGTH + wide).chain(WIDTHS).find_map(|width| {
        let (length, stream) = rest.split_at_checked(width)?;
        (length_of(length).is_some() && is_zlib(stream)).then_some(PREFIX.len() + width)
    })
}

/// Scans the content.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    /// Deflate makes no more of a byte.
    const MOST: u64 = 1032;
    /// Less is set aside without harm.
    const LEAST: u64 = 1 << 30;
    let head = read_up_to(source, 0, 64 << 10)?;
    let Some(at) = stream_at(&head) else { return Ok(()) };
    let claimed = head.get(PREFIX.len()..at).and_then(length_of).unwrap_or_default();
    if claimed >= LEAST && claimed / MOST > source.size() {
        let message = format!("the container claims {claimed} bytes, which its loader sets aside");
        scan.find(&BOMB, PREFIX.len() as u64, message);
    }
    stream::read(Format::Zlib, &Part::from(source, at as u64), "content", scan)
}

/// The length as Python's `int(text, 16)` reads it; saturating, because what follows is inflated whatever it says.
fn length_of(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.trim().to_ascii_lowercase();
    let digits = text.trim_start_matches(['+', '-']).trim_start_matches("0x").trim_end_matches('l');
    let digits = digits.replace('_', "");
    let number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    number.then(|| u64::from_str_radix(&digits, 16).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use bastide_types::Assessment;

    use super::*;
    use crate::{Limits, scan};

    /// `os.system('echo x')`.
    const HOSTILE: &[u8] = b"cos\nsystem\n(S'echo x'\ntR.";

    fn zlib(content: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::new(level));
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn container(length: &str, width: usize, stream: &[u8]) -> Vec<u8> {
        [PREFIX, format!("{length:width$}").as_bytes(), stream].concat()
    }

    fn verdict(bytes: &[u8]) -> Assessment {
        scan(&bytes.to_vec(), "model.joblib", &Limits::default()).assessment()
    }

    #[test]
    fn the_content_is_judged_whatever_the_width_of_its_length() {
        for (length, width) in [
            ("0x19", 19),
            ("0x19", 20),
            ("19", 19),
            ("0X19", 19),
            ("+0x19", 19),
            ("0x1_9", 19),
            ("0x19L", 20),
            ("0x19", 18),
            ("0x19", 21),
            (" 0x19", 19),
            ("0x0000000000000019", 19),
            ("0x19", 4),
            ("0x7", 19),
        ] {
            for level in [0, 1, 9] {
                let bytes = container(length, width, &zlib(HOSTILE, level));
                assert_eq!(verdict(&bytes), Assessment::Malicious, "{length:?} {width} {level}");
                let bytes = container(length, width, &zlib(b"\x80\x02]q\0(K\x01K\x02e.", level));
                assert_eq!(verdict(&bytes), Assessment::Clean, "{length:?} {width} {level}");
            }
        }
    }

    #[test]
    fn bombs_are_bounded_and_claims_weighed() {
        let zeros = zlib(&vec![0; 80 << 20], 9);
        assert_eq!(verdict(&container("0x5000000", 19, &zeros)), Assessment::Malicious);
        let honest = zlib(b"\x80\x02]q\0(K\x01K\x02e.", 9);
        assert_eq!(verdict(&container("0xffffffffffffffff", 19, &honest)), Assessment::Malicious);
        assert_eq!(verdict(&container("0xffffffffffffffffff", 20, &honest)), Assessment::Malicious);
    }

    #[test]
    fn other_files_begin_with_the_same_letters() {
        for bytes in
            [b"ZF".as_slice(), b"ZF is a gearbox maker", b"ZF0x19", &container("zz", 19, &zlib(HOSTILE, 9))]
        {
            assert_eq!(stream_at(bytes), None);
        }
    }
}
