//! Functions whose result is known without running anything: the tools by which a program hides its texts.

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose};

use crate::python::expression::{bytes_of, member, named};
use crate::python::names::{self, Names};
use crate::python::sources;
use crate::python::value::{HOLE, Known, Taint, Value};

/// As lenient as Python's.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// What `path(args)` returns, if it is one of these.
pub(crate) fn function(path: &str, args: &[Value], names: &mut Names) -> Option<Value> {
    let first = args.iter().find(|arg| !matches!(arg.known, Known::Named(..)));
    let hidden = Taint::COMPUTED;
    Some(match path {
        "__import__" | "importlib.import_module" | "importlib.__import__" | "builtins.__import__" => {
            let module = first?;
            let name = module.as_whole_text()?;
            names.import(name);
            let name = if path == "__import__" { name.split('.').next().unwrap_or(name) } else { name };
            let taint = if path == "__import__" { Taint::IMPORTED } else { Taint::NONE };
            let module_path = names::canonical(&format!("{name}."));
            Value::path(module_path.trim_end_matches('.'), taint.with(module.taint))
        }
        "getattr" => {
            let (object, name) = (first?, args.get(1)?);
            member(object, name.as_whole_text()?).with(object.taint).with(name.taint)
        }
        "vars" | "functools.partial" | "operator.itemgetter" | "staticmethod" | "asyncio.run" => {
            first?.clone()
        }
        "chr" | "unichr" => match first?.known {
            Known::Number(number) => {
                let c = u32::try_from(number).ok().and_then(char::from_u32)?;
                Value::text(c.encode_utf8(&mut [0; 4]), hidden)
            }
            _ => return None,
        },
        "ord" => match first?.as_whole_text().map(|text| (text.chars().next(), text.chars().count())) {
            Some((Some(c), 1)) => Value::new(Known::Number(i64::from(u32::from(c))), Taint::NONE),
            _ => return None,
        },
        "int" => match (first?.as_whole_text(), args.get(1).map(|base| &base.known)) {
            (Some(text), Some(Known::Number(base @ 2..=36))) => {
                let number =
                    i64::from_str_radix(text.trim_start_matches("0x"), u32::try_from(*base).ok()?).ok()?;
                Value::new(Known::Number(number), Taint::NONE)
            }
            (Some(text), None) => Value::new(Known::Number(text.trim().parse().ok()?), Taint::NONE),
            _ => return Some(Value::default()),
        },
        "str" | "list" | "tuple" | "set" | "iter" | "dict" => match &first?.known {
            Known::Bytes(bytes) if path == "str" => {
                Value::text(std::str::from_utf8(bytes).ok()?, first?.taint)
            }
            Known::Nothing | Known::Path(_) => return None,
            _ => first?.clone(),
        },
        "map" => mapped(args)?,
        "reversed" => match &first?.known {
            Known::Text(text) => {
                Value::text(&text.chars().rev().collect::<String>(), first?.taint.with(hidden))
            }
            Known::List(items, _) => Value::list(items.iter().rev().cloned().collect()).with(hidden),
            _ => return None,
        },
        "bytes" | "bytearray" | "memoryview" => {
            // Numbers that spell a text are an encoding of it.
            let spelled = if first?.items().is_empty() { Taint::NONE } else { Taint::DECODED };
            Value::bytes(&bytes_of(first?)?, first?.taint.with(hidden).with(spelled))
        }
        "bytes.fromhex" | "bytearray.fromhex" | "binascii.unhexlify" | "binascii.a2b_hex" => {
            decoded(hex(first?)?, first?.taint)
        }
        "base64.b64decode"
        | "base64.decodebytes"
        | "base64.standard_b64decode"
        | "base64.urlsafe_b64decode"
        | "binascii.a2b_base64"
        | "base64.decodestring" => decoded(base64_of(first?)?, first?.taint),
        "codecs.decode" => codec(first?, args.get(1).or_else(|| named(args, "encoding"))?.as_whole_text()?)?,
        "codecs.encode" => codec(first?, args.get(1)?.as_whole_text()?)?,
        "pathlib.Path" | "pathlib.PurePath" | "pathlib.PosixPath" | "os.path.expanduser"
        | "os.path.expandvars" | "os.path.abspath" | "os.path.realpath" | "os.path.normpath"
        | "os.fspath" => path_of(args)?,
        "pathlib.Path.home" => Value::text("~", Taint::NONE),
        "os.path.join" | "pathlib.Path().joinpath" => {
            let parts: Vec<String> = args.iter().take(64).map(Value::as_part).collect();
            Value::text(&parts.join("/"), Taint::NONE)
        }
        "os.getenv" | "os.environ.get" => Value::path("os.environ[]", Taint::NONE),
        "sys.executable" => Value::text("python", Taint::NONE),
        "len" | "bool" | "float" | "isinstance" | "hash" | "id" | "ast.literal_eval" | "json.load"
        | "abs" | "sum" | "os.path.exists" | "os.path.isfile" | "shlex.quote" => Value::default(),
        "shlex.split" => Value::list(
            first?
                .as_text()?
                .split_whitespace()
                .take(256)
                .map(|word| Value::text(word, first.map_or(Taint::NONE, |first| first.taint)))
                .collect(),
        ),
        _ => return None,
    })
}

