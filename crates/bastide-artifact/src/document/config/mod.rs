//! JSON and YAML configurations: what they make a loader import, open or evaluate.

pub(super) mod commands;
mod objects;
mod origin;
pub(crate) mod rules;

use std::borrow::Cow;

use origin::Origin;

use rules::{
    AUTO_MAP, CODE, CODE_IN_DATA, CREDENTIAL, CUSTOM_OPERATOR, DUPLICATE, HOST_FILE, PATH, POINTER,
    PUBLISHERS_CODE, REMOTE_CODE, TARGET, TRAVERSAL, UNKNOWN_TARGET,
};

use super::json::{Node, Value};
use super::names::{Named, named};
use super::{code, jinja, secret};
use crate::format::Format;
use crate::pickle::carried;
use crate::scan::{Scan, shown};
use crate::text::shell;

/// Keys that loaders act upon.
const MATTER: &[&str] = &[
    "_class_name",
    "_target_",
    "architectures",
    "auto_map",
    "base_model_name_or_path",
    "chat_template",
    "class_name",
    "code",
    "config",
    "function",
    "loader_module",
    "model_type",
    "module",
    "op",
    "registered_name",
    "tokenizer_class",
    "trust_remote_code",
    "weight_map",
    "__module__",
    "__class__",
    "__loader__",
];

/// Keys under which LangChain names files that it puts into prompts and chains (CVE-2024-28088).
pub(super) const PROMPTS: &[&str] = &[
    "combine_documents_chain_path",
    "example_prompt_path",
    "examples_path",
    "llm_chain_path",
    "llm_path",
    "prompt_path",
    "template_path",
];

/// Keys whose values are read by people.
const PROSE: &[&str] = &[
    "abstract",
    "answer",
    "caption",
    "comment",
    "completion",
    "content",
    "description",
    "doc",
    "documentation",
    "example",
    "examples",
    "help",
    "input",
    "inputs",
    "instruction",
    "instructions",
    "license",
    "message",
    "note",
    "notes",
    "output",
    "prompt",
    "question",
    "readme",
    "response",
    "summary",
    "system_prompt",
    "text",
    "title",
];

/// Whether this is the configuration of a model, a tokenizer or an adapter.
pub(super) fn is_config(root: &Node<'_>) -> bool {
    const MARKS: &[&str] = &[
        "_class_name",
        "_diffusers_version",
        "_name_or_path",
        "_target_",
        "added_tokens_decoder",
        "adapter_config",
        "architectures",
        "auto_map",
        "auto_mapping",
        "base_model_name_or_path",
        "chat_template",
        "custom_pipelines",
        "feature_extractor_type",
        "image_processor_type",
        "model_type",
        "peft_type",
        "processor_class",
        "tokenizer_class",
        "torch_dtype",
        "transformers_version",
        "trust_remote_code",
        "weight_map",
        "modelTopology",
        "weightsManifest",
        "do_sample",
        "eos_token_id",
        "hidden_size",
        "n_layer",
        "num_labels",
        "id2label",
        "target",
        "model",
    ];
    root.entries().iter().any(|(key, _)| MARKS.contains(&key.as_ref()))
}

/// Looks through a configuration; `base` is added to offsets.
pub(super) fn judge(root: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    facts(root, scan);
    let config = is_config(root);
    if !config && !root.is_object() {
        modules(root, base, scan);
    }
    let origin = Origin::of(root);
    root.walk(&mut |key, node| {
        entry(key, node, base, &origin, scan);
        leaf(key, node, config, base, scan);
        // Records of a data set are lists.
        if root.is_object() {
            commands::judge(key, node, base, scan);
        }
    });
    pipeline(root, base, scan);
}

