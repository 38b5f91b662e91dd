//! A reader of deterministically encoded CBOR (RFC 8949 section 4.2.1) that takes nothing else.
//!
//! One value has one encoding: shortest heads, definite lengths, map keys in bytewise order without repetition. What
//! is hashed is therefore what is read, and no second reading of the same bytes exists. The log's entries are made of
//! integers, byte strings, text, arrays, maps, `true`, `false` and `null`; tags, floats and other simple values are
//! refused.

use crate::text::hex;

/// A value, borrowed from its encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer from 0 up.
    Unsigned(u64),
    /// The integer `-1 - n`.
    Negative(u64),
    /// A byte string.
    Bytes(&'a [u8]),
    /// Text.
    Text(&'a str),
    /// An array.
    Array(Vec<Value<'a>>),
    /// A map, in the order of its encoding.
    Map(Vec<(Value<'a>, Value<'a>)>),
    /// A truth value.
    Bool(bool),
    /// Null.
    Null,
}

/// Arrays and maps within each other. The log's entries use four levels.
const MAX_DEPTH: u8 = 16;

/// Reads `bytes` as exactly one value.
pub(crate) fn read(bytes: &[u8]) -> Result<Value<'_>, &'static str> {
    let mut reader = Reader { rest: bytes };
    let value = reader.value(MAX_DEPTH)?;
    if reader.rest.is_empty() { Ok(value) } else { Err("bytes after the end of the value") }
}

struct Reader<'a> {
    rest: &'a [u8],
}

const CUT: &str = "ends in the middle of a value";

impl<'a> Reader<'a> {
    fn take(&mut self, n: u64) -> Result<&'a [u8], &'static str> {
        let n = usize::try_from(n).map_err(|_| CUT)?;
        let (head, rest) = self.rest.split_at_checked(n).ok_or(CUT)?;
        self.rest = rest;
        Ok(head)
    }

    /// A head: major type and argument, in the shortest form.
    fn head(&mut self) -> Result<(u8, u64), &'static str> {
        let first = *self.take(1)?.first().ok_or(CUT)?;
        let (major, short) = (first >> 5, first & 0x1f);
        let (width, least) = match short {
            0..=23 => return Ok((major, u64::from(short))),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err("an indefinite length or a reserved head"),
        };
        let argument = self.take(width)?.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
        if major == 7 {
            return Err("a float or a simple value other than true, false and null");
        }
        if argument < least {
            return Err("a head longer than it needs to be");
        }
        Ok((major, argument))
    }

    fn value(&mut self, depth: u8) -> Result<Value<'a>, &'static str> {
        let (major, n) = self.head()?;
        match major {
            0 => Ok(Value::Unsigned(n)),
            1 => Ok(Value::Negative(n)),
            2 => Ok(Value::Bytes(self.take(n)?)),
            3 => {
                let text = self.take(n)?;
                Ok(Value::Text(std::str::from_utf8(text).map_err(|_| "text that is not UTF-8")?))
            }
            4 => {
                let deeper = depth.checked_sub(1).ok_or("nested too deep")?;
                // Not reserved ahead: the count is the writer's claim. Each item takes a byte of input.
                let mut items = Vec::new();
                for _ in 0..n {
                    items.push(self.value(deeper)?);
                }
                Ok(Value::Array(items))
            }
            5 => self.map(n, depth),
            6 => Err("a tag"),
            _ => match n {
                20 => Ok(Value::Bool(false)),
                21 => Ok(Value::Bool(true)),
                22 => Ok(Value::Null),
                _ => Err("a float or a simple value other than true, false and null"),
            },
        }
    }

    fn map(&mut self, n: u64, depth: u8) -> Result<Value<'a>, &'static str> {
        let deeper = depth.checked_sub(1).ok_or("nested too deep")?;
        let mut pairs: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        let mut previous: Option<&[u8]> = None;
        for _ in 0..n {
            let from = self.rest;
            let key = self.value(deeper)?;
            let encoded = from.get(..from.len() - self.rest.len()).ok_or(CUT)?;
            if previous.is_some_and(|p| p >= encoded) {
                return Err("map keys out of order or repeated");
            }
            previous = Some(encoded);
            let value = self.value(deeper)?;
            pairs.push((key, value));
        }
        Ok(Value::Map(pairs))
    }
}

