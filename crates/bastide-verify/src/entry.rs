//! What an entry says, as far as verification and a reader need it.

use crate::cbor::{Value, read};
use crate::text::{hex, printable, rfc3339};

/// A leaf has at most 16 KiB.
pub(crate) const MAX_ENTRY_BYTES: usize = 16_384;
/// The only version of the format.
const VERSION: u64 = 1;

/// An entry of bastide's own format: a canonical CBOR map with `v`, `kind` and `at`.
pub(crate) struct Entry<'a> {
    pub(crate) kind: &'a str,
    /// Microseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) fields: Value<'a>,
}

impl<'a> Entry<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, String> {
        if bytes.len() > MAX_ENTRY_BYTES {
            return Err(format!("has {} bytes; an entry has at most {MAX_ENTRY_BYTES}", bytes.len()));
        }
        let fields = read(bytes).map_err(|e| format!("is not canonical CBOR: {e}"))?;
        let Value::Map(pairs) = &fields else { return Err("is not a map".to_owned()) };
        if pairs.iter().any(|(k, _)| k.as_text().is_none()) {
            return Err("has a key that is not text".to_owned());
        }
        if fields.get("v").and_then(Value::as_u64) != Some(VERSION) {
            return Err(format!("is not of version {VERSION}"));
        }
        let kind = fields.get("kind").and_then(Value::as_text).ok_or("says no kind")?;
        let at = fields.get("at").and_then(Value::as_u64).ok_or("says no time")?;
        Ok(Entry { kind, at, fields })
    }

    /// For people: kind and time, then one line per field, lists of maps one line per item.
    pub(crate) fn render(&self) -> String {
        /// What a reader looks for, first; the rest follows as encoded.
        const FIRST: [&str; 10] = [
            "exchange",
            "model",
            "upstream",
            "action",
            "resource",
            "route",
            "status",
            "ending",
            "verdict",
            "decisions",
        ];
        let mut out = format!("{} at {}\n", printable(self.kind), rfc3339(self.at));
        let Value::Map(pairs) = &self.fields else { return out };
        let named = pairs.iter().filter_map(|(k, v)| Some((k.as_text()?, v)));
        let mut named: Vec<_> = named.filter(|(k, _)| !matches!(*k, "v" | "kind" | "at")).collect();
        named.sort_by_key(|(k, _)| FIRST.iter().position(|f| f == k).unwrap_or(FIRST.len()));
        for (name, value) in named {
            field(&mut out, name, value, 1);
        }
        out
    }
}

fn field(out: &mut String, name: &str, value: &Value<'_>, depth: usize) {
    let indent = "  ".repeat(depth);
    let name = printable(name);
    match value {
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) if items.iter().any(|i| matches!(i, Value::Map(_))) => {
            out.push_str(&format!("{indent}{name}\n"));
            for item in items {
                out.push_str(&format!("{indent}  - {}\n", inline(item)));
            }
        }
        Value::Map(pairs) => {
            out.push_str(&format!("{indent}{name}\n"));
            for (key, inner) in pairs {
                field(out, &inline(key), inner, depth + 1);
            }
        }
        other => out.push_str(&format!("{indent}{name:<18} {}\n", inline(other))),
    }
}

fn inline(value: &Value<'_>) -> String {
    match value {
        Value::Unsigned(n) => n.to_string(),
        Value::Negative(n) => (-1 - i128::from(*n)).to_string(),
        Value::Bytes(b) => hex(b),
        Value::Text(t) => printable(t),
        Value::Bool(b) => b.to_string(),
        Value::Null => "-".to_owned(),
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        Value::Map(pairs) => {
            pairs.iter().map(|(k, v)| format!("{}={}", inline(k), inline(v))).collect::<Vec<_>>().join(" ")
        }
    }
}