fn facts(root: &Node<'_>, scan: &mut Scan<'_>) {
    for (key, library) in [
        ("transformers_version", "transformers"),
        ("_diffusers_version", "diffusers"),
        ("peft_version", "peft"),
        ("mlflow_version", "mlflow"),
    ] {
        if let Some(version) = root.get_text(key) {
            scan.facts.library(library, version);
        }
    }
    // `config_sentence_transformers.json`
    for (library, version) in root.get("__version__").map(Node::entries).unwrap_or_default() {
        let library = if library == "pytorch" { "torch" } else { library.as_ref() };
        version
            .text()
            .into_iter()
            .for_each(|version| scan.facts.library(&library.replace('_', "-"), version));
    }
    for (property, keys) in [
        ("architecture", ["architectures", "_class_name", "architecture"].as_slice()),
        ("model_type", &["model_type"]),
        ("adapter", &["peft_type"]),
        ("base_model", &["base_model_name_or_path", "base_model"]),
        ("licence", &["license", "licence"]),
        ("name", &["_name_or_path"]),
        ("task", &["task_type", "pipeline_tag"]),
    ] {
        let value = keys.iter().find_map(|key| {
            let node = root.get(key)?;
            node.text().or_else(|| node.list().first()?.text())
        });
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            scan.facts.property(property, value);
        }
    }
    if let Some(method) = root.get("quantization_config").and_then(|config| config.get_text("quant_method")) {
        scan.facts.property("quantisation", method);
    }
}

/// What one key makes a loader do.
fn entry(key: &str, node: &Node<'_>, base: u64, origin: &Origin, scan: &mut Scan<'_>) {
    let at = base + node.offset as u64;
    for twice in node.duplicates(MATTER) {
        scan.find(&DUPLICATE, at, format!("`{twice}` stands twice in one object"));
    }
    objects::judge(node, at, scan);
    match (key, &node.value) {
        ("auto_map", Value::Object(entries)) => {
            for (class, value) in entries {
                let names = std::slice::from_ref(value).iter().chain(value.list());
                names.filter_map(Node::text).for_each(|name| auto_map(class, name, origin, at, scan));
            }
        }
        // PEFT imports the library and looks the class up in it.
        ("auto_mapping", Value::Object(_)) => {
            if let Some(library) = node.get_text("parent_library") {
                let class = node.get_text("base_model_class").unwrap_or_default();
                target("auto_mapping", &format!("{library}.{class}"), at, scan);
            }
        }
        ("custom_pipelines", Value::Object(entries)) => {
            for (task, value) in entries {
                auto_map(task, value.get_text("impl").unwrap_or_default(), origin, at, scan);
            }
        }
        ("chat_template" | "chat_templates", Value::Text(template)) => jinja::template(template, at, scan),
        // By name: `{"default": …, "tool_use": …}`.
        ("chat_template" | "chat_templates", Value::Object(entries)) => {
            for (_, value) in entries {
                let at = base + value.offset as u64;
                value.text().into_iter().for_each(|template| jinja::template(template, at, scan));
            }
        }
        ("template", Value::Text(template)) if template.contains("{{") || template.contains("{%") => {
            jinja::template(template, at, scan);
        }
        ("template", Value::Text(template)) => jinja::fields(template, at, scan),
        (key, Value::Text(path)) if PROMPTS.contains(&key) && escapes(path) => {
            scan.find(&TRAVERSAL, at, format!("a prompt is in `{}`", shown(path)));
        }
        // ONNX in the JSON of protocol buffers.
        ("externalData", Value::List(pairs)) => {
            let location = |pair: &&Node<'_>| pair.get_text("key") == Some("location");
            for path in pairs.iter().filter(location).filter_map(|pair| pair.get_text("value")) {
                shard(path, at, scan);
            }
        }
        // The manifest of a Core ML package.
        ("itemInfoEntries", Value::Object(entries)) => {
            for path in
                entries.iter().filter_map(|(_, item)| item.get_text("path")).filter(|path| escapes(path))
            {
                scan.find(&TRAVERSAL, at, format!("a part of the package is `{}`", shown(path)));
            }
        }
        ("_target_" | "loader_module" | "_component_" | "class_path", Value::Text(name)) => {
            target(key, name, at, scan)
        }
        // The key of latent diffusion models; elsewhere it is a word like any other.
        ("target" | "import_path" | "tokenizer_class" | "architectures", Value::Text(name))
            if named(name) == Named::Dangerous =>
        {
            let dotted = name.contains('.') && !name.contains(char::is_whitespace);
            if dotted {
                target(key, name, at, scan);
            }
        }
        ("trust_remote_code", Value::Bool(true)) => {
            scan.find(&AUTO_MAP, at, "`trust_remote_code` is set in the file itself");
        }
        ("weight_map", Value::Object(entries)) => {
            for (_, value) in entries {
                value.text().into_iter().for_each(|path| shard(path, base + value.offset as u64, scan));
            }
        }
        ("weightsManifest", Value::List(groups)) => {
            for path in groups.iter().filter_map(|group| group.get("paths")).flat_map(Node::list) {
                path.text().into_iter().for_each(|text| shard(text, base + path.offset as u64, scan));
            }
        }
        (
            "_name_or_path"
            | "base_model_name_or_path"
            | "base_model"
            | "tokenizer_name_or_path"
            | "model_name_or_path",
            Value::Text(path),
        ) => {
            place(key, path, at, scan);
        }
        ("_class_name", Value::List(items)) => {
            let names: Vec<&str> = items.iter().filter_map(Node::text).collect();
            scan.find(
                &AUTO_MAP,
                at,
                format!("the pipeline is the model's own `{}`", shown(&names.join("."))),
            );
        }
        ("op", Value::Text(op)) if op == "Custom" => {
            scan.find(
                &CUSTOM_OPERATOR,
                at,
                "the graph calls the operator `Custom`, which Python code registers",
            );
        }
        ("op", Value::Text(op)) if matches!(op.as_ref(), "_Native" | "_NDArray") => {
            scan.find(
                &POINTER,
                at,
                format!("the operator `{}` calls functions at an address of the file", shown(op)),
            );
        }
        _ => {}
    }
}

