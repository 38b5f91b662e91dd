//! The parser.

use std::borrow::Cow;

use super::{Node, Value};
use crate::halt::{Halt, Parsed};

/// Levels of nesting. Python's own reader gives up near a thousand, by exhausting its stack.
const DEEPEST: usize = 256;
/// Values held in memory at once; dropped ones do not count.
const MOST_VALUES: usize = 1_000_000;
/// Elements of one list, and numbers of one object, after which scalars are dropped.
const MOST_SCALARS: usize = 65_536;

/// Reads one JSON text. Offsets are bytes of `text`.
pub(crate) fn parse(text: &str) -> Parsed<Node<'_>> {
    let mut parser = Parser { text, at: 0, values: 0 };
    parser.blank();
    let node = parser.value(0)?;
    parser.blank();
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.malformed("something follows the end of the JSON text")),
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    values: usize,
}

impl<'t> Parser<'t> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn malformed(&self, what: &str) -> Halt {
        if self.at >= self.text.len() {
            return Halt::Truncated { offset: self.at as u64 };
        }
        Halt::malformed(self.at as u64, what)
    }

    fn value(&mut self, depth: usize) -> Parsed<Node<'t>> {
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} levels of JSON")));
        }
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(Halt::limit(format!("{MOST_VALUES} values of one JSON text")));
        }
        let offset = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Text(self.string()?),
            _ => self.word()?,
        };
        Ok(Node { offset, value })
    }

    fn object(&mut self, depth: usize) -> Parsed<Value<'t>> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut numbers = 0;
        self.blank();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(entries));
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.malformed("a key is missing"));
            }
            let key = self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.malformed("a colon is missing"));
            }
            self.at += 1;
            self.blank();
            let value = self.value(depth + 1)?;
            let number = matches!(value.value, Value::Number(_) | Value::Bool(_) | Value::Null);
            numbers += usize::from(number);
            if number && numbers > MOST_SCALARS {
                self.values -= 1;
            } else {
                entries.push((key, value));
            }
            if self.comma_or(b'}')? {
                return Ok(Value::Object(entries));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Parsed<Value<'t>> {
        self.at += 1;
        let mut items = Vec::new();
        self.blank();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            self.blank();
            let before = self.values;
            let value = self.value(depth + 1)?;
            if items.len() >= MOST_SCALARS && plain(&value) {
                self.values = before;
            } else {
                items.push(value);
            }
            if self.comma_or(b']')? {
                return Ok(Value::List(items));
            }
        }
    }

    /// Whether the list or object ends here.
    fn comma_or(&mut self, end: u8) -> Parsed<bool> {
        self.blank();
        let byte = self.peek();
        if byte != Some(b',') && byte != Some(end) {
            return Err(self.malformed("a comma is missing"));
        }
        self.at += 1;
        Ok(byte == Some(end))
    }

    fn word(&mut self) -> Parsed<Value<'t>> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)).count();
        let word = rest.get(..length).unwrap_or_default();
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "NaN" | "Infinity" | "-Infinity" => Value::Number(word),
            _ if word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit()) => {
                Value::Number(word)
            }
            _ => return Err(self.malformed("no value")),
        };
        self.at += length;
        Ok(value)
    }

    fn string(&mut self) -> Parsed<Cow<'t, str>> {
        self.at += 1;
        let start = self.at;
        let bytes = self.text.as_bytes();
        let mut escaped = false;
        loop {
            let rest = bytes.get(self.at..).unwrap_or_default();
            let Some(n) = memchr::memchr2(b'"', b'\\', rest) else {
                self.at = self.text.len();
                return Err(self.malformed("a text does not end"));
            };
            self.at += n + 1;
            if rest.get(n) == Some(&b'"') {
                break;
            }
            escaped = true;
            self.at += 1;
        }
        let raw = self.text.get(start..self.at - 1).unwrap_or_default();
        Ok(if escaped { Cow::Owned(unescape(raw)) } else { Cow::Borrowed(raw) })
    }
}

/// Whether dropping this from a long list loses nothing that is looked at: numbers, short words, pairs of them.
fn plain(node: &Node<'_>) -> bool {
    const WORD: usize = 128;
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::Text(text) => text.len() <= WORD,
        Value::List(items) => {
            items.len() <= 8 && items.iter().all(|item| !matches!(item.value, Value::List(_)) && plain(item))
        }
        Value::Object(_) => false,
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut units = Vec::new();
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        if !before.is_empty() {
            flush(&mut units, &mut text);
            text.push_str(before);
        }
        let unit = after.strip_prefix('u').and_then(|hex| u16::from_str_radix(hex.get(..4)?, 16).ok());
        if let Some(unit) = unit {
            units.push(unit);
            rest = after.get(5..).unwrap_or_default();
            continue;
        }
        flush(&mut units, &mut text);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some(other) => text.push(other),
            None => {}
        }
        rest = chars.as_str();
    }
    flush(&mut units, &mut text);
    text.push_str(rest);
    text
}

/// UTF-16 units of consecutive `\u` escapes are one text: two may make one character.
fn flush(units: &mut Vec<u16>, text: &mut String) {
    text.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_and_duplicates_are_as_python_reads_them() {
        let node =
            parse(r#"{"a": "x\u005fy\ud83d\ude00\n", "b": [1, NaN, -Infinity], "a": "last"}"#).unwrap();
        assert_eq!(node.entries()[0].1.text(), Some("x_y😀\n"));
        assert_eq!(node.get_text("a"), Some("last"));
        assert_eq!(node.duplicates(&["a", "b"]).collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn vocabularies_are_dropped_and_depth_is_bounded() {
        let words: Vec<String> = (0..200_000).map(|i| format!("\"w{i}\":{i}")).collect();
        let text = format!("{{{},\"auto_map\":{{}}}}", words.join(","));
        let node = parse(&text).unwrap();
        assert_eq!(node.entries().len(), MOST_SCALARS + 1);
        assert!(node.has("auto_map"));
        assert!(matches!(parse(&"[".repeat(100_000)), Err(Halt::Limit { .. })));
        assert!(matches!(parse("[1, 2"), Err(Halt::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn what_serde_reads_is_read(value in json()) {
            let text = value.to_string();
            let ours = parse(&text).unwrap();
            prop_assert!(same(&ours, &value), "{text}");
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\",:\\\\u0-9a-f ntruels.-]*") {
            let _ = parse(&text);
        }
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn same(ours: &Node<'_>, theirs: &serde_json::Value) -> bool {
        match theirs {
            serde_json::Value::Null => matches!(ours.value, Value::Null),
            serde_json::Value::Bool(b) => matches!(ours.value, Value::Bool(ours) if ours == *b),
            serde_json::Value::Number(n) => {
                matches!(ours.value, Value::Number(ours) if ours == n.to_string())
            }
            serde_json::Value::String(text) => ours.text() == Some(text),
            serde_json::Value::Array(items) => {
                ours.list().len() == items.len() && ours.list().iter().zip(items).all(|(a, b)| same(a, b))
            }
            serde_json::Value::Object(map) => {
                ours.entries().len() == map.len()
                    && map.iter().all(|(key, value)| ours.get(key).is_some_and(|ours| same(ours, value)))
            }
        }
    }
}
