//! Functions whose result is known without running anything: the tools by which a program hides its texts.

use base64::Engine;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig, general_purpose};

use crate::python::expression::{bytes_of, folder, named};
use crate::python::names::Names;
use crate::python::sources;
use crate::python::text;
use crate::python::value::{HOLE, Known, Taint, Value};
use crate::python::{namespace, resolve};

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
        "vars" => {
            let object = first?.as_path()?;
            Value::path(&format!("{object}.__dict__"), first?.taint)
        }
        "functools.partial"
        | "staticmethod"
        | "classmethod"
        | "asyncio.run"
        | "textwrap.dedent"
        | "inspect.cleandoc"
        | "copy.copy"
        | "copy.deepcopy"
        | "types.MappingProxyType" => first?.clone(),
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
            Known::Path(path) if namespace::is_dictionary(path) => first?.clone(),
            Known::Nothing | Known::Path(_) => return None,
            _ => first?.clone(),
        },
        "map" => mapped(args)?,
        "str.maketrans" | "bytes.maketrans" => maketrans(first?, args.get(1))?,
        "bytes.decode" | "str.encode" | "str.join" | "str.lower" | "str.upper" | "str.replace"
        | "str.format" | "str.strip" | "str.translate" | "str.swapcase" | "bytes.join"
        | "str.removeprefix" => {
            let (_, name) = path.split_once('.')?;
            text::method(first?, name, args.get(1..)?)?
        }
        "reversed" => match &first?.known {
            Known::Text(text) => {
                let reversed = text.chars().rev().map(|c| Value::text(c.encode_utf8(&mut [0; 4]), hidden));
                Value::list(reversed.collect()).with(first?.taint)
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
        // What runs is the source.
        "ast.parse" | "compile" if first?.known != Known::Nothing => first?.clone(),
        "os.path.dirname" => Value::text(folder(first?.as_text()?), first?.taint),
        "types.SimpleNamespace" | "argparse.Namespace" => Value::list(args.to_vec()),
        "type" if args.len() == 3 => args.get(2)?.clone(),
        "os.getenv" | "os.environ.get" | "os.environ.pop" => {
            sources::variable(first.and_then(Value::as_whole_text).unwrap_or_default())
        }
        "huggingface_hub.get_token" | "huggingface_hub.HfFolder.get_token" => {
            Value::path("huggingface_hub.get_token()", Taint::CREDENTIAL)
        }
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
        _ => return resolve::function(path, args, names).or_else(|| packages(path)),
    })
}

/// Where Python keeps its packages.
fn packages(path: &str) -> Option<Value> {
    const FOLDER: &str = "/usr/lib/python3/site-packages";
    let folder = || Value::text(FOLDER, Taint::NONE);
    Some(match path {
        "site.getsitepackages" => Value::list(vec![folder(), folder()]),
        "site.getusersitepackages" | "sysconfig.get_path" | "distutils.sysconfig.get_python_lib" => folder(),
        "sysconfig.get_paths" => {
            Value::list(["purelib", "platlib"].map(|name| Value::named(name, folder())).to_vec())
        }
        _ => return None,
    })
}

/// What `receiver.name(args)` returns, for a text, bytes or a list.
pub(crate) fn method(receiver: &Value, name: &str, args: &[Value]) -> Value {
    text::method(receiver, name, args)
        .unwrap_or_else(|| Value::path(&format!("?.{name}()"), of_file(receiver, name)))
}

fn of_file(receiver: &Value, name: &str) -> Taint {
    let reads = matches!(name, "read_text" | "read_bytes" | "open");
    match receiver.as_text() {
        Some(path) if reads && sources::is_credential_file(path) => Taint::SECRET,
        _ => Taint::NONE,
    }
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

/// The pairs of characters of `str.maketrans("abc", "xyz")`.
fn maketrans(from: &Value, to: Option<&Value>) -> Option<Value> {
    let Some(to) = to else { return Some(from.clone()) };
    let letter = |c: char| Value::text(c.encode_utf8(&mut [0; 4]), Taint::NONE);
    let text = |value: &Value| bytes_of(value).and_then(|bytes| String::from_utf8(bytes).ok());
    let (from, to) = (text(from)?, text(to)?);
    let pairs = from.chars().zip(to.chars()).take(512);
    Some(Value::list(pairs.map(|(from, to)| Value::list(vec![letter(from), letter(to)])).collect()))
}

/// A path made of its parts.
fn path_of(args: &[Value]) -> Option<Value> {
    let first = args.first()?;
    first.as_text()?;
    let parts: Vec<String> = args.iter().take(64).map(Value::as_part).collect();
    Some(Value::text(&parts.join("/"), first.taint))
}

pub(crate) fn decoded(bytes: Vec<u8>, taint: Taint) -> Value {
    Value::bytes(&bytes, taint.with(Taint::DECODED).with(Taint::COMPUTED))
}

pub(crate) fn hex(value: &Value) -> Option<Vec<u8>> {
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

pub(crate) fn codec(value: &Value, name: &str) -> Option<Value> {
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
