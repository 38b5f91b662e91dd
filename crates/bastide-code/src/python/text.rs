//! Methods of texts, bytes and lists whose result is known without running anything.

use crate::python::expression::{bytes_of, named};
use crate::python::fold::{codec, decoded, hex};
use crate::python::value::{HOLE, Known, Taint, Value};

/// What `receiver.name(args)` returns, if it is one of these.
pub(crate) fn method(receiver: &Value, name: &str, args: &[Value]) -> Option<Value> {
    match &receiver.known {
        Known::Text(text) => of_text(receiver, text, name, args),
        Known::Bytes(bytes) => of_bytes(receiver, bytes, name, args),
        Known::List(items, _) => of_list(items, name, args),
        _ => None,
    }
}

fn of_text(receiver: &Value, text: &str, name: &str, args: &[Value]) -> Option<Value> {
    let hidden = receiver.taint.with(Taint::COMPUTED);
    let made = |text: &str| Value::text(text, hidden);
    Some(match name {
        "join" => join(text, args.first()?, hidden)?,
        "format" => format(text, args, hidden),
        "format_map" => format(text, args.first()?.items(), hidden),
        "decode" => codec(receiver, args.first()?.as_whole_text()?)?,
        "encode" => encode(receiver, args)?,
        "replace" => replace(receiver, args)?.with(Taint::COMPUTED),
        "translate" => translate(text, args.first()?, hidden)?,
        "split" | "rsplit" => split(text, args, hidden),
        "splitlines" => Value::list(text.lines().take(4096).map(made).collect()),
        "partition" => match text.split_once(args.first()?.as_whole_text()?) {
            Some((before, after)) => Value::list(vec![made(before), args.first()?.clone(), made(after)]),
            None => Value::list(vec![receiver.clone(), made(""), made("")]),
        },
        "strip" | "lstrip" | "rstrip" => strip(text, name, args, receiver.taint)?,
        "removeprefix" => made(text.strip_prefix(args.first()?.as_whole_text()?).unwrap_or(text)),
        "removesuffix" => made(text.strip_suffix(args.first()?.as_whole_text()?).unwrap_or(text)),
        "lower" | "casefold" => made(&text.to_lowercase()),
        "upper" => made(&text.to_uppercase()),
        "swapcase" => made(&text.chars().map(swapped).collect::<String>()),
        "expanduser" | "resolve" | "absolute" | "as_posix" | "copy" | "__str__" | "__fspath__" => {
            receiver.clone()
        }
        "joinpath" => {
            let rest: Vec<String> = args.iter().take(64).map(Value::as_part).collect();
            Value::text(&format!("{text}/{}", rest.join("/")), receiver.taint)
        }
        "fromhex" => decoded(hex(args.first()?)?, receiver.taint),
        _ => return None,
    })
}

fn of_bytes(receiver: &Value, bytes: &[u8], name: &str, args: &[Value]) -> Option<Value> {
    let taint = receiver.taint;
    Some(match name {
        "join" => {
            let parts: Option<Vec<Vec<u8>>> = args.first()?.items().iter().map(bytes_of).collect();
            Value::bytes(&parts?.join(bytes), taint.with(Taint::COMPUTED))
        }
        "decode" => match args.first().or_else(|| named(args, "encoding")).and_then(Value::as_whole_text) {
            Some(name @ ("hex" | "base64" | "rot13" | "rot-13" | "rot_13")) => codec(receiver, name)?,
            _ => Value::text(&String::from_utf8_lossy(bytes), taint.with(Taint::COMPUTED)),
        },
        "hex" => Value::text(&bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), taint),
        "replace" | "strip" | "translate" | "lower" | "upper" => {
            let text = Value::text(std::str::from_utf8(bytes).ok()?, taint);
            let args: Vec<Value> = args.iter().map(as_text).collect();
            let result = of_text(&text, text.as_text()?, name, &args)?;
            Value::bytes(result.as_text()?.as_bytes(), result.taint)
        }
        "fromhex" => decoded(hex(args.first()?)?, taint),
        "copy" => receiver.clone(),
        _ => return None,
    })
}

fn of_list(items: &[Value], name: &str, args: &[Value]) -> Option<Value> {
    Some(match name {
        "get" | "setdefault" => named(items, args.first()?.as_whole_text()?).cloned()?,
        "pop" | "__getitem__" => match args.first().map(|at| &at.known) {
            None => items.last()?.clone(),
            Some(Known::Text(key)) => named(items, key)?.clone(),
            Some(Known::Number(number)) => at(items.len(), *number).and_then(|at| items.get(at))?.clone(),
            _ => return None,
        },
        "copy" => Value::list(items.to_vec()),
        _ => return None,
    })
}

/// An index as Python counts: from the end when negative.
pub(crate) fn at(length: usize, number: i64) -> Option<usize> {
    usize::try_from(number).ok().or_else(|| length.checked_sub(number.unsigned_abs().try_into().ok()?))
}