/// What any text may hold.
fn leaf(key: &str, node: &Node<'_>, config: bool, base: u64, scan: &mut Scan<'_>) {
    let Value::Text(text) = &node.value else { return };
    let at = base + node.offset as u64;
    if text.len() < 8 {
        return;
    }
    if let Some((kind, _)) = secret::find(text) {
        scan.find(&CREDENTIAL, at, format!("{kind} under `{}`", shown(key)));
    }
    if let Err(halt) = carried::text(text, at, scan) {
        scan.halted(Format::Json, halt);
    }
    if matches!(key, "chat_template" | "template") {
        return;
    }
    jinja::text(text, at, scan);
    if PROSE.contains(&key) {
        return;
    }
    if commands::is_command(key) && shell::attack(text).is_some() {
        return;
    }
    if let Some(call) = code::call(text) {
        let rule = if config { &CODE } else { &CODE_IN_DATA };
        scan.find_call(rule, at, format!("the value of `{}` is code", shown(key)), call);
    } else if config && host_file(text) {
        scan.find(&HOST_FILE, at, format!("`{}` names `{}`", shown(key), shown(text)));
    }
}

fn auto_map(class: &str, name: &str, origin: &Origin, at: u64, scan: &mut Scan<'_>) {
    let (repository, path) =
        name.split_once("--").map_or((None, name), |(repository, path)| (Some(repository), path));
    if path.contains("..") || path.starts_with(['/', '\\']) || name.contains("://") {
        scan.find(&TRAVERSAL, at, format!("`{}` is loaded from `{}`", shown(class), shown(name)));
    } else if let Some(repository) = repository {
        let rule = if origin.has(repository) { &PUBLISHERS_CODE } else { &REMOTE_CODE };
        scan.find(
            rule,
            at,
            format!("`{}` is `{}` of the repository `{}`", shown(class), shown(path), shown(repository)),
        );
    } else {
        scan.find(&AUTO_MAP, at, format!("`{}` is the model's own `{}`", shown(class), shown(path)));
        if let Some((module, _)) = path.split_once('.').filter(|_| scan.depth() == 0) {
            scan.facts.file(&format!("{module}.py"));
        }
    }
}

/// A name that the loader imports and calls.
pub(super) fn target(key: &str, name: &str, at: u64, scan: &mut Scan<'_>) {
    let rule = match named(name) {
        Named::Known => return,
        // MLflow's own flavours.
        Named::Unknown if name.starts_with("mlflow.") => return,
        // MONAI looks such a name up among its own components.
        Named::Unknown if is_component(name) => return,
        Named::Unknown => &UNKNOWN_TARGET,
        Named::Dangerous => &TARGET,
    };
    scan.find(rule, at, format!("`{}` names `{}`", shown(key), shown(name)));
}

