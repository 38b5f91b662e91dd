//! Loaders of models and data that run what they load, and models that are not pinned.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::reader::Reader;
use crate::python::value::{HOLE, Known, Value};
use crate::remark::{rule, shown};

rule!(TORCH_UNSAFE, "code.torch-load-unsafe", High, Review, "loads a checkpoint and whatever code is in it",
    why: "with `weights_only=False` the file is unpickled, and a pickle may call any function",
    fix: "drop `weights_only=False`, or read the weights from safetensors",
    cwe: [502], atlas: ["AML.T0011.000", "AML.T0010.003"]);
rule!(TORCH_DEFAULT, "code.torch-load-default", Medium, Clean, "loads a checkpoint by the library's default",
    why: "before torch 2.6 the default unpickles the file; which version runs is not said here",
    fix: "write `weights_only=True`",
    cwe: [502, 1188], atlas: ["AML.T0011.000"]);
rule!(UNSAFE_LOADER, "code.unsafe-loader", Medium, Clean, "unpickles a file",
    why: "a pickle may call any function; whoever can change the file runs code here",
    fix: "keep data in a format that holds data only: safetensors, JSON, Parquet, skops",
    cwe: [502], atlas: ["AML.T0011.000"]);
rule!(NUMPY_PICKLE, "code.numpy-pickle", High, Review, "loads arrays that may be pickles",
    why: "with `allow_pickle=True` an array of objects is unpickled, and a pickle may call any function",
    fix: "drop `allow_pickle=True`; store objects in a format that holds data only",
    cwe: [502], atlas: ["AML.T0011.000"]);
rule!(PANDAS_PICKLE, "code.pandas-pickle", Medium, Clean, "unpickles a table",
    why: "a pickle may call any function; whoever can change the file runs code here",
    fix: "keep tables in Parquet, Arrow or CSV",
    cwe: [502], atlas: ["AML.T0011.000"]);
rule!(YAML_LOAD, "code.yaml-load", High, Review, "loads YAML that may build any object",
    why: "without a safe loader, tags such as `!!python/object/apply` call functions",
    fix: "use `yaml.safe_load`",
    cwe: [502, 20], atlas: ["AML.T0011.000"]);
rule!(DATASET_PANDAS, "code.dataset-pandas", High, Review, "loads a dataset by unpickling it",
    why: "the `pandas` builder of `datasets` unpickles its files (CVE-2026-57845)",
    fix: "convert the data to Parquet and load it with the `parquet` builder",
    cwe: [502], atlas: ["AML.T0011.000", "AML.T0010.002"]);
rule!(REMOTE_CODE, "code.remote-code", High, Review, "runs code from the model's repository",
    why: "with `trust_remote_code=True` Python files of the repository run here; its owner may change them",
    fix: "use a model that the library knows; else copy its code here, review it and pin the revision",
    cwe: [829, 494], atlas: ["AML.T0010.003", "AML.T0011.000"]);
rule!(UNPINNED, "code.unpinned-revision", Low, Clean, "takes whatever the repository holds now",
    why: "a repository may be changed, or taken over, and the next run loads something else",
    fix: "write `revision=` with the commit's forty digits",
    cwe: [494, 829], atlas: ["AML.T0010.003"]);
rule!(VARIABLE_MODEL, "code.variable-model", Low, Clean, "the model's name comes from a variable",
    why: "whoever sets the variable chooses what is loaded here",
    fix: "choose from a list of models with their revisions",
    cwe: [73], atlas: ["AML.T0010.003"]);
rule!(KERAS_UNSAFE, "code.keras-unsafe", High, Review, "loads a Keras model with its code",
    why: "with safe mode off, Lambda layers in the file run when it is loaded (CVE-2024-3660, CVE-2025-1550)",
    fix: "leave safe mode on; replace Lambda layers by registered ones",
    cwe: [502, 94], atlas: ["AML.T0011.000"]);
rule!(LANGCHAIN_PICKLE, "code.dangerous-deserialization", High, Review, "allows a vector store to be unpickled",
    why: "the index is a pickle beside the vectors; whoever can change it runs code here",
    fix: "load the index only from where nobody else can write, or keep it in a database",
    cwe: [502], atlas: ["AML.T0011.000"]);

pub(crate) const RULES: &[&Rule] = &[
    &TORCH_UNSAFE,
    &TORCH_DEFAULT,
    &UNSAFE_LOADER,
    &NUMPY_PICKLE,
    &PANDAS_PICKLE,
    &YAML_LOAD,
    &DATASET_PANDAS,
    &REMOTE_CODE,
    &UNPINNED,
    &VARIABLE_MODEL,
    &KERAS_UNSAFE,
    &LANGCHAIN_PICKLE,
];

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if let Some((rule, message)) = loader(call) {
        reader.remarks.add(rule, call.offset, message);
    }
    if call.is("trust_remote_code", true) {
        let message = format!("`{}` is called with `trust_remote_code=True`", shown(call.path));
        reader.remarks.add(&REMOTE_CODE, call.offset, message);
    }
    if call.is("allow_dangerous_deserialization", true) {
        let message = format!("`{}` is called with `allow_dangerous_deserialization=True`", shown(call.path));
        reader.remarks.add(&LANGCHAIN_PICKLE, call.offset, message);
    }
    pinned(reader, call);
}