/// What `receiver.name(args)` returns, for a text, bytes or a list.
pub(crate) fn method(receiver: &Value, name: &str, args: &[Value]) -> Value {
    fold_method(receiver, name, args)
        .unwrap_or_else(|| Value::path(&format!("?.{name}()"), of_file(receiver, name)))
}

fn of_file(receiver: &Value, name: &str) -> Taint {
    let reads = matches!(name, "read_text" | "read_bytes" | "open");
    match receiver.as_text() {
        Some(path) if reads && sources::is_credential_file(path) => Taint::SECRET,
        _ => Taint::NONE,
    }
}

fn fold_method(receiver: &Value, name: &str, args: &[Value]) -> Option<Value> {
    let taint = receiver.taint;
    let hidden = taint.with(Taint::COMPUTED);
    Some(match (name, &receiver.known) {
        ("join", Known::Text(glue)) => {
            let parts = match args.first().map(|arg| &arg.known) {
                Some(Known::List(items, _)) => items.iter().map(Value::as_part).collect::<Vec<_>>(),
                Some(Known::Text(text)) => text.chars().map(String::from).collect(),
                _ => return None,
            };
            let inflow = args.first().map_or(Taint::NONE, |arg| arg.taint);
            let letters = parts.len() > 4 && parts.iter().all(|part| part.chars().count() == 1);
            let spelled = letters
                && inflow.has(Taint::COMPUTED)
                && args.first().is_some_and(|arg| !arg.items().is_empty());
            let inflow = if spelled { inflow.with(Taint::DECODED) } else { inflow };
            Value::text(&parts.join(glue), hidden.with(inflow))
        }
        ("join", Known::Bytes(glue)) => {
            let parts: Option<Vec<Vec<u8>>> = args.first()?.items().iter().map(bytes_of).collect();
            Value::bytes(&parts?.join(glue.as_ref()), taint)
        }
        ("decode", Known::Bytes(bytes)) => match args.first().and_then(Value::as_whole_text) {
            Some("hex" | "base64" | "rot13" | "rot-13" | "rot_13") => {
                codec(receiver, args.first()?.as_whole_text()?)?
            }
            _ => Value::text(&String::from_utf8_lossy(bytes), taint),
        },
        ("decode", Known::Text(_)) => codec(receiver, args.first()?.as_whole_text()?)?,
        ("encode", Known::Text(_))
            if args.is_empty()
                || args.first()?.as_whole_text().is_some_and(|name| {
                    name.to_ascii_lowercase().contains("utf")
                        || name.contains("ascii")
                        || name.contains("latin")
                }) =>
        {
            Value::bytes(receiver.as_whole_text()?.as_bytes(), taint)
        }
        ("replace", Known::Text(_)) => {
            let (from, to) = (args.first()?.as_whole_text()?, args.get(1)?.as_whole_text()?);
            let text = receiver.as_whole_text()?;
            // An empty pattern stands between all characters.
            if from.is_empty() || to.len() > 64 {
                return None;
            }
            Value::text(&text.replace(from, to), hidden)
        }
        ("format", Known::Text(text)) => {
            let mut filled = text.to_string();
            for arg in args.iter().take(32) {
                if let Some(value) = arg.as_text().filter(|value| value.len() < 4096) {
                    filled = filled.replacen("{}", value, 1);
                }
            }
            Value::text(&filled, hidden.with(args.iter().fold(Taint::NONE, |all, arg| all.with(arg.taint))))
        }
        ("split", Known::Text(text)) => {
            let glue = args.first().and_then(Value::as_whole_text).filter(|glue| !glue.is_empty());
            let part = |part: &str| Value::text(part, taint);
            let parts = match glue {
                Some(glue) => text.split(glue).take(4096).map(part).collect(),
                None => text.split_whitespace().take(4096).map(part).collect(),
            };
            Value::list(parts)
        }
        ("strip" | "lstrip" | "rstrip", Known::Text(text)) if args.is_empty() => {
            Value::text(text.trim(), taint)
        }
        ("lower", Known::Text(text)) => Value::text(&text.to_lowercase(), hidden),
        ("upper", Known::Text(text)) => Value::text(&text.to_uppercase(), hidden),
        ("expanduser" | "resolve" | "absolute" | "as_posix" | "copy", _) => receiver.clone(),
        ("joinpath", Known::Text(text)) => {
            let rest: Vec<String> = args.iter().take(64).map(Value::as_part).collect();
            Value::text(&format!("{text}/{}", rest.join("/")), taint)
        }
        ("fromhex", _) => decoded(hex(args.first()?)?, taint),
        ("get", Known::List(items, _)) => named(items, args.first()?.as_whole_text()?).cloned()?,
        _ => return None,
    })
}