/// Whether this is the name of a class without a module, which nothing imports.
fn is_component(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A file of weights: beside the index or below it.
fn shard(path: &str, at: u64, scan: &mut Scan<'_>) {
    if escapes(path) {
        scan.find(&TRAVERSAL, at, format!("weights are in `{}`", shown(path)));
    } else if scan.depth() == 0 && !path.is_empty() {
        scan.facts.file(path);
    }
}

/// Whether `path` leads out of the folder that it is looked up in.
pub(crate) fn escapes(path: &str) -> bool {
    let path: Cow<'_, str> = if path.contains('%') { unquote(path).into() } else { path.into() };
    path.starts_with(['/', '\\', '~'])
        || path.contains("://")
        || path.contains('\0')
        || path.as_bytes().get(1) == Some(&b':')
        || path.split(['/', '\\']).any(|part| part == "..")
}

fn unquote(path: &str) -> String {
    path.replace("%2e", ".")
        .replace("%2E", ".")
        .replace("%2f", "/")
        .replace("%2F", "/")
        .replace("%5c", "\\")
        .replace("%5C", "\\")
}

/// Where a base model is taken from. Trainers leave their own folders here (`/workspace/base`); those load nothing.
fn place(key: &str, path: &str, at: u64, scan: &mut Scan<'_>) {
    let up = path.split(['/', '\\']).filter(|part| *part == "..").count();
    if host_file(path) {
        scan.find(&HOST_FILE, at, format!("`{}` names `{}`", shown(key), shown(path)));
    } else if up >= 3 {
        scan.find(&TRAVERSAL, at, format!("`{}` names `{}`", shown(key), shown(path)));
    } else if (path.contains("://") && !path.starts_with("https://huggingface.co/"))
        || path.starts_with("\\\\")
        || path.starts_with("//")
    {
        scan.find(&PATH, at, format!("`{}` names `{}`", shown(key), shown(path)));
    }
}

/// Whether `path` is a place where hosts keep secrets.
fn host_file(path: &str) -> bool {
    const SECRETS: &[&str] = &[
        "/etc/passwd",
        "/etc/shadow",
        "/proc/self",
        "/.ssh",
        ".ssh/id_",
        ".aws/credentials",
        "/etc/sudoers",
        "Windows\\System32\\config",
        "/var/run/secrets",
        "169.254.169.254",
    ];
    path.len() < 512 && !path.contains(' ') && SECRETS.iter().any(|secret| path.contains(secret))
}

/// `modules.json` of sentence-transformers: a list of classes that are imported by name.
fn modules(root: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    for module in root.list().iter().filter(|module| module.has("idx") && module.has("type")) {
        let at = base + module.offset as u64;
        module.get_text("type").into_iter().for_each(|name| target("type", name, at, scan));
        // A folder.
        if let Some(path) = module.get_text("path").filter(|path| escapes(path)) {
            scan.find(&TRAVERSAL, at, format!("a module is in `{}`", shown(path)));
        }
    }
}

/// `model_index.json` of diffusers: `[library, class]` for each part; a library that is not one is a file of the model.
fn pipeline(root: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    const LIBRARIES: &[&str] =
        &["diffusers", "transformers", "onnxruntime", "optimum", "flax", "peft", "k_diffusion", "sdnq"];
    let pipeline = root.has("_diffusers_version");
    if !pipeline && !root.has("_class_name") {
        return;
    }
    for (part, value) in root.entries() {
        if let [library, class] = value.list()
            && let (Some(library), Some(class)) = (library.text(), class.text())
            && !LIBRARIES.iter().any(|known| library.split('.').next() == Some(*known))
            // Parts of pipelines that diffusers itself has.
            && !matches!(library, "stable_diffusion" | "stable_diffusion_xl" | "paint_by_example" | "latent_diffusion" | "deepfloyd_if" | "shap_e" | "wuerstchen" | "kandinsky" | "unclip" | "audioldm2" | "ltx" | "hidream_image")
        {
            let at = base + value.offset as u64;
            let name = format!("{library}.{class}");
            if library.contains("..") || library.contains(['/', '\\']) {
                scan.find(&TRAVERSAL, at, format!("`{}` is loaded from `{}`", shown(part), shown(library)));
            } else if named(&name) == Named::Dangerous {
                scan.find(&TARGET, at, format!("`{}` is `{}`", shown(part), shown(&name)));
            } else if pipeline {
                scan.find(&AUTO_MAP, at, format!("`{}` is the model's own `{}`", shown(part), shown(&name)));
            }
        }
    }
}
