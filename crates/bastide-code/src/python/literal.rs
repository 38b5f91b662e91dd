//! Literals of Python as values.

use tree_sitter::Node;

use crate::python::reader::{Child, Reader};
use crate::python::value::{HOLE, Taint, Value};

impl Reader<'_, '_, '_> {
    /// A string literal: text or bytes, with the fields of an f-string filled in where they are known.
    pub(crate) fn string(&mut self, node: Node<'_>, children: &[Child<'_>]) -> Value {
        let source = self.source(node);
        let open = source.find(['"', '\'']).unwrap_or(0);
        let prefix = source.get(..open).unwrap_or_default().to_ascii_lowercase();
        let raw = prefix.contains('r');
        self.spend(source.len() / 64);
        let mut text = String::new();
        let mut taint = Taint::NONE;
        for child in children {
            match child.node.kind() {
                "string_content" => unescape(self.source(child.node), raw, &mut text),
                "interpolation" => {
                    let put_in = child.value.as_text().map_or(Taint::NONE, |_| Taint::COMPUTED);
                    taint = taint.with(child.value.taint).with(put_in);
                    text.push_str(&child.value.as_part());
                }
                _ => {}
            }
        }
        if prefix.contains('b') {
            // The escapes of bytes name single bytes; `unescape` made characters of the same number.
            let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
            return Value::bytes(&bytes, taint);
        }
        Value::text(&text, taint)
    }

    /// An integer literal.
    pub(crate) fn integer(&self, node: Node<'_>) -> Option<i64> {
        let digits = self.source(node).replace('_', "").to_ascii_lowercase();
        match digits.get(..2) {
            Some("0x") => i64::from_str_radix(digits.get(2..)?, 16).ok(),
            Some("0o") => i64::from_str_radix(digits.get(2..)?, 8).ok(),
            Some("0b") => i64::from_str_radix(digits.get(2..)?, 2).ok(),
            _ => digits.parse().ok(),
        }
    }
}

/// Adds the source of a literal to `out`, its escapes undone.
fn unescape(source: &str, raw: bool, out: &mut String) {
    if raw || !source.contains('\\') {
        out.push_str(source);
        return;
    }
    let mut chars = source.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(escape) = chars.next() else { return };
        let number = match escape {
            'x' => digits(&mut chars, 2, 16),
            'u' => digits(&mut chars, 4, 16),
            'U' => digits(&mut chars, 8, 16),
            'N' => named_letter(&mut chars),
            '0'..='7' => {
                let first = escape.to_digit(8).unwrap_or(0);
                let mut number = first;
                for _ in 0..2 {
                    let Some(next) = chars.peek().and_then(|c| c.to_digit(8)) else { break };
                    number = number * 8 + next;
                    chars.next();
                }
                Some(number)
            }
            _ => None,
        };
        match (number, escape) {
            (Some(number), _) => out.push(char::from_u32(number).unwrap_or(HOLE)),
            (None, 'n') => out.push('\n'),
            (None, 't') => out.push('\t'),
            (None, 'r') => out.push('\r'),
            (None, 'a') => out.push('\u{7}'),
            (None, 'b') => out.push('\u{8}'),
            (None, '\n') => {}
            (None, '\\' | '\'' | '"') => out.push(escape),
            (None, other) => out.extend(['\\', other]),
        }
    }
}

/// `\N{LATIN SMALL LETTER A}`: the names of letters; those of other characters leave a hole.
fn named_letter(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<u32> {
    const LONGEST: usize = 96;
    let name: String = chars.by_ref().take(LONGEST).take_while(|c| *c != '}').collect();
    let name = name.strip_prefix('{')?.to_ascii_uppercase();
    let letter = name.strip_prefix("LATIN SMALL LETTER ").map(str::to_ascii_lowercase);
    let letter = letter.or_else(|| name.strip_prefix("LATIN CAPITAL LETTER ").map(str::to_owned));
    let mut letter = letter.as_deref().unwrap_or_default().chars();
    match (letter.next(), letter.next()) {
        (Some(letter), None) => Some(u32::from(letter)),
        _ => Some(u32::from(HOLE)),
    }
}

fn digits(chars: &mut std::iter::Peekable<std::str::Chars<'_>>, count: usize, radix: u32) -> Option<u32> {
    let mut number = 0u32;
    for _ in 0..count {
        number = number.checked_mul(radix)?.checked_add(chars.peek()?.to_digit(radix)?)?;
        chars.next();
    }
    Some(number)
}
