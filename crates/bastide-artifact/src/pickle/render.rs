//! Values and calls as Python writes them, cut to one line.

use std::fmt::Write as _;

use super::literal::Literal;
use super::machine::{Call, How, State};
use super::value::{Kind, Value};
use crate::source::read_up_to;

/// The longest call shown, in bytes.
const LENGTH: usize = 200;
/// The longest text shown within one.
const TEXT: usize = 120;
const DEPTH: usize = 6;

/// A call as Python writes it.
pub(super) fn call(state: &State<'_>, call: &Call<'_>) -> String {
    let mut out = String::new();
    let args = call.args;
    callee(state, call.callee, &mut out, 0);
    if matches!(call.how, How::New | How::NewWithKeywords) && !out.ends_with('…') {
        out.push_str(".__new__");
    }
    out.push('(');
    list(state, args, call.whole, &mut out, 0);
    if let Some(keywords) = call.keywords {
        out.push_str(if args.is_empty() { "**" } else { ", **" });
        value(state, keywords, &mut out, 1);
    }
    out.push(')');
    cut(out)
}

/// A value as Python writes it.
pub(super) fn expression(state: &State<'_>, of: Value) -> String {
    let mut out = String::new();
    value(state, of, &mut out, 0);
    cut(out)
}

fn cut(mut out: String) -> String {
    if out.len() > LENGTH {
        out.truncate(out.floor_char_boundary(LENGTH));
        out.push('…');
    }
    out
}

fn callee(state: &State<'_>, of: Value, out: &mut String, depth: usize) {
    if of.is_data() {
        // What is no callable is set apart, so that it reads as what it is.
        out.push('(');
        value(state, of, out, depth);
        out.push(')');
    } else {
        value(state, of, out, depth);
    }
}

fn list(state: &State<'_>, items: &[Value], whole: bool, out: &mut String, depth: usize) {
    for (i, &item) in items.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        if out.len() > LENGTH {
            out.push('…');
            return;
        }
        value(state, item, out, depth + 1);
    }
    if !whole {
        out.push_str(if items.is_empty() { "…" } else { ", …" });
    }
}

fn value(state: &State<'_>, of: Value, out: &mut String, depth: usize) {
    if depth > DEPTH || out.len() > LENGTH {
        out.push('…');
        return;
    }
    match of.kind() {
        Kind::Unknown => out.push('…'),
        Kind::None | Kind::Bool | Kind::Int | Kind::Float | Kind::Text | Kind::Bytes => {
            literal(state, of, out);
        }
        Kind::Tuple | Kind::List | Kind::Set => sequence(state, of, out, depth),
        Kind::Dict => dict(state, of, out, depth),
        Kind::Global => match state.global(of) {
            Some(global) if matches!(global.module.as_str(), "builtins" | "__builtin__") => {
                out.push_str(&printable(&global.name));
            }
            Some(global) => {
                let _ = write!(out, "{}.{}", printable(&global.module), printable(&global.name));
            }
            None => out.push('…'),
        },
        Kind::Instance | Kind::Result => match state.heap.get(of) {
            Some(cell) => {
                let whole = cell.all().is_some();
                if let Some((&called, args)) = cell.items().split_first() {
                    callee(state, called, out, depth + 1);
                    out.push('(');
                    list(state, args, whole, out, depth);
                    out.push(')');
                } else {
                    out.push('…');
                }
            }
            None => match state.global(of) {
                Some(global) => {
                    let _ = write!(out, "{}.{}(…)", printable(&global.module), printable(&global.name));
                }
                None => out.push('…'),
            },
        },
        Kind::Persistent => out.push_str("persistent_load(…)"),
        Kind::Extension => out.push_str("extension(…)"),
    }
}

fn sequence(state: &State<'_>, of: Value, out: &mut String, depth: usize) {
    let (open, close) = match of.kind() {
        Kind::Tuple => ("(", ")"),
        Kind::List => ("[", "]"),
        _ => ("{", "}"),
    };
    out.push_str(open);
    match state.heap.get(of) {
        Some(cell) => {
            list(state, cell.items(), cell.all().is_some(), out, depth);
            if of.kind() == Kind::Tuple && cell.count() == 1 {
                out.push(',');
            }
        }
        None => out.push('…'),
    }
    out.push_str(close);
}

fn dict(state: &State<'_>, of: Value, out: &mut String, depth: usize) {
    out.push('{');
    match state.heap.get(of) {
        Some(cell) => {
            for (i, pair) in cell.items().chunks(2).enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                if out.len() > LENGTH {
                    break;
                }
                if let [key, item] = *pair {
                    value(state, key, out, depth + 1);
                    out.push_str(": ");
                    value(state, item, out, depth + 1);
                }
            }
            if cell.all().is_none() {
                out.push_str(", …");
            }
        }
        None => out.push('…'),
    }
    out.push('}');
}

fn literal(state: &State<'_>, of: Value, out: &mut String) {
    match state.literal(of) {
        Some(Literal::None) => out.push_str("None"),
        Some(Literal::Bool(true)) => out.push_str("True"),
        Some(Literal::Bool(false)) => out.push_str("False"),
        Some(Literal::Int(int)) => {
            let _ = write!(out, "{int}");
        }
        Some(Literal::Float(float)) => {
            let _ = write!(out, "{float:?}");
        }
        Some(Literal::Text { text, whole }) => {
            quote(text.chars(), whole, out);
        }
        Some(Literal::Bytes { offset, size }) => {
            let shown = usize::try_from(size).unwrap_or(usize::MAX).min(TEXT);
            let bytes = read_up_to(state.source, offset, shown).unwrap_or_default();
            out.push('b');
            quote_bytes(&bytes, bytes.len() as u64 == size, out);
        }
        Some(Literal::LongInt) | None => out.push('…'),
    }
}

fn quote(chars: impl Iterator<Item = char>, whole: bool, out: &mut String) {
    let text: Vec<char> = chars.take(TEXT + 1).collect();
    let quote = if text.contains(&'\'') && !text.contains(&'"') { '"' } else { '\'' };
    out.push(quote);
    for &c in text.iter().take(TEXT) {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    if text.len() > TEXT || !whole {
        out.push('…');
    }
    out.push(quote);
}

fn quote_bytes(bytes: &[u8], whole: bool, out: &mut String) {
    out.push('\'');
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\\' | b'\'' => out.extend(['\\', char::from(byte)]),
            0x20..0x7f => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    if !whole {
        out.push('…');
    }
    out.push('\'');
}

/// A name as it may stand in a line.
pub(super) fn printable(name: &str) -> String {
    crate::scan::shown(name)
}
