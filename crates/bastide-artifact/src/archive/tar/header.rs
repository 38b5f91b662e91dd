//! Headers of tar archives: v7, ustar, GNU and pax (POSIX.1-2001), as Python's tarfile reads them.

use crate::halt::{Halt, Parsed};

/// Headers and contents are padded to this.
pub(crate) const BLOCK: u64 = 512;

/// One header block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) link: String,
    pub(crate) mode: u64,
    pub(crate) size: u64,
    pub(crate) kind: u8,
}

impl Header {
    /// The header in `block`; `None` where the checksum is wrong.
    pub(crate) fn parse(block: &[u8; 512]) -> Option<Self> {
        let told = number(block.get(148..156)?)?;
        let (unsigned, signed) = sums(block);
        if told != unsigned && i64::try_from(told) != Ok(signed) {
            return None;
        }
        let mut name = text(block.get(..100)?);
        let is_ustar = block.get(257..262)? == b"ustar";
        // GNU puts other fields where ustar has the prefix.
        if is_ustar && block.get(262) == Some(&0) {
            let prefix = text(block.get(345..500)?);
            if !prefix.is_empty() {
                name = format!("{prefix}/{name}");
            }
        }
        Some(Header {
            name,
            link: text(block.get(157..257)?),
            mode: number(block.get(100..108)?).unwrap_or(0),
            size: number(block.get(124..136)?)?,
            kind: *block.get(156)?,
        })
    }

    /// Whether chance may have made it: an archive begins with a name.
    pub(crate) fn is_plausible(&self) -> bool {
        !self.name.is_empty() || matches!(self.kind, b'g' | b'x' | b'L' | b'K' | b'V')
    }
}

/// Both sums of the block that are in use, with the checksum's own field taken as spaces.
fn sums(block: &[u8; 512]) -> (u64, i64) {
    block.iter().enumerate().fold((0, 0), |(unsigned, signed), (at, &byte)| {
        let byte = if (148..156).contains(&at) { b' ' } else { byte };
        (unsigned + u64::from(byte), signed + i64::from(byte.cast_signed()))
    })
}

/// Octal digits among spaces and NUL, or base 256 where the first bit is set.
fn number(field: &[u8]) -> Option<u64> {
    if let Some((first @ 0x80.., rest)) = field.split_first() {
        let mut bytes = [first & 0x7f].into_iter().chain(rest.iter().copied());
        return bytes.try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(byte)));
    }
    let digits = field.split(|&byte| byte == 0).next()?.trim_ascii();
    digits.iter().try_fold(0_u64, |sum, byte| match byte {
        b'0'..=b'7' => sum.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// The text before the first NUL.
pub(crate) fn text(field: &[u8]) -> String {
    String::from_utf8_lossy(field.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned()
}

/// What pax headers say over the header that follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pax {
    pub(crate) path: Option<String>,
    pub(crate) linkpath: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) is_sparse: bool,
}

impl Pax {
    /// Takes the records of `bytes`, `LENGTH KEY=VALUE\n` each.
    pub(crate) fn extend(&mut self, bytes: &[u8], offset: u64) -> Parsed<()> {
        let malformed = || Halt::malformed(offset, "a pax header is not made of records");
        let mut rest = bytes;
        while rest.first().is_some_and(|&byte| byte != 0) {
            let space = memchr::memchr(b' ', rest.get(..20.min(rest.len())).unwrap_or_default());
            let space = space.ok_or_else(malformed)?;
            let digits =
                std::str::from_utf8(rest.get(..space).unwrap_or_default()).map_err(|_| malformed())?;
            let length: usize = digits.parse().map_err(|_| malformed())?;
            let record = rest.get(space + 1..length).ok_or_else(malformed)?;
            let equals = memchr::memchr(b'=', record).ok_or_else(malformed)?;
            let (key, value) = record.split_at(equals);
            self.set(key, value.get(1..).unwrap_or_default());
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) {
        let value = String::from_utf8_lossy(value.strip_suffix(b"\n").unwrap_or(value)).into_owned();
        match key {
            b"path" | b"GNU.sparse.name" => self.path = Some(value),
            b"linkpath" => self.linkpath = Some(value),
            b"size" => self.size = value.trim().parse().ok(),
            _ if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_base_256() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(&[0x80, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0]), Some(2 << 32));
        assert_eq!(number(b"9"), None);
        assert_eq!(number(&[0xff; 12]), None);
    }

    #[test]
    fn pax_records_are_read_by_their_length() {
        let mut pax = Pax::default();
        pax.extend(b"13 path=a\nb/c\n12 size=1234\n", 0).unwrap_err();
        pax = Pax::default();
        pax.extend(b"14 path=a\nb/c\n13 size=1234\n", 0).unwrap();
        assert_eq!((pax.path.as_deref(), pax.size), (Some("a\nb/c"), Some(1234)));
        assert!(Pax::default().extend(b"5 no\n", 0).is_err());
    }
}