/// `map(chr, [...])`.
fn mapped(args: &[Value]) -> Option<Value> {
    let [function, list] = args else { return None };
    let items: Vec<Value> = match &list.known {
        Known::List(items, _) => items.to_vec(),
        Known::Bytes(bytes) => {
            bytes.iter().map(|byte| Value::new(Known::Number(i64::from(*byte)), Taint::NONE)).collect()
        }
        _ => return None,
    };
    let path = function.as_path()?;
    let mut none = Names::default();
    let each = |item: &Value| self::function(path, std::slice::from_ref(item), &mut none);
    matches!(path, "chr" | "ord" | "int" | "str")
        .then(|| items.iter().take(16_384).map(each).collect::<Option<Vec<Value>>>())?
        .map(Value::list)
}

/// A path made of its parts.
fn path_of(args: &[Value]) -> Option<Value> {
    let first = args.first()?;
    first.as_text()?;
    let parts: Vec<String> = args.iter().take(64).map(Value::as_part).collect();
    Some(Value::text(&parts.join("/"), first.taint))
}

fn decoded(bytes: Vec<u8>, taint: Taint) -> Value {
    Value::bytes(&bytes, taint.with(Taint::DECODED).with(Taint::COMPUTED))
}

fn hex(value: &Value) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = bytes_of(value)?.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    bytes.chunks(2).map(pair).collect()
}

fn base64_of(value: &Value) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = bytes_of(value)?
        .into_iter()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .filter(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        .collect();
    BASE64.decode(&bytes).or_else(|_| general_purpose::STANDARD_NO_PAD.decode(&bytes)).ok()
}

fn codec(value: &Value, name: &str) -> Option<Value> {
    let taint = value.taint.with(Taint::DECODED).with(Taint::COMPUTED);
    match name.to_ascii_lowercase().replace(['-', '_'], "").as_str() {
        "rot13" => {
            let text = String::from_utf8(bytes_of(value)?).ok()?;
            Some(Value::text(&text.chars().map(rot13).collect::<String>(), taint))
        }
        "hex" | "hexcodec" => Some(decoded(hex(value)?, taint)),
        "base64" | "base64codec" => Some(decoded(base64_of(value)?, taint)),
        "utf8" | "ascii" | "latin1" => {
            Some(Value::text(&String::from_utf8_lossy(&bytes_of(value)?), value.taint))
        }
        // What stands in the text, decoded in a way that is not followed.
        _ if bytes_of(value).is_some() => Some(Value::text(&HOLE.to_string(), taint)),
        _ => Some(Value::unknown(taint)),
    }
}

fn rot13(c: char) -> char {
    let turn =
        |base: u8| u8::try_from(u32::from(c)).map_or(c, |byte| char::from((byte - base + 13) % 26 + base));
    match c {
        'a'..='z' => turn(b'a'),
        'A'..='Z' => turn(b'A'),
        _ => c,
    }
}
