//! Calls of dill and cloudpickle that only name a type: `_load_type('dict')`, `_builtin_type('MethodType')`,
//! `_create_namedtuple('Point', ('x', 'y'), 'shapes')`.
//!
//! Their result is what an import would give, and is judged as one (`dill/_dill.py`, `_reverse_typemap` and
//! `_create_namedtuple`, which imports the name if there is such a type; `cloudpickle/cloudpickle.py`, `_builtin_type`).

use super::arguments::Refusal;
use super::machine::{Call, Global, Machine, State};
use super::names::{Entry, Standing, Use, home};
use super::value::{Kind, Value};

pub(super) const DILL: &str = "dill._dill";
pub(super) const CLOUDPICKLE: &str = "cloudpickle.cloudpickle";

impl Machine<'_> {
    /// The global that a call gives, if all it does is to look one up by a literal name.
    pub(super) fn looked_up(&self, callee: Value, args: &[Value]) -> Option<Global> {
        let by = self.state.global(callee).filter(|_| callee.kind() == Kind::Global)?;
        let text = |value: Value| self.state.text(value).filter(|name| is_name(name));
        let (module, name) = match (by.name.as_str(), args) {
            ("_load_type", &[name]) if home(&by.module) == DILL => dill_type(text(name)?),
            ("_builtin_type", &[name]) if home(&by.module) == CLOUDPICKLE => {
                types(text(name).filter(|name| is_type(name))?)
            }
            ("_create_namedtuple", &[name, _, module, ..]) if home(&by.module) == DILL => {
                (text(module)?, text(name)?)
            }
            _ => return None,
        };
        Some(Global { module, name })
    }
}

/// A name that an import can have.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
}

/// The name of a type in `types`, and of none of the functions and modules there.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && !name.contains('.')
}

/// What dill keeps under a name: the classes of `builtins` and `types`, and a few more.
fn dill_type(name: String) -> (String, String) {
    let (module, known) = match name.as_str() {
        "PartialType" => ("functools", "partial"),
        "SuperType" => ("builtins", "super"),
        "ItemGetterType" => ("operator", "itemgetter"),
        "AttrGetterType" => ("operator", "attrgetter"),
        "FileType" => ("io", "FileIO"),
        "BufferedRandomType" | "PyBufferedRandomType" => ("io", "BufferedRandom"),
        "BufferedReaderType" | "PyBufferedReaderType" => ("io", "BufferedReader"),
        "BufferedWriterType" | "PyBufferedWriterType" => ("io", "BufferedWriter"),
        "TextWrapperType" | "PyTextWrapperType" => ("io", "TextIOWrapper"),
        "InputType" | "OutputType" => ("io", "StringIO"),
        "DictKeysType" | "OdictKeysType" => ("collections.abc", "KeysView"),
        "DictValuesType" | "OdictValuesType" => ("collections.abc", "ValuesView"),
        "DictItemsType" | "OdictItemsType" => ("collections.abc", "ItemsView"),
        "ExitType" => ("site", "Quitter"),
        "HKEYType" => ("winreg", "HKEYType"),
        "GenericAlias" | "SimpleNamespace" => return types(name),
        other if other.ends_with("Type") => return types(name),
        _ => return ("builtins".to_owned(), name),
    };
    (module.to_owned(), known.to_owned())
}

/// An attribute of `types`; Python 2 had the types of the language there, too.
fn types(name: String) -> (String, String) {
    let builtin = match name.as_str() {
        "BooleanType" => "bool",
        "ClassType" | "TypeType" => "type",
        "ComplexType" => "complex",
        "DictType" | "DictionaryType" => "dict",
        "FloatType" => "float",
        "IntType" | "LongType" => "int",
        "ListType" => "list",
        "ObjectType" => "object",
        "SliceType" => "slice",
        "StringType" => "bytes",
        "TupleType" => "tuple",
        "UnicodeType" => "str",
        "XRangeType" => "range",
        _ => return ("types".to_owned(), name),
    };
    ("builtins".to_owned(), builtin.to_owned())
}

