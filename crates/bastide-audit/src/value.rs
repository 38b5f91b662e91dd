//! Reading deterministic CBOR, strictly: what has two spellings has none here.

use std::fmt::Write as _;

/// Entries nest four deep.
const MAX_DEPTH: u8 = 8;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An unsigned integer.
    Uint(u64),
    /// A byte string: digests, pseudonyms.
    Bytes(Vec<u8>),
    /// A text.
    Text(String),
    /// True or false.
    Bool(bool),
    /// A list.
    Array(Vec<Value>),
    /// Named values, in the order of the encoding.
    Map(Vec<(String, Value)>),
}

/// Bytes that are not deterministic CBOR of the kinds that entries use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not deterministic CBOR at byte {offset}: {detail}")]
pub struct ValueError {
    offset: usize,
    detail: &'static str,
}

impl Value {
    /// Reads one value that fills `bytes`.
    ///
    /// # Errors
    /// When the bytes are not deterministic CBOR (RFC 8949 section 4.2.1) of unsigned integers, byte strings, texts,
    /// booleans, arrays and maps with text keys, nest more than eight deep, or go on after the value.
    pub fn parse(bytes: &[u8]) -> Result<Value, ValueError> {
        let mut reader = Reader { bytes, at: 0 };
        let value = reader.value(0)?;
        if reader.at == bytes.len() { Ok(value) } else { Err(reader.error("bytes after the value")) }
    }

    /// The value under `key`, in a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(pairs) => pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_uint(&self) -> Option<u64> {
        if let Value::Uint(n) = self { Some(*n) } else { None }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Value::Text(text) = self { Some(text) } else { None }
    }

    /// The bytes, if it is a byte string.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        if let Value::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// As JSON on one line; byte strings in lower-case hexadecimal.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Value::Uint(n) => push_display(out, n),
            Value::Bool(value) => push_display(out, value),
            Value::Text(text) => write_json_text(text, out),
            Value::Bytes(bytes) => {
                out.push('"');
                for byte in bytes {
                    push_display(out, format_args!("{byte:02x}"));
                }
                out.push('"');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(pairs) => {
                out.push('{');
                for (i, (key, value)) in pairs.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_json_text(key, out);
                    out.push(':');
                    value.write_json(out);
                }
                out.push('}');
            }
        }
    }
}

fn push_display(out: &mut String, value: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{value}");
}

