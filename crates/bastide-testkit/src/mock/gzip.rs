//! Gzip (RFC 1952) of stored blocks (RFC 1951, section 3.2.4): nothing is compressed, and every decoder reads it.

/// `data` as a gzip file.
pub(crate) fn gzip(data: &[u8]) -> Vec<u8> {
    // Magic, method deflate, no flags, no time, no extra flags, unknown system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in data.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(0);
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
    }
    // An empty last block.
    out.extend_from_slice(&[1, 0, 0, 0xff, 0xff]);
    out.extend_from_slice(&crc32(data).to_le_bytes());
    let length = u32::try_from(data.len() & 0xffff_ffff).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out
}

fn crc32(data: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in data {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_crc_32() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(gzip(b"a").len(), 10 + 5 + 1 + 5 + 8);
    }
}
