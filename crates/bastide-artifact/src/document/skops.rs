//! skops: the schema of a scikit-learn model, a tree of types that the loader imports.

use bastide_types::{Assessment, Rule, Severity};

use super::json::Node;
use super::names::{Named, named};
use crate::scan::{Scan, shown};

/// A type that acts.
pub(crate) const TYPE: Rule = Rule {
    id: "skops.dangerous-type",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "skops schema names a function that runs commands or code",
    why: "loading trusted types imports and calls it; `MethodNode` and `OperatorFuncNode` hid such names from the list of \
          untrusted types (CVE-2025-54412, CVE-2025-54413)",
    fix: "do not load the model",
    cwe: &[502, 470],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A type that nobody knows.
pub(crate) const UNKNOWN: Rule = Rule {
    id: "skops.unknown-type",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "skops schema names a type outside of known libraries",
    why: "it loads only where somebody lists the type as trusted",
    fix: "see that the type is of a package that you trust",
    cwe: &[502],
    atlas: &["AML.T0010.003"],
};

/// A loader that does not go with its type.
pub(crate) const MISMATCH: Rule = Rule {
    id: "skops.loader-mismatch",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "skops node names another type than its loader makes",
    why: "the list of untrusted types shows the one and the loader calls the other (CVE-2025-54412, CVE-2025-54413)",
    fix: "do not load the model",
    cwe: &[502, 843],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Types of Python that hold values.
const VALUES: &[&str] = &[
    "builtins.bool",
    "builtins.bytearray",
    "builtins.bytes",
    "builtins.complex",
    "builtins.dict",
    "builtins.ellipsis",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.NoneType",
    "builtins.object",
    "builtins.range",
    "builtins.set",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "builtins.type",
    "types.NoneType",
    "builtins.builtin_function_or_method",
    "builtins.function",
    "types.MethodType",
    "types.FunctionType",
    "builtins.method",
    "types.BuiltinFunctionType",
    "builtins.module",
];

/// Functions of `operator` that compute; skops itself writes them.
const OPERATORS: &[&str] = &["operator.attrgetter", "operator.itemgetter"];

/// Whether this is such a schema.
pub(super) fn is_schema(root: &Node<'_>) -> bool {
    root.has("__loader__") && root.has("__module__") && root.has("__class__")
}

/// Looks through a schema.
pub(super) fn judge(root: &Node<'_>, scan: &mut Scan<'_>) {
    if let Some(version) = root.get_text("_skops_version") {
        scan.facts.library("skops", version);
    }
    root.walk(&mut |_, node| {
        let (Some(module), Some(class)) = (node.get_text("__module__"), node.get_text("__class__")) else {
            return;
        };
        let at = node.offset as u64;
        let loader = node.get_text("__loader__").unwrap_or_default();
        name(&format!("{module}.{class}"), at, scan);
        match loader {
            "OperatorFuncNode" if module != "operator" && module != "_operator" => {
                scan.find(
                    &MISMATCH,
                    at,
                    format!("`OperatorFuncNode` loads `{}.{}`", shown(module), shown(class)),
                );
            }
            "MethodNode" => method(node, at, scan),
            "FunctionNode" | "TypeNode" => {
                if let Some(content) = node.get("content") {
                    let module = content.get_text("module_path").or_else(|| content.get_text("__module__"));
                    let function = content.get_text("function").or_else(|| content.get_text("__class__"));
                    if let (Some(module), Some(function)) = (module, function) {
                        name(&format!("{module}.{function}"), at, scan);
                    }
                }
            }
            _ => {}
        }
    });
}

/// A method of an object: the object is built from another node, and the name is looked up on it.
fn method(node: &Node<'_>, at: u64, scan: &mut Scan<'_>) {
    let Some(content) = node.get("content") else { return };
    let function = content.get_text("func").unwrap_or_default();
    if function.starts_with("__") || matches!(function, "system" | "popen" | "exec" | "eval") {
        scan.find(&TYPE, at, format!("`MethodNode` looks up `{}`", shown(function)));
    }
    let object =
        content.get("obj").map(|object| (object.get_text("__module__"), object.get_text("__class__")));
    let declared = (node.get_text("__module__"), node.get_text("__class__"));
    if let Some(object) = object.filter(|object| *object != declared) {
        let shape = |(module, class): (Option<&str>, Option<&str>)| {
            format!("{}.{}", shown(module.unwrap_or_default()), shown(class.unwrap_or_default()))
        };
        // skops before 0.12 wrote the object's own type here; later ones write the method's.
        if !matches!(declared.0, Some("types" | "builtins")) {
            scan.find(
                &MISMATCH,
                at,
                format!("a method of `{}` is declared as of `{}`", shape(object), shape(declared)),
            );
        }
    }
}

fn name(name: &str, at: u64, scan: &mut Scan<'_>) {
    if VALUES.contains(&name) || OPERATORS.contains(&name) {
        return;
    }
    let harmless_operator = name
        .strip_prefix("operator.")
        .is_some_and(|operator| operator != "methodcaller" && operator != "call");
    match named(name) {
        Named::Known => {}
        Named::Dangerous if harmless_operator => {}
        Named::Dangerous => scan.find(&TYPE, at, format!("the schema names `{}`", shown(name))),
        Named::Unknown => scan.find(&UNKNOWN, at, format!("the schema names `{}`", shown(name))),
    }
}