fn write_json_text(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            // C1 controls too: the line may end up on a terminal, where they move the cursor.
            c if c.is_control() => push_display(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    const fn error(&self, detail: &'static str) -> ValueError {
        ValueError { offset: self.at, detail }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ValueError> {
        let end = self.at.checked_add(count).ok_or(self.error("a length beyond memory"))?;
        let taken = self.bytes.get(self.at..end).ok_or(self.error("the bytes end here"))?;
        self.at = end;
        Ok(taken)
    }

    fn number(&mut self, width: usize, least: u64) -> Result<u64, ValueError> {
        let start = self.at;
        let n = self.take(width)?.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
        if n < least {
            return Err(ValueError { offset: start, detail: "an integer longer than needed" });
        }
        Ok(n)
    }

    fn value(&mut self, depth: u8) -> Result<Value, ValueError> {
        if depth > MAX_DEPTH {
            return Err(self.error("nested too deep"));
        }
        let start = self.at;
        let first = self.take(1)?.first().copied().unwrap_or(0);
        match first {
            0xf4 => return Ok(Value::Bool(false)),
            0xf5 => return Ok(Value::Bool(true)),
            _ => {}
        }
        let n = match first & 0x1f {
            small @ 0..=23 => u64::from(small),
            24 => self.number(1, 24)?,
            25 => self.number(2, 0x100)?,
            26 => self.number(4, 0x1_0000)?,
            27 => self.number(8, 0x1_0000_0000)?,
            _ => return Err(ValueError { offset: start, detail: "an indefinite or reserved length" }),
        };
        let length = usize::try_from(n).unwrap_or(usize::MAX);
        match first >> 5 {
            0 => Ok(Value::Uint(n)),
            2 => Ok(Value::Bytes(self.take(length)?.to_vec())),
            3 => Ok(Value::Text(self.text(length)?)),
            4 => {
                // Capacity grows with what is there, not with what the head claims.
                let mut items = Vec::new();
                for _ in 0..n {
                    items.push(self.value(depth + 1)?);
                }
                Ok(Value::Array(items))
            }
            5 => self.map(n, depth),
            _ => Err(ValueError { offset: start, detail: "a kind that entries do not use" }),
        }
    }

    fn text(&mut self, length: usize) -> Result<String, ValueError> {
        let start = self.at;
        let text = std::str::from_utf8(self.take(length)?)
            .map_err(|_| ValueError { offset: start, detail: "a text that is not UTF-8" })?;
        Ok(text.to_owned())
    }

    fn map(&mut self, pairs: u64, depth: u8) -> Result<Value, ValueError> {
        let mut out = Vec::new();
        let mut previous: &[u8] = &[];
        for _ in 0..pairs {
            let start = self.at;
            let Value::Text(key) = self.value(depth + 1)? else {
                return Err(ValueError { offset: start, detail: "a key that is no text" });
            };
            let encoded = self.bytes.get(start..self.at).unwrap_or_default();
            if encoded <= previous {
                return Err(ValueError { offset: start, detail: "keys out of order or repeated" });
            }
            previous = encoded;
            out.push((key, self.value(depth + 1)?));
        }
        Ok(Value::Map(out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cbor::Cbor;

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            &[0x18, 0x17][..],                                       // 23 in two bytes
            &[0x19, 0x00, 0xff],                                     // 255 in three
            &[0x1a, 0x00, 0x00, 0xff, 0xff],                         // 65535 in five
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],             // 2^32 - 1 in nine
            &[0x5f, 0x41, 0x00, 0xff],                               // indefinite bytes
            &[0x9f, 0xff],                                           // indefinite array
            &[0xbf, 0xff],                                           // indefinite map
            &[0xa2, 0x61, b'b', 0, 0x61, b'a', 0],                   // keys out of order
            &[0xa2, 0x61, b'a', 0, 0x61, b'a', 0],                   // repeated key
            &[0xa1, 0x00, 0x00],                                     // key no text
            &[0x20],                                                 // negative
            &[0xf6],                                                 // null
            &[0xf9, 0, 0],                                           // float
            &[0xc0, 0x00],                                           // tag
            &[0x61, 0xff],                                           // not UTF-8
            &[0x00, 0x00],                                           // bytes after
            &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], // an array of everything
            &[0x81; 20],                                             // deep
            &[],
        ] {
            assert!(Value::parse(bad).is_err(), "{bad:02x?}");
        }
    }

    #[test]
    fn json_shows_control_characters_as_escapes() {
        let value = Value::Map(vec![
            ("a".into(), Value::Array(vec![Value::Uint(7), Value::Bool(true), Value::Bytes(vec![0xab, 1])])),
            ("b\"".into(), Value::Text("x\n\u{1b}[31m\u{9b}ü".into())),
        ]);
        assert_eq!(value.to_json(), r#"{"a":[7,true,"ab01"],"b\"":"x\u000a\u001b[31m\u009bü"}"#);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(n: u64, small in 0..70_000_u64, bytes: Vec<u8>, text: String, truth: bool) {
            let mut out = Vec::new();
            let mut cbor = Cbor(&mut out);
            cbor.array(5);
            cbor.uint(n);
            cbor.uint(small);
            cbor.bytes(&bytes);
            cbor.text(&text);
            cbor.bool(truth);
            let read = Value::parse(&out).unwrap();
            let expected =
                vec![Value::Uint(n), Value::Uint(small), Value::Bytes(bytes), Value::Text(text), Value::Bool(truth)];
            prop_assert_eq!(read, Value::Array(expected));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = Value::parse(&bytes);
        }
    }
}
