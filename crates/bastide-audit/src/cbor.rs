//! Writing deterministic CBOR (RFC 8949 section 4.2.1): shortest integers, definite lengths. The order of map keys is
//! the caller's duty, checked in tests by the strict reader in `value`.

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;

/// Appends CBOR to a buffer.
pub(crate) struct Cbor<'a>(pub(crate) &'a mut Vec<u8>);

impl Cbor<'_> {
    /// Most numbers and lengths are small, and the lengths of keys are known where this is compiled in.
    #[inline]
    fn head(&mut self, major: u8, n: u64) {
        match u8::try_from(n) {
            Ok(small @ 0..=23) => self.0.push(major << 5 | small),
            _ => self.long_head(major << 5, n),
        }
    }

    fn long_head(&mut self, major: u8, n: u64) {
        let [_, _, _, _, b4, b5, b6, b7] = n.to_be_bytes();
        match n {
            ..=0xff => self.0.extend_from_slice(&[major | 24, b7]),
            0x100..=0xffff => self.0.extend_from_slice(&[major | 25, b6, b7]),
            0x1_0000..=0xffff_ffff => self.0.extend_from_slice(&[major | 26, b4, b5, b6, b7]),
            _ => {
                self.0.push(major | 27);
                self.0.extend_from_slice(&n.to_be_bytes());
            }
        }
    }

    #[inline]
    fn length(&mut self, major: u8, length: usize) {
        self.head(major, u64::try_from(length).unwrap_or(u64::MAX));
    }

    pub(crate) fn uint(&mut self, n: impl Into<u64>) {
        self.head(UINT, n.into());
    }

    #[inline]
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(BYTES, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// Blocks of 32 bytes as one string of bytes.
    pub(crate) fn joined<'b>(&mut self, blocks: impl ExactSizeIterator<Item = &'b [u8; 32]>) {
        self.length(BYTES, blocks.len() * 32);
        blocks.for_each(|block| self.0.extend_from_slice(block));
    }

    #[inline]
    pub(crate) fn text(&mut self, text: &str) {
        self.length(TEXT, text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.0.push(if value { TRUE } else { FALSE });
    }

    /// Begins an array of this many items.
    pub(crate) fn array(&mut self, items: usize) {
        self.length(ARRAY, items);
    }

    /// Begins a map of this many pairs.
    pub(crate) fn map(&mut self, pairs: usize) {
        self.length(MAP, pairs);
    }

    #[inline]
    pub(crate) fn uint_at(&mut self, key: &str, n: impl Into<u64>) {
        self.text(key);
        self.uint(n);
    }

    #[inline]
    pub(crate) fn bytes_at(&mut self, key: &str, bytes: &[u8]) {
        self.text(key);
        self.bytes(bytes);
    }

    #[inline]
    pub(crate) fn text_at(&mut self, key: &str, text: &str) {
        self.text(key);
        self.text(text);
    }

    #[inline]
    pub(crate) fn bool_at(&mut self, key: &str, value: bool) {
        self.text(key);
        self.bool(value);
    }
}