/// `_load_type(name)`: a literal name and nothing else, so that the machine followed it.
pub(super) fn is_lookup(state: &State<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let any = state.global(call.callee).is_some_and(|by| by.name == "_load_type");
    match call.args {
        [name]
            if call.whole
                && state.text(*name).is_some_and(|name| is_name(&name) && (any || is_type(&name))) =>
        {
            Ok(())
        }
        _ => Err(Refusal::Resolves),
    }
}

/// `_create_namedtuple(name, fields, module, defaults)`: literal names, so that the machine followed them.
pub(super) fn is_record(state: &State<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let &[name, _, module, ..] = call.args else { return Err(Refusal::Resolves) };
    let named = [name, module].iter().all(|value| state.text(*value).is_some_and(|name| is_name(&name)));
    match named && call.whole && call.args.iter().all(|value| value.is_data()) {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}

/// `_eval_repr(text)`, which evaluates it: picklers give it what has no other spelling than its name, and ranges.
pub(super) fn is_repr(state: &State<'_>, call: &Call<'_>) -> Result<(), Refusal> {
    let plain = match call.args {
        [text] if call.whole => state
            .text(*text)
            .is_some_and(|text| text == "Ellipsis" || text == "NotImplemented" || range(&text).is_some()),
        _ => false,
    };
    if plain { Ok(()) } else { Err(Refusal::Evaluated) }
}

/// The numbers of `range(1, 10)`, if the text is that and no more.
pub(super) fn range(text: &str) -> Option<Vec<i128>> {
    let numbers = text.strip_prefix('x').unwrap_or(text).strip_prefix("range(")?.strip_suffix(')')?;
    numbers.split(", ").map(|number| number.parse().ok()).collect()
}

/// `_getattr(Class, 'name', "<method 'name' of 'Class' objects>")`, which evaluates what stands in the second pair of
/// quotation marks: the class's own name, and a public attribute of a class that is known.
pub(super) fn is_member(
    state: &State<'_>,
    call: &Call<'_>,
    standing: &dyn Fn(Value) -> Option<Standing>,
) -> Result<(), Refusal> {
    let &[class, name, shown] = call.args else { return Err(Refusal::Resolves) };
    let known = class.kind() == Kind::Global
        && matches!(standing(class), Some(Standing::Allowed(Entry { usage: Use::Class, .. })));
    let public = state.text(name).is_some_and(|name| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && super::attributes::is_harmless(&name)
    });
    let own = state.text(shown).zip(state.global(class)).is_some_and(|(shown, class)| {
        shown.split('\'').nth(3).is_some_and(|evaluated| {
            evaluated == class.name || evaluated == format!("{}.{}", class.module, class.name)
        })
    });
    match known && public && own && call.whole {
        true => Ok(()),
        false => Err(Refusal::Resolves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_what_dill_keeps_under_their_names() {
        let of = |name: &str| {
            let (module, name) = dill_type(name.to_owned());
            format!("{module}.{name}")
        };
        for (name, global) in [
            ("dict", "builtins.dict"),
            ("KeyError", "builtins.KeyError"),
            ("CodeType", "types.CodeType"),
            ("MappingProxyType", "types.MappingProxyType"),
            ("SimpleNamespace", "types.SimpleNamespace"),
            ("PartialType", "functools.partial"),
            ("FileType", "io.FileIO"),
            ("TypeType", "builtins.type"),
            ("eval", "builtins.eval"),
        ] {
            assert_eq!(of(name), global);
        }
    }

    #[test]
    fn a_range_is_numbers_and_no_more() {
        assert_eq!(range("range(1, 10, -3)"), Some(vec![1, 10, -3]));
        assert_eq!(range("xrange(5)"), Some(vec![5]));
        for text in
            ["range(print('x'))", "range(1)[0]", "range(1,) + range(2)", "range(", "range()", "Ellipsis"]
        {
            assert_eq!(range(text), None, "{text}");
        }
    }
}