impl<'a> Value<'a> {
    /// The value under a text key of a map.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        let Value::Map(pairs) = self else { return None };
        pairs.iter().find(|(k, _)| matches!(k, Value::Text(t) if *t == name)).map(|(_, v)| v)
    }

    /// The integer, if it is one from 0 up.
    #[must_use]
    pub const fn as_u64(&self) -> Option<u64> {
        if let Value::Unsigned(n) = self { Some(*n) } else { None }
    }

    /// The text, if it is text.
    #[must_use]
    pub const fn as_text(&self) -> Option<&'a str> {
        if let Value::Text(t) = self { Some(t) } else { None }
    }

    /// The bytes, if it is a byte string.
    #[must_use]
    pub const fn as_bytes(&self) -> Option<&'a [u8]> {
        if let Value::Bytes(b) = self { Some(b) } else { None }
    }

    /// As JSON: byte strings in hexadecimal, keys as text.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Value::Unsigned(n) => Json::from(*n),
            Value::Negative(n) => match i64::try_from(*n) {
                Ok(n) => Json::from(-1 - n),
                Err(_) => Json::from((-1 - i128::from(*n)).to_string()),
            },
            Value::Bytes(b) => Json::from(hex(b)),
            Value::Text(t) => Json::from(*t),
            Value::Array(items) => items.iter().map(Value::to_json).collect(),
            Value::Map(pairs) => Json::Object(
                pairs
                    .iter()
                    .map(|(k, v)| {
                        let key = match k.to_json() {
                            Json::String(s) => s,
                            other => other.to_string(),
                        };
                        (key, v.to_json())
                    })
                    .collect(),
            ),
            Value::Bool(b) => Json::from(*b),
            Value::Null => Json::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use ciborium::Value as Other;
    use proptest::prelude::*;

    use super::*;

    fn encode(value: &Other) -> Vec<u8> {
        let mut out = Vec::new();
        ciborium::into_writer(value, &mut out).unwrap();
        out
    }

    fn same(ours: &Value<'_>, other: &Other) -> bool {
        match (ours, other) {
            (Value::Unsigned(n), Other::Integer(i)) => i128::from(*i) == i128::from(*n),
            (Value::Negative(n), Other::Integer(i)) => i128::from(*i) == -1 - i128::from(*n),
            (Value::Bytes(a), Other::Bytes(b)) => *a == b.as_slice(),
            (Value::Text(a), Other::Text(b)) => *a == b.as_str(),
            (Value::Bool(a), Other::Bool(b)) => a == b,
            (Value::Null, Other::Null) => true,
            (Value::Array(a), Other::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
            }
            (Value::Map(a), Other::Map(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(&a.0, &b.0) && same(&a.1, &b.1))
            }
            _ => false,
        }
    }

    fn tree() -> impl Strategy<Value = Other> {
        let leaf = prop_oneof![
            any::<u64>().prop_map(|n| Other::Integer(n.into())),
            any::<i64>().prop_map(|n| Other::Integer(n.into())),
            (0_u64..300).prop_map(|n| Other::Integer(n.into())),
            any::<bool>().prop_map(Other::Bool),
            Just(Other::Null),
            ".{0,30}".prop_map(Other::Text),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(Other::Bytes),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Other::Array),
                prop::collection::btree_map("[a-z]{0,6}", inner, 0..6).prop_map(|m| {
                    let mut pairs: Vec<_> = m.into_iter().map(|(k, v)| (Other::Text(k), v)).collect();
                    pairs.sort_by_key(|(k, _)| encode(k));
                    Other::Map(pairs)
                }),
            ]
        })
    }

    proptest! {
        #[test]
        fn reads_what_another_encoder_wrote(value in tree()) {
            let bytes = encode(&value);
            let ours = read(&bytes).unwrap();
            prop_assert!(same(&ours, &value));
        }

        /// Whatever is accepted, another decoder reads the same and its encoder writes the same bytes back.
        #[test]
        fn accepts_one_encoding_only(mut bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            tree().prop_map(|v| encode(&v)),
        ], at in any::<prop::sample::Index>(), flip in any::<u8>()) {
            if !bytes.is_empty() {
                let i = at.index(bytes.len());
                bytes[i] ^= flip;
            }
            if let Ok(ours) = read(&bytes) {
                let other: Other = ciborium::from_reader(&bytes[..]).unwrap();
                prop_assert!(same(&ours, &other));
                prop_assert_eq!(encode(&other), bytes);
            }
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for (bytes, what) in [
            (&b"\x18\x17"[..], "23 in two bytes"),
            (b"\x19\x00\xff", "255 in three"),
            (b"\x1b\0\0\0\0\xff\xff\xff\xff", "32 bits in nine"),
            (b"\x9f\xff", "an array without a length"),
            (b"\x5f\x41a\xff", "bytes without a length"),
            (b"\xa2\x61b\x01\x61a\x01", "keys out of order"),
            (b"\xa2\x61a\x01\x61a\x02", "a key twice"),
            (b"\xa2\x62aa\x01\x61b\x01", "the longer key first"),
            (b"\xc0\x00", "a tag"),
            (b"\xf9\x3c\x00", "a float"),
            (b"\xf7", "undefined"),
            (b"\xf8\x14", "false in two bytes"),
            (b"\x00\x00", "two values"),
            (b"\x61\xff", "text that is no text"),
            (b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", "a length beyond the input"),
            (b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff", "a count beyond the input"),
            (b"", "nothing"),
        ] {
            assert!(read(bytes).is_err(), "{what}");
        }
        assert!(read(&[0x81; 100_000]).is_err(), "no stack is spent on depth");
    }
}
