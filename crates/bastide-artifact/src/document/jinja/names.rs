//! Names that lead out of the template language.

/// Attributes of Python objects without underscores around them that lead to frames, globals, modules or processes.
const LEADING_OUT: &[&str] = &[
    "ag_frame",
    "builtins",
    "check_output",
    "co_code",
    "cr_frame",
    "f_back",
    "f_builtins",
    "f_code",
    "f_globals",
    "f_locals",
    "format_map",
    "func_closure",
    "func_code",
    "func_globals",
    "getoutput",
    "gi_code",
    "gi_frame",
    "gi_yieldfrom",
    "im_class",
    "im_func",
    "im_self",
    "import_module",
    "load_module",
    "mro",
    "os",
    "popen",
    "subclasses",
    "subprocess",
    "system",
    "tb_frame",
    "tb_next",
];

/// Functions of Python that no template is given, except by mistake.
const FUNCTIONS: &[&str] = &[
    "__import__",
    "breakpoint",
    "compile",
    "eval",
    "exec",
    "execfile",
    "getattr",
    "globals",
    "import_module",
    "open",
    "popen",
    "setattr",
    "system",
    "vars",
];

/// Globals of Jinja, Flask and Django whose attributes are the first step of known injections.
const STEPPING_STONES: &[&str] = &[
    "config",
    "cycler",
    "dict",
    "get_flashed_messages",
    "joiner",
    "lipsum",
    "namespace",
    "range",
    "request",
    "self",
    "session",
    "settings",
    "url_for",
];

/// Dunder names by which Python's objects lead to others, or run something. A text of another name is a mark of a prompt.
const SPECIAL: &[&str] = &[
    "__base__",
    "__bases__",
    "__builtins__",
    "__call__",
    "__class__",
    "__class_getitem__",
    "__closure__",
    "__code__",
    "__context__",
    "__defaults__",
    "__delattr__",
    "__dict__",
    "__func__",
    "__getattr__",
    "__getattribute__",
    "__getitem__",
    "__globals__",
    "__import__",
    "__init__",
    "__init_subclass__",
    "__kwdefaults__",
    "__loader__",
    "__module__",
    "__mro__",
    "__new__",
    "__objclass__",
    "__reduce__",
    "__reduce_ex__",
    "__self__",
    "__setattr__",
    "__spec__",
    "__subclasscheck__",
    "__subclasses__",
    "__subclasshook__",
    "__traceback__",
    "__wrapped__",
];

/// Dunder names that no object of Python has, or that only tell what a thing is called: keys of tools and schemas.
const INERT: &[&str] =
    &["__doc__", "__len__", "__name__", "__qualname__", "__type__", "__typename__", "__version__"];

/// Whether `name` is a dunder name (`__class__`), or a private one that Jinja or Python mangles.
pub(super) fn dunder(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__") && !INERT.contains(&name)
        || name.starts_with("_TemplateReference__")
        || name.starts_with("_Macro__")
}

/// Whether Python has objects with that attribute, which leads out.
pub(super) fn special(name: &str) -> bool {
    SPECIAL.contains(&name) || dunder(name) && !name.starts_with("__")
}

/// Whether such a name is part of `text`.
pub(super) fn holds_special(text: &str) -> bool {
    text.contains("__") && SPECIAL.iter().any(|name| text.contains(name))
}

/// The dunder names that the fields of a text look up when `str.format` fills it in, and where the fields begin.
pub(super) fn fields(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let field = text.get(at + 1..)?.split(['}', '{', '\n']).next()?;
        let name = field.split(['.', '[', ']']).skip(1).find(|name| dunder(name))?;
        Some((at, name))
    })
}

/// Whether no template may name this at all, wherever it stands.
pub(super) fn internal(name: &str) -> bool {
    // `os`, `system` and the like are also words of prompts and roles.
    dunder(name) || tells(name)
}

/// Whether a word of a template that is not parsed names something that leads out.
pub(super) fn named(name: &str) -> bool {
    special(name) || tells(name)
}

fn tells(name: &str) -> bool {
    LEADING_OUT.contains(&name) && (name.contains('_') || matches!(name, "subclasses" | "popen"))
}

/// Whether the attribute `name` leads out, where it is looked up on an object.
pub(super) fn leads_out(name: &str) -> bool {
    name.split('.')
        .any(|name| dunder(name) || LEADING_OUT.contains(&name) && name != "os" && name != "system")
}

/// Whether the attribute `name`, called, runs something.
pub(super) fn runs(name: &str) -> bool {
    leads_out(name) || matches!(name, "system" | "eval" | "exec")
}

/// Whether calling the global `name` runs or reads something.
pub(super) fn function(name: &str) -> bool {
    FUNCTIONS.contains(&name)
}

/// Whether the global `name` is a known first step.
pub(super) fn stepping_stone(name: &str) -> bool {
    STEPPING_STONES.contains(&name)
}
