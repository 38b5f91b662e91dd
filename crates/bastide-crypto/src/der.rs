//! The elements of DER (X.690), as far as keys, certificates and revocation lists need them.

/// The tag of a SEQUENCE.
pub const SEQUENCE: u8 = 0x30;
/// The tag of an INTEGER.
pub const INTEGER: u8 = 0x02;
/// The tag of an OCTET STRING.
pub const OCTET_STRING: u8 = 0x04;
/// The tag of an OBJECT IDENTIFIER.
pub const OID: u8 = 0x06;

/// The element at the start, if it has this tag: its content, and what follows.
#[must_use]
pub fn expect(input: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    let (tag, content, rest) = read(input)?;
    (tag == wanted).then_some((content, rest))
}

/// The element at the start: tag, content, rest. Lengths of up to four bytes, which lists of revoked certificates need.
#[must_use]
pub fn read(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (&length, rest) = rest.split_first()?;
            (usize::from(length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        0x83 => {
            let ([high, middle, low], rest) = rest.split_first_chunk::<3>()?;
            (usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).ok()?, rest)
        }
        0x84 => {
            let (length, rest) = rest.split_first_chunk::<4>()?;
            (usize::try_from(u32::from_be_bytes(*length)).ok()?, rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}