fn as_text(value: &Value) -> Value {
    match &value.known {
        Known::Bytes(bytes) => Value::text(&String::from_utf8_lossy(bytes), value.taint),
        _ => value.clone(),
    }
}

fn join(glue: &str, parts: &Value, hidden: Taint) -> Option<Value> {
    let words = match &parts.known {
        Known::List(items, _) => items.iter().map(Value::as_part).collect::<Vec<_>>(),
        Known::Text(text) => text.chars().map(String::from).collect(),
        _ => return None,
    };
    let letters = words.len() > 4 && words.iter().all(|word| word.chars().count() == 1);
    // Letter by letter, each of them computed: that is an encoding.
    let spelled = letters && parts.taint.has(Taint::COMPUTED) && !parts.items().is_empty();
    let inflow = if spelled { parts.taint.with(Taint::DECODED) } else { parts.taint };
    Some(Value::text(&words.join(glue), hidden.with(inflow)))
}

/// The fields of a format filled in as far as their values are known.
fn format(text: &str, args: &[Value], hidden: Taint) -> Value {
    const LONGEST: usize = 4096;
    let mut filled = text.to_owned();
    let mut place = 0_usize;
    for arg in args.iter().take(32) {
        let (field, value) = match &arg.known {
            Known::Named(name, value) => (format!("{{{name}}}"), value.as_part()),
            _ => {
                place += 1;
                (format!("{{{}}}", place - 1), arg.as_part())
            }
        };
        if value.len() >= LONGEST || value.contains(HOLE) && value.chars().count() == 1 {
            continue;
        }
        if filled.len() < 16 * LONGEST {
            filled = filled.replace(&field, &value);
            if !matches!(arg.known, Known::Named(..)) {
                filled = filled.replacen("{}", &value, 1);
            }
        }
    }
    Value::text(&filled, hidden.with(args.iter().fold(Taint::NONE, |all, arg| all.with(arg.taint))))
}

fn encode(receiver: &Value, args: &[Value]) -> Option<Value> {
    let plain = |name: &str| {
        name.to_ascii_lowercase().contains("utf") || name.contains("ascii") || name.contains("latin")
    };
    let encoding = args.first().or_else(|| named(args, "encoding"));
    let known = match encoding {
        None => true,
        Some(name) => name.as_whole_text().is_some_and(plain),
    };
    known.then(|| receiver.as_whole_text().map(|text| Value::bytes(text.as_bytes(), receiver.taint)))?
}

fn replace(receiver: &Value, args: &[Value]) -> Option<Value> {
    let (from, to) = (args.first()?.as_whole_text()?, args.get(1)?.as_whole_text()?);
    let text = receiver.as_whole_text()?;
    // An empty pattern stands between all characters.
    (!from.is_empty() && to.len() <= 64).then(|| Value::text(&text.replace(from, to), receiver.taint))
}

/// By the table of `str.maketrans`, or a dictionary of numbers.
fn translate(text: &str, table: &Value, hidden: Taint) -> Option<Value> {
    const MANY: usize = 512;
    let pairs: Vec<(char, char)> = table.items().iter().take(MANY).filter_map(pair).collect();
    if pairs.is_empty() {
        return None;
    }
    let turned = |c: char| pairs.iter().find(|(from, _)| *from == c).map_or(c, |(_, to)| *to);
    Some(Value::text(&text.chars().map(turned).collect::<String>(), hidden.with(Taint::DECODED)))
}

fn pair(item: &Value) -> Option<(char, char)> {
    let one = |value: &Value| match &value.known {
        Known::Number(number) => u32::try_from(*number).ok().and_then(char::from_u32),
        Known::Text(text) => text.chars().next(),
        _ => None,
    };
    match item.items() {
        [from, to] => Some((one(from)?, one(to)?)),
        _ => match &item.known {
            Known::Named(from, to) => Some((from.chars().next()?, one(to)?)),
            _ => None,
        },
    }
}

fn split(text: &str, args: &[Value], hidden: Taint) -> Value {
    const MANY: usize = 4096;
    let glue = args.first().and_then(Value::as_whole_text).filter(|glue| !glue.is_empty());
    let part = |part: &str| Value::text(part, hidden);
    Value::list(match glue {
        Some(glue) => text.split(glue).take(MANY).map(part).collect(),
        None => text.split_whitespace().take(MANY).map(part).collect(),
    })
}

fn strip(text: &str, name: &str, args: &[Value], taint: Taint) -> Option<Value> {
    let Some(set) = args.first() else { return Some(Value::text(text.trim(), taint)) };
    let set: Vec<char> = set.as_whole_text()?.chars().take(64).collect();
    let stripped = match name {
        "lstrip" => text.trim_start_matches(set.as_slice()),
        "rstrip" => text.trim_end_matches(set.as_slice()),
        _ => text.trim_matches(set.as_slice()),
    };
    Some(Value::text(stripped, taint.with(Taint::COMPUTED)))
}

fn swapped(c: char) -> char {
    match c {
        'a'..='z' => c.to_ascii_uppercase(),
        'A'..='Z' => c.to_ascii_lowercase(),
        _ => c,
    }
}