/// Functions that unpickle what they are given, whatever else they are told.
const PICKLES: &[&str] = &[
    "pickle.load",
    "pickle.loads",
    "pickle.Unpickler",
    "dill.load",
    "dill.loads",
    "cloudpickle.load",
    "cloudpickle.loads",
    "joblib.load",
    "shelve.open",
    "marshal.load",
    "marshal.loads",
    "jsonpickle.decode",
    "sklearn.externals.joblib.load",
    "compress_pickle.load",
    "pickle5.load",
];

/// Whether what is given to this function runs as a program of its author's.
pub(super) fn unpickles(path: &str) -> bool {
    PICKLES.contains(&path) || path == "pandas.read_pickle"
}

fn loader(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    let says = |what: &str| format!("`{}` {what}", shown(call.path));
    let path = call.path;
    Some(match call.last() {
        "load" if path == "torch.load" => {
            if call.is("weights_only", false) {
                (&TORCH_UNSAFE, says("is called with `weights_only=False`"))
            } else if call.named("weights_only").is_none() && !call.is_open() {
                (&TORCH_DEFAULT, says("does not say `weights_only`"))
            } else {
                return None;
            }
        }
        "load" if path == "numpy.load" && call.is("allow_pickle", true) => {
            (&NUMPY_PICKLE, says("is called with `allow_pickle=True`"))
        }
        "read_pickle" if path.starts_with("pandas") => (&PANDAS_PICKLE, says("unpickles its file")),
        "load" | "load_all" | "unsafe_load" | "full_load" | "unsafe_load_all"
            if path.starts_with("yaml.") =>
        {
            yaml(call)?
        }
        "load_dataset" => {
            let builder = call.arg(0, "path").and_then(Value::as_text)?;
            (builder == "pandas").then(|| (&DATASET_PANDAS, says("uses the `pandas` builder")))?
        }
        "load_model" | "model_from_json" | "clone_model" if call.is("safe_mode", false) => {
            (&KERAS_UNSAFE, says("is called with `safe_mode=False`"))
        }
        "enable_unsafe_deserialization" => (&KERAS_UNSAFE, says("turns safe mode off for every model")),
        _ if PICKLES.contains(&path) => (&UNSAFE_LOADER, says("runs what its data says")),
        _ => return None,
    })
}

fn yaml(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    let loader = call.arg(1, "Loader");
    let safe = loader.and_then(Value::as_path).is_some_and(|path| {
        path.ends_with("SafeLoader") || path.ends_with("BaseLoader") || path.starts_with("local:")
    });
    let unsafe_by_name = call.last().starts_with("unsafe");
    let full =
        call.last() == "full_load" || (loader.is_some() && !unsafe_by_name && loader?.as_path().is_none());
    (!safe && !full).then(|| (&YAML_LOAD, format!("`{}` is called without a safe loader", shown(call.path))))
}

/// Models and datasets from a hub: which one, and which revision of it.
fn pinned(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let from_hub = match call.last() {
        "from_pretrained" => [
            "transformers",
            "diffusers",
            "peft",
            "huggingface_hub",
            "sentence_transformers",
            "optimum",
            "tokenizers",
            "timm",
            "open_clip",
        ]
        .iter()
        .any(|library| call.path.starts_with(library)),
        "hf_hub_download" | "snapshot_download" => true,
        "load_dataset" => call.path.starts_with("datasets"),
        "pipeline" => call.path == "transformers.pipeline",
        "load" => call.path == "torch.hub.load",
        "SentenceTransformer" | "CrossEncoder" => call.path.starts_with("sentence_transformers"),
        _ => false,
    };
    if !from_hub || call.is_open() {
        return;
    }
    let name = match call.last() {
        "pipeline" => call.named("model"),
        _ => ["pretrained_model_name_or_path", "repo_id", "model_name_or_path", "path", "repo_or_dir"]
            .iter()
            .find_map(|name| call.named(name))
            .or_else(|| call.positional().next()),
    };
    let Some(name) = name else { return };
    let text = name.as_text().unwrap_or_default();
    if matches!(name.known, Known::Nothing | Known::Path(_)) || text.contains(HOLE) {
        if call.last() == "from_pretrained" {
            let message = format!("`{}` loads what a variable names", shown(call.path));
            reader.remarks.add(&VARIABLE_MODEL, call.offset, message);
        }
        return;
    }
    let is_local = text.starts_with(['.', '/', '~'])
        || text.is_empty()
        || matches!(
            text,
            "csv"
                | "json"
                | "parquet"
                | "text"
                | "imagefolder"
                | "arrow"
                | "pandas"
                | "webdataset"
                | "audiofolder"
        )
        || call.is("local_files_only", true);
    let revision = call.named("revision").or_else(|| call.named("code_revision"));
    let commit = |text: &str| text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let fixed = match revision.map(|revision| &revision.known) {
        Some(Known::Text(text)) => commit(text),
        // A variable may well hold a commit.
        Some(Known::Nothing | Known::Path(_)) => true,
        _ => {
            call.path == "torch.hub.load"
                && text.rsplit_once(':').is_some_and(|(_, commit_text)| commit(commit_text))
        }
    };
    if !is_local && !fixed && name.as_text().is_some() {
        let message = format!("`{}` loads `{}` without a commit", shown(call.path), shown(text));
        reader.remarks.add(&UNPINNED, call.offset, message);
    }
}
