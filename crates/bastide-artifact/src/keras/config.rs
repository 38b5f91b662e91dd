//! Configurations of Keras models: trees of class names, modules and arguments that `from_config` builds.

use bastide_types::{Assessment, Rule, Severity};

use crate::document::code;
use crate::document::config::escapes;
use crate::document::json::{self, Node, Value};
use crate::document::names::{Named, named};
use crate::halt::Parsed;
use crate::scan::{Scan, shown};

/// Code in the configuration.
pub(crate) const LAMBDA: Rule = Rule {
    id: "keras.lambda",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "Keras model carries compiled Python code",
    why: "a `Lambda` layer is unmarshalled and run when the model is loaded or called (CVE-2024-3660, CVE-2025-9905)",
    fix: "do not load the model; ask for one without `Lambda` layers",
    cwe: &[94, 502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A function by name.
pub(crate) const NAMED_FUNCTION: Rule = Rule {
    id: "keras.named-function",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "Keras model calls a function by name",
    why: "what the function does is decided by the program that loads the model",
    fix: "see which function it is, and give it in `custom_objects`",
    cwe: &[470],
    atlas: &["AML.T0010.003"],
};

/// A module that acts.
pub(crate) const MODULE: Rule = Rule {
    id: "keras.module",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "Keras model names a function that runs commands, or loads files or code",
    why: "loading imports the module and calls the name, even in safe mode (CVE-2025-1550, CVE-2025-8747, CVE-2025-9906)",
    fix: "do not load the model",
    cwe: &[94, 470],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A module that nobody knows.
pub(crate) const CUSTOM: Rule = Rule {
    id: "keras.custom-object",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "Keras model needs a class outside of Keras",
    why: "loading imports the class from whatever package of that name is installed",
    fix: "see that the class is of a package that you trust",
    cwe: &[470],
    atlas: &["AML.T0010.003"],
};

/// A vocabulary on disk or elsewhere.
pub(crate) const VOCABULARY: Rule = Rule {
    id: "keras.vocabulary-file",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "Keras model reads a file of the host or a URL as vocabulary",
    why: "loading reads the file into the model, or fetches the address, even in safe mode (CVE-2025-12058)",
    fix: "do not load the model",
    cwe: &[73, 918],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A layer that wraps another framework.
pub(crate) const FOREIGN: Rule = Rule {
    id: "keras.foreign-layer",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "Keras model wraps a model of another framework",
    why: "the wrapped model is loaded from a path, or by code of the caller, which is not in this file",
    fix: "scan the wrapped model as well",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// Functions of Keras that fetch, unpack or load what they are told to, or turn protection off.
const GADGETS: &[&str] = &[
    "SafeModeScope",
    "deserialize_keras_object",
    "enable_unsafe_deserialization",
    "extract_archive",
    "extract_open_archive",
    "from_pickle",
    "get_file",
    "image_dataset_from_directory",
    "load_img",
    "load_model",
    "load_weights",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "save_model",
    "text_dataset_from_directory",
    "python_utils",
    "func_load",
];

/// Types of Python that hold values.
const VALUES: &[&str] =
    &["bool", "bytes", "dict", "float", "int", "list", "set", "slice", "str", "tuple", "NoneType"];

/// Looks through the configuration in `text`, which begins at `offset`.
///
/// # Errors
///
/// Where it is no JSON.
pub(crate) fn config(text: &str, offset: u64, scan: &mut Scan<'_>) -> Parsed<()> {
    let root = json::parse(text)?;
    judge(&root, offset, scan);
    Ok(())
}

/// Whether this is a configuration, or the metadata beside one.
pub(crate) fn is_config(root: &Node<'_>) -> bool {
    let model = |node: &Node<'_>| node.has("class_name") && node.has("config");
    model(root)
        || root.has("keras_version")
        || root.get("modelTopology").is_some_and(|topology| {
            topology.has("keras_version") || topology.has("model_config") || model(topology)
        })
        || root.get("model_config").is_some_and(model)
}

/// Looks through a parsed configuration.
pub(crate) fn judge(root: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    for holder in [Some(root), root.get("modelTopology")].into_iter().flatten() {
        if let Some(version) = holder.get_text("keras_version") {
            scan.facts.library("keras", version);
        }
    }
    if let Some(class) = root.get_text("class_name") {
        scan.facts.property("architecture", class);
    }
    root.walk(&mut |key, node| {
        if let Some(class) = node.get_text("class_name") {
            object(node, class, base + node.offset as u64, scan);
        }
        if matches!(key, "function" | "output_shape" | "mask" | "func" | "code" | "fn") {
            marshalled(node, base, scan);
        }
    });
}

/// One object: `{module, class_name, config, registered_name}`.
fn object(node: &Node<'_>, class: &str, at: u64, scan: &mut Scan<'_>) {
    let config = node.get("config");
    let module = node.get_text("module").unwrap_or_default();
    if class == "__lambda__" {
        scan.find(&LAMBDA, at, "a function is stored as marshalled code");
        return;
    }
    layer(class.rsplit(['>', '.']).next().unwrap_or(class), config, at, scan);
    if class == "__typespec__" {
        return imported(module, node.get_text("spec_name").unwrap_or(class), true, at, scan);
    }
    // `{"class_name": "function", "config": "name"}`: the name is looked up in the module.
    let function = config.and_then(Node::text);
    let name =
        function.filter(|_| matches!(class, "function" | "builtin" | "type" | "method")).unwrap_or(class);
    imported(module, name, function.is_some(), at, scan);
    if let Some((package, _)) = node.get_text("registered_name").and_then(|name| name.split_once('>')) {
        registered(package, name, at, scan);
    }
}

fn imported(module: &str, name: &str, function: bool, at: u64, scan: &mut Scan<'_>) {
    let path = if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
    let gadget =
        name.rsplit('.').next().is_some_and(|last| GADGETS.contains(&last)) || module.contains("file_utils");
    let root = module.split('.').next().unwrap_or_default();
    let keras = matches!(
        root,
        "keras" | "keras_hub" | "keras_cv" | "keras_nlp" | "tf_keras" | "keras_tuner" | "keras_core"
    ) || root == "tensorflow" && module.contains("keras")
        || module == "tensorflow" && VALUES.contains(&name);
    let acts = ACTS.contains(&name);
    // What a module of Keras imports is an attribute of it.
    let through = keras
        && module.split('.').skip(1).chain(name.rsplit('.').skip(1)).any(|part| IMPORTED.contains(&part));
    let judged = match module {
        _ if through => Named::Dangerous,
        _ if acts && (function || !module.is_empty()) => Named::Dangerous,
        "" if gadget
            || name.contains('.') && named(name.rsplit('>').next().unwrap_or(name)) == Named::Dangerous =>
        {
            Named::Dangerous
        }
        "" => Named::Known,
        "builtins" if VALUES.contains(&name) => Named::Known,
        "builtins" if function && !BUILTINS.contains(&name) => Named::Unknown,
        _ if gadget => Named::Dangerous,
        _ if keras => match named(&path) {
            Named::Dangerous => Named::Dangerous,
            _ => Named::Known,
        },
        "tensorflow_addons" | "tensorflow_addons.layers" | "tensorflow_probability" => Named::Unknown,
        _ => match named(&path) {
            Named::Known => Named::Unknown,
            other => other,
        },
    };
    match judged {
        Named::Known => {}
        Named::Unknown if function => {
            scan.find(&NAMED_FUNCTION, at, format!("the model calls `{}`", shown(&path)));
        }
        Named::Unknown => scan.find(&CUSTOM, at, format!("the model needs `{}`", shown(&path))),
        Named::Dangerous => {
            scan.find(&MODULE, at, format!("the model names `{}`", shown(&path)));
        }
    }
}

/// Names of functions that run commands, whatever module is said to hold them.
const ACTS: &[&str] =
    &["Popen", "check_call", "check_output", "execv", "execve", "getoutput", "popen", "system"];

/// Modules that those of Keras import and that open files or reach anything. Its own `numpy` and `torch` are backends.
const IMPORTED: &[&str] = &[
    "gzip", "h5py", "inspect", "logging", "np", "requests", "tarfile", "tempfile", "tf", "types", "urllib",
    "zipfile",
];

/// How functions of TensorFlow begin that `TFOpLambda` may not be told to call.
const OUTWARD: &[&str] = &[
    "compat.v1.gfile",
    "compat.v1.py_func",
    "compat.v1.train",
    "data.",
    "io.gfile",
    "io.matching_files",
    "io.read_file",
    "io.write_",
    "load_",
    "numpy_function",
    "print",
    "py_func",
    "saved_model.",
    "summary.",
    "train.",
];

/// Functions of Python that act.
const BUILTINS: &[&str] = &[
    "__build_class__",
    "__import__",
    "breakpoint",
    "compile",
    "delattr",
    "dir",
    "eval",
    "exec",
    "execfile",
    "getattr",
    "globals",
    "help",
    "input",
    "locals",
    "map",
    "open",
    "print",
    "setattr",
    "vars",
];

fn registered(package: &str, name: &str, at: u64, scan: &mut Scan<'_>) {
    const KNOWN: &[&str] =
        &["keras", "keras_cv", "keras_hub", "keras_nlp", "keras.src", "KerasNLP", "KerasCV", "Addons"];
    if named(package) == Named::Dangerous {
        scan.find(&MODULE, at, format!("the model names `{}` of `{}`", shown(name), shown(package)));
    } else if !KNOWN.contains(&package) && !package.starts_with("keras") {
        scan.find(
            &CUSTOM,
            at,
            format!("the model needs `{}` of the package `{}`", shown(name), shown(package)),
        );
    }
}

/// Layers that act by themselves.
fn layer(class: &str, config: Option<&Node<'_>>, at: u64, scan: &mut Scan<'_>) {
    match class {
        "Lambda" => lambda(config, at, scan),
        "StringLookup" | "IntegerLookup" | "TextVectorization" | "IndexLookup" | "Lookup" => {
            let files = ["vocabulary", "idf_weights"].into_iter().filter_map(|key| config?.get_text(key));
            for file in files {
                if escapes(file) {
                    scan.find(&VOCABULARY, at, format!("`{class}` reads `{}`", shown(file)));
                } else {
                    scan.find(&FOREIGN, at, format!("`{class}` reads the file `{}`", shown(file)));
                }
            }
        }
        "TorchModuleWrapper" => {
            scan.find(
                &MODULE,
                at,
                "`TorchModuleWrapper` unpickles a PyTorch module on loading (CVE-2025-49655)",
            );
        }
        "TFSMLayer" if config.and_then(|config| config.get_text("filepath")).is_some_and(escapes) => {
            scan.find(&MODULE, at, "`TFSMLayer` loads a model from outside of its folder");
        }
        "TFOpLambda" | "ClassMethod" | "InstanceMethod" | "SlicingOpLambda" => {
            operation(class, config, at, scan)
        }
        "TFSMLayer" | "JaxLayer" | "FlaxLayer" => {
            scan.find(&FOREIGN, at, format!("`{class}` wraps a model of another framework"));
        }
        // Tokenizers.
        _ => {
            let files = ["vocabulary", "merges"].into_iter().filter_map(|key| config?.get_text(key));
            for file in files.filter(|file| escapes(file) && !file.contains('\n')) {
                scan.find(&VOCABULARY, at, format!("`{}` reads `{}`", shown(class), shown(file)));
            }
        }
    }
}

/// A layer that calls a function of TensorFlow by its name below `tf`.
fn operation(class: &str, config: Option<&Node<'_>>, at: u64, scan: &mut Scan<'_>) {
    let names = ["function", "symbol", "cls_symbol", "method_name"].into_iter();
    for name in names.filter_map(|key| config?.get_text(key)) {
        let below = name.strip_prefix("tf.").unwrap_or(name);
        let raw = below.strip_prefix("raw_ops.").is_some_and(crate::graph::reaches_out);
        if raw || OUTWARD.iter().any(|start| below.starts_with(start)) {
            scan.find(&MODULE, at, format!("a `{class}` layer calls `tf.{}`", shown(below)));
        }
    }
}

fn lambda(config: Option<&Node<'_>>, at: u64, scan: &mut Scan<'_>) {
    let Some(config) = config else { return };
    let declared = ["function_type", "output_shape_type", "mask_type"]
        .iter()
        .any(|key| config.get_text(key) == Some("lambda"));
    match config.get("function").map(|function| &function.value) {
        _ if declared => scan.find(&LAMBDA, at, "a function is stored as marshalled code"),
        Some(Value::List(_)) => scan.find(&LAMBDA, at, "a function is stored as marshalled code"),
        Some(Value::Text(name)) if base64_code(name) => {
            scan.find(&LAMBDA, at, "a function is stored as marshalled code");
        }
        Some(Value::Text(source)) if code::call(source).is_some() => {
            scan.find(&LAMBDA, at, "a function is stored as source code");
        }
        Some(Value::Text(name)) => {
            let module = config.get_text("module").unwrap_or_default();
            if BUILTINS.contains(&name.as_ref()) || named(&format!("{module}.{name}")) == Named::Dangerous {
                scan.find(&MODULE, at, format!("a `Lambda` layer calls `{}`", shown(name)));
            } else {
                scan.find(&NAMED_FUNCTION, at, format!("a `Lambda` layer calls `{}`", shown(name)));
            }
        }
        // A serialised function is judged where it stands; a `__lambda__` is found there too.
        _ => {}
    }
}

/// `[code, defaults, closure]`, as Keras wrote functions before version 3.
fn marshalled(node: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    let code = node.list().first().unwrap_or(node);
    if code.text().is_some_and(base64_code) {
        scan.find(&LAMBDA, base + code.offset as u64, "a function is stored as marshalled code");
    }
}

/// Whether `text` is base64 of a marshalled code object: its first byte is `c`, with or without the flag for references.
fn base64_code(text: &str) -> bool {
    let text = text.trim();
    text.len() >= 40
        && (text.starts_with("4w")
            || text.starts_with("4") && text.as_bytes().get(1).is_some_and(|b| (b'w'..=b'z').contains(b))
            || text.starts_with('Y') && text.as_bytes().get(1).is_some_and(|b| (b'w'..=b'z').contains(b)))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\n".contains(&byte))
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;

    use crate::{Format, Limits, scan};

    fn ids(text: &str) -> Vec<&'static str> {
        let report = scan(&text.as_bytes(), "config.json", &Limits::default());
        assert_eq!(report.format, Format::Keras, "{text}");
        report.findings.iter().map(|finding| finding.rule.id).collect()
    }

    fn in_model(layer: &str) -> String {
        format!(
            r#"{{"module": "keras", "class_name": "Sequential", "config": {{"name": "s", "layers": [{layer}]}},
               "registered_name": null, "compile_config": {{"optimizer": "adam", "loss": "mse", "metrics": ["accuracy"]}}}}"#
        )
    }

    #[test]
    fn an_ordinary_model_is_clean() {
        let layers = r#"
          {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 28, 28, 1], "dtype": "float32"}, "registered_name": null},
          {"module": "keras.layers", "class_name": "Conv2D", "config": {"name": "c", "trainable": true,
            "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null},
            "filters": 8, "activation": "relu",
            "kernel_initializer": {"module": "keras.initializers", "class_name": "GlorotUniform", "config": {"seed": null}, "registered_name": null},
            "kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.01}, "registered_name": null}}, "registered_name": null},
          {"class_name": "Activation", "config": {"activation": {"module": "keras.activations", "class_name": "function", "config": "relu", "registered_name": "relu"}}},
          {"module": "keras.layers", "class_name": "TextVectorization", "config": {"vocabulary": ["", "[UNK]", "the"]}, "registered_name": null},
          {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {}, "registered_name": "Add"},
          {"class_name": "TFOpLambda", "config": {"function": "math.multiply"}},
          {"class_name": "SlicingOpLambda", "config": {"function": "__operators__.getitem"}},
          {"module": "keras_nlp.src.models", "class_name": "Backbone", "config": {}, "registered_name": "keras_nlp>Backbone"}"#;
        assert_eq!(ids(&in_model(layers)), Vec::<&str>::new());
    }

    #[test]
    fn the_version_of_keras_is_noted() {
        for text in [
            r#"{"keras_version": "3.5.0", "date_saved": "2025-01-01@00:00:00"}"#,
            r#"{"class_name": "Sequential", "config": {"layers": []}, "keras_version": "3.5.0", "backend": "jax"}"#,
            r#"{"modelTopology": {"keras_version": "3.5.0", "model_config": {"class_name": "Sequential", "config": {}}}}"#,
        ] {
            let report = scan(&text.as_bytes(), "metadata.json", &Limits::default());
            let library = report.facts.libraries.first().expect("a library");
            assert_eq!((library.name.as_str(), library.version.as_str()), ("keras", "3.5.0"), "{text}");
        }
    }

    #[test]
    fn code_and_dangerous_names_are_seen() {
        let code = "4wEAAAAAAAAAAAAAAAEAAAACAAAAQwAAAHMEAAAAfABTAKkBTqkA";
        for (layer, id) in [
            (format!(r#"{{"class_name": "Lambda", "config": {{"function": {{"class_name": "__lambda__", "config": {{"code": "{code}"}}}}}}}}"#), "keras.lambda"),
            (format!(r#"{{"class_name": "Lambda", "config": {{"function": ["{code}", null, null], "function_type": "lambda"}}}}"#), "keras.lambda"),
            (format!(r#"{{"class_name": "MyLayer", "config": {{"output_shape": ["{code}", null, null]}}}}"#), "keras.lambda"),
            (r#"{"class_name": "Lambda", "config": {"function": "scale", "function_type": "function"}}"#.into(), "keras.named-function"),
            (r#"{"module": "os", "class_name": "system", "config": {}}"#.into(), "keras.module"),
            (r#"{"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}"#.into(), "keras.module"),
            (r#"{"module": "builtins", "class_name": "function", "config": "my_function", "registered_name": "function"}"#.into(), "keras.named-function"),
            (r#"{"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://198.51.100.7"}}"#.into(), "keras.module"),
            (r#"{"module": "keras.utils", "class_name": "function", "config": "get_file"}"#.into(), "keras.module"),
            (r#"{"module": "keras.src.models.model", "class_name": "function", "config": "model_from_json"}"#.into(), "keras.module"),
            (r#"{"module": "keras.config", "class_name": "function", "config": "enable_unsafe_deserialization"}"#.into(), "keras.module"),
            (r#"{"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}"#.into(), "keras.vocabulary-file"),
            (r#"{"class_name": "TextVectorization", "config": {"vocabulary": "http://198.51.100.7/v"}}"#.into(), "keras.vocabulary-file"),
            (r#"{"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"module": "gAI="}}"#.into(), "keras.module"),
            (r#"{"class_name": "__typespec__", "module": "tensorflow", "spec_name": "load_library", "serialized": []}"#.into(), "keras.module"),
            (r#"{"module": "keras.src.saving.saving_lib.h5py", "class_name": "File", "config": {"name": "x"}}"#.into(), "keras.module"),
            (r#"{"module": null, "class_name": "keras>os.system", "config": {}}"#.into(), "keras.module"),
            (r#"{"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}"#.into(), "keras.module"),
            (r#"{"class_name": "TFOpLambda", "config": {"function": "raw_ops.ReadFile"}}"#.into(), "keras.module"),
            (r#"{"class_name": "BytePairTokenizer", "config": {"merges": "/etc/passwd"}}"#.into(), "keras.vocabulary-file"),
            (r#"{"class_name": "Lambda", "config": {"function": "lambda x: __import__('os').system('echo harmless')"}}"#.into(), "keras.lambda"),
            (r#"{"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "x"}}"#.into(), "keras.foreign-layer"),
            (r#"{"module": null, "class_name": "Mine", "config": {}, "registered_name": "Custom>Mine"}"#.into(), "keras.custom-object"),
            (r#"{"module": "mypackage.layers", "class_name": "Mine", "config": {}}"#.into(), "keras.custom-object"),
        ] {
            assert!(ids(&in_model(&layer)).contains(&id), "{layer}: {:?}", ids(&in_model(&layer)));
        }
    }

    #[test]
    fn nested_models_and_keys_out_of_order_are_walked() {
        let inner = in_model(
            r#"{"config": {"config": {}, "class_name": "popen", "module": "os"}, "class_name": "Wrapper"}"#,
        );
        let report = scan(&in_model(&inner).as_bytes(), "x", &Limits::default());
        assert_eq!(report.assessment(), Assessment::Malicious);
    }
}
